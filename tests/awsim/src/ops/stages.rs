//! Stages.

use serde::{Deserialize, Serialize};

use super::method_settings::{self, Ground, NO_ROLE};
use crate::error::AwsError;
use crate::patch::{self, Op, Step};
use crate::request::{Answered, Request, empty, json};
use crate::store::{CanarySettings, Map, Partition, RestApi, Stage};
use crate::switches::Switch;

/// Stages that one API may have.
pub(crate) const MOST: usize = 10;

const NO_DEPLOYMENT: &str = "Deployment id does not exist";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    #[serde(default)]
    stage_name: String,
    #[serde(default)]
    deployment_id: String,
    description: Option<String>,
    #[serde(default)]
    cache_cluster_enabled: bool,
    cache_cluster_size: Option<String>,
    #[serde(default)]
    variables: Map,
    documentation_version: Option<String>,
    canary_settings: Option<CanarySettings>,
    #[serde(default)]
    tracing_enabled: bool,
    #[serde(default)]
    tags: Map,
}

pub(crate) fn too_many() -> AwsError {
    AwsError::limit_exceeded(
        "Maximum number of stages for this API has been reached. Please contact AWS if you need additional stages.",
    )
}

pub(crate) fn legal_name(name: &str) -> Result<(), AwsError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || name == "test-invoke-stage" || !name.bytes().all(legal) {
        return Err(AwsError::bad_request("Stage name only allows a-zA-Z0-9_"));
    }
    Ok(())
}

pub(crate) fn legal_variables(variables: &Map) -> Result<(), AwsError> {
    variables
        .iter()
        .try_for_each(|(name, value)| legal_variable(name, value))
}

fn legal_variable(name: &str, value: &str) -> Result<(), AwsError> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(AwsError::bad_request(format!(
            "Invalid stage variable name: {name}. Please use names with alphanumeric characters and the symbol '_'."
        )));
    }
    let legal = |character: char| character.is_alphanumeric() || " -._~:/?#&=,@".contains(character);
    if !value.chars().all(legal) {
        return Err(AwsError::bad_request(format!(
            "Invalid stage variable value: {value}. Please use values with alphanumeric characters and the symbols ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','."
        )));
    }
    Ok(())
}

fn known_deployment(api: &RestApi, id: &str) -> Result<String, AwsError> {
    api.deployment(id)
        .map(|deployment| deployment.id.clone())
        .ok_or_else(|| AwsError::bad_request(NO_DEPLOYMENT))
}

pub(crate) fn create(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let body: Create = request.json()?;
    let api = partition.api_mut(request.api())?;
    legal_name(&body.stage_name)?;
    if api.stage(&body.stage_name).is_ok() {
        return Err(AwsError::conflict("Stage already exists"));
    }
    if api.stages.len() >= MOST {
        return Err(too_many());
    }
    legal_variables(&body.variables)?;
    let deployment_id = known_deployment(api, &body.deployment_id)?;
    let canary_settings = match body.canary_settings {
        None => None,
        Some(canary) => {
            let id = canary.deployment_id.as_deref().unwrap_or(&deployment_id);
            Some(CanarySettings {
                deployment_id: Some(known_deployment(api, id)?),
                ..canary
            })
        }
    };
    let mut stage = Stage {
        deployment_id,
        stage_name: body.stage_name,
        description: body.description,
        cache_cluster_status: "NOT_AVAILABLE".to_owned(),
        variables: body.variables,
        documentation_version: body.documentation_version,
        canary_settings,
        tracing_enabled: body.tracing_enabled,
        tags: body.tags,
        created_date: request.now,
        last_updated_date: request.now,
        ..Stage::default()
    };
    stage.cache_cluster_size = body.cache_cluster_size.filter(|_| body.cache_cluster_enabled);
    set_cache_cluster(&mut stage, body.cache_cluster_enabled);
    let answer = json(201, &stage);
    api.stages.push(stage);
    changed(api, request);
    answer
}

/// A change of any stage brings `disableExecuteApiEndpoint` to the callers.
fn changed(api: &mut RestApi, request: &Request<'_>) {
    if request.switches.is(Switch::DisableExecuteApi, "on-stage-change") {
        api.endpoint_disabled_live = api.editor.settings.disable_execute_api_endpoint;
    }
}

