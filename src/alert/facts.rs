//! What each kind of fact means for alerts.

use super::check::{Change, Hard};
use super::engine::{Check, Engine};
use super::flap::Turn;
use super::words::{self, OFFLINE};
use super::{Key, Kind, Severity, after, since};
use crate::fact::Ran;
use crate::outcome::{Class, Status};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// A check is missed when it told nothing for three of its intervals, and for at least so long.
const MISSED_MIN: Duration = Duration::from_mins(1);
/// Whoever notices so late that a check is missed was not there himself: suspended, or stopped.
const NOTICED_MAX: Duration = Duration::from_secs(30);
/// For so long after an alert, checks that are nearly down are asked to hurry.
const HURRIES: Duration = Duration::from_secs(10);
/// After a start, a round of runs comes first.
const ROUND_MIN: Duration = Duration::from_mins(1);

/// What a run did to its check.
struct Booked {
    change: Change,
    was_failing: bool,
    is_failing: bool,
    /// What is remembered of it is not what it was.
    differs: bool,
}

impl Engine {
    pub(super) fn ran(&mut self, ran: &Ran) {
        let of_network = self.links.network.contains(&ran.check);
        let Some(check) = self.checks.get_mut(&ran.check) else { return };
        if ran.status == Status::Unknown || self.offline && !of_network {
            check.unknown.clone_from(&ran.text);
            if check.watched.waits && ran.class != Some(Class::Internal) {
                check.expected_from = Some(self.at);
                self.measured(&ran.check);
            }
            return;
        }
        let Some(booked) = self.book(ran) else { return };
        self.measured(&ran.check);
        let key = Key(format!("check/{}", ran.check).into());
        if booked.differs {
            self.dirty.insert(key.0.clone());
        }
        if of_network {
            self.look_for_network();
        }
        self.turn(&key, ran, booked.change);
        self.ask_to_hurry(&ran.check);
        if booked.was_failing != booked.is_failing {
            self.look_at_children(&ran.check);
        }
        for waiting in self.awaiting.remove(&ran.check).unwrap_or_default() {
            self.examine(&waiting);
        }
        if self.held.contains(&key) {
            self.examine(&key);
        }
    }

    fn book(&mut self, ran: &Ran) -> Option<Booked> {
        let at = self.at;
        let explained = self.failing_parent(self.checks.get(&ran.check)?).is_some();
        let check = self.checks.get_mut(&ran.check)?;
        check.seen = Some(at);
        check.text.clone_from(&ran.text);
        check.unknown.clear();
        let alert = &check.watched.alert;
        let matters = ran.status != Status::Degraded || alert.degraded.is_some();
        let status = if matters { ran.status } else { Status::Ok };
        let before = check.memory;
        let change = check.memory.run(at, status, alert, explained);
        Some(Booked {
            change,
            was_failing: before.is_failing(),
            is_failing: check.memory.is_failing(),
            differs: before != check.memory && !(before.is_plain() && check.memory.is_plain()),
        })
    }

    /// What is in force, and whether it keeps changing, is told.
    fn turn(&mut self, key: &Key, ran: &Ran, change: Change) {
        let Some(check) = self.checks.get(&ran.check) else { return };
        let (memory, watched) = (check.memory, &check.watched);
        let severity = match change.to {
            Hard::Failed => watched.alert.failed.or(watched.alert.degraded),
            Hard::Degraded => watched.alert.degraded,
            Hard::Unknown | Hard::Up => None,
        };
        let fell = change.to.is_ill() && change.to != change.from;
        let Some(severity) = severity else {
            let mended = change.from.is_ill() && change.to == Hard::Up;
            match change.flap {
                Some(Turn::Started) => self.tell_flapping(key),
                _ if memory.flaps.flapping => {}
                _ if mended || change.flap.is_some() => self.end(key, memory.good_since.unwrap_or(self.at)),
                _ => {}
            }
            return;
        };
        let now = words::check(watched, &memory, severity, &ran.text, self.at);
        let open = self.alerts.get(key).is_some_and(super::life::Alert::is_open);
        match change.flap {
            Some(Turn::Started) if open => self.tell_flapping(key),
            Some(Turn::Started) => self.fire(now.clone(), Kind::Flapping),
            Some(Turn::Stopped) if open => self.tell_lasting(key),
            _ if fell && !open => self.fire(now.clone(), Kind::Firing),
            _ if fell && !change.from.is_ill() => self.count_flap(key),
            _ => {}
        }
        if fell {
            self.raise(key, &now);
        }
    }

