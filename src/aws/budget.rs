//! How fast AWS may be asked: one budget per account, region and service, for scans, hints and repairs alike.
//!
//! The core is pure: time is passed in. The quotas are fixed per account and shared with the user's own pipelines, so
//! only a share is used, and less while AWS throttles.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// Who waits for the budget: those above go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A repair under way.
    Repair,
    /// An endpoint that an event named.
    Hint,
    /// Everything, in turn.
    #[default]
    Sweep,
}

/// A quota: so many at once, so many a second.
#[derive(Clone, Copy, Debug)]
struct Quota {
    burst: f64,
    rate: f64,
}

/// API Gateway's fixed quota for all operations together.
const TOTAL: Quota = Quota {
    burst: 40.0,
    rate: 10.0,
};

/// Operations that API Gateway limits further.
const OPERATIONS: [(&str, Quota); 5] = [
    ("GetResources", Quota { burst: 5.0, rate: 2.5 }),
    ("CreateDeployment", Quota { burst: 1.0, rate: 0.2 }),
    ("UpdateAccount", Quota { burst: 1.0, rate: 0.05 }),
    ("UpdateUsagePlan", Quota { burst: 1.0, rate: 0.05 }),
    (
        "UpdateDomainName",
        Quota {
            burst: 1.0,
            rate: 1.0 / 30.0,
        },
    ),
];

/// CloudTrail's quota of `LookupEvents`.
const LOOKUPS: Quota = Quota { burst: 2.0, rate: 2.0 };

/// Never slower than this part of the quota, or nothing would ever end.
const FLOOR: f64 = 0.05;
/// How much of the quota comes back in a second without throttling.
const RECOVERY: f64 = 0.01;
/// How long nothing is asked after AWS throttled.
const PAUSE: Duration = Duration::from_secs(1);
/// Smaller than any error of adding up refills; without it a token is waited for twice.
const EPSILON: f64 = 1e-9;

#[derive(Debug)]
struct Bucket {
    quota: Quota,
    tokens: f64,
}

impl Bucket {
    fn new(quota: Quota, share: f64) -> Self {
        let mut bucket = Bucket { quota, tokens: 0.0 };
        bucket.tokens = bucket.size(share);
        bucket
    }

    fn size(&self, share: f64) -> f64 {
        (self.quota.burst * share).max(1.0)
    }

    fn refill(&mut self, seconds: f64, pace: f64, share: f64) {
        self.tokens = (self.tokens + seconds * self.quota.rate * pace).min(self.size(share));
    }

    fn has_one(&self) -> bool {
        self.tokens + EPSILON >= 1.0
    }

    /// Until there is one.
    fn wait(&self, pace: f64) -> Duration {
        Duration::from_secs_f64(((1.0 - self.tokens) / (self.quota.rate * pace)).max(0.0))
    }
}

/// A place in the queue: who is first by priority, then by arrival.
type Place = (Priority, u64);

