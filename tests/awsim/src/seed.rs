//! Accounts that are full from the start.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AwsError;
use crate::ops::{authorizers, integrations, policy, resources, restapi};
use crate::sim::{Options, State};
use crate::store::{
    Authorizer, Definition, Deployment, Integration, Method, MethodResponse, Partition, Resource, Settings, Stage,
};
use crate::switches::Switch;

/// What to fill an account with. As JSON it is read from `--seed FILE` and the control endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Seed {
    /// The account; none means the simulator's default.
    pub account: Option<String>,
    /// The region; none means the simulator's default.
    pub region: Option<String>,
    /// The role for CloudWatch Logs.
    pub cloudwatch_role_arn: Option<String>,
    /// APIs, one by one.
    pub apis: Vec<Api>,
    /// Many APIs that are alike.
    pub fleet: Option<Fleet>,
    /// Other accounts and regions.
    pub also: Vec<Seed>,
}

/// Many APIs that are alike and compliant: HTTPS backends, no plain HTTP callers, tracing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Fleet {
    /// How many.
    pub apis: usize,
    /// The stages that each is deployed to.
    pub stages: Vec<String>,
    /// Methods of each, two a resource.
    pub methods: usize,
    /// What names begin with; a number of four digits follows.
    pub name_prefix: String,
    /// Tags of each API.
    pub tags: BTreeMap<String, String>,
    /// Resource policy of each; null for none.
    pub policy: Value,
    /// What the integrations call; the resource's path is put behind.
    pub integration_uri: String,
    /// Fields of each stage, as GetStage shows them.
    pub stage: Value,
    /// A deployment for each stage instead of one for all.
    pub deployment_per_stage: bool,
    /// REGIONAL, EDGE or PRIVATE.
    pub endpoint_type: String,
    /// More fields of each API, as CreateRestApi takes them.
    pub settings: Value,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            apis: 1,
            stages: vec!["prod".to_owned()],
            methods: 2,
            name_prefix: "api-".to_owned(),
            tags: BTreeMap::new(),
            policy: https_only(),
            integration_uri: "https://backend.example.com".to_owned(),
            stage: json!({"tracingEnabled": true}),
            deployment_per_stage: false,
            endpoint_type: "REGIONAL".to_owned(),
            settings: json!({}),
        }
    }
}

/// A resource policy that lets everybody call, but not in clear text.
pub fn https_only() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"},
        {"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*",
         "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ]})
}

/// One API.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Api {
    /// Its id; none means a new one.
    pub id: Option<String>,
    /// Fields as CreateRestApi takes them; `policy` may be an object.
    pub settings: Value,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Authorizers as CreateAuthorizer takes them; methods name them by `authorizerName`.
    pub authorizers: Vec<Value>,
    /// Path, verb, and the method as PutMethod takes it, with `integration` as PutIntegration takes it
    /// and `responses`, a list of status codes.
    pub resources: BTreeMap<String, BTreeMap<String, Value>>,
    /// Stages by name, with fields as GetStage shows them; all get one deployment.
    pub stages: BTreeMap<String, Value>,
    /// A deployment for each stage instead of one for all.
    pub deployment_per_stage: bool,
}

/// A seed that cannot be planted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedError(String);

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SeedError {}

impl From<AwsError> for SeedError {
    fn from(error: AwsError) -> Self {
        Self(error.message)
    }
}

impl From<serde_json::Error> for SeedError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

impl Seed {
    /// A seed of one fleet in the default account.
    pub fn fleet(fleet: Fleet) -> Self {
        Self {
            fleet: Some(fleet),
            ..Self::default()
        }
    }

    /// A seed of APIs in the default account.
    pub fn apis(apis: Vec<Api>) -> Self {
        Self {
            apis,
            ..Self::default()
        }
    }

    /// Plants the same in another account and region.
    #[must_use]
    pub fn in_account(self, account: &str, region: &str) -> Self {
        Self {
            account: Some(account.to_owned()),
            region: Some(region.to_owned()),
            ..self
        }
    }

    /// Reads a seed.
    pub fn from_json(text: &[u8]) -> Result<Self, SeedError> {
        Ok(serde_json::from_slice(text)?)
    }

    /// The ids of the APIs that were made.
    pub(crate) fn plant(&self, state: &mut State, options: &Options, now: i64) -> Result<Vec<String>, SeedError> {
        let account = self.account.as_deref().unwrap_or(&options.account).to_owned();
        let region = self.region.as_deref().unwrap_or(&options.region).to_owned();
        if self.cloudwatch_role_arn.is_some() {
            state
                .partition(&account, &region)
                .cloudwatch_role_arn
                .clone_from(&self.cloudwatch_role_arn);
        }
        let mut made = Vec::new();
        for api in &self.apis {
            made.push(plant(api, state, &account, &region, now)?);
        }
        if let Some(fleet) = &self.fleet {
            let mut api = fleet.api();
            for number in 1..=fleet.apis {
                api.settings["name"] = json!(format!("{}{number:04}", fleet.name_prefix));
                made.push(plant(&api, state, &account, &region, now)?);
            }
        }
        for seed in &self.also {
            made.extend(seed.plant(state, options, now)?);
        }
        Ok(made)
    }
}

