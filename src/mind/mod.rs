//! Judgement and alerts together: facts in; what is to be written, told and looked at again out. Pure.
//!
//! Whatever alerts are concluded from passes through [`Mind::apply`] as a [`Fact`], in order; the running agent and
//! `atalaya replay` differ in where facts come from and in nothing else.

mod promise;
#[cfg(test)]
mod tests;

pub use promise::Promise;

use crate::alert::{AlertView, Engine, Notice, Watched};
use crate::config::Check;
use crate::config::alerting::{Alerting, Indicator};
use crate::fact::{Fact, Ran, Silence, What};
use crate::judge::Tracker;
use crate::store::{Batch, CursorRow, DayRow, Remembered, Slice, SliceRow};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Promises that are not made any more are kept, in case that they are made again: by a file that is edited, a variable
/// that is set anew.
const RETIRED_MAX: usize = 64;

/// A day of some two hundred objectives.
const UNHEARD_MAX: usize = 300_000;

/// How often objectives are judged.
pub const EVALUATE_EVERY: Duration = Duration::from_secs(15);

/// Everything that alerts depend on.
pub struct Mind {
    engine: Engine,
    promises: Vec<Promise>,
    retired: BTreeMap<(Arc<str>, u64), Promise>,
    /// What was measured before the store could be opened, as long as it can't.
    unheard: Option<Vec<SliceRow>>,
    /// Which objectives are made from the runs of a check.
    by_check: HashMap<Arc<str>, Vec<usize>>,
    /// Checks whose measures an objective is made from.
    measured: HashSet<Arc<str>>,
    /// Up to where each counting check has counted.
    cursors: BTreeMap<Arc<str>, Timestamp>,
    moved: BTreeSet<Arc<str>>,
    evaluate_at: Timestamp,
    evaluated: Option<Timestamp>,
    /// The hour in which reports by months were made.
    reported: i64,
    /// The minute up to which slices were handed to the store.
    written: i64,
}

/// What follows from the facts so far.
#[derive(Debug, Default)]
pub struct Thought {
    /// Without its outbox rows: whoever knows the channels makes them from the notices.
    pub batch: Batch,
    pub notices: Vec<Notice>,
    /// Checks to look at again at once.
    pub hurry: Vec<Arc<str>>,
}

