//! What is left of a budget, and shares that move in weeks.

use super::burning::{budget, with_severity, words};
use super::number::{any_of, decimal, quoted, window};
use super::proof::Proof;
use super::recording::{Floor, Promise};
use super::rule::{Alert, Group, Words, labels};
use crate::alert::Severity;
use crate::judge::chance::Z95;
use crate::judge::rule::{share, whole};
use crate::judge::words::{percent, period, promise as promised};
use std::time::Duration;

/// A half, three quarters and all of the budget, of all objectives that have one.
pub fn group(promises: &[Promise<'_>]) -> Option<Group> {
    let first = promises.first()?;
    let ids = quoted(&any_of(promises.iter().map(|promise| promise.id.as_str())));
    let levels = [
        ("50%", 0.5, Some(0.25), "half of the error budget is used"),
        ("75%", 0.25, Some(0.0), "three quarters of the error budget are used"),
        ("100%", 0.0, None, "the promise is broken, its error budget is used up"),
    ];
    let level = |(used, left, next, text): (&str, f64, Option<f64>, &str)| {
        let remaining = format!("slo:period_error_budget_remaining:ratio{{sloth_id=~{ids}}}");
        let above = next.map_or(String::new(), |next| format!(" > {}", decimal(next)));
        Alert {
            name: "ErrorBudgetUsed",
            severity: Severity::Ticket,
            expr: format!(
                "label_replace(\n    {remaining} <= {}{above}\n  and\n    slo:error_budget:events >= 3,\n  \"slo\", \"$1\", \"sloth_slo\", \"(.*)\"\n)",
                decimal(left)
            ),
            holds: Duration::ZERO,
            keeps: Duration::ZERO,
            labels: labels([("budget", used)]),
            words: Words {
                summary: format!("{{{{ $labels.slo }}}}: {text}"),
                description: "{{ $value | humanizePercentage }} of the error budget of its window is left."
                    .to_owned(),
                runbook: None,
            },
            proof: proof(first, 1.0 - left + 0.05),
        }
    };
    let alerts = levels.map(level).into();
    Some(Group { name: "atalaya-slo-budgets".to_owned(), records: Vec::new(), alerts, proof: None })
}

/// A tenth of the budget is used, then so much of it.
fn proof(promise: &Promise<'_>, used: f64) -> Proof {
    let (minutes, allowed) = (whole(promise.objective), budget(promise.objective));
    // Enough events that one is a fine step of any budget.
    let events = 1e6;
    let bad = |used: f64| (events * allowed * used).round();
    let series = |result: &str, before: f64, after: f64| {
        (promise.exported(minutes, result), format!("{}x9 {}x20", decimal(before), decimal(after)))
    };
    let (few, many) = (bad(0.1), bad(used));
    let mut labels = promise.labels();
    labels.insert("slo".to_owned(), promise.objective.name.to_string());
    Proof {
        series: vec![
            series("good", events - few, events - many),
            series("bad", few, many),
            (promise.exported(minutes, ""), "1x30".to_owned()),
        ],
        rests: vec![5],
        fires: 15,
        labels,
        value: humanized(1.0 - many / events / allowed),
    }
}

/// As `humanizePercentage` writes it: four digits that say something.
fn humanized(ratio: f64) -> String {
    let value = ratio * 100.0;
    let digits = if value == 0.0 { 0 } else { (3.0 - value.abs().log10().floor()).max(0.0) as usize };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}%")
}

/// A share over whole windows. Of a ticket chance must not explain it; of an information Wilson's bound must lie below.
pub fn shares(promise: &Promise<'_>) -> Vec<Alert> {
    let objective = promise.objective;
    let mut alerts = Vec::new();
    if !objective.ticket.is_empty() {
        let windows = share::windows(objective);
        let over = |minutes: &u32| {
            let floor = Floor::new(objective, Severity::Ticket).expr(&promise.events(*minutes, false));
            let ratio = promise.series(&format!("slo:sli_error:ratio_rate{}", window(*minutes)));
            let bad = promise.events(*minutes, true);
            format!(
                "max without (sloth_window) (\n  {ratio}\n  and on ()\n  {bad}\n  >= {}\n)",
                floor.replace('\n', "\n     ")
            )
        };
        let told: Vec<String> = windows.iter().map(|minutes| period(*minutes)).collect();
        let expr = windows.iter().map(over).collect::<Vec<_>>().join("\nor\n");
        alerts.push(share_alert(promise, Severity::Ticket, expr, &windows, &told.join(" or ")));
    }
    if !objective.info.is_empty() {
        let minutes = whole(objective);
        let expr = below(promise, minutes);
        alerts.push(share_alert(promise, Severity::Info, expr, &[minutes], &period(minutes)));
    }
    alerts
}

/// Wilson's upper bound of the good share is below the promise, of fifty events at least.
fn below(promise: &Promise<'_>, minutes: u32) -> String {
    let all = promise.events(minutes, false);
    let ratio = promise.series(&format!("slo:sli_error:ratio_rate{}", window(minutes)));
    let (z, zz) = (decimal(Z95), Z95 * Z95);
    let (half, quarter, promised) =
        (decimal(zz / 2.0), decimal(zz / 4.0), decimal(f64::from(promise.objective.objective_ppm) / 1e6));
    format!(
        "max without (sloth_window) (\n  {ratio}\n  and on ()\n  (\n    (1 - sum({ratio})) + {half} / {all}\n    + {z} * sqrt(sum({ratio}) * (1 - sum({ratio})) / {all} + {quarter} / ({all} * {all}))\n  ) / (1 + {} / {all}) < {promised}\n  and on ()\n  {all} >= 50\n)",
        decimal(zz)
    )
}

fn share_alert(
    promise: &Promise<'_>,
    severity: Severity,
    expr: String,
    windows: &[u32],
    told: &str,
) -> Alert {
    let objective = promise.objective;
    let series = windows.iter().flat_map(|minutes| {
        [
            (promise.exported(*minutes, "good"), "1000x9 0x20".to_owned()),
            (promise.exported(*minutes, "bad"), "0x9 1000x20".to_owned()),
        ]
    });
    Alert {
        name: "ErrorBudgetBurn",
        severity,
        expr,
        holds: Duration::ZERO,
        keeps: Duration::ZERO,
        labels: with_severity(promise, severity),
        words: words(
            objective,
            format!("less than the {} promised, beyond chance", promised(objective.objective_ppm)),
            format!(
                "{{{{ $value | humanizePercentage }}}} were not good over {told}, where {} may be.",
                percent(budget(objective))
            ),
        ),
        proof: Proof {
            series: series.collect(),
            rests: vec![5],
            fires: 15,
            labels: promise.labels(),
            value: "100%".to_owned(),
        },
    }
}
