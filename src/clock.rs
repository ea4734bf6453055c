//! The one source of time. Everything that thinks takes `now` as an argument; only the rim asks here.
//!
//! Three clocks, each for its own use: `Timestamp` (wall) for what people read and for SQL,
//! `Instant` (monotonic) for measuring and for deadlines, and [`Steady`] for the schedule and for
//! sliding windows: it never jumps when the wall clock is set, and it counts the time for which
//! the machine was suspended, so that runs missed in the meantime are seen as missed.

#![allow(clippy::disallowed_methods, reason = "this is the place that they point to")]

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;
use tokio::time::Instant;

/// Time since the machine booted, suspension included (Linux `CLOCK_BOOTTIME`).
pub type Steady = Duration;

/// One moment on both clocks that outlive a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub wall: Timestamp,
    pub steady: Steady,
}

/// The wall clock: what people read.
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// The monotonic clock: for measuring how long something took and for deadlines.
pub fn instant() -> Instant {
    Instant::now()
}

/// The clock of the schedule.
pub fn steady() -> Steady {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .or_else(|_| clock_gettime(ClockId::CLOCK_MONOTONIC))
        .map(Duration::from)
        .expect("CLOCK_MONOTONIC exists on every system that Rust's standard library runs on")
}

/// Wall and steady time together.
pub fn now() -> Now {
    Now { wall: wall(), steady: steady() }
}
