//! One alert and everything that must outlive the process: what is known, who was told, who is still to be told.

use super::tell::LEVELS_FROM;
use super::{Kind, Severity, Snapshot, after, since};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// After that an acknowledgement says nothing any more.
pub(super) const ACK_LASTS: Duration = Duration::from_hours(24);
/// After so many reminders there is one a day at most.
const REMINDERS_MAX: u32 = 10;
const DAY: Duration = Duration::from_hours(24);

/// An alert that is firing, or whose end is yet to be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Alert {
    /// What there is to say now. It is over when it has an end.
    pub(super) now: Snapshot,
    /// Of an objective: its condition is gone since, and was gone for so long in all before that was unknown.
    #[serde(default)]
    pub(super) well_since: Option<Timestamp>,
    #[serde(default)]
    pub(super) well_for: Duration,
    /// By contact. Whoever is in here is told of it, or was.
    pub(super) lines: BTreeMap<Arc<str>, Line>,
    #[serde(default)]
    pub(super) ack: Option<Ack>,
    /// What explains it has just ended; it is not told before.
    #[serde(default)]
    pub(super) not_before: Option<Timestamp>,
}

/// What one contact knows and is yet to be told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    #[serde(default)]
    pub(super) told: Option<Told>,
    #[serde(default)]
    pub(super) to_tell: Option<ToTell>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    /// The id of the notice that told it first.
    pub(super) thread: String,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// The gravest that was told.
    pub(super) severity: Severity,
    pub(super) reminders: u32,
    /// How many levels of escalation were gone up.
    pub(super) levels: usize,
}

/// A promise: it is kept before anything says that it was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct ToTell {
    pub(super) kind: Kind,
    pub(super) since: Timestamp,
    /// Tells messages of one kind about one episode apart.
    #[serde(default)]
    pub(super) number: u32,
    #[serde(default)]
    pub(super) merged: bool,
    /// It came in a storm, and is told with everything else that did.
    #[serde(default)]
    pub(super) storm: bool,
    /// How often it began to wait anew, since what held it was gone.
    #[serde(default)]
    pub(super) releases: u8,
}

/// Somebody has seen it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    pub by: String,
    pub comment: String,
    pub at: Timestamp,
    pub until: Timestamp,
}

impl Alert {
    pub(super) fn new(now: Snapshot) -> Alert {
        let lines = BTreeMap::new();
        Alert { now, well_since: None, well_for: Duration::ZERO, lines, ack: None, not_before: None }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.now.ended.is_none()
    }

    pub(super) fn has_to_tell(&self) -> bool {
        self.lines.values().any(|line| line.to_tell.is_some())
    }

    /// Promises to tell. Who is yet to be told of the beginning is told of that, with all that is known by then.
    pub(super) fn tell(&mut self, contact: &Arc<str>, kind: Kind, since: Timestamp, number: u32) {
        let line = self.lines.entry(contact.clone()).or_default();
        match &mut line.to_tell {
            Some(ToTell { kind: before @ Kind::Firing, .. }) if kind == Kind::Flapping => *before = kind,
            Some(_) if line.told.is_none() => {}
            // That it matters more is more than that it goes on.
            Some(ToTell { kind: Kind::Escalated, .. }) if kind != Kind::Escalated => {}
            to_tell => *to_tell = Some(ToTell::new(kind, since, number)),
        }
    }

    /// That it matters more is not told where it no longer does: it would be told as what it is now, and again, as
    /// the same message, when it matters more once more.
    pub(super) fn no_longer_graver_than(&mut self, severity: Severity) {
        let risen = |to_tell: &ToTell| {
            let by_severity = severity as u32 + 1 < to_tell.number && to_tell.number < LEVELS_FROM;
            to_tell.kind == Kind::Escalated && by_severity
        };
        for line in self.lines.values_mut() {
            line.to_tell = line.to_tell.filter(|to_tell| !risen(to_tell));
        }
        self.lines.retain(|_, line| line.told.is_some() || line.to_tell.is_some());
    }

    /// Somebody who knows nothing of it yet, and is not about to, is told of the beginning.
    pub(super) fn tell_newcomer(&mut self, contact: &Arc<str>, since: Timestamp) {
        if !self.lines.contains_key(contact) {
            self.tell(contact, Kind::Firing, since, 0);
        }
    }

    /// It is over. Who was told is told so; who was about to be told of a page gets both in one; nobody else hears of it.
    pub(super) fn end(&mut self, at: Timestamp, ended: Timestamp, held: bool) {
        self.now.ended = Some(ended.max(self.now.began));
        self.ack = None;
        let merge = self.now.severity == Severity::Page && !held;
        for line in self.lines.values_mut() {
            let merged = line.told.is_none();
            line.to_tell = (!merged || merge && line.to_tell.is_some())
                .then_some(ToTell { merged, ..ToTell::new(Kind::Resolved, at, 0) });
        }
    }

    /// It is ill again before anybody was told of its end: nothing has ended.
    pub(super) fn reopen(&mut self, at: Timestamp) {
        self.now.ended = None;
        self.now.flaps += 1;
        self.well_since = None;
        self.well_for = Duration::ZERO;
        for line in self.lines.values_mut() {
            line.to_tell = line.told.is_none().then_some(ToTell::new(Kind::Firing, at, 0));
        }
    }

    /// For how long the condition is known to be gone.
    pub(super) fn well_for(&self, at: Timestamp) -> Duration {
        self.well_for + self.well_since.map_or(Duration::ZERO, |well| since(at, well))
    }

    /// Nobody knows; what was known until now still counts.
    pub(super) fn freeze(&mut self, at: Timestamp) -> bool {
        let before = self.well_since.take();
        self.well_for += before.map_or(Duration::ZERO, |well| since(at, well));
        before.is_some()
    }

    /// The condition holds; gives whether it seemed to be gone.
    pub(super) fn relapse(&mut self) -> bool {
        let was_well = self.well_since.is_some() || self.well_for > Duration::ZERO;
        self.well_since = None;
        self.well_for = Duration::ZERO;
        self.now.flaps += u32::from(was_well);
        was_well
    }

    /// Every moment in here.
    pub(super) fn shift(&mut self, by: impl Fn(&mut Timestamp)) {
        by(&mut self.now.began);
        by(&mut self.now.fired);
        let acks = self.ack.iter_mut().flat_map(|ack| [&mut ack.at, &mut ack.until]);
        let lines = self.lines.values_mut().flat_map(|line| {
            let told = line.told.iter_mut().flat_map(|told| [&mut told.first, &mut told.last]);
            told.chain(line.to_tell.iter_mut().map(|to_tell| &mut to_tell.since))
        });
        let single = [&mut self.now.ended, &mut self.well_since, &mut self.not_before].into_iter().flatten();
        single.chain(acks).chain(lines).for_each(by);
    }
}

impl ToTell {
    const fn new(kind: Kind, since: Timestamp, number: u32) -> ToTell {
        ToTell { kind, since, number, merged: false, storm: false, releases: 0 }
    }
}

impl Told {
    /// When to remind next, of those periods; the last goes on.
    pub(super) fn reminder_due(&self, periods: &[Duration]) -> Option<Timestamp> {
        let place = usize::try_from(self.reminders).unwrap_or(usize::MAX);
        let period = *periods.get(place).or(periods.last())?;
        let period = if self.reminders >= REMINDERS_MAX { period.max(DAY) } else { period };
        Some(after(self.last, period))
    }
}
