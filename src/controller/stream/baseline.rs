//! The editor as it was when something was deployed from it. Whoever finds it so again publishes nobody's edits, whatever an
//! export leaves out.
//!
//! It is read as soon as a deployment is known, and believed once events tell that nobody wrote between the deployment and
//! the reading: after the stream's delay where a queue told of the deployment, else after the trail's, when CloudTrail was
//! asked for every call that edits. An event that comes later still takes it away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use serde_json::Value;

use crate::api::drift::Drift;
use crate::api::endpoint::Baseline;
use crate::api::{AwsAccount, AwsEndpoint, Reason};
use crate::aws::Error;
use crate::aws::apigateway::{read, writers};
use crate::aws::budget::Priority;
use crate::controller::context::Context;
use crate::controller::kubernetes::{names, status};
use crate::inventory::actors;
use crate::inventory::events::{Event, Item};
use crate::inventory::intake;
use crate::inventory::trail::Way;
use crate::judge::Snapshot;
use crate::judge::snapshot::EndpointId;
use crate::repair::transaction::{Looked, api_of};

/// So many pages of one call's name are read at most.
const PAGES: usize = 40;

/// What CloudTrail said of the time between deployments and readings, by endpoint and baseline.
#[derive(Default)]
pub struct Searches(Mutex<HashMap<(String, String), Search>>);

/// What it said.
#[derive(Clone, Debug)]
enum Search {
    /// It is being asked.
    Running,
    /// Nobody wrote since the deployment, which was made then.
    Nobody(Timestamp),
    /// Somebody did, or it cannot be told.
    No,
}

/// Notes the editor that a repair's look has read, if it is that of a deployment that every stage of it points at.
pub async fn propose(ctx: &Context, endpoint: &AwsEndpoint, looked: &Looked) {
    let uncertain = |held: &&crate::repair::transaction::Held| held.reason == Reason::RedeployUncertain;
    let Some(held) = looked.held.iter().find(uncertain) else {
        return;
    };
    let mut deployments: Vec<&String> = held.stages.iter().filter_map(|s| looked.deployment_of(s)).collect();
    deployments.dedup();
    if let ([deployment], Some(digest)) = (deployments.as_slice(), &looked.content) {
        note(ctx, endpoint, deployment, digest, None).await;
    }
}

/// Notes the editor that an own deployment was made of: it was read before and after.
pub async fn proved(ctx: &Context, endpoint: &AwsEndpoint, deployment: &str, digest: &str) {
    let proof = "Plumbline made the deployment, and read the same editor before and after".to_owned();
    note(ctx, endpoint, deployment, digest, Some(proof)).await;
}

/// Reads the editor if the endpoint's newest event is a deployment that callers meet now.
pub async fn after_deployment(ctx: &Context, account: &AwsAccount, id: &EndpointId, snapshot: &Snapshot) {
    let events = ctx.stream.trail.of(id);
    let met = |e: &&Event| {
        let of = |d: &String| snapshot.stages.values().any(|pointer| pointer.deployment_id == *d);
        e.deployment.as_ref().is_some_and(of)
    };
    let Some(deployment) = events.iter().rev().find(met).and_then(|e| e.deployment.clone()) else {
        return;
    };
    let name = names::endpoint(id);
    let Some(endpoint) = ctx
        .stores
        .endpoints
        .get(&kube::runtime::reflector::ObjectRef::new(&name))
    else {
        return;
    };
    let known = endpoint.status.as_ref().and_then(|s| s.baseline.as_ref());
    if known.is_some_and(|b| b.deployment_id == deployment) {
        return;
    }
    let reader = ctx.sessions.of(&account.spec).observer(&id.region).at(Priority::Sweep);
    match read::read_editor(&reader, &id.id).await {
        Ok(editor) => note(ctx, &endpoint, &deployment, &editor.digest(&api_of(id)), None).await,
        Err(error) => tracing::debug!(%error, endpoint = name, "no baseline"),
    }
}

/// Writes a baseline, unless the deployment has one that is believed.
async fn note(ctx: &Context, endpoint: &AwsEndpoint, deployment: &str, digest: &str, proof: Option<String>) {
    let which = ObjectRef::new(&endpoint.name_any());
    let written = status::change(ctx, &which, |before: &AwsEndpoint| {
        let known = before.status.as_ref().and_then(|s| s.baseline.as_ref());
        if known.is_some_and(|b| b.deployment_id == deployment && (b.proof.is_some() || b.digest == digest)) {
            return None;
        }
        let mut after = before.clone();
        after.status.get_or_insert_default().baseline = Some(Baseline {
            deployment_id: deployment.to_owned(),
            digest: digest.to_owned(),
            read_at: Time(ctx.now()),
            repairing: None,
            proof: proof.clone(),
        });
        Some(after)
    });
    if let Err(error) = written.await {
        tracing::debug!(%error, "no baseline");
    }
}

