//! Which minutes are good, bad or not measured, by the kind of the indicator.

use super::*;
use crate::alert::Verdict;

const M: u32 = START;

/// What each minute from `M` on is: `+` good, `-` bad, `.` measured without events, `x` excluded, blank unmeasured.
fn picture(tracker: &mut Tracker, minutes: u32) -> String {
    let (slices, _) = tracker.take_changed();
    let letter = |minute| match slices.iter().find(|slice| slice.minute == minute) {
        None => ' ',
        Some(Slice { excluded: true, .. }) => 'x',
        Some(Slice { bad: 1.., .. }) => '-',
        Some(Slice { good: 1.., .. }) => '+',
        Some(_) => '.',
    };
    (M..M + minutes).map(letter).collect()
}

/// Runs as (seconds since `M`, how it ended), each for the check `check` unless another is named.
fn play(objective: Objective, runs: &[(u32, Status)], minutes: u32) -> String {
    let mut tracker = Tracker::new(Arc::new(objective), [], []);
    for (second, status) in runs {
        tracker.ran(at(M + second / 60, second % 60), &run(*status, 100), false);
    }
    tracker.evaluate(at(M + minutes, 0));
    picture(&mut tracker, minutes)
}

fn every(kind: &str, seconds: u64) -> Objective {
    let mut objective = objective(kind, 99.9, 28);
    objective.every.insert("check".into(), Duration::from_secs(seconds));
    objective
}

#[test]
fn a_minute_is_bad_where_half_of_its_known_runs_failed() {
    use Status::{Degraded, Failed, Ok, Unknown};
    let runs = [
        (0, Ok),
        (15, Failed),
        (30, Degraded),
        (45, Ok),
        (60, Ok),
        (75, Failed),
        (90, Failed),
        (105, Degraded),
        (120, Unknown),
        (135, Failed),
        (150, Unknown),
        (165, Ok),
        (180, Unknown),
        (195, Unknown),
        (210, Unknown),
        (225, Unknown),
        (285, Ok),
    ];
    assert_eq!(play(every("availability", 15), &runs, 6), "+-- + ");
}

#[test]
fn a_result_holds_until_the_next_run_is_due() {
    use Status::{Failed, Ok, Unknown};
    // Every five minutes: each tells of five; then one never comes; then one tells nothing.
    let runs = [(10, Ok), (311, Failed), (600, Ok), (1500, Ok), (1510, Unknown)];
    assert_eq!(play(every("availability", 300), &runs, 28), "+++++-----+++++          +  ");
    // Runs of a check are events once, and the minutes until the next one are measured.
    assert_eq!(play(every("latency", 300), &runs[..3], 16), "+....-....+.... ");
    // Each minute, just before its end and late now and then: no minute is taken for unmeasured.
    let late: Vec<(u32, Status)> = [59, 119, 181, 240, 299].map(|second| (second, Ok)).to_vec();
    assert_eq!(play(every("availability", 60), &late, 6), "++++++");
}

#[test]
fn the_current_minute_counts_as_soon_as_it_has_a_run() {
    let mut tracker = Tracker::new(Arc::new(every("availability", 60)), alike(M - 300..M, 1, 0), []);
    let coverage = |tracker: &mut Tracker, second| tracker.evaluate(at(M, second)).burns[0].coverage;
    assert_eq!(coverage(&mut tracker, 1), 1.0);
    tracker.ran(at(M, 2), &run(Status::Failed, 100), false);
    let standing = tracker.evaluate(at(M, 2));
    assert_eq!((standing.burns[0].bad, standing.burns[0].good, standing.burns[0].coverage), (1, 4, 1.0));
    assert_eq!(picture(&mut tracker, 1), "-");
}

