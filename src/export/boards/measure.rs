//! Panels of what checks measure: one for each measure that has a limit, with the limit drawn; then what else tells
//! something.

use super::panel::{BOUND, Kind, Panel};
use super::words::{title, unit};
use crate::config::alerting::{Indicator, Objective};
use crate::config::value::Bound;
use crate::config::{Check, Limit};
use crate::export::exposition::metric_name;
use crate::export::rules::any_of;
use crate::judge::limits::DURATION;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a board shows of a kind of probe beside its limits: of some dozens of measures those that explain a trouble or tell
/// how it goes. The rest is there to be asked for.
const TELLING: [(&str, &[&str]); 9] = [
    ("http", &["status_code", "certificate_expiry_seconds"]),
    (
        "postgres",
        &[
            "connections_used_ratio",
            "round_trip_seconds",
            "longest_query_seconds",
            "cache_hit_ratio",
            "transactions_committed_total",
            "transactions_rolled_back_total",
            "deadlocks_total",
            "size_bytes",
            "dead_tuples_ratio",
            "replication_lag_seconds",
            "pooler_clients_waiting",
        ],
    ),
    ("reconcile", &["payments_compared", "money_at_risk_major_units"]),
    (
        "redis",
        &[
            "used_memory_bytes",
            "hit_ratio",
            "commands_total",
            "evicted_keys_total",
            "rejected_connections_total",
        ],
    ),
    ("resend", &["emails_recent", "emails_failed_ratio", "domains_unverified", "daily_quota_used_ratio"]),
    ("square", &["payments_succeeded", "payments_declined", "payments_failed", "newest_payment_age_seconds"]),
    ("tcp", &[]),
    (
        "upstash",
        &["used_memory_bytes", "hit_ratio", "commands_total", "rate_limit_used", "rate_limit_blocked_ratio"],
    ),
    ("webhook_log", &["webhooks_compared", "webhooks_missed"]),
];

/// The name of the series of a measure.
pub fn metric(check: &Check, measure: &str) -> String {
    metric_name(&format!("{}_{measure}", check.metric_prefix))
}

fn series(check: &Check, measure: &str) -> String {
    let of = format!("{}{{check=\"{}\", instance=\"$instance\"}}", metric(check, measure), check.name);
    if measure.ends_with("_total") { format!("rate({of}[$__rate_interval])") } else { of }
}

fn legend(check: &Check, words: &str) -> String {
    let labels = check.definition.kind().labels();
    let labels: Vec<String> = labels.iter().map(|label| format!("{{{{{label}}}}}")).collect();
    if labels.is_empty() { words.to_owned() } else { labels.join(" ") }
}

