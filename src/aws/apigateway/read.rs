//! Observing: whole readings with as few calls as AWS's quotas ask for. Never changes anything.
//!
//! A reading is complete or an error. What callers meet is read by exports, once a deployment: deployments never change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::try_join;
use serde_json::Value;

use super::Client;
use crate::aws::{Class, Error};

/// One entry of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The REST API's id or the domain name itself.
    pub id: String,
    /// The name that people gave it.
    pub name: String,
    /// AWS's document, which holds policy, tags and settings.
    pub document: Value,
}

/// How much of an API is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// Its stages.
    Stages,
    /// The editor's resources and methods as well.
    Resources,
    /// What callers of each stage meet as well.
    Live,
}

/// What a deployment holds.
#[derive(Clone, Debug)]
pub enum Export {
    /// As it was just read.
    Read(Arc<Value>),
    /// As it is kept: its text, as a document takes several times the room.
    Kept(Arc<[u8]>),
}

impl Export {
    /// `OpenAPI`.
    pub fn document(&self) -> Result<Arc<Value>, String> {
        match self {
            Export::Read(document) => Ok(document.clone()),
            Export::Kept(text) => serde_json::from_slice(text)
                .map(Arc::new)
                .map_err(|error| format!("an export that was kept cannot be read: {error}")),
        }
    }
}

/// One complete reading of an API, besides its entry in the list.
#[derive(Clone, Debug)]
pub struct ApiReading {
    /// Its stages.
    pub stages: Vec<Value>,
    /// The editor's resources; empty if they were not asked for.
    pub resources: Vec<Value>,
    /// What the deployments hold, by deployment id, or why that cannot be read; empty if it was not asked for.
    pub exports: BTreeMap<String, Result<Export, String>>,
    /// Whether AWS was asked for any of the exports.
    pub fresh: bool,
}

impl ApiReading {
    /// The exports as documents.
    pub fn documents(&self) -> BTreeMap<String, Result<Arc<Value>, String>> {
        let read = |export: &Result<Export, String>| export.clone().and_then(|export| export.document());
        self.exports
            .iter()
            .map(|(id, export)| (id.clone(), read(export)))
            .collect()
    }
}

/// Everything that a deployment would publish.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Editor {
    /// The API's settings.
    pub rest_api: Value,
    /// Resources with their methods.
    pub resources: Vec<Value>,
    /// Authorizers.
    pub authorizers: Vec<Value>,
    /// Request validators.
    pub request_validators: Vec<Value>,
    /// Models.
    pub models: Vec<Value>,
    /// Gateway responses, the defaults too.
    pub gateway_responses: Vec<Value>,
}

/// What one stage's callers meet, read anew.
#[derive(Clone, Debug, PartialEq)]
pub struct StageExport {
    /// The deployment that it points at.
    pub deployment_id: String,
    /// Whether some of its callers meet a second one.
    pub canary: bool,
    /// What the deployment holds, or why that cannot be read.
    pub export: Result<Arc<Value>, String>,
    /// Whether an earlier export of the same deployment was another: then exports show more than what was deployed.
    pub moved: bool,
}

/// Every REST API of the account and region.
pub async fn list_rest_apis(client: &Client) -> Result<Vec<Listed>, Error> {
    let found = client.get_rest_apis().await?;
    listed("GetRestApis", found, "id", "name")
}

/// Every custom domain name of the account and region.
pub async fn list_domain_names(client: &Client) -> Result<Vec<Listed>, Error> {
    let found = client.get_domain_names().await?;
    listed("GetDomainNames", found, "domainName", "domainName")
}

/// One custom domain name, as the list has it: of a private one, the list alone tells the id that `GetDomainName` asks for.
pub async fn domain_name(client: &Client, name: &str) -> Result<Value, Error> {
    let found = list_domain_names(client).await?.into_iter().find(|one| one.id == name);
    found.map(|one| one.document).ok_or_else(|| {
        let message = format!("the account has no custom domain name {name} in this region");
        Error::new(Class::NotFound, "GetDomainNames", message)
    })
}

