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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Kind, Notice, Severity};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a moment")
    }

    fn message(key: &str, settled: Option<i64>) -> OutboxRow {
        let notice = Notice {
            id: String::new(),
            kind: Kind::Firing,
            at: at(0),
            severity: Severity::Page,
            contact: String::new(),
            alerts: Vec::new(),
            more: 0,
            thread: String::new(),
            merged: false,
            backup: None,
        };
        OutboxRow {
            key: key.to_owned(),
            thread: key.to_owned(),
            channel: "mail".into(),
            backups: Vec::new(),
            notice: Arc::new(notice),
            state: if settled.is_some() { RowState::Delivered } else { RowState::Pending },
            created: at(0),
            not_before: at(0),
            expires: at(0),
            attempts: 0,
            error: None,
            settled: settled.map(at),
        }
    }

    fn messages(rows: &[(&str, Option<i64>)]) -> Gathered {
        let outbox = rows.iter().map(|(key, settled)| message(key, *settled)).collect();
        Gathered::from(Batch { outbox, ..Batch::default() })
    }

    fn alert(key: &str, state: Option<&str>, ended: Option<i64>) -> AlertRow {
        let episode = EpisodeRow {
            episode: format!("{key}@{ended:?}"),
            severity: Severity::Page,
            title: String::new(),
            summary: String::new(),
            fired: at(0),
            ended: ended.map(at),
        };
        AlertRow { key: key.into(), state: state.map(str::to_owned), episode: Some(episode) }
    }

    fn slice(minute: u32, good: u32) -> SliceRow {
        let slice = Slice { minute, good, bad: 0, excluded: false };
        SliceRow { objective: "site".into(), generation: 1, slice }
    }

    fn keys(gathered: &Gathered) -> Vec<&str> {
        gathered.outbox_in_order().into_iter().map(|row| row.key.as_str()).collect()
    }

    #[test]
    fn later_rows_replace_earlier_ones_and_keep_their_place() {
        let mut older = messages(&[("c", None), ("a", None)]);
        older.add(Batch {
            alerts: vec![alert("x", Some("1"), Some(5))],
            slices: vec![slice(7, 1)],
            ..Batch::default()
        });
        let mut newer = messages(&[("b", None), ("c", Some(9))]);
        newer.add(Batch {
            alerts: vec![alert("x", None, None)],
            slices: vec![slice(7, 2)],
            ..Batch::default()
        });
        older.over(newer);
        assert_eq!(keys(&older), ["c", "a", "b"]);
        assert_eq!(older.outbox["c"].1.settled, Some(at(9)));
        assert_eq!(older.alerts[&Arc::from("x")], None);
        assert_eq!(older.episodes.len(), 2, "of one alert, both lives are history");
        assert_eq!(older.slices.values().map(|slice| slice.good).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn what_was_measured_is_given_up_and_the_oldest_of_it_first() {
        let mut gathered = messages(&[("a", None)]);
        let many = u32::try_from(SLICES_MAX).expect("a number") + 5;
        gathered
            .add(Batch { slices: (0..many).map(|minute| slice(minute, 1)).collect(), ..Batch::default() });
        for number in 0..10 {
            gathered.add(Batch { facts: Some((at(number), "x".repeat(1 << 20))), ..Batch::default() });
        }
        assert_eq!(gathered.bound(), 5 + 2);
        assert_eq!(gathered.bound(), 0);
        assert_eq!(gathered.slices.keys().next().map(|key| key.0), Some(5));
        assert_eq!(gathered.facts.front().map(|(from, _)| *from), Some(at(2)));
        assert_eq!(keys(&gathered), ["a"]);
    }

    #[test]
    fn messages_that_wait_are_never_given_up() {
        let mut gathered = Gathered::default();
        for number in (0..).take(HISTORY_MAX + 100) {
            gathered.over(messages(&[
                (&format!("waits-{number}"), None),
                (&format!("told-{number}"), Some(number)),
            ]));
        }
        gathered.bound();
        let waiting = gathered.outbox.values().filter(|(_, row)| row.state == RowState::Pending).count();
        assert_eq!(waiting, HISTORY_MAX + 100);
        assert_eq!(gathered.outbox.len(), waiting, "what is settled goes before");
    }

    #[test]
    fn promises_are_what_is_not_over() {
        let mut promised = Gathered::default();
        let mut newer = messages(&[("a", None), ("b", None)]);
        newer.add(Batch {
            alerts: vec![alert("x", Some("1"), None), alert("y", Some("1"), None)],
            cursors: vec![CursorRow { check: "payments".into(), to: at(3) }],
            slices: vec![slice(1, 1)],
            ..Batch::default()
        });
        promised.keep_promises_of(&newer);
        let mut newer = messages(&[("a", Some(4)), ("c", None), ("b", None)]);
        newer.add(Batch { alerts: vec![alert("y", None, None)], ..Batch::default() });
        promised.keep_promises_of(&newer);
        assert_eq!(keys(&promised), ["b", "c"]);
        assert_eq!(promised.alerts.keys().map(|key| &**key).collect::<Vec<_>>(), ["x"]);
        assert_eq!((promised.cursors.len(), promised.slices.len()), (1, 0));
    }
}
