//! `atalaya alerts`: what is wrong now, and who is told; `atalaya ack`: somebody has seen it.

use super::remote::{self, Agent, moment, somebody, text};
use super::{exit, print};
use clap::Args;
use comfy_table::Table;
use reqwest::Method;
use serde_json::{Value, json};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    agent: Agent,
    /// JSON for programs
    #[arg(long)]
    json: bool,
}

pub async fn main(options: Options) -> u8 {
    options.agent.show("/api/v1/alerts", options.json, "no alert", table).await
}

fn table(alerts: &[Value]) -> Table {
    let mut table = remote::table(&["alert", "severity", "state", "since (UTC)", "what", "told"]);
    for alert in alerts {
        table.add_row([
            text(alert, "key").to_owned(),
            text(alert, "severity").to_owned(),
            text(alert, "state").to_owned(),
            moment(alert, "began"),
            text(alert, "summary").to_owned(),
            told(alert),
        ]);
    }
    table
}

/// Who was told, and why nobody is told more.
fn told(alert: &Value) -> String {
    let contacts = alert["told"].as_array().into_iter().flatten().map(|one| text(one, "contact").to_owned());
    let mut found: Vec<String> = contacts.collect();
    if !text(alert, "acknowledgedBy").is_empty() {
        found.push(format!("acknowledged by {}", text(alert, "acknowledgedBy")));
    }
    found.extend(Some(text(alert, "held").to_owned()).filter(|held| !held.is_empty()));
    found.join("; ")
}

#[derive(Debug, Args)]
pub struct AckOptions {
    /// The alert, as `atalaya alerts` shows it (`check/site`), or its name where that is unique (`site`)
    alert: String,
    /// Who has seen it
    #[arg(long, value_name = "NAME", default_value_t = somebody())]
    by: String,
    /// What is done about it
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    #[command(flatten)]
    agent: Agent,
}

/// `atalaya ack`
pub async fn acknowledge(options: AckOptions) -> u8 {
    let AckOptions { alert, by, comment, agent } = options;
    let body = json!({ "alert": alert, "by": by, "comment": comment });
    match agent.send(Method::POST, "/api/v1/alerts/acknowledge", body).await {
        Ok(done) => {
            let keys = done["acknowledged"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let keys: Vec<&str> = keys.collect();
            print(&format!("acknowledged: {}\n", keys.join(", ")), exit::OK)
        }
        Err(code) => code,
    }
}
