//! JSON to CEL values and back.

use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::cel::Value;
use kube_cel::cel::objects::{Key, Map};
use serde_json::Value as Json;

use super::error::EvalError;

/// A JSON document, converted to a CEL value once. Clones share both.
#[derive(Clone, Debug)]
pub struct Document {
    json: Arc<Json>,
    value: Value,
}

impl Document {
    /// Converts. Integers become ints (uints above the range of int), other numbers doubles.
    pub fn new(json: impl Into<Arc<Json>>) -> Self {
        let json = json.into();
        let value = from_json(&json);
        Self { json, value }
    }

    /// The document as it came.
    pub fn json(&self) -> &Json {
        &self.json
    }

    /// Whether the other one is this very document, or a clone of it.
    pub fn is(&self, other: &Document) -> bool {
        Arc::ptr_eq(&self.json, &other.json)
    }

    pub(super) fn value(&self) -> &Value {
        &self.value
    }
}

impl Default for Document {
    fn default() -> Self {
        Self::new(Json::Null)
    }
}

fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => number
            .as_i64()
            .map(Value::Int)
            .or_else(|| number.as_u64().map(Value::UInt))
            .unwrap_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN))),
        Json::String(text) => Value::String(Arc::new(text.clone())),
        Json::Array(items) => Value::List(Arc::new(items.iter().map(from_json).collect())),
        Json::Object(fields) => {
            let map: HashMap<Key, Value> = fields
                .iter()
                .map(|(key, value)| (Key::String(Arc::new(key.clone())), from_json(value)))
                .collect();
            Value::Map(Map { map: Arc::new(map) })
        }
    }
}

/// Keys come out sorted: a CEL map has no order, and a plan must not depend on one.
pub(super) fn to_json(value: &Value) -> Result<Json, EvalError> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) => Json::from(*number),
        Value::UInt(number) => Json::from(*number),
        Value::Float(number) => serde_json::Number::from_f64(*number)
            .map(Json::Number)
            .ok_or_else(|| EvalError::type_of("the result holds an infinite number or none at all"))?,
        Value::String(text) => Json::String(text.as_ref().clone()),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Value::Map(map) => {
            let mut entries: Vec<_> = map.map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let mut fields = serde_json::Map::with_capacity(entries.len());
            for (key, value) in entries {
                let Key::String(key) = key else {
                    return Err(EvalError::type_of("the result holds a map whose keys are not strings"));
                };
                fields.insert(key.as_ref().clone(), to_json(value)?);
            }
            Json::Object(fields)
        }
        Value::Timestamp(time) => Json::String(time.to_rfc3339()),
        other => {
            return Err(EvalError::type_of(format!(
                "the result holds {}, which JSON cannot carry",
                kind(other)
            )));
        }
    })
}

/// A type's name with its article.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Int(_) => "an int",
        Value::UInt(_) => "a uint",
        Value::Float(_) => "a double",
        Value::String(_) => "a string",
        Value::Bytes(_) => "bytes",
        Value::Bool(_) => "a bool",
        Value::Duration(_) => "a duration",
        Value::Timestamp(_) => "a timestamp",
        Value::Null => "null",
        Value::Function(..) => "a function",
        Value::Opaque(_) => "an object of a library",
    }
}

/// The logical size of a value in bytes or so, counted up to just above `cap`. Shared parts count each time they
/// are reached, as whoever walks over the value walks over them each time.
pub(super) fn weight(value: &Value, cap: usize) -> usize {
    match value {
        Value::String(text) => 8 + text.len(),
        Value::Bytes(bytes) => 8 + bytes.len(),
        Value::List(items) => sum(items.iter(), cap),
        Value::Map(map) => {
            let keys: usize = map
                .map
                .keys()
                .map(|key| if let Key::String(key) = key { 8 + key.len() } else { 8 })
                .sum();
            keys + sum(map.map.values(), cap)
        }
        _ => 8,
    }
}

fn sum<'a>(values: impl Iterator<Item = &'a Value>, cap: usize) -> usize {
    let mut total = 8;
    for value in values {
        total += weight(value, cap.saturating_sub(total));
        if total > cap {
            break;
        }
    }
    total
}
