//! What the runs of each check add up to: counts, sliding HDR windows, and the last of everything. Pure.

pub mod cells;
mod v2;
pub mod windows;

use crate::clock::{Now, Steady};
use crate::outcome::{Outcome, Phase, Status};
use cells::Side;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use windows::{Counts, Windows};

/// Upper bounds of the exported duration histogram, in seconds. They contain every bound that `shop.md` promises
/// (100 ms for queries, 500 ms for responses) so that an objective can be counted exactly from it.
pub const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// A cumulative histogram since the start, as Prometheus takes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets {
    /// Runs in each bucket alone; the last is `+Inf`.
    pub counts: [u64; BUCKETS.len() + 1],
    pub sum: Duration,
}

impl Buckets {
    /// Says which bucket it fell into.
    pub fn add(&mut self, took: Duration) -> usize {
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.partition_point(|bound| *bound < seconds);
        self.counts[bucket] += 1;
        self.sum += took;
        bucket
    }
}

/// One run that is over.
#[derive(Debug, Clone)]
pub struct Run {
    /// Runs of one check may overlap, so they don't always end in the order in which they began.
    pub began: Steady,
    /// How much later than due it began.
    pub lag: Duration,
    pub took: Duration,
    pub phases: Vec<Phase>,
    /// With limits applied.
    pub outcome: Outcome,
}

/// Everything known about one check since the agent started.
#[derive(Debug, Default)]
pub struct Record {
    pub counts: Counts,
    pub good: Buckets,
    pub failed: Buckets,
    pub windows: Windows,
    pub last: Option<Arc<Last>>,
    /// A run was due after the last one and did not happen, so nobody knows whether that still holds.
    pub stale: bool,
    /// When a run last found the target doing its work.
    pub last_success: Option<Timestamp>,
    /// Since when the status is what it is.
    pub since: Option<Timestamp>,
}

/// Of the runs that are over, the one that began last.
#[derive(Debug, Clone)]
pub struct Last {
    pub at: Timestamp,
    pub status: Status,
    pub run: Run,
}

impl Record {
    /// Unknown before the first run, and from a run that was due and did not happen until the next.
    pub fn status(&self) -> Status {
        self.last.as_ref().filter(|_| !self.stale).map_or(Status::Unknown, |last| last.status)
    }

    /// Books a run that ended at `now`. An unknown run has no time that says anything about the target. One that
    /// began before the one that is kept is counted and changes nothing else: it saw an older state of the target.
    pub fn run(&mut self, now: Now, run: Run) {
        let status = run.outcome.status();
        let took = match status.is_up() {
            Some(true) => Some((Side::Good, run.took)),
            Some(false) => Some((Side::Failed, run.took)),
            None => None,
        };
        match took {
            Some((Side::Good, took)) => {
                self.good.add(took);
            }
            Some((Side::Failed, took)) => {
                self.failed.add(took);
            }
            None => {}
        }
        self.counts.add(status, 1);
        self.windows.run(now.steady, status, took);
        if self.last.as_ref().is_some_and(|last| run.began < last.run.began) {
            return;
        }
        if status.is_up() == Some(true) {
            self.last_success = Some(now.wall);
        }
        if self.status() != status || self.since.is_none() {
            self.since = Some(now.wall);
        }
        self.stale = false;
        self.last = Some(Arc::new(Last { at: now.wall, status, run }));
    }

    /// Books runs that were due and did not happen.
    pub fn dropped(&mut self, now: Now, times: u64) {
        self.counts.dropped += times;
        self.windows.dropped(now.steady, times);
        if self.status() != Status::Unknown || self.since.is_none() {
            self.since = Some(now.wall);
        }
        self.stale = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::{at, refused, run};

    /// What is shown: the status, since when, and when the last run ended and the last good one, in seconds.
    fn check(
        record: &Record,
        status: Status,
        since: Option<i64>,
        last: Option<i64>,
        last_success: Option<i64>,
    ) {
        let seconds = |at: Option<Timestamp>| at.map(Timestamp::as_second);
        let shown = (seconds(record.since), seconds(record.last.as_ref().map(|last| last.at)));
        assert_eq!((record.status(), shown), (status, (since, last)));
        assert_eq!(seconds(record.last_success), last_success);
    }

    #[test]
    fn a_run_that_did_not_happen_leaves_the_status_unknown_until_the_next() {
        let mut record = Record::default();
        check(&record, Status::Unknown, None, None, None);
        record.run(at(10), run(10, Outcome::ok()));
        record.dropped(at(20), 1);
        check(&record, Status::Unknown, Some(20), Some(10), Some(10));
        record.dropped(at(30), 1);
        check(&record, Status::Unknown, Some(20), Some(10), Some(10));
        record.run(at(40), run(40, Outcome::ok()));
        check(&record, Status::Ok, Some(40), Some(40), Some(40));
        record.run(at(50), run(50, Outcome::ok()));
        check(&record, Status::Ok, Some(40), Some(50), Some(50));
        assert_eq!((record.counts.ok, record.counts.unknown, record.counts.dropped), (3, 0, 2));
    }

    #[test]
    fn before_the_first_run_a_drop_is_the_first_thing_that_is_known() {
        let mut record = Record::default();
        record.dropped(at(10), 1);
        check(&record, Status::Unknown, Some(10), None, None);
        record.run(at(20), run(20, refused()));
        check(&record, Status::Failed, Some(20), Some(20), None);
    }

    #[test]
    fn a_late_end_of_an_older_run_is_counted_and_does_not_hide_a_newer_one() {
        let mut record = Record::default();
        record.run(at(15), run(12, refused()));
        record.run(at(18), run(8, Outcome::ok()));
        check(&record, Status::Failed, Some(15), Some(15), None);
        assert_eq!((record.counts.ok, record.counts.failed), (1, 1));
        assert_eq!(record.windows.total(windows::Window::Hour).counts, record.counts);
        record.dropped(at(20), 1);
        record.run(at(21), run(9, Outcome::ok()));
        check(&record, Status::Unknown, Some(20), Some(15), None);
        record.run(at(22), run(12, Outcome::ok()));
        check(&record, Status::Ok, Some(22), Some(22), Some(22));
    }
}
