//! What is told together: groups that wait for each other, and storms.

use super::{Key, Kind, Severity, since};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// More new alerts than this for one contact within [`STORM`], and the next ones come as one summary.
const STORM_MIN: u32 = 10;
pub(super) const STORM: Duration = Duration::from_mins(1);

/// What is told in one message: equal groups wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) contact: Arc<str>,
    pub(super) kind: Kind,
    /// None in a storm, which takes all.
    pub(super) severity: Option<Severity>,
    /// Of tickets.
    pub(super) section: Option<String>,
    /// Of everything but beginnings.
    pub(super) thread: Option<String>,
    pub(super) merged: bool,
}

/// Groups that wait, by when the oldest of each has waited long enough.
#[derive(Debug, Default)]
pub(super) struct Queue {
    groups: BTreeMap<Group, BTreeSet<(Timestamp, Key)>>,
    due: BTreeSet<(Timestamp, Group)>,
    /// Where each alert stands in a group.
    dues: BTreeMap<(Group, Key), Timestamp>,
}

impl Queue {
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    fn change(&mut self, group: &Group, change: impl FnOnce(&mut BTreeSet<(Timestamp, Key)>)) {
        let members = self.groups.entry(group.clone()).or_default();
        if let Some((due, _)) = members.first() {
            self.due.remove(&(*due, group.clone()));
        }
        change(members);
        match members.first() {
            Some((due, _)) => self.due.insert((*due, group.clone())),
            None => self.groups.remove(group).is_some(),
        };
    }

    pub(super) fn join(&mut self, group: &Group, key: &Key, due: Timestamp) {
        self.leave(group, key);
        self.dues.insert((group.clone(), key.clone()), due);
        self.change(group, |members| {
            members.insert((due, key.clone()));
        });
    }

    pub(super) fn leave(&mut self, group: &Group, key: &Key) {
        if let Some(due) = self.dues.remove(&(group.clone(), key.clone())) {
            self.change(group, |members| {
                members.remove(&(due, key.clone()));
            });
        }
    }

    /// The first group that has waited until `at`, with all in it and until when each would wait by itself.
    pub(super) fn take(&mut self, at: Timestamp) -> Option<(Group, Vec<(Timestamp, Key)>)> {
        let (_, group) = self.due.first().filter(|(due, _)| *due <= at)?.clone();
        let members: Vec<(Timestamp, Key)> = self.groups.get(&group)?.iter().cloned().collect();
        for (_, key) in &members {
            self.leave(&group, key);
        }
        Some((group, members))
    }
}

/// How many new alerts one contact was told lately.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Storm(pub(super) VecDeque<(Timestamp, u32)>);

impl Storm {
    pub(super) fn rages(&self, at: Timestamp) -> bool {
        let recent = self.0.iter().filter(|(told, _)| since(at, *told) < STORM);
        recent.map(|(_, count)| *count).sum::<u32>() > STORM_MIN
    }

    pub(super) fn book(&mut self, at: Timestamp, count: usize) {
        self.0.retain(|(told, _)| since(at, *told) < STORM);
        self.0.push_back((at, u32::try_from(count).unwrap_or(u32::MAX)));
    }
}
