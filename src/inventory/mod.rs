//! List and watch for AWS: what was last read of every endpoint, and the sweeps that read it.

pub mod sweep;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::aws::apigateway::read::Depth;
use crate::judge::Snapshot;
use crate::judge::snapshot::EndpointId;

/// What was last read of an endpoint.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The last complete reading.
    pub snapshot: Option<Arc<Snapshot>>,
    /// How deep it went.
    pub depth: Depth,
    /// When that was.
    pub at: Timestamp,
    /// Why a later one failed, if it did.
    pub failure: Option<String>,
    /// Whether what it shows is Plumbline's own doing.
    pub own: bool,
}

/// Whose doing a new reading shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// Somebody's.
    Anybody,
    /// A repair of Plumbline's that was just made.
    Own,
}

/// What was last read of every endpoint, by the name of its `AwsEndpoint`.
#[derive(Default)]
pub struct Inventory {
    readings: Mutex<HashMap<String, Reading>>,
    /// Endpoints that a complete list no longer held, until their objects are gone too.
    gone: Mutex<BTreeSet<String>>,
}

impl Inventory {
    fn readings(&self) -> MutexGuard<'_, HashMap<String, Reading>> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missing(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last reading of an endpoint.
    pub fn get(&self, name: &str) -> Option<Reading> {
        self.readings().get(name).cloned()
    }

    /// Keeps a complete reading; true if it says something new.
    pub fn keep(&self, name: &str, snapshot: Arc<Snapshot>, depth: Depth, hand: Hand, at: Timestamp) -> bool {
        self.missing().remove(name);
        let mut readings = self.readings();
        let before = readings.get(name);
        let alike = before.filter(|b| b.snapshot.as_ref().is_some_and(|s| s.digest == snapshot.digest));
        let same = alike.is_some_and(|b| b.failure.is_none() && b.depth == depth);
        let own = hand == Hand::Own || alike.is_some_and(|b| b.own);
        readings.insert(
            name.to_owned(),
            Reading {
                snapshot: Some(snapshot),
                depth,
                at,
                failure: None,
                own,
            },
        );
        !same
    }

    /// Notes that a reading failed; true if that is new. What was read before is kept, but believed no more.
    pub fn failed(&self, name: &str, why: &str, at: Timestamp) -> bool {
        let mut readings = self.readings();
        let reading = readings.entry(name.to_owned()).or_insert(Reading {
            snapshot: None,
            depth: Depth::Stages,
            at,
            failure: None,
            own: false,
        });
        let new = reading.failure.as_deref() != Some(why);
        reading.failure = Some(why.to_owned());
        new
    }

    /// Notes what a complete list of an account's region holds; gives the names that it no longer holds.
    pub fn listed(
        &self,
        account_id: &str,
        region: &str,
        names: &BTreeMap<String, EndpointId>,
        known: &[String],
    ) -> Vec<String> {
        let prefix = format!("{account_id}-{region}-");
        let gone: Vec<String> = known
            .iter()
            .filter(|n| n.starts_with(&prefix) && !names.contains_key(*n))
            .cloned()
            .collect();
        let mut readings = self.readings();
        let mut missing = self.missing();
        for name in &gone {
            readings.remove(name);
            missing.insert(name.clone());
        }
        gone
    }

    /// Whether a complete list no longer holds it.
    pub fn is_gone(&self, name: &str) -> bool {
        self.missing().contains(name)
    }

    /// Forgets everything of an account.
    pub fn forget_account(&self, account_id: &str) {
        let prefix = format!("{account_id}-");
        self.readings().retain(|name, _| !name.starts_with(&prefix));
        self.missing().retain(|name| !name.starts_with(&prefix));
    }

    /// Forgets everything of an endpoint.
    pub fn forget(&self, name: &str) {
        self.readings().remove(name);
        self.missing().remove(name);
    }
}
