//! How `CloudFormation`'s properties become the fields that AWS's answers have, one line each.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::node::{Entry, Node, Place, mark};
use crate::aws::apigateway::document;
use crate::judge::path::Path;

/// A document under way, with the place where each part of it is written.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub json: Value,
    pub lines: BTreeMap<Path, Place>,
}

impl Default for Draft {
    fn default() -> Self {
        Draft {
            json: Value::Object(Map::new()),
            lines: BTreeMap::new(),
        }
    }
}

impl Draft {
    /// Puts a value at a path, as written at a place.
    pub fn put(&mut self, path: &Path, at: &Place, value: Value) {
        path.set(&mut self.json, Some(value));
        self.lines.insert(path.clone(), at.clone());
    }

    /// Puts a value that AWS fills in where nothing is written. What stands in something that is not known stays as it is.
    pub fn fill(&mut self, keys: &[&str], value: Value) {
        let path = Path::of(keys.iter().copied());
        let open = (1..keys.len()).all(|n| {
            let above = Path::of(keys[..n].iter().copied());
            above.get(&self.json).is_none_or(Value::is_object)
        });
        if open && path.get(&self.json).is_none() {
            path.set(&mut self.json, Some(value));
        }
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.json.get(key)
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// Puts properties where their fields are.
    pub fn write(&mut self, at: &Path, props: &[Prop], node: &Node) {
        for entry in node.entries() {
            if let Some(Prop(_, field, kind)) = props.iter().find(|prop| prop.0 == entry.key) {
                let path = field.split('.').fold(at.clone(), |path, key| path.then(key));
                self.property(&path, *kind, entry);
            }
        }
    }

    /// The same; properties that are not known become fields of the same name.
    pub fn write_all(&mut self, props: &[Prop], node: &Node) {
        self.write(&Path::root(), props, node);
        for entry in node.entries() {
            if !props.iter().any(|prop| prop.0 == entry.key) {
                self.property(&Path::root().then(&lower(&entry.key)), Kind::Json, entry);
            }
        }
    }

    fn property(&mut self, path: &Path, kind: Kind, entry: &Entry) {
        let Entry { at, value, .. } = entry;
        if value.is_null() {
            return;
        }
        match kind {
            Kind::Apart => {}
            Kind::Object(props) if value.is_map() => {
                if path.get(&self.json).is_none() {
                    self.put(path, at, json!({}));
                }
                self.write(path, props, value);
            }
            Kind::Settings => super::settings::write(self, path, entry),
            kind => self.put(path, at, convert(kind, value)),
        }
    }
}

/// What a property's value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Bool,
    Number,
    /// A list of texts.
    Texts,
    /// The same, in which `~1` is a slash.
    MediaTypes,
    /// A map of texts.
    TextMap,
    /// A map of bools.
    BoolMap,
    /// As it is.
    Json,
    /// An IAM policy.
    Policy,
    /// A list of keys and values, or a map.
    Tags,
    /// Property by property.
    Object(&'static [Prop]),
    /// A list of objects, each with its `StatusCode`.
    ByStatus(&'static [Prop]),
    /// A list of method settings.
    Settings,
    /// Read elsewhere.
    Apart,
}

/// A property, its field, and what it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prop(pub &'static str, pub &'static str, pub Kind);

pub(super) const REST_API: &[Prop] = &[
    Prop("ApiKeySourceType", "apiKeySource", Kind::Text),
    Prop("BinaryMediaTypes", "binaryMediaTypes", Kind::MediaTypes),
    Prop("Body", "", Kind::Apart),
    Prop("BodyS3Location", "", Kind::Apart),
    Prop("CloneFrom", "", Kind::Apart),
    Prop("Description", "description", Kind::Text),
    Prop("DisableExecuteApiEndpoint", "disableExecuteApiEndpoint", Kind::Bool),
    Prop("EndpointAccessMode", "endpointAccessMode", Kind::Text),
    Prop("EndpointConfiguration", "endpointConfiguration", Kind::Object(ENDPOINT)),
    Prop("FailOnWarnings", "", Kind::Apart),
    Prop("MinimumCompressionSize", "minimumCompressionSize", Kind::Number),
    Prop("Mode", "", Kind::Apart),
    Prop("Name", "name", Kind::Text),
    Prop("Parameters", "", Kind::Apart),
    Prop("Policy", "policy", Kind::Policy),
    Prop("SecurityPolicy", "securityPolicy", Kind::Text),
    Prop("Tags", "tags", Kind::Tags),
];

const ENDPOINT: &[Prop] = &[
    Prop("IpAddressType", "ipAddressType", Kind::Text),
    Prop("Types", "types", Kind::Texts),
    Prop("VpcEndpointIds", "vpcEndpointIds", Kind::Texts),
];

pub(super) const STAGE: &[Prop] = &[
    Prop("AccessLogSetting", "accessLogSettings", Kind::Object(ACCESS_LOG)),
    Prop("CacheClusterEnabled", "cacheClusterEnabled", Kind::Bool),
    Prop("CacheClusterSize", "cacheClusterSize", Kind::Text),
    Prop("CanarySetting", "canarySettings", Kind::Object(CANARY)),
    Prop("ClientCertificateId", "clientCertificateId", Kind::Text),
    Prop("DeploymentId", "", Kind::Apart),
    Prop("Description", "description", Kind::Text),
    Prop("DocumentationVersion", "documentationVersion", Kind::Text),
    Prop("MethodSettings", "methodSettings", Kind::Settings),
    Prop("RestApiId", "", Kind::Apart),
    Prop("StageName", "stageName", Kind::Text),
    Prop("Tags", "tags", Kind::Tags),
    Prop("TracingEnabled", "tracingEnabled", Kind::Bool),
    Prop("Variables", "variables", Kind::TextMap),
];

const ACCESS_LOG: &[Prop] = &[
    Prop("DestinationArn", "destinationArn", Kind::Text),
    Prop("Format", "format", Kind::Text),
];

const CANARY: &[Prop] = &[
    Prop("DeploymentId", "deploymentId", Kind::Text),
    Prop("PercentTraffic", "percentTraffic", Kind::Number),
    Prop("StageVariableOverrides", "stageVariableOverrides", Kind::TextMap),
    Prop("UseStageCache", "useStageCache", Kind::Bool),
];

pub(super) const METHOD: &[Prop] = &[
    Prop("ApiKeyRequired", "apiKeyRequired", Kind::Bool),
    Prop("AuthorizationScopes", "authorizationScopes", Kind::Texts),
    Prop("AuthorizationType", "authorizationType", Kind::Text),
    Prop("AuthorizerId", "authorizerId", Kind::Text),
    Prop("HttpMethod", "httpMethod", Kind::Text),
    Prop("Integration", "methodIntegration", Kind::Object(INTEGRATION)),
    Prop("MethodResponses", "methodResponses", Kind::ByStatus(METHOD_RESPONSE)),
    Prop("OperationName", "operationName", Kind::Text),
    Prop("RequestModels", "requestModels", Kind::TextMap),
    Prop("RequestParameters", "requestParameters", Kind::BoolMap),
    Prop("RequestValidatorId", "requestValidatorId", Kind::Text),
    Prop("ResourceId", "", Kind::Apart),
    Prop("RestApiId", "", Kind::Apart),
];

const METHOD_RESPONSE: &[Prop] = &[
    Prop("ResponseModels", "responseModels", Kind::TextMap),
    Prop("ResponseParameters", "responseParameters", Kind::BoolMap),
    Prop("StatusCode", "statusCode", Kind::Text),
];

const INTEGRATION: &[Prop] = &[
    Prop("CacheKeyParameters", "cacheKeyParameters", Kind::Texts),
    Prop("CacheNamespace", "cacheNamespace", Kind::Text),
    Prop("ConnectionId", "connectionId", Kind::Text),
    Prop("ConnectionType", "connectionType", Kind::Text),
    Prop("ContentHandling", "contentHandling", Kind::Text),
    Prop("Credentials", "credentials", Kind::Text),
    Prop("IntegrationHttpMethod", "httpMethod", Kind::Text),
    Prop(
        "IntegrationResponses",
        "integrationResponses",
        Kind::ByStatus(INTEGRATION_RESPONSE),
    ),
    Prop("IntegrationTarget", "integrationTarget", Kind::Text),
    Prop("PassthroughBehavior", "passthroughBehavior", Kind::Text),
    Prop("RequestParameters", "requestParameters", Kind::TextMap),
    Prop("RequestTemplates", "requestTemplates", Kind::TextMap),
    Prop("ResponseTransferMode", "responseTransferMode", Kind::Text),
    Prop("TimeoutInMillis", "timeoutInMillis", Kind::Number),
    Prop("Type", "type", Kind::Text),
    Prop("Uri", "uri", Kind::Text),
];

const INTEGRATION_RESPONSE: &[Prop] = &[
    Prop("ContentHandling", "contentHandling", Kind::Text),
    Prop("ResponseParameters", "responseParameters", Kind::TextMap),
    Prop("ResponseTemplates", "responseTemplates", Kind::TextMap),
    Prop("SelectionPattern", "selectionPattern", Kind::Text),
    Prop("StatusCode", "statusCode", Kind::Text),
];

pub(super) const DOMAIN_NAME: &[Prop] = &[
    Prop("CertificateArn", "certificateArn", Kind::Text),
    Prop("DomainName", "domainName", Kind::Text),
    Prop("EndpointAccessMode", "endpointAccessMode", Kind::Text),
    Prop("EndpointConfiguration", "endpointConfiguration", Kind::Object(ENDPOINT)),
    Prop(
        "MutualTlsAuthentication",
        "mutualTlsAuthentication",
        Kind::Object(MUTUAL_TLS),
    ),
    Prop(
        "OwnershipVerificationCertificateArn",
        "ownershipVerificationCertificateArn",
        Kind::Text,
    ),
    Prop("Policy", "policy", Kind::Policy),
    Prop("RegionalCertificateArn", "regionalCertificateArn", Kind::Text),
    Prop("RoutingMode", "routingMode", Kind::Text),
    Prop("SecurityPolicy", "securityPolicy", Kind::Text),
    Prop("Tags", "tags", Kind::Tags),
];

const MUTUAL_TLS: &[Prop] = &[
    Prop("TruststoreUri", "truststoreUri", Kind::Text),
    Prop("TruststoreVersion", "truststoreVersion", Kind::Text),
];

fn convert(kind: Kind, node: &Node) -> Value {
    let map = |of: fn(&Node) -> Value| {
        let fields = node.entries().iter().filter(|entry| !entry.value.is_null());
        let fields: Map<String, Value> = fields.map(|entry| (entry.key.clone(), of(&entry.value))).collect();
        Value::Object(fields)
    };
    match kind {
        Kind::Text => text(node),
        Kind::Bool => truth(node),
        Kind::Number => node.number().map_or_else(|| node.json(), Value::Number),
        Kind::Texts if node.text().is_some() => json!([text(node)]),
        Kind::Texts if !node.items().is_empty() => node.items().iter().map(text).collect(),
        Kind::MediaTypes if !node.items().is_empty() => node.items().iter().map(media_type).collect(),
        Kind::TextMap if node.is_map() => map(text),
        Kind::BoolMap if node.is_map() => map(truth),
        Kind::Tags => tags(node),
        Kind::Policy => document::policy(&node.json()),
        Kind::ByStatus(props) => by_status(props, node),
        _ => node.json(),
    }
}

fn text(node: &Node) -> Value {
    node.text().map_or_else(|| node.json(), Value::from)
}

fn media_type(node: &Node) -> Value {
    node.text()
        .map_or_else(|| node.json(), |text| text.replace("~1", "/").into())
}

fn truth(node: &Node) -> Value {
    node.truth().map_or_else(|| node.json(), Value::Bool)
}

fn tags(node: &Node) -> Value {
    let mut tags = Map::new();
    for entry in node.entries() {
        tags.insert(entry.key.clone(), text(&entry.value));
    }
    for item in node.items() {
        match (item.text_of("Key"), item.get("Value"), item.unknown()) {
            (Some(key), value, _) => {
                tags.insert(key.to_owned(), value.map_or_else(|| "".into(), text));
            }
            (None, _, Some(unknown)) => return mark(unknown),
            (None, _, None) => {}
        }
    }
    match node.data {
        super::node::Data::Unknown(unknown) => mark(unknown),
        _ => Value::Object(tags),
    }
}

fn by_status(props: &'static [Prop], node: &Node) -> Value {
    let mut by_status = Map::new();
    for item in node.items() {
        match (item.text_of("StatusCode"), item.unknown()) {
            (Some(status), _) => {
                let mut response = Draft::default();
                response.write(&Path::root(), props, item);
                by_status.insert(status.to_owned(), response.json);
            }
            (None, Some(unknown)) => return mark(unknown),
            (None, None) => {}
        }
    }
    match node.data {
        super::node::Data::Unknown(unknown) => mark(unknown),
        _ => Value::Object(by_status),
    }
}

fn lower(name: &str) -> String {
    let mut chars = name.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
