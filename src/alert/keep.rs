//! What is written and read again: the states of alerts and checks as rows of JSON, and what a new definition changes.

use super::check::Memory;
use super::engine::{Check, Engine, Links, Watched};
use super::life::{Alert, Line};
use super::queue::{Queue, Storm};
use super::words::{OFFLINE, Subject, moment};
use super::{Key, Kind, Notice, Snapshot};
use crate::config::alerting::Alerting;
use crate::fact::Silence;
use crate::store::AlertRow;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What one row says. A row that would say nothing is not there.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<Memory>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alert: Option<Alert>,
    /// Of a contact: how much it was told lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    storm: Option<Storm>,
}

impl Engine {
    /// Takes over what was written before. Gives what could not be read, for the log.
    pub fn restore(&mut self, alerts: &[(Arc<str>, String)], silences: Vec<Silence>) -> Vec<String> {
        let mut unread = Vec::new();
        for (key, state) in alerts {
            self.rows.insert(key.clone());
            match serde_json::from_str::<State>(state) {
                Ok(state) => self.take_over(key, state),
                Err(error) => {
                    // What nobody can read is replaced as soon as there is something to say.
                    self.dirty.insert(key.clone());
                    unread.push(format!(
                        "the state of the alert {key} can't be read and is forgotten: {error}"
                    ));
                }
            }
        }
        for silence in silences {
            self.silences.set(silence);
        }
        self.stale = true;
        unread
    }

    fn take_over(&mut self, key: &Arc<str>, state: State) {
        if let Some((name, storm)) = key.strip_prefix("contact/").zip(state.storm) {
            self.storms.entry(name.into()).or_insert(storm);
        }
        if let Some((name, memory)) = key.strip_prefix("check/").zip(state.check) {
            match self.checks.get_mut(name) {
                Some(check) => check.memory.follow(memory),
                // It is not watched any more: the row goes, or says only how its alert ends.
                None => drop(self.dirty.insert(key.clone())),
            }
        }
        if let Some(older) = state.alert {
            let key = Key(key.clone());
            match self.alerts.remove(&key) {
                Some(newer) => self.join(&key, older, newer),
                None => drop(self.alerts.insert(key, older)),
            }
        }
    }

    /// The store tells only now of an alert that fired again meanwhile. Its people know the older episode, which goes
    /// on; whoever was told of the newer one is told that this one has ended.
    fn join(&mut self, key: &Key, mut older: Alert, mut newer: Alert) {
        let at = self.at;
        let (goes_on, latest) = (newer.is_open(), newer.now.clone());
        if goes_on && !older.is_open() {
            older.reopen(at);
        }
        if goes_on {
            (older.well_since, older.well_for) = (newer.well_since, newer.well_for);
            older.not_before = newer.not_before;
            older.now.acknowledged_by = newer.now.acknowledged_by.take().or(older.now.acknowledged_by);
            older.ack = newer.ack.take().or(older.ack);
            newer.now.evidence = vec![format!(
                "it goes on, as part of what began at {}: the store could be read only now",
                moment(older.now.began, at)
            )];
            newer.end(at, at, true);
        }
        for (contact, line) in &newer.lines {
            if line.told.is_some() && line.to_tell.is_some() {
                self.ended_apart.push(farewell(contact, line, &newer.now, at));
            }
            if goes_on {
                older.tell_newcomer(contact, at);
            }
        }
        self.alerts.insert(key.clone(), newer);
        self.record(key);
        self.alerts.insert(key.clone(), older);
        if goes_on {
            self.raise(key, &latest);
        } else {
            self.end(key, latest.ended.unwrap_or(at));
        }
        self.record(key);
    }

    /// Another definition. What keeps its name keeps its state; the alert of what is no longer defined ends and says so.
    pub fn replan(&mut self, watched: Vec<Watched>, alerting: Arc<Alerting>) {
        let mut before = std::mem::take(&mut self.checks);
        for watched in watched {
            let check = match before.remove(&watched.name) {
                Some(check) => Check { watched, ..check },
                None => Check {
                    watched,
                    memory: Memory::default(),
                    seen: None,
                    expected_from: None,
                    missed_at: None,
                    text: String::new(),
                    unknown: String::new(),
                },
            };
            self.checks.insert(check.watched.name.clone(), check);
        }
        self.dirty.extend(before.keys().map(|name| format!("check/{name}").into()));
        self.links = Links::new(&self.checks, &alerting);
        self.alerting = alerting;
        self.windows.forget();
        self.stale = true;
    }

    /// Makes every index anew, and ends what has no definition.
    pub(super) fn refresh(&mut self) {
        let at = self.at;
        self.sees_since.get_or_insert(at);
        self.places.clear();
        self.timers.clear();
        self.gaps.clear();
        self.queue = Queue::default();
        self.held.clear();
        self.awaiting.clear();
        let soft = self.checks.values().filter(|check| check.memory.is_soft_down());
        self.soft = soft.map(|check| check.watched.name.clone()).collect();
        for name in self.checks.keys().cloned().collect::<Vec<_>>() {
            if let Some(check) = self.checks.get_mut(&name) {
                check.expected_from.get_or_insert(at);
                check.missed_at = None;
            }
            let gap = Key(format!("gap/{name}").into());
            if !self.alerts.get(&gap).is_some_and(Alert::is_open) {
                self.expect(&name);
            }
        }
        let network = || self.links.network.iter().filter_map(|name| self.checks.get(name));
        let known = self.alerts.get(&Key(OFFLINE.into())).is_some_and(Alert::is_open);
        self.offline = network().count() > 0
            && network().all(|check| check.memory.is_failing())
            && (known || self.offline || network().all(|check| check.memory.failed_just_now()));
        for key in self.alerts.keys().cloned().collect::<Vec<_>>() {
            self.readdress(&key);
            self.examine(&key);
            if !self.is_defined(&key) {
                self.end_because(&key, "it is no longer defined, so nobody looks any more");
            }
        }
    }

