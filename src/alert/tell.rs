//! When what must be told is told, and to whom: waits, reminders, escalation, and the notices themselves.

use super::engine::{Engine, Place};
use super::hold::{Hold, Why};
use super::life::{Alert, Line, ToTell, Told};
use super::queue::{Group, STORM};
use super::words::Subject;
use super::{Key, Kind, Notice, Severity, Snapshot, after};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// More alerts than this nobody reads in one message.
const ALERTS_MAX: usize = 20;
/// So often an alert begins to wait for company anew.
const RELEASES_MAX: u8 = 3;
/// Numbers of escalations to another contact begin here, those of a risen severity below.
pub(super) const LEVELS_FROM: u32 = 100;
/// Numbers of reminders that it no longer flaps begin here, those of reminders by time below.
pub(super) const FLAPS_FROM: u32 = 1_000_000;

impl Engine {
    /// Looks at an alert anew: what keeps it from being told, with what it waits, what is due and what will be.
    pub(super) fn examine(&mut self, key: &Key) {
        let was_held = self.unplace(key);
        self.forget_unreachable(key);
        let Some(alert) = self.alerts.get(key) else { return };
        if !alert.is_open() && !alert.has_to_tell() {
            self.alerts.remove(key);
            return;
        }
        let hold = self.hold(key, alert);
        let mut place = Place::default();
        if let Some(hold) = hold {
            place.timer = hold.until;
            self.keep_back(key, hold, &mut place);
        } else {
            if was_held.is_some_and(|hold| !matches!(hold.why, Why::Waiting(_))) {
                self.release(key);
            }
            place.timer = self.come_due(key);
            self.queue_up(key, &mut place);
        }
        if let Some(due) = place.timer {
            self.timers.insert((due, key.clone()));
        }
        self.places.insert(key.clone(), place);
    }

    /// Whoever has no channel that works is told when there is one, but not of what is over by then: nothing waits
    /// for a channel longer than its alert lasts.
    fn forget_unreachable(&mut self, key: &Key) {
        let contacts = &self.alerting.contacts;
        let Some(alert) = self.alerts.get_mut(key).filter(|alert| !alert.is_open()) else { return };
        for (name, line) in &mut alert.lines {
            let unreachable = contacts.get(name).is_some_and(|contact| contact.channels.is_empty());
            if unreachable && line.to_tell.take().is_some() {
                self.dirty.insert(key.0.clone());
            }
        }
    }

    /// Whether there is any way to the contact now.
    pub(super) fn is_reachable(&self, contact: &str) -> bool {
        self.alerting.contacts.get(contact).is_some_and(|contact| !contact.channels.is_empty())
    }

    /// Gives what kept it from being told.
    fn unplace(&mut self, key: &Key) -> Option<Hold> {
        let place = self.places.remove(key)?;
        if let Some(due) = place.timer {
            self.timers.remove(&(due, key.clone()));
        }
        for group in &place.groups {
            self.queue.leave(group, key);
        }
        if let Some(Hold { why: Why::Waiting(names), .. }) = &place.hold {
            for name in names {
                if let Some(keys) = self.awaiting.get_mut(name) {
                    keys.remove(key);
                }
            }
        }
        self.held.remove(key);
        place.hold
    }

    /// What was kept back waits from now on, so that what comes free together is told together. A few times: what is held
    /// again and again, and free in between, is told when it is free.
    fn release(&mut self, key: &Key) {
        let at = self.at;
        let Some(alert) = self.alerts.get_mut(key).filter(|alert| alert.is_open()) else { return };
        for to_tell in alert.lines.values_mut().filter_map(|line| line.to_tell.as_mut()) {
            if to_tell.releases == RELEASES_MAX {
                continue;
            }
            (to_tell.since, to_tell.storm) = (at, false);
            to_tell.releases += 1;
            self.dirty.insert(key.0.clone());
        }
    }

    fn keep_back(&mut self, key: &Key, hold: Hold, place: &mut Place) {
        self.held.insert(key.clone());
        if let Why::Waiting(names) = &hold.why {
            for name in names {
                self.awaiting.entry(name.clone()).or_default().insert(key.clone());
                self.hurry.insert(name.clone());
            }
        }
        let explains = matches!(hold.why, Why::Cause) || hold.why == Why::Explained && hold.until.is_none();
        if let Some(alert) = self.alerts.get_mut(key).filter(|_| explains) {
            alert.now.cause = Some(hold.text.clone());
        }
        place.hold = Some(hold);
    }

