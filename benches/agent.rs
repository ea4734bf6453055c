//! The real program under load: `cargo bench --bench agent`.
//!
//! A small HTTP server of this process answers; the agent is another process, so that its CPU time and
//! memory are its own. Told: CPU per run, resident memory, lag, dropped and failed runs, how long the first
//! round and a scrape took. Nothing is asserted here; what is measured depends on the machine.

#![allow(clippy::disallowed_methods, reason = "benchmarks measure real time")]

mod support;

use socket2::{Domain, Socket, Type};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};
use support::{Agent, get, ms, sum, wanted};

struct Case {
    name: &'static str,
    checks: usize,
    every: &'static str,
    seconds: u64,
}

const CASES: [Case; 3] = [
    Case { name: "1,000 every 10 s", checks: 1_000, every: "10s", seconds: 40 },
    Case { name: "1,000 every 1 s", checks: 1_000, every: "1s", seconds: 20 },
    Case { name: "10,000 every 10 s", checks: 10_000, every: "10s", seconds: 40 },
];

fn main() {
    let target = serve();
    println!(
        "| case | runs | CPU µs a run | resident MiB | lag P99 ms | dropped | failed | first round s | scrape ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for case in CASES.iter().filter(|case| wanted(case.name)) {
        measure(case, target);
    }
}

fn measure(case: &Case, target: SocketAddr) {
    let mut text = String::new();
    for n in 0..case.checks {
        writeln!(
            text,
            "[[check]]\nname = 'check-{n}'\nsection = 'site'\nevery = '{}'\ntimeout = '1s'\n\
             probe.http = {{ url = 'http://{target}/', contains = 'ok' }}",
            case.every
        )
        .expect("a string");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let begun = Instant::now();
    let agent = Agent::start(directory, &text, "");
    while get(agent.port, "/metrics", "").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let first_answer = begun.elapsed();
    agent.wait_until_ready();
    let first_round = begun.elapsed();
    let (cpu_before, runs_before) = (agent.cpu(), runs(&agent.metrics()));
    std::thread::sleep(Duration::from_secs(case.seconds));
    let cpu = agent.cpu().saturating_sub(cpu_before);
    let resident = agent.mib("VmRSS:");
    let scrape = Instant::now();
    let metrics = agent.metrics();
    let scrape = scrape.elapsed();
    let runs = runs(&metrics) - runs_before;
    println!(
        "| {} | {runs} | {:.1} | {:.1} | {} | {} | {} | {:.2} | {:.0} |",
        case.name,
        cpu.as_micros() as f64 / runs,
        resident,
        lag(&metrics),
        sum(&metrics, "atalaya_check_dropped_runs_total"),
        failed(&metrics),
        first_round.as_secs_f64(),
        ms(scrape),
    );
    eprintln!("  start to first /metrics: {:.0} ms", ms(first_answer));
}

/// A server that answers and closes, on two threads.
fn serve() -> SocketAddr {
    // A thousand connections at the same moment find room: what is measured is the agent, and not how a target refuses.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
    socket.listen(4096).expect("a listener");
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().expect("an address");
    for _ in 0..2 {
        let listener = listener.try_clone().expect("a listener");
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let Ok(1..) = stream.read(&mut buffer) else { continue };
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").ok();
            }
        });
    }
    address
}

fn runs(metrics: &str) -> f64 {
    sum(metrics, "atalaya_check_runs_total")
}

/// Runs that found the target failing: with any, something else is measured.
fn failed(metrics: &str) -> f64 {
    let failed: Vec<&str> = metrics.lines().filter(|line| line.contains("result=\"failed\"")).collect();
    runs(&failed.join("\n"))
}

/// The upper bound of the bucket in which the 99th percentile lies, in milliseconds.
fn lag(metrics: &str) -> String {
    let buckets: Vec<(f64, f64)> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("atalaya_schedule_lag_seconds_bucket{le=\""))
        .filter_map(|rest| rest.split_once("\"} "))
        .filter_map(|(bound, count)| Some((bound.replace("+Inf", "inf").parse().ok()?, count.parse().ok()?)))
        .collect();
    let total = buckets.last().map_or(0.0, |(_, count)| *count);
    let p99 = buckets.iter().find(|(_, count)| *count >= total * 0.99);
    p99.map_or("?".to_owned(), |(bound, _)| format!("≤ {}", bound * 1e3))
}
