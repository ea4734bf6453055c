//! What is promised, who is told and how: `alerts/*.toml`, checked.

pub mod definition;
mod promise;
mod public;
pub(super) mod read;
#[cfg(test)]
mod tests;

use crate::alert::Severity;
use crate::config::Place;
use crate::config::value::Bound;
use crate::ingest::Source;
use crate::notify::Deliver;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use definition::Rule;

/// Everything about alerts that the definitions say. Can't be wrong: every name in it is there.
#[derive(Debug, Clone, Default)]
pub struct Alerting {
    /// In the order of the files.
    pub objectives: Vec<Arc<Objective>>,
    pub contacts: BTreeMap<Arc<str>, Contact>,
    pub channels: BTreeMap<Arc<str>, Arc<ChannelPlan>>,
    pub maintenance: Vec<Maintenance>,
    pub policy: Policy,
    /// What the status page shows, in the order of the files; every section where nothing is defined.
    pub parts: Vec<Arc<Part>>,
    pub page: Page,
    /// The address of an outside dead man's switch.
    pub dead_mans_switch: Option<SecretString>,
    /// Objectives and channels that are defined and can't work now.
    pub skipped: Vec<LeftOut>,
}

impl Alerting {
    /// The same, with what stands for objectives of which nothing was heard yet.
    pub fn having_heard(&self, heard: &BTreeSet<Source>) -> Alerting {
        let objectives = self.objectives.iter();
        let objectives = objectives.map(|one| match &one.until_heard {
            Some(stand) if !heard.contains(&stand.source) => Arc::new(one.replaced_by(stand)),
            _ => one.clone(),
        });
        Alerting { objectives: objectives.collect(), ..self.clone() }
    }

    /// Contacts of whose channels none works. A channel that is left out is told by itself, not as the contact that it
    /// is, too.
    pub fn unreachable(&self) -> impl Iterator<Item = &Contact> {
        let is_channel =
            |name: &str| self.skipped.iter().any(|one| one.what == "channel" && &*one.name == name);
        self.contacts
            .values()
            .filter(move |contact| contact.channels.is_empty() && !is_channel(&contact.name))
    }

    /// The objectives whose minutes make the days of parts: name and generation.
    pub fn promised_by_parts(&self) -> Vec<(Arc<str>, u64)> {
        let names = self.parts.iter().filter_map(|part| part.objective.as_ref());
        let found = names.filter_map(|name| self.objectives.iter().find(|one| one.name == *name));
        found.map(|one| (one.name.clone(), one.generation)).collect()
    }
}

/// A promise.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    pub name: Arc<str>,
    pub title: String,
    pub section: String,
    pub description: Option<String>,
    /// The promised share of good events in parts per million: 980000 is 98 %. Zero for a baseline.
    pub objective_ppm: u32,
    /// Whole days.
    pub window: Duration,
    pub indicator: Indicator,
    /// Why it is the one that stands for the one that is meant.
    pub instead: Option<String>,
    /// How often each of its checks runs: what a run found holds until the next one is due.
    pub every: BTreeMap<Arc<str>, Duration>,
    pub rule: Rule,
    /// Who is told, by severity; an empty list: this severity is not judged.
    pub page: Vec<Arc<str>>,
    pub ticket: Vec<Arc<str>>,
    pub info: Vec<Arc<str>>,
    /// Long windows whose burn rates page.
    pub page_windows: Vec<Duration>,
    /// Long windows whose burn rates make tickets; for a share, the windows to judge over.
    pub ticket_windows: Vec<Duration>,
    pub low_traffic: bool,
    pub drought: bool,
    /// Maintenance is neither good nor bad.
    pub excludes_maintenance: bool,
    /// Where the months of its report begin.
    pub report: Option<TimeZone>,
    pub runbook: Option<String>,
    pub place: Place,
    /// Equal where the indicator is the same: with another one, what was counted before says nothing.
    pub generation: u64,
    /// What is judged until anything is heard of what is meant.
    pub until_heard: Option<Arc<Stand>>,
}

/// What stands for an objective of whose events nothing was heard yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Stand {
    /// What is to be heard of.
    pub source: Source,
    /// The check that hears.
    pub check: Arc<str>,
    pub indicator: Indicator,
    pub every: BTreeMap<Arc<str>, Duration>,
    pub generation: u64,
}

impl Objective {
    /// The error budget in parts per million: 20000 for 98 %.
    pub const fn budget_ppm(&self) -> u32 {
        1_000_000 - self.objective_ppm
    }

    fn replaced_by(&self, stand: &Stand) -> Objective {
        let why = format!("its check `{}` has heard nothing yet", stand.check);
        Objective {
            indicator: stand.indicator.clone(),
            every: stand.every.clone(),
            generation: stand.generation,
            instead: Some(why),
            ..self.clone()
        }
    }

    /// Names of the checks whose runs it is made from.
    pub fn checks(&self) -> Vec<&Arc<str>> {
        self.indicator.checks()
    }

    /// Who is told of an alert of this severity.
    pub fn contacts(&self, severity: Severity) -> &[Arc<str>] {
        match severity {
            Severity::Page => &self.page,
            Severity::Ticket => &self.ticket,
            Severity::Info => &self.info,
        }
    }
}