pub(crate) fn set_cache_cluster(stage: &mut Stage, enabled: bool) {
    stage.cache_cluster_enabled = enabled;
    let status = if enabled { "AVAILABLE" } else { "NOT_AVAILABLE" };
    status.clone_into(&mut stage.cache_cluster_status);
    if enabled {
        stage.cache_cluster_size.get_or_insert_with(|| "0.5".to_owned());
    } else {
        stage.cache_cluster_size = None;
    }
}

#[derive(Serialize)]
struct Stages<'a> {
    item: Vec<&'a Stage>,
}

pub(crate) fn list(partition: &Partition, request: &Request<'_>) -> Answered {
    let api = partition.api(request.api())?;
    let wanted = request.query("deploymentId").filter(|id| !id.is_empty());
    let item = api
        .stages
        .iter()
        .filter(|stage| wanted.is_none_or(|id| stage.deployment_id == id))
        .collect();
    json(200, &Stages { item })
}

pub(crate) fn get(partition: &Partition, request: &Request<'_>) -> Answered {
    json(200, partition.api(request.api())?.stage(request.id("stageName"))?)
}

pub(crate) fn flush(partition: &Partition, request: &Request<'_>) -> Answered {
    partition.api(request.api())?.stage(request.id("stageName"))?;
    empty(202)
}

pub(crate) fn delete(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let name = request.id("stageName");
    let mapped = |domain: &crate::store::DomainName| {
        let here = |mapping: &crate::store::BasePathMapping| {
            mapping.rest_api_id == request.api() && mapping.stage.as_deref() == Some(name)
        };
        domain.mappings.values().any(here)
    };
    partition.api(request.api())?.stage(name)?;
    if partition.domain_names.values().any(mapped) {
        return Err(AwsError::bad_request(
            "Please remove all base path mappings related to the stage",
        ));
    }
    let api = partition.api_mut(request.api())?;
    api.stages.retain(|stage| stage.stage_name != name);
    changed(api, request);
    empty(202)
}

pub(crate) fn update(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api(request.api())?;
    let mut stage = api.stage(request.id("stageName"))?.clone();
    let ground = Ground {
        may_log: partition.cloudwatch_role_arn.is_some(),
        from_wildcard: request.switches.is(Switch::NewMethodSettings, "from-wildcard"),
    };
    for step in patch::steps(request)? {
        apply(&mut stage, &step, partition, api, &ground)?;
    }
    stage.last_updated_date = request.now;
    let answer = json(200, &stage);
    let api = partition.api_mut(request.api())?;
    *api.stage_mut(request.id("stageName"))? = stage;
    changed(api, request);
    answer
}

fn apply(
    stage: &mut Stage,
    step: &Step,
    partition: &Partition,
    api: &RestApi,
    ground: &Ground,
) -> Result<(), AwsError> {
    match step.path {
        "/accessLogSettings" => stage.access_log_settings = None,
        "/accessLogSettings/destinationArn" => {
            let arn = step.optional();
            if let Some(arn) = &arn {
                destination(arn, ground)?;
            }
            stage.access_log_settings.get_or_insert_default().destination_arn = arn;
        }
        "/accessLogSettings/format" => {
            stage.access_log_settings.get_or_insert_default().format = step.optional();
        }
        "/cacheClusterEnabled" => set_cache_cluster(stage, step.boolean()?),
        "/cacheClusterSize" => {
            let sizes = ["0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"];
            let size = super::one_of(step.value()?, &sizes, || {
                format!("Invalid cache cluster size. Must be one of: [{}]", sizes.join(", "))
            })?;
            stage.cache_cluster_size = Some(size);
        }
        "/clientCertificateId" => {
            let id = step.optional();
            let known = |id: &String| {
                partition
                    .certificates
                    .iter()
                    .any(|known| known.client_certificate_id == *id)
            };
            if id.as_ref().is_some_and(|id| !known(id)) {
                return Err(AwsError::bad_request("Invalid Client Certificate identifier specified"));
            }
            stage.client_certificate_id = id;
        }
        "/deploymentId" => stage.deployment_id = deployment(stage, step, api)?,
        "/description" => stage.description = step.optional(),
        "/documentationVersion" => stage.documentation_version = step.optional(),
        "/tracingEnabled" => stage.tracing_enabled = step.boolean()?,
        "/variables" | "/variables/*" => variables(stage, step)?,
        path if path.starts_with("/canarySettings") => canary(stage, step, api)?,
        path if path.starts_with("/{resourcePath}") => method_settings::apply(stage, step, ground)?,
        _ => {
            return Err(AwsError::bad_request(format!(
                "Invalid method setting path: {}",
                step.sent
            )));
        }
    }
    let settings = stage.access_log_settings.as_ref();
    if settings.is_some_and(|settings| settings.format.is_none() && settings.destination_arn.is_none()) {
        stage.access_log_settings = None;
    }
    Ok(())
}

