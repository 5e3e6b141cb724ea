//! Resource policies: read, made compact, escaped once more when answered.

use serde_json::Value;

use crate::error::AwsError;
use crate::request::Request;
use crate::store::Partition;
use crate::switches::Switch;

const INVALID: &str = "Invalid policy document. Please check the policy syntax and ensure that Principals are valid.";

/// Reads a policy for an API; an empty one means none.
pub(crate) fn read(
    text: Option<&str>,
    api: &str,
    partition: &Partition,
    request: &Request<'_>,
) -> Result<Option<String>, AwsError> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let policy: Value = serde_json::from_str(text).map_err(|_| AwsError::bad_request(INVALID))?;
    let prefix = format!("arn:aws:execute-api:{}:{}:{api}/", partition.region, partition.account);
    let expand = request
        .switches
        .is(Switch::PolicyArns, "expanded")
        .then_some(prefix.as_str());
    compact(policy, expand).map(Some)
}

/// Checks the shape and makes it compact; `execute-api:/` becomes `prefix` where one is given.
pub(crate) fn compact(mut policy: Value, prefix: Option<&str>) -> Result<String, AwsError> {
    let invalid = || AwsError::bad_request(INVALID);
    let statements = policy.get_mut("Statement").ok_or_else(invalid)?;
    let statements: Vec<&mut Value> = match statements {
        Value::Array(list) => list.iter_mut().collect(),
        one @ Value::Object(_) => vec![one],
        _ => return Err(invalid()),
    };
    for statement in statements {
        let effect = statement.get("Effect").and_then(Value::as_str);
        if !matches!(effect, Some("Allow" | "Deny")) {
            return Err(invalid());
        }
        for name in ["Resource", "NotResource"] {
            match statement.get_mut(name) {
                Some(Value::Array(list)) => list.iter_mut().for_each(|resource| expand(resource, prefix)),
                Some(resource) => expand(resource, prefix),
                None => {}
            }
        }
    }
    Ok(policy.to_string())
}

fn expand(resource: &mut Value, prefix: Option<&str>) {
    let long = resource
        .as_str()
        .and_then(|text| text.strip_prefix("execute-api:/"))
        .and_then(|rest| prefix.map(|prefix| format!("{prefix}{rest}")));
    if let Some(long) = long {
        *resource = Value::String(long);
    }
}

/// As answers show it: `\"` and `\/`.
pub(crate) fn escaped(policy: &str) -> String {
    let mut escaped = String::with_capacity(policy.len() + policy.len() / 4);
    for character in policy.chars() {
        if matches!(character, '"' | '\\' | '/') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
