//! Objectives and their budgets: how each stands, what is left, how fast it goes, and the same numbers from which to make it
//! again by hand.

use super::board::Board;
use super::panel::{BOUND, Kind, Panel};
use crate::config::Plan;
use crate::config::alerting::Indicator;
use serde_json::{Value, json};

/// Numbers that stand for how an objective is, the worse the larger.
const STATES: [(f64, &str, &str); 5] = [
    (0.0, "met", "green"),
    (1.0, "learning", "blue"),
    (2.0, "unknown", "#8F8F8F"),
    (3.0, "at risk", "orange"),
    (4.0, "broken", "red"),
];

pub fn board(plan: &Plan) -> Board {
    let description = "What is promised, what is left of it and how fast it goes. Made by `atalaya export dashboards` from alerts/*.toml.";
    let mut board = Board::new("objectives", "Atalaya: objectives and budgets", description);
    board.choices.push((
        "slo",
        "Objective",
        "label_values(atalaya_slo_objective_ratio{instance=\"$instance\"}, slo)".to_owned(),
    ));
    board.row("All promises", vec![with_runbooks(table(), plan), timeline(), budgets(), spent()]);
    board.row("$slo", numbers());
    board.row(
        "How fast the budget of $slo burns",
        vec![
            burn("Pages: one hour and five minutes", "1h", "5m", 0.02, 3_600),
            burn("Pages: six hours and half an hour", "6h", "30m", 0.05, 21_600),
            burn("Tickets: a day and two hours", "1d", "2h", 0.1, 86_400),
            burn("Tickets: three days and six hours", "3d", "6h", 0.1, 259_200),
        ],
    );
    board.row("What $slo is made of", vec![events(), ratio(), coverage()]);
    let baselines: Vec<Panel> = plan
        .alerting
        .objectives
        .iter()
        .filter(|one| matches!(one.indicator, Indicator::Baseline { .. }))
        .map(|one| band(&one.name, &one.title, one.description.as_deref().unwrap_or_default().trim()))
        .collect();
    board.row("What is compared with what is usual", baselines);
    board
}

/// What to do about each promise that says it. A board shows one at a time and can't choose a link, so all are here.
fn with_runbooks(panel: Panel, plan: &Plan) -> Panel {
    let objectives = plan.alerting.objectives.iter();
    let runbooks = objectives.filter_map(|one| Some((&one.title, one.runbook.as_ref()?)));
    runbooks.fold(panel, |panel, (title, runbook)| panel.link(format!("What to do: {title}"), runbook))
}

/// The worst state that holds, as a number.
fn state(which: &str) -> String {
    let of = |(value, state, _): &(f64, &str, &str)| {
        format!("{value} * atalaya_slo_state{{{which}instance=\"$instance\", state=\"{state}\"}}")
    };
    let all: Vec<String> = STATES.iter().map(of).collect();
    format!("max by (slo) (\n  {}\n)", all.join("\n  or "))
}

fn table() -> Panel {
    let mine = "instance=\"$instance\"";
    let queries = [
        state(""),
        format!("max by (slo) (atalaya_slo_objective_ratio{{{mine}}})"),
        format!("max by (slo) (atalaya_slo_window_seconds{{{mine}}})"),
        format!("max by (slo) (atalaya_slo_error_budget_remaining_ratio{{{mine}}})"),
        format!("max by (slo) (atalaya_slo_burn_rate{{{mine}, window=\"1h\"}})"),
        format!("max by (slo) (atalaya_slo_burn_rate{{{mine}, window=\"3d\"}})"),
    ];
    let mut panel = Panel::new(
        Kind::Table,
        "How each stands",
        "Met: within its budget. At risk: an alert fires or three quarters of the budget are used. Broken: the budget is used up. Unknown: nothing is known of the last day.",
    );
    for expr in queries {
        panel = panel.ask_now(expr, "");
    }
    let names = ["State", "Promise", "Window", "Budget left", "Burn, 1 h", "Burn, 3 d"];
    let renamed: serde_json::Map<String, Value> = ["A", "B", "C", "D", "E", "F"]
        .into_iter()
        .zip(names)
        .map(|(id, name)| (format!("Value #{id}"), name.into()))
        .chain([("slo".to_owned(), "Objective".into())])
        .collect();
    panel.transformations = vec![
        json!({ "id": "joinByField", "options": { "byField": "slo", "mode": "outer" } }),
        json!({ "id": "organize", "options": {
            "excludeByName": { "Time": true, "Time 1": true, "Time 2": true, "Time 3": true, "Time 4": true, "Time 5": true, "Time 6": true },
            "indexByName": {}, "renameByName": renamed,
        } }),
    ];
    panel.overrides = columns();
    panel.sized(24, 9)
}

