//! From an export (`OpenAPI` 3.0 with API Gateway's extensions) to what callers meet, in the shape of the editor's documents.
//!
//! An export never shows `authorizerId` and `requestValidatorId` (it has names), `cacheNamespace`, nor resources without
//! methods, and leaves out what stands at some defaults, which are filled in here.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::document::{self, method_key, policy, text};
use super::properties::table;
use crate::api::policy::Target;
use crate::judge::path::Path;
use crate::judge::table::{Live, Property};

/// What an export shows of a deployment.
#[derive(Clone, Debug, Default)]
pub struct Deployed {
    /// Methods by their keys, as in `GET /pets`.
    pub methods: BTreeMap<String, Value>,
    /// The REST API's own settings: those that are `shown`.
    pub rest_api: Value,
    /// Which of the REST API's settings this export shows.
    pub shown: Vec<Path>,
    /// The names of the authorizers that methods name.
    pub authorizers: BTreeMap<String, String>,
    /// The names of the request validators that methods name.
    pub request_validators: BTreeMap<String, String>,
    /// By method, what this export does not tell, besides what the property table says no export does.
    pub untold: BTreeMap<String, Vec<Path>>,
}

impl Deployed {
    /// What the export of a deployment shows that was made of an editor as these documents have it: an item of `GetRestApis`
    /// and items of `GetResources` with their methods.
    pub fn of_editor(listed: &Value, resources: &[Value]) -> Deployed {
        let paths = |target, which: fn(&&Property) -> bool| -> Vec<Path> {
            let properties = table(target).properties.iter().filter(which);
            properties.map(|p| Path::of(p.path.iter().copied())).collect()
        };
        let never = paths(Target::Method, |p| p.live == Live::Hidden);
        let mut deployed = Deployed {
            rest_api: document::rest_api(listed),
            shown: paths(Target::RestApi, |p| p.live == Live::Export),
            ..Deployed::default()
        };
        for mut method in document::methods(resources) {
            // An export has names instead of these ids: that there is one is seen.
            for (field, named) in [
                ("authorizerId", &mut deployed.authorizers),
                ("requestValidatorId", &mut deployed.request_validators),
            ] {
                let id = text(&method.json, field);
                if !id.is_empty() {
                    named.insert(method.key.clone(), id.to_owned());
                }
            }
            for path in &never {
                path.set(&mut method.json, None);
            }
            deployed.methods.insert(method.key, method.json);
        }
        deployed
    }
}

const AUTHORIZER: &str = "x-amazon-apigateway-authorizer";
const AUTH_TYPE: &str = "x-amazon-apigateway-authtype";
const INTEGRATION: &str = "x-amazon-apigateway-integration";
const VALIDATOR: &str = "x-amazon-apigateway-request-validator";
const ENDPOINT: &str = "x-amazon-apigateway-endpoint-configuration";

/// Extensions that show a setting of the REST API itself.
const SETTINGS: &[(&str, &str)] = &[
    ("x-amazon-apigateway-api-key-source", "apiKeySource"),
    ("x-amazon-apigateway-binary-media-types", "binaryMediaTypes"),
    ("x-amazon-apigateway-endpoint-access-mode", "endpointAccessMode"),
    ("x-amazon-apigateway-minimum-compression-size", "minimumCompressionSize"),
    ("x-amazon-apigateway-policy", "policy"),
    ("x-amazon-apigateway-security-policy", "securityPolicy"),
];

/// Reads an export.
///
/// # Errors
/// A sentence that says why it is no export with API Gateway's extensions.
pub fn read(export: &Value) -> Result<Deployed, String> {
    let Some(paths) = export.get("paths").and_then(Value::as_object) else {
        return Err("the export holds no paths".into());
    };
    if !text(export, "openapi").starts_with("3.") {
        return Err("the export is no OpenAPI 3 document".into());
    }
    let mut deployed = Deployed::default();
    let mut integrations = 0;
    for (path, item) in paths {
        for (name, operation) in item.as_object().into_iter().flatten() {
            let Some(verb) = verb(name) else {
                continue;
            };
            let key = method_key(verb, path);
            let mut method = Method {
                json: Map::new(),
                untold: Vec::new(),
            };
            method.json.insert("httpMethod".into(), verb.into());
            method.json.insert("resourcePath".into(), path.as_str().into());
            if let Some(authorizer) = method.security(export, operation) {
                deployed.authorizers.insert(key.clone(), authorizer);
            }
            method.request(item, operation);
            method.responses(operation);
            match operation.get(INTEGRATION) {
                Some(shown) => {
                    integrations += 1;
                    method.json.insert("methodIntegration".into(), integration(shown));
                }
                None => method.untold.push(Path::of(["methodIntegration"])),
            }
            if let Some(validator) = operation
                .get(VALIDATOR)
                .or_else(|| export.get(VALIDATOR))
                .and_then(Value::as_str)
            {
                deployed.request_validators.insert(key.clone(), validator.to_owned());
            }
            if !method.untold.is_empty() {
                deployed.untold.insert(key.clone(), method.untold);
            }
            deployed.methods.insert(key, Value::Object(method.json));
        }
    }
    if integrations == 0 && !deployed.methods.is_empty() {
        return Err("the export was made without API Gateway's extensions".into());
    }
    settings(export, &mut deployed);
    Ok(deployed)
}

