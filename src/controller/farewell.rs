//! What is owed when something goes while Plumbline is at work on it: an account, a policy, a grant.
//!
//! A repair under way is finished or taken back. Of an account whose object is gone the last that was seen of it serves
//! until its Drifts are over and told; then the lease is let go.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::runtime::controller::Action;

use crate::api::drift::{Drift, DriftStatus, Phase, Resolution};
use crate::api::{AwsAccount, Reason};
use crate::aws::apigateway::read::Depth;
use crate::aws::budget::Priority;
use crate::aws::{Class, Error};
use crate::controller::account::sweeper;
use crate::controller::context::Context;
use crate::controller::drift as drifts;
use crate::controller::endpoint::episode;
use crate::controller::kubernetes::{names, status};
use crate::controller::outcome::Failure;
use crate::inventory::sweep;
use crate::judge::cel::Document;
use crate::judge::snapshot::EndpointId;
use crate::record::Place;
use crate::repair::transaction::Transaction;
use crate::repair::withdraw::Withdrawn;

/// What could not be done is tried again after this.
const AGAIN: Duration = Duration::from_secs(5);

/// An account whose object is gone.
#[derive(Clone)]
pub struct Departed {
    /// As it was last seen.
    pub account: Arc<AwsAccount>,
    since: Instant,
}

impl Departed {
    /// Whether nothing is owed to its Drifts any more, done or not.
    pub fn is_long_gone(&self, ctx: &Context) -> bool {
        self.since.elapsed() >= ctx.spans.give_up_after.unsigned_abs()
    }

    /// Whether this controller was the one to act for it.
    pub fn was_mine(&self, ctx: &Context) -> bool {
        ctx.is_mine(&self.account)
    }
}

/// An account's object is gone, or held by a finalizer that is not Plumbline's.
pub fn depart(ctx: &Arc<Context>, account: &AwsAccount) {
    let id = account.spec.account_id.clone();
    sweeper::stop(ctx, &account.name_any());
    ctx.verified.forget(account);
    if ctx.account_of(&id).is_some() || ctx.foreign.has_account(&id) {
        return; // another object names the same account
    }
    let departed = Departed {
        account: Arc::new(account.clone()),
        since: Instant::now(),
    };
    ctx.departed
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(id.clone())
        .or_insert(departed);
    let ctx = ctx.clone();
    tokio::spawn(async move { let_go(&ctx, &id).await });
}

/// The account as it was last seen, if its object is gone.
pub fn departed(ctx: &Context, account_id: &str) -> Option<Departed> {
    ctx.departed
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(account_id)
        .cloned()
}

/// It is back.
pub fn returned(ctx: &Context, account_id: &str) {
    ctx.departed
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(account_id);
}

/// One look at a Drift whose account's object is gone: it ends, is told, and lets go.
pub async fn reconcile(
    drift: &Drift,
    departed: &Departed,
    place: &Place,
    ctx: &Arc<Context>,
) -> Result<Action, Failure> {
    let account = &departed.account;
    let owed = is_owed(drift) || !is_told(drift);
    if !departed.was_mine(ctx) || !ctx.leads(&place.account_id, owed) {
        return Ok(Action::await_change());
    }
    if drift.metadata.deletion_timestamp.is_some() {
        return drifts::release(drift, Some((account, place)), ctx).await;
    }
    let give_up = departed.is_long_gone(ctx);
    if episode::is_open(drift) {
        if episode::is_repairing(drift) {
            let desk = ctx.desk(&drift.spec.endpoint).await;
            let id = EndpointId {
                account_id: place.account_id.clone(),
                region: place.region.clone(),
                type_: place.endpoint_type,
                id: place.endpoint_id.clone(),
            };
            let (drift, result) = withdraw(ctx, account, &id, drift).await?;
            drop(desk);
            match result {
                Ok(withdrawn) => return drifts::end(&drift, Resolution::AccountRemoved, &withdrawn.said, ctx).await,
                Err(error) if give_up => {
                    let said = format!("{}; {error}", unfinished(drift.status.as_ref()));
                    return drifts::end(&drift, Resolution::AccountRemoved, &said, ctx).await;
                }
                Err(_) => return Ok(Action::requeue(AGAIN)),
            }
        }
        return drifts::end(drift, Resolution::AccountRemoved, "", ctx).await;
    }
    let told = drifts::told(drift, account, place, ctx).await?;
    if told.is_none() && !give_up {
        return Ok(Action::requeue(AGAIN));
    }
    drifts::unhold(told.as_ref().unwrap_or(drift), ctx).await?;
    let (ctx, id) = (ctx.clone(), place.account_id.clone());
    tokio::spawn(async move { let_go(&ctx, &id).await });
    Ok(Action::await_change())
}