    /// Promises the reminders and escalations that are due by now; gives when the next one is.
    fn come_due(&mut self, key: &Key) -> Option<Timestamp> {
        let (at, quiet_until) = (self.at, self.quiet_until);
        let alert = self.alerts.get_mut(key).filter(|alert| alert.is_open())?;
        if alert.ack.as_ref().is_some_and(|ack| ack.until <= at) {
            alert.ack = None;
            alert.now.acknowledged_by = None;
            self.dirty.insert(key.0.clone());
        }
        if let Some(ack) = &alert.ack {
            return Some(ack.until);
        }
        let mut next: Option<Timestamp> = None;
        let mut to_tell: Vec<(Arc<str>, Kind, u32)> = Vec::new();
        let periods = &self.alerting.policy.of(alert.now.severity).remind;
        let known: BTreeSet<Arc<str>> = alert
            .lines
            .iter()
            .filter(|(_, line)| line.told.is_some())
            .map(|(name, _)| name.clone())
            .collect();
        for (name, line) in &mut alert.lines {
            let Some(told) = &mut line.told else { continue };
            let Some(contact) = self.alerting.contacts.get(name) else { continue };
            if alert.now.severity == Severity::Page {
                while let Some((level, to)) = contact.escalate.get(told.levels) {
                    let due = after(told.first, *level).max(quiet_until);
                    if due > at {
                        next = Some(next.map_or(due, |next| next.min(due)));
                        break;
                    }
                    if !known.contains(to) {
                        to_tell.push((to.clone(), Kind::Escalated, LEVELS_FROM + told.levels as u32));
                    }
                    told.levels += 1;
                }
            }
            if line.to_tell.is_none()
                && let Some(due) = told.reminder_due(periods).map(|due| due.max(quiet_until))
            {
                if due <= at {
                    to_tell.push((name.clone(), Kind::Reminder, told.reminders + 1));
                } else {
                    next = Some(next.map_or(due, |next| next.min(due)));
                }
            }
        }
        if !to_tell.is_empty() {
            self.dirty.insert(key.0.clone());
        }
        for (contact, kind, number) in to_tell {
            alert.tell(&contact, kind, at, number);
        }
        next
    }

    /// Puts everything that is to be told of an alert with what it is told together with.
    fn queue_up(&mut self, key: &Key, place: &mut Place) {
        let Some(alert) = self.alerts.get(key) else { return };
        let mut joins = Vec::new();
        for (contact, line) in &alert.lines {
            if let Some(to_tell) = line.to_tell.filter(|_| self.is_reachable(contact)) {
                joins.push(self.group(contact, alert, line, to_tell));
            }
        }
        for (group, due) in joins {
            self.queue.join(&group, key, due);
            place.groups.push(group);
        }
    }

    fn group(&self, contact: &Arc<str>, alert: &Alert, line: &Line, to_tell: ToTell) -> (Group, Timestamp) {
        let ToTell { kind, since, merged, .. } = to_tell;
        let severity = alert.now.severity;
        let begins = line.told.is_none();
        let storm = kind == Kind::Firing && to_tell.storm;
        let wait = match kind {
            _ if storm => STORM,
            Kind::Firing | Kind::Resolved => self.alerting.policy.of(severity).wait,
            Kind::Flapping if begins => self.alerting.policy.of(severity).wait,
            _ => Duration::ZERO,
        };
        let section = (severity == Severity::Ticket && begins && !storm).then(|| alert.now.section.clone());
        let thread = line.told.as_ref().map(|told| told.thread.clone());
        let severity = (!storm).then_some(severity);
        (Group { contact: contact.clone(), kind, severity, section, thread, merged }, after(since, wait))
    }

    /// Everything that has waited long enough, as notices.
    pub(super) fn flush(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        while let Some((group, members)) = self.queue.take(self.at) {
            let in_storm = group.kind == Kind::Firing
                && group.severity.is_some()
                && self.storms.get(&group.contact).is_some_and(|storm| storm.rages(self.at));
            if in_storm {
                self.leave_to_the_storm(&group.contact, &members);
            }
            let ready = |(_, key): &(Timestamp, Key)| {
                self.alerts.get(key).is_some_and(|alert| self.hold(key, alert).is_none()) && !in_storm
            };
            let (ready, others): (Vec<_>, Vec<_>) = members.into_iter().partition(ready);
            for (_, key) in &others {
                self.examine(key);
            }
            if ready.iter().any(|(due, _)| *due <= self.at) {
                let keys = ready.into_iter().map(|(_, key)| key).collect();
                notices.push(self.tell_group(&group, keys));
            } else {
                // Those that had waited long enough are held; the others would only have come along.
                for (due, key) in ready {
                    self.queue.join(&group, &key, due);
                }
            }
        }
        notices
    }

    /// Remembered, and not asked again: a storm may be over by the time that an alert is looked at anew.
    fn leave_to_the_storm(&mut self, contact: &Arc<str>, members: &[(Timestamp, Key)]) {
        for (_, key) in members {
            let line = self.alerts.get_mut(key).and_then(|alert| alert.lines.get_mut(contact));
            if let Some(to_tell) = line.and_then(|line| line.to_tell.as_mut()) {
                to_tell.storm = true;
                self.dirty.insert(key.0.clone());
            }
        }
    }

