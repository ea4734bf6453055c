//! What the agent knows at one moment, for whoever reads: metrics, pages, the health report.
//!
//! The loop that owns the state makes a view when somebody asks; readers share it and can't change
//! anything, so they need no lock and never stand in the way of checking.

use crate::clock::Now;
use crate::config::{Check, Skipped};
use crate::outcome::Status;
use crate::record::cells::Side;
use crate::record::windows::{Counts, Total, Window};
use crate::record::{Buckets, Last, Record};
use jiff::Timestamp;
use std::sync::Arc;

/// The quantiles that are exported of every window.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// Everything, at one moment.
#[derive(Debug)]
pub struct View {
    pub at: Now,
    pub started: Timestamp,
    /// In the order of the definitions.
    pub checks: Vec<Arc<CheckView>>,
    pub skipped: Arc<[Skipped]>,
}

impl View {
    /// How many checks have not run yet.
    pub fn waiting(&self) -> usize {
        self.checks.iter().filter(|check| check.last.is_none()).count()
    }

    /// The check that explains why this one is not well: the first of its `needs` that has failed itself.
    pub fn explained_by(&self, check: &CheckView) -> Option<&CheckView> {
        if !matches!(check.status(), Status::Failed | Status::Unknown) {
            return None;
        }
        check.check.needs.iter().find_map(|need| {
            let parent = self.checks.iter().find(|other| *other.check.name == **need)?;
            (parent.status() == Status::Failed).then_some(&**parent)
        })
    }
}

/// One check, at one moment.
#[derive(Debug)]
pub struct CheckView {
    pub check: Arc<Check>,
    /// `check="…",section="…"`, escaped, as it stands in every one of its series.
    pub labels: Arc<str>,
    pub counts: Counts,
    pub good: Buckets,
    pub failed: Buckets,
    pub windows: [WindowView; 3],
    pub last: Option<Arc<Last>>,
    pub last_success: Option<Timestamp>,
    pub since: Option<Timestamp>,
}

/// One window of one check.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WindowView {
    pub counts: Counts,
    /// In seconds, of good runs; `None` without any.
    pub quantiles: Option<[f64; QUANTILES.len()]>,
    /// Of good and failed runs, in seconds.
    pub mean_seconds: Option<f64>,
}

impl CheckView {
    pub fn new(check: Arc<Check>, labels: Arc<str>, record: &Record) -> CheckView {
        CheckView {
            check,
            labels,
            counts: record.counts,
            good: record.good.clone(),
            failed: record.failed.clone(),
            windows: Window::ALL.map(|window| WindowView::new(record.windows.total(window))),
            last: record.last.clone(),
            last_success: record.last_success,
            since: record.since,
        }
    }

    /// The status of the last run; unknown before the first.
    pub fn status(&self) -> Status {
        self.last.as_ref().map_or(Status::Unknown, |last| last.status)
    }

    /// The value of a measure of the last run, where it has no labels.
    pub fn measure(&self, name: &str) -> Option<f64> {
        let measures = &self.last.as_ref()?.run.outcome.measures;
        measures.iter().find(|measure| measure.name == name && measure.labels.is_empty()).map(|m| m.value)
    }
}

impl WindowView {
    fn new(total: &Total) -> WindowView {
        WindowView {
            counts: total.counts,
            quantiles: total.cells.quantiles(Side::Good, QUANTILES),
            mean_seconds: total.mean_seconds(),
        }
    }
}
