//! Gateway responses: the customised ones, and AWS's defaults behind them.

use serde::Deserialize;

use super::{NO_CONTENT_TYPE, NO_PARAMETER, edit_map};
use crate::error::AwsError;
use crate::patch::{self, Op};
use crate::request::{Answered, Items, Request, empty, json};
use crate::store::{GatewayResponse, Map, Partition, RestApi};

/// Response types and the status each has by default.
const TYPES: [(&str, Option<&str>); 21] = [
    ("ACCESS_DENIED", Some("403")),
    ("API_CONFIGURATION_ERROR", Some("500")),
    ("AUTHORIZER_CONFIGURATION_ERROR", Some("500")),
    ("AUTHORIZER_FAILURE", Some("500")),
    ("BAD_REQUEST_BODY", Some("400")),
    ("BAD_REQUEST_PARAMETERS", Some("400")),
    ("DEFAULT_4XX", None),
    ("DEFAULT_5XX", None),
    ("EXPIRED_TOKEN", Some("403")),
    ("INTEGRATION_FAILURE", Some("504")),
    ("INTEGRATION_TIMEOUT", Some("504")),
    ("INVALID_API_KEY", Some("403")),
    ("INVALID_SIGNATURE", Some("403")),
    ("MISSING_AUTHENTICATION_TOKEN", Some("403")),
    ("QUOTA_EXCEEDED", Some("429")),
    ("REQUEST_TOO_LARGE", Some("413")),
    ("RESOURCE_NOT_FOUND", Some("404")),
    ("THROTTLED", Some("429")),
    ("UNAUTHORIZED", Some("401")),
    ("UNSUPPORTED_MEDIA_TYPE", Some("415")),
    ("WAF_FILTERED", Some("403")),
];

fn default(kind: &str, status: Option<&str>) -> GatewayResponse {
    let template = (
        "application/json".to_owned(),
        "{\"message\":$context.error.messageString}".to_owned(),
    );
    GatewayResponse {
        response_type: kind.to_owned(),
        status_code: status.map(str::to_owned),
        response_parameters: Map::new(),
        response_templates: Map::from([template]),
        default_response: true,
    }
}

fn status_of(kind: &str) -> Result<Option<&'static str>, AwsError> {
    let known = TYPES.iter().find(|(name, _)| *name == kind);
    known
        .map(|(_, status)| *status)
        .ok_or_else(|| AwsError::not_found("Invalid Gateway response type specified"))
}

fn current(api: &RestApi, kind: &str) -> Result<GatewayResponse, AwsError> {
    let status = status_of(kind)?;
    Ok(api
        .editor
        .gateway_responses
        .get(kind)
        .cloned()
        .unwrap_or_else(|| default(kind, status)))
}

pub(crate) fn list(partition: &Partition, request: &Request<'_>) -> Answered {
    let api = partition.api(request.api())?;
    let item = TYPES
        .iter()
        .map(|(kind, _)| current(api, kind))
        .collect::<Result<Vec<_>, _>>()?;
    json(200, &Items { position: None, item })
}

pub(crate) fn get(partition: &Partition, request: &Request<'_>) -> Answered {
    json(
        200,
        &current(partition.api(request.api())?, request.id("responseType"))?,
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Put {
    status_code: Option<String>,
    #[serde(default)]
    response_parameters: Map,
    #[serde(default)]
    response_templates: Map,
}

pub(crate) fn put(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let kind = request.id("responseType");
    let api = partition.api_mut(request.api())?;
    let status = status_of(kind)?;
    let body: Put = request.json()?;
    let response = GatewayResponse {
        response_type: kind.to_owned(),
        status_code: body.status_code.or_else(|| status.map(str::to_owned)),
        response_parameters: body.response_parameters,
        response_templates: body.response_templates,
        default_response: false,
    };
    let answer = json(201, &response);
    api.edit().gateway_responses.insert(kind.to_owned(), response);
    answer
}

pub(crate) fn update(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let kind = request.id("responseType");
    let api = partition.api_mut(request.api())?;
    patch::check(request, Vec::new())?;
    let mut response = current(api, kind)?;
    for step in patch::steps(request)? {
        let (map, name, missing) = match step.path {
            "/statusCode" => {
                response.status_code = step.optional();
                continue;
            }
            "/responseParameters" => (&mut response.response_parameters, "responseParameters", NO_PARAMETER),
            _ => (&mut response.response_templates, "responseTemplates", NO_CONTENT_TYPE),
        };
        let value = step.optional();
        if value.is_none() && step.op != Op::Remove {
            return Err(AwsError::bad_request(format!("Invalid null or empty value in {name}")));
        }
        edit_map(&step, map, value, missing)?;
    }
    response.default_response = false;
    let answer = json(200, &response);
    api.edit().gateway_responses.insert(kind.to_owned(), response);
    answer
}

pub(crate) fn delete(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let kind = request.id("responseType");
    let api = partition.api_mut(request.api())?;
    status_of(kind)?;
    if !api.editor.gateway_responses.contains_key(kind) {
        return Err(AwsError::not_found("Gateway response type not defined on api"));
    }
    api.edit().gateway_responses.remove(kind);
    empty(202)
}
