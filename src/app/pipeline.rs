//! The one loop that owns the state: events in, one after the other; views out.

use super::self_watch::Beacon;
use super::thinking::{Made, Thinking};
use super::{Command, Definitions, Event, Refused, own};
use crate::clock::{self, Now, Steady};
use crate::config::{Alerting, Check, Skipped};
use crate::export::check_labels;
use crate::fact::{Fact, What};
use crate::mind::Promise;
use crate::outcome::Status;
use crate::record::cells::{Cells, Side};
use crate::record::windows::Minute;
use crate::record::{Record, Run};
use crate::schedule::Id;
use crate::store::{Batch, HistogramRow};
use crate::view::{CheckView, ObjectiveView, View, by_name};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Each alert is held against all of them.
const SILENCES_MAX: usize = 256;

/// One check and what is known about it.
struct State {
    check: Arc<Check>,
    labels: Arc<str>,
    record: Record,
    /// The last that was heard of it is that it did not run: told once, not at every due time.
    dropping: bool,
    /// Made when somebody looked last; `None` when something happened since.
    view: Option<(u64, Arc<CheckView>)>,
}

struct Pipeline {
    started: Now,
    /// In the order of the definitions.
    order: Arc<[(Id, Arc<Check>)]>,
    by_name: Arc<HashMap<Arc<str>, usize>>,
    skipped: Arc<[Skipped]>,
    states: HashMap<Id, State>,
    alerting: Arc<Alerting>,
    thinking: Thinking,
    keeper: mpsc::Sender<Batch>,
    beacon: Beacon,
}

/// Applies events until nobody can send any more; then hands on the last that there is to remember.
pub async fn run(definitions: Definitions, made: Made, beacon: Beacon, mut inbox: mpsc::Receiver<Event>) {
    let mut pipeline = Pipeline {
        started: made.now,
        order: Arc::new([]),
        by_name: Arc::default(),
        skipped: Arc::new([]),
        states: HashMap::new(),
        alerting: made.alerting.clone(),
        keeper: made.keeper.clone(),
        beacon,
        thinking: Thinking::new(made),
    };
    pipeline.replan(definitions);
    pipeline.thinking.think(Fact { at: pipeline.started.wall, what: What::Started });
    loop {
        let nap = pipeline.thinking.nap();
        let event = tokio::select! {
            event = inbox.recv() => match event {
                Some(event) => Some(event),
                None => break,
            },
            () = tokio::time::sleep(nap) => None,
        };
        // A clock that was set is known before anything that carries its time: else that would make things due.
        pipeline.thinking.watch_clock(clock::now());
        if let Some(event) = event {
            own::events_waiting(inbox.len());
            pipeline.apply(event);
        }
        let now = clock::now();
        if pipeline.thinking.turn(now) {
            pipeline.close_minute(now);
        }
        let changed = pipeline.thinking.take_changed();
        pipeline.beacon.turned(now, &pipeline.thinking.mind, changed);
    }
    pipeline.thinking.finish(clock::wall()).await;
}

impl Pipeline {
    fn apply(&mut self, event: Event) {
        match event {
            Event::Ran { id, at, run } => {
                if let Some(state) = self.states.get_mut(&id) {
                    state.dropping = false;
                    log(&state.check, &state.record, &run);
                    // One that began before the last saw an older state of the target.
                    let last = state.record.last.as_ref();
                    if last.is_none_or(|last| run.began >= last.run.began) {
                        self.thinking.ran(at.wall, &state.check, &run);
                    }
                    state.record.run(at, run);
                    state.view = None;
                }
            }
            Event::Dropped { id, at, times } => {
                if let Some(state) = self.states.get_mut(&id) {
                    if !std::mem::replace(&mut state.dropping, true) {
                        tracing::warn!(check = &*state.check.name, times, "runs were due and did not happen");
                    }
                    state.record.dropped(at, times);
                    state.view = None;
                    let check = state.check.name.clone();
                    self.thinking.think(Fact { at: at.wall, what: What::Dropped { check, times } });
                }
            }
            Event::LookAgain(checks) => self.thinking.hurry(&checks),
            Event::Replanned(definitions) => self.replan(definitions),
            Event::Own { part, well, text } => {
                let what = What::Own { part, well, text };
                self.thinking.think(Fact { at: clock::wall(), what });
            }
            Event::Found(mut remembered) => self.thinking.found(&mut remembered, clock::wall()),
            Event::Asked { command, answer } => {
                answer.send(self.asked(command)).ok();
            }
            Event::Ping(answer) => {
                answer.send(()).ok();
            }
            Event::Look(answer) => {
                answer.send(Arc::new(self.view(clock::now()))).ok();
            }
            Event::LookBack(answer) => {
                answer.send(self.minutes(clock::steady())).ok();
            }
            Event::LookInto { check, window, answer } => {
                let wanted = self.by_name.get(&*check).and_then(|at| self.order.get(*at));
                let state = wanted.and_then(|(id, _)| self.states.get_mut(id));
                let stretches = state.map(|state| {
                    state.record.windows.advance(clock::steady());
                    state.record.windows.stretches(window).collect()
                });
                answer.send(stretches.unwrap_or_default()).ok();
            }
        }
    }

