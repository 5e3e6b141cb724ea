//! Whether an account's stream of events can be relied on: what `Listening` says.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::ResourceExt;

use super::listener::queues;
use crate::api::condition::Said;
use crate::api::{AwsAccount, AwsEndpoint, Reason, Status};
use crate::aws::cloudtrail::Recording;
use crate::aws::{Class, Error};
use crate::controller::account::sweeper;
use crate::controller::context::Context;
use crate::inventory::events::Event;
use crate::inventory::trail::Trail;
use crate::judge::Snapshot;
use crate::judge::snapshot::EndpointId;
use crate::ops::metrics::Account;

/// A drift that a sweep found before any event told of it.
#[derive(Clone, Debug)]
struct Suspect {
    endpoint: EndpointId,
    /// What changed it happened since then.
    since: Timestamp,
    found: Timestamp,
    /// The stream has until then.
    due: Instant,
}

/// What is known of one account's stream.
#[derive(Debug, Default)]
struct State {
    /// Why a queue cannot be listened to, by its URL; none: it can.
    queues: BTreeMap<String, Option<Error>>,
    /// Whether a trail records, by region.
    recording: BTreeMap<String, Result<Recording, Error>>,
    suspects: Vec<Suspect>,
    gap: Option<Suspect>,
}

/// All accounts' streams, by the name of their `AwsAccount`.
#[derive(Default)]
pub struct Health(Mutex<HashMap<String, State>>);

impl Health {
    fn states(&self) -> MutexGuard<'_, HashMap<String, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A queue was asked.
    pub fn queue(&self, owners: &[Arc<AwsAccount>], url: &str, failure: Option<&Error>, ctx: &Context) {
        for owner in owners {
            let name = owner.name_any();
            let mut states = self.states();
            let known = states.entry(name.clone()).or_default().queues.entry(url.to_owned());
            let same = matches!(&known, std::collections::btree_map::Entry::Occupied(e) if e.get().as_ref() == failure);
            if !same {
                known.insert_entry(failure.cloned());
                drop(states);
                ctx.wake.account(&name);
            }
        }
    }

    /// CloudTrail was asked whether a trail records a region.
    pub fn recording(&self, account: &str, region: &str, said: Result<Recording, Error>) {
        let mut states = self.states();
        let state = states.entry(account.to_owned()).or_default();
        state.recording.insert(region.to_owned(), said);
    }

    /// A sweep found a drift. The stream has some time to tell of it.
    pub fn suspect(&self, account: &str, endpoint: &EndpointId, since: Timestamp, found: Timestamp, delay: Duration) {
        let mut states = self.states();
        let state = states.entry(account.to_owned()).or_default();
        if !state.suspects.iter().any(|suspect| suspect.endpoint == *endpoint) {
            state.suspects.push(Suspect {
                endpoint: endpoint.clone(),
                since,
                found,
                due: Instant::now() + delay,
            });
        }
    }

    /// An event came that happened then: one since the gap says that the stream works again.
    pub fn told(&self, account: &str, at: Timestamp, ctx: &Context) {
        let mut states = self.states();
        let Some(state) = states.get_mut(account) else { return };
        if state.gap.take_if(|gap| at > gap.found).is_some() {
            drop(states);
            ctx.wake.account(account);
        }
    }

    /// Whether a sweep found what no event told of: sweeps are then all that finds drift.
    pub fn has_gap(&self, account: &str) -> bool {
        self.states().get(account).is_some_and(|state| state.gap.is_some())
    }

    /// Whether the stream can be relied on.
    pub fn is_listening(&self, account: &AwsAccount) -> bool {
        let states = self.states();
        let state = states.get(&account.name_any());
        state.is_some_and(|state| state.say(account).status == Status::True)
    }

