//! The life of an alert: inactive, pending, firing, resolved; told once, and its end told once. Pure.
//!
//! An alert is about one thing that has a [`Key`]: a check, an objective at one severity, a part of the agent. One
//! firing life is an *episode*. The [`Engine`] takes what checks and objectives were found to be and gives what it
//! came to ([`Drained`]): states to remember and [`Notice`]s to tell, which the store writes in one transaction. What
//! is not told yet is part of the state, so nothing that was promised depends on this process living on.
//!
//! In the order of the work: `check` and `flap` (what is believed of a check), `facts` (what each fact means),
//! `course` (an alert fires, rises, ends), `hold` with `silence` and `maintenance` (what keeps it from being told),
//! `tell` and `queue` (when, to whom, together with what), `words`; `life` and `keep` are what is remembered.

mod check;
mod course;
mod engine;
mod facts;
mod flap;
mod hold;
mod keep;
mod life;
mod maintenance;
mod queue;
mod silence;
mod tell;
mod view;
mod words;

#[cfg(test)]
mod tests;

pub use check::CheckState;
pub use engine::{Drained, Engine, Watched};
pub use life::Ack;
pub use maintenance::{ever_occurs, window as maintenance_window};
pub use silence::validate as validate_silence;
pub use view::{AlertView, Phase};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How much it matters now. Ordered: a page wakes somebody, a ticket waits for the morning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nobody needs to act.
    Info,
    /// Somebody should act within days.
    Ticket,
    /// Somebody must act now.
    Page,
}

impl Severity {
    pub const ALL: [Severity; 3] = [Severity::Page, Severity::Ticket, Severity::Info];

    /// The word used in definitions, metrics, messages and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Ticket => "ticket",
            Severity::Page => "page",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What an alert is about; the same over restarts and edits of titles and texts: `check/site`, `gap/site` (it is not
/// measured), `slo/payment-success/page`, `slo/payment-success/budget-50`, `agent/offline`, `agent/store`,
/// `agent/channel/mail`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub Arc<str>);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a condition was found to be. Unknown holds whatever was before: it neither fires nor resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Healthy,
    Unknown,
    Firing,
}

/// Why a notice is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It has begun.
    Firing,
    /// It matters more than before, or nobody has acknowledged it in time.
    Escalated,
    /// It goes on.
    Reminder,
    /// It begins and ends so often that each change is not worth telling.
    Flapping,
    /// It is over.
    Resolved,
    /// `atalaya notify test`.
    Test,
}

impl Kind {
    /// Those that come of alerts.
    pub const SENT: [Kind; 5] =
        [Kind::Firing, Kind::Escalated, Kind::Reminder, Kind::Flapping, Kind::Resolved];

    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Firing => "firing",
            Kind::Escalated => "escalated",
            Kind::Reminder => "reminder",
            Kind::Flapping => "flapping",
            Kind::Resolved => "resolved",
            Kind::Test => "test",
        }
    }
}

/// What there is to say about an alert at one moment. Texts are sentences or fragments for people, never with a
/// secret or a customer's data; nothing in here changes once it is part of a notice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub key: Key,
    /// One firing life: the key and the millisecond in which it began. Equal in every notice of the episode.
    pub episode: String,
    pub severity: Severity,
    /// What people call it: `Square`, `Customers who pay, succeed`.
    pub title: String,
    pub section: String,
    /// What is broken for whom, in one sentence: `connection refused by 127.0.0.1:5432`.
    pub summary: String,
    /// What it was concluded from: `3 of the last 3 payments failed; under a 98 % promise that happens by chance once in 125,000`.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// What it costs: `it has used 10 % of the error budget of 28 days`.
    #[serde(default)]
    pub cost: Option<String>,
    /// What probably causes it: the failing check that this one needs.
    #[serde(default)]
    pub cause: Option<String>,
    /// Where it is written what to do.
    #[serde(default)]
    pub runbook: Option<String>,
    /// When what is wrong began: of a check its first failed run, of an objective when its condition first held.
    pub began: Timestamp,
    /// When the alert fired.
    pub fired: Timestamp,
    /// When it was over.
    #[serde(default)]
    pub ended: Option<Timestamp>,
    #[serde(default)]
    pub acknowledged_by: Option<String>,
    /// How often it went from well to ill and back within this episode.
    #[serde(default)]
    pub flaps: u32,
    /// Names the thing for other systems: `alertname`, `severity`, and `check` or `slo`, `section`, `key`. Values
    /// never change during an episode.
    pub labels: BTreeMap<String, String>,
}

/// A message about one alert, or about several that belong together, for one contact. It is frozen: every channel
/// renders it from this alone, and renders the same text each time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Made from what it says (kind, episodes, number), so that a repeat has the same.
    pub id: String,
    pub kind: Kind,
    pub at: Timestamp,
    /// The gravest of its alerts.
    pub severity: Severity,
    /// Who is to be told.
    pub contact: String,
    /// At least one; the gravest first.
    pub alerts: Vec<Snapshot>,
    /// How many more alerts there are than `alerts` tells (a storm).
    #[serde(default)]
    pub more: u32,
    /// The id of the notice that told the beginning of the episode: messages after it join its thread. The notice's
    /// own id where it is the first.
    pub thread: String,
    /// Nobody was told of the beginning, so this tells both: "was down from … to …".
    #[serde(default)]
    pub merged: bool,
    /// Why this comes through this channel and not through the first: `via backup, "mail" can't deliver: …`.
    #[serde(default)]
    pub backup: Option<String>,
}

/// So much later; never past the end of time.
fn after(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// How long ago; nothing where it is yet to come, since clocks are set back.
fn since(at: Timestamp, earlier: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(earlier)).unwrap_or(Duration::ZERO)
}
