//! The engine: facts in, states and notices out. Deterministic: the same facts in the same order give the same.
//!
//! What it costs follows from what happens, not from how much is watched: whatever waits for a moment stands in an
//! index by that moment, whatever waits for something else is looked at when that changes.

use super::check::{CheckState, Memory};
use super::hold::Hold;
use super::life::Alert;
use super::queue::{Group, Queue, Storm};
use super::silence::Silences;
use super::{Key, Notice, maintenance};
use crate::config::alerting::{Alerting, CheckAlert, Maintenance, Objective};
use crate::fact::{Fact, Silence, What};
use crate::store::{AlertRow, EpisodeRow};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What the engine needs to know of a check.
#[derive(Debug, Clone)]
pub struct Watched {
    pub name: Arc<str>,
    pub title: String,
    pub section: String,
    pub needs: Vec<Arc<str>>,
    pub runbook: Option<String>,
    pub every: Duration,
    /// It waits for what tells by itself: a look that can't say yet how it is, is a look.
    pub waits: bool,
    pub alert: CheckAlert,
}

/// What came of the facts since the last time: written together, or not at all.
#[derive(Debug, Default, PartialEq)]
pub struct Drained {
    /// What must be remembered, the told state of `notices` in it.
    pub alerts: Vec<AlertRow>,
    /// What must be told.
    pub notices: Vec<Notice>,
    /// Checks to run again at once, so that it is known sooner what belongs together.
    pub hurry: Vec<Arc<str>>,
    /// Silences that are new or changed; one that was ended by hand ends now.
    pub silences: Vec<Silence>,
}

/// One check and what is known of it.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) watched: Watched,
    pub(super) memory: Memory,
    /// The end of its last run that told anything.
    pub(super) seen: Option<Timestamp>,
    /// From when on its runs are waited for.
    pub(super) expected_from: Option<Timestamp>,
    /// When it is missed; it stands in `Engine::gaps`.
    pub(super) missed_at: Option<Timestamp>,
    /// Why the last run was not well.
    pub(super) text: String,
    /// Why the last runs told nothing.
    pub(super) unknown: String,
}

/// What follows from the definitions alone.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// By parent: who needs it.
    pub(super) children: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    /// By check: the objectives that are made of it.
    pub(super) promises: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    pub(super) objectives: BTreeMap<Arc<str>, Arc<Objective>>,
    /// Those of the policy that are watched.
    pub(super) network: Vec<Arc<str>>,
}

/// Where an alert stands in the indexes.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) timer: Option<Timestamp>,
    pub(super) groups: Vec<Group>,
    pub(super) hold: Option<Hold>,
}

#[derive(Debug)]
pub struct Engine {
    /// The moment of the last fact.
    pub(super) at: Timestamp,
    pub(super) alerting: Arc<Alerting>,
    pub(super) links: Links,
    pub(super) checks: BTreeMap<Arc<str>, Check>,
    pub(super) alerts: BTreeMap<Key, Alert>,
    pub(super) silences: Silences,
    pub(super) windows: maintenance::Windows,
    pub(super) storms: BTreeMap<Arc<str>, Storm>,
    /// All that tells whether the watcher is offline has failed.
    pub(super) offline: bool,

    pub(super) places: BTreeMap<Key, Place>,
    pub(super) timers: BTreeSet<(Timestamp, Key)>,
    pub(super) gaps: BTreeSet<(Timestamp, Arc<str>)>,
    pub(super) queue: Queue,
    /// Alerts that something keeps from being told.
    pub(super) held: BTreeSet<Key>,
    /// By check: alerts that are told when its next result is known.
    pub(super) awaiting: BTreeMap<Arc<str>, BTreeSet<Key>>,
    /// Checks that are soft down and were not asked to hurry since their last result.
    pub(super) soft: BTreeSet<Arc<str>>,
    /// When the last alert of a check fired.
    pub(super) fired: Option<Timestamp>,
    /// No check is missed because of what was before: the agent began, or could see nothing until then.
    pub(super) sees_since: Option<Timestamp>,
    /// No reminder and no escalation before: after a start a round of runs tells first what is still so.
    pub(super) quiet_until: Timestamp,
    /// Something was restored or redefined, and not yet looked at.
    pub(super) stale: bool,

    pub(super) hurry: BTreeSet<Arc<str>>,
    pub(super) dirty: BTreeSet<Arc<str>>,
    /// Keys that have a row.
    pub(super) rows: BTreeSet<Arc<str>>,
    /// By episode, with the key of its alert.
    pub(super) episodes: BTreeMap<String, (Arc<str>, EpisodeRow)>,
    pub(super) changed_silences: Vec<Silence>,
    /// Ends of episodes that became part of others, to be told.
    pub(super) ended_apart: Vec<Notice>,
}

