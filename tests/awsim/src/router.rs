//! Which operation a request means: by method and path, or by its target.

use std::collections::BTreeMap;
use std::fmt;

use http::{HeaderMap, Method as Verb};

use crate::service::Service;

macro_rules! operations {
    ($($name:ident $verb:ident $path:literal;)* @CloudTrail { $($target:ident;)* }) => {
        /// The operations that are simulated.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum Operation { $($name,)* $($target,)* }

        const ROUTES: &[(Operation, Verb, &str)] = &[$((Operation::$name, Verb::$verb, $path),)*];

        impl Operation {
            /// The name that AWS gives it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                    $(Self::$target => stringify!($target),)*
                }
            }

            /// The service that has it.
            pub fn service(self) -> Service {
                match self {
                    $(Self::$target => Service::CloudTrail,)*
                    _ => Service::ApiGateway,
                }
            }

            /// The operation of a name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    $(stringify!($target) => Some(Self::$target),)*
                    _ => None,
                }
            }
        }
    };
}

operations! {
    GetRestApis GET "/restapis";
    GetStages GET "/restapis/{restApiId}/stages";
    GetResources GET "/restapis/{restApiId}/resources";
    GetExport GET "/restapis/{restApiId}/stages/{stageName}/exports/{exportType}";
    CreateRestApi POST "/restapis";
    ImportRestApi POST "/restapis?import";
    GetRestApi GET "/restapis/{restApiId}";
    UpdateRestApi PATCH "/restapis/{restApiId}";
    DeleteRestApi DELETE "/restapis/{restApiId}";
    PutRestApi PUT "/restapis/{restApiId}";
    CreateResource POST "/restapis/{restApiId}/resources/{parentId}";
    GetResource GET "/restapis/{restApiId}/resources/{resourceId}";
    UpdateResource PATCH "/restapis/{restApiId}/resources/{resourceId}";
    DeleteResource DELETE "/restapis/{restApiId}/resources/{resourceId}";
    PutMethod PUT "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}";
    GetMethod GET "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}";
    UpdateMethod PATCH "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}";
    DeleteMethod DELETE "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}";
    PutMethodResponse PUT "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/responses/{statusCode}";
    GetMethodResponse GET "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/responses/{statusCode}";
    UpdateMethodResponse PATCH "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/responses/{statusCode}";
    DeleteMethodResponse DELETE "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/responses/{statusCode}";
    PutIntegration PUT "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration";
    GetIntegration GET "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration";
    UpdateIntegration PATCH "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration";
    DeleteIntegration DELETE "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration";
    PutIntegrationResponse PUT "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration/responses/{statusCode}";
    GetIntegrationResponse GET "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration/responses/{statusCode}";
    UpdateIntegrationResponse PATCH "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration/responses/{statusCode}";
    DeleteIntegrationResponse DELETE "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration/responses/{statusCode}";
    CreateDeployment POST "/restapis/{restApiId}/deployments";
    GetDeployments GET "/restapis/{restApiId}/deployments";
    GetDeployment GET "/restapis/{restApiId}/deployments/{deploymentId}";
    UpdateDeployment PATCH "/restapis/{restApiId}/deployments/{deploymentId}";
    DeleteDeployment DELETE "/restapis/{restApiId}/deployments/{deploymentId}";
    CreateStage POST "/restapis/{restApiId}/stages";
    GetStage GET "/restapis/{restApiId}/stages/{stageName}";
    UpdateStage PATCH "/restapis/{restApiId}/stages/{stageName}";
    DeleteStage DELETE "/restapis/{restApiId}/stages/{stageName}";
    FlushStageCache DELETE "/restapis/{restApiId}/stages/{stageName}/cache/data";
    FlushStageAuthorizersCache DELETE "/restapis/{restApiId}/stages/{stageName}/cache/authorizers";
    CreateAuthorizer POST "/restapis/{restApiId}/authorizers";
    GetAuthorizers GET "/restapis/{restApiId}/authorizers";
    GetAuthorizer GET "/restapis/{restApiId}/authorizers/{authorizerId}";
    UpdateAuthorizer PATCH "/restapis/{restApiId}/authorizers/{authorizerId}";
    DeleteAuthorizer DELETE "/restapis/{restApiId}/authorizers/{authorizerId}";
    CreateRequestValidator POST "/restapis/{restApiId}/requestvalidators";
    GetRequestValidators GET "/restapis/{restApiId}/requestvalidators";
    GetRequestValidator GET "/restapis/{restApiId}/requestvalidators/{requestValidatorId}";
    UpdateRequestValidator PATCH "/restapis/{restApiId}/requestvalidators/{requestValidatorId}";
    DeleteRequestValidator DELETE "/restapis/{restApiId}/requestvalidators/{requestValidatorId}";
    CreateModel POST "/restapis/{restApiId}/models";
    GetModels GET "/restapis/{restApiId}/models";
    GetModel GET "/restapis/{restApiId}/models/{modelName}";
    UpdateModel PATCH "/restapis/{restApiId}/models/{modelName}";
    DeleteModel DELETE "/restapis/{restApiId}/models/{modelName}";
    PutGatewayResponse PUT "/restapis/{restApiId}/gatewayresponses/{responseType}";
    GetGatewayResponses GET "/restapis/{restApiId}/gatewayresponses";
    GetGatewayResponse GET "/restapis/{restApiId}/gatewayresponses/{responseType}";
    UpdateGatewayResponse PATCH "/restapis/{restApiId}/gatewayresponses/{responseType}";
    DeleteGatewayResponse DELETE "/restapis/{restApiId}/gatewayresponses/{responseType}";
    CreateDomainName POST "/domainnames";
    GetDomainNames GET "/domainnames";
    GetDomainName GET "/domainnames/{domainName}";
    UpdateDomainName PATCH "/domainnames/{domainName}";
    DeleteDomainName DELETE "/domainnames/{domainName}";
    CreateBasePathMapping POST "/domainnames/{domainName}/basepathmappings";
    GetBasePathMappings GET "/domainnames/{domainName}/basepathmappings";
    GetBasePathMapping GET "/domainnames/{domainName}/basepathmappings/{basePath}";
    UpdateBasePathMapping PATCH "/domainnames/{domainName}/basepathmappings/{basePath}";
    DeleteBasePathMapping DELETE "/domainnames/{domainName}/basepathmappings/{basePath}";
    GetAccount GET "/account";
    UpdateAccount PATCH "/account";
    GenerateClientCertificate POST "/clientcertificates";
    GetClientCertificates GET "/clientcertificates";
    GetClientCertificate GET "/clientcertificates/{clientCertificateId}";
    UpdateClientCertificate PATCH "/clientcertificates/{clientCertificateId}";
    DeleteClientCertificate DELETE "/clientcertificates/{clientCertificateId}";
    CreateVpcLink POST "/vpclinks";
    GetVpcLinks GET "/vpclinks";
    GetVpcLink GET "/vpclinks/{vpcLinkId}";
    UpdateVpcLink PATCH "/vpclinks/{vpcLinkId}";
    DeleteVpcLink DELETE "/vpclinks/{vpcLinkId}";
    TagResource PUT "/tags/{resourceArn}";
    UntagResource DELETE "/tags/{resourceArn}";
    GetTags GET "/tags/{resourceArn}";
    @CloudTrail {
        LookupEvents;
        DescribeTrails;
        GetTrailStatus;
        StartLogging;
        StopLogging;
    }
}

