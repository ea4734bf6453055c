//! Maintenance: times in which failure is expected, once or again and again.
//!
//! A window begins at a moment of a wall clock in its zone and lasts for so long in real time. Where that wall time
//! doesn't exist (clocks go forward) it begins at the first moment after; where it comes twice, at the first of both.

use super::after;
use crate::config::alerting::{Begins, Maintenance};
use croner::{Cron, Weekday};
use jiff::civil::Date;
use jiff::{Span as Days, Timestamp};
use std::time::Duration;

/// Nobody looks further than this for the next window, nor back for one that is still open: five years.
const HORIZON: Duration = Duration::from_hours(5 * 366 * 24);
/// After so many years days and weekdays are what they were.
const CALENDAR: std::ops::Range<i16> = 2000..2400;

/// What is known of a maintenance from one moment to the next one at which that may change.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: Timestamp,
    before: Timestamp,
    /// The end of the window that began last.
    until: Option<Timestamp>,
}

impl Span {
    fn around(maintenance: &Maintenance, at: Timestamp) -> Span {
        let ends = |began| after(began, maintenance.lasts);
        match &maintenance.begins {
            Begins::Once(begins) if at < *begins => {
                Span { from: Timestamp::MIN, before: *begins, until: None }
            }
            Begins::Once(begins) => {
                Span { from: *begins, before: Timestamp::MAX, until: Some(ends(*begins)) }
            }
            Begins::Cron(cron) => {
                let began = last(cron, maintenance, at);
                let next = next(cron, maintenance, at).unwrap_or_else(|| after(at, HORIZON));
                Span { from: began.unwrap_or(at), before: next, until: began.map(ends) }
            }
        }
    }

    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.before
    }

    fn open_until(&self, at: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| at < *until)
    }
}

/// When it began last, if that may still matter: a search for what never was would go back to the first year.
fn last(cron: &Cron, maintenance: &Maintenance, at: Timestamp) -> Option<Timestamp> {
    let now = at.to_zoned(maintenance.zone.clone());
    let lasts = maintenance.lasts.min(HORIZON);
    let first = at.checked_sub(lasts).unwrap_or(Timestamp::MIN).to_zoned(maintenance.zone.clone());
    // A day more, for a window that begins after a gap of the clock.
    let first = first.date().saturating_sub(Days::new().days(1));
    if !has_day(cron, first, now.date()) {
        return None;
    }
    let began = cron.find_previous_occurrence(&now, true).ok()?.timestamp();
    (began <= at).then_some(began)
}

/// The end of the window that began last.
fn until(maintenance: &Maintenance, at: Timestamp) -> Option<Timestamp> {
    let began = match &maintenance.begins {
        Begins::Once(begins) => Some(*begins).filter(|begins| *begins <= at),
        Begins::Cron(cron) => last(cron, maintenance, at),
    };
    began.map(|began| after(began, maintenance.lasts))
}

/// The window that is open, or else the next one: from when to when.
pub fn window(maintenance: &Maintenance, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let ends = |begins| (begins, after(begins, maintenance.lasts));
    let open = match &maintenance.begins {
        Begins::Once(begins) => Some(*begins),
        Begins::Cron(cron) => last(cron, maintenance, at),
    };
    let open = open.map(ends).filter(|(_, until)| at < *until);
    open.or_else(|| match &maintenance.begins {
        Begins::Once(_) => None,
        Begins::Cron(cron) => next(cron, maintenance, at).map(ends),
    })
}

/// When it begins next, unless nobody will live to see it.
fn next(cron: &Cron, maintenance: &Maintenance, at: Timestamp) -> Option<Timestamp> {
    let now = at.to_zoned(maintenance.zone.clone());
    let end = after(at, HORIZON);
    if !has_day(cron, now.date(), end.to_zoned(maintenance.zone.clone()).date()) {
        return None;
    }
    let begins = cron.find_next_occurrence(&now, false).ok()?.timestamp();
    (begins <= end).then_some(begins)
}

/// Whether it names any day from the first to the last.
fn has_day(cron: &Cron, first: Date, last: Date) -> bool {
    let pattern = &cron.pattern;
    let named = |day: Date| {
        let (year, month) = (i32::from(day.year()), day.month().unsigned_abs().into());
        pattern.year_match(year).unwrap_or(false)
            && pattern.month_match(month).unwrap_or(false)
            && pattern.day_match(year, month, day.day().unsigned_abs().into(), weekday(day)).unwrap_or(false)
    };
    std::iter::successors(Some(first), |day| day.tomorrow().ok()).take_while(|day| *day <= last).any(named)
}

