//! Request validators of a REST API's editor.

use crate::error::AwsError;
use crate::ids::Ids;
use crate::paging::Page;
use crate::patch;
use crate::request::{Answered, Request, empty, json};
use crate::store::{Partition, RequestValidator, RestApi};

pub(crate) fn create(partition: &mut Partition, ids: &mut Ids, request: &Request<'_>) -> Answered {
    let validator: RequestValidator = request.json()?;
    let seq = partition.next_seq();
    let api = partition.api_mut(request.api())?;
    let validator = RequestValidator {
        seq,
        id: ids.short(),
        ..validator
    };
    let answer = json(201, &validator);
    api.edit().validators.push(validator);
    answer
}

fn find<'a>(api: &'a RestApi, request: &Request<'_>) -> Result<&'a RequestValidator, AwsError> {
    let known = api
        .editor
        .validators
        .iter()
        .find(|known| known.id == request.id("requestValidatorId"));
    known.ok_or_else(|| AwsError::not_found("Invalid Request Validator identifier specified"))
}

pub(crate) fn list(partition: &Partition, request: &Request<'_>) -> Answered {
    let api = partition.api(request.api())?;
    json(
        200,
        &Page::asked(request)?.of(api.editor.validators.iter().map(|known| (known.seq, known))),
    )
}

pub(crate) fn get(partition: &Partition, request: &Request<'_>) -> Answered {
    json(200, find(partition.api(request.api())?, request)?)
}

pub(crate) fn update(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let mut changed = find(api, request)?.clone();
    for step in patch::steps(request)? {
        match step.path {
            "/name" => changed.name = step.optional(),
            "/validateRequestBody" => changed.validate_request_body = step.boolean()?,
            _ => changed.validate_request_parameters = step.boolean()?,
        }
    }
    let answer = json(200, &changed);
    if let Some(known) = api.edit().validators.iter_mut().find(|known| known.id == changed.id) {
        *known = changed;
    }
    answer
}

pub(crate) fn delete(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let id = find(api, request)?.id.clone();
    let used = api
        .editor
        .resources
        .iter()
        .flat_map(|resource| resource.resource_methods.values())
        .any(|method| method.request_validator_id.as_ref() == Some(&id));
    if used {
        return Err(AwsError::conflict(
            "Cannot delete request validator, is referenced in method",
        ));
    }
    api.edit().validators.retain(|known| known.id != id);
    empty(202)
}
