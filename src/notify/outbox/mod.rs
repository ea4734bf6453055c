//! The outbox: every message that is promised, until it is delivered or of no use any more. Pure: `now` is an argument.
//!
//! All that must outlive the process is in the rows: whoever holds an outbox writes [`Outbox::changed`], and builds
//! the next one from what was written. So a kill at any moment costs at most a repeat with the same key.
//!
//! What is guaranteed, precisely:
//! - A message is tried until a channel has taken it, every channel of its contact has refused it, or it has expired.
//! - Of one message at most one try is under way, over all channels. What one channel has delivered no other tells.
//!   Only a try that was taken and did not say so (a time-out after the body, a kill before the row was written) can
//!   make another channel tell it too; on the same channel it is a repeat with the same key.
//! - A contact is told the end of an episode after its beginning, where the beginning was told, or both in one.
//! - A channel that hangs, fails or is full delays no other.

mod digest;
mod failover;
mod health;
mod join;
mod lane;
mod ledger;
mod pace;
mod place;
mod row;
#[cfg(test)]
mod tests;

pub use health::{ChannelHealth, Event, Fate, Health};
pub(super) use row::hash;
pub use row::rows;

use super::{Delivery, Parcel};
use crate::alert::Severity;
use crate::config::alerting::{Alerting, ChannelPlan};
use crate::store::{OutboxRow, RowState};
use jiff::{SignedDuration, Timestamp};
use lane::Lane;
use ledger::{Id, Ledger};
use row::{between, earlier, later, moved};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Nothing waits longer than this for another try, whatever the clock was when the wait began.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// Smaller steps back are what keeping a clock right looks like.
const SET_BACK_MIN: Duration = Duration::from_secs(1);

/// Failed tries until a page goes to the next channel.
const PAGE_TRIES: u32 = 3;

/// A message to be tried now, and with what.
#[derive(Debug)]
pub struct Dispatch {
    pub channel: Arc<ChannelPlan>,
    pub parcel: Parcel,
}

pub struct Outbox {
    alerting: Arc<Alerting>,
    ledger: Ledger,
    lanes: BTreeMap<Arc<str>, Lane>,
    alarms: BTreeSet<(Timestamp, Id)>,
    /// Pages that are not settled, by age.
    pages: BTreeSet<(Timestamp, Id)>,
    /// Rows to write.
    dirty: BTreeSet<Id>,
    events: Vec<Event>,
    /// Rows whose neighbours are to be looked at again.
    stirred: Vec<Id>,
    /// The latest `now`; none until it is known when "now" is.
    last: Option<Timestamp>,
}

impl Outbox {
    /// `rows`: those that are pending, and those settled within the last day, which say where episodes were told.
    pub fn new(rows: Vec<OutboxRow>, alerting: Arc<Alerting>) -> Outbox {
        let lane = |plan: &Arc<ChannelPlan>| (plan.name.clone(), Lane::new(plan.clone()));
        let mut outbox = Outbox {
            lanes: alerting.channels.values().map(lane).collect(),
            alerting,
            ledger: Ledger::default(),
            alarms: BTreeSet::new(),
            pages: BTreeSet::new(),
            dirty: BTreeSet::new(),
            events: Vec::new(),
            stirred: Vec::new(),
            last: None,
        };
        for row in rows {
            outbox.ledger.insert(row, true);
        }
        outbox
    }

    /// Other definitions. Messages for a channel that is gone go to the next backup, or to what the contact has now;
    /// without any they are refused. What was refused and told nobody is tried again where the channel was changed.
    pub fn replan(&mut self, alerting: Arc<Alerting>) {
        let mut before = std::mem::take(&mut self.lanes);
        let mut mended = BTreeSet::new();
        for plan in alerting.channels.values() {
            let mut lane = before.remove(&plan.name).unwrap_or_else(|| {
                mended.insert(plan.name.clone());
                Lane::new(plan.clone())
            });
            if lane.plan.fingerprint != plan.fingerprint {
                mended.insert(plan.name.clone());
            }
            lane.replace(plan.clone());
            self.lanes.insert(plan.name.clone(), lane);
        }
        self.alerting = alerting;
        let Some(now) = self.last else { return };
        for id in before.values().flat_map(|lane| lane.pending.iter().map(|(_, id)| *id)) {
            self.evict(id, now);
        }
        self.revive(&mended, now);
        self.calm(now);
    }

