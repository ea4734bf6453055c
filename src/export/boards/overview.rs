//! The board for who is on call: is the shop well, what is wrong, what does it cost, since when. Everything else is a click
//! away.

use super::board::{Board, address};
use super::business;
use super::panel::{Kind, Panel, of_series};
use super::section::{AGENT, name_of};
use super::status::{COLOURS, STATUSES, timeline, worst};
use crate::alert::Severity;
use crate::config::Plan;
use crate::config::alerting::Rule;
use crate::judge::rule::tier::tier;
use serde_json::json;
use std::time::Duration;

pub fn board(plan: &Plan) -> Board {
    let description = "Whether the shop is well, in one look. Green: go back to sleep. Made by `atalaya export dashboards`.";
    let mut board = Board::new("overview", "Atalaya: overview", description);
    board.row("", first_look(plan));
    board.row("", vec![sections(plan)]);
    board.row("What is wrong", vec![wrong().sized(16, 9), alerts().sized(8, 9)]);
    if !plan.alerting.objectives.is_empty() {
        board.row("What is promised", promises(plan));
    }
    board.row("How business goes", business::headlines(plan, 6));
    board.row("How fast it answers", vec![slowest(plan).sized(12, 8), failing().sized(12, 8)]);
    board
}

/// Five numbers that say it all.
fn first_look(plan: &Plan) -> Vec<Panel> {
    let agent = "max(atalaya_build_info{instance=\"$instance\"})";
    // None is a number only as long as an agent says so.
    let firing = |severity: &str| {
        let which = format!("instance=\"$instance\", severity=\"{severity}\", state=\"firing\"");
        format!("count(atalaya_alert_state{{{which}}}) or 0 * {agent}")
    };
    let agent_link = |panel: Panel| panel.link("The agent", address(AGENT));
    let mut panels = vec![
        Panel::tiles("The shop", "The worst status of any check. Red: something does not do its work.")
            .sized(6, 5)
            .ask_now(format!("{} or vector(4)", worst("", &format!("section!=\"{AGENT}\", "))), "")
            .mapped(&[
                (0.0, "well", "green"),
                (1.0, "not known", "#8F8F8F"),
                (2.0, "degraded", "orange"),
                (3.0, "failing", "red"),
                (4.0, "no agent answers", "dark-red"),
            ])
            .thresholds(COLOURS),
        Panel::tiles("Pages", "Alerts that fire and must be mended now.")
            .sized(4, 5)
            .or_else("no agent answers")
            .ask_now(firing("page"), "pages")
            .thresholds([(None, "green"), (Some(1.0), "red")]),
        Panel::tiles("Tickets", "Alerts that fire and must be mended within days.")
            .sized(4, 5)
            .or_else("no agent answers")
            .ask_now(firing("ticket"), "tickets")
            .thresholds([(None, "green"), (Some(1.0), "orange")]),
    ];
    if !plan.alerting.objectives.is_empty() {
        panels.push(
            Panel::tiles("Least budget left", "Of all promises the one that is nearest to being broken: the share of its error budget that is left. Below 0 it is broken.")
                .sized(5, 5)
                .unit("percentunit")
                .ask_now("bottomk(1, atalaya_slo_error_budget_remaining_ratio{instance=\"$instance\"})", "{{slo}}")
                .thresholds([(None, "red"), (Some(0.0), "orange"), (Some(0.25), "green")])
                .or_else("not known yet")
                .link("Objectives", address("objectives")),
        );
    }
    panels.push(agent_link(
        Panel::tiles(
            "Judged",
            "How long ago the agent judged last; it does so every 15 s. Red: nobody watches.",
        )
        .sized(5, 5)
        .unit("s")
        .ask_now("time() - atalaya_last_evaluation_timestamp_seconds{instance=\"$instance\"}", "ago")
        .thresholds([(None, "green"), (Some(60.0), "orange"), (Some(120.0), "red")])
        .or_else("no agent answers"),
    ));
    panels
}

/// A tile for each section, which leads to its board.
fn sections(plan: &Plan) -> Panel {
    let mut names: Vec<&str> = Vec::new();
    for check in &plan.checks {
        if !names.contains(&check.section.as_str()) {
            names.push(&check.section);
        }
    }
    let mut panel =
        Panel::tiles("Sections", "The worst status in each part of the shop. A click leads to its board.")
            .sized(24, 4)
            .mapped(&STATUSES)
            .thresholds(COLOURS)
            .ask_now(worst("section", ""), "{{section}}");
    panel.series_links = names.iter().map(|name| ((*name).to_owned(), address(&name_of(name)))).collect();
    panel
}