#[test]
fn any_checks_bad_minute_is_the_objectives() {
    let mut objective = every("availability", 60);
    objective.indicator = Indicator::Availability { checks: vec!["check".into(), "other".into()] };
    let mut tracker = Tracker::new(Arc::new(objective), [], []);
    let mut ran = |minute: u32, name: &str, status| {
        tracker.ran(at(M + minute, 20), &Ran { check: name.into(), ..run(status, 1) }, false);
    };
    ran(0, "check", Status::Ok);
    ran(0, "other", Status::Ok);
    ran(1, "check", Status::Ok);
    ran(1, "other", Status::Failed);
    ran(2, "check", Status::Failed);
    ran(3, "check", Status::Ok);
    ran(4, "somebody-elses", Status::Failed);
    tracker.evaluate(at(M + 5, 0));
    assert_eq!(picture(&mut tracker, 5), "+--  ", "one bad is enough, one good is not");
}

#[test]
fn a_minute_that_was_bad_before_a_restart_stays_bad() {
    let last = Slice { minute: M, good: 0, bad: 1, excluded: false };
    let mut tracker = Tracker::new(Arc::new(every("availability", 15)), [last], []);
    tracker.ran(at(M, 50), &run(Status::Ok, 1), false);
    tracker.ran(at(M + 1, 5), &run(Status::Ok, 1), false);
    let standing = tracker.evaluate(at(M + 1, 5));
    assert_eq!((standing.good, standing.total), (1, 2));
}

#[test]
fn slow_failed_and_out_of_bounds_runs_are_bad() {
    let mut tracker = Tracker::new(Arc::new(every("latency", 60)), [], []);
    for (minute, (status, took)) in
        [(Status::Ok, 500), (Status::Degraded, 501), (Status::Failed, 1), (Status::Unknown, 1)]
            .into_iter()
            .enumerate()
    {
        tracker.ran(at(M + minute as u32, 0), &run(status, took), false);
    }
    assert_eq!(picture(&mut tracker, 4), "+-- ");

    let mut objective = every("latency", 60);
    let good = crate::config::value::Bound::try_from("< 0.8".to_owned()).expect("a bound");
    objective.indicator = Indicator::Measure { check: "check".into(), measure: "used_ratio".into(), good };
    let mut tracker = Tracker::new(Arc::new(objective), [], []);
    let used = |ratio: f64, status| Ran {
        measures: BTreeMap::from([("used_ratio".into(), ratio)]),
        ..run(status, 1)
    };
    for (minute, ran) in
        [used(0.7, Status::Ok), used(0.8, Status::Ok), used(0.7, Status::Failed), run(Status::Ok, 1)]
            .iter()
            .enumerate()
    {
        tracker.ran(at(M + minute as u32, 0), ran, false);
    }
    assert_eq!(picture(&mut tracker, 4), "+-- ");
}

#[test]
fn what_is_counted_is_booked_where_and_once() {
    let mut tracker = Tracker::new(Arc::new(every("counts", 60)), [], []);
    let mut count = |from: (u32, u32), to: (u32, u32), good, bad| {
        let (from, to) = (at(M + from.0, from.1), at(M + to.0, to.1));
        tracker.ran(at(M + 20, 0), &counted(from, to, good, bad), false);
    };
    count((0, 0), (0, 30), 1.0, 0.0);
    count((0, 30), (1, 0), 0.0, 2.0);
    count((1, 0), (5, 0), 3.0, 0.0);
    // Again, and one that reaches back into what is booked: never twice.
    count((1, 0), (5, 0), 3.0, 0.0);
    count((4, 0), (6, 0), 9.0, 9.0);
    // No counts at all: nothing is booked, and nothing is counted again.
    count((5, 0), (6, 0), -1.0, 0.0);
    count((6, 0), (7, 0), 0.5, 0.0);
    count((7, 0), (8, 0), f64::NAN, 0.0);
    count((8, 0), (9, 0), 1e300, 0.0);
    count((10, 0), (9, 0), 1.0, 0.0);
    count((9, 0), (10, 0), 7.0, 0.0);
    let standing = tracker.evaluate(at(M + 20, 0));
    assert_eq!((standing.good, standing.total), (11, 13));
    assert_eq!(picture(&mut tracker, 11), "-...+    + ");
    assert!(
        standing.notes.iter().any(|note| note == "column `good` is 0.5, which is no count"),
        "{:?}",
        standing.notes
    );
    let values = BTreeMap::from([("good".into(), 1.0)]);
    let part = Counted { from: at(M + 10, 0), to: at(M + 11, 0), settled_s: 0, values };
    tracker.ran(at(M + 20, 0), &Ran { counted: vec![part], ..run(Status::Ok, 1) }, false);
    let notes = tracker.evaluate(at(M + 20, 0)).notes;
    assert_eq!(notes.last().map(String::as_str), Some("the query yields no column `bad`"));
}

