//! The minutes of one objective, run-length coded: equal neighbours cost nothing, so that a month of an objective
//! that is met takes a few bytes and a month of a busy one 16 bytes a minute.

use super::Sum;
use crate::store::Slice;
use std::collections::VecDeque;

/// What one measured minute saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    pub good: u32,
    pub bad: u32,
    /// It does not count.
    pub excluded: bool,
}

/// Equal minutes in a row.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: u32,
    /// Minutes, and in the lowest bit whether they are excluded.
    packed: u32,
    good: u32,
    bad: u32,
}

impl Run {
    fn new(first: u32, length: u32, cell: Cell) -> Run {
        Run { first, packed: length << 1 | u32::from(cell.excluded), good: cell.good, bad: cell.bad }
    }

    fn length(self) -> u32 {
        self.packed >> 1
    }

    /// The first minute after it.
    fn end(self) -> u32 {
        self.first + self.length()
    }

    fn cell(self) -> Cell {
        Cell { good: self.good, bad: self.bad, excluded: self.packed & 1 == 1 }
    }
}

/// Measured minutes, by time.
#[derive(Debug, Default)]
pub struct History {
    runs: VecDeque<Run>,
}

impl History {
    /// Sets a minute and tells what it was before.
    pub fn set(&mut self, minute: u32, cell: Cell) -> Option<Cell> {
        let after = self.runs.partition_point(|run| run.first <= minute);
        let holder = after.checked_sub(1).filter(|at| minute < self.runs[*at].end());
        let Some(at) = holder else {
            self.insert(after, minute, cell);
            return None;
        };
        let run = self.runs[at];
        if run.cell() != cell {
            let place = self.cut(at, minute);
            self.insert(place, minute, cell);
        }
        Some(run.cell())
    }

    /// Adds equal minutes behind all that there are.
    pub fn append(&mut self, first: u32, length: u32, cell: Cell) {
        match self.runs.back_mut() {
            Some(last) if last.end() == first && last.cell() == cell => last.packed += length << 1,
            _ => self.runs.push_back(Run::new(first, length, cell)),
        }
    }

    /// Takes a minute out of a run; tells between which runs it lay.
    fn cut(&mut self, at: usize, minute: u32) -> usize {
        let run = self.runs[at];
        let mut place = at;
        self.runs.remove(at);
        if run.first < minute {
            self.runs.insert(place, Run::new(run.first, minute - run.first, run.cell()));
            place += 1;
        }
        if minute + 1 < run.end() {
            self.runs.insert(place, Run::new(minute + 1, run.end() - minute - 1, run.cell()));
        }
        place
    }

    /// Puts a minute before the run `at`, joining equal neighbours.
    fn insert(&mut self, at: usize, minute: u32, cell: Cell) {
        let joins_next = self.runs.get(at).is_some_and(|run| run.first == minute + 1 && run.cell() == cell);
        let previous = at.checked_sub(1).map(|at| self.runs[at]);
        let joins_previous = previous.is_some_and(|run| run.end() == minute && run.cell() == cell);
        match (joins_previous, joins_next) {
            (true, true) => {
                let next = self.runs.remove(at).map_or(0, Run::length);
                self.runs[at - 1].packed += (next + 1) << 1;
            }
            (true, false) => self.runs[at - 1].packed += 1 << 1,
            (false, true) => {
                self.runs[at].first = minute;
                self.runs[at].packed += 1 << 1;
            }
            (false, false) => self.runs.insert(at, Run::new(minute, 1, cell)),
        }
    }

    pub fn get(&self, minute: u32) -> Option<Cell> {
        let after = self.runs.partition_point(|run| run.first <= minute);
        let run = self.runs.get(after.checked_sub(1)?)?;
        (minute < run.end()).then(|| run.cell())
    }

    /// Adds up the minutes from `from` to `to`, both included.
    pub fn sum(&self, from: u32, to: u32) -> Sum {
        let mut sum = Sum::default();
        let first = self.runs.partition_point(|run| run.end() <= from);
        for run in self.runs.range(first..).take_while(|run| run.first <= to) {
            let length = run.end().min(to.saturating_add(1)) - run.first.max(from);
            sum.add(run.cell(), u64::from(length));
        }
        sum
    }

    /// Stretches of equal minutes up to `end`, the latest first: (first, last, what each saw).
    pub fn back_from(&self, end: u32) -> impl Iterator<Item = (u32, u32, Cell)> + '_ {
        let after = self.runs.partition_point(|run| run.first <= end);
        let runs = self.runs.range(..after).rev();
        runs.map(move |run| (run.first, (run.end() - 1).min(end), run.cell()))
    }

    pub fn first(&self) -> Option<u32> {
        self.runs.front().map(|run| run.first)
    }

    pub fn last(&self) -> Option<Slice> {
        let run = self.runs.back()?;
        Some(slice(run.end() - 1, run.cell()))
    }

    /// Forgets what lies before a minute.
    pub fn forget_before(&mut self, minute: u32) {
        while let Some(run) = self.runs.front_mut() {
            if run.first >= minute {
                return;
            }
            if run.end() > minute {
                *run = Run::new(minute, run.end() - minute, run.cell());
                return;
            }
            self.runs.pop_front();
        }
    }

    /// How many stretches of equal minutes it holds: what it costs.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

/// A minute as it is stored.
pub fn slice(minute: u32, cell: Cell) -> Slice {
    Slice { minute, good: cell.good, bad: cell.bad, excluded: cell.excluded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Whatever is set in whatever order, it holds what a plain map holds, in as few stretches as there are.
        #[test]
        fn it_is_a_map_of_minutes(
            sets in prop::collection::vec((0_u32..60, 0_u32..2, 0_u32..2, any::<bool>()), 0..120),
            from in 0_u32..60, length in 0_u32..60, forget in 0_u32..30,
        ) {
            let (mut history, mut map) = (History::default(), BTreeMap::new());
            for (minute, good, bad, excluded) in sets {
                let cell = Cell { good, bad, excluded };
                prop_assert_eq!(history.set(minute, cell), map.insert(minute, cell));
            }
            history.forget_before(forget);
            map.retain(|minute, _| *minute >= forget);
            let mut expected = Sum::default();
            for (_, cell) in map.range(from..=from + length) {
                expected.add(*cell, 1);
            }
            prop_assert_eq!(history.sum(from, from + length), expected);
            for minute in 0..62 {
                prop_assert_eq!(history.get(minute), map.get(&minute).copied());
            }
            let flat = |(&minute, &cell): (&u32, &Cell)| (minute, cell);
            let stretches = map.iter().map(flat).scan(None, |before: &mut Option<(u32, Cell)>, (minute, cell)| {
                let new = before.is_none_or(|before| before != (minute.wrapping_sub(1), cell));
                *before = Some((minute, cell));
                Some(usize::from(new))
            });
            prop_assert_eq!(history.len(), stretches.sum::<usize>());
            let back: Vec<(u32, Cell)> = history
                .back_from(40)
                .flat_map(|(first, last, cell)| (first..=last).rev().map(move |minute| (minute, cell)))
                .collect();
            let expected: Vec<(u32, Cell)> = map.range(..=40).rev().map(flat).collect();
            prop_assert_eq!(back, expected);
            prop_assert_eq!(history.last().map(|slice| slice.minute), map.keys().next_back().copied());
            prop_assert_eq!(history.first(), map.keys().next().copied());
        }
    }
}
