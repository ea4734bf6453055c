//! What can be looked at: one file per kind of probe.
//!
//! A kind is a struct that mirrors its table in `checks/*.toml` and implements [`Kind`]; building it
//! fills the holes of its texts and gives a [`Run`]. A new kind is one file and three lines here:
//! `mod`, the variant (its name is its name in the file), the arm in [`Probe::kind`].

pub mod api;
mod build;
pub mod command;
pub mod database;
pub mod dns;
pub mod expect;
pub mod heartbeat;
pub mod http;
pub mod net;
pub mod received;
pub mod reconcile;
pub mod redis;
pub mod resend;
pub mod square;
pub mod tcp;
pub mod upstash;

pub use build::{Build, BuildFault, Found};

use crate::clock;
use crate::ingest::{Received, Source};
use crate::outcome::{Class, Fault, Outcome, Phase};
use futures_util::FutureExt;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Every kind of probe. The variant's name is its name in `checks/*.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    Command(command::Command),
    Dns(dns::Dns),
    Heartbeat(heartbeat::Heartbeat),
    Http(Box<http::Http>),
    Postgres(database::postgres::Postgres),
    Received(received::Receive),
    Reconcile(Box<reconcile::Reconcile>),
    Redis(redis::Redis),
    Resend(Box<resend::Resend>),
    Sql(database::sql::Sql),
    Square(Box<square::Square>),
    Tcp(Box<tcp::Tcp>),
    Upstash(upstash::Upstash),
    WebhookLog(reconcile::webhook_log::WebhookLog),
}

impl Probe {
    /// The one match: from the table of the file to what the kind can do.
    pub fn kind(&self) -> &dyn Kind {
        match self {
            Probe::Command(kind) => kind,
            Probe::Dns(kind) => kind,
            Probe::Heartbeat(kind) => kind,
            Probe::Http(kind) => &**kind,
            Probe::Postgres(kind) => kind,
            Probe::Received(kind) => kind,
            Probe::Reconcile(kind) => &**kind,
            Probe::Redis(kind) => kind,
            Probe::Resend(kind) => &**kind,
            Probe::Sql(kind) => kind,
            Probe::Square(kind) => &**kind,
            Probe::Tcp(kind) => &**kind,
            Probe::Upstash(kind) => kind,
            Probe::WebhookLog(kind) => kind,
        }
    }
}

/// One number that a kind can yield.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeasureInfo {
    /// With its unit at the end: `_seconds`, `_bytes`, `_ratio`; `_total` for a counter; nothing for a plain count.
    pub name: &'static str,
    /// A sentence for the metric's HELP line and the documentation.
    pub help: &'static str,
}

/// A kind of probe, as its table in a definition says it.
pub trait Kind: Send + Sync {
    /// The name of the kind in `checks/*.toml`.
    fn name(&self) -> &'static str;

    /// The measures that are known before a run. `duration_seconds` comes with every kind.
    fn measures(&self) -> &'static [MeasureInfo];

    /// Whether a limit on `measure` can ever apply. Kinds whose measures depend on the definition say so here.
    fn may_yield(&self, measure: &str) -> bool {
        self.measures().iter().any(|info| info.name == measure)
    }

    /// The measures that it will yield as far as its definition tells, for boards.
    fn yields(&self) -> Vec<String> {
        self.measures().iter().map(|info| info.name.to_owned()).collect()
    }

    /// Labels that its definition gives to its measures.
    fn labels(&self) -> Vec<String> {
        Vec::new()
    }

    /// The job that tells this check of itself.
    fn hears(&self) -> Option<&str> {
        None
    }

    /// Whether its runs count what happened since the last one, part by part.
    fn counts(&self) -> bool {
        false
    }

    /// What it counts of all that is sent to this agent, where it does.
    fn source(&self) -> Option<Source> {
        None
    }

    /// The events that it counts by their names.
    fn events(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Whether it looks at nothing but what was received, which only an agent that runs can: a one-shot look skips it.
    fn is_heard(&self) -> bool {
        false
    }

    /// Fills holes and checks what only makes sense together. `None` where a fault or a missing
    /// variable was reported to `build`.
    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>>;
}

/// A run under way.
pub type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// One act of looking. Must do no harm; the deadline in the context ends it from outside.
pub trait Run: Send + Sync {
    fn run<'a>(&'a self, cx: &'a Context) -> Running<'a>;
}

/// A run that ends with its first fault; what it measured until then stays in the outcome.
pub trait Examine: Send + Sync {
    fn examine(&self, cx: &Context, outcome: &mut Outcome) -> impl Future<Output = Result<(), Fault>> + Send;
}

impl<T: Examine> Run for T {
    fn run<'a>(&'a self, cx: &'a Context) -> Running<'a> {
        Box::pin(async move {
            let mut outcome = Outcome::ok();
            if let Err(fault) = self.examine(cx, &mut outcome).await {
                outcome.fault(fault);
            }
            outcome
        })
    }
}

/// What a run may know: its moment, its deadline, and where it says which phase it is in.
pub struct Context {
    /// Wall time at which the run began; fills the times in queries.
    pub now: Timestamp,
    pub deadline: Instant,
    /// How long the whole run may take.
    pub timeout: Duration,
    /// For a check that counts from where it counted last.
    pub counted: Counted,
    /// What the shop said by itself; `None` where nobody listens, as in a one-shot look.
    pub received: Option<Arc<dyn Received>>,
    trace: Mutex<Trace>,
}

/// Up to where a check has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Nobody keeps it: one look at a sliding window.
    Never,
    /// The next run goes on from there; `None` where it is the first.
    UpTo(Option<Timestamp>),
}

