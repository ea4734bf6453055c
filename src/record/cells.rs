//! A sparse HDR histogram: only the cells that hold something.
//!
//! A live `hdrhistogram::Histogram` from 1 µs with three digits takes 139 kB, whatever is in it; a check has
//! a few values per minute. So the *layout* of HdrHistogram is kept (the same value falls into the same
//! cell, quantiles are those of the library, to the microsecond, and a property test holds both
//! together) but a cell takes eight bytes and only where there is one. Counts are integers: merging
//! and taking away are exact in any order.

use hdrhistogram::Histogram;
use integer_encoding::VarInt;
use std::sync::LazyLock;
use std::time::Duration;

/// The longest duration that is told apart: 2^31 − 1 µs, nearly 36 minutes. Longer ones count as that.
pub const LONGEST_US: u64 = FAILED as u64 - 1;

/// Marks the cells of failed runs, so that good and failed are kept apart in one list.
const FAILED: u32 = 1 << 31;

/// Three significant digits: a quantile is off by less than 0.1 %.
const DIGITS: u8 = 3;

/// Two digits: up to here a value has a cell of its own.
const COARSE: u32 = 256;

/// An empty histogram of the library, asked only which cell a value falls into.
static LAYOUT: LazyLock<Histogram<u8>> = LazyLock::new(|| {
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("1 < the longest, and three digits are allowed")
});

/// Whether a run found the target doing its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Good,
    Failed,
}

/// Counts of durations by cell, good and failed apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cells {
    /// (lowest value of the cell in µs, marked where failed; count), sorted.
    cells: Vec<(u32, u32)>,
}

impl Cells {
    pub fn add(&mut self, side: Side, took: Duration) {
        self.add_cell(cell_of(side, took), 1);
    }

    /// As [`Cells::add`], so many times.
    pub fn add_many(&mut self, side: Side, took: Duration, count: u32) {
        self.add_cell(cell_of(side, took), count);
    }

    pub fn merge(&mut self, other: &Cells) {
        for &(cell, count) in &other.cells {
            self.add_cell(cell, count);
        }
    }

    /// Takes away what was added before.
    pub fn subtract(&mut self, cell: u32, count: u32) {
        if let Ok(at) = self.cells.binary_search_by_key(&cell, |(cell, _)| *cell) {
            let left = self.cells[at].1.saturating_sub(count);
            if left == 0 {
                self.cells.remove(at);
            } else {
                self.cells[at].1 = left;
            }
        }
    }

    fn add_cell(&mut self, cell: u32, count: u32) {
        match self.cells.binary_search_by_key(&cell, |(cell, _)| *cell) {
            Ok(at) => self.cells[at].1 = self.cells[at].1.saturating_add(count),
            Err(at) => {
                if self.cells.len() == self.cells.capacity() {
                    // Doubling would leave half of the memory of ten thousand checks empty.
                    self.cells.reserve_exact(4 + self.cells.len() / 4);
                }
                self.cells.insert(at, (cell, count));
            }
        }
    }

    /// All of them as good ones, for who asks how long it took whatever came of it.
    pub fn as_good(&self) -> Cells {
        let mut all = Cells::default();
        self.cells.iter().for_each(|(cell, count)| all.add_cell(cell & !FAILED, *count));
        all
    }

