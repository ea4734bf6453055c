//! What must hold for every history: more good events never make an alert fire, more bad ones never end it; what is kept
//! sparsely judges as what is counted anew from each minute; and nothing grows.

use super::*;
use crate::alert::Verdict;
use proptest::prelude::*;

/// How far a verdict is from well.
fn gravity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Healthy => 0,
        Verdict::Unknown => 1,
        Verdict::Firing => 2,
    }
}

/// Plays minutes of (good, bad) after a measured month of `usual` good ones an hour, and gives page and ticket of each minute.
fn play(kind: &str, promise: f64, usual: u32, minutes: &[(u32, u32)]) -> Vec<[Verdict; 2]> {
    let objective = Arc::new(objective(kind, promise, 28));
    let history = (START - 30 * 1440..START).map(|minute| Slice {
        minute,
        good: if minute % 60 == 0 { usual } else { 0 },
        bad: 0,
        excluded: false,
    });
    let mut tracker = Tracker::new(objective, history, []);
    let verdicts = minutes.iter().enumerate().map(|(minute, (good, bad))| {
        let minute = START + minute as u32;
        let (from, to) = (at(minute, 0), at(minute + 1, 0));
        tracker.ran(to, &counted(from, to, f64::from(*good), f64::from(*bad)), false);
        let standing = tracker.evaluate(to);
        [0, 1].map(|severity| standing.conditions[severity].verdict)
    });
    verdicts.collect()
}

/// Minutes with no, few or many events.
fn minutes() -> impl Strategy<Value = Vec<(u32, u32)>> {
    let minute = prop_oneof![6 => Just((0, 0)), 2 => (0_u32..2, 0_u32..2), 1 => (0_u32..12, 0_u32..6), 1 => (0_u32..1, 0_u32..3)];
    prop::collection::vec(minute, 1..160)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn good_events_never_fire_and_bad_ones_never_end(
        minutes in minutes(), place in any::<prop::sample::Index>(), usual in 0_u32..20,
        promise in prop::sample::select(vec![99.9, 98.0, 95.0, 85.0]),
    ) {
        let place = place.index(minutes.len());
        let before = play("counts", promise, usual, &minutes);
        let with = |good, bad| {
            let mut minutes = minutes.clone();
            minutes[place].0 += good;
            minutes[place].1 += bad;
            play("counts", promise, usual, &minutes)
        };
        for (minute, ((before, better), worse)) in before.iter().zip(with(1, 0)).zip(with(0, 1)).enumerate() {
            for severity in 0..2 {
                let [before, better, worse] = [before[severity], better[severity], worse[severity]].map(gravity);
                prop_assert!(better <= before, "a good one at {place} made {before} into {better} at {minute}");
                prop_assert!(worse >= before, "a bad one at {place} made {before} into {worse} at {minute}");
            }
        }
    }

    /// Plain rules, judged anew from a list of all minutes.
    #[test]
    fn plain_rules_are_what_the_minutes_say(minutes in minutes(), promise in prop::sample::select(vec![99.9, 98.0, 85.0])) {
        let mut objective = objective("counts", promise, 28);
        objective.low_traffic = false;
        let mut tracker = Tracker::new(Arc::new(objective.clone()), [], []);
        for at_minute in 0..minutes.len() {
            let minute = START + at_minute as u32;
            let (from, to) = (at(minute, 0), at(minute + 1, 0));
            let (good, bad) = minutes[at_minute];
            tracker.ran(to, &counted(from, to, f64::from(good), f64::from(bad)), false);
            let passes = |window: usize, threshold: f64| {
                let seen = &minutes[(at_minute + 1).saturating_sub(window)..=at_minute];
                let bad: u32 = seen.iter().map(|(_, bad)| bad).sum();
                let total: u32 = seen.iter().map(|(good, bad)| good + bad).sum();
                // Whole numbers but for the threshold, which never is one of these ratios by a rounding.
                f64::from(bad) > threshold * f64::from(total) * (1.0 + 1e-12)
            };
            let standing = tracker.evaluate(to);
            for (condition, [fast, slow]) in [[(60, 2.0), (360, 5.0)], [(1440, 10.0), (4320, 10.0)]].into_iter().enumerate() {
                let fires = [fast, slow].into_iter().any(|(long, percent): (u16, f64)| {
                    let budget = (100.0 - promise) / 100.0;
                    let threshold = (percent / 100.0 * 28.0 * 1440.0 / f64::from(long) * budget).min(f64::midpoint(1.0, budget));
                    passes(long.into(), threshold) && passes(usize::from(long) / 12, threshold)
                });
                let verdict = standing.conditions[condition].verdict;
                prop_assert_eq!(verdict == Verdict::Firing, fires, "minute {}", at_minute);
            }
        }
    }
}

#[test]
fn nothing_grows_in_a_month() {
    let mut busy = Tracker::new(Arc::new(objective("counts", 98.0, 28)), [], []);
    let mut met = Tracker::new(Arc::new(objective("availability", 99.9, 28)), [], []);
    let mut random = fastrand::Rng::with_seed(7);
    let mut sizes = Vec::new();
    for minute in 0..60 * 1440 {
        let (from, to) = (at(START + minute, 0), at(START + minute + 1, 0));
        busy.ran(to, &counted(from, to, f64::from(random.u32(0..9)), 0.0), false);
        met.ran(from, &run(Status::Ok, 1), false);
        // Where nobody takes what changed, it does not grow either.
        if minute % 15 == 0 {
            busy.evaluate(to);
            met.evaluate(to);
        }
        if minute % (15 * 1440) == 0 {
            sizes.push(busy.stretches());
        }
    }
    assert_eq!(met.stretches(), 1);
    assert!(sizes[3] < 40_400 && sizes[2] < 40_400, "{sizes:?}");
    let kept = 28 * 1440 + 15;
    assert!(busy.take_changed().0.len() <= kept && met.take_changed().0.len() <= kept);
}