impl Engine {
    pub fn new(watched: Vec<Watched>, alerting: Arc<Alerting>) -> Engine {
        let mut engine = Engine {
            at: Timestamp::UNIX_EPOCH,
            alerting: Arc::default(),
            links: Links::default(),
            checks: BTreeMap::new(),
            alerts: BTreeMap::new(),
            silences: Silences::default(),
            windows: maintenance::Windows::default(),
            storms: BTreeMap::new(),
            offline: false,
            places: BTreeMap::new(),
            timers: BTreeSet::new(),
            gaps: BTreeSet::new(),
            queue: Queue::default(),
            held: BTreeSet::new(),
            awaiting: BTreeMap::new(),
            soft: BTreeSet::new(),
            fired: None,
            sees_since: None,
            quiet_until: Timestamp::MIN,
            stale: true,
            hurry: BTreeSet::new(),
            dirty: BTreeSet::new(),
            rows: BTreeSet::new(),
            episodes: BTreeMap::new(),
            changed_silences: Vec::new(),
            ended_apart: Vec::new(),
        };
        engine.replan(watched, alerting);
        engine
    }

    /// Takes in one fact. What is ready to be told and remembered comes with the next [`Engine::drain`].
    pub fn apply(&mut self, fact: &Fact) {
        match fact.what {
            What::ClockSet { by_ms } => self.shift(by_ms),
            What::Started => self.begin_round(fact.at),
            _ => {}
        }
        self.advance(fact.at);
        match &fact.what {
            What::Ran(ran) => self.ran(ran),
            What::Dropped { check, .. } => {
                if let Some(check) = self.checks.get_mut(check) {
                    check.unknown.clear();
                }
            }
            What::Tick | What::ClockSet { .. } | What::Started => {}
            What::Acknowledged(acknowledgement) => {
                // Whoever asked was told by the one who made the fact; there is nobody here to tell.
                self.acknowledge(fact.at, acknowledgement).ok();
            }
            What::Silenced(silence) => {
                self.silences.set(silence.clone());
                self.changed_silences.push(silence.clone());
                for key in self.alerts.keys().cloned().collect::<Vec<_>>() {
                    self.examine(&key);
                }
            }
            What::SilenceEnded { id, .. } => {
                if let Some(silence) = self.silences.remove(id) {
                    let until = fact.at.max(silence.from);
                    self.changed_silences.push(Silence { until, ..silence });
                    self.look_at_held();
                }
            }
            What::Own { part, well, text } => self.own(part, *well, text),
        }
    }

    /// What came of everything since the last time. Notices are told from here on: their alerts say so in the same
    /// drain.
    pub fn drain(&mut self, at: Timestamp) -> Drained {
        self.advance(at);
        let mut notices = std::mem::take(&mut self.ended_apart);
        notices.extend(self.flush());
        let alerts = self.changed_rows();
        let hurry = std::mem::take(&mut self.hurry).into_iter().collect();
        Drained { alerts, notices, hurry, silences: std::mem::take(&mut self.changed_silences) }
    }

    /// When a tick and a drain would next change something.
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.stale {
            return Some(self.at);
        }
        let timer = self.timers.first().map(|(due, _)| *due);
        let gap = self.gaps.first().map(|(due, _)| *due);
        [timer, gap, self.queue.next_due()].into_iter().flatten().min()
    }

    pub fn silences(&self) -> &[Silence] {
        self.silences.all()
    }

    pub fn check_state(&self, check: &str) -> Option<CheckState> {
        Some(self.checks.get(check)?.memory.state())
    }

    /// The maintenance that holds for a check or an objective.
    pub fn in_maintenance(&self, at: Timestamp, name: &str, section: &str) -> Option<&Maintenance> {
        let about = |m: &Maintenance| maintenance::is_about(m, name, section);
        let mut all = self.alerting.maintenance.iter().enumerate();
        all.find(|(place, m)| about(m) && self.windows.is_open(*place, m, at)).map(|(_, m)| m)
    }

    /// Moves on to this moment: what was due until then happens.
    pub(super) fn advance(&mut self, at: Timestamp) {
        self.at = at;
        self.windows.look(&self.alerting.maintenance, at);
        if std::mem::take(&mut self.stale) {
            self.refresh();
        }
        if self.silences.prune(at) {
            self.look_at_held();
        }
        while let Some((_, key)) = self.timers.first().filter(|(due, _)| *due <= at).cloned() {
            self.examine(&key);
        }
        while let Some((due, name)) = self.gaps.first().filter(|(due, _)| *due <= at).cloned() {
            self.missed(&name, due);
        }
    }

    /// Something that kept alerts from being told may be gone.
    pub(super) fn look_at_held(&mut self) {
        for key in self.held.clone() {
            self.examine(&key);
        }
    }

    /// The alert is another one than before: it is written, and looked at.
    pub(super) fn changed(&mut self, key: &Key) {
        self.dirty.insert(key.0.clone());
        self.examine(key);
    }
}