    /// New messages, which are written already. One whose key is known is not new.
    pub fn add(&mut self, now: Timestamp, rows: Vec<OutboxRow>) {
        self.turn(now);
        for mut row in rows {
            if row.expires <= now {
                // It was written when the clock said something else: nobody promises what is of no use.
                let useful = between(row.created, row.expires);
                (row.created, row.not_before, row.expires) = (now, now, later(now, useful));
            }
            self.admit(row, now);
        }
        self.calm(now);
    }

    /// What is to be tried now: at most one message a channel, since one that waits for it may not overtake. Each is
    /// under way until [`Outbox::done`].
    pub fn take_ready(&mut self, now: Timestamp) -> Vec<Dispatch> {
        self.turn(now);
        let channels: Vec<Arc<str>> = self.lanes.keys().cloned().collect();
        let mut taken = Vec::new();
        for channel in channels {
            self.collapse(&channel, now);
            if let Some(id) = self.lanes.get_mut(&channel).and_then(|lane| lane.next(now)) {
                taken.extend(self.take(id));
                self.calm(now);
            }
        }
        taken
    }

    fn take(&mut self, id: Id) -> Option<Dispatch> {
        self.unplace(id);
        let entry = self.ledger.get_mut(id)?;
        let lane = self.lanes.get_mut(&entry.row.channel)?;
        entry.under_way = true;
        entry.frozen = true;
        lane.under_way = Some(id);
        lane.bucket.take();
        self.stirred.push(id);
        let parcel = Parcel {
            notice: entry.row.notice.clone(),
            key: entry.row.key.clone(),
            thread: entry.row.thread.clone(),
            url: self.alerting.policy.url.clone(),
            attempts: entry.row.attempts,
        };
        Some(Dispatch { channel: lane.plan.clone(), parcel })
    }

    /// What became of a try.
    pub fn done(&mut self, now: Timestamp, key: &str, delivery: Delivery) {
        self.turn(now);
        let Some(id) = self.ledger.id(key) else { return };
        let Some(entry) = self.ledger.get_mut(id) else { return };
        if !std::mem::replace(&mut entry.under_way, false) {
            return;
        }
        entry.row.attempts = entry.row.attempts.saturating_add(1);
        let channel = entry.row.channel.clone();
        if let Some(lane) = self.lanes.get_mut(&channel) {
            lane.under_way = lane.under_way.filter(|under_way| *under_way != id);
        }
        match delivery {
            Delivery::Delivered => self.delivered(id, &channel, now),
            Delivery::Retry { after, why } => self.postponed(id, &channel, (after, why), now),
            Delivery::Refused { why } => self.refused(id, &channel, why, now),
            // Nothing is wrong with the channel: the next one is used, and nobody hears of it.
            Delivery::Absent { why } => self.refuse(id, why, now),
        }
        self.stirred.push(id);
        self.calm(now);
    }

    fn delivered(&mut self, id: Id, channel: &Arc<str>, now: Timestamp) {
        self.settle(id, RowState::Delivered, None, now);
        for sibling in self.ledger.family(id).to_vec() {
            self.settle(sibling, RowState::Merged, None, now);
        }
        if let Some(lane) = self.lanes.get_mut(channel) {
            lane.recovered();
        }
        self.tell_health(channel);
    }

    fn postponed(
        &mut self,
        id: Id,
        channel: &Arc<str>,
        (after, why): (Option<Duration>, String),
        now: Timestamp,
    ) {
        self.count(id, Fate::Retried);
        if let Some(lane) = self.lanes.get_mut(channel) {
            lane.failed(&why, after.map(|after| after.min(WAIT_MAX)), now);
        }
        self.tell_health(channel);
        let Some(entry) = self.ledger.get_mut(id) else { return };
        let row = &mut entry.row;
        let again = later(now, pace::again(&row.key, row.attempts, after, row.notice.severity));
        row.not_before =
            failover::leave_room(row, again, self.lanes.get(channel).map(|lane| lane.plan.timeout));
        row.error = Some(why);
        self.dirty.insert(id);
        if row.expires <= now {
            self.settle(id, RowState::Expired, None, now);
        } else if !self.lanes.contains_key(channel) {
            self.evict(id, now);
        } else if row.notice.severity == Severity::Page && row.attempts >= PAGE_TRIES {
            self.fail_over(id, now);
        }
    }

    fn refused(&mut self, id: Id, channel: &Arc<str>, why: String, now: Timestamp) {
        if let Some(lane) = self.lanes.get_mut(channel) {
            lane.refused = true;
            lane.failed(&why, None, now);
        }
        self.tell_health(channel);
        self.refuse(id, why, now);
    }

