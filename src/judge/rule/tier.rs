//! Burn-rate tiers: a long window that shows that much of the budget goes, and a short one, a twelfth of it, that shows
//! that it still goes (SRE workbook, chapter 5).
//!
//! A tier fires where the share `c` of the whole budget goes within its long window `L` of the period `P`: at the burn
//! rate `c·P/L`. A loose promise makes that more than everything failing, so the threshold is held below half way
//! between the budget and total failure.

use crate::alert::Severity;
use crate::config::alerting::{Objective, Rule};

const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;

/// A share as a fraction of integers, so that comparing is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    above: u64,
    below: u64,
}

impl Threshold {
    /// Whether `bad` of `total`, seen in `measured` of `expected` minutes, is more than it at least.
    pub fn is_passed(self, bad: u64, total: u64, measured: u64, expected: u64) -> bool {
        let product = |factors: [u64; 3]| factors.into_iter().map(u128::from).product::<u128>();
        product([bad, measured, self.below]) > product([self.above, total, expected])
    }

    /// Whether `bad` of `total` is at least it.
    pub fn is_reached(self, bad: u64, total: u64) -> bool {
        u128::from(bad) * u128::from(self.below) >= u128::from(self.above) * u128::from(total)
    }

    pub fn ratio(self) -> f64 {
        self.above as f64 / self.below as f64
    }
}

/// One pair of windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tier {
    /// Minutes.
    pub long: u32,
    /// Minutes.
    pub short: u32,
    pub threshold: Threshold,
    /// What the threshold would be were it not capped, as a share of events.
    pub uncapped: f64,
    /// The chance that is too small to be chance.
    pub alpha: f64,
    /// Bad minutes without which nothing fires, where events are minutes.
    pub bad_minutes_min: u64,
}

impl Tier {
    pub fn is_capped(&self) -> bool {
        self.threshold.ratio() < self.uncapped
    }
}

/// Windows that every objective is measured over, in minutes.
pub const MEASURED: [u32; 7] = [5, 30, HOUR, 2 * HOUR, 6 * HOUR, DAY, 3 * DAY];

/// The tiers of one severity; empty where it is not judged by burn rates.
pub fn tiers(objective: &Objective, severity: Severity) -> Vec<Tier> {
    let windows = match severity {
        _ if objective.rule == Rule::Share || objective.contacts(severity).is_empty() => return Vec::new(),
        Severity::Page => &objective.page_windows,
        Severity::Ticket => &objective.ticket_windows,
        Severity::Info => return Vec::new(),
    };
    windows.iter().map(|window| tier(objective, severity, super::minutes(*window))).collect()
}

/// The pair whose long window is so many minutes long.
pub fn tier(objective: &Objective, severity: Severity, long: u32) -> Tier {
    let budget = u64::from(objective.budget_ppm());
    let percent = match long {
        ..=HOUR => 2,
        61..=360 => 5,
        _ => 10,
    };
    let full = Threshold {
        above: percent * u64::from(super::whole(objective)) * budget,
        below: 100 * 1_000_000 * u64::from(long),
    };
    let cap = Threshold { above: 1_000_000 + budget, below: 2_000_000 };
    let capped =
        u128::from(full.above) * u128::from(cap.below) > u128::from(cap.above) * u128::from(full.below);
    let (alpha, bad_minutes_min) = if severity == Severity::Page { (1e-4, 3) } else { (1e-3, 2) };
    Tier {
        long,
        short: (long / 12).max(1),
        threshold: if capped { cap } else { full },
        uncapped: full.ratio(),
        alpha,
        bad_minutes_min,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::objective;

    /// For a promise in percent over days: each tier's threshold in percent of events.
    fn check(promise: f64, days: u64, expected: [f64; 4]) {
        let objective = objective("counts", promise, days);
        let page = tiers(&objective, Severity::Page);
        let all: Vec<Tier> = page.into_iter().chain(tiers(&objective, Severity::Ticket)).collect();
        let thresholds: Vec<f64> = all.iter().map(|tier| tier.threshold.ratio() * 100.0).collect();
        for (threshold, expected) in thresholds.iter().zip(expected) {
            assert!((threshold - expected).abs() < 1e-9, "{promise} %: {thresholds:?}");
        }
        assert_eq!(
            all.iter().map(|tier| (tier.long, tier.short)).collect::<Vec<_>>(),
            [(60, 5), (360, 30), (1440, 120), (4320, 360)]
        );
    }

    #[test]
    fn thresholds_are_those_of_the_workbook_held_below_total_failure() {
        check(99.9, 30, [1.44, 0.6, 0.3, 0.1]);
        check(99.9, 28, [1.344, 0.56, 0.28, 0.1 * 28.0 / 30.0]);
        check(98.0, 30, [28.8, 12.0, 6.0, 2.0]);
        check(95.0, 30, [52.5, 30.0, 15.0, 5.0]);
        check(85.0, 30, [57.5, 57.5, 45.0, 15.0]);
        check(98.0, 7, [6.72, 2.8, 1.4, 7.0 / 15.0]);
        // Datadog's for 90 days: 43.2, 18, 9, 3.
        check(99.9, 90, [4.32, 1.8, 0.9, 0.3]);
    }

    #[test]
    fn at_the_threshold_nothing_is_passed() {
        let tier = tier(&objective("counts", 99.9, 30), Severity::Page, 60);
        assert!(!tier.threshold.is_passed(144, 10_000, 60, 60));
        assert!(tier.threshold.is_passed(145, 10_000, 60, 60));
        assert!(!tier.threshold.is_passed(145, 10_000, 59, 60));
        assert!(tier.threshold.is_reached(144, 10_000));
    }
}
