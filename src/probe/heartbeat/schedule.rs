//! When a job is due.

use crate::alert;
use crate::config::value::Period;
use croner::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::str::FromStr;
use std::time::Duration;

const EVERY_MIN: Duration = Duration::from_secs(1);
/// So many times in a row show how close together a schedule's can be.
const TIMES_COMPARED: usize = 64;
/// A schedule that comes less often than this is due once for all that matters here; the 29th of February is not.
const GAP_MAX: Duration = Duration::from_hours(24 * 366 * 8);
/// Where the comparing begins: in the zone without jumps, at a new year.
const COMPARED_FROM: Timestamp = Timestamp::constant(1_767_225_600, 0);
/// A job's clock may go before ours, so that its success comes before it was due.
const EARLY_MAX: Duration = Duration::from_mins(1);

#[derive(Debug, Clone)]
pub(super) enum Schedule {
    /// At the moments of a wall clock in its zone.
    Cron {
        cron: Box<Cron>,
        zone: TimeZone,
        /// The shortest time from one to the next.
        gap: Duration,
    },
    /// So long after the last success.
    Every(Duration),
}

impl Schedule {
    pub(super) fn cron(text: &str, zone: TimeZone) -> Result<Schedule, String> {
        let cron =
            Cron::from_str(text).map_err(|error| format!("`{text}` is no cron expression: {error}"))?;
        if !alert::ever_occurs(&cron) {
            return Err(format!(
                "`{text}` names a day that no year has; the fields are minute, hour, day of the month, month, weekday"
            ));
        }
        let (mut gap, mut before) = (GAP_MAX, None);
        let mut at = COMPARED_FROM;
        for _ in 0..TIMES_COMPARED {
            let Some(next) = next(&cron, &TimeZone::UTC, at) else { break };
            if let Some(before) = before {
                gap = gap.min(between(before, next));
            }
            if between(COMPARED_FROM, next) > GAP_MAX {
                break;
            }
            (before, at) = (Some(next), next);
        }
        Ok(Schedule::Cron { cron: Box::new(cron), zone, gap })
    }

    pub(super) fn every(every: Period) -> Result<Schedule, String> {
        if every.get() < EVERY_MIN {
            return Err(format!("{every} is too often for a job; the shortest is 1s"));
        }
        Ok(Schedule::Every(every.get()))
    }

    /// The shortest time from when it is due to when it is due again.
    pub(super) fn gap(&self) -> Duration {
        match self {
            Schedule::Cron { gap, .. } => *gap,
            Schedule::Every(every) => *every,
        }
    }

    /// When it is due first after a moment at which nothing happened.
    pub(super) fn due_after(&self, at: Timestamp) -> Timestamp {
        match self {
            Schedule::Cron { cron, zone, .. } => next(cron, zone, at).unwrap_or(Timestamp::MAX),
            Schedule::Every(every) => later(at, *every),
        }
    }

    /// When it is due again after it ran at that moment. What ran a little before its time ran in time.
    pub(super) fn due_again(&self, at: Timestamp, grace: Duration) -> Timestamp {
        match self {
            Schedule::Cron { gap, .. } => self.due_after(later(at, EARLY_MAX.min(grace).min(*gap / 2))),
            Schedule::Every(_) => self.due_after(at),
        }
    }
}

fn next(cron: &Cron, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    cron.find_next_occurrence(&at.to_zoned(zone.clone()), false).ok().map(|next| next.timestamp())
}

/// A moment so much later, within the range of clocks.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// From one moment to a later one; nothing where it is not later.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn schedule(cron: &str, zone: &str) -> Schedule {
        Schedule::cron(cron, TimeZone::get(zone).expect("a zone")).expect("a schedule")
    }

    fn check(cron: &str, zone: &str, from: &str, expected: &[&str]) {
        let schedule = schedule(cron, zone);
        let mut moment = at(from);
        for expected in expected {
            moment = schedule.due_after(moment);
            assert_eq!(moment, at(expected), "{cron} in {zone} after {from}");
        }
    }

    #[test]
    fn it_is_due_by_the_clock_of_its_zone() {
        check(
            "0 3 * * 1",
            "America/Los_Angeles",
            "2026-03-01T00:00:00Z",
            &["2026-03-02T11:00:00Z", "2026-03-09T10:00:00Z"],
        );
        check("0 3 * * 1", "America/Los_Angeles", "2026-10-30T00:00:00Z", &["2026-11-02T11:00:00Z"]);
    }

    #[test]
    fn where_the_clock_jumps_it_is_due_once() {
        // 02:00 becomes 03:00 in Berlin, which is 01:00 UTC.
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T02:00:00Z",
            &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        );
        // 03:00 becomes 02:00, which is 01:00 UTC.
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        );
    }

    #[test]
    fn months_have_ends() {
        check("0 4 31 * *", "UTC", "2026-03-31T04:00:00Z", &["2026-05-31T04:00:00Z", "2026-07-31T04:00:00Z"]);
        check("0 4 L * *", "UTC", "2026-01-31T04:00:00Z", &["2026-02-28T04:00:00Z", "2026-03-31T04:00:00Z"]);
        check("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
    }

    #[test]
    fn the_shortest_gap() {
        let check = |cron: &str, hours: f64| {
            let gap = schedule(cron, "America/Los_Angeles").gap();
            assert_eq!(gap.as_secs_f64() / 3600.0, hours, "{cron}");
        };
        check("*/10 9-17 * * 1-5", 1.0 / 6.0);
        check("0 3 * * 1", 168.0);
        check("0 0 1,31 * *", 24.0);
        check("0 3 1 * *", 28.0 * 24.0);
        check("0 0 29 2 *", 1461.0 * 24.0);
    }

    #[test]
    fn what_runs_a_little_early_is_in_time() {
        let schedule = schedule("0 3 * * *", "UTC");
        let check = |ran: &str, grace_seconds: u64, expected: &str| {
            assert_eq!(
                schedule.due_again(at(ran), Duration::from_secs(grace_seconds)),
                at(expected),
                "{ran}"
            );
        };
        check("2026-03-01T02:59:58Z", 600, "2026-03-02T03:00:00Z");
        check("2026-03-01T02:58:00Z", 600, "2026-03-01T03:00:00Z");
        check("2026-03-01T02:59:50Z", 5, "2026-03-01T03:00:00Z");
        check("2026-03-01T03:20:00Z", 600, "2026-03-02T03:00:00Z");
    }
}
