//! What an API holds by name: authorizers, request validators, gateway responses and models.
//!
//! AWS's records do not say whether an export shows those that no method names, so that one that is only in the editor is
//! an addition for sure only when a method names it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Editor, Findings};
use crate::aws::apigateway::document::text;
use crate::aws::apigateway::fields::{self, Field};

/// Compares by name; `used` are the ids and names that drafted methods use.
fn compare(
    what: &str,
    fields: &'static [Field],
    editor: &[Value],
    deployed: &BTreeMap<String, Value>,
    used: &BTreeSet<&str>,
    findings: &mut Findings,
) {
    let mut drafted = BTreeSet::new();
    for draft in editor {
        let name = text(draft, "name");
        drafted.insert(name);
        match deployed.get(name) {
            Some(live) => findings.fields(&format!("the {what} {name}"), None, fields, draft, live),
            None if used.contains(text(draft, "id")) || used.contains(name) => {
                findings.dirty(format!("the {what} {name} was added"));
            }
            None => findings.cannot_tell(format!(
                "the {what} {name}: no method uses it, and the export does not show it"
            )),
        }
    }
    for name in deployed.keys().filter(|name| !drafted.contains(name.as_str())) {
        findings.dirty(format!("the {what} {name} was removed"));
    }
}

/// The drafted methods.
fn methods(editor: &Editor) -> impl Iterator<Item = &Value> {
    let verbs = editor
        .resources
        .iter()
        .filter_map(|resource| resource.get("resourceMethods")?.as_object());
    verbs.flat_map(Map::values)
}

fn used_ids<'a>(editor: &'a Editor, field: &str) -> BTreeSet<&'a str> {
    methods(editor)
        .map(|method| text(method, field))
        .filter(|id| !id.is_empty())
        .collect()
}

pub(super) fn authorizers(editor: &Editor, export: &Value, findings: &mut Findings) {
    let mut deployed = BTreeMap::new();
    let schemes = export
        .get("components")
        .and_then(|components| components.get("securitySchemes"));
    for (name, scheme) in schemes.and_then(Value::as_object).into_iter().flatten() {
        let Some(shown) = scheme.get("x-amazon-apigateway-authorizer").and_then(Value::as_object) else {
            continue;
        };
        let mut own = shown.clone();
        if let Some(kind) = own.get_mut("type") {
            *kind = kind.as_str().unwrap_or_default().to_ascii_uppercase().into();
        }
        if let Some(auth_type) = scheme.get("x-amazon-apigateway-authtype") {
            own.insert("authType".into(), auth_type.clone());
        }
        // One that takes a token says in OpenAPI's own words where it stands.
        if !own.contains_key("identitySource") && text(scheme, "in") == "header" {
            own.insert(
                "identitySource".into(),
                format!("method.request.header.{}", text(scheme, "name")).into(),
            );
        }
        deployed.insert(name.clone(), Value::Object(own));
    }
    let used = used_ids(editor, "authorizerId");
    compare(
        "authorizer",
        fields::AUTHORIZER,
        &editor.authorizers,
        &deployed,
        &used,
        findings,
    );
}

pub(super) fn request_validators(editor: &Editor, export: &Value, findings: &mut Findings) {
    let deployed = entries(export.get("x-amazon-apigateway-request-validators"));
    let used = used_ids(editor, "requestValidatorId");
    compare(
        "request validator",
        fields::VALIDATOR,
        &editor.request_validators,
        &deployed,
        &used,
        findings,
    );
}

