//! What can go wrong, in sentences for the author of a policy.

/// Why an expression was refused before it ever ran.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    /// A sentence for the author.
    pub message: String,
}

impl CompileError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// Why an evaluation gave no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A map without the key.
    #[error("no such key `{key}`{}", guard(path.as_ref()))]
    NoSuchKey {
        /// The key.
        key: String,
        /// The whole path, where the syntax shows one.
        path: Option<String>,
    },
    /// A value of another type than the operation needs.
    #[error("{message}")]
    Type {
        /// A sentence for the author.
        message: String,
    },
    /// Time, steps or size are used up.
    #[error("the evaluation was stopped: {what}")]
    Limit {
        /// What was exceeded.
        what: String,
    },
    /// Everything else: index out of range, overflow, division by zero, a function's own refusal.
    #[error("{message}")]
    Other {
        /// A sentence for the author.
        message: String,
    },
}

impl EvalError {
    pub(crate) fn type_of(message: impl Into<String>) -> Self {
        Self::Type {
            message: message.into(),
        }
    }

    pub(crate) fn limit(what: impl Into<String>) -> Self {
        Self::Limit { what: what.into() }
    }

    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self::Other {
            message: message.into(),
        }
    }

    /// Limits end an evaluation; `||` and `exists` must not swallow them.
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::Limit { .. })
    }
}

fn guard(path: Option<&String>) -> String {
    path.map_or_else(String::new, |path| format!(": guard it with has({path})"))
}
