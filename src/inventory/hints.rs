//! Endpoints that are to be read again out of turn: because a message named them, a person asked, or a policy's time came.
//!
//! A burst on one endpoint is one reading. A message is dealt with once a reading that began after it came was judged: until
//! then it is its queue's, and comes again if this process ends.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::channel::mpsc::UnboundedSender;
use tokio::sync::Notify;

use crate::aws::budget::Priority;
use crate::judge::snapshot::EndpointId;

/// A message that was taken: deleted when everything that it asked for is done.
#[derive(Debug)]
pub struct Receipt {
    handle: String,
    /// When it was taken.
    pub taken: Instant,
    open: AtomicUsize,
    done: UnboundedSender<Arc<Receipt>>,
    /// Endpoints of it that were handed over to whoever acts for them.
    handed: Mutex<HashSet<String>>,
}

impl Receipt {
    /// Held once, by whoever reads it. `done` gets it when everything is done: it is let go of once its message is deleted.
    pub fn new(handle: String, done: UnboundedSender<Arc<Receipt>>) -> Arc<Self> {
        Arc::new(Receipt {
            handle,
            taken: Instant::now(),
            open: AtomicUsize::new(1),
            done,
            handed: Mutex::default(),
        })
    }

    /// How SQS knows this taking of it.
    pub fn handle(&self) -> &str {
        &self.handle
    }

    /// One thing more is to be done for it.
    #[must_use]
    pub fn held(self: &Arc<Self>) -> Arc<Self> {
        self.open.fetch_add(1, Ordering::SeqCst);
        self.clone()
    }

    /// One thing is done.
    pub fn done(self: &Arc<Self>) {
        if self.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            let _ = self.done.unbounded_send(self.clone());
        }
    }

    /// Whether this endpoint of the message is handed over for the first time: a file may name it thousands of times.
    pub fn is_first(&self, name: &str) -> bool {
        let mut handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        handed.insert(name.to_owned())
    }
}

/// One endpoint to read.
#[derive(Debug)]
pub struct Hint {
    /// The name of its `AwsEndpoint`.
    pub name: String,
    /// Which.
    pub id: EndpointId,
    /// The messages that named it.
    pub receipts: Vec<Arc<Receipt>>,
    /// The time of a person's request.
    pub asked: Option<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// How often reading it failed.
    pub failures: u32,
}

impl Hint {
    /// With nothing that waits for it yet.
    pub fn new(name: String, id: EndpointId, priority: Priority) -> Self {
        Hint {
            name,
            id,
            receipts: vec![],
            asked: None,
            priority,
            failures: 0,
        }
    }
}

/// A reading that is to be judged.
#[derive(Debug, Default)]
struct Unjudged {
    receipts: Vec<(Instant, Arc<Receipt>)>,
    asked: Option<(Instant, String)>,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<String, Hint>,
    order: VecDeque<String>,
    /// What is being read, each with the request that it answers.
    reading: HashMap<String, Option<String>>,
    unjudged: HashMap<String, Unjudged>,
}

/// All hints.
#[derive(Debug, Default)]
pub struct Hints {
    state: Mutex<State>,
    more: Notify,
}

impl Hints {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for an endpoint to be read. One that waits already is read once for all.
    pub fn push(&self, hint: Hint) {
        let mut state = self.state();
        if let Some(waiting) = state.waiting.get_mut(&hint.name) {
            waiting.receipts.extend(hint.receipts);
            waiting.asked = hint.asked.or(waiting.asked.take());
            // What is more urgent comes first in the order of priorities.
            waiting.priority = waiting.priority.min(hint.priority);
        } else {
            state.order.push_back(hint.name.clone());
            state.waiting.insert(hint.name.clone(), hint);
        }
        drop(state);
        self.more.notify_one();
    }

    /// The next endpoint to read; one that is being read is waited for.
    pub async fn next(&self) -> Hint {
        loop {
            if let Some(hint) = self.try_next() {
                return hint;
            }
            self.more.notified().await;
        }
    }

