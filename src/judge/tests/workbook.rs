//! The tables of detection and reset: after how long an outage of a given size is told, and after how long its end.

use super::*;
use crate::alert::{Severity, Verdict};

const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;
/// Constant traffic, so much of it that every share is exact.
const EVENTS: f64 = 20_000.0;
/// The sums move with slices of a minute.
const SLICE: f64 = 60.0;

/// Plain rules over 30 days with one tier: (1h, 6h, 24h, 72h).
fn tracker(promise: f64, long_hours: u64) -> Tracker {
    let mut objective = objective("counts", promise, 30);
    objective.low_traffic = false;
    let windows = vec![Duration::from_hours(long_hours)];
    if long_hours < 24 {
        (objective.page_windows, objective.ticket) = (windows, Vec::new());
    } else {
        (objective.ticket_windows, objective.page) = (windows, Vec::new());
    }
    let history = alike(START - 4 * DAY..START, (EVENTS * 4.0) as u32, 0);
    Tracker::new(Arc::new(objective), history, [])
}

/// Everything is good up to START; from then on a share is bad, until `until` (seconds); then all is good again. Gives
/// the seconds of the first tick that fires, and of the first after it that is healthy again.
fn outage(
    tracker: &mut Tracker,
    share: f64,
    until: u32,
    horizon: u32,
    tick: u32,
) -> (Option<u32>, Option<u32>) {
    let moment = |second: u32| at(START + second / 60, second % 60);
    let (mut fired, mut over) = (None, None);
    let events = EVENTS * f64::from(tick) / 15.0;
    let mut second = 0;
    while second < horizon && over.is_none() {
        let bad = if second < until { (events * share).round() } else { 0.0 };
        let counted = counted(moment(second), moment(second + tick), events - bad, bad);
        second += tick;
        tracker.ran(moment(second), &counted, false);
        let standing = tracker.evaluate(moment(second));
        let verdict = standing.conditions[0].verdict;
        assert_ne!(verdict, Verdict::Unknown, "all is measured: {standing:?}");
        match (verdict, fired) {
            (Verdict::Firing, None) => fired = Some(second),
            (Verdict::Healthy, Some(_)) => over = Some(second),
            _ => {}
        }
    }
    (fired, over)
}

/// Detection of one tier in seconds; `None`: never, though it goes on for twice the long window.
fn check_detection(promise: f64, long_hours: u64, share: f64, expected: Option<f64>) {
    let tick = if long_hours < 24 { 15 } else { 60 };
    let horizon = expected.map_or(long_hours as u32 * 7200, |expected| expected as u32 + 300);
    let (fired, _) = outage(&mut tracker(promise, long_hours), share, u32::MAX, horizon, tick);
    let what = format!("{promise} %, {long_hours} h, {share} bad: {fired:?} s instead of {expected:?}");
    match (fired.map(f64::from), expected) {
        (Some(fired), Some(expected)) => assert!((fired - expected).abs() <= SLICE, "{what}"),
        (fired, expected) => assert_eq!(fired, expected, "{what}"),
    }
}

/// Reset of one tier: seconds after the errors stop, of an outage longer than the short window that fires.
fn check_reset(promise: f64, long_hours: u64, share: f64, expected: f64) {
    let short = long_hours as u32 * 300;
    let tier = tracker(promise, long_hours);
    let threshold = expected_threshold(&tier);
    let detected = (long_hours as f64 * 3600.0 * threshold / share) as u32;
    // On a whole minute, so that the end does not share a slice with what comes after it.
    let until = (detected.max(short) / 60 + 3) * 60;
    let mut tier = tier;
    let tick = if long_hours < 24 { 15 } else { 60 };
    let (fired, over) = outage(&mut tier, share, until, until + short + 600, tick);
    let reset = f64::from(over.expect("it ends") - until);
    assert!(fired.is_some_and(|fired| fired <= until), "fires before it is over");
    assert!(
        (reset - expected).abs() <= SLICE,
        "{promise} %, {long_hours} h, {share} bad: {reset} s after the end, not {expected}"
    );
}

fn expected_threshold(tracker: &Tracker) -> f64 {
    let tiers =
        [Severity::Page, Severity::Ticket].map(|severity| rule::tier::tiers(tracker.objective(), severity));
    tiers.concat()[0].threshold.ratio()
}

fn time(text: &str) -> Option<f64> {
    (text != "never").then(|| humantime::parse_duration(text).expect("a time").as_secs_f64())
}

#[test]
fn three_nines_are_told_in_the_time_of_the_table() {
    let rows = [
        (1.0, ["51s 840ms", "2m 9s 600ms", "4m 19s 200ms", "4m 19s 200ms"]),
        (0.5, ["1m 43s 700ms", "4m 19s 200ms", "8m 38s 400ms", "8m 38s 400ms"]),
        (0.15, ["5m 45s 600ms", "14m 24s", "28m 48s", "28m 48s"]),
        (0.1, ["8m 38s 400ms", "21m 36s", "43m 12s", "43m 12s"]),
        (0.05, ["17m 16s 800ms", "43m 12s", "1h 26m 24s", "1h 26m 24s"]),
        (0.02, ["43m 12s", "1h 48m", "3h 36m", "3h 36m"]),
        (0.015, ["57m 36s", "2h 24m", "4h 48m", "4h 48m"]),
        (0.01, ["never", "3h 36m", "7h 12m", "7h 12m"]),
        (0.005, ["never", "never", "14h 24m", "14h 24m"]),
        (0.002, ["never", "never", "never", "36h"]),
        (0.001, ["never", "never", "never", "never"]),
    ];
    for (share, expected) in rows {
        for (long_hours, expected) in [1, 6, 24, 72].into_iter().zip(expected) {
            check_detection(99.9, long_hours, share, time(expected));
        }
    }
}

