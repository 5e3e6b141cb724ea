//! An OpenAPI document (2 or 3, JSON) as a definition: ImportRestApi and PutRestApi.
//!
//! What GetExport shows with extensions comes back; documentation parts do not.

mod operation;

use std::sync::Arc;

use serde_json::Value;

use crate::error::AwsError;
use crate::ids::Ids;
use crate::ops::{authorizers, policy};
use crate::seed::resource_at;
use crate::store::{Authorizer, Definition, GatewayResponse, Model, Partition, RequestValidator};

/// A document, with the index of what it defines.
pub(crate) struct Document {
    root: Value,
}

/// Where things are made.
pub(crate) struct Workshop<'a> {
    pub(crate) partition: &'a mut Partition,
    pub(crate) ids: &'a mut Ids,
    /// What `execute-api:/` in a policy becomes.
    pub(crate) policy_prefix: Option<String>,
}

impl Document {
    /// Reads a document.
    pub(crate) fn read(text: &[u8]) -> Result<Self, AwsError> {
        let root: Value = serde_json::from_slice(text)
            .map_err(|error| AwsError::bad_request(format!("Invalid OpenAPI input: {error}")))?;
        if root["swagger"] == "2.0"
            || root["openapi"]
                .as_str()
                .is_some_and(|version| version.starts_with("3."))
        {
            return Ok(Self { root });
        }
        Err(AwsError::bad_request("Invalid OpenAPI input"))
    }

    fn is_swagger(&self) -> bool {
        self.root.get("swagger").is_some()
    }

    fn extension(&self, name: &str) -> &Value {
        &self.root[format!("x-amazon-apigateway-{name}").as_str()]
    }

    /// Puts the document's API-wide settings, and everything it defines, into a definition.
    pub(crate) fn apply(&self, editor: &mut Definition, shop: &mut Workshop<'_>) -> Result<(), AwsError> {
        self.settings(editor, shop)?;
        self.models(editor, shop);
        self.authorizers(editor, shop)?;
        self.validators(editor, shop);
        self.gateway_responses(editor);
        for (path, item) in self.root["paths"].as_object().into_iter().flatten() {
            let at = resource_at(editor, path, shop.partition, shop.ids);
            let Some(item) = item.as_object() else { continue };
            for (verb, operation) in item {
                let Some(verb) = operation::verb(verb) else { continue };
                let method = self.method(
                    verb,
                    operation,
                    &item.get("parameters").cloned().unwrap_or_default(),
                    editor,
                    at,
                )?;
                Arc::make_mut(&mut editor.resources[at])
                    .resource_methods
                    .insert(verb.to_owned(), Box::new(method));
            }
        }
        Ok(())
    }

    fn settings(&self, editor: &mut Definition, shop: &Workshop<'_>) -> Result<(), AwsError> {
        let settings = &mut editor.settings;
        let info = &self.root["info"];
        if let Some(title) = info["title"].as_str() {
            title.clone_into(&mut settings.name);
        }
        settings.description = info["description"].as_str().map(str::to_owned);
        settings.version = info["version"].as_str().map(str::to_owned);
        settings.minimum_compression_size = self.extension("minimum-compression-size").as_i64();
        let source = self.extension("api-key-source").as_str().unwrap_or("HEADER");
        source.clone_into(&mut settings.api_key_source);
        settings.binary_media_types = strings(self.extension("binary-media-types"));
        settings.policy = match self.extension("policy") {
            Value::Null => None,
            given => Some(policy::compact(given.clone(), shop.policy_prefix.as_deref())?),
        };
        let endpoint = match self.extension("endpoint-configuration") {
            Value::Null => &self.root["servers"][0]["x-amazon-apigateway-endpoint-configuration"],
            given => given,
        };
        if let Some(disabled) = endpoint["disableExecuteApiEndpoint"].as_bool() {
            settings.disable_execute_api_endpoint = disabled;
        }
        if endpoint["vpcEndpointIds"].is_array() {
            settings.endpoint_configuration.vpc_endpoint_ids = strings(&endpoint["vpcEndpointIds"]);
        }
        Ok(())
    }

