//! API Gateway as far as patch operations tell: a small interpreter, written from AWS's documentation and records and not
//! from the property tables, so that the two can disagree.
//!
//! What AWS does that documents alone do not show:
//! * The first patch under a method settings key makes the whole entry, with defaults. `*/*` is passed on to no entry.
//! * `replace` of a map's entry that is not there is refused, and so is `remove` of anything that is not there.
//! * Patch values are text.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::drift::{Call, PatchOperation};
use crate::api::policy::Target;
use crate::judge::path::Path;

/// What the editor holds of one API.
#[derive(Clone, Debug, PartialEq)]
pub struct Editor {
    pub documents: BTreeMap<(Target, String), Value>,
    /// What calls name each document by.
    pub addresses: BTreeMap<(Target, String), BTreeMap<String, String>>,
}

impl Editor {
    /// Makes calls in their order, as AWS would or would not.
    pub fn make(&mut self, calls: &[Call]) -> Result<(), String> {
        for call in calls {
            for patch in &call.patch_operations {
                self.patch(call, patch)
                    .map_err(|why| format!("{} {} {}: {why}", call.operation, patch.op, patch.path))?;
            }
        }
        Ok(())
    }

    /// Makes every patch that AWS takes, and forgets the others.
    pub fn make_what_can_be(&mut self, calls: &[Call]) {
        for call in calls {
            for patch in &call.patch_operations {
                let before = self.clone();
                if self.patch(call, patch).is_err() {
                    *self = before;
                }
            }
        }
    }

    fn patch(&mut self, call: &Call, patch: &PatchOperation) -> Result<(), String> {
        let target = match call.operation.as_str() {
            "UpdateRestApi" => Some(Target::RestApi),
            "UpdateStage" => Some(Target::Stage),
            "UpdateMethod" | "UpdateIntegration" => Some(Target::Method),
            "TagResource" | "UntagResource" => None,
            other => return Err(format!("no operation {other}")),
        };
        let named: Vec<&str> = match target {
            Some(Target::RestApi) => vec!["restApiId"],
            Some(Target::Stage) => vec!["restApiId", "stageName"],
            Some(_) => vec!["restApiId", "resourceId", "httpMethod"],
            None => vec!["resourceArn"],
        };
        let given: Vec<&str> = call.parameters.keys().map(String::as_str).collect();
        let mut wanted = named.clone();
        wanted.sort_unstable();
        if given != wanted {
            return Err(format!("parameters {given:?} for {wanted:?}"));
        }
        let key = self
            .addresses
            .iter()
            .find(|((of, _), address)| {
                target.is_none_or(|target| *of == target)
                    && named
                        .iter()
                        .all(|name| address.get(*name) == call.parameters.get(*name))
            })
            .map(|(key, _)| key.clone())
            .ok_or("NotFoundException")?;
        let document = self.documents.get_mut(&key).ok_or("NotFoundException")?;
        let segments: Vec<String> = patch.path.split('/').skip(1).map(unescaped).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let raw: Vec<&str> = patch.path.split('/').skip(1).collect();
        match call.operation.as_str() {
            "UpdateRestApi" => rest_api(document, &segments, patch),
            "UpdateStage" => stage(document, &segments, &raw, patch),
            "UpdateMethod" => method(document, &segments, patch),
            "UpdateIntegration" => integration(document, &segments, patch),
            operation => tag(document, operation, &segments, patch),
        }
    }
}

fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

fn rest_api(document: &mut Value, path: &[&str], patch: &PatchOperation) -> Result<(), String> {
    match path {
        ["policy"] => match given(patch, "replace")? {
            "" => set(document, &["policy"], None),
            text => set(
                document,
                &["policy"],
                Some(serde_json::from_str(text).map_err(|e| e.to_string())?),
            ),
        },
        ["minimumCompressionSize"] => match given(patch, "replace")? {
            "" => set(document, &["minimumCompressionSize"], None),
            text => set(document, &["minimumCompressionSize"], Some(integer(text)?)),
        },
        ["description"] if patch.op == "remove" => remove(document, &["description"]),
        ["disableExecuteApiEndpoint"] => replace(document, path, boolean(given(patch, "replace")?)?),
        ["name" | "description" | "apiKeySource" | "securityPolicy" | "endpointAccessMode"]
        | ["endpointConfiguration", "ipAddressType"] => replace(document, path, json!(given(patch, "replace")?)),
        ["binaryMediaTypes", member] => list(document, &["binaryMediaTypes"], member, patch),
        ["endpointConfiguration", "vpcEndpointIds"] => list(document, path, given_member(patch)?, patch),
        _ => Err("Invalid patch path".into()),
    }
}

