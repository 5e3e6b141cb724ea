//! Who may go first: to judge is quick and must not wait behind repairs, which wait for AWS's quotas.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::api::endpoint::AwsEndpointSpec;
use crate::controller::kubernetes::wake::Wake;

/// So many endpoints are judged at once.
const JUDGED: usize = 16;
/// So many endpoints of an account and region are repaired at once: more of them would only wait for the same quota, and in
/// Kubernetes get in the way of what was found since.
const REPAIRED: usize = 3;
/// A place is kept so long for whoever was woken for it.
const KEPT: Duration = Duration::from_secs(5);

/// The places. Nobody waits for one to repair: whoever has none is woken when it is their turn, and decides anew.
pub struct Turns {
    judging: Semaphore,
    lines: Mutex<BTreeMap<Quota, Line>>,
    wake: Wake,
}

/// An account's id and a region: what shares AWS's quota.
type Quota = (String, String);

/// Those who repair, and those who want to, by the names of their endpoints.
#[derive(Default)]
struct Line {
    repairing: HashSet<String>,
    /// Those who were woken, and when.
    called: HashMap<String, Instant>,
    waiting: VecDeque<String>,
}

impl Line {
    /// Whether there is a place for somebody now; whoever has none stands in line.
    fn enter(&mut self, name: &str, urgent: bool) -> bool {
        let was_called = self.called.remove(name).is_some();
        let stands = self.waiting.iter().position(|other| other == name);
        let is_next = was_called || urgent || self.waiting.is_empty() || stands == Some(0);
        if is_next && self.has_room() {
            if let Some(at) = stands {
                self.waiting.remove(at);
            }
            self.repairing.insert(name.to_owned());
            return true;
        }
        match stands {
            Some(at) if urgent => {
                self.waiting.remove(at);
                self.waiting.push_front(name.to_owned());
            }
            Some(_) => {}
            None if urgent => self.waiting.push_front(name.to_owned()),
            None => self.waiting.push_back(name.to_owned()),
        }
        false
    }

    /// Somebody has repaired, or does not want to any more.
    fn leave(&mut self, name: &str) {
        self.repairing.remove(name);
        self.called.remove(name);
        self.waiting.retain(|other| other != name);
    }

    /// Those whose turn it is now: each is called once.
    fn next(&mut self) -> Vec<String> {
        self.called.retain(|_, since| since.elapsed() < KEPT);
        let mut next = Vec::new();
        while self.has_room()
            && let Some(name) = self.waiting.pop_front()
        {
            self.called.insert(name.clone(), Instant::now());
            next.push(name);
        }
        next
    }

    fn has_room(&self) -> bool {
        self.repairing.len() + self.called.len() < REPAIRED
    }

    fn is_empty(&self) -> bool {
        self.repairing.is_empty() && self.called.is_empty() && self.waiting.is_empty()
    }
}

/// A place to repair in, until it is dropped.
pub struct Place<'a> {
    turns: &'a Turns,
    quota: Quota,
    name: String,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.turns.release(&self.quota, &self.name);
    }
}

impl Turns {
    /// With all places free. `wake`: by it those are woken who have waited for a place.
    pub fn new(wake: Wake) -> Self {
        Turns {
            judging: Semaphore::new(JUDGED),
            lines: Mutex::default(),
            wake,
        }
    }

    /// To judge an endpoint and to say so in Kubernetes. Nobody ever closes the places: no place means that none is needed.
    pub async fn judge(&self) -> Option<SemaphorePermit<'_>> {
        self.judging.acquire().await.ok()
    }

    /// To look at AWS before a repair, and to make it. None: the endpoint is woken when it is its turn, and should ask again
    /// by itself after [`Turns::PATIENCE`]. `urgent`: what has begun comes before what has not.
    pub fn repair(&self, endpoint: &AwsEndpointSpec, name: &str, urgent: bool) -> Option<Place<'_>> {
        let quota = quota(endpoint);
        let mut lines = self.lines();
        let line = lines.entry(quota.clone()).or_default();
        let has_place = line.enter(name, urgent);
        self.call(line);
        has_place.then(|| Place {
            turns: self,
            quota,
            name: name.to_owned(),
        })
    }

    /// Whoever waits for a place asks again after this, should nobody have called: somebody who was called may never have come.
    pub const PATIENCE: Duration = Duration::from_secs(30);

    /// An endpoint has nothing to repair any more.
    pub fn leave(&self, endpoint: &AwsEndpointSpec, name: &str) {
        self.release(&quota(endpoint), name);
    }

    fn release(&self, quota: &Quota, name: &str) {
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(quota) else { return };
        line.leave(name);
        self.call(line);
        if line.is_empty() {
            lines.remove(quota);
        }
    }

    fn call(&self, line: &mut Line) {
        for name in line.next() {
            self.wake.endpoint(&name);
        }
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<Quota, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn quota(endpoint: &AwsEndpointSpec) -> Quota {
    (endpoint.account_id.clone(), endpoint.region.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::policy::EndpointType;
    use crate::controller::kubernetes::wake;

    fn endpoint(region: &str) -> AwsEndpointSpec {
        AwsEndpointSpec {
            account_id: "111122223333".into(),
            region: region.into(),
            type_: EndpointType::RestApi,
            id: "a1b2c3d4e5".into(),
        }
    }

    #[tokio::test]
    async fn whoever_has_no_place_is_called_in_turn_and_holds_up_nobody() {
        let (wake, mut woken) = wake::channel();
        let turns = Turns::new(wake);
        let (busy, idle) = (endpoint("eu-west-1"), endpoint("eu-north-1"));
        let mut called = || woken.endpoints.try_recv().ok().map(|reference| reference.name);
        let ask = |name: &str| turns.repair(&busy, name, false);
        let mut places: Vec<_> = (0..REPAIRED).map(|number| ask(&format!("busy-{number}"))).collect();
        assert!(places.iter().all(Option::is_some), "all have a place");
        for name in ["e", "f", "g", "e"] {
            assert!(ask(name).is_none(), "{name} has none");
        }
        assert!(turns.judge().await.is_some(), "to judge needs none of them");
        assert!(turns.repair(&idle, "other", false).is_some(), "nor does another region");
        assert!(turns.repair(&busy, "begun", true).is_none(), "nobody is sent away");
        assert_eq!(called(), None, "nobody is called yet");

        places.remove(0);
        assert_eq!(called().as_deref(), Some("begun"), "what has begun comes first");
        assert!(ask("e").is_none(), "its place is kept");
        places.push(turns.repair(&busy, "begun", true));
        assert!(places.last().unwrap().is_some(), "for it");

        places.remove(0);
        assert_eq!(called().as_deref(), Some("e"), "then who came first, once");
        turns.leave(&busy, "e");
        assert_eq!(
            called().as_deref(),
            Some("f"),
            "e has nothing to repair any more: the next one"
        );
        turns.leave(&busy, "g");
        places.push(ask("f"));
        places.clear();
        assert_eq!(called(), None, "g does not wait any more");
        assert!(turns.lines().is_empty(), "nothing is left of a line that is empty");
    }
}
