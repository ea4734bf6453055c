//! What holds whatever happens: told once, ended once, the same again, and the same over any restart.

use super::*;
use crate::fact::Acknowledgement;
use proptest::prelude::*;

const CHECKS: [&str; 16] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];
/// So many of them are enough for everything but storms.
const FEW: usize = 4;

/// One thing that happens, so many milliseconds after the one before.
#[derive(Debug, Clone)]
enum Step {
    Ran(usize, Status),
    Dropped(usize),
    Silenced(usize, u16),
    Acknowledged(usize),
    Own(bool),
    ClockSet(i32),
}

fn steps() -> impl Strategy<Value = Vec<(u16, Step)>> {
    let status = prop_oneof![
        6 => Just(Status::Failed),
        5 => Just(Status::Ok),
        2 => Just(Status::Degraded),
        1 => Just(Status::Unknown)
    ];
    let which = 0..FEW;
    let step = prop_oneof![
        40 => (which.clone(), status).prop_map(|(which, status)| Step::Ran(which, status)),
        1 => which.clone().prop_map(Step::Dropped),
        1 => (which.clone(), 1_u16..300).prop_map(|(which, seconds)| Step::Silenced(which, seconds)),
        1 => which.prop_map(Step::Acknowledged),
        1 => any::<bool>().prop_map(Step::Own),
    ];
    // In bursts, and long apart: every wait ends sometimes before and sometimes after the next step.
    let gap = prop_oneof![6 => 0_u16..800, 3 => 800_u16..8_000, 1 => 8_000_u16..60_000];
    proptest::collection::vec((gap, step), 1..160)
}

/// Many checks that fail and recover at every run: more alerts in a minute than are told one by one.
fn crowd() -> impl Strategy<Value = Vec<(u16, Step)>> {
    let status = prop_oneof![3 => Just(Status::Failed), 2 => Just(Status::Ok), 1 => Just(Status::Degraded)];
    let step = prop_oneof![
        40 => (0..CHECKS.len(), status).prop_map(|(which, status)| Step::Ran(which, status)),
        1 => (0..CHECKS.len(), 1_u16..60).prop_map(|(which, seconds)| Step::Silenced(which, seconds)),
    ];
    let gap = prop_oneof![8 => 0_u16..1_500, 1 => 1_500_u16..30_000];
    proptest::collection::vec((gap, step), 1..120)
}

fn crowded() -> World {
    let checks = CHECKS.iter().map(|name| {
        let mut check = watched(name, 5, &[]);
        check.every = Duration::from_hours(24 * 365);
        (check.alert.attempts, check.alert.recoveries) = (1, 1);
        check
    });
    World::new(checks.collect(), alerting())
}

fn world(needs: bool) -> World {
    let parents: [&[&str]; FEW] = if needs { [&[], &["a"], &["b"], &[]] } else { [&[]; FEW] };
    let checks = CHECKS.iter().zip(parents).map(|(name, needs)| {
        let mut check = watched(name, 5, needs);
        // Gaps have clocks of their own, which begin anew with every process.
        check.every = Duration::from_hours(24 * 365);
        check.alert.attempts = if *name == "d" { 1 } else { 3 };
        check
    });
    World::new(checks.collect(), alerting())
}

fn what(step: &Step, at: Timestamp) -> What {
    match step {
        Step::Ran(which, status) => ran(CHECKS[*which], *status, "text"),
        Step::Dropped(which) => What::Dropped { check: CHECKS[*which].into(), times: 1 },
        Step::Silenced(which, seconds) => {
            let silence = super::quiet::silence(&format!("check={}", CHECKS[*which]), 0.0, 0.0);
            let until = at + Duration::from_secs(u64::from(*seconds));
            What::Silenced(Silence { from: at, until, ..silence })
        }
        Step::Acknowledged(which) => What::Acknowledged(Acknowledgement {
            alert: format!("check/{}", CHECKS[*which]),
            by: "ana".to_owned(),
            comment: String::new(),
        }),
        Step::Own(well) => What::Own { part: "store".into(), well: *well, text: "full".to_owned() },
        Step::ClockSet(by) => What::ClockSet { by_ms: i64::from(*by) },
    }
}

/// Lives through all of it, killed after the steps of which `killed` says so, and then through an hour of health.
fn live(mut world: World, steps: &[(u16, Step)], killed: impl Fn(usize) -> bool) -> World {
    for (n, (gap, step)) in steps.iter().enumerate() {
        world.wait_until(world.now + Duration::from_millis(u64::from(*gap)));
        let what = what(step, world.now);
        world.engine.apply(&Fact { at: world.now, what });
        world.drain();
        if killed(n) {
            world.kill();
            world.engine.apply(&Fact { at: world.now, what: What::Tick });
        }
    }
    for _ in 0..40 {
        world.wait_until(world.now + Duration::from_secs(90));
        for name in CHECKS {
            world.engine.apply(&Fact { at: world.now, what: ran(name, Status::Ok, "") });
            world.drain();
        }
        world.engine.apply(&Fact { at: world.now, what: what(&Step::Own(true), world.now) });
        world.drain();
    }
    world
}

