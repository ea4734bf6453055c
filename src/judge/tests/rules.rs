//! The rules beside burn rates: levels of the budget, gaps, shares, droughts and baselines, through a whole tracker.

use super::*;
use crate::alert::{Severity, Verdict};
use crate::store::Day;

const DAY: u32 = 1440;

/// A tracker of counts with a history, which has just counted up to `START`.
fn counting(objective: Objective, history: impl IntoIterator<Item = Slice>) -> Tracker {
    let mut tracker = Tracker::new(Arc::new(objective), history, []);
    tracker.ran(at(START, 0), &counted(at(START - 1, 0), at(START, 0), 0.0, 0.0), false);
    tracker
}

fn condition(standing: &Standing, name: &str) -> Condition {
    let found = standing.conditions.iter().find(|condition| condition.name == name);
    found.unwrap_or_else(|| panic!("no condition {name} in {standing:?}")).clone()
}

/// A month of 98 % with 10,000 events, so many bad ones long ago, measured in so many of its days.
fn month(bad: u32, days: u32) -> Standing {
    let mut objective = objective("counts", 98.0, 28);
    objective.window = Duration::from_hours(28 * 24);
    let mut slices: Vec<Slice> = alike(START - days * DAY..START, 0, 0).collect();
    slices[100].good = 10_000 * days / 28 - bad;
    slices[110].bad = bad;
    counting(objective, slices).evaluate(at(START, 0))
}

#[test]
fn levels_of_the_budget_are_told_and_armed_again_lower() {
    use Verdict::{Firing, Healthy, Unknown};
    let check = |bad, expected: [Verdict; 3], state: State| {
        let standing = month(bad, 28);
        let verdicts =
            ["budget-50", "budget-75", "budget-100"].map(|name| condition(&standing, name).verdict);
        assert_eq!((verdicts, standing.state), (expected, state), "{bad} bad: {:?}", standing.consumed);
    };
    check(89, [Healthy, Healthy, Healthy], State::Met);
    check(95, [Unknown, Healthy, Healthy], State::Met);
    check(100, [Firing, Healthy, Healthy], State::Met);
    check(145, [Firing, Unknown, Healthy], State::Met);
    check(151, [Firing, Firing, Healthy], State::AtRisk);
    check(199, [Firing, Firing, Unknown], State::AtRisk);
    check(201, [Firing, Firing, Firing], State::Broken);
    let told = condition(&month(201, 28), "budget-100");
    assert_eq!(told.summary, "the promise of 98 % is broken: its error budget of 28 days is used up");
    assert_eq!(
        told.evidence,
        ["201 of 10,000 payments of the last 28 days failed", "the promise allows 200 at this traffic"]
    );
    let told = condition(&month(100, 28), "budget-50");
    assert_eq!(told.summary, "more than 50 % of the error budget of 28 days is used");
    assert_eq!(told.cost.as_deref(), Some("50 % of the error budget of 28 days is used"));
}

/// Half a month of measurement can have used half of what its ratio says: the rest is taken for good.
#[test]
fn what_was_not_measured_is_taken_for_good() {
    let (whole, half) = (month(100, 28).consumed, month(50, 14).consumed);
    assert!((whole.expect("events") - 0.5).abs() < 1e-9);
    assert!((half.expect("events") - 0.25).abs() < 1e-9, "{half:?}");
}

#[test]
fn a_budget_of_less_than_three_events_has_no_levels() {
    let mut slices: Vec<Slice> = alike(START - 28 * DAY..START, 0, 0).collect();
    (slices[0].good, slices[1].bad) = (140, 9);
    let standing = counting(objective("counts", 98.0, 28), slices.clone()).evaluate(at(START, 0));
    assert_ne!(condition(&standing, "budget-100").verdict, Verdict::Firing, "149 events allow 2.98");
    slices[0].good += 1;
    let standing = counting(objective("counts", 98.0, 28), slices).evaluate(at(START, 0));
    assert_eq!(condition(&standing, "budget-100").verdict, Verdict::Firing, "150 events allow 3");
}

#[test]
fn a_day_with_holes_is_a_gap_and_a_young_objective_has_none() {
    let verdict = |from: u32, hole: u32| {
        let slices = alike(START - from..START, 1, 0)
            .filter(|slice| slice.minute < START - 500 - hole || slice.minute >= START - 500);
        let mut tracker = Tracker::new(Arc::new(objective("availability", 99.9, 28)), slices, []);
        condition(&tracker.evaluate(at(START, 0)), "gap")
    };
    assert_eq!(verdict(2 * DAY, 143).verdict, Verdict::Healthy);
    let gap = verdict(2 * DAY, 200);
    assert_eq!(
        (gap.verdict, gap.summary.as_str()),
        (Verdict::Firing, "only 86.1 % of the last day is measured")
    );
    assert_eq!(
        gap.evidence,
        ["nothing is known of 3 hours 20 minutes of it, so nothing is promised about them"]
    );
    assert_eq!(verdict(DAY - 10, 800).verdict, Verdict::Unknown);
    assert_eq!(verdict(2 * DAY, 500).severity, Severity::Ticket);
}

