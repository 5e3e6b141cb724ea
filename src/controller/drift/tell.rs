//! What is told of a Drift, and to whom: each transition to the audit bucket first, then to the topics.

use std::sync::PoisonError;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::events::EventType;

use crate::api::condition::{self, Said};
use crate::api::drift::{Drift, DriftStatus, Notice, Phase};
use crate::api::{AwsAccount, Reason, Status};
use crate::controller::context::Context;
use crate::controller::endpoint::episode;
use crate::controller::kubernetes::status;
use crate::controller::outcome::Failure;
use crate::record::{AuditBucket, Entry, Place, RecordError, TopicKind, Topics, Transition, whole_needed};

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
pub enum Recorded {
    /// It has it, under this key; without a bucket there is none.
    Done(Option<String>),
    /// The whole of what the Drift shows cut is not at hand yet.
    NotYet,
    /// Its own words.
    Failed(String),
}

/// Offers a transition to the audit bucket.
pub async fn record(
    drift: &Drift,
    transition: Transition,
    account: &AwsAccount,
    place: &Place,
    ctx: &Context,
) -> Recorded {
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

/// Offers a transition to each topic that does not have it.
pub async fn notify(
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
pub async fn event(ctx: &Context, drift: &Drift, transition: Transition) {
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