    fn tell_group(&mut self, group: &Group, mut keys: Vec<Key>) -> Notice {
        let gravest = |key: &Key| {
            self.alerts.get(key).map(|alert| (std::cmp::Reverse(alert.now.severity), alert.now.fired))
        };
        keys.sort_by_cached_key(|key| (gravest(key), key.clone()));
        let id = self.notice_id(group, &keys);
        let snapshots: Vec<Snapshot> =
            keys.iter().take(ALERTS_MAX).filter_map(|key| self.snapshot(key)).collect();
        let more = u32::try_from(keys.len() - snapshots.len()).unwrap_or(u32::MAX);
        let severity = snapshots.iter().map(|alert| alert.severity).max().unwrap_or(Severity::Info);
        if group.kind == Kind::Firing {
            self.storms.entry(group.contact.clone()).or_default().book(self.at, keys.len());
            self.dirty.insert(format!("contact/{}", group.contact).into());
        }
        for key in &keys {
            self.told(group, key, &id);
        }
        Notice {
            thread: group.thread.clone().unwrap_or_else(|| id.clone()),
            id,
            kind: group.kind,
            at: self.at,
            severity,
            contact: group.contact.to_string(),
            alerts: snapshots,
            more,
            merged: group.merged,
            backup: None,
        }
    }

    /// What there is to say now: of a check what its last run said, and a cause only where it is one still.
    pub(super) fn snapshot(&self, key: &Key) -> Option<Snapshot> {
        let alert = self.alerts.get(key)?;
        let mut now = alert.now.clone();
        if let Some(Subject::Check(name)) = Subject::of(&key.0).filter(|_| alert.is_open()) {
            let check = self.checks.get(name);
            now.cause = check.and_then(|check| self.cause(check));
            if let Some(check) = check.filter(|check| !check.text.is_empty()) {
                now.summary.clone_from(&check.text);
            }
        }
        Some(now)
    }

    /// Says in the state that it was told, and that its end is told to everybody at once.
    fn told(&mut self, group: &Group, key: &Key, id: &str) {
        let at = self.at;
        let Some(alert) = self.alerts.get_mut(key) else { return };
        let severity = alert.now.severity;
        let ended = !alert.is_open();
        if let Some(line) = alert.lines.get_mut(&group.contact) {
            line.to_tell = None;
            let told = line.told.get_or_insert_with(|| Told {
                thread: id.to_owned(),
                first: at,
                last: at,
                severity,
                reminders: 0,
                levels: 0,
            });
            told.last = at;
            told.severity = told.severity.max(severity);
            told.reminders += u32::from(group.kind == Kind::Reminder);
        }
        for line in alert.lines.values_mut().filter(|_| ended) {
            if let Some(to_tell) = &mut line.to_tell {
                to_tell.since = Timestamp::MIN;
            }
        }
        self.changed(key);
    }

    /// Made from what it says.
    fn notice_id(&self, group: &Group, keys: &[Key]) -> String {
        let mut said: Vec<(&str, u32)> = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(alert) = self.alerts.get(key) else { continue };
            let to_tell = alert.lines.get(&group.contact).and_then(|line| line.to_tell);
            said.push((&alert.now.episode, to_tell.map_or(0, |to_tell| to_tell.number)));
        }
        said.sort_unstable();
        let mut hasher = Sha256::new();
        for (episode, number) in said {
            hasher.update(format!("{episode} {number}\n"));
        }
        let mut id = format!("{}-", group.kind.as_str());
        for byte in &hasher.finalize()[..8] {
            // Writing to a text can't fail.
            let _ = write!(id, "{byte:02x}");
        }
        id
    }

    /// Whoever must be told of an alert of this severity. Where a page can't reach somebody, whom it would go to next
    /// is told at once.
    pub(super) fn contacts(&self, key: &Key, severity: Severity) -> Vec<Arc<str>> {
        let named = match Subject::of(&key.0) {
            Some(Subject::Check(name) | Subject::Gap(name)) => {
                self.checks.get(name).and_then(|check| check.watched.alert.to.as_deref())
            }
            Some(Subject::Slo(name, _)) => self.links.objectives.get(name).map(|slo| slo.contacts(severity)),
            _ => None,
        };
        let named = named.unwrap_or(&self.alerting.policy.of(severity).to);
        let mut contacts: Vec<Arc<str>> = Vec::with_capacity(named.len());
        for contact in named.iter().filter_map(|name| self.alerting.contacts.get(name)) {
            contacts.push(contact.name.clone());
            if severity == Severity::Page && contact.channels.is_empty() {
                let next = contact.escalate.iter().map(|(_, next)| next).find(|next| self.is_reachable(next));
                contacts.extend(next.cloned());
            }
        }
        let mut seen = BTreeSet::new();
        contacts.retain(|contact| seen.insert(contact.clone()));
        contacts
    }
}
