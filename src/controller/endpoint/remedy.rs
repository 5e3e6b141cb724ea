//! The repairs of one endpoint: which Drifts are ready, one transaction for all of them, and what it came to.

pub mod admission;
pub mod begin;
mod part;
mod verify;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use tokio::sync::Mutex;

use super::Kept;
use super::case::Case;
use super::episode;
use crate::api::condition::{self, Said};
use crate::api::drift::{Drift, Intent, Phase};
use crate::api::{AwsAccount, AwsEndpoint, Reason, Status};
use crate::aws::apigateway::Client;
use crate::aws::budget::Priority;
use crate::aws::{Class, Error};
use crate::controller::account::sweeper;
use crate::controller::context::Context;
use crate::controller::kubernetes::status;
use crate::controller::outcome::Failure;
use crate::controller::stream::baseline;
use crate::inventory::{Hand, sweep};
use crate::judge::Snapshot;
use crate::judge::plan;
use crate::judge::snapshot::EndpointId;
use crate::repair::gate::{self, Gate};
use crate::repair::revert;
use crate::repair::transaction::{End, Held, Ledger, Looked, Part, Transaction, retry_after};

use part::{has_part, part, publishes};

/// A Drift that waits for something on AWS is looked at again when a sweep finds news, and otherwise this often.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What a Drift says whose plan does not fit any more.
const OTHERWISE: &str = "AWS needs other calls now than those that were planned: planning anew";

/// Whether a repair may begin or go on now, or a person is asked about one.
pub fn is_due(ctx: &Context, account: &AwsAccount, endpoint: &AwsEndpoint, kept: &[Kept]) -> bool {
    let asked = || told(account, kept).any(asks) && ctx.looks.is_due(&endpoint.name_any(), LOOK_AGAIN);
    !due(ctx, account, kept).is_empty() || asked()
}

/// Repairs what may be repaired; gives when to look again, if nothing else happens.
pub async fn repair(
    ctx: &Arc<Context>,
    account: &AwsAccount,
    endpoint: &AwsEndpoint,
    kept: &[Kept],
) -> Result<Next, Failure> {
    let (now, audit) = (ctx.now(), account.spec.audit.is_some());
    let due = due(ctx, account, kept);
    let asking: Vec<&Kept> = told(account, kept).filter(|k| asks(k)).collect();
    // All drifts of an endpoint share a deployment: those that were found with these are waited for.
    let others = kept.iter().filter(|k| k.asked.gate == Gate::Open);
    let mut others = others.filter_map(|k| k.drift.status.as_ref());
    if !due.is_empty() && others.any(|status| episode::soon_told(status, audit, now)) {
        return Ok(Some(Duration::from_secs(1)));
    }
    let round = Round { ctx, account, endpoint };
    if kept.iter().any(verify::awaited) {
        // Until it shows it looks like somebody's draft: nothing else is begun.
        round
            .read_back(due.into_iter().filter(|k| verify::awaited(k)).collect())
            .await
    } else if !due.is_empty() {
        round.run(due).await
    } else if !asking.is_empty() && ctx.looks.due(&endpoint.name_any(), LOOK_AGAIN) {
        round.show(asking).await
    } else {
        Ok(None)
    }
}

/// Drifts that everybody knows of who must know before AWS is written.
fn told<'a>(account: &AwsAccount, kept: &'a [Kept]) -> impl Iterator<Item = &'a Kept> + use<'a> {
    let audit = account.spec.audit.is_some();
    let is_told = move |k: &&Kept| k.drift.status.as_ref().is_some_and(|s| episode::told(s, audit));
    kept.iter().filter(is_told)
}

/// Those of them whose repair may begin or go on now.
fn due<'a>(ctx: &Context, account: &AwsAccount, kept: &'a [Kept]) -> Vec<&'a Kept> {
    let now = ctx.now();
    let open = told(account, kept).filter(|k| k.asked.gate == Gate::Open);
    open.filter(|k| next_attempt(k).is_none_or(|at| at <= now) || begin::has_room(ctx, &k.drift, &k.policy.limits))
        .collect()
}