/// The verb of an operation's key; none for the other things that a path holds.
fn verb(key: &str) -> Option<&'static str> {
    Some(match key {
        "delete" => "DELETE",
        "get" => "GET",
        "head" => "HEAD",
        "options" => "OPTIONS",
        "patch" => "PATCH",
        "post" => "POST",
        "put" => "PUT",
        "x-amazon-apigateway-any-method" => "ANY",
        _ => return None,
    })
}

fn settings(export: &Value, deployed: &mut Deployed) {
    let mut rest_api = Value::Object(Map::new());
    let mut show = |keys: &[&str], value: Value| {
        let path = Path::of(keys.iter().copied());
        path.set(&mut rest_api, Some(value));
        deployed.shown.push(path);
    };
    for (extension, field) in SETTINGS {
        let Some(value) = export.get(extension).filter(|value| !value.is_null()) else {
            continue;
        };
        let value = match *field {
            "policy" => policy(value),
            "apiKeySource" => upper(value),
            _ => value.clone(),
        };
        show(&[field], value);
    }
    // Documented below each server; older documents have it at the root.
    let servers = export.get("servers").and_then(Value::as_array);
    let endpoint = servers
        .into_iter()
        .flatten()
        .find_map(|server| server.get(ENDPOINT))
        .or_else(|| export.get(ENDPOINT));
    for (name, value) in endpoint.and_then(Value::as_object).into_iter().flatten() {
        match name.as_str() {
            "disableExecuteApiEndpoint" => show(&[name], value.clone()),
            _ => show(&["endpointConfiguration", name], value.clone()),
        }
    }
    deployed.rest_api = rest_api;
}

struct Method {
    json: Map<String, Value>,
    untold: Vec<Path>,
}

impl Method {
    /// Who may call. Gives the authorizer's name.
    fn security(&mut self, export: &Value, operation: &Value) -> Option<String> {
        let mut kind = "NONE";
        let mut key_required = false;
        let mut scopes = Vec::new();
        let mut authorizer = None;
        let required = operation.get("security").or_else(|| export.get("security"));
        let schemes = export
            .get("components")
            .and_then(|components| components.get("securitySchemes"));
        for (name, asked) in required
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .flatten()
        {
            let scheme = schemes.and_then(|schemes| schemes.get(name)).unwrap_or(&Value::Null);
            let by = scheme.get(AUTHORIZER);
            let auth_type = text(scheme, AUTH_TYPE);
            if by.is_some() || !matches!(auth_type, "" | "awsSigv4") {
                let pools = by.map_or(auth_type, |by| text(by, "type")) == "cognito_user_pools";
                kind = if pools { "COGNITO_USER_POOLS" } else { "CUSTOM" };
                scopes = asked.as_array().cloned().unwrap_or_default();
                authorizer = Some(name.clone());
            } else if auth_type == "awsSigv4" || name == "sigv4" {
                kind = "AWS_IAM";
            } else if text(scheme, "type") == "apiKey" || name == "api_key" {
                key_required = true;
            } else {
                self.untold.push(Path::of(["authorizationType"]));
            }
        }
        if let Some(own) = operation.get("x-amazon-apigateway-auth").map(|auth| text(auth, "type")) {
            match own.to_ascii_uppercase().as_str() {
                "AWS_IAM" => kind = "AWS_IAM",
                "NONE" => kind = "NONE",
                _ => self.untold.push(Path::of(["authorizationType"])),
            }
        }
        self.json.insert("authorizationType".into(), kind.into());
        self.json.insert("apiKeyRequired".into(), key_required.into());
        if !scopes.is_empty() {
            self.json.insert("authorizationScopes".into(), scopes.into());
        }
        authorizer
    }