#[test]
fn three_nines_end_in_the_time_of_the_table() {
    let rows = [
        (1.0, 1, "4m 55s 700ms"),
        (1.0, 6, "29m 49s 200ms"),
        (1.0, 24, "1h 59m 38s"),
        (1.0, 72, "5h 59m 38s"),
        (0.5, 1, "4m 51s 400ms"),
        (0.5, 6, "29m 38s 400ms"),
        (0.15, 1, "4m 31s 200ms"),
        (0.15, 6, "28m 48s"),
        (0.1, 1, "4m 16s 800ms"),
        (0.1, 6, "28m 12s"),
        (0.05, 1, "3m 33s 600ms"),
        (0.05, 6, "26m 24s"),
        (0.02, 1, "1m 24s"),
        (0.02, 6, "21m"),
        (0.02, 24, "1h 42m"),
        (0.02, 72, "5h 42m"),
        (0.015, 1, "12s"),
        (0.015, 6, "18m"),
        (0.01, 6, "12m"),
        (0.005, 24, "48m"),
        (0.005, 72, "4h 48m"),
        (0.002, 72, "3h"),
    ];
    for (share, long_hours, expected) in rows {
        check_reset(99.9, long_hours, share, time(expected).expect("a time"));
    }
}

#[test]
fn looser_promises_are_told_in_the_time_of_the_table() {
    let rows: [(f64, f64, [&str; 4]); 5] = [
        (98.0, 1.0, ["17m 16s 800ms", "43m 12s", "1h 26m 24s", "1h 26m 24s"]),
        (98.0, 0.5, ["34m 33s 600ms", "1h 26m 24s", "2h 52m 48s", "2h 52m 48s"]),
        (98.0, 0.3, ["57m 36s", "2h 24m", "4h 48m", "4h 48m"]),
        (98.0, 0.2, ["never", "3h 36m", "7h 12m", "7h 12m"]),
        (98.0, 0.1, ["never", "never", "14h 24m", "14h 24m"]),
    ];
    for (promise, share, expected) in rows {
        for (long_hours, expected) in [1, 6, 24, 72].into_iter().zip(expected) {
            check_detection(promise, long_hours, share, time(expected));
        }
    }
    for (long_hours, expected) in [(1, "never"), (6, "never"), (24, "never"), (72, "28h 48m")] {
        check_detection(98.0, long_hours, 0.05, time(expected));
    }
}

/// As in the table where no threshold is capped. Where it is, everything failing is told at the cap: after 52.5 % and
/// 57.5 % of the window in place of 72 % or never.
#[test]
fn the_loosest_promises_are_told_at_the_cap() {
    let rows = [
        (95.0, 1, 1.0, "31m 30s"),
        (95.0, 6, 1.0, "1h 48m"),
        (95.0, 24, 1.0, "3h 36m"),
        (95.0, 1, 0.5, "never"),
        (95.0, 6, 0.5, "3h 36m"),
        (95.0, 24, 0.5, "7h 12m"),
        (85.0, 1, 1.0, "34m 30s"),
        (85.0, 6, 1.0, "3h 27m"),
        (85.0, 24, 1.0, "10h 48m"),
    ];
    for (promise, long_hours, share, expected) in rows {
        check_detection(promise, long_hours, share, time(expected));
    }
}

/// 15 % errors for ten minutes: the short window passes at once, the long one after 346 s, and the alert ends 272 s after
/// the errors, while the long window would go on for most of an hour.
#[test]
fn figure_5_6_of_the_workbook() {
    let mut tier = tracker(99.9, 1);
    let (fired, over) = outage(&mut tier, 0.15, 600, 2000, 15);
    let (fired, over) = (f64::from(fired.expect("fires")), f64::from(over.expect("ends")));
    assert!((fired - 346.0).abs() <= SLICE, "{fired}");
    assert!((over - 600.0 - 272.0).abs() <= SLICE, "{over}");
}

/// Facts of the chapter's text, as they come out of the counts.
#[test]
fn anchors_of_the_workbook() {
    let used = |promise: f64, share: f64, minutes: u32| {
        let mut objective = objective("counts", promise, 30);
        objective.low_traffic = false;
        let bad = (10_000.0 * share) as u32;
        let history =
            alike(START - 30 * DAY..START, 10_000, 0).chain(alike(START..START + minutes, 10_000 - bad, bad));
        let mut tracker = Tracker::new(Arc::new(objective), history, []);
        // The counting query has counted up to the end.
        let (from, to) = (at(START + minutes - 1, 0), at(START + minutes, 0));
        tracker.ran(to, &counted(from, to, 0.0, 0.0), false);
        tracker.evaluate(to).consumed.expect("events")
    };
    let check = |used: f64, expected: f64| assert!((used / expected - 1.0).abs() < 1e-9, "{used} {expected}");
    // Everything fails for an hour: 140 % of a month of 99.9 %, 1.4 % of one of 90 %.
    check(used(99.9, 1.0, 60), 60.0 / 43.2);
    check(used(90.0, 1.0, 60), 60.0 / 4320.0);
    // A tenth of a percent for ten minutes: 0.02 %; five minutes of everything: 12 %.
    check(used(99.9, 0.001, 10), 10.0 / 43_200.0);
    check(used(99.9, 1.0, 5), 5.0 / 43.2);
    // Ten percent for an hour burns 100 times as fast: 13.9 %.
    check(used(99.9, 0.1, 60), 100.0 / 720.0);
}
