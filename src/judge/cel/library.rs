//! The functions of CEL and Kubernetes. They know no limits, so their arguments are weighed before each call.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use kube_cel::KubeCelExt;
use kube_cel::cel::common::ast::{CallExpr, Expr, IdedExpr};
use kube_cel::cel::{Context, ExecutionError, Value};

use super::document::kind;
use super::error::EvalError;
use super::limits::MAX_WEIGHT;

/// Names of the placeholders in calls; no source can spell them.
const PLACES: [&str; 8] = ["@0", "@1", "@2", "@3", "@4", "@5", "@6", "@7"];
/// Where a function compares everything with everything.
const MAX_PAIRS: usize = 4_000_000;

fn functions() -> &'static Context<'static> {
    static FUNCTIONS: OnceLock<Context<'static>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| Context::default().with_all())
}

/// Is there such a function? Asked by calling it without arguments.
pub(super) fn knows(namespace: Option<&str>, name: &str) -> bool {
    let name = namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}.{name}"));
    let call = call(None, &name, false, 0);
    let tried = catch_unwind(AssertUnwindSafe(|| Value::resolve(&call, functions())));
    !matches!(tried, Ok(Err(ExecutionError::UndeclaredReference(missing))) if *missing == name)
}

/// A call of a function with placeholders for its target and arguments.
pub(super) fn call(namespace: Option<&str>, name: &str, method: bool, arguments: usize) -> IdedExpr {
    let ident = |name: &str| IdedExpr {
        id: 0,
        expr: Expr::Ident(name.to_owned()),
    };
    let mut places = PLACES.iter().map(|name| ident(name));
    let target = match namespace {
        Some(namespace) => Some(ident(namespace)),
        None if method => places.next(),
        None => None,
    };
    let args = places.take(arguments).collect();
    let call = CallExpr {
        func_name: name.to_owned(),
        target: target.map(Box::new),
        args,
    };
    IdedExpr {
        id: 0,
        expr: Expr::Call(call),
    }
}

/// Calls a function of the library.
pub(super) fn invoke(name: &str, call: &IdedExpr, arguments: Vec<Value>) -> Result<Value, EvalError> {
    if arguments.len() > PLACES.len() {
        return Err(EvalError::other(format!(
            "{name}() takes no {} arguments",
            arguments.len()
        )));
    }
    guard(name, &arguments)?;
    if name == "format" && arguments.iter().any(has_map) {
        return Err(EvalError::type_of(
            "format() takes no maps, as they have no order: name their values",
        ));
    }
    let kinds = arguments.iter().map(kind).collect::<Vec<_>>();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut scope = functions().new_inner_scope();
        for (place, argument) in PLACES.iter().zip(arguments) {
            scope.add_variable_from_value(*place, argument);
        }
        Value::resolve(call, &scope)
    }));
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(explain(name, &kinds, &error)),
        Err(_) => Err(EvalError::other(format!("{name}() failed on {}", kinds.join(", ")))),
    }
}

fn has_map(value: &Value) -> bool {
    match value {
        Value::Map(_) => true,
        Value::List(items) => items.iter().any(has_map),
        _ => false,
    }
}

/// Refuses what would make a function grow or compare without bounds.
fn guard(name: &str, arguments: &[Value]) -> Result<(), EvalError> {
    let too_big = || EvalError::limit(format!("the result of {name}() would be larger than 1 MiB"));
    let product = |left: usize, right: usize| left.saturating_mul(right);
    let fits = match (name, arguments) {
        ("lists.range", [Value::Int(count)]) => usize::try_from(*count).unwrap_or(0) <= MAX_WEIGHT / 8,
        ("replace", [Value::String(text), Value::String(from), Value::String(to), ..]) => {
            product(text.len() / from.len().max(1) + 1, to.len()) + text.len() <= MAX_WEIGHT
        }
        ("join", [Value::List(items), Value::String(separator)]) => product(items.len(), separator.len()) <= MAX_WEIGHT,
        ("split", [Value::String(text), Value::String(separator), ..]) => {
            product(text.matches(separator.as_str()).count(), 16) <= MAX_WEIGHT
        }
        ("findAll", [Value::String(text), ..]) => text.len() <= MAX_WEIGHT / 8,
        ("format", [Value::String(text), ..]) => !has_long_number(text, |byte| byte == b'.'),
        ("quantity" | "isQuantity", [Value::String(text)]) => {
            text.len() <= 64 && !has_long_number(text, |byte| matches!(byte, b'e' | b'E' | b'+' | b'-'))
        }
        ("distinct", [Value::List(items)]) => product(items.len(), items.len()) <= MAX_PAIRS,
        ("sets.contains" | "sets.equivalent" | "sets.intersects", [Value::List(left), Value::List(right)]) => {
            product(left.len(), right.len()) <= MAX_PAIRS
        }
        ("indexOf" | "lastIndexOf", [Value::String(text), Value::String(part), ..]) => {
            product(text.len(), part.len()) <= MAX_PAIRS
        }
        _ => true,
    };
    if fits { Ok(()) } else { Err(too_big()) }
}

/// A number of more than three digits behind a byte of a kind: a precision or an exponent that means gigabytes.
fn has_long_number(text: &str, behind: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    (0..bytes.len())
        .any(|at| behind(bytes[at]) && bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count() > 3)
}

fn explain(name: &str, kinds: &[&str], error: &ExecutionError) -> EvalError {
    match error {
        // A map's text comes in another order each time.
        ExecutionError::FunctionError { message, .. } if !message.contains("Map {") => {
            EvalError::other(format!("{name}(): {}", message.chars().take(200).collect::<String>()))
        }
        ExecutionError::InvalidArgumentCount { .. } | ExecutionError::MissingArgumentOrTarget => {
            EvalError::type_of(format!("{name}() takes another number of arguments"))
        }
        _ => EvalError::type_of(format!("{name}() cannot be called on {}", kinds.join(", "))),
    }
}