    /// How many runs of one side there are.
    pub fn count(&self, side: Side) -> u64 {
        self.side(side).iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// How many runs of one side took at most so long, to within a cell.
    pub fn count_up_to(&self, side: Side, longest: Duration) -> u64 {
        let last = cell_of(Side::Good, longest);
        let cells = self.side(side).iter().take_while(|(cell, _)| cell & !FAILED <= last);
        cells.map(|(_, count)| u64::from(*count)).sum()
    }

    /// The longest of one side, as the highest value of its cell.
    pub fn longest(&self, side: Side) -> Option<Duration> {
        let (cell, _) = self.side(side).last()?;
        Some(Duration::from_micros(LAYOUT.highest_equivalent(u64::from(cell & !FAILED))))
    }

    /// The values below which the given shares of one side's runs lie, as HdrHistogram tells them (the
    /// highest value of the cell), in seconds. `quantiles` ascend. `None` without any run.
    pub fn quantiles<const N: usize>(&self, side: Side, quantiles: [f64; N]) -> Option<[f64; N]> {
        let cells = self.side(side);
        let total: u64 = cells.iter().map(|(_, count)| u64::from(*count)).sum();
        if total == 0 {
            return None;
        }
        let mut found = [0.0; N];
        let mut below = 0;
        let mut cells = cells.iter();
        let mut current = 0;
        for (quantile, found) in quantiles.into_iter().zip(&mut found) {
            let rank = ((quantile * total as f64).ceil() as u64).clamp(1, total);
            while below < rank {
                let Some((cell, count)) = cells.next() else { break };
                below += u64::from(*count);
                current = cell & !FAILED;
            }
            *found = LAYOUT.highest_equivalent(u64::from(current)) as f64 / 1e6;
        }
        Some(found)
    }

    /// Every cell as (its lowest value in seconds, how many runs), good and failed ones.
    pub fn durations(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.cells.iter().map(|(cell, count)| (f64::from(cell & !FAILED) / 1e6, u64::from(*count)))
    }

    /// One side as (lowest value in µs, marked; count).
    fn side(&self, side: Side) -> &[(u32, u32)] {
        let border = self.cells.partition_point(|(cell, _)| cell & FAILED == 0);
        match side {
            Side::Good => &self.cells[..border],
            Side::Failed => &self.cells[border..],
        }
    }

    /// One side as (lowest value of the cell in µs, count), ascending.
    pub(super) fn lowest_of(&self, side: Side) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.side(side).iter().map(|(cell, count)| (cell & !FAILED, *count))
    }

    /// Adds runs to the cell with this lowest value.
    pub(super) fn add_lowest(&mut self, side: Side, lowest: u32, count: u32) {
        let mark = if side == Side::Failed { FAILED } else { 0 };
        self.add_cell(lowest | mark, count);
    }

    /// With two significant digits in place of three: an eighth of the cells, and a quantile is off by less than 1 %. It
    /// is told as HdrHistogram with two digits tells it, by the highest value of its cell.
    pub fn coarse(&self) -> Cells {
        let mut coarse = Cells::default();
        for (cell, count) in &self.cells {
            let (mark, value) = (cell & FAILED, cell & !FAILED);
            let width = (value | (COARSE - 1)).ilog2() + 1 - COARSE.ilog2();
            let highest = u64::from(value | ((1 << width) - 1)).min(LONGEST_US);
            coarse.add_cell(LAYOUT.lowest_equivalent(highest) as u32 | mark, *count);
        }
        coarse
    }

    /// The smallest form, for slices that are over: varints of cell distances and counts.
    pub fn pack(&self) -> Packed {
        let mut bytes = Vec::with_capacity(self.cells.len() * 4);
        let mut before = 0;
        let mut buffer = [0; 10];
        for (cell, count) in &self.cells {
            for number in [cell - before, *count] {
                let length = number.encode_var(&mut buffer);
                bytes.extend_from_slice(&buffer[..length]);
            }
            before = *cell;
        }
        Packed(bytes.into_boxed_slice())
    }
}

/// Cells that don't change any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packed(Box<[u8]>);

impl Packed {
    /// As it was before it was packed.
    pub fn unpack(&self) -> Cells {
        Cells { cells: self.iter().collect() }
    }

    /// As it is written down.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What was written down; `None` where these bytes never were cells.
    pub fn read(bytes: &[u8]) -> Option<Packed> {
        let mut rest = bytes;
        let (mut cell, mut first) = (0_u32, true);
        while !rest.is_empty() {
            let (distance, length) = u32::decode_var(rest)?;
            let (count, more) = u32::decode_var(&rest[length..])?;
            let next = cell.checked_add(distance)?;
            if count == 0 || next == cell && !first {
                return None;
            }
            (cell, first) = (next, false);
            rest = &rest[length + more..];
        }
        Some(Packed(bytes.into()))
    }

