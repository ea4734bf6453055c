//! What one fact costs the alert engine, by how many checks there are.

use atalaya::alert::{Engine, Watched};
use atalaya::config::alerting::{Alerting, CheckAlert, Contact, Policy, SeverityPolicy};
use atalaya::fact::{Fact, Ran, What};
use atalaya::outcome::Status;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(10);

/// All need the first one.
fn watched(count: usize) -> Vec<Watched> {
    let needs = |n: usize| (n > 0).then(|| Arc::from("check-0")).into_iter().collect();
    let one = |n: usize| Watched {
        name: format!("check-{n}").into(),
        title: format!("Check {n}"),
        section: format!("section {}", n % 20),
        needs: needs(n),
        runbook: None,
        every: EVERY,
        waits: false,
        alert: CheckAlert::default(),
    };
    (0..count).map(one).collect()
}

fn alerting() -> Arc<Alerting> {
    let contact = Contact { name: "ops".into(), channels: vec![], escalate: vec![] };
    let policy = |wait| SeverityPolicy {
        to: vec!["ops".into()],
        wait: Duration::from_millis(wait),
        keep_firing_for: Duration::from_mins(5),
        remind: vec![Duration::from_hours(1)],
    };
    let policy =
        Policy { page: policy(500), ticket: policy(60_000), info: policy(60_000), ..Policy::default() };
    Arc::new(Alerting { contacts: [("ops".into(), contact)].into(), policy, ..Alerting::default() })
}

/// Runs of all checks, one after the other, round after round, spread over the interval.
struct Runs {
    names: Vec<Arc<str>>,
    n: usize,
}

impl Runs {
    fn next(&mut self, status: Status) -> Fact {
        let (round, place) = (self.n / self.names.len(), self.n % self.names.len());
        self.n += 1;
        let millis = (EVERY.as_millis() as usize) * round + 10_000 * place / self.names.len();
        let ran = Ran {
            check: self.names[place].clone(),
            status,
            took_us: 1000,
            class: None,
            text: "connection refused by 127.0.0.1:5432".to_owned(),
            measures: BTreeMap::new(),
            counted: vec![],
        };
        Fact {
            at: Timestamp::UNIX_EPOCH + SignedDuration::from_millis(i64::try_from(millis).expect("years")),
            what: What::Ran(ran),
        }
    }
}

fn judged(c: &mut Criterion) {
    let mut group = c.benchmark_group("one run judged and drained");
    group.throughput(Throughput::Elements(1));
    for count in [100, 1_000, 10_000] {
        for (name, status) in [("well", Status::Ok), ("all down", Status::Failed)] {
            let checks = watched(count);
            let names = checks.iter().map(|check| check.name.clone()).collect();
            let mut engine = Engine::new(checks, alerting());
            let mut runs = Runs { names, n: 0 };
            for _ in 0..count * 30 {
                let fact = runs.next(status);
                engine.apply(&fact);
                black_box(engine.drain(fact.at));
            }
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter(|| {
                    let fact = runs.next(status);
                    engine.apply(&fact);
                    black_box((engine.drain(fact.at), engine.next_due()));
                });
            });
        }
    }
    group.finish();
}

/// From all well to all down: every check fails three times in a row, everything is told and written.
fn breakdown(c: &mut Criterion) {
    let mut group = c.benchmark_group("everything goes down and comes back");
    group.sample_size(10);
    for count in [100, 1_000, 10_000] {
        group.throughput(Throughput::Elements(count as u64 * 5));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| {
                let mut checks = watched(count);
                for check in &mut checks {
                    check.needs.clear();
                }
                let names = checks.iter().map(|check| check.name.clone()).collect();
                let mut engine = Engine::new(checks, alerting());
                let mut runs = Runs { names, n: 0 };
                let mut told = 0;
                for n in 0..count * 5 {
                    let fact = runs.next(if n < count * 3 { Status::Failed } else { Status::Ok });
                    engine.apply(&fact);
                    told += engine.drain(fact.at).notices.len();
                }
                black_box(told)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, judged, breakdown);
criterion_main!(benches);
