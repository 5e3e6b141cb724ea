//! One repair of one REST API or domain name, step by step, as a killed process could repeat it.
//!
//! AWS offers neither compare-and-set nor idempotency tokens. So everything is read again before it matters, a deployment
//! is made without a stage and looked at before any caller meets it, and intent is persisted before it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::Reason;
use crate::api::drift::{Call, Intent};
use crate::api::policy::{EndpointType, Redeploy, Target};
use crate::aws::apigateway::client::Client;
use crate::aws::apigateway::compare::{self, Cleanliness, Own};
use crate::aws::apigateway::read::{self, Editor, ExportCache};
use crate::aws::apigateway::{document, properties, write};
use crate::aws::{Class, Error};
use crate::judge::path::{self, Path};
use crate::judge::plan;
use crate::judge::snapshot::EndpointId;
use crate::judge::verdict::Plan;

use super::gate::{self, Gate};

/// One drift's part in a repair.
#[derive(Clone, Debug)]
pub struct Part {
    /// The Drift's uid.
    pub uid: String,
    /// What drifted.
    pub target: Target,
    /// Which of them.
    pub resource: String,
    /// Its plan, freshly made.
    pub plan: Plan,
    /// Whether it may deploy.
    pub redeploy: Redeploy,
    /// Others' edits that a person agreed to have published, as the Drift shows them.
    pub approved_edits: Option<Vec<String>>,
    /// What was about to be done when an earlier attempt ended.
    pub intent: Option<Intent>,
}

impl Part {
    fn own(&self) -> impl Iterator<Item = Own> + '_ {
        self.plan.paths.iter().map(|path| Own {
            target: self.target,
            key: self.resource.clone(),
            path: path.clone(),
        })
    }

    /// Whether it needs the editor: its patches change what a deployment publishes.
    fn deploys(&self) -> bool {
        !self.plan.deploy.is_empty()
    }
}

/// Why a part stays undone.
#[derive(Clone, Debug)]
pub struct Held {
    /// The Drift's uid.
    pub uid: String,
    /// Why.
    pub reason: Reason,
    /// In a sentence.
    pub message: String,
    /// What a deployment would publish besides, as a Drift shows it.
    pub pending_edits: Vec<String>,
    /// The calls of its plan.
    pub calls: Vec<Call>,
}

/// How far a repair came.
#[derive(Debug)]
pub enum End {
    /// Every part was applied; a new read must now show it.
    Applied {
        /// The deployment that was made, if one was needed.
        deployment: Option<String>,
    },
    /// Somebody else wrote meanwhile, and nothing of theirs went live: start over.
    Overtaken(String),
    /// Somebody else deployed at the same moment; a person must look.
    Collided(String),
    /// AWS or the network refused.
    Failed(Error),
    /// What was to be persisted could not be: nothing further was done.
    NotPersisted,
}

/// Where intents are kept while a repair runs.
pub trait Ledger {
    /// Persists what is about to be done for these Drifts; false if that failed.
    fn intend(&self, uids: &[String], intent: &Intent) -> impl Future<Output = bool> + Send;
}

/// A repair of one endpoint.
pub struct Transaction<'a> {
    /// Reads.
    pub reader: &'a Client,
    /// Writes.
    pub writer: &'a Client,
    /// Which endpoint.
    pub endpoint: &'a EndpointId,
    /// Exports of deployments, as they were seen before.
    pub exports: &'a ExportCache,
}

/// What the first look found.
pub struct Looked {
    /// Parts that may go on.
    pub ready: Vec<Part>,
    /// Parts that are held back.
    pub held: Vec<Held>,
    /// The editor before the first patch; none when nothing deploys.
    editor: Option<Editor>,
    /// Each stage's deployment before the first patch.
    stages: BTreeMap<String, String>,
}