impl Operation {
    /// Whether it only reads.
    pub fn read_only(self) -> bool {
        ["Get", "Lookup", "Describe"]
            .iter()
            .any(|verb| self.name().starts_with(verb))
    }

    /// The name of the body in CloudTrail and in AWS's validation messages: `updateStageInput`.
    pub fn input(self) -> String {
        let name = self.name();
        let mut input = String::with_capacity(name.len() + 5);
        input.push(
            name.as_bytes()
                .first()
                .map_or('x', |first| char::from(first.to_ascii_lowercase())),
        );
        input.push_str(name.get(1..).unwrap_or_default());
        input.push_str("Input");
        input
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What stands in a request's line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routed {
    /// Whose door was knocked at.
    pub(crate) service: Service,
    pub(crate) operation: Option<Operation>,
    /// The labels of the path, under the names that CloudTrail uses.
    pub(crate) ids: BTreeMap<String, String>,
    /// The query, decoded, in the order sent.
    pub(crate) query: Vec<(String, String)>,
}

/// Finds the operation.
pub(crate) fn route(verb: &Verb, path: &str, query: Option<&str>, headers: &HeaderMap) -> Routed {
    if let Some(target) = headers
        .get("x-amz-target")
        .filter(|_| verb == Verb::POST && path == "/")
    {
        return Routed {
            service: Service::CloudTrail,
            operation: target.to_str().ok().and_then(targeted),
            ..Routed::default()
        };
    }
    let query = query.map(parse_query).unwrap_or_default();
    let path = path.strip_suffix('/').unwrap_or(path);
    let import = query.iter().any(|(name, value)| name == "mode" && value == "import");
    for (operation, route_verb, pattern) in ROUTES {
        if route_verb != verb {
            continue;
        }
        let pattern = match pattern.strip_suffix("?import") {
            Some(pattern) if import => pattern,
            None if !(import && *operation == Operation::CreateRestApi) => pattern,
            _ => continue,
        };
        if let Some(ids) = match_path(pattern, path) {
            return Routed {
                operation: Some(*operation),
                ids,
                query,
                ..Routed::default()
            };
        }
    }
    Routed {
        query,
        ..Routed::default()
    }
}

/// The operation of `CloudTrail_20131101.LookupEvents`, which some clients send with a longer name of the service.
fn targeted(target: &str) -> Option<Operation> {
    let (service, name) = target.rsplit_once('.')?;
    let short = service.rsplit('.').next().unwrap_or_default();
    Operation::from_name(name)
        .filter(|operation| short == "CloudTrail_20131101" && operation.service() == Service::CloudTrail)
}

fn match_path(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let mut ids = BTreeMap::new();
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        if expected == "{resourceArn}" {
            let rest: Vec<&str> = segments.by_ref().collect();
            ids.insert("resourceArn".to_owned(), decode(&rest.join("/"), false));
            break;
        }
        let segment = segments.next()?;
        match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(_) if segment.is_empty() => return None,
            Some(name) => {
                ids.insert(name.to_owned(), decode(segment, false));
            }
            None if expected == segment => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(ids)
}

fn parse_query(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        })
        .collect()
}

fn decode(text: &str, plus_is_space: bool) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escaped = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None if *first == b'+' && plus_is_space => bytes.push(b' '),
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
