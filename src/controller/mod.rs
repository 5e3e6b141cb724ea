//! The reconcilers, thin: I/O, pure, I/O, in that order.
//!
//! * `account`: credentials, lease, and a `sweeper` for each account.
//! * `endpoint`: from a snapshot to verdicts and Drifts (`episode`, pure) and repairs (`remedy`).
//! * `drift`: recorded, told, retired.
//! * `policy`: compiled, counted.
//!
//! `outcome` turns every failure into the next attempt, `status` is the only way to Kubernetes' writes.

mod account;
mod context;
mod drift;
mod endpoint;
mod episode;
mod names;
mod outcome;
mod policy;
mod remedy;
mod status;
mod sweeper;
mod wake;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::core::Selector;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;

pub use context::Clock;
use context::{Context, Stores};
use outcome::Failure;

use crate::api::{AwsAccount, AwsEndpoint, Drift, EndpointException, EndpointPolicy};
use crate::aws::apigateway::read::ExportCache;
use crate::aws::gate::Fence;
use crate::aws::session::{Limits, Sessions};
use crate::inventory::Inventory;
use crate::ops::lease::{Durations, Leases};

/// What the controller needs to know of its place.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where leases are kept: the controller's own namespace.
    pub namespace: String,
    /// Who holds the leases: the pod's name.
    pub identity: String,
    /// Stands in the names of AWS sessions.
    pub cluster_id: String,
    /// Only accounts with these labels are acted for.
    pub accounts: Selector,
}

/// Runs until `stop` becomes true, then ends what is under way and lets go of the leases.
///
/// # Errors
/// When Kubernetes does not know the kinds, or cannot be reached at all.
pub async fn run(
    client: Client,
    options: Options,
    mut stop: watch::Receiver<bool>,
    ready: watch::Sender<bool>,
) -> Result<(), String> {
    let leases = Arc::new(Leases::new(
        client.clone(),
        &options.namespace,
        &options.identity,
        Durations::default(),
    ));
    let base = crate::aws::session::environment().await;
    let sessions = Sessions::new(
        &base,
        options.cluster_id.clone(),
        Arc::new(Led(leases.clone())),
        Limits::Quotas,
    );
    let (wake, woken) = wake::channel();

    let accounts = Controller::new(Api::<AwsAccount>::all(client.clone()), watcher::Config::default());
    let policies = Controller::new(Api::<EndpointPolicy>::all(client.clone()), watcher::Config::default())
        .with_config(Config::default().concurrency(2).debounce(Duration::from_millis(100)));
    let endpoints = Controller::new(Api::<AwsEndpoint>::all(client.clone()), watcher::Config::default())
        .with_config(Config::default().concurrency(16));
    let drifts = Controller::new(Api::<Drift>::all(client.clone()), watcher::Config::default())
        .with_config(Config::default().concurrency(16));
    let (exceptions, mut exceptions_changed) = reflect(Api::<EndpointException>::all(client.clone()));
    let (namespaces, mut namespaces_changed) = reflect(Api::<Namespace>::all(client.clone()));
    let stores = Stores {
        accounts: accounts.store(),
        policies: policies.store(),
        exceptions,
        endpoints: endpoints.store(),
        drifts: drifts.store(),
        namespaces,
    };
    let clock: Clock = Arc::new(Timestamp::now);
    let ctx = Arc::new(Context {
        events: Recorder::new(
            client.clone(),
            Reporter {
                controller: "plumbline".into(),
                instance: Some(options.identity.clone()),
            },
        ),
        client: client.clone(),
        sessions,
        inventory: Inventory::default(),
        exports: ExportCache::new(),
        leases: leases.clone(),
        clock,
        mine: options.accounts,
        stores,
        wake: wake.clone(),
        compiled: std::sync::Mutex::default(),
        wholes: std::sync::Mutex::default(),
        sweepers: std::sync::Mutex::default(),
    });

    // A store that is not filled yet would make everything look deleted: nothing is reconciled before all are.
    let (filled, all_filled) = watch::channel(false);
    let mut stopping = stop.clone();
    let ended = async move { _ = stopping.wait_for(|stop| *stop).await }.shared();
    let gate = |ctx: &Arc<Context>| (ctx.clone(), all_filled.clone());

    let account_ctx = gate(&ctx);
    let accounts = accounts
        .reconcile_on(woken.accounts)
        .graceful_shutdown_on(ended.clone())
        .run(
            move |object, _| after(account_ctx.clone(), move |ctx| account::reconcile(object, ctx).boxed()),
            outcome::retry,
            ctx.clone(),
        )
        .for_each(|result| async move { report("AwsAccount", result) });

    let policy_ctx = gate(&ctx);
    let policies = policies
        .watches(Api::<Drift>::all(client.clone()), watcher::Config::default(), |drift| {
            let namespace = drift.namespace().unwrap_or_default();
            [ObjectRef::new(&drift.spec.policy).within(&namespace)]
        })
        .reconcile_all_on(woken.policies)
        .graceful_shutdown_on(ended.clone())
        .run(
            move |object, _| after(policy_ctx.clone(), move |ctx| policy::reconcile(object, ctx).boxed()),
            outcome::retry,
            ctx.clone(),
        )
        .for_each(|result| async move { report("EndpointPolicy", result) });

    let all_endpoints = wake.clone();
    let endpoint_ctx = gate(&ctx);
    let endpoints = endpoints
        .watches(Api::<Drift>::all(client.clone()), watcher::Config::default(), |drift| {
            [endpoint::of_drift(&drift)]
        })
        .reconcile_on(woken.endpoints)
        .reconcile_all_on(woken.all_endpoints)
        .graceful_shutdown_on(ended.clone())
        .run(
            move |object, _| {
                after(endpoint_ctx.clone(), move |ctx| {
                    endpoint::reconcile(object, ctx).boxed()
                })
            },
            outcome::retry,
            ctx.clone(),
        )
        .for_each(|result| async move { report("AwsEndpoint", result) });

    let drift_ctx = gate(&ctx);
    let drifts = drifts
        .reconcile_all_on(woken.all_drifts)
        .graceful_shutdown_on(ended.clone())
        .run(
            move |object, _| after(drift_ctx.clone(), move |ctx| drift::reconcile(object, ctx).boxed()),
            outcome::retry,
            ctx.clone(),
        )
        .for_each(|result| async move { report("Drift", result) });

    // Whatever judgements rest on changed: look at everything again. Accounts and policies are watched by their own
    // reconcilers, which say so.
    let mut leading = leases.changed();
    let changes = async {
        fill(&ctx).await;
        let _ = filled.send(true);
        let _ = ready.send(true);
        loop {
            tokio::select! {
                Ok(()) = exceptions_changed.changed() => {}
                Ok(()) = namespaces_changed.changed() => all_endpoints.policies(),
                Ok(()) = leading.changed() => {
                    all_endpoints.drifts();
                    for account in ctx.stores.accounts.state() {
                        all_endpoints.account(&account.name_any());
                    }
                }
                _ = stop.wait_for(|stop| *stop) => return,
            }
            all_endpoints.endpoints();
        }
    };
    futures::join!(accounts, policies, endpoints, drifts, changes);
    ctx.sweepers
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clear();
    leases.shutdown().await;
    Ok(())
}

