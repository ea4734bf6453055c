//! Sums over windows that slide with the minute, kept up to date by what enters and what leaves.
//!
//! A window of `w` minutes that ends with minute `m` covers the minutes `m − w + 1 ..= m`: exactly what
//! `sum_over_time(x[w])` adds up when each minute's count is a sample inside its minute and is asked for at the end of
//! minute `m`.

use super::history::{Cell, History, slice};
use crate::store::Slice;
use std::collections::BTreeSet;

/// What a stretch of time saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    pub good: u64,
    pub bad: u64,
    /// Minutes that were measured and count.
    pub measured: u64,
    /// Minutes that were measured and don't count.
    pub excluded: u64,
    pub excluded_good: u64,
    pub excluded_bad: u64,
}

impl Sum {
    pub const fn total(&self) -> u64 {
        self.good + self.bad
    }

    /// Adds so many minutes that each saw this.
    pub fn add(&mut self, cell: Cell, minutes: u64) {
        let (good, bad) = (u64::from(cell.good) * minutes, u64::from(cell.bad) * minutes);
        if cell.excluded {
            self.excluded += minutes;
            self.excluded_good += good;
            self.excluded_bad += bad;
        } else {
            self.measured += minutes;
            self.good += good;
            self.bad += bad;
        }
    }

    fn plus(&mut self, other: &Sum) {
        self.good += other.good;
        self.bad += other.bad;
        self.measured += other.measured;
        self.excluded += other.excluded;
        self.excluded_good += other.excluded_good;
        self.excluded_bad += other.excluded_bad;
    }

    fn minus(&mut self, other: &Sum) {
        self.good -= other.good;
        self.bad -= other.bad;
        self.measured -= other.measured;
        self.excluded -= other.excluded;
        self.excluded_good -= other.excluded_good;
        self.excluded_bad -= other.excluded_bad;
    }
}

#[derive(Debug)]
struct Window {
    length: u32,
    sum: Sum,
}

/// The minutes of an objective, and its windows over them.
#[derive(Debug)]
pub struct Minutes {
    history: History,
    /// The minute that all windows end with; `None` until the first is asked for.
    end: Option<u32>,
    windows: Vec<Window>,
    kept: u32,
    changed: BTreeSet<u32>,
}

impl Minutes {
    /// `lengths` of windows in minutes; `kept`: for how many minutes more than the longest the history is kept.
    pub fn new(lengths: &[u32], kept: u32, slices: impl IntoIterator<Item = Slice>) -> Minutes {
        let mut minutes = Minutes {
            history: History::default(),
            end: None,
            windows: Vec::new(),
            kept: 0,
            changed: BTreeSet::new(),
        };
        for Slice { minute, good, bad, excluded } in slices {
            minutes.history.set(minute, Cell { good, bad, excluded });
        }
        minutes.resize(lengths, kept);
        minutes
    }

    /// Other windows over the same minutes.
    pub fn resize(&mut self, lengths: &[u32], kept: u32) {
        self.windows = lengths.iter().map(|length| Window { length: *length, sum: Sum::default() }).collect();
        self.kept = lengths.iter().copied().fold(kept, u32::max);
        self.end = None;
    }

    pub fn get(&self, minute: u32) -> Option<Cell> {
        self.history.get(minute)
    }

    /// Sets what a minute saw; every window that it lies in knows at once. What is older than all that is kept comes too
    /// late.
    pub fn set(&mut self, minute: u32, cell: Cell) {
        if self.end.is_some_and(|end| minute < begin(end, self.kept)) {
            return;
        }
        let before = self.history.set(minute, cell);
        if before == Some(cell) {
            return;
        }
        self.changed.insert(minute);
        let Some(end) = self.end.filter(|end| minute <= *end) else { return };
        for window in self.windows.iter_mut().filter(|window| minute + window.length > end) {
            if let Some(before) = before {
                let mut gone = Sum::default();
                gone.add(before, 1);
                window.sum.minus(&gone);
            }
            window.sum.add(cell, 1);
        }
    }

