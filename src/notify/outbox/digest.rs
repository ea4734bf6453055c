//! More than a channel takes: what is not a page becomes one message that names the first and counts the others.

use super::Outbox;
use super::ledger::{DIGEST, Entry, Id};
use super::row::hash;
use crate::alert::{Notice, Snapshot};
use crate::store::{OutboxRow, RowState};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// More than this nobody reads in one message.
const NAMED_MAX: usize = 20;

impl Outbox {
    /// Where a channel has sent its share: what waits for the same contact with the same kind of news becomes one.
    pub(super) fn collapse(&mut self, channel: &Arc<str>, now: Timestamp) {
        let ids = self.lanes.get_mut(channel).map(|lane| lane.overflow(now)).unwrap_or_default();
        let mut groups: BTreeMap<(&str, &str), Vec<Id>> = BTreeMap::new();
        for id in ids {
            if let Some(entry) = self.ledger.get(id) {
                groups.entry((entry.kind().as_str(), entry.contact())).or_default().push(id);
            }
        }
        let groups: Vec<Vec<Id>> = groups.into_values().collect();
        for group in groups {
            self.gather(group, now);
        }
        self.calm(now);
    }

    fn gather(&mut self, group: Vec<Id>, now: Timestamp) {
        let is = |id: &Id, test: fn(&Entry) -> bool| self.ledger.get(*id).is_some_and(test);
        let open = group.iter().copied().find(|id| is(id, |entry| entry.is_digest() && !entry.frozen));
        let single: Vec<Id> = group.into_iter().filter(|id| is(id, |entry| !entry.is_digest())).collect();
        if single.is_empty() || open.is_none() && single.len() < 2 {
            return;
        }
        let taken_in = single.iter().filter_map(|id| self.ledger.get(*id)).map(|entry| &entry.row);
        let Some(row) =
            digest(open.and_then(|id| self.ledger.get(id)).map(|entry| &entry.row), taken_in, now)
        else {
            return;
        };
        if let Some(id) = open {
            self.ledger.replace(id, row);
            self.dirty.insert(id);
            self.stirred.push(id);
        } else {
            // Its key is made from the first that it takes in, which is never taken in twice.
            let Some(id) = self.admit(row, now) else { return };
            self.dirty.insert(id);
        }
        for id in single {
            for member in self.ledger.family(id).to_vec() {
                self.settle(member, RowState::Merged, None, now);
            }
        }
    }
}

/// One row from many, or from one that took some in already.
fn digest<'a>(
    open: Option<&'a OutboxRow>,
    rows: impl Iterator<Item = &'a OutboxRow> + Clone,
    now: Timestamp,
) -> Option<OutboxRow> {
    let first = open.or_else(|| rows.clone().next())?;
    let all = || open.into_iter().chain(rows.clone());
    let (named, more) = named(all().map(|row| &*row.notice));
    let key = match open {
        Some(open) => open.key.clone(),
        None => {
            hash(&["digest", first.notice.kind.as_str(), &first.notice.contact, &first.channel, &first.key])
        }
    };
    let id = format!("{DIGEST}{key}");
    let notice = Notice {
        thread: id.clone(),
        id,
        kind: first.notice.kind,
        at: now,
        severity: all().map(|row| row.notice.severity).max()?,
        contact: first.notice.contact.clone(),
        alerts: named,
        more,
        merged: all().all(|row| row.notice.merged),
        backup: None,
    };
    Some(OutboxRow {
        thread: key.clone(),
        key,
        channel: first.channel.clone(),
        backups: first.backups.clone(),
        notice: Arc::new(notice),
        state: RowState::Pending,
        created: open.map_or(now, |open| open.created),
        not_before: now,
        expires: all().map(|row| row.expires).max()?,
        attempts: 0,
        error: None,
        settled: None,
    })
}

/// The first ones, the gravest of them first, and how many others there are.
fn named<'a>(notices: impl Iterator<Item = &'a Notice>) -> (Vec<Snapshot>, u32) {
    let mut named: Vec<Snapshot> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut more = 0_u32;
    for notice in notices {
        more = more.saturating_add(notice.more);
        for alert in notice.alerts.iter().filter(|alert| seen.insert(alert.episode.clone())) {
            if named.len() < NAMED_MAX {
                named.push(alert.clone());
            } else {
                more = more.saturating_add(1);
            }
        }
    }
    named.sort_by_key(|alert| std::cmp::Reverse(alert.severity));
    (named, more)
}
