//! What the runs of each check add up to: counts, sliding HDR windows, and the last of everything. Pure.

pub mod cells;
pub mod windows;

use crate::clock::Now;
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
    fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        self.counts[BUCKETS.partition_point(|bound| *bound < seconds)] += 1;
        self.sum += took;
    }
}

/// One run that is over.
#[derive(Debug, Clone)]
pub struct Run {
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
    /// When a run last found the target doing its work.
    pub last_success: Option<Timestamp>,
    /// Since when the status is what it is.
    pub since: Option<Timestamp>,
}

/// The run that ended last.
#[derive(Debug, Clone)]
pub struct Last {
    pub at: Timestamp,
    pub status: Status,
    pub run: Run,
}

impl Record {
    /// Books a run that ended at `now`. An unknown run has no time that says anything about the target.
    pub fn run(&mut self, now: Now, run: Run) {
        let status = run.outcome.status();
        let took = match status.is_up() {
            Some(true) => Some((Side::Good, run.took)),
            Some(false) => Some((Side::Failed, run.took)),
            None => None,
        };
        match took {
            Some((Side::Good, took)) => self.good.add(took),
            Some((Side::Failed, took)) => self.failed.add(took),
            None => {}
        }
        self.counts.add(status, 1);
        self.windows.run(now.steady, status, took);
        if status.is_up() == Some(true) {
            self.last_success = Some(now.wall);
        }
        if self.last.as_ref().is_none_or(|last| last.status != status) {
            self.since = Some(now.wall);
        }
        self.last = Some(Arc::new(Last { at: now.wall, status, run }));
    }

    /// Books runs that were due and did not happen.
    pub fn dropped(&mut self, now: Now, times: u64) {
        self.counts.dropped += times;
        self.windows.dropped(now.steady, times);
    }
}
