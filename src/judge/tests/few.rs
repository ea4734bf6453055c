//! Few events: the worked examples of the specification, row by row, and what silence and gaps mean.

use super::*;
use crate::alert::Verdict;

const DAY: u32 = 1440;

/// The promise of 98 % with a measured month of nothing behind it; what `events` says (minutes before now, good, bad)
/// happened since. Gives the verdicts of page and ticket, and the standing.
fn judge(promise: f64, events: &[(u32, u32, u32)]) -> (Verdict, Verdict, Standing) {
    let objective = objective("counts", promise, 30);
    let mut slices: Vec<Slice> = alike(START - 30 * DAY..START, 0, 0).collect();
    for (before, good, bad) in events {
        let slice = &mut slices[(30 * DAY - before) as usize];
        (slice.good, slice.bad) = (slice.good + good, slice.bad + bad);
    }
    let mut tracker = Tracker::new(Arc::new(objective), slices, []);
    tracker.ran(at(START, 0), &counted(at(START - 1, 0), at(START, 0), 0.0, 0.0), false);
    let standing = tracker.evaluate(at(START, 0));
    (verdict(&standing, "page"), verdict(&standing, "ticket"), standing)
}

fn verdict(standing: &Standing, name: &str) -> Verdict {
    let found = standing.conditions.iter().find(|condition| condition.name == name);
    found.unwrap_or_else(|| panic!("no condition {name} in {standing:?}")).verdict
}

fn check(what: &str, events: &[(u32, u32, u32)], page: bool, ticket: bool) {
    let (is_page, is_ticket, standing) = judge(98.0, events);
    assert_eq!(
        (is_page == Verdict::Firing, is_ticket == Verdict::Firing),
        (page, ticket),
        "{what}: {standing:?}"
    );
}

/// So many good ones spread over a window, and the bad ones between them.
fn spread(over: u32, total: u32, bad: u32) -> Vec<(u32, u32, u32)> {
    let is_bad = |n: u32| u32::from(n * bad / total != (n + 1) * bad / total);
    (0..total).map(|n| (over - n * over / total, 1 - is_bad(n), is_bad(n))).collect()
}

#[test]
fn the_worked_examples() {
    check("1 of 2", &[(20, 1, 0), (4, 0, 1)], false, false);
    check("2 of 2", &[(20, 0, 1), (4, 0, 1)], false, false);
    check("3 of 3", &[(20, 0, 1), (10, 0, 1), (4, 0, 1)], true, true);
    check("2 of 10", &[(300, 4, 0), (100, 4, 0), (20, 0, 1), (4, 0, 1)], false, false);
    check("3 of 10", &[(340, 5, 0), (250, 0, 1), (150, 2, 0), (120, 0, 1), (4, 0, 1)], false, true);
    check("4 of 10", &[(340, 5, 0), (250, 0, 1), (150, 1, 1), (120, 0, 1), (4, 0, 1)], true, true);
    check("3 of 100", &spread(350, 100, 3), false, false);
    check("7 of 100 in 3 days", &spread(3 * DAY - 5, 100, 7), false, false);
    check("8 of 100 in 3 days", &spread(3 * DAY - 5, 100, 8), false, true);
    check("10 of 100 in 6 hours", &spread(350, 100, 10), false, true);
    check("40 of 1000 in 3 days", &spread(3 * DAY - 5, 1000, 40), false, true);
}

#[test]
fn one_failed_request_does_not_page_under_a_tight_promise() {
    for events in [&[(4, 0, 1)][..], &[(4, 0, 2)], &[(4, 30, 2)]] {
        let (page, ticket, standing) = judge(99.9, events);
        assert!(page != Verdict::Firing && ticket != Verdict::Firing, "{standing:?}");
    }
    assert_eq!(judge(99.9, &[(4, 0, 3)]).0, Verdict::Firing);
}

#[test]
fn the_sentences_say_what_was_seen_and_how_unlikely_it_is() {
    let (.., standing) = judge(98.0, &[(4000, 150, 0), (20, 0, 1), (10, 0, 1), (4, 0, 1)]);
    let page = &standing.conditions[0];
    assert_eq!(page.summary, "payments fail 50 times as often as a promise of 98 % allows");
    assert_eq!(
        page.evidence,
        [
            "3 of the last 3 payments failed; under a 98 % promise that happens by chance once in 125,000",
            "3 of 3 payments of the last hour failed; under a 98 % promise that happens by chance once in 125,000",
            "1 of 1 payment of the last 5 minutes failed",
            "it is told above 28.8 % of the last hour, 14.4 times what the promise allows",
        ]
    );
    assert_eq!(page.cost.as_deref(), Some("98 % of the error budget of 30 days is used"));
    let (.., standing) = judge(98.0, &[(20, 0, 1), (4, 0, 1)]);
    let page = &standing.conditions[0];
    assert_eq!((page.verdict, page.summary.as_str()), (Verdict::Unknown, "2 of the last 2 payments failed"));
}

