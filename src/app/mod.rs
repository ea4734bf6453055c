//! One running agent: a runner that starts what is due, one loop that owns the state, a watcher of the
//! definitions, and the web beside them.
//!
//! ```text
//! runner ──Ran/Dropped──▶ pipeline (the one loop) ──View──▶ web
//!    ▲                        ▲
//!    └──────── reload ────────┘
//! ```

pub mod almanac;
mod cursors;
pub mod files;
pub mod home;
mod ids;
pub mod intake;
pub mod keeper;
pub mod limits;
mod office;
pub mod own;
mod pipeline;
mod reload;
mod runner;
pub mod self_watch;
mod thinking;

use crate::clock::{self, Now};
use crate::config::text::Variables;
use crate::config::{Agent, Files, Http, Plan};
use crate::fact::{Acknowledgement, Silence};
use crate::ingest::Received;
use crate::mind::Mind;
use crate::notify::{Delivery, courier};
use crate::probe::net::Net;
use crate::record::Run;
use crate::record::windows::{Minute, Stretch, Window};
use crate::schedule::Id;
use crate::store::{Opened, Remembered};
use crate::view::View;
use almanac::Almanac;
use cursors::Cursors;
use files::Origin;
use ids::{Definitions, Ids};
use intake::{Intake, Opening, Taking};
use metrics_exporter_prometheus::PrometheusHandle;
use office::Office;
use reload::{Outlets, Reload};
use self_watch::{Part, SelfWatch, Vitals};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thinking::Made;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot, watch};

/// Events that wait for the loop. A run waits with its result when this is full, and counts as under way.
const EVENTS_MAX: usize = 4096;

/// Orders that wait for the runner; one to hurry that finds no room is given up, the next run comes anyway.
const ORDERS_MAX: usize = 64;

/// A loop that does not answer within this is stuck.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Everything that happens, in the order in which the loop applies it.
pub enum Event {
    /// A run ended.
    Ran { id: Id, at: Now, run: Run },
    /// Runs were due and did not happen.
    Dropped { id: Id, at: Now, times: u64 },
    /// Somebody knows that these checks will find something else than before.
    LookAgain(Vec<Arc<str>>),
    /// The definitions are new.
    Replanned(Definitions),
    /// A part of the agent tells how it is: `store`, `channel/mail`.
    Own { part: Arc<str>, well: bool, text: String },
    /// The store could be opened only now: what it remembers.
    Found(Box<Remembered>),
    /// Somebody wants something changed.
    Asked { command: Command, answer: oneshot::Sender<Result<Vec<String>, Refused>> },
    /// Somebody wants to know whether this loop still turns.
    Ping(oneshot::Sender<()>),
    /// Somebody wants to see.
    Look(oneshot::Sender<Arc<View>>),
    /// Somebody wants to see the last hour of every check, in the order of the definitions.
    LookBack(oneshot::Sender<Vec<Vec<Minute>>>),
    /// Somebody wants to see what the runs of one check took.
    LookInto { check: Arc<str>, window: Window, answer: oneshot::Sender<Vec<Stretch>> },
}

/// What can be asked of a running agent.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Silence(Silence),
    EndSilence { id: String, by: String },
    Acknowledge(Acknowledgement),
}

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// What it is about is not there; the text says what is.
    NoSuch(String),
    /// It can't be meant.
    Wrong(String),
    /// It was tried and failed.
    Failed(String),
    /// The agent does not answer.
    Stuck,
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
    courier: mpsc::Sender<courier::Order>,
    pub own: PrometheusHandle,
    vitals: Arc<Vitals>,
    /// What was.
    pub almanac: Almanac,
    /// Takes what others say.
    pub intake: Intake,
}

impl Eyes {
    /// A way to have checks run beside the schedule, which does not keep the agent from ending.
    pub fn again(&self) -> Again {
        Again(self.events.downgrade())
    }

    /// What the agent knows now; `None` when the loop is gone or does not answer in time.
    pub async fn look(&self) -> Option<Arc<View>> {
        let (answer, view) = oneshot::channel();
        let asked = async {
            self.events.send(Event::Look(answer)).await.ok()?;
            view.await.ok()
        };
        tokio::time::timeout(ANSWER_MAX, asked).await.ok().flatten()
    }