    /// Sets the minutes from `from` to `to`, both included, that were not measured yet.
    pub fn fill(&mut self, from: u32, to: u32, cell: Cell) {
        let newest = self.history.last().map_or(0, |slice| slice.minute + 1);
        // What lies beyond all that is known and all windows is one stretch: nothing has to be looked for.
        let beyond = self.end.map_or(newest, |end| newest.max(end + 1)).clamp(from, to + 1);
        for minute in from..beyond {
            if self.history.get(minute).is_none() {
                self.set(minute, cell);
            }
        }
        if beyond <= to {
            self.history.append(beyond, to - beyond + 1, cell);
            self.changed.extend(beyond..=to);
        }
    }

    /// Lets all windows end with this minute. What nobody needs any more is forgotten.
    pub fn slide(&mut self, to: u32) {
        match self.end {
            Some(end) if end == to => return,
            Some(end) if end < to => {
                for window in &mut self.windows {
                    let (old, new) = (begin(end, window.length), begin(to, window.length));
                    if new > end {
                        window.sum = self.history.sum(new, to);
                    } else {
                        window.sum.plus(&self.history.sum(end + 1, to));
                        if new > old {
                            window.sum.minus(&self.history.sum(old, new - 1));
                        }
                    }
                }
            }
            // The first time, or the clock was set back.
            _ => {
                for window in &mut self.windows {
                    window.sum = self.history.sum(begin(to, window.length), to);
                }
            }
        }
        self.end = Some(to);
        let oldest = begin(to, self.kept);
        self.history.forget_before(oldest);
        if self.changed.first().is_some_and(|first| *first < oldest) {
            self.changed = self.changed.split_off(&oldest);
        }
    }

    /// The minute that the windows end with.
    pub fn end(&self) -> u32 {
        self.end.unwrap_or(0)
    }

    /// The window of so many minutes; it must be one of those that are kept.
    pub fn window(&self, length: u32) -> Sum {
        let window = self.windows.iter().find(|window| window.length == length);
        window.map_or_else(|| self.history.sum(begin(self.end(), length), self.end()), |window| window.sum)
    }

    /// How many minutes of a window should have been measured: those that count, less the last one while it has just
    /// begun and nothing has come yet.
    pub fn expected(&self, length: u32, sum: &Sum) -> u64 {
        let begun = u64::from(self.history.get(self.end()).is_none());
        u64::from(length).saturating_sub(sum.excluded + begun)
    }

    /// Adds up minutes that no window covers.
    pub fn sum(&self, from: u32, to: u32) -> Sum {
        self.history.sum(from, to)
    }

    /// The last `count` events that are no older than minute `since`: (how many were bad, how many there are).
    ///
    /// In which order the events of one minute came is not kept; of a minute of which only some are needed, as many
    /// are taken for bad as its share allows, rounded down.
    pub fn last_events(&self, count: u64, since: u32) -> (u64, u64) {
        let (mut bad, mut found) = (0, 0);
        for (first, last, cell) in self.history.back_from(self.end()) {
            if last < since || found == count {
                break;
            }
            let (cell_bad, cell_total) = (u64::from(cell.bad), u64::from(cell.good) + u64::from(cell.bad));
            if cell.excluded || cell_total == 0 {
                continue;
            }
            for _ in first.max(since)..=last {
                let taken = cell_total.min(count - found);
                bad += taken * cell_bad / cell_total;
                found += taken;
                if found == count {
                    break;
                }
            }
        }
        (bad, found)
    }

    /// Minutes with events up to the end, the latest first: (minute, how many).
    pub fn busy_back(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let busy = self.history.back_from(self.end()).filter(|(.., cell)| cell.good > 0 || cell.bad > 0);
        busy.flat_map(|(first, last, cell)| {
            (first..=last).rev().map(move |minute| (minute, u64::from(cell.good) + u64::from(cell.bad)))
        })
    }

