//! An endpoint: from a snapshot to verdicts, Drifts and repairs. The only AWS writer of its endpoint.

pub mod case;
pub mod episode;
mod labels;
pub mod looks;
pub mod objects;
pub mod remedy;
mod revert;
mod steps;
mod summary;
pub mod turns;

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;

use crate::api::condition::{self, Said};
use crate::api::drift::{Drift, Resolution};
use crate::api::endpoint::Baseline;
use crate::api::{AwsAccount, AwsEndpoint, Reason, Status};
use crate::controller::context::Context;
use crate::controller::farewell;
use crate::controller::kubernetes::status;
use crate::controller::outcome::Failure;
use crate::controller::stream::{actors, baseline, health, reader};
use crate::judge::snapshot::EndpointId;
use crate::judge::verdict::Outcome;
use crate::judge::{Judgement, Snapshot, Verdict};

use case::{Case, Counts};
use episode::Step;
use revert::Reverts;
pub use steps::Kept;
use steps::Written;
use turns::Turns;

/// One look at an endpoint, and what follows from it.
pub async fn reconcile(endpoint: Arc<AwsEndpoint>, ctx: Arc<Context>) -> Result<Action, Failure> {
    let (name, spec) = (endpoint.name_any(), endpoint.spec.clone());
    let turn = ctx.turns.judge().await;
    // Boxed: many wait for their turn, and what they will need later need not be there yet.
    let looked = Box::pin(look(&ctx, &name)).await?;
    drop(turn);
    let Some(looked) = looked else {
        ctx.turns.leave(&spec, &name);
        return Ok(Action::await_change());
    };
    if !looked.acts(&ctx) {
        ctx.turns.leave(&spec, &name);
        return Ok(looked.after(None));
    }
    let Some(_place) = ctx.turns.repair(&spec, &name, looked.has_begun()) else {
        return Ok(looked.after(Some(Turns::PATIENCE)));
    };
    Box::pin(act(&ctx, &looked)).await
}

/// No endpoint is looked at again sooner, unless something happens to it.
const SOON: Duration = Duration::from_millis(200);

/// What was judged and said, and what it asks for.
struct Looked {
    account: Arc<AwsAccount>,
    /// As last written.
    endpoint: AwsEndpoint,
    /// Every Drift of the endpoint.
    drifts: Vec<Arc<Drift>>,
    /// Those that are open.
    kept: Vec<Kept>,
    /// Those that end in the middle of their repair, and how.
    ending: Vec<(Drift, Resolution)>,
    /// When to look again, if nothing else happens.
    again: Option<Duration>,
}

impl Looked {
    /// Whether there is anything to do on AWS, or to look at there first.
    fn acts(&self, ctx: &Context) -> bool {
        let due = remedy::is_due(ctx, &self.account, &self.endpoint, &self.kept);
        due || revert::is_asked(&self.drifts) || !self.ending.is_empty()
    }

    /// Whether something on AWS is half done.
    fn has_begun(&self) -> bool {
        let begun = self.kept.iter().any(|kept| episode::is_repairing(&kept.drift));
        begun || !self.ending.is_empty()
    }

    fn after(&self, acted: Option<Duration>) -> Action {
        let again = self.again.into_iter().chain(acted).min();
        again.map_or_else(Action::await_change, |again| Action::requeue(again.max(SOON)))
    }
}

/// Judges an endpoint and says so; none if there is nothing to judge.
async fn look(ctx: &Arc<Context>, name: &str) -> Result<Option<Looked>, Failure> {
    let Some(endpoint) = ctx.stores.endpoints.get(&ObjectRef::new(name)) else {
        return Ok(None);
    };
    let Some(account) = ctx.account_of(&endpoint.spec.account_id) else {
        return Ok(None);
    };
    if !ctx.acts_for(&account) {
        return Ok(None);
    }
    if ctx.inventory.is_gone(name) {
        bury(&endpoint, ctx).await?;
        return Ok(None);
    }
    let reading = ctx.inventory.get(name);
    let named = account.spec.regions.contains(&endpoint.spec.region);
    let ending = || reading.is_some() && under_way(ctx, name);
    if !named && !ending() {
        ctx.inventory.forget(name); // if the region is named again, everything in it is news
        let why = format!(
            "region {} is no longer in spec.regions of AwsAccount {}: nothing is read there, and policies do not count it",
            endpoint.spec.region,
            account.name_any()
        );
        unobserved(&endpoint, &why, ctx).await?;
        return Ok(None);
    }
    reader::asked(ctx, &endpoint);
    let Some(reading) = reading else {
        return Ok(None);
    };
    if let Some(why) = &reading.failure {
        unobserved(&endpoint, why, ctx).await?;
        return Ok(None);
    }
    let complete = reading.snapshot.as_ref().filter(|_| reading.depth >= ctx.depth());
    match complete {
        Some(snapshot) => judge(ctx, account, &endpoint, snapshot, reading.begun).await.map(Some),
        None => Ok(None),
    }
}

