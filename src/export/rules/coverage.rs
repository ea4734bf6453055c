//! What nobody knows: objectives that are not measured or not judged, checks that are not run. Not measured is neither
//! good nor bad, so it would show in no other rule.

use super::burning::{own_labels, words};
use super::checks;
use super::number::{any_of, quoted, time};
use super::proof::Proof;
use super::recording::Promise;
use super::rule::{Alert, Group, Labels, Words, labels};
use crate::alert::Severity;
use crate::config::Plan;
use crate::config::alerting::Objective;
use std::sync::Arc;
use std::time::Duration;

/// The group of the objectives, and that of the checks.
pub fn groups(plan: &Plan) -> Vec<Group> {
    let judged =
        |one: &&Arc<Objective>| !(one.page.is_empty() && one.ticket.is_empty() && one.info.is_empty());
    let objectives: Vec<&Arc<Objective>> = plan.alerting.objectives.iter().filter(judged).collect();
    let mut alerts: Vec<Alert> = gap(&objectives).into_iter().collect();
    alerts.extend(objectives.iter().map(|one| absent(one, &objectives)));
    let group =
        |name: &str, alerts| Group { name: name.to_owned(), records: Vec::new(), alerts, proof: None };
    let all = [group("atalaya-slo-gaps", alerts), group("atalaya-check-gaps", checks::gaps(&plan.checks))];
    all.into_iter().filter(|group| !group.alerts.is_empty()).collect()
}

fn seconds(objective: &Objective) -> String {
    let (slo, section) = (quoted(&objective.name), quoted(&objective.section));
    format!("atalaya_slo_window_seconds{{slo={slo},section={section}}}")
}

/// Those that were known a day ago and of whose last day a tenth is not measured.
fn gap(objectives: &[&Arc<Objective>]) -> Option<Alert> {
    let told: Vec<&&Arc<Objective>> = objectives.iter().filter(|one| !one.ticket.is_empty()).collect();
    let first = told.first()?;
    let names = quoted(&any_of(told.iter().map(|one| &*one.name)));
    let promise = Promise::new(first);
    Some(Alert {
        name: "MonitoringGap",
        severity: Severity::Ticket,
        expr: format!("atalaya_slo_coverage_ratio{{slo=~{names}, window=\"1d\"}} < 0.9\nand on (instance, slo)\natalaya_slo_window_seconds offset 1d"),
        holds: Duration::from_mins(15),
        keeps: Duration::ZERO,
        labels: Labels::new(),
        words: Words {
            summary: "{{ $labels.slo }} is not measured enough to say how it stands".to_owned(),
            description: "Only {{ $value | humanizePercentage }} of the last day is measured. What is not measured is neither good nor bad, so nothing is promised about it.".to_owned(),
            runbook: None,
        },
        proof: Proof {
            series: vec![(promise.exported(1440, ""), "1x1500 0.5x60".to_owned()), (seconds(first), "1x1600".to_owned())],
            rests: vec![1400, 1505],
            fires: 1530,
            labels: labels([("slo", &first.name), ("section", &first.section), ("window", "1d")]),
            value: "50%".to_owned(),
        },
    })
}

/// The agent is there and says nothing of this objective.
fn absent(objective: &Objective, all: &[&Arc<Objective>]) -> Alert {
    let holds = Duration::from_mins(10);
    let others = all.iter().filter(|other| other.name != objective.name);
    let mut series: Vec<(String, String)> = others.map(|other| (seconds(other), "1x60".to_owned())).collect();
    series.push(("atalaya_build_info{version=\"1\"}".to_owned(), "1x60".to_owned()));
    series.push((seconds(objective), "1x20 _x40".to_owned()));
    Alert {
        name: "SLOMetricAbsent",
        severity: Severity::Ticket,
        expr: format!(
            "absent(atalaya_slo_window_seconds{{slo={}}})\nand on ()\ncount(atalaya_build_info) > 0",
            quoted(&objective.name)
        ),
        holds,
        keeps: Duration::ZERO,
        labels: own_labels(objective),
        words: words(
            objective,
            "the agent says nothing of it",
            format!(
                "For {} nobody has judged it. A variable of its checks may not be set (`atalaya validate` says which), or it has another name now: then make the rules anew.",
                time(holds)
            ),
        ),
        proof: Proof { series, rests: vec![10, 28], fires: 50, labels: Labels::new(), value: String::new() },
    }
}