    /// The oldest minute that is known.
    pub fn first(&self) -> Option<u32> {
        self.history.first()
    }

    /// The newest minute that is known.
    pub fn last(&self) -> Option<Slice> {
        self.history.last()
    }

    /// All minutes that are kept, by time.
    pub fn slices(&self) -> Vec<Slice> {
        let mut stretches: Vec<_> = self.history.back_from(u32::MAX - 1).collect();
        stretches.reverse();
        let minutes = |(first, last, cell)| (first..=last).map(move |minute| slice(minute, cell));
        stretches.into_iter().flat_map(minutes).collect()
    }

    /// Minutes that changed since this was last asked.
    pub fn take_changed(&mut self) -> Vec<Slice> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().filter_map(|minute| Some(slice(minute, self.history.get(minute)?))).collect()
    }

    /// What it costs: stretches of equal minutes.
    pub fn stretches(&self) -> usize {
        self.history.len()
    }
}

/// The first minute of a window.
fn begin(end: u32, length: u32) -> u32 {
    (end + 1).saturating_sub(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However minutes come and windows slide, back too, each window is the sum of its minutes.
        #[test]
        fn a_window_is_the_sum_of_its_minutes(
            steps in prop::collection::vec((0_u32..400, 0_u32..3, 0_u32..3, any::<bool>(), 0_u32..400), 1..60),
        ) {
            let lengths = [1, 5, 30, 100];
            let mut minutes = Minutes::new(&lengths, 0, []);
            let mut plain = Minutes::new(&lengths, 0, []);
            let mut oldest = 0;
            for (minute, good, bad, excluded, end) in steps {
                let cell = Cell { good, bad, excluded };
                // Two good ones stand for a part of time of eight minutes.
                let last = if good == 2 { minute + 7 } else { minute };
                for before in (minute..last).filter(|minute| *minute >= oldest) {
                    if plain.get(before).is_none() {
                        plain.set(before, cell);
                    }
                }
                if last >= oldest {
                    plain.set(last, cell);
                }
                if minute < last {
                    minutes.fill(minute, last - 1, cell);
                }
                minutes.set(last, cell);
                oldest = begin(end, 100);
                minutes.slide(end);
                plain.history.forget_before(oldest);
                for length in lengths {
                    prop_assert_eq!(minutes.window(length), plain.history.sum(begin(end, length), end));
                }
            }
        }
    }

    #[test]
    fn the_order_within_a_minute_is_not_claimed() {
        let mut minutes = Minutes::new(&[5], 0, []);
        minutes.set(10, Cell { bad: 2, ..Cell::default() });
        minutes.set(12, Cell { good: 1, bad: 1, excluded: false });
        minutes.set(13, Cell { bad: 9, excluded: true, good: 0 });
        minutes.slide(14);
        assert_eq!(minutes.last_events(1, 0), (0, 1));
        assert_eq!(minutes.last_events(3, 0), (2, 3));
        assert_eq!(minutes.last_events(5, 0), (3, 4));
        assert_eq!(minutes.last_events(5, 11), (1, 2));
        assert_eq!(minutes.busy_back().map(|(minute, _)| minute).collect::<Vec<_>>(), [13, 12, 10]);
    }

    #[test]
    fn what_changed_is_told_once() {
        let mut minutes = Minutes::new(&[5], 0, [Slice { minute: 9, good: 1, bad: 0, excluded: false }]);
        minutes.set(10, Cell { good: 1, ..Cell::default() });
        minutes.set(10, Cell { good: 2, ..Cell::default() });
        minutes.set(9, Cell { good: 1, ..Cell::default() });
        minutes.slide(10);
        assert_eq!(minutes.take_changed(), [Slice { minute: 10, good: 2, bad: 0, excluded: false }]);
        assert_eq!(minutes.take_changed(), []);
    }
}
