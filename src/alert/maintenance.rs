//! Maintenance: times in which failure is expected, once or again and again.
//!
//! A window begins at a moment of a wall clock in its zone and lasts for so long in real time. Where that wall time
//! doesn't exist (clocks go forward) it begins at the first moment after; where it comes twice, at the first of both.

use super::after;
use crate::config::alerting::{Begins, Maintenance};
use jiff::Timestamp;

/// The end of the window in which `at` lies. `None`: it lies in none.
pub(super) fn until(maintenance: &Maintenance, at: Timestamp) -> Option<Timestamp> {
    let began = match &maintenance.begins {
        Begins::Once(begins) => Some(*begins),
        Begins::Cron(cron) => {
            let now = at.to_zoned(maintenance.zone.clone());
            cron.find_previous_occurrence(&now, true).ok().map(|began| began.timestamp())
        }
    };
    let until = began.filter(|began| *began <= at).map(|began| after(began, maintenance.lasts))?;
    (at < until).then_some(until)
}

/// The windows that are open, looked up once a second: they begin on whole seconds, and cron expressions are not cheap.
#[derive(Debug, Default)]
pub(super) struct Windows {
    second: Option<i64>,
    /// The end of each one's window, where it is in one.
    until: Vec<Option<Timestamp>>,
}

impl Windows {
    pub(super) fn forget(&mut self) {
        self.second = None;
    }

    pub(super) fn look(&mut self, all: &[Maintenance], at: Timestamp) {
        if self.second != Some(at.as_second()) {
            self.second = Some(at.as_second());
            self.until = all.iter().map(|maintenance| until(maintenance, at)).collect();
        }
    }

    /// Those that are open now, with their ends.
    pub(super) fn open<'a>(
        &'a self,
        all: &'a [Maintenance],
        at: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, &'a Maintenance)> {
        let windows = self.until.iter().zip(all);
        windows
            .filter_map(move |(until, maintenance)| Some((until.filter(|until| at < *until)?, maintenance)))
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
    use std::time::Duration;

    /// The minutes of one UTC day that lie in the window, as `from-to`.
    fn check(cron: &str, lasts_minutes: u64, zone: &str, day: &str, expected: &[&str]) {
        let cron = Box::new(croner::Cron::from_str(cron).expect("a cron expression"));
        let maintenance = Maintenance {
            name: "m".into(),
            title: "M".to_owned(),
            begins: Begins::Cron(cron),
            lasts: Duration::from_secs(lasts_minutes * 60),
            zone: TimeZone::get(zone).expect("a zone"),
            of: vec![],
            sections: vec![],
        };
        let start: Timestamp = format!("{day}T00:00:00Z").parse().expect("a day");
        let inside = |minute: u64| until(&maintenance, start + Duration::from_secs(minute * 60)).is_some();
        let clock = |minute: u64| format!("{:02}:{:02}", minute / 60, minute % 60);
        let edges: Vec<u64> =
            (0..=1440).filter(|m| (*m < 1440 && inside(*m)) != (*m > 0 && inside(*m - 1))).collect();
        let windows: Vec<String> =
            edges.chunks(2).map(|edge| format!("{}-{}", clock(edge[0]), clock(edge[1]))).collect();
        assert_eq!(windows, expected, "{day}");
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