fn listed(operation: &'static str, found: Vec<Value>, id: &str, name: &str) -> Result<Vec<Listed>, Error> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::with_capacity(found.len());
    for document in found {
        let id = text(&document, id)
            .ok_or_else(|| Error::new(Class::Malformed, operation, format!("an entry has no {id}")))?
            .to_owned();
        // Something created or deleted between two pages can shift an entry onto both.
        if seen.insert(id.clone()) {
            let name = text(&document, name).unwrap_or_default().to_owned();
            all.push(Listed { id, name, document });
        }
    }
    Ok(all)
}

/// One API, as deep as some rule needs it.
pub async fn read_api(client: &Client, id: &str, depth: Depth, cache: &ExportCache) -> Result<ApiReading, Error> {
    let stages = client.get_stages(id).await?;
    let resources = if depth >= Depth::Resources {
        client.get_resources(id).await?
    } else {
        Vec::new()
    };
    let mut exports = BTreeMap::new();
    let mut asked = false;
    if depth >= Depth::Live {
        cache.keep(client, id, &stages);
        for (deployment, way) in deployments(&stages) {
            let known = way
                .as_ref()
                .ok()
                .and_then(|stage| cache.get(client, id, &deployment, stage));
            let export = match (known, way) {
                (Some(known), _) => Ok(known),
                (None, Err(reason)) => Err(reason),
                (None, Ok(stage)) => {
                    asked = true;
                    let read = export(client, id, stage).await?;
                    if let Ok(document) = &read {
                        cache.put(client, id, &deployment, stage, document);
                    }
                    read.map(Export::Read)
                }
            };
            exports.insert(deployment, export);
        }
    }
    Ok(ApiReading {
        stages,
        resources,
        exports,
        fresh: asked,
    })
}

/// What the named stages' callers meet, past the cache. A stage that is not there is not in the answer.
pub async fn read_stage_exports(
    client: &Client,
    id: &str,
    stages: &[String],
    cache: &ExportCache,
) -> Result<BTreeMap<String, StageExport>, Error> {
    let there = client.get_stages(id).await?;
    cache.keep(client, id, &there);
    let mut read: BTreeMap<String, (Result<Arc<Value>, String>, bool)> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for stage in &there {
        let (Some(name), Some(deployment)) = (text(stage, "stageName"), text(stage, "deploymentId")) else {
            continue;
        };
        if !stages.iter().any(|asked| asked == name) {
            continue;
        }
        if !read.contains_key(deployment) {
            let fresh = compared(client, id, deployment, stage, cache).await?;
            read.insert(deployment.to_owned(), fresh);
        }
        let (export, moved) = read[deployment].clone();
        let canary = stage.get("canarySettings").is_some_and(Value::is_object);
        let deployment_id = deployment.to_owned();
        found.insert(
            name.to_owned(),
            StageExport {
                deployment_id,
                canary,
                export,
                moved,
            },
        );
    }
    Ok(found)
}

/// A fresh export, and whether it is another than the one known. Then the known one stays: what cannot be explained once
/// is not forgotten by asking again.
async fn compared(
    client: &Client,
    id: &str,
    deployment: &str,
    stage: &Value,
    cache: &ExportCache,
) -> Result<(Result<Arc<Value>, String>, bool), Error> {
    let known = cache.get(client, id, deployment, stage);
    let fresh = export(client, id, stage).await?;
    let moved = match (&known, &fresh) {
        (Some(known), Ok(fresh)) => known.document().is_ok_and(|known| !same_deployment(&known, fresh)),
        _ => false,
    };
    if let (None, Ok(fresh)) = (known, &fresh) {
        cache.put(client, id, deployment, stage, fresh);
    }
    Ok((fresh, moved))
}

