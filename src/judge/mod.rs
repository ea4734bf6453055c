//! What the numbers mean. Pure: no I/O, no clock.

pub mod limits;
pub mod standing;

pub use standing::{Baseline, Burn, Condition, Standing, State};