    /// Rows to write since this was asked last.
    pub fn changed(&mut self) -> Vec<OutboxRow> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty.into_iter().filter_map(|id| Some(self.ledger.get(id)?.row.clone())).collect()
    }

    /// What happened since this was asked last, for metrics, logs, and alerts about channels.
    pub fn happened(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// When to ask for what is ready next; a moment that is past means now. None: only something new changes anything.
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.last.is_none() {
            return Some(Timestamp::MIN);
        }
        let alarm = self.alarms.first().map(|(at, _)| *at);
        self.lanes.values().filter_map(Lane::due).chain(alarm).min()
    }

    /// The wall clock was set by so much while no time passed, forward or back: every moment moves along, so that
    /// nothing expires, or waits, because of it. Whoever has a clock that is never set calls this before anything
    /// else is said about the new time.
    pub fn clock_set(&mut self, by: SignedDuration) {
        // Until the first moment nothing was compared with the clock.
        let Some(last) = self.last else { return };
        let now = moved(last, by);
        self.last = Some(now);
        self.lanes.values_mut().for_each(|lane| lane.clock_set(by));
        for id in self.ledger.ids() {
            self.unplace(id);
            self.leave(id);
            let Some(entry) = self.ledger.get_mut(id) else { continue };
            let row = &mut entry.row;
            for at in [&mut row.created, &mut row.not_before, &mut row.expires] {
                *at = moved(*at, by);
            }
            for at in [&mut row.settled, &mut entry.tryable].into_iter().flatten() {
                *at = moved(*at, by);
            }
            if entry.is_pending() {
                self.dirty.insert(id);
                self.enter(id);
            }
        }
        for id in self.ledger.ids() {
            self.place(id, now);
        }
    }

    /// Whatever is due by now, and a look at the clock.
    fn turn(&mut self, now: Timestamp) {
        match self.last.replace(now) {
            None => self.begin(now),
            Some(last) if between(now, last) > SET_BACK_MIN => self.set_back(between(now, last), now),
            Some(_) => {}
        }
        for lane in self.lanes.values_mut() {
            lane.ripen(now);
        }
        while let Some((at, id)) = self.alarms.first().copied()
            && at <= now
        {
            self.alarm(id, now);
            self.calm(now);
        }
    }

    /// The first moment: what was written before meets the clock and the definitions of today.
    fn begin(&mut self, now: Timestamp) {
        let mut sent = Vec::new();
        for id in self.ledger.ids() {
            let Some(entry) = self.ledger.get_mut(id) else { continue };
            if entry.row.state == RowState::Delivered {
                sent.extend(entry.row.settled.map(|at| (at, entry.row.channel.clone())));
            } else if entry.is_pending() {
                // A clock that was behind when this began is set later, and what is useful for a day still is.
                let ahead = between(now, entry.row.created);
                let row = &mut entry.row;
                for at in [&mut row.created, &mut row.not_before, &mut row.expires] {
                    *at = earlier(*at, ahead);
                }
                entry.row.not_before = entry.row.not_before.min(later(now, WAIT_MAX));
                self.enter(id);
                if !self.lanes.contains_key(&self.channel(id)) {
                    self.evict(id, now);
                }
            }
            self.stirred.push(id);
        }
        sent.retain(|(at, _)| *at <= now && *at > earlier(now, WAIT_MAX));
        sent.sort();
        for (at, channel) in sent {
            if let Some(lane) = self.lanes.get_mut(&channel) {
                lane.bucket.remember(at);
            }
        }
        let all = self.lanes.keys().cloned().collect();
        self.revive(&all, now);
        self.calm(now);
    }

    /// The wall clock was set back and nobody said so: what was to come in a minute still comes in a minute.
    fn set_back(&mut self, by: Duration, now: Timestamp) {
        self.lanes.values_mut().for_each(|lane| lane.set_back(by));
        for id in self.ledger.ids() {
            self.unplace(id);
            self.leave(id);
            let Some(entry) = self.ledger.get_mut(id) else { continue };
            if entry.is_pending() {
                entry.row.created = entry.row.created.min(now);
                entry.row.not_before = entry.row.not_before.min(earlier(entry.row.not_before, by).max(now));
                entry.tryable = entry.tryable.map(|since| since.min(now));
                self.dirty.insert(id);
                self.enter(id);
            }
        }
        for id in self.ledger.ids() {
            self.place(id, now);
        }
    }
}
