//! [`Cells`] in HdrHistogram's interchange format, V2 compressed: what its other languages read and write. Pure.
//!
//! The library reads and writes it through a dense histogram of 180 kB, which for a few values in a minute costs a
//! hundred times what they need; and it trusts the lengths that a damaged file tells. So it is written here from the
//! sparse cells, and a property test holds both together.
//!
//! Format: two cookies and lengths around a zlib stream; a header of digits and bounds; then for each cell, from the
//! lowest on, its count as a zigzag varint, with a negative number for so many empty cells.

use super::cells::{Cells, LONGEST_US, Side};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use integer_encoding::VarInt;
use std::io::{Read, Write};

const COOKIE: u32 = 0x1c84_9313;
const COOKIE_COMPRESSED: u32 = 0x1c84_9314;
const HEADER_BYTES: usize = 40;
const DIGITS: u32 = 3;
/// Three digits need 2048 cells that are one unit wide; each doubling of the width adds half as many.
const HALF: u32 = 1024;
/// Each of the cells with the longest varint is smaller.
const BYTES_MAX: u64 = 256 << 10;

/// The place of a cell, told by its lowest value, among all cells.
fn index(lowest: u32) -> u32 {
    let doublings = (lowest | (2 * HALF - 1)).ilog2() - HALF.ilog2();
    doublings * HALF + (lowest >> doublings)
}

/// The lowest value of the cell at a place; `None` beyond the layout.
fn lowest(index: u32) -> Option<u32> {
    if index < 2 * HALF {
        return Some(index);
    }
    let doublings = index / HALF - 1;
    let lowest =
        u64::from(index % HALF + HALF).checked_shl(doublings).filter(|lowest| *lowest <= LONGEST_US)?;
    u32::try_from(lowest).ok()
}

impl Cells {
    /// One side; empty without any run.
    pub fn to_v2(&self, side: Side) -> Vec<u8> {
        let mut cells = self.lowest_of(side).peekable();
        if cells.peek().is_none() {
            return Vec::new();
        }
        let mut counts = Vec::with_capacity(256);
        let mut next = 0;
        for (lowest, count) in cells {
            let index = index(lowest);
            match index - next {
                0 => {}
                1 => counts.push(0),
                empty => counts.extend((-i64::from(empty)).encode_var_vec()),
            }
            counts.extend(i64::from(count).encode_var_vec());
            next = index + 1;
        }
        let mut header = Vec::with_capacity(HEADER_BYTES);
        for number in [COOKIE, counts.len() as u32, 0, DIGITS] {
            header.extend(number.to_be_bytes());
        }
        header.extend(1_u64.to_be_bytes());
        header.extend(LONGEST_US.to_be_bytes());
        header.extend(1_f64.to_be_bytes());
        let mut encoder = ZlibEncoder::new(vec![0; 8], Compression::default());
        let written = encoder.write_all(&header).and_then(|()| encoder.write_all(&counts));
        let mut bytes = written.and_then(|()| encoder.finish()).expect("memory takes every byte");
        let length = bytes.len() as u32 - 8;
        bytes[..4].copy_from_slice(&COOKIE_COMPRESSED.to_be_bytes());
        bytes[4..8].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    /// Adds what [`Cells::to_v2`] or another program wrote of durations in microseconds with three digits; nothing of
    /// it where it can't be read.
    pub fn add_v2(&mut self, side: Side, bytes: &[u8]) -> Result<(), String> {
        if bytes.is_empty() {
            return Ok(());
        }
        let read =
            read(bytes).ok_or_else(|| format!("a histogram of {} bytes can't be read", bytes.len()))?;
        for (lowest, count) in read {
            self.add_lowest(side, lowest, count);
        }
        Ok(())
    }
}

/// (lowest value, count) of each cell that holds something.
fn read(bytes: &[u8]) -> Option<Vec<(u32, u32)>> {
    let (cookie, rest) = bytes.split_first_chunk::<4>()?;
    let (_, deflated) = rest.split_first_chunk::<4>()?;
    let mut plain = Vec::new();
    ZlibDecoder::new(deflated).take(BYTES_MAX).read_to_end(&mut plain).ok()?;
    let (header, counts) = plain.split_at_checked(HEADER_BYTES)?;
    let number = |at: usize| header[at..].first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let known = u32::from_be_bytes(*cookie) == COOKIE_COMPRESSED
        && number(0)? == COOKIE
        && number(4)? as usize == counts.len()
        && (number(8)?, number(12)?) == (0, DIGITS)
        && (number(16)?, number(20)?) == (0, 1);
    if !known {
        return None;
    }
    let (mut rest, mut index, mut cells) = (counts, 0_u32, Vec::new());
    while !rest.is_empty() {
        let (count, length) = i64::decode_var(rest)?;
        rest = &rest[length..];
        if count > 0 {
            cells.push((lowest(index)?, u32::try_from(count).unwrap_or(u32::MAX)));
        }
        let passed = if count < 0 { u32::try_from(count.unsigned_abs()).ok()? } else { 1 };
        index = index.checked_add(passed)?;
    }
    Some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
    use proptest::prelude::*;
    use std::time::Duration;

    fn durations() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(prop_oneof![1..3000u64, 1..=LONGEST_US], 0..200)
    }