/// A promise that is judged as a share; so many bad of so many over four weeks.
fn share(promise: f64, bad: u32, total: u32, tell: impl Fn(&mut Objective)) -> Standing {
    let mut objective = objective("counts", promise, 28);
    objective.rule = Rule::Share;
    objective.ticket_windows = Vec::new();
    tell(&mut objective);
    let mut slices: Vec<Slice> = alike(START - 28 * DAY..START, 0, 0).collect();
    (slices[10].good, slices[20_000].bad) = (total.saturating_sub(bad), bad);
    counting(objective, slices).evaluate(at(START, 0))
}

#[test]
fn support_tickets_are_told_where_chance_does_not_explain_them() {
    let verdict = |bad, total| condition(&share(98.0, bad, total, |_| ()), "ticket").verdict;
    // The smallest k of 50, 100, 1000 with a chance of at most 1e-3 under 2 %.
    for (total, least) in [(50, 6), (100, 8), (1000, 36)] {
        assert_eq!(
            (verdict(least - 1, total), verdict(least, total)),
            (Verdict::Healthy, Verdict::Firing),
            "of {total}"
        );
    }
    let standing = share(98.0, 40, 1000, |_| ());
    let told = condition(&standing, "ticket");
    assert_eq!(told.summary, "96 % instead of the 98 % promised");
    assert!(
        told.evidence[0].starts_with("40 of 1,000 payments of the last 28 days failed; under a 98 % promise")
    );
    assert_eq!((standing.state, standing.consumed), (State::Broken, None), "no budget");
    let names: Vec<&str> = standing.conditions.iter().map(|condition| condition.name).collect();
    assert_eq!(names, ["ticket", "info", "gap"]);
    // More tickets than orders, and over its own window.
    assert_eq!(verdict(9, 3), Verdict::Firing);
    let week = share(98.0, 40, 1000, |objective| objective.ticket_windows = vec![Duration::from_hours(168)]);
    assert_eq!(condition(&week, "ticket").verdict, Verdict::Healthy, "nothing happened in the last week");
}

#[test]
fn returning_customers_are_told_where_the_promise_is_out_of_reach() {
    let verdict = |good: u32, total: u32| {
        let standing = share(30.0, total - good, total, |objective| objective.ticket = Vec::new());
        let verdict = condition(&standing, "info").verdict;
        (verdict, standing.state)
    };
    assert_eq!(verdict(30, 100), (Verdict::Healthy, State::Met));
    assert_eq!(verdict(25, 100), (Verdict::Healthy, State::AtRisk));
    assert_eq!(verdict(20, 100), (Verdict::Firing, State::Broken));
    assert_eq!(verdict(0, 49), (Verdict::Healthy, State::AtRisk), "too few to tell");
    assert_eq!(verdict(0, 50), (Verdict::Firing, State::Broken));
}

/// Four weeks of a shop that sells ten an hour from 8 to 20 where it is, then silence from a minute on.
fn drought(zone: &str, from: u32, until: u32) -> Condition {
    let mut objective = objective("counts", 98.0, 28);
    objective.drought = true;
    objective.report = Some(jiff::tz::TimeZone::get(zone).expect("a zone"));
    let zone = objective.report.clone().expect("a zone");
    let events = |minute: u32| {
        let open = (8..20).contains(&at(minute, 0).to_zoned(zone.clone()).hour());
        u32::from(open && minute.is_multiple_of(6) && minute < from)
    };
    let slices = (from - 28 * DAY..until).map(|minute| Slice {
        minute,
        good: events(minute),
        bad: 0,
        excluded: false,
    });
    let mut tracker = Tracker::new(Arc::new(objective), slices, []);
    tracker.ran(at(until + 1, 0), &counted(at(until, 0), at(until + 1, 0), 0.0, 0.0), false);
    condition(&tracker.evaluate(at(until + 1, 0)), "drought")
}

#[test]
fn silence_at_noon_is_a_drought_and_at_night_it_is_not() {
    let noon = START + 12 * 60;
    // Seven an hour are sure: a ticket after about 59 minutes, a page after 79.
    let severity = |minutes| {
        let found = drought("UTC", noon, noon + minutes);
        (found.verdict == Verdict::Firing).then_some(found.severity)
    };
    assert_eq!(severity(50), None);
    assert_eq!(severity(66), Some(Severity::Ticket));
    assert_eq!(severity(90), Some(Severity::Page));
    let told = drought("UTC", noon, noon + 120);
    assert!(told.summary.starts_with("no payments in 2 hours"), "{}", told.summary);
    assert!(told.evidence[0].contains("are usual; that happens by chance once in"), "{:?}", told.evidence);
    // From closing time until the shop opens nothing is missing.
    let evening = START + 20 * 60;
    assert_eq!(drought("UTC", evening, evening + 11 * 60).verdict, Verdict::Healthy);
    // An hour into a morning without anybody.
    assert_eq!(drought("UTC", evening, evening + 14 * 60).verdict, Verdict::Firing);
}

