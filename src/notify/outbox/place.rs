//! Where a row stands: in its channel's line, behind something, or settled; and when it needs a look.

use super::lane::Spot;
use super::ledger::{Barrier, Id};
use super::row::{later, patience, rank};
use super::{Fate, Outbox};
use crate::alert::Kind;
use crate::store::{OutboxRow, RowState};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// How long settled rows are remembered: as long as the store does.
const REMEMBERED: Duration = Duration::from_hours(24);

/// How long it is remembered where the beginning of an episode was told that does not end.
const REMEMBERED_OPEN: Duration = Duration::from_hours(30 * 24);

impl Outbox {
    /// Takes a row in. It is on its way when [`Outbox::calm`] has looked at it.
    pub(super) fn admit(&mut self, row: OutboxRow, now: Timestamp) -> Option<Id> {
        let known = self.lanes.contains_key(&row.channel);
        let id = self.ledger.insert(row, false)?;
        self.enter(id);
        self.stirred.push(id);
        if !known {
            self.evict(id, now);
        }
        Some(id)
    }

    pub(super) fn channel(&self, id: Id) -> Arc<str> {
        self.ledger.get(id).map_or_else(|| "".into(), |entry| entry.row.channel.clone())
    }

    /// Books a pending row where its age and its kind are asked for.
    pub(super) fn enter(&mut self, id: Id) {
        let Some(entry) = self.ledger.get(id).filter(|entry| entry.is_pending()) else { return };
        if entry.is_page() {
            self.pages.insert((entry.row.created, id));
        }
        if let Some(lane) = self.lanes.get_mut(&entry.row.channel) {
            lane.pending.insert((entry.row.created, id));
            if entry.is_digest() {
                lane.digests.insert(id);
            }
        }
    }

    pub(super) fn leave(&mut self, id: Id) {
        let Some(entry) = self.ledger.get(id) else { return };
        self.pages.remove(&(entry.row.created, id));
        if let Some(lane) = self.lanes.get_mut(&entry.row.channel) {
            lane.pending.remove(&(entry.row.created, id));
            lane.digests.remove(&id);
        }
    }

    /// The end of a pending row.
    pub(super) fn settle(&mut self, id: Id, state: RowState, error: Option<String>, now: Timestamp) {
        if !self.ledger.get(id).is_some_and(super::ledger::Entry::is_pending) {
            return;
        }
        self.unplace(id);
        self.leave(id);
        let Some(entry) = self.ledger.get_mut(id) else { return };
        entry.row.state = state;
        entry.row.settled = Some(now);
        match state {
            RowState::Delivered => entry.row.error = None,
            _ => entry.row.error = error.or_else(|| entry.row.error.take()),
        }
        self.dirty.insert(id);
        self.stirred.push(id);
        self.count(
            id,
            match state {
                RowState::Delivered => Fate::Delivered,
                RowState::Refused => Fate::Refused,
                RowState::Expired => Fate::Expired,
                RowState::Merged | RowState::Pending => Fate::Merged,
            },
        );
        if state == RowState::Expired {
            self.mourn(id);
        }
    }

    /// Looks again at all that is near what changed, until nothing changes any more.
    pub(super) fn calm(&mut self, now: Timestamp) {
        while let Some(id) = self.stirred.pop() {
            let mut related = self.ledger.related(id);
            let digest = self.ledger.get(id).filter(|entry| entry.is_digest() && !entry.is_pending());
            if let Some(lane) = digest.and_then(|entry| self.lanes.get_mut(&entry.row.channel)) {
                related.append(&mut lane.behind_digests);
            }
            for id in related {
                self.join(id, now);
                self.place(id, now);
            }
        }
    }

    pub(super) fn unplace(&mut self, id: Id) {
        let Some(entry) = self.ledger.get_mut(id) else { return };
        if let Some(at) = entry.alarm.take() {
            self.alarms.remove(&(at, id));
        }
        if let Some(lane) = self.lanes.get_mut(&entry.row.channel) {
            lane.behind_digests.remove(&id);
            if let Some((spot, not_before)) = entry.place.take() {
                lane.remove(spot, not_before);
            }
        }
        entry.place = None;
    }

