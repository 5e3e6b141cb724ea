//! Methods and method responses of a REST API's editor.

use super::{NO_CONTENT_TYPE, NO_PARAMETER, edit_map};
use crate::error::AwsError;
use crate::patch::{self, Op, Step};
use crate::request::{Answered, Request, empty, json};
use crate::store::{Definition, Method, MethodResponse, Partition, no_such_method};

const VERBS: [&str; 8] = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"];

pub(crate) fn put(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let (id, verb) = (request.id("resourceId"), request.id("httpMethod"));
    if api.editor.resource(id)?.resource_methods.contains_key(verb) {
        return Err(AwsError::conflict("Method already exists for this resource"));
    }
    if !VERBS.contains(&verb) {
        return Err(AwsError::bad_request(format!(
            "Invalid HttpMethod specified. Valid options are {}",
            VERBS.join(",")
        )));
    }
    let mut method: Method = request.json()?;
    verb.clone_into(&mut method.http_method);
    method
        .request_parameters
        .keys()
        .try_for_each(|name| request_parameter(name))?;
    settle(&mut method, &api.editor)?;
    let answer = json(201, &method);
    api.edit()
        .resource_mut(id)?
        .resource_methods
        .insert(verb.to_owned(), Box::new(method));
    answer
}

/// Checks what a method refers to; a method without an authorizer type forgets its authorizer.
fn settle(method: &mut Method, editor: &Definition) -> Result<(), AwsError> {
    match method.authorization_type.as_str() {
        "NONE" | "AWS_IAM" => method.authorizer_id = None,
        "CUSTOM" | "COGNITO_USER_POOLS" => {
            let known = editor
                .authorizers
                .iter()
                .any(|known| Some(&known.id) == method.authorizer_id.as_ref());
            if !known {
                return Err(AwsError::bad_request(
                    "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.",
                ));
            }
        }
        _ => {
            return Err(AwsError::bad_request(
                "Invalid Authorization Type specified. Valid options are NONE,AWS_IAM,CUSTOM,COGNITO_USER_POOLS",
            ));
        }
    }
    if let Some(validator) = &method.request_validator_id
        && !editor.validators.iter().any(|known| known.id == *validator)
    {
        return Err(AwsError::bad_request("Invalid Request Validator identifier specified"));
    }
    models(method.request_models.values(), editor)
}

fn models<'a>(mut names: impl Iterator<Item = &'a String>, editor: &Definition) -> Result<(), AwsError> {
    match names.find(|name| !editor.models.iter().any(|model| model.name == **name)) {
        Some(name) => Err(AwsError::bad_request(format!(
            "Invalid model identifier specified: {name}"
        ))),
        None => Ok(()),
    }
}

fn request_parameter(name: &str) -> Result<(), AwsError> {
    let known = [
        "method.request.path.",
        "method.request.querystring.",
        "method.request.header.",
    ]
    .iter()
    .any(|prefix| name.len() > prefix.len() && name.starts_with(prefix));
    if known { Ok(()) } else { Err(mapping(name)) }
}

/// AWS's words for a parameter that maps nothing.
pub(crate) fn mapping(name: &str) -> AwsError {
    AwsError::bad_request(format!("Invalid mapping expression specified: {name}"))
}

pub(crate) fn get(partition: &Partition, request: &Request<'_>) -> Answered {
    let editor = &partition.api(request.api())?.editor;
    json(200, editor.method(request.id("resourceId"), request.id("httpMethod"))?)
}

pub(crate) fn delete(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let (id, verb) = (request.id("resourceId"), request.id("httpMethod"));
    api.editor.method(id, verb)?;
    api.edit().resource_mut(id)?.resource_methods.remove(verb);
    empty(204)
}

pub(crate) fn update(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let (id, verb) = (request.id("resourceId"), request.id("httpMethod"));
    let mut method = api.editor.method(id, verb)?.clone();
    for step in patch::steps(request)? {
        apply(&mut method, &step)?;
    }
    settle(&mut method, &api.editor)?;
    let answer = json(200, &method);
    *api.edit().method_mut(id, verb)? = method;
    answer
}

