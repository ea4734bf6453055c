//! Which messages are new, and which of them may be handed to the courier. Pure.

use crate::store::{OutboxRow, RowState};
use std::collections::{HashSet, VecDeque};

/// Keys of messages that are settled, by which a late repeat is known.
const SETTLED_MAX: usize = 10_000;

/// Messages on their way from whoever wrote them to the courier.
#[derive(Debug, Default)]
pub struct Post {
    /// New messages, in order; the first `covered` of them are being written.
    unhanded: Vec<OutboxRow>,
    covered: usize,
    /// Keys of messages that the courier has or had.
    known: HashSet<String>,
    settled: VecDeque<String>,
}

impl Post {
    /// The courier has it already.
    pub fn know(&mut self, row: &OutboxRow) {
        if row.state == RowState::Pending {
            self.known.insert(row.key.clone());
        } else {
            self.settle(row.key.clone());
        }
    }

    /// A message that nobody has is new; one that changes before it was handed on is handed on as it is then, and one
    /// that is settled before is not handed on at all.
    pub fn sort(&mut self, row: &OutboxRow) {
        let pending = row.state == RowState::Pending;
        let unhanded = self.unhanded.iter().position(|unhanded| unhanded.key == row.key);
        match unhanded {
            Some(at) if pending => self.unhanded[at] = row.clone(),
            Some(at) => {
                self.unhanded.remove(at);
                self.covered -= usize::from(at < self.covered);
                self.settle(row.key.clone());
            }
            None if !pending => self.settle(row.key.clone()),
            None if !self.known.contains(&row.key) => self.unhanded.push(row.clone()),
            None => {}
        }
    }

    /// All that is new is being written.
    pub fn cover(&mut self) {
        self.covered = self.unhanded.len();
    }

    /// What was being written is.
    pub fn covered(&mut self) -> Vec<OutboxRow> {
        self.hand_on(self.covered)
    }

    /// Everything that is new, written or not.
    pub fn all(&mut self) -> Vec<OutboxRow> {
        self.hand_on(self.unhanded.len())
    }

    fn hand_on(&mut self, number: usize) -> Vec<OutboxRow> {
        let rows: Vec<_> = self.unhanded.drain(..number).collect();
        self.covered = self.covered.saturating_sub(number);
        self.known.extend(rows.iter().map(|row| row.key.clone()));
        rows
    }

    fn settle(&mut self, key: String) {
        self.known.insert(key.clone());
        self.settled.push_back(key);
        while self.settled.len() > SETTLED_MAX {
            if let Some(old) = self.settled.pop_front() {
                self.known.remove(&old);
            }
        }
    }
}
