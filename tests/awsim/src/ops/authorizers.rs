//! Authorizers of a REST API's editor.

use crate::error::{AwsError, enum_violation};
use crate::ids::Ids;
use crate::paging::Page;
use crate::patch::{self, Step};
use crate::request::{Answered, Request, empty, json};
use crate::store::{Authorizer, Partition, RestApi};

const KINDS: [&str; 3] = ["TOKEN", "REQUEST", "COGNITO_USER_POOLS"];

pub(crate) fn create(partition: &mut Partition, ids: &mut Ids, request: &Request<'_>) -> Answered {
    let authorizer: Authorizer = request.json()?;
    let seq = partition.next_seq();
    let api = partition.api_mut(request.api())?;
    let mut authorizer = Authorizer {
        seq,
        id: ids.short(),
        ..authorizer
    };
    if !KINDS.contains(&authorizer.kind.as_str()) {
        let at = format!("{}.type", request.operation.input());
        let violation = enum_violation(&authorizer.kind, &at, "TOKEN, COGNITO_USER_POOLS, REQUEST");
        return Err(AwsError::validation(&[violation]));
    }
    fill(&mut authorizer);
    check(&authorizer)?;
    if api.editor.authorizers.iter().any(|known| known.name == authorizer.name) {
        return Err(AwsError::conflict(
            "Authorizer name must be unique. Authorizer with this name already exists for this API.",
        ));
    }
    let answer = json(201, &authorizer);
    api.edit().authorizers.push(authorizer);
    answer
}

/// The defaults that AWS shows.
pub(crate) fn fill(authorizer: &mut Authorizer) {
    let cognito = authorizer.kind == "COGNITO_USER_POOLS";
    let auth_type = if cognito { "cognito_user_pools" } else { "custom" };
    authorizer.auth_type.get_or_insert_with(|| auth_type.to_owned());
    if !cognito {
        authorizer.authorizer_result_ttl_in_seconds.get_or_insert(300);
    }
}

fn check(authorizer: &Authorizer) -> Result<(), AwsError> {
    if authorizer.kind == "COGNITO_USER_POOLS" {
        let none = authorizer.provider_arns.is_empty();
        return if none {
            Err(AwsError::bad_request("Invalid User Pool ARN specified"))
        } else {
            Ok(())
        };
    }
    if !authorizer
        .authorizer_uri
        .as_deref()
        .unwrap_or_default()
        .starts_with("arn:")
    {
        return Err(AwsError::bad_request("Invalid Authorizer URI specified"));
    }
    Ok(())
}

fn find<'a>(api: &'a RestApi, request: &Request<'_>) -> Result<&'a Authorizer, AwsError> {
    let known = api
        .editor
        .authorizers
        .iter()
        .find(|known| known.id == request.id("authorizerId"));
    known.ok_or_else(|| AwsError::not_found("Invalid Authorizer identifier specified"))
}

pub(crate) fn list(partition: &Partition, request: &Request<'_>) -> Answered {
    let api = partition.api(request.api())?;
    json(
        200,
        &Page::asked(request)?.of(api.editor.authorizers.iter().map(|known| (known.seq, known))),
    )
}

pub(crate) fn get(partition: &Partition, request: &Request<'_>) -> Answered {
    json(200, find(partition.api(request.api())?, request)?)
}

pub(crate) fn update(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let mut changed = find(api, request)?.clone();
    for step in patch::steps(request)? {
        apply(&mut changed, &step)?;
    }
    check(&changed)?;
    let answer = json(200, &changed);
    if let Some(known) = api.edit().authorizers.iter_mut().find(|known| known.id == changed.id) {
        *known = changed;
    }
    answer
}

fn apply(authorizer: &mut Authorizer, step: &Step) -> Result<(), AwsError> {
    match step.path {
        "/authorizerUri" => authorizer.authorizer_uri = step.optional(),
        "/authorizerCredentials" => authorizer.authorizer_credentials = step.optional(),
        "/authorizerResultTtlInSeconds" => authorizer.authorizer_result_ttl_in_seconds = Some(step.number()?),
        "/authType" => authorizer.auth_type = step.optional(),
        "/identitySource" => authorizer.identity_source = step.optional(),
        "/identityValidationExpression" => authorizer.identity_validation_expression = step.optional(),
        "/name" => step.value()?.clone_into(&mut authorizer.name),
        "/providerARNs" => step.edit_list(&mut authorizer.provider_arns)?,
        _ => {
            authorizer.kind = super::one_of(step.value()?, &KINDS, || "Invalid authorizer type specified".to_owned())?;
        }
    }
    Ok(())
}

pub(crate) fn delete(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let id = find(api, request)?.id.clone();
    let used = api
        .editor
        .resources
        .iter()
        .flat_map(|resource| resource.resource_methods.values())
        .any(|method| method.authorizer_id.as_ref() == Some(&id));
    if used {
        return Err(AwsError::conflict("Cannot delete authorizer, is referenced in method"));
    }
    api.edit().authorizers.retain(|known| known.id != id);
    empty(202)
}
