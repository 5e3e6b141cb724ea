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
use kube::core::Selector;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
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
    /// Whether the accounts' request budgets hold.
    pub limits: Limits,
}

/// Runs until `stop` becomes true, then ends what is under way and lets go of the leases.
///
/// # Errors
/// None yet: whatever is out of reach is tried again.
pub async fn run(
    client: Client,
    options: Options,
    stop: watch::Receiver<bool>,
    ready: watch::Sender<bool>,
) -> Result<(), String> {
    let (wake, woken) = wake::channel();
    let Watched {
        accounts,
        policies,
        endpoints,
        drifts,
        exceptions,
        namespaces,
    } = Watched::new(&client);
    let stores = Stores {
        accounts: accounts.store(),
        policies: policies.store(),
        exceptions: exceptions.store,
        endpoints: endpoints.store(),
        drifts: drifts.store(),
        namespaces: namespaces.store,
    };
    let ctx = Arc::new(context(&client, options, stores, wake.clone()).await);
    let (filled, all_filled) = watch::channel(false);
    let stage = Stage {
        ctx: ctx.clone(),
        filled: all_filled,
        stop: stop.clone(),
    };

    let accounts = accounts.reconcile_on(woken.accounts);
    let policies = policies
        .watches(Api::<Drift>::all(client.clone()), watcher::Config::default(), |drift| {
            let namespace = drift.namespace().unwrap_or_default();
            [ObjectRef::new(&drift.spec.policy).within(&namespace)]
        })
        .reconcile_all_on(woken.policies);
    let endpoints = endpoints
        .watches(Api::<Drift>::all(client.clone()), watcher::Config::default(), |drift| {
            [endpoint::of_drift(&drift)]
        })
        .watches(
            Api::<EndpointPolicy>::all(client.clone()),
            watcher::Config::default(),
            {
                // A policy's own status says nothing new to endpoints: its generation does.
                let news = Generations::default();
                let wake = wake.clone();
                move |policy| {
                    if news.moved(&policy) {
                        wake.endpoints();
                        wake.drifts();
                    }
                    None
                }
            },
        )
        .watches(Api::<AwsAccount>::all(client.clone()), watcher::Config::default(), {
            let news = Generations::default();
            let wake = wake.clone();
            move |account| {
                if news.moved(&account) {
                    wake.endpoints();
                    wake.drifts();
                    wake.policies();
                }
                None
            }
        })
        .reconcile_on(woken.endpoints)
        .reconcile_all_on(woken.all_endpoints);
    let drifts = drifts.reconcile_all_on(woken.all_drifts);

    futures::join!(
        drive("AwsAccount", accounts, &stage, |object, ctx| account::reconcile(
            object, ctx
        )
        .boxed()),
        drive("EndpointPolicy", policies, &stage, |object, ctx| policy::reconcile(
            object, ctx
        )
        .boxed()),
        drive("AwsEndpoint", endpoints, &stage, |object, ctx| endpoint::reconcile(
            object, ctx
        )
        .boxed()),
        drive("Drift", drifts, &stage, |object, ctx| drift::reconcile(object, ctx)
            .boxed()),
        changes(&ctx, exceptions.changed, namespaces.changed, stop, || {
            let _ = filled.send(true);
            let _ = ready.send(true);
        }),
    );
    ctx.sweepers
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clear();
    ctx.leases.shutdown().await;
    Ok(())
}

async fn context(client: &Client, options: Options, stores: Stores, wake: wake::Wake) -> Context {
    let leases = Arc::new(Leases::new(
        client.clone(),
        &options.namespace,
        &options.identity,
        Durations::default(),
    ));
    let base = crate::aws::session::environment().await;
    let reporter = Reporter {
        controller: "plumbline".into(),
        instance: Some(options.identity),
    };
    Context {
        client: client.clone(),
        sessions: Sessions::new(&base, options.cluster_id, Arc::new(Led(leases.clone())), options.limits),
        inventory: Inventory::default(),
        exports: ExportCache::new(),
        leases,
        events: Recorder::new(client.clone(), reporter),
        clock: Arc::new(Timestamp::now),
        mine: options.accounts,
        stores,
        wake,
        compiled: std::sync::Mutex::default(),
        wholes: std::sync::Mutex::default(),
        sweepers: std::sync::Mutex::default(),
    }
}

