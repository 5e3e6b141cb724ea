//! The repairs of one endpoint: which Drifts are ready, one transaction for all of them, and what it came to.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use tokio::sync::Mutex;

use super::context::Context;
use super::endpoint::{Case, Kept};
use super::episode;
use super::outcome::Failure;
use super::status;
use super::sweeper;
use crate::api::condition::{self, Said};
use crate::api::drift::{Call, Drift, FINALIZER, Intent, Phase, Resolution};
use crate::api::{AwsAccount, AwsEndpoint, Reason, Status};
use crate::aws::budget::Priority;
use crate::aws::{Class, Error};
use crate::inventory::sweep;
use crate::judge::plan;
use crate::judge::snapshot::EndpointId;
use crate::judge::verdict::{Outcome, Remedy, Verdict};
use crate::repair::transaction::{End, Held, Ledger, Looked, Part, Transaction, retry_after};

/// A Drift that waits for something on AWS is looked at again when a sweep finds news, and otherwise this often.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// A repair that no read shows by then has failed.
const VERIFY_WITHIN: Duration = Duration::from_secs(120);

/// Repairs what may be repaired.
pub async fn repair(
    ctx: &Arc<Context>,
    account: &AwsAccount,
    endpoint: &AwsEndpoint,
    kept: Vec<Kept>,
) -> Result<Action, Failure> {
    let now = ctx.now();
    let audit = account.spec.audit.is_some();
    let due = |k: &Kept| {
        k.drift
            .status
            .as_ref()
            .and_then(|s| s.next_attempt_at.as_ref())
            .is_none_or(|at| at.0 <= now)
    };
    let ready = |k: &&Kept| match (&k.verdict.outcome, &k.drift.status) {
        (Outcome::Violated(violation), Some(status)) => episode::ready(status, audit, violation),
        _ => false,
    };
    let candidates: Vec<&Kept> = kept.iter().filter(ready).collect();
    let wait = candidates
        .iter()
        .filter_map(|k| k.drift.status.as_ref()?.next_attempt_at.as_ref())
        .map(|at| at.0.as_second() - now.as_second())
        .min();
    let candidates: Vec<&Kept> = candidates.into_iter().filter(|k| due(k)).collect();
    if candidates.is_empty() {
        return Ok(match wait {
            Some(seconds) => Action::requeue(Duration::from_secs(u64::try_from(seconds).unwrap_or(0).max(1))),
            None => Action::await_change(),
        });
    }
    Round { ctx, account, endpoint }.run(candidates).await
}

/// One round of repairs.
struct Round<'a> {
    ctx: &'a Arc<Context>,
    account: &'a AwsAccount,
    endpoint: &'a AwsEndpoint,
}

