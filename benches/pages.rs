//! Pages of the real program with 1,000 checks and 90 days: `cargo bench --bench pages`.
//!
//! Told: how long pages take, what they weigh, and what fifty people who look cost. Nothing is asserted here; what is
//! measured depends on the machine.

#![allow(clippy::disallowed_methods, reason = "benchmarks measure real time")]

use atalaya::demo::watch_list::past;
use atalaya::store::Store;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_atalaya");
const TOKEN: &str = "bench-token-bench-token";
const CHECKS: usize = 1_000;
const SECTIONS: usize = 8;
const VIEWERS: usize = 50;

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    remember(directory.path());
    let target = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = target.local_addr().expect("an address");
    std::thread::spawn(move || target.incoming().for_each(drop));
    let mut checks = String::new();
    for n in 0..CHECKS {
        let section = n % SECTIONS;
        writeln!(
            checks,
            "[[check]]\nname = 'check-{n}'\nsection = 'part-{section}'\nevery = '10s'\nprobe.tcp = {{ address = '{address}' }}"
        )
        .expect("a string");
    }
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("a file");
    write("checks.toml", &checks);
    write("atalaya.toml", &format!("[http]\ntoken = '{TOKEN}'\n"));
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let mut agent = Command::new(PROGRAM)
        .args(["run", "--checks", "checks.toml", "--listen", &format!("127.0.0.1:{port}")])
        .current_dir(directory.path())
        .env("ATALAYA_LOG", "error")
        .stdout(Stdio::null())
        .spawn()
        .expect("the program");
    while !get(port, "/readyz").is_some_and(|answer| answer.starts_with(b"HTTP/1.0 200")) {
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("| page | first ms | later, median ms | KiB on the wire |\n|---|---|---|---|");
    let pages = [
        "/",
        "/api/v1/status",
        "/ops",
        "/ops/checks",
        "/ops/checks?window=28d",
        "/ops/checks/check-1?span=90d",
    ];
    for path in pages {
        let (first, bytes) = timed(port, path);
        let mut later: Vec<Duration> = (0..9).map(|_| timed(port, path).0).collect();
        later.sort();
        println!("| {path} | {:.0} | {:.1} | {:.0} |", ms(first), ms(later[4]), bytes as f64 / 1024.0);
    }
    viewers(port, &agent);
    agent.kill().ok();
    agent.wait().ok();
}

/// Fifty connections that are told of changes, and each of them gets the page once a second.
fn viewers(port: u16, agent: &Child) {
    let mut open = Vec::new();
    for _ in 0..VIEWERS {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a place");
        write!(stream, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
        open.push(stream);
    }
    let (before, dropped) = (cpu(agent), metric(port, "atalaya_check_dropped_runs_total"));
    let began = Instant::now();
    let mut took = Vec::new();
    while began.elapsed() < Duration::from_secs(20) {
        let round = Instant::now();
        let asked: Vec<_> = (0..VIEWERS).map(|_| std::thread::spawn(move || timed(port, "/").0)).collect();
        took.extend(asked.into_iter().map(|one| one.join().expect("an answer")));
        std::thread::sleep(Duration::from_secs(1).saturating_sub(round.elapsed()));
    }
    took.sort();
    let share = cpu(agent).saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    println!(
        "\n{VIEWERS} viewers, a page a second each: P50 {:.1} ms, P99 {:.1} ms, {:.0} % of one core with all checks, {} runs dropped",
        ms(took[took.len() / 2]),
        ms(took[took.len() * 99 / 100]),
        share * 100.0,
        metric(port, "atalaya_check_dropped_runs_total") - dropped,
    );
}

/// A store with 90 days of every check.
fn remember(directory: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let hour = u32::try_from(atalaya::clock::wall().as_second() / 3_600 * 60).expect("minutes");
        let mut random = fastrand::Rng::with_seed(1);
        let (store, _) = Store::open(&directory.join("atalaya.db")).await.expect("a store");
        for n in 0..CHECKS {
            let name: Arc<str> = format!("check-{n}").into();
            let mut rows = past::runs(&name, Duration::from_secs(10), 0.05, (90, hour), &mut random);
            // Hours of four weeks are for one check's page.
            rows.retain(|row| row.is_day || n < 10);
            store.import(&rows, &[]).await.expect("written");
        }
        store.close().await;
    });
}

fn timed(port: u16, path: &str) -> (Duration, usize) {
    let began = Instant::now();
    let answer = get(port, path).expect("an answer");
    (began.elapsed(), answer.len())
}

fn get(port: u16, path: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let more = "Accept: text/html\r\nAccept-Encoding: gzip\r\n";
    write!(stream, "GET {path} HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n{more}\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(answer)
}

fn metric(port: u16, family: &str) -> f64 {
    let text = String::from_utf8_lossy(&get(port, "/metrics").expect("metrics")).into_owned();
    let series = text.lines().filter(|line| line.starts_with(family));
    series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

/// User and system time of a process: fields 14 and 15 of `/proc/PID/stat`, in hundredths of a second.
fn cpu(child: &Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("a process");
    let after = stat.rsplit_once(')').expect("a name").1;
    let ticks: u64 =
        after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}