    fn try_next(&self) -> Option<Hint> {
        let mut state = self.state();
        let State {
            waiting,
            order,
            reading,
            ..
        } = &mut *state;
        let free = |name: &String| !reading.contains_key(name);
        let urgent = |name: &String| free(name) && waiting.get(name).is_some_and(|h| h.priority < Priority::Sweep);
        let at = order.iter().position(urgent).or_else(|| order.iter().position(free))?;
        let name = order.remove(at)?;
        let hint = waiting.remove(&name)?;
        reading.insert(name, hint.asked.clone());
        Some(hint)
    }

    /// It was read from `begun` on, and what was read is to be judged now.
    pub fn read(&self, hint: Hint, begun: Instant) {
        let mut state = self.state();
        state.reading.remove(&hint.name);
        let unjudged = state.unjudged.entry(hint.name).or_default();
        unjudged.receipts.extend(hint.receipts.into_iter().map(|r| (begun, r)));
        if let Some(asked) = hint.asked {
            unjudged.asked = Some((begun, asked));
        }
        drop(state);
        self.more.notify_one();
    }

    /// It need not be judged: it is gone, or nothing is new.
    pub fn settled(&self, hint: Hint) {
        self.state().reading.remove(&hint.name);
        for receipt in hint.receipts {
            receipt.done();
        }
        self.more.notify_one();
    }

    /// It could not be read: it is tried again by whoever pushes it again.
    pub fn failed(&self, hint: Hint) -> Hint {
        self.state().reading.remove(&hint.name);
        self.more.notify_one();
        Hint {
            failures: hint.failures + 1,
            ..hint
        }
    }

    /// A reading that began at `begun` was judged, and what follows from it is persisted. Gives how long ago the messages
    /// were taken that waited for it.
    pub fn judged(&self, name: &str, begun: Instant) -> Vec<Duration> {
        let mut state = self.state();
        let Some(unjudged) = state.unjudged.get_mut(name) else {
            return vec![];
        };
        let (done, still): (Vec<_>, Vec<_>) = unjudged.receipts.drain(..).partition(|(at, _)| *at <= begun);
        unjudged.receipts = still;
        unjudged.asked.take_if(|(at, _)| *at <= begun);
        if unjudged.receipts.is_empty() && unjudged.asked.is_none() {
            state.unjudged.remove(name);
        }
        drop(state);
        let mut took = Vec::new();
        for (_, receipt) in done {
            took.push(receipt.taken.elapsed());
            receipt.done();
        }
        took
    }

    /// The request that a reading which began at `begun` answers.
    pub fn answered(&self, name: &str, begun: Instant) -> Option<String> {
        let state = self.state();
        let (at, asked) = state.unjudged.get(name)?.asked.as_ref()?;
        (*at <= begun).then(|| asked.clone())
    }

    /// Whether something of an endpoint is still to be read or judged for this request.
    pub fn is_asked(&self, name: &str, asked: &str) -> bool {
        let state = self.state();
        let waiting = state.waiting.get(name).and_then(|h| h.asked.as_deref()) == Some(asked);
        let unjudged = state.unjudged.get(name).and_then(|u| u.asked.as_ref());
        let reading = state.reading.get(name).and_then(|known| known.as_deref()) == Some(asked);
        waiting || reading || unjudged.is_some_and(|(_, known)| known == asked)
    }

