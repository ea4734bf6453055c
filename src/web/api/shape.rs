//! What the API answers, as types: the JSON and its description come from the same place and can't differ.
//!
//! Names are in camelCase and end with their units. What is not known is `null`.

use crate::alert::{AlertView, Severity, Verdict};
use crate::config::alerting::Objective;
use crate::export::window_word;
use crate::judge::calendar::Month;
use crate::outcome::{Class, Status};
use crate::record::windows::{Counts, Window};
use crate::view::past::Episode;
use crate::view::status::{DayStatus, Incident, PartStatus, Planned, Word};
use crate::view::{CheckView, ObjectiveView, View, WindowView};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// One check.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckShape {
    name: String,
    title: String,
    section: String,
    kind: String,
    every_seconds: f64,
    status: Status,
    /// Since when the status is what it is.
    since: Option<String>,
    class: Option<Class>,
    reason: Option<String>,
    notes: Vec<String>,
    last_run: Option<String>,
    duration_seconds: Option<f64>,
    /// How long each part of the last run took, in seconds.
    phases: BTreeMap<String, f64>,
    measures: Vec<MeasureShape>,
    /// By their lengths: `5m`, `1h`, `24h`.
    windows: BTreeMap<String, WindowShape>,
    needs: Vec<String>,
    /// The check that explains why this one is not well.
    explained_by: Option<String>,
    runbook: Option<String>,
}

/// A named number with its unit at the end of the name.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MeasureShape {
    name: String,
    value: f64,
    labels: BTreeMap<String, String>,
}

/// One sliding window of one check.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowShape {
    ok: u64,
    degraded: u64,
    failed: u64,
    unknown: u64,
    dropped: u64,
    /// Of good runs, in seconds: `p50`, `p90`, `p95`, `p99`.
    good_seconds: Option<Quantiles>,
    failed_seconds: Option<Quantiles>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Quantiles {
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
}

/// All checks, and those that are defined and can't run now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChecksShape {
    checks: Vec<CheckShape>,
    skipped: Vec<SkippedShape>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct SkippedShape {
    name: String,
    title: String,
    section: String,
    why: String,
}

impl ChecksShape {
    pub fn new(view: &View) -> ChecksShape {
        let skipped = |one: &crate::config::Skipped| SkippedShape {
            name: one.name.to_string(),
            title: one.title.clone(),
            section: one.section.clone(),
            why: one.why.clone(),
        };
        ChecksShape {
            checks: view.checks.iter().map(|check| CheckShape::new(view, check)).collect(),
            skipped: view.skipped.iter().map(skipped).collect(),
        }
    }
}

impl CheckShape {
    pub fn new(view: &View, check: &CheckView) -> CheckShape {
        let (definition, last) = (&check.check, check.last.as_ref());
        let outcome = last.map(|last| &last.run.outcome);
        let measure = |measure: &crate::outcome::Measure| MeasureShape {
            name: measure.name.to_string(),
            value: measure.value,
            labels: measure.labels.iter().cloned().collect(),
        };
        let phases = last.iter().flat_map(|last| &last.run.phases);
        let windows = Window::ALL.into_iter().zip(&check.windows);
        CheckShape {
            name: definition.name.to_string(),
            title: definition.title.clone(),
            section: definition.section.clone(),
            kind: definition.kind.to_owned(),
            every_seconds: definition.every.as_secs_f64(),
            status: check.status(),
            since: check.since.map(|at| at.to_string()),
            class: check.reason().map(|fault| fault.class),
            reason: check.reason().map(|fault| fault.text.clone()),
            notes: outcome.map(|outcome| outcome.notes.clone()).unwrap_or_default(),
            last_run: last.map(|last| last.at.to_string()),
            duration_seconds: last.map(|last| last.run.took.as_secs_f64()),
            phases: phases.map(|phase| (phase.name.to_owned(), phase.took.as_secs_f64())).collect(),
            measures: outcome.map(|outcome| outcome.measures.iter().map(measure).collect()).unwrap_or_default(),
            windows: windows.map(|(window, seen)| (window.as_str().to_owned(), WindowShape::new(seen))).collect(),
            needs: definition.needs.clone(),
            explained_by: view.explained_by(check).map(|parent| parent.check.name.to_string()),
            runbook: definition.runbook.clone(),
        }
    }
}

impl WindowShape {
    fn new(seen: &WindowView) -> WindowShape {
        let quantiles = |[p50, p90, p95, p99]: [f64; 4]| Quantiles { p50, p90, p95, p99 };
        let Counts { ok, degraded, failed, unknown, dropped } = seen.counts;
        WindowShape {
            ok,
            degraded,
            failed,
            unknown,
            dropped,
            good_seconds: seen.good.map(quantiles),
            failed_seconds: seen.failed.map(quantiles),
        }
    }
}