/// Lets go of an account without an object once nothing is owed to its Drifts any more. Of one that was seen to go that is to
/// be ended and told; of one that went unseen, only to be ended.
pub async fn let_go(ctx: &Context, account_id: &str) {
    if ctx.account_of(account_id).is_some() || ctx.foreign.has_account(account_id) {
        return;
    }
    let departed = departed(ctx, account_id);
    let owed = |drift: &Drift| {
        let is_of_it = names::account(&drift.spec.endpoint) == Some(account_id);
        is_of_it && (is_owed(drift) || departed.is_some() && !is_told(drift))
    };
    let over = || ctx.stores.drifts.find(owed).is_none();
    let goes = match &departed {
        Some(departed) => departed.is_long_gone(ctx) || over(),
        None => ctx.leases.wants(account_id) && over(),
    };
    if !goes {
        return;
    }
    returned(ctx, account_id);
    ctx.inventory.forget_account(account_id);
    ctx.exports.forget_account(account_id);
    ctx.stream.trail.forget_account(account_id);
    ctx.sessions.forget(account_id);
    ctx.leases.as_ref().drop(account_id).await;
    if let Some(account) = ctx.account_of(account_id) {
        ctx.wake.account(&account.name_any()); // it came back meanwhile, and wants its lease
    }
}

/// Whether a Drift is still to be ended, or kept from going.
pub fn is_owed(drift: &Drift) -> bool {
    let goes = drift.metadata.deletion_timestamp.is_some();
    drift.is_held() || !goes && episode::is_open(drift)
}

/// Whether its end is recorded.
fn is_told(drift: &Drift) -> bool {
    let recorded = drift.status.as_ref().map(|status| &status.recorded);
    recorded.is_some_and(|all| all.iter().any(|transition| transition == "Resolved"))
}

/// Whether the end of a Drift cuts a repair short.
pub fn cuts_short(drift: &Drift, how: Resolution) -> bool {
    let lives = matches!(
        how,
        Resolution::PolicyDeleted | Resolution::AccountRemoved | Resolution::Exempted
    );
    lives && episode::is_repairing(drift)
}

/// Ends a Drift in the middle of its repair. What AWS does not answer now is tried again at the next look.
pub async fn wind_up(
    ctx: &Context,
    account: &AwsAccount,
    id: &EndpointId,
    drift: &Drift,
    how: Resolution,
) -> Result<(), Failure> {
    let _desk = ctx.desk(&drift.spec.endpoint).await;
    let (drift, result) = withdraw(ctx, account, id, drift).await?;
    match result {
        Ok(withdrawn) => drifts::end(&drift, how, &withdrawn.said, ctx).await.map(|_| ()),
        Err(error) => {
            tracing::warn!(drift = %drift.name_any(), %error, "a repair is not taken back yet");
            Ok(())
        }
    }
}

