//! The alerts of an objective, and the first of them: a budget that burns too fast, over a long and a short window at once.

use super::budget::shares;
use super::number::{decimal, quoted, window};
use super::proof::Proof;
use super::recording::{Promise, groups as recordings};
use super::rule::{Alert, Group, Labels, Words, labels};
use crate::alert::Severity;
use crate::config::alerting::{Alerting, Indicator, Objective, Policy, Rule};
use crate::judge::rule::tier::{Tier, tiers};
use crate::judge::rule::whole;
use crate::judge::words::{number, percent, promise as promised};
use std::time::Duration;

/// Groups in sloth's order: two of records and one of alerts for each objective; the budgets of all at the end.
pub fn groups(alerting: &Alerting) -> Vec<Group> {
    let promises = promises(alerting);
    let mut groups = Vec::new();
    for promise in &promises {
        groups.extend(recordings(promise));
        let mut alerts = Vec::new();
        match promise.objective.rule {
            Rule::BurnRate => {
                alerts.extend(burn(promise, &alerting.policy, Severity::Page));
                alerts.extend(burn(promise, &alerting.policy, Severity::Ticket));
            }
            Rule::Share => alerts.extend(shares(promise)),
        }
        if !alerts.is_empty() {
            let name = format!("sloth-slo-alerts-{}", promise.id);
            groups.push(Group { name, records: Vec::new(), alerts, proof: None });
        }
    }
    let budgeted = |promise: &Promise<'_>| {
        promise.objective.rule == Rule::BurnRate && !promise.objective.ticket.is_empty()
    };
    let budgets: Vec<Promise<'_>> = promises.into_iter().filter(budgeted).collect();
    groups.extend(super::budget::group(&budgets));
    groups
}

/// All that promise a share.
pub fn promises(alerting: &Alerting) -> Vec<Promise<'_>> {
    let all = alerting.objectives.iter();
    all.filter(|one| !matches!(one.indicator, Indicator::Baseline { .. }))
        .map(|one| Promise::new(one))
        .collect()
}

pub fn words(objective: &Objective, summary: impl Into<String>, description: impl Into<String>) -> Words {
    let summary = format!("{}: {}", objective.title, summary.into());
    Words { summary, description: description.into(), runbook: objective.runbook.clone() }
}

/// The labels that the agent's own alerts of an objective have, so that routes and inhibitions fit both.
pub fn own_labels(objective: &Objective) -> Labels {
    labels([("slo", &objective.name), ("section", &objective.section)])
}

pub fn with_severity(promise: &Promise<'_>, severity: Severity) -> Labels {
    let mut all = own_labels(promise.objective);
    all.insert("sloth_severity".to_owned(), severity.as_str().to_owned());
    all
}

/// One severity, all its pairs of windows: one alert, as the agent has it.
fn burn(promise: &Promise<'_>, policy: &Policy, severity: Severity) -> Option<Alert> {
    let objective = promise.objective;
    let tiers = tiers(objective, severity);
    let mut any: Vec<String> = tiers.iter().map(|tier| pair(promise, tier)).collect();
    let row = row(promise, severity);
    any.extend(row.clone());
    if any.is_empty() {
        return None;
    }
    let told: Vec<String> = tiers.iter().map(|tier| tell(objective, tier)).collect();
    let ratios = if told.is_empty() {
        String::new()
    } else {
        format!(
            "{{{{ $value | humanizePercentage }}}} were bad, where {} may be. Told above {}.",
            percent(budget(objective)),
            told.join("; above ")
        )
    };
    let rows =
        "Told also where the agent has seen so many bad ones in a row that chance does not explain them.";
    let said = [ratios, row.map_or(String::new(), |_| rows.to_owned())];
    let description = said.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
    Some(Alert {
        name: "ErrorBudgetBurn",
        severity,
        expr: any.join("\nor\n"),
        holds: Duration::ZERO,
        keeps: policy.of(severity).keep_firing_for,
        labels: with_severity(promise, severity),
        words: words(
            objective,
            format!("its error budget burns too fast for a promise of {}", promised(objective.objective_ppm)),
            description,
        ),
        proof: burn_proof(promise, &tiers),
    })
}

