//! One task for each account: sweeps it, tells the endpoints, and keeps their objects in step with the lists.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::PostParams;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use serde_json::Value;
use tokio::sync::Notify;

use super::context::Context;
use super::{names, status};
use crate::api::condition::{self, Said};
use crate::api::endpoint::AwsEndpointSpec;
use crate::api::{AwsAccount, AwsEndpoint, REQUESTED_AT, Reason, Status};
use crate::aws::apigateway::read::Depth;
use crate::aws::budget::Priority;
use crate::aws::{Class, Error};
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
    loop {
        let Some(account) = ctx.stores.accounts.get(&ObjectRef::new(&name)) else {
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
        let started = ctx.now();
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
        let rest = schedule.after(started).duration_since(ctx.now());
        wait(&ctx, &name, depth, Duration::try_from(rest).unwrap_or_default()).await;
    }
}

/// Until the next sweep is due, a person asks, or a policy needs a deeper look.
async fn wait(ctx: &Context, name: &str, depth: Depth, rest: Duration) {
    let due = tokio::time::Instant::now() + rest;
    let handle = ctx
        .sweepers
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(name)
        .cloned();
    let Some(handle) = handle else { return };
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(due) => return,
            () = handle.wake.notified() => {
                let asked = ctx.stores.accounts.get(&ObjectRef::new(name)).is_some_and(|a| requested(&a).is_some());
                if asked || ctx.depth() > depth {
                    return;
                }
            }
        }
    }
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
    for swept in futures::future::join_all(regions).await {
        failure = failure.or(swept.failure);
    }
    let complete = failure.is_none();
    if !complete {
        ctx.verified.forget(account);
    }
    tell(ctx, account, asked, failure, ears.found.load(Ordering::Relaxed)).await;
    complete
}

/// The account's status after a sweep.
async fn tell(ctx: &Context, account: &AwsAccount, asked: Option<String>, failure: Option<Error>, endpoints: usize) {
    let api: Api<AwsAccount> = Api::all(ctx.client.clone());
    // The account reconciler writes the same status: read, change, write, a few times at most.
    for _ in 0..5 {
        let Ok(before) = status::bounded(api.get(&account.name_any())).await else {
            return;
        };
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
        match status::write(&api, &before, &after).await {
            Err(status::Error::Conflict) => {}
            _ => return ctx.wake.policies(),
        }
    }
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
        let missing: Vec<_> = named.iter().map(|(name, id)| self.create(name, id).boxed()).collect();
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
        if drifts
            .iter()
            .any(|d| d.spec.endpoint == name && super::episode::is_open(d))
        {
            self.ctx.wake.endpoint(name);
        }
    }

    async fn create(&self, name: &str, id: &EndpointId) {
        if self.ctx.stores.endpoints.get(&ObjectRef::new(name)).is_some() {
            return;
        }
        let spec = AwsEndpointSpec {
            account_id: id.account_id.clone(),
            region: id.region.clone(),
            type_: id.type_,
            id: id.id.clone(),
        };
        let endpoint = AwsEndpoint {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                owner_references: self.account.controller_owner_ref(&()).map(|mut owner| {
                    // Deleting the account must not wait for its endpoints.
                    owner.block_owner_deletion = None;
                    vec![owner]
                }),
                ..ObjectMeta::default()
            },
            spec,
            status: None,
        };
        let api: Api<AwsEndpoint> = Api::all(self.ctx.client.clone());
        match status::bounded(api.create(&PostParams::default(), &endpoint)).await {
            Ok(_) | Err(status::Error::Conflict) => {}
            Err(error) => tracing::warn!(%error, endpoint = %name, "AwsEndpoint not created"),
        }
    }
}
