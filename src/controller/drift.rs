//! A Drift: recorded and told (`tell`), and at last retired. What happens to it on AWS is the endpoint's affair.

pub mod retention;
pub mod taken;
mod tell;

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;

use crate::api::drift::{Drift, FINALIZER, Resolution};
use crate::api::policy::EndpointType;
use crate::api::{AwsAccount, Reason};
use crate::controller::context::Context;
use crate::controller::endpoint::episode;
use crate::controller::farewell;
use crate::controller::kubernetes::{names, status};
use crate::controller::outcome::Failure;
use crate::record::{Place, Transition};

use retention::{Fate, Over};
pub use tell::told;
use tell::{Recorded, event, notify, record};

/// What a sink did not take is offered again after this.
const OFFER_AGAIN: Duration = Duration::from_secs(10);

/// A deleted Drift that is held is looked at again this often.
const HELD: Duration = Duration::from_secs(5);

/// One look at a Drift.
pub async fn reconcile(drift: Arc<Drift>, ctx: Arc<Context>) -> Result<Action, Failure> {
    let Some(place) = place(&drift, &ctx) else {
        // A kind of endpoint that this version does not know.
        return if drift.metadata.deletion_timestamp.is_some() {
            release(&drift, None, &ctx).await
        } else {
            Ok(Action::await_change())
        };
    };
    let Some(account) = ctx.account_of(&place.account_id) else {
        return without_account(&drift, &place, &ctx).await;
    };
    let goes = drift.metadata.deletion_timestamp.is_some();
    if !ctx.is_mine(&account) || !ctx.leads(&place.account_id, goes && drift.is_held()) {
        return Ok(Action::await_change());
    }
    if goes {
        return release(&drift, Some((&account, &place)), &ctx).await;
    }
    if drift.status.as_ref().is_none_or(|s| s.detected_at.is_none()) {
        return Ok(Action::await_change()); // the endpoint's reconciler describes it first
    }
    if let Some(how) = bereft(&drift, &account, &ctx) {
        return end(&drift, how, "", &ctx).await;
    }
    match told(&drift, &account, &place, &ctx).await? {
        None => Ok(Action::requeue(OFFER_AGAIN)),
        Some(current) => retire(&current, &account, &ctx).await,
    }
}

/// Where the endpoint stands. Its object may be gone: the name tells as much.
fn place(drift: &Drift, ctx: &Context) -> Option<Place> {
    if let Some(endpoint) = ctx.stores.endpoints.get(&ObjectRef::new(&drift.spec.endpoint)) {
        let spec = &endpoint.spec;
        return Some(Place {
            account_id: spec.account_id.clone(),
            region: spec.region.clone(),
            endpoint_type: spec.type_,
            endpoint_id: spec.id.clone(),
        });
    }
    let account_id = names::account(&drift.spec.endpoint)?;
    let rest = &drift.spec.endpoint[account_id.len() + 1..];
    [EndpointType::RestApi, EndpointType::DomainName]
        .into_iter()
        .find_map(|endpoint_type| {
            let (region, id) = rest.split_once(&format!("-{}-", endpoint_type.short()))?;
            Some(Place {
                account_id: account_id.to_owned(),
                region: region.to_owned(),
                endpoint_type,
                endpoint_id: id.to_owned(),
            })
        })
}

/// No account object names the Drift's account.
async fn without_account(drift: &Drift, place: &Place, ctx: &Arc<Context>) -> Result<Action, Failure> {
    if ctx.foreign.has_account(&place.account_id) {
        return Ok(Action::await_change());
    }
    match farewell::departed(ctx, &place.account_id) {
        Some(departed) if departed.was_mine(ctx) || !departed.is_long_gone(ctx) => {
            farewell::reconcile(drift, &departed, place, ctx).await
        }
        _ => orphan(drift, place, ctx).await,
    }
}

/// The account went unseen: nothing is known of it, so nothing can be done on AWS, and the Drift ends here. Whoever leads it
/// may have seen it go, and be at work on this very Drift: only a leader ends it.
async fn orphan(drift: &Drift, place: &Place, ctx: &Context) -> Result<Action, Failure> {
    let id = &place.account_id;
    if farewell::is_owed(drift) {
        if !ctx.leads(id, true) {
            return Ok(Action::await_change()); // who begins to lead looks at all Drifts
        }
        if drift.metadata.deletion_timestamp.is_some() {
            release(drift, None, ctx).await?;
        } else if episode::is_open(drift) {
            let said = if episode::is_repairing(drift) {
                farewell::unfinished(drift.status.as_ref())
            } else {
                String::new()
            };
            return end(drift, Resolution::AccountRemoved, &said, ctx).await;
        } else {
            unhold(drift, ctx).await?;
        }
    }
    farewell::let_go(ctx, id).await;
    Ok(Action::await_change())
}

