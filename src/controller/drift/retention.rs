//! How long things last: when a Drift that is over goes. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Spans of time, as the command line may set them.
#[derive(Clone, Copy, Debug)]
pub struct Spans {
    /// How long a Drift stays once it is over.
    pub ttl_after_resolved: SignedDuration,
    /// How long a Drift that somebody deletes is held while AWS is being written for it.
    pub give_up_after: SignedDuration,
    /// After so long CloudTrail shows every call.
    pub trail_delay: SignedDuration,
    /// After so long a queue has told of every call, if its stream works.
    pub stream_delay: SignedDuration,
}

impl Default for Spans {
    fn default() -> Self {
        Spans {
            ttl_after_resolved: SignedDuration::from_hours(7 * 24),
            give_up_after: SignedDuration::from_mins(10),
            trail_delay: SignedDuration::from_mins(15),
            stream_delay: SignedDuration::from_mins(5),
        }
    }
}

/// No Drift goes earlier, whatever else is said.
pub const LEAST: SignedDuration = SignedDuration::from_hours(24);

/// So many Drifts of a policy stay once they are over; of more the oldest go.
pub const MOST: usize = 500;

/// A Drift that is over is looked at again this often, as newer ones may push it out.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// What is known of a Drift that is over.
#[derive(Clone, Copy, Debug)]
pub struct Over {
    /// When it ended.
    pub resolved: Timestamp,
    /// Whether every sink has everything of it.
    pub told: bool,
    /// Whether an audit bucket is one of them.
    pub audited: bool,
    /// How many Drifts of the same policy ended later.
    pub newer: usize,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays, until somebody deletes it.
    Stays,
    /// It stays; to be looked at again after this.
    Until(Duration),
    /// It goes.
    Goes,
}

/// Decides.
pub fn fate(over: &Over, ttl: SignedDuration, now: Timestamp) -> Fate {
    if !over.audited || !over.told {
        return Fate::Stays;
    }
    let age = now.duration_since(over.resolved);
    let ttl = ttl.max(LEAST);
    if age >= ttl || (age >= LEAST && over.newer >= MOST) {
        return Fate::Goes;
    }
    let next = if age < LEAST {
        LEAST - age
    } else {
        (ttl - age).min(LOOK_AGAIN)
    };
    Fate::Until(Duration::try_from(next).unwrap_or(Duration::from_hours(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drift_that_is_over_goes_when_everybody_has_it_and_never_at_once() {
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        let hours = SignedDuration::from_hours;
        let week = hours(7 * 24);
        for (age, told, audited, newer, ttl, wanted, why) in [
            (week, true, true, 0, week, Fate::Goes, "its time is over"),
            (
                week,
                true,
                false,
                0,
                week,
                Fate::Stays,
                "without an audit bucket it is the only record",
            ),
            (
                week,
                false,
                true,
                0,
                week,
                Fate::Stays,
                "some sink does not have it yet",
            ),
            (
                week * 9,
                true,
                false,
                MOST * 2,
                week,
                Fate::Stays,
                "the only record stays, however old and many",
            ),
            (
                hours(25),
                true,
                true,
                MOST - 1,
                week,
                Fate::Until(Duration::from_hours(1)),
                "within the cap",
            ),
            (hours(25), true, true, MOST, week, Fate::Goes, "too many newer ones"),
            (
                hours(23),
                true,
                true,
                MOST * 9,
                week,
                Fate::Until(Duration::from_hours(1)),
                "a day at least, however many",
            ),
            (
                hours(2),
                true,
                true,
                0,
                week,
                Fate::Until(Duration::from_hours(22)),
                "nothing can happen before a day is over",
            ),
            (
                hours(2),
                true,
                true,
                0,
                hours(1),
                Fate::Until(Duration::from_hours(22)),
                "a shorter time than a day is a day",
            ),
            (hours(24), true, true, 0, hours(1), Fate::Goes, "and then it goes"),
            (
                week - hours(1) / 2,
                true,
                true,
                0,
                week,
                Fate::Until(Duration::from_mins(30)),
                "exactly when it is due",
            ),
            (
                -week,
                true,
                true,
                0,
                week,
                Fate::Until(Duration::from_hours(8 * 24)),
                "a clock that jumped back deletes nothing",
            ),
        ] {
            let over = Over {
                resolved: now - age,
                told,
                audited,
                newer,
            };
            assert_eq!(fate(&over, ttl, now), wanted, "{why}");
        }
    }
}
