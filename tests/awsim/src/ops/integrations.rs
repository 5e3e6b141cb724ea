//! Integrations and integration responses of a REST API's editor.

use serde::Deserialize;

use super::methods::{self, mapping, no_such_response, response_parameter};
use super::{NO_CONTENT_TYPE, NO_PARAMETER, edit_map, one_of};
use crate::error::{AwsError, enum_violation};
use crate::patch::{self, Op, Step};
use crate::request::{Answered, Request, empty, json};
use crate::store::{Integration, IntegrationResponse, Method, Partition, Templates};

const KINDS: [&str; 5] = ["HTTP", "MOCK", "AWS_PROXY", "HTTP_PROXY", "AWS"];
/// What AWS waits when nobody says how long.
pub(crate) const DEFAULT_TIMEOUT: i64 = 29_000;

/// The body's name for the method of the backend is `httpMethod`; some clients send the model's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Put {
    integration_http_method: Option<String>,
    #[serde(flatten)]
    integration: Integration,
}

pub(crate) fn put(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let Put {
        integration_http_method,
        mut integration,
    } = request.json()?;
    if !KINDS.contains(&integration.kind.as_str()) {
        let at = format!("{}.type", request.operation.input());
        return Err(AwsError::validation(&[enum_violation(
            &integration.kind,
            &at,
            &KINDS.join(", "),
        )]));
    }
    integration.http_method = integration.http_method.or(integration_http_method);
    let api = partition.api_mut(request.api())?;
    let (id, verb) = (request.id("resourceId"), request.id("httpMethod"));
    api.editor.method(id, verb)?;
    fill(&mut integration, id);
    check(&integration)?;
    let answer = json(201, &integration);
    api.edit().method_mut(id, verb)?.method_integration = Some(integration);
    answer
}

/// The defaults that AWS shows.
pub(crate) fn fill(integration: &mut Integration, resource: &str) {
    integration.timeout_in_millis.get_or_insert(DEFAULT_TIMEOUT);
    integration
        .passthrough_behavior
        .get_or_insert_with(|| "WHEN_NO_MATCH".to_owned());
    integration.cache_namespace.get_or_insert_with(|| resource.to_owned());
    if integration.kind.starts_with("HTTP") {
        integration.connection_type.get_or_insert_with(|| "INTERNET".to_owned());
    }
}

fn check(integration: &Integration) -> Result<(), AwsError> {
    if integration.kind != "MOCK" {
        if integration.http_method.as_deref().unwrap_or_default().is_empty() {
            return Err(AwsError::bad_request(
                "Enumeration value for HttpMethod must be non-empty",
            ));
        }
        uri(&integration.kind, integration.uri.as_deref().unwrap_or_default())?;
    }
    let timeout = integration.timeout_in_millis.unwrap_or(DEFAULT_TIMEOUT);
    if !(50..=300_000).contains(&timeout) {
        return Err(AwsError::bad_request("Timeout should be between 50 ms and 29000 ms"));
    }
    let behavior = integration.passthrough_behavior.as_deref().unwrap_or_default();
    one_of(behavior, &["WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"], || {
        "Invalid passthrough behavior specified. Valid options are WHEN_NO_MATCH,WHEN_NO_TEMPLATES,NEVER".to_owned()
    })?;
    match integration.connection_type.as_deref() {
        None | Some("INTERNET") => {}
        Some("VPC_LINK") if integration.connection_id.is_some() => {}
        Some("VPC_LINK") => {
            return Err(AwsError::bad_request(
                "VPC link id must be specified for connection type VPC_LINK",
            ));
        }
        Some(_) => {
            return Err(AwsError::bad_request(
                "Invalid connection type specified. Valid options are INTERNET,VPC_LINK",
            ));
        }
    }
    Ok(())
}

fn uri(kind: &str, uri: &str) -> Result<(), AwsError> {
    if kind.starts_with("HTTP") {
        let legal = uri.starts_with("http://") || uri.starts_with("https://") || uri.contains("${");
        return if legal {
            Ok(())
        } else {
            Err(AwsError::bad_request("Invalid HTTP endpoint specified for URI"))
        };
    }
    if uri.starts_with("arn:") {
        Ok(())
    } else {
        Err(AwsError::bad_request(
            "AWS ARN for integration must contain path or action",
        ))
    }
}

fn integration(method: &Method) -> Result<&Integration, AwsError> {
    method
        .method_integration
        .as_ref()
        .ok_or_else(|| AwsError::not_found("Invalid Integration identifier specified"))
}

fn integration_mut(method: &mut Method) -> Result<&mut Integration, AwsError> {
    method
        .method_integration
        .as_mut()
        .ok_or_else(|| AwsError::not_found("Invalid Integration identifier specified"))
}

pub(crate) fn get(partition: &Partition, request: &Request<'_>) -> Answered {
    let editor = &partition.api(request.api())?.editor;
    json(
        200,
        integration(editor.method(request.id("resourceId"), request.id("httpMethod"))?)?,
    )
}

pub(crate) fn delete(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let (id, verb) = (request.id("resourceId"), request.id("httpMethod"));
    integration(api.editor.method(id, verb)?)?;
    api.edit().method_mut(id, verb)?.method_integration = None;
    empty(204)
}