fn columns() -> Vec<Value> {
    let states: serde_json::Map<String, Value> = STATES
        .iter()
        .enumerate()
        .map(|(at, (value, text, color))| {
            (value.to_string(), json!({ "text": text, "color": color, "index": at }))
        })
        .collect();
    let of = |name: &str, properties: Value| json!({ "matcher": { "id": "byName", "options": name }, "properties": properties });
    let coloured = |steps: Value| {
        json!([
            { "id": "thresholds", "value": { "mode": "absolute", "steps": steps } },
            { "id": "custom.cellOptions", "value": { "type": "color-text" } },
        ])
    };
    let with_unit = |unit: &str, mut properties: Value| {
        if let Value::Array(list) = &mut properties {
            list.push(json!({ "id": "unit", "value": unit }));
        }
        properties
    };
    let budget = json!([{ "value": null, "color": "red" }, { "value": 0, "color": "orange" }, { "value": 0.25, "color": "green" }]);
    let burn = json!([{ "value": null, "color": "green" }, { "value": 1, "color": "orange" }]);
    vec![
        of(
            "State",
            json!([
                { "id": "mappings", "value": [{ "type": "value", "options": states }] },
                { "id": "custom.cellOptions", "value": { "type": "color-background", "mode": "basic" } },
            ]),
        ),
        of("Promise", json!([{ "id": "unit", "value": "percentunit" }, { "id": "decimals", "value": 1 }])),
        of("Window", json!([{ "id": "unit", "value": "s" }])),
        of("Budget left", with_unit("percentunit", coloured(budget))),
        of("Burn, 1 h", coloured(burn.clone())),
        of("Burn, 3 d", coloured(burn)),
    ]
}

fn timeline() -> Panel {
    Panel::new(Kind::Timeline, "How each stood", "Over the time that is shown.")
        .ask(state(""), "{{slo}}")
        .mapped(&STATES)
        .thresholds([
            (None, "green"),
            (Some(1.0), "blue"),
            (Some(2.0), "#8F8F8F"),
            (Some(3.0), "orange"),
            (Some(4.0), "red"),
        ])
        .sized(12, 9)
}

fn budgets() -> Panel {
    Panel::lines("Error budget left", "A slope down is a budget that goes; up again, when what was bad falls out of the window. What was not measured counts as good here.")
        .unit("percentunit")
        .between(None, 1.0)
        .thresholds([(None, "red"), (Some(0.0), "transparent")])
        .ask("atalaya_slo_error_budget_remaining_ratio{instance=\"$instance\"}", "{{slo}}")
        .sized(12, 9)
}

fn spent() -> Panel {
    Panel::lines("Bad events that are counted", "Each minute, as they are counted: what is made up for after a time without the agent, or at its first start, comes here at once. Budgets are made from `atalaya_slo_window_events`, where each event stands at its own time.")
        .between(0.0, None)
        .ask("60 * rate(atalaya_slo_events_total{instance=\"$instance\", result=\"bad\"}[$__rate_interval])", "{{slo}}")
        .sized(24, 6)
}

const MINE: &str = "slo=\"$slo\", instance=\"$instance\"";

fn whole(family: &str, more: &str) -> String {
    // The whole window of a promise is the longest that there is.
    format!("max(atalaya_slo_{family}{{{MINE}, {more}window=~\".*\"}})")
}

