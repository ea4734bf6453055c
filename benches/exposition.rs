//! What a scrape costs with a thousand and ten thousand checks, beside the exporter of `metrics` with the same
//! quantiles as its own summaries for a hundred of them; and in an outage, when every check fails and asks for the
//! one that explains it.

use atalaya::clock::Now;
use atalaya::config::text::Variables;
use atalaya::config::{Check, Files, Source, load};
use atalaya::export::exposition::Format;
use atalaya::export::{Exposition, check_labels};
use atalaya::outcome::{Class, Fault, Outcome, Phase};
use atalaya::probe::net::Net;
use atalaya::record::{Record, Run};
use atalaya::view::{CheckView, View, by_name};
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use metrics::{Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const RUNS: u64 = 60;

/// `more` stands in each definition but the last.
fn checks(number: usize, more: &str) -> Vec<Arc<Check>> {
    let mut text = String::new();
    for n in 0..number {
        let more = if n + 1 < number { more } else { "" };
        writeln!(
            text,
            "[[check]]\nname = 'check-{n}'\nsection = 'site'\nprobe.tcp = {{ address = '127.0.0.1:80' }}\n{more}"
        )
        .expect("a string");
    }
    let files = Files { agent: None, checks: vec![Source::new("bench.toml", text)], ..Files::default() };
    let none: [(String, String); 0] = [];
    let variables = Variables::new(none, |path| std::fs::read_to_string(path));
    load(&files, &variables, &Arc::new(Net::new().expect("a net"))).expect("valid").checks
}

fn took(n: u64) -> Duration {
    Duration::from_micros(300 + fastrand::Rng::with_seed(n).u64(0..3000))
}

fn record(fault: Option<&Fault>) -> (Now, Record) {
    let mut record = Record::default();
    let mut now = Now { wall: Timestamp::UNIX_EPOCH, steady: Duration::ZERO };
    for n in 0..RUNS {
        let mut outcome = Outcome::ok();
        for measure in ["status_code", "response_bytes", "redirects", "duration_seconds"] {
            outcome.measure(measure, 200.0);
        }
        outcome.faults.extend(fault.cloned());
        let phases = ["connect", "send", "first_byte", "body"].map(|name| Phase { name, took: took(n) / 4 });
        now.steady = Duration::from_secs(n * 10);
        record.run(
            now,
            Run { began: now.steady, lag: Duration::ZERO, took: took(n), phases: phases.to_vec(), outcome },
        );
    }
    (now, record)
}

fn view(checks: &[Arc<Check>], fault: Option<&Fault>) -> View {
    let (at, record) = record(fault);
    let view = |check: &Arc<Check>| {
        let labels = check_labels(&check.name, &check.section).into();
        Arc::new(CheckView::new(check.clone(), labels, &record))
    };
    View {
        at,
        started: at,
        checks: checks.iter().map(view).collect(),
        by_name: Arc::new(by_name(checks.iter().map(|check| &**check))),
        skipped: Arc::new([]),
        objectives: Vec::new(),
        alerts: Vec::new(),
        silences: Vec::new(),
        left_out: Arc::default(),
    }
}

/// The length of one scrape.
fn text(checks: &[Arc<Check>], fault: Option<&Fault>) -> usize {
    let exposition = Exposition::new(Arc::new(view(checks, fault)), String::new(), Format::OpenMetrics);
    exposition.map(|piece| black_box(piece).len()).sum()
}

fn scrape(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let mut group = c.benchmark_group("scrape");
    group.sample_size(20);
    for number in [100, 1_000, 10_000] {
        let checks = checks(number, "");
        group.bench_function(format!("{number} checks, view and text"), |b| b.iter(|| text(&checks, None)));
    }
    let outage = checks(10_000, "needs = ['check-9999']");
    let fault = Fault::failed(Class::Connect, "connection refused");
    group.bench_function("10000 checks that fail and need the last, view and text", |b| {
        b.iter(|| text(&outage, Some(&fault)));
    });
    let recorder = PrometheusBuilder::new().build_recorder();
    for n in 0..100 {
        let labels = vec![Label::new("check", format!("check-{n}"))];
        let metadata = Metadata::new("bench", Level::INFO, None);
        let histogram = recorder.register_histogram(&Key::from_parts("duration_seconds", labels), &metadata);
        (0..RUNS).for_each(|run| histogram.record(took(run).as_secs_f64()));
    }
    let handle = recorder.handle();
    group.bench_function("100 summaries of the exporter alone", |b| b.iter(|| handle.render().len()));
    group.finish();
}

criterion_group!(benches, scrape);
criterion_main!(benches);