impl Transaction<'_> {
    /// Step 1: would a deployment publish anything but the repair? Nothing is written here.
    pub async fn look(&self, parts: Vec<Part>) -> Result<Looked, Error> {
        let mut looked = Looked {
            ready: vec![],
            held: vec![],
            editor: None,
            stages: BTreeMap::new(),
        };
        if self.endpoint.type_ != EndpointType::RestApi || !parts.iter().any(Part::deploys) {
            looked.ready = parts;
            return Ok(looked);
        }
        let id = &self.endpoint.id;
        let editor = read::read_editor(self.reader, id).await?;
        let stages: Vec<String> = parts.iter().flat_map(|p| p.plan.deploy.clone()).collect();
        let exports = read::read_stage_exports(self.reader, id, &stages, self.exports).await?;
        let own: Vec<Own> = parts.iter().filter(|p| p.deploys()).flat_map(Part::own).collect();
        let mut verdicts: BTreeMap<String, Cleanliness> = BTreeMap::new();
        let mut canaries = std::collections::BTreeSet::new();
        for (stage, found) in &exports {
            if found.canary {
                canaries.insert(stage.clone());
            }
            let clean = match &found.export {
                Err(why) => Cleanliness::CannotTell(vec![format!("the stage cannot be exported: {why}")]),
                Ok(_) if found.moved => Cleanliness::CannotTell(vec![
                    "two exports of the same deployment differ, so exports of this account show edits that were never deployed".into(),
                ]),
                Ok(export) => compare::compare(&editor, export, &own),
            };
            verdicts.insert(stage.clone(), clean);
            looked.stages.insert(stage.clone(), found.deployment_id.clone());
        }
        for part in parts {
            match refusal(&part, id, &verdicts, &canaries) {
                Some(held) => looked.held.push(held),
                None => looked.ready.push(part),
            }
        }
        looked.editor = Some(editor);
        Ok(looked)
    }

    /// Steps 2 to 6. The parts are those that the look let through and that were since marked as begun.
    pub async fn run(&self, looked: &Looked, ledger: &impl Ledger) -> End {
        match self.steps(looked, ledger).await {
            Ok(end) => end,
            Err(error) => End::Failed(error),
        }
    }

    async fn steps(&self, looked: &Looked, ledger: &impl Ledger) -> Result<End, Error> {
        let patches = plan::join(looked.ready.iter().map(|p| p.plan.patches.as_slice()));
        for call in &patches {
            write::apply(self.writer, call).await?;
        }
        let deploying: Vec<&Part> = looked.ready.iter().filter(|p| p.deploys()).collect();
        let (Some(before), false) = (&looked.editor, deploying.is_empty()) else {
            return Ok(End::Applied { deployment: None });
        };
        let own: Vec<Own> = deploying.iter().flat_map(|p| p.own()).collect();
        let patched = read::read_editor(self.reader, &self.endpoint.id).await?;
        if let Some(edit) = foreign_edit(before, &patched, &own, &deploying) {
            return Ok(End::Overtaken(format!("somebody edited the API meanwhile: {edit}")));
        }
        let Some(deployment) = self.deploy(&deploying, looked, ledger, &patches).await? else {
            return Ok(End::NotPersisted);
        };
        let again = read::read_editor(self.reader, &self.endpoint.id).await?;
        if let Some(edit) = foreign_edit(&patched, &again, &[], &[]) {
            return Ok(End::Overtaken(format!(
                "somebody edited the API while deployment {deployment} was made, which no stage was pointed at: {edit}"
            )));
        }
        self.point(&deploying, looked, &deployment).await
    }

    /// Step 3: a deployment that no caller meets yet. One that an earlier attempt made is found by its description.
    async fn deploy(
        &self,
        deploying: &[&Part],
        looked: &Looked,
        ledger: &impl Ledger,
        patches: &[Call],
    ) -> Result<Option<String>, Error> {
        let id = &self.endpoint.id;
        let uids: Vec<String> = deploying.iter().map(|p| p.uid.clone()).collect();
        let earlier = deploying[0].intent.as_ref().filter(|intent| {
            intent.stages == looked.stages && deploying.iter().all(|p| p.intent.as_ref() == Some(*intent))
        });
        if let Some(intent) = earlier
            && let Some(found) = write::find_deployment(self.reader, id, &intent.description).await?
        {
            return Ok(Some(found));
        }
        let intent = Intent {
            description: description(&uids, patches, &looked.stages),
            plan_digest: plan::digest(patches),
            stages: looked.stages.clone(),
            deployment_id: None,
        };
        if !ledger.intend(&uids, &intent).await {
            return Ok(None);
        }
        write::create_deployment(self.writer, id, &intent.description)
            .await
            .map(Some)
    }

    /// Steps 5 and 6: each stage is read once more, then pointed at the deployment.
    async fn point(&self, deploying: &[&Part], looked: &Looked, deployment: &str) -> Result<End, Error> {
        let id = &self.endpoint.id;
        let stages: std::collections::BTreeSet<&String> = deploying.iter().flat_map(|p| &p.plan.deploy).collect();
        for stage in stages {
            let now = self.reader.get_stage(id, stage).await?;
            let current = now.get("deploymentId").and_then(Value::as_str).unwrap_or_default();
            if current == deployment {
                continue;
            }
            if Some(current) != looked.stages.get(stage).map(String::as_str) || has_canary(&now) {
                return Ok(End::Overtaken(format!(
                    "somebody deployed {current} to stage {stage} meanwhile"
                )));
            }
            write::point_stage(self.writer, id, stage, deployment).await?;
        }
        // There is no compare-and-set: a deployment made by somebody in the last moment is seen here at least.
        let newer = self.newer_deployments(deployment).await?;
        if newer.is_empty() {
            Ok(End::Applied {
                deployment: Some(deployment.to_owned()),
            })
        } else {
            Ok(End::Collided(format!(
                "somebody made deployment {} at the same moment; check which one the stages should serve",
                newer.join(", ")
            )))
        }
    }

    async fn newer_deployments(&self, ours: &str) -> Result<Vec<String>, Error> {
        let all = self.reader.get_deployments(&self.endpoint.id).await?;
        let created = |d: &Value| d.get("createdDate").and_then(Value::as_f64).unwrap_or_default();
        let id = |d: &Value| d.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(mine) = all.iter().find(|d| id(d) == ours).map(created) else {
            return Ok(vec![]);
        };
        Ok(all
            .iter()
            .filter(|d| created(d) > mine && !is_ours(d))
            .map(id)
            .collect())
    }
}

