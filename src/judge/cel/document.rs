//! JSON to CEL values and back.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use kube_cel::cel::Value;
use kube_cel::cel::objects::{Key, Map};
use serde_json::Value as Json;

use super::error::EvalError;
use super::unknown::{self, Unknown};
use crate::judge::path::Path;

/// A JSON document, converted to a CEL value once, when an expression first asks for it. Clones share both.
///
/// Integers become ints (uints above the range of int), other numbers doubles.
#[derive(Clone, Debug)]
pub struct Document {
    json: Arc<Json>,
    value: Arc<OnceLock<Value>>,
    unknown: Arc<[(Path, Unknown)]>,
}

impl Document {
    /// A document as it came.
    pub fn new(json: impl Into<Arc<Json>>) -> Self {
        Self {
            json: json.into(),
            value: Arc::default(),
            unknown: Arc::default(),
        }
    }

    /// A document of which some parts are not known: the texts that `find` knows. They are taken out of the JSON; a list
    /// keeps `null` in their place, as its other members keep theirs.
    pub fn partial(mut json: Json, find: impl Fn(&str) -> Option<Unknown>) -> Self {
        let mut unknown = Vec::new();
        let value = part(&mut json, &Path::root(), &find, &mut unknown);
        Self {
            json: Arc::new(json),
            value: Arc::new(OnceLock::from(value)),
            unknown: unknown.into(),
        }
    }

    /// What is not known of it. No path leads into a list, so a list that holds such a part stands here itself.
    pub fn unknown(&self) -> &[(Path, Unknown)] {
        &self.unknown
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
        self.value.get_or_init(|| from_json(&self.json))
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

/// The value of a part, whose unknown parts are taken out of the JSON.
fn part(
    json: &mut Json,
    at: &Path,
    find: &impl Fn(&str) -> Option<Unknown>,
    found: &mut Vec<(Path, Unknown)>,
) -> Value {
    let mut unknown = |json: &mut Json, unknown: Unknown| {
        *json = Json::Null;
        let why = format!("{at} is not known: {}", unknown.why);
        let unknown = Unknown { why, ..unknown };
        found.push((at.clone(), unknown.clone()));
        unknown.value()
    };
    match json {
        Json::String(text) => match find(text) {
            Some(why) => unknown(json, why),
            None => from_json(json),
        },
        Json::Array(items) => {
            let mut within = Vec::new();
            let values: Vec<Value> = items.iter_mut().map(|item| part(item, at, find, &mut within)).collect();
            let doubtful = values
                .iter()
                .find_map(|value| unknown::of(value).filter(|u| !u.certain));
            // Without knowing whether a member is there, nobody knows how many there are, nor in which place.
            if let Some(doubtful) = doubtful {
                let why = Unknown::certain(&doubtful.why);
                found.push((at.clone(), why.clone()));
                return why.value();
            }
            found.extend(within.into_iter().take(1).map(|(_, why)| (at.clone(), why)));
            Value::List(Arc::new(values))
        }
        Json::Object(fields) => {
            let mut map = HashMap::with_capacity(fields.len());
            for (key, field) in fields.iter_mut() {
                let value = part(field, &at.then(key), find, found);
                map.insert(Key::String(Arc::new(key.clone())), value);
            }
            fields.retain(|key, _| {
                let key = Key::String(Arc::new(key.clone()));
                map.get(&key).is_none_or(|value| unknown::of(value).is_none())
            });
            Value::Map(Map { map: Arc::new(map) })
        }
        json => from_json(json),
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
            if let Some(unknown) = unknown::of(other) {
                return Err(unknown.error());
            }
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
