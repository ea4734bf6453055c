//! The same history judged by our engine and by a real Prometheus: the same burn rates, and with the rules for few
//! events off the same verdict at every minute.
//!
//! Prometheus is given the count of each minute as a sample in the middle of its minute and is asked at the minute's
//! end, so that a range of `w` minutes holds exactly the last `w` minutes.

use super::support::prometheus::Prometheus;
use atalaya::alert::{Severity, Verdict};
use atalaya::config::Place;
use atalaya::config::alerting::{Alerting, Indicator, Objective, Rule};
use atalaya::export::rules;
use atalaya::fact::Ran;
use atalaya::judge::{Standing, Tracker};
use atalaya::outcome::Status;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

const START: u32 = 29_439_360;
const MINUTES: u32 = 32 * 1440;
const DAYS: u32 = 28;

/// What a minute saw; `None`: nobody looked.
type Seen = Option<(u32, u32)>;

/// A month with quiet nights, errors of all sizes and lengths, minutes without any event, and two gaps.
fn history() -> Vec<Seen> {
    let mut random = fastrand::Rng::with_seed(28);
    let errors = [
        (600, 10, 0.15),
        (3000, 4, 1.0),
        (5200, 25, 1.0),
        (7000, 200, 0.3),
        (9000, 700, 0.05),
        (13_000, 3000, 0.012),
        (20_000, 90, 0.6),
        (24_000, 1, 1.0),
        (30_000, 6000, 0.03),
        (41_000, 45, 1.0),
        (43_500, 400, 0.2),
    ];
    let gaps = [(5210, 5), (16_000, 180), (41_020, 40)];
    let within = |minute: u32, from: u32, length: u32| (from..from + length).contains(&minute);
    let mut month = Vec::new();
    for minute in 0..MINUTES {
        let failing = errors
            .iter()
            .filter(|(from, length, _)| within(minute, *from, *length))
            .map(|(.., share)| *share);
        let failing = failing.fold(0.0005, f64::max);
        let events = if minute % 1440 < 360 { random.u32(0..2) } else { random.u32(0..8) };
        let bad = (0..events).filter(|_| random.f64() < failing).count() as u32;
        let looked = !gaps.iter().any(|(from, length)| within(minute, *from, *length));
        month.push(looked.then_some((events - bad, bad)));
    }
    month
}

fn openmetrics(history: &[Seen]) -> String {
    let mut text = String::new();
    for (name, of) in
        [("bad", (|(_, bad)| bad) as fn((u32, u32)) -> u32), ("total", |(good, bad)| good + bad)]
    {
        writeln!(text, "# TYPE {name} gauge").expect("text");
        for (minute, seen) in (START..).zip(history) {
            if let Some(seen) = seen {
                let second = i64::from(minute) * 60 + 30;
                writeln!(text, "{name} {} {second}", of(*seen)).expect("text");
            }
        }
    }
    text + "# EOF\n"
}

fn objective(ppm: u32) -> Objective {
    let check: Arc<str> = "requests".into();
    let hours = |hours: &[u64]| hours.iter().copied().map(Duration::from_hours).collect();
    Objective {
        name: "promise".into(),
        title: "Requests".to_owned(),
        section: "site".to_owned(),
        description: None,
        objective_ppm: ppm,
        window: Duration::from_hours(24 * u64::from(DAYS)),
        indicator: Indicator::Latency { check: Arc::clone(&check), below: Duration::from_millis(500) },
        instead: None,
        until_heard: None,
        every: BTreeMap::from([(check, Duration::from_secs(5))]),
        rule: Rule::BurnRate,
        page: vec!["somebody".into()],
        ticket: vec!["somebody".into()],
        info: Vec::new(),
        page_windows: hours(&[1, 6]),
        ticket_windows: hours(&[24, 72]),
        low_traffic: false,
        drought: false,
        excludes_maintenance: true,
        report: None,
        runbook: None,
        place: Place { file: "alerts/promise.toml".into(), line: 1, column: 1 },
        generation: 1,
    }
}

/// Our own judgement at the end of each minute: by the second at which Prometheus is asked for the same.
fn judged(ppm: u32, history: &[Seen]) -> BTreeMap<i64, Standing> {
    judged_by(objective(ppm), history)
}

