//! The course of an alert: it fires, gets graver or flaps, is acknowledged, and ends.

use super::engine::Engine;
use super::hold::Why;
use super::life::{ACK_LASTS, Ack, Alert, ToTell};
use super::tell::{FLAPS_FROM, LEVELS_FROM};
use super::words::{self, Subject};
use super::{Key, Kind, Severity, Snapshot, Verdict, after};
use crate::config::alerting::Objective;
use crate::fact::Acknowledgement;
use crate::judge::{Condition, Standing};
use crate::store::EpisodeRow;
use jiff::Timestamp;
use std::collections::BTreeSet;

impl Engine {
    /// It is ill. Where its end is not told yet, the same episode goes on.
    pub(super) fn fire(&mut self, now: Snapshot, kind: Kind) {
        let (key, at) = (now.key.clone(), self.at);
        let of_check = matches!(Subject::of(&key.0), Some(Subject::Check(_)));
        match self.alerts.get_mut(&key) {
            Some(alert) if alert.is_open() => return,
            Some(alert) => {
                alert.reopen(at);
                self.raise(&key, &now);
            }
            None => {
                let mut alert = Alert::new(now);
                for contact in self.contacts(&key, alert.now.severity) {
                    alert.tell(&contact, kind, at, 0);
                }
                self.alerts.insert(key.clone(), alert);
            }
        }
        if of_check {
            self.fired = Some(at);
        }
        self.record(&key);
        self.changed(&key);
        self.look_at_siblings(&key);
    }

    /// What is known of it now. Who was told of less is told that it got graver, without waiting.
    pub(super) fn raise(&mut self, key: &Key, now: &Snapshot) {
        let at = self.at;
        let contacts = self.contacts(key, now.severity);
        let Some(alert) = self.alerts.get_mut(key) else { return };
        let graver = now.severity > alert.now.severity;
        if now.severity < alert.now.severity {
            alert.no_longer_graver_than(now.severity);
        }
        alert.now.severity = now.severity;
        alert.now.summary.clone_from(&now.summary);
        alert.now.evidence.clone_from(&now.evidence);
        if graver {
            alert.ack = None;
            alert.now.acknowledged_by = None;
            let known = alert.lines.values().any(|line| line.told.is_some());
            alert.lines.retain(|name, line| line.told.is_some() || contacts.contains(name));
            for contact in contacts {
                let told = alert.lines.get(&contact).and_then(|line| line.told.as_ref());
                if told.is_none_or(|told| told.severity < now.severity) {
                    let kind = if known { Kind::Escalated } else { Kind::Firing };
                    alert.tell(&contact, kind, at, now.severity as u32 + 1);
                }
            }
            self.record(key);
        }
        self.changed(key);
    }

    /// It is over.
    pub(super) fn end(&mut self, key: &Key, ended: Timestamp) {
        let Some(alert) = self.alerts.get_mut(key).filter(|alert| alert.is_open()) else { return };
        let hold = self.places.get(key).and_then(|place| place.hold.as_ref());
        let held = hold.is_some_and(|hold| !matches!(hold.why, Why::Waiting(_)));
        alert.end(self.at, ended, held);
        self.record(key);
        let explained = match Subject::of(&key.0) {
            Some(Subject::Check(name)) => self.links.promises.get(name).cloned().unwrap_or_default(),
            _ => Vec::new(),
        };
        for slo in explained {
            self.explained_no_more(&slo);
        }
        self.changed(key);
        self.look_at_siblings(key);
    }

    /// What is left of an objective's trouble when the check that explained it is well again is told only if it stays:
    /// its windows still remember.
    fn explained_no_more(&mut self, slo: &str) {
        for key in self.keys_of_objective(slo) {
            let hold = self.places.get(&key).and_then(|place| place.hold.as_ref());
            if hold.is_some_and(|hold| hold.why == Why::Explained) {
                let severity = self.alerts.get(&key).map_or(Severity::Info, |alert| alert.now.severity);
                let not_before = after(self.at, self.keep_firing_for(severity));
                if let Some(alert) = self.alerts.get_mut(&key) {
                    alert.not_before = Some(not_before);
                }
                self.dirty.insert(key.0);
            }
        }
    }

    /// Other alerts of the same objective may be told in its place, or not any more.
    fn look_at_siblings(&mut self, key: &Key) {
        match Subject::of(&key.0) {
            Some(Subject::Slo(slo, _)) => self.look_at_objective(slo),
            Some(Subject::Check(name)) => {
                for slo in self.links.promises.get(name).cloned().unwrap_or_default() {
                    self.look_at_objective(&slo);
                }
            }
            _ => {}
        }
    }

    /// For the history.
    pub(super) fn record(&mut self, key: &Key) {
        let Some(now) = self.alerts.get(key).map(|alert| &alert.now) else { return };
        let row = EpisodeRow {
            episode: now.episode.clone(),
            severity: now.severity,
            title: now.title.clone(),
            summary: now.summary.clone(),
            fired: now.fired,
            ended: now.ended,
        };
        self.episodes.insert(row.episode.clone(), (key.0.clone(), row));
        self.dirty.insert(key.0.clone());
    }

    pub(super) fn tell_flapping(&mut self, key: &Key) {
        self.tell_all(key, Kind::Flapping);
    }

    /// It no longer changes, and it is ill.
    pub(super) fn tell_lasting(&mut self, key: &Key) {
        self.tell_all(key, Kind::Reminder);
    }

