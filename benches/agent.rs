//! The real program under load: `cargo bench --bench agent`.
//!
//! A small HTTP server of this process answers; the agent is another process, so that its CPU time and
//! memory are its own. Told: CPU per run, resident memory, lag, dropped and failed runs, how long the first
//! round and a scrape took. Nothing is asserted here; what is measured depends on the machine.

#![allow(clippy::disallowed_methods, reason = "benchmarks measure real time")]

use socket2::{Domain, Socket, Type};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_atalaya");
const TOKEN: &str = "bench-token-bench-token";

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
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let target = serve();
    println!(
        "| case | runs | CPU µs a run | resident MiB | lag P99 ms | dropped | failed | first round s | scrape ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for case in CASES.iter().filter(|case| wanted.is_empty() || wanted.iter().any(|w| case.name.contains(w)))
    {
        measure(case, target);
    }
}

fn measure(case: &Case, target: SocketAddr) {
    let directory = tempfile::tempdir().expect("a directory");
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
    std::fs::write(directory.path().join("checks.toml"), text).expect("a file");
    let agent = format!("[http]\ntoken = '{TOKEN}'\n");
    std::fs::write(directory.path().join("atalaya.toml"), agent).expect("a file");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let begun = Instant::now();
    let mut agent = Command::new(PROGRAM)
        .args(["run", "--checks", "checks.toml", "--listen", &format!("127.0.0.1:{port}")])
        .current_dir(directory.path())
        .env("ATALAYA_LOG", "error")
        .stdout(Stdio::null())
        .spawn()
        .expect("the program");
    while get(port, "/metrics").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let first_answer = begun.elapsed();
    while !get(port, "/readyz")
        .is_some_and(|answer| answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"))
    {
        std::thread::sleep(Duration::from_millis(50));
    }
    let first_round = begun.elapsed();
    let (cpu_before, runs_before) = (cpu(&agent), runs(port));
    std::thread::sleep(Duration::from_secs(case.seconds));
    let cpu = cpu(&agent).saturating_sub(cpu_before);
    let resident = resident(&agent);
    let scrape = Instant::now();
    let metrics = get(port, "/metrics").expect("metrics");
    let scrape = scrape.elapsed();
    let runs = sum(&metrics, "atalaya_check_runs_total") - runs_before;
    println!(
        "| {} | {runs} | {:.1} | {:.1} | {} | {} | {} | {:.2} | {:.0} |",
        case.name,
        cpu.as_micros() as f64 / runs,
        resident,
        lag(&metrics),
        sum(&metrics, "atalaya_check_dropped_runs_total"),
        failed(&metrics),
        first_round.as_secs_f64(),
        scrape.as_secs_f64() * 1e3,
    );
    eprintln!("  start to first /metrics: {:.0} ms", first_answer.as_secs_f64() * 1e3);
    agent.kill().ok();
    agent.wait().ok();
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

fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

fn runs(port: u16) -> f64 {
    sum(&get(port, "/metrics").expect("metrics"), "atalaya_check_runs_total")
}

fn sum(metrics: &str, family: &str) -> f64 {
    let series =
        metrics.lines().filter(|line| line.starts_with(family) && line[family.len()..].starts_with('{'));
    series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

/// Runs that found the target failing: with any, something else is measured.
fn failed(metrics: &str) -> f64 {
    let failed: Vec<&str> = metrics.lines().filter(|line| line.contains("result=\"failed\"")).collect();
    let failed = failed.join("\n");
    sum(&failed, "atalaya_check_runs_total")
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

/// User and system time of the whole process.
fn cpu(child: &Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("a process");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
    let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}

fn resident(child: &Child) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    let kib: f64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kib / 1024.0
}