fn numbers() -> Vec<Panel> {
    let stat = |title: &str, description: &str, unit: &'static str, expr: String| {
        Panel::stat(title, description).unit(unit).ask(expr, title).thresholds([(None, "text")]).sized(4, 4)
    };
    let (good, all) = (
        whole("window_events", "result=\"good\", "),
        format!("max(sum by (window) (atalaya_slo_window_events{{{MINE}}}))"),
    );
    let left = format!("atalaya_slo_error_budget_remaining_ratio{{{MINE}}}");
    let rest = format!(
        "clamp_min({left}, 0) * on (slo) atalaya_slo_window_seconds{{{MINE}}} / on (slo) (atalaya_slo_burn_rate{{{MINE}, window=\"6h\"}} > 0)"
    );
    vec![
        stat(
            "Promised",
            "The share of good events.",
            "percentunit",
            format!("atalaya_slo_objective_ratio{{{MINE}}}"),
        ),
        stat(
            "Kept",
            "The share of good events in the whole window, of those that are known.",
            "percentunit",
            format!("{good} / ({all} > 0)"),
        ),
        stat("Budget left", "Of the whole window; below 0 the promise is broken.", "percentunit", left)
            .thresholds([(None, "red"), (Some(0.0), "orange"), (Some(0.25), "green")]),
        stat("Events", "Good and bad ones in the whole window: with few, a ratio says little.", "short", all),
        stat("Bad events", "In the whole window.", "short", whole("window_events", "result=\"bad\", ")),
        stat("Budget lasts", "At the burn rate of the last six hours.", "s", rest)
            .or_else("it does not burn"),
    ]
}

/// Both windows of a pair against the threshold that the judge uses: so much of the budget within the long one, held below
/// half way between the budget and total failure.
fn burn(title: &str, long: &str, short: &str, part: f64, seconds: u32) -> Panel {
    let rate = |window: &str| format!("atalaya_slo_burn_rate{{{MINE}, window=\"{window}\"}}");
    let objective = format!("atalaya_slo_objective_ratio{{{MINE}}}");
    let full = format!("{part} * atalaya_slo_window_seconds{{{MINE}}} / {seconds}");
    let cap = format!("(2 - {objective}) / (2 * (1 - {objective}))");
    let description = format!(
        "Told where both are above the threshold: {long} shows that {} % of the budget went, {short} that it still goes. Where events are few it takes evidence beside.",
        part * 100.0
    );
    Panel::lines(title, description)
        .sized(12, 8)
        .between(0.0, None)
        .ask(rate(long), long)
        .ask(rate(short), short)
        .ask(format!("({full} < {cap}) or {cap}"), format!("{BOUND}threshold"))
}

fn events() -> Panel {
    Panel::lines("Events of the last hour", "Good and bad ones, by when they happened.")
        .between(0.0, None)
        .ask(format!("atalaya_slo_window_events{{{MINE}, window=\"1h\"}}"), "{{result}}")
}

fn ratio() -> Panel {
    let of = |window: &str, result: &str| {
        format!("sum(atalaya_slo_window_events{{{MINE}, window=\"{window}\"{result}}})")
    };
    let share = |window: &str| format!("{} / ({} > 0)", of(window, ", result=\"good\""), of(window, ""));
    Panel::lines("Share of good events", "Sums over sums of events; never an average of shares.")
        .unit("percentunit")
        .between(None, 1.0)
        .ask(share("1h"), "1 hour")
        .ask(share("1d"), "1 day")
        .ask(format!("atalaya_slo_objective_ratio{{{MINE}}}"), format!("{BOUND}promised"))
}

fn coverage() -> Panel {
    Panel::lines("Measured", "The share of each window in which was measured. What was not is neither good nor bad: it can't fire an alert, and can't end one.")
        .unit("percentunit")
        .between(0.0, 1.0)
        .ask(format!("atalaya_slo_coverage_ratio{{{MINE}}}"), "{{window}}")
}

fn band(name: &str, title: &str, description: &str) -> Panel {
    let of =
        |of: &str| format!("atalaya_slo_baseline{{slo=\"{name}\", instance=\"$instance\", of=\"{of}\"}}");
    Panel::lines(title, format!("{description} The band is what chance and the weeks before explain; below five weeks of history there is none."))
        .sized(24, 8)
        .ask(of("value"), "last 7 days")
        .ask(of("usual"), "usual")
        .ask(of("lower"), format!("{BOUND}lower"))
        .ask(of("upper"), format!("{BOUND}upper"))
        .or_else("it is still learning what is usual")
}
