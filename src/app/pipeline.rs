//! The one loop that owns the state: events in, one after the other; views out.

use super::{Definitions, Event, own};
use crate::clock::{self, Now};
use crate::config::{Check, Skipped};
use crate::export::check_labels;
use crate::outcome::Status;
use crate::record::{Record, Run};
use crate::schedule::Id;
use crate::view::{CheckView, View, by_name};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

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
}

/// Applies events until nobody can send any more.
pub async fn run(definitions: Definitions, mut inbox: mpsc::Receiver<Event>) {
    let mut pipeline = Pipeline {
        started: clock::now(),
        order: Arc::new([]),
        by_name: Arc::default(),
        skipped: Arc::new([]),
        states: HashMap::new(),
    };
    pipeline.replan(definitions);
    while let Some(event) = inbox.recv().await {
        own::events_waiting(inbox.len());
        pipeline.apply(event);
    }
}

impl Pipeline {
    fn apply(&mut self, event: Event) {
        match event {
            Event::Ran { id, at, run } => {
                if let Some(state) = self.states.get_mut(&id) {
                    state.dropping = false;
                    log(&state.check, &state.record, &run);
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
                }
            }
            Event::Replanned(definitions) => self.replan(definitions),
            Event::Ping(answer) => {
                answer.send(()).ok();
            }
            Event::Look(answer) => {
                answer.send(Arc::new(self.view(clock::now()))).ok();
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
        self.by_name = Arc::new(by_name(definitions.checks.iter().map(|(_, check)| &**check)));
        self.order = definitions.checks;
        self.skipped = definitions.skipped;
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
        }
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
