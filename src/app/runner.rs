//! Starts what is due and hands on what was found. Nothing here waits for anything but time and room in
//! the queue of the loop.

use super::cursors::Cursors;
use super::self_watch::Vitals;
use super::{Definitions, Event, own, told_to_stop};
use crate::clock;
use crate::config::Check;
use crate::ingest::Received;
use crate::judge::limits;
use crate::probe::{self, Context, Counted};
use crate::record::Run;
use crate::schedule::{self, Due, Id, Schedule};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{JoinError, JoinSet};

/// A run may overlap the next of the same check once; a third one at the same time is dropped.
const OVERLAP_MAX: u8 = 2;

/// Runs beside the schedule at once. They tell which few checks have failed together; more would be a storm of our own
/// against a target that is in trouble, and take the places of runs that are due.
const HURRIED_MAX: usize = 20;

/// The longest sleep: a suspended machine is noticed this long after it woke.
const NAP_MAX: Duration = Duration::from_secs(1);

/// A check that runs once a day runs within this after the start, and not a day later.
const SPREAD_MAX: Duration = Duration::from_mins(1);

/// One check, and how many of its runs are under way.
struct Entry {
    check: Arc<Check>,
    under_way: Arc<AtomicU8>,
}

pub struct Runner {
    schedule: Schedule,
    entries: HashMap<Id, Entry>,
    places: Arc<Semaphore>,
    /// For runs beside the schedule.
    hurried: Arc<Semaphore>,
    runs: JoinSet<()>,
    grace: Duration,
    events: mpsc::Sender<Event>,
    cursors: Cursors,
    /// What the shop says by itself, for checks of it.
    received: Option<Arc<dyn Received>>,
    /// Where this loop says that it turns.
    vitals: Arc<Vitals>,
}

/// What the runner is told.
pub enum Order {
    /// The definitions are new.
    Replan(Definitions),
    /// Others have failed: look again at these at once, to know whether they have too.
    Hurry(Vec<Id>),
}

impl Runner {
    pub fn new(
        runs_max: usize,
        grace: Duration,
        events: mpsc::Sender<Event>,
        (cursors, received): (Cursors, Option<Arc<dyn Received>>),
        vitals: Arc<Vitals>,
    ) -> Runner {
        Runner {
            schedule: Schedule::default(),
            entries: HashMap::new(),
            places: Arc::new(Semaphore::new(runs_max)),
            hurried: Arc::new(Semaphore::new(HURRIED_MAX)),
            runs: JoinSet::new(),
            grace,
            events,
            cursors,
            received,
            vitals,
        }
    }

    /// Runs until told to stop; then waits for what is under way.
    pub async fn run(
        mut self,
        definitions: Definitions,
        mut orders: mpsc::Receiver<Order>,
        mut stopped: watch::Receiver<bool>,
    ) {
        self.replan(&definitions);
        loop {
            let now = clock::steady();
            let nap = self.schedule.next_due().map_or(NAP_MAX, |at| at.saturating_sub(now)).min(NAP_MAX);
            tokio::select! {
                biased;
                () = told_to_stop(&mut stopped) => break,
                Some(order) = orders.recv() => match order {
                    Order::Replan(definitions) => self.replan(&definitions),
                    Order::Hurry(ids) => self.hurry(&ids),
                },
                () = tokio::time::sleep(nap) => {}
                Some(ended) = self.runs.join_next(), if !self.runs.is_empty() => tell_panic(&ended),
            }
            while let Some(ended) = self.runs.try_join_next() {
                tell_panic(&ended);
            }
            // At one moment: what falls due while this goes on waits for the next turn, after whatever else waits.
            let now = clock::steady();
            while let Some(due) = self.schedule.take_due(now) {
                self.begin(due).await;
            }
            self.vitals.runner_turned(now);
            own::runs_under_way(self.runs.len());
        }
        self.drain().await;
    }

    /// New checks begin within the shortest interval, and within a minute. A check that was edited keeps its
    /// place while its interval is what it was, and its runs under way count as before.
    fn replan(&mut self, definitions: &Definitions) {
        let now = clock::steady();
        let shortest = definitions.checks.iter().map(|(_, check)| check.every).min().unwrap_or_default();
        let spread = shortest.min(SPREAD_MAX);
        let kept: HashSet<Id> = definitions.checks.iter().map(|(id, _)| *id).collect();
        self.entries.retain(|id, _| kept.contains(id));
        self.schedule.retain(|id| kept.contains(&id));
        for (id, check) in definitions.checks.iter() {
            let every_before = self.entries.get(id).map(|entry| entry.check.every);
            if every_before != Some(check.every) {
                self.schedule.insert(*id, check.every, schedule::first(&check.name, now, spread));
            }
            match self.entries.get_mut(id) {
                Some(entry) => entry.check = check.clone(),
                None => {
                    self.entries.insert(*id, Entry { check: check.clone(), under_way: Arc::default() });
                }
            }
        }
        own::checks(definitions.checks.len(), definitions.skipped.len());
    }

