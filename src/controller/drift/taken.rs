//! Messages that SNS took, until the Drift is seen to say so.
//!
//! A message cannot be taken back, and SNS takes it again. The reflection of a Drift can be older than what was just
//! written, and the write itself can fail: without this memory both would tell people twice.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::api::drift::Notice;

/// Notices by the uid of their Drift.
#[derive(Default)]
pub struct Taken(Mutex<HashMap<String, Vec<Notice>>>);

impl Taken {
    fn held(&self) -> MutexGuard<'_, HashMap<String, Vec<Notice>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The notice that is meant, if SNS took the message.
    pub fn find(&self, uid: &str, meant: impl Fn(&Notice) -> bool) -> Option<Notice> {
        self.held().get(uid)?.iter().find(|notice| meant(notice)).cloned()
    }

    /// SNS took a message.
    pub fn note(&self, uid: &str, notice: Notice) {
        self.held().entry(uid.to_owned()).or_default().push(notice);
    }

    /// The Drift was seen with these notices: they need not be remembered.
    pub fn seen(&self, uid: &str, notified: &[Notice]) {
        let mut held = self.held();
        if let Some(notices) = held.get_mut(uid) {
            notices.retain(|n| !notified.contains(n));
            if notices.is_empty() {
                held.remove(uid);
            }
        }
    }

    /// The Drift goes.
    pub fn forget(&self, uid: &str) {
        self.held().remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_remembered_until_the_drift_says_that_it_was_sent() {
        let notice = |topic: &str| Notice {
            transition: "Detected".into(),
            topic: topic.into(),
            message_id: format!("message to {topic}"),
            plan_digest: String::new(),
        };
        let find = |taken: &Taken, uid: &str, transition: &str, topic: &str| {
            taken.find(uid, |n| n.transition == transition && n.topic == topic)
        };
        let taken = Taken::default();
        taken.note("a", notice("people"));
        taken.note("a", notice("machines"));
        assert_eq!(find(&taken, "a", "Detected", "people"), Some(notice("people")));
        assert_eq!(find(&taken, "a", "Resolved", "people"), None, "another transition");
        assert_eq!(find(&taken, "b", "Detected", "people"), None, "another Drift");
        taken.seen("a", &[notice("people")]);
        assert_eq!(
            find(&taken, "a", "Detected", "people"),
            None,
            "the Drift says so itself"
        );
        assert_eq!(find(&taken, "a", "Detected", "machines"), Some(notice("machines")));
        taken.seen("a", &[notice("people"), notice("machines")]);
        assert!(taken.held().is_empty(), "nothing is kept for ever");
        taken.note("a", notice("people"));
        taken.forget("a");
        assert!(taken.held().is_empty());
    }
}
