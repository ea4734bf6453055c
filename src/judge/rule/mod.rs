//! How an objective is judged, a file a rule. Each gives conditions with a verdict of three values: it fires, it is
//! healthy, or not enough is known, which holds whatever was before.

pub mod baseline;
pub mod budget;
pub mod burn;
pub mod drought;
pub mod share;
pub mod tier;

use super::count::{Minutes, Sum};
use super::words::Words;
use crate::config::alerting::{Indicator, Objective};

/// What rules look at.
pub struct Scene<'a> {
    pub objective: &'a Objective,
    pub minutes: &'a Minutes,
    pub words: &'a Words,
}

impl Scene<'_> {
    /// The window of so many minutes, and how many of them should have been measured.
    pub fn window(&self, length: u32) -> View {
        let sum = self.minutes.window(length);
        View { length, sum, expected: self.minutes.expected(length, &sum) }
    }

    /// The whole window of the promise.
    pub fn whole(&self) -> View {
        self.window(whole(self.objective))
    }

    /// The error budget as a share.
    pub fn budget(&self) -> f64 {
        f64::from(self.objective.budget_ppm()) / 1e6
    }

    /// Whether its events are minutes.
    pub fn by_minutes(&self) -> bool {
        matches!(self.objective.indicator, Indicator::Availability { .. })
    }
}

/// One window at one moment.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Minutes.
    pub length: u32,
    pub sum: Sum,
    pub expected: u64,
}

impl View {
    /// Measured minutes over expected ones; all of them where none was expected.
    pub fn coverage(&self) -> f64 {
        if self.expected == 0 { 1.0 } else { (self.sum.measured as f64 / self.expected as f64).min(1.0) }
    }

    /// Whether enough was measured to say that something is over.
    pub fn is_covered(&self) -> bool {
        self.expected > 0 && self.sum.measured * 10 >= self.expected * 9
    }

    /// The share of bad events.
    pub fn ratio(&self) -> Option<f64> {
        let total = self.sum.total();
        (total > 0).then(|| self.sum.bad as f64 / total as f64)
    }

    /// The least share of bad events that there can be: what was not measured is taken for good.
    pub fn ratio_at_least(&self) -> Option<f64> {
        self.ratio().map(|ratio| ratio * self.coverage())
    }
}

/// Minutes of the window of the promise.
pub fn whole(objective: &Objective) -> u32 {
    minutes(objective.window)
}

pub fn minutes(length: std::time::Duration) -> u32 {
    u32::try_from(length.as_secs() / 60).unwrap_or(u32::MAX / 4).max(1)
}
