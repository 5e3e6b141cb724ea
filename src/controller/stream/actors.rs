//! Who did it. The stream tells at once; CloudTrail is asked at some moments between the finding of a drift and the trail's
//! delay; after that it is said that nobody can be named, and why.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use serde_json::Value;

use super::{listener, lookup};
use crate::api::condition::{self, Said};
use crate::api::drift::{Actor, Actors, Change, Drift, DriftSpec, DriftStatus, Excerpt, Resolution, Scope};
use crate::api::{AwsAccount, Reason, Status};
use crate::aws::apigateway::properties;
use crate::controller::account::sweeper;
use crate::controller::context::Context;
use crate::controller::kubernetes::names;
use crate::inventory::actors::{self, Question};
use crate::inventory::events::Event;
use crate::judge::path::Path;
use crate::judge::table::Deploy;
use crate::judge::{self, Snapshot};

/// When CloudTrail is asked, in sixtieths of the trail's delay after the finding. The first is left out where a stream tells.
const MOMENTS: [i64; 7] = [0, 1, 4, 12, 24, 40, 60];

/// Clocks differ, and a change is seen in the second in which it is made.
const CLOCKS: SignedDuration = SignedDuration::from_mins(1);

/// Names whoever can be named in the Drift's status; gives when to look again.
pub fn name(ctx: &Arc<Context>, account: &Arc<AwsAccount>, snapshot: &Snapshot, drift: &mut Drift) -> Option<Duration> {
    let now = ctx.now();
    let (spec, uid) = (drift.spec.clone(), drift.uid().unwrap_or_default());
    let namespace = drift.namespace().unwrap_or_default();
    let status = drift.status.get_or_insert_default();
    let known = status.actors.clone().unwrap_or_default();
    let found = status.detected_at.as_ref().map_or(now, |at| at.0);
    let of = |r: &&crate::judge::snapshot::Resource| r.target == spec.target && r.key == spec.resource;
    let resource = snapshot.resources.iter().find(of)?;
    // Who fixed it elsewhere may have deployed: by whom it came, nothing shows any more.
    let elsewhere = status.resolution.is_some_and(|how| how != Resolution::Repaired);
    let wanted = !status.difference.is_empty();
    let changes = if wanted {
        Some(status.difference.clone())
    } else {
        concerned(ctx, &namespace, &uid, &spec, status)
    };
    let is_known = changes.is_some();
    let changes = changes.unwrap_or_default();
    let deployments = if status.scope == Scope::Live && !elsewhere {
        deployed(status, &spec, &changes, snapshot)
    } else {
        BTreeMap::new()
    };
    let complete = |actors: &Actors| actors.editor.is_some() && (deployments.is_empty() || actors.deployer.is_some());
    if complete(&known) && now.duration_since(found) >= ctx.spans.trail_delay {
        return None; // whoever else it may have been would be known by now
    }
    let question = Question {
        endpoint: &snapshot.endpoint,
        target: spec.target,
        address: &resource.address,
        changes: &changes,
        wanted,
        deployments: &deployments,
        before: if elsewhere { found } else { found + CLOCKS },
    };
    let own = ctx.own(account);
    let mut events = ctx.stream.trail.of(&snapshot.endpoint);
    // Own calls since then are its repair.
    events.retain(|event| event.time.as_second() < found.as_second() || !own.is_own(&event.principal));
    let told = actors::explain(&question, &events, &own);
    let actors = Actors {
        editor: better(known.editor, told.editor, &events),
        deployer: known.deployer.or_else(|| told.deployer.map(Into::into)),
    };
    let is_complete = complete(&actors);
    let asked = actors::names(&question);
    let some = actors.editor.is_some() || actors.deployer.is_some();
    status.actors = some.then(|| actors.clone());
    let attributed = |status, reason, message: String| Said::new("Attributed", status, reason, message);
    let (said, next) = if is_complete {
        ctx.stream.lookups.forget(&uid);
        (attributed(Status::True, Reason::Attributed, String::new()), None)
    } else if condition::find(&status.conditions, "Attributed").is_some_and(|c| c.status == "False") {
        return None; // everything was asked; whatever comes later by itself still counts
    } else if asked.is_empty() {
        let why = if is_known {
            "no call of API Gateway's is known to write it"
        } else {
            "what stood there is not known any more: it was larger than a Drift holds, or its rule is gone"
        };
        let why = why.to_owned();
        (attributed(Status::False, Reason::Unattributed, why), None)
    } else {
        let delay = ctx.spans.trail_delay;
        let streamed = !listener::queues(account).is_empty();
        match ctx
            .stream
            .lookups
            .moment(&uid, now.duration_since(found), delay, streamed)
        {
            Moment::Wait(next) => (
                attributed(Status::Unknown, Reason::Attributing, String::new()),
                Some(next),
            ),
            Moment::Ask(next) => {
                let endpoint = names::endpoint(&snapshot.endpoint);
                lookup::want(ctx, account, &snapshot.endpoint.region, asked, &endpoint);
                (attributed(Status::Unknown, Reason::Attributing, String::new()), next)
            }
            Moment::Over => {
                let why = why(ctx, account, &snapshot.endpoint.region, &actors, &asked, delay);
                (attributed(Status::False, Reason::Unattributed, why), None)
            }
        }
    };
    condition::set(&mut status.conditions, said, None, now);
    next
}

