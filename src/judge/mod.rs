//! What the numbers mean. Pure: no I/O, no clock.

pub mod limits;
