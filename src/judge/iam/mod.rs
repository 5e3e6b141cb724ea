//! Reads IAM policy documents by meaning: whether two say the same, and what they say to a request.
//!
//! The answers are cautious. [`denies`] and [`allows`] speak of *every* request that fits the description; what cannot
//! be proven from one statement is `false`, so both may be `false` for one description.

mod canonical;
mod condition;
mod decide;
mod document;
mod pattern;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;

pub use canonical::{canonical, equivalent};
pub use decide::{allows, denies};

/// Why a document or a request cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IamError {
    /// The policy.
    #[error("not a policy document: {0}")]
    Policy(String),
    /// The description of the request.
    #[error("not a request: {0}")]
    Request(String),
}

/// The API that a resource policy is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRef {
    /// Region, such as `eu-west-1`.
    pub region: String,
    /// Account id.
    pub account: String,
    /// API id.
    pub id: String,
}

/// A description of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// An ARN, an account id, a service, or `anonymous`; none: any.
    pub principal: Option<String>,
    /// The action.
    pub action: String,
    /// What is called, `execute-api:/stage/METHOD/path` or an ARN, with wildcards; none: any part of the API.
    pub resource: Option<String>,
    /// The API that is called; none: any API that a policy names is taken for it.
    pub api: Option<ApiRef>,
    /// Condition keys in lower case and their values. No entry: not known. No values: known to be absent.
    pub context: BTreeMap<String, Vec<String>>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            principal: None,
            action: "execute-api:Invoke".into(),
            resource: None,
            api: None,
            context: BTreeMap::new(),
        }
    }
}

impl Request {
    /// From a map of condition keys. Values are strings, bools, numbers or lists of them; `null` says that requests
    /// come without the key. The keys `principal`, `action` and `resource` describe the request itself.
    pub fn from_json(json: &Value) -> Result<Self, IamError> {
        let fields = json
            .as_object()
            .ok_or_else(|| IamError::Request("it is a map, such as {'aws:SecureTransport': 'false'}".into()))?;
        let mut request = Self::default();
        for (key, value) in fields {
            let values = values(value).ok_or_else(|| {
                IamError::Request(format!("`{key}` holds neither text, number, bool nor a list of them"))
            })?;
            match (key.as_str(), values.as_slice()) {
                ("principal", [principal]) => request.principal = Some(principal.clone()).filter(|name| name != "*"),
                ("action", [action]) => request.action.clone_from(action),
                ("resource", [resource]) => request.resource = Some(resource.clone()).filter(|name| name != "*"),
                ("principal" | "action" | "resource", _) => {
                    return Err(IamError::Request(format!("`{key}` takes one value")));
                }
                _ => {
                    request.context.insert(key.to_ascii_lowercase(), values);
                }
            }
        }
        request.api = request.resource.as_deref().and_then(pattern::api_of);
        Ok(request)
    }
}

/// Scalars as strings, a scalar as a list of one, null as an empty list.
fn values(json: &Value) -> Option<Vec<String>> {
    match json {
        Value::Null => Some(Vec::new()),
        Value::Array(items) => items.iter().map(scalar).collect(),
        other => scalar(other).map(|value| vec![value]),
    }
}

fn scalar(json: &Value) -> Option<String> {
    match json {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