    /// Runs beside the schedule, as far as there is room for them: those that are left out are looked at when they are
    /// due, and nothing was dropped. A run that is under way will tell soon enough; and none may last so long that the
    /// runs that are due find no turn.
    fn hurry(&mut self, ids: &[Id]) {
        let now = clock::steady();
        for id in ids {
            let fits = |entry: &&Entry| {
                entry.under_way.load(Ordering::Acquire) == 0 && entry.check.timeout <= entry.check.every
            };
            let Some(entry) = self.entries.get(id).filter(fits) else { continue };
            let Ok(hurried) = self.hurried.clone().try_acquire_owned() else { return };
            let Ok(place) = self.places.clone().try_acquire_owned() else { return };
            let Some(turn) = Turn::take(&entry.under_way) else { continue };
            let check = entry.check.clone();
            self.start(
                Due { id: *id, at: now, missed: 0 },
                check,
                Leave { turn, place, hurried: Some(hurried) },
            );
        }
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
        let check = entry.check.clone();
        self.start(due, check, Leave { turn, place, hurried: None });
    }

    fn start(&mut self, due: Due, check: Arc<Check>, leave: Leave) {
        let counted = if check.counts { self.cursors.of(&check.name) } else { Counted::Never };
        let known = (counted, self.received.clone());
        self.runs.spawn(one_run(due, check, known, leave, self.events.clone()));
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

/// Looking turns a panic into an outcome; one beside it is a bug that must not be silent.
fn tell_panic(ended: &Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a run panicked outside its probe; this is a bug in atalaya");
    }
}

async fn one_run(
    due: Due,
    check: Arc<Check>,
    (counted, received): (Counted, Option<Arc<dyn Received>>),
    leave: Leave,
    events: mpsc::Sender<Event>,
) {
    let lag = clock::steady().saturating_sub(due.at);
    own::lag(lag);
    let mut cx = Context::new(clock::wall(), check.timeout);
    (cx.counted, cx.received) = (counted, received);
    let look = probe::look_on(&*check.probe, cx).await;
    drop((leave.place, leave.hurried));
    let mut outcome = look.outcome;
    limits::apply(&check.limits, look.took, &mut outcome);
    let run = Run { began: due.at + lag, lag, took: look.took, phases: look.phases, outcome };
    events.send(Event::Ran { id: due.id, at: clock::now(), run }).await.ok();
    drop(leave.turn);
}

/// What a run holds while it is under way.
struct Leave {
    turn: Turn,
    place: OwnedSemaphorePermit,
    /// Of a run beside the schedule.
    hurried: Option<OwnedSemaphorePermit>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::alerting::Alerting;
    use crate::config::text::Variables;
    use crate::config::{Files, Source, load};
    use crate::probe::net::Net;
    use std::io;
    use std::net::TcpListener;

    /// How many of a hundred idle checks of a target that never answers begin when all are told to hurry, twice.
    fn check(every: &str, timeout: &str, places: usize, expected: usize) {
        let target = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = target.local_addr().expect("an address");
        let table = |n| {
            format!(
                "[[check]]\nname = 'check-{n}'\nevery = '{every}'\ntimeout = '{timeout}'\n\
                 probe.tcp = {{ address = '{address}', expect = {{ contains = 'x' }} }}\n"
            )
        };
        let text: String = (0..100).map(table).collect::<Vec<_>>().concat();
        let files = Files { checks: vec![Source::new("a.toml", text)], ..Files::default() };
        let none: [(&str, &str); 0] = [];
        let variables = Variables::new(none, |_| Err(io::Error::from(io::ErrorKind::NotFound)));
        let plan = load(&files, &variables, &Arc::new(Net::new().expect("a net"))).expect("valid");
        let checks: Vec<(Id, Arc<Check>)> = (0..).zip(plan.checks).collect();
        let ids: Vec<Id> = checks.iter().map(|(id, _)| *id).collect();
        let (events, mut told) = mpsc::channel(1000);
        let vitals = Arc::new(Vitals::new(clock::steady()));
        let mut runner = Runner::new(places, Duration::ZERO, events, (Cursors::default(), None), vitals);
        let alerting = Arc::new(Alerting::default());
        runner.replan(&Definitions { checks: checks.into(), skipped: Arc::new([]), alerting });
        runner.hurry(&ids);
        runner.hurry(&ids);
        assert_eq!(runner.runs.len(), expected);
        assert!(told.try_recv().is_err(), "what is left out was not due, and is not dropped");
    }

    #[tokio::test]
    async fn many_that_fail_at_once_are_no_reason_to_storm_what_is_in_trouble() {
        check("10s", "5s", 4096, HURRIED_MAX);
        check("10s", "5s", 7, 7);
    }

    #[tokio::test]
    async fn a_run_beside_the_schedule_takes_no_turn_of_one_that_is_due() {
        check("1s", "1900ms", 4096, 0);
    }

    #[test]
    fn a_run_may_overlap_the_next_once_and_gives_its_turn_back() {
        let under_way = Arc::default();
        let first = Turn::take(&under_way).expect("none is under way");
        let second = Turn::take(&under_way).expect("one overlap is allowed");
        assert!(Turn::take(&under_way).is_none(), "a third at once");
        drop(first);
        assert!(Turn::take(&under_way).is_some());
        drop(second);
        assert_eq!(under_way.load(Ordering::Relaxed), 0);
    }
}