/// Every telling: to whom, why, of which episode.
fn tellings(world: &World) -> Vec<(String, Kind, String)> {
    let alerts =
        world.notices.iter().flat_map(|notice| notice.alerts.iter().map(move |alert| (notice, alert)));
    alerts.map(|(notice, alert)| (notice.contact.clone(), notice.kind, alert.episode.clone())).collect()
}

/// For every contact and episode: one beginning, then whatever, then one end.
fn told_once(world: &World) {
    let mut by_line: BTreeMap<(String, String), Vec<&Notice>> = BTreeMap::new();
    for notice in &world.notices {
        for alert in &notice.alerts {
            by_line.entry((notice.contact.clone(), alert.episode.clone())).or_default().push(notice);
        }
    }
    for (line, notices) in by_line {
        let kinds: Vec<Kind> = notices.iter().map(|notice| notice.kind).collect();
        let count = |kind| kinds.iter().filter(|other| **other == kind).count();
        assert!(count(Kind::Firing) <= 1, "{line:?} {kinds:?}");
        assert_eq!(count(Kind::Resolved), 1, "{line:?} {kinds:?}");
        assert_eq!(kinds.last(), Some(&Kind::Resolved), "{line:?} {kinds:?}");
        let (first, merged) = (notices[0], notices.len() == 1);
        assert_eq!(first.merged, merged, "{line:?} {kinds:?}");
        assert!(merged || matches!(first.kind, Kind::Firing | Kind::Escalated | Kind::Flapping), "{kinds:?}");
        assert!(notices.iter().all(|notice| notice.thread == first.id), "{line:?} one thread");
    }
    let mut ids: BTreeMap<_, &Notice> = BTreeMap::new();
    for notice in &world.notices {
        if let Some(other) = ids.insert((&notice.contact, &notice.id), notice) {
            panic!("every message has an id of its own: {} and {}", show(other), show(notice));
        }
    }
    let left: Vec<&str> =
        world.rows.keys().map(|key| &**key).filter(|key| !key.starts_with("contact/")).collect();
    assert!(left.is_empty(), "all is well, and still remembered: {left:?} {:?}", world.rows);
    assert!(world.engine.alerts().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_same_is_told_over_restarts_at_any_moment(steps in steps(), kills in any::<u64>()) {
        let calm = live(world(false), &steps, |_| false);
        let killed = live(world(false), &steps, |n| kills >> (n % 64) & 1 == 1);
        prop_assert_eq!(
            calm.notices.iter().map(show).collect::<Vec<_>>(),
            killed.notices.iter().map(show).collect::<Vec<_>>()
        );
        prop_assert_eq!(tellings(&calm), tellings(&killed));
        told_once(&killed);
    }

    #[test]
    fn a_storm_is_told_the_same_over_restarts(steps in crowd(), kills in any::<u64>()) {
        let calm = live(crowded(), &steps, |_| false);
        let killed = live(crowded(), &steps, |n| kills >> (n % 64) & 1 == 1);
        prop_assert_eq!(
            calm.notices.iter().map(show).collect::<Vec<_>>(),
            killed.notices.iter().map(show).collect::<Vec<_>>()
        );
        told_once(&killed);
    }

    #[test]
    fn what_is_told_is_told_once_and_ended_once(steps in steps(), kills in any::<u64>()) {
        told_once(&live(world(true), &steps, |_| false));
        told_once(&live(world(true), &steps, |n| kills >> (n % 64) & 1 == 1));
    }

    #[test]
    fn the_same_facts_give_the_same_messages_and_rows(steps in steps()) {
        let (one, other) = (live(world(true), &steps, |_| false), live(world(true), &steps, |_| false));
        prop_assert_eq!(one.notices, other.notices);
        prop_assert_eq!(one.rows, other.rows);
        prop_assert_eq!(one.hurried, other.hurried);
    }

    #[test]
    fn a_clock_that_jumps_tells_and_ends_nothing(steps in steps(), by in -7_200_000_i32..7_200_000, n in 0_usize..160) {
        let calm = live(world(true), &steps, |_| false);
        let mut jumping = steps.clone();
        jumping.insert(n.min(steps.len()), (0, Step::ClockSet(by)));
        let mut world = world(true);
        for (n, (gap, step)) in jumping.iter().enumerate() {
            world.wait_until(world.now + Duration::from_millis(u64::from(*gap)));
            if let Step::ClockSet(by) = step {
                let told = world.notices.len();
                world.now += jiff::SignedDuration::from_millis(i64::from(*by));
                world.engine.apply(&Fact { at: world.now, what: what(step, world.now) });
                world.drain();
                prop_assert_eq!(world.notices.len(), told, "step {}", n);
            } else {
                let what = what(step, world.now);
                world.engine.apply(&Fact { at: world.now, what });
                world.drain();
            }
        }
        let world = live(world, &[], |_| false);
        let told = |world: &World| {
            let alerts = |notice: &Notice| notice.alerts.iter().map(|alert| alert.key.clone()).collect::<Vec<_>>();
            let mut told: Vec<_> =
                world.notices.iter().map(|n| (n.contact.clone(), n.kind, alerts(n))).collect();
            told.sort();
            told
        };
        prop_assert_eq!(told(&calm), told(&world));
    }
}