/// Which events an objective counts.
#[derive(Debug, Clone, PartialEq)]
pub enum Indicator {
    /// Minutes; bad is one in which at least half of the known runs of any check failed.
    Availability { checks: Vec<Arc<str>> },
    /// Runs whose verdict is known; good is one that did not fail and took at most `below`.
    Latency { check: Arc<str>, below: Duration },
    /// What a counting query counts.
    Counts { check: Arc<str>, counts: Counts },
    /// Runs that yielded the measure; good is one where the bound holds.
    Measure { check: Arc<str>, measure: Arc<str>, good: Bound },
    /// The mean of a value, against what it usually is.
    Baseline { check: Arc<str>, count: Arc<str>, sum: Arc<str>, squares: Arc<str>, unit: String },
}

impl Indicator {
    /// Names of the checks whose runs it is made from.
    pub fn checks(&self) -> Vec<&Arc<str>> {
        match self {
            Indicator::Availability { checks } => checks.iter().collect(),
            Indicator::Latency { check, .. }
            | Indicator::Counts { check, .. }
            | Indicator::Measure { check, .. }
            | Indicator::Baseline { check, .. } => vec![check],
        }
    }
}

/// How good and bad come from two columns.
#[derive(Debug, Clone, PartialEq)]
pub enum Counts {
    GoodOfTotal { good: Arc<str>, total: Arc<str> },
    BadOfTotal { bad: Arc<str>, total: Arc<str> },
    GoodAndBad { good: Arc<str>, bad: Arc<str> },
}

/// Somebody who can be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Contact {
    pub name: Arc<str>,
    /// Channels that work with the variables that are set, the first one first. May be empty: all were skipped.
    pub channels: Vec<Arc<str>>,
    /// Sorted by time: who else is told when a page is not acknowledged.
    pub escalate: Vec<(Duration, Arc<str>)>,
}

/// A channel, built.
pub struct ChannelPlan {
    pub name: Arc<str>,
    pub kind: &'static str,
    /// One try, in all.
    pub timeout: Duration,
    pub hourly_max: u32,
    pub place: Place,
    /// Equal for equal definitions with equal values.
    pub fingerprint: u64,
    pub deliver: Box<dyn Deliver>,
}

impl fmt::Debug for ChannelPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelPlan").field("name", &self.name).field("place", &self.place).finish()
    }
}

/// A part of the shop as visitors know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub name: Arc<str>,
    pub title: String,
    pub description: Option<String>,
    pub sections: Vec<String>,
    pub checks: Vec<Arc<str>>,
    /// The objective that its days are made from.
    pub objective: Option<Arc<str>>,
}

impl Part {
    /// Whether a check tells how it is.
    pub fn has(&self, check: &Arc<str>, section: &str) -> bool {
        self.checks.contains(check) || self.sections.iter().any(|one| one == section)
    }
}

/// Whose status page it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub title: Option<String>,
    pub about: Option<String>,
    pub link: Option<String>,
}

/// A time in which failure is expected.
#[derive(Debug, Clone)]
pub struct Maintenance {
    pub name: Arc<str>,
    pub title: String,
    pub begins: Begins,
    pub lasts: Duration,
    pub zone: TimeZone,
    /// Names of checks and objectives, and sections; all empty: everything.
    pub of: Vec<Arc<str>>,
    pub sections: Vec<String>,
}

#[derive(Debug, Clone)]
pub enum Begins {
    Cron(Box<croner::Cron>),
    Once(jiff::Timestamp),
}

/// What holds for all alerts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    pub page: SeverityPolicy,
    pub ticket: SeverityPolicy,
    pub info: SeverityPolicy,
    /// Checks that tell together whether the watcher is offline.
    pub network: Vec<Arc<str>>,
    /// Links in messages begin with it; without a slash at the end.
    pub url: Option<String>,
}

impl Policy {
    pub const fn of(&self, severity: Severity) -> &SeverityPolicy {
        match severity {
            Severity::Page => &self.page,
            Severity::Ticket => &self.ticket,
            Severity::Info => &self.info,
        }
    }
}

/// How alerts of one severity are told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SeverityPolicy {
    pub to: Vec<Arc<str>>,
    pub wait: Duration,
    pub keep_firing_for: Duration,
    /// Each after the one before; the last goes on. Empty: never.
    pub remind: Vec<Duration>,
}

/// When a check's trouble becomes an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckAlert {
    pub failed: Option<Severity>,
    pub degraded: Option<Severity>,
    pub attempts: u8,
    pub recoveries: u8,
    /// In place of those whom the policy names.
    pub to: Option<Vec<Arc<str>>>,
}

impl Default for CheckAlert {
    fn default() -> CheckAlert {
        let (failed, degraded) = (Some(Severity::Page), Some(Severity::Ticket));
        CheckAlert { failed, degraded, attempts: 3, recoveries: 2, to: None }
    }
}

/// What is defined and can't work now, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// `objective` or `channel`.
    pub what: &'static str,
    pub name: Arc<str>,
    pub place: Place,
    /// `variable SMTP_HOST is not set`
    pub why: String,
}