/// The fence of the leases.
struct Led(Arc<Leases>);

impl Fence for Led {
    fn may_write(&self, account_id: &str) -> bool {
        self.0.leads(account_id)
    }
}

/// Waits for the stores, then reconciles.
async fn after<F>(gate: (Arc<Context>, watch::Receiver<bool>), reconcile: F) -> Result<Action, Failure>
where
    F: FnOnce(Arc<Context>) -> BoxFuture<'static, Result<Action, Failure>>,
{
    let (ctx, mut filled) = gate;
    let _ = filled.wait_for(|filled| *filled).await;
    reconcile(ctx).await
}

async fn fill(ctx: &Context) {
    let Stores {
        accounts,
        policies,
        exceptions,
        endpoints,
        drifts,
        namespaces,
    } = &ctx.stores;
    let _ = futures::join!(
        accounts.wait_until_ready(),
        policies.wait_until_ready(),
        exceptions.wait_until_ready(),
        endpoints.wait_until_ready(),
        drifts.wait_until_ready(),
        namespaces.wait_until_ready(),
    );
}

/// A reflection with a sign of each change.
fn reflect<K>(api: Api<K>) -> (reflector::Store<K>, watch::Receiver<u64>)
where
    K: kube::Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let (changed, changes) = watch::channel(0);
    let stream = watcher(api, watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .touched_objects();
    tokio::spawn(stream.for_each(move |_| {
        changed.send_modify(|n| *n += 1);
        futures::future::ready(())
    }));
    (store, changes)
}

fn report<K: kube::Resource, Q: std::fmt::Debug, E: std::fmt::Display>(
    kind: &str,
    result: Result<(ObjectRef<K>, kube::runtime::controller::Action), kube::runtime::controller::Error<E, Q>>,
) where
    E: std::error::Error + 'static,
    Q: std::error::Error + 'static,
{
    if let Err(error) = result {
        match error {
            kube::runtime::controller::Error::ReconcilerFailed(error, _) => {
                tracing::debug!(kind, %error, "to be tried again")
            }
            error => tracing::debug!(kind, %error, "watch"),
        }
    }
}