    fn tell_all(&mut self, key: &Key, kind: Kind) {
        let at = self.at;
        let Some(alert) = self.alerts.get_mut(key).filter(|alert| alert.is_open()) else { return };
        let number = FLAPS_FROM.saturating_add(alert.now.flaps);
        for contact in alert.lines.keys().cloned().collect::<Vec<_>>() {
            alert.tell(&contact, kind, at, number);
        }
        self.changed(key);
    }

    pub(super) fn count_flap(&mut self, key: &Key) {
        if let Some(alert) = self.alerts.get_mut(key) {
            alert.now.flaps += 1;
            self.dirty.insert(key.0.clone());
        }
    }

    /// How an objective was found to stand.
    pub fn judged(&mut self, at: Timestamp, objective: &Objective, standing: &Standing) {
        self.advance(at);
        let mut others: BTreeSet<Key> = self.keys_of_objective(&objective.name).into_iter().collect();
        for condition in &standing.conditions {
            let key = Key(format!("slo/{}/{}", objective.name, condition.name).into());
            others.remove(&key);
            match condition.verdict {
                _ if self.offline => self.nobody_knows(&key),
                Verdict::Unknown => self.nobody_knows(&key),
                Verdict::Healthy => self.is_well(&key, condition),
                Verdict::Firing => self.is_ill(&key, objective, condition),
            }
        }
        for key in others {
            self.end_because(&key, "it is not judged any more");
        }
    }

    fn nobody_knows(&mut self, key: &Key) {
        let at = self.at;
        if self.alerts.get_mut(key).is_some_and(|alert| alert.freeze(at)) {
            self.changed(key);
        }
    }

    fn is_well(&mut self, key: &Key, condition: &Condition) {
        let at = self.at;
        let Some(alert) = self.alerts.get_mut(key).filter(|alert| alert.is_open()) else { return };
        let fresh = alert.well_since.is_none();
        let since = *alert.well_since.get_or_insert(at);
        let (well_for, severity) = (alert.well_for(at), alert.now.severity);
        if well_for >= condition.keep_firing_for.unwrap_or_else(|| self.keep_firing_for(severity)) {
            self.end(key, since);
        } else if fresh {
            self.changed(key);
        }
    }

    fn is_ill(&mut self, key: &Key, objective: &Objective, condition: &Condition) {
        let now = words::condition(objective, condition, self.at);
        let Some(alert) = self.alerts.get_mut(key).filter(|alert| alert.is_open()) else {
            self.fire(now, Kind::Firing);
            return;
        };
        let relapsed = alert.relapse();
        alert.now.cost.clone_from(&now.cost);
        if now.severity > alert.now.severity {
            self.raise(key, &now);
            return;
        }
        alert.now.summary = now.summary;
        alert.now.evidence = now.evidence;
        if relapsed {
            self.changed(key);
        } else if self.held.contains(key) {
            self.examine(key);
        }
    }

    /// Nobody looks any more.
    pub(super) fn end_because(&mut self, key: &Key, why: &str) {
        if let Some(alert) = self.alerts.get_mut(key).filter(|alert| alert.is_open()) {
            alert.now.evidence = vec![why.to_owned()];
            self.end(key, self.at);
        }
    }

    /// Somebody has seen it: ends reminders and escalation of what the key, or the name of one thing, says. The error
    /// says what there is.
    pub fn acknowledge(
        &mut self,
        at: Timestamp,
        acknowledgement: &Acknowledgement,
    ) -> Result<Vec<Key>, String> {
        self.advance(at);
        let keys = self.meant(&acknowledgement.alert)?;
        for key in &keys {
            let Some(alert) = self.alerts.get_mut(key) else { continue };
            let (by, comment) = (acknowledgement.by.clone(), acknowledgement.comment.clone());
            alert.now.acknowledged_by = Some(by.clone());
            alert.ack = Some(Ack { by, comment, at, until: after(at, ACK_LASTS) });
            let climbs = |to_tell: &ToTell| to_tell.kind == Kind::Escalated && to_tell.number >= LEVELS_FROM;
            for line in alert.lines.values_mut() {
                line.to_tell =
                    line.to_tell.filter(|to_tell| to_tell.kind != Kind::Reminder && !climbs(to_tell));
            }
            alert.lines.retain(|_, line| line.told.is_some() || line.to_tell.is_some());
            self.changed(key);
        }
        Ok(keys)
    }

    /// The open alerts that are meant by a key, or by the name of one thing; the error says what there is.
    pub fn meant(&self, wanted: &str) -> Result<Vec<Key>, String> {
        let open = || self.alerts.iter().filter(|(_, alert)| alert.is_open()).map(|(key, _)| key);
        if let Some(key) = open().find(|key| *key.0 == *wanted) {
            return Ok(vec![key.clone()]);
        }
        let list = |keys: &[&Key]| keys.iter().map(|key| key.0.as_ref()).collect::<Vec<_>>().join(", ");
        let named: Vec<&Key> = open()
            .filter(|key| Subject::of(&key.0).is_some_and(|subject| subject.name() == wanted))
            .collect();
        let things: BTreeSet<&str> = named.iter().filter_map(|key| key.0.split('/').next()).collect();
        match things.len() {
            1 => Ok(named.into_iter().cloned().collect()),
            0 => {
                let all: Vec<&Key> = open().collect();
                let firing = if all.is_empty() { "none is".to_owned() } else { list(&all) };
                Err(format!("no alert `{wanted}` is firing; firing: {firing}"))
            }
            _ => Err(format!(
                "`{wanted}` is the name of several alerts: {}; give the key of one",
                list(&named)
            )),
        }
    }
}
