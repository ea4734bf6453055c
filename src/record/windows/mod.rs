//! Sliding windows of 5 minutes, 1 hour and 24 hours.
//!
//! What happened is kept in slices: of one minute for an hour, of a quarter of an hour for a day. Each
//! window has a running total to which a run is added when it happens and from which a slice is taken
//! away when it leaves, so that reading costs no merge and the total is exactly the merge of its slices.
//! A window is its whole slices and the one that is under way: the 5-minute window covers five to six
//! minutes, the 24-hour window up to a quarter of an hour more than a day.
//!
//! Memory of one check, measured: with a run every ten seconds 18 kB after the first hour and 55 to 65 kB
//! after the first day; with a run every second 210 to 330 kB after a day. It ends there: a slice that is
//! new takes the place of one that leaves, and the number of cells is bounded by that of runs.

mod back;

pub use back::{Minute, Stretch};

use super::cells::{Cells, Packed, Side};
use crate::clock::Steady;
use crate::outcome::Status;
use std::collections::VecDeque;
use std::time::Duration;

/// A window that is always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    FiveMinutes,
    Hour,
    Day,
}

impl Window {
    pub const ALL: [Window; 3] = [Window::FiveMinutes, Window::Hour, Window::Day];

    /// The value of the `window` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Window::FiveMinutes => "5m",
            Window::Hour => "1h",
            Window::Day => "24h",
        }
    }
}

/// How often a check ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub ok: u64,
    pub degraded: u64,
    pub failed: u64,
    pub unknown: u64,
    /// Due and not run. Part of nothing else.
    pub dropped: u64,
}

impl Counts {
    pub fn add(&mut self, status: Status, times: u64) {
        *match status {
            Status::Ok => &mut self.ok,
            Status::Degraded => &mut self.degraded,
            Status::Failed => &mut self.failed,
            Status::Unknown => &mut self.unknown,
        } += times;
    }

    /// Runs whose verdict says something about the target.
    pub fn known(&self) -> u64 {
        self.ok + self.degraded + self.failed
    }

    /// The share of failed runs among those whose verdict is known; `None` where none is.
    pub fn error_ratio(&self) -> Option<f64> {
        (self.known() > 0).then(|| self.failed as f64 / self.known() as f64)
    }

    /// The share of good runs among those whose verdict is known; `None` where none is.
    pub fn availability(&self) -> Option<f64> {
        (self.known() > 0).then(|| (self.ok + self.degraded) as f64 / self.known() as f64)
    }

    /// Adds what another stretch of time saw.
    pub fn merge(&mut self, other: &Counts) {
        self.each(other, |a, b| *a += b);
    }

    fn each(&mut self, other: &Counts, apply: impl Fn(&mut u64, u64)) {
        apply(&mut self.ok, other.ok);
        apply(&mut self.degraded, other.degraded);
        apply(&mut self.failed, other.failed);
        apply(&mut self.unknown, other.unknown);
        apply(&mut self.dropped, other.dropped);
    }
}

/// What one window holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Total {
    pub counts: Counts,
    pub cells: Cells,
    /// The sum of all durations, good and failed, in microseconds.
    pub sum_us: u64,
}

impl Total {
    fn add(&mut self, status: Status, took: Option<(Side, Duration)>) {
        self.counts.add(status, 1);
        if let Some((side, took)) = took {
            self.cells.add(side, took);
            self.sum_us += micros(took);
        }
    }

    fn subtract(&mut self, slice: &Slice) {
        self.counts.each(&slice.counts(), |a, b| *a = a.saturating_sub(b));
        self.sum_us = self.sum_us.saturating_sub(slice.sum_us);
        for (cell, count) in slice.cells.iter() {
            self.cells.subtract(cell, count);
        }
    }

