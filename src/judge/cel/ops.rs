//! Operators on values.

use std::cmp::Ordering;
use std::sync::Arc;

use kube_cel::cel::objects::{Key, KeyRef};
use kube_cel::cel::{ExecutionError, Value};

use super::document::kind;
use super::error::EvalError;
use super::ir::{Arithmetic, Relation};

/// An int and a double give a double. CEL refuses that, but JSON does not tell 10000 from 10000.0, and a rule must
/// not fail because a number lost its point on the way.
pub(super) fn arithmetic(operator: Arithmetic, left: Value, right: Value) -> Result<Value, EvalError> {
    let (left, right) = match (left, right) {
        (Value::Float(left), right) if double(&right).is_some() => {
            (Value::Float(left), Value::Float(double(&right).unwrap_or(f64::NAN)))
        }
        (left, Value::Float(right)) if double(&left).is_some() => {
            (Value::Float(double(&left).unwrap_or(f64::NAN)), Value::Float(right))
        }
        both => both,
    };
    let (symbol, kinds) = (symbol(operator), (kind(&left), kind(&right)));
    let result = match operator {
        Arithmetic::Add => left + right,
        Arithmetic::Sub => left - right,
        Arithmetic::Mul => left * right,
        Arithmetic::Div => left / right,
        Arithmetic::Rem => left % right,
    };
    result.map_err(|error| match error {
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => EvalError::other("division by zero"),
        ExecutionError::Overflow(..) => EvalError::other(format!("`{symbol}` leaves the range of {}", kinds.0)),
        _ => EvalError::type_of(format!("`{symbol}` does not work on {} and {}", kinds.0, kinds.1)),
    })
}

fn symbol(operator: Arithmetic) -> char {
    match operator {
        Arithmetic::Add => '+',
        Arithmetic::Sub => '-',
        Arithmetic::Mul => '*',
        Arithmetic::Div => '/',
        Arithmetic::Rem => '%',
    }
}

#[allow(clippy::cast_precision_loss)] // what CEL's double() does
fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::UInt(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

pub(super) fn negate(value: &Value) -> Result<Value, EvalError> {
    match value {
        Value::Int(number) => number
            .checked_neg()
            .map(Value::Int)
            .ok_or_else(|| EvalError::other("`-` leaves the range of an int")),
        Value::Float(number) => Ok(Value::Float(-number)),
        other => Err(EvalError::type_of(format!("`-` does not work on {}", kind(other)))),
    }
}

pub(super) fn relate(relation: Relation, left: &Value, right: &Value) -> Result<bool, EvalError> {
    let order = || order(left, right);
    Ok(match relation {
        Relation::Equal => left == right,
        Relation::NotEqual => left != right,
        Relation::Less => order()? == Some(Ordering::Less),
        Relation::Greater => order()? == Some(Ordering::Greater),
        Relation::LessEqual => order()?.is_some_and(Ordering::is_le),
        Relation::GreaterEqual => order()?.is_some_and(Ordering::is_ge),
        Relation::In => contains(right, left, "in")?,
    })
}

fn order(left: &Value, right: &Value) -> Result<Option<Ordering>, EvalError> {
    let refused = || EvalError::type_of(format!("cannot compare {} with {}", kind(left), kind(right)));
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => Err(refused()),
        (Value::Bytes(left), Value::Bytes(right)) => Ok(Some(left.cmp(right))),
        (Value::Float(number), other) | (other, Value::Float(number)) if number.is_nan() && double(other).is_some() => {
            Ok(None)
        }
        _ => left.partial_cmp(right).map(Some).ok_or_else(refused),
    }
}

/// `item in container`, and `container.contains(item)` of lists and maps.
pub(super) fn contains(container: &Value, item: &Value, name: &str) -> Result<bool, EvalError> {
    match container {
        Value::List(items) => Ok(items.contains(item)),
        Value::Map(map) => Ok(key(item).and_then(|key| map.get(&key)).is_some()),
        other => Err(EvalError::type_of(format!(
            "`{name}` looks into lists and maps, not into {}",
            kind(other)
        ))),
    }
}

/// A value as a map's key; a double that is an integer finds the integer.
fn key(value: &Value) -> Option<KeyRef<'_>> {
    match value {
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            #[allow(clippy::cast_possible_truncation)] // checked
            Some(KeyRef::Int(*number as i64))
        }
        other => KeyRef::try_from(other).ok(),
    }
}

/// `of[at]`; `Ok(None)` where a map lacks the key.
pub(super) fn index(of: &Value, at: &Value) -> Result<Option<Value>, EvalError> {
    match of {
        Value::Map(map) => Ok(key(at).and_then(|key| map.get(&key)).cloned()),
        Value::List(items) => {
            let place = match key(at) {
                Some(KeyRef::Int(place)) => usize::try_from(place).ok(),
                Some(KeyRef::Uint(place)) => usize::try_from(place).ok(),
                _ => return Err(EvalError::type_of(format!("a list has no index that is {}", kind(at)))),
            };
            match place.and_then(|place| items.get(place)) {
                Some(value) => Ok(Some(value.clone())),
                None => Err(EvalError::other(format!(
                    "index out of range in a list of {}",
                    items.len()
                ))),
            }
        }
        other => Err(EvalError::type_of(format!("{} has no elements", kind(other)))),
    }
}

/// What a macro walks over. The keys of a map come sorted, so that the result is the same each time.
pub(super) fn elements(range: &Value) -> Result<Arc<Vec<Value>>, EvalError> {
    match range {
        Value::List(items) => Ok(items.clone()),
        Value::Map(map) => {
            let mut keys: Vec<&Key> = map.map.keys().collect();
            keys.sort();
            Ok(Arc::new(keys.into_iter().map(Value::from).collect()))
        }
        other => Err(EvalError::type_of(format!(
            "a macro walks over lists and maps, not over {}",
            kind(other)
        ))),
    }
}

/// Text counts in code points, as in Kubernetes.
pub(super) fn size(value: &Value) -> Result<Value, EvalError> {
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.len(),
        Value::Map(map) => map.map.len(),
        other => return Err(EvalError::type_of(format!("size() does not work on {}", kind(other)))),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}