    /// Asks those that are nearly down to tell soon, so that what broke together is told together. Who was asked is
    /// asked again when its next result is there.
    fn ask_to_hurry(&mut self, name: &Arc<str>) {
        let Some(check) = self.checks.get(name) else { return };
        let soft = check.memory.is_soft_down();
        if soft && let Some(began) = check.memory.began {
            let unheard = self.unheard_causes(check, began);
            self.hurry.extend(unheard);
        }
        let lately = self.fired.is_some_and(|fired| since(self.at, fired) <= HURRIES);
        self.soft.remove(name);
        if soft && lately {
            self.hurry.insert(name.clone());
        } else if soft {
            self.soft.insert(name.clone());
        }
        if self.fired == Some(self.at) {
            self.hurry.append(&mut self.soft);
        }
    }

    fn look_at_children(&mut self, name: &Arc<str>) {
        // Also those that only wait for company: what holds them now, held them, however short.
        for child in self.links.children.get(name).cloned().unwrap_or_default() {
            self.examine(&Key(format!("check/{child}").into()));
        }
        // An objective is explained by a check from its first failure on, and until its alert is over.
        for slo in self.links.promises.get(name).cloned().unwrap_or_default() {
            self.look_at_objective(&slo);
        }
    }

    /// Of a check: when its next result is overdue.
    pub(super) fn measured(&mut self, name: &Arc<str>) {
        self.expect(name);
        let gap = Key(format!("gap/{name}").into());
        if self.alerts.contains_key(&gap) {
            self.end(&gap, self.at);
        }
    }

    pub(super) fn expect(&mut self, name: &Arc<str>) {
        let sees_since = self.sees_since;
        let Some(check) = self.checks.get_mut(name) else { return };
        if let Some(due) = check.missed_at.take() {
            self.gaps.remove(&(due, name.clone()));
        }
        let matters = check.watched.alert.failed.or(check.watched.alert.degraded).is_some();
        let from = [check.seen, check.expected_from, sees_since].into_iter().flatten().max();
        if let Some(from) = from.filter(|_| matters) {
            let due = after(from, (check.watched.every * 3).max(MISSED_MIN));
            check.missed_at = Some(due);
            self.gaps.insert((due, name.clone()));
        }
    }

    /// A result is overdue.
    pub(super) fn missed(&mut self, name: &Arc<str>, due: Timestamp) {
        if self.offline || since(self.at, due) > NOTICED_MAX {
            self.sees_since = Some(self.at);
            self.expect(name);
            return;
        }
        self.gaps.remove(&(due, name.clone()));
        let Some(check) = self.checks.get_mut(name) else { return };
        check.missed_at = None;
        let last = check.seen.or(check.expected_from).unwrap_or(self.at);
        let now = words::gap(&check.watched, last, &check.unknown, self.at);
        self.fire(now, Kind::Firing);
    }

