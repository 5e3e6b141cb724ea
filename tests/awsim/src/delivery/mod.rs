//! Delivery: what a trail logs goes to SQS queues in EventBridge's envelope.
//!
//! The answering path only pushes onto a channel; a task for each queue makes the records and sends
//! them, in order, as many at once as are there.

mod line;
mod queue;
mod target;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::sim::Awsim;
use crate::trail::Entry;
use line::Line;

pub use line::Delivered;
pub use target::{DeliveryError, Rules, Target, Wrap};

/// The queues that are delivered to. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    last_id: u64,
    lines: Vec<(u64, Line)>,
}

impl Lines {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers an entry that a trail logged to every queue.
    pub(crate) fn offer(&self, entry: &Entry) {
        for (_, line) in &mut self.held().lines {
            line.offer(entry);
        }
    }

    fn add(&self, target: Target) -> Result<u64, DeliveryError> {
        let line = Line::start(target)?;
        let mut held = self.held();
        held.last_id += 1;
        let id = held.last_id;
        held.lines.push((id, line));
        Ok(id)
    }
}

/// A delivery that goes on until this is dropped. What was not sent by then is not sent.
#[must_use = "dropped, it ends"]
pub struct Delivery {
    lines: Lines,
    id: u64,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Delivery").field(&self.delivered()).finish()
    }
}

impl Delivery {
    /// Makes its rules others, for what is recorded from here on.
    pub fn change(&self, change: impl FnOnce(&mut Rules)) {
        let mut held = self.lines.held();
        if let Some((_, line)) = held.lines.iter_mut().find(|(id, _)| *id == self.id) {
            change(line.rules_mut());
        }
    }

    /// Loses the next events, so many of them.
    pub fn drop_next(&self, events: u64) {
        self.change(|rules| rules.drop_next = events);
    }

    /// How far it is.
    pub fn delivered(&self) -> Delivered {
        let held = self.lines.held();
        let own = held.lines.iter().find(|(id, _)| *id == self.id);
        own.map(|(_, line)| line.delivered()).unwrap_or_default()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.lines.held().lines.retain(|(id, _)| *id != self.id);
    }
}

impl Awsim {
    /// Delivers every account's writes to a queue of that account, until the delivery is dropped.
    /// Needs a tokio runtime, and a queue on a loopback address.
    pub fn deliver_to(&self, queue_url: &str, account: &str) -> Result<Delivery, DeliveryError> {
        self.deliver(Target::new(queue_url, account, self.region()))
    }

    /// The same with rules.
    pub fn deliver(&self, target: Target) -> Result<Delivery, DeliveryError> {
        let lines = self.lines();
        let id = lines.add(target)?;
        Ok(Delivery { lines, id })
    }

    /// How far each delivery is.
    pub fn deliveries(&self) -> Vec<Delivered> {
        let lines = self.lines();
        let held = lines.held();
        held.lines.iter().map(|(_, line)| line.delivered()).collect()
    }

    /// Delivers to a queue from here on, without anybody who would drop it.
    pub fn deliver_always(&self, queue_url: &str) -> Result<(), DeliveryError> {
        self.merge_delivery(serde_json::json!({"queueUrl": queue_url}))
    }

    /// Begins to deliver to a queue that is not delivered to yet, or changes the rules of one that is; without
    /// `queueUrl` the rules of all of them.
    pub(crate) fn merge_delivery(&self, change: Value) -> Result<(), DeliveryError> {
        let invalid = |error: serde_json::Error| DeliveryError::Invalid(error.to_string());
        let mut rules: serde_json::Map<String, Value> = serde_json::from_value(change).map_err(invalid)?;
        let mut text = |name: &str| rules.remove(name).and_then(|value| value.as_str().map(str::to_owned));
        let (queue_url, account, region) = (text("queueUrl"), text("account"), text("region"));
        let lines = self.lines();
        let mut met = false;
        for (_, line) in &mut lines.held().lines {
            if queue_url.as_deref().is_none_or(|url| url == line.queue_url()) {
                let merged = line.rules_mut().merged(&rules).map_err(invalid)?;
                *line.rules_mut() = merged;
                met = true;
            }
        }
        match queue_url {
            Some(url) if !met => {
                let account = match account {
                    Some(account) => account,
                    None => queue::account(&url)?,
                };
                let mut target = Target::new(&url, &account, region.as_deref().unwrap_or(self.region()));
                target.rules = Rules::default().merged(&rules).map_err(invalid)?;
                lines.add(target).map(|_| ())
            }
            None if !met => Err(DeliveryError::Invalid(
                "nothing is delivered yet: queueUrl is missing".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Ends the delivery to a queue, or every one.
    pub fn stop_delivering(&self, queue_url: Option<&str>) {
        let lines = self.lines();
        let mut held = lines.held();
        held.lines
            .retain(|(_, line)| queue_url.is_some_and(|url| url != line.queue_url()));
    }
}
