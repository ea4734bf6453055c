//! One board: rows of panels from the left to the right, what the reader may choose, what is marked on the time line.

use super::panel::{Panel, datasource};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The grid of Grafana.
const COLUMNS: u32 = 24;

#[derive(Debug)]
pub struct Board {
    /// The end of its uid and the name of its file.
    pub name: String,
    pub title: String,
    pub description: String,
    /// What the reader may choose beside the data source and the agent: name, label, query, whether several.
    pub choices: Vec<(&'static str, &'static str, String)>,
    pub rows: Vec<Row>,
}

#[derive(Debug)]
pub struct Row {
    pub title: String,
    pub panels: Vec<Panel>,
}

/// The uid of the board of this name. It never changes: people have links to it.
pub fn uid(name: &str) -> String {
    let mut uid = format!("atalaya-{name}");
    // Grafana's limit.
    uid.truncate(40);
    uid
}

/// Where the board of this name stands, with what was chosen and the time.
pub fn address(name: &str) -> String {
    format!("/d/{}?${{datasource:queryparam}}&${{instance:queryparam}}&${{__url_time_range}}", uid(name))
}

impl Board {
    pub fn new(name: &str, title: &str, description: &str) -> Board {
        Board {
            name: name.to_owned(),
            title: title.to_owned(),
            description: description.to_owned(),
            choices: Vec::new(),
            rows: Vec::new(),
        }
    }

    pub fn row(&mut self, title: impl Into<String>, panels: Vec<Panel>) {
        if !panels.is_empty() {
            self.rows.push(Row { title: title.into(), panels });
        }
    }

    pub fn text(&self) -> String {
        let board = json!({
            "uid": uid(&self.name),
            "title": self.title,
            "description": self.description,
            "tags": ["atalaya"],
            "schemaVersion": 42,
            "version": 1,
            "editable": true,
            "graphTooltip": 1,
            "timezone": "browser",
            "refresh": "30s",
            "time": { "from": "now-6h", "to": "now" },
            "links": [boards_link()],
            "annotations": { "list": annotations() },
            "templating": { "list": self.variables() },
            "panels": self.panels(),
        });
        // Sorted keys all the way down: what is made anew differs only where something changed.
        let text = serde_json::to_string_pretty(&sorted(board)).expect("texts and numbers can be written");
        text + "\n"
    }

    fn panels(&self) -> Vec<Value> {
        let mut panels = Vec::new();
        let (mut id, mut y) = (0, 0);
        for row in &self.rows {
            if !row.title.is_empty() {
                id += 1;
                let place = json!({ "x": 0, "y": y, "w": COLUMNS, "h": 1 });
                panels.push(json!({
                    "id": id, "type": "row", "title": row.title, "collapsed": false, "gridPos": place, "panels": [],
                }));
                y += 1;
            }
            let (mut x, mut height) = (0, 0);
            for panel in &row.panels {
                if x + panel.width > COLUMNS {
                    (x, y, height) = (0, y + height, 0);
                }
                id += 1;
                panels.push(panel.json(id, x, y));
                x += panel.width;
                height = height.max(panel.height);
            }
            y += height;
        }
        panels
    }

    fn variables(&self) -> Vec<Value> {
        let mut all = vec![
            json!({
                "name": "datasource", "type": "datasource", "label": "Prometheus", "query": "prometheus",
                "refresh": 1, "multi": false, "includeAll": false, "hide": 0,
            }),
            choice("instance", "Agent", "label_values(atalaya_build_info, instance)"),
        ];
        all.extend(self.choices.iter().map(|(name, label, query)| choice(name, label, query)));
        all
    }
}

/// One value of a label, the first by default: numbers of several agents, or of several checks, are never mixed.
fn choice(name: &str, label: &str, query: &str) -> Value {
    json!({
        "name": name,
        "type": "query",
        "label": label,
        "datasource": datasource(),
        "definition": query,
        "query": query,
        "refresh": 2,
        "sort": 1,
        "multi": false,
        "includeAll": false,
        "hide": 0,
    })
}

/// The way to the other boards.
fn boards_link() -> Value {
    json!({
        "title": "Atalaya",
        "type": "dashboards",
        "icon": "external link",
        "tooltip": "The other boards, with the same time and agent",
        "tags": ["atalaya"],
        "asDropdown": true,
        "targetBlank": false,
        "includeVars": true,
        "keepTime": true,
    })
}

/// What is marked on every board: alerts of the agent and of Prometheus, and when the agent began anew.
fn annotations() -> Value {
    let marked = |name: &str, color: &str, expr: &str, title: &str, text: &str, by_value: bool| {
        json!({
            "name": name,
            "enable": true,
            "hide": false,
            "iconColor": color,
            "datasource": datasource(),
            "expr": expr,
            "titleFormat": title,
            "textFormat": text,
            "step": "30s",
            "useValueForTime": by_value,
        })
    };
    json!([
        marked(
            "Alerts",
            "red",
            "max by (alert, severity) (atalaya_alert_state{instance=\"$instance\", state=\"firing\"})",
            "{{alert}}",
            "{{severity}}, told by the agent",
            false
        ),
        marked(
            "Alerts of Prometheus",
            "orange",
            "max by (alertname, severity, check, slo) (ALERTS{alertstate=\"firing\", severity=~\"page|ticket\"})",
            "{{alertname}} {{check}}{{slo}}",
            "{{severity}}, told by Prometheus",
            false
        ),
        marked(
            "The agent began anew",
            "blue",
            "1000 * process_start_time_seconds{instance=\"$instance\"}",
            "The agent began anew",
            "{{instance}}",
            true
        ),
    ])
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<String, Value> =
                map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(map.into_iter().collect())
        }
        Value::Array(list) => list.into_iter().map(sorted).collect(),
        other => other,
    }
}