    /// The network's checks tell together whether anything can be seen from here.
    fn look_for_network(&mut self) {
        let network: Vec<&Check> =
            self.links.network.iter().filter_map(|name| self.checks.get(name)).collect();
        let failing = |check: &&Check| check.memory.is_failing();
        let key = Key(OFFLINE.into());
        if !network.iter().all(failing) {
            if std::mem::take(&mut self.offline) {
                self.online_again(&key);
            }
            return;
        }
        if !self.offline && !network.iter().all(|check| check.memory.failed_just_now()) {
            return;
        }
        // From the first failure of all nothing is believed; it takes as much as for any check until it is told.
        let sure = network.iter().any(|check| check.memory.hard == Hard::Failed);
        let began = network.iter().filter_map(|check| check.memory.failed_since).max().unwrap_or(self.at);
        let names: Vec<String> = network.iter().map(|check| check.watched.title.clone()).collect();
        if !std::mem::replace(&mut self.offline, true) {
            for key in self.alerts.keys().cloned().collect::<Vec<_>>() {
                self.examine(&key);
            }
        }
        self.hurry.extend(self.links.network.iter().cloned());
        if sure && !self.alerts.get(&key).is_some_and(super::life::Alert::is_open) {
            self.fire(words::offline(&names, began, self.at), Kind::Firing);
        }
    }

    fn online_again(&mut self, key: &Key) {
        self.sees_since = Some(self.at);
        for (name, check) in &mut self.checks {
            if check.memory.unprove() {
                self.dirty.insert(format!("check/{name}").into());
            }
        }
        self.end(key, self.at);
        self.look_at_held();
    }

    pub(super) fn own(&mut self, part: &str, well: bool, text: &str) {
        let now = words::part(part, text, self.at);
        if well {
            self.end(&now.key, self.at);
        } else if let Some(alert) = self.alerts.get_mut(&now.key).filter(|alert| alert.is_open()) {
            alert.now.summary = now.summary;
        } else {
            self.fire(now, Kind::Firing);
        }
    }

    /// The agent was away: what it missed in the meantime is nobody's fault, and what is open is looked at first.
    pub(super) fn begin_round(&mut self, at: Timestamp) {
        self.sees_since = Some(at);
        self.quiet_until = after(at, ROUND_MIN);
        self.stale = true;
    }

    /// The wall clock was set: every moment moves along, so that nothing becomes due by it.
    pub(super) fn shift(&mut self, by_ms: i64) {
        let by = SignedDuration::from_millis(by_ms);
        let bound = if by_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let by = |moment: &mut Timestamp| *moment = moment.checked_add(by).unwrap_or(bound);
        for (name, check) in &mut self.checks {
            check.memory.shift(by);
            [&mut check.seen, &mut check.expected_from].into_iter().flatten().for_each(by);
            if !check.memory.is_plain() {
                self.dirty.insert(format!("check/{name}").into());
            }
        }
        for (key, alert) in &mut self.alerts {
            alert.shift(by);
            self.dirty.insert(key.0.clone());
        }
        for (contact, storm) in &mut self.storms {
            storm.0.iter_mut().for_each(|(told, _)| by(told));
            self.dirty.insert(format!("contact/{contact}").into());
        }
        self.silences.shift(by);
        self.changed_silences = self.silences.all().to_vec();
        [&mut self.fired, &mut self.sees_since].into_iter().flatten().for_each(by);
        by(&mut self.quiet_until);
        self.stale = true;
    }

    /// Whom it concerns that a check, or a graver alert of the objective, is not what it was.
    pub(super) fn look_at_objective(&mut self, slo: &str) {
        for key in self.keys_of_objective(slo) {
            self.examine(&key);
        }
    }

    pub(super) fn keys_of_objective(&self, slo: &str) -> Vec<Key> {
        let prefix = format!("slo/{slo}/");
        let from = self.alerts.range(Key(prefix.as_str().into())..);
        from.map(|(key, _)| key).take_while(|key| key.0.starts_with(&prefix)).cloned().collect()
    }

    /// How much an alert of a severity must have been well to be over.
    pub(super) fn keep_firing_for(&self, severity: Severity) -> Duration {
        self.alerting.policy.of(severity).keep_firing_for
    }
}