fn weekday(day: Date) -> Weekday {
    match day.weekday() {
        jiff::civil::Weekday::Sunday => Weekday::Sunday,
        jiff::civil::Weekday::Monday => Weekday::Monday,
        jiff::civil::Weekday::Tuesday => Weekday::Tuesday,
        jiff::civil::Weekday::Wednesday => Weekday::Wednesday,
        jiff::civil::Weekday::Thursday => Weekday::Thursday,
        jiff::civil::Weekday::Friday => Weekday::Friday,
        jiff::civil::Weekday::Saturday => Weekday::Saturday,
    }
}

/// Whether a cron expression names any day of any year of the calendar: the 30th of February is none.
pub fn ever_occurs(cron: &Cron) -> bool {
    let (first, last) = (Date::new(CALENDAR.start, 1, 1), Date::new(CALENDAR.end - 1, 12, 31));
    first.and_then(|first| Ok(has_day(cron, first, last?))).unwrap_or(true)
}

/// What is known of all maintenance. It is looked up anew only where a window begins, or the clock was set: cron
/// expressions are not cheap, and what is asked here is asked again and again.
#[derive(Debug, Default)]
pub(super) struct Windows {
    spans: Vec<Span>,
}

impl Windows {
    pub(super) fn forget(&mut self) {
        self.spans.clear();
    }

    pub(super) fn look(&mut self, all: &[Maintenance], at: Timestamp) {
        if self.spans.len() != all.len() {
            self.spans = all.iter().map(|maintenance| Span::around(maintenance, at)).collect();
        }
        for (span, maintenance) in self.spans.iter_mut().zip(all).filter(|(span, _)| !span.holds(at)) {
            *span = Span::around(maintenance, at);
        }
    }

    /// Those that are open now, with their ends.
    pub(super) fn open<'a>(
        &'a self,
        all: &'a [Maintenance],
        at: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, &'a Maintenance)> {
        let windows = self.spans.iter().zip(all);
        windows.filter_map(move |(span, maintenance)| Some((span.open_until(at)?, maintenance)))
    }

    /// The maintenance at this place of the list is open; looked up where the moment is not one that is known.
    pub(super) fn is_open(&self, place: usize, maintenance: &Maintenance, at: Timestamp) -> bool {
        let known = self.spans.get(place).filter(|span| span.holds(at));
        let until = known.map_or_else(|| until(maintenance, at), |span| span.until);
        until.is_some_and(|until| at < until)
    }
}

