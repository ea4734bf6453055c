//! What was: the plain shapes in which the past reaches pages and the API, whoever keeps it.
//!
//! All days are UTC: days since the epoch, so that a day has the same minutes for everybody who looks.

use crate::alert::Severity;
use crate::record::windows::Counts;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// How many days a status page looks back, today included.
pub const DAYS: u32 = 90;

/// The runs of all checks by day.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Days {
    /// Days since the epoch.
    pub first: u32,
    /// [`DAYS`] entries each, today last; `None` where nothing is known of a day.
    pub checks: HashMap<Arc<str>, Vec<Option<Counts>>>,
}

/// What one objective saw on one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayOfObjective {
    pub good: u64,
    pub bad: u64,
    /// Minutes that were measured and count.
    pub measured: u32,
    /// Minutes in which failure was expected.
    pub excluded: u32,
}

/// The days of all objectives.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObjectiveDays {
    /// Days since the epoch.
    pub first: u32,
    /// [`DAYS`] entries each, today last.
    pub objectives: HashMap<Arc<str>, Vec<DayOfObjective>>,
}

/// One firing life of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    pub episode: String,
    /// The key of its alert: `check/site`.
    pub alert: String,
    pub severity: Severity,
    pub title: String,
    pub summary: String,
    pub fired: Timestamp,
    pub ended: Option<Timestamp>,
}
