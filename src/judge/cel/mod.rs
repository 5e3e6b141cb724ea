//! Expressions of policies: compiled once, bounded in time, memory and stack, and the same result each time.

mod document;
mod error;
mod eval;
mod ir;
mod library;
mod limits;
mod lower;
mod ops;
mod reads;
mod scan;
#[cfg(test)]
mod tests;
mod unknown;

use std::sync::Arc;

use kube_cel::cel::Value;
use kube_cel::cel::parser::{ParseErrors, Parser};

pub use document::Document;
pub use error::{CompileError, EvalError};
pub use reads::Reads;
pub use unknown::Unknown;

/// The parser needs about 100 kB of stack for each level of nesting when it is built without optimisation.
const PARSER_STACK: usize = 256 << 20;

/// What an expression may name.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The judged resource.
    pub object: &'a Document,
    /// Its last compliant value; `null` when there is none.
    pub previous: Option<&'a Document>,
    /// The endpoint that the resource belongs to.
    pub endpoint: &'a Document,
    /// The account.
    pub account: &'a Document,
    /// The policy's parameters.
    pub params: &'a Document,
    /// The stage whose live state is judged; `null` for a draft.
    pub stage: Option<&'a str>,
    /// The time. Without it, `now` is an error.
    pub now: Option<jiff::Timestamp>,
}

/// One compiled, bounded expression. Clones share it.
#[derive(Debug, Clone)]
pub struct Program(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    source: String,
    reads: Reads,
    uses: Vec<ir::Variable>,
    node: ir::Node,
}

impl Program {
    /// Compiles, and checks size, depth and names.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        scan::check(source)?;
        let source = source.to_owned();
        std::thread::Builder::new()
            .name("cel-compile".into())
            .stack_size(PARSER_STACK)
            .spawn(move || parse(source))
            .map_err(|error| CompileError::new(format!("no thread to compile on: {error}")))?
            .join()
            .map_err(|_| CompileError::new("the parser failed on the expression"))?
    }

    /// The text.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Which parts of `object` evaluation may read.
    pub fn reads(&self) -> &Reads {
        &self.0.reads
    }

    /// Does the expression name this variable?
    pub fn uses(&self, name: &str) -> bool {
        ir::VARIABLES
            .iter()
            .any(|(known, variable)| *known == name && self.0.uses.contains(variable))
    }

    /// The value, which must be a bool.
    pub fn eval_bool(&self, scope: &Scope<'_>) -> Result<bool, EvalError> {
        match eval::evaluate(&self.0.node, scope)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(EvalError::type_of(format!(
                "the expression gives {}, not a bool",
                document::kind(&other)
            ))),
        }
    }

    /// The value, which must be a string.
    pub fn eval_string(&self, scope: &Scope<'_>) -> Result<String, EvalError> {
        match eval::evaluate(&self.0.node, scope)? {
            Value::String(text) => Ok(Arc::unwrap_or_clone(text)),
            other => Err(EvalError::type_of(format!(
                "the expression gives {}, not a string",
                document::kind(&other)
            ))),
        }
    }

    /// The value as JSON, with sorted keys.
    pub fn eval_json(&self, scope: &Scope<'_>) -> Result<serde_json::Value, EvalError> {
        document::to_json(&eval::evaluate(&self.0.node, scope)?)
    }
}

/// Runs on the thread with the large stack, where the syntax tree is dropped too.
fn parse(source: String) -> Result<Program, CompileError> {
    let expression = Parser::new()
        .parse(&source)
        .map_err(|errors| refused(&source, &errors))?;
    let (node, uses) = lower::lower(&expression)?;
    let reads = Reads::of(&expression);
    Ok(Program(Arc::new(Compiled {
        source,
        reads,
        uses,
        node,
    })))
}

/// The first complaint alone, with the text before it: the others follow from it, and there may be thousands.
fn refused(source: &str, errors: &ParseErrors) -> CompileError {
    let Some(first) = errors.errors.first() else {
        return CompileError::new("the expression is no CEL");
    };
    let (line, column) = first.pos;
    let text = source
        .lines()
        .nth(usize::try_from(line - 1).unwrap_or(0))
        .unwrap_or_default();
    let before = text
        .chars()
        .take(usize::try_from(column).unwrap_or(0))
        .collect::<Vec<_>>();
    let near: String = before.iter().skip(before.len().saturating_sub(30)).collect();
    let message: String = first.msg.chars().take(200).collect();
    CompileError::new(format!(
        "no CEL at line {line}, column {column}, near `{near}`: {message}"
    ))
}
