//! From AWS's answers to the documents that rules see, and back. The field names are AWS's own.

use serde_json::{Map, Value};

use crate::judge::iam;

/// Fields that say when or how far, not what: a reading must be the same as the one before while nothing is changed.
const VOLATILE: &[&str] = &[
    "ResponseMetadata",
    "_links",
    "apiStatus",
    "apiStatusMessage",
    "cacheClusterStatus",
    "certificateUploadDate",
    "createdDate",
    "domainNameStatus",
    "domainNameStatusMessage",
    "lastUpdatedDate",
    "warnings",
];

/// A method as rules see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// As in `GET /pets`.
    pub key: String,
    /// The resource's id, which calls name it by.
    pub resource_id: String,
    /// As in `GET`, or `ANY`.
    pub verb: String,
    /// Its own JSON, and `resourcePath`.
    pub json: Value,
}

/// A REST API: an item of `GetRestApis`.
pub fn rest_api(listed: &Value) -> Value {
    settled(listed)
}

/// A stage: an item of `GetStages`.
pub fn stage(listed: &Value) -> Value {
    settled(listed)
}

/// A custom domain name: an item of `GetDomainNames`.
pub fn domain_name(listed: &Value) -> Value {
    settled(listed)
}

/// The methods in items of `GetResources` with `embed=methods`, in the order of their keys.
pub fn methods(resources: &[Value]) -> Vec<Method> {
    let mut found = Vec::new();
    for resource in resources {
        let path = text(resource, "path");
        let id = text(resource, "id");
        let Some(verbs) = resource.get("resourceMethods").and_then(Value::as_object) else {
            continue;
        };
        for (verb, own) in verbs {
            let mut json = own.as_object().cloned().unwrap_or_default();
            json.shift_remove("_links");
            json.insert("resourcePath".into(), path.into());
            found.push(Method {
                key: method_key(verb, path),
                resource_id: id.to_owned(),
                verb: verb.clone(),
                json: Value::Object(json),
            });
        }
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    found
}

/// What a method is called within its API.
pub fn method_key(verb: &str, path: &str) -> String {
    format!("{verb} {path}")
}

/// The policy in a field of an answer. `GetRestApis` answers with text that is escaped once more; text that is no JSON
/// either way stays text, so that a rule that reads it fails openly.
pub fn policy(field: &Value) -> Value {
    let Value::String(text) = field else {
        return field.clone();
    };
    serde_json::from_str::<Value>(text)
        .ok()
        .or_else(|| {
            let unquoted: String = serde_json::from_str(&format!("\"{text}\"")).ok()?;
            serde_json::from_str(&unquoted).ok()
        })
        .filter(Value::is_object)
        .unwrap_or_else(|| field.clone())
}

/// Whether two policies mean the same.
pub fn same_policy(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (standing(a), standing(b)) {
        (None, None) => true,
        (Some(a), Some(b)) => a == b || iam::equivalent(a, b, None),
        _ => false,
    }
}

/// Empty text and `null` are no policy.
fn standing(policy: Option<&Value>) -> Option<&Value> {
    policy.filter(|policy| !policy.is_null() && policy.as_str() != Some(""))
}

/// A field that is text; empty when it is not there.
pub(super) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Without what is volatile, and with policies as objects.
fn settled(listed: &Value) -> Value {
    let Some(fields) = listed.as_object() else {
        return listed.clone();
    };
    let mut kept = Map::with_capacity(fields.len());
    for (name, value) in fields {
        // An API whose last tag was removed answers `tags: {}`, one that never had any nothing: the same to rules.
        let no_tags = name == "tags" && value.as_object().is_some_and(Map::is_empty);
        if value.is_null() || no_tags || VOLATILE.contains(&name.as_str()) {
            continue;
        }
        let value = match name.as_str() {
            "policy" | "managementPolicy" => policy(value),
            _ => value.clone(),
        };
        kept.insert(name.clone(), value);
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn policies_are_read_however_they_are_escaped() {
        let object = json!({"Version": "2012-10-17", "Statement": [{"Resource": "execute-api:/*"}]});
        let escaped = r#"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Resource\":\"execute-api:\/*\"}]}"#;
        for (field, read, why) in [
            (
                json!(escaped),
                object.clone(),
                "GetRestApis escapes once more, slashes too",
            ),
            (json!(object.to_string()), object.clone(), "plain JSON text"),
            (object.clone(), object.clone(), "already an object, as in an export"),
            (json!("{broken"), json!("{broken"), "left as text, not dropped"),
            (json!("[1]"), json!("[1]"), "JSON, but no policy"),
        ] {
            assert_eq!(policy(&field), read, "{why}");
        }
    }

    #[test]
    fn policies_are_the_same_by_meaning() {
        let one = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*",
            "Action": "execute-api:Invoke", "Resource": "*"}});
        let other = json!({"Statement": [{"Resource": ["*"], "Action": ["execute-api:Invoke"],
            "Principal": {"AWS": "*"}, "Effect": "Allow"}], "Version": "2012-10-17"});
        let deny = json!({"Version": "2012-10-17", "Statement": []});
        assert!(
            same_policy(Some(&one), Some(&other)),
            "scalar or list, order, principal"
        );
        assert!(!same_policy(Some(&one), Some(&deny)));
        assert!(same_policy(Some(&json!("")), None), "empty text is no policy");
        assert!(!same_policy(Some(&one), None));
    }

    #[test]
    fn what_is_volatile_is_dropped() {
        let api = rest_api(
            &json!({"id": "a1", "name": "pets", "createdDate": 1, "apiStatus": "UPDATING",
            "apiStatusMessage": "soon", "tags": {}, "policy": "{\\\"Version\\\":\\\"2012-10-17\\\"}"}),
        );
        assert_eq!(
            api,
            json!({"id": "a1", "name": "pets", "policy": {"Version": "2012-10-17"}})
        );
        let tagged = rest_api(&json!({"id": "a1", "tags": {"team": "x"}}));
        assert_eq!(tagged["tags"]["team"], "x");
        let stage = stage(&json!({"stageName": "prod", "lastUpdatedDate": 2, "methodSettings": {}}));
        assert_eq!(stage, json!({"stageName": "prod", "methodSettings": {}}));
    }

    #[test]
    fn a_method_knows_its_path() {
        let found = methods(&[
            json!({"id": "r2", "path": "/pets", "resourceMethods": {"POST": {"httpMethod": "POST"}, "GET": {"httpMethod": "GET"}}}),
            json!({"id": "r1", "path": "/"}),
        ]);
        let keys: Vec<_> = found.iter().map(|m| m.key.as_str()).collect();
        assert_eq!(keys, ["GET /pets", "POST /pets"]);
        assert_eq!(found[0].resource_id, "r2");
        assert_eq!(found[0].json, json!({"httpMethod": "GET", "resourcePath": "/pets"}));
    }
}