/// Whether it is about the check or objective, or about its section.
pub(super) fn is_about(maintenance: &Maintenance, name: &str, section: &str) -> bool {
    let everything = maintenance.of.is_empty() && maintenance.sections.is_empty();
    everything
        || maintenance.of.iter().any(|of| **of == *name)
        || maintenance.sections.iter().any(|of| of == section)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use std::str::FromStr;

    fn maintenance(cron: &str, lasts_minutes: u64, zone: &str) -> Maintenance {
        let cron = Box::new(Cron::from_str(cron).expect("a cron expression"));
        Maintenance {
            name: "m".into(),
            title: "M".to_owned(),
            begins: Begins::Cron(cron),
            lasts: Duration::from_secs(lasts_minutes * 60),
            zone: TimeZone::get(zone).expect("a zone"),
            of: vec![],
            sections: vec![],
        }
    }

    /// The minutes of one UTC day that lie in the window, as `from-to`: looked up for each, and followed.
    fn check(cron: &str, lasts_minutes: u64, zone: &str, day: &str, expected: &[&str]) {
        let all = [maintenance(cron, lasts_minutes, zone)];
        let start: Timestamp = format!("{day}T00:00:00Z").parse().expect("a day");
        let moment = |minute: u64| start + Duration::from_secs(minute * 60);
        let (nothing, mut windows) = (Windows::default(), Windows::default());
        let inside: Vec<bool> = (0..1440).map(|m| nothing.is_open(0, &all[0], moment(m))).collect();
        for minute in 0..1440 {
            windows.look(&all, moment(minute));
            let open = windows.open(&all, moment(minute)).count() == 1;
            assert_eq!(open, inside[minute as usize], "{cron} at {}", moment(minute));
        }
        let inside = |minute: u64| inside[minute as usize];
        let clock = |minute: u64| format!("{:02}:{:02}", minute / 60, minute % 60);
        let edges: Vec<u64> =
            (0..=1440).filter(|m| (*m < 1440 && inside(*m)) != (*m > 0 && inside(*m - 1))).collect();
        let windows: Vec<String> =
            edges.chunks(2).map(|edge| format!("{}-{}", clock(edge[0]), clock(edge[1]))).collect();
        assert_eq!(windows, expected, "{day}");
    }

    #[test]
    fn a_cron_that_never_occurs_costs_nothing_in_the_loop() {
        let never = [maintenance("0 0 30 2 *", 60, "Europe/Berlin"), maintenance("0 3 * * *", 60, "UTC")];
        let start: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a moment");
        let mut windows = Windows::default();
        windows.look(&never, start);
        let known = windows.spans[0];
        assert!(
            known.until.is_none() && known.holds(start + Duration::from_hours(4 * 365 * 24)),
            "{known:?}"
        );
        // Each of these went back to the first year of the calendar.
        for second in 0..20_000 {
            let at = start + Duration::from_secs(second);
            windows.look(&never, at);
            assert!(!windows.is_open(0, &never[0], at));
            assert!(!windows.is_open(0, &never[0], start - Duration::from_secs(second)));
        }
    }

    #[test]
    fn a_window_is_looked_up_again_only_when_the_next_one_begins_or_the_clock_is_set() {
        let daily = [maintenance("0 3 * * *", 60, "UTC")];
        let moment = |text: &str| text.parse::<Timestamp>().expect("a moment");
        let mut windows = Windows::default();
        windows.look(&daily, moment("2026-11-22T12:00:00Z"));
        let span = windows.spans[0];
        assert_eq!(span.before, moment("2026-11-23T03:00:00Z"));
        assert!(span.holds(moment("2026-11-23T02:59:59.9Z")) && !span.holds(span.before));
        for (at, open) in [
            ("2026-11-23T03:00:00Z", true),
            ("2026-11-23T03:59:59.9Z", true),
            ("2026-11-23T04:00:00Z", false),
            ("2026-11-22T03:30:00Z", true),
            ("2026-11-22T02:30:00Z", false),
            ("2031-01-01T03:30:00Z", true),
        ] {
            windows.look(&daily, moment(at));
            assert_eq!(windows.open(&daily, moment(at)).count() == 1, open, "{at}");
        }
    }

    #[test]
    fn what_occurs_rarely_occurs() {
        for (cron, expected) in [
            ("0 0 30 2 *", false),
            ("0 0 31 4,6 *", false),
            ("0 0 29 2 *", true),
            ("0 0 31 * *", true),
            ("0 3 * * SUN", true),
        ] {
            assert_eq!(ever_occurs(&Cron::from_str(cron).expect("a cron expression")), expected, "{cron}");
        }
        check("0 3 29 2 *", 60, "UTC", "2028-02-29", &["03:00-04:00"]);
        check("0 3 29 2 *", 60, "UTC", "2028-03-01", &[]);
    }

    #[test]
    fn a_window_begins_by_the_clock_of_its_zone() {
        check("0 3 * * *", 60, "Europe/Berlin", "2026-03-28", &["02:00-03:00"]);
        check("0 3 * * *", 60, "Europe/Berlin", "2026-03-30", &["01:00-02:00"]);
        check("0 3 * * SUN", 60, "UTC", "2026-11-22", &["03:00-04:00"]);
        check("0 3 * * SUN", 60, "UTC", "2026-11-23", &[]);
        check("30 23 * * *", 60, "UTC", "2026-11-22", &["00:00-00:30", "23:30-24:00"]);
        check("*/10 5 * * *", 10, "UTC", "2026-11-22", &["05:00-06:00"]);
    }

    #[test]
    fn where_the_clock_goes_forward_it_begins_at_the_first_moment_after_and_lasts_as_long() {
        // 02:00 in Berlin becomes 03:00, which is 01:00 UTC.
        check("30 2 * * *", 60, "Europe/Berlin", "2026-03-29", &["01:00-02:00"]);
        check("30 1 * * *", 60, "Europe/Berlin", "2026-03-29", &["00:30-01:30", "23:30-24:00"]);
        check("0 4 * * *", 60, "Europe/Berlin", "2026-03-29", &["02:00-03:00"]);
    }

    #[test]
    fn where_an_hour_comes_twice_it_begins_in_the_first_and_lasts_as_long() {
        // 03:00 summer time becomes 02:00, which is 01:00 UTC.
        check("30 2 * * *", 60, "Europe/Berlin", "2026-10-25", &["00:30-01:30"]);
        check("30 2 * * *", 30, "Europe/Berlin", "2026-10-25", &["00:30-01:00"]);
        check("30 1 * * *", 180, "Europe/Berlin", "2026-10-25", &["00:00-02:30"]);
    }
}