/// What a violation is about of which nobody knows what is wanted: where its rule looks, each with what stood there. None,
/// if the rule is gone, or if more stood there than a Drift holds and memory has it no more.
fn concerned(ctx: &Context, namespace: &str, uid: &str, spec: &DriftSpec, status: &DriftStatus) -> Option<Vec<Change>> {
    let policy = ctx
        .stores
        .policies
        .get(&ObjectRef::new(&spec.policy).within(namespace))?;
    let is_same = policy.uid().as_ref() == Some(&spec.policy_uid);
    let compiled = is_same.then(|| ctx.compile(&policy).ok()).flatten()?;
    let rule = compiled.rules.iter().find(|rule| rule.name == spec.rule)?;
    let observed = uncut(status.observed.as_ref()?, || {
        let wholes = ctx.wholes.lock().unwrap_or_else(PoisonError::into_inner);
        wholes.get(uid).map(|whole| whole.observed.clone())
    })?;
    let table = properties::table(spec.target);
    let places = judge::concerns(rule)
        .into_iter()
        .flat_map(|at| table.places(&at, &observed));
    let stood = |at: Path| Change {
        path: at.to_string(),
        from: at.get(&observed).cloned(),
        to: None,
    };
    Some(places.map(stood).collect())
}

/// What was observed: as the Drift holds it, or, where that is too large for it, as memory does.
fn uncut(observed: &Excerpt, kept: impl FnOnce() -> Option<Value>) -> Option<Value> {
    if observed.digest.is_none() {
        Some(observed.value.clone())
    } else {
        kept()
    }
}

/// Who edited: whoever was named stays, until more is told. Events come in any order, and of two that do not show what they
/// wrote the first to come may be the older. (Who deployed first stays: another stage may be deployed to later.)
fn better(known: Option<Actor>, told: Option<&Event>, events: &[Event]) -> Option<Actor> {
    let told = told.map(Actor::from);
    match known {
        Some(known) if events.iter().any(|event| event.id == known.event_id) => told.or(Some(known)),
        Some(known) => Some(known), // of its event nothing is left to compare with
        None => told,
    }
}

/// The deployments that brought it to callers, by stage; none where it takes effect at once. A repair remembers which ones
/// it found.
fn deployed(
    status: &DriftStatus,
    spec: &DriftSpec,
    changes: &[Change],
    snapshot: &Snapshot,
) -> BTreeMap<String, String> {
    let table = properties::table(spec.target);
    let deploys = |change: &Change| {
        let path = Path::parse(&change.path).ok();
        let property = path.and_then(|path| table.property(&path));
        property.is_some_and(|property| property.deploy == Deploy::Deployment)
    };
    if !changes.iter().any(deploys) {
        return BTreeMap::new();
    }
    let before = status.intent.as_ref().map(|intent| &intent.stages);
    let pointer = |stage: &String| {
        let found = before.and_then(|stages| stages.get(stage)).cloned();
        let found = found.or_else(|| Some(snapshot.stages.get(stage)?.deployment_id.clone()))?;
        Some((stage.clone(), found))
    };
    status.stages.iter().filter_map(pointer).collect()
}

/// Whether it is worth looking who did what is over already: until the trail's delay is over, unless it is known or given up.
pub fn is_sought(ctx: &Context, drift: &Drift) -> bool {
    let Some(status) = &drift.status else { return false };
    let found = status.detected_at.as_ref().map(|at| at.0);
    let said = condition::find(&status.conditions, "Attributed");
    drift.spec.reverts.is_none()
        && said.is_none_or(|c| c.status == "Unknown")
        && found.is_some_and(|at| ctx.now().duration_since(at) < ctx.spans.trail_delay + CLOCKS)
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing, for so long.
    Wait(Duration),
    /// CloudTrail is to be asked; and then to be looked at again after so long, however it answers.
    Ask(Option<Duration>),
    /// The trail's delay is over, and everything was asked.
    Over,
}

