//! Groups of rules and how they are written: YAML that a person reviews, with PromQL in blocks of its own lines.

use super::number::time;
use super::proof::Proof;
use crate::alert::Severity;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

pub type Labels = BTreeMap<String, String>;

/// `[("slo", "uptime")]`
pub fn labels<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Rules that are evaluated one after the other.
#[derive(Debug)]
pub struct Group {
    pub name: String,
    pub records: Vec<Record>,
    pub alerts: Vec<Alert>,
    /// What its records are tested with, and what each must be then.
    pub proof: Option<Proof>,
}

/// A series that is made from others.
#[derive(Debug)]
pub struct Record {
    pub name: String,
    pub expr: String,
    pub labels: Labels,
    /// What it must be under the group's proof.
    pub expected: f64,
}

/// What somebody is told.
#[derive(Debug)]
pub struct Alert {
    pub name: &'static str,
    pub severity: Severity,
    pub expr: String,
    /// How long it must hold.
    pub holds: Duration,
    /// How long it must be gone.
    pub keeps: Duration,
    pub labels: Labels,
    pub words: Words,
    pub proof: Proof,
}

/// What a person reads. Prometheus fills `{{ $labels.… }}` and `{{ $value }}`.
#[derive(Debug, Clone)]
pub struct Words {
    pub summary: String,
    pub description: String,
    pub runbook: Option<String>,
}

impl Words {
    pub fn annotations(&self) -> Labels {
        let mut all = labels([("summary", &self.summary), ("description", &self.description)]);
        if let Some(runbook) = &self.runbook {
            all.insert("runbook_url".to_owned(), runbook.clone());
        }
        all
    }
}

impl Alert {
    /// With those that every alert has.
    pub fn all_labels(&self) -> Labels {
        let mut all = self.labels.clone();
        all.insert("severity".to_owned(), self.severity.as_str().to_owned());
        all
    }
}

#[derive(Serialize)]
struct File<'a> {
    groups: Vec<Written<'a>>,
}

#[derive(Serialize)]
struct Written<'a> {
    name: &'a str,
    rules: Vec<Rule<'a>>,
}

/// In the order in which people expect the keys.
#[derive(Serialize)]
struct Rule<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<&'a str>,
    expr: &'a str,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    holds: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_for: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: Labels,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: Labels,
}

fn written(group: &Group) -> Written<'_> {
    let some = |duration: Duration| (!duration.is_zero()).then(|| time(duration));
    let records = group.records.iter().map(|record| Rule {
        record: Some(&record.name),
        alert: None,
        expr: &record.expr,
        holds: None,
        keep_firing_for: None,
        labels: record.labels.clone(),
        annotations: Labels::new(),
    });
    let alerts = group.alerts.iter().map(|alert| Rule {
        record: None,
        alert: Some(alert.name),
        expr: &alert.expr,
        holds: some(alert.holds),
        keep_firing_for: some(alert.keeps),
        labels: alert.all_labels(),
        annotations: alert.words.annotations(),
    });
    Written { name: &group.name, rules: records.chain(alerts).collect() }
}

/// The text of a file of rules.
pub fn groups_text(head: &str, groups: &[Group]) -> String {
    yaml(head, &File { groups: groups.iter().map(written).collect() })
}

/// YAML below a head of comments.
pub fn yaml(head: &str, content: &impl Serialize) -> String {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: 110 };
    let body =
        serde_saphyr::to_string_with_options(content, options).expect("texts and lists can be written");
    format!("{head}{body}")
}
