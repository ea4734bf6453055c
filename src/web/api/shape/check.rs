//! Checks, with all that is known of each.

use crate::outcome::{Class, Status};
use crate::record::windows::{Counts, Window};
use crate::view::{CheckView, View, WindowView};
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
            measures: outcome
                .map(|outcome| outcome.measures.iter().map(measure).collect())
                .unwrap_or_default(),
            windows: windows
                .map(|(window, seen)| (window.as_str().to_owned(), WindowShape::new(seen)))
                .collect(),
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