#[derive(Default)]
struct Trace {
    current: Option<(&'static str, Instant)>,
    done: Vec<Phase>,
}

impl Context {
    pub fn new(now: Timestamp, timeout: Duration) -> Context {
        Context {
            now,
            deadline: clock::instant() + timeout,
            timeout,
            counted: Counted::Never,
            received: None,
            trace: Mutex::new(Trace::default()),
        }
    }

    /// Ends the phase before and begins this one. Names: `resolve`, `connect`, `tls`, `auth`, `send`,
    /// `first_byte`, `body`, `query`, …; a phase that is begun twice is added up.
    pub fn phase(&self, name: &'static str) {
        self.turn(Some(name));
    }

    /// Ends the current phase: what follows is nobody's time (parsing, comparing).
    pub fn phase_end(&self) {
        self.turn(None);
    }

    /// What is left until the deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(clock::instant())
    }

    fn turn(&self, next: Option<&'static str>) {
        let now = clock::instant();
        let mut trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((name, begun)) = trace.current.take() {
            let took = now.saturating_duration_since(begun);
            match trace.done.iter_mut().find(|phase| phase.name == name) {
                Some(phase) => phase.took += took,
                None => trace.done.push(Phase { name, took }),
            }
        }
        trace.current = next.map(|name| (name, now));
    }

    fn current_phase(&self) -> Option<&'static str> {
        let trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        trace.current.map(|(name, _)| name)
    }

    fn into_phases(self) -> Vec<Phase> {
        self.turn(None);
        self.trace.into_inner().unwrap_or_else(PoisonError::into_inner).done
    }
}

/// One look, whatever becomes of it: ended at its deadline, and a panic is the agent's own trouble.
pub struct Look {
    pub outcome: Outcome,
    pub phases: Vec<Phase>,
    pub took: Duration,
}

/// Runs a probe once, with `timeout` as its deadline.
pub async fn look(probe: &dyn Run, now: Timestamp, timeout: Duration) -> Look {
    look_on(probe, Context::new(now, timeout)).await
}

/// As [`look`], with what else a run may know.
pub async fn look_on(probe: &dyn Run, cx: Context) -> Look {
    let (begun, timeout) = (clock::instant(), cx.timeout);
    let running = AssertUnwindSafe(probe.run(&cx)).catch_unwind();
    let outcome = match tokio::time::timeout_at(cx.deadline, running).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => Fault::internal("the probe panicked; this is a bug in atalaya").into(),
        Err(_elapsed) => timed_out(&cx, timeout).into(),
    };
    Look { outcome, took: clock::instant().saturating_duration_since(begun), phases: cx.into_phases() }
}

/// What is said of a run that was ended at its deadline: where it hung.
pub fn timed_out(cx: &Context, timeout: Duration) -> Fault {
    let limit = humantime::format_duration(timeout);
    match cx.current_phase() {
        Some(phase) => {
            Fault::failed(Class::Timeout, format!("no end within {limit}; it hung in phase `{phase}`"))
        }
        None => Fault::failed(Class::Timeout, format!("no end within {limit}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Status;

    struct Script(fn(&Context) -> Running<'_>);

    impl Run for Script {
        fn run<'a>(&'a self, cx: &'a Context) -> Running<'a> {
            (self.0)(cx)
        }
    }

    async fn check(script: fn(&Context) -> Running<'_>, status: Status, reason: &str) -> Look {
        let look = look(&Script(script), Timestamp::UNIX_EPOCH, Duration::from_secs(5)).await;
        assert_eq!(look.outcome.status(), status);
        assert_eq!(look.outcome.reason().map(|fault| fault.text.as_str()), Some(reason));
        look
    }

    #[tokio::test(start_paused = true)]
    async fn a_hung_probe_ends_at_its_deadline_and_says_where() {
        let look = check(
            |cx| {
                Box::pin(async {
                    cx.phase("connect");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    cx.phase("first_byte");
                    std::future::pending().await
                })
            },
            Status::Failed,
            "no end within 5s; it hung in phase `first_byte`",
        )
        .await;
        let seconds: Vec<_> = look.phases.iter().map(|phase| (phase.name, phase.took.as_secs())).collect();
        assert_eq!(seconds, [("connect", 1), ("first_byte", 4)]);
        assert_eq!(look.took.as_secs(), 5);
    }

    #[tokio::test]
    async fn a_panic_is_the_agents_own_trouble() {
        check(
            |_| Box::pin(async { panic!("oh") }),
            Status::Unknown,
            "the probe panicked; this is a bug in atalaya",
        )
        .await;
    }
}
