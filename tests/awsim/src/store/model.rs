//! The records, serialised as AWS answers them.

#![allow(clippy::struct_field_names, clippy::struct_excessive_bools)] // AWS names the fields, and has these flags

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) type Map = BTreeMap<String, String>;
/// Templates may hold null: AWS answers null for an empty response template.
pub(crate) type Templates = BTreeMap<String, Option<String>>;

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Clone, Debug)]
pub(crate) struct RestApi {
    pub(crate) id: String,
    pub(crate) root_resource_id: String,
    pub(crate) created_date: i64,
    pub(crate) tags: Map,
    /// What GetResources and the other reads show.
    pub(crate) editor: Arc<Definition>,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) stages: Vec<Stage>,
    /// What callers meet of `disableExecuteApiEndpoint`.
    pub(crate) endpoint_disabled_live: bool,
    /// Second at which a change of the security policy is done.
    pub(crate) updating_until: Option<i64>,
}

/// Everything a deployment captures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definition {
    pub(crate) settings: Settings,
    pub(crate) resources: Vec<Arc<Resource>>,
    pub(crate) authorizers: Vec<Authorizer>,
    pub(crate) validators: Vec<RequestValidator>,
    pub(crate) models: Vec<Arc<Model>>,
    /// The customised ones alone.
    pub(crate) gateway_responses: BTreeMap<String, GatewayResponse>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) binary_media_types: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) minimum_compression_size: Option<i64>,
    #[serde(default = "header")]
    pub(crate) api_key_source: String,
    #[serde(default)]
    pub(crate) endpoint_configuration: EndpointConfiguration,
    /// Unescaped, compact.
    #[serde(default, skip_serializing)]
    pub(crate) policy: Option<String>,
    #[serde(default)]
    pub(crate) disable_execute_api_endpoint: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) security_policy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint_access_mode: Option<String>,
}

fn header() -> String {
    "HEADER".to_owned()
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndpointConfiguration {
    #[serde(default)]
    pub(crate) types: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ip_address_type: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) vpc_endpoint_ids: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resource {
    /// The order in which resources were made.
    pub(crate) seq: u64,
    pub(crate) id: String,
    pub(crate) parent_id: Option<String>,
    pub(crate) path_part: Option<String>,
    pub(crate) path: String,
    /// Boxed, as a map keeps room for eleven values.
    pub(crate) resource_methods: BTreeMap<String, Box<Method>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Method {
    #[serde(default)]
    pub(crate) http_method: String,
    #[serde(default)]
    pub(crate) authorization_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_id: Option<String>,
    #[serde(default)]
    pub(crate) api_key_required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request_validator_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operation_name: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) request_parameters: BTreeMap<String, bool>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) request_models: Map,
    #[serde(default, skip_deserializing, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) method_responses: BTreeMap<String, MethodResponse>,
    #[serde(default, skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(crate) method_integration: Option<Integration>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) authorization_scopes: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MethodResponse {
    #[serde(default)]
    pub(crate) status_code: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) response_parameters: BTreeMap<String, bool>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) response_models: Map,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Integration {
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) http_method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connection_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connection_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) credentials: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) request_parameters: Map,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) request_templates: Templates,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) passthrough_behavior: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_handling: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_in_millis: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cache_namespace: Option<String>,
    #[serde(default)]
    pub(crate) cache_key_parameters: Vec<String>,
    #[serde(default, skip_deserializing, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) integration_responses: BTreeMap<String, IntegrationResponse>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls_config: Option<TlsConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) response_transfer_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) integration_target: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TlsConfig {
    #[serde(default)]
    pub(crate) insecure_skip_verification: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IntegrationResponse {
    #[serde(default)]
    pub(crate) status_code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) selection_pattern: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) response_parameters: Map,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) response_templates: Templates,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_handling: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Authorizer {
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(rename = "providerARNs", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) provider_arns: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) auth_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_credentials: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity_source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity_validation_expression: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_result_ttl_in_seconds: Option<i64>,
    #[serde(skip)]
    pub(crate) seq: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestValidator {
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) validate_request_body: bool,
    #[serde(default)]
    pub(crate) validate_request_parameters: bool,
    #[serde(skip)]
    pub(crate) seq: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Model {
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) schema: Option<String>,
    #[serde(default)]
    pub(crate) content_type: String,
    #[serde(skip)]
    pub(crate) seq: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GatewayResponse {
    #[serde(default)]
    pub(crate) response_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status_code: Option<String>,
    #[serde(default)]
    pub(crate) response_parameters: Map,
    #[serde(default)]
    pub(crate) response_templates: Map,
    #[serde(default)]
    pub(crate) default_response: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) seq: u64,
    pub(crate) id: String,
    pub(crate) description: Option<String>,
    pub(crate) created_date: i64,
    /// What the editor held when it was made.
    pub(crate) snapshot: Arc<Definition>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Stage {
    pub(crate) deployment_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_certificate_id: Option<String>,
    pub(crate) stage_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) cache_cluster_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_cluster_size: Option<String>,
    pub(crate) cache_cluster_status: String,
    pub(crate) method_settings: BTreeMap<String, MethodSetting>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) variables: Map,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) documentation_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_log_settings: Option<AccessLogSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) canary_settings: Option<CanarySettings>,
    pub(crate) tracing_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) web_acl_arn: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) tags: Map,
    pub(crate) created_date: i64,
    pub(crate) last_updated_date: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccessLogSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) destination_arn: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CanarySettings {
    #[serde(default)]
    pub(crate) percent_traffic: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deployment_id: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) stage_variable_overrides: Map,
    #[serde(default)]
    pub(crate) use_stage_cache: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct MethodSetting {
    pub(crate) metrics_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logging_level: Option<String>,
    pub(crate) data_trace_enabled: bool,
    pub(crate) throttling_burst_limit: i64,
    pub(crate) throttling_rate_limit: f64,
    pub(crate) caching_enabled: bool,
    pub(crate) cache_ttl_in_seconds: i64,
    pub(crate) cache_data_encrypted: bool,
    pub(crate) require_authorization_for_cache_control: bool,
    pub(crate) unauthorized_cache_control_header_strategy: String,
}

