//! `atalaya slo`: what is promised and how it stands.

use super::remote::{self, Agent, text};
use clap::Args;
use comfy_table::{CellAlignment, Table};
use serde_json::Value;

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    agent: Agent,
    /// JSON for programs
    #[arg(long)]
    json: bool,
}

pub async fn main(options: Options) -> u8 {
    let none = "nothing is promised: write an `[[slo]]` in alerts/*.toml";
    options.agent.show("/api/v1/objectives", options.json, none, table).await
}

fn table(objectives: &[Value]) -> Table {
    let mut table = remote::table(&[
        "objective",
        "promised",
        "now",
        "budget left",
        "burn 1h",
        "burn 6h",
        "measured",
        "state",
    ]);
    for column in 1..7 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for objective in objectives {
        table.add_row([
            text(objective, "name").to_owned(),
            share(&objective["objective"]),
            now(objective),
            objective["budgetConsumed"].as_f64().map_or_else(dash, |consumed| percent(1.0 - consumed)),
            burn(objective, "1h"),
            burn(objective, "6h"),
            objective["coverage"].as_f64().map_or_else(dash, percent),
            text(objective, "state").to_owned(),
        ]);
    }
    table
}

/// The share now with the number of events that it is made from; the value of a baseline.
fn now(objective: &Value) -> String {
    if let Some(value) = objective["baseline"]["value"].as_f64() {
        return format!(
            "{value:.2} (usual {:.2})",
            objective["baseline"]["usual"].as_f64().unwrap_or_default()
        );
    }
    match (objective["indicator"].as_f64(), objective["total"].as_u64()) {
        (Some(ratio), Some(total)) => format!("{} of {total}", share(&Value::from(ratio))),
        _ => dash(),
    }
}

fn burn(objective: &Value, window: &str) -> String {
    let windows = objective["windows"].as_array().into_iter().flatten();
    let burn = windows.filter(|one| text(one, "window") == window).find_map(|one| one["burnRate"].as_f64());
    burn.map_or_else(dash, |burn| format!("{burn:.1}×"))
}

/// As precise as a promise is: 99.95 %, and not more.
fn share(value: &Value) -> String {
    let Some(ratio) = value.as_f64() else { return dash() };
    let text = format!("{:.3}", (ratio * 1e5).floor() / 1e3);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn percent(ratio: f64) -> String {
    format!("{:.0} %", ratio * 100.0)
}

fn dash() -> String {
    "–".to_owned()
}