pub fn budget(objective: &Objective) -> f64 {
    f64::from(objective.budget_ppm()) / 1e6
}

/// `28.8 % over 1h and 5m (14.4 times the budget)`
fn tell(objective: &Objective, tier: &Tier) -> String {
    let threshold = tier.threshold.ratio();
    let times = number(threshold / budget(objective));
    format!(
        "{} over {} and {} ({times} times the budget)",
        percent(threshold),
        window(tier.long),
        window(tier.short)
    )
}

/// Both windows of a tier.
fn pair(promise: &Promise<'_>, tier: &Tier) -> String {
    let threshold = decimal(tier.threshold.ratio());
    let (long, short) = (window(tier.long), window(tier.short));
    let ratio = |window: &str| promise.series(&format!("slo:sli_error:ratio_rate{window}"));
    let both = if promise.objective.low_traffic {
        let at_least = promise.series(&format!("slo:sli_error_at_least:ratio_rate{long}"));
        let floor = promise.series(&format!("slo:sli_bad_events:above_floor{long}"));
        // Minutes always come; of other events the short window may have none, and that mends nothing.
        let still = if promise.by_minutes() {
            format!("and ignoring (sloth_window)\n  {} > {threshold}", ratio(&short))
        } else {
            format!("unless ignoring (sloth_window)\n  {} < {threshold}", ratio(&short))
        };
        format!("  {at_least} > {threshold}\nand\n  {floor} >= 0\n{still}")
    } else {
        let (long, short) = (ratio(&long), ratio(&short));
        format!("  {long} > {threshold}\nand ignoring (sloth_window)\n  {short} > {threshold}")
    };
    format!("max without (sloth_window) (\n  {}\n)", both.replace('\n', "\n  "))
}

/// Events in a row, which only the agent can see: the same where it judges them.
fn row(promise: &Promise<'_>, severity: Severity) -> Option<String> {
    let objective = promise.objective;
    let rows = severity == Severity::Page
        && objective.low_traffic
        && !objective.page.is_empty()
        && matches!(objective.indicator, Indicator::Counts { .. });
    let key = quoted(&format!("slo/{}/page", objective.name));
    let whole = promise.series(&format!("slo:sli_error:ratio_rate{}", window(whole(objective))));
    rows.then(|| {
        format!("max without (sloth_window) (\n  {whole}\n  and on ()\n  max(atalaya_alert_state{{alert={key}, state=\"firing\"}}) == 1\n)")
    })
}

/// Ten minutes of good events, then nothing but bad ones.
fn burn_proof(promise: &Promise<'_>, tiers: &[Tier]) -> Proof {
    let mut series = Vec::new();
    let mut windows: Vec<u32> = tiers.iter().flat_map(|tier| [tier.long, tier.short]).collect();
    if tiers.is_empty() {
        let key = quoted(&format!("slo/{}/page", promise.objective.name));
        series.push((
            format!("atalaya_alert_state{{alert={key},severity=\"page\",state=\"firing\"}}"),
            "_x10 1x20".to_owned(),
        ));
        windows = vec![whole(promise.objective)];
    }
    windows.sort_unstable();
    windows.dedup();
    // Whoever pages rests meanwhile: a ticket is shown by itself.
    let short = if tiers.iter().any(|tier| tier.short > 60) { [5, 30].as_slice() } else { &[] };
    for minutes in short {
        series.push((promise.exported(*minutes, "good"), "100x30".to_owned()));
        series.push((promise.exported(*minutes, "bad"), "0x30".to_owned()));
    }
    for minutes in windows {
        series.push((promise.exported(minutes, "good"), "100x9 0x20".to_owned()));
        series.push((promise.exported(minutes, "bad"), "0x9 100x20".to_owned()));
        series.push((promise.exported(minutes, ""), "1x30".to_owned()));
    }
    Proof { series, rests: vec![5], fires: 15, labels: promise.labels(), value: "100%".to_owned() }
}