impl Default for MethodSetting {
    fn default() -> Self {
        Self {
            metrics_enabled: false,
            logging_level: None,
            data_trace_enabled: false,
            throttling_burst_limit: 5000,
            throttling_rate_limit: 10_000.0,
            caching_enabled: false,
            cache_ttl_in_seconds: 300,
            cache_data_encrypted: false,
            require_authorization_for_cache_control: true,
            unauthorized_cache_control_header_strategy: "SUCCEED_WITH_RESPONSE_HEADER".to_owned(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DomainName {
    pub(crate) domain_name: String,
    pub(crate) domain_name_arn: String,
    /// Private ones have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) domain_name_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_upload_date: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) regional_domain_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) regional_hosted_zone_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) regional_certificate_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) regional_certificate_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) distribution_domain_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) distribution_hosted_zone_id: Option<String>,
    pub(crate) endpoint_configuration: EndpointConfiguration,
    pub(crate) domain_name_status: String,
    pub(crate) security_policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint_access_mode: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) tags: Map,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mutual_tls_authentication: Option<MutualTls>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ownership_verification_certificate_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) management_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    pub(crate) routing_mode: String,
    #[serde(skip)]
    pub(crate) mappings: BTreeMap<String, BasePathMapping>,
    #[serde(skip)]
    pub(crate) seq: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MutualTls {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) truststore_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) truststore_version: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BasePathMapping {
    #[serde(default)]
    pub(crate) base_path: String,
    #[serde(default)]
    pub(crate) rest_api_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stage: Option<String>,
    #[serde(skip)]
    pub(crate) seq: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClientCertificate {
    pub(crate) client_certificate_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) pem_encoded_certificate: String,
    pub(crate) created_date: i64,
    pub(crate) expiration_date: i64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) tags: Map,
    #[serde(skip)]
    pub(crate) seq: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VpcLink {
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) target_arns: Vec<String>,
    #[serde(default)]
    pub(crate) status: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) tags: Map,
    #[serde(skip)]
    pub(crate) seq: u64,
}
