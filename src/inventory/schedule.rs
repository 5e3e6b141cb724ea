//! When things are read again. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::api::account::Sweep;
use crate::judge::window;

/// What an account without interval and schedule has.
const DEFAULT: SignedDuration = SignedDuration::from_mins(15);

/// An interval or a schedule, ready to be asked.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// So long after the last time.
    Every(SignedDuration),
    /// At these times.
    At(Box<cronexpr::Crontab>),
}

impl Schedule {
    /// Reads a spec.
    ///
    /// # Errors
    /// A sentence that says what to write.
    pub fn compile(sweep: &Sweep) -> Result<Schedule, String> {
        match (&sweep.interval, &sweep.schedule) {
            (Some(_), Some(_)) => {
                Err("sweep: write either interval, as in 15m, or schedule, as in `0 * * * *`: not both".to_owned())
            }
            (None, None) => Ok(Schedule::Every(DEFAULT)),
            (Some(text), None) => match text.parse::<SignedDuration>() {
                Ok(interval) if interval >= SignedDuration::from_secs(1) => Ok(Schedule::Every(interval)),
                _ => Err(format!(
                    "sweep.interval: `{text}` is no duration of at least a second: write 15m, 90s or 1h30m"
                )),
            },
            (None, Some(text)) => {
                let crontab = window::crontab(text, sweep.time_zone.as_deref().unwrap_or("UTC"));
                Ok(Schedule::At(Box::new(crontab.map_err(|why| format!("sweep.{why}"))?)))
            }
        }
    }

    /// The first time after a moment.
    pub fn after(&self, moment: Timestamp) -> Timestamp {
        let next = match self {
            Schedule::Every(interval) => moment.checked_add(*interval).ok(),
            Schedule::At(crontab) => crontab.find_next(moment).ok().map(|at| at.timestamp()),
        };
        next.unwrap_or(Timestamp::MAX)
    }

    /// How long to wait for the next time, when the last one began at `started`, and `elapsed` ago by a clock that nobody sets.
    pub fn rest(&self, started: Timestamp, elapsed: Duration, now: Timestamp) -> Duration {
        let rest = match self {
            Schedule::Every(interval) => Duration::try_from(*interval).ok().map(|i| i.saturating_sub(elapsed)),
            Schedule::At(_) => Duration::try_from(self.after(started).duration_since(now)).ok(),
        };
        rest.unwrap_or_default()
    }

    /// From the first time after a moment to the second: what a sweep may be spread over.
    pub fn period(&self, moment: Timestamp) -> Duration {
        let next = self.after(moment);
        Duration::try_from(self.after(next).duration_since(next)).unwrap_or_default()
    }

    /// The time by which three sweeps were missed.
    pub fn thrice_after(&self, moment: Timestamp) -> Timestamp {
        self.after(self.after(self.after(moment)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(interval: Option<&str>, schedule: Option<&str>, zone: Option<&str>) -> Sweep {
        Sweep {
            interval: interval.map(Into::into),
            schedule: schedule.map(Into::into),
            time_zone: zone.map(Into::into),
        }
    }

    #[test]
    fn the_next_time_comes_by_interval_or_by_schedule() {
        for (interval, schedule, zone, now, next, why) in [
            (
                None,
                None,
                None,
                "2026-11-25T06:00:00Z",
                "2026-11-25T06:15:00Z",
                "the default",
            ),
            (
                Some("90s"),
                None,
                None,
                "2026-11-25T06:00:00Z",
                "2026-11-25T06:01:30Z",
                "an interval",
            ),
            (
                None,
                Some("0 * * * *"),
                None,
                "2026-11-25T06:00:01Z",
                "2026-11-25T07:00:00Z",
                "the full hour",
            ),
            (
                None,
                Some("0 2 * * *"),
                Some("Europe/Berlin"),
                "2026-11-25T00:00:00Z",
                "2026-11-25T01:00:00Z",
                "two o'clock in Berlin",
            ),
        ] {
            let schedule = Schedule::compile(&sweep(interval, schedule, zone)).unwrap();
            assert_eq!(schedule.after(now.parse().unwrap()).to_string(), next, "{why}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_what_to_write() {
        for (interval, schedule, zone, says, why) in [
            (Some("soon"), None, None, "write 15m, 90s or 1h30m", "no duration"),
            (Some("0s"), None, None, "at least a second", "never resting"),
            (None, Some("every hour"), None, "as in `0 2 * * 1-5`", "no schedule"),
            (
                None,
                Some("0 2 * * *"),
                Some("Berlin"),
                "write a name such as Europe/Berlin",
                "no time zone",
            ),
            (None, Some("0 0 31 2 *"), None, "never comes", "no such day"),
            (Some("15m"), Some("0 * * * *"), None, "not both", "two of them"),
        ] {
            let error = Schedule::compile(&sweep(interval, schedule, zone)).unwrap_err();
            assert!(error.contains(says), "{why}: {error}");
        }
    }

    #[test]
    fn a_sweep_by_schedule_is_spread_over_the_time_to_the_next() {
        let hourly = Schedule::compile(&sweep(None, Some("0 * * * *"), None)).unwrap();
        let now = "2026-11-25T06:20:00Z".parse().unwrap();
        assert_eq!(hourly.period(now), Duration::from_hours(1));
        assert_eq!(hourly.thrice_after(now).to_string(), "2026-11-25T09:00:00Z");
    }
}
