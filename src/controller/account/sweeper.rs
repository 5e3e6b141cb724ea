//! One task for each account: sweeps it, tells the endpoints, and keeps their objects in step with the lists.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use serde_json::Value;
use tokio::sync::Notify;

use crate::api::condition::{self, Said};
use crate::api::{AwsAccount, REQUESTED_AT, Reason, Status};
use crate::aws::apigateway::read::Depth;
use crate::aws::budget::Priority;
use crate::aws::{Class, Error};
use crate::controller::context::Context;
use crate::controller::endpoint::{episode, objects};
use crate::controller::kubernetes::{names, status};
use crate::controller::stream::{listener, reader};
use crate::inventory::Hand;
use crate::inventory::schedule::Schedule;
use crate::inventory::sweep::{self, Listener};
use crate::judge::Snapshot;
use crate::judge::snapshot::EndpointId;

/// How many objects are created at the same time.
const AT_ONCE: usize = 8;

/// A running sweeper.
pub struct Handle {
    task: tokio::task::AbortHandle,
    wake: Notify,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sees to it that the account's sweeper runs, and wakes it when a person asked.
pub fn ensure(ctx: &Arc<Context>, account: &AwsAccount) {
    let name = account.name_any();
    let mut sweepers = ctx.sweepers.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = sweepers.get(&name)
        && !handle.task.is_finished()
    {
        if requested(account).is_some() {
            handle.wake.notify_one();
        }
        return;
    }
    let task = tokio::spawn(run(ctx.clone(), name.clone()));
    sweepers.insert(
        name,
        Arc::new(Handle {
            task: task.abort_handle(),
            wake: Notify::new(),
        }),
    );
}

/// Ends the account's sweeper.
pub fn stop(ctx: &Context, account: &str) {
    ctx.sweepers
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(account);
}

/// Wakes every sweeper.
pub fn wake_all(ctx: &Context) {
    for handle in ctx.sweepers.lock().unwrap_or_else(PoisonError::into_inner).values() {
        handle.wake.notify_one();
    }
}

/// What a person asked for and was not answered yet.
fn requested(account: &AwsAccount) -> Option<String> {
    let asked = account.annotations().get(REQUESTED_AT)?;
    let answered = account
        .status
        .as_ref()
        .and_then(|s| s.last_handled_reconcile_at.as_ref());
    (answered != Some(asked)).then(|| asked.clone())
}

async fn run(ctx: Arc<Context>, name: String) {
    let mut first = true;
    let mut swept_depth = None;
    let mut policies = Policies::default();
    loop {
        let Some(account) = account_of(&ctx, &name) else {
            return;
        };
        if !ctx.leases.is_leader(&account.spec.account_id) {
            first = true;
            let mut leading = ctx.leases.changed();
            let _ = tokio::time::timeout(Duration::from_secs(1), leading.changed()).await;
            continue;
        }
        let Ok(schedule) = Schedule::compile(&account.spec.sweep) else {
            return; // the account says so, and its sweeper begins again when it is corrected
        };
        let (started, began) = (ctx.now(), Instant::now());
        let depth = ctx.depth();
        // The first look, and one that somebody waits for, goes as fast as the budget lets it.
        let urgent = first || swept_depth != Some(depth) || requested(&account).is_some();
        let spread = if urgent {
            Duration::ZERO
        } else {
            schedule.period(started).mul_f64(0.8)
        };
        let complete = account_sweep(&ctx, &account, depth, spread).await;
        first = first && !complete;
        swept_depth = Some(depth);
        let rest = schedule.rest(started, began.elapsed(), ctx.now());
        let rest = if ctx.stream.health.has_gap(&name) {
            closer(rest)
        } else {
            rest
        };
        policies.wait(&ctx, &name, depth, rest).await;
    }
}

/// Without events that can be relied on, sweeps are closer together.
fn closer(rest: Duration) -> Duration {
    rest.min((rest / 4).max(Duration::from_mins(1)))
}

/// When policies had their endpoints read last, by their uid.
#[derive(Default)]
struct Policies(HashMap<String, Timestamp>);

impl Policies {
    /// Until the next sweep is due, a person asks, or a policy needs a deeper look. Meanwhile policies have their endpoints
    /// read at the times that they name.
    async fn wait(&mut self, ctx: &Context, name: &str, depth: Depth, rest: Duration) {
        let due = tokio::time::Instant::now() + rest;
        let handle = ctx
            .sweepers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned();
        let Some(handle) = handle else { return };
        loop {
            let account = account_of(ctx, name);
            let next = account.as_ref().and_then(|account| self.next(ctx, account));
            let policy_due = tokio::time::Instant::now() + next.unwrap_or(rest);
            tokio::select! {
                () = tokio::time::sleep_until(due) => return,
                () = tokio::time::sleep_until(policy_due), if next.is_some() => {}
                () = handle.wake.notified() => {
                    let asked = account_of(ctx, name).is_some_and(|a| requested(&a).is_some());
                    if asked || ctx.depth() > depth {
                        return;
                    }
                }
            }
        }
    }

