//! The minutes of a day in some hundred bytes, exact. Pure.
//!
//! For each minute that was measured: how many minutes after the one before, good events, bad events with the mark of
//! exclusion as the lowest bit, as varints; the whole deflated. Most minutes of a shop are like the minute before.

use super::Slice;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use integer_encoding::VarInt;
use std::collections::BTreeMap;
use std::io::{Read, Write};

pub const MINUTES_OF_DAY: u32 = 1440;

/// A day of varints of the longest kind is smaller.
const DAY_BYTES_MAX: u64 = 64 << 10;

/// `minutes` by minute since the epoch, all of one day.
pub fn pack(minutes: &BTreeMap<u32, Slice>) -> Vec<u8> {
    let mut numbers = Vec::new();
    let mut before = 0;
    for slice in minutes.values() {
        let of_day = u64::from(slice.minute % MINUTES_OF_DAY);
        let bad = u64::from(slice.bad) << 1 | u64::from(slice.excluded);
        for number in [of_day - before, u64::from(slice.good), bad] {
            numbers.extend(number.encode_var_vec());
        }
        before = of_day;
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&numbers).and_then(|()| encoder.finish()).expect("memory takes every byte")
}

/// What was packed; `None` where it is damaged.
pub fn unpack(day: u32, bytes: &[u8]) -> Option<BTreeMap<u32, Slice>> {
    let mut numbers = Vec::new();
    ZlibDecoder::new(bytes).take(DAY_BYTES_MAX).read_to_end(&mut numbers).ok()?;
    let mut rest = numbers.as_slice();
    let mut number = move || {
        let (number, length) = u64::decode_var(rest)?;
        rest = &rest[length..];
        Some(number)
    };
    let mut minutes = BTreeMap::new();
    let mut of_day = 0;
    while let Some(after) = number() {
        of_day = after.checked_add(of_day).filter(|of_day| *of_day < u64::from(MINUTES_OF_DAY))?;
        let (good, bad) = (number()?, number()?);
        let minute = day.checked_mul(MINUTES_OF_DAY)? + of_day as u32;
        let slice = Slice {
            minute,
            good: good.try_into().ok()?,
            bad: (bad >> 1).try_into().ok()?,
            excluded: bad & 1 == 1,
        };
        minutes.insert(minute, slice);
    }
    Some(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slices() -> impl Strategy<Value = BTreeMap<u32, Slice>> {
        let events = prop_oneof![3 => 0..3_u32, 1 => any::<u32>()];
        let one = (0..MINUTES_OF_DAY, events.clone(), events, any::<bool>());
        prop::collection::vec(one, 0..300).prop_map(|minutes| {
            let slice = |(of_day, good, bad, excluded)| {
                let minute = 20_000 * MINUTES_OF_DAY + of_day;
                (minute, Slice { minute, good, bad, excluded })
            };
            minutes.into_iter().map(slice).collect()
        })
    }

    proptest! {
        #[test]
        fn every_minute_survives(minutes in slices()) {
            prop_assert_eq!(unpack(20_000, &pack(&minutes)), Some(minutes));
        }

        #[test]
        fn damage_is_seen_or_harmless(minutes in slices(), at in any::<prop::sample::Index>(), bits in 1..=255_u8) {
            let mut bytes = pack(&minutes);
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
            if let Some(read) = unpack(20_000, &bytes) {
                prop_assert!(read.len() <= MINUTES_OF_DAY as usize);
            }
        }
    }

    #[test]
    fn a_usual_day_is_small() {
        let minutes = (0..MINUTES_OF_DAY).map(|of_day| {
            let minute = 20_000 * MINUTES_OF_DAY + of_day;
            (
                minute,
                Slice {
                    minute,
                    good: of_day % 7 * (of_day % 3),
                    bad: u32::from(of_day % 97 == 0),
                    excluded: false,
                },
            )
        });
        assert!(pack(&minutes.collect()).len() < 1500);
    }
}
