//! Who acts, decided from what was seen of a Lease and from this process's own monotonic clock. Pure.
//!
//! No time that stands in a Lease is ever compared with anything: clocks of machines differ and jump. A holder counts
//! from *before* it sent its last successful renewal, an observer from *after* it first saw that renewal, so that the
//! observer's count starts later, whatever the network did in between.
//!
//! ```text
//! holder     sent ─────────── leads until ─────── its last write attempt ends
//!              │  lease − margin      │  write          │
//! API server    ─ written ────────────────────────────────── lease ends
//! observer         ─ seen ─────────────────────────────────────────── lease ─── + write: takes over
//! ```

use std::time::Duration;

/// How long things last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durations {
    /// A holder that was not heard of for so long has lost the Lease.
    pub lease: Duration,
    /// From one renewal to the next, and from one look at another's Lease to the next.
    pub renew: Duration,
    /// A holder stops leading by itself so long before its Lease ends.
    pub margin: Duration,
    /// What one attempt of an AWS write can take at most.
    pub write: Duration,
    /// What one request to Kubernetes can take at most.
    pub request: Duration,
}

impl Default for Durations {
    /// An attempt of a write to AWS is given up after 10 s. It may begin in the last moment of leadership, so leadership
    /// ends 11 s before the lease does: the attempt is over while the lease still holds, with a second to spare. 20 − 11
    /// leaves 9 s of leadership from one renewal: the next is sent after 3 s, may hang until 6 s, and there is time to
    /// look and send it again before leadership ends.
    ///
    /// What AWS does with a request after its caller gave up is not known; so whoever takes over waits one more write's
    /// time after the lease ended: 20 + 10 = 30 s, plus up to 3 s until it looks.
    fn default() -> Self {
        Durations {
            lease: Duration::from_secs(20),
            renew: Duration::from_secs(3),
            margin: Duration::from_secs(11),
            write: Duration::from_secs(10),
            request: Duration::from_secs(3),
        }
    }
}

impl Durations {
    /// Whether the promise holds with these: a write ends within the lease in which it began, and a renewal can fail once
    /// without ending leadership.
    pub fn are_sound(&self) -> bool {
        self.margin > self.write
            && self.lease >= self.margin + self.renew * 2 + self.request
            && self.lease.subsec_nanos() == 0 // as a Lease has it
    }
}

/// What a Lease says, as far as it decides anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its resourceVersion: whether somebody wrote since.
    pub version: String,
    /// Who holds it. None: nobody.
    pub holder: Option<String>,
    /// For how long, by its holder's own settings.
    pub lease: Option<Duration>,
}

/// What to do now. Times are of the caller's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Write it: nobody's, or its holder is past all its time.
    Acquire,
    /// Write it: it is ours and the renewal is due.
    Renew,
    /// It is ours; nothing to do before then.
    Hold(Duration),
    /// It is another's; look again then.
    Wait(Duration),
}

/// What this process knows of one Lease.
#[derive(Clone, Debug)]
pub struct Term {
    identity: String,
    durations: Durations,
    /// What stands in the Lease, and since when that is known.
    seen: Option<(Content, Duration)>,
    /// When the last successful write of ours was sent.
    sent: Option<Duration>,
    leads_until: Option<Duration>,
}

impl Term {
    /// Nothing seen yet. The identity must be no other process's, not even an earlier one's of the same pod.
    pub fn new(identity: &str, durations: Durations) -> Self {
        Term {
            identity: identity.to_owned(),
            durations,
            seen: None,
            sent: None,
            leads_until: None,
        }
    }

    /// The Lease was read, and the answer is here now. None: there is no such Lease.
    pub fn read(&mut self, content: Option<Content>, now: Duration) {
        let ours = content.as_ref().is_some_and(|c| self.is_ours(c));
        if !ours {
            self.leads_until = None;
            self.sent = None;
        }
        match (content, &self.seen) {
            (Some(content), Some((known, _))) if known.version == content.version => {}
            (Some(content), _) => self.seen = Some((content, now)),
            // Somebody deleted it. Its holder may not know yet: what was seen of it is waited out all the same.
            (None, Some((known, _))) if known.holder.is_some() && !self.is_ours(known) => {}
            (None, _) => self.seen = None,
        }
    }

    /// A write of ours that was sent then was answered with this.
    pub fn wrote(&mut self, content: Content, sent: Duration, now: Duration) {
        if !self.is_ours(&content) {
            self.read(Some(content), now);
            return;
        }
        self.seen = Some((content, now));
        self.sent = Some(sent);
        self.leads_until = Some(sent + self.durations.lease.saturating_sub(self.durations.margin));
    }

    /// Leadership is given up.
    pub fn resign(&mut self) {
        self.leads_until = None;
    }

    /// What to do now.
    pub fn decide(&self, now: Duration) -> Decision {
        let Some((content, since)) = &self.seen else {
            return Decision::Acquire;
        };
        if content.holder.is_none() {
            return Decision::Acquire;
        }
        if self.is_ours(content) {
            // Ours without a successful write: its answer was lost.
            return match self.sent.map(|sent| sent + self.durations.renew) {
                Some(due) if now < due => Decision::Hold(due),
                _ => Decision::Renew,
            };
        }
        let lease = content.lease.unwrap_or_default().max(self.durations.lease);
        let free = *since + lease + self.durations.write;
        if now >= free {
            Decision::Acquire
        } else {
            Decision::Wait(free.min(now + self.durations.renew))
        }
    }

    /// Until when this process may begin to write.
    pub fn leads_until(&self) -> Option<Duration> {
        self.leads_until
    }

    fn is_ours(&self, content: &Content) -> bool {
        content.holder.as_deref() == Some(&self.identity)
    }
}

#[cfg(test)]
#[path = "term_tests.rs"]
mod tests;
