//! One method as an OpenAPI operation.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Export, Flavour, Object, insert};
use crate::ops::integrations::DEFAULT_TIMEOUT;
use crate::store::{Integration, Method, MethodResponse, Resource};

impl Export<'_> {
    /// One method of a resource.
    pub(super) fn operation(&self, resource: &Resource, method: &Method) -> Value {
        let mut operation = Object::new();
        insert(
            &mut operation,
            "operationId",
            method.operation_name.as_ref().map(|name| json!(name)),
        );
        let mut parameters: Vec<Value> = method
            .request_parameters
            .iter()
            .filter_map(|(name, required)| self.parameter(name, *required))
            .collect();
        if self.flavour == Flavour::Swagger2 {
            self.swagger_content(method, &mut operation, &mut parameters);
        }
        if !parameters.is_empty() {
            operation.insert("parameters".to_owned(), json!(parameters));
        }
        if self.flavour == Flavour::OpenApi3 && !method.request_models.is_empty() {
            let body = json!({"content": self.content(&method.request_models), "required": true});
            operation.insert("requestBody".to_owned(), body);
        }
        if !method.method_responses.is_empty() || self.flavour == Flavour::Swagger2 {
            let responses: Object = method
                .method_responses
                .iter()
                .map(|(status, response)| (status.clone(), self.response(response)))
                .collect();
            operation.insert("responses".to_owned(), Value::Object(responses));
        }
        let security = self.security(method);
        if !security.is_empty() {
            operation.insert("security".to_owned(), json!(security));
        }
        if self.gateway {
            let validator = method.request_validator_id.as_ref().and_then(|id| {
                let known = self.snapshot.validators.iter().find(|known| known.id == *id)?;
                Some(json!(known.name.as_ref().unwrap_or(id)))
            });
            insert(&mut operation, "x-amazon-apigateway-request-validator", validator);
            let integration = method
                .method_integration
                .as_ref()
                .map(|known| integration(known, &resource.id));
            insert(&mut operation, "x-amazon-apigateway-integration", integration);
        }
        Value::Object(operation)
    }

    fn parameter(&self, name: &str, required: bool) -> Option<Value> {
        let (place, name) = name.strip_prefix("method.request.")?.split_once('.')?;
        let mut parameter = Object::new();
        parameter.insert("name".to_owned(), json!(name));
        parameter.insert(
            "in".to_owned(),
            json!(if place == "querystring" { "query" } else { place }),
        );
        if required || self.flavour == Flavour::Swagger2 {
            parameter.insert("required".to_owned(), json!(required));
        }
        self.string(&mut parameter);
        Some(Value::Object(parameter))
    }

    /// The type of parameters and headers: AWS knows strings alone.
    fn string(&self, object: &mut Object) {
        match self.flavour {
            Flavour::OpenApi3 => object.insert("schema".to_owned(), json!({"type": "string"})),
            Flavour::Swagger2 => object.insert("type".to_owned(), json!("string")),
        };
    }

    fn content(&self, models: &BTreeMap<String, String>) -> Value {
        let content = models
            .iter()
            .map(|(kind, model)| (kind.clone(), json!({"schema": self.model_ref(model)})));
        Value::Object(content.collect())
    }

    fn response(&self, response: &MethodResponse) -> Value {
        let mut shown = Object::new();
        shown.insert(
            "description".to_owned(),
            json!(format!("{} response", response.status_code)),
        );
        let headers: Object = response
            .response_parameters
            .keys()
            .filter_map(|name| name.strip_prefix("method.response.header."))
            .map(|name| {
                let mut header = Object::new();
                self.string(&mut header);
                (name.to_owned(), Value::Object(header))
            })
            .collect();
        super::insert_object(&mut shown, "headers", headers);
        if self.flavour == Flavour::OpenApi3 {
            shown.insert("content".to_owned(), self.content(&response.response_models));
        } else {
            insert(
                &mut shown,
                "schema",
                response
                    .response_models
                    .values()
                    .next()
                    .map(|model| self.model_ref(model)),
            );
        }
        Value::Object(shown)
    }

    fn swagger_content(&self, method: &Method, operation: &mut Object, parameters: &mut Vec<Value>) {
        let consumes: Vec<&String> = method.request_models.keys().collect();
        let mut produces: Vec<&String> = method
            .method_responses
            .values()
            .flat_map(|response| response.response_models.keys())
            .collect();
        produces.sort();
        produces.dedup();
        if !consumes.is_empty() {
            operation.insert("consumes".to_owned(), json!(consumes));
        }
        if !produces.is_empty() {
            operation.insert("produces".to_owned(), json!(produces));
        }
        if let Some(model) = method.request_models.values().next() {
            parameters.push(json!({"in": "body", "name": model, "required": true, "schema": self.model_ref(model)}));
        }
    }

    fn security(&self, method: &Method) -> Vec<Value> {
        let mut security = Vec::new();
        if method.authorization_type == "AWS_IAM" {
            security.push(json!({"sigv4": []}));
        }
        let authorizer = method
            .authorizer_id
            .as_ref()
            .and_then(|id| self.snapshot.authorizers.iter().find(|known| known.id == *id));
        if let Some(authorizer) = authorizer {
            security.push(json!({authorizer.name.as_str(): method.authorization_scopes}));
        }
        if method.api_key_required {
            security.push(json!({"api_key": []}));
        }
        security
    }

    /// Every way to be let in that the methods name.
    pub(super) fn security_schemes(&self) -> Object {
        let methods = || {
            self.snapshot
                .resources
                .iter()
                .flat_map(|resource| resource.resource_methods.values())
        };
        let mut schemes = Object::new();
        for authorizer in &self.snapshot.authorizers {
            let mut scheme = Object::new();
            let header = authorizer
                .identity_source
                .as_deref()
                .filter(|_| authorizer.kind != "REQUEST")
                .and_then(|source| source.strip_prefix("method.request.header."));
            let name = header.unwrap_or(if authorizer.kind == "REQUEST" {
                "Unused"
            } else {
                "Authorization"
            });
            scheme.insert("type".to_owned(), json!("apiKey"));
            scheme.insert("name".to_owned(), json!(name));
            scheme.insert("in".to_owned(), json!("header"));
            if self.authorizers {
                let kind = authorizer.auth_type.as_deref().unwrap_or("custom");
                scheme.insert("x-amazon-apigateway-authtype".to_owned(), json!(kind));
                scheme.insert(
                    "x-amazon-apigateway-authorizer".to_owned(),
                    authorizer_extension(authorizer),
                );
            }
            schemes.insert(authorizer.name.clone(), Value::Object(scheme));
        }
        if methods().any(|method| method.authorization_type == "AWS_IAM") {
            let mut scheme = json!({"type": "apiKey", "name": "Authorization", "in": "header"});
            if self.authorizers {
                scheme["x-amazon-apigateway-authtype"] = json!("awsSigv4");
            }
            schemes.insert("sigv4".to_owned(), scheme);
        }
        if methods().any(|method| method.api_key_required) {
            schemes.insert(
                "api_key".to_owned(),
                json!({"type": "apiKey", "name": "x-api-key", "in": "header"}),
            );
        }
        schemes
    }
}

