//! The editor of an API and what is deployed, in one document: for tests that check what was published.

use serde_json::{Value, json};

use crate::ops::policy;
use crate::store::{Definition, Partition, RestApi, Stage};

/// The state of one API.
pub(crate) fn api(partition: &Partition, id: &str) -> Option<Value> {
    let api = partition.api(id).ok()?;
    let stages = api
        .stages
        .iter()
        .map(|stage| (stage.stage_name.clone(), deployed(api, stage)))
        .collect();
    Some(json!({
        "id": api.id,
        "tags": api.tags,
        "editor": definition(&api.editor),
        "stages": Value::Object(stages),
        "deployments": api.deployments.iter().map(|deployment| &deployment.id).collect::<Vec<_>>(),
        "live": {"disableExecuteApiEndpoint": api.endpoint_disabled_live},
    }))
}

fn deployed(api: &RestApi, stage: &Stage) -> Value {
    let snapshot = |id: &str| api.deployment(id).map(|deployment| definition(&deployment.snapshot));
    let canary = stage
        .canary_settings
        .as_ref()
        .and_then(|canary| canary.deployment_id.as_deref());
    json!({
        "stage": stage,
        "deploymentId": stage.deployment_id,
        "snapshot": snapshot(&stage.deployment_id),
        "canary": canary.and_then(snapshot),
        "pending": api.deployment(&stage.deployment_id).is_some_and(|deployment| !same(&deployment.snapshot, &api.editor)),
    })
}

/// Whether two definitions say the same, whoever made them.
fn same(one: &std::sync::Arc<Definition>, other: &std::sync::Arc<Definition>) -> bool {
    std::sync::Arc::ptr_eq(one, other) || definition(one) == definition(other)
}

fn definition(definition: &Definition) -> Value {
    let mut settings = json!(definition.settings);
    if let Some(text) = &definition.settings.policy {
        settings["policy"] = serde_json::from_str(text).unwrap_or_else(|_| json!(policy::escaped(text)));
    }
    let methods = |resource: &crate::store::Resource| json!({"id": resource.id, "methods": resource.resource_methods});
    let resources = definition
        .resources
        .iter()
        .map(|resource| (resource.path.clone(), methods(resource)))
        .collect();
    json!({
        "settings": settings,
        "resources": Value::Object(resources),
        "authorizers": definition.authorizers,
        "requestValidators": definition.validators,
        "models": definition.models.iter().map(AsRef::as_ref).collect::<Vec<&crate::store::Model>>(),
        "gatewayResponses": definition.gateway_responses,
    })
}
