//! One channel's messages that are not settled, in the order in which they go out, and how the channel is.
//!
//! At most one is under way: so messages can't overtake each other, and a provider that hangs holds one connection.

use super::ledger::Id;
use super::pace::Bucket;
use super::row::{earlier, later, moved};
use crate::config::alerting::ChannelPlan;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Failures one after the other until a channel counts as ill.
pub(super) const FAILURES_MAX: u32 = 3;

/// An ill channel is tried with one message at a time, not with all that wait.
const ILL_PAUSE: Duration = Duration::from_secs(5);

/// A message's place in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub created: Timestamp,
    pub rank: u8,
    pub id: Id,
    pub page: bool,
}

#[derive(Debug)]
pub(super) struct Lane {
    pub plan: Arc<ChannelPlan>,
    /// Could go now.
    pages: BTreeSet<Spot>,
    others: BTreeSet<Spot>,
    /// Not before a time.
    waiting: BTreeMap<(Timestamp, Id), Spot>,
    /// All that are not settled, wherever they wait.
    pub pending: BTreeSet<(Timestamp, Id)>,
    /// Digests that are not settled.
    pub digests: BTreeSet<Id>,
    /// Ends that wait for a digest, which may tell their beginnings.
    pub behind_digests: BTreeSet<Id>,
    pub under_way: Option<Id>,
    hold: Timestamp,
    pub bucket: Bucket,
    pub failures: u32,
    pub refused: bool,
    pub error: Option<String>,
    /// What was told about its health last.
    pub told: Option<bool>,
}

impl Lane {
    pub(super) fn new(plan: Arc<ChannelPlan>) -> Lane {
        Lane {
            bucket: Bucket::new(plan.hourly_max),
            plan,
            pages: BTreeSet::new(),
            others: BTreeSet::new(),
            waiting: BTreeMap::new(),
            pending: BTreeSet::new(),
            digests: BTreeSet::new(),
            behind_digests: BTreeSet::new(),
            under_way: None,
            hold: Timestamp::MIN,
            failures: 0,
            refused: false,
            error: None,
            told: None,
        }
    }

    pub(super) fn is_well(&self) -> bool {
        !self.refused && self.failures < FAILURES_MAX
    }

    pub(super) fn insert(&mut self, spot: Spot, not_before: Timestamp, now: Timestamp) {
        if not_before > now {
            self.waiting.insert((not_before, spot.id), spot);
        } else {
            self.ready(spot);
        }
    }

    fn ready(&mut self, spot: Spot) {
        let line = if spot.page { &mut self.pages } else { &mut self.others };
        line.insert(spot);
    }

    pub(super) fn remove(&mut self, spot: Spot, not_before: Timestamp) {
        self.waiting.remove(&(not_before, spot.id));
        self.pages.remove(&spot);
        self.others.remove(&spot);
        self.behind_digests.remove(&spot.id);
    }

    /// Moves what may go by now to the line.
    pub(super) fn ripen(&mut self, now: Timestamp) {
        while let Some(first) = self.waiting.first_entry()
            && first.key().0 <= now
        {
            let spot = first.remove();
            self.ready(spot);
        }
    }

    /// The next message, pages first. None where the channel is busy, told us to wait, or has sent its share.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Id> {
        if self.under_way.is_some() || self.hold > now {
            return None;
        }
        let spot = *self.pages.first().or(self.others.first())?;
        self.bucket.has(now, spot.page).then_some(spot.id)
    }

    /// Messages that are not pages and more than may be sent; empty where they are not too many.
    pub(super) fn overflow(&mut self, now: Timestamp) -> Vec<Id> {
        if self.others.len() < 2 || self.bucket.has(now, false) {
            return Vec::new();
        }
        self.others.iter().map(|spot| spot.id).collect()
    }

    /// When it is worth asking again; None where only the end of what is under way, or something new, changes anything.
    pub(super) fn due(&self) -> Option<Timestamp> {
        if self.under_way.is_some() {
            return None;
        }
        let ready = self.pages.first().or(self.others.first()).map(|spot| self.bucket.ready_at(spot.page));
        // A page that ripens may go where what is ready may not.
        let ripe = self.waiting.keys().next().map(|(at, _)| *at);
        Some(ready.into_iter().chain(ripe).min()?.max(self.hold))
    }

    pub(super) fn failed(&mut self, why: &str, hold: Option<Duration>, now: Timestamp) {
        self.bucket.give_back();
        self.failures = self.failures.saturating_add(1);
        self.error = Some(why.to_owned());
        let pause = if self.failures >= FAILURES_MAX { ILL_PAUSE } else { Duration::ZERO };
        self.hold = self.hold.max(later(now, pause.max(hold.unwrap_or_default())));
    }

    /// It delivers: what waited because it did not may go, if it was ill.
    pub(super) fn recovered(&mut self) {
        if !self.is_well() {
            self.release();
        }
        self.failures = 0;
        self.refused = false;
        self.error = None;
        self.hold = Timestamp::MIN;
    }

    /// It is another channel of the same name: what is known of the old one means nothing.
    pub(super) fn replace(&mut self, plan: Arc<ChannelPlan>) {
        if self.plan.fingerprint != plan.fingerprint {
            self.release();
            self.failures = 0;
            self.refused = false;
            self.hold = Timestamp::MIN;
        }
        self.bucket.resize(plan.hourly_max);
        self.plan = plan;
    }

    fn release(&mut self) {
        for spot in std::mem::take(&mut self.waiting).into_values() {
            self.ready(spot);
        }
    }

    pub(super) fn clock_set(&mut self, by: SignedDuration) {
        self.hold = moved(self.hold, by);
        self.bucket.clock_set(by);
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        self.hold = earlier(self.hold, by);
        self.bucket.set_back(by);
    }
}
