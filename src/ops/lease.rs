//! One Kubernetes Lease for each AWS account id, and a fence: for one account one replica acts at a time.
//!
//! [`term`] decides; here are the requests, the clock and the tasks. The promise has four parts:
//!
//! 1. [`Leases::leads`] is asked right before each attempt of an AWS write, in the HTTP connector. It compares two
//!    numbers: a holder that is cut off from Kubernetes stops by itself, with no task having to run.
//! 2. Writes are not retried by the SDK, and an attempt is given up after [`Durations::write`], which is shorter than
//!    [`Durations::margin`].
//! 3. Writes to a Lease are conditional on its resourceVersion: of two that take it one succeeds.
//! 4. A new holder waits out the lease and one write. A released Lease is free at once: it is released only when the
//!    last attempt that was let through must be over.
//!
//! What no lease can promise: a machine that sleeps stops its monotonic clock, so a request that was on its way before
//! can arrive after. Repairs are checked against a fresh read, so the worst is a write made twice.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub mod term;

pub use term::Durations;
use term::{Content, Decision, Term};

/// After a request that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// After somebody else wrote first.
const CONFLICT: Duration = Duration::from_millis(100);

/// The Leases that this process holds or wants.
#[derive(Clone)]
pub struct Leases {
    shared: Arc<Shared>,
    accounts: Arc<Mutex<HashMap<String, Account>>>,
}

struct Shared {
    api: Api<Lease>,
    identity: String,
    durations: Durations,
    epoch: Instant,
    changed: watch::Sender<u64>,
}

struct Account {
    state: Arc<State>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// What the fence reads and writes, in nanoseconds since the epoch of [`Shared`]; 0 is never.
#[derive(Default)]
struct State {
    leads_until: AtomicU64,
    let_through: AtomicU64,
}

impl Leases {
    /// No Lease yet. `identity` is the pod's name.
    pub fn new(client: kube::Client, namespace: &str, identity: &str, durations: Durations) -> Self {
        debug_assert!(durations.are_sound(), "{durations:?} do not keep the promise");
        Leases {
            shared: Arc::new(Shared {
                api: Api::namespaced(client, namespace),
                identity: identity.to_owned(),
                durations,
                epoch: Instant::now(),
                changed: watch::Sender::new(0),
            }),
            accounts: Arc::default(),
        }
    }

    /// Wants the Lease of an account from now on. Asked again, it changes nothing.
    pub fn ensure(&self, account_id: &str) {
        let mut accounts = self.accounts();
        if accounts
            .get(account_id)
            .is_some_and(|account| !account.task.is_finished())
        {
            return;
        }
        let (state, stop) = (Arc::new(State::default()), CancellationToken::new());
        // Never the same again: neither a container that restarted nor an account that came back may take what an
        // earlier task of the same pod holds for its own.
        let identity = format!(
            "{}_{:016x}",
            self.shared.identity,
            RandomState::new().build_hasher().finish()
        );
        let runner = Runner {
            shared: self.shared.clone(),
            state: state.clone(),
            name: name(account_id),
            term: Term::new(&identity, self.shared.durations),
            identity,
            lease: None,
            led: false,
            failing: false,
        };
        let task = tokio::spawn(runner.run(stop.clone()));
        accounts.insert(account_id.to_owned(), Account { state, stop, task });
    }

    /// The fence: whether this replica may begin an attempt of an AWS write *now*. A yes is remembered, and the Lease is
    /// not released before an attempt that began with it must be over.
    pub fn leads(&self, account_id: &str) -> bool {
        let accounts = self.accounts();
        let Some(account) = accounts.get(account_id) else {
            return false;
        };
        let now = self.shared.now();
        let yes = account.state.leads(now);
        if yes {
            // Before the account can be taken out of the map, and so before its Lease can be released.
            account.state.let_through.fetch_max(now, Ordering::Relaxed);
        }
        yes
    }

    /// Whether this replica acts for the account, for whoever only wants to know. Not for a fence: nothing is remembered.
    pub fn is_leader(&self, account_id: &str) -> bool {
        self.accounts()
            .get(account_id)
            .is_some_and(|account| account.state.leads(self.shared.now()))
    }

    /// Whether the Lease of an account is wanted, held or not.
    pub fn wants(&self, account_id: &str) -> bool {
        self.accounts().contains_key(account_id)
    }