#[test]
fn bad_ones_that_are_no_part_of_the_total_find_their_total_later() {
    let mut objective = every("counts", 60);
    let counts = Counts::BadOfTotal { bad: "bad".into(), total: "good".into() };
    objective.indicator = Indicator::Counts { check: "check".into(), counts };
    let mut tracker = Tracker::new(Arc::new(objective), [], []);
    for (minute, (total, bad)) in [(0.0, 2.0), (1.0, 0.0), (10.0, 1.0), (0.0, 0.0)].into_iter().enumerate() {
        let minute = M + minute as u32;
        tracker.ran(at(minute + 1, 0), &counted(at(minute, 0), at(minute + 1, 0), total, bad), false);
    }
    let standing = tracker.evaluate(at(M + 4, 0));
    assert_eq!((standing.total - standing.good, standing.total), (3, 11));
}

#[test]
fn maintenance_is_left_out_or_counted_as_the_objective_says() {
    let standing = |excludes: bool| {
        let mut objective = every("availability", 60);
        objective.excludes_maintenance = excludes;
        let mut tracker = Tracker::new(Arc::new(objective), alike(M - 55..M, 1, 0), []);
        for minute in 0..5 {
            tracker.ran(at(M + minute, 0), &run(Status::Failed, 1), true);
        }
        tracker.evaluate(at(M + 4, 30))
    };
    let (without, with) = (standing(true), standing(false));
    assert_eq!((without.good, without.total, without.raw_good, without.raw_total), (55, 55, 55, 60));
    assert_eq!((with.good, with.total, with.raw_total), (55, 60, 60));
    assert_eq!(with.conditions[0].verdict, Verdict::Firing);
    // In the short window nothing counts: what was before holds.
    assert_eq!(without.conditions[0].verdict, Verdict::Unknown);
    assert_eq!(without.burns[2].coverage, 1.0);
}

#[test]
fn another_window_recomputes_and_another_indicator_begins_anew() {
    let mut tracker = Tracker::new(Arc::new(every("availability", 60)), alike(M - 9 * 1440..M, 1, 0), []);
    assert_eq!(tracker.evaluate(at(M, 0)).total, 9 * 1440);
    let mut shorter = every("availability", 60);
    shorter.window = Duration::from_hours(7 * 24);
    tracker.replan(Arc::new(shorter.clone()));
    let standing = tracker.evaluate(at(M, 0));
    assert_eq!(
        (standing.total, standing.burns.last().map(|burn| burn.window)),
        (7 * 1440 - 1, Some(shorter.window))
    );
    shorter.generation = 2;
    tracker.replan(Arc::new(shorter));
    let standing = tracker.evaluate(at(M, 0));
    assert_eq!((standing.total, standing.state), (0, State::Unknown));
}

#[test]
fn a_minute_that_began_badly_and_of_which_not_all_is_known_is_not_bad() {
    use Status::{Failed, Ok};
    let mut two = every("availability", 15);
    two.indicator = Indicator::Availability { checks: vec!["check".into(), "rare".into()] };
    two.every.insert("rare".into(), Duration::from_mins(5));
    // One of four runs failed, the first one; of the other check nothing is known.
    assert_eq!(play(two, &[(0, Failed), (15, Ok), (30, Ok), (45, Ok)], 2), ". ");
}
