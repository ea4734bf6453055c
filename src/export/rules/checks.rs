//! What follows from the checks: the same that the agent tells of each, with the same names and labels.

use super::number::{any_of, quoted, time};
use super::proof::{Proof, series};
use super::rule::{Alert, Group, Labels, Words, labels};
use crate::alert::Severity;
use crate::config::Check;
use crate::outcome::Status;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// So many intervals without an answer are a gap.
const INTERVALS: u32 = 3;
/// Scrapes and evaluations come a quarter or half a minute apart: what is shorter would tell each of them.
const GAP_MIN: Duration = Duration::from_mins(2);

/// A group for each section.
pub fn groups(checks: &[Arc<Check>]) -> Vec<Group> {
    let mut sections: BTreeMap<&str, Vec<Alert>> = BTreeMap::new();
    for check in checks {
        let alerts = sections.entry(&check.section).or_default();
        alerts.extend(trouble(check, Status::Failed));
        alerts.extend(trouble(check, Status::Degraded));
    }
    let group = |name: String, alerts| Group { name, records: Vec::new(), alerts, proof: None };
    sections
        .into_iter()
        .filter(|(_, alerts)| !alerts.is_empty())
        .map(|(section, alerts)| group(format!("atalaya-checks-{}", super::number::slug(section)), alerts))
        .collect()
}

fn own_labels(check: &Check) -> Labels {
    labels([("check", &check.name), ("section", &check.section)])
}

/// One status of one check, if it matters.
fn trouble(check: &Check, status: Status) -> Option<Alert> {
    let failed = status == Status::Failed;
    let severity = if failed { check.alert.failed } else { check.alert.degraded }?;
    let name = quoted(&check.name);
    let of = |status: Status| series("atalaya_check_status", &status_labels(check, status));
    let mut expr = format!("atalaya_check_status{{check={name}, status=\"{status}\"}} == 1");
    if !check.needs.is_empty() {
        expr += "\nunless on (instance, check)\natalaya_check_explained{check=";
        expr += &name;
        expr += "}";
    }
    let holds = check.every * u32::from(check.alert.attempts.saturating_sub(1));
    // Well before, ill for long, well again for longer than the alert is kept.
    let ill = minutes(holds) + 5;
    let keeps = check.every * u32::from(check.alert.recoveries.saturating_sub(1));
    let well = minutes(keeps) + 5;
    Some(Alert {
        name: if failed { "CheckFailing" } else { "CheckDegraded" },
        severity,
        expr,
        holds,
        keeps,
        labels: own_labels(check),
        words: Words {
            summary: if failed {
                format!("{} has failed", check.title)
            } else {
                format!("{} is not as it should be", check.title)
            },
            description: describe(check, holds),
            runbook: check.runbook.clone(),
        },
        proof: Proof {
            series: vec![(of(status), format!("0x4 1x{ill} 0x{well}"))],
            rests: vec![3, 5 + ill + 1 + well],
            fires: 5 + ill,
            labels: labels([("status", status.as_str())]),
            value: String::new(),
        },
    })
}

fn status_labels(check: &Check, status: Status) -> Labels {
    let mut all = own_labels(check);
    all.insert("status".to_owned(), status.as_str().to_owned());
    all
}

/// Why it is watched, what it asks, and for how long it has been so.
fn describe(check: &Check, holds: Duration) -> String {
    let why = check.description.as_deref().map(|text| format!("{} ", text.trim())).unwrap_or_default();
    let told = match check.alert.attempts {
        0 | 1 => "Told at once.".to_owned(),
        runs => format!("Told after {runs} runs in a row ({}).", time(holds)),
    };
    format!("{why}{told} The reason stands on the agent's page and in `atalaya alerts`.")
}

/// Whole minutes, rounded up.
fn minutes(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs().div_ceil(60)).unwrap_or(u32::MAX)
}

/// Checks of which nothing is known: of the same interval together, since PromQL knows no interval by itself.
pub fn gaps(checks: &[Arc<Check>]) -> Vec<Alert> {
    let mut by_interval: BTreeMap<Duration, Vec<&Arc<Check>>> = BTreeMap::new();
    for check in checks {
        by_interval.entry(check.every).or_default().push(check);
    }
    by_interval
        .into_iter()
        .flat_map(|(every, checks)| {
            // How a job is that is not due yet nobody can know, and nobody needs to.
            let known = checks.iter().filter(|check| check.definition.kind().hears().is_none());
            let known: Vec<&Arc<Check>> = known.copied().collect();
            let unknown = (!known.is_empty()).then(|| unknown(every, &known));
            unknown.into_iter().chain([overdue(every, &checks)])
        })
        .collect()
}

fn gap(every: Duration, expr: String, holds: Duration, words: (&str, String), proof: Proof) -> Alert {
    Alert {
        name: "MonitoringGap",
        severity: Severity::Ticket,
        expr,
        holds,
        keeps: Duration::ZERO,
        labels: labels([("every", &time(every))]),
        words: Words { summary: words.0.to_owned(), description: words.1, runbook: None },
        proof,
    }
}

fn unknown(every: Duration, checks: &[&Arc<Check>]) -> Alert {
    let holds = (every * INTERVALS).max(GAP_MIN);
    let names = quoted(&any_of(checks.iter().map(|check| &*check.name)));
    let expr = format!(
        "atalaya_check_status{{check=~{names}, status=\"unknown\"}} == 1\nunless on (instance, check)\natalaya_check_explained"
    );
    let words = (
        "Nobody knows how {{ $labels.check }} is",
        format!(
            "For {} its runs did not happen or could not tell. Unknown is neither up nor down: look at the reason on the agent's page.",
            time(holds)
        ),
    );
    let last = minutes(holds) + 10;
    let first = status_labels(checks[0], Status::Unknown);
    let proof = Proof {
        series: vec![(series("atalaya_check_status", &first), format!("0x4 1x{last}"))],
        rests: vec![3, 6],
        fires: last,
        labels: first,
        value: String::new(),
    };
    gap(every, expr, holds, words, proof)
}

fn overdue(every: Duration, checks: &[&Arc<Check>]) -> Alert {
    let names = quoted(&any_of(checks.iter().map(|check| &*check.name)));
    let timeout = checks.iter().map(|check| check.timeout).max().unwrap_or_default();
    let late = (every * INTERVALS + timeout).max(GAP_MIN);
    let expr =
        format!("time() - atalaya_check_last_run_timestamp_seconds{{check=~{names}}} > {}", late.as_secs());
    let words = (
        "{{ $labels.check }} is not run any more",
        "Its last run ended {{ $value | humanizeDuration }} ago, though the agent answers. Its loop may stand still: restart it, and tell us.".to_owned(),
    );
    let own = own_labels(checks[0]);
    let last = minutes(late) + 5;
    let proof = Proof {
        series: vec![(series("atalaya_check_last_run_timestamp_seconds", &own), format!("0x{}", last + 5))],
        rests: vec![1],
        fires: last,
        labels: own,
        value: human(u64::from(last) * 60),
    };
    // It differs from the other gap in what is seen, so in its labels too.
    let mut alert = gap(every, expr, Duration::ZERO, words, proof);
    alert.labels.insert("gap".to_owned(), "overdue".to_owned());
    alert
}

/// As `humanizeDuration` writes seconds.
fn human(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match seconds {
        86_400.. => format!("{days}d {hours}h {minutes}m {rest}s"),
        3_600.. => format!("{hours}h {minutes}m {rest}s"),
        60.. => format!("{minutes}m {rest}s"),
        _ => format!("{rest}s"),
    }
}