    /// What `Listening` says, and when it may say something else. None for an account without queues.
    pub fn said(&self, account: &AwsAccount, ctx: &Context) -> Option<(Said, Option<Duration>)> {
        if queues(account).is_empty() {
            self.states().remove(&account.name_any());
            return None;
        }
        let name = account.name_any();
        let mut states = self.states();
        let state = states.entry(name.clone()).or_default();
        let own = ctx.own(account);
        if state.overdue(&ctx.stream.trail, |event| own.is_own(&event.principal)) {
            let label = Account { account: name.clone() };
            ctx.metrics.gaps.get_or_create(&label).inc();
        }
        let said = state.say(account);
        let listening = i64::from(said.status == Status::True);
        let label = Account { account: name };
        ctx.metrics.listening.get_or_create(&label).set(listening);
        let next = state.suspects.iter().map(|suspect| suspect.due).min();
        Some((said, next.map(|due| due.saturating_duration_since(Instant::now()))))
    }
}

/// A new drift: where somebody changed the endpoint since it was last judged and no event told of it yet, the account's stream
/// has some time to tell.
pub fn suspect(ctx: &Context, account: &AwsAccount, endpoint: &AwsEndpoint, snapshot: &Snapshot) {
    let known = endpoint.status.as_ref().map_or("", |s| s.digest.as_str());
    if known.is_empty() || known == snapshot.digest || queues(account).is_empty() {
        return;
    }
    let now = ctx.now();
    let swept = account.status.as_ref().and_then(|s| s.last_sweep_time.as_ref());
    let swept = swept.map_or(now, |at| at.0);
    // A sweep takes as long as it is spread: what it shows last was changed since the one before.
    let since = swept - ctx.spans.stream_delay - now.duration_since(swept);
    let own = ctx.own(account);
    let own = |event: &Event| own.is_own(&event.principal);
    if !ctx.stream.trail.told_since(&snapshot.endpoint, since, own) {
        let delay = Duration::try_from(ctx.spans.stream_delay).unwrap_or_default();
        let name = account.name_any();
        ctx.stream.health.suspect(&name, &snapshot.endpoint, since, now, delay);
        ctx.wake.account(&name);
    }
}

impl State {
    /// Suspects whose time is over: true if the stream told nothing of one.
    fn overdue(&mut self, trail: &Trail, own: impl Fn(&Event) -> bool) -> bool {
        let (due, still): (Vec<_>, Vec<_>) = self.suspects.drain(..).partition(|s| s.due <= Instant::now());
        self.suspects = still;
        let untold = due.into_iter().find(|s| !trail.told_since(&s.endpoint, s.since, &own));
        let found = untold.is_some();
        self.gap = untold.or(self.gap.take());
        found
    }

    fn say(&self, account: &AwsAccount) -> Said {
        let listening = |status, reason, message: String| Said::new("Listening", status, reason, message);
        for url in queues(account) {
            match self.queues.get(url) {
                Some(None) => {}
                None => return listening(Status::Unknown, Reason::Pending, format!("{url} was not asked yet")),
                Some(Some(error)) => {
                    let status = if error.class.is_transient() {
                        Status::Unknown
                    } else {
                        Status::False
                    };
                    let told = format!("queue {url}: {}", sweeper::explain(error));
                    let told = match error.class {
                        Class::Refused | Class::NotFound => {
                            format!("{told}; correct spec.events.queues, or make the queue")
                        }
                        _ => told,
                    };
                    return listening(status, sweeper::reason(error), told);
                }
            }
        }
        for region in &account.spec.regions {
            match self.recording.get(region) {
                Some(Ok(Recording::None(why))) => {
                    return listening(Status::False, Reason::TrailMissing, format!("region {region}: {why}"));
                }
                Some(Err(error)) => {
                    let told = format!(
                        "whether a trail records {region} cannot be told: {}",
                        sweeper::explain(error)
                    );
                    return listening(Status::Unknown, sweeper::reason(error), told);
                }
                Some(Ok(Recording::By(_))) | None => {}
            }
        }
        match &self.gap {
            Some(gap) => listening(
                Status::False,
                Reason::EventGap,
                format!(
                    "a sweep found a drift of {} {} in {} at {}, and no event told of a change since {}: look at the rule, the queue's policy and its dead-letter queue; sweeps are closer together until an event comes",
                    gap.endpoint.type_.as_str(),
                    gap.endpoint.id,
                    gap.endpoint.region,
                    gap.found.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    gap.since.strftime("%Y-%m-%dT%H:%M:%SZ"),
                ),
            ),
            None => listening(Status::True, Reason::Listening, String::new()),
        }
    }
}
