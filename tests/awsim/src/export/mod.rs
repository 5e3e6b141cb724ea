//! A definition as an OpenAPI document, with AWS's omissions.
//!
//! Left out, as recorded: `connectionType` INTERNET, `timeoutInMillis` at its default, the cache
//! namespace that is the resource's id, resources without methods, whether a response header is
//! required, models that nothing refers to. Integration responses are keyed by their selection pattern.

mod operation;
mod schemas;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::store::{Definition, Settings};
use crate::switches::{Switch, Switches};

type Object = Map<String, Value>;

/// Which OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    OpenApi3,
    Swagger2,
}

/// What an export is made of.
pub(crate) struct Export<'a> {
    pub(crate) flavour: Flavour,
    /// With API Gateway's own extensions.
    pub(crate) gateway: bool,
    /// With the extensions for authorizers.
    pub(crate) authorizers: bool,
    pub(crate) api: &'a str,
    pub(crate) region: &'a str,
    pub(crate) stage: &'a str,
    /// Second at which the deployment was made.
    pub(crate) created: i64,
    pub(crate) snapshot: &'a Definition,
    pub(crate) editor: &'a Definition,
    pub(crate) switches: &'a Switches,
}

impl Export<'_> {
    /// `info.version`: the API's, or else the deployment's time.
    pub(crate) fn version(&self) -> String {
        let time = || Timestamp::from_second(self.created).unwrap_or_default().to_string();
        self.snapshot.settings.version.clone().unwrap_or_else(time)
    }

    /// The whole document.
    pub(crate) fn document(&self) -> Value {
        let mut document = Object::new();
        let mut info = Object::new();
        info.insert("title".to_owned(), json!(self.snapshot.settings.name));
        if let Some(description) = &self.snapshot.settings.description {
            info.insert("description".to_owned(), json!(description));
        }
        info.insert("version".to_owned(), json!(self.version()));
        let host = format!("{}.execute-api.{}.amazonaws.com", self.api, self.region);
        let endpoint = self.endpoint_configuration();
        if self.flavour == Flavour::OpenApi3 {
            document.insert("openapi".to_owned(), json!("3.0.1"));
            document.insert("info".to_owned(), Value::Object(info));
            let mut server = Object::new();
            server.insert("url".to_owned(), json!(format!("https://{host}/{{basePath}}")));
            server.insert("variables".to_owned(), json!({"basePath": {"default": self.stage}}));
            insert(&mut server, "x-amazon-apigateway-endpoint-configuration", endpoint);
            document.insert("servers".to_owned(), json!([server]));
        } else {
            document.insert("swagger".to_owned(), json!("2.0"));
            document.insert("info".to_owned(), Value::Object(info));
            document.insert("host".to_owned(), json!(host));
            document.insert("basePath".to_owned(), json!(format!("/{}", self.stage)));
            document.insert("schemes".to_owned(), json!(["https"]));
            insert(&mut document, "x-amazon-apigateway-endpoint-configuration", endpoint);
        }
        document.insert("paths".to_owned(), self.paths());
        self.components(&mut document);
        if self.gateway {
            self.extensions(&mut document);
        }
        Value::Object(document)
    }

    fn paths(&self) -> Value {
        let mut paths = Object::new();
        for resource in self
            .snapshot
            .resources
            .iter()
            .filter(|resource| !resource.resource_methods.is_empty())
        {
            let mut item = Object::new();
            for (verb, method) in &resource.resource_methods {
                let name = if verb == "ANY" {
                    "x-amazon-apigateway-any-method".to_owned()
                } else {
                    verb.to_ascii_lowercase()
                };
                item.insert(name, self.operation(resource, method));
            }
            paths.insert(resource.path.clone(), Value::Object(item));
        }
        Value::Object(paths)
    }

    fn components(&self, document: &mut Object) {
        let security = self.security_schemes();
        let schemas = self.schemas();
        if self.flavour == Flavour::Swagger2 {
            insert_object(document, "securityDefinitions", security);
            insert_object(document, "definitions", schemas);
            return;
        }
        let mut components = Object::new();
        insert_object(&mut components, "schemas", schemas);
        insert_object(&mut components, "securitySchemes", security);
        document.insert("components".to_owned(), Value::Object(components));
    }

    fn extensions(&self, document: &mut Object) {
        let settings = &self.snapshot.settings;
        let source = |switch| self.switches.source(switch, self.snapshot, self.editor);
        let policy = source(Switch::ExportPolicy)
            .and_then(|definition| definition.settings.policy.as_deref())
            .and_then(|policy| serde_json::from_str(policy).ok());
        insert(document, "x-amazon-apigateway-policy", policy);
        let responses = source(Switch::ExportGatewayResponses)
            .map(gateway_responses)
            .unwrap_or_default();
        insert_object(document, "x-amazon-apigateway-gateway-responses", responses);
        let size =
            source(Switch::ExportCompression).and_then(|definition| definition.settings.minimum_compression_size);
        insert(
            document,
            "x-amazon-apigateway-minimum-compression-size",
            size.map(|size| json!(size)),
        );
        insert_object(
            document,
            "x-amazon-apigateway-request-validators",
            validators(self.snapshot),
        );
        if settings.api_key_source != "HEADER" {
            document.insert(
                "x-amazon-apigateway-api-key-source".to_owned(),
                json!(settings.api_key_source),
            );
        }
        if !settings.binary_media_types.is_empty() {
            let types = json!(settings.binary_media_types);
            document.insert("x-amazon-apigateway-binary-media-types".to_owned(), types);
        }
        let policy = settings.security_policy.as_ref().map(|policy| json!(policy));
        insert(document, "x-amazon-apigateway-security-policy", policy);
        let mode = settings.endpoint_access_mode.as_ref().map(|mode| json!(mode));
        insert(document, "x-amazon-apigateway-endpoint-access-mode", mode);
    }

    fn endpoint_configuration(&self) -> Option<Value> {
        if !self.gateway {
            return None;
        }
        let source = self
            .switches
            .source(Switch::ExportEndpointConfiguration, self.snapshot, self.editor)?;
        let Settings {
            disable_execute_api_endpoint,
            endpoint_configuration,
            ..
        } = &source.settings;
        let mut shown = Object::new();
        if *disable_execute_api_endpoint {
            shown.insert("disableExecuteApiEndpoint".to_owned(), json!(true));
        }
        if !endpoint_configuration.vpc_endpoint_ids.is_empty() {
            shown.insert(
                "vpcEndpointIds".to_owned(),
                json!(endpoint_configuration.vpc_endpoint_ids),
            );
        }
        (!shown.is_empty()).then_some(Value::Object(shown))
    }
}

