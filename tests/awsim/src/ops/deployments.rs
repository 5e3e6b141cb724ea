//! Deployments: what the editor held at a moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::stages::{self, MOST};
use crate::error::AwsError;
use crate::ids::Ids;
use crate::paging::Page;
use crate::patch;
use crate::request::{Answered, Items, Request, empty, json};
use crate::store::{CanarySettings, Definition, Deployment, Map, Partition, RestApi, Stage};
use crate::switches::Switch;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    created_date: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_summary: Option<BTreeMap<&'a str, BTreeMap<&'a str, Summary<'a>>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    authorization_type: &'a str,
    api_key_required: bool,
}

fn shown(deployment: &Deployment, summary: bool) -> Shown<'_> {
    Shown {
        id: &deployment.id,
        description: deployment.description.as_deref(),
        created_date: deployment.created_date,
        api_summary: summary.then(|| summarise(&deployment.snapshot)),
    }
}

fn summarise(snapshot: &Definition) -> BTreeMap<&str, BTreeMap<&str, Summary<'_>>> {
    let with_methods = snapshot
        .resources
        .iter()
        .filter(|resource| !resource.resource_methods.is_empty());
    with_methods
        .map(|resource| {
            let methods = resource.resource_methods.iter().map(|(verb, method)| {
                let summary = Summary {
                    authorization_type: &method.authorization_type,
                    api_key_required: method.api_key_required,
                };
                (verb.as_str(), summary)
            });
            (resource.path.as_str(), methods.collect())
        })
        .collect()
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Create {
    stage_name: Option<String>,
    stage_description: Option<String>,
    description: Option<String>,
    cache_cluster_enabled: Option<bool>,
    cache_cluster_size: Option<String>,
    variables: Option<Map>,
    canary_settings: Option<CanarySettings>,
    tracing_enabled: Option<bool>,
}

pub(crate) fn create(partition: &mut Partition, ids: &mut Ids, request: &Request<'_>) -> Answered {
    let body: Create = request.json()?;
    let seq = partition.next_seq();
    let api = partition.api_mut(request.api())?;
    deployable(&api.editor)?;
    let id = ids.short();
    if body.stage_name.as_deref().is_some_and(|name| !name.is_empty()) {
        to_stage(api, &id, &body, request)?;
        api.endpoint_disabled_live = api.editor.settings.disable_execute_api_endpoint;
    } else if body.canary_settings.is_some() {
        return Err(AwsError::bad_request(
            "Invalid deployment content specified.Canary settings need a stage.",
        ));
    }
    let deployment = Deployment {
        seq,
        id,
        description: body.description.filter(|text| !text.is_empty()),
        created_date: request.now,
        snapshot: Arc::clone(&api.editor),
    };
    let answer = json(201, &shown(&deployment, false));
    api.deployments.push(deployment);
    answer
}

fn deployable(editor: &Definition) -> Result<(), AwsError> {
    let mut methods = editor
        .resources
        .iter()
        .flat_map(|resource| resource.resource_methods.values())
        .peekable();
    if methods.peek().is_none() {
        return Err(AwsError::bad_request("The REST API doesn't contain any methods"));
    }
    if methods.any(|method| method.method_integration.is_none()) {
        return Err(AwsError::bad_request("No integration defined for method"));
    }
    Ok(())
}

fn to_stage(api: &mut RestApi, deployment: &str, body: &Create, request: &Request<'_>) -> Result<(), AwsError> {
    let name = body.stage_name.clone().unwrap_or_default();
    stages::legal_name(&name)?;
    if let Some(variables) = &body.variables {
        stages::legal_variables(variables)?;
    }
    let full = api.stages.len() >= MOST;
    let Some(stage) = api.stages.iter_mut().find(|stage| stage.stage_name == name) else {
        if body.canary_settings.is_some() {
            return Err(AwsError::bad_request(
                "Canary deployments are only supported for existing stages",
            ));
        }
        if full {
            return Err(stages::too_many());
        }
        let stage = Stage {
            deployment_id: deployment.to_owned(),
            description: body.stage_description.clone(),
            stage_name: name,
            created_date: request.now,
            last_updated_date: request.now,
            cache_cluster_status: "NOT_AVAILABLE".to_owned(),
            ..Stage::default()
        };
        api.stages.push(settle(stage, body));
        return Ok(());
    };
    stage.last_updated_date = request.now;
    let alone = body.canary_settings.is_none();
    let to_canary = !alone
        || (stage.canary_settings.is_some() && request.switches.is(Switch::CanaryDeployWithoutSettings, "canary"));
    if to_canary {
        let canary = stage.canary_settings.get_or_insert_default();
        if let Some(settings) = &body.canary_settings {
            canary.clone_from(settings);
        }
        canary.deployment_id = Some(deployment.to_owned());
    } else {
        deployment.clone_into(&mut stage.deployment_id);
        if body.stage_description.is_some() {
            stage.description.clone_from(&body.stage_description);
        }
        *stage = settle(std::mem::take(stage), body);
    }
    Ok(())
}

/// The stage settings that a deployment carries along.
fn settle(mut stage: Stage, body: &Create) -> Stage {
    if let Some(variables) = &body.variables {
        stage.variables.clone_from(variables);
    }
    if let Some(tracing) = body.tracing_enabled {
        stage.tracing_enabled = tracing;
    }
    if let Some(enabled) = body.cache_cluster_enabled {
        stages::set_cache_cluster(&mut stage, enabled);
    }
    if let Some(size) = &body.cache_cluster_size {
        stage.cache_cluster_size = Some(size.clone());
    }
    stage
}

fn find<'a>(api: &'a RestApi, request: &Request<'_>) -> Result<&'a Deployment, AwsError> {
    api.deployment(request.id("deploymentId"))
        .ok_or_else(|| AwsError::not_found("Invalid Deployment identifier specified"))
}

pub(crate) fn list(partition: &Partition, request: &Request<'_>) -> Answered {
    let api = partition.api(request.api())?;
    let page = Page::asked(request)?;
    let Items { position, item } = page.of(api.deployments.iter().map(|deployment| (deployment.seq, deployment)));
    json(
        200,
        &Items {
            position,
            item: item.into_iter().map(|deployment| shown(deployment, false)).collect(),
        },
    )
}

pub(crate) fn get(partition: &Partition, request: &Request<'_>) -> Answered {
    json(
        200,
        &shown(
            find(partition.api(request.api())?, request)?,
            request.embeds("apisummary"),
        ),
    )
}

pub(crate) fn update(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let mut changed = find(api, request)?.clone();
    for step in patch::steps(request)? {
        changed.description = step.optional();
    }
    let answer = json(200, &shown(&changed, false));
    if let Some(deployment) = api
        .deployments
        .iter_mut()
        .find(|deployment| deployment.id == changed.id)
    {
        *deployment = changed;
    }
    answer
}

pub(crate) fn delete(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let id = find(api, request)?.id.clone();
    let points = |stage: &Stage| {
        let canary = stage
            .canary_settings
            .as_ref()
            .and_then(|canary| canary.deployment_id.as_ref());
        stage.deployment_id == id || canary == Some(&id)
    };
    if api.stages.iter().any(points) {
        return Err(AwsError::bad_request(
            "Active stages pointing to this deployment must be moved or deleted",
        ));
    }
    api.deployments.retain(|deployment| deployment.id != id);
    empty(202)
}
