//! Paths into documents: `methodIntegration.uri`, `methodSettings["*/*"].loggingLevel`.

use std::fmt;

use serde_json::{Map, Value};

/// Keys from a document's root down to a value. Lists are values: no path leads into them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<String>);

impl Path {
    /// The document itself.
    pub fn root() -> Self {
        Path::default()
    }

    /// Reads `a.b["c.d"]`.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err("write a path such as methodIntegration.uri".into());
        }
        while !rest.is_empty() {
            if let Some(quoted) = rest.strip_prefix('[') {
                let Some(quote) = quoted.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
                    return Err(format!(
                        "`{text}`: write a key in quotes between the brackets, as in methodSettings[\"*/*\"]"
                    ));
                };
                let Some((key, after)) = quoted[1..].split_once(&format!("{quote}]")) else {
                    return Err(format!(
                        "`{text}`: the bracket is not closed; write methodSettings[\"*/*\"].loggingLevel"
                    ));
                };
                keys.push(key.to_owned());
                rest = after.strip_prefix('.').unwrap_or(after);
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                if end == 0 {
                    return Err(format!(
                        "`{text}`: a key is missing; write a path such as methodIntegration.uri"
                    ));
                }
                keys.push(rest[..end].to_owned());
                rest = &rest[end..];
                rest = match rest.strip_prefix('.') {
                    Some("") => return Err(format!("`{text}`: a path does not end with a dot")),
                    Some(after) => after,
                    None => rest,
                };
            }
        }
        Ok(Path(keys))
    }

    /// From keys.
    pub fn of<S: Into<String>>(keys: impl IntoIterator<Item = S>) -> Self {
        Path(keys.into_iter().map(Into::into).collect())
    }

    /// Its keys.
    pub fn keys(&self) -> &[String] {
        &self.0
    }

    /// One key further down.
    #[must_use]
    pub fn then(&self, key: &str) -> Self {
        let mut keys = self.0.clone();
        keys.push(key.to_owned());
        Path(keys)
    }

    /// Whether `other` stands at or below this path.
    pub fn covers(&self, other: &Path) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The value there; `null` counts as absent, as AWS leaves out what is not set.
    pub fn get<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        let found = self.0.iter().try_fold(document, |value, key| value.get(key))?;
        (!found.is_null()).then_some(found)
    }

    /// Puts a value there, making objects on the way; `None` removes what stands there.
    pub fn set(&self, document: &mut Value, value: Option<Value>) {
        let Some((last, way)) = self.0.split_last() else {
            *document = value.unwrap_or(Value::Null);
            return;
        };
        let mut at = document;
        for key in way {
            let Some(object) = as_object(at, value.is_some()) else {
                return;
            };
            if value.is_none() && !object.contains_key(key) {
                return;
            }
            at = object.entry(key.clone()).or_insert(Value::Null);
        }
        let Some(object) = as_object(at, value.is_some()) else {
            return;
        };
        match value {
            Some(value) => {
                object.insert(last.clone(), value);
            }
            None => {
                object.remove(last);
            }
        }
    }
}

fn as_object(value: &mut Value, make: bool) -> Option<&mut Map<String, Value>> {
    if make && !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, key) in self.0.iter().enumerate() {
            let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
            match (plain, at) {
                (true, 0) => write!(f, "{key}")?,
                (true, _) => write!(f, ".{key}")?,
                (false, _) => write!(f, "[\"{key}\"]")?,
            }
        }
        Ok(())
    }
}

/// Whether two values are the same: numbers by value (10000.0 is 10000), `null` as absent.
pub fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    let present = |v: Option<&Value>| v.is_some_and(|v| !v.is_null());
    match (a, b) {
        (Some(a), Some(b)) if present(Some(a)) && present(Some(b)) => same_values(a, b),
        _ => present(a) == present(b),
    }
}

fn same_values(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_values(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.iter().all(|(key, value)| same(Some(value), b.get(key)))
                && b.iter().all(|(key, value)| a.contains_key(key) || value.is_null())
        }
        _ => a == b,
    }
}

/// Every path at which two documents differ, as deep as both are objects.
pub fn differences(from: &Value, to: &Value) -> Vec<Path> {
    let mut found = Vec::new();
    collect(&Path::root(), Some(from), Some(to), &mut found);
    found
}

fn collect(at: &Path, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<Path>) {
    match (from, to) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                collect(&at.then(key), a.get(key), b.get(key), found);
            }
        }
        (from, to) if same(from, to) => {}
        _ => found.push(at.clone()),
    }
}

/// Lays one document over another: objects merge, `null` removes, everything else replaces whole.
pub fn merge(object: &Value, overlay: &Value) -> Value {
    let (Value::Object(base), Value::Object(over)) = (object, overlay) else {
        return overlay.clone();
    };
    let mut merged = base.clone();
    for (key, value) in over {
        if value.is_null() {
            merged.remove(key);
        } else if let Some(below) = merged.get(key) {
            let value = merge(below, value);
            merged.insert(key.clone(), value);
        } else {
            merged.insert(key.clone(), merge(&Value::Object(Map::new()), value));
        }
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_read_and_show_the_same() {
        for (text, keys) in [
            ("methodIntegration.uri", vec!["methodIntegration", "uri"]),
            (
                "methodSettings[\"*/*\"].loggingLevel",
                vec!["methodSettings", "*/*", "loggingLevel"],
            ),
            ("tags[\"a.b\"]", vec!["tags", "a.b"]),
        ] {
            let path = Path::parse(text).unwrap();
            assert_eq!(path.keys(), keys);
            assert_eq!(path.to_string(), text);
        }
        for bad in ["", "a..b", "a.", "a[b]", "a[\"b", ".a"] {
            assert!(Path::parse(bad).is_err(), "{bad} must be refused");
        }
    }

    #[test]
    fn numbers_compare_by_value_and_null_is_absent() {
        for (a, b, equal, why) in [
            (
                json!(10000.0),
                json!(10000),
                true,
                "AWS answers a float where an integer was written",
            ),
            (json!({"a": null}), json!({}), true, "AWS leaves out what is not set"),
            (json!([1, 2]), json!([2, 1]), false, "lists keep their order"),
            (json!("1"), json!(1), false, "text is no number"),
        ] {
            assert_eq!(same(Some(&a), Some(&b)), equal, "{why}");
        }
    }

    #[test]
    fn an_overlay_merges_objects_and_replaces_the_rest() {
        let merged = merge(
            &json!({"a": {"b": 1, "c": [1, 2]}, "d": 1}),
            &json!({"a": {"c": [3]}, "d": null}),
        );
        assert_eq!(merged, json!({"a": {"b": 1, "c": [3]}}));
    }
}
