//! The reconcilers, thin: I/O, pure, I/O, in that order.
//!
//! * `account`: credentials, lease, and a `sweeper` for each account.
//! * `endpoint`: from a snapshot to verdicts (`case`), Drifts (`episode`, pure) and repairs (`remedy`), and
//!   what people have taken back (`revert`). `turns` says who may judge and repair now.
//! * `drift`: recorded, told, retired (`retention`, pure).
//! * `policy`: compiled, counted.
//! * `exception`: does it count?
//! * `stream`: events that tell of changes: what is read again out of turn, and who did it.
//! * `kubernetes`: what is watched, known and written there.
//!
//! `farewell` is what is owed when an account, a policy or a grant goes, `guard` whether approvals are to be believed.
//! `outcome` turns every failure into the next attempt.

mod account;
mod context;
mod drift;
mod endpoint;
mod exception;
mod farewell;
mod guard;
mod kubernetes;
mod outcome;
mod policy;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use jiff::Timestamp;
use kube::core::Selector;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::{Client, ResourceExt};
use tokio::sync::watch;

pub use context::Clock;
use context::{Context, Stores};
pub use drift::retention::Spans;
use drift::taken;
use endpoint::remedy::admission;
use endpoint::{looks, turns};
use kubernetes::foreign::{Shelf, Shelves};
use kubernetes::watched::trigger;
use kubernetes::{hear, wake, watched};
use outcome::Failure;

use crate::aws::apigateway::read::ExportCache;
use crate::aws::gate::Fence;
use crate::aws::session::{Limits, Sessions};
use crate::inventory::Inventory;
use crate::ops::lease::{Durations, Leases};
use crate::ops::metrics::Metrics;

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
    /// Drift is found and told, and nothing is changed anywhere.
    pub suspend: bool,
    /// Name of the `ValidatingAdmissionPolicy`, and of its binding, that checks who approves. None: no approval is taken.
    pub approval_policy: Option<String>,
    /// How long things last.
    pub spans: Spans,
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
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
    ready: watch::Sender<bool>,
) -> Result<(), String> {
    let (wake, woken) = wake::channel();
    let foreign = Shelves::default();
    let (accounts, of_accounts) = watched::everything(&client, &foreign.accounts);
    let (policies, of_policies) = watched::everything(&client, &foreign.policies);
    let (exceptions, of_exceptions) = watched::everything(&client, &foreign.exceptions);
    let (endpoints, of_endpoints) = watched::everything(&client, &foreign.endpoints);
    let (drifts, of_drifts) = watched::everything(&client, &foreign.drifts);
    let (namespaces, of_namespaces) = watched::everything(&client, &Shelf::default());
    let stores = Stores {
        accounts: accounts.clone(),
        policies: policies.clone(),
        exceptions,
        endpoints: endpoints.clone(),
        drifts: drifts.clone(),
        namespaces,
    };
    let ctx = Arc::new(context(&client, options, metrics, stores, foreign, wake).await);
    let (filled, all_filled) = watch::channel(false);
    let stage = Stage {
        ctx: ctx.clone(),
        filled: all_filled,
        stop: stop.clone(),
    };
    let many = || Config::default().concurrency(16);
    let few = || Config::default().concurrency(2).debounce(Duration::from_millis(100));
    let accounts = Controller::for_stream(trigger(of_accounts, hear::accounts(&ctx)), accounts.store().clone())
        .reconcile_on(woken.accounts);
    let policies = Controller::for_stream(trigger(of_policies, hear::policies(&ctx)), policies.store().clone())
        .with_config(few())
        .reconcile_on(woken.policies)
        .reconcile_all_on(woken.all_policies);
    // More than are judged at once: those that repair wait for AWS, and need a slot for that.
    let more = || Config::default().concurrency(64);
    let endpoints = Controller::for_stream(trigger(of_endpoints, hear::endpoints(&ctx)), endpoints.store().clone())
        .with_config(more())
        .reconcile_on(woken.endpoints)
        .reconcile_all_on(woken.all_endpoints);
    let drifts = Controller::for_stream(trigger(of_drifts, hear::drifts(&ctx)), drifts.store().clone())
        .with_config(many())
        .reconcile_all_on(woken.all_drifts);
    let reader = tokio::spawn(stream::reader::run(ctx.clone()));
    let (mut heard_exceptions, mut heard_namespaces) = (hear::exceptions(&ctx), hear::namespaces(&ctx));

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
        stage.hear(of_exceptions, |news| heard_exceptions(&news)),
        stage.hear(of_namespaces, |news| heard_namespaces(&news)),
        changes(&ctx, stop.clone(), || {
            let _ = filled.send(true);
            let _ = ready.send(true);
        }),
    );
    reader.abort();
    ctx.stream.listeners.stop();
    ctx.sweepers
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clear();
    ctx.leases.shutdown().await;
    Ok(())
}

async fn context(
    client: &Client,
    options: Options,
    metrics: Arc<Metrics>,
    stores: Stores,
    foreign: Shelves,
    wake: wake::Wake,
) -> Context {
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
        stream: stream::Stream::default(),
        metrics,
        clock: Arc::new(Timestamp::now),
        mine: options.accounts,
        suspended: options.suspend,
        guard: guard::Guard::new(options.approval_policy),
        looks: looks::Looks::default(),
        spans: options.spans,
        stores,
        foreign,
        turns: turns::Turns::new(wake.clone()),
        wake,
        compiled: std::sync::Mutex::default(),
        wholes: std::sync::Mutex::default(),
        taken: taken::Taken::default(),
        verified: account::Verified::default(),
        sweepers: std::sync::Mutex::default(),
        departed: std::sync::Mutex::default(),
        desks: std::sync::Mutex::default(),
        admissions: admission::Admissions::default(),
        refusals: std::sync::Mutex::default(),
    }
}

/// What every reconciler runs on.
struct Stage {
    ctx: Arc<Context>,
    filled: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
}

impl Stage {
    /// Hears the news of a kind that has no reconciler.
    async fn hear<T>(&self, news: impl Stream<Item = T>, mut heard: impl FnMut(T)) {
        let mut stop = self.stop.clone();
        news.take_until(std::pin::pin!(async move { _ = stop.wait_for(|stop| *stop).await }))
            .for_each(|news| {
                heard(news);
                futures::future::ready(())
            })
            .await;
    }
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

/// Waits for the stores; from then on answers exceptions, and sees to it that whoever begins to lead looks at everything.
async fn changes(ctx: &Context, mut stop: watch::Receiver<bool>, filled: impl FnOnce()) {
    tokio::select! {
        () = fill(ctx) => filled(),
        _ = stop.wait_for(|stop| *stop) => return,
    }
    let mut leading = ctx.leases.changed();
    loop {
        let expiry = exception::answer_all(ctx).await;
        tokio::select! {
            () = ctx.wake.exceptions_asked() => {}
            () = tokio::time::sleep(expiry) => ctx.wake.endpoints(),
            Ok(()) = leading.changed() => {
                ctx.wake.drifts();
                ctx.wake.endpoints();
                for account in ctx.stores.accounts.state() {
                    ctx.wake.account(&account.name_any());
                }
            }
            _ = stop.wait_for(|stop| *stop) => return,
        }
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
