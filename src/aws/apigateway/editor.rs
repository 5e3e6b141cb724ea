//! The editor as a whole: what it will hold after a repair, whether two readings of it are the same, and what a deployment
//! of it is recognised by. Pure.

use serde_json::{Map, Value, json};

use super::assemble::canonical;
use super::document::{self, text};
use super::read::Editor;
use crate::api::policy::Target;
use crate::judge::iam::{self, ApiRef};
use crate::judge::path::{self, Path};
use crate::judge::plan;

impl Editor {
    /// The REST API or one of its methods as rules see it.
    pub fn document(&self, target: Target, key: &str) -> Option<Value> {
        match target {
            Target::RestApi => Some(document::rest_api(&self.rest_api)),
            Target::Method => {
                let (verb, at) = key.split_once(' ')?;
                let resource = self.resources.iter().find(|one| text(one, "path") == at)?;
                let mut method = resource.get("resourceMethods")?.get(verb)?.as_object()?.clone();
                method.insert("resourcePath".into(), at.into());
                Some(Value::Object(method))
            }
            Target::Stage | Target::DomainName => None,
        }
    }

    /// Puts a value where a repair will put it.
    pub fn lay(&mut self, target: Target, key: &str, at: &Path, value: Option<Value>) {
        let document = match target {
            Target::RestApi => Some(&mut self.rest_api),
            Target::Method => key.split_once(' ').and_then(|(verb, path)| {
                let resource = self.resources.iter_mut().find(|one| text(one, "path") == path)?;
                resource.get_mut("resourceMethods")?.get_mut(verb)
            }),
            Target::Stage | Target::DomainName => None,
        };
        if let Some(document) = document {
            at.set(document, value);
        }
    }

    /// The first place where a later reading says something else, in a sentence.
    pub fn difference(&self, later: &Editor, api: &ApiRef) -> Option<String> {
        let (before, after) = (self.settled(api), later.settled(api));
        let at = path::differences(&before, &after).into_iter().next()?;
        let (part, below) = at.keys().split_first()?;
        let rest = |keys: &[String]| Path::of(keys.to_vec()).to_string();
        Some(match (part.as_str(), below) {
            ("restApi", below) => format!("{} of the API", rest(below)),
            ("methods", [method]) if at.get(&before).is_none() => format!("{method} was added"),
            ("methods", [method]) => format!("{method} was removed"),
            ("methods", [method, below @ ..]) => format!("{method} {}", rest(below)),
            (kind, [name, ..]) if at.get(&before).is_none() => format!("the {kind} {name} was added"),
            (kind, [name, ..]) => format!("the {kind} {name} was changed"),
            (kind, []) => kind.to_owned(),
        })
    }

    /// What a deployment of this editor is recognised by.
    pub fn digest(&self, api: &ApiRef) -> String {
        let mut text = Vec::with_capacity(16 * 1024);
        canonical(&self.settled(api), &mut text);
        plan::hex(&text)
    }

    /// A method in which a deployment's own summary differs from this editor. A summary can refute that a deployment was made
    /// of what was read, never prove it.
    pub fn refuted_by(&self, deployment: &Value) -> Option<String> {
        let summary = deployment.get("apiSummary")?.as_object()?;
        let shown = |key: &str| {
            let (verb, at) = key.split_once(' ')?;
            summary.get(at)?.get(verb)
        };
        // How a summary names a method for any verb is not recorded.
        let told = |verb: &str| matches!(verb, "DELETE" | "GET" | "HEAD" | "OPTIONS" | "PATCH" | "POST" | "PUT");
        let mut known = Vec::new();
        for method in document::methods(&self.resources) {
            known.push(method.key.clone());
            let Some(shown) = shown(&method.key) else {
                if told(&method.verb) {
                    return Some(format!("it does not hold {}", method.key));
                }
                continue;
            };
            for field in ["authorizationType", "apiKeyRequired"] {
                let both = (shown.get(field), method.json.get(field));
                if let (Some(deployed), Some(read)) = both
                    && deployed != read
                {
                    return Some(format!("{} {field} is {deployed} there", method.key));
                }
            }
        }
        summary
            .iter()
            .flat_map(|(at, verbs)| {
                let verbs = verbs.as_object().into_iter().flatten();
                verbs.map(move |(verb, _)| (verb, document::method_key(verb, at)))
            })
            .find(|(verb, key)| told(verb) && !known.contains(key))
            .map(|(_, key)| format!("it holds {key}"))
    }

    /// Everything that a deployment publishes, written so that the same looks the same.
    fn settled(&self, api: &ApiRef) -> Value {
        let mut methods = Map::new();
        for method in document::methods(&self.resources) {
            methods.insert(method.key, settled(Target::Method, &method.json, api));
        }
        let named = |of: &[Value], by: &str| {
            let entries = of.iter().map(|one| (text(one, by).to_owned(), plain(one)));
            Value::Object(entries.collect())
        };
        json!({
            "restApi": settled(Target::RestApi, &document::rest_api(&self.rest_api), api),
            "methods": methods,
            "authorizer": named(&self.authorizers, "id"),
            "request validator": named(&self.request_validators, "id"),
            "model": named(&self.models, "name"),
            "gateway response": named(&self.gateway_responses, "responseType"),
        })
    }
}

/// A document written so that the same looks the same: policies by meaning, lists in order, nothing that is empty.
pub fn settled(target: Target, document: &Value, api: &ApiRef) -> Value {
    let mut own = document.clone();
    if let Some(fields) = own.as_object_mut() {
        for name in ["policy", "managementPolicy"] {
            if let Some(policy) = fields.get_mut(name) {
                *policy = iam::canonical(policy, Some(api));
            }
        }
        // An authorizer means nothing to a method whose type has none, and AWS may drop it.
        let kind = text(document, "authorizationType");
        if target == Target::Method && matches!(kind, "NONE" | "AWS_IAM") {
            fields.shift_remove("authorizerId");
        }
    }
    plain(&own)
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| name.as_str() != "_links")
            .map(|(name, value)| {
                (
                    name.clone(),
                    if name.ends_with("Templates") {
                        templates(value)
                    } else {
                        plain(value)
                    },
                )
            })
            .filter(|(_, value)| !empty(value))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(members) => {
            let mut members: Vec<Value> = members.iter().map(plain).collect();
            if members.iter().all(Value::is_string) {
                members.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                members.dedup();
            }
            Value::Array(members)
        }
        other => other.clone(),
    }
}

/// A template of nothing passes bodies through: unlike other nothings, it is there.
fn templates(value: &Value) -> Value {
    let Some(entries) = value.as_object() else {
        return plain(value);
    };
    let through = || Value::from("__passthrough__");
    let entries = entries.iter().map(|(kind, template)| {
        (
            kind.clone(),
            if template.is_null() {
                through()
            } else {
                template.clone()
            },
        )
    });
    Value::Object(entries.collect())
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(members) => members.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
