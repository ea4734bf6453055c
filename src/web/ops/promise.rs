//! One promise: its windows, what each severity is judged by, its months.

use super::promises::{Row, share};
use super::{Frame, Missing, Shared, Who, shown};
use crate::alert::Verdict;
use crate::export::window_word;
use crate::judge::rule::tier::tiers;
use crate::judge::{Burn, Standing};
use crate::view::{ObjectiveView, View};
use crate::web::page::{figure, words};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use std::time::Duration;

#[derive(Template)]
#[template(path = "ops/promise.html")]
struct PromisePage {
    frame: Frame,
    row: Row,
    view: ObjectiveView,
    checks: Vec<String>,
    windows: Vec<WindowRow>,
    conditions: Vec<ConditionRow>,
    months: Vec<[String; 4]>,
    coverage: String,
    charts: Vec<Chart>,
    span: &'static str,
    unread: Option<String>,
}

struct WindowRow {
    name: String,
    good: String,
    bad: String,
    burn: String,
    threshold: String,
    coverage: String,
}

struct ConditionRow {
    name: &'static str,
    severity: &'static str,
    verdict: &'static str,
    class: &'static str,
    summary: String,
    evidence: Vec<String>,
    cost: String,
}

/// One drawing and what its lines are.
pub struct Chart {
    pub title: String,
    pub svg: String,
    /// Number of the line, its name.
    pub keys: Vec<(u8, String)>,
}

pub async fn show(State(shared): State<Shared>, who: Who, Path(name): Path<String>) -> Response {
    shown(&shared, async |view| {
        let found = view.objectives.iter().find(|one| *one.objective.name == *name);
        let objective = found.ok_or_else(|| Missing(format!("there is no promise `{name}`")))?;
        Ok(page(view, &who, objective))
    })
    .await
}

fn page(view: &View, who: &Who, objective: &ObjectiveView) -> PromisePage {
    let standing = objective.standing.as_deref();
    PromisePage {
        frame: Frame::new(view, who, &objective.objective.title, "/ops/promises"),
        row: Row::new(objective),
        checks: objective.objective.checks().into_iter().map(ToString::to_string).collect(),
        windows: standing.map(|standing| windows(objective, standing)).unwrap_or_default(),
        conditions: standing.map(conditions).unwrap_or_default(),
        months: objective.months.iter().map(|month| month_row(objective, month)).collect(),
        coverage: standing.map_or_else(|| "–".to_owned(), |one| words::percent(&one.coverage)),
        view: objective.clone(),
        charts: Vec::new(),
        span: "24h",
        unread: None,
    }
}

fn windows(view: &ObjectiveView, standing: &Standing) -> Vec<WindowRow> {
    let row = |burn: &Burn| WindowRow {
        name: window_word(burn.window),
        good: figure::plain(burn.good as f64),
        bad: figure::plain(burn.bad as f64),
        burn: burn.rate.map_or_else(|| "–".to_owned(), |rate| format!("{}×", figure::plain(rate))),
        threshold: threshold(view, burn.window),
        coverage: words::percent(&burn.coverage),
    };
    standing.burns.iter().map(row).collect()
}

/// From which burn rate on this window, together with its partner, is an alert.
fn threshold(view: &ObjectiveView, window: Duration) -> String {
    let minutes = u32::try_from(window.as_secs() / 60).unwrap_or(u32::MAX);
    let budget = f64::from(view.objective.budget_ppm()) / 1e6;
    let mut found: Vec<String> = Vec::new();
    for severity in crate::alert::Severity::ALL {
        for tier in tiers(&view.objective, severity) {
            if tier.long == minutes || tier.short == minutes {
                found.push(format!("{severity} above {}×", figure::plain(tier.threshold.ratio() / budget)));
            }
        }
    }
    found.join(", ")
}

fn conditions(standing: &Standing) -> Vec<ConditionRow> {
    let row = |condition: &crate::judge::Condition| ConditionRow {
        name: condition.name,
        severity: condition.severity.as_str(),
        verdict: match condition.verdict {
            Verdict::Healthy => "healthy",
            Verdict::Unknown => "unknown",
            Verdict::Firing => "firing",
        },
        class: match condition.verdict {
            Verdict::Healthy => "met",
            Verdict::Unknown => "unknown",
            Verdict::Firing => "firing",
        },
        summary: condition.summary.clone(),
        evidence: condition.evidence.clone(),
        cost: condition.cost.clone().unwrap_or_default(),
    };
    standing.conditions.iter().map(row).collect()
}

fn month_row(view: &ObjectiveView, ((year, month), report): &crate::judge::calendar::Month) -> [String; 4] {
    [
        format!("{year:04}-{month:02}"),
        report.ratio().map_or_else(|| "–".to_owned(), |ratio| words::percent(&ratio)),
        share(view.objective.objective_ppm),
        format!("{} of {} minutes", figure::plain(report.measured as f64), figure::plain(report.expected as f64)),
    ]
}