/// Clocks in Los Angeles are set on March 8, 2026: the hour before opening is not a silent hour of an open shop.
#[test]
fn a_drought_knows_when_the_clocks_are_set() {
    let monday_four_pm =
        u32::try_from("2026-03-09T15:55:00Z".parse::<Timestamp>().expect("a time").as_second() / 60);
    let opening = monday_four_pm.expect("a minute");
    let evening = opening - 12 * 60;
    assert_eq!(drought("America/Los_Angeles", evening, opening - 60).verdict, Verdict::Healthy);
    assert_eq!(drought("America/Los_Angeles", evening, opening + 60).verdict, Verdict::Firing);
}

#[test]
fn a_drought_learns_for_two_weeks_and_does_not_count_what_nobody_saw() {
    let mut objective = objective("counts", 98.0, 28);
    objective.drought = true;
    let slices = |days: u32| alike(START - days * DAY..START, 1, 0);
    let verdict = |days, silent: u32, measured: bool| {
        let mut tracker = Tracker::new(Arc::new(objective.clone()), slices(days), []);
        let end = START + silent;
        let from = if measured { START } else { end - 1 };
        tracker.ran(at(end, 0), &counted(at(from, 0), at(end, 0), 0.0, 0.0), false);
        let found = condition(&tracker.evaluate(at(end, 0)), "drought");
        (found.verdict, found.summary)
    };
    assert_eq!(
        verdict(10, 60, true),
        (Verdict::Unknown, "it takes two weeks to learn what is usual".to_owned())
    );
    assert_eq!(verdict(15, 60, true).0, Verdict::Firing);
    assert_ne!(verdict(15, 60, false).0, Verdict::Firing);
}

fn baseline(day: u32, values: impl Fn(u32) -> (u64, f64)) -> Standing {
    let mut objective = objective("counts", 98.0, 28);
    let columns = ["count", "sum", "squares"].map(Arc::<str>::from);
    let [count, sum, squares] = columns.clone();
    objective.indicator =
        Indicator::Baseline { check: "check".into(), count, sum, squares, unit: "USD".to_owned() };
    let day_at = |day: u32| at(START + day * DAY, 0);
    let sums = |day: u32| {
        let (count, mean) = values(day);
        (count, count as f64 * mean, count as f64 * mean * mean * 1.2)
    };
    let remembered = (0..day - 1).map(|day| {
        let (count, sum, squares) = sums(day);
        Day { day: START / DAY + day, count, sum, squares }
    });
    let mut tracker = Tracker::new(Arc::new(objective), [], remembered);
    // The last day comes by the query, in hours.
    let (count, sum, squares) = sums(day - 1);
    for hour in 0..24 {
        let share = if hour == 12 { 1.0 } else { 0.0 };
        let hours = Duration::from_hours(hour);
        let numbers = [count as f64 * share, sum * share, squares * share];
        let values = columns.iter().cloned().zip(numbers).collect();
        let part = Counted {
            from: day_at(day - 1) + hours,
            to: day_at(day - 1) + hours + Duration::from_hours(1),
            settled_s: 0,
            values,
        };
        // Told twice, counted once.
        let ran = Ran { counted: vec![part.clone(), part], ..run(Status::Ok, 1) };
        tracker.ran(day_at(day), &ran, false);
    }
    let standing = tracker.evaluate(day_at(day));
    let (slices, days) = tracker.take_changed();
    assert_eq!((slices.len(), days.len()), (0, 1));
    assert_eq!((days[0].day, days[0].count), (START / DAY + day - 1, count));
    assert_eq!(tracker.take_changed(), (Vec::new(), Vec::new()));
    standing
}

#[test]
fn a_baseline_learns_and_then_tells_what_left_it() {
    let learning = baseline(20, |_| (50, 52.0));
    assert_eq!(
        (learning.state, condition(&learning, "baseline").verdict),
        (State::Learning, Verdict::Unknown)
    );
    assert_eq!(condition(&learning, "baseline").summary, "it is learning what is usual for 15 days more");
    let usual = baseline(70, |_| (50, 52.0));
    assert_eq!((usual.state, condition(&usual, "baseline").verdict), (State::Met, Verdict::Healthy));
    let fallen = baseline(70, |day| (50, if day < 60 { 52.0 } else { 41.2 }));
    let told = condition(&fallen, "baseline");
    assert_eq!(
        (fallen.state, told.verdict, told.severity),
        (State::AtRisk, Verdict::Firing, Severity::Ticket)
    );
    assert_eq!(told.summary, "20.8 % less than usual");
    assert_eq!(told.evidence[0], "41.20 USD over the last 7 days, from 350 values");
    let band = fallen.baseline.expect("a band");
    assert!(band.score < -3.5 && band.lower < band.usual && band.value < band.lower, "{band:?}");
    assert!(told.evidence[1].starts_with("usual is 52.00 USD, normal between "), "{:?}", told.evidence);
}
