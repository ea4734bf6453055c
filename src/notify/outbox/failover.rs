//! When a channel can't deliver: the same message through the next one, once for each.

use super::Outbox;
use super::ledger::{Entry, Id, Told};
use super::row::{between, copy, later, patience};
use crate::alert::Kind;
use crate::store::{OutboxRow, RowState};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The backup is tried first: while it is, this one is not.
const ROOM: Duration = Duration::from_secs(5);

/// A try that could still be under way when it is time for the next channel would delay that one: it comes after.
pub(super) fn leave_room(row: &OutboxRow, again: Timestamp, timeout: Option<Duration>) -> Timestamp {
    let fails_over = later(row.created, patience(row.notice.severity));
    let ends = later(again, timeout.unwrap_or_default());
    let in_the_way = !row.backups.is_empty() && again <= fails_over && fails_over < ends;
    if in_the_way { later(fails_over, ROOM) } else { again }
}

impl Outbox {
    /// Sends the message through the next channel too; its own keeps trying while it is pending. False where there is
    /// no other channel.
    pub(super) fn fail_over(&mut self, id: Id, now: Timestamp) -> bool {
        let Some(entry) = self.ledger.get_mut(id) else { return false };
        if entry.row.backups.is_empty() {
            return false;
        }
        let backups = std::mem::take(&mut entry.row.backups);
        self.dirty.insert(id);
        let mut left = self.usable(id, backups).into_iter();
        let (Some(next), Some(entry)) = (left.next(), self.ledger.get(id)) else { return false };
        let waited = between(entry.row.created, now).as_secs();
        let why =
            entry.row.error.clone().unwrap_or_else(|| format!("it has not taken it for {waited} seconds"));
        let why = format!("\"{}\" can't deliver: {why}", entry.row.channel);
        if !self.pass_on(id, (next, left.collect()), &why, now) {
            return false;
        }
        self.unplace(id);
        if let Some(entry) = self.ledger.get_mut(id).filter(|entry| entry.is_pending()) {
            entry.row.not_before = entry.row.not_before.max(later(now, ROOM));
        }
        self.stirred.push(id);
        true
    }

    /// The same message for another channel, which has `backups` left.
    pub(super) fn pass_on(
        &mut self,
        id: Id,
        (channel, backups): (Arc<str>, Vec<Arc<str>>),
        why: &str,
        now: Timestamp,
    ) -> bool {
        let Some(entry) = self.ledger.get(id) else { return false };
        let members = self.ledger.family(id).iter().filter_map(|member| self.ledger.get(*member));
        let root = members.clone().find(|member| member.row.notice.backup.is_none()).unwrap_or(entry);
        let mut row = copy(&entry.row, &root.row, channel, why);
        (row.created, row.not_before, row.backups) = (now, now, backups);
        let passed = match self.ledger.id(&row.key) {
            None => self.admit(row, now),
            // It was given up there before.
            Some(known) => self.reopen(known, row),
        };
        // From now on all say the same, whatever else a digest could take in.
        for id in passed.into_iter().chain([id]) {
            if let Some(entry) = self.ledger.get_mut(id) {
                entry.frozen = true;
            }
        }
        self.dirty.extend(passed);
        passed.is_some()
    }

    /// A settled row begins again; what was delivered or is under way never does.
    fn reopen(&mut self, id: Id, row: OutboxRow) -> Option<Id> {
        let entry = self.ledger.get_mut(id)?;
        if !is_given_up(entry) {
            return None;
        }
        entry.tryable = None;
        self.ledger.replace(id, row);
        self.enter(id);
        self.dirty.insert(id);
        self.stirred.push(id);
        Some(id)
    }

    /// Those that are there and are not trying this message, nor have delivered it.
    fn usable(&self, id: Id, channels: Vec<Arc<str>>) -> Vec<Arc<str>> {
        let own = self.channel(id);
        let has = |channel: &Arc<str>| {
            let mut members = self.ledger.family(id).iter().filter_map(|member| self.ledger.get(*member));
            *channel == own || members.any(|entry| entry.row.channel == *channel && !is_given_up(entry))
        };
        channels.into_iter().filter(|channel| self.lanes.contains_key(channel) && !has(channel)).collect()
    }

    /// The channel will never take it.
    pub(super) fn refuse(&mut self, id: Id, why: String, now: Timestamp) {
        self.settle(id, RowState::Refused, Some(why), now);
        if !self.fail_over(id, now) {
            self.mourn(id);
        }
    }

    /// There is no such channel any more: the next one, or what the contact has now.
    pub(super) fn evict(&mut self, id: Id, now: Timestamp) {
        let Some(entry) = self.ledger.get(id).filter(|entry| entry.is_pending() && !entry.under_way) else {
            return;
        };
        let why = format!("there is no channel \"{}\" any more", entry.row.channel);
        let contact = self.alerting.contacts.get(entry.contact());
        let mut channels = entry.row.backups.clone();
        for channel in contact.into_iter().flat_map(|contact| &contact.channels) {
            if !channels.contains(channel) {
                channels.push(channel.clone());
            }
        }
        if let Some(entry) = self.ledger.get_mut(id) {
            entry.row.backups = channels;
        }
        self.refuse(id, why, now);
    }

    /// Somebody may have mended these channels: what they refused, and nobody was told, is tried again. Ends first,
    /// which then tell the beginning too; a beginning only of what has not ended.
    pub(super) fn revive(&mut self, mended: &BTreeSet<Arc<str>>, now: Timestamp) {
        for id in self.ledger.ids() {
            let row = self.revivable(id, mended, now).filter(|row| row.notice.kind == Kind::Resolved);
            if let Some(row) = row {
                self.reopen(id, row);
            }
        }
        self.calm(now);
        for id in self.ledger.ids() {
            let Some(mut row) = self.revivable(id, mended, now) else { continue };
            let notice = Arc::make_mut(&mut row.notice);
            if !matches!(notice.kind, Kind::Firing | Kind::Escalated | Kind::Flapping) {
                continue;
            }
            let (contact, ledger) = (notice.contact.clone(), &self.ledger);
            let is_news = |episode: &str| {
                ledger.told(&contact, episode) == Told::Never && !ledger.is_over(&contact, episode)
            };
            notice.alerts.retain(|alert| is_news(&alert.episode));
            if !notice.alerts.is_empty() {
                self.reopen(id, row);
            }
        }
        self.calm(now);
    }

    /// As it would be tried again. What nobody was told has no other row that is pending, delivered or merged.
    fn revivable(&self, id: Id, mended: &BTreeSet<Arc<str>>, now: Timestamp) -> Option<OutboxRow> {
        let row = &self.ledger.get(id)?.row;
        if row.state != RowState::Refused || row.expires <= now || !mended.contains(&row.channel) {
            return None;
        }
        let family = self.ledger.family(id).iter().filter_map(|member| self.ledger.get(*member));
        if family.clone().any(|member| !is_given_up(member) || member.row.state == RowState::Merged) {
            return None;
        }
        let channels = family.map(|member| &member.row.channel);
        let backups =
            channels.filter(|channel| mended.contains(*channel) && **channel != row.channel).cloned();
        let (state, backups) = (RowState::Pending, backups.collect());
        Some(OutboxRow { attempts: 0, state, settled: None, backups, ..row.clone() })
    }
}

/// Settled without being told by it.
fn is_given_up(entry: &Entry) -> bool {
    !entry.under_way && matches!(entry.row.state, RowState::Refused | RowState::Expired | RowState::Merged)
}