    /// The mean duration in seconds; `None` without any run that took time.
    pub fn mean_seconds(&self) -> Option<f64> {
        let count = self.cells.count(Side::Good) + self.cells.count(Side::Failed);
        (count > 0).then(|| self.sum_us as f64 / 1e6 / count as f64)
    }
}

/// A slice that is over. Small on purpose: every check keeps 158 of them.
#[derive(Debug)]
struct Slice {
    index: u32,
    /// ok, degraded, failed, unknown, dropped.
    counts: [u32; 5],
    sum_us: u64,
    cells: Packed,
}

impl Slice {
    fn new(index: u64, total: &Total) -> Slice {
        let Counts { ok, degraded, failed, unknown, dropped } = total.counts;
        Slice {
            index: small(index),
            counts: [ok, degraded, failed, unknown, dropped].map(small),
            sum_us: total.sum_us,
            cells: total.cells.pack(),
        }
    }

    fn counts(&self) -> Counts {
        let [ok, degraded, failed, unknown, dropped] = self.counts.map(u64::from);
        Counts { ok, degraded, failed, unknown, dropped }
    }
}

/// A slice index of a machine that has been up for eight thousand years, or a count of one quarter of an hour.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Slices of one length: those that are over and the one under way.
#[derive(Debug)]
struct Ring {
    length: Duration,
    kept: usize,
    over: VecDeque<Slice>,
    index: u64,
    current: Total,
}

impl Ring {
    fn new(length: Duration, kept: usize) -> Ring {
        Ring { length, kept, over: VecDeque::new(), index: 0, current: Total::default() }
    }

    /// Closes the slice under way when its time is over. Empty ones are not kept.
    fn advance(&mut self, now: Steady) {
        let index = now.as_secs() / self.length.as_secs();
        if index <= self.index {
            return;
        }
        let over = std::mem::take(&mut self.current);
        if over != Total::default() {
            self.over.push_back(Slice::new(self.index, &over));
        }
        self.index = index;
    }

    /// The slices that are too old by now.
    fn expire(&mut self) -> impl Iterator<Item = Slice> + '_ {
        std::iter::from_fn(|| {
            let oldest = self.index.saturating_sub(self.kept as u64);
            if u64::from(self.over.front()?.index) < oldest { self.over.pop_front() } else { None }
        })
    }
}

/// The three windows of one check.
#[derive(Debug)]
pub struct Windows {
    minutes: Ring,
    quarters: Ring,
    five_minutes: Total,
    hour: Total,
    day: Total,
    /// The first minute that is still in the 5-minute window.
    five_minutes_from: u64,
}

impl Default for Windows {
    fn default() -> Windows {
        Windows {
            minutes: Ring::new(Duration::from_mins(1), 60),
            quarters: Ring::new(Duration::from_mins(15), 96),
            five_minutes: Total::default(),
            hour: Total::default(),
            day: Total::default(),
            five_minutes_from: 0,
        }
    }
}

impl Windows {
    /// Adds a run. Where it took time that says something about the target, that goes into the histograms.
    pub fn run(&mut self, now: Steady, status: Status, took: Option<(Side, Duration)>) {
        self.advance(now);
        for total in self.totals() {
            total.add(status, took);
        }
    }

    /// Adds runs that were due and did not happen.
    pub fn dropped(&mut self, now: Steady, times: u64) {
        self.advance(now);
        for total in self.totals() {
            total.counts.dropped += times;
        }
    }

    /// Lets time pass: slices that are too old leave.
    pub fn advance(&mut self, now: Steady) {
        self.minutes.advance(now);
        self.quarters.advance(now);
        let from = self.minutes.index.saturating_sub(5);
        let leaves = |slice: &&Slice| (self.five_minutes_from..from).contains(&u64::from(slice.index));
        for slice in self.minutes.over.iter().filter(leaves) {
            self.five_minutes.subtract(slice);
        }
        self.five_minutes_from = self.five_minutes_from.max(from);
        for slice in self.minutes.expire() {
            self.hour.subtract(&slice);
        }
        for slice in self.quarters.expire() {
            self.day.subtract(&slice);
        }
    }

