//! From runs to integers: what each minute saw, kept sparsely, and added up over windows that slide.
//!
//! A slice is one wall minute since the epoch. A minute that was measured and had no event is a slice of zeros; a
//! minute that was not measured is none. Integers go in and integers stay, so that every ratio can be recomputed.

pub mod counted;
pub mod history;
pub mod intake;
pub mod minutes;
pub mod tally;

pub use history::Cell;
pub use intake::Intake;
pub use minutes::{Minutes, Sum};

use jiff::Timestamp;

/// The slice that a moment lies in; the first one for what lies before the epoch.
pub fn minute_of(at: Timestamp) -> u32 {
    u32::try_from(at.as_second().div_euclid(60)).unwrap_or(0)
}

/// The day since the epoch that a moment lies in, in UTC.
pub fn day_of(at: Timestamp) -> u32 {
    minute_of(at) / 1440
}
