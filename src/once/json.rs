//! For programs. `version` changes when a reader of the former shape would stumble; more keys may come at any time.
//!
//! ```json
//! { "version": 1, "verdict": "failed", "exit_code": 2, "strict": false, "interrupted": false,
//!   "headline": "1 of 2 failed: database; 1 skipped",
//!   "started": "2026-11-22T19:00:00Z", "duration_seconds": 1.24,
//!   "counts": { "ok": 0, "degraded": 0, "failed": 1, "unknown": 0, "skipped": 1 },
//!   "checks": [ { "name": "database", "title": "Database", "section": "database", "kind": "postgres",
//!       "file": "checks/database.toml", "line": 1, "status": "failed", "explained_by": null,
//!       "duration_seconds": 0.012, "phases": [ { "name": "connect", "duration_seconds": 0.003 } ],
//!       "faults": [ { "status": "failed", "class": "connect", "text": "connection refused" } ],
//!       "measures": [ { "name": "connections", "value": 3.0, "labels": { "state": "idle" } } ], "notes": [] } ],
//!   "skipped": [ { "name": "payments", "title": "…", "section": "…", "kind": "…", "file": "…", "line": 9,
//!       "why": "variable SQUARE_ACCESS_TOKEN is not set" } ] }
//! ```
//!
//! The first of `faults` with the status of the check is its reason.

use super::judged::{Item, Judged};
use super::{CheckResult, shown};
use crate::outcome::Status;
use serde_json::{Map, Value, json};

const VERSION: u32 = 1;

pub fn text(judged: &Judged) -> String {
    let (mut checks, mut skipped) = (Vec::new(), Vec::new());
    for item in judged.items() {
        match item {
            Item::Ran(result) => checks.push(with_head(item, check(result))),
            Item::Skipped(one) => {
                skipped.push(with_head(item, json!({ "kind": one.kind, "why": shown(&one.why) })));
            }
        }
    }
    let mut counts: Map<String, Value> =
        Status::ALL.iter().map(|status| (status.to_string(), judged.count(*status).into())).collect();
    counts.insert("skipped".to_owned(), skipped.len().into());
    let report = json!({
        "version": VERSION,
        "verdict": judged.verdict().as_str(),
        "exit_code": judged.verdict().exit_code(),
        "strict": judged.strict,
        "interrupted": judged.report.interrupted,
        "headline": judged.headline(),
        "started": judged.report.started.to_string(),
        "duration_seconds": judged.report.took.as_secs_f64(),
        "counts": counts,
        "checks": checks,
        "skipped": skipped,
    });
    format!("{report:#}\n")
}

/// What all definitions have, who it is and where it stands, before the rest.
fn with_head(item: Item<'_>, rest: Value) -> Value {
    let place = item.place();
    let mut value = json!({
        "name": item.name(),
        "title": shown(item.title()),
        "section": shown(item.section()),
        "file": &*place.file,
        "line": place.line,
    });
    if let (Value::Object(value), Value::Object(rest)) = (&mut value, rest) {
        value.extend(rest);
    }
    value
}

fn check(result: &CheckResult) -> Value {
    let outcome = &result.outcome;
    let phases = result
        .phases
        .iter()
        .map(|phase| json!({ "name": phase.name, "duration_seconds": phase.took.as_secs_f64() }));
    let faults = outcome
        .faults
        .iter()
        .map(|fault| json!({ "status": fault.status, "class": fault.class, "text": shown(&fault.text) }));
    let measures = outcome.measures.iter().map(|measure| {
        let labels: Map<String, Value> =
            measure.labels.iter().map(|(name, value)| (name.clone(), shown(value).into())).collect();
        json!({ "name": measure.name, "value": measure.value, "labels": labels })
    });
    json!({
        "kind": result.check.kind,
        "status": result.status(),
        "explained_by": result.explained_by,
        "duration_seconds": result.took.as_secs_f64(),
        "phases": phases.collect::<Value>(),
        "faults": faults.collect::<Value>(),
        "measures": measures.collect::<Value>(),
        "notes": outcome.notes.iter().map(|note| shown(note)).collect::<Value>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::rich;
    use super::*;

    #[test]
    fn the_shape_is_the_documented_one() {
        let report: Value = serde_json::from_str(&text(&rich().judge(true))).expect("JSON");
        let keys = |value: &Value| {
            let mut keys: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
            keys.sort();
            keys
        };
        assert_eq!(
            keys(&report),
            [
                "checks",
                "counts",
                "duration_seconds",
                "exit_code",
                "headline",
                "interrupted",
                "skipped",
                "started",
                "strict",
                "verdict",
                "version"
            ]
        );
        assert_eq!(
            keys(&report["checks"][0]),
            [
                "duration_seconds",
                "explained_by",
                "faults",
                "file",
                "kind",
                "line",
                "measures",
                "name",
                "notes",
                "phases",
                "section",
                "status",
                "title"
            ]
        );
        assert_eq!(keys(&report["skipped"][0]), ["file", "kind", "line", "name", "section", "title", "why"]);
        assert_eq!(report["version"], 1);
        assert_eq!((report["verdict"].as_str(), report["exit_code"].as_u64()), (Some("failed"), Some(2)));
        assert_eq!(report["started"], "2025-11-22T19:00:00Z");
        assert_eq!(
            report["counts"],
            json!({ "ok": 1, "degraded": 1, "failed": 2, "unknown": 1, "skipped": 1 })
        );
        let database = &report["checks"][1];
        assert_eq!((&database["name"], &database["line"]), (&json!("database"), &json!(4)));
        let expected = "connection refused by 127.0.0.1:5432 ::error::50%, <&> |#[x]";
        assert_eq!(
            database["faults"][0],
            json!({ "status": "failed", "class": "connect", "text": expected })
        );
        assert_eq!(database["phases"][1], json!({ "name": "query", "duration_seconds": 0.02 }));
        assert_eq!(report["checks"][2]["explained_by"], "database");
        assert_eq!(report["skipped"][0]["why"], "variable TOKEN is not set");
    }
}
