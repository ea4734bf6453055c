//! The numbers that an owner asks for first, where checks of this shop count them.

use super::measure::metric;
use super::panel::Panel;
use super::words::{title, unit};
use crate::config::{Check, Plan};
use std::sync::Arc;

/// Columns that say how business goes, the most important first.
const HEADLINES: [&str; 8] = [
    "revenue_today_dollars",
    "orders_today",
    "orders_last_hour",
    "average_order_value_dollars",
    "orders_against_usual_ratio",
    "order_completion_ratio",
    "payment_failure_ratio",
    "returning_customers_ratio",
];

/// A tile for each that is measured, at most so many.
pub fn headlines(plan: &Plan, most: usize) -> Vec<Panel> {
    let found = HEADLINES.iter().filter_map(|measure| Some((*measure, whose(plan, measure)?)));
    let tiles: Vec<Panel> = found.take(most).map(|(measure, check)| tile(check, measure)).collect();
    let width = 24 / tiles.len().max(1) as u32;
    tiles.into_iter().map(|tile| tile.sized(width.clamp(3, 8), 4)).collect()
}

fn whose<'a>(plan: &'a Plan, measure: &str) -> Option<&'a Arc<Check>> {
    let yields = |check: &&Arc<Check>| {
        let kind = check.definition.kind();
        check.metrics && kind.labels().is_empty() && kind.yields().iter().any(|one| one == measure)
    };
    plan.checks.iter().find(yields)
}

fn tile(check: &Check, measure: &str) -> Panel {
    let description = check.description.as_deref().unwrap_or("As the check finds it.").trim();
    let expr = format!("{}{{check=\"{}\", instance=\"$instance\"}}", metric(check, measure), check.name);
    let panel = Panel::stat(title(measure), description).unit(unit(measure)).ask(expr, title(measure));
    match check.limits.iter().find(|limit| limit.measure == measure) {
        Some(limit) => panel.thresholds(super::measure::thresholds(limit)),
        None => panel.thresholds([(None, "text")]),
    }
}
