//! Up to where counting checks have counted: the loop moves them when it has booked what was counted, and runs begin
//! where they stand.

use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// By the name of the check. Shared by the loop that owns the state and the runs.
#[derive(Debug, Clone, Default)]
pub struct Cursors(Arc<Mutex<HashMap<Arc<str>, Timestamp>>>);

impl Cursors {
    pub fn get(&self, check: &str) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(check).copied()
    }

    pub fn set(&self, check: &Arc<str>, to: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(check.clone(), to);
    }
}
