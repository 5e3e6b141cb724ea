//! Steps 3 to 6: a deployment that no caller meets yet, looked at from all sides before a stage is pointed at it, and once more
//! right after.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{EXECUTE_API, End, Ledger, Looked, Part, Transaction, has_canary};
use crate::api::drift::{Call, Intent};
use crate::aws::Error;
use crate::aws::apigateway::compare::{self, Cleanliness, Own};
use crate::aws::apigateway::read::{self, Editor};
use crate::aws::apigateway::write;
use crate::judge::plan;

/// One deployment and the stages that it is for.
struct Publishing<'a, L> {
    transaction: &'a Transaction<'a>,
    parts: &'a [&'a Part],
    uids: Vec<String>,
    /// Each stage's deployment before.
    stages: BTreeMap<String, String>,
    looked: &'a Looked,
    ledger: &'a L,
}

impl Transaction<'_> {
    /// Brings what the editor holds to the stages of the parts.
    pub(super) async fn publish(
        &self,
        parts: &[&Part],
        looked: &Looked,
        patched: &Editor,
        patches: &[Call],
        ledger: &impl Ledger,
    ) -> Result<End, Error> {
        let ours = |stage: &String| parts.iter().any(|p| p.plan.deploy.contains(stage));
        let stages = looked.stages.iter().filter(|(stage, _)| ours(stage));
        let publishing = Publishing {
            transaction: self,
            parts,
            uids: parts.iter().map(|p| p.uid.clone()).collect(),
            stages: stages.map(|(stage, before)| (stage.clone(), before.clone())).collect(),
            looked,
            ledger,
        };
        publishing.run(patched, patches).await
    }
}