fn insert(object: &mut Object, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value);
    }
}

fn insert_object(object: &mut Object, name: &str, value: Object) {
    if !value.is_empty() {
        object.insert(name.to_owned(), Value::Object(value));
    }
}

fn validators(definition: &Definition) -> Object {
    let named = definition.validators.iter().map(|validator| {
        let shown = json!({
            "validateRequestParameters": validator.validate_request_parameters,
            "validateRequestBody": validator.validate_request_body,
        });
        (validator.name.clone().unwrap_or_else(|| validator.id.clone()), shown)
    });
    named.collect()
}

fn gateway_responses(definition: &Definition) -> Object {
    let shown = definition.gateway_responses.iter().map(|(kind, response)| {
        let mut shown = Object::new();
        if let Some(status) = &response.status_code {
            let number = status
                .parse::<u16>()
                .map_or_else(|_| json!(status), |status| json!(status));
            shown.insert("statusCode".to_owned(), number);
        }
        if !response.response_parameters.is_empty() {
            shown.insert("responseParameters".to_owned(), json!(response.response_parameters));
        }
        if !response.response_templates.is_empty() {
            shown.insert("responseTemplates".to_owned(), json!(response.response_templates));
        }
        (kind.clone(), Value::Object(shown))
    });
    shown.collect()
}
