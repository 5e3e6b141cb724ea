//! Steps 3 to 6: a deployment that no caller meets yet, looked at from all sides before a stage is pointed at it, and once more
//! right after.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{EXECUTE_API, End, Ledger, Looked, Part, Transaction, has_canary};
use crate::api::drift::{Call, Intent};
use crate::aws::Error;
use crate::aws::apigateway::compare::{self, Cleanliness, Own};
use crate::aws::apigateway::read::{self, Editor, StageExport};
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
        let pointed = self.point(&deployment).await;
        let newer = self.deployments().await;
        // However far it came: what was pointed is looked at.
        let served = self.served().await?;
        if let Some(edits) = self.strange(&deployment, &again, &served) {
            return self.take_back(&deployment, &edits).await;
        }
        match pointed? {
            Some(end) => Ok(end),
            None => Ok(self.conclude(&deployment, &served, &known, newer?)),
        }
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
        let made = reader.get_deployments(&endpoint.id).await?;
        if let Some(intent) = earlier
            && let Some(found) = made.iter().find(|one| text(one, "description") == intent.description)
        {
            let told = self.parts.iter().all(|p| p.intent.as_ref() == Some(intent));
            let persisted = told || self.ledger.intend(&self.uids, Some(intent)).await;
            return Ok(persisted.then(|| text(found, "id").to_owned()));
        }
        // One that was rejected looks the same but for its number.
        let mark = mark(&content, &self.stages);
        let rejected = made
            .iter()
            .filter(|one| text(one, "description").starts_with(&mark))
            .count();
        let number = if rejected == 0 {
            String::new()
        } else {
            format!("-{rejected}")
        };
        let shown = self.uids.iter().take(8).cloned().collect::<Vec<_>>().join(" ");
        let intent = Intent {
            description: format!("{mark}{number} of drifts {shown}"),
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

    /// Edits that came and went around the deployment could not be prevented; here they are seen: what a stage serves now that
    /// nobody read in the editor, where before it served nothing of the kind.
    fn strange(&self, deployment: &str, again: &Editor, served: &BTreeMap<String, StageExport>) -> Option<Vec<String>> {
        let pointed = served.iter().filter(|(_, now)| now.deployment_id == deployment);
        pointed.into_iter().find_map(|(stage, now)| {
            let (Some(before), Ok(export)) = (self.looked.clean.get(stage), &now.export) else {
                return None;
            };
            if read::same_deployment(export, before) {
                return None; // the export does not show the deployment yet
            }
            let own = self.own(stage);
            match (
                compare::compare(again, export, &own),
                compare::compare_only(again, export, &own),
            ) {
                // What its exports leave out they left out before: the editor itself was read, before and after.
                (Cleanliness::CannotTell(_), Cleanliness::Clean | Cleanliness::CannotTell(_))
                    if self.looked.by_baseline.contains(stage) =>
                {
                    None
                }
                (Cleanliness::Dirty(edits) | Cleanliness::CannotTell(edits), _) | (_, Cleanliness::Dirty(edits)) => {
                    Some(edits)
                }
                // Whether an own property is live is for the next reading to prove.
                _ => None,
            }
        })
    }

    /// Deployments of others in the last moment could not be prevented either.
    fn conclude(
        &self,
        deployment: &str,
        served: &BTreeMap<String, StageExport>,
        known: &BTreeSet<String>,
        newer: BTreeSet<String>,
    ) -> End {
        let elsewhere = |stage: &&String| served.get(*stage).is_none_or(|now| now.deployment_id != deployment);
        if let Some(stage) = self.stages.keys().find(elsewhere) {
            return End::Overtaken(format!(
                "somebody pointed stage {stage} elsewhere right after it was pointed at deployment {deployment}"
            ));
        }
        // Which stages they were meant for, nothing tells any more.
        let newer: Vec<String> = newer.into_iter().filter(|id| !known.contains(id)).collect();
        if newer.is_empty() {
            return End::Applied {
                deployment: Some(deployment.to_owned()),
            };
        }
        End::Collided(format!(
            "somebody made deployment {} at the same moment; check which one the stages should serve",
            newer.join(", ")
        ))
    }

    /// What the stages serve now, by fresh exports.
    async fn served(&self) -> Result<BTreeMap<String, StageExport>, Error> {
        let Transaction {
            reader,
            endpoint,
            exports,
            ..
        } = self.transaction;
        let stages: Vec<String> = self.stages.keys().cloned().collect();
        read::read_stage_exports(reader, &endpoint.id, &stages, exports).await
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
        let others = all.iter().filter(|one| !text(one, "description").starts_with(MARK));
        Ok(others.map(|one| text(one, "id").to_owned()).collect())
    }
}

const MARK: &str = "Plumbline repair";

/// What a deployment's description begins with: what it holds, and what it replaces.
fn mark(content: &str, stages: &BTreeMap<String, String>) -> String {
    let identity = serde_json::json!([content, stages]).to_string();
    format!("{MARK} {}", &plan::hex(identity.as_bytes())[..16])
}

fn text<'a>(deployment: &'a Value, key: &str) -> &'a str {
    deployment.get(key).and_then(Value::as_str).unwrap_or_default()
}