    /// Whether messages wait for an endpoint's judgement.
    pub fn awaits_judgement(&self, name: &str) -> bool {
        self.state().unjudged.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc;

    use super::*;
    use crate::api::policy::EndpointType;

    fn hint(name: &str, receipts: Vec<Arc<Receipt>>) -> Hint {
        let id = EndpointId {
            account_id: "111122223333".into(),
            region: "eu-west-1".into(),
            type_: EndpointType::RestApi,
            id: name.into(),
        };
        Hint {
            receipts,
            ..Hint::new(name.into(), id, Priority::Hint)
        }
    }

    #[test]
    fn a_burst_on_one_endpoint_is_one_reading_and_each_message_goes_once_it_is_judged() {
        let (done, mut deleted) = mpsc::unbounded();
        let hints = Hints::default();
        for message in ["m1", "m2", "m3"] {
            let receipt = Receipt::new(message.into(), done.clone());
            hints.push(hint("a", vec![receipt.held()]));
            receipt.done(); // whoever read it
        }
        let first = hints.try_next().unwrap();
        assert_eq!(first.receipts.len(), 3, "merged");
        assert!(hints.try_next().is_none(), "nothing else waits");
        let late = Receipt::new("m4".into(), done.clone());
        hints.push(hint("a", vec![late.held()]));
        late.done();
        assert!(
            hints.try_next().is_none(),
            "it is being read: the new one waits for its own reading"
        );
        let begun = Instant::now();
        hints.read(first, begun);
        assert!(deleted.try_recv().is_err(), "read, and not judged");
        let second = hints.try_next().unwrap();
        hints.judged("a", begun);
        let gone = std::iter::from_fn(|| deleted.try_recv().ok());
        let mut gone: Vec<String> = gone.map(|receipt| receipt.handle().to_owned()).collect();
        gone.sort();
        assert_eq!(gone, ["m1", "m2", "m3"]);
        hints.judged("a", begun);
        hints.settled(second);
        assert_eq!(deleted.try_recv().unwrap().handle(), "m4", "nothing was new");
    }

    #[test]
    fn what_was_read_before_a_message_came_does_not_answer_it() {
        let (done, mut deleted) = mpsc::unbounded();
        let hints = Hints::default();
        let before = Instant::now();
        let receipt = Receipt::new("m".into(), done);
        hints.push(hint("a", vec![receipt]));
        let taken = hints.try_next().unwrap();
        let begun = before + std::time::Duration::from_secs(1);
        hints.read(taken, begun);
        assert!(hints.judged("a", before).is_empty());
        assert!(deleted.try_recv().is_err(), "an older reading was judged");
        assert_eq!(hints.judged("a", begun).len(), 1, "how long the message took");
        assert_eq!(deleted.try_recv().unwrap().handle(), "m");
    }

    #[test]
    fn a_message_is_under_way_until_it_is_deleted() {
        let (done, mut deleted) = mpsc::unbounded();
        let receipt = Receipt::new("m".into(), done);
        let under_way = Arc::downgrade(&receipt);
        receipt.done();
        drop(receipt);
        assert!(
            under_way.upgrade().is_some(),
            "dealt with, and not deleted: hidden still"
        );
        drop(deleted.try_recv());
        assert!(under_way.upgrade().is_none(), "whoever deletes it let go of it");
    }

    #[test]
    fn an_endpoint_of_a_message_is_handed_over_once_and_of_each_message() {
        let (done, _deleted) = mpsc::unbounded();
        let one = Receipt::new("m".into(), done.clone());
        let asked = ["a", "a", "b", "a"].map(|name| one.is_first(name));
        assert_eq!(asked, [true, false, true, false]);
        let again = Receipt::new("m, taken again".into(), done);
        assert!(again.is_first("a"), "the first time may have failed");
    }

    #[test]
    fn a_person_and_an_event_go_before_a_schedule() {
        let hints = Hints::default();
        hints.push(Hint {
            priority: Priority::Sweep,
            ..hint("scheduled", vec![])
        });
        hints.push(hint("told", vec![]));
        assert_eq!(hints.try_next().unwrap().name, "told");
        hints.push(Hint {
            asked: Some("now".into()),
            ..hint("scheduled", vec![])
        });
        let scheduled = hints.try_next().unwrap();
        assert_eq!(scheduled.priority, Priority::Hint, "asked for meanwhile");
        assert!(hints.is_asked("scheduled", "now"));
        let begun = Instant::now();
        hints.read(scheduled, begun);
        assert_eq!(hints.answered("scheduled", begun).as_deref(), Some("now"));
        hints.judged("scheduled", begun);
        assert!(!hints.is_asked("scheduled", "now"), "answered");
    }
}
