//! What is said about an alert: its texts and its labels.

use super::check::{Hard, Memory};
use super::engine::Watched;
use super::{Key, Severity, Snapshot};
use crate::config::alerting::Objective;
use crate::judge::Condition;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The section of what is about the agent itself.
pub(super) const AGENT: &str = "agent";
pub(super) const OFFLINE: &str = "agent/offline";

/// What a key is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject<'a> {
    Check(&'a str),
    /// A check that is not measured.
    Gap(&'a str),
    /// An objective and one of its conditions.
    Slo(&'a str, &'a str),
    Offline,
    /// A part of the agent.
    Part(&'a str),
}

impl<'a> Subject<'a> {
    pub(super) fn of(key: &'a str) -> Option<Subject<'a>> {
        let (kind, name) = key.split_once('/')?;
        Some(match kind {
            "check" => Subject::Check(name),
            "gap" => Subject::Gap(name),
            "slo" => name.rsplit_once('/').map(|(slo, condition)| Subject::Slo(slo, condition))?,
            AGENT if key == OFFLINE => Subject::Offline,
            AGENT => Subject::Part(name),
            _ => return None,
        })
    }

    /// What people and definitions call it.
    pub(super) const fn name(self) -> &'a str {
        match self {
            Subject::Check(name) | Subject::Gap(name) | Subject::Slo(name, _) | Subject::Part(name) => name,
            Subject::Offline => "offline",
        }
    }

    fn alertname(self) -> &'static str {
        match self {
            Subject::Check(_) => "CheckFailing",
            Subject::Gap(_) | Subject::Slo(_, "gap") => "MonitoringGap",
            Subject::Slo(_, "page" | "ticket" | "info") => "ErrorBudgetBurn",
            Subject::Slo(_, "drought") => "TrafficDrought",
            Subject::Slo(_, "baseline") => "BaselineLeft",
            Subject::Slo(..) => "ErrorBudgetUsed",
            Subject::Offline => "WatcherOffline",
            Subject::Part(_) => "AgentUnwell",
        }
    }
}

/// A snapshot that says only what it is about.
fn bare(key: &Key, severity: Severity, section: &str, at: Timestamp) -> Snapshot {
    let mut labels = BTreeMap::from([
        ("severity".to_owned(), severity.to_string()),
        ("section".to_owned(), section.to_owned()),
        ("key".to_owned(), key.to_string()),
    ]);
    if let Some(subject) = Subject::of(&key.0) {
        labels.insert("alertname".to_owned(), subject.alertname().to_owned());
        let label = match subject {
            Subject::Check(_) | Subject::Gap(_) => "check",
            Subject::Slo(..) => "slo",
            Subject::Offline | Subject::Part(_) => "part",
        };
        labels.insert(label.to_owned(), subject.name().to_owned());
    }
    Snapshot {
        key: key.clone(),
        episode: format!("{key}@{}", at.as_millisecond()),
        severity,
        title: String::new(),
        section: section.to_owned(),
        summary: String::new(),
        evidence: Vec::new(),
        cost: None,
        cause: None,
        runbook: None,
        began: at,
        fired: at,
        ended: None,
        acknowledged_by: None,
        flaps: 0,
        labels,
    }
}

/// A check that is ill: `text` is why its last run was.
pub(super) fn check(
    watched: &Watched,
    memory: &Memory,
    severity: Severity,
    text: &str,
    at: Timestamp,
) -> Snapshot {
    let key = Key(format!("check/{}", watched.name).into());
    let began = memory.began.unwrap_or(at);
    let word = if memory.hard == Hard::Failed { "failed" } else { "degraded" };
    Snapshot {
        title: watched.title.clone(),
        summary: if text.is_empty() { format!("it has {word}") } else { text.to_owned() },
        evidence: vec![in_a_row(watched, memory, at)],
        runbook: watched.runbook.clone(),
        began,
        ..bare(&key, severity, &watched.section, at)
    }
}

/// `failed 3 times in a row since 10:02:03 UTC`
pub(super) fn in_a_row(watched: &Watched, memory: &Memory, at: Timestamp) -> String {
    let failed = memory.hard == Hard::Failed;
    let (word, began) =
        if failed { ("failed", memory.failed_since) } else { ("degraded or failed", memory.began) };
    let began = moment(began.unwrap_or(at), at);
    match watched.alert.attempts {
        0 | 1 => format!("{word} at {began}"),
        attempts => format!("{word} {attempts} times in a row since {began}"),
    }
}

/// A check that was not measured.
pub(super) fn gap(watched: &Watched, last: Timestamp, why: &str, at: Timestamp) -> Snapshot {
    let key = Key(format!("gap/{}", watched.name).into());
    let every = humantime::format_duration(watched.every);
    let known = format!("nothing is known since {}, and it is due every {every}", moment(last, at));
    Snapshot {
        title: format!("{} is not measured", watched.title),
        summary: if why.is_empty() { "it was due and did not run".to_owned() } else { why.to_owned() },
        evidence: vec![known],
        runbook: watched.runbook.clone(),
        began: last,
        ..bare(&key, Severity::Ticket, &watched.section, at)
    }
}

/// A condition of an objective that holds.
pub(super) fn condition(objective: &Objective, condition: &Condition, at: Timestamp) -> Snapshot {
    let key = Key(format!("slo/{}/{}", objective.name, condition.name).into());
    Snapshot {
        title: objective.title.clone(),
        summary: condition.summary.clone(),
        evidence: condition.evidence.clone(),
        cost: condition.cost.clone(),
        runbook: objective.runbook.clone(),
        ..bare(&key, condition.severity, &objective.section, at)
    }
}

/// A part of the agent that is not well.
pub(super) fn part(part: &str, text: &str, at: Timestamp) -> Snapshot {
    let key = Key(format!("{AGENT}/{part}").into());
    let (severity, title) = match part.strip_prefix("channel/") {
        Some(channel) => (Severity::Ticket, format!("The channel {channel} of the agent")),
        None if part == "store" => (Severity::Page, "The agent's store".to_owned()),
        None if part == "runner" => (Severity::Page, "The agent's runner of checks".to_owned()),
        None => (Severity::Ticket, format!("The agent's {part}")),
    };
    Snapshot { title, summary: text.to_owned(), ..bare(&key, severity, AGENT, at) }
}

/// Everything that tells whether the watcher is offline has failed.
pub(super) fn offline(names: &[String], began: Timestamp, at: Timestamp) -> Snapshot {
    let evidence = format!("all of {} have failed since {}", names.join(", "), moment(began, at));
    Snapshot {
        title: "The watcher is offline".to_owned(),
        summary: "nothing can be reached from here, so nothing is known of what is watched".to_owned(),
        evidence: vec![evidence],
        began,
        ..bare(&Key(OFFLINE.into()), Severity::Page, AGENT, at)
    }
}

/// A moment as people read it, with its day where that is another one: `10:02:03 UTC`.
pub(super) fn moment(moment: Timestamp, at: Timestamp) -> String {
    let same_day = moment.strftime("%F").to_string() == at.strftime("%F").to_string();
    moment.strftime(if same_day { "%H:%M:%S UTC" } else { "%F %H:%M:%S UTC" }).to_string()
}