    /// Wakes when leadership of some account was gained or lost.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// Gives the Lease of an account up: leads no more at once, and returns when the Lease is released.
    pub async fn drop(&self, account_id: &str) {
        let account = self.accounts().remove(account_id);
        if let Some(account) = account {
            account.release().await;
        }
    }

    /// Gives all Leases up, as [`Leases::drop`] does.
    pub async fn shutdown(&self) {
        let accounts: Vec<Account> = self.accounts().drain().map(|(_, account)| account).collect();
        futures::future::join_all(accounts.into_iter().map(Account::release)).await;
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<String, Account>> {
        // Every change of the map is one step: what a panic left behind is whole.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of an account's Lease.
pub fn name(account_id: &str) -> String {
    format!("plumbline-{account_id}")
}

impl Account {
    async fn release(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the task of a Lease ended early");
        }
    }
}

impl Shared {
    /// Nanoseconds of the monotonic clock, never 0.
    fn now(&self) -> u64 {
        nanos(self.elapsed()).max(1)
    }

    fn elapsed(&self) -> Duration {
        self.epoch.elapsed()
    }
}

impl State {
    fn leads(&self, now: u64) -> bool {
        now < self.leads_until.load(Ordering::Relaxed)
    }
}

/// Five hundred years fit.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Keeps one Lease.
struct Runner {
    shared: Arc<Shared>,
    state: Arc<State>,
    name: String,
    identity: String,
    term: Term,
    /// As it was last read or written.
    lease: Option<Lease>,
    led: bool,
    failing: bool,
}

/// Why a request came to nothing.
enum Failure {
    /// It was answered: somebody else wrote.
    Conflict,
    /// It may or may not have been done.
    Other(String),
}

impl Runner {
    async fn run(mut self, stop: CancellationToken) {
        // Whether `lease` is what stands there unless somebody broke in: ours, and no request of ours in doubt.
        let mut known = false;
        while !stop.is_cancelled() {
            let tried = tokio::select! {
                () = stop.cancelled() => break,
                tried = self.step(known) => tried,
            };
            known = tried.is_ok() && self.lease.as_ref().is_some_and(|lease| self.is_ours(lease));
            let next = match tried {
                Ok(at) => at,
                Err(Failure::Conflict) => self.shared.elapsed() + CONFLICT,
                Err(Failure::Other(error)) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        tracing::warn!(lease = self.name, error, "a Lease cannot be kept for now");
                    }
                    self.shared.elapsed() + PAUSE
                }
            };
            self.publish();
            self.sleep_until(next, &stop).await;
        }
        self.term.resign();
        self.publish();
        self.release().await;
    }

    fn is_ours(&self, lease: &Lease) -> bool {
        content(lease).holder.as_deref() == Some(&self.identity)
    }

    /// One look and at most one write; returns when to come back.
    async fn step(&mut self, known: bool) -> Result<Duration, Failure> {
        if !known {
            let lease = self.bounded(&[], self.shared.api.get_opt(&self.name)).await?;
            self.term.read(lease.as_ref().map(content), self.shared.elapsed());
            self.lease = lease;
        }
        let next = match self.term.decide(self.shared.elapsed()) {
            Decision::Hold(at) | Decision::Wait(at) => at,
            Decision::Acquire | Decision::Renew => {
                let sent = self.shared.elapsed();
                let wanted = self.held(Timestamp::now());
                let lease = self.put(&wanted).await?;
                self.term.wrote(content(&lease), sent, self.shared.elapsed());
                self.lease = Some(lease);
                sent + self.shared.durations.renew
            }
        };
        if std::mem::take(&mut self.failing) {
            tracing::info!(lease = self.name, "the Lease can be kept again");
        }
        Ok(next)
    }

    /// Creates what is new and replaces what was read, only if nobody wrote since.
    async fn put(&self, lease: &Lease) -> Result<Lease, Failure> {
        let params = PostParams::default();
        if lease.metadata.resource_version.is_some() {
            // Deleted since it was read: that was somebody else, too.
            self.bounded(&[404, 409], self.shared.api.replace(&self.name, &params, lease))
                .await
        } else {
            self.bounded(&[409], self.shared.api.create(&params, lease)).await
        }
    }

