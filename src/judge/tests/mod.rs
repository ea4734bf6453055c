//! The judgement as a whole, against the tables of the specification and by simulation.

mod few;
mod intake;
mod properties;
mod rules;
mod simulation;
mod workbook;

use super::*;
use crate::config::Place;
use crate::config::alerting::{Counts, Indicator, Objective, Rule};
use crate::fact::{Counted, Ran};
use crate::outcome::Status;
use crate::store::Slice;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A Monday at midnight, so that days and weeks are whole.
pub const START: u32 = 29_439_360;

/// A promise in percent over days, that tells everybody everything; its check is called `check` and runs each minute.
pub fn objective(kind: &str, promise: f64, days: u64) -> Objective {
    let check: Arc<str> = "check".into();
    let indicator = match kind {
        "availability" => Indicator::Availability { checks: vec![Arc::clone(&check)] },
        "latency" => Indicator::Latency { check: Arc::clone(&check), below: Duration::from_millis(500) },
        _ => {
            let counts = Counts::GoodAndBad { good: "good".into(), bad: "bad".into() };
            Indicator::Counts { check: Arc::clone(&check), counts }
        }
    };
    let somebody = vec!["somebody".into()];
    Objective {
        name: "promise".into(),
        title: "What is promised".to_owned(),
        section: "payments".to_owned(),
        description: None,
        objective_ppm: (promise * 10_000.0).round() as u32,
        window: Duration::from_hours(24 * days),
        instead: None,
        until_heard: None,
        indicator,
        every: BTreeMap::from([(check, Duration::from_mins(1))]),
        rule: Rule::BurnRate,
        page: somebody.clone(),
        ticket: somebody.clone(),
        info: somebody,
        page_windows: [1, 6].map(Duration::from_hours).to_vec(),
        ticket_windows: [24, 72].map(Duration::from_hours).to_vec(),
        low_traffic: true,
        drought: false,
        excludes_maintenance: true,
        report: None,
        runbook: None,
        place: Place { file: "alerts/test.toml".into(), line: 1, column: 1 },
        generation: 1,
    }
}

pub fn at(minute: u32, second: u32) -> Timestamp {
    Timestamp::from_second(i64::from(minute) * 60 + i64::from(second)).expect("a time")
}

/// A query counted so many between two moments.
pub fn counted(from: Timestamp, to: Timestamp, good: f64, bad: f64) -> Ran {
    let values = BTreeMap::from([("good".into(), good), ("bad".into(), bad)]);
    Ran { counted: vec![Counted { from, to, settled_s: 0, values }], ..run(Status::Ok, 0) }
}

/// A run that took so many milliseconds.
pub fn run(status: Status, took_ms: u64) -> Ran {
    Ran {
        check: "check".into(),
        status,
        took_us: took_ms * 1000,
        class: None,
        text: String::new(),
        measures: BTreeMap::new(),
        counted: Vec::new(),
    }
}

/// Minutes that were measured and all alike.
pub fn alike(minutes: std::ops::Range<u32>, good: u32, bad: u32) -> impl Iterator<Item = Slice> {
    minutes.map(move |minute| Slice { minute, good, bad, excluded: false })
}
