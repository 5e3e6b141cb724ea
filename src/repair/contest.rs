//! The same thing put back again and again: somebody on the other side wants it otherwise. Pure.
//!
//! The counts stand on the `AwsEndpoint`, by target, resource and path: they survive Drifts and restarts.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::Reason;
use crate::api::endpoint::PutBack;

/// So many repairs of one thing
pub const TIMES: usize = 3;
/// within this time are a contest.
pub const WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// A contest is over after this long, or when a person approves.
pub const COOLS_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// Why something is not put back again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// `Contested` or `Reverted`.
    pub reason: Reason,
    /// In a sentence.
    pub message: String,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

/// Whether one of these things is not to be put back, as counted so far. A contest that shows for the first time is noted.
/// `drift`: the episode that asks, which is no opponent of its own; `who`: the other side, where it is known.
pub fn ask(
    counts: &mut BTreeMap<String, PutBack>,
    things: &[String],
    drift: &str,
    who: Option<&str>,
    now: Timestamp,
) -> Option<HeldBack> {
    things.iter().find_map(|thing| {
        let count = counts.get_mut(thing)?;
        if count.suspended_at.as_ref().is_some_and(|at| over(count, at.0, now)) {
            *count = PutBack::default();
        }
        let lately = |at: &Time| now.duration_since(at.0) < WITHIN;
        let others = count
            .repairs
            .iter()
            .filter(|(uid, at)| *uid != drift && lately(at))
            .count();
        if count.suspended_at.is_none() && others >= TIMES {
            count.suspended_at = Some(Time(now));
            count.reason = Some(Reason::Contested);
        }
        let since = count.suspended_at.as_ref()?.0;
        Some(told(thing, count.reason.unwrap_or(Reason::Contested), who, since))
    })
}

/// A contest cools; what a person took back stays until a person says otherwise.
fn over(count: &PutBack, since: Timestamp, now: Timestamp) -> bool {
    count.reason != Some(Reason::Reverted) && now.duration_since(since) >= COOLS_AFTER
}

fn told(thing: &str, reason: Reason, who: Option<&str>, since: Timestamp) -> HeldBack {
    let what = thing.replace('|', " ");
    if reason == Reason::Reverted {
        return HeldBack {
            reason,
            message: format!("a person had the repair of {what} taken back: approve the plan to have it made again"),
            until: None,
        };
    }
    let until = since.checked_add(COOLS_AFTER).unwrap_or(Timestamp::MAX);
    let opponent = who.map_or_else(|| "somebody else".to_owned(), str::to_owned);
    HeldBack {
        reason,
        message: format!(
            "{what} was put back {TIMES} times within an hour and {opponent} changes it again: settle it with them, then \
             approve the plan; unasked it goes on at {}",
            until.strftime("%Y-%m-%dT%H:%M:%SZ")
        ),
        until: Some(until),
    }
}

/// Notes that a repair of these things begins. `approved`: a person wants it, so what was counted is settled.
pub fn begin(counts: &mut BTreeMap<String, PutBack>, things: &[String], drift: &str, approved: bool, now: Timestamp) {
    for thing in things {
        let count = counts.entry(thing.clone()).or_default();
        if approved {
            *count = PutBack::default();
        }
        count.repairs.retain(|_, at| now.duration_since(at.0) < WITHIN);
        count.repairs.entry(drift.to_owned()).or_insert(Time(now));
    }
    forget(counts, now);
}

/// Notes that a person had a repair of these things taken back.
pub fn reverted(counts: &mut BTreeMap<String, PutBack>, things: &[String], now: Timestamp) {
    for thing in things {
        counts.insert(
            thing.clone(),
            PutBack {
                repairs: BTreeMap::new(),
                suspended_at: Some(Time(now)),
                reason: Some(Reason::Reverted),
            },
        );
    }
}