    /// The last hour of every check, in the order of the view.
    pub async fn look_back(&self) -> Option<Vec<Vec<Minute>>> {
        let (answer, minutes) = oneshot::channel();
        let asked = async {
            self.events.send(Event::LookBack(answer)).await.ok()?;
            minutes.await.ok()
        };
        tokio::time::timeout(ANSWER_MAX, asked).await.ok().flatten()
    }

    /// What the runs of one check took, minute by minute of an hour or by quarters of an hour of a day; nothing where
    /// there is no such check.
    pub async fn look_into(&self, check: &str, window: Window) -> Option<Vec<Stretch>> {
        let (answer, stretches) = oneshot::channel();
        let asked = async {
            let event = Event::LookInto { check: check.into(), window, answer };
            self.events.send(event).await.ok()?;
            stretches.await.ok()
        };
        tokio::time::timeout(ANSWER_MAX, asked).await.ok().flatten()
    }

    /// Asks for a change; what it did, in words.
    pub async fn command(&self, command: Command) -> Result<Vec<String>, Refused> {
        let (answer, done) = oneshot::channel();
        let asked = async {
            self.events.send(Event::Asked { command, answer }).await.ok()?;
            done.await.ok()
        };
        tokio::time::timeout(ANSWER_MAX, asked).await.ok().flatten().unwrap_or(Err(Refused::Stuck))
    }

    /// Past the outbox: whoever tests wants to see what this one try says.
    pub async fn test_channel(&self, name: String) -> Result<Vec<String>, Refused> {
        let (reply, done) = oneshot::channel();
        let order = courier::Order::Test { channel: name, reply };
        self.courier.send(order).await.map_err(|_gone| Refused::Stuck)?;
        match done.await.map_err(|_gone| Refused::Stuck)?.map_err(Refused::NoSuch)? {
            Delivery::Delivered => Ok(vec!["delivered".to_owned()]),
            Delivery::Retry { why, .. } | Delivery::Refused { why } | Delivery::Absent { why } => {
                Err(Refused::Failed(why))
            }
        }
    }

    /// Why the process does not do its work, if so: the loop that judges is asked, of the rest the signs say it.
    pub async fn trouble(&self) -> Option<String> {
        let (answer, pong) = oneshot::channel();
        let asked = async { self.events.send(Event::Ping(answer)).await.is_ok() && pong.await.is_ok() };
        if !tokio::time::timeout(ANSWER_MAX, asked).await.unwrap_or(false) {
            return Some(format!("the loop that judges does not answer within {} s", ANSWER_MAX.as_secs()));
        }
        let wellness = self.vitals.wellness(clock::now());
        [Part::Runner, Part::Judge].into_iter().find_map(|part| wellness.trouble(part).map(str::to_owned))
    }
}

/// Has checks run at once.
#[derive(Clone)]
pub struct Again(mpsc::WeakSender<Event>);

impl Again {
    /// As far as there is room for it: they are looked at when they are due anyway.
    pub fn look(&self, checks: &[&str]) {
        if let Some(events) = self.0.upgrade() {
            let checks = checks.iter().map(|name| Arc::from(*name)).collect();
            events.try_send(Event::LookAgain(checks)).ok();
        }
    }
}

/// A running agent.
pub struct App {
    pub eyes: Eyes,
    /// Who may ask for what, as the definitions say it now.
    pub http: watch::Receiver<Arc<Http>>,
    agent: Agent,
    stop: watch::Sender<bool>,
    runner: tokio::task::JoinHandle<()>,
    pipeline: tokio::task::JoinHandle<()>,
    reload: tokio::task::JoinHandle<()>,
    office: Office,
    taking: Taking,
    self_watch: SelfWatch,
}

/// What the agent is started with.
pub struct Start {
    pub plan: Plan,
    /// What the plan was read from.
    pub files: Files,
    pub sources: Sources,
    pub hangup: Signal,
    /// Renders what the agent recorded of itself.
    pub own: PrometheusHandle,
    /// The file of the store, and what it gave when it was opened.
    pub store: Option<(PathBuf, Opened)>,
    /// What the shop and its vendors said before.
    pub before: Opening,
}

