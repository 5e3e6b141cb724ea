//! One OpenAPI operation as a method.

use serde_json::Value;

use super::{Document, strings};
use crate::error::AwsError;
use crate::ops::integrations;
use crate::store::{Definition, Integration, IntegrationResponse, Method, MethodResponse};

/// The verb that a member of a path item stands for.
pub(super) fn verb(member: &str) -> Option<&'static str> {
    Some(match member {
        "get" => "GET",
        "put" => "PUT",
        "post" => "POST",
        "delete" => "DELETE",
        "patch" => "PATCH",
        "options" => "OPTIONS",
        "head" => "HEAD",
        "x-amazon-apigateway-any-method" => "ANY",
        _ => return None,
    })
}

/// A string, or a number as a string.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn model(schema: &Value) -> Option<String> {
    schema["$ref"]
        .as_str()
        .and_then(|target| target.rsplit('/').next())
        .map(str::to_owned)
}

impl Document {
    pub(super) fn method(
        &self,
        verb: &str,
        operation: &Value,
        shared: &Value,
        editor: &Definition,
        at: usize,
    ) -> Result<Method, AwsError> {
        let mut method = Method {
            http_method: verb.to_owned(),
            authorization_type: "NONE".to_owned(),
            operation_name: operation["operationId"].as_str().map(str::to_owned),
            ..Method::default()
        };
        for parameter in [shared, &operation["parameters"]]
            .into_iter()
            .filter_map(Value::as_array)
            .flatten()
        {
            self.parameter(&mut method, operation, parameter);
        }
        self.models_of(&mut method.request_models, &operation["requestBody"]["content"]);
        for (status, response) in operation["responses"].as_object().into_iter().flatten() {
            if status.bytes().all(|byte| byte.is_ascii_digit()) {
                method
                    .method_responses
                    .insert(status.clone(), self.response(status, operation, response));
            }
        }
        self.secure(&mut method, operation, editor);
        let name = match &operation["x-amazon-apigateway-request-validator"] {
            Value::Null => self.extension("request-validator").as_str(),
            given => given.as_str(),
        };
        let validator = editor
            .validators
            .iter()
            .find(|known| known.name.as_deref() == name && name.is_some());
        method.request_validator_id = validator.map(|known| known.id.clone());
        method.method_integration =
            integration(&operation["x-amazon-apigateway-integration"], &editor.resources[at].id)?;
        Ok(method)
    }

    fn parameter(&self, method: &mut Method, operation: &Value, parameter: &Value) {
        let (place, name) = (parameter["in"].as_str(), parameter["name"].as_str().unwrap_or_default());
        let place = match place {
            Some("query") => "querystring",
            Some("body") => {
                let kinds = self.kinds(operation, "consumes");
                let model = model(&parameter["schema"]).unwrap_or_else(|| "Empty".to_owned());
                method
                    .request_models
                    .extend(kinds.into_iter().map(|kind| (kind, model.clone())));
                return;
            }
            Some(place @ ("path" | "header")) => place,
            _ => return,
        };
        let required = parameter["required"].as_bool().unwrap_or(false);
        method
            .request_parameters
            .insert(format!("method.request.{place}.{name}"), required);
    }

    /// The content types of a Swagger operation.
    fn kinds(&self, operation: &Value, member: &str) -> Vec<String> {
        let own = strings(&operation[member]);
        let kinds = if own.is_empty() {
            strings(&self.root[member])
        } else {
            own
        };
        if kinds.is_empty() {
            vec!["application/json".to_owned()]
        } else {
            kinds
        }
    }

    #[allow(clippy::unused_self)] // reads like its siblings
    fn models_of(&self, models: &mut std::collections::BTreeMap<String, String>, content: &Value) {
        for (kind, content) in content.as_object().into_iter().flatten() {
            if let Some(model) = model(&content["schema"]) {
                models.insert(kind.clone(), model);
            }
        }
    }

    fn response(&self, status: &str, operation: &Value, response: &Value) -> MethodResponse {
        let mut shown = MethodResponse {
            status_code: status.to_owned(),
            ..MethodResponse::default()
        };
        for name in response["headers"]
            .as_object()
            .into_iter()
            .flat_map(serde_json::Map::keys)
        {
            shown
                .response_parameters
                .insert(format!("method.response.header.{name}"), false);
        }
        self.models_of(&mut shown.response_models, &response["content"]);
        if let Some(model) = model(&response["schema"]) {
            let kinds = self.kinds(operation, "produces");
            shown
                .response_models
                .extend(kinds.into_iter().map(|kind| (kind, model.clone())));
        }
        shown
    }

    fn secure(&self, method: &mut Method, operation: &Value, editor: &Definition) {
        let security = match &operation["security"] {
            Value::Null => &self.root["security"],
            own => own,
        };
        let named = security
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .flatten();
        for (name, scopes) in named {
            let scheme = &self.schemes()[name.as_str()];
            if let Some(known) = editor.authorizers.iter().find(|known| known.name == *name) {
                let cognito = known.kind == "COGNITO_USER_POOLS";
                let kind = if cognito { "COGNITO_USER_POOLS" } else { "CUSTOM" };
                kind.clone_into(&mut method.authorization_type);
                method.authorizer_id = Some(known.id.clone());
                method.authorization_scopes = strings(scopes);
            } else if scheme["x-amazon-apigateway-authtype"] == "awsSigv4" {
                "AWS_IAM".clone_into(&mut method.authorization_type);
            } else if scheme["name"]
                .as_str()
                .is_some_and(|header| header.eq_ignore_ascii_case("x-api-key"))
            {
                method.api_key_required = true;
            }
        }
    }
}

fn integration(extension: &Value, resource: &str) -> Result<Option<Integration>, AwsError> {
    if extension.is_null() {
        return Ok(None);
    }
    let invalid = |error: serde_json::Error| AwsError::bad_request(format!("Invalid integration: {error}"));
    let mut integration: Integration = serde_json::from_value(extension.clone()).map_err(invalid)?;
    for word in [Some(&mut integration.kind), integration.passthrough_behavior.as_mut()]
        .into_iter()
        .flatten()
    {
        word.make_ascii_uppercase();
    }
    integrations::fill(&mut integration, resource);
    for (pattern, given) in extension["responses"].as_object().into_iter().flatten() {
        let response: IntegrationResponse = serde_json::from_value(given.clone()).map_err(invalid)?;
        let selection_pattern = (pattern != "default").then(|| pattern.clone());
        let response = IntegrationResponse {
            selection_pattern,
            ..response
        };
        integration
            .integration_responses
            .insert(response.status_code.clone(), response);
    }
    Ok(Some(integration))
}
