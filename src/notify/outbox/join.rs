//! Messages that make others needless: an end and a beginning that nobody was told of are one message, and what goes
//! on is not told before it is told that it began.

use super::Outbox;
use super::ledger::{Entry, Id, Told};
use crate::alert::{Kind, Notice};
use crate::store::RowState;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Outbox {
    /// Looks at a message that was never tried: what it makes needless, what makes it needless, and where it belongs.
    ///
    /// A beginning that was tried may have been taken without saying so. It is merged all the same: being told
    /// "was down from … to …" after all is better than waiting for a channel that does not answer.
    pub(super) fn join(&mut self, id: Id, now: Timestamp) {
        let Some(entry) = self.ledger.get(id) else { return };
        if !entry.is_pending() || entry.under_way || entry.row.attempts > 0 || entry.is_digest() {
            return;
        }
        match entry.kind() {
            Kind::Resolved => self.join_end(id, now),
            Kind::Escalated => self.overtake(id, now),
            Kind::Reminder => self.join_reminder(id, now),
            Kind::Firing | Kind::Flapping | Kind::Test => return,
        }
        self.follow(id, now);
    }

    /// What is pending and tells the same contact that something is there which this is about too.
    fn beginnings(&self, id: Id) -> Vec<(Id, &Entry)> {
        let Some(entry) = self.ledger.get(id) else { return Vec::new() };
        let family = self.ledger.family(id);
        let mut seen = BTreeSet::new();
        let found = entry.episodes().flat_map(|episode| self.ledger.beginnings(entry.contact(), episode));
        found.filter(|(other, _)| !family.contains(other) && seen.insert(*other)).collect()
    }

    fn is_told(&self, entry: &Entry) -> bool {
        entry.episodes().all(|episode| matches!(self.ledger.told(entry.contact(), episode), Told::Yes(_)))
    }

    fn join_end(&mut self, id: Id, now: Timestamp) {
        let Some(entry) = self.ledger.get(id) else { return };
        let beginnings = self.beginnings(id);
        // What is under way may be told in a moment; its end comes back here.
        if beginnings.iter().any(|(_, other)| other.under_way) {
            return;
        }
        let untold = |episode: &str| !matches!(self.ledger.told(entry.contact(), episode), Told::Yes(_));
        let nobody_knows = entry.episodes().all(untold);
        let (needless, kept): (Vec<_>, Vec<_>) = beginnings
            .into_iter()
            .partition(|(_, other)| other.is_covered_by(entry) && (nobody_knows || self.is_told(other)));
        let merged = nobody_knows && kept.is_empty();
        if nobody_knows && !merged {
            // Only some of a group have ended: both are told, in order.
            return;
        }
        let needless: Vec<Id> = needless.into_iter().map(|(other, _)| other).collect();
        self.merge(needless, now);
        if merged {
            self.change(id, |notice| notice.merged = true);
            self.begins_thread(id);
        }
    }

    /// It matters more than what was to be told, so that need not be told first.
    fn overtake(&mut self, id: Id, now: Timestamp) {
        let Some(entry) = self.ledger.get(id) else { return };
        let nobody_knows = !self.is_told(entry);
        let older = |other: &Entry| other.kind() == Kind::Firing || other.row.created <= entry.row.created;
        let needless: Vec<Id> = self
            .beginnings(id)
            .into_iter()
            .filter(|(_, other)| !other.under_way && older(other) && other.is_covered_by(entry))
            .map(|(other, _)| other)
            .collect();
        if needless.is_empty() {
            return;
        }
        self.merge(needless, now);
        if nobody_knows {
            self.begins_thread(id);
        }
    }

    /// "It goes on" says nothing to whom "it has begun" is still to be said; and of two reminders one is enough.
    fn join_reminder(&mut self, id: Id, now: Timestamp) {
        let Some(entry) = self.ledger.get(id) else { return };
        let beginnings = self.beginnings(id);
        let is_beginning = |other: &Entry| other.kind() != Kind::Reminder && !other.is_digest();
        if beginnings.iter().any(|(_, other)| is_beginning(other) && entry.is_covered_by(other)) {
            self.settle(id, RowState::Merged, None, now);
            return;
        }
        let older = |other: &Entry| other.kind() == Kind::Reminder && other.row.created <= entry.row.created;
        let needless = beginnings
            .into_iter()
            .filter(|(_, other)| !other.under_way && older(other) && other.is_covered_by(entry))
            .map(|(other, _)| other);
        self.merge(needless.collect(), now);
    }

    fn merge(&mut self, needless: Vec<Id>, now: Timestamp) {
        for id in needless {
            self.settle(id, RowState::Merged, None, now);
        }
    }

    /// Goes where its beginning was told, into the same thread. The channel that it was meant for becomes its backup.
    fn follow(&mut self, id: Id, now: Timestamp) {
        let Some(entry) = self.ledger.get(id).filter(|entry| entry.is_pending()) else { return };
        let told = entry.episodes().find_map(|episode| match self.ledger.told(entry.contact(), episode) {
            Told::Yes(told) => told,
            Told::Pending | Told::Never => None,
        });
        let Some(told) = told.and_then(|told| self.ledger.get(told)) else { return };
        let (target, thread) = (told.row.channel.clone(), told.row.thread.clone());
        if target == entry.row.channel {
            if thread != entry.row.thread {
                self.set_thread(id, thread);
            }
            return;
        }
        let has = |member: &Id| self.ledger.get(*member).is_some_and(|entry| entry.row.channel == target);
        let is_copy = entry.row.notice.backup.is_some();
        if is_copy || !self.lanes.contains_key(&target) || self.ledger.family(id).iter().any(has) {
            return;
        }
        let others = entry.row.backups.iter().filter(|backup| **backup != target);
        let backups = [&entry.row.channel].into_iter().chain(others).cloned().collect();
        if self.pass_on(id, (target.clone(), backups), "which told the beginning", now) {
            self.settle(id, RowState::Merged, None, now);
            if let Some(copy) =
                self.ledger.family(id).iter().copied().find(|member| self.channel(*member) == target)
            {
                self.set_thread(copy, thread);
            }
        }
    }

    fn begins_thread(&mut self, id: Id) {
        if let Some(key) = self.ledger.get(id).map(|entry| entry.row.key.clone()) {
            self.set_thread(id, key);
        }
    }

    fn set_thread(&mut self, id: Id, thread: String) {
        if let Some(entry) = self.ledger.get_mut(id) {
            entry.row.thread = thread;
            self.dirty.insert(id);
        }
    }

    fn change(&mut self, id: Id, change: impl FnOnce(&mut Notice)) {
        if let Some(entry) = self.ledger.get_mut(id) {
            change(Arc::make_mut(&mut entry.row.notice));
            self.dirty.insert(id);
        }
    }
}