    pub(super) fn place(&mut self, id: Id, now: Timestamp) {
        self.unplace(id);
        let barrier = self.barrier(id);
        let Some(entry) = self.ledger.get_mut(id) else { return };
        if entry.under_way {
            return;
        }
        let row = &entry.row;
        let alarm = if entry.is_pending() {
            entry.tryable = (barrier != Barrier::Own).then(|| entry.tryable.unwrap_or(now));
            let since = if row.attempts > 0 { Some(row.created) } else { entry.tryable };
            let impatient = since.filter(|_| barrier != Barrier::Own && !row.backups.is_empty());
            let fails_over = impatient.map(|since| later(since, patience(row.notice.severity)));
            fails_over.into_iter().chain([row.expires]).min()
        } else {
            row.settled.map(|at| later(at, REMEMBERED))
        };
        if let Some(at) = alarm {
            entry.alarm = Some(at);
            self.alarms.insert((at, id));
        }
        if barrier == Barrier::Free && entry.is_pending() {
            let (created, rank, page) = (entry.row.created, rank(entry.kind()), entry.is_page());
            let spot = Spot { created, rank, id, page };
            if let Some(lane) = self.lanes.get_mut(&entry.row.channel) {
                lane.insert(spot, entry.row.not_before, now);
                entry.place = Some((spot, entry.row.not_before));
            }
        }
    }

    /// Also an end behind a digest that may count its beginning without naming it.
    fn barrier(&mut self, id: Id) -> Barrier {
        let barrier = self.ledger.barrier(id);
        let Some(entry) = self.ledger.get(id) else { return barrier };
        if barrier != Barrier::Free
            || !entry.is_pending()
            || entry.is_page()
            || entry.kind() != Kind::Resolved
        {
            return barrier;
        }
        let Some(lane) = self.lanes.get_mut(&entry.row.channel) else { return barrier };
        let tells_beginnings = |digest: &Id| {
            let digest = self.ledger.get(*digest);
            digest
                .is_some_and(|digest| digest.kind() != Kind::Resolved && digest.contact() == entry.contact())
        };
        if !lane.digests.iter().any(tells_beginnings) {
            return barrier;
        }
        lane.behind_digests.insert(id);
        Barrier::Own
    }

    /// Its time has come: to expire, to use the next channel too, or to be forgotten.
    pub(super) fn alarm(&mut self, id: Id, now: Timestamp) {
        self.unplace(id);
        let Some(entry) = self.ledger.get_mut(id) else {
            self.alarms.retain(|(_, other)| *other != id);
            return;
        };
        if entry.is_pending() {
            if entry.row.expires <= now {
                self.settle(id, RowState::Expired, None, now);
            } else {
                self.fail_over(id, now);
            }
            self.stirred.push(id);
        } else if self.is_worth_remembering(id, now) {
            let at = later(now, REMEMBERED);
            self.alarms.insert((at, id));
            if let Some(entry) = self.ledger.get_mut(id) {
                entry.alarm = Some(at);
            }
        } else {
            self.ledger.forget(id);
        }
    }

    /// The row that says where an episode was told, while the episode goes on.
    fn is_worth_remembering(&self, id: Id, now: Timestamp) -> bool {
        let Some(entry) = self.ledger.get(id) else { return false };
        let old = entry.row.settled.is_none_or(|at| later(at, REMEMBERED_OPEN) <= now);
        let told_first = |episode: &str| {
            let told = self.ledger.told(entry.contact(), episode) == super::ledger::Told::Yes(Some(id));
            let ended = self.ledger.about(episode).any(|(_, other)| other.kind() == Kind::Resolved);
            told && !ended
        };
        !old && entry.row.state == RowState::Delivered && entry.episodes().any(told_first)
    }
}