impl<L: Ledger> Publishing<'_, L> {
    async fn run(&self, patched: &Editor, patches: &[Call]) -> Result<End, Error> {
        let Transaction { reader, endpoint, .. } = self.transaction;
        let Some(deployment) = self.deploy(patched, patches).await? else {
            return Ok(End::NotPersisted);
        };
        let again = read::read_editor(reader, &endpoint.id).await?;
        if let Some(edit) = patched.difference(&again, &self.transaction.api()) {
            return self.reject(&deployment, &edit).await;
        }
        let made = reader.get_deployment(&endpoint.id, &deployment).await?;
        if let Some(how) = again.refuted_by(&made) {
            return self.reject(&deployment, &how).await;
        }
        let known = self.deployments().await?;
        if let Some(end) = self.point(&deployment).await? {
            return Ok(end);
        }
        self.look_back(&deployment, &again, &known).await
    }

    /// Step 3: a deployment that no caller meets yet. One that an earlier attempt made of the same editor is found by its
    /// description.
    async fn deploy(&self, patched: &Editor, patches: &[Call]) -> Result<Option<String>, Error> {
        let Transaction {
            reader,
            writer,
            endpoint,
            ..
        } = self.transaction;
        let content = patched.digest(&self.transaction.api());
        // A stage that has been pointed since is no longer asked for.
        let of_this = |intent: &&Intent| {
            let same = |(stage, before): (&String, &String)| intent.stages.get(stage) == Some(before);
            intent.deployment_id.is_none()
                && self.stages.iter().all(same)
                && intent.description.starts_with(&mark(&content, &intent.stages))
        };
        let earlier = self.parts.iter().filter_map(|p| p.intent.as_ref()).find(of_this);
        if let Some(intent) = earlier
            && let Some(found) = write::find_deployment(reader, &endpoint.id, &intent.description).await?
        {
            let told = self.parts.iter().all(|p| p.intent.as_ref() == Some(intent));
            let persisted = told || self.ledger.intend(&self.uids, Some(intent)).await;
            return Ok(persisted.then_some(found));
        }
        let shown = self.uids.iter().take(8).cloned().collect::<Vec<_>>().join(" ");
        let intent = Intent {
            description: format!("{}of drifts {shown}", mark(&content, &self.stages)),
            plan_digest: plan::digest(patches),
            stages: self.stages.clone(),
            deployment_id: None,
        };
        if !self.ledger.intend(&self.uids, Some(&intent)).await {
            return Ok(None);
        }
        write::create_deployment(writer, &endpoint.id, &intent.description)
            .await
            .map(Some)
    }

    /// A deployment that is not known to be of what was read is never pointed at, now or by a later attempt.
    async fn reject(&self, deployment: &str, edit: &str) -> Result<End, Error> {
        self.ledger.intend(&self.uids, None).await;
        Ok(End::Overtaken(format!(
            "somebody edited the API while deployment {deployment} was made, which no stage was pointed at: {edit}"
        )))
    }

    /// Steps 5 and 6: each stage is read once more, then pointed at the deployment. None: all are.
    async fn point(&self, deployment: &str) -> Result<Option<End>, Error> {
        let Transaction {
            reader,
            writer,
            endpoint,
            ..
        } = self.transaction;
        for (stage, before) in &self.stages {
            if self.transaction.drafted_since(self.looked).await? {
                return Ok(Some(End::Overtaken(format!(
                    "somebody changed {EXECUTE_API} meanwhile, which any change of a stage makes effective"
                ))));
            }
            let now = reader.get_stage(&endpoint.id, stage).await?;
            let current = now.get("deploymentId").and_then(Value::as_str).unwrap_or_default();
            if has_canary(&now) {
                return Ok(Some(End::Overtaken(format!(
                    "stage {stage} was given a canary meanwhile"
                ))));
            }
            if current == deployment {
                continue;
            }
            if current != before {
                return Ok(Some(End::Overtaken(format!(
                    "somebody deployed {current} to stage {stage} meanwhile"
                ))));
            }
            write::point_stage(writer, &endpoint.id, stage, deployment).await?;
        }
        Ok(None)
    }

    /// What could not be prevented is seen here: edits that came and went around the deployment, and deployments of others
    /// in the last moment.
    async fn look_back(&self, deployment: &str, again: &Editor, known: &BTreeSet<String>) -> Result<End, Error> {
        let Transaction {
            reader,
            endpoint,
            exports,
            ..
        } = self.transaction;
        let stages: Vec<String> = self.stages.keys().cloned().collect();
        let found = read::read_stage_exports(reader, &endpoint.id, &stages, exports).await?;
        for (stage, found) in &found {
            let (true, true, Ok(export)) = (
                found.deployment_id == deployment,
                self.looked.clean.contains(stage),
                &found.export,
            ) else {
                continue;
            };
            if let Cleanliness::Dirty(edits) = compare::compare(again, export, &self.own(stage)) {
                return self.take_back(deployment, &edits).await;
            }
        }
        for stage in &stages {
            let now = found.get(stage).map_or("", |found| found.deployment_id.as_str());
            if now != deployment {
                return Ok(End::Overtaken(format!(
                    "somebody pointed stage {stage} elsewhere right after it was pointed at deployment {deployment}"
                )));
            }
        }
        let mut newer = self.deployments().await?;
        newer.retain(|id| !known.contains(id) && id != deployment);
        if !newer.is_empty() {
            let stages = reader.get_stages(&endpoint.id).await?;
            newer.retain(|id| !stages.iter().any(|stage| stage["deploymentId"] == **id));
        }
        if newer.is_empty() {
            return Ok(End::Applied {
                deployment: Some(deployment.to_owned()),
            });
        }
        let newer: Vec<String> = newer.into_iter().collect();
        Ok(End::Collided(format!(
            "somebody made deployment {} at the same moment; check which one the stages should serve",
            newer.join(", ")
        )))
    }

    /// Points the stages back to what they had: somebody's edit was in the deployment, and in no reading before or after it.
    async fn take_back(&self, deployment: &str, edits: &[String]) -> Result<End, Error> {
        let Transaction {
            reader,
            writer,
            endpoint,
            ..
        } = self.transaction;
        self.ledger.intend(&self.uids, None).await;
        for (stage, before) in &self.stages {
            let now = reader.get_stage(&endpoint.id, stage).await?;
            if now.get("deploymentId").and_then(Value::as_str) == Some(deployment) {
                write::point_stage(writer, &endpoint.id, stage, before).await?;
            }
        }
        Ok(End::Overtaken(format!(
            "somebody's edit came and went while deployment {deployment} was made; the stages were pointed back: {}",
            edits.join("; ")
        )))
    }

    fn own(&self, stage: &String) -> Vec<Own> {
        let here = self.parts.iter().filter(|p| p.plan.deploy.contains(stage));
        here.flat_map(|p| p.own()).collect()
    }

    /// The ids of all deployments but those that Plumbline made.
    async fn deployments(&self) -> Result<BTreeSet<String>, Error> {
        let Transaction { reader, endpoint, .. } = self.transaction;
        let all = reader.get_deployments(&endpoint.id).await?;
        let text = |one: &Value, key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let others = all.iter().filter(|one| !text(one, "description").starts_with(MARK));
        Ok(others.map(|one| text(one, "id")).collect())
    }
}

const MARK: &str = "Plumbline repair";

/// What a deployment's description begins with: what it holds, and what it replaces.
fn mark(content: &str, stages: &BTreeMap<String, String>) -> String {
    let identity = serde_json::json!([content, stages]).to_string();
    format!("{MARK} {} ", &plan::hex(identity.as_bytes())[..16])
}