impl Round<'_> {
    fn id(&self) -> EndpointId {
        let spec = &self.endpoint.spec;
        EndpointId {
            account_id: spec.account_id.clone(),
            region: spec.region.clone(),
            type_: spec.type_,
            id: spec.id.clone(),
        }
    }

    async fn run(&self, candidates: Vec<&Kept>) -> Result<Action, Failure> {
        let session = self.ctx.sessions.of(&self.account.spec);
        let reader = session.observer(&self.endpoint.spec.region).at(Priority::Repair);
        let writer = session.repairer(&self.endpoint.spec.region).at(Priority::Repair);
        let id = self.id();
        let drifts: Vec<Drift> = candidates.iter().map(|k| k.drift.clone()).collect();
        let parts = match self.fresh(&reader, &id, &drifts).await {
            Ok(parts) => parts,
            Err(error) => return self.failed(&drifts, &error).await,
        };
        for drift in drifts
            .iter()
            .filter(|d| repairing(d) && !parts.iter().any(|p| Some(&p.uid) == d.uid().as_ref()))
        {
            let why = "AWS needs other calls now than those that were planned: planning anew";
            self.stand(drift, Phase::Waiting, Reason::Overtaken, why, None).await?;
        }
        if parts.is_empty() {
            return Ok(Action::requeue(Duration::from_secs(1)));
        }
        let transaction = Transaction {
            reader: &reader,
            writer: &writer,
            endpoint: &id,
            exports: &self.ctx.exports,
        };
        let looked = match transaction.look(parts).await {
            Ok(looked) => looked,
            Err(error) => return self.failed(&drifts, &error).await,
        };
        for held in &looked.held {
            self.hold(&drifts, held).await?;
        }
        if looked.ready.is_empty() {
            return Ok(Action::requeue(LOOK_AGAIN));
        }
        let mut begun = Vec::new();
        for drift in drifts
            .iter()
            .filter(|d| looked.ready.iter().any(|p| Some(&p.uid) == d.uid().as_ref()))
        {
            begun.push(self.begin(drift).await?);
        }
        self.carry_out(&transaction, &looked, begun, &reader, &id).await
    }

    async fn carry_out(
        &self,
        transaction: &Transaction<'_>,
        looked: &Looked,
        begun: Vec<Drift>,
        reader: &crate::aws::apigateway::client::Client,
        id: &EndpointId,
    ) -> Result<Action, Failure> {
        let book = Book {
            ctx: self.ctx,
            drifts: Mutex::new(begun),
        };
        let end = transaction.run(looked, &book).await;
        let drifts = book.drifts.into_inner();
        match end {
            End::Applied { deployment } => {
                let applied = self.applied(drifts, deployment.as_deref()).await?;
                self.verify(reader, id, &applied).await
            }
            End::Overtaken(why) => {
                for drift in &drifts {
                    self.stand(
                        drift,
                        Phase::Waiting,
                        Reason::Overtaken,
                        &format!("{why}; looking again"),
                        None,
                    )
                    .await?;
                }
                self.look_again(reader, id).await;
                Ok(Action::requeue(Duration::from_secs(1)))
            }
            End::Collided(why) => {
                for drift in &drifts {
                    self.stand(
                        drift,
                        Phase::Failed,
                        Reason::Overtaken,
                        &why,
                        Some(Duration::from_secs(300)),
                    )
                    .await?;
                }
                Ok(Action::requeue(Duration::from_secs(300)))
            }
            End::Failed(error) => self.failed(&drifts, &error).await,
            End::NotPersisted => Ok(Action::requeue(Duration::from_secs(1))),
        }
    }

    /// Plans freshly made from a fresh read. A plan that is another one than the persisted goes back to the Drift first.
    async fn fresh(
        &self,
        reader: &crate::aws::apigateway::client::Client,
        id: &EndpointId,
        drifts: &[Drift],
    ) -> Result<Vec<Part>, Error> {
        let depth = self.ctx.depth();
        let snapshot = sweep::again(reader, id, depth, &self.ctx.exports).await?;
        let name = self.endpoint.name_any();
        if self.ctx.inventory.keep(&name, snapshot.clone(), depth, self.ctx.now()) {
            self.ctx.wake.endpoint(&name);
        }
        let judgement = Case::new(self.ctx, self.account, self.endpoint).judge(&snapshot);
        Ok(drifts
            .iter()
            .filter_map(|drift| part(drift, &judgement.verdicts, &id.id))
            .collect())
    }

    /// The Drift says that AWS is about to be written, before it is.
    async fn begin(&self, drift: &Drift) -> Result<Drift, Failure> {
        let api = self.api(drift);
        let mut drift = drift.clone();
        if !drift.finalizers().iter().any(|f| f == FINALIZER) {
            let mut finalizers = drift.finalizers().to_vec();
            finalizers.push(FINALIZER.into());
            let patch = serde_json::json!({
                "metadata": {"resourceVersion": drift.resource_version(), "finalizers": finalizers}
            });
            drift =
                status::bounded(api.patch(&drift.name_any(), &PatchParams::default(), &Patch::Merge(patch))).await?;
        }
        let mut after = drift.clone();
        let now = self.ctx.now();
        let status = after.status.get_or_insert_default();
        status.attempts += 1;
        status.next_attempt_at = None;
        status.pending_edits.clear();
        episode::stand(
            status,
            Phase::Repairing,
            Some(Reason::Repairing),
            "the repair is under way",
        );
        let open = Said::new("Authorized", true, Reason::Authorized, "enforcement is Enforce");
        condition::set(&mut status.conditions, open, None, now);
        let under_way = Said::new("Repaired", Status::Unknown, Reason::Repairing, "");
        condition::set(&mut status.conditions, under_way, None, now);
        Ok(status::write(&api, &drift, &after).await?.unwrap_or(after))
    }

    async fn applied(&self, drifts: Vec<Drift>, deployment: Option<&str>) -> Result<Vec<Drift>, Failure> {
        let mut written = Vec::new();
        for drift in drifts {
            let mut after = drift.clone();
            let status = after.status.get_or_insert_default();
            if let (Some(intent), Some(deployment)) = (&mut status.intent, deployment) {
                intent.deployment_id = Some(deployment.to_owned());
            }
            let done = Said::new("Repaired", true, Reason::Repaired, "");
            condition::set(&mut status.conditions, done, None, self.ctx.now());
            let look = Said::new("Verified", Status::Unknown, Reason::Verifying, "");
            condition::set(&mut status.conditions, look, None, self.ctx.now());
            episode::stand(
                status,
                Phase::Repairing,
                Some(Reason::Verifying),
                "repaired; reading it back",
            );
            written.push(status::write(&self.api(&drift), &drift, &after).await?.unwrap_or(after));
        }
        Ok(written)
    }

    /// A repair is believed only after a new read shows it.
    async fn verify(
        &self,
        reader: &crate::aws::apigateway::client::Client,
        id: &EndpointId,
        drifts: &[Drift],
    ) -> Result<Action, Failure> {
        let depth = self.ctx.depth();
        let snapshot = match sweep::again(reader, id, depth, &self.ctx.exports).await {
            Ok(snapshot) => snapshot,
            Err(error) => return self.failed(drifts, &error).await,
        };
        let name = self.endpoint.name_any();
        self.ctx.inventory.keep(&name, snapshot.clone(), depth, self.ctx.now());
        let judgement = Case::new(self.ctx, self.account, self.endpoint).judge(&snapshot);
        let mut open = false;
        for drift in drifts {
            let identity = episode::Identity::of_drift(&drift.spec);
            let verdict = judgement
                .verdicts
                .iter()
                .find(|v| episode::Identity::of_verdict(v) == identity);
            match verdict.map(|v| &v.outcome) {
                Some(Outcome::Compliant) => {
                    let mut after = drift.clone();
                    let proof = Some(proof(drift, self.endpoint));
                    episode::resolve(
                        after.status.get_or_insert_default(),
                        Resolution::Repaired,
                        proof,
                        self.ctx.now(),
                    );
                    status::write(&self.api(drift), drift, &after).await?;
                }
                Some(Outcome::Violated(_)) => {
                    let why = "the repair was made, and a new read still shows the drift";
                    self.stand(drift, Phase::Failed, Reason::RepairFailed, why, Some(LOOK_AGAIN))
                        .await?;
                    open = true;
                }
                _ => open = true,
            }
        }
        self.ctx.wake.endpoint(&name); // its status still tells of before
        Ok(if open {
            Action::requeue(LOOK_AGAIN.min(VERIFY_WITHIN))
        } else {
            Action::await_change()
        })
    }

    /// Reads the endpoint again after somebody else wrote.
    async fn look_again(&self, reader: &crate::aws::apigateway::client::Client, id: &EndpointId) {
        let depth = self.ctx.depth();
        if let Ok(snapshot) = sweep::again(reader, id, depth, &self.ctx.exports).await {
            self.ctx
                .inventory
                .keep(&self.endpoint.name_any(), snapshot, depth, self.ctx.now());
        }
    }

    async fn hold(&self, drifts: &[Drift], held: &Held) -> Result<(), Failure> {
        let Some(drift) = drifts.iter().find(|d| d.uid().as_ref() == Some(&held.uid)) else {
            return Ok(());
        };
        let mut after = drift.clone();
        let status = after.status.get_or_insert_default();
        status.pending_edits = held
            .pending_edits
            .iter()
            .take(32)
            .map(|e| e.chars().take(512).collect())
            .collect();
        episode::stand(status, Phase::Waiting, Some(held.reason), &held.message);
        let closed = Said::new("Authorized", false, held.reason, held.message.clone());
        condition::set(&mut status.conditions, closed, None, self.ctx.now());
        status::write(&self.api(drift), drift, &after).await?;
        Ok(())
    }

    /// A failure of AWS: transient ones are tried again soon and stay what they were, settled ones are said.
    async fn failed(&self, drifts: &[Drift], error: &Error) -> Result<Action, Failure> {
        if error.class == Class::Fenced {
            return Ok(Action::requeue(Duration::from_secs(1)));
        }
        let mut soonest = LOOK_AGAIN;
        for drift in drifts {
            let attempts = drift.status.as_ref().map_or(0, |s| s.attempts);
            let after = retry_after(error, attempts);
            soonest = soonest.min(after);
            let begun = repairing(drift);
            let phase = match (error.class.is_transient(), begun) {
                (true, true) => Phase::Repairing,
                (true, false) => Phase::Waiting,
                (false, _) => Phase::Failed,
            };
            let reason = if phase == Phase::Failed {
                Reason::RepairFailed
            } else {
                sweeper::reason(error)
            };
            self.stand(drift, phase, reason, &sweeper::explain(error), Some(after))
                .await?;
        }
        Ok(Action::requeue(soonest))
    }

    async fn stand(
        &self,
        drift: &Drift,
        phase: Phase,
        reason: Reason,
        message: &str,
        again: Option<Duration>,
    ) -> Result<(), Failure> {
        let now = self.ctx.now();
        let mut after = drift.clone();
        let status = after.status.get_or_insert_default();
        episode::stand(status, phase, Some(reason), message);
        if phase == Phase::Failed {
            condition::set(
                &mut status.conditions,
                Said::new("Repaired", false, reason, message),
                None,
                now,
            );
        }
        status.next_attempt_at = again.and_then(|d| now.checked_add(d).ok()).map(Time);
        status::write(&self.api(drift), drift, &after).await?;
        Ok(())
    }

    fn api(&self, drift: &Drift) -> Api<Drift> {
        Api::namespaced(self.ctx.client.clone(), &drift.namespace().unwrap_or_default())
    }
}