/// Feeds a tracker minute by minute; after each one it is asked for the verdict of the page.
struct Shop {
    tracker: Tracker,
    minute: u32,
}

impl Shop {
    fn open() -> Shop {
        let slices = alike(START - 30 * DAY..START, 0, 0);
        Shop { tracker: Tracker::new(Arc::new(objective("counts", 98.0, 30)), slices, []), minute: START }
    }

    fn minute(&mut self, good: u32, bad: u32) -> Verdict {
        let (from, to) = (at(self.minute, 0), at(self.minute + 1, 0));
        self.tracker.ran(to, &counted(from, to, f64::from(good), f64::from(bad)), false);
        self.idle()
    }

    fn idle(&mut self) -> Verdict {
        self.minute += 1;
        verdict(&self.tracker.evaluate(at(self.minute, 0)), "page")
    }
}

#[test]
fn three_good_orders_in_a_row_end_it() {
    let mut shop = Shop::open();
    for expected in [Verdict::Unknown, Verdict::Unknown, Verdict::Firing] {
        assert_eq!(shop.minute(0, 1), expected);
    }
    // Of the last five minutes 1 in 4, 2 in 5 and so on are good: not good enough until the bad ones have left it.
    for _ in 0..5 {
        assert_ne!(shop.minute(1, 0), Verdict::Healthy);
    }
    assert_eq!(
        shop.minute(1, 0),
        Verdict::Unknown,
        "28.8 % of 1 hour and 12 % of half an hour are not reached yet"
    );
    let ended = (0..60).find(|_| shop.minute(1, 0) == Verdict::Healthy).expect("it ends");
    assert!(ended < 30, "{ended}");
}

#[test]
fn silence_holds_for_a_day_and_then_ends_it() {
    let mut shop = Shop::open();
    for _ in 0..3 {
        shop.minute(0, 1);
    }
    let mut healthy = None;
    for minute in 3..2 * DAY {
        let verdict = shop.minute(0, 0);
        if verdict == Verdict::Healthy {
            healthy = Some(minute);
            break;
        }
    }
    // The first of the three is a day old: two are no row; when the last is a day old, nothing is known any more.
    assert_eq!(healthy, Some(DAY + 2));
}

#[test]
fn what_nobody_counts_neither_fires_nor_ends() {
    let mut shop = Shop::open();
    for _ in 0..30 {
        shop.minute(4, 0);
    }
    for _ in 0..10 {
        shop.minute(0, 4);
    }
    assert_eq!(verdict(&shop.tracker.evaluate(at(shop.minute, 0)), "page"), Verdict::Firing);
    // The query hangs for a day: the alert goes on firing or holds, and nothing ends it.
    for minute in 0..DAY {
        assert_ne!(shop.idle(), Verdict::Healthy, "{minute}");
    }
    let standing = shop.tracker.evaluate(at(shop.minute, 0));
    assert_eq!(verdict(&standing, "gap"), Verdict::Firing);
    // What was missed is counted in one part, all good: now it may end.
    let from = at(shop.minute - DAY, 0);
    shop.tracker.ran(at(shop.minute, 0), &counted(from, at(shop.minute, 0), 900.0, 0.0), false);
    let standing = shop.tracker.evaluate(at(shop.minute, 0));
    assert_eq!((verdict(&standing, "page"), verdict(&standing, "gap")), (Verdict::Healthy, Verdict::Healthy));
}

#[test]
fn history_that_is_being_made_up_for_is_no_gap_until_nobody_makes_up_for_it() {
    let mut shop = Shop::open();
    let begin = shop.minute;
    let now = begin + 28 * DAY;
    // Every run makes up for a day of the past; nobody needs to be told that yesterday is still missing.
    for run in 0..20 {
        let (from, to) = (at(begin + run * DAY, 0), at(begin + (run + 1) * DAY, 0));
        shop.tracker.ran(at(now + run, 0), &counted(from, to, 50.0, 0.0), false);
        let standing = shop.tracker.evaluate(at(now + run, 1));
        assert_eq!(verdict(&standing, "gap"), Verdict::Unknown, "{run}");
    }
    // Then the query fails for a quarter of an hour.
    let standing = shop.tracker.evaluate(at(now + 35, 0));
    assert_eq!(verdict(&standing, "gap"), Verdict::Firing);
}
