//! One running agent: a runner that starts what is due, one loop that owns the state, a watcher of the
//! definitions, and the web beside them.
//!
//! ```text
//! runner ──Ran/Dropped──▶ pipeline (the one loop) ──View──▶ web
//!    ▲                        ▲
//!    └──────── reload ────────┘
//! ```

pub mod files;
pub mod limits;
pub mod own;
mod pipeline;
mod reload;
mod runner;

use crate::clock::Now;
use crate::config::text::Variables;
use crate::config::{Agent, Check, Plan, Skipped};
use crate::probe::net::Net;
use crate::record::Run;
use crate::schedule::Id;
use crate::view::View;
use files::Origin;
use metrics_exporter_prometheus::PrometheusHandle;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Events that wait for the loop. A run waits with its result when this is full, and counts as under way.
const EVENTS_MAX: usize = 4096;

/// Everything that happens, in the order in which the loop applies it.
pub enum Event {
    /// A run ended.
    Ran { id: Id, at: Now, run: Run },
    /// Runs were due and did not happen.
    Dropped { id: Id, at: Now, times: u64 },
    /// The definitions are new.
    Replanned(Definitions),
    /// Somebody wants to see.
    Look(oneshot::Sender<Arc<View>>),
}

/// Checks by the names that the schedule uses; an unchanged check keeps its own.
#[derive(Clone)]
pub struct Definitions {
    pub checks: Arc<[(Id, Arc<Check>)]>,
    pub skipped: Arc<[Skipped]>,
}

/// Where definitions and values come from; read again at every reload.
#[derive(Clone)]
pub struct Sources {
    pub origin: Origin,
    pub variables: Arc<Variables>,
    pub net: Arc<Net>,
}

/// Asks the loop; what pages and metrics hold.
#[derive(Clone)]
pub struct Eyes {
    events: mpsc::Sender<Event>,
    pub own: PrometheusHandle,
}

impl Eyes {
    /// What the agent knows now; `None` when the loop is gone or does not answer in time.
    pub async fn look(&self) -> Option<Arc<View>> {
        let (answer, view) = oneshot::channel();
        let asked = async {
            self.events.send(Event::Look(answer)).await.ok()?;
            view.await.ok()
        };
        tokio::time::timeout(Duration::from_secs(5), asked).await.ok().flatten()
    }
}

/// A running agent.
pub struct App {
    pub eyes: Eyes,
    agent: Agent,
    stop: watch::Sender<bool>,
    runner: tokio::task::JoinHandle<()>,
    pipeline: tokio::task::JoinHandle<()>,
    reload: tokio::task::JoinHandle<()>,
}

impl App {
    /// Starts what is planned. `own` renders what the agent recorded of itself.
    pub fn start(plan: Plan, sources: Sources, own: PrometheusHandle) -> App {
        let agent = plan.agent.clone();
        let (events, inbox) = mpsc::channel(EVENTS_MAX);
        let (stop, stopped) = watch::channel(false);
        let mut ids = Ids::default();
        let definitions = ids.assign(plan, &HashMap::new());
        let runs_max = limits::runs_max(agent.runs_max);
        let (commands, orders) = mpsc::channel(4);
        let pipeline = tokio::spawn(pipeline::run(definitions.clone(), inbox));
        let runner = runner::Runner::new(runs_max, agent.grace, events.clone());
        let runner = tokio::spawn(runner.run(definitions.clone(), orders, stopped.clone()));
        let events_ = events.clone();
        let reload =
            reload::Reload { sources, ids, current: definitions, commands, events: events_, watcher: None };
        let reload = tokio::spawn(reload.run(stopped));
        App { eyes: Eyes { events, own }, agent, stop, runner, pipeline, reload }
    }

    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Stops in order: no new runs, running ones end or are ended, what happened is applied.
    pub async fn stop(self) {
        self.stop.send(true).ok();
        self.runner.await.ok();
        self.reload.await.ok();
        drop(self.eyes);
        self.pipeline.await.ok();
    }
}

/// Ends when the agent is told to stop, or is gone.
async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    stopped.wait_for(|stop| *stop).await.ok();
}

/// Gives every check a name for the schedule, once.
#[derive(Default)]
pub struct Ids {
    next: Id,
}

impl Ids {
    /// A check whose definition and values are what they were keeps its name, its probe and so its history.
    fn assign(&mut self, plan: Plan, before: &HashMap<Arc<str>, (Id, Arc<Check>)>) -> Definitions {
        let checks = plan.checks.into_iter().map(|check| match before.get(&check.name) {
            Some((id, old)) if old.fingerprint == check.fingerprint => (*id, old.clone()),
            _ => {
                self.next += 1;
                (self.next, check)
            }
        });
        Definitions { checks: checks.collect(), skipped: plan.skipped.into() }
    }
}
