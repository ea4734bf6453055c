//! Everything that alerts are concluded from, as it happened. The same facts in the same order give the same alerts:
//! so they can be exported (`atalaya store export`) and judged again (`atalaya replay`).
//!
//! A fact names checks by their names and carries its own time; nothing else is asked while one is judged.

use crate::outcome::{Class, Status};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One thing that happened, and when (wall time).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    pub at: Timestamp,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A run ended.
    Ran(Ran),
    /// Runs were due and did not happen.
    Dropped {
        check: Arc<str>,
        times: u64,
    },
    /// Time has passed; pending things may be due now.
    Tick,
    /// The wall clock was set by so many milliseconds; what was measured in it moves along.
    ClockSet {
        by_ms: i64,
    },
    Acknowledged(Acknowledgement),
    Silenced(Silence),
    /// A silence was ended by hand.
    SilenceEnded {
        id: String,
        by: String,
    },
    /// The agent's own parts tell how they are: `store`, `channel/mail`.
    Own {
        part: Arc<str>,
        well: bool,
        text: String,
    },
    /// The agent began, and what was open before still is.
    Started,
}

/// One run that is over, as far as judgement needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    pub check: Arc<str>,
    pub status: Status,
    pub took_us: u64,
    /// Of the fault that explains the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Measures without labels, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<Arc<str>, f64>,
    /// What a counting query counted, a part of time at a time, each beginning where the one before ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<Counted>,
}

/// What happened in one part of time, told by a counting query: `$from` inclusive, `$to` exclusive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    pub from: Timestamp,
    pub to: Timestamp,
    /// How many seconds before that it happened: events are booked when they have settled.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub settled_s: i64,
    pub values: BTreeMap<Arc<str>, f64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(seconds: &i64) -> bool {
    *seconds == 0
}

/// Somebody has seen it: reminders and escalation of this episode end, alerts about other things don't.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The key of the alert, or its name where that is unique.
    pub alert: String,
    pub by: String,
    #[serde(default)]
    pub comment: String,
}

/// Told not to notify, until it ends. The alert is judged and recorded all the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Silence {
    pub id: String,
    /// All must match: `check=site`, `severity!=page`, `section=~business|orders`.
    pub matchers: Vec<Matcher>,
    #[schemars(with = "String")]
    pub from: Timestamp,
    #[schemars(with = "String")]
    pub until: Timestamp,
    pub by: String,
    pub comment: String,
}

/// One comparison with a label of an alert; a label that is not there is the empty text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Matcher {
    pub label: String,
    pub is: Is,
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Is {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "=~")]
    Like,
    #[serde(rename = "!~")]
    NotLike,
}