fn authorizer_extension(authorizer: &crate::store::Authorizer) -> Value {
    let mut shown = Object::new();
    insert(
        &mut shown,
        "authorizerUri",
        authorizer.authorizer_uri.as_ref().map(|uri| json!(uri)),
    );
    insert(
        &mut shown,
        "authorizerCredentials",
        authorizer.authorizer_credentials.as_ref().map(|role| json!(role)),
    );
    insert(
        &mut shown,
        "authorizerResultTtlInSeconds",
        authorizer.authorizer_result_ttl_in_seconds.map(|ttl| json!(ttl)),
    );
    // A token authorizer's source is the scheme's header.
    let source = authorizer
        .identity_source
        .as_ref()
        .filter(|_| authorizer.kind == "REQUEST");
    insert(&mut shown, "identitySource", source.map(|source| json!(source)));
    let expression = authorizer.identity_validation_expression.as_ref();
    insert(
        &mut shown,
        "identityValidationExpression",
        expression.map(|expression| json!(expression)),
    );
    if !authorizer.provider_arns.is_empty() {
        shown.insert("providerARNs".to_owned(), json!(authorizer.provider_arns));
    }
    shown.insert("type".to_owned(), json!(authorizer.kind.to_ascii_lowercase()));
    Value::Object(shown)
}

fn integration(integration: &Integration, resource: &str) -> Value {
    let text = |value: &Option<String>| value.as_ref().map(|value| json!(value));
    let mut shown = Object::new();
    shown.insert("type".to_owned(), json!(integration.kind.to_ascii_lowercase()));
    insert(&mut shown, "httpMethod", text(&integration.http_method));
    insert(&mut shown, "uri", text(&integration.uri));
    insert(&mut shown, "credentials", text(&integration.credentials));
    let responses: Object = integration
        .integration_responses
        .values()
        .map(|response| {
            let pattern = response
                .selection_pattern
                .as_deref()
                .filter(|pattern| !pattern.is_empty());
            let mut shown = Object::new();
            shown.insert("statusCode".to_owned(), json!(response.status_code));
            map(&mut shown, "responseParameters", &response.response_parameters);
            map(&mut shown, "responseTemplates", &response.response_templates);
            insert(&mut shown, "contentHandling", text(&response.content_handling));
            (pattern.unwrap_or("default").to_owned(), Value::Object(shown))
        })
        .collect();
    super::insert_object(&mut shown, "responses", responses);
    map(&mut shown, "requestParameters", &integration.request_parameters);
    map(&mut shown, "requestTemplates", &integration.request_templates);
    let passthrough = integration.passthrough_behavior.as_ref();
    insert(
        &mut shown,
        "passthroughBehavior",
        passthrough.map(|behavior| json!(behavior.to_ascii_lowercase())),
    );
    insert(&mut shown, "contentHandling", text(&integration.content_handling));
    if integration.connection_type.as_deref() == Some("VPC_LINK") {
        shown.insert("connectionType".to_owned(), json!("VPC_LINK"));
        insert(&mut shown, "connectionId", text(&integration.connection_id));
    }
    let timeout = integration
        .timeout_in_millis
        .filter(|timeout| *timeout != DEFAULT_TIMEOUT);
    insert(&mut shown, "timeoutInMillis", timeout.map(|timeout| json!(timeout)));
    if integration
        .cache_namespace
        .as_deref()
        .is_some_and(|namespace| namespace != resource)
    {
        insert(&mut shown, "cacheNamespace", text(&integration.cache_namespace));
    }
    if !integration.cache_key_parameters.is_empty() {
        shown.insert("cacheKeyParameters".to_owned(), json!(integration.cache_key_parameters));
    }
    insert(
        &mut shown,
        "tlsConfig",
        integration.tls_config.as_ref().map(|config| json!(config)),
    );
    insert(
        &mut shown,
        "responseTransferMode",
        text(&integration.response_transfer_mode),
    );
    insert(&mut shown, "integrationTarget", text(&integration.integration_target));
    Value::Object(shown)
}

fn map<V: serde::Serialize>(object: &mut Object, name: &str, map: &BTreeMap<String, V>) {
    if !map.is_empty() {
        object.insert(name.to_owned(), json!(map));
    }
}