/// Whether two exports show the same deployment, by whichever stages they were made.
pub fn same_deployment(one: &Value, other: &Value) -> bool {
    deployed(one) == deployed(other)
}

/// An export without what is the stage's, by which it was made: its name stands in the servers' addresses. Nor is the API's name
/// anything that a deployment brings to callers.
fn deployed(export: &Value) -> Value {
    let mut own = export.clone();
    if let Some(fields) = own.as_object_mut() {
        fields.shift_remove("info");
    }
    let servers = own.get_mut("servers").and_then(Value::as_array_mut);
    for server in servers.into_iter().flatten().filter_map(Value::as_object_mut) {
        server.retain(|name, _| name.starts_with("x-amazon-apigateway-"));
    }
    own
}

/// The whole editor of an API, or an error.
pub async fn read_editor(client: &Client, id: &str) -> Result<Editor, Error> {
    let (rest_api, resources, authorizers, request_validators, models, gateway_responses) = try_join!(
        client.get_rest_api(id),
        client.get_resources(id),
        client.get_authorizers(id),
        client.get_request_validators(id),
        client.get_models(id),
        client.get_gateway_responses(id),
    )?;
    Ok(Editor {
        rest_api,
        resources,
        authorizers,
        request_validators,
        models,
        gateway_responses,
    })
}

/// Every deployment that callers meet, with a stage to export it by.
fn deployments(stages: &[Value]) -> BTreeMap<String, Result<&Value, String>> {
    let mut found: BTreeMap<String, Result<&Value, String>> = BTreeMap::new();
    for stage in stages {
        // A stage without a canary is preferred: of one with a canary it is not told which of the two is exported.
        if let Some(deployment) = text(stage, "deploymentId") {
            let known = found.get(deployment);
            if known.is_none() || (canary(stage).is_none() && known.is_some_and(|way| has_canary(way.as_ref()))) {
                found.insert(deployment.to_owned(), Ok(stage));
            }
        }
    }
    for deployment in stages.iter().filter_map(canary) {
        found
            .entry(deployment.to_owned())
            .or_insert_with(|| Err("AWS exports no canary's deployment".into()));
    }
    found
}

fn has_canary(way: Result<&&Value, &String>) -> bool {
    way.is_ok_and(|stage| canary(stage).is_some())
}

fn canary(stage: &Value) -> Option<&str> {
    stage
        .get("canarySettings")
        .and_then(|settings| text(settings, "deploymentId"))
}

