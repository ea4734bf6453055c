//! One promise: its windows, what each severity is judged by, its months.

use super::promises::{Row, share};
use super::{Frame, Missing, Shared, Who, shown};
use crate::alert::{Severity, Verdict};
use crate::app::almanac::{Span, Unread};
use crate::export::window_word;
use crate::judge::rule::tier::tiers;
use crate::judge::{Burn, Standing};
use crate::view::past::Burns;
use crate::view::{ObjectiveView, View};
use crate::web::chart::lines::{Line, Lines};
use crate::web::chart::{Range, Unit};
use crate::web::page::{figure, words};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
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

/// A chart reaches to so many thresholds: the first minute of an outage burns a thousand times as fast as is promised, and
/// beside it no threshold could be seen.
const CEILING: f64 = 4.0;

/// One drawing and what its lines are.
pub struct Chart {
    pub title: String,
    pub svg: String,
    /// Number of the line, its name.
    pub keys: Vec<(u8, String)>,
}

/// How far back the charts reach.
#[derive(Debug, Deserialize)]
pub struct Asked {
    span: Option<String>,
}

pub async fn show(
    State(shared): State<Shared>,
    who: Who,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    shown(&shared, async |view| {
        let found = view.objectives.iter().find(|one| *one.objective.name == *name);
        let objective = found.ok_or_else(|| Missing(format!("there is no promise `{name}`")))?;
        let wanted = asked.span.as_deref().unwrap_or("24h");
        let span = Span::ALL.into_iter().find(|span| span.as_str() == wanted);
        let span = span.ok_or_else(|| Missing(format!("there is no span `{wanted}`")))?;
        let mut page = page(view, &who, objective);
        page.span = span.as_str();
        // A baseline has no budget to burn.
        if objective.objective.objective_ppm > 0 {
            match shared.eyes.almanac.burns(&objective.objective, span).await {
                Ok(burns) => page.charts = charts(objective, &burns, span),
                Err(Unread(why)) => page.unread = Some(why),
            }
        }
        Ok(page)
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

/// For each severity its windows with the thresholds that both must pass, and what was left of the budget.
fn charts(view: &ObjectiveView, burns: &Burns, span: Span) -> Vec<Chart> {
    let (objective, budget) = (&view.objective, f64::from(view.objective.budget_ppm()) / 1e6);
    let (Some(first), Some(last)) = (burns.at.first(), burns.at.last()) else { return Vec::new() };
    let range = Range { from: *first, to: *last };
    let points = |values: &[Option<f64>]| -> Vec<(f64, Option<f64>)> {
        burns.at.iter().map(|at| at.as_second() as f64).zip(values.iter().copied()).collect()
    };
    let mut charts = Vec::new();
    for severity in Severity::ALL {
        for tier in tiers(objective, severity) {
            let pair = [(1, tier.long), (3, tier.short)]
                .map(|(number, minutes)| (number, Duration::from_mins(minutes.into())));
            let lines = pair.into_iter().filter_map(|(number, window)| {
                let (_, rates) = burns.rates.iter().find(|(known, _)| *known == window)?;
                Some(Line { number, points: points(rates) })
            });
            let lines: Vec<Line> = lines.collect();
            let threshold = tier.threshold.ratio() / budget;
            let ceiling = (threshold * CEILING).max(1.0);
            let values = lines.iter().flat_map(|line| &line.points).filter_map(|(_, value)| *value);
            let above = Some(values.fold(0.0, f64::max)).filter(|highest| *highest > ceiling);
            let above = above.map(|highest| format!("; the highest was {}×", figure::plain(highest)));
            let lines =
                Lines { range, unit: Unit::Times, lines, bounds: vec![(threshold, 5)], top: 1.0, ceiling };
            let title = format!(
                "{severity}: both windows above {}×{}",
                figure::plain(threshold),
                above.unwrap_or_default()
            );
            let about = format!("burn rates over the last {}; {title}", span.as_str());
            let keys = pair.map(|(number, window)| (number, format!("over {}", window_word(window))));
            let keys = keys.into_iter().chain([(5, "becomes an alert".to_owned())]).collect();
            charts.push(Chart { title, svg: lines.svg(&about), keys });
        }
    }
    let left = Lines {
        range,
        unit: Unit::Ratio,
        lines: vec![Line { number: 4, points: points(&burns.left) }],
        bounds: Vec::new(),
        top: 1.0,
        ceiling: f64::INFINITY,
    };
    let title = format!("What was left of the budget of {}", window_word(objective.window));
    charts.push(Chart { svg: left.svg(&title), title, keys: vec![(4, "left".to_owned())] });
    charts
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
        format!(
            "{} of {} minutes",
            figure::plain(report.measured as f64),
            figure::plain(report.expected as f64)
        ),
    ]
}