fn destination(arn: &str, ground: &Ground) -> Result<(), AwsError> {
    let mut parts = arn.split(':');
    let service = (parts.next() == Some("arn")).then(|| parts.nth(1)).flatten();
    match service {
        Some("logs") if !ground.may_log => Err(AwsError::bad_request(NO_ROLE)),
        Some("logs" | "firehose") => Ok(()),
        _ => Err(AwsError::bad_request("Invalid ARN specified in the request")),
    }
}

fn deployment(stage: &Stage, step: &Step, api: &RestApi) -> Result<String, AwsError> {
    if step.op != Op::Copy {
        return known_deployment(api, step.value()?);
    }
    let canary = stage
        .canary_settings
        .as_ref()
        .and_then(|canary| canary.deployment_id.clone());
    canary
        .filter(|_| step.from.as_deref() == Some("/canarySettings/deploymentId"))
        .ok_or_else(|| {
            AwsError::bad_request("Invalid copy operation: /deploymentId is copied from /canarySettings/deploymentId")
        })
}

fn variables(stage: &mut Stage, step: &Step) -> Result<(), AwsError> {
    match (step.path, step.op) {
        ("/variables", Op::Copy) => {
            let canary = stage.canary_settings.as_ref();
            let overrides = canary
                .filter(|_| step.from.as_deref() == Some("/canarySettings/stageVariableOverrides"))
                .map(|canary| canary.stage_variable_overrides.clone());
            stage.variables.extend(overrides.ok_or_else(|| {
                AwsError::bad_request(
                    "Invalid copy operation: /variables is copied from /canarySettings/stageVariableOverrides",
                )
            })?);
        }
        ("/variables", Op::Remove) => stage.variables.clear(),
        ("/variables", _) => {
            let all: Map = serde_json::from_str(step.value()?)
                .map_err(|_| AwsError::bad_request("Invalid stage variables specified"))?;
            legal_variables(&all)?;
            stage.variables = all;
        }
        (_, Op::Remove) => {
            stage.variables.remove(step.key());
        }
        _ => {
            legal_variable(step.key(), step.value()?)?;
            stage.variables.insert(step.key().to_owned(), step.value()?.to_owned());
        }
    }
    Ok(())
}

fn canary(stage: &mut Stage, step: &Step, api: &RestApi) -> Result<(), AwsError> {
    if step.path == "/canarySettings" {
        stage.canary_settings = None;
        return Ok(());
    }
    let base = stage.deployment_id.clone();
    let canary = stage.canary_settings.get_or_insert_with(|| CanarySettings {
        deployment_id: Some(base),
        ..CanarySettings::default()
    });
    match step.path {
        "/canarySettings/deploymentId" => canary.deployment_id = Some(known_deployment(api, step.value()?)?),
        "/canarySettings/percentTraffic" => {
            let percent: f64 = step.number()?;
            if !(0.0..=100.0).contains(&percent) {
                return Err(AwsError::bad_request("Percent traffic must be between 0.0 and 100.0"));
            }
            canary.percent_traffic = percent;
        }
        "/canarySettings/useStageCache" => canary.use_stage_cache = step.boolean()?,
        _ if step.keys.is_empty() => {
            canary.stage_variable_overrides = serde_json::from_str(step.value()?)
                .map_err(|_| AwsError::bad_request("Invalid stage variable overrides specified"))?;
        }
        _ => {
            legal_variable(step.key(), step.value()?)?;
            canary
                .stage_variable_overrides
                .insert(step.key().to_owned(), step.value()?.to_owned());
        }
    }
    Ok(())
}