/// Everything that is watched.
struct Watched {
    accounts: Controller<AwsAccount>,
    policies: Controller<EndpointPolicy>,
    endpoints: Controller<AwsEndpoint>,
    drifts: Controller<Drift>,
    exceptions: Reflection<EndpointException>,
    namespaces: Reflection<Namespace>,
}

impl Watched {
    fn new(client: &Client) -> Self {
        let many = || Config::default().concurrency(16);
        let few = || Config::default().concurrency(2).debounce(Duration::from_millis(100));
        Watched {
            accounts: Controller::new(Api::all(client.clone()), watcher::Config::default()),
            policies: Controller::new(Api::all(client.clone()), watcher::Config::default()).with_config(few()),
            endpoints: Controller::new(Api::all(client.clone()), watcher::Config::default()).with_config(many()),
            drifts: Controller::new(Api::all(client.clone()), watcher::Config::default()).with_config(many()),
            exceptions: reflect(Api::all(client.clone())),
            namespaces: reflect(Api::all(client.clone())),
        }
    }
}

/// What every reconciler runs on.
struct Stage {
    ctx: Arc<Context>,
    filled: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
}

/// Runs one reconciler until the end. A store that is not filled yet would make everything look deleted: nothing is
/// reconciled before all of them are.
async fn drive<K>(
    kind: &'static str,
    controller: Controller<K>,
    stage: &Stage,
    reconcile: impl Fn(Arc<K>, Arc<Context>) -> BoxFuture<'static, Result<Action, Failure>> + Copy + Send + 'static,
) where
    K: kube::Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let filled = stage.filled.clone();
    let mut stop = stage.stop.clone();
    controller
        .graceful_shutdown_on(async move { _ = stop.wait_for(|stop| *stop).await })
        .run(
            move |object, ctx| {
                let mut filled = filled.clone();
                async move {
                    let _ = filled.wait_for(|filled| *filled).await;
                    reconcile(object, ctx).await
                }
            },
            outcome::retry,
            stage.ctx.clone(),
        )
        .for_each(|result| async move {
            if let Err(error) = result {
                tracing::debug!(kind, %error, "to be tried again");
            }
        })
        .await;
}

/// Whatever judgements rest on changed: look at everything again.
async fn changes(
    ctx: &Context,
    mut exceptions: watch::Receiver<u64>,
    mut namespaces: watch::Receiver<u64>,
    mut stop: watch::Receiver<bool>,
    filled: impl FnOnce(),
) {
    tokio::select! {
        () = fill(ctx) => filled(),
        _ = stop.wait_for(|stop| *stop) => return,
    }
    let mut leading = ctx.leases.changed();
    loop {
        tokio::select! {
            Ok(()) = exceptions.changed() => {}
            Ok(()) = namespaces.changed() => ctx.wake.policies(),
            Ok(()) = leading.changed() => {
                ctx.wake.drifts();
                for account in ctx.stores.accounts.state() {
                    ctx.wake.account(&account.name_any());
                }
            }
            _ = stop.wait_for(|stop| *stop) => return,
        }
        ctx.wake.endpoints();
    }
}

/// The generations that were seen of each object.
#[derive(Default)]
struct Generations(std::sync::Mutex<std::collections::HashMap<String, (Option<i64>, bool)>>);

impl Generations {
    /// Whether the object's spec, or whether it is being deleted, is new.
    fn moved(&self, object: &impl kube::Resource) -> bool {
        let meta = object.meta();
        let now = (meta.generation, meta.deletion_timestamp.is_some());
        let mut seen = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.insert(meta.uid.clone().unwrap_or_default(), now) != Some(now)
    }
}

/// The fence of the leases.
struct Led(Arc<Leases>);

impl Fence for Led {
    fn may_write(&self, account_id: &str) -> bool {
        self.0.leads(account_id)
    }
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

/// A reflection, with a sign of each change.
struct Reflection<K: kube::Resource<DynamicType = ()> + 'static> {
    store: reflector::Store<K>,
    changed: watch::Receiver<u64>,
}

fn reflect<K>(api: Api<K>) -> Reflection<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let (change, changed) = watch::channel(0);
    let stream = watcher(api, watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .touched_objects();
    tokio::spawn(stream.for_each(move |_| {
        change.send_modify(|n| *n += 1);
        futures::future::ready(())
    }));
    Reflection { store, changed }
}
