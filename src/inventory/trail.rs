//! What was told lately of each endpoint's changes: who did what. Nothing here is believed about what stands on AWS.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::events::Event;
use crate::judge::snapshot::EndpointId;

/// So many events are kept of one endpoint, the newest.
const KEPT: usize = 64;

/// How an event came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a queue, unasked.
    Told,
    /// Because it was asked for.
    LookedUp,
}

/// Events by endpoint, the oldest first.
#[derive(Default)]
pub struct Trail(Mutex<HashMap<EndpointId, VecDeque<(Event, Way)>>>);

impl Trail {
    fn kept(&self) -> MutexGuard<'_, HashMap<EndpointId, VecDeque<(Event, Way)>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an event; false if it is kept already. Told and looked up it counts as told.
    pub fn note(&self, event: &Event, way: Way) -> bool {
        let mut new = false;
        let mut kept = self.kept();
        for endpoint in &event.endpoints {
            let events = kept.entry(endpoint.clone()).or_default();
            if let Some((_, known)) = events.iter_mut().find(|(known, _)| known.id == event.id) {
                if way == Way::Told {
                    *known = way;
                }
                continue;
            }
            new = true;
            let place = events.partition_point(|(known, _)| (known.time, &known.id) <= (event.time, &event.id));
            events.insert(place, (event.clone(), way));
            if events.len() > KEPT {
                events.pop_front();
            }
        }
        new
    }

    /// What is known of an endpoint, the oldest first.
    pub fn of(&self, endpoint: &EndpointId) -> Vec<Event> {
        let kept = self.kept();
        let events = kept.get(endpoint).into_iter().flatten();
        events.map(|(event, _)| event.clone()).collect()
    }

    /// Whether a queue told of anything that somebody, but for whom `but` says, did to an endpoint since a moment.
    pub fn told_since(&self, endpoint: &EndpointId, since: Timestamp, but: impl Fn(&Event) -> bool) -> bool {
        let kept = self.kept();
        let mut events = kept.get(endpoint).into_iter().flatten();
        events.any(|(event, way)| *way == Way::Told && event.time >= since && !but(event))
    }

    /// Whether a queue told of this event.
    pub fn told(&self, endpoint: &EndpointId, id: &str) -> bool {
        let kept = self.kept();
        let mut events = kept.get(endpoint).into_iter().flatten();
        events.any(|(event, way)| *way == Way::Told && event.id == id)
    }

    /// Forgets an endpoint that is gone.
    pub fn forget(&self, endpoint: &EndpointId) {
        self.kept().remove(endpoint);
    }

    /// Forgets an account that is gone.
    pub fn forget_account(&self, account_id: &str) {
        self.kept().retain(|endpoint, _| endpoint.account_id != account_id);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::api::policy::EndpointType;
    use crate::inventory::events::Principal;

    fn endpoint() -> EndpointId {
        EndpointId {
            account_id: "111122223333".into(),
            region: "eu-west-1".into(),
            type_: EndpointType::RestApi,
            id: "a1".into(),
        }
    }

    fn event(id: &str, second: i64) -> Event {
        Event {
            id: id.into(),
            name: "UpdateStage".into(),
            time: Timestamp::from_second(second).unwrap(),
            endpoints: vec![endpoint()],
            principal: Principal::default(),
            source_address: String::new(),
            user_agent: String::new(),
            parameters: Value::Null,
            deployment: None,
            masked: false,
        }
    }

    #[test]
    fn events_are_kept_once_and_in_the_order_in_which_they_happened() {
        let trail = Trail::default();
        for (id, second, new, why) in [
            ("b", 20, true, "the first to come"),
            ("a", 10, true, "late, and earlier"),
            ("b", 20, false, "twice"),
            ("c", 30, true, "the newest"),
        ] {
            assert_eq!(trail.note(&event(id, second), Way::LookedUp), new, "{why}");
        }
        let ids: Vec<String> = trail.of(&endpoint()).into_iter().map(|e| e.id).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(
            !trail.told_since(&endpoint(), at(0), |_| false),
            "whoever asks is not told"
        );
        assert!(!trail.note(&event("a", 10), Way::Told), "told after it was asked for");
        assert!(trail.told_since(&endpoint(), at(10), |_| false));
        assert!(
            !trail.told_since(&endpoint(), at(10), |_| true),
            "own calls tell nothing"
        );
        assert!(!trail.told_since(&endpoint(), at(11), |_| false), "of nothing since");
    }

    #[test]
    fn only_the_newest_are_kept() {
        let trail = Trail::default();
        for second in 0..100 {
            trail.note(&event(&second.to_string(), second), Way::Told);
        }
        let kept = trail.of(&endpoint());
        assert_eq!((kept.len(), kept[0].id.as_str()), (KEPT, "36"));
        trail.forget(&endpoint());
        assert!(trail.of(&endpoint()).is_empty());
    }
}