/// What says nothing any more is not kept.
fn forget(counts: &mut BTreeMap<String, PutBack>, now: Timestamp) {
    counts.retain(|_, count| {
        let suspended = count.suspended_at.as_ref().is_some_and(|at| !over(count, at.0, now));
        suspended || count.repairs.values().any(|at| now.duration_since(at.0) < WITHIN)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-25T{text}Z").parse().unwrap()
    }

    fn things() -> Vec<String> {
        vec!["AWS::ApiGateway::Method|GET /pets|methodIntegration.uri".into()]
    }

    fn repaired(times: &[&str]) -> BTreeMap<String, PutBack> {
        let mut counts = BTreeMap::new();
        for (number, time) in times.iter().enumerate() {
            begin(&mut counts, &things(), &format!("drift-{number}"), false, at(time));
        }
        counts
    }

    #[test]
    fn what_was_put_back_three_times_in_an_hour_is_contested() {
        for (times, now, held, why) in [
            (&["10:00:00", "10:10:00"][..], "10:20:00", false, "twice is no contest"),
            (
                &["10:00:00", "10:10:00", "10:20:00"],
                "10:30:00",
                true,
                "three times within the hour",
            ),
            (
                &["10:00:00", "10:40:00", "11:20:00"],
                "11:30:00",
                false,
                "the first is more than an hour ago",
            ),
        ] {
            let mut counts = repaired(times);
            let found = ask(&mut counts, &things(), "drift-new", Some("role/Dev/anna"), at(now));
            assert_eq!(found.is_some(), held, "{why}: {found:?}");
            if let Some(found) = found {
                assert_eq!(found.reason, Reason::Contested);
                assert!(found.message.contains("role/Dev/anna"), "{}", found.message);
            }
        }
    }

    #[test]
    fn an_attempt_that_is_made_again_is_not_counted_twice_nor_against_itself() {
        let mut counts = BTreeMap::new();
        for minute in 0..9 {
            begin(&mut counts, &things(), "one", false, at(&format!("10:0{minute}:00")));
        }
        assert_eq!(ask(&mut counts, &things(), "one", None, at("10:10:00")), None);
        assert_eq!(ask(&mut counts, &things(), "two", None, at("10:10:00")), None);
    }

    #[test]
    fn a_contest_lasts_a_day_although_the_count_is_older_than_an_hour_and_then_it_is_over() {
        let mut counts = repaired(&["10:00:00", "10:10:00", "10:20:00"]);
        let first = ask(&mut counts, &things(), "new", None, at("10:30:00")).unwrap();
        let later = ask(&mut counts, &things(), "new", None, at("18:00:00")).unwrap();
        assert_eq!(first, later, "the message stays the same while nothing changes");
        let tomorrow = at("10:30:00") + SignedDuration::from_hours(24);
        assert_eq!(ask(&mut counts, &things(), "new", None, tomorrow), None);
        assert!(counts[&things()[0]].repairs.is_empty(), "and it begins to count anew");
    }

    #[test]
    fn a_persons_yes_ends_a_contest_and_a_revert_lasts_until_there_is_one() {
        let mut counts = repaired(&["10:00:00", "10:10:00", "10:20:00"]);
        assert!(ask(&mut counts, &things(), "new", None, at("10:30:00")).is_some());
        begin(&mut counts, &things(), "new", true, at("10:40:00"));
        assert_eq!(ask(&mut counts, &things(), "next", None, at("10:50:00")), None);

        reverted(&mut counts, &things(), at("11:00:00"));
        let days_later = at("11:00:00") + SignedDuration::from_hours(24 * 30);
        let held = ask(&mut counts, &things(), "next", None, days_later).unwrap();
        assert_eq!((held.reason, held.until), (Reason::Reverted, None));
        begin(&mut counts, &things(), "next", true, days_later);
        assert_eq!(ask(&mut counts, &things(), "another", None, days_later), None);
    }

    #[test]
    fn what_says_nothing_any_more_is_not_kept() {
        let mut counts = repaired(&["10:00:00"]);
        begin(&mut counts, &["another|thing|path".into()], "x", false, at("12:00:00"));
        assert_eq!(counts.len(), 1, "{counts:?}");
    }
}