/// The pure core. `now` is the time since any fixed moment; it never goes back.
#[derive(Debug)]
struct Core {
    share: f64,
    pace: f64,
    now: Duration,
    paused_until: Duration,
    total: Bucket,
    operations: Vec<(&'static str, Bucket)>,
    waiting: BTreeMap<Place, Option<usize>>,
    arrivals: u64,
}

impl Core {
    fn new(share: f64, total: Quota, operations: &[(&'static str, Quota)]) -> Self {
        let share = share.clamp(0.01, 1.0);
        Core {
            share,
            pace: share,
            now: Duration::ZERO,
            paused_until: Duration::ZERO,
            total: Bucket::new(total, share),
            operations: operations
                .iter()
                .map(|(name, quota)| (*name, Bucket::new(*quota, share)))
                .collect(),
            waiting: BTreeMap::new(),
            arrivals: 0,
        }
    }

    fn advance(&mut self, now: Duration) {
        let seconds = now.saturating_sub(self.now).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        self.now = now;
        self.total.refill(seconds, self.pace, self.share);
        for (_, bucket) in &mut self.operations {
            bucket.refill(seconds, self.pace, self.share);
        }
        if now >= self.paused_until {
            self.pace = (self.pace + seconds * RECOVERY).min(self.share);
        }
    }

    fn operation(&self, name: &str) -> Option<usize> {
        self.operations.iter().position(|(own, _)| *own == name)
    }

    fn take(&mut self, operation: Option<usize>) -> bool {
        let own = operation.is_none_or(|at| self.operations[at].1.has_one());
        if self.now < self.paused_until || !own || !self.total.has_one() {
            return false;
        }
        self.total.tokens -= 1.0;
        if let Some(at) = operation {
            self.operations[at].1.tokens -= 1.0;
        }
        true
    }

    /// Takes at once if nobody waits.
    fn try_take(&mut self, now: Duration, operation: &str) -> bool {
        self.advance(now);
        let operation = self.operation(operation);
        self.waiting.is_empty() && self.take(operation)
    }

    fn wait(&mut self, operation: &str, priority: Priority) -> Place {
        self.arrivals += 1;
        let place = (priority, self.arrivals);
        self.waiting.insert(place, self.operation(operation));
        place
    }

    /// Serves who can be served, in order. One that waits for its operation's own quota does not hold up the others.
    fn serve(&mut self, now: Duration) -> Vec<Place> {
        self.advance(now);
        let queue: Vec<(Place, Option<usize>)> = self.waiting.iter().map(|(place, at)| (*place, *at)).collect();
        let mut served = Vec::new();
        for (place, operation) in queue {
            if self.take(operation) {
                self.waiting.remove(&place);
                served.push(place);
            }
        }
        served
    }

    /// Until somebody who waits can be served.
    fn next(&self) -> Duration {
        let pause = self.paused_until.saturating_sub(self.now);
        self.waiting
            .values()
            .map(|operation| {
                let own = operation.map_or(Duration::ZERO, |at| self.operations[at].1.wait(self.pace));
                self.total.wait(self.pace).max(own).max(pause)
            })
            .min()
            .unwrap_or(pause)
    }

    /// AWS said: too many. Answers to calls that were under way together count as one.
    fn throttled(&mut self, now: Duration) {
        self.advance(now);
        if now < self.paused_until {
            return;
        }
        self.pace = (self.pace / 2.0).max(FLOOR.min(self.share));
        self.paused_until = now + PAUSE;
        self.total.tokens = 0.0;
    }
}

/// The budget of one account, region and service.
#[derive(Debug)]
pub struct Budget(Option<Limited>);

#[derive(Debug)]
struct Limited {
    start: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    core: Core,
    waiters: HashMap<Place, oneshot::Sender<()>>,
}

impl State {
    fn serve(&mut self, now: Duration) {
        for place in self.core.serve(now) {
            if let Some(waiter) = self.waiters.remove(&place) {
                // One that gave up in this instant loses a token, which only makes Plumbline more polite.
                let _ = waiter.send(());
            }
        }
    }
}

/// Leaves the queue when the waiting future is dropped.
struct Queued<'a> {
    limited: &'a Limited,
    place: Place,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let mut state = self.limited.lock();
        state.core.waiting.remove(&self.place);
        state.waiters.remove(&self.place);
    }
}

impl Limited {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Budget {
    /// A share, from 0.01 to 1, of API Gateway's quotas.
    pub fn api_gateway(share: f64) -> Self {
        Self::of(Core::new(share, TOTAL, &OPERATIONS))
    }

    /// A share, from 0.01 to 1, of CloudTrail's quota of lookups.
    pub fn cloud_trail(share: f64) -> Self {
        Self::of(Core::new(share, LOOKUPS, &[]))
    }

    fn of(core: Core) -> Self {
        Budget(Some(Limited {
            start: Instant::now(),
            state: Mutex::new(State {
                core,
                waiters: HashMap::new(),
            }),
        }))
    }

    /// No limit at all, for endpoints that have none.
    pub fn unlimited() -> Self {
        Budget(None)
    }

    /// Waits until the operation may be asked for.
    pub async fn acquire(&self, operation: &str, priority: Priority) {
        let Some(limited) = &self.0 else { return };
        let (mut served, queued) = {
            let mut state = limited.lock();
            let now = limited.now();
            if state.core.try_take(now, operation) {
                return;
            }
            let (waiter, served) = oneshot::channel();
            let place = state.core.wait(operation, priority);
            state.waiters.insert(place, waiter);
            state.serve(now);
            (served, Queued { limited, place })
        };
        // Whoever wakes serves the whole queue, so no task of its own is needed; the pace may change meanwhile.
        loop {
            let pause = limited.lock().core.next();
            let pause = pause.clamp(Duration::from_millis(1), Duration::from_millis(500));
            tokio::select! {
                _ = &mut served => break,
                () = tokio::time::sleep(pause) => {
                    let now = limited.now();
                    limited.lock().serve(now);
                }
            }
        }
        drop(queued);
    }

    /// AWS throttled: half as fast, after a short pause.
    pub fn throttled(&self) {
        if let Some(limited) = &self.0 {
            let now = limited.now();
            limited.lock().core.throttled(now);
        }
    }

    /// Uses another share from now on.
    pub fn set_share(&self, share: f64) {
        if let Some(limited) = &self.0 {
            let now = limited.now();
            let mut state = limited.lock();
            let share = share.clamp(0.01, 1.0);
            if state.core.share.to_bits() != share.to_bits() {
                state.core.advance(now);
                state.core.pace *= share / state.core.share;
                state.core.share = share;
            }
        }
    }