    /// Has endpoints read whose policy's time has come; gives how long it takes to the next.
    fn next(&mut self, ctx: &Context, account: &AwsAccount) -> Option<Duration> {
        let now = ctx.now();
        let mut next: Option<Duration> = None;
        for policy in ctx.stores.policies.state() {
            let Some(schedule) = reader::sweeps(&policy, account).and_then(|s| Schedule::compile(s).ok()) else {
                continue; // without, or one that its policy is not ready with
            };
            let last = self.0.entry(policy.uid().unwrap_or_default()).or_insert(now);
            // A clock that was set back begins anew.
            *last = (*last).min(now);
            if schedule.after(*last) <= now {
                *last = now;
                reader::of_policy(ctx, account, &policy);
            }
            let rest = Duration::try_from(schedule.after(*last).duration_since(now)).unwrap_or_default();
            next = Some(next.map_or(rest, |other| other.min(rest)));
        }
        next
    }
}

fn account_of(ctx: &Context, name: &str) -> Option<Arc<AwsAccount>> {
    ctx.stores.accounts.get(&ObjectRef::new(name))
}

async fn account_sweep(ctx: &Arc<Context>, account: &AwsAccount, depth: Depth, spread: Duration) -> bool {
    let asked = requested(account);
    let session = ctx.sessions.of(&account.spec);
    let ears = Ears {
        ctx,
        account,
        found: AtomicUsize::new(0),
    };
    let mut failure = None;
    let regions = account.spec.regions.iter().map(|region| {
        let client = session.observer(region).at(Priority::Sweep);
        let ears = &ears;
        async move {
            sweep::region(
                &client,
                &account.spec.account_id,
                region,
                depth,
                &ctx.exports,
                spread,
                ears,
            )
            .await
        }
    });
    let (swept, ()) = futures::join!(futures::future::join_all(regions), recordings(ctx, account));
    for swept in swept {
        failure = failure.or(swept.failure);
    }
    let complete = failure.is_none();
    if !complete {
        ctx.verified.forget(account);
    }
    tell(ctx, account, asked, failure, ears.found.load(Ordering::Relaxed)).await;
    complete
}

/// Whoever listens for events asks in each sweep whether any trail records what they tell of.
async fn recordings(ctx: &Context, account: &AwsAccount) {
    if listener::queues(account).is_empty() {
        return;
    }
    let session = ctx.sessions.of(&account.spec);
    for region in &account.spec.regions {
        let said = session.trail(region).recording().await;
        ctx.stream.health.recording(&account.name_any(), region, said);
    }
}

/// The account's status after a sweep.
async fn tell(ctx: &Context, account: &AwsAccount, asked: Option<String>, failure: Option<Error>, endpoints: usize) {
    // The account reconciler writes the same status.
    let which = ObjectRef::new(&account.name_any());
    let written = status::change(ctx, &which, |before: &AwsAccount| {
        let mut after = before.clone();
        let generation = before.metadata.generation;
        let now = ctx.now();
        let status = after.status.get_or_insert_default();
        let said = match &failure {
            None => Said::new("Observed", true, Reason::Observed, ""),
            Some(error) => Said::new("Observed", observed(error), reason(error), explain(error)),
        };
        condition::set(&mut status.conditions, said, generation, now);
        if failure.is_none() {
            status.endpoints = i64::try_from(endpoints).unwrap_or(i64::MAX);
            status.last_sweep_time = Some(Time(now));
        }
        if let Some(asked) = &asked {
            status.last_handled_reconcile_at = Some(asked.clone());
        }
        Some(after)
    });
    if let Err(error) = written.await {
        tracing::debug!(%error, account = %account.name_any(), "the end of a sweep is not said");
    }
    ctx.wake.policies();
}

fn observed(error: &Error) -> Status {
    if error.class == Class::Denied {
        Status::False
    } else {
        Status::Unknown
    }
}

/// The reason that a class of failure has in conditions.
pub fn reason(error: &Error) -> Reason {
    match error.class {
        Class::Denied => Reason::AccessDenied,
        Class::NoCredentials => Reason::NoCredentials,
        Class::Throttled => Reason::Throttled,
        Class::Fenced => Reason::NotLeading,
        Class::NotFound => Reason::Gone,
        Class::Refused => Reason::Invalid,
        Class::Unavailable => Reason::Unavailable,
        Class::Malformed => Reason::Unreadable,
    }
}

/// AWS's words, and the permission that is missing.
pub fn explain(error: &Error) -> String {
    let missing = error
        .missing_permission()
        .map(|p| format!("; missing permission: {p}"))
        .unwrap_or_default();
    format!("{error}{missing}")
}

/// Hears what a sweep finds.
struct Ears<'a> {
    ctx: &'a Arc<Context>,
    account: &'a AwsAccount,
    found: AtomicUsize,
}

