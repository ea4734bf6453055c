//! The report by calendar months, in the zone where the shop is: a month is as long as it is there, an hour more or less
//! where clocks are set.

use super::count::{Cell, Sum};
use crate::store::Slice;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::time::Duration;

/// What a part of the calendar saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub begins: Timestamp,
    /// Not included.
    pub ends: Timestamp,
    /// Maintenance left out where the objective says so.
    pub good: u64,
    pub total: u64,
    /// With everything that was measured.
    pub raw_good: u64,
    pub raw_total: u64,
    /// Minutes that there are in it, that were measured and count, and that don't count.
    pub expected: u64,
    pub measured: u64,
    pub excluded: u64,
}

impl Report {
    /// The share of good events; `None` without any.
    pub fn ratio(&self) -> Option<f64> {
        (self.total > 0).then(|| self.good as f64 / self.total as f64)
    }

    /// For how long everything may be bad in it: the budget of an objective whose events are minutes.
    pub fn budget(&self, budget_ppm: u32) -> Duration {
        Duration::from_micros((self.expected - self.excluded) * 60 * u64::from(budget_ppm))
    }
}

/// Minutes that are kept for it: this month and the one before.
pub const KEPT: u32 = 62 * 1440;

/// One calendar month as (year, month), and what was in it.
pub type Month = ((i16, i8), Report);

/// The report of one calendar month; `None` where there is no such month. `slices` may hold more than the month.
pub fn month(
    zone: &TimeZone,
    year: i16,
    month: i8,
    slices: impl IntoIterator<Item = Slice>,
) -> Option<Report> {
    let first = Date::new(year, month, 1).ok()?;
    let begins = first.to_zoned(zone.clone()).ok()?;
    let ends = first.checked_add(1.month()).ok()?.to_zoned(zone.clone()).ok()?;
    Some(part(begins.timestamp(), ends.timestamp(), slices))
}

/// Every month that the slices lie in, the first one first.
pub fn months(zone: &TimeZone, slices: &[Slice]) -> Vec<Month> {
    let civil = |slice: &Slice| {
        let at = Timestamp::from_second(i64::from(slice.minute) * 60).ok()?;
        let date = at.to_zoned(zone.clone()).date();
        Some((date.year(), date.month()))
    };
    let (Some(first), Some(last)) = (slices.first().and_then(civil), slices.last().and_then(civil)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let (mut year, mut number) = first;
    while (year, number) <= last {
        found
            .extend(month(zone, year, number, slices.iter().copied()).map(|report| ((year, number), report)));
        (year, number) = if number == 12 { (year + 1, 1) } else { (year, number + 1) };
    }
    found
}

/// The report of any part of time.
pub fn part(begins: Timestamp, ends: Timestamp, slices: impl IntoIterator<Item = Slice>) -> Report {
    let minute = |at: Timestamp| at.as_second().div_euclid(60);
    let mut sum = Sum::default();
    for Slice { minute: at, good, bad, excluded } in slices {
        if (minute(begins)..minute(ends)).contains(&i64::from(at)) {
            sum.add(Cell { good, bad, excluded }, 1);
        }
    }
    Report {
        begins,
        ends,
        good: sum.good,
        total: sum.total(),
        raw_good: sum.good + sum.excluded_good,
        raw_total: sum.total() + sum.excluded_good + sum.excluded_bad,
        expected: u64::try_from(minute(ends) - minute(begins)).unwrap_or(0),
        measured: sum.measured,
        excluded: sum.excluded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a zone")
    }

    /// Every minute of the year is bad; so a month holds as many as it has.
    fn check(name: &str, number: i8, hours: u64) {
        let from = "2025-12-01T00:00:00Z".parse::<Timestamp>().expect("a time").as_second() / 60;
        let minutes =
            (0..460 * 1440).map(|at| Slice { minute: from as u32 + at, good: 0, bad: 1, excluded: false });
        let report = month(&zone(name), 2026, number, minutes).expect("a month");
        assert_eq!(
            (report.expected, report.measured, report.total),
            (hours * 60, hours * 60, hours * 60),
            "{name} {number}"
        );
    }

    #[test]
    fn a_month_is_as_long_as_it_is_there() {
        check("UTC", 2, 28 * 24);
        check("Europe/Berlin", 1, 31 * 24);
        check("Europe/Berlin", 3, 31 * 24 - 1);
        check("Europe/Berlin", 10, 31 * 24 + 1);
        check("America/Los_Angeles", 3, 31 * 24 - 1);
        check("America/Los_Angeles", 11, 30 * 24 + 1);
        // Half an hour, and in the other half of the year.
        check("Australia/Lord_Howe", 1, 31 * 24);
        assert_eq!(month(&TimeZone::UTC, 2026, 13, []), None);
    }

    #[test]
    fn a_week_of_four_nines_and_a_half_allows_five_minutes() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let week = part(at("2026-06-01T00:00:00Z"), at("2026-06-08T00:00:00Z"), []);
        assert_eq!((week.expected, week.budget(500)), (10_080, Duration::from_millis(302_400)));
        assert_eq!(week.ratio(), None);
    }

    #[test]
    fn months_part_where_the_shop_says() {
        let at = |text: &str| {
            u32::try_from(text.parse::<Timestamp>().expect("a time").as_second() / 60).expect("a minute")
        };
        let slice = |text: &str, bad, excluded| Slice { minute: at(text), good: 2, bad, excluded };
        let slices = [
            slice("2026-01-01T07:59:00Z", 1, false),
            slice("2026-01-01T08:00:00Z", 0, false),
            slice("2026-01-20T00:00:00Z", 5, true),
            slice("2026-03-01T12:00:00Z", 0, false),
        ];
        let found = months(&zone("America/Los_Angeles"), &slices);
        let seen: Vec<_> = found
            .iter()
            .map(|(month, report)| (*month, report.good, report.total, report.raw_total, report.excluded))
            .collect();
        assert_eq!(
            seen,
            [
                ((2025, 12), 2, 3, 3, 0),
                ((2026, 1), 2, 2, 9, 1),
                ((2026, 2), 0, 0, 0, 0),
                ((2026, 3), 2, 2, 2, 0)
            ]
        );
        assert_eq!(months(&TimeZone::UTC, &[]), []);
    }
}