    /// How fast it is now, as a part of AWS's quota; 1 without a limit.
    pub fn pace(&self) -> f64 {
        self.0.as_ref().map_or(1.0, |limited| {
            let now = limited.now();
            let mut state = limited.lock();
            state.core.advance(now);
            state.core.pace
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// How many of an operation are served up to a moment, asked for in steps of 10 ms.
    fn served(core: &mut Core, operation: &str, until: u64) -> usize {
        (0..=until / 10)
            .map(|step| {
                let mut count = 0;
                while core.try_take(at(step * 10), operation) {
                    count += 1;
                }
                count
            })
            .sum()
    }

    #[test]
    fn quotas_hold() {
        for (operation, share, until, expected, why) in [
            ("GetStages", 1.0, 0, 40, "a full bucket"),
            ("GetStages", 1.0, 2000, 60, "40 and 10 a second"),
            ("GetStages", 0.5, 2000, 30, "half of it"),
            ("GetResources", 1.0, 2000, 10, "5 and 5 in 2 s"),
            ("CreateDeployment", 1.0, 5000, 2, "one in 5 s"),
            (
                "CreateDeployment",
                0.5,
                9990,
                1,
                "one in 10 s, and never less than one at once",
            ),
            ("UpdateDomainName", 1.0, 29_990, 1, "one in 30 s"),
        ] {
            let mut core = Core::new(share, TOTAL, &OPERATIONS);
            assert_eq!(
                served(&mut core, operation, until),
                expected,
                "{operation} {share}: {why}"
            );
        }
    }

    #[test]
    fn an_operation_counts_for_the_total_too() {
        let mut core = Core::new(1.0, TOTAL, &OPERATIONS);
        assert_eq!(served(&mut core, "GetResources", 0), 5);
        assert_eq!(served(&mut core, "GetStages", 0), 35);
    }

    #[test]
    fn repairs_go_first_and_a_slow_operation_holds_nobody_up() {
        let mut core = Core::new(1.0, TOTAL, &OPERATIONS);
        served(&mut core, "CreateDeployment", 0);
        served(&mut core, "GetStages", 0);
        let sweep = core.wait("GetStages", Priority::Sweep);
        let deploy = core.wait("CreateDeployment", Priority::Repair);
        let hint = core.wait("GetStages", Priority::Hint);
        let repair = core.wait("UpdateStage", Priority::Repair);
        assert_eq!(core.serve(at(0)), []);
        assert_eq!(core.next(), at(100));
        assert_eq!(core.serve(at(100)), [repair]);
        assert_eq!(core.serve(at(200)), [hint]);
        assert_eq!(core.serve(at(300)), [sweep]);
        assert_eq!(core.serve(at(4000)), []);
        assert_eq!(core.serve(at(5000)), [deploy]);
    }

    #[test]
    fn throttling_halves_and_comes_back() {
        let mut core = Core::new(0.5, TOTAL, &OPERATIONS);
        let pace = |core: &Core| format!("{:.2}", core.pace);
        core.throttled(at(0));
        core.throttled(at(10));
        assert_eq!(pace(&core), "0.25", "answers to calls under way together count as one");
        assert!(!core.try_take(at(900), "GetStages"), "a pause");
        assert!(core.try_take(at(1000), "GetStages"));
        for second in 1..10 {
            core.throttled(at(second * 1000));
        }
        assert_eq!(pace(&core), "0.05", "not below the floor");
        core.advance(at(20_000));
        assert!(core.pace > 0.1, "it recovers");
        core.advance(at(200_000));
        assert_eq!(pace(&core), "0.50", "up to the share");
    }

    #[test]
    fn a_small_share_is_its_own_floor() {
        let mut core = Core::new(0.02, TOTAL, &OPERATIONS);
        core.throttled(at(0));
        assert!((core.pace - 0.02).abs() < f64::EPSILON);
    }

    #[tokio::test]
    async fn waiters_are_served_by_priority_and_leave_when_dropped() {
        let budget = std::sync::Arc::new(Budget::api_gateway(1.0));
        for _ in 0..40 {
            budget.acquire("GetStages", Priority::Sweep).await;
        }
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        for priority in [Priority::Sweep, Priority::Hint, Priority::Repair] {
            let (budget, told) = (budget.clone(), told.clone());
            tokio::spawn(async move {
                budget.acquire("GetStages", priority).await;
                told.send(priority).unwrap();
            });
        }
        tokio::task::yield_now().await;
        let dropped = tokio::time::timeout(at(20), budget.acquire("GetStages", Priority::Repair)).await;
        assert!(dropped.is_err());
        for expected in [Priority::Repair, Priority::Hint, Priority::Sweep] {
            assert_eq!(order.recv().await, Some(expected));
        }
        assert!(budget.0.as_ref().unwrap().lock().waiters.is_empty());
    }
}
