//! Which parts of time a counting query is asked about: whole minutes, each once, the oldest first.
//!
//! The agent keeps, for every such check, up to where it has counted. A run goes on from there, and after a time in
//! which nobody counted it goes back for what was missed, a bounded number of parts at a time.

use jiff::Timestamp;
use std::time::Duration;

/// Parts that one run asks about: so many short questions on one connection do no harm.
const PARTS_MAX: u64 = 30;
const MINUTE: u64 = 60;
/// Minutes that a part may have: what divides an hour, so that none lies in two days. Longer ones would say too little
/// about when something happened.
const LENGTHS: [u64; 12] = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60];

/// What to count from where.
#[derive(Debug, Clone, Copy)]
pub struct Counting {
    pub now: Timestamp,
    /// Up to where was counted; `None` before the first time.
    pub cursor: Option<Timestamp>,
    /// How often the check runs.
    pub every: Duration,
    /// How far back the first run goes.
    pub backfill: Duration,
}

impl Counting {
    /// The parts to ask about now as (from, to), the oldest first; none where no whole minute has passed.
    pub fn parts(&self) -> Vec<(Timestamp, Timestamp)> {
        let end = seconds(self.now) / MINUTE * MINUTE;
        let begin = self.cursor.map_or_else(|| end - minutes(self.backfill) * MINUTE, seconds);
        let part = minutes(self.every).max((end.saturating_sub(begin) / MINUTE).div_ceil(PARTS_MAX));
        let part = MINUTE * LENGTHS.into_iter().find(|length| *length >= part).unwrap_or(60);
        let mut parts = Vec::new();
        let mut from = begin;
        while from < end && (parts.len() as u64) < PARTS_MAX {
            // At whole parts of the clock.
            let to = ((from / part + 1) * part).min(end);
            parts.push((timestamp(from), timestamp(to)));
            from = to;
        }
        parts
    }
}

fn minutes(period: Duration) -> u64 {
    period.as_secs().div_ceil(MINUTE).max(1)
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or(0)
}

fn timestamp(seconds: u64) -> Timestamp {
    i64::try_from(seconds).ok().and_then(|at| Timestamp::from_second(at).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    /// Minutes of the parts, from 100,000 minutes after the epoch on.
    fn check(now: u64, cursor: Option<u64>, every: u64, expected: &[(u64, u64)]) {
        let at = |minute: u64| timestamp((100_000 + minute) * MINUTE);
        let counting = Counting {
            now: at(now) + SignedDuration::from_secs(42),
            cursor: cursor.map(at),
            every: Duration::from_secs(every * MINUTE),
            backfill: Duration::from_secs(every * MINUTE),
        };
        let minute = |at: Timestamp| seconds(at) / MINUTE - 100_000;
        let parts: Vec<_> =
            counting.parts().into_iter().map(|(from, to)| (minute(from), minute(to))).collect();
        assert_eq!(parts, expected);
    }

    #[test]
    fn each_minute_is_counted_once() {
        check(10, Some(9), 1, &[(9, 10)]);
        check(10, Some(10), 1, &[]);
        check(10, Some(12), 1, &[]);
        check(10, None, 1, &[(9, 10)]);
        check(12, Some(9), 1, &[(9, 10), (10, 11), (11, 12)]);
        check(20, Some(15), 5, &[(15, 20)]);
    }

    #[test]
    fn after_a_long_time_the_parts_are_longer_and_go_on_at_the_next_run() {
        let at = |minutes: u64| timestamp(minutes * MINUTE);
        let mut counting = Counting {
            now: at(100_000),
            cursor: Some(at(100_000 - 28 * 1440)),
            every: Duration::from_mins(1),
            backfill: Duration::ZERO,
        };
        let (mut runs, mut minutes) = (0, 0);
        while counting.cursor != Some(counting.now) {
            let parts = counting.parts();
            assert!(!parts.is_empty() && parts.len() <= 30);
            for (from, to) in parts {
                assert_eq!(counting.cursor, Some(from), "no gap and no overlap");
                let days = |at: Timestamp| (seconds(at)) / 86_400;
                assert_eq!(days(from), days(to - SignedDuration::from_secs(1)));
                minutes += (seconds(to) - seconds(from)) / 60;
                counting.cursor = Some(to);
            }
            runs += 1;
        }
        assert_eq!(minutes, 28 * 1440);
        assert!(runs < 30, "{runs}");
    }
}