fn repairing(drift: &Drift) -> bool {
    drift.status.as_ref().is_some_and(|s| s.phase == Phase::Repairing)
}

/// The part that a Drift has in a repair, if the plan that AWS needs now is the one that is persisted.
fn part(drift: &Drift, verdicts: &[Verdict], rest_api: &str) -> Option<Part> {
    let identity = episode::Identity::of_drift(&drift.spec);
    let verdict = verdicts.iter().find(|v| episode::Identity::of_verdict(v) == identity)?;
    let Outcome::Violated(violation) = &verdict.outcome else {
        return None;
    };
    let Remedy::Plan(found) = &violation.remedy else {
        return None;
    };
    let status = drift.status.as_ref()?;
    let calls = found.calls(rest_api);
    let same = plan::digest(&calls) == status.plan_digest;
    // An interrupted repair may have made a part of its calls already: less than what is persisted may be done.
    let rest = status.phase == Phase::Repairing && within(&calls, &status.plan);
    (same || rest).then(|| Part {
        uid: drift.uid().unwrap_or_default(),
        target: verdict.target,
        resource: verdict.resource.clone(),
        plan: found.clone(),
        redeploy: violation.redeploy,
        intent: status.intent.clone(),
    })
}

/// Whether every call, operation by operation, stands in a persisted plan.
fn within(calls: &[Call], persisted: &[Call]) -> bool {
    calls.iter().all(|call| {
        persisted.iter().any(|p| {
            p.operation == call.operation
                && p.parameters == call.parameters
                && call.patch_operations.iter().all(|o| p.patch_operations.contains(o))
        })
    })
}

