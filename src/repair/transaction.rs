//! One repair of one REST API or domain name, step by step, as a killed process could repeat it.
//!
//! AWS offers neither compare-and-set nor idempotency tokens. So everything is read again right before it matters: what is
//! patched must still be what was judged, a deployment is made without a stage and looked at before any caller meets it, and
//! intent is persisted before it. What then is left to chance:
//!
//! * A write of somebody else to the very property that is patched, or to the very stage that is pointed, between the one read
//!   before the call and the call.
//! * A draft of `disableExecuteApiEndpoint`, which AWS makes effective by any change of any stage, between the two reads before
//!   such a change and the change.
//! * An edit that was made before the deployment and taken back after it, between two readings that both miss it. Of a method
//!   added, removed or opened a deployment's own summary tells, before any caller meets it; everything else is seen in an export
//!   right after the stage was pointed, and the stage is pointed back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::api::Reason;
use crate::api::drift::{Call, Intent};
use crate::api::endpoint::Baseline;
use crate::api::policy::{Redeploy, Target};
use crate::aws::apigateway::client::Client;
use crate::aws::apigateway::compare::Own;
use crate::aws::apigateway::editor::settled;
use crate::aws::apigateway::read::{self, Editor, ExportCache};
use crate::aws::apigateway::{document, properties, write};
use crate::aws::{Class, Error};
use crate::judge::iam::ApiRef;
use crate::judge::path::{self, Path};
use crate::judge::plan;
use crate::judge::snapshot::EndpointId;
use crate::judge::verdict::Plan;

mod look;
mod publish;

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
    /// The properties that are the drift's own, each whole.
    fn own(&self) -> Vec<Own> {
        let table = properties::table(self.target);
        let whole = |path: &Path| match table.property(path) {
            Some(property) => Path::of(path.keys()[..property.path.len()].to_vec()),
            None => path.clone(),
        };
        let paths: BTreeSet<Path> = self.plan.paths.iter().map(whole).collect();
        let own = paths.into_iter().map(|path| Own {
            target: self.target,
            key: self.resource.clone(),
            path,
        });
        own.collect()
    }

    /// What it wants of the document that it is about.
    fn wanted(&self, document: &Value) -> Value {
        self.plan.wanted(document)
    }

    /// Whether it needs a deployment.
    fn deploys(&self) -> bool {
        !self.plan.deploy.is_empty()
    }

    /// Whether it changes a stage.
    fn stages(&self) -> bool {
        self.plan.patches.iter().any(|call| call.operation == "UpdateStage")
    }

    /// Whether it is, or is a part of, this call.
    fn makes(&self, call: &Call) -> bool {
        let mut own = self.plan.patches.iter();
        own.any(|own| own.operation == call.operation && own.parameters == call.parameters)
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
    /// The stages that it would deploy to.
    pub stages: Vec<String>,
}

/// How far a repair came.
#[derive(Debug)]
pub enum End {
    /// Every part was applied; a new read must now show it.
    Applied {
        /// The deployment that was made, if one was needed.
        deployment: Option<String>,
    },
    /// Somebody else wrote meanwhile: start over.
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
    /// Persists what is about to be done for these Drifts, or that nothing is any more; false if that failed.
    fn intend(&self, uids: &[String], intent: Option<&Intent>) -> impl Future<Output = bool> + Send;
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
    /// The editor as it was deployed, if that is known.
    pub baseline: Option<&'a Baseline>,
}

/// What the first look found.
pub struct Looked {
    /// Parts that may go on.
    pub ready: Vec<Part>,
    /// Parts that are held back.
    pub held: Vec<Held>,
    /// Digest of the editor as it was read; none when nothing deploys.
    pub content: Option<String>,
    /// What was judged, by target and resource.
    judged: BTreeMap<(Target, String), Value>,
    /// The editor as it must be after the patches; none when nothing deploys.
    expected: Option<Editor>,
    /// Each stage's deployment before the first patch.
    stages: BTreeMap<String, String>,
    /// Stages that a deployment brings nothing but the repair, each with what it served before.
    clean: BTreeMap<String, Arc<Value>>,
    /// Those of them of which the baseline says so: their exports leave something out, before as after.
    by_baseline: BTreeSet<String>,
    /// What `disableExecuteApiEndpoint` may be: as it was read, and as it will be after the patches.
    execute_api: [Value; 2],
}

