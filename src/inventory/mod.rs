//! List and watch for AWS: what was last read of every endpoint, and the sweeps that read it.

pub mod actors;
pub mod events;
pub mod hints;
pub mod intake;
mod packed;
pub mod schedule;
pub mod sweep;
pub mod trail;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use jiff::Timestamp;

use crate::aws::apigateway::read::Depth;
use crate::judge::Snapshot;
use crate::judge::snapshot::EndpointId;
use packed::Packed;

/// What was last read of an endpoint.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The last complete reading.
    pub snapshot: Option<Arc<Snapshot>>,
    /// How deep it went.
    pub depth: Depth,
    /// When that was.
    pub at: Timestamp,
    /// When it began: no part of it is older.
    pub begun: Instant,
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

/// A reading as it is kept.
struct Entry {
    snapshot: Option<Kept>,
    depth: Depth,
    at: Timestamp,
    begun: Instant,
    failure: Option<String>,
    own: bool,
}

/// A snapshot as it is kept: whole only as long as somebody looks at it.
#[derive(Clone)]
struct Kept {
    packed: Arc<Packed>,
    whole: Weak<Snapshot>,
}

/// What was last read of every endpoint, by the name of its `AwsEndpoint`.
#[derive(Default)]
pub struct Inventory {
    readings: Mutex<HashMap<String, Entry>>,
    /// Endpoints that a complete list no longer held, until their objects are gone too.
    gone: Mutex<BTreeSet<String>>,
}

impl Inventory {
    fn readings(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missing(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last reading of an endpoint.
    pub fn get(&self, name: &str) -> Option<Reading> {
        let (kept, mut reading) = {
            let readings = self.readings();
            let entry = readings.get(name)?;
            let reading = Reading {
                snapshot: None,
                depth: entry.depth,
                at: entry.at,
                begun: entry.begun,
                failure: entry.failure.clone(),
                own: entry.own,
            };
            (entry.snapshot.clone(), reading)
        };
        // Unpacked without the lock: sweeps go on meanwhile.
        match kept.map(|kept| kept.whole.upgrade().map_or_else(|| self.unpack(name, &kept.packed), Ok)) {
            Some(Ok(snapshot)) => reading.snapshot = Some(snapshot),
            Some(Err(error)) => reading.failure = Some(format!("what was read cannot be looked at again: {error}")),
            None => {}
        }
        Some(reading)
    }

    /// When the last reading began, if it was complete. Cheap: nothing is unpacked.
    pub fn begun(&self, name: &str) -> Option<Instant> {
        let readings = self.readings();
        let complete = |entry: &&Entry| entry.failure.is_none() && entry.snapshot.is_some();
        readings.get(name).filter(complete).map(|entry| entry.begun)
    }

    fn unpack(&self, name: &str, packed: &Arc<Packed>) -> serde_json::Result<Arc<Snapshot>> {
        let whole = Arc::new(packed.unpack()?);
        if let Some(kept) = self.readings().get_mut(name).and_then(|entry| entry.snapshot.as_mut())
            && Arc::ptr_eq(&kept.packed, packed)
        {
            kept.whole = Arc::downgrade(&whole);
        }
        Ok(whole)
    }

    /// The digest of the last reading, if it was complete and just as deep: what reads the same is nothing new.
    pub fn digest(&self, name: &str, depth: Depth) -> Option<String> {
        let readings = self.readings();
        let entry = readings.get(name)?;
        let kept = entry.snapshot.as_ref()?;
        (entry.failure.is_none() && entry.depth == depth).then(|| kept.packed.digest().to_owned())
    }

    /// Notes that the last reading was confirmed.
    pub fn unchanged(&self, name: &str, at: Timestamp) {
        if let Some(entry) = self.readings().get_mut(name) {
            entry.at = at;
        }
    }

    /// Keeps a complete reading; true if it says something new. One that began before the kept one is dropped: a sweep
    /// that was on its way while a repair was made would show what stood before, as if it had come back.
    pub fn keep(
        &self,
        name: &str,
        snapshot: &Arc<Snapshot>,
        depth: Depth,
        hand: Hand,
        begun: Instant,
        at: Timestamp,
    ) -> bool {
        let packed = match Packed::of(snapshot) {
            Ok(packed) => Arc::new(packed),
            Err(error) => return self.failed(name, &format!("what was read cannot be kept: {error}"), begun, at),
        };
        self.missing().remove(name);
        let kept = Kept {
            packed,
            whole: Arc::downgrade(snapshot),
        };
        let mut readings = self.readings();
        let before = readings.get(name);
        if before.is_some_and(|b| b.begun > begun) {
            return false;
        }
        let alike = before.filter(|b| b.snapshot.as_ref().is_some_and(|known| known.packed.same(&kept.packed)));
        let same = alike.is_some_and(|b| b.failure.is_none() && b.depth == depth);
        let own = hand == Hand::Own || alike.is_some_and(|b| b.own);
        let entry = Entry {
            snapshot: Some(kept),
            depth,
            at,
            begun,
            failure: None,
            own,
        };
        readings.insert(name.to_owned(), entry);
        !same
    }

    /// Notes that a reading failed; true if that is new. What was read before is kept, but believed no more.
    pub fn failed(&self, name: &str, why: &str, begun: Instant, at: Timestamp) -> bool {
        let mut readings = self.readings();
        let reading = readings.entry(name.to_owned()).or_insert(Entry {
            snapshot: None,
            depth: Depth::Stages,
            at,
            begun,
            failure: None,
            own: false,
        });
        if reading.begun > begun {
            return false;
        }
        let new = reading.failure.as_deref() != Some(why);
        reading.failure = Some(why.to_owned());
        reading.begun = begun;
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

    /// AWS answered that it is not there.
    pub fn vanished(&self, name: &str) {
        self.readings().remove(name);
        self.missing().insert(name.to_owned());
    }

    /// Whether a complete list no longer holds it, or AWS said so.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::api::policy::EndpointType;
    use crate::aws::apigateway::assemble;

    fn snapshot(description: &str) -> Arc<Snapshot> {
        let id = EndpointId {
            account_id: "111122223333".into(),
            region: "eu-west-1".into(),
            type_: EndpointType::DomainName,
            id: "api.example.com".into(),
        };
        Arc::new(assemble::domain_name(
            id,
            &json!({"domainName": "api.example.com", "securityPolicy": description}),
        ))
    }

    #[test]
    fn a_reading_that_began_earlier_takes_the_place_of_none_that_began_later() {
        let inventory = Inventory::default();
        let (early, now) = (Instant::now(), Timestamp::UNIX_EPOCH);
        let late = early + Duration::from_secs(1);
        let keep = |text, hand, begun| inventory.keep("a", &snapshot(text), Depth::Live, hand, begun, now);
        let kept = || inventory.get("a").unwrap();
        assert!(keep("drifted", Hand::Anybody, early), "the first says something new");
        assert!(keep("repaired", Hand::Own, late), "the repair was read back");
        assert!(
            !keep("drifted", Hand::Anybody, early),
            "a sweep that began before the repair"
        );
        assert_eq!(kept().snapshot.unwrap().digest, snapshot("repaired").digest);
        assert!(!inventory.failed("a", "throttled", early, now), "or that failed since");
        assert_eq!(kept().failure, None);
        assert!(
            inventory.failed("a", "throttled", late, now),
            "what began no earlier counts"
        );
        assert!(keep("drifted", Hand::Anybody, late), "and so does what it shows");
        assert_eq!(kept().snapshot.unwrap().digest, snapshot("drifted").digest);
    }
}
