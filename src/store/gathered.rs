//! Batches that wait, merged: later rows replace earlier ones with the same key. Pure.
//!
//! While the disk is ill this is all there is, so it has bounds. What is measured is given up first, the oldest of
//! it; what was promised (alerts, messages, silences, cursors) is never given up before it is settled.

use super::{
    AlertRow, Batch, CursorRow, Day, DayRow, EpisodeRow, HistogramRow, OutboxRow, RowState, Slice, SliceRow,
};
use crate::fact::Silence;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Sixteen hours of a hundred checks; some 30 MB.
const HISTOGRAMS_MAX: usize = 100_000;
/// A day of two hundred objectives; some 30 MB.
const SLICES_MAX: usize = 300_000;
const FACT_BYTES_MAX: usize = 8 << 20;
/// Episodes that are over, and messages that are settled: history.
const HISTORY_MAX: usize = 4096;

/// Everything that is not written yet, by key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gathered {
    pub(super) alerts: BTreeMap<Arc<str>, Option<String>>,
    pub(super) episodes: BTreeMap<String, (Arc<str>, EpisodeRow)>,
    pub(super) silences: BTreeMap<String, Silence>,
    /// With the order in which they came.
    pub(super) outbox: BTreeMap<String, (u64, OutboxRow)>,
    pub(super) slices: BTreeMap<(u32, Arc<str>, u64), Slice>,
    pub(super) days: BTreeMap<(u32, Arc<str>, u64), Day>,
    pub(super) histograms: BTreeMap<(u32, Arc<str>), HistogramRow>,
    pub(super) cursors: BTreeMap<Arc<str>, Timestamp>,
    pub(super) facts: VecDeque<(Timestamp, String)>,
    next: u64,
}

impl From<Batch> for Gathered {
    fn from(batch: Batch) -> Gathered {
        let mut gathered = Gathered::default();
        gathered.add(batch);
        gathered
    }
}

impl Gathered {
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    pub fn rows(&self) -> usize {
        self.promises() + self.slices.len() + self.days.len() + self.histograms.len() + self.facts.len()
    }

    /// Rows that somebody relies on: they are not kept waiting for company.
    pub fn promises(&self) -> usize {
        self.alerts.len() + self.episodes.len() + self.silences.len() + self.outbox.len() + self.cursors.len()
    }

    pub fn add(&mut self, batch: Batch) {
        for AlertRow { key, state, episode } in batch.alerts {
            if let Some(episode) = episode {
                self.episodes.insert(episode.episode.clone(), (key.clone(), episode));
            }
            self.alerts.insert(key, state);
        }
        self.silences.extend(batch.silences.into_iter().map(|silence| (silence.id.clone(), silence)));
        for row in batch.outbox {
            let order = self.outbox.get(&row.key).map_or(self.next, |(order, _)| *order);
            self.next = self.next.max(order + 1);
            self.outbox.insert(row.key.clone(), (order, row));
        }
        for SliceRow { objective, generation, slice } in batch.slices {
            self.slices.insert((slice.minute, objective, generation), slice);
        }
        for DayRow { objective, generation, day } in batch.days {
            self.days.insert((day.day, objective, generation), day);
        }
        for row in batch.histograms {
            self.histograms.insert((row.minute, row.check.clone()), row);
        }
        self.cursors.extend(batch.cursors.into_iter().map(|CursorRow { check, to }| (check, to)));
        self.facts.extend(batch.facts);
    }

    /// Puts `newer` over this.
    pub fn over(&mut self, newer: Gathered) {
        self.alerts.extend(newer.alerts);
        self.episodes.extend(newer.episodes);
        self.silences.extend(newer.silences);
        let base = self.next;
        for (key, (order, row)) in newer.outbox {
            let order = self.outbox.get(&key).map_or(base + order, |(order, _)| *order);
            self.next = self.next.max(order + 1);
            self.outbox.insert(key, (order, row));
        }
        self.slices.extend(newer.slices);
        self.days.extend(newer.days);
        self.histograms.extend(newer.histograms);
        self.cursors.extend(newer.cursors);
        self.facts.extend(newer.facts);
    }

    /// Messages in the order in which they came.
    pub(super) fn outbox_in_order(&self) -> Vec<&OutboxRow> {
        let mut rows: Vec<_> = self.outbox.values().collect();
        rows.sort_by_key(|(order, _)| *order);
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Gives up the oldest of what is beyond the bounds. How many rows that were.
    pub fn bound(&mut self) -> usize {
        let before = self.rows();
        while self.histograms.len() > HISTOGRAMS_MAX {
            self.histograms.pop_first();
        }
        while self.slices.len() > SLICES_MAX {
            self.slices.pop_first();
        }
        let mut bytes: usize = self.facts.iter().map(|(_, lines)| lines.len()).sum();
        while bytes > FACT_BYTES_MAX {
            bytes -= self.facts.pop_front().map_or(bytes, |(_, lines)| lines.len());
        }
        if self.episodes.len() > HISTORY_MAX {
            let over = self.episodes.len() - HISTORY_MAX;
            let ended = self.episodes.iter().filter_map(|(id, (_, row))| Some((row.ended?, id.clone())));
            for id in oldest(ended.collect(), over) {
                self.episodes.remove(&id);
            }
        }
        if self.outbox.len() > HISTORY_MAX {
            let over = self.outbox.len() - HISTORY_MAX;
            let settled = self.outbox.iter().filter(|(_, (_, row))| row.state != RowState::Pending);
            let settled = settled.map(|(key, (_, row))| (row.settled.unwrap_or(row.created), key.clone()));
            for key in oldest(settled.collect(), over) {
                self.outbox.remove(&key);
            }
        }
        before - self.rows()
    }

    /// What must be written again where the file is a new one: the promises that this process knows of. Settled
    /// messages, ended episodes and forgotten alerts are none.
    pub fn keep_promises_of(&mut self, newer: &Gathered) {
        for (key, state) in &newer.alerts {
            match state {
                Some(_) => self.alerts.insert(key.clone(), state.clone()),
                None => self.alerts.remove(key),
            };
        }
        for (id, row) in &newer.episodes {
            match row.1.ended {
                None => self.episodes.insert(id.clone(), row.clone()),
                Some(_) => self.episodes.remove(id),
            };
        }
        for (id, silence) in &newer.silences {
            self.silences.insert(id.clone(), silence.clone());
        }
        for row in newer.outbox_in_order() {
            if row.state == RowState::Pending {
                self.next += 1;
                let order = self.outbox.get(&row.key).map_or(self.next, |(order, _)| *order);
                self.outbox.insert(row.key.clone(), (order, row.clone()));
            } else {
                self.outbox.remove(&row.key);
            }
        }
        self.cursors.extend(newer.cursors.iter().map(|(check, to)| (check.clone(), *to)));
    }

    /// Silences that are over are no promise any more.
    pub fn forget_ended(&mut self, now: Timestamp) {
        self.silences.retain(|_, silence| silence.until > now);
    }
}

/// The keys of the `number` oldest.
fn oldest(mut keyed: Vec<(Timestamp, String)>, number: usize) -> Vec<String> {
    keyed.sort();
    keyed.into_iter().take(number).map(|(_, key)| key).collect()
}
