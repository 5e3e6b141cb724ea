//! How much a policy may repair within an hour. Pure; the counts stand on the policy's status, so they survive Drifts and
//! restarts.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::gate::Wait;
use crate::api::Reason;
use crate::api::policy::Begun;
use crate::judge::compile::Limits;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A repair that wants to begin.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The Drift's uid.
    pub drift: &'a str,
    /// The name of the `AwsEndpoint`.
    pub endpoint: &'a str,
    /// How many endpoints the policy selects.
    pub selected: i64,
}

/// Lets a repair begin and gives the new count, or says when there will be room. A repair that began within the hour
/// already goes on without being counted again.
pub fn admit(begun: &[Begun], request: Request<'_>, limits: &Limits, now: Timestamp) -> Result<Vec<Begun>, Wait> {
    let mut lately: Vec<Begun> = begun
        .iter()
        .filter(|b| now.duration_since(b.at.0) < HOUR)
        .cloned()
        .collect();
    if lately.iter().any(|b| b.drift == request.drift) {
        return Ok(lately);
    }
    let per_hour = usize::from(limits.repairs_per_hour);
    if lately.len() >= per_hour {
        let message = format!(
            "{} of limits.repairsPerHour {per_hour} began within the hour",
            lately.len()
        );
        let oldest = lately.iter().map(|b| b.at.0).min().filter(|_| per_hour > 0);
        return Err(full(oldest, message));
    }
    let mut newest: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for b in &lately {
        let at = newest.entry(b.endpoint.as_str()).or_insert(b.at.0);
        *at = (*at).max(b.at.0);
    }
    let most = most_endpoints(request.selected, limits.share_percent);
    if !newest.contains_key(request.endpoint) && newest.len() >= most {
        let message = format!(
            "{} of {} selected endpoints were repaired within the hour, and limits.share is {}%",
            newest.len(),
            request.selected,
            limits.share_percent
        );
        return Err(full(newest.values().min().copied(), message));
    }
    lately.push(Begun {
        drift: request.drift.to_owned(),
        endpoint: request.endpoint.to_owned(),
        at: Time(now),
    });
    Ok(lately)
}

/// A share of the endpoints in whole ones, at least one.
fn most_endpoints(selected: i64, percent: u8) -> usize {
    let share = selected.max(0).saturating_mul(i64::from(percent)) / 100;
    usize::try_from(share).unwrap_or(usize::MAX).max(1)
}

fn full(oldest: Option<Timestamp>, message: String) -> Wait {
    match oldest.and_then(|at| at.checked_add(HOUR).ok()) {
        Some(until) => Wait::until(Reason::LimitReached, message, until),
        // A limit of none at all has no oldest repair to wait for.
        None => Wait {
            reason: Reason::LimitReached,
            message,
            until: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-25T{text}Z").parse().unwrap()
    }

    fn begun(rows: &[(&str, &str, &str)]) -> Vec<Begun> {
        rows.iter()
            .map(|(drift, endpoint, time)| Begun {
                drift: (*drift).into(),
                endpoint: (*endpoint).into(),
                at: Time(at(time)),
            })
            .collect()
    }

    #[test]
    fn no_more_repairs_begin_within_an_hour_than_the_policy_allows() {
        let two = &[("a", "one", "10:00:00"), ("b", "two", "10:20:00")][..];
        for (rows, per_hour, share, selected, drift, endpoint, until, why) in [
            (&[][..], 10, 20, 12, "x", "one", None, "the first one"),
            (
                two,
                10,
                20,
                12,
                "x",
                "three",
                Some("11:00:00"),
                "20 % of 12 are two endpoints",
            ),
            (
                two,
                10,
                20,
                12,
                "x",
                "one",
                None,
                "an endpoint that was repaired already is no new one",
            ),
            (two, 10, 20, 15, "x", "three", None, "20 % of 15 are three"),
            (
                &two[..1],
                10,
                20,
                3,
                "x",
                "two",
                Some("11:00:00"),
                "at least one, and that was it",
            ),
            (&[], 10, 20, 3, "x", "two", None, "at least one"),
            (two, 2, 100, 12, "x", "three", Some("11:00:00"), "two an hour are two"),
            (two, 2, 100, 12, "b", "two", None, "what began already goes on"),
        ] {
            let limits = Limits {
                repairs_per_hour: per_hour,
                share_percent: share,
                settle: SignedDuration::ZERO,
            };
            let request = Request {
                drift,
                endpoint,
                selected,
            };
            let found = admit(&begun(rows), request, &limits, at("10:30:00"));
            match (until, found) {
                (None, Ok(counted)) => assert!(counted.iter().any(|b| b.drift == drift), "{why}"),
                (Some(until), Err(wait)) => {
                    assert_eq!(
                        (wait.reason, wait.until),
                        (Reason::LimitReached, Some(at(until))),
                        "{why}"
                    );
                    assert!(wait.message.contains("limits."), "{why}: {}", wait.message);
                }
                (_, found) => panic!("{why}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_limit_of_none_is_no_matter_of_time() {
        let limits = Limits {
            repairs_per_hour: 0,
            share_percent: 100,
            settle: SignedDuration::ZERO,
        };
        let request = Request {
            drift: "new",
            endpoint: "two",
            selected: 9,
        };
        let before = begun(&[("old", "one", "10:00:00")]);
        let Err(wait) = admit(&before, request, &limits, at("10:30:00")) else {
            panic!("nothing may begin");
        };
        assert_eq!(wait.until, None);
    }

    #[test]
    fn what_is_an_hour_old_makes_room() {
        let limits = Limits {
            repairs_per_hour: 1,
            share_percent: 100,
            settle: SignedDuration::ZERO,
        };
        let request = Request {
            drift: "new",
            endpoint: "two",
            selected: 9,
        };
        let before = begun(&[("old", "one", "10:00:00")]);
        assert!(admit(&before, request, &limits, at("10:59:59")).is_err());
        let counted = admit(&before, request, &limits, at("11:00:00")).unwrap();
        assert_eq!(counted.len(), 1, "the old one is forgotten: {counted:?}");
    }
}