/// One promise.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectiveShape {
    name: String,
    title: String,
    section: String,
    description: Option<String>,
    /// The promised share; `null` for a baseline.
    objective: Option<f64>,
    window_seconds: u64,
    /// `unknown`, `learning`, `met`, `at risk` or `broken`.
    state: String,
    good: Option<u64>,
    total: Option<u64>,
    /// The share of good events over the whole window.
    indicator: Option<f64>,
    indicator_with_maintenance: Option<f64>,
    coverage: Option<f64>,
    /// 1 is all of it.
    budget_consumed: Option<f64>,
    windows: Vec<BurnShape>,
    conditions: Vec<ConditionShape>,
    baseline: Option<BaselineShape>,
    months: Vec<MonthShape>,
    runbook: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BurnShape {
    window: String,
    good: u64,
    bad: u64,
    burn_rate: Option<f64>,
    coverage: f64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ConditionShape {
    name: String,
    severity: Severity,
    verdict: Verdict,
    summary: String,
    evidence: Vec<String>,
    cost: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct BaselineShape {
    value: f64,
    count: u64,
    usual: f64,
    lower: f64,
    upper: f64,
    score: f64,
}

/// A calendar month of the report.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MonthShape {
    month: String,
    begins: String,
    ends: String,
    good: u64,
    total: u64,
    indicator: Option<f64>,
    minutes_expected: u64,
    minutes_measured: u64,
    budget_seconds: u64,
}

impl ObjectiveShape {
    pub fn new(view: &ObjectiveView) -> ObjectiveShape {
        let (objective, standing) = (&view.objective, view.standing.as_deref());
        let ratio = |good: u64, total: u64| (total > 0).then(|| good as f64 / total as f64);
        let burn = |burn: &crate::judge::Burn| BurnShape {
            window: window_word(burn.window),
            good: burn.good,
            bad: burn.bad,
            burn_rate: burn.rate,
            coverage: burn.coverage,
        };
        let condition = |one: &crate::judge::Condition| ConditionShape {
            name: one.name.to_owned(),
            severity: one.severity,
            verdict: one.verdict,
            summary: one.summary.clone(),
            evidence: one.evidence.clone(),
            cost: one.cost.clone(),
        };
        let baseline = standing.and_then(|standing| standing.baseline).map(|one| BaselineShape {
            value: one.value,
            count: one.count,
            usual: one.usual,
            lower: one.lower,
            upper: one.upper,
            score: one.score,
        });
        ObjectiveShape {
            name: objective.name.to_string(),
            title: objective.title.clone(),
            section: objective.section.clone(),
            description: objective.description.clone(),
            objective: (objective.objective_ppm > 0).then(|| f64::from(objective.objective_ppm) / 1e6),
            window_seconds: objective.window.as_secs(),
            state: standing.map_or("unknown", |standing| standing.state.as_str()).to_owned(),
            good: standing.map(|standing| standing.good),
            total: standing.map(|standing| standing.total),
            indicator: standing.and_then(|standing| ratio(standing.good, standing.total)),
            indicator_with_maintenance: standing.and_then(|one| ratio(one.raw_good, one.raw_total)),
            coverage: standing.map(|standing| standing.coverage),
            budget_consumed: standing.and_then(|standing| standing.consumed),
            windows: standing.map(|one| one.burns.iter().map(burn).collect()).unwrap_or_default(),
            conditions: standing.map(|one| one.conditions.iter().map(condition).collect()).unwrap_or_default(),
            baseline,
            months: view.months.iter().map(|month| MonthShape::new(objective, month)).collect(),
            runbook: objective.runbook.clone(),
        }
    }
}

impl MonthShape {
    fn new(objective: &Objective, ((year, month), report): &Month) -> MonthShape {
        MonthShape {
            month: format!("{year:04}-{month:02}"),
            begins: report.begins.to_string(),
            ends: report.ends.to_string(),
            good: report.good,
            total: report.total,
            indicator: report.ratio(),
            minutes_expected: report.expected,
            minutes_measured: report.measured,
            budget_seconds: report.budget(objective.budget_ppm()).as_secs(),
        }
    }
}

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
        let told = view.told.iter().map(|(contact, at)| ToldShape { contact: contact.to_string(), at: at.to_string() });
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

/// What anybody may know.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatusShape {
    at: String,
    state: Word,
    headline: String,
    parts: Vec<PartShape>,
    incidents: Vec<IncidentShape>,
    maintenance: Vec<PlannedShape>,
}

/// One part of the shop.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartShape {
    name: String,
    title: String,
    state: Word,
    since: Option<String>,
    /// Over the last 90 days, of what was measured.
    good_ratio: Option<f64>,
    measured_ratio: f64,
    /// The oldest first, today last; empty where the past is not known.
    days: Vec<DayShape>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DayShape {
    /// In UTC.
    date: String,
    /// `null`: not measured.
    good_ratio: Option<f64>,
    measured_ratio: f64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct IncidentShape {
    id: String,
    part: String,
    from: String,
    /// `null` while it goes on.
    to: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct PlannedShape {
    title: String,
    parts: Vec<String>,
    from: String,
    to: String,
    open: bool,
}

impl StatusShape {
    pub fn new(status: &crate::view::status::Status) -> StatusShape {
        let day = |day: &DayStatus| DayShape {
            date: day.date.to_string(),
            good_ratio: day.good_ratio,
            measured_ratio: day.measured_ratio,
        };
        let part = |part: &PartStatus| PartShape {
            name: part.part.name.to_string(),
            title: part.part.title.clone(),
            state: part.word,
            since: part.since.map(|at| at.to_string()),
            good_ratio: part.good_ratio,
            measured_ratio: part.measured_ratio,
            days: part.days.iter().map(day).collect(),
        };
        let incident = |one: &Incident| IncidentShape {
            id: one.id(),
            part: one.part.name.to_string(),
            from: one.from.to_string(),
            to: one.to.map(|at| at.to_string()),
        };
        let planned = |one: &Planned| PlannedShape {
            title: one.title.clone(),
            parts: one.parts.clone(),
            from: one.from.to_string(),
            to: one.to.to_string(),
            open: one.open,
        };
        StatusShape {
            at: status.at.to_string(),
            state: status.word,
            headline: status.headline(),
            parts: status.parts.iter().map(part).collect(),
            incidents: status.incidents.iter().map(incident).collect(),
            maintenance: status.planned.iter().map(planned).collect(),
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

/// What came of a request that changes something: what it was done to.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DoneShape {
    /// Keys of alerts.
    Acknowledged(Vec<String>),
    /// Ids of silences.
    Ended(Vec<String>),
    /// What the channel said.
    Result(Vec<String>),
}
