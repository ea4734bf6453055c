//! Alerts that are not over, and those that were.

use crate::alert::{AlertView, Severity};
use crate::view::past::Episode;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// One alert that is not over.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertShape {
    key: String,
    /// `pending`, `firing`, `resolving` or `resolved`.
    state: String,
    severity: Severity,
    title: String,
    section: String,
    summary: String,
    evidence: Vec<String>,
    cost: Option<String>,
    cause: Option<String>,
    runbook: Option<String>,
    episode: String,
    began: String,
    fired: String,
    ended: Option<String>,
    flapping: bool,
    acknowledged_by: Option<String>,
    /// Why nobody is told more.
    held: Option<String>,
    told: Vec<ToldShape>,
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ToldShape {
    contact: String,
    at: String,
}

impl AlertShape {
    pub fn new(view: &AlertView) -> AlertShape {
        let now = view.now.clone();
        let told = view
            .told
            .iter()
            .map(|(contact, at)| ToldShape { contact: contact.to_string(), at: at.to_string() });
        AlertShape {
            key: now.key.to_string(),
            state: view.phase.as_str().to_owned(),
            severity: now.severity,
            title: now.title,
            section: now.section,
            summary: now.summary,
            evidence: now.evidence,
            cost: now.cost,
            cause: now.cause,
            runbook: now.runbook,
            episode: now.episode,
            began: now.began.to_string(),
            fired: now.fired.to_string(),
            ended: now.ended.map(|at| at.to_string()),
            flapping: view.flapping,
            acknowledged_by: now.acknowledged_by,
            held: view.held.clone(),
            told: told.collect(),
            labels: now.labels,
        }
    }
}

/// One firing life of an alert.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EpisodeShape {
    episode: String,
    alert: String,
    severity: Severity,
    title: String,
    summary: String,
    fired: String,
    ended: Option<String>,
}

impl EpisodeShape {
    pub fn new(episode: &Episode) -> EpisodeShape {
        EpisodeShape {
            episode: episode.episode.clone(),
            alert: episode.alert.clone(),
            severity: episode.severity,
            title: episode.title.clone(),
            summary: episode.summary.clone(),
            fired: episode.fired.to_string(),
            ended: episode.ended.map(|at| at.to_string()),
        }
    }
}