/// Holds a reading against the policies, and brings Drifts and status in step with that.
async fn judge(
    ctx: &Arc<Context>,
    account: Arc<AwsAccount>,
    endpoint: &Arc<AwsEndpoint>,
    snapshot: &Snapshot,
    begun: Instant,
) -> Result<Looked, Failure> {
    let name = endpoint.name_any();
    let endpoint = labels::keep(ctx, endpoint, &snapshot.tags).await?;
    let case = Case::new(ctx, &account, &endpoint);
    let judgement = case.judge(snapshot);
    let drifts = ctx.stores.drifts.state();
    let absence = case.absence(snapshot);
    let found = episode::settle(&name, &judgement.verdicts, &drifts, &absence);
    let writing = steps::Writing {
        ctx,
        account: &account,
        case: &case,
        snapshot,
        deploying: steps::deploying(&found),
        guarded: steps::guarded(ctx, &found).await,
    };
    let mut put_back = endpoint.status.as_ref().map(|s| s.put_back.clone()).unwrap_or_default();
    if found.iter().any(|step| matches!(step, Step::Open { .. })) {
        health::suspect(ctx, &account, &endpoint, snapshot);
    }
    let Written {
        kept,
        ending,
        again: attributing,
    } = steps::write(&writing, found, &mut put_back).await?;
    // Values with which a rule held must stand before a repair can need them after a restart.
    let mine = of_endpoint(&drifts, &name);
    let seeking = seek(ctx, &account, snapshot, &mine).await?;
    let (baseline, settling) = baseline::settle(ctx, &account, &endpoint, snapshot);
    let answered = ctx.stream.hints.answered(&name, begun);
    let counted = Counted {
        put_back,
        answered,
        baseline,
    };
    let endpoint = write_status(ctx, &endpoint, &case, snapshot, &judgement, counted).await?;
    for took in ctx.stream.hints.judged(&name, begun) {
        ctx.metrics.judged.observe(took.as_secs_f64());
    }
    // Nothing tells when a namespace has room again.
    let offering = (kept.len() < violations(&judgement.verdicts)).then_some(OFFER_AGAIN);
    let again = [attributing, seeking, settling, offering, remedy::goes_on(ctx, &kept)];
    Ok(Looked {
        account: account.clone(),
        endpoint,
        drifts: mine,
        kept,
        ending,
        again: again.into_iter().flatten().min(),
    })
}

/// Ends, takes back and repairs what may be. One writer, one thing at a time.
async fn act(ctx: &Arc<Context>, looked: &Looked) -> Result<Action, Failure> {
    let id = EndpointId::from(&looked.endpoint.spec);
    for (drift, how) in &looked.ending {
        farewell::wind_up(ctx, &looked.account, &id, drift, *how).await?;
    }
    let reverts = Reverts {
        ctx,
        case: &Case::new(ctx, &looked.account, &looked.endpoint),
        endpoint: &looked.endpoint,
        drifts: &looked.drifts,
    };
    if let Some(again) = reverts.run().await? {
        return Ok(Action::requeue(again));
    }
    let again = remedy::repair(ctx, &looked.account, &looked.endpoint, &looked.kept).await?;
    Ok(looked.after(again))
}

/// What a look at the endpoint came to besides the judgement.
struct Counted {
    put_back: Counts,
    /// The request that the reading answers.
    answered: Option<String>,
    /// What is known of the editor.
    baseline: Option<Baseline>,
}

/// Whether a repair of the endpoint has begun: it comes to its end.
fn under_way(ctx: &Context, name: &str) -> bool {
    let of = |d: &Drift| d.spec.endpoint == name && episode::is_repairing(d);
    ctx.stores.drifts.find(of).is_some()
}

/// A Drift that its namespace did not take is offered again after this.
const OFFER_AGAIN: Duration = Duration::from_secs(30);

fn violations(verdicts: &[Verdict]) -> usize {
    verdicts
        .iter()
        .filter(|v| matches!(v.outcome, Outcome::Violated(_)))
        .count()
}

