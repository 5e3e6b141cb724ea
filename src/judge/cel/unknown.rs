//! Values that nobody knows yet: what a template says of an endpoint before it is deployed.
//!
//! An expression that needs such a value ends in an error, so that its rule is `Unknown`. `&&`, `||` and `exists` pass
//! over an error where another side decides, so a rule is `Unknown` only if the value matters.

use std::sync::Arc;

use kube_cel::cel::Value;
use kube_cel::cel::objects::Opaque;

use super::error::EvalError;

/// Why a value is not known, and what of it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// In a sentence.
    pub why: String,
    /// The text that it surely begins with; empty: it may not even be text.
    pub starts: String,
    /// Whether there surely is a value at all.
    pub certain: bool,
}

impl Opaque for Unknown {
    fn runtime_type_name(&self) -> &'static str {
        "plumbline.unknown"
    }
}

impl Unknown {
    /// Something that surely is there.
    pub fn certain(why: impl Into<String>) -> Self {
        Unknown {
            why: why.into(),
            starts: String::new(),
            certain: true,
        }
    }

    pub(super) fn value(self) -> Value {
        Value::Opaque(Arc::new(self))
    }

    pub(super) fn error(&self) -> EvalError {
        EvalError::other(&self.why)
    }

    /// Whether it starts with a text; `None`: nobody knows.
    pub(super) fn starts_with(&self, text: &str) -> Option<bool> {
        if self.starts.is_empty() || !self.certain {
            None
        } else if self.starts.starts_with(text) {
            Some(true)
        } else if text.starts_with(&self.starts) {
            None
        } else {
            Some(false)
        }
    }
}

/// The unknown that a value is.
pub(super) fn of(value: &Value) -> Option<&Unknown> {
    match value {
        Value::Opaque(opaque) => opaque.downcast_ref::<Unknown>(),
        _ => None,
    }
}

/// The first unknown at or below a value.
pub(super) fn within(value: &Value) -> Option<&Unknown> {
    match value {
        Value::List(items) => items.iter().find_map(within),
        // The first by key, so that it is the same each time.
        Value::Map(map) => {
            let found = map.map.iter().filter_map(|(key, value)| Some((key, within(value)?)));
            found.min_by_key(|(key, _)| *key).map(|(_, unknown)| unknown)
        }
        value => of(value),
    }
}

/// A member of a map of which nobody knows whether it is there.
pub(super) fn doubtful(value: &Value) -> Option<&Unknown> {
    let Value::Map(map) = value else {
        return None;
    };
    let found = map.map.iter().filter_map(|(key, value)| Some((key, of(value)?)));
    found
        .filter(|(_, unknown)| !unknown.certain)
        .min_by_key(|(key, _)| *key)
        .map(|(_, unknown)| unknown)
}
