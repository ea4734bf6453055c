//! What one tick of judging costs: a thousand objectives over 28 days, of all kinds, each with its month behind it.

use atalaya::clock;
use atalaya::config::Place;
use atalaya::config::alerting::{Counts, Indicator, Objective, Rule};
use atalaya::fact::{Counted, Ran};
use atalaya::judge::Tracker;
use atalaya::judge::chance::tail;
use atalaya::outcome::Status;
use atalaya::store::Slice;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const OBJECTIVES: u32 = 1000;
const START: u32 = 29_439_360;
const MONTH: u32 = 28 * 1440;

/// Availability, latency, and counts of a busy and of a quiet shop in turn; one in ten with a drought rule.
fn objective(n: u32) -> Objective {
    let check: Arc<str> = format!("check-{n}").into();
    let counts = Counts::GoodAndBad { good: "good".into(), bad: "bad".into() };
    let indicator = match n % 4 {
        0 => Indicator::Availability { checks: vec![Arc::clone(&check)] },
        1 => Indicator::Latency { check: Arc::clone(&check), below: Duration::from_millis(500) },
        _ => Indicator::Counts { check: Arc::clone(&check), counts },
    };
    let somebody = vec!["somebody".into()];
    Objective {
        name: format!("promise-{n}").into(),
        title: "A promise".to_owned(),
        section: "payments".to_owned(),
        description: None,
        objective_ppm: [999_000, 950_000, 980_000, 980_000][n as usize % 4],
        window: Duration::from_hours(28 * 24),
        instead: None,
        until_heard: None,
        indicator,
        every: BTreeMap::from([(check, Duration::from_secs(15))]),
        rule: Rule::BurnRate,
        page: somebody.clone(),
        ticket: somebody.clone(),
        info: Vec::new(),
        page_windows: [1, 6].map(Duration::from_hours).to_vec(),
        ticket_windows: [24, 72].map(Duration::from_hours).to_vec(),
        low_traffic: true,
        drought: n % 10 == 3,
        excludes_maintenance: true,
        report: None,
        runbook: None,
        place: Place { file: "alerts/bench.toml".into(), line: 1, column: 1 },
        generation: 1,
    }
}

/// A month in which a bit more fails than is promised, so that the rules have something to weigh.
fn history(n: u32) -> impl Iterator<Item = Slice> {
    let mut random = fastrand::Rng::with_seed(u64::from(n));
    (START - MONTH..START).map(move |minute| {
        let bad = u32::from(random.f64() < 0.04);
        let (good, bad) = match n % 4 {
            0 => (1 - bad, bad),
            1 => (4 - bad, bad),
            2 => (random.u32(0..60), bad * random.u32(0..30)),
            _ => (u32::from(random.f64() < 0.1), bad * u32::from(random.f64() < 0.1)),
        };
        Slice { minute, good, bad, excluded: false }
    })
}

fn ran(n: u32, from: Timestamp, to: Timestamp) -> Ran {
    let bad = f64::from(u32::from(n.is_multiple_of(50)));
    let values = BTreeMap::from([("good".into(), 1.0), ("bad".into(), bad)]);
    Ran {
        check: format!("check-{n}").into(),
        status: Status::Ok,
        took_us: 700_000 * u64::from(n.is_multiple_of(3)),
        class: None,
        text: String::new(),
        measures: BTreeMap::new(),
        counted: if n % 4 >= 2 { vec![Counted { from, to, settled_s: 0, values }] } else { Vec::new() },
    }
}

fn tick(c: &mut Criterion) {
    let begun = clock::instant();
    let mut trackers: Vec<Tracker> =
        (0..OBJECTIVES).map(|n| Tracker::new(Arc::new(objective(n)), history(n), [])).collect();
    println!(
        "{OBJECTIVES} objectives read from {} million slices in {:?}",
        OBJECTIVES * MONTH / 1_000_000,
        begun.elapsed()
    );
    let stretches = |trackers: &[Tracker]| trackers.iter().map(Tracker::stretches).sum::<usize>();
    println!("{:.0} MB in memory", stretches(&trackers) as f64 * 16.0 / 1e6);
    let mut second = i64::from(START) * 60;
    let mut worst = Duration::ZERO;
    c.bench_function("a tick of 15 s: a thousand runs booked, a thousand objectives judged", |b| {
        b.iter(|| {
            let at = |second| Timestamp::from_second(second).expect("a time");
            let (from, to) = (at(second), at(second + 15));
            second += 15;
            let begun = clock::instant();
            for (n, tracker) in trackers.iter_mut().enumerate() {
                tracker.ran(to, &ran(n as u32, from, to), false);
                black_box(tracker.evaluate(to));
            }
            worst = worst.max(begun.elapsed());
        });
    });
    println!(
        "the worst tick took {worst:?}; {:.0} MB in memory at the end",
        stretches(&trackers) as f64 * 16.0 / 1e6
    );
}

fn chance(c: &mut Criterion) {
    c.bench_function("the chance of 20,500 bad ones of a million", |b| {
        b.iter(|| tail(black_box(20_500), black_box(1_000_000), black_box(0.02)));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(10));
    targets = tick, chance
}
criterion_main!(benches);
