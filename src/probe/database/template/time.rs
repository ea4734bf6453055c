//! The times that a query may ask for, and what is filled in for them.

use super::super::token::Dialect;
use super::{Wrong, wrong};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, Unit, Zoned, ZonedRound};
use std::time::Duration;

/// A moment relative to the run, or some days before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    Now,
    Ago(Duration),
    From,
    To,
    StartOfHour,
    StartOfDay,
    StartOfYesterday,
    /// So many days, today the last, as rows of name, begin and end.
    Days(i64),
}

/// What the placeholders are filled from.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The run's time, which is `$now` and, until a cursor is kept, `$to`.
    pub now: Timestamp,
    /// `$to`.
    pub to: Timestamp,
    /// How far before `$to` the time `$from` is.
    pub window: Duration,
    /// Where days and hours begin.
    pub zone: TimeZone,
}

const NAMES: [(&str, Time); 6] = [
    ("now", Time::Now),
    ("from", Time::From),
    ("to", Time::To),
    ("start_of_hour", Time::StartOfHour),
    ("start_of_day", Time::StartOfDay),
    ("start_of_yesterday", Time::StartOfYesterday),
];

/// All of them, for hints.
pub(super) const TIMES: &str = "`$now`, `$ago_15m`, `$from`, `$to`, `$start_of_hour`, `$start_of_day`, `$start_of_yesterday`, `$days_30`";

/// The longest `$ago_…`: ten years, as a guard against a slip of the keys.
const LONGEST_AGO: Duration = Duration::from_hours(24 * 3660);

/// A year and a day: each is a row.
const DAYS_MAX: i64 = 366;

impl Time {
    /// The time of a placeholder, without its `$`.
    pub(super) fn named(name: &str) -> Result<Time, Wrong> {
        if let Some((_, time)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(*time);
        }
        if let Some(days) = name.strip_prefix("days_") {
            let days = days.parse().ok().filter(|days| (1..=DAYS_MAX).contains(days));
            let text = || format!("`${name}` is not a number of days between 1 and {DAYS_MAX}");
            return days.map(Time::Days).ok_or_else(|| wrong(text(), Some("as in `$days_30`".to_owned())));
        }
        match name.strip_prefix("ago_") {
            Some(ago) => Time::ago(name, ago),
            None => Err(unknown(name)),
        }
    }

    fn ago(name: &str, ago: &str) -> Result<Time, Wrong> {
        let hint = || Some("write a number and one of s, m, h, d, as in `$ago_15m`".to_owned());
        let (number, unit) = ago.split_at(ago.find(|c: char| !c.is_ascii_digit()).unwrap_or(ago.len()));
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(wrong(format!("`${name}` is not a time that can be filled in"), hint())),
        };
        let by = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
        match by.map(Duration::from_secs) {
            Some(ago) if ago <= LONGEST_AGO => Ok(Time::Ago(ago)),
            _ => Err(wrong(format!("`${name}` is not a time within the last ten years"), hint())),
        }
    }

    /// Whether it depends on where a day or an hour begins.
    pub(super) fn has_zone(self) -> bool {
        matches!(self, Time::StartOfHour | Time::StartOfDay | Time::StartOfYesterday | Time::Days(_))
    }

    /// What stands for it in the SQL.
    pub(super) fn literal(self, moment: &Moment, dialect: Dialect) -> String {
        match self {
            Time::Days(days) => rows_of_days(days, moment, dialect),
            time => literal(time.at(moment)),
        }
    }

    fn at(self, moment: &Moment) -> Timestamp {
        let before = |at: Timestamp, by: Duration| {
            let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
            at.saturating_sub(by).unwrap_or(Timestamp::MIN)
        };
        match self {
            Time::Now => moment.now,
            Time::To => moment.to,
            Time::Ago(by) => before(moment.now, by),
            Time::From => before(moment.to, moment.window),
            Time::StartOfHour => {
                start(moment, |local| local.round(ZonedRound::new().smallest(Unit::Hour).mode(TRUNCATE)))
            }
            Time::StartOfDay => day(moment, 0),
            Time::StartOfYesterday => day(moment, 1),
            Time::Days(days) => day(moment, days - 1),
        }
    }
}

const TRUNCATE: jiff::RoundMode = jiff::RoundMode::Trunc;

/// Where the day so many days before the run's begins, by the calendar: not all days have 24 hours.
fn day(moment: &Moment, before: i64) -> Timestamp {
    start(moment, |local| local.checked_sub(Span::new().days(before))?.start_of_day())
}