/// The policy is gone, or its account's grant: told at once, without waiting for the endpoint to be read.
fn bereft(drift: &Drift, account: &AwsAccount, ctx: &Context) -> Option<Resolution> {
    // In the middle of a repair the endpoint's reconciler finishes it or takes it back first.
    let under_way = episode::is_repairing(drift) && drift.spec.reverts.is_none();
    if !episode::is_open(drift) || under_way || ctx.foreign.has_policy(&drift.spec.policy_uid) {
        return None;
    }
    let policy = ctx
        .stores
        .policies
        .find(|p| p.uid().as_ref() == Some(&drift.spec.policy_uid));
    if policy.is_none_or(|p| p.metadata.deletion_timestamp.is_some()) {
        return Some(Resolution::PolicyDeleted);
    }
    let labels = ctx.namespace_labels(&drift.namespace().unwrap_or_default());
    (!crate::judge::select::grants_anything(&account.spec, &labels)).then_some(Resolution::AccountRemoved)
}

/// Ends a Drift. `said` is added to the sentence of its end.
pub async fn end(drift: &Drift, how: Resolution, said: &str, ctx: &Context) -> Result<Action, Failure> {
    let mut after = drift.clone();
    let status = after.status.get_or_insert_default();
    episode::resolve(status, how, None, ctx.now());
    if !said.is_empty() {
        status.message = format!("{}; {said}", status.message);
    }
    status::write(ctx, drift, &after).await?;
    Ok(Action::await_change())
}

/// A Drift that somebody deletes: held only while AWS is being written or its end is untold, and not for ever.
pub async fn release(drift: &Drift, whose: Option<(&AwsAccount, &Place)>, ctx: &Context) -> Result<Action, Failure> {
    let mut drift = drift.clone();
    if let Some((account, place)) = whose {
        let now = ctx.now();
        let held = now.duration_since(drift.metadata.deletion_timestamp.as_ref().map_or(now, |t| t.0));
        let patience = ctx.spans.give_up_after;
        if episode::is_repairing(&drift) {
            if held < patience {
                let left = Duration::try_from(patience - held).unwrap_or(HELD);
                return Ok(Action::requeue(left.min(HELD)));
            }
            let noted = abandon(&drift, account, place, ctx).await;
            if !noted && held < patience * 2 {
                return Ok(Action::requeue(OFFER_AGAIN));
            }
        } else {
            match told(&drift, account, place, ctx).await? {
                Some(current) => drift = current,
                None if held < patience => return Ok(Action::requeue(OFFER_AGAIN)),
                None => {}
            }
        }
    }
    ctx.taken.forget(&drift.uid().unwrap_or_default());
    unhold(&drift, ctx).await?;
    Ok(Action::await_change())
}

/// The repair of a deleted Drift is given up: the sinks get the step at which it stopped. False: some did not take it.
async fn abandon(drift: &Drift, account: &AwsAccount, place: &Place, ctx: &Context) -> bool {
    let mut last = drift.clone();
    let status = last.status.get_or_insert_default();
    let said = farewell::unfinished(Some(status));
    tracing::warn!(drift = %drift.name_any(), said, "the repair of a deleted Drift is given up");
    status.reason = Some(Reason::Abandoned);
    status.message = said;
    // Not written into the Drift: it goes now.
    match record(&last, Transition::Abandoned, account, place, ctx).await {
        Recorded::Done(key) => last.status.get_or_insert_default().audit_key = key,
        Recorded::NotYet => return false,
        Recorded::Failed(why) => {
            tracing::warn!(why, "not recorded");
            return false;
        }
    }
    event(ctx, &last, Transition::Abandoned).await;
    let notified = notify(&mut last, Transition::Abandoned, account, place, ctx).await;
    notified.inspect_err(|why| tracing::warn!(why, "not notified")).is_ok()
}

/// Lets go of a Drift.
pub async fn unhold(drift: &Drift, ctx: &Context) -> Result<(), Failure> {
    if !drift.is_held() {
        return Ok(());
    }
    let others: Vec<String> = drift.finalizers().iter().filter(|f| *f != FINALIZER).cloned().collect();
    match status::finalize(ctx, drift, &others).await {
        Ok(_) | Err(status::Error::Gone) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A Drift that is over and told lets go of its finalizer, and goes itself once it was kept long enough.
async fn retire(drift: &Drift, account: &AwsAccount, ctx: &Context) -> Result<Action, Failure> {
    if episode::is_open(drift) {
        return Ok(Action::await_change());
    }
    unhold(drift, ctx).await?;
    let resolved = |d: &Drift| d.status.as_ref().and_then(|s| s.resolved_at.as_ref()).map(|t| t.0);
    let Some(at) = resolved(drift) else {
        return Ok(Action::await_change());
    };
    let newer = |d: &Drift| d.spec.policy_uid == drift.spec.policy_uid && resolved(d).is_some_and(|other| other > at);
    let over = Over {
        resolved: at,
        told: true, // or it would not be here
        audited: account.spec.audit.is_some(),
        newer: if ctx.now().duration_since(at) < retention::LEAST {
            0
        } else {
            ctx.stores.drifts.state_filter(newer).len()
        },
    };
    match retention::fate(&over, ctx.spans.ttl_after_resolved, ctx.now()) {
        Fate::Stays => Ok(Action::await_change()),
        Fate::Until(then) => Ok(Action::requeue(then)),
        Fate::Goes => {
            status::delete(ctx, drift).await?;
            Ok(Action::await_change())
        }
    }
}