/// Only those that are not well.
fn wrong() -> Panel {
    let panel = timeline("What is not well, and since when", "");
    let expr = format!("({}) > 0", panel.queries[0].expr);
    let mut panel = panel.or_else("nothing is wrong");
    panel.queries.clear();
    panel.ask(expr, "{{check}}")
}

fn alerts() -> Panel {
    let mut panel = Panel::new(Kind::Table, "Alerts", "What the agent tells, the gravest first. Muted: silenced, acknowledged, in maintenance, or explained by another.")
        .ask_now("sort_desc(2 * max by (alert, severity, state) (atalaya_alert_state{instance=\"$instance\", severity=\"page\"}) or max by (alert, severity, state) (atalaya_alert_state{instance=\"$instance\", severity!=\"page\"}))", "")
        .or_else("no alert");
    panel.transformations = vec![json!({
        "id": "organize",
        "options": { "excludeByName": { "Time": true, "Value": true }, "indexByName": { "severity": 0, "alert": 1, "state": 2 }, "renameByName": {} },
    })];
    let colours = json!([{ "type": "value", "options": {
        "page": { "color": "red", "index": 0, "text": "page" },
        "ticket": { "color": "orange", "index": 1, "text": "ticket" },
        "info": { "color": "blue", "index": 2, "text": "info" },
    } }]);
    panel.overrides = vec![
        of_series("severity", "mappings", colours),
        of_series("severity", "custom.cellOptions", json!({ "type": "color-background", "mode": "basic" })),
        of_series("severity", "custom.width", json!(90)),
    ];
    panel
}

/// Budgets and how fast they burn.
fn promises(plan: &Plan) -> Vec<Panel> {
    let left = Panel::new(
        Kind::Bars,
        "Error budget left",
        "Of the whole window of each promise. At 0 it is broken.",
    )
    .unit("percentunit")
    .between(0.0, 1.0)
    .thresholds([(None, "red"), (Some(0.0), "orange"), (Some(0.25), "green")])
    .ask_now("sort(atalaya_slo_error_budget_remaining_ratio{instance=\"$instance\"})", "{{slo}}");
    let hour = burn(plan, "Burn rate of the last hour", Severity::Page, 60);
    let days = burn(plan, "Burn rate of the last three days", Severity::Ticket, 4320);
    [left, hour, days].map(|panel| panel.link("Objectives", address("objectives")).sized(8, 9)).into()
}

/// How fast all budgets burn over one window, with what a tight promise allows.
fn burn(plan: &Plan, title: &str, severity: Severity, minutes: u32) -> Panel {
    let (leads, color) =
        if severity == Severity::Page { ("pages", "red") } else { ("makes a ticket", "orange") };
    let word = crate::export::window_word(Duration::from_secs(u64::from(minutes) * 60));
    let tight =
        plan.alerting.objectives.iter().filter(|one| one.rule == Rule::BurnRate && one.objective_ppm > 0);
    let rate = tight.max_by_key(|one| one.objective_ppm).map(|one| {
        let threshold = tier(one, severity, minutes).threshold.ratio();
        (threshold * 1e6 / f64::from(one.budget_ppm()) * 1e4).round() / 1e4
    });
    let told = rate.map_or(String::new(), |rate| {
        format!(" Above {rate} it {leads}, where the promise is not so loose that less does; its own board has its threshold.")
    });
    let description = format!(
        "How many times as fast as allowed each budget goes; at 1 it lasts just for its window.{told}"
    );
    Panel::lines(title, description)
        .between(0.0, None)
        .thresholds([(None, "green")].into_iter().chain(rate.map(|rate| (Some(rate), color))))
        .ask(format!("atalaya_slo_burn_rate{{instance=\"$instance\", window=\"{word}\"}}"), "{{slo}}")
}

/// Quantiles of what customers and the shop talk to; questions about the business have no hurry.
fn slowest(plan: &Plan) -> Panel {
    let talks = plan.checks.iter().filter(|check| !matches!(check.kind, "sql" | "command"));
    let names = crate::export::rules::any_of(talks.map(|check| &*check.name));
    Panel::lines("P95 of the last 5 minutes", "Of twenty good runs the slowest but one, for each thing that the shop talks to. Exact, by check: never an average of quantiles.")
        .unit("s")
        .between(0.0, None)
        .ask(format!("atalaya_check_duration_quantile_seconds{{check=~\"{names}\", instance=\"$instance\", percentile=\"95\", result=\"good\", window=\"5m\"}}"), "{{check}}")
}

fn failing() -> Panel {
    Panel::lines("Failed runs of the last hour", "The share of runs that failed, for each check with any.")
        .unit("percentunit")
        .between(0.0, 1.0)
        .ask("atalaya_check_error_ratio{instance=\"$instance\", window=\"1h\"} > 0", "{{check}}")
        .or_else("no run failed")
}