impl App {
    /// Starts what is planned.
    pub fn start(start: Start) -> App {
        let Start { plan, files, sources, hangup, own, store, before } = start;
        let agent = plan.agent.clone();
        let (events, inbox) = mpsc::channel(EVENTS_MAX);
        let (stop, stopped) = watch::channel(false);
        let (http, access) = watch::channel(plan.http.clone());
        let taking = Taking::start(before, access.clone(), events.downgrade());
        let meant = plan.alerting.clone();
        let alerting = Arc::new(meant.having_heard(&taking.heard.borrow()));
        let mut ids = Ids::default();
        let definitions = ids.assign(Plan { alerting, ..plan }, &HashMap::new());
        let runs_max = limits::runs_max(agent.runs_max);
        let (orders, told) = mpsc::channel(ORDERS_MAX);
        let cursors = Cursors::default();
        let now = clock::now();
        let vitals = Arc::new(Vitals::new(now.steady));
        let hears = (events.downgrade(), vitals.clone());
        let path = store.as_ref().map(|(path, _)| path.clone());
        let almanac = Almanac::new(path.clone());
        let (office, mut remembered) = Office::open(store, &definitions.alerting, hears, agent.grace);
        let (alerting, followed) = watch::channel(definitions.alerting.clone());
        let (self_watch, beacon) = SelfWatch::start(self_watch::Start {
            vitals: vitals.clone(),
            client: sources.net.api.clone(),
            alerting: followed,
            health: office.health.clone(),
            events: events.downgrade(),
            stopped: stopped.clone(),
            now,
        });
        let made = Made {
            mind: mind(&definitions, &mut remembered, now),
            alerting: definitions.alerting.clone(),
            agent: remembered.agent,
            cursors: cursors.clone(),
            keeper: office.keeper.clone(),
            orders: orders.clone(),
            now,
        };
        almanac.prepare(definitions.alerting.clone());
        let eyes = Eyes {
            events: events.clone(),
            courier: office.courier.clone(),
            own,
            vitals: vitals.clone(),
            almanac,
            intake: taking.intake.clone(),
        };
        let pipeline = tokio::spawn(pipeline::run(definitions.clone(), made, beacon, inbox));
        let known = (cursors, Some(Arc::new(taking.intake.clone()) as Arc<dyn Received>));
        let runner = runner::Runner::new(runs_max, agent.grace, events.clone(), known, vitals);
        let runner = tokio::spawn(runner.run(definitions.clone(), told, stopped.clone()));
        let reload = Reload::new(
            sources,
            ids,
            (definitions, meant),
            agent.clone(),
            Outlets {
                orders,
                events,
                courier: office.courier.clone(),
                alerting,
                http,
                heard: taking.heard.clone(),
                systemd: self_watch.systemd.clone(),
            },
        );
        let reload = tokio::spawn(reload.run(reload::texts(&files), hangup, stopped));
        App { eyes, http: access, agent, stop, runner, pipeline, reload, office, taking, self_watch }
    }

    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// It serves: whoever started it may be told.
    pub fn ready(&self, status: &str) {
        self.self_watch.systemd.ready(status);
    }

    /// Ends when a part of the agent has ended by itself, which none ever should; says which.
    pub async fn broken(&mut self) -> &'static str {
        tokio::select! {
            _ = &mut self.runner => "the runner",
            _ = &mut self.pipeline => "the loop that owns the state",
            _ = &mut self.reload => "the watcher of the definitions",
            part = self.office.broken() => part,
            () = self.taking.broken() => "the intake of what others say",
            () = self.self_watch.broken() => "the watch over the agent itself",
        }
    }

    /// No new runs from now on.
    pub fn begin_stop(&self) {
        self.self_watch.begin_stop();
        self.stop.send(true).ok();
    }

    /// Stops in order: no new runs, running ones end or are ended, what happened is applied, messages under way are
    /// delivered or stay for the next start, everything is written.
    pub async fn stop(self) {
        self.begin_stop();
        let farewell = tokio::spawn(self.self_watch.close());
        self.runner.await.ok();
        self.reload.await.ok();
        drop(self.eyes);
        self.pipeline.await.ok();
        self.office.close().await;
        self.taking.close().await;
        farewell.await.ok();
    }
}

fn mind(definitions: &Definitions, remembered: &mut Remembered, now: Now) -> Mind {
    let checks = definitions.checks.iter().map(|(_, check)| &**check);
    let (mind, unreadable) = Mind::new(checks, definitions.alerting.clone(), remembered, now.wall);
    for unreadable in unreadable {
        tracing::error!(unreadable, "the store holds an alert that this version can't read");
    }
    mind
}

/// Ends when the agent is told to stop, or is gone.
async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    stopped.wait_for(|stop| *stop).await.ok();
}
