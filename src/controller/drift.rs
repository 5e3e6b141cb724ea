//! A Drift: recorded, told, and at last retired. What happens to it on AWS is the endpoint's affair.

pub mod retention;
pub mod taken;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::runtime::reflector::ObjectRef;

use crate::api::condition::{self, Said};
use crate::api::drift::{Drift, DriftStatus, FINALIZER, Notice, Phase, Resolution};
use crate::api::policy::EndpointType;
use crate::api::{AwsAccount, Reason, Status};
use crate::controller::context::Context;
use crate::controller::endpoint::episode;
use crate::controller::farewell;
use crate::controller::kubernetes::{names, status};
use crate::controller::outcome::Failure;
use crate::record::{AuditBucket, Entry, Place, RecordError, TopicKind, Topics, Transition, whole_needed};

use retention::{Fate, Over};

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
    if drift.metadata.deletion_timestamp.is_some() && drift.is_held() && ctx.is_mine(&account) {
        ctx.leases.ensure(&place.account_id); // also where its credentials never were any good: it is not held for ever
    }
    if !ctx.acts_for(&account) {
        return Ok(Action::await_change());
    }
    if drift.metadata.deletion_timestamp.is_some() {
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
        ctx.leases.ensure(id);
        if !ctx.leases.is_leader(id) {
            return Ok(Action::await_change()); // who begins to lead looks at all Drifts
        }
        if drift.metadata.deletion_timestamp.is_some() {
            release(drift, None, ctx).await?;
        } else if episode::is_open(drift) {
            let said = if farewell::repairing(drift) {
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
    let under_way = farewell::repairing(drift) && drift.spec.reverts.is_none();
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
        if farewell::repairing(&drift) {
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

/// The transitions that are to be told, in their order.
fn due(status: &DriftStatus) -> Vec<Transition> {
    let mut due = vec![Transition::Detected];
    match status.phase {
        Phase::Waiting if status.reason.is_some_and(concerns_people) => due.push(Transition::Waiting),
        Phase::Failed => due.push(Transition::Failed),
        Phase::Resolved => due.push(Transition::Resolved),
        // Whoever lets repairs start by messages needs one of the plan as it stands.
        Phase::Waiting if status.reason == Some(Reason::AwaitingMessage) && !is_announced(status) => {
            due.push(Transition::Planned);
        }
        Phase::Detected | Phase::Waiting | Phase::Repairing => {}
    }
    due
}

/// Whether machines were told of the plan as it stands.
fn is_announced(status: &DriftStatus) -> bool {
    let machines = TopicKind::Machines.as_str();
    let mut told = status.notified.iter();
    told.any(|n| n.topic == machines && n.plan_digest == status.plan_digest)
}

/// Whether what a Drift waits for is news for people: what goes on by itself is not.
fn concerns_people(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::RecordFailed
            | Reason::NotifyFailed
            | Reason::Settling
            | Reason::OutsideWindow
            | Reason::LimitReached
            | Reason::Suspended
            | Reason::Overtaken
            | Reason::Throttled
            | Reason::Unavailable
            | Reason::AwaitingMessage
    )
}

/// Offers what is due to every sink and writes down who has it. None: some sink does not have everything yet.
pub async fn told(drift: &Drift, account: &AwsAccount, place: &Place, ctx: &Context) -> Result<Option<Drift>, Failure> {
    let told = tell(drift, account, place, ctx).await;
    let written = status::write(ctx, drift, &told.drift).await?;
    for transition in &told.events {
        event(ctx, &told.drift, *transition).await;
    }
    Ok((!told.incomplete).then(|| written.unwrap_or(told.drift)))
}

/// What telling came to.
struct Told {
    drift: Drift,
    incomplete: bool,
    events: Vec<Transition>,
}

/// Offers every transition that is due to the audit bucket first, then to the topics.
async fn tell(drift: &Drift, account: &AwsAccount, place: &Place, ctx: &Context) -> Told {
    let mut told = Told {
        drift: drift.clone(),
        incomplete: false,
        events: vec![],
    };
    let Some(before) = &drift.status else { return told };
    ctx.taken.seen(&drift.uid().unwrap_or_default(), &before.notified);
    for transition in due(before) {
        let status = told.drift.status.get_or_insert_default();
        let name = transition.as_str();
        // That a plan is another one stands in the Drift; its calls are recorded when they are made.
        let recorded = transition == Transition::Planned || status.recorded.iter().any(|r| r == name);
        if !recorded {
            match record(&told.drift, transition, account, place, ctx).await {
                Recorded::Done(key) => {
                    let status = told.drift.status.get_or_insert_default();
                    status.audit_key = key.or(status.audit_key.take());
                    status.recorded.push(name.to_owned());
                    told.events.push(transition);
                }
                Recorded::NotYet => {
                    told.incomplete = true;
                    return told;
                }
                Recorded::Failed(why) => {
                    trouble(&mut told.drift, "Recorded", Reason::RecordFailed, &why, ctx.now());
                    told.incomplete = true;
                    return told;
                }
            }
        }
        if let Err(why) = notify(&mut told.drift, transition, account, place, ctx).await {
            trouble(&mut told.drift, "Notified", Reason::NotifyFailed, &why, ctx.now());
            told.incomplete = true;
            return told;
        }
    }
    settled(&mut told.drift, account, ctx.now());
    told
}

/// What the audit bucket said.
enum Recorded {
    Done(Option<String>),
    /// The whole of what the Drift shows cut is not at hand yet.
    NotYet,
    Failed(String),
}

async fn record(drift: &Drift, transition: Transition, account: &AwsAccount, place: &Place, ctx: &Context) -> Recorded {
    let Some(audit) = &account.spec.audit else {
        return Recorded::Done(None);
    };
    let uid = drift.uid().unwrap_or_default();
    let whole = ctx
        .wholes
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&uid)
        .cloned();
    if transition == Transition::Detected && whole.is_none() && whole_needed(drift) {
        ctx.wake.endpoint(&drift.spec.endpoint);
        return Recorded::NotYet;
    }
    let region = account.spec.regions.first().cloned().unwrap_or_default();
    let bucket = AuditBucket::of(&ctx.sessions.of(&account.spec).outbound(&region), audit, &region);
    let written = async {
        bucket
            .write(&Entry::new(drift, transition, place, whole.as_ref())?)
            .await
    };
    match written.await {
        Ok(key) => Recorded::Done(Some(key)),
        Err(error) => Recorded::Failed(error.to_string()),
    }
}

async fn notify(
    drift: &mut Drift,
    transition: Transition,
    account: &AwsAccount,
    place: &Place,
    ctx: &Context,
) -> Result<(), String> {
    let region = account.spec.regions.first().cloned().unwrap_or_default();
    let config = ctx.sessions.of(&account.spec).outbound(&region);
    let topics = Topics::new(&config, &account.spec.notify).map_err(|error| error.to_string())?;
    let uid = drift.uid().unwrap_or_default();
    let digest = drift.status.as_ref().map(|s| s.plan_digest.clone()).unwrap_or_default();
    // A new plan is news for whatever lets repairs start.
    let people = |kind: TopicKind| kind == TopicKind::People && transition == Transition::Planned;
    for kind in TopicKind::ALL
        .into_iter()
        .filter(|kind| topics.has(*kind) && !people(*kind))
    {
        let sent = |n: &Notice| {
            let this = transition != Transition::Planned || n.plan_digest == digest;
            n.transition == transition.as_str() && n.topic == kind.as_str() && this
        };
        if drift.status.as_ref().is_some_and(|s| s.notified.iter().any(sent)) {
            continue;
        }
        let notice = if let Some(notice) = ctx.taken.find(&uid, sent) {
            notice
        } else {
            let published = async { topics.publish(&entry(drift, transition, account, place)?, kind).await };
            let notice = Notice {
                transition: transition.as_str().into(),
                topic: kind.as_str().into(),
                message_id: published.await.map_err(|error| error.to_string())?,
                plan_digest: digest.clone(),
            };
            ctx.taken.note(&uid, notice.clone());
            notice
        };
        drift.status.get_or_insert_default().notified.push(notice);
    }
    Ok(())
}

/// What is told: the Drift's document, with the place of its audit record.
fn entry(drift: &Drift, transition: Transition, account: &AwsAccount, place: &Place) -> Result<Entry, RecordError> {
    let entry = Entry::new(drift, transition, place, None)?;
    let key = drift.status.as_ref().and_then(|s| s.audit_key.as_ref());
    Ok(match (&account.spec.audit, key) {
        (Some(audit), Some(key)) => entry.recorded(&audit.bucket, key),
        _ => entry,
    })
}

/// A sink took nothing: said on the Drift, which waits.
fn trouble(drift: &mut Drift, type_: &'static str, reason: Reason, why: &str, now: Timestamp) {
    let status = drift.status.get_or_insert_default();
    condition::set(
        &mut status.conditions,
        Said::new(type_, Status::False, reason, why),
        None,
        now,
    );
    if matches!(status.phase, Phase::Detected | Phase::Waiting) {
        episode::stand(status, Phase::Waiting, Some(reason), why);
    }
}

/// Everything that was due is told.
fn settled(drift: &mut Drift, account: &AwsAccount, now: Timestamp) {
    let status = drift.status.get_or_insert_default();
    let recorded = match &account.spec.audit {
        Some(audit) => format!("s3://{}/{}", audit.bucket, status.audit_key.clone().unwrap_or_default()),
        None => "the account names no audit bucket: this Drift is the only record".into(),
    };
    let notified = if status.notified.is_empty() {
        "the account names no topic"
    } else {
        ""
    };
    condition::set(
        &mut status.conditions,
        Said::new("Recorded", true, Reason::Recorded, recorded),
        None,
        now,
    );
    condition::set(
        &mut status.conditions,
        Said::new("Notified", true, Reason::Notified, notified),
        None,
        now,
    );
    if matches!(status.reason, Some(Reason::RecordFailed | Reason::NotifyFailed)) {
        episode::stand(status, Phase::Detected, None, "");
    }
}

/// The Kubernetes event of a transition.
async fn event(ctx: &Context, drift: &Drift, transition: Transition) {
    let Some(status) = &drift.status else { return };
    let (type_, reason, note) = match transition {
        Transition::Detected => (EventType::Warning, Reason::Detected, &status.finding),
        Transition::Planned | Transition::Waiting | Transition::Failed | Transition::Abandoned => (
            EventType::Warning,
            status.reason.unwrap_or(Reason::Pending),
            &status.message,
        ),
        Transition::Resolved => (
            EventType::Normal,
            status.reason.unwrap_or(Reason::Repaired),
            &status.message,
        ),
    };
    ctx.event(drift, type_, reason, transition.as_str(), note).await;
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
