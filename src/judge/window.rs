//! When repairs may begin: schedules with a duration, on somebody's clock.

use jiff::{SignedDuration, Timestamp};

use crate::api::policy::Window as Written;

/// A window, ready to be asked.
#[derive(Clone, Debug)]
pub struct Window {
    schedule: cronexpr::Crontab,
    duration: SignedDuration,
}

/// Whether repairs may begin now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hours {
    /// They may.
    Open,
    /// They may not, until then.
    ClosedUntil(Timestamp),
}

/// Reads a duration such as `90s`, `30m`, `1h30m`.
///
/// # Errors
/// A sentence that says what to write.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    let parsed: Option<SignedDuration> = text.parse().ok();
    parsed
        .filter(|d| !d.is_negative())
        .ok_or_else(|| format!("`{text}` is no duration: write 30s, 10m or 1h30m"))
}

/// Any moment does: a schedule that never comes from there on never comes.
const SOME_MOMENT: Timestamp = Timestamp::UNIX_EPOCH;

/// Reads a schedule: minute, hour, day of the month, month and day of the week, on somebody's clock.
///
/// # Errors
/// A sentence that says what to write.
pub fn crontab(schedule: &str, time_zone: &str) -> Result<cronexpr::Crontab, String> {
    if jiff::tz::TimeZone::get(time_zone).is_err() {
        return Err(format!(
            "timeZone `{time_zone}` is not known: write a name such as Europe/Berlin or UTC"
        ));
    }
    let crontab = cronexpr::parse_crontab(&format!("{} {time_zone}", schedule.trim())).map_err(|error| {
        let first = error.to_string();
        let first = first.lines().next().unwrap_or_default();
        format!(
            "schedule `{schedule}`: {first}; write minute, hour, day of the month, month and day of the week, as in `0 2 * * 1-5`"
        )
    })?;
    if crontab.find_next(SOME_MOMENT).is_err() {
        return Err(format!(
            "schedule `{schedule}` never comes: no such day is in any year; write one that does, as in `0 2 28 2 *`"
        ));
    }
    Ok(crontab)
}

impl Window {
    /// Reads a window.
    ///
    /// # Errors
    /// A sentence that says what to write.
    pub fn compile(written: &Written) -> Result<Window, String> {
        let Written {
            schedule,
            duration: open,
            time_zone,
        } = written;
        let crontab = crontab(schedule, time_zone)?;
        let duration = duration(open).map_err(|why| format!("duration: {why}"))?;
        if duration.is_zero() {
            return Err("duration: a window of 0s never opens: write how long it stays open, as in 2h".into());
        }
        Ok(Window {
            schedule: crontab,
            duration,
        })
    }

    /// The first opening after a moment.
    fn opens_after(&self, moment: Timestamp) -> Option<Timestamp> {
        self.schedule.find_next(moment).ok().map(|at| at.timestamp())
    }

    fn is_open(&self, now: Timestamp) -> bool {
        now.checked_sub(self.duration)
            .ok()
            .and_then(|earliest| self.opens_after(earliest))
            .is_some_and(|opened| opened <= now)
    }
}