fn apply(method: &mut Method, step: &Step) -> Result<(), AwsError> {
    match step.path {
        "/authorizationScopes" => step.edit_list(&mut method.authorization_scopes)?,
        "/authorizationType" => step.value()?.clone_into(&mut method.authorization_type),
        "/authorizerId" => method.authorizer_id = step.optional(),
        "/apiKeyRequired" => method.api_key_required = step.boolean()?,
        "/operationName" => method.operation_name = step.optional(),
        "/requestParameters" => {
            if step.op == Op::Add {
                request_parameter(step.key())?;
            }
            let value = if step.op == Op::Remove {
                None
            } else {
                Some(step.boolean()?)
            };
            edit_map(step, &mut method.request_parameters, value, NO_PARAMETER)?;
        }
        "/requestModels" => edit_map(step, &mut method.request_models, step.optional(), NO_CONTENT_TYPE)?,
        _ => method.request_validator_id = step.optional(),
    }
    Ok(())
}

fn status_violation(status: &str) -> Vec<String> {
    let bytes = status.as_bytes();
    let legal = bytes.len() == 3 && (b'1'..=b'5').contains(&bytes[0]) && bytes.iter().all(u8::is_ascii_digit);
    if legal {
        return Vec::new();
    }
    vec![format!(
        "Value '{status}' at 'statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [1-5]\\d\\d"
    )]
}

/// A status code of the path, checked.
pub(crate) fn status<'a>(request: &'a Request<'_>) -> Result<&'a str, AwsError> {
    let status = request.id("statusCode");
    let violations = status_violation(status);
    if violations.is_empty() {
        Ok(status)
    } else {
        Err(AwsError::validation(&violations))
    }
}

pub(crate) fn no_such_response() -> AwsError {
    AwsError::not_found("Invalid Response status code specified")
}

pub(crate) fn put_response(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let status = status(request)?;
    let api = partition.api_mut(request.api())?;
    let (id, verb) = (request.id("resourceId"), request.id("httpMethod"));
    if api.editor.method(id, verb)?.method_responses.contains_key(status) {
        return Err(AwsError::conflict("Response already exists for this resource"));
    }
    let response = MethodResponse {
        status_code: status.to_owned(),
        ..request.json()?
    };
    response
        .response_parameters
        .keys()
        .try_for_each(|name| response_parameter(name))?;
    models(response.response_models.values(), &api.editor)?;
    let answer = json(201, &response);
    api.edit()
        .method_mut(id, verb)?
        .method_responses
        .insert(status.to_owned(), response);
    answer
}

pub(crate) fn response_parameter(name: &str) -> Result<(), AwsError> {
    if name.starts_with("method.response.header.") {
        Ok(())
    } else {
        Err(mapping(name))
    }
}

pub(crate) fn get_response(partition: &Partition, request: &Request<'_>) -> Answered {
    let editor = &partition.api(request.api())?.editor;
    let method = editor.method(request.id("resourceId"), request.id("httpMethod"))?;
    json(
        200,
        method
            .method_responses
            .get(status(request)?)
            .ok_or_else(no_such_response)?,
    )
}

pub(crate) fn delete_response(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let (id, verb, status) = (request.id("resourceId"), request.id("httpMethod"), status(request)?);
    if !api.editor.method(id, verb)?.method_responses.contains_key(status) {
        return Err(no_such_response());
    }
    let method = api
        .edit()
        .resource_mut(id)?
        .resource_methods
        .get_mut(verb)
        .ok_or_else(no_such_method)?;
    method.method_responses.remove(status);
    empty(204)
}

/// Answers 201, as AWS does.
pub(crate) fn update_response(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let status = request.id("statusCode");
    let api = partition.api_mut(request.api())?;
    let (id, verb) = (request.id("resourceId"), request.id("httpMethod"));
    patch::check(request, status_violation(status))?;
    let method = api.editor.method(id, verb)?;
    let mut response = method
        .method_responses
        .get(status)
        .ok_or_else(no_such_response)?
        .clone();
    for step in patch::steps(request)? {
        if step.path == "/responseModels" {
            edit_map(&step, &mut response.response_models, step.optional(), NO_CONTENT_TYPE)?;
            continue;
        }
        if step.op == Op::Add {
            response_parameter(step.key())?;
        }
        let value = if step.op == Op::Remove {
            None
        } else {
            Some(step.value.as_deref() == Some("true"))
        };
        edit_map(&step, &mut response.response_parameters, value, NO_PARAMETER)?;
    }
    models(response.response_models.values(), &api.editor)?;
    let answer = json(201, &response);
    api.edit()
        .method_mut(id, verb)?
        .method_responses
        .insert(status.to_owned(), response);
    answer
}
