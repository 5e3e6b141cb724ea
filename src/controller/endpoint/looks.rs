//! When an endpoint was last looked at for a question that waits for a person: not again at every turn.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The last looks, by the endpoint's name.
#[derive(Default)]
pub struct Looks(Mutex<HashMap<String, Instant>>);

impl Looks {
    /// Whether the last look is longer ago than that.
    pub fn is_due(&self, endpoint: &str, every: Duration) -> bool {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.get(endpoint).is_none_or(|at| at.elapsed() >= every)
    }

    /// Whether the last look is longer ago than that; if so, this is one.
    pub fn due(&self, endpoint: &str, every: Duration) -> bool {
        let due = self.is_due(endpoint, every);
        if due {
            let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            looks.insert(endpoint.to_owned(), Instant::now());
        }
        due
    }

    /// Forgets an endpoint.
    pub fn forget(&self, endpoint: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(endpoint);
    }
}