/// Where the run's hour or day begins. Fails only at the ends of time, where `now` serves as well.
fn start(moment: &Moment, of: impl Fn(&Zoned) -> Result<Zoned, jiff::Error>) -> Timestamp {
    of(&moment.now.to_zoned(moment.zone.clone())).map_or(moment.now, |begin| begin.timestamp())
}

fn literal(at: Timestamp) -> String {
    let utc: DateTime = TimeZone::UTC.to_datetime(at);
    utc.strftime("'%Y-%m-%d %H:%M:%S.%3f'").to_string()
}

/// `('2026-11-21', begin, end), ('2026-11-22', begin, end)`. Behind `values` nothing tells PostgreSQL that a text is a
/// time, so there it is written before it.
fn rows_of_days(days: i64, moment: &Moment, dialect: Dialect) -> String {
    let kind = if dialect == Dialect::Postgres { "timestamp " } else { "" };
    let row = |before: i64| {
        let begin = day(moment, before);
        let name = begin.to_zoned(moment.zone.clone()).date();
        format!("('{name}', {kind}{}, {kind}{})", literal(begin), literal(day(moment, before - 1)))
    };
    (0..days).rev().map(row).collect::<Vec<_>>().join(", ")
}

fn unknown(name: &str) -> Wrong {
    let likeness = |known: &str| strsim::jaro_winkler(known, name);
    let known = NAMES.iter().map(|(known, _)| *known).chain(["ago_15m", "days_30"]);
    let nearest = known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let hint = match nearest.filter(|nearest| likeness(nearest) > 0.5) {
        Some(nearest) => format!("did you mean `${nearest}`?"),
        None => format!("times are {TIMES}"),
    };
    wrong(format!("`${name}` is not a time that can be filled in"), Some(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows as `name begin end`, hours and minutes of UTC.
    fn check(now: &str, zone: &str, days: i64, expected: &[&str]) {
        let now = now.parse().expect("a time");
        let zone = TimeZone::get(zone).expect("a zone");
        let moment = Moment { now, to: now, window: Duration::from_mins(1), zone };
        let rows = Time::Days(days).literal(&moment, Dialect::Sqlite);
        let rows: Vec<_> = rows.trim_matches(['(', ')']).split("), (").collect();
        let rows: Vec<_> =
            rows.iter().map(|row| row.replace(":00.000'", "").replace(['\'', ','], "")).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn days_are_those_of_the_shops_calendar() {
        check(
            "2026-11-22T03:10:00Z",
            "America/Los_Angeles",
            2,
            &["2026-11-20 2026-11-20 08:00 2026-11-21 08:00", "2026-11-21 2026-11-21 08:00 2026-11-22 08:00"],
        );
        // The clocks go forward on the 29th.
        check(
            "2026-03-30T12:00:00Z",
            "Europe/Berlin",
            3,
            &[
                "2026-03-28 2026-03-27 23:00 2026-03-28 23:00",
                "2026-03-29 2026-03-28 23:00 2026-03-29 22:00",
                "2026-03-30 2026-03-29 22:00 2026-03-30 22:00",
            ],
        );
        check("2026-03-30T12:00:00Z", "UTC", 1, &["2026-03-30 2026-03-30 00:00 2026-03-31 00:00"]);
    }

    #[test]
    fn postgres_is_told_that_a_text_is_a_time() {
        let now = "2026-11-22T03:10:00Z".parse().expect("a time");
        let moment = Moment { now, to: now, window: Duration::from_mins(1), zone: TimeZone::UTC };
        let expected =
            "('2026-11-22', timestamp '2026-11-22 00:00:00.000', timestamp '2026-11-23 00:00:00.000')";
        assert_eq!(Time::Days(1).literal(&moment, Dialect::Postgres), expected);
        assert_eq!(Time::StartOfYesterday.literal(&moment, Dialect::Postgres), "'2026-11-21 00:00:00.000'");
    }

    #[test]
    fn days_have_a_bound() {
        for name in ["days_0", "days_367", "days_", "days_-1", "days_1d"] {
            let wrong = Time::named(name).expect_err(name);
            assert_eq!(wrong.text, format!("`${name}` is not a number of days between 1 and 366"));
        }
        assert_eq!(Time::named("days_366"), Ok(Time::Days(366)));
    }
}
