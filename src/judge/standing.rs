//! How an objective stands at one moment: what readers see, and what alerts are made from.

use crate::alert::{Severity, Verdict};
use jiff::Timestamp;
use std::time::Duration;

/// Everything there is to say about one objective now. Integers are exact; ratios are made from them for reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub at: Timestamp,
    /// Of the whole window, maintenance left out where the objective says so.
    pub good: u64,
    pub total: u64,
    /// Of the whole window with everything that was measured, maintenance too.
    pub raw_good: u64,
    pub raw_total: u64,
    /// Slices of the window that were measured, of those that there are.
    pub coverage: f64,
    /// Coverage of the last 24 hours.
    pub coverage_day: f64,
    /// The share of the error budget of the whole window that is used; above 1 the promise is broken. `None` without
    /// any event, and for a baseline.
    pub consumed: Option<f64>,
    /// By window, shortest first, and the whole window last.
    pub burns: Vec<Burn>,
    pub state: State,
    /// What could become an alert: one for each severity that is judged, and the budget's.
    pub conditions: Vec<Condition>,
    /// What a baseline is compared with.
    pub baseline: Option<Baseline>,
    /// What could not be counted, and why: a column that is missing, a count that is negative. The last few.
    pub notes: Vec<String>,
}

/// One window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burn {
    pub window: Duration,
    pub good: u64,
    pub bad: u64,
    /// The error ratio over the error budget; `None` without any event.
    pub rate: Option<f64>,
    /// Measured slices over expected ones.
    pub coverage: f64,
}

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not enough is known to say anything.
    Unknown,
    /// A baseline that has not seen enough yet.
    Learning,
    Met,
    /// An alert's condition holds, or more than three quarters of the budget is used.
    AtRisk,
    /// The budget is used up.
    Broken,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Unknown => "unknown",
            State::Learning => "learning",
            State::Met => "met",
            State::AtRisk => "at risk",
            State::Broken => "broken",
        }
    }
}

/// One condition that an alert can be about.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The last part of the alert's key: `page`, `ticket`, `info`, `budget-50`, `drought`, `baseline`, `gap`.
    pub name: &'static str,
    pub severity: Severity,
    pub verdict: Verdict,
    /// `25 times as many payments fail as the promise allows`. Of an unknown one why it is unknown; of a healthy one empty.
    pub summary: String,
    /// `3 of the last 3 payments failed; under a 98 % promise that happens by chance once in 125,000`
    pub evidence: Vec<String>,
    /// `10 % of the error budget of 28 days is used`
    pub cost: Option<String>,
    /// For how long the condition must be gone until the alert is over; `None`: as the policy says.
    pub keep_firing_for: Option<Duration>,
}

/// What a baseline is compared with; the band is what chance explains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    pub value: f64,
    pub count: u64,
    pub usual: f64,
    pub lower: f64,
    pub upper: f64,
    pub score: f64,
}