impl Listener for Ears<'_> {
    async fn listed(&self, region: &str, endpoints: &BTreeMap<EndpointId, Value>) {
        self.found.fetch_add(endpoints.len(), Ordering::Relaxed);
        let named: BTreeMap<String, EndpointId> =
            endpoints.keys().map(|id| (names::endpoint(id), id.clone())).collect();
        let known: Vec<String> = self.ctx.stores.endpoints.state().iter().map(|e| e.name_any()).collect();
        let missing: Vec<_> = named
            .iter()
            .map(|(name, id)| objects::ensure(self.ctx, self.account, name, id).boxed())
            .collect();
        futures::stream::iter(missing)
            .buffer_unordered(AT_ONCE)
            .collect::<()>()
            .await;
        for name in self
            .ctx
            .inventory
            .listed(&self.account.spec.account_id, region, &named, &known)
        {
            self.ctx.wake.endpoint(&name);
        }
    }

    async fn read(&self, id: &EndpointId, depth: Depth, begun: Instant, result: Result<Arc<Snapshot>, Error>) {
        let name = names::endpoint(id);
        let now = self.ctx.now();
        let news = match result {
            Ok(snapshot) => self
                .ctx
                .inventory
                .keep(&name, &snapshot, depth, Hand::Anybody, begun, now),
            Err(error) => self.ctx.inventory.failed(&name, &explain(&error), begun, now),
        };
        if news {
            self.ctx.wake.endpoint(&name);
        } else {
            self.nothing_new(&name);
        }
    }

    fn known(&self, id: &EndpointId, depth: Depth) -> Option<String> {
        self.ctx.inventory.digest(&names::endpoint(id), depth)
    }

    async fn unchanged(&self, id: &EndpointId) {
        let name = names::endpoint(id);
        self.ctx.inventory.unchanged(&name, self.ctx.now());
        self.nothing_new(&name);
    }
}

impl Ears<'_> {
    /// An open Drift is looked at in each sweep all the same.
    fn nothing_new(&self, name: &str) {
        let drifts = self.ctx.stores.drifts.state();
        if drifts.iter().any(|d| d.spec.endpoint == name && episode::is_open(d)) {
            self.ctx.wake.endpoint(name);
        }
    }
}
