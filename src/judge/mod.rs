//! What the numbers mean: limits on measures, and objectives with their error budgets. Pure: no I/O, no clock.
//!
//! A [`Tracker`] holds one objective: runs become minutes of whole numbers (`count`), windows slide over them, and
//! rules (`rule`) say what fires, what is healthy, and what nobody can tell. The sentences are in `words`, the
//! statistics in `chance`. Beside it stand what a definition can't do ([`feasibility`]) and the report by months
//! ([`calendar`]).

pub mod calendar;
pub mod chance;
pub mod count;
mod daily;
pub mod feasibility;
pub mod limits;
pub mod rule;
pub mod standing;
mod tracker;
pub mod words;

#[cfg(test)]
pub(crate) mod tests;

pub use standing::{Baseline, Burn, Condition, Standing, State};
pub use tracker::Tracker;