    fn models(&self, editor: &mut Definition, shop: &mut Workshop<'_>) {
        let schemas = if self.is_swagger() {
            &self.root["definitions"]
        } else {
            &self.root["components"]["schemas"]
        };
        for (name, schema) in schemas.as_object().into_iter().flatten() {
            let model = Model {
                id: shop.ids.short(),
                name: name.clone(),
                description: None,
                schema: Some(schema.to_string()),
                content_type: "application/json".to_owned(),
                seq: shop.partition.next_seq(),
            };
            editor.models.retain(|known| known.name != *name);
            editor.models.push(Arc::new(model));
        }
    }

    fn schemes(&self) -> &Value {
        if self.is_swagger() {
            &self.root["securityDefinitions"]
        } else {
            &self.root["components"]["securitySchemes"]
        }
    }

    fn authorizers(&self, editor: &mut Definition, shop: &mut Workshop<'_>) -> Result<(), AwsError> {
        for (name, scheme) in self.schemes().as_object().into_iter().flatten() {
            let extension = &scheme["x-amazon-apigateway-authorizer"];
            if extension.is_null() {
                continue;
            }
            let invalid =
                |error: serde_json::Error| AwsError::bad_request(format!("Invalid authorizer {name}: {error}"));
            let mut authorizer: Authorizer = serde_json::from_value(extension.clone()).map_err(invalid)?;
            authorizer.kind = authorizer.kind.to_ascii_uppercase();
            authorizer.name.clone_from(name);
            authorizer.auth_type = scheme["x-amazon-apigateway-authtype"].as_str().map(str::to_owned);
            if authorizer.kind != "REQUEST" {
                let header = scheme["name"].as_str().unwrap_or("Authorization");
                authorizer
                    .identity_source
                    .get_or_insert_with(|| format!("method.request.header.{header}"));
            }
            authorizers::fill(&mut authorizer);
            // An authorizer that is there already keeps its id: methods refer to it.
            if let Some(known) = editor.authorizers.iter_mut().find(|known| known.name == *name) {
                *known = Authorizer {
                    id: known.id.clone(),
                    seq: known.seq,
                    ..authorizer
                };
                continue;
            }
            let (id, seq) = (shop.ids.short(), shop.partition.next_seq());
            editor.authorizers.push(Authorizer { id, seq, ..authorizer });
        }
        Ok(())
    }

    fn validators(&self, editor: &mut Definition, shop: &mut Workshop<'_>) {
        for (name, given) in self.extension("request-validators").as_object().into_iter().flatten() {
            let flag = |flag: &str| given[flag].as_bool().unwrap_or(false);
            let (body, parameters) = (flag("validateRequestBody"), flag("validateRequestParameters"));
            if let Some(known) = editor
                .validators
                .iter_mut()
                .find(|known| known.name.as_ref() == Some(name))
            {
                (known.validate_request_body, known.validate_request_parameters) = (body, parameters);
                continue;
            }
            editor.validators.push(RequestValidator {
                id: shop.ids.short(),
                name: Some(name.clone()),
                validate_request_body: body,
                validate_request_parameters: parameters,
                seq: shop.partition.next_seq(),
            });
        }
    }

    fn gateway_responses(&self, editor: &mut Definition) {
        for (kind, given) in self.extension("gateway-responses").as_object().into_iter().flatten() {
            let map = |name: &str| serde_json::from_value(given[name].clone()).unwrap_or_default();
            let response = GatewayResponse {
                response_type: kind.clone(),
                status_code: operation::text(&given["statusCode"]),
                response_parameters: map("responseParameters"),
                response_templates: map("responseTemplates"),
                default_response: false,
            };
            editor.gateway_responses.insert(kind.clone(), response);
        }
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