const MARK: &str = "Plumbline repair";

fn is_ours(deployment: &Value) -> bool {
    deployment
        .get("description")
        .and_then(Value::as_str)
        .is_some_and(|d| d.starts_with(MARK))
}

/// What the deployment is found by again: the drifts, the plan, and what it replaces.
fn description(uids: &[String], patches: &[Call], stages: &BTreeMap<String, String>) -> String {
    let identity = serde_json::json!([uids, plan::digest(patches), stages]).to_string();
    let shown = uids.iter().take(8).cloned().collect::<Vec<_>>().join(" ");
    format!("{MARK} {} of drifts {shown}", &plan::hex(identity.as_bytes())[..16])
}

fn has_canary(stage: &Value) -> bool {
    stage.get("canarySettings").is_some_and(|c| !c.is_null())
}

fn refusal(
    part: &Part,
    rest_api: &str,
    verdicts: &BTreeMap<String, Cleanliness>,
    canaries: &std::collections::BTreeSet<String>,
) -> Option<Held> {
    let held = |reason, message: String, pending_edits| Held {
        uid: part.uid.clone(),
        reason,
        message,
        pending_edits,
        calls: part.plan.calls(rest_api),
    };
    for stage in &part.plan.deploy {
        if canaries.contains(stage) {
            let message = format!("stage {stage} has a canary: promote or remove it, then the repair goes on");
            return Some(held(Reason::Canary, message, vec![]));
        }
        let Some(clean) = verdicts.get(stage) else {
            return Some(held(Reason::Gone, format!("stage {stage} is gone"), vec![]));
        };
        let approved = part.approved_edits.as_deref();
        if let Gate::Wait(wait) = gate::decide_deployment(part.redeploy, stage, clean, approved) {
            let edits = match clean {
                Cleanliness::Dirty(edits) | Cleanliness::CannotTell(edits) => gate::shown(edits),
                Cleanliness::Clean => vec![],
            };
            return Some(held(wait.reason, wait.message, edits));
        }
    }
    None
}