impl Looked {
    /// Digest of the editor as it must be after the patches; none when nothing deploys.
    pub fn expected(&self, endpoint: &EndpointId) -> Option<String> {
        self.expected.as_ref().map(|editor| editor.digest(&api_of(endpoint)))
    }

    /// The deployment that a stage had.
    pub fn deployment_of(&self, stage: &str) -> Option<&String> {
        self.stages.get(stage)
    }
}

impl Transaction<'_> {
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
            let drafted = call.operation == "UpdateStage" && self.drafted_since(looked).await?;
            let changed = if drafted {
                Some(EXECUTE_API.to_owned())
            } else {
                self.changed_since(call, looked).await?
            };
            if let Some(what) = changed {
                return Ok(End::Overtaken(format!("somebody changed {what} meanwhile")));
            }
            write::apply(self.writer, call).await?;
        }
        let deploying: Vec<&Part> = looked.ready.iter().filter(|p| p.deploys()).collect();
        let (Some(expected), false) = (&looked.expected, deploying.is_empty()) else {
            return Ok(End::Applied { deployment: None });
        };
        let patched = read::read_editor(self.reader, &self.endpoint.id).await?;
        if let Some(edit) = expected.difference(&patched, &self.api()) {
            return Ok(End::Overtaken(format!("somebody edited the API meanwhile: {edit}")));
        }
        self.publish(&deploying, looked, &patched, &patches, ledger).await
    }

    /// The last but one read before a change of a stage: no draft may become effective by it that was not looked at.
    async fn drafted_since(&self, looked: &Looked) -> Result<bool, Error> {
        let now = self.reader.get_rest_api(&self.endpoint.id).await?;
        let now = now.get(EXECUTE_API);
        Ok(!looked.execute_api.iter().any(|value| path::same(Some(value), now)))
    }

    /// The last read before a patch: what it patches must be what was judged, or what is wanted already.
    async fn changed_since(&self, call: &Call, looked: &Looked) -> Result<Option<String>, Error> {
        let parts: Vec<&Part> = looked.ready.iter().filter(|p| p.makes(call)).collect();
        let Some(first) = parts.first() else {
            return Ok(None);
        };
        let Some(judged) = looked.judged.get(&(first.target, first.resource.clone())) else {
            return Ok(Some(first.resource.clone()));
        };
        let now = self.current(first, call).await?;
        let moved = parts.into_iter().find_map(|part| self.moved(part, judged, &now));
        Ok(moved)
    }

    /// An own property of a part at which two documents differ, unless the later one has what is wanted.
    fn moved(&self, part: &Part, judged: &Value, now: &Value) -> Option<String> {
        let api = self.api();
        let plain = |document: &Value| settled(part.target, document, &api);
        let (before, wanted, now) = (plain(judged), plain(&part.wanted(judged)), plain(now));
        let own = part.own().into_iter().map(|own| own.path);
        let mut moved = own.filter(|at| {
            let now = at.get(&now);
            !path::same(at.get(&before), now) && !path::same(at.get(&wanted), now)
        });
        moved.next().map(|at| match part.resource.as_str() {
            "" => at.to_string(),
            resource => format!("{resource} {at}"),
        })
    }

    /// The document that a call is about to change, as it is now.
    async fn current(&self, part: &Part, call: &Call) -> Result<Value, Error> {
        let id = &self.endpoint.id;
        let named = |name: &str| call.parameters.get(name).map_or("", String::as_str);
        Ok(match part.target {
            Target::RestApi => document::rest_api(&self.reader.get_rest_api(id).await?),
            Target::Stage => document::stage(&self.reader.get_stage(id, &part.resource).await?),
            Target::DomainName => {
                let own = call.parameters.get("domainNameId").cloned();
                document::domain_name(&self.reader.get_domain_name(id, own).await?)
            }
            Target::Method => {
                let (resource, verb) = (named("resourceId"), named("httpMethod"));
                self.reader.get_method(id, resource, verb).await?
            }
        })
    }

    /// What policies of this API are read for.
    fn api(&self) -> ApiRef {
        api_of(self.endpoint)
    }
}

/// What policies of an API are read for.
pub fn api_of(endpoint: &EndpointId) -> ApiRef {
    ApiRef {
        region: endpoint.region.clone(),
        account: endpoint.account_id.clone(),
        id: endpoint.id.clone(),
    }
}

/// The one setting that AWS makes effective by any change of any stage.
const EXECUTE_API: &str = "disableExecuteApiEndpoint";

fn has_canary(stage: &Value) -> bool {
    stage.get("canarySettings").is_some_and(|c| !c.is_null())
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