fn of_endpoint(drifts: &[Arc<Drift>], name: &str) -> Vec<Arc<Drift>> {
    drifts.iter().filter(|d| d.spec.endpoint == name).cloned().collect()
}

/// Drifts that were over before anybody knew who did it.
async fn seek(
    ctx: &Arc<Context>,
    account: &Arc<AwsAccount>,
    snapshot: &Snapshot,
    drifts: &[Arc<Drift>],
) -> Result<Option<Duration>, Failure> {
    let mut again: Option<Duration> = None;
    for drift in drifts
        .iter()
        .filter(|d| !episode::is_open(d) && actors::is_sought(ctx, d))
    {
        let mut after = Drift::clone(drift);
        let next = actors::name(ctx, account, snapshot, &mut after);
        again = again.into_iter().chain(next).min();
        status::write(ctx, drift.as_ref(), &after).await?;
    }
    Ok(again)
}

/// The endpoint is on no complete list any more.
async fn bury(endpoint: &AwsEndpoint, ctx: &Context) -> Result<(), Failure> {
    let name = endpoint.name_any();
    for drift in ctx
        .stores
        .drifts
        .state()
        .iter()
        .filter(|d| d.spec.endpoint == name && episode::is_open(d))
    {
        steps::close(ctx, drift, Resolution::Gone, None).await?;
    }
    status::delete(ctx, endpoint).await?;
    ctx.inventory.forget(&name);
    ctx.looks.forget(&name);
    ctx.stream.trail.forget(&EndpointId::from(&endpoint.spec));
    Ok(())
}

/// What could not be read, or is read no more, is unknown: nothing is resolved, repaired or forgotten.
async fn unobserved(endpoint: &AwsEndpoint, why: &str, ctx: &Context) -> Result<(), Failure> {
    let mut after = endpoint.clone();
    let now = ctx.now();
    let status = after.status.get_or_insert_default();
    let said = |type_| Said::new(type_, Status::Unknown, Reason::Unreadable, why);
    condition::set(
        &mut status.conditions,
        said("Observed"),
        endpoint.metadata.generation,
        now,
    );
    condition::set(
        &mut status.conditions,
        said("Compliant"),
        endpoint.metadata.generation,
        now,
    );
    for policy in &mut status.policies {
        policy.unknown = policy.unknown.max(1);
        policy.message = Some(why.to_owned());
    }
    status::write(ctx, endpoint, &after).await?;
    Ok(())
}

async fn write_status(
    ctx: &Context,
    endpoint: &AwsEndpoint,
    case: &Case<'_>,
    snapshot: &Snapshot,
    judgement: &Judgement,
    counted: Counted,
) -> Result<AwsEndpoint, Failure> {
    let now = ctx.now();
    let mut after = endpoint.clone();
    let generation = endpoint.metadata.generation;
    let status = after.status.get_or_insert_default();
    status.last_change_time = Some(Time(case.changed_at));
    status.managed_by.clone_from(&case.managed_by);
    status.put_back = counted.put_back;
    status.baseline = counted.baseline;
    if counted.answered.is_some() {
        status.last_handled_reconcile_at = counted.answered;
    }
    status.name.clone_from(&snapshot.name);
    status.arn.clone_from(&snapshot.arn);
    status.tags.clone_from(&snapshot.tags);
    status.digest.clone_from(&snapshot.digest);
    status.deployments = snapshot
        .stages
        .iter()
        .map(|(stage, pointer)| (stage.clone(), pointer.deployment_id.clone()))
        .collect();
    status.policies = summary::summaries(case, snapshot, judgement);
    status.drift = i64::try_from(violations(&judgement.verdicts)).unwrap_or(i64::MAX);
    summary::remember(status, judgement);
    condition::set(
        &mut status.conditions,
        Said::new("Observed", true, Reason::Observed, ""),
        generation,
        now,
    );
    condition::set(
        &mut status.conditions,
        summary::compliant(&judgement.verdicts),
        generation,
        now,
    );
    let written = status::write(ctx, endpoint, &after).await?.unwrap_or(after);
    let said = |e: &AwsEndpoint| e.status.as_ref().map(|s| s.policies.clone()).unwrap_or_default();
    let before = said(endpoint);
    for news in said(&written).iter().filter(|verdict| !before.contains(verdict)) {
        ctx.wake.policy(&news.namespace, &news.name);
    }
    Ok(written)
}