/// Whether any window is open. Without windows every hour is good.
pub fn hours(windows: &[Window], now: Timestamp) -> Hours {
    if windows.is_empty() || windows.iter().any(|window| window.is_open(now)) {
        return Hours::Open;
    }
    windows
        .iter()
        .filter_map(|window| window.opens_after(now))
        .min()
        .map_or(Hours::Open, Hours::ClosedUntil)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(schedule: &str, duration: &str, time_zone: &str) -> Result<Window, String> {
        Window::compile(&Written {
            schedule: schedule.into(),
            duration: duration.into(),
            time_zone: time_zone.into(),
        })
    }

    #[test]
    fn repairs_begin_only_while_a_window_is_open() {
        let open = None;
        for (schedule, duration, zone, now, until, why) in [
            (
                "0 2 * * *",
                "2h",
                "UTC",
                "2026-11-25T02:00:00Z",
                open,
                "it opens at that second",
            ),
            (
                "0 2 * * *",
                "2h",
                "UTC",
                "2026-11-25T03:59:59Z",
                open,
                "its last second",
            ),
            (
                "0 2 * * *",
                "2h",
                "UTC",
                "2026-11-25T04:00:00Z",
                Some("2026-11-26T02:00:00Z"),
                "closed at that second",
            ),
            (
                "0 2 * * *",
                "2h",
                "UTC",
                "2026-11-25T01:59:59Z",
                Some("2026-11-25T02:00:00Z"),
                "not yet",
            ),
            (
                "30 23 * * *",
                "2h",
                "UTC",
                "2026-11-25T00:30:00Z",
                open,
                "over midnight",
            ),
            (
                "0 2 * * 1-5",
                "1h",
                "UTC",
                "2026-11-28T02:30:00Z",
                Some("2026-11-30T02:00:00Z"),
                "Saturday waits for Monday",
            ),
            (
                "0 2 * * *",
                "1h",
                "Europe/Berlin",
                "2026-07-01T00:30:00Z",
                open,
                "02:30 in Berlin's summer",
            ),
            (
                "0 2 * * *",
                "1h",
                "Europe/Berlin",
                "2026-12-01T00:30:00Z",
                Some("2026-12-01T01:00:00Z"),
                "01:30 in Berlin's winter",
            ),
            (
                "0 1 * * *",
                "2h",
                "Europe/Berlin",
                "2026-03-29T01:30:00Z",
                open,
                "two hours are two hours on the night that loses one: from 00:00Z to 02:00Z",
            ),
            (
                "0 1 * * *",
                "2h",
                "Europe/Berlin",
                "2026-10-25T01:30:00Z",
                Some("2026-10-26T00:00:00Z"),
                "two hours are two hours on the night that is longer: from 23:00Z to 01:00Z",
            ),
        ] {
            let found = hours(&[window(schedule, duration, zone).unwrap()], now.parse().unwrap());
            let wanted = until.map_or(Hours::Open, |at: &str| Hours::ClosedUntil(at.parse().unwrap()));
            assert_eq!(found, wanted, "{schedule} {zone} at {now}: {why}");
        }
    }

    #[test]
    fn an_hour_that_the_clock_leaves_out_or_repeats_opens_the_window_once() {
        let window = window("30 2 * * *", "30m", "Europe/Berlin").unwrap();
        let openings = |from: &str, to: &str| {
            let (mut at, to): (Timestamp, Timestamp) = (from.parse().unwrap(), to.parse().unwrap());
            let mut found = vec![];
            while let Some(next) = window.opens_after(at).filter(|next| *next < to) {
                found.push(next.to_string());
                at = next;
            }
            found
        };
        let spring = openings("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z");
        assert!(
            spring.last().is_some_and(|last| last == "2026-03-30T00:30:00Z") && spring.len() <= 2,
            "02:30 does not exist on 29 March: the window may be left out or moved, not doubled: {spring:?}"
        );
        let autumn = openings("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
        assert!(
            autumn.last().is_some_and(|last| last == "2026-10-26T01:30:00Z"),
            "the next night it is 02:30 in winter time: {autumn:?}"
        );
        assert!(!autumn.is_empty() && autumn.len() <= 3, "{autumn:?}");
    }

    #[test]
    fn without_windows_every_hour_is_good_and_of_several_one_is_enough() {
        let now = "2026-11-25T12:00:00Z".parse().unwrap();
        assert_eq!(hours(&[], now), Hours::Open);
        let several = [
            window("0 2 * * *", "1h", "UTC").unwrap(),
            window("0 12 * * *", "1h", "UTC").unwrap(),
        ];
        assert_eq!(hours(&several, now), Hours::Open);
    }

    #[test]
    fn what_is_no_window_says_what_to_write() {
        for (schedule, duration, zone, words, why) in [
            ("0 2 30 2 *", "1h", "UTC", "never comes", "there is no 30 February"),
            ("0 25 * * *", "1h", "UTC", "as in `0 2 * * 1-5`", "no hour 25"),
            ("2h", "1h", "UTC", "as in `0 2 * * 1-5`", "no schedule at all"),
            ("0 2 * * *", "1h", "Berlin", "Europe/Berlin", "no such zone"),
            ("0 2 * * *", "soon", "UTC", "write 30s", "no duration"),
            ("0 2 * * *", "0s", "UTC", "never opens", "never open"),
        ] {
            let told = window(schedule, duration, zone).unwrap_err();
            assert!(told.contains(words), "{why}: {told}");
        }
    }
}
