//! Every row that is remembered, and which of them belong together: the same message on several channels (a family),
//! messages about the same episode, messages to the same contact.

use super::lane::Spot;
use super::row::rank;
use crate::alert::{Kind, Severity};
use crate::store::{OutboxRow, RowState};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

pub(super) type Id = u64;

/// A row and what is known of it in this process only.
#[derive(Debug)]
pub(super) struct Entry {
    pub row: OutboxRow,
    pub under_way: bool,
    /// It may have been sent as it is: its text must not change any more.
    pub frozen: bool,
    /// Where it stands in its lane.
    pub place: Option<(Spot, Timestamp)>,
    /// When something is to be done about it even if its channel does nothing.
    pub alarm: Option<Timestamp>,
    /// Since when nothing but its channel keeps it.
    pub tryable: Option<Timestamp>,
}

impl Entry {
    pub(super) fn is_pending(&self) -> bool {
        self.row.state == RowState::Pending
    }

    pub(super) fn kind(&self) -> Kind {
        self.row.notice.kind
    }

    pub(super) fn is_page(&self) -> bool {
        self.row.notice.severity == Severity::Page
    }

    pub(super) fn is_digest(&self) -> bool {
        self.row.notice.id.starts_with(DIGEST)
    }

    pub(super) fn contact(&self) -> &str {
        &self.row.notice.contact
    }

    pub(super) fn episodes(&self) -> impl Iterator<Item = &str> {
        self.row.notice.alerts.iter().map(|alert| alert.episode.as_str())
    }

    pub(super) fn is_about(&self, episode: &str) -> bool {
        self.episodes().any(|own| own == episode)
    }

    /// All that it is about, the other is about too.
    pub(super) fn is_covered_by(&self, other: &Entry) -> bool {
        self.row.notice.more == 0 && self.episodes().all(|own| other.is_about(own))
    }

    /// Messages about one episode go in this order.
    fn order(&self) -> (u8, Timestamp, &str) {
        (rank(self.kind()), self.row.created, &self.row.key)
    }
}

/// Ids of notices that this module makes begin so.
pub(super) const DIGEST: &str = "digest/";

/// What keeps a message from being tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Barrier {
    Free,
    /// The same message is under way on another channel, or an earlier one for somebody else waits on this channel.
    Others,
    /// The same contact is to be told something else before.
    Own,
}

/// What a contact knows of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Told, by this row where it is remembered which; or so long ago that it is not remembered at all.
    Yes(Option<Id>),
    /// Not yet.
    Pending,
    /// And never will be: refused, or expired.
    Never,
}

type Family = (Arc<str>, Arc<str>);

#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: HashMap<Id, Entry>,
    keys: HashMap<Arc<str>, Id>,
    episodes: HashMap<Arc<str>, BTreeSet<Id>>,
    families: HashMap<Family, Vec<Id>>,
    next: Id,
}

fn family(row: &OutboxRow) -> Family {
    (row.notice.id.as_str().into(), row.notice.contact.as_str().into())
}

impl Ledger {
    /// None where the key is known already.
    pub(super) fn insert(&mut self, row: OutboxRow, frozen: bool) -> Option<Id> {
        if self.keys.contains_key(row.key.as_str()) {
            return None;
        }
        let id = self.next;
        self.next += 1;
        self.keys.insert(row.key.as_str().into(), id);
        self.families.entry(family(&row)).or_default().push(id);
        for alert in &row.notice.alerts {
            self.episodes.entry(alert.episode.as_str().into()).or_default().insert(id);
        }
        let entry = Entry { row, under_way: false, frozen, place: None, alarm: None, tryable: None };
        self.entries.insert(id, entry);
        Some(id)
    }