/// The outer error ends the reading; the inner one says that this deployment alone cannot be read.
async fn export(client: &Client, id: &str, stage: &Value) -> Result<Result<Arc<Value>, String>, Error> {
    let name = text(stage, "stageName")
        .ok_or_else(|| Error::new(Class::Malformed, "GetStages", "a stage has no stageName"))?;
    match client.get_export(id, name).await {
        Ok(document) => Ok(Ok(Arc::new(document))),
        // A stage that went while it was read is not told from an API that went: both show in the next reading.
        Err(error) if matches!(error.class, Class::Refused | Class::NotFound) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

fn text<'a>(document: &'a Value, key: &str) -> Option<&'a str> {
    document
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// Account, region, API.
type ApiKey = (String, String, String);

/// Exports by deployment.
///
/// An export names no deployment: between the list of stages and the export somebody may have pointed the stage elsewhere.
/// So an entry holds only once a later list shows the stage not updated since; else it is read again.
#[derive(Debug, Default)]
pub struct ExportCache {
    entries: Mutex<BTreeMap<ApiKey, BTreeMap<String, Entry>>>,
    forgets: bool,
}

#[derive(Debug)]
struct Entry {
    export: Export,
    stage: Option<String>,
    updated: Option<Value>,
    confirmed: bool,
}

impl ExportCache {
    /// An empty one.
    pub fn new() -> Self {
        ExportCache::default()
    }

    /// One that keeps nothing, for whoever looks once.
    pub fn forgetting() -> Self {
        ExportCache {
            entries: Mutex::default(),
            forgets: true,
        }
    }

    /// How many exports it holds.
    pub fn len(&self) -> usize {
        self.lock().values().map(BTreeMap::len).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets APIs of an account and region that are no longer there.
    pub fn retain_apis(&self, account_id: &str, region: &str, there: impl Fn(&str) -> bool) {
        self.lock()
            .retain(|(account, at, api), _| account != account_id || at != region || there(api));
    }

    /// Forgets an account.
    pub fn forget_account(&self, account_id: &str) {
        self.lock().retain(|(account, ..), _| account != account_id);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ApiKey, BTreeMap<String, Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(client: &Client, api: &str) -> ApiKey {
        (
            client.account_id().to_owned(),
            client.region().to_owned(),
            api.to_owned(),
        )
    }

    /// Forgets deployments that no stage points at any more, and confirms or drops what was read last time.
    fn keep(&self, client: &Client, api: &str, stages: &[Value]) {
        let mut all = self.lock();
        let key = Self::key(client, api);
        let Some(entries) = all.get_mut(&key) else { return };
        let met = deployments(stages);
        entries.retain(|deployment, entry| {
            let same = stages.iter().any(|stage| {
                text(stage, "stageName") == entry.stage.as_deref()
                    && text(stage, "deploymentId") == Some(deployment)
                    && stage.get("lastUpdatedDate") == entry.updated.as_ref()
            });
            entry.confirmed |= same;
            entry.confirmed && met.contains_key(deployment)
        });
        if entries.is_empty() {
            all.remove(&key);
        }
    }

    /// What is known of a deployment, given the stage as it is now.
    fn get(&self, client: &Client, api: &str, deployment: &str, stage: &Value) -> Option<Export> {
        let all = self.lock();
        let entry = all.get(&Self::key(client, api))?.get(deployment)?;
        let same = text(stage, "stageName") == entry.stage.as_deref()
            && stage.get("lastUpdatedDate") == entry.updated.as_ref();
        (entry.confirmed || same).then(|| entry.export.clone())
    }

    fn put(&self, client: &Client, api: &str, deployment: &str, stage: &Value, document: &Arc<Value>) {
        if self.forgets {
            return;
        }
        let kept = serde_json::to_vec(&**document).map(|text| Export::Kept(text.into()));
        let export = kept.unwrap_or_else(|_| Export::Read(document.clone()));
        self.lock().entry(Self::key(client, api)).or_default().insert(
            deployment.to_owned(),
            Entry {
                export,
                stage: text(stage, "stageName").map(str::to_owned),
                updated: stage.get("lastUpdatedDate").cloned(),
                confirmed: false,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_deployment_is_exported_once_and_a_canary_not_at_all() {
        let stages = [
            json!({"stageName": "canary", "deploymentId": "a", "canarySettings": {"deploymentId": "b"}}),
            json!({"stageName": "plain", "deploymentId": "a"}),
            json!({"stageName": "other", "deploymentId": "c", "canarySettings": {"deploymentId": "a"}}),
            json!({"stageName": "none"}),
        ];
        let found = deployments(&stages);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(found["a"], Ok(&stages[1]), "the stage without a canary is asked");
        assert!(found["b"].is_err(), "met by callers, but never exported");
        assert_eq!(found["c"], Ok(&stages[2]));
    }

    #[test]
    fn an_entry_without_an_id_makes_the_list_no_list() {
        let error = listed("GetRestApis", vec![json!({"name": "a"})], "id", "name").unwrap_err();
        assert_eq!(error.class, Class::Malformed);
        let twice = vec![json!({"id": "a"}), json!({"id": "a"})];
        assert_eq!(listed("GetRestApis", twice, "id", "name").unwrap().len(), 1);
    }
}
