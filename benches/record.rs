//! What booking one run costs, beside what the library's dense histogram costs for its one number.

use atalaya::clock::Now;
use atalaya::outcome::{Outcome, Phase};
use atalaya::record::{Record, Run};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hdrhistogram::Histogram;
use jiff::Timestamp;
use std::hint::black_box;
use std::time::Duration;

/// A run as an HTTP check yields it, `n` runs after the start.
fn run(n: u64) -> (Now, Run) {
    let mut outcome = Outcome::ok();
    for measure in ["status_code", "response_bytes", "redirects", "duration_seconds"] {
        outcome.measure(measure, 200.0);
    }
    let took = Duration::from_micros(300 + fastrand::Rng::with_seed(n).u64(0..3000));
    let phases = ["connect", "send", "first_byte", "body"].map(|name| Phase { name, took: took / 4 });
    let now = Now { wall: Timestamp::UNIX_EPOCH, steady: Duration::from_secs(n * 10) };
    (now, Run { began: now.steady, lag: Duration::from_millis(1), took, phases: phases.to_vec(), outcome })
}

fn booking(c: &mut Criterion) {
    let mut group = c.benchmark_group("one run");
    let mut dense = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).expect("bounds");
    group.bench_function("dense histogram alone", |b| {
        let mut n = 0;
        b.iter_batched(
            || {
                n += 1;
                run(n).1.took
            },
            |took| dense.record(black_box(took.as_micros() as u64)),
            BatchSize::SmallInput,
        );
    });
    // A day of runs every ten seconds, so that the windows are as full as they get.
    let mut record = Record::default();
    let mut n = 0;
    while n < 8640 {
        n += 1;
        let (now, run) = run(n);
        record.run(now, run);
    }
    group.bench_function("record: counts, histograms, three windows, the last of everything", |b| {
        b.iter_batched(
            || {
                n += 1;
                run(n)
            },
            |(now, run)| record.run(now, black_box(run)),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, booking);
criterion_main!(benches);