pub(super) fn gateway_responses(editor: &Editor, export: &Value, findings: &mut Findings) {
    let mut deployed = entries(export.get("x-amazon-apigateway-gateway-responses"));
    for response in deployed.values_mut() {
        if let Some(status) = response.get_mut("statusCode").filter(|status| status.is_number()) {
            *status = status.to_string().into();
        }
    }
    let mut drafted = BTreeSet::new();
    for draft in &editor.gateway_responses {
        let kind = text(draft, "responseType");
        // AWS lists every kind of response; those that nobody changed are its own.
        if draft.get("defaultResponse") == Some(&Value::Bool(true)) {
            continue;
        }
        drafted.insert(kind);
        match deployed.get(kind) {
            Some(live) => {
                findings.fields(
                    &format!("the gateway response {kind}"),
                    None,
                    fields::GATEWAY_RESPONSE,
                    draft,
                    live,
                );
            }
            None => findings.cannot_tell(format!(
                "the gateway response {kind}: the draft sets it, and the export does not show it"
            )),
        }
    }
    for kind in deployed.keys().filter(|kind| !drafted.contains(kind.as_str())) {
        findings.dirty(format!("the gateway response {kind} was removed"));
    }
}

pub(super) fn models(editor: &Editor, export: &Value, findings: &mut Findings) {
    let deployed = entries(
        export
            .get("components")
            .and_then(|components| components.get("schemas")),
    );
    let schemas: Vec<Option<Value>> = editor
        .models
        .iter()
        .map(|model| serde_json::from_str(text(model, "schema")).ok().map(settled))
        .collect();
    let mut used = BTreeSet::new();
    for method in methods(editor) {
        model_names(method, &mut used);
    }
    for schema in schemas.iter().flatten() {
        references(schema, &mut used);
    }
    let mut drafted = BTreeSet::new();
    for (model, schema) in editor.models.iter().zip(&schemas) {
        let name = text(model, "name");
        drafted.insert(name);
        findings.fields(&format!("the model {name}"), None, fields::MODEL, model, &Value::Null);
        match (schema, deployed.get(name)) {
            (Some(drafted), Some(live)) if *drafted == settled(live.clone()) => {}
            (Some(_), Some(_)) => findings.dirty(format!("the model {name}: the draft differs from what is deployed")),
            (None, Some(_)) => findings.cannot_tell(format!("the model {name}: its drafted schema is no JSON")),
            (_, None) if used.contains(name) => findings.dirty(format!("the model {name} was added")),
            // AWS makes these with an API, and nothing uses them.
            (Some(schema), None) if is_aws_own(name, schema) => {}
            (_, None) => findings.cannot_tell(format!(
                "the model {name}: nothing uses it, and the export does not show it"
            )),
        }
    }
    for name in deployed.keys().filter(|name| !drafted.contains(name.as_str())) {
        findings.dirty(format!("the model {name} was removed"));
    }
}

fn is_aws_own(name: &str, schema: &Value) -> bool {
    match name {
        "Empty" => *schema == json!({"type": "object", "title": "Empty Schema"}),
        "Error" => {
            *schema == json!({"type": "object", "title": "Error Schema", "properties": {"message": {"type": "string"}}})
        }
        _ => false,
    }
}

/// The names of the models that a method uses.
fn model_names(method: &Value, names: &mut BTreeSet<String>) {
    let responses = method
        .get("methodResponses")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let maps = responses
        .map(|(_, response)| response.get("responseModels"))
        .chain([method.get("requestModels")]);
    for model in maps.flatten().filter_map(Value::as_object).flat_map(Map::values) {
        names.extend(model.as_str().map(str::to_owned));
    }
}

/// The names of the models that a schema refers to.
fn references(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str() {
                    Some(name) if key == "$ref" => {
                        names.insert(name.to_owned());
                    }
                    _ => references(value, names),
                }
            }
        }
        Value::Array(members) => members.iter().for_each(|member| references(member, names)),
        _ => {}
    }
}

/// A schema without what an export writes in another way: the dialect, and where other models stand.
fn settled(schema: Value) -> Value {
    match schema {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(key, _)| key != "$schema")
            .map(|(key, value)| {
                let value = match (key.as_str(), value) {
                    ("$ref", Value::String(at)) => at.rsplit('/').next().unwrap_or_default().into(),
                    (_, value) => settled(value),
                };
                (key, value)
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(members) => members.into_iter().map(settled).collect(),
        other => other,
    }
}

fn entries(map: Option<&Value>) -> BTreeMap<String, Value> {
    let map = map.and_then(Value::as_object).into_iter().flatten();
    map.map(|(name, value)| (name.clone(), value.clone())).collect()
}