/// Colours from limits: what is beyond the bound is degraded or failed.
pub fn thresholds(limit: &Limit) -> Vec<(Option<f64>, &'static str)> {
    let above = |bound: &Bound| bound.holds(f64::MAX) && !bound.holds(f64::MIN);
    let below = |bound: &Bound| bound.holds(f64::MIN) && !bound.holds(f64::MAX);
    let bounds = [(limit.table.degraded.as_ref(), "orange"), (limit.table.failed.as_ref(), "red")];
    let given = bounds.into_iter().filter_map(|(bound, color)| Some((bound?, color)));
    let given: Vec<(&Bound, &'static str)> = given.collect();
    if given.iter().all(|(bound, _)| above(bound)) {
        let steps = given.iter().map(|(bound, color)| (Some(bound.value()), *color));
        return [(None, "green")].into_iter().chain(steps).collect();
    }
    if given.iter().all(|(bound, _)| below(bound)) {
        // From the worst up: each bound is where the next better colour begins.
        let worst_first: Vec<_> = given.iter().rev().collect();
        let mut steps = vec![(None, worst_first[0].1)];
        for (at, (bound, _)) in worst_first.iter().enumerate() {
            steps.push((Some(bound.value()), worst_first.get(at + 1).map_or("green", |(_, color)| *color)));
        }
        return steps;
    }
    vec![(None, "green")]
}

/// `degraded > 80%, failed > 95%`
fn bounds(limit: &Limit) -> String {
    let of = |word: &str, bound: &Option<Bound>| bound.as_ref().map(|bound| format!("{word} {bound}"));
    let both = [of("degraded", &limit.table.degraded), of("failed", &limit.table.failed)];
    both.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn help(check: &Check, measure: &str) -> String {
    let info = check.measures.iter().find(|info| info.name == measure);
    info.map(|info| format!("{} ", info.help)).unwrap_or_default()
}

fn with_runbook(panel: Panel, check: &Check) -> Panel {
    match &check.runbook {
        Some(runbook) => panel.link("What to do", runbook),
        None => panel,
    }
}

/// All that some checks measure: what has limits first; then of each kind what tells, the checks of a kind together. What
/// a check measures that exports none of it (`metrics = false`) Prometheus does not know.
pub fn panels(checks: &[&Arc<Check>], objectives: &[Arc<Objective>]) -> Vec<Panel> {
    let mut panels = Vec::new();
    let exported: Vec<&Arc<Check>> = checks.iter().filter(|check| check.metrics).copied().collect();
    for check in &exported {
        panels.extend(check.limits.iter().map(|limit| limited(check, limit, objectives)));
        panels.extend(promised(check, objectives));
        // What counts events is shown as the objective that is made from it: its numbers are of one run each.
        if check.kind == "sql" && !check.counts {
            panels.extend(columns(check));
        }
    }
    for (kind, measures) in TELLING {
        let of: Vec<&Arc<Check>> = exported.iter().filter(|check| check.kind == kind).copied().collect();
        panels.extend(measures.iter().filter_map(|measure| telling(&of, measure)));
    }
    panels
}

/// One measure of all checks of a kind, except where a limit shows it already.
fn telling(checks: &[&Arc<Check>], measure: &str) -> Option<Panel> {
    let mut checks = checks.to_vec();
    checks.retain(|check| !check.limits.iter().any(|limit| limit.measure == measure));
    let first = checks.first()?;
    first.measures.iter().find(|info| info.name == measure)?;
    let panel = Panel::lines(title(measure), help(first, measure)).unit(unit(measure)).sized(6, 7);
    let names = any_of(checks.iter().map(|check| &*check.name));
    let prefixes: BTreeSet<&str> = checks.iter().map(|check| check.metric_prefix.as_str()).collect();
    let of = |prefix: &&str| {
        let metric = metric_name(&format!("{prefix}_{measure}"));
        let of = format!("{metric}{{check=~\"{names}\", instance=\"$instance\"}}");
        if measure.ends_with("_total") { format!("rate({of}[$__rate_interval])") } else { of }
    };
    let legend = if measure == "rate_limit_used" { "{{prefix}}" } else { "{{check}}" };
    Some(prefixes.iter().fold(panel, |panel, prefix| panel.ask(of(prefix), legend)))
}

/// Columns of a query that have no limit, together by unit; by label where it has labels.
fn columns(check: &Check) -> Vec<Panel> {
    let mut rest = check.definition.kind().yields();
    rest.retain(|measure| !check.limits.iter().any(|limit| limit.measure == *measure));
    if !check.definition.kind().labels().is_empty() {
        return rest.iter().map(|measure| ranked(check, unit(measure), measure)).collect();
    }
    let mut units: Vec<(&'static str, Vec<String>)> = Vec::new();
    for measure in rest {
        match units.iter_mut().find(|(of, _)| *of == unit(&measure)) {
            Some((_, measures)) => measures.push(measure),
            None => units.push((unit(&measure), vec![measure])),
        }
    }
    units.iter().map(|(unit, measures)| together(check, unit, measures)).collect()
}

/// A measure with its limits.
fn limited(check: &Check, limit: &Limit, objectives: &[Arc<Objective>]) -> Panel {
    let description = format!(
        "{}`{}` of `{}`: {}. {}",
        help(check, &limit.measure),
        limit.measure,
        check.name,
        bounds(limit),
        check.description.as_deref().unwrap_or_default().trim()
    );
    let name = if limit.measure == DURATION { "How long it takes".to_owned() } else { title(&limit.measure) };
    let panel = if limit.measure == DURATION {
        super::status::quantiles(&check.name, "", &description)
    } else {
        let panel = Panel::lines("", description)
            .unit(unit(&limit.measure))
            .ask(series(check, &limit.measure), legend(check, &name));
        if limit.measure.ends_with("_seconds") || unit(&limit.measure) == "short" {
            panel.between(0.0, None)
        } else {
            panel
        }
    };
    let mut panel = panel.thresholds(thresholds(limit)).sized(6, 7);
    panel.title = format!("{}: {}", check.title, lowercase(&name));
    for (bound, what) in bound_of(check, &limit.measure, objectives) {
        panel = panel.ask(format!("vector({bound})"), format!("{BOUND}{what}"));
    }
    with_runbook(panel, check)
}

/// What objectives promise of a measure of this check: the bound and its words.
fn bound_of(check: &Check, measure: &str, objectives: &[Arc<Objective>]) -> Vec<(f64, String)> {
    let of = |objective: &Arc<Objective>| match &objective.indicator {
        Indicator::Latency { check: name, below } if *name == check.name && measure == DURATION => {
            Some((below.as_secs_f64(), objective.title.clone()))
        }
        Indicator::Measure { check: name, measure: of, good } if *name == check.name && **of == *measure => {
            Some((good.value(), objective.title.clone()))
        }
        _ => None,
    };
    objectives.iter().filter_map(of).collect()
}

/// How long a check takes that has no limit on it and of which something is promised.
fn promised(check: &Check, objectives: &[Arc<Objective>]) -> Option<Panel> {
    let bounds = bound_of(check, DURATION, objectives);
    if bounds.is_empty() || check.limits.iter().any(|limit| limit.measure == DURATION) {
        return None;
    }
    let panel = super::status::quantiles(
        &check.name,
        &format!("{}: how long it takes", check.title),
        "With what is promised of it.",
    )
    .sized(6, 7);
    Some(
        bounds.into_iter().fold(panel, |panel, (bound, what)| {
            panel.ask(format!("vector({bound})"), format!("{BOUND}{what}"))
        }),
    )
}

/// Measures of one unit.
fn together(check: &Check, unit: &'static str, measures: &[String]) -> Panel {
    let description = check.description.as_deref().unwrap_or("As the check finds it.").trim();
    let name = match measures {
        [one] => format!("{}: {}", check.title, lowercase(&title(one))),
        _ => check.title.clone(),
    };
    let panel = Panel::lines(name, description).unit(unit).sized(6, 7);
    let panel =
        measures.iter().fold(panel, |panel, measure| panel.ask(series(check, measure), title(measure)));
    with_runbook(panel, check)
}

/// One measure by its labels: now, the largest first.
fn ranked(check: &Check, unit: &'static str, measure: &str) -> Panel {
    let description = check.description.as_deref().unwrap_or("As the check finds it.").trim();
    let panel =
        Panel::new(Kind::Bars, format!("{}: {}", check.title, lowercase(&title(measure))), description);
    let panel = panel.unit(unit).ask_now(format!("sort_desc({})", series(check, measure)), legend(check, ""));
    with_runbook(panel.between(0.0, None).sized(12, 9), check)
}

fn lowercase(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::definition::{LimitTable, Missing};

    fn check(degraded: &str, failed: &str, expected: &[(Option<f64>, &str)]) {
        let bound =
            |text: &str| (!text.is_empty()).then(|| Bound::try_from(text.to_owned()).expect("a bound"));
        let table = LimitTable { degraded: bound(degraded), failed: bound(failed), missing: Missing::Ok };
        assert_eq!(thresholds(&Limit { measure: "x".to_owned(), table }), expected, "{degraded} {failed}");
    }

    #[test]
    fn colours_change_where_the_verdict_does() {
        check("> 80%", "> 95%", &[(None, "green"), (Some(0.8), "orange"), (Some(0.95), "red")]);
        check("", "> 0", &[(None, "green"), (Some(0.0), "red")]);
        check("< 14d", "< 3d", &[(None, "red"), (Some(259_200.0), "orange"), (Some(1_209_600.0), "green")]);
        check("< 90%", "", &[(None, "orange"), (Some(0.9), "green")]);
        check("!= 0", "", &[(None, "green")]);
    }
}
