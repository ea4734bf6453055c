//! The same promises in pyrra's names and labels (pyrra.dev), for who has its boards: a burn rate there is a ratio of bad
//! events, an alert stands for one pair of windows.

use super::burning::words;
use super::number::{decimal, share, window};
use super::proof::Proof;
use super::recording::Promise;
use super::rule::{Alert, Group, Labels, Record, labels};
use crate::alert::Severity;
use crate::config::alerting::{Indicator, Objective, Rule};
use crate::judge::rule::tier::{Tier, tiers};
use crate::judge::rule::whole;
use std::sync::Arc;
use std::time::Duration;

/// The metric that pyrra would derive its names from.
const METRIC: &str = "atalaya_slo_events";

pub fn groups(objectives: &[Arc<Objective>]) -> Vec<Group> {
    let promised = objectives.iter().filter(|one| !matches!(one.indicator, Indicator::Baseline { .. }));
    promised.flat_map(|objective| of_one(&Promise::new(objective))).collect()
}

fn of_one(promise: &Promise<'_>) -> Vec<Group> {
    let objective = promise.objective;
    let mut tiers_of: Vec<(Severity, Tier)> = Vec::new();
    for severity in [Severity::Page, Severity::Ticket] {
        tiers_of.extend(tiers(objective, severity).into_iter().map(|tier| (severity, tier)));
    }
    let mut windows: Vec<u32> = tiers_of.iter().flat_map(|(_, tier)| [tier.long, tier.short]).collect();
    windows.sort_unstable();
    windows.dedup();
    let mut records: Vec<Record> = windows.into_iter().map(|minutes| burnrate(promise, minutes)).collect();
    records.push(increase(promise));
    let alerts = tiers_of.iter().map(|(severity, tier)| alert(promise, *severity, tier));
    let name = &objective.name;
    let group = |name: String, records, alerts| Group { name, records, alerts, proof: None };
    vec![
        group(format!("{name}-increase-and-burnrates"), records, alerts.collect()),
        group(format!("{name}-generic"), generic(promise), Vec::new()),
    ]
}

fn own_labels(promise: &Promise<'_>) -> Labels {
    labels([("slo", &promise.objective.name)])
}

fn record(promise: &Promise<'_>, name: String, expr: String) -> Record {
    Record { name, expr, labels: own_labels(promise), expected: f64::NAN }
}

fn burnrate(promise: &Promise<'_>, minutes: u32) -> Record {
    let expr = format!("{}\n/ ({} > 0)", promise.events(minutes, true), promise.events(minutes, false));
    record(promise, format!("{METRIC}:burnrate{}", window(minutes)), expr)
}

/// `28d` is `4w` there.
fn increase(promise: &Promise<'_>) -> Record {
    let minutes = whole(promise.objective);
    let days = minutes / 1440;
    let word = if days.is_multiple_of(7) { format!("{}w", days / 7) } else { format!("{days}d") };
    let expr = promise.events(minutes, false).replace("sum(", "sum by (result) (");
    record(promise, format!("{METRIC}:increase{word}"), expr)
}

fn generic(promise: &Promise<'_>) -> Vec<Record> {
    let objective = promise.objective;
    let minutes = whole(objective);
    let rate = |bad: bool| format!("{} / 300", promise.events(5, bad));
    let good = format!("1 - {} / ({} > 0)", promise.events(minutes, true), promise.events(minutes, false));
    vec![
        record(promise, "pyrra_objective".to_owned(), format!("vector({})", share(objective.objective_ppm))),
        record(promise, "pyrra_window".to_owned(), format!("vector({})", objective.window.as_secs())),
        record(promise, "pyrra_availability".to_owned(), good),
        record(promise, "pyrra_requests:rate5m".to_owned(), rate(false)),
        record(promise, "pyrra_errors:rate5m".to_owned(), rate(true)),
    ]
}

fn alert(promise: &Promise<'_>, severity: Severity, tier: &Tier) -> Alert {
    let objective = promise.objective;
    debug_assert_eq!(objective.rule, Rule::BurnRate, "a share has no tiers");
    let (long, short) = (window(tier.long), window(tier.short));
    let threshold = decimal(tier.threshold.ratio());
    let slo = &objective.name;
    let passed = |window: &str| format!("{METRIC}:burnrate{window}{{slo=\"{slo}\"}} > {threshold}");
    // Of the whole budget, at this rate.
    let budget = f64::from(objective.budget_ppm()) / 1e6;
    let exhaustion = objective.window.mul_f64(budget / tier.threshold.ratio());
    let mut labels = own_labels(promise);
    labels.extend(super::rule::labels([("long", &long), ("short", &short)]));
    labels.insert(
        "exhaustion".to_owned(),
        humantime::format_duration(Duration::from_secs(exhaustion.as_secs() / 3600 * 3600))
            .to_string()
            .replace(' ', ""),
    );
    Alert {
        name: "ErrorBudgetBurn",
        severity,
        expr: format!("{}\nand\n{}", passed(&short), passed(&long)),
        holds: Duration::ZERO,
        keeps: Duration::ZERO,
        labels,
        words: words(
            objective,
            "its error budget burns too fast",
            format!("Told above {threshold} over {long} and {short}."),
        ),
        proof: Proof::default(),
    }
}
