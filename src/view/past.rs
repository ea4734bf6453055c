//! What was: the plain shapes in which the past reaches pages and the API, whoever keeps it.
//!
//! All days are UTC: days since the epoch, so that a day has the same minutes for everybody who looks.

use super::WindowView;
use crate::alert::{Kind, Severity};
use crate::record::cells::Cells;
use crate::record::windows::Counts;
use crate::store::{RowState, Slice};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

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

impl DayOfObjective {
    /// Adds a minute of the day.
    pub fn add(&mut self, slice: Slice) {
        if slice.excluded {
            self.excluded += 1;
        } else {
            self.measured += 1;
            self.good += u64::from(slice.good);
            self.bad += u64::from(slice.bad);
        }
    }
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

/// The runs of all checks over one window, merged.
pub type Windows = HashMap<Arc<str>, WindowView>;

/// What the runs of one check took over time.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    pub from: Timestamp,
    /// Of a column.
    pub step: Duration,
    pub columns: Vec<Column>,
}

/// One stretch of time. Without any run it was not measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Column {
    pub counts: Counts,
    pub cells: Cells,
}

/// A message for one channel, without its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub key: String,
    pub channel: String,
    pub contact: String,
    pub kind: Kind,
    pub severity: Severity,
    /// Of the alerts that it tells of.
    pub titles: Vec<String>,
    /// How many more alerts there are than it tells of.
    pub more: u32,
    pub state: RowState,
    pub created: Timestamp,
    pub settled: Option<Timestamp>,
    pub attempts: u32,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// How fast the budget of an objective burned over time, and what was left of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Burns {
    /// The moment of each point.
    pub at: Vec<Timestamp>,
    /// By the length of the window; `None` where no event was in it.
    pub rates: Vec<(Duration, Vec<Option<f64>>)>,
    /// Of the whole budget; below zero the promise is broken.
    pub left: Vec<Option<f64>>,
}

/// Makes the burn rates of `windows` at `points` moments up to `to`, from the minutes that were measured: the highest of
/// those that ended since the point before. Minutes before the first of them are taken as not measured.
pub fn burns(
    minutes: &BTreeMap<u32, Slice>,
    (budget, whole): (f64, Duration),
    windows: &[Duration],
    (from, to): (Timestamp, Timestamp),
    points: u32,
) -> Burns {
    let minute = |at: Timestamp| u32::try_from(at.as_second() / 60).unwrap_or_default();
    let first = minutes.keys().next().copied().unwrap_or_default();
    let last = minutes.keys().next_back().copied().unwrap_or_default();
    // Good and bad events before each minute: the sum over any window is one subtraction.
    let mut sums = vec![(0_u64, 0_u64)];
    let (mut good, mut bad) = (0, 0);
    for number in first..=last {
        if let Some(slice) = minutes.get(&number).filter(|slice| !slice.excluded) {
            (good, bad) = (good + u64::from(slice.good), bad + u64::from(slice.bad));
        }
        sums.push((good, bad));
    }
    let before = |number: u32| {
        let at = number.saturating_sub(first) as usize;
        sums.get(at).or(sums.last()).copied().unwrap_or_default()
    };
    let rate = |end: u32, window: Duration| {
        let length = u32::try_from(window.as_secs() / 60).unwrap_or(u32::MAX);
        let (a, b) = (before(end.saturating_sub(length)), before(end));
        let (good, bad) = (b.0 - a.0, b.1 - a.1);
        (good + bad > 0).then(|| bad as f64 / (good + bad) as f64 / budget)
    };
    let span = to.duration_since(from).as_secs() / i64::from(points.max(1));
    let at: Vec<Timestamp> = (1..=i64::from(points))
        .map(|point| from.saturating_add(SignedDuration::from_secs(point * span)).unwrap_or(to))
        .collect();
    let ends = || at.iter().map(|at| minute(*at));
    let stretch = u32::try_from(span / 60).unwrap_or_default().max(1);
    // A short window may have burned between two points: each point is the worst minute since the one before.
    let worst = |end: u32, window: Duration| {
        let rates = (0..stretch).filter_map(|ago| rate(end.saturating_sub(ago), window));
        rates.reduce(f64::max)
    };
    Burns {
        rates: windows
            .iter()
            .map(|window| (*window, ends().map(|end| worst(end, *window)).collect()))
            .collect(),
        left: ends().map(|end| Some(1.0 - rate(end, whole)?)).collect(),
        at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burn_rate_is_the_share_of_bad_events_in_its_window_over_the_budget() {
        let slice = |minute: u32| {
            let bad = u32::from(minute == 25);
            Slice { minute, good: 10 - bad, bad, excluded: false }
        };
        let minutes: BTreeMap<u32, Slice> = (10..40).map(|minute| (minute, slice(minute))).collect();
        let at = |minute: i64| Timestamp::from_second(minute * 60).expect("a moment");
        let five = Duration::from_mins(5);
        let burns = burns(&minutes, (0.1, Duration::from_mins(30)), &[five], (at(0), at(50)), 5);
        let rates: Vec<_> =
            burns.rates[0].1.iter().map(|rate| rate.map(|rate| (rate * 1e3).round())).collect();
        assert_eq!(
            rates,
            [None, Some(0.0), Some(200.0), Some(0.0), Some(0.0)],
            "the worst minute of each stretch"
        );
        assert!(burns.left[3].is_some_and(|left| (left - (1.0 - 1.0 / 300.0 / 0.1)).abs() < 1e-12));
    }
}
