//! Moments and durations in words that are read at a glance. All moments are in UTC and say so, since the reader,
//! the shop and the agent may be in three time zones.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;

/// `10:02 UTC`; with its day where that is another one than `now`'s: `28 Feb 23:58 UTC`.
pub fn moment(at: Timestamp, now: Timestamp) -> String {
    format!("{} UTC", clock(at, now))
}

/// `10:02 UTC, 7 min ago`
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    match span(at, now) {
        passed if passed < Duration::from_secs(1) => format!("{}, just now", moment(at, now)),
        passed => format!("{}, {} ago", moment(at, now), duration(passed)),
    }
}

/// `from 10:02 to 10:09 UTC (7 min)`
pub fn from_to(from: Timestamp, to: Timestamp, now: Timestamp) -> String {
    format!("from {} to {} UTC ({})", clock(from, now), clock(to, now), duration(span(from, to)))
}

/// `1 March 2026, 10:09:30 UTC`
pub fn in_full(at: Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string()
}

/// From one moment to another; nothing where they are the wrong way round.
pub fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// In the two largest units that say something: `45 s`, `7 min`, `3 h 20 min`, `2 days 3 h`.
pub fn duration(long: Duration) -> String {
    let seconds = long.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |first: String, rest: u64, unit: &str| match rest {
        0 => first,
        rest => format!("{first} {rest} {unit}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min"),
        3_600..86_400 => two(format!("{hours} h"), minutes % 60, "min"),
        86_400..172_800 => two("1 day".to_owned(), hours % 24, "h"),
        _ => two(format!("{days} days"), hours % 24, "h"),
    }
}

fn clock(at: Timestamp, now: Timestamp) -> String {
    let (day, today) = (at.to_zoned(TimeZone::UTC).date(), now.to_zoned(TimeZone::UTC).date());
    let format = match () {
        () if day == today => "%H:%M",
        () if day.year() == today.year() => "%-d %b %H:%M",
        () => "%-d %b %Y %H:%M",
    };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn check(from: &str, to: &str, expected_ago: &str, expected_span: &str) {
        let (from, to) = (at(from), at(to));
        assert_eq!(ago(from, to), expected_ago);
        assert_eq!(from_to(from, to, to), expected_span);
    }

    #[test]
    fn moments_are_told_with_as_much_of_the_date_as_is_needed() {
        let now = "2026-03-01T10:09:30Z";
        check(now, now, "10:09 UTC, just now", "from 10:09 to 10:09 UTC (0 s)");
        check("2026-03-01T10:02:00Z", now, "10:02 UTC, 7 min ago", "from 10:02 to 10:09 UTC (7 min)");
        check(
            "2026-02-28T23:58:00Z",
            now,
            "28 Feb 23:58 UTC, 10 h 11 min ago",
            "from 28 Feb 23:58 to 10:09 UTC (10 h 11 min)",
        );
        check(
            "2025-12-31T10:09:30Z",
            now,
            "31 Dec 2025 10:09 UTC, 60 days ago",
            "from 31 Dec 2025 10:09 to 10:09 UTC (60 days)",
        );
        check("2026-03-01T10:10:00Z", now, "10:10 UTC, just now", "from 10:10 to 10:09 UTC (0 s)");
        assert_eq!(in_full(at(now)), "1 March 2026, 10:09:30 UTC");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let shown = |seconds| duration(Duration::from_secs(seconds));
        let all = [59, 60, 3_599, 3_600, 12_000, 86_399, 86_400, 90_000, 172_800, 183_600].map(shown);
        let expected = ["59 s", "1 min", "59 min", "1 h", "3 h 20 min", "23 h 59 min", "1 day", "1 day 1 h"];
        assert_eq!(all[..8], expected);
        assert_eq!(all[8..], ["2 days", "2 days 3 h"]);
    }
}