    fn request(&mut self, item: &Value, operation: &Value) {
        if let Some(name) = operation.get("operationId") {
            self.json.insert("operationName".into(), name.clone());
        }
        let mut parameters = Map::new();
        for parameter in [item, operation]
            .into_iter()
            .filter_map(|of| of.get("parameters").and_then(Value::as_array))
            .flatten()
        {
            let place = match text(parameter, "in") {
                "query" => "querystring",
                place @ ("path" | "header") => place,
                _ => {
                    self.untold.push(Path::of(["requestParameters"]));
                    continue;
                }
            };
            let required = parameter.get("required").cloned().unwrap_or(Value::Bool(false));
            parameters.insert(format!("method.request.{place}.{}", text(parameter, "name")), required);
        }
        let models = self.models(operation.get("requestBody"), &["requestModels"]);
        for (name, map) in [("requestParameters", parameters), ("requestModels", models)] {
            if !map.is_empty() {
                self.json.insert(name.into(), map.into());
            }
        }
    }

    fn responses(&mut self, operation: &Value) {
        let mut responses = Map::new();
        for (status, shown) in operation
            .get("responses")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let mut response = Map::new();
            response.insert("statusCode".into(), status.as_str().into());
            let headers: Map<String, Value> = shown
                .get("headers")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(name, _)| (format!("method.response.header.{name}"), Value::Bool(false)))
                .collect();
            let models = self.models(Some(shown), &["methodResponses", status, "responseModels"]);
            for (name, map) in [("responseParameters", headers), ("responseModels", models)] {
                if !map.is_empty() {
                    response.insert(name.into(), map.into());
                }
            }
            responses.insert(status.clone(), response.into());
        }
        if !responses.is_empty() {
            self.json.insert("methodResponses".into(), responses.into());
        }
    }

    /// The models by content type. One that is written out where it is used has lost its name.
    fn models(&mut self, body: Option<&Value>, at: &[&str]) -> Map<String, Value> {
        let mut models = Map::new();
        let content = body.and_then(|body| body.get("content")).and_then(Value::as_object);
        for (media_type, shown) in content.into_iter().flatten() {
            let Some(schema) = shown.get("schema") else {
                continue;
            };
            match text(schema, "$ref").rsplit_once('/') {
                Some((_, model)) => {
                    models.insert(media_type.clone(), model.into());
                }
                None => self
                    .untold
                    .push(Path::of(at.iter().copied().chain([media_type.as_str()]))),
            }
        }
        models
    }
}

/// An integration as the editor has it: enums in upper case, responses by status, defaults filled in.
fn integration(shown: &Value) -> Value {
    let mut own = Map::new();
    for (name, value) in shown.as_object().into_iter().flatten() {
        let (name, value) = match name.as_str() {
            "type" | "passthroughBehavior" | "contentHandling" | "connectionType" | "responseTransferMode" => {
                (name.as_str(), upper(value))
            }
            "responses" => ("integrationResponses", responses(value)),
            name => (name, value.clone()),
        };
        own.insert(name.to_owned(), value);
    }
    own.entry("timeoutInMillis").or_insert_with(|| json!(29_000));
    let connection = if own.contains_key("connectionId") {
        "VPC_LINK"
    } else {
        "INTERNET"
    };
    own.entry("connectionType").or_insert_with(|| connection.into());
    Value::Object(own)
}

/// An export has integration responses by selection pattern, the editor by status.
fn responses(shown: &Value) -> Value {
    let mut by_status = Map::new();
    for (pattern, response) in shown.as_object().into_iter().flatten() {
        let mut own = response.as_object().cloned().unwrap_or_default();
        if let Some(handling) = own.get_mut("contentHandling") {
            *handling = upper(handling);
        }
        if pattern != "default" {
            own.insert("selectionPattern".into(), pattern.as_str().into());
        }
        let status = match own.get("statusCode") {
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::String(text)) => text.clone(),
            _ => pattern.clone(),
        };
        own.insert("statusCode".into(), status.as_str().into());
        by_status.insert(status, own.into());
    }
    Value::Object(by_status)
}

fn upper(value: &Value) -> Value {
    value
        .as_str()
        .map_or_else(|| value.clone(), |text| text.to_ascii_uppercase().into())
}

#[cfg(test)]
mod tests;
