//! Leaving Square alone for as long as it wants, over all runs of a check.

use super::client::Refusal;
use super::wait;
use crate::outcome::Fault;
use crate::probe::api::Gate;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub struct Patience {
    gate: Gate,
    /// Refusals in a row for which Square wants to be left alone.
    refusals: Mutex<u32>,
    /// The check's period.
    every: Duration,
}

impl Patience {
    pub fn new(every: Duration) -> Patience {
        Patience { gate: Gate::default(), refusals: Mutex::new(0), every }
    }

    /// Whether Square may be called; otherwise why not.
    pub fn open(&self) -> Result<(), Fault> {
        self.gate.open()
    }

    /// Keeps Square's wish for a pause, where it is one.
    pub fn refused(&self, refusal: &Refusal) {
        if refusal.wants_a_pause() {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            *refusals = refusals.saturating_add(1);
            let chosen = wait::chosen(*refusals, self.every, fastrand::f64());
            self.gate.close(refusal.asked.unwrap_or(chosen), &refusal.fault);
        }
    }

    /// A run went by in which Square did not ask for a pause.
    pub fn answered(&self) {
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner) = 0;
    }
}