fn stage(document: &mut Value, path: &[&str], raw: &[&str], patch: &PatchOperation) -> Result<(), String> {
    match path {
        ["tracingEnabled" | "cacheClusterEnabled"] => replace(document, path, boolean(given(patch, "replace")?)?),
        ["cacheClusterSize" | "clientCertificateId" | "description" | "documentationVersion"] => {
            replace(document, path, json!(given(patch, "replace")?))
        }
        ["variables" | "accessLogSettings"] if patch.op == "remove" => remove(document, path),
        ["variables", _] | ["accessLogSettings", "destinationArn" | "format"] => {
            if patch.op == "remove" {
                remove(document, path)?;
                forget_if_empty(document, path[0])
            } else {
                replace(document, path, json!(given(patch, "replace")?))
            }
        }
        // Two segments, as AWS answers the key, escapes and all.
        [_, _] => {
            if patch.op == "remove" {
                remove(document, &["methodSettings", &raw.join("/")])
            } else {
                Err("Invalid method setting path".into())
            }
        }
        [_, _, group, name] => setting(document, &raw[..2].join("/"), (*group, *name), given(patch, "replace")?),
        _ => Err("Invalid method setting path".into()),
    }
}

/// One setting; the entry is made as a whole if it is not there.
fn setting(document: &mut Value, key: &str, name: (&str, &str), text: &str) -> Result<(), String> {
    let (field, value) = match name {
        ("logging", "loglevel") => ("loggingLevel", json!(text)),
        ("logging", "dataTrace") => ("dataTraceEnabled", boolean(text)?),
        ("metrics", "enabled") => ("metricsEnabled", boolean(text)?),
        ("throttling", "rateLimit") => (
            "throttlingRateLimit",
            json!(text.parse::<f64>().map_err(|e| e.to_string())?),
        ),
        ("throttling", "burstLimit") => ("throttlingBurstLimit", integer(text)?),
        ("caching", "enabled") => ("cachingEnabled", boolean(text)?),
        ("caching", "dataEncrypted") => ("cacheDataEncrypted", boolean(text)?),
        ("caching", "ttlInSeconds") => ("cacheTtlInSeconds", integer(text)?),
        ("caching", "requireAuthorizationForCacheControl") => ("requireAuthorizationForCacheControl", boolean(text)?),
        ("caching", "unauthorizedCacheControlHeaderStrategy") => {
            ("unauthorizedCacheControlHeaderStrategy", json!(text))
        }
        _ => return Err("Invalid method setting path".into()),
    };
    if at(document, &["methodSettings", key]).is_none() {
        set(document, &["methodSettings", key], Some(new_entry()))?;
    }
    set(document, &["methodSettings", key, field], Some(value))
}

/// An entry as AWS makes it. It has no logging level.
pub fn new_entry() -> Value {
    json!({
        "metricsEnabled": false, "dataTraceEnabled": false, "throttlingBurstLimit": 5000, "throttlingRateLimit": 10000.0,
        "cachingEnabled": false, "cacheTtlInSeconds": 300, "cacheDataEncrypted": false,
        "requireAuthorizationForCacheControl": true,
        "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
    })
}

fn method(document: &mut Value, path: &[&str], patch: &PatchOperation) -> Result<(), String> {
    match path {
        ["apiKeyRequired"] => replace(document, path, boolean(given(patch, "replace")?)?),
        ["authorizationType" | "authorizerId" | "operationName" | "requestValidatorId"] => {
            replace(document, path, json!(given(patch, "replace")?))
        }
        ["authorizationScopes"] => list(document, path, given_member(patch)?, patch),
        ["requestParameters", _] => entry(document, path, patch, boolean),
        ["requestModels", _] => entry(document, path, patch, |text| Ok(json!(text))),
        _ => Err("Invalid patch path".into()),
    }
}

