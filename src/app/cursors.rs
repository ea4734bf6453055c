//! Up to where counting checks have counted: the loop moves them when it has booked what was counted, and runs begin
//! where they stand.

use crate::probe::Counted;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// By the name of the check. Shared by the loop that owns the state and the runs.
#[derive(Debug, Clone, Default)]
pub struct Cursors(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What the store remembers is known, or nobody waits for it any more.
    open: bool,
    cursors: HashMap<Arc<str>, Timestamp>,
}

impl Cursors {
    /// Where a run of this check goes on; before the store has spoken it only looks.
    pub fn of(&self, check: &str) -> Counted {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.open { Counted::UpTo(state.cursors.get(check).copied()) } else { Counted::Never }
    }

    pub fn set(&self, check: &Arc<str>, to: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).cursors.insert(check.clone(), to);
    }

    /// Runs count from now on.
    pub fn open(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).open = true;
    }
}
