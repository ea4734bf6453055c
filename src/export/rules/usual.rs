//! What is not as usual: a value that left its band, silence where there should be events.

use super::burning::{own_labels, words};
use super::number::quoted;
use super::proof::Proof;
use super::recording::Promise;
use super::rule::{Alert, Group, Labels, labels};
use crate::alert::Severity;
use crate::config::alerting::{Alerting, Indicator};
use std::time::Duration;

/// One group, as far as there is anything usual.
pub fn groups(alerting: &Alerting) -> Vec<Group> {
    let mut alerts = Vec::new();
    for objective in &alerting.objectives {
        let promise = Promise::new(objective);
        alerts.extend(if matches!(objective.indicator, Indicator::Baseline { .. }) {
            baseline(&promise)
        } else {
            drought(&promise)
        });
    }
    if alerts.is_empty() {
        return Vec::new();
    }
    vec![Group { name: "atalaya-slo-usual".to_owned(), records: Vec::new(), alerts, proof: None }]
}

/// The week's mean outside its band and far from it, for a day: the agent compares once a day.
fn baseline(promise: &Promise<'_>) -> Option<Alert> {
    let objective = promise.objective;
    let severity =
        [Severity::Ticket, Severity::Info].into_iter().find(|one| !objective.contacts(*one).is_empty())?;
    let slo = quoted(&objective.name);
    let of = |of: &str| format!("max by (slo, section) (atalaya_slo_baseline{{slo={slo}, of=\"{of}\"}})");
    let (value, usual) = (of("value"), of("usual"));
    let expr = format!(
        "(\n    {value} < {}\n  or\n    {value} > {}\n)\nand\nabs({value} / {usual} - 1) >= 0.15",
        of("lower"),
        of("upper")
    );
    let section = quoted(&objective.section);
    let series =
        [("value", "50x9 30x1500"), ("usual", "50x1510"), ("lower", "45x1510"), ("upper", "55x1510")];
    let series = series.map(|(of, values)| {
        (format!("atalaya_slo_baseline{{slo={slo},section={section},of=\"{of}\"}}"), values.to_owned())
    });
    Some(Alert {
        name: "BaselineLeft",
        severity,
        expr,
        holds: Duration::from_hours(24),
        keeps: Duration::ZERO,
        labels: own_labels(objective),
        words: words(
            objective,
            "it is far from what is usual",
            "It is {{ $value | humanize }} over the last week, outside the band that chance and the eight weeks before explain, and at least 15 % from what is usual.",
        ),
        proof: Proof {
            series: series.into(),
            rests: vec![5, 1000],
            fires: 1460,
            labels: Labels::new(),
            value: "30".to_owned(),
        },
    })
}

/// Silence where there should be events: what is usual at this hour only the agent knows.
fn drought(promise: &Promise<'_>) -> Option<Alert> {
    let objective = promise.objective;
    if !objective.drought || objective.page.is_empty() && objective.ticket.is_empty() {
        return None;
    }
    let severity = if objective.page.is_empty() { Severity::Ticket } else { Severity::Page };
    let key = quoted(&format!("slo/{}/drought", objective.name));
    Some(Alert {
        name: "TrafficDrought",
        severity,
        expr: format!("max by (alert) (atalaya_alert_state{{alert={key}, state=\"firing\"}}) == 1"),
        holds: Duration::ZERO,
        keeps: Duration::ZERO,
        labels: own_labels(objective),
        words: words(
            objective,
            "far fewer events than usual at this hour",
            "Maybe nobody can: a failure that leaves no failed order behind. What is usual the agent has learnt, and it says so itself.",
        ),
        proof: Proof {
            series: vec![(
                format!("atalaya_alert_state{{alert={key},severity=\"page\",state=\"firing\"}}"),
                "_x10 1x20".to_owned(),
            )],
            rests: vec![5],
            fires: 15,
            labels: labels([("alert", key.trim_matches('"'))]),
            value: String::new(),
        },
    })
}