    /// Who no longer exists is not told; where that leaves nobody, those who are named now are.
    fn readdress(&mut self, key: &Key) {
        let Some(alert) = self.alerts.get(key) else { return };
        let contacts = self.contacts(key, alert.now.severity);
        let (at, exists) = (self.at, |name: &Arc<str>| self.alerting.contacts.contains_key(name));
        let gone: Vec<Arc<str>> = alert.lines.keys().filter(|name| !exists(name)).cloned().collect();
        let nobody = alert.is_open() && gone.len() == alert.lines.len();
        if gone.is_empty() && (!nobody || contacts.is_empty()) {
            return;
        }
        if let Some(alert) = self.alerts.get_mut(key) {
            alert.lines.retain(|name, _| !gone.contains(name));
            for contact in contacts.iter().filter(|_| nobody) {
                alert.tell(contact, Kind::Firing, at, 0);
            }
        }
        self.dirty.insert(key.0.clone());
    }

    fn is_defined(&self, key: &Key) -> bool {
        match Subject::of(&key.0) {
            Some(Subject::Check(name) | Subject::Gap(name)) => self
                .checks
                .get(name)
                .is_some_and(|check| check.watched.alert.failed.or(check.watched.alert.degraded).is_some()),
            Some(Subject::Slo(name, _)) => self.links.objectives.contains_key(name),
            Some(Subject::Offline) => !self.links.network.is_empty(),
            Some(Subject::Part(part)) => {
                part.strip_prefix("channel/").is_none_or(|name| self.alerting.channels.contains_key(name))
            }
            None => false,
        }
    }

    /// The rows that differ from what was written last.
    pub(super) fn changed_rows(&mut self) -> Vec<AlertRow> {
        let mut rows = Vec::new();
        let mut episodes: BTreeMap<Arc<str>, Vec<_>> = BTreeMap::new();
        for (key, row) in std::mem::take(&mut self.episodes).into_values() {
            episodes.entry(key).or_default().push(row);
        }
        for key in std::mem::take(&mut self.dirty) {
            let state = self.state(&key);
            let had_row = self.rows.contains(&key);
            if state.is_some() {
                self.rows.insert(key.clone());
            } else {
                self.rows.remove(&key);
            }
            let ended = episodes.remove(&key).unwrap_or_default();
            if ended.is_empty() && (state.is_some() || had_row) {
                rows.push(AlertRow { key: key.clone(), state: state.clone(), episode: None });
            }
            let row = |episode| AlertRow { key: key.clone(), state: state.clone(), episode: Some(episode) };
            rows.extend(ended.into_iter().map(row));
        }
        rows
    }

    fn state(&self, key: &Arc<str>) -> Option<String> {
        let check = key.strip_prefix("check/").and_then(|name| self.checks.get(name));
        let storm = key.strip_prefix("contact/").and_then(|name| self.storms.get(name));
        let state = State {
            check: check.map(|check| check.memory).filter(|memory| !memory.is_plain()),
            alert: self.alerts.get(&Key(key.clone())).cloned(),
            storm: storm.filter(|storm| !storm.0.is_empty()).cloned(),
        };
        let json = || serde_json::to_string(&state).expect("maps have text keys, and numbers are integers");
        (state != State::default()).then(json)
    }
}

/// That an episode is over which is not kept any more.
fn farewell(contact: &Arc<str>, line: &Line, ended: &Snapshot, at: Timestamp) -> Notice {
    Notice {
        id: format!("resolved-{}-{}", contact, ended.episode),
        kind: Kind::Resolved,
        at,
        severity: ended.severity,
        contact: contact.to_string(),
        alerts: vec![ended.clone()],
        more: 0,
        thread: line.told.as_ref().map_or_else(|| ended.episode.clone(), |told| told.thread.clone()),
        merged: false,
        backup: None,
    }
}

impl Links {
    fn new(checks: &BTreeMap<Arc<str>, Check>, alerting: &Alerting) -> Links {
        let mut links = Links::default();
        for check in checks.values() {
            for need in &check.watched.needs {
                links.children.entry(need.clone()).or_default().push(check.watched.name.clone());
            }
        }
        for objective in &alerting.objectives {
            for name in objective.checks() {
                links.promises.entry(name.clone()).or_default().push(objective.name.clone());
            }
            links.objectives.insert(objective.name.clone(), objective.clone());
        }
        let network: BTreeSet<&Arc<str>> = alerting.policy.network.iter().collect();
        links.network = network.into_iter().filter(|name| checks.contains_key(*name)).cloned().collect();
        links
    }
}