    pub(super) fn forget(&mut self, id: Id) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.keys.remove(entry.row.key.as_str());
        let family = family(&entry.row);
        if let Some(members) = self.families.get_mut(&family) {
            members.retain(|member| *member != id);
            if members.is_empty() {
                self.families.remove(&family);
            }
        }
        self.unindex(id, &entry.row);
    }

    /// Another row of the same key, which may be about other episodes.
    pub(super) fn replace(&mut self, id: Id, row: OutboxRow) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let before = std::mem::replace(&mut entry.row, row);
        self.unindex(id, &before);
        if let Some(entry) = self.entries.get(&id) {
            for alert in &entry.row.notice.alerts {
                self.episodes.entry(alert.episode.as_str().into()).or_default().insert(id);
            }
        }
    }

    fn unindex(&mut self, id: Id, row: &OutboxRow) {
        for alert in &row.notice.alerts {
            if let Some(about) = self.episodes.get_mut(alert.episode.as_str()) {
                about.remove(&id);
                if about.is_empty() {
                    self.episodes.remove(alert.episode.as_str());
                }
            }
        }
    }

    pub(super) fn id(&self, key: &str) -> Option<Id> {
        self.keys.get(key).copied()
    }

    pub(super) fn get(&self, id: Id) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    /// In the order in which they were added.
    pub(super) fn ids(&self) -> Vec<Id> {
        let mut ids: Vec<Id> = self.entries.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// The same message on all its channels.
    pub(super) fn family(&self, id: Id) -> &[Id] {
        let found = self.get(id).and_then(|entry| self.families.get(&family(&entry.row)));
        found.map_or(&[], Vec::as_slice)
    }

    pub(super) fn about(&self, episode: &str) -> impl Iterator<Item = (Id, &Entry)> {
        let ids = self.episodes.get(episode).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.get(*id)?)))
    }

    /// All that may be moved by what happens to this one: its family, and what is pending about the same episodes.
    pub(super) fn related(&self, id: Id) -> BTreeSet<Id> {
        let mut related: BTreeSet<Id> = self.family(id).iter().copied().collect();
        if let Some(entry) = self.get(id) {
            for episode in entry.episodes() {
                related.extend(self.about(episode).filter(|(_, other)| other.is_pending()).map(|(id, _)| id));
            }
        }
        related.insert(id);
        related
    }

    pub(super) fn barrier(&self, id: Id) -> Barrier {
        let Some(entry) = self.get(id) else { return Barrier::Own };
        let family = self.family(id);
        let is_under_way = |id: &Id| self.get(*id).is_some_and(|entry| entry.under_way);
        let mut barrier = if family.iter().any(is_under_way) { Barrier::Others } else { Barrier::Free };
        for episode in entry.episodes() {
            for (other_id, other) in self.about(episode) {
                let before =
                    other.is_pending() && other.order() < entry.order() && !family.contains(&other_id);
                // What wakes somebody does not wait for what may wait; only an end always does.
                let before =
                    before && (entry.kind() == Kind::Resolved || other.is_page() || !entry.is_page());
                if before && other.contact() == entry.contact() {
                    return Barrier::Own;
                }
                if before && other.row.channel == entry.row.channel {
                    barrier = Barrier::Others;
                }
            }
        }
        barrier
    }

    /// What the contact knows of the beginning of an episode. What is made part of another message is told by that
    /// one: where it does not name the episode (a digest names some and counts the others) it is taken as told.
    pub(super) fn told(&self, contact: &str, episode: &str) -> Told {
        let (mut pending, mut never) = (false, false);
        let mut delivered: Option<Id> = None;
        for (id, entry) in self.about(episode) {
            if entry.contact() != contact || entry.kind() == Kind::Resolved {
                continue;
            }
            match entry.row.state {
                RowState::Delivered => {
                    let first = delivered
                        .and_then(|id| self.get(id))
                        .is_none_or(|first| entry.order() < first.order());
                    delivered = if first { Some(id) } else { delivered };
                }
                RowState::Pending => pending = true,
                RowState::Refused | RowState::Expired => never = true,
                RowState::Merged => {}
            }
        }
        match (delivered, pending, never) {
            (Some(id), _, _) => Told::Yes(Some(id)),
            (None, true, _) => Told::Pending,
            (None, false, true) => Told::Never,
            _ => Told::Yes(None),
        }
    }

    /// Whether the contact is told, or to be told, that it is over.
    pub(super) fn is_over(&self, contact: &str, episode: &str) -> bool {
        self.about(episode).any(|(_, entry)| entry.contact() == contact && entry.kind() == Kind::Resolved)
    }

    /// Rows of the contact about an episode that tell that it is there, not that it is over.
    pub(super) fn beginnings<'a>(
        &'a self,
        contact: &'a str,
        episode: &'a str,
    ) -> impl Iterator<Item = (Id, &'a Entry)> {
        self.about(episode).filter(move |(_, entry)| {
            entry.contact() == contact && entry.kind() != Kind::Resolved && entry.is_pending()
        })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