fn judged_by(objective: Objective, history: &[Seen]) -> BTreeMap<i64, Standing> {
    let mut tracker = Tracker::new(Arc::new(objective), [], []);
    let run = |status| Ran {
        check: "requests".into(),
        status,
        took_us: 1000,
        class: None,
        text: String::new(),
        measures: BTreeMap::new(),
        counted: Vec::new(),
    };
    let (good, bad) = (run(Status::Ok), run(Status::Failed));
    let mut standings = BTreeMap::new();
    for (minute, seen) in (START..).zip(history) {
        let begins = i64::from(minute) * 60;
        let at = |second| Timestamp::from_second(begins + second).expect("a time");
        let (goods, bads) = seen.unwrap_or((0, 0));
        for ran in std::iter::repeat_n(&good, goods as usize).chain(std::iter::repeat_n(&bad, bads as usize))
        {
            tracker.ran(at(20), ran, false);
        }
        standings.insert(begins + 60, tracker.evaluate(at(59)));
    }
    standings
}

fn ratio(window: &str) -> String {
    format!("(sum_over_time(bad[{window}]) / sum_over_time(total[{window}]))")
}

/// The rule of the workbook: (long, short, share of the budget in percent) of each pair.
fn rule(budget: f64, pairs: [(&str, &str, f64, f64); 2]) -> String {
    let pair = |(long, short, hours, percent): (&str, &str, f64, f64)| {
        let burn = percent / 100.0 * f64::from(DAYS) * 24.0 / hours;
        format!("({} > {burn} * {budget} and {} > {burn} * {budget})", ratio(long), ratio(short))
    };
    format!("{} or {}", pair(pairs[0]), pair(pairs[1]))
}

/// At every minute up to windows of six hours; what takes Prometheus longer, less often.
fn check_burns(prometheus: &Prometheus, standings: &BTreeMap<i64, Standing>, budget: f64) {
    let windows = [
        ("5m", 60),
        ("30m", 60),
        ("1h", 60),
        ("2h", 60),
        ("6h", 60),
        ("1d", 300),
        ("3d", 900),
        ("28d", 7200),
    ];
    let (first, last) = (i64::from(START) * 60 + 60, i64::from(START + MINUTES) * 60);
    for (at, (window, step)) in windows.into_iter().enumerate() {
        let found = prometheus.range(&format!("{} / {budget}", ratio(window)), first, last, step);
        let mut compared = 0;
        for second in (first..=last).step_by(step as usize) {
            let ours = standings[&second].burns[at].rate;
            // Nothing in nothing is no number there.
            let theirs = found.get(&second).copied().filter(|rate| !rate.is_nan());
            match (ours, theirs) {
                (Some(ours), Some(theirs)) => {
                    assert!(
                        (ours - theirs).abs() <= 1e-9 * theirs.max(1.0),
                        "{window} at {second}: {ours}, not {theirs}"
                    );
                    compared += 1;
                }
                (ours, theirs) => assert_eq!(ours, theirs, "{window} at {second}"),
            }
        }
        assert!(compared > 300, "{window}: only {compared} compared");
    }
}

fn check_verdicts(prometheus: &Prometheus, standings: &BTreeMap<i64, Standing>, severity: usize, rule: &str) {
    let (first, last) = (i64::from(START) * 60 + 60, i64::from(START + MINUTES) * 60);
    let fires = prometheus.range(rule, first, last, 60);
    let mut changes = 0;
    let mut before = false;
    for (second, standing) in standings {
        let (ours, theirs) = (standing.conditions[severity].verdict, fires.contains_key(second));
        assert_eq!(ours == Verdict::Firing, theirs, "at {second}, {ours:?}: {rule}\n{standing:?}");
        changes += u32::from(theirs != before);
        before = theirs;
    }
    assert!(changes >= 8, "only {changes} changes in the history");
    let short = [[0, 1], [3, 4]][severity];
    let gap = |standing: &Standing| short.iter().any(|window| standing.burns[*window].coverage < 0.9);
    let mut unknown = 0;
    for (second, standing) in standings {
        if standing.conditions[severity].verdict == Verdict::Unknown {
            unknown += 1;
            assert!(gap(standing), "at {second} somebody looked: {standing:?}");
        }
    }
    assert!(unknown > 0, "the gaps show");
}

#[test]
fn a_real_prometheus_judges_the_same() {
    let history = history();
    let prometheus = Prometheus::remembering("slo-prometheus", &openmetrics(&history));
    let pages = [("1h", "5m", 1.0, 2.0), ("6h", "30m", 6.0, 5.0)];
    let tickets = [("1d", "2h", 24.0, 10.0), ("3d", "6h", 72.0, 10.0)];
    let (tight, loose) = (judged(999_000, &history), judged(980_000, &history));
    check_burns(&prometheus, &tight, 0.001);
    check_verdicts(&prometheus, &tight, 0, &rule(0.001, pages));
    check_verdicts(&prometheus, &tight, 1, &rule(0.001, tickets));
    check_verdicts(&prometheus, &loose, 0, &rule(0.02, pages));
}