    /// The client retries by itself and without an end in sight: this ends it. `conflicts`: the answers that say that
    /// somebody else wrote.
    async fn bounded<T>(
        &self,
        conflicts: &[u16],
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Failure> {
        let limit = self.shared.durations.request;
        match tokio::time::timeout(limit, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) if conflicts.contains(&status.code) => {
                tracing::debug!(lease = self.name, %status, "somebody else wrote");
                Err(Failure::Conflict)
            }
            Ok(Err(kube::Error::Api(status))) => Err(Failure::Other(status.to_string())),
            Ok(Err(error)) => Err(Failure::Other(error.to_string())),
            Err(_) => Err(Failure::Other(format!("no answer within {limit:?}"))),
        }
    }

    /// Tells the fence, and whoever waits for a change.
    fn publish(&mut self) {
        self.state
            .leads_until
            .store(self.term.leads_until().map_or(0, nanos), Ordering::Relaxed);
        let leads = self.state.leads(self.shared.now());
        if leads != self.led {
            self.led = leads;
            tracing::info!(lease = self.name, leads, "leadership changed");
            self.shared.changed.send_modify(|count| *count += 1);
        }
    }

    /// Also wakes when leadership runs out, to say so.
    async fn sleep_until(&mut self, next: Duration, stop: &CancellationToken) {
        loop {
            let ends = self.term.leads_until().filter(|_| self.led);
            let at = self.shared.epoch + ends.map_or(next, |ends| ends.min(next));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(at.into()) => self.publish(),
            }
            if self.shared.elapsed() >= next {
                return;
            }
        }
    }

    /// Makes the Lease free for anybody at once, after the last attempt that the fence let through must be over.
    async fn release(&mut self) {
        let through = self.state.let_through.load(Ordering::Relaxed);
        if through > 0 {
            let over = self.shared.epoch + Duration::from_nanos(through) + self.shared.durations.write;
            tokio::time::sleep_until(over.into()).await;
        }
        // Twice: a conflict can be an annotation, or the renewal that was cut short.
        for _ in 0..2 {
            match self.give_back().await {
                Ok(()) => return,
                Err(Failure::Conflict) => {}
                Err(Failure::Other(error)) => {
                    tracing::warn!(lease = self.name, error, "not released: the others wait until it ends");
                    return;
                }
            }
        }
    }

    async fn give_back(&self) -> Result<(), Failure> {
        let Some(mut lease) = self.bounded(&[], self.shared.api.get_opt(&self.name)).await? else {
            return Ok(());
        };
        if !self.is_ours(&lease) {
            return Ok(());
        }
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = None;
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        self.put(&lease).await.map(drop)
    }

    /// The Lease as its holder writes it. `wall` is for people who look at it: nothing is decided by it.
    fn held(&self, wall: Timestamp) -> Lease {
        let mut lease = self.lease.clone().unwrap_or_else(|| Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                labels: Some([("app.kubernetes.io/managed-by".to_owned(), "plumbline".to_owned())].into()),
                ..ObjectMeta::default()
            },
            spec: None,
        });
        let fresh = lease.spec.is_none();
        let spec: &mut LeaseSpec = lease.spec.get_or_insert_default();
        // A write that changes nothing is none to Kubernetes, and observers would not see it.
        let stuck = spec
            .renew_time
            .as_ref()
            .is_some_and(|t| t.0.as_microsecond() == wall.as_microsecond());
        let wall = if stuck {
            wall.saturating_add(Duration::from_micros(1)).unwrap_or(wall)
        } else {
            wall
        };
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            spec.holder_identity = Some(self.identity.clone());
            spec.acquire_time = Some(MicroTime(wall));
            spec.lease_transitions = Some(if fresh {
                0
            } else {
                spec.lease_transitions.unwrap_or_default().saturating_add(1)
            });
        }
        spec.renew_time = Some(MicroTime(wall));
        spec.lease_duration_seconds = i32::try_from(self.shared.durations.lease.as_secs()).ok();
        lease
    }
}

/// What decides, of a Lease.
fn content(lease: &Lease) -> Content {
    let spec = lease.spec.as_ref();
    Content {
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
        holder: spec
            .and_then(|s| s.holder_identity.clone())
            .filter(|holder| !holder.is_empty()),
        lease: spec
            .and_then(|s| s.lease_duration_seconds)
            .and_then(|s| u64::try_from(s).ok())
            .map(Duration::from_secs),
    }
}