    /// A check that keeps its id keeps its history.
    fn replan(&mut self, definitions: Definitions) {
        let mut before = std::mem::take(&mut self.states);
        for (id, check) in definitions.checks.iter() {
            let record = before.remove(id).map_or_else(Record::default, |old| old.record);
            let labels = check_labels(&check.name, &check.section).into();
            self.states
                .insert(*id, State { check: check.clone(), labels, record, dropping: false, view: None });
        }
        self.beacon.replan(&definitions.alerting);
        self.by_name = Arc::new(by_name(definitions.checks.iter().map(|(_, check)| &**check)));
        self.thinking.replan(&definitions.checks, definitions.alerting.clone(), clock::wall());
        self.order = definitions.checks;
        self.skipped = definitions.skipped;
        self.alerting = definitions.alerting;
    }

    /// The last hour of every check.
    fn minutes(&mut self, now: Steady) -> Vec<Vec<Minute>> {
        let of = |(id, _): &(Id, Arc<Check>)| {
            let Some(state) = self.states.get_mut(id) else { return Vec::new() };
            state.record.windows.advance(now);
            state.record.windows.minutes().collect()
        };
        self.order.iter().map(of).collect()
    }

    /// What is known now. A check where nothing happened since the last view, not even a minute, is not copied again.
    fn view(&mut self, at: Now) -> View {
        let minute = at.steady.as_secs() / 60;
        let mut checks = Vec::with_capacity(self.order.len());
        for (id, _) in self.order.iter() {
            let Some(state) = self.states.get_mut(id) else { continue };
            let fresh = state.view.as_ref().filter(|(made, _)| *made == minute).map(|(_, view)| view.clone());
            let view = fresh.unwrap_or_else(|| {
                state.record.windows.advance(at.steady);
                let view = Arc::new(CheckView::new(state.check.clone(), state.labels.clone(), &state.record));
                state.view = Some((minute, view.clone()));
                view
            });
            checks.push(view);
        }
        View {
            at,
            started: self.started,
            checks,
            by_name: self.by_name.clone(),
            skipped: self.skipped.clone(),
            objectives: self.thinking.mind.promises().iter().map(objective_view).collect(),
            alerts: self.thinking.mind.alerts(),
            silences: self.thinking.mind.silences().to_vec(),
            left_out: self.alerting.clone(),
        }
    }

    /// What somebody asked for becomes a fact like any other.
    fn asked(&mut self, command: Command) -> Result<Vec<String>, Refused> {
        let at = clock::wall();
        match command {
            Command::Silence(silence) => {
                crate::alert::validate_silence(&silence).map_err(Refused::Wrong)?;
                if self.thinking.mind.silences().len() >= SILENCES_MAX {
                    let why =
                        format!("{SILENCES_MAX} silences are in force already: end those of no use first");
                    return Err(Refused::Wrong(why));
                }
                let id = silence.id.clone();
                self.thinking.think(Fact { at, what: What::Silenced(silence) });
                Ok(vec![id])
            }
            Command::EndSilence { id, by } => {
                if !self.thinking.mind.silences().iter().any(|silence| silence.id == id) {
                    return Err(Refused::NoSuch(format!("no silence `{id}` is in force")));
                }
                self.thinking.think(Fact { at, what: What::SilenceEnded { id: id.clone(), by } });
                Ok(vec![id])
            }
            Command::Acknowledge(acknowledgement) => {
                let keys = self.thinking.mind.meant(&acknowledgement.alert).map_err(Refused::NoSuch)?;
                self.thinking.think(Fact { at, what: What::Acknowledged(acknowledgement) });
                Ok(keys)
            }
        }
    }

    /// Hands the minute that is over to the store. What is packed here is encoded elsewhere: that takes longer.
    fn close_minute(&mut self, now: Now) {
        let minute = u32::try_from(now.wall.as_second() / 60 - 1).unwrap_or_default();
        let mut closed = Vec::new();
        for (id, _) in self.order.iter() {
            let Some(state) = self.states.get_mut(id) else { continue };
            state.record.windows.advance(now.steady);
            if let Some((counts, cells)) = state.record.windows.last_minute() {
                closed.push((state.check.name.clone(), counts, cells));
            }
        }
        let keeper = self.keeper.clone();
        tokio::task::spawn_blocking(move || {
            let row = |(check, counts, cells): (Arc<str>, [u32; 5], Cells)| HistogramRow {
                check,
                minute,
                counts,
                good: cells.to_v2(Side::Good),
                failed: cells.to_v2(Side::Failed),
            };
            let histograms = closed.into_iter().map(row).collect();
            let batch = Batch { histograms, ..Batch::default() };
            // Without room this minute's histograms are given up, before anything that was promised.
            if keeper.try_send(batch).is_err() {
                tracing::warn!("the store is slow: the histograms of a minute are given up");
            }
        });
    }
}

fn objective_view(promise: &Promise) -> ObjectiveView {
    ObjectiveView {
        objective: promise.objective.clone(),
        standing: promise.standing.clone(),
        events: promise.events,
        months: promise.months.clone(),
    }
}

/// A change of status is a fact worth a line; a run that goes on as before is not.
fn log(check: &Check, record: &Record, run: &Run) {
    let status = run.outcome.status();
    let before = record.last.as_ref().map(|last| last.status);
    if before == Some(status) || before.is_none() && status == Status::Ok {
        tracing::debug!(check = &*check.name, %status, took = ?run.took, "run");
        return;
    }
    let (name, before) = (&*check.name, before.map_or("none", Status::as_str));
    if let Some(fault) = run.outcome.reason() {
        tracing::warn!(check = name, %status, before, class = %fault.class, reason = fault.text, "status changed");
    } else {
        tracing::info!(check = name, %status, before, "status changed");
    }
}