/// The alert of a severity out of the rule files, asked of the raw counts: what it takes from recorded series is put in
/// its place, and what the agent exports of a window is summed by Prometheus itself.
fn exported(objective: &Objective, severity: Severity) -> String {
    let alerting = Alerting { objectives: vec![Arc::new(objective.clone())], ..Alerting::default() };
    let groups = rules::of_objectives(&alerting);
    let alerts = groups.iter().flat_map(|group| &group.alerts);
    let burns = |alert: &&rules::Alert| alert.name == "ErrorBudgetBurn" && alert.severity == severity;
    let mut expr = alerts.clone().find(burns).expect("an alert").expr.clone();
    for record in groups.iter().flat_map(|group| &group.records) {
        expr = expr
            .replace(&format!("{}{{sloth_id=\"site-promise\"}}", record.name), &format!("({})", record.expr));
    }
    let windows = [
        ("5m", 5),
        ("30m", 30),
        ("1h", 60),
        ("2h", 120),
        ("6h", 360),
        ("1d", 1440),
        ("3d", 4320),
        ("28d", 40_320),
    ];
    for (window, minutes) in windows {
        let of = |family: &str, more: &str| {
            format!("atalaya_slo_{family}{{slo=\"promise\", window=\"{window}\"{more}}}")
        };
        let sums = [
            (
                format!("sum({})", of("window_events", ", result=\"bad\"")),
                format!("sum_over_time(bad[{window}])"),
            ),
            (format!("sum({})", of("window_events", "")), format!("sum_over_time(total[{window}])")),
            (
                format!("max({})", of("coverage_ratio", "")),
                format!("(count_over_time(total[{window}]) / {minutes})"),
            ),
        ];
        for (ours, raw) in sums {
            expr = expr.replace(&ours, &raw);
        }
    }
    assert!(!expr.contains("slo_") && !expr.contains("slo:"), "all of it is raw: {expr}");
    expr
}

/// For the same month the rule files and the judge say the same at every minute.
#[test]
fn the_exported_rules_judge_the_same() {
    let history = history();
    let prometheus = Prometheus::remembering("slo-exported", &openmetrics(&history));
    for ppm in [999_000, 980_000] {
        let standings = judged(ppm, &history);
        check_verdicts(&prometheus, &standings, 0, &exported(&objective(ppm), Severity::Page));
        if ppm == 999_000 {
            check_verdicts(&prometheus, &standings, 1, &exported(&objective(ppm), Severity::Ticket));
        }
    }
}

/// Minutes, with the rules for few events: three bad ones at least, and what was not measured is taken for good.
#[test]
fn the_exported_rules_judge_availability_the_same() {
    let history: Vec<Seen> = history()
        .into_iter()
        .map(|seen| {
            seen.map(|(good, bad)| (u32::from(bad == 0 || good > 0), u32::from(bad > 0 && good == 0)))
        })
        .collect();
    let checks = vec!["requests".into()];
    let uptime = Objective {
        indicator: Indicator::Availability { checks },
        instead: None,
        until_heard: None,
        low_traffic: true,
        every: BTreeMap::from([("requests".into(), Duration::from_mins(1))]),
        ..objective(999_000)
    };
    let standings = judged_by(uptime.clone(), &history);
    let prometheus = Prometheus::remembering("slo-exported-availability", &openmetrics(&history));
    let fires = |severity| {
        prometheus.range(
            &exported(&uptime, severity),
            i64::from(START) * 60 + 60,
            i64::from(START + MINUTES) * 60,
            60,
        )
    };
    for (at, severity) in [(0, Severity::Page), (1, Severity::Ticket)] {
        let (fires, mut changes, mut before) = (fires(severity), 0, false);
        for (second, standing) in &standings {
            let (ours, theirs) =
                (standing.conditions[at].verdict == Verdict::Firing, fires.contains_key(second));
            assert_eq!(ours, theirs, "{severity} at {second}: {standing:?}");
            changes += u32::from(theirs != before);
            before = theirs;
        }
        assert!(changes >= 4, "only {changes} changes of {severity}");
    }
}
