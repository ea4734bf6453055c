//! Starts what is due and hands on what was found. Nothing here waits for anything but time and room in
//! the queue of the loop.

use super::{Definitions, Event, own, told_to_stop};
use crate::clock::{self, Steady};
use crate::config::Check;
use crate::judge::limits;
use crate::probe;
use crate::record::Run;
use crate::schedule::{self, Due, Id, Schedule};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;

/// A run may overlap the next of the same check once; a third one at the same time is dropped.
const OVERLAP_MAX: u8 = 2;

/// The longest sleep: a suspended machine is noticed this long after it woke.
const NAP_MAX: Duration = Duration::from_secs(1);

/// One check, and how many of its runs are under way.
struct Entry {
    check: Arc<Check>,
    under_way: Arc<AtomicU8>,
}

pub struct Runner {
    schedule: Schedule,
    entries: HashMap<Id, Entry>,
    places: Arc<Semaphore>,
    runs: JoinSet<()>,
    grace: Duration,
    events: mpsc::Sender<Event>,
}

impl Runner {
    pub fn new(runs_max: usize, grace: Duration, events: mpsc::Sender<Event>) -> Runner {
        Runner {
            schedule: Schedule::default(),
            entries: HashMap::new(),
            places: Arc::new(Semaphore::new(runs_max)),
            runs: JoinSet::new(),
            grace,
            events,
        }
    }

    /// Runs until told to stop; then waits for what is under way.
    pub async fn run(
        mut self,
        definitions: Definitions,
        mut orders: mpsc::Receiver<Definitions>,
        mut stopped: watch::Receiver<bool>,
    ) {
        self.replan(&definitions);
        loop {
            let now = clock::steady();
            let nap = self.schedule.next_due().map_or(NAP_MAX, |at| at.saturating_sub(now)).min(NAP_MAX);
            tokio::select! {
                biased;
                () = told_to_stop(&mut stopped) => break,
                Some(definitions) = orders.recv() => self.replan(&definitions),
                () = tokio::time::sleep(nap) => {}
                Some(_) = self.runs.join_next(), if !self.runs.is_empty() => {}
            }
            while self.runs.try_join_next().is_some() {}
            while let Some(due) = self.schedule.take_due(clock::steady()) {
                self.begin(due).await;
            }
            own::runs_under_way(self.runs.len());
        }
        self.drain().await;
    }

    /// New checks begin within the shortest interval; unchanged ones keep their place.
    fn replan(&mut self, definitions: &Definitions) {
        let now = clock::steady();
        let shortest = definitions.checks.iter().map(|(_, check)| check.every).min().unwrap_or_default();
        let gone: Vec<Id> = self
            .entries
            .keys()
            .filter(|id| !definitions.checks.iter().any(|(kept, _)| kept == *id))
            .copied()
            .collect();
        let mut places: HashMap<Arc<str>, (Duration, Option<Steady>)> = HashMap::new();
        for id in gone {
            let due = self.schedule.due(id);
            self.schedule.remove(id);
            if let Some(entry) = self.entries.remove(&id) {
                places.insert(entry.check.name.clone(), (entry.check.every, due));
            }
        }
        for (id, check) in definitions.checks.iter() {
            if self.entries.contains_key(id) {
                continue;
            }
            // An edited check whose interval is the same keeps its place too.
            let kept = places.get(&check.name).filter(|(every, _)| *every == check.every);
            let first =
                kept.and_then(|(_, due)| *due).unwrap_or_else(|| schedule::first(&check.name, now, shortest));
            self.schedule.insert(*id, check.every, first);
            self.entries.insert(*id, Entry { check: check.clone(), under_way: Arc::default() });
        }
        own::checks(definitions.checks.len(), definitions.skipped.len());
    }

    async fn begin(&mut self, due: Due) {
        if due.missed > 0 {
            self.dropped(due.id, due.missed, own::Dropped::Missed).await;
        }
        let Some(entry) = self.entries.get(&due.id) else { return };
        let Some(turn) = Turn::take(&entry.under_way) else {
            self.dropped(due.id, 1, own::Dropped::Overlap).await;
            return;
        };
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            drop(turn);
            self.dropped(due.id, 1, own::Dropped::Full).await;
            return;
        };
        self.runs.spawn(one_run(due, entry.check.clone(), turn, place, self.events.clone()));
    }

    async fn dropped(&self, id: Id, times: u64, why: own::Dropped) {
        own::dropped(why, times);
        self.events.send(Event::Dropped { id, at: clock::now(), times }).await.ok();
    }

    /// No new runs: those under way end, or are ended when the grace is over.
    async fn drain(&mut self) {
        let all = async { while self.runs.join_next().await.is_some() {} };
        if tokio::time::timeout(self.grace, all).await.is_err() {
            let running = self.entries.values().filter(|entry| entry.under_way.load(Ordering::Relaxed) > 0);
            let names: Vec<&str> = running.map(|entry| &*entry.check.name).collect();
            tracing::warn!(checks = names.join(", "), "still running after the grace period, ended");
        }
        self.runs.shutdown().await;
    }
}

async fn one_run(
    due: Due,
    check: Arc<Check>,
    _turn: Turn,
    place: OwnedSemaphorePermit,
    events: mpsc::Sender<Event>,
) {
    let lag = clock::steady().saturating_sub(due.at);
    own::lag(lag);
    let look = probe::look(&*check.probe, clock::wall(), check.timeout).await;
    drop(place);
    let mut outcome = look.outcome;
    limits::apply(&check.limits, look.took, &mut outcome);
    let run = Run { lag, took: look.took, phases: look.phases, outcome };
    events.send(Event::Ran { id: due.id, at: clock::now(), run }).await.ok();
}

/// The right to be one of a check's runs; given back when the run is over, in whatever way.
struct Turn(Arc<AtomicU8>);

impl Turn {
    fn take(under_way: &Arc<AtomicU8>) -> Option<Turn> {
        let free = |running: u8| (running < OVERLAP_MAX).then_some(running + 1);
        under_way.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).ok()?;
        Some(Turn(under_way.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
