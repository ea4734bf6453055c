//! Reports for the tests of the formats.

use super::{CheckResult, Report};
use crate::config::alerting::CheckAlert;
use crate::config::{Check, Place, Skipped};
use crate::outcome::{Class, Fault, Outcome, Phase};
use crate::probe::{Context, Run, Running};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// One check by what becomes of it.
#[derive(Debug, Clone, Copy)]
pub enum Sample {
    Ok(&'static str),
    Degraded(&'static str),
    Failed(&'static str),
    Unknown(&'static str),
    Skipped(&'static str),
}

struct Nothing;

impl Run for Nothing {
    fn run<'a>(&'a self, _: &'a Context) -> Running<'a> {
        Box::pin(async { Outcome::ok() })
    }
}

/// A report of checks that are defined in this order, from line 1 on, three lines each; the nth took n × 12 ms.
pub fn report(samples: &[Sample]) -> Report {
    let mut report = Report {
        started: Timestamp::from_second(1_763_838_000).expect("a time"),
        took: Duration::from_millis(1240),
        results: Vec::new(),
        skipped: Vec::new(),
        interrupted: false,
    };
    for (sample, nth) in samples.iter().zip(0..) {
        let place = Place { file: "checks/shop.toml".into(), line: nth * 3 + 1, column: 1 };
        let (name, fault) = match sample {
            Sample::Ok(name) => (name, None),
            Sample::Degraded(name) => (name, Some(Fault::degraded(Class::Assertion, "slow"))),
            Sample::Failed(name) => (name, Some(Fault::failed(Class::Connect, "connection refused"))),
            Sample::Unknown(name) => (name, Some(Fault::internal("no file descriptor left"))),
            Sample::Skipped(name) => {
                report.skipped.push(skipped(name, place));
                continue;
            }
        };
        report.results.push(CheckResult {
            check: Arc::new(check(name, place)),
            outcome: fault.map_or_else(Outcome::ok, Outcome::from),
            phases: Vec::new(),
            took: Duration::from_millis(12) * (nth + 1),
            explained_by: None,
        });
    }
    report
}

/// A report that has everything in it, texts that attack included.
pub fn rich() -> Report {
    let mut report = report(&[
        Sample::Ok("site"),
        Sample::Failed("database"),
        Sample::Failed("orders"),
        Sample::Skipped("payments"),
        Sample::Degraded("cache"),
        Sample::Unknown("disk"),
    ]);
    let database = &mut report.results[1];
    let refused = "connection refused by 127.0.0.1:5432\n::error::50%, \u{1b}[31m<&>\u{0}|##[x]";
    database.outcome = Outcome::from(Fault::failed(Class::Connect, refused));
    database.outcome.fault(Fault::degraded(Class::Assertion, "second fault"));
    database.outcome.note("lacks pg_monitor");
    database.phases = vec![
        Phase { name: "connect", took: Duration::from_millis(3) },
        Phase { name: "query", took: Duration::from_millis(20) },
    ];
    report.results[2].explained_by = Some("database".to_owned());
    let cache = &mut report.results[3].outcome;
    cache.measure("memory_used_ratio", 0.97);
    cache.measure("evictions_total", 12.0);
    let labels = vec![("check".to_owned(), "a\"\\\nb".to_owned()), ("__x y".to_owned(), String::new())];
    cache.measure_with("keys", 3.0, labels.clone());
    cache.measure_with("keys", 4.0, labels);
    report
}

fn check(name: &str, place: Place) -> Check {
    Check {
        name: name.into(),
        title: format!("The {name}"),
        section: section(name).to_owned(),
        description: None,
        every: Duration::from_mins(1),
        timeout: Duration::from_secs(5),
        needs: Vec::new(),
        tags: Vec::new(),
        runbook: None,
        metric_prefix: "atalaya_tcp".to_owned(),
        metrics: true,
        kind: "tcp",
        measures: &[],
        limits: Vec::new(),
        alert: CheckAlert::default(),
        definition: toml::from_str("tcp = { address = '127.0.0.1:1' }").expect("a probe"),
        counts: false,
        place,
        fingerprint: 0,
        probe: Box::new(Nothing),
    }
}

fn skipped(name: &str, place: Place) -> Skipped {
    Skipped {
        name: name.into(),
        title: format!("The {name}"),
        section: section(name).to_owned(),
        kind: "tcp",
        tags: Vec::new(),
        place,
        why: "variable TOKEN is not set".to_owned(),
    }
}

fn section(name: &str) -> &str {
    match name {
        "database" | "orders" => "database",
        _ => "shop",
    }
}
