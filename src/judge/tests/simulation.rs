//! Years of a shop in which nothing is wrong but chance: how often somebody is woken, and after how long an outage is told.
//! Seeded, so that a year is the same year every time.

use super::*;
use crate::alert::Verdict;

const DAY: u32 = 1440;

/// Customers come by the hour: few at night, most in the evening.
const BY_HOUR: [f64; 24] = [
    0.2, 0.1, 0.1, 0.1, 0.1, 0.2, 0.4, 0.7, 0.9, 1.0, 1.2, 1.5, 1.6, 1.3, 1.1, 1.1, 1.3, 1.6, 2.0, 2.2, 2.0,
    1.6, 1.0, 0.7,
];

struct Shop {
    tracker: Tracker,
    random: fastrand::Rng,
    perday: f64,
    /// Counted up to.
    counted: u32,
}

impl Shop {
    fn new(promise: f64, perday: f64, seed: u64) -> Shop {
        let history = (START - 28 * DAY..START).map(|minute| Slice {
            minute,
            good: u32::from(minute % 60 == 0) * (perday / 24.0).round() as u32,
            bad: 0,
            excluded: false,
        });
        let tracker = Tracker::new(Arc::new(objective("counts", promise, 28)), history, []);
        Shop { tracker, random: fastrand::Rng::with_seed(seed), perday, counted: START }
    }

    /// The minute of the next customer.
    fn next(&mut self, mut minute: f64) -> f64 {
        loop {
            let peak = self.perday * 2.2 / f64::from(DAY);
            minute -= (1.0 - self.random.f64()).ln() / peak;
            let hour = (minute / 60.0) as usize % 24;
            if self.random.f64() * 2.2 < BY_HOUR[hour] {
                return minute;
            }
        }
    }

    /// Counts up to a minute, with what happened in it.
    fn count(&mut self, minute: u32, good: u32, bad: u32) {
        if self.counted <= minute {
            let (from, to) = (at(self.counted, 0), at(minute + 1, 0));
            self.tracker.ran(to, &counted(from, to, f64::from(good), f64::from(bad)), false);
            self.counted = minute + 1;
        }
    }

    /// Asks whether the page fires at the end of a minute.
    fn fires(&mut self, minute: u32) -> bool {
        self.tracker.evaluate(at(minute + 1, 0)).conditions[0].verdict == Verdict::Firing
    }
}

/// Pages in so many days in which each customer fails with a chance that never changes. It is asked every ten minutes
/// for two hours after each failure, and at every customer in them: at other times nothing can begin to fire.
fn pages(promise: f64, perday: f64, failing: f64, days: u32, seed: u64) -> u32 {
    let mut shop = Shop::new(promise, perday, seed);
    let end = f64::from(START + days * DAY);
    let (mut minute, mut pages, mut firing, mut watched) = (f64::from(START), 0, false, 0);
    while minute < end {
        minute = shop.next(minute);
        let at = (minute as u32).max(shop.counted);
        let bad = u32::from(shop.random.f64() < failing);
        let mut look = |shop: &mut Shop, at| {
            let fires = shop.fires(at);
            pages += u32::from(fires && !firing);
            firing = fires;
        };
        for between in (shop.counted..at.min(watched)).step_by(10) {
            shop.count(between, 0, 0);
            look(&mut shop, between);
        }
        shop.count(at, 1 - bad, bad);
        if bad > 0 {
            watched = at + 120;
        }
        if at < watched {
            look(&mut shop, at);
        }
    }
    pages
}

/// At the budget itself, ten years: at most one page in five months.
#[test]
fn chance_alone_wakes_nobody() {
    let months = 10.0 * 365.0 / 30.0;
    let pages = f64::from(pages(98.0, 50.0, 0.02, 3650, 1)) / months;
    assert!(pages <= 0.2, "{pages} a month");
}

#[test]
fn chance_alone_wakes_nobody_at_other_traffic() {
    let check = |promise, perday, days, most: f64| {
        let failing = (100.0 - promise) / 100.0;
        let pages = f64::from(pages(promise, perday, failing, days, 2)) * 30.0 / f64::from(days);
        assert!(pages <= most, "{promise} %, {perday} a day: {pages} a month");
    };
    check(98.0, 20.0, 1200, 0.1);
    check(98.0, 200.0, 180, 0.3);
    check(95.0, 50.0, 365, 0.2);
    check(99.9, 1000.0, 30, 0.5);
}

/// (Minutes, orders lost) at the median until a page, from a random moment on.
fn detection(promise: f64, perday: f64, failing: f64) -> (u32, u32) {
    let mut found: Vec<(u32, u32)> = (0..21)
        .map(|seed| {
            let mut shop = Shop::new(promise, perday, seed);
            let begins = START + shop.random.u32(0..DAY);
            let (mut minute, mut lost) = (f64::from(begins), 0);
            loop {
                minute = shop.next(minute);
                let at = (minute as u32).max(shop.counted);
                let bad = u32::from(shop.random.f64() < failing);
                lost += bad;
                shop.count(at, 1 - bad, bad);
                if bad > 0 && shop.fires(at) {
                    return (at - begins, lost);
                }
                assert!(at < begins + 3 * DAY, "never told");
            }
        })
        .collect();
    found.sort_unstable();
    let minutes = found[10].0;
    found.sort_by_key(|(_, lost)| *lost);
    (minutes, found[10].1)
}

/// The orders that are lost until somebody is woken are as few as in the specification; the minutes follow from when
/// customers come, so they get more room.
#[test]
fn an_outage_is_told_after_few_lost_orders() {
    let check = |promise, perday, failing, minutes: u32, lost: u32| {
        let found = detection(promise, perday, failing);
        let what =
            format!("{promise} %, {perday} a day, {failing} fail: {found:?}, not {:?}", (minutes, lost));
        assert!(found.0 <= minutes * 3 / 2 && found.1 <= lost + lost / 4, "{what}");
    };
    check(98.0, 50.0, 1.0, 87, 3);
    check(98.0, 200.0, 1.0, 24, 4);
    check(98.0, 200.0, 0.3, 98, 4);
    check(98.0, 1000.0, 1.0, 6, 4);
    check(95.0, 1000.0, 0.5, 60, 16);
    check(85.0, 200.0, 1.0, 45, 7);
    check(85.0, 1000.0, 0.7, 47, 16);
}