/// When the next of them goes on by itself.
pub fn goes_on(ctx: &Context, kept: &[Kept]) -> Next {
    let now = ctx.now();
    let next = kept.iter().filter_map(goes_on_at).filter(|at| *at > now).min();
    next.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

/// When the endpoint is to be looked at again, if nothing else happens.
pub type Next = Option<Duration>;

fn next_attempt(kept: &Kept) -> Option<Timestamp> {
    Some(kept.drift.status.as_ref()?.next_attempt_at.as_ref()?.0)
}

/// Whether a person is asked about a deployment: then the question says what it would publish.
fn asks(kept: &Kept) -> bool {
    matches!(&kept.asked.gate, Gate::Wait(wait) if gate::asks_a_person(wait.reason))
        && episode::deploys(&kept.violation)
}

/// When a Drift that waits goes on by itself.
fn goes_on_at(kept: &Kept) -> Option<Timestamp> {
    match &kept.asked.gate {
        Gate::Wait(wait) => wait.until,
        Gate::Open => next_attempt(kept),
        Gate::Audit(..) => None,
    }
}

/// One round of repairs.
struct Round<'a> {
    ctx: &'a Arc<Context>,
    account: &'a AwsAccount,
    endpoint: &'a AwsEndpoint,
}

impl Round<'_> {
    async fn run(&self, candidates: Vec<&Kept>) -> Result<Next, Failure> {
        let _desk = self.ctx.desk(&self.endpoint.name_any()).await;
        let session = self.ctx.sessions.of(&self.account.spec);
        let reader = session.observer(&self.endpoint.spec.region).at(Priority::Repair);
        let writer = session.repairer(&self.endpoint.spec.region).at(Priority::Repair);
        let id = EndpointId::from(&self.endpoint.spec);
        let drifts: Vec<Drift> = candidates.iter().map(|k| k.drift.clone()).collect();
        let (snapshot, parts) = match self.fresh(&reader, &id, &candidates).await {
            Ok(fresh) => fresh,
            Err(error) => return self.failed(&drifts, &error).await,
        };
        for drift in drifts
            .iter()
            .filter(|d| episode::is_repairing(d) && !has_part(&parts, d))
        {
            self.stand(drift, Phase::Waiting, Reason::Overtaken, OTHERWISE, None)
                .await?;
        }
        if parts.is_empty() {
            return Ok(Some(Duration::from_secs(1)));
        }
        let transaction = Transaction {
            reader: &reader,
            writer: &writer,
            endpoint: &id,
            exports: &self.ctx.exports,
            baseline: self.endpoint.status.as_ref().and_then(|s| s.baseline.as_ref()),
        };
        let looked = match transaction.look(&snapshot, parts).await {
            Ok(looked) => looked,
            Err(error) => return self.failed(&drifts, &error).await,
        };
        for held in &looked.held {
            self.hold(&drifts, held).await?;
        }
        baseline::propose(self.ctx, self.endpoint, &looked).await;
        let ready: Vec<&Kept> = candidates
            .into_iter()
            .filter(|k| has_part(&looked.ready, &k.drift))
            .collect();
        if ready.is_empty() {
            return Ok(Some(LOOK_AGAIN));
        }
        if self.beyond_limits(&ready).await? {
            // Those that may begin are looked at by themselves: the others' drafts are not this repair's own.
            return Ok(Some(Duration::from_millis(200)));
        }
        self.count(&ready, looked.expected(&id)).await?;
        let mut begun = Vec::new();
        for kept in ready {
            begun.push(self.begin(kept).await?);
        }
        self.carry_out(&transaction, &looked, begun, &reader, &id).await
    }

    /// Looks at what a deployment would publish, so that whoever is asked knows it. Nothing is repaired.
    async fn show(&self, asking: Vec<&Kept>) -> Result<Next, Failure> {
        let session = self.ctx.sessions.of(&self.account.spec);
        let reader = session.observer(&self.endpoint.spec.region).at(Priority::Hint);
        let id = EndpointId::from(&self.endpoint.spec);
        let Ok((snapshot, parts)) = self.fresh(&reader, &id, &asking).await else {
            return Ok(Some(LOOK_AGAIN)); // what cannot be read now is said by the sweep
        };
        let transaction = Transaction {
            reader: &reader,
            writer: &reader, // whoever observes never writes
            endpoint: &id,
            exports: &self.ctx.exports,
            baseline: self.endpoint.status.as_ref().and_then(|s| s.baseline.as_ref()),
        };
        let Ok(looked) = transaction.look(&snapshot, parts).await else {
            return Ok(Some(LOOK_AGAIN));
        };
        for kept in asking {
            let held = looked.held.iter().find(|h| Some(&h.uid) == kept.drift.uid().as_ref());
            let edits = held.map(|h| h.pending_edits.clone()).unwrap_or_default();
            if held.is_some() || has_part(&looked.ready, &kept.drift) {
                let mut after = kept.drift.clone();
                publishes(after.status.get_or_insert_default(), edits, &id.id, &kept.violation);
                status::write(self.ctx, &kept.drift, &after).await?;
            }
        }
        Ok(Some(LOOK_AGAIN))
    }

    async fn carry_out(
        &self,
        transaction: &Transaction<'_>,
        looked: &Looked,
        begun: Vec<Drift>,
        reader: &Client,
        id: &EndpointId,
    ) -> Result<Next, Failure> {
        let book = Book {
            ctx: self.ctx,
            drifts: Mutex::new(begun),
        };
        let end = transaction.run(looked, &book).await;
        let drifts = book.drifts.into_inner();
        match end {
            End::Applied { deployment } => {
                if let (Some(deployment), Some(digest)) = (&deployment, looked.expected(id)) {
                    baseline::proved(self.ctx, self.endpoint, deployment, &digest).await;
                }
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
                Ok(Some(Duration::from_secs(1)))
            }
            End::Collided(why) => {
                for drift in &drifts {
                    self.stand(
                        drift,
                        Phase::Failed,
                        Reason::Overtaken,
                        &why,
                        Some(Duration::from_mins(5)),
                    )
                    .await?;
                }
                Ok(Some(Duration::from_mins(5)))
            }
            End::Failed(error) => self.failed(&drifts, &error).await,
            End::NotPersisted => Ok(Some(Duration::from_secs(1))),
        }
    }

    /// Plans freshly made from a fresh read, and that read. A plan that is another one than the persisted goes back to the Drift
    /// first, and so does everything when the endpoint has changed since it was judged: it has not settled.
    async fn fresh(
        &self,
        reader: &Client,
        id: &EndpointId,
        candidates: &[&Kept],
    ) -> Result<(Arc<Snapshot>, Vec<Part>), Error> {
        let depth = self.ctx.depth();
        let begun = Instant::now();
        let snapshot = sweep::again(reader, id, depth, &self.ctx.exports).await?;
        let name = self.endpoint.name_any();
        let inventory = &self.ctx.inventory;
        if inventory.keep(&name, &snapshot, depth, Hand::Anybody, begun, self.ctx.now()) {
            self.ctx.wake.endpoint(&name);
            if !candidates.iter().any(|k| episode::is_repairing(&k.drift)) {
                return Ok((snapshot, vec![]));
            }
        }
        let judgement = Case::new(self.ctx, self.account, self.endpoint).judge(&snapshot);
        let planned = candidates.iter();
        let parts = planned
            .filter_map(|kept| part(kept, &judgement.verdicts, &id.id))
            .collect();
        Ok((snapshot, parts))
    }

    async fn applied(&self, drifts: Vec<Drift>, deployment: Option<&str>) -> Result<Vec<Drift>, Failure> {
        let mut written = Vec::new();
        for drift in drifts {
            let mut after = drift.clone();
            let status = after.status.get_or_insert_default();
            if let (Some(intent), Some(deployment)) = (&mut status.intent, deployment) {
                intent.deployment_id = Some(deployment.to_owned());
            }
            status.inverse = revert::calls(&status.inverse, &self.endpoint.spec.id, status.intent.as_ref());
            if status.irreversible.is_empty() {
                status.inverse_digest = plan::digest(&status.inverse);
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
            written.push(status::write(self.ctx, &drift, &after).await?.unwrap_or(after));
        }
        Ok(written)
    }

    /// Reads the endpoint again after somebody else wrote.
    async fn look_again(&self, reader: &Client, id: &EndpointId) {
        let depth = self.ctx.depth();
        let begun = Instant::now();
        if let Ok(snapshot) = sweep::again(reader, id, depth, &self.ctx.exports).await {
            self.ctx.inventory.keep(
                &self.endpoint.name_any(),
                &snapshot,
                depth,
                Hand::Anybody,
                begun,
                self.ctx.now(),
            );
        }
    }

    async fn hold(&self, drifts: &[Drift], held: &Held) -> Result<(), Failure> {
        let Some(drift) = drifts.iter().find(|d| d.uid().as_ref() == Some(&held.uid)) else {
            return Ok(());
        };
        let mut after = drift.clone();
        let status = after.status.get_or_insert_default();
        status.pending_edits.clone_from(&held.pending_edits);
        status.plan_digest = plan::decided(&held.calls, &status.pending_edits, &status.deploys_with);
        episode::stand(status, Phase::Waiting, Some(held.reason), &held.message);
        let closed = Said::new("Authorized", false, held.reason, held.message.clone());
        condition::set(&mut status.conditions, closed, None, self.ctx.now());
        status::write(self.ctx, drift, &after).await?;
        Ok(())
    }

    /// A Drift that waits until a moment.
    async fn wait(&self, drift: &Drift, reason: Reason, message: &str, until: Timestamp) -> Result<(), Failure> {
        let mut after = drift.clone();
        let status = after.status.get_or_insert_default();
        episode::stand(status, Phase::Waiting, Some(reason), message);
        let closed = Said::new("Authorized", false, reason, message);
        condition::set(&mut status.conditions, closed, None, self.ctx.now());
        status.next_attempt_at = Some(Time(until));
        status::write(self.ctx, drift, &after).await?;
        Ok(())
    }

    /// A failure of AWS: transient ones are tried again soon and stay what they were, settled ones are said.
    async fn failed(&self, drifts: &[Drift], error: &Error) -> Result<Next, Failure> {
        if error.class == Class::Fenced {
            return Ok(Some(Duration::from_secs(1)));
        }
        let mut soonest = LOOK_AGAIN;
        for drift in drifts {
            let attempts = drift.status.as_ref().map_or(0, |s| s.attempts);
            let after = retry_after(error, attempts);
            soonest = soonest.min(after);
            let begun = episode::is_repairing(drift);
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
        Ok(Some(soonest))
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
        status::write(self.ctx, drift, &after).await?;
        Ok(())
    }
}

/// How it is known that the repair is live.
pub fn proof(drift: &Drift) -> String {
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
    async fn intend(&self, uids: &[String], intent: Option<&Intent>) -> bool {
        let mut drifts = self.drifts.lock().await;
        for drift in drifts
            .iter_mut()
            .filter(|d| d.uid().is_some_and(|uid| uids.contains(&uid)))
        {
            let mut after = drift.clone();
            after.status.get_or_insert_default().intent = intent.cloned();
            match status::write(self.ctx, drift, &after).await {
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