impl Fleet {
    fn api(&self) -> Api {
        let mut settings = self.settings.clone();
        settings["policy"] = self.policy.clone();
        settings["endpointConfiguration"] = json!({"types": [self.endpoint_type]});
        let mut resources: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        for number in 0..self.methods {
            let place = number / 2 + 1;
            let path = if place == 1 {
                "/items".to_owned()
            } else {
                format!("/items-{place}")
            };
            let verb = if number % 2 == 0 { "GET" } else { "POST" };
            let uri = format!("{}{path}", self.integration_uri);
            let method = json!({
                "authorizationType": "NONE",
                "integration": {"type": "HTTP_PROXY", "httpMethod": verb, "uri": uri},
            });
            resources.entry(path).or_default().insert(verb.to_owned(), method);
        }
        Api {
            settings,
            tags: self.tags.clone(),
            resources,
            stages: self
                .stages
                .iter()
                .map(|name| (name.clone(), self.stage.clone()))
                .collect(),
            deployment_per_stage: self.deployment_per_stage,
            ..Api::default()
        }
    }
}

fn plant(api: &Api, held: &mut State, account: &str, region: &str, now: i64) -> Result<String, SeedError> {
    let expand = held.switches.is(Switch::PolicyArns, "expanded");
    let (partition, ids) = held.parts(account, region);
    let id = api.id.clone().unwrap_or_else(|| restapi::new_id(partition, ids));
    let mut fields = api.settings.clone();
    let policy = fields.as_object_mut().and_then(|fields| fields.remove("policy"));
    let mut settings: Settings = if fields.is_null() {
        Settings {
            api_key_source: "HEADER".to_owned(),
            ..Settings::default()
        }
    } else {
        serde_json::from_value(fields)?
    };
    restapi::endpoint(&mut settings.endpoint_configuration)?;
    let policy = match policy {
        Some(Value::String(text)) => Some(serde_json::from_str(&text)?),
        policy => policy.filter(|policy| !policy.is_null()),
    };
    let prefix = format!("arn:aws:execute-api:{region}:{account}:{id}/");
    settings.policy = policy
        .map(|policy| policy::compact(policy, expand.then_some(&prefix)))
        .transpose()?;
    let mut editor = restapi::blank(partition, ids, settings);
    for fields in &api.authorizers {
        let authorizer: Authorizer = serde_json::from_value(fields.clone())?;
        let mut authorizer = Authorizer {
            id: ids.short(),
            seq: partition.next_seq(),
            ..authorizer
        };
        authorizers::fill(&mut authorizer);
        editor.authorizers.push(authorizer);
    }
    for (path, methods) in &api.resources {
        let at = resource_at(&mut editor, path, partition, ids);
        for (verb, fields) in methods {
            let method = method(verb, fields, &editor, &editor.resources[at].id)?;
            Arc::make_mut(&mut editor.resources[at])
                .resource_methods
                .insert(verb.clone(), Box::new(method));
        }
    }
    let mut planted = restapi::assemble(id.clone(), editor, api.tags.clone(), now);
    for (name, fields) in &api.stages {
        if planted.deployments.is_empty() || api.deployment_per_stage {
            let snapshot = Arc::clone(&planted.editor);
            let seq = partition.next_seq();
            planted.deployments.push(Deployment {
                seq,
                id: ids.short(),
                description: None,
                created_date: now,
                snapshot,
            });
        }
        let stage: Stage = if fields.is_null() {
            Stage::default()
        } else {
            serde_json::from_value(fields.clone())?
        };
        planted.stages.push(Stage {
            stage_name: name.clone(),
            deployment_id: planted
                .deployments
                .last()
                .map(|deployment| deployment.id.clone())
                .unwrap_or_default(),
            cache_cluster_status: if stage.cache_cluster_enabled {
                "AVAILABLE"
            } else {
                "NOT_AVAILABLE"
            }
            .to_owned(),
            created_date: now,
            last_updated_date: now,
            ..stage
        });
    }
    partition.insert_api(planted);
    Ok(id)
}

/// Finds or makes the resource of a path, and those above it.
pub(crate) fn resource_at(
    editor: &mut Definition,
    path: &str,
    partition: &mut Partition,
    ids: &mut crate::ids::Ids,
) -> usize {
    let mut at = editor
        .resources
        .iter()
        .position(|resource| resource.parent_id.is_none())
        .unwrap_or(0);
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let parent = Arc::clone(&editor.resources[at]);
        let path = resources::join(&parent.path, part);
        let known = editor.resources.iter().position(|resource| resource.path == path);
        at = known.unwrap_or_else(|| {
            let resource = Resource {
                seq: partition.next_seq(),
                id: ids.short(),
                parent_id: Some(parent.id.clone()),
                path_part: Some(part.to_owned()),
                path,
                resource_methods: BTreeMap::new(),
            };
            editor.resources.push(Arc::new(resource));
            editor.resources.len() - 1
        });
    }
    at
}

fn method(verb: &str, fields: &Value, editor: &Definition, resource: &str) -> Result<Method, SeedError> {
    let mut method: Method = serde_json::from_value(fields.clone())?;
    verb.clone_into(&mut method.http_method);
    if method.authorization_type.is_empty() {
        "NONE".clone_into(&mut method.authorization_type);
    }
    if let Some(name) = fields["authorizerName"].as_str() {
        let known = editor.authorizers.iter().find(|known| known.name == name);
        method.authorizer_id = known.map(|known| known.id.clone());
    }
    let mut integration: Integration = serde_json::from_value(
        fields
            .get("integration")
            .cloned()
            .unwrap_or_else(|| json!({"type": "MOCK"})),
    )?;
    integrations::fill(&mut integration, resource);
    method.method_integration = Some(integration);
    for status in fields["responses"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        let response = MethodResponse {
            status_code: status.to_owned(),
            ..MethodResponse::default()
        };
        method.method_responses.insert(status.to_owned(), response);
    }
    Ok(method)
}