    /// (marked cell, count), as [`Cells::subtract`] takes them.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut rest = &*self.0;
        let mut cell = 0;
        std::iter::from_fn(move || {
            let (distance, length) = u32::decode_var(rest)?;
            let (count, more) = u32::decode_var(&rest[length..])?;
            rest = &rest[length + more..];
            cell += distance;
            Some((cell, count))
        })
    }
}

fn cell_of(side: Side, took: Duration) -> u32 {
    let us = u64::try_from(took.as_micros()).unwrap_or(LONGEST_US).clamp(1, LONGEST_US);
    let lowest = u32::try_from(LAYOUT.lowest_equivalent(us)).unwrap_or(u32::MAX) & !FAILED;
    match side {
        Side::Good => lowest,
        Side::Failed => lowest | FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUANTILES: [f64; 6] = [0.0, 0.5, 0.9, 0.95, 0.99, 1.0];

    fn cells_of(durations: &[(bool, u64)]) -> Cells {
        let mut cells = Cells::default();
        for (good, us) in durations {
            cells.add(if *good { Side::Good } else { Side::Failed }, Duration::from_micros(*us));
        }
        cells
    }

    fn durations() -> impl Strategy<Value = Vec<(bool, u64)>> {
        prop::collection::vec((any::<bool>(), prop_oneof![0..2000u64, 0..4_000_000_000u64]), 0..400)
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_library(durations in durations()) {
            let cells = cells_of(&durations);
            for (side, good) in [(Side::Good, true), (Side::Failed, false)] {
                let mut library = Histogram::<u64>::new_with_bounds(1, LONGEST_US, DIGITS).expect("bounds");
                for (_, us) in durations.iter().filter(|(g, _)| *g == good) {
                    library.saturating_record((*us).clamp(1, LONGEST_US));
                }
                prop_assert_eq!(cells.count(side), library.len());
                if let Some(found) = cells.quantiles(side, QUANTILES) {
                    let expected = QUANTILES[1..].iter().map(|q| library.value_at_quantile(*q) as f64 / 1e6);
                    prop_assert_eq!(&found[1..], expected.collect::<Vec<_>>());
                }
            }
        }

        #[test]
        fn merging_windows_equals_one_big_window_and_can_be_undone(a in durations(), b in durations()) {
            let mut merged = cells_of(&a);
            merged.merge(&cells_of(&b));
            let together: Vec<_> = a.iter().chain(&b).copied().collect();
            prop_assert_eq!(&merged, &cells_of(&together));
            for (cell, count) in cells_of(&b).pack().iter() {
                merged.subtract(cell, count);
            }
            prop_assert_eq!(merged, cells_of(&a));
        }

        #[test]
        fn coarse_quantiles_are_those_of_the_library_with_two_digits(durations in durations()) {
            let coarse = cells_of(&durations).coarse();
            prop_assert_eq!(&coarse.coarse(), &coarse);
            for (side, good) in [(Side::Good, true), (Side::Failed, false)] {
                let mut library = Histogram::<u64>::new_with_bounds(1, LONGEST_US, 2).expect("bounds");
                for (_, us) in durations.iter().filter(|(g, _)| *g == good) {
                    library.saturating_record((*us).clamp(1, LONGEST_US));
                }
                prop_assert_eq!(coarse.count(side), library.len());
                if let Some(found) = coarse.quantiles(side, QUANTILES) {
                    let expected = QUANTILES[1..].iter().map(|q| library.value_at_quantile(*q).min(LONGEST_US) as f64 / 1e6);
                    prop_assert_eq!(&found[1..], expected.collect::<Vec<_>>());
                }
            }
        }

        #[test]
        fn packing_loses_nothing(a in durations()) {
            let cells = cells_of(&a);
            let mut unpacked = Cells::default();
            for (cell, count) in cells.pack().iter() {
                unpacked.add_cell(cell, count);
            }
            prop_assert_eq!(&unpacked, &cells);
            let packed = cells.pack();
            prop_assert_eq!(Packed::read(packed.as_bytes()), Some(packed));
        }

        #[test]
        fn what_never_were_cells_is_not_read(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(packed) = Packed::read(&bytes) {
                prop_assert_eq!(packed.unpack().pack().unpack(), packed.unpack());
            }
        }
    }
}
