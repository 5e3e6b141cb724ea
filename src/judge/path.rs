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
        // Whole numbers above 2^53 would lose their last digits as floats.
        (Value::Number(a), Value::Number(b)) => a == b || ((a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_values(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.iter().all(|(key, value)| same(Some(value), b.get(key)))
                && b.iter().all(|(key, value)| a.contains_key(key) || value.is_null())
        }
        _ => a == b,
    }
}

/// What a document holds at some paths, and nothing else of it.
pub fn only(paths: &[Path], document: &Value) -> Value {
    let mut kept = Value::Object(Map::new());
    for path in paths {
        if let Some(value) = path.get(document) {
            path.set(&mut kept, Some(value.clone()));
        }
    }
    kept
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
    let Value::Object(over) = overlay else {
        return overlay.clone();
    };
    let mut merged = object.as_object().cloned().unwrap_or_default();
    for (key, value) in over {
        let below = merged.get(key);
        // What only takes away makes nothing to take it away from.
        if value.is_null() || (below.is_none() && removes(value)) {
            merged.remove(key);
        } else {
            let value = merge(below.unwrap_or(&Value::Null), value);
            merged.insert(key.clone(), value);
        }
    }
    Value::Object(merged)
}

/// Whether an overlay does nothing but take away.
fn removes(overlay: &Value) -> bool {
    match overlay {
        Value::Null => true,
        Value::Object(fields) => !fields.is_empty() && fields.values().all(removes),
        _ => false,
    }
}

/// One overlay that does what `first` and then `second` do.
pub fn compose(first: &Value, second: &Value) -> Value {
    let (Value::Object(one), Value::Object(other)) = (first, second) else {
        return second.clone();
    };
    let mut both = one.clone();
    for (key, value) in other {
        let value = both
            .get(key)
            .map_or_else(|| value.clone(), |below| compose(below, value));
        both.insert(key.clone(), value);
    }
    Value::Object(both)
}

/// The overlay that puts `to` in the place of `from`: what stands in `from` alone is `null` in it.
pub fn replacing(from: Option<&Value>, to: &Value) -> Value {
    let (Some(Value::Object(from)), Value::Object(to)) = (from, to) else {
        return to.clone();
    };
    let mut overlay = Map::new();
    for (key, value) in to {
        overlay.insert(key.clone(), replacing(from.get(key), value));
    }
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        overlay.insert(key.clone(), Value::Null);
    }
    Value::Object(overlay)
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
    fn a_path_gets_sets_and_takes_away() {
        let at = |text: &str| Path::parse(text).unwrap();
        let mut document = json!({"a": {"b": 1, "n": null}, "t": "text"});
        for (path, expected, why) in [
            ("a.b", Some(json!(1)), "what stands there"),
            ("a", Some(json!({"b": 1, "n": null})), "with all that is below"),
            ("a.n", None, "null is absent"),
            ("a.c", None, "nothing stands there"),
            ("t.x", None, "no path leads into text"),
        ] {
            assert_eq!(at(path).get(&document).cloned(), expected, "{why}");
        }
        at("t.x").set(&mut document, None);
        at("q.r").set(&mut document, None);
        assert_eq!(
            document,
            json!({"a": {"b": 1, "n": null}, "t": "text"}),
            "what is not there is not taken away"
        );
        at("c.d").set(&mut document, Some(json!(2)));
        at("a.b").set(&mut document, None);
        assert_eq!(
            document,
            json!({"a": {"n": null}, "t": "text", "c": {"d": 2}}),
            "objects are made on the way"
        );
        assert!(at("a").covers(&at("a.b")) && at("a.b").covers(&at("a.b")) && !at("a.b").covers(&at("a")));
        assert!(!at("a.b").covers(&at("a.bc")), "keys, not letters");
    }

    #[test]
    fn differences_are_as_deep_as_objects() {
        for (from, to, expected, why) in [
            (
                json!({"a": {"b": 1, "c": 2}}),
                json!({"a": {"b": 1, "c": 3}}),
                vec!["a.c"],
                "deep down",
            ),
            (json!({"a": {"b": 1}}), json!({}), vec!["a"], "a whole object"),
            (
                json!({"a": [1, 2]}),
                json!({"a": [1, 3]}),
                vec!["a"],
                "lists are values",
            ),
            (
                json!({"a": 1.0, "b": null}),
                json!({"a": 1}),
                vec![],
                "the same by value",
            ),
            (
                json!({"b": 1, "a": 1}),
                json!({"c": 1}),
                vec!["a", "b", "c"],
                "in an order of its own",
            ),
        ] {
            let found: Vec<String> = differences(&from, &to).iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{why}");
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
            (
                json!(9_007_199_254_740_993_i64),
                json!(9_007_199_254_740_992_i64),
                false,
                "whole numbers are not rounded",
            ),
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
        for (object, overlay, expected, why) in [
            (
                json!({"a": 1}),
                json!({"a": {"b": null, "c": 2}}),
                json!({"a": {"c": 2}}),
                "no null is left behind",
            ),
            (
                json!({}),
                json!({"a": {"b": null}}),
                json!({}),
                "taking away makes nothing",
            ),
            (
                json!({}),
                json!({"a": {}}),
                json!({"a": {}}),
                "an empty object is asked for by name",
            ),
            (json!({"a": 1}), json!(2), json!(2), "anything else replaces"),
        ] {
            assert_eq!(merge(&object, &overlay), expected, "{why}");
        }
    }

    #[test]
    fn two_overlays_are_one() {
        let (first, second) = (
            json!({"a": {"b": 1, "c": null}, "d": 1}),
            json!({"a": {"b": null, "e": 2}, "d": [2]}),
        );
        let object = json!({"a": {"b": 0, "c": 0, "f": 0}});
        assert_eq!(
            merge(&object, &compose(&first, &second)),
            merge(&merge(&object, &first), &second)
        );
    }

    #[test]
    fn a_replacing_overlay_leaves_nothing_of_before() {
        for (from, to, why) in [
            (
                json!({"a": 1, "b": {"c": 2, "d": 3}}),
                json!({"b": {"c": 4}, "e": 5}),
                "deep down",
            ),
            (json!({"a": 1}), json!({}), "everything goes"),
            (json!([1, 2]), json!({"a": 1}), "another kind"),
            (json!({"a": 1}), json!("text"), "no object any more"),
        ] {
            assert_eq!(merge(&from, &replacing(Some(&from), &to)), to, "{why}");
        }
        assert_eq!(replacing(None, &json!({"a": 1})), json!({"a": 1}), "nothing was there");
    }
}