    fn cells_of(durations: &[u64]) -> Cells {
        let mut cells = Cells::default();
        for us in durations {
            cells.add(Side::Failed, Duration::from_micros(*us));
        }
        cells
    }

    fn library_of(durations: &[u64]) -> Histogram<u64> {
        let mut library = Histogram::<u64>::new_with_bounds(1, LONGEST_US, 3).expect("bounds");
        for us in durations {
            library.record(*us).expect("within the bounds");
        }
        library
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_library_reads_what_is_written(durations in durations()) {
            let bytes = cells_of(&durations).to_v2(Side::Failed);
            prop_assert_eq!(bytes.is_empty(), durations.is_empty());
            if !durations.is_empty() {
                let read: Histogram<u64> = Deserializer::new().deserialize(&mut &*bytes).expect("a histogram");
                prop_assert_eq!(read, library_of(&durations));
            }
        }

        #[test]
        fn what_the_library_writes_is_read(durations in durations()) {
            let mut bytes = Vec::new();
            V2DeflateSerializer::new().serialize(&library_of(&durations), &mut bytes).expect("bytes");
            let mut cells = Cells::default();
            cells.add_v2(Side::Failed, &bytes).expect("what the library wrote");
            prop_assert_eq!(cells, cells_of(&durations));
        }
    }

    proptest! {
        #[test]
        fn merging_what_was_written_is_merging(a in durations(), b in durations()) {
            let mut merged = Cells::default();
            for cells in [cells_of(&a), cells_of(&b)] {
                merged.add_v2(Side::Good, &cells.to_v2(Side::Good)).expect("nothing");
                merged.add_v2(Side::Failed, &cells.to_v2(Side::Failed)).expect("what was written");
            }
            let mut expected = cells_of(&a);
            expected.merge(&cells_of(&b));
            prop_assert_eq!(merged, expected);
        }

        #[test]
        fn damage_is_refused(a in durations(), at in any::<prop::sample::Index>(), bits in 1..=255_u8) {
            prop_assume!(!a.is_empty());
            let whole = cells_of(&a).to_v2(Side::Failed);
            let mut bytes = whole.clone();
            // The length of the stream says nothing that the stream does not say.
            let at = at.index(bytes.len() - 8) + 8;
            bytes[at] ^= bits;
            for bytes in [&bytes[..], &whole[..at]] {
                let mut cells = Cells::default();
                let read = cells.add_v2(Side::Failed, bytes);
                // A stream says of itself with which settings it was written: that changes nothing.
                prop_assert!(read.is_err() && cells == Cells::default() || cells == cells_of(&a));
            }
        }
    }
}