    /// The minute that was over last, as of the last [`Windows::advance`]: counts in the order ok, degraded, failed,
    /// unknown, dropped. Nothing where nothing happened in it.
    pub fn last_minute(&self) -> Option<([u32; 5], Cells)> {
        let last = self.minutes.over.back()?;
        (u64::from(last.index) + 1 == self.minutes.index).then(|| (last.counts, last.cells.unpack()))
    }

    /// What a window holds, as of the last [`Windows::advance`].
    pub fn total(&self, window: Window) -> &Total {
        match window {
            Window::FiveMinutes => &self.five_minutes,
            Window::Hour => &self.hour,
            Window::Day => &self.day,
        }
    }

    fn totals(&mut self) -> [&mut Total; 5] {
        [
            &mut self.minutes.current,
            &mut self.quarters.current,
            &mut self.five_minutes,
            &mut self.hour,
            &mut self.day,
        ]
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: u64 = 60;

    /// Runs at (second, status, milliseconds); then what the windows hold at `now`.
    fn check(runs: &[(u64, Status, u64)], now: u64, expected: [u64; 3]) {
        let mut windows = Windows::default();
        for (second, status, ms) in runs {
            let side = if *status == Status::Failed { Side::Failed } else { Side::Good };
            windows.run(
                Duration::from_secs(*second),
                *status,
                (*status != Status::Unknown).then_some((side, Duration::from_millis(*ms))),
            );
        }
        windows.advance(Duration::from_secs(now));
        assert_eq!(Window::ALL.map(|window| windows.total(window).counts.known()), expected);
    }

    #[test]
    fn what_is_too_old_leaves_each_window() {
        let runs = [(0, Status::Ok, 5), (30, Status::Failed, 7), (4 * MINUTE, Status::Degraded, 9)];
        check(&runs, 5 * MINUTE, [3, 3, 3]);
        check(&runs, 6 * MINUTE, [1, 3, 3]);
        check(&runs, 61 * MINUTE, [0, 1, 3]);
        check(&runs, 65 * MINUTE, [0, 0, 3]);
        check(&runs, 24 * 60 * MINUTE + 15 * MINUTE, [0, 0, 0]);
        check(&runs, 24 * 60 * MINUTE + 14 * MINUTE, [0, 0, 3]);
    }

    #[test]
    fn unknown_is_neither_good_nor_bad() {
        let mut windows = Windows::default();
        windows.run(Duration::ZERO, Status::Unknown, None);
        windows.dropped(Duration::ZERO, 3);
        let counts = windows.total(Window::Hour).counts;
        assert_eq!((counts.availability(), counts.error_ratio(), counts.dropped), (None, None, 3));
    }

    proptest! {
        #[test]
        fn a_window_is_exactly_the_runs_in_it(
            steps in prop::collection::vec((0..400u64, 0..4usize, 0..3_000_000u64), 1..300)
        ) {
            let mut windows = Windows::default();
            let mut runs = Vec::new();
            let mut now = 0;
            for (step, status, us) in steps {
                now += step;
                let status = Status::ALL[status];
                let side = if status == Status::Failed { Side::Failed } else { Side::Good };
                let took = (status != Status::Unknown).then_some((side, Duration::from_micros(us)));
                windows.run(Duration::from_secs(now), status, took);
                runs.push((now, status, took));
            }
            for (window, slice, kept) in
                [(Window::FiveMinutes, 60, 5), (Window::Hour, 60, 60), (Window::Day, 900, 96)]
            {
                let mut expected = Total::default();
                let oldest = (now / slice).saturating_sub(kept);
                for (_, status, took) in runs.iter().filter(|(at, ..)| at / slice >= oldest) {
                    expected.add(*status, *took);
                }
                prop_assert_eq!(windows.total(window), &expected, "{:?}", window);
            }
        }
    }
}
