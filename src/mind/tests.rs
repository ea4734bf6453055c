//! What is new among the counted, what a clock that was ahead leaves behind, and objectives that come back.

use super::promise::new_parts;
use super::*;
use crate::config::text::Variables;
use crate::config::{Files, Plan, Source, load};
use crate::fact::Counted;
use crate::outcome::Status;
use crate::probe::net::Net;
use std::io;

const CHECKS: &str = "[[check]]\nname = 'paid'\n[check.probe.sql]\nurl = 'sqlite:/nowhere.db'\n\
    query = 'select count(*) as tried, sum(ok) as succeeded from payments where at >= $from and at < $to'\n";
const PAID: &str = "[[slo]]\nname = 'paid'\nobjective = '98%'\n\
    indicator.counts = { check = 'paid', good = 'succeeded', total = 'tried' }\n";

fn plan(alerts: &str) -> Plan {
    let files = Files {
        checks: vec![Source::new("c.toml", CHECKS)],
        alerts: vec![Source::new("a.toml", alerts)],
        ..Files::default()
    };
    let none: [(&str, &str); 0] = [];
    let variables = Variables::new(none, |_| Err(io::Error::from(io::ErrorKind::NotFound)));
    load(&files, &variables, &Arc::new(Net::new().expect("a net"))).expect("valid")
}

fn mind(plan: &Plan, at: Timestamp) -> Mind {
    let checks = plan.checks.iter().map(|check| &**check);
    let mut remembered = Remembered { agent: "a".to_owned(), ..Remembered::default() };
    Mind::new(checks, plan.alerting.clone(), &mut remembered, at).0
}

/// Minutes after some day in 2026.
fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_794_000_000 + minute * 60).expect("a time")
}

fn part(from: i64, to: i64) -> Counted {
    let values = [("tried".into(), 10.0), ("succeeded".into(), 9.0)].into();
    Counted { from: minute(from), to: minute(to), settled_s: 0, values }
}

fn ran(at: i64, parts: &[(i64, i64)]) -> Fact {
    let ran = Ran {
        check: "paid".into(),
        status: Status::Ok,
        took_us: 1000,
        class: None,
        text: String::new(),
        measures: BTreeMap::new(),
        counted: parts.iter().map(|(from, to)| part(*from, *to)).collect(),
    };
    Fact { at: minute(at), what: What::Ran(ran) }
}

fn tick(at: i64) -> Fact {
    Fact { at: minute(at), what: What::Tick }
}

fn check(cursor: Option<i64>, parts: &[(i64, i64)], expected: &[(i64, i64)]) {
    let counted: Vec<Counted> = parts.iter().map(|(from, to)| part(*from, *to)).collect();
    let new = new_parts(&counted, cursor.map(minute));
    let expected: Vec<Counted> = expected.iter().map(|(from, to)| part(*from, *to)).collect();
    assert_eq!(new, expected);
}

#[test]
fn what_two_runs_counted_counts_once_and_nothing_is_jumped_over() {
    check(None, &[(1, 2), (2, 3)], &[(1, 2), (2, 3)]);
    check(Some(2), &[(1, 2), (2, 3)], &[(2, 3)]);
    check(Some(3), &[(1, 2), (2, 3)], &[]);
    // Parts of another length: what lies across the cursor is for the next run, and so is what follows.
    check(Some(10), &[(9, 11), (11, 13)], &[]);
    check(Some(10), &[(12, 14)], &[]);
    check(Some(2), &[(3, 2), (2, 3)], &[(2, 3)]);
}

#[test]
fn counters_gain_each_event_once() {
    let plan = plan(PAID);
    let mut mind = mind(&plan, minute(0));
    for at in 1..=5 {
        mind.apply(&ran(at, &[(at - 1, at)]));
        // Another run had counted the same.
        mind.apply(&ran(at, &[(at - 1, at)]));
        mind.apply(&tick(at));
        mind.drain(minute(at));
    }
    mind.apply(&tick(10));
    mind.drain(minute(10));
    assert_eq!(mind.promises()[0].events, (45, 5));
}

#[test]
fn what_was_counted_ahead_of_time_is_counted_again_when_it_happens() {
    let plan = plan(PAID);
    let mut mind = mind(&plan, minute(0));
    mind.apply(&ran(60, &[(0, 60)]));
    assert_eq!(mind.cursor("paid"), Some(minute(60)));
    mind.drain(minute(60));
    mind.apply(&Fact { at: minute(5), what: What::ClockSet { by_ms: -55 * 60_000 } });
    assert_eq!(mind.cursor("paid"), Some(minute(5)));
    let cursors = mind.drain(minute(5)).batch.cursors;
    assert_eq!(cursors, [CursorRow { check: "paid".into(), to: minute(5) }]);
    mind.apply(&ran(6, &[(5, 6)]));
    assert_eq!(mind.cursor("paid"), Some(minute(6)));
}

#[test]
fn an_objective_that_comes_back_by_a_reload_knows_what_it_knew() {
    let plan_with = plan(PAID);
    let mut mind = mind(&plan_with, minute(0));
    mind.apply(&ran(5, &[(0, 5)]));
    let without = plan("");
    mind.replan(without.checks.iter().map(|check| &**check), without.alerting.clone());
    assert!(mind.promises().is_empty());
    mind.replan(plan_with.checks.iter().map(|check| &**check), plan_with.alerting.clone());
    mind.apply(&tick(6));
    let standing = mind.promises()[0].standing.clone().expect("judged");
    assert_eq!((standing.good, standing.total), (9, 10));
}