fn integration(document: &mut Value, path: &[&str], patch: &PatchOperation) -> Result<(), String> {
    let integration = document.get_mut("methodIntegration");
    let integration = integration.ok_or("Invalid Integration identifier specified")?;
    match path {
        ["timeoutInMillis"] => replace(integration, path, integer(given(patch, "replace")?)?),
        ["tlsConfig", "insecureSkipVerification"] => replace(integration, path, boolean(given(patch, "replace")?)?),
        [
            "uri"
            | "httpMethod"
            | "connectionType"
            | "connectionId"
            | "passthroughBehavior"
            | "contentHandling"
            | "cacheNamespace"
            | "responseTransferMode"
            | "integrationTarget",
        ] => replace(integration, path, json!(given(patch, "replace")?)),
        ["cacheKeyParameters", member] => list(integration, &["cacheKeyParameters"], member, patch),
        ["requestParameters" | "requestTemplates", _] => entry(integration, path, patch, |text| Ok(json!(text))),
        _ => Err("Invalid patch path".into()),
    }
}

fn tag(document: &mut Value, operation: &str, path: &[&str], patch: &PatchOperation) -> Result<(), String> {
    match (operation, path) {
        ("TagResource", ["tags", _]) => set(document, path, Some(json!(given(patch, "add")?))),
        ("UntagResource", ["tags", _]) if patch.op == "remove" => {
            remove(document, path)?;
            forget_if_empty(document, "tags")
        }
        _ => Err("no change of a tag".into()),
    }
}

/// An entry of a map: added when it is not there, replaced or removed when it is.
fn entry(
    document: &mut Value,
    path: &[&str],
    patch: &PatchOperation,
    read: fn(&str) -> Result<Value, String>,
) -> Result<(), String> {
    let there = at(document, path).is_some();
    match (patch.op.as_str(), there) {
        ("add", false) | ("replace", true) => {
            let value = read(patch.value.as_deref().ok_or("no value")?)?;
            set(document, path, Some(value))
        }
        ("remove", true) => {
            remove(document, path)?;
            forget_if_empty(document, path[0])
        }
        (op, _) => Err(format!("Invalid mapping expression: {op}, there: {there}")),
    }
}

/// The member that a value names.
fn given_member(patch: &PatchOperation) -> Result<&str, String> {
    patch.value.as_deref().ok_or_else(|| "no member is named".into())
}

/// A member of a list: added when it is not there, removed when it is.
fn list(document: &mut Value, path: &[&str], member: &str, patch: &PatchOperation) -> Result<(), String> {
    let mut members: Vec<Value> = at(document, path)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let there = members.iter().position(|one| one == member);
    match (patch.op.as_str(), there) {
        ("add", None) => members.push(json!(member)),
        ("remove", Some(index)) => {
            members.remove(index);
        }
        (op, there) => return Err(format!("{op} of {member}, there: {}", there.is_some())),
    }
    set(document, path, Some(Value::Array(members)))
}

fn given<'a>(patch: &'a PatchOperation, op: &str) -> Result<&'a str, String> {
    if patch.op != op {
        return Err(format!("{} is not taken", patch.op));
    }
    patch.value.as_deref().ok_or_else(|| "no value".to_owned())
}

fn boolean(text: &str) -> Result<Value, String> {
    text.parse::<bool>()
        .map(Value::Bool)
        .map_err(|_| format!("{text} is no boolean"))
}

fn integer(text: &str) -> Result<Value, String> {
    text.parse::<i64>()
        .map(Value::from)
        .map_err(|_| format!("{text} is no integer"))
}

fn at<'a>(document: &'a Value, path: &[&str]) -> Option<&'a Value> {
    Path::of(path.iter().copied()).get(document)
}

#[expect(clippy::unnecessary_wraps, reason = "the last word of each arm")]
fn set(document: &mut Value, path: &[&str], value: Option<Value>) -> Result<(), String> {
    Path::of(path.iter().copied()).set(document, value);
    Ok(())
}

fn replace(document: &mut Value, path: &[&str], value: Value) -> Result<(), String> {
    set(document, path, Some(value))
}

fn remove(document: &mut Value, path: &[&str]) -> Result<(), String> {
    if at(document, path).is_none() {
        return Err("there is nothing to remove".into());
    }
    set(document, path, None)
}

/// AWS shows no map that is empty, but for method settings.
fn forget_if_empty(document: &mut Value, key: &str) -> Result<(), String> {
    let empty = document.get(key).and_then(Value::as_object).is_some_and(Map::is_empty);
    if empty { set(document, &[key], None) } else { Ok(()) }
}