pub(crate) fn update(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let (id, verb) = (request.id("resourceId"), request.id("httpMethod"));
    patch::check(request, Vec::new())?;
    let mut changed = integration(api.editor.method(id, verb)?)?.clone();
    for step in patch::steps(request)? {
        apply(&mut changed, &step)?;
    }
    check(&changed)?;
    let answer = json(200, &changed);
    *integration_mut(api.edit().method_mut(id, verb)?)? = changed;
    answer
}

fn apply(integration: &mut Integration, step: &Step) -> Result<(), AwsError> {
    if integration.kind == "MOCK" && matches!(step.path, "/httpMethod" | "/uri") {
        return Err(AwsError::bad_request(format!(
            "Invalid patch path {} for a MOCK integration",
            step.sent
        )));
    }
    match step.path {
        "/cacheKeyParameters" => step.edit_list(&mut integration.cache_key_parameters)?,
        "/cacheNamespace" => integration.cache_namespace = step.optional(),
        "/connectionId" => integration.connection_id = step.optional(),
        "/connectionType" => {
            integration.connection_type = step.optional();
            if integration.connection_type.as_deref() == Some("INTERNET") {
                integration.connection_id = None;
            }
        }
        "/contentHandling" => integration.content_handling = step.optional(),
        "/httpMethod" => integration.http_method = step.optional(),
        "/integrationTarget" => integration.integration_target = step.optional(),
        "/passthroughBehavior" => integration.passthrough_behavior = step.optional(),
        "/requestParameters" => {
            if step.op == Op::Add && !step.key().starts_with("integration.request.") {
                return Err(mapping(step.key()));
            }
            edit_map(step, &mut integration.request_parameters, step.optional(), NO_PARAMETER)?;
        }
        "/requestTemplates" => {
            let value = (step.op != Op::Remove).then(|| step.value.clone());
            edit_map(step, &mut integration.request_templates, value, NO_CONTENT_TYPE)?;
        }
        "/responseTransferMode" => integration.response_transfer_mode = step.optional(),
        "/timeoutInMillis" => integration.timeout_in_millis = Some(step.number()?),
        "/tlsConfig/insecureSkipVerification" => {
            integration
                .tls_config
                .get_or_insert_default()
                .insecure_skip_verification = step.boolean()?;
        }
        _ => integration.uri = Some(step.value()?.to_owned()),
    }
    Ok(())
}

/// AWS answers null for an empty response template.
fn nulls(templates: Templates) -> Templates {
    templates
        .into_iter()
        .map(|(kind, text)| (kind, text.filter(|text| !text.is_empty())))
        .collect()
}

pub(crate) fn put_response(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let status = methods::status(request)?;
    let api = partition.api_mut(request.api())?;
    let (id, verb) = (request.id("resourceId"), request.id("httpMethod"));
    let method = api.editor.method(id, verb)?;
    integration(method)?;
    if !method.method_responses.contains_key(status) {
        return Err(no_such_response());
    }
    let mut response = IntegrationResponse {
        status_code: status.to_owned(),
        ..request.json()?
    };
    response
        .response_parameters
        .keys()
        .try_for_each(|name| response_parameter(name))?;
    response.response_templates = nulls(response.response_templates);
    let answer = json(201, &response);
    integration_mut(api.edit().method_mut(id, verb)?)?
        .integration_responses
        .insert(status.to_owned(), response);
    answer
}

pub(crate) fn get_response(partition: &Partition, request: &Request<'_>) -> Answered {
    let editor = &partition.api(request.api())?.editor;
    let integration = integration(editor.method(request.id("resourceId"), request.id("httpMethod"))?)?;
    json(
        200,
        integration
            .integration_responses
            .get(methods::status(request)?)
            .ok_or_else(no_such_response)?,
    )
}

pub(crate) fn delete_response(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let (id, verb, status) = (
        request.id("resourceId"),
        request.id("httpMethod"),
        methods::status(request)?,
    );
    if !integration(api.editor.method(id, verb)?)?
        .integration_responses
        .contains_key(status)
    {
        return Err(no_such_response());
    }
    integration_mut(api.edit().method_mut(id, verb)?)?
        .integration_responses
        .remove(status);
    empty(204)
}

pub(crate) fn update_response(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let status = methods::status(request)?;
    let api = partition.api_mut(request.api())?;
    let (id, verb) = (request.id("resourceId"), request.id("httpMethod"));
    patch::check(request, Vec::new())?;
    let known = &integration(api.editor.method(id, verb)?)?.integration_responses;
    let mut response = known.get(status).ok_or_else(no_such_response)?.clone();
    for step in patch::steps(request)? {
        match step.path {
            "/contentHandling" => response.content_handling = step.optional(),
            "/selectionPattern" => response.selection_pattern.clone_from(&step.value),
            "/responseParameters" => {
                if step.op == Op::Add {
                    response_parameter(step.key())?;
                }
                edit_map(&step, &mut response.response_parameters, step.optional(), NO_PARAMETER)?;
            }
            _ => {
                let value = (step.op != Op::Remove).then(|| step.optional());
                edit_map(&step, &mut response.response_templates, value, NO_CONTENT_TYPE)?;
            }
        }
    }
    let answer = json(200, &response);
    integration_mut(api.edit().method_mut(id, verb)?)?
        .integration_responses
        .insert(status.to_owned(), response);
    answer
}