/// How it is known that the repair is live.
pub fn proof(drift: &Drift, _: &AwsEndpoint) -> String {
    let intent = drift.status.as_ref().and_then(|s| s.intent.as_ref());
    match intent.and_then(|i| i.deployment_id.as_ref()) {
        Some(deployment) => {
            format!(
                "by deployment {deployment}, made after the repaired settings were read back, and by an export of the stage"
            )
        }
        None => "read back from AWS".to_owned(),
    }
}

/// Where the transaction persists its intents.
struct Book<'a> {
    ctx: &'a Context,
    drifts: Mutex<Vec<Drift>>,
}

impl Ledger for Book<'_> {
    async fn intend(&self, uids: &[String], intent: &Intent) -> bool {
        let mut drifts = self.drifts.lock().await;
        for drift in drifts
            .iter_mut()
            .filter(|d| d.uid().is_some_and(|uid| uids.contains(&uid)))
        {
            let api: Api<Drift> = Api::namespaced(self.ctx.client.clone(), &drift.namespace().unwrap_or_default());
            let mut after = drift.clone();
            after.status.get_or_insert_default().intent = Some(intent.clone());
            match status::write(&api, drift, &after).await {
                Ok(written) => *drift = written.unwrap_or(after),
                Err(error) => {
                    tracing::warn!(%error, drift = %drift.name_any(), "intent not persisted");
                    return false;
                }
            }
        }
        true
    }
}
