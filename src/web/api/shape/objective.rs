//! Promises, and how they stand.

use crate::alert::{Severity, Verdict};
use crate::config::alerting::Objective;
use crate::export::window_word;
use crate::judge::calendar::Month;
use crate::view::ObjectiveView;
use schemars::JsonSchema;
use serde::Serialize;

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
    /// The checks that its events come from.
    checks: Vec<String>,
    /// Why these stand for those that are meant, where they do: nobody tells of customers.
    instead: Option<String>,
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
            conditions: standing
                .map(|one| one.conditions.iter().map(condition).collect())
                .unwrap_or_default(),
            baseline,
            months: view.months.iter().map(|month| MonthShape::new(objective, month)).collect(),
            runbook: objective.runbook.clone(),
            checks: objective.checks().into_iter().map(ToString::to_string).collect(),
            instead: objective.instead.clone(),
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