/// The first difference between two readings of an editor that is not Plumbline's own, or an own path without the value
/// that it should have.
fn foreign_edit(before: &Editor, after: &Editor, own: &[Own], parts: &[&Part]) -> Option<String> {
    let mine = |target: Target, key: &str, at: &Path| {
        own.iter()
            .any(|o| o.target == target && o.key == key && (o.path.covers(at) || at.covers(&o.path)))
    };
    let (api_before, api_after) = (
        document::rest_api(&before.rest_api),
        document::rest_api(&after.rest_api),
    );
    if let Some(at) = path::differences(&api_before, &api_after)
        .into_iter()
        .find(|at| !mine(Target::RestApi, "", at))
    {
        return Some(format!("{at} of the API"));
    }
    let methods = |editor: &Editor| -> BTreeMap<String, Value> {
        document::methods(&editor.resources)
            .into_iter()
            .map(|m| (m.key, m.json))
            .collect()
    };
    let (methods_before, methods_after) = (methods(before), methods(after));
    let keys: std::collections::BTreeSet<&String> = methods_before.keys().chain(methods_after.keys()).collect();
    for key in keys {
        match (methods_before.get(key), methods_after.get(key)) {
            (Some(a), Some(b)) => {
                if let Some(at) = path::differences(a, b)
                    .into_iter()
                    .find(|at| !mine(Target::Method, key, at))
                {
                    return Some(format!("{key} {at}"));
                }
            }
            (None, _) => return Some(format!("{key} was added")),
            (_, None) => return Some(format!("{key} was removed")),
        }
    }
    let others: [(&str, &[Value], &[Value]); 4] = [
        ("authorizers", &before.authorizers, &after.authorizers),
        (
            "request validators",
            &before.request_validators,
            &after.request_validators,
        ),
        ("models", &before.models, &after.models),
        ("gateway responses", &before.gateway_responses, &after.gateway_responses),
    ];
    if let Some((what, ..)) = others.iter().find(|(_, a, b)| a != b) {
        return Some((*what).to_owned());
    }
    parts.iter().find_map(|part| {
        let document = match part.target {
            Target::RestApi => Some(&api_after),
            Target::Method => methods_after.get(&part.resource),
            _ => return None,
        };
        let wanted = path::merge(document?, &part.plan.overlay);
        let table = properties::table(part.target);
        path::differences(document?, &wanted)
            .into_iter()
            .find(|at| {
                !table.property(at).is_some_and(|p| {
                    let at = Path::of(at.keys()[..p.path.len()].to_vec());
                    (p.same)(at.get(document.unwrap_or(&Value::Null)), at.get(&wanted))
                })
            })
            .map(|at| format!("{at} of {} is not what was just written", part.resource))
    })
}

/// How long to wait before the next attempt.
pub fn retry_after(error: &Error, attempts: i32) -> std::time::Duration {
    let doubled = |base: u64, most: u64| {
        std::time::Duration::from_secs((base << u32::try_from(attempts.clamp(0, 10)).unwrap_or(0)).min(most))
    };
    match error.class {
        Class::Throttled | Class::Unavailable | Class::Malformed => doubled(2, 300),
        Class::Fenced => std::time::Duration::from_secs(1),
        _ => doubled(30, 3600),
    }
}