/// The endpoint's baseline as events leave it, and when they may say more.
pub fn settle(
    ctx: &Arc<Context>,
    account: &Arc<AwsAccount>,
    endpoint: &AwsEndpoint,
    snapshot: &Snapshot,
) -> (Option<Baseline>, Option<Duration>) {
    let Some(baseline) = endpoint.status.as_ref().and_then(|s| s.baseline.clone()) else {
        return (None, None);
    };
    let points = |p: &crate::judge::snapshot::StagePointer| p.deployment_id == baseline.deployment_id;
    if !snapshot.stages.values().any(points) {
        return (None, None);
    }
    let id = &snapshot.endpoint;
    let events = ctx.stream.trail.of(id);
    let made = events
        .iter()
        .find(|e| e.deployment.as_ref() == Some(&baseline.deployment_id));
    let read_at = baseline.read_at.0;
    let own = |baseline: &Baseline| {
        baseline
            .proof
            .as_ref()
            .is_some_and(|proof| proof.starts_with("Plumbline"))
    };
    if let Some(made) = made
        && !own(&baseline)
        && actors::wrote_between(&events, id, made.time, read_at, &baseline.deployment_id).is_some()
    {
        // It stays as what is known not to do: the same reading is not asked about again.
        return (
            Some(Baseline {
                proof: None,
                ..baseline
            }),
            None,
        );
    }
    if baseline.proof.is_some() {
        return (Some(baseline), None);
    }
    let now = ctx.now();
    let waits = |delay: SignedDuration| {
        let due = read_at + delay;
        (due > now).then(|| Duration::try_from(due.duration_since(now)).unwrap_or_default())
    };
    let told = made.filter(|made| ctx.stream.trail.told(id, &made.id) && ctx.stream.health.is_listening(account));
    if let Some(made) = told {
        if let Some(rest) = waits(ctx.spans.stream_delay) {
            return (Some(baseline), Some(rest));
        }
        let proof = format!("no event tells of an edit since {}, when it was deployed", made.time);
        return (Some(with(baseline, proof)), None);
    }
    if !is_needed(ctx, &names::endpoint(id)) {
        return (Some(baseline), None);
    }
    if let Some(rest) = waits(ctx.spans.trail_delay) {
        return (Some(baseline), Some(rest));
    }
    match search(ctx, account, id, &baseline) {
        // One that runs wakes the endpoint.
        Search::Running | Search::No => (Some(baseline), None),
        Search::Nobody(made) => {
            let proof = format!("CloudTrail shows no edit between {made}, when it was deployed, and {read_at}");
            (Some(with(baseline, proof)), None)
        }
    }
}

fn with(baseline: Baseline, proof: String) -> Baseline {
    Baseline {
        proof: Some(proof),
        ..baseline
    }
}

/// Whether a Drift waits for what the baseline would tell.
fn is_needed(ctx: &Context, name: &str) -> bool {
    let waits = |d: &Drift| {
        let reason = d.status.as_ref().and_then(|s| s.reason);
        d.spec.endpoint == name && reason == Some(Reason::RedeployUncertain)
    };
    ctx.stores.drifts.find(waits).is_some()
}

/// What CloudTrail says, once it was asked for every call that edits.
fn search(ctx: &Arc<Context>, account: &Arc<AwsAccount>, id: &EndpointId, baseline: &Baseline) -> Search {
    let key = (
        names::endpoint(id),
        format!("{} {}", baseline.deployment_id, baseline.digest),
    );
    let mut searches = ctx.stream.searches.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = searches.get(&key) {
        return known.clone();
    }
    searches.retain(|(name, _), _| *name != key.0);
    searches.insert(key.clone(), Search::Running);
    drop(searches);
    let (ctx, account, id, baseline) = (ctx.clone(), account.clone(), id.clone(), baseline.clone());
    tokio::spawn(async move {
        let found = ask(&ctx, &account, &id, &baseline).await.unwrap_or_else(|error| {
            tracing::debug!(%error, endpoint = key.0, "whether somebody edited since the deployment cannot be told");
            Search::No
        });
        let name = key.0.clone();
        let mut searches = ctx.stream.searches.0.lock().unwrap_or_else(PoisonError::into_inner);
        searches.insert(key, found);
        drop(searches);
        ctx.wake.endpoint(&name);
    });
    Search::Running
}

async fn ask(ctx: &Context, account: &AwsAccount, id: &EndpointId, baseline: &Baseline) -> Result<Search, Error> {
    let session = ctx.sessions.of(&account.spec);
    let reader = session.observer(&id.region).at(Priority::Sweep);
    let made = reader.get_deployment(&id.id, &baseline.deployment_id).await?;
    let Some(made) = made.get("createdDate").and_then(moment) else {
        return Ok(Search::No);
    };
    let trail = session.trail(&id.region);
    for name in writers::edits() {
        let mut next = None;
        for page in 0.. {
            if page == PAGES {
                return Ok(Search::No);
            }
            let found = trail.lookup(name, made, next.take()).await?;
            let mut events = Vec::new();
            for record in &found.records {
                match serde_json::from_str::<Value>(record).map(|record| intake::record(&record)) {
                    Ok(Ok(Item::Call(event))) => events.push(*event),
                    Ok(Ok(_)) => {}
                    // Whatever cannot be read may be an edit.
                    _ => return Ok(Search::No),
                }
            }
            for event in &events {
                ctx.stream.trail.note(event, Way::LookedUp);
            }
            let until = baseline.read_at.0;
            if actors::wrote_between(&events, id, made, until, &baseline.deployment_id).is_some() {
                return Ok(Search::No);
            }
            next = found.next;
            if next.is_none() {
                break;
            }
        }
    }
    Ok(Search::Nobody(made))
}

/// A time as API Gateway writes it: seconds since 1970, or RFC 3339.
fn moment(value: &Value) -> Option<Timestamp> {
    if let Some(text) = value.as_str() {
        return text.parse().ok();
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds of this century")]
    value
        .as_f64()
        .and_then(|seconds| Timestamp::from_second(seconds.floor() as i64).ok())
}
