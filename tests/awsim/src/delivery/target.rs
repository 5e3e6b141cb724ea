//! Where events go, and which.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::trail::Entry;

/// A queue, and what it gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// `http://127.0.0.1:PORT/ACCOUNT/NAME`.
    pub queue_url: String,
    /// The account of the queue, which signs.
    pub account: String,
    /// The region of the queue.
    pub region: String,
    /// Which events it gets, and how.
    pub rules: Rules,
}

impl Target {
    /// A queue that gets all writes.
    pub fn new(queue_url: &str, account: &str, region: &str) -> Self {
        Self {
            queue_url: queue_url.to_owned(),
            account: account.to_owned(),
            region: region.to_owned(),
            rules: Rules::default(),
        }
    }
}

/// Which events a queue gets, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Rules {
    /// What is around the event.
    pub wrap: Wrap,
    /// The accounts whose events it gets; none means all of them.
    pub accounts: Vec<String>,
    /// The regions whose events it gets; none means all of them.
    pub regions: Vec<String>,
    /// Whether it gets what only reads too; EventBridge leaves that out unless told otherwise.
    pub read_only: bool,
    /// How long an event waits before it is sent. Order is kept.
    pub delay_ms: u64,
    /// The share of events that are lost, 0 to 1; the same ones with the same seed.
    pub drop: f64,
    /// How many of the next events are lost.
    pub drop_next: u64,
}

impl Rules {
    pub(super) fn want(&self, entry: &Entry) -> bool {
        let (call, in_list) = (&entry.call, |list: &[String], word: &String| {
            list.is_empty() || list.contains(word)
        });
        (self.read_only || !call.read_only)
            && in_list(&self.accounts, &call.account)
            && in_list(&self.regions, &call.region)
    }

    pub(super) fn merged(&self, fields: &Map<String, Value>) -> Result<Self, serde_json::Error> {
        let mut whole = serde_json::to_value(self)?;
        if let Some(object) = whole.as_object_mut() {
            object.extend(fields.clone());
        }
        serde_json::from_value(whole)
    }
}

/// What is around an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wrap {
    /// Nothing: EventBridge sends to the queue.
    #[default]
    None,
    /// A notification: EventBridge publishes to a topic that the queue is subscribed to.
    Sns,
}

/// Why nothing is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryError {
    /// The queue is not on this machine, or its URL is none.
    Queue(String),
    /// There is no runtime that could send.
    NoRuntime,
    /// What is asked for makes no sense.
    Invalid(String),
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(url) => write!(
                f,
                "{url} is no http://127.0.0.1:PORT/ACCOUNT/NAME: awsim delivers to loopback addresses alone"
            ),
            Self::NoRuntime => f.write_str("delivery needs a tokio runtime"),
            Self::Invalid(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for DeliveryError {}