/// Says what is about to happen, which also proves that this is the newest of the Drift, and does it.
async fn withdraw(
    ctx: &Context,
    account: &AwsAccount,
    id: &EndpointId,
    drift: &Drift,
) -> Result<(Drift, Result<Withdrawn, Error>), Failure> {
    let mut after = drift.clone();
    let said = "what asked for the repair is gone: finishing it or taking it back";
    let status = after.status.get_or_insert_default();
    episode::stand(status, Phase::Repairing, Some(Reason::Repairing), said);
    status.next_attempt_at = None;
    let drift = status::write(ctx, drift, &after).await?.unwrap_or(after);
    let session = ctx.sessions.of(&account.spec);
    let reader = session.observer(&id.region).at(Priority::Repair);
    let writer = session.repairer(&id.region).at(Priority::Repair);
    let transaction = Transaction {
        reader: &reader,
        writer: &writer,
        endpoint: id,
        exports: &ctx.exports,
        baseline: None,
    };
    let result = async {
        let snapshot = match sweep::again(&reader, id, Depth::Resources, &ctx.exports).await {
            Err(error) if error.class == Class::NotFound => {
                return Ok(Withdrawn {
                    whole: true,
                    said: "the endpoint is gone".into(),
                });
            }
            read => read?,
        };
        let found =
            |r: &&crate::judge::snapshot::Resource| r.target == drift.spec.target && r.key == drift.spec.resource;
        let draft = snapshot.resources.iter().find(found).and_then(|r| r.draft.as_ref());
        transaction.withdraw(&drift, draft.map(Document::json)).await
    };
    let result = result.await;
    Ok((drift, result))
}

/// The step at which a repair stopped, for whoever must look after it.
pub fn unfinished(status: Option<&DriftStatus>) -> String {
    let Some(status) = status else {
        return "nothing was begun".into();
    };
    let names = |intent: &crate::api::drift::Intent| intent.stages.keys().cloned().collect::<Vec<_>>().join(", ");
    match &status.intent {
        None => {
            let calls: Vec<&str> = status
                .plan
                .iter()
                .filter(|c| !c.patch_operations.is_empty() && c.operation != "CreateDeployment")
                .map(|c| c.operation.as_str())
                .collect();
            format!(
                "left unfinished: the calls of the plan ({}) may have been made in part, and nothing was deployed",
                calls.join(", ")
            )
        }
        Some(intent) => match &intent.deployment_id {
            None => format!(
                "left unfinished: the patches were made; a deployment described as `{}` may have been made, and {} may serve it",
                intent.description,
                names(intent)
            ),
            Some(deployment) => format!(
                "left unfinished: deployment {deployment} was made for {}; that callers meet it was not verified",
                names(intent)
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::drift::{Call, Intent};

    #[test]
    fn the_step_at_which_a_repair_stopped_is_told() {
        let intent = |deployment: Option<&str>| Intent {
            description: "Plumbline repair 0a of drifts 1".into(),
            plan_digest: "d".into(),
            stages: [("prod".to_owned(), "old".to_owned())].into(),
            deployment_id: deployment.map(str::to_owned),
        };
        let status = |intent: Option<Intent>| DriftStatus {
            plan: vec![Call {
                operation: "UpdateIntegration".into(),
                parameters: std::collections::BTreeMap::new(),
                patch_operations: vec![crate::api::drift::PatchOperation {
                    op: "replace".into(),
                    path: "/uri".into(),
                    value: None,
                }],
            }],
            intent,
            ..DriftStatus::default()
        };
        for (status, words, why) in [
            (
                status(None),
                &["UpdateIntegration", "nothing was deployed"][..],
                "patches alone",
            ),
            (
                status(Some(intent(None))),
                &["Plumbline repair 0a of drifts 1", "may have been made", "prod"],
                "how the deployment is found",
            ),
            (
                status(Some(intent(Some("d1")))),
                &["d1", "not verified"],
                "which one it is",
            ),
        ] {
            let told = unfinished(Some(&status));
            for word in words {
                assert!(told.contains(word), "{why}: {told}");
            }
        }
    }
}