impl Mind {
    /// `remembered` is taken out of what the store gives. Texts tell what could not be read.
    pub fn new<'a>(
        checks: impl Iterator<Item = &'a Check>,
        alerting: Arc<Alerting>,
        remembered: &mut Remembered,
        at: Timestamp,
    ) -> (Mind, Vec<String>) {
        let checks: Vec<&Check> = checks.collect();
        let mut engine = Engine::new(watched(&checks), alerting.clone());
        let unreadable =
            engine.restore(&std::mem::take(&mut remembered.alerts), std::mem::take(&mut remembered.silences));
        let mut mind = Mind {
            engine,
            promises: Vec::new(),
            retired: BTreeMap::new(),
            unheard: remembered.agent.is_empty().then(Vec::new),
            by_check: HashMap::new(),
            measured: HashSet::new(),
            cursors: remembered.cursors.drain(..).map(|row| (row.check, row.to)).collect(),
            moved: BTreeSet::new(),
            evaluate_at: at,
            evaluated: None,
            reported: 0,
            written: 0,
        };
        mind.promise(&alerting, remembered);
        mind.nothing_later_than(at);
        (mind, unreadable)
    }

    /// What the store remembered and could not tell at the start. What happened since is newer.
    pub fn found(&mut self, remembered: &mut Remembered) -> Vec<String> {
        for row in remembered.cursors.drain(..) {
            self.cursors.entry(row.check).or_insert(row.to);
        }
        let own = self.unheard.take().unwrap_or_default();
        for promise in &mut self.promises {
            let is_own = |name: &Arc<str>, generation: u64| {
                *name == promise.objective.name && generation == promise.objective.generation
            };
            let before = remembered.slices.iter().filter(|row| is_own(&row.objective, row.generation));
            let since = own.iter().filter(|row| is_own(&row.objective, row.generation));
            let slices: BTreeMap<u32, Slice> =
                before.chain(since).map(|row| (row.slice.minute, row.slice)).collect();
            let days = remembered.days.iter().filter(|row| is_own(&row.objective, row.generation));
            let days: Vec<_> = days.map(|row| row.day).collect();
            promise.tracker = Tracker::new(promise.objective.clone(), slices.into_values(), days);
        }
        self.engine.restore(&std::mem::take(&mut remembered.alerts), std::mem::take(&mut remembered.silences))
    }

    /// New definitions. What has the same name and counts the same keeps what was counted.
    pub fn replan<'a>(&mut self, checks: impl Iterator<Item = &'a Check>, alerting: Arc<Alerting>) {
        let checks: Vec<&Check> = checks.collect();
        self.engine.replan(watched(&checks), alerting.clone());
        self.promise(&alerting, &mut Remembered::default());
    }

    fn promise(&mut self, alerting: &Alerting, remembered: &mut Remembered) {
        let mut before: HashMap<Arc<str>, Promise> = std::mem::take(&mut self.promises)
            .into_iter()
            .map(|one| (one.objective.name.clone(), one))
            .collect();
        let mut slices: HashMap<(Arc<str>, u64), Vec<_>> = HashMap::new();
        for row in remembered.slices.drain(..) {
            slices.entry((row.objective, row.generation)).or_default().push(row.slice);
        }
        let mut days: HashMap<(Arc<str>, u64), Vec<_>> = HashMap::new();
        for row in remembered.days.drain(..) {
            days.entry((row.objective, row.generation)).or_default().push(row.day);
        }
        for objective in &alerting.objectives {
            let key = (objective.name.clone(), objective.generation);
            let known = match before.remove(&objective.name) {
                Some(other) if other.objective.generation != objective.generation => {
                    self.retire(other);
                    self.retired.remove(&key)
                }
                known => known.or_else(|| self.retired.remove(&key)),
            };
            let promise = if let Some(mut promise) = known {
                promise.tracker.replan(objective.clone());
                promise.objective = objective.clone();
                promise
            } else {
                let slices = slices.remove(&key).unwrap_or_default();
                let days = days.remove(&key).unwrap_or_default();
                Promise::new(objective.clone(), slices, days)
            };
            self.promises.push(promise);
        }
        for other in before.into_values() {
            self.retire(other);
        }
        self.by_check.clear();
        self.measured.clear();
        for (at, promise) in self.promises.iter().enumerate() {
            for check in promise.objective.checks() {
                self.by_check.entry(check.clone()).or_default().push(at);
                if matches!(promise.objective.indicator, Indicator::Measure { .. }) {
                    self.measured.insert(check.clone());
                }
            }
        }
    }

    fn retire(&mut self, promise: Promise) {
        let key = (promise.objective.name.clone(), promise.objective.generation);
        if self.retired.len() < RETIRED_MAX {
            self.retired.insert(key, promise);
        }
    }

    /// Whether an objective is made from this check's measures, so that facts must hold them.
    pub fn measures(&self, check: &str) -> bool {
        self.measured.contains(check)
    }

    /// Whether time alone changes something at `at`: a [`What::Tick`] before that says nothing.
    pub fn is_due(&self, at: Timestamp) -> bool {
        at >= self.evaluate_at || self.engine.next_due().is_some_and(|due| at >= due)
    }

    /// When time alone will change something.
    pub fn next_due(&self) -> Timestamp {
        self.engine.next_due().map_or(self.evaluate_at, |due| due.min(self.evaluate_at))
    }

    /// When objectives were last judged.
    pub const fn evaluated(&self) -> Option<Timestamp> {
        self.evaluated
    }

    pub fn apply(&mut self, fact: &Fact) {
        match &fact.what {
            What::Ran(ran) => self.ran(fact.at, ran),
            // So that who replays a restart judges at the same moments.
            What::Started => self.evaluate_at = fact.at,
            What::Tick if fact.at >= self.evaluate_at => self.evaluate(fact.at),
            What::ClockSet { by_ms } => {
                let by = SignedDuration::from_millis(*by_ms);
                self.evaluate_at = self.evaluate_at.saturating_add(by).unwrap_or(fact.at);
                self.nothing_later_than(fact.at);
            }
            _ => {}
        }
        self.engine.apply(fact);
    }

    /// The clock was ahead: what was counted up to a time that is yet to come is counted from now on again, since most of
    /// it has not happened yet.
    fn nothing_later_than(&mut self, at: Timestamp) {
        let minute = Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap_or(at);
        for (check, cursor) in self.cursors.iter_mut().filter(|(_, cursor)| **cursor > at) {
            *cursor = minute;
            self.moved.insert(check.clone());
        }
        for promise in &mut self.promises {
            promise.tracker.nothing_later_than(minute);
        }
    }

    fn ran(&mut self, at: Timestamp, ran: &Ran) {
        let new = promise::new_parts(&ran.counted, self.cursors.get(&ran.check).copied());
        if let Some(last) = new.last() {
            self.cursors.insert(ran.check.clone(), last.to);
            self.moved.insert(ran.check.clone());
        }
        let Some(promises) = self.by_check.get(&ran.check) else { return };
        if ran.counted.is_empty() {
            for place in promises {
                let promise = &mut self.promises[*place];
                promise.tracker.ran(at, ran, promise.in_maintenance);
            }
            return;
        }
        // Part by part: whether maintenance holds depends on when it happened, and not on when it was counted.
        let mut one = ran.clone();
        for part in new {
            let settled = SignedDuration::from_secs(part.settled_s);
            let happened = part.to.saturating_sub(settled).unwrap_or(part.to);
            one.counted = vec![part];
            for place in promises {
                let promise = &mut self.promises[*place];
                let objective = &promise.objective;
                let excluded = objective.excludes_maintenance
                    && self.engine.in_maintenance(happened, &objective.name, &objective.section).is_some();
                promise.tracker.ran(at, &one, excluded);
            }
        }
    }

    fn evaluate(&mut self, at: Timestamp) {
        let hour = at.as_second().div_euclid(3600);
        let report = hour != std::mem::replace(&mut self.reported, hour);
        for promise in &mut self.promises {
            let objective = &promise.objective;
            promise.in_maintenance = objective.excludes_maintenance
                && self.engine.in_maintenance(at, &objective.name, &objective.section).is_some();
            let standing = Arc::new(promise.tracker.evaluate(at));
            self.engine.judged(at, objective, &standing);
            promise.standing = Some(standing);
            if report {
                promise.months = promise.tracker.months().into();
            }
        }
        self.evaluated = Some(at);
        let every = SignedDuration::try_from(EVALUATE_EVERY).unwrap_or(SignedDuration::ZERO);
        self.evaluate_at = at.saturating_add(every).unwrap_or(Timestamp::MAX);
    }

    /// What is new since the last time. Slices are written once a minute, and with the cursor that they belong to.
    pub fn drain(&mut self, at: Timestamp) -> Thought {
        let drained = self.engine.drain(at);
        let mut thought = Thought { notices: drained.notices, hurry: drained.hurry, ..Thought::default() };
        thought.batch.alerts = drained.alerts;
        thought.batch.silences = drained.silences;
        let minute = at.as_second().div_euclid(60);
        if minute != self.written || !self.moved.is_empty() {
            self.written = minute;
            self.write_counts(minute, &mut thought.batch);
        }
        thought
    }

    /// Everything that was counted and not handed out yet: when the agent stops.
    pub fn drain_all(&mut self, at: Timestamp) -> Thought {
        self.written = 0;
        self.drain(at)
    }

    fn write_counts(&mut self, minute: i64, batch: &mut Batch) {
        for promise in &mut self.promises {
            let (slices, days) = promise.tracker.take_changed();
            promise.count(minute, &slices);
            let (name, generation) = (&promise.objective.name, promise.objective.generation);
            let slices =
                slices.into_iter().map(|slice| SliceRow { objective: name.clone(), generation, slice });
            let from = batch.slices.len();
            batch.slices.extend(slices);
            if let Some(unheard) = self.unheard.as_mut().filter(|unheard| unheard.len() < UNHEARD_MAX) {
                unheard.extend_from_slice(&batch.slices[from..]);
            }
            let days = days.into_iter().map(|day| DayRow { objective: name.clone(), generation, day });
            batch.days.extend(days);
        }
        for check in std::mem::take(&mut self.moved) {
            if let Some(to) = self.cursors.get(&check) {
                batch.cursors.push(CursorRow { check, to: *to });
            }
        }
    }

    /// Up to where each counting check has counted.
    pub fn cursors(&self) -> impl Iterator<Item = (&Arc<str>, Timestamp)> {
        self.cursors.iter().map(|(check, to)| (check, *to))
    }

    pub fn cursor(&self, check: &str) -> Option<Timestamp> {
        self.cursors.get(check).copied()
    }

    /// In the order of the definitions.
    pub fn promises(&self) -> &[Promise] {
        &self.promises
    }

    pub fn alerts(&self) -> Vec<AlertView> {
        self.engine.alerts()
    }

    pub fn silences(&self) -> &[Silence] {
        self.engine.silences()
    }

    /// The alerts that are meant by a key or a name; the error says what there is.
    pub fn meant(&self, wanted: &str) -> Result<Vec<String>, String> {
        Ok(self.engine.meant(wanted)?.iter().map(ToString::to_string).collect())
    }
}

/// What the engine needs to know of each check.
fn watched(checks: &[&Check]) -> Vec<Watched> {
    let one = |check: &&Check| Watched {
        name: check.name.clone(),
        title: check.title.clone(),
        section: check.section.clone(),
        needs: check.needs.iter().map(|name| name.as_str().into()).collect(),
        runbook: check.runbook.clone(),
        every: check.every,
        waits: check.definition.kind().hears().is_some(),
        alert: check.alert.clone(),
    };
    checks.iter().map(one).collect()
}