/// What is to be done after `since`, when so many moments were used already, and how many are used then. Moments that were
/// missed are one.
pub fn moment(used: usize, since: SignedDuration, delay: SignedDuration) -> (Moment, usize) {
    let at = |moment: usize| {
        MOMENTS
            .get(moment)
            .map(|sixtieths| delay * i32::try_from(*sixtieths).unwrap_or(60) / 60)
    };
    let rest = |due: SignedDuration| Duration::try_from(due - since).unwrap_or(Duration::ZERO);
    let over = (used..MOMENTS.len())
        .take_while(|m| at(*m).is_some_and(|due| due <= since))
        .count();
    match (at(used), over) {
        (None, _) => (Moment::Over, used),
        (Some(due), 0) => (Moment::Wait(rest(due)), used),
        (Some(_), over) => (Moment::Ask(at(used + over).map(rest)), used + over),
    }
}

fn why(
    ctx: &Context,
    account: &AwsAccount,
    region: &str,
    actors: &Actors,
    asked: &std::collections::BTreeSet<&'static str>,
    delay: SignedDuration,
) -> String {
    let who = match (&actors.editor, &actors.deployer) {
        (None, Some(_)) => "who deployed it is known; who edited it is not",
        (Some(_), None) => "who edited it is known; who deployed it is not",
        _ => "nobody can be named",
    };
    match ctx.stream.lookups.failure(&account.spec.account_id, region) {
        Some(error) => format!("{who}: {}", sweeper::explain(&error)),
        None => format!(
            "{who}: {:#} after it was found no event explains it, among the newest {} each of {} in {region}",
            delay,
            lookup::DEEP,
            asked.iter().copied().collect::<Vec<_>>().join(", "),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inventory::events::Principal;
    use crate::record::excerpt;

    #[test]
    fn whoever_was_named_stays_until_more_is_told() {
        let event = |id: &str| Event {
            id: id.into(),
            name: "UpdateStage".into(),
            time: jiff::Timestamp::UNIX_EPOCH,
            endpoints: vec![],
            principal: Principal::default(),
            source_address: String::new(),
            user_agent: String::new(),
            parameters: serde_json::Value::Null,
            deployment: None,
            masked: true,
        };
        let both = [event("carla's"), event("anna's")];
        for (known, told, events, wanted, why) in [
            (None, None, &both[..], None, "nobody yet"),
            (
                None,
                Some(&both[0]),
                &both[..1],
                Some("carla's"),
                "the first to be told",
            ),
            (
                Some("carla's"),
                Some(&both[1]),
                &both,
                Some("anna's"),
                "told of both it is the other",
            ),
            (
                Some("anna's"),
                None,
                &both,
                Some("anna's"),
                "what is observed is not what was written then",
            ),
            (
                Some("carla's"),
                Some(&both[1]),
                &both[1..],
                Some("carla's"),
                "after a restart one of them is not known",
            ),
        ] {
            let known = known.map(|id| Actor::from(&event(id)));
            let found = better(known, told, events).map(|actor| actor.event_id);
            assert_eq!(found.as_deref(), wanted, "{why}");
        }
    }

    #[test]
    fn cloudtrail_is_asked_now_and_then_until_the_trails_delay_is_over() {
        let delay = SignedDuration::from_mins(15);
        let seconds = SignedDuration::from_secs;
        for (used, since, then, why) in [
            (
                0,
                0,
                Moment::Ask(Some(Duration::from_secs(15))),
                "at once, where nothing is told",
            ),
            (
                1,
                0,
                Moment::Wait(Duration::from_secs(15)),
                "a stream has some seconds to tell",
            ),
            (1, 20, Moment::Ask(Some(Duration::from_secs(40))), "it did not"),
            (
                6,
                899,
                Moment::Wait(Duration::from_secs(1)),
                "the last time is when the delay is over",
            ),
            (6, 900, Moment::Ask(None), "now"),
            (7, 901, Moment::Over, "everything was asked"),
            (0, 100_000, Moment::Ask(None), "after a restart it is asked once more"),
        ] {
            assert_eq!(moment(used, seconds(since), delay).0, then, "{why}");
        }
    }
    #[test]
    fn what_is_too_large_for_a_drift_is_known_while_memory_has_it() {
        let large = json!({"methodSettings": {"*/*": {"mark": "a".repeat(20_000)}}});
        let small = json!({"methodSettings": {}});
        for (seen, kept, wanted, why) in [
            (&small, None, Some(&small), "the Drift itself holds it"),
            (&large, Some(large.clone()), Some(&large), "memory has it"),
            (&large, None, None, "the process is another"),
        ] {
            assert_eq!(uncut(&excerpt(seen), || kept).as_ref(), wanted, "{why}");
        }
    }
}
