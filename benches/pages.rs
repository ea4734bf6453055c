//! Pages of the real program with 1,000 checks and 90 days: `cargo bench --bench pages`.
//!
//! Told: how long pages take, what they weigh, and what fifty people who look cost. Nothing is asserted here; what is
//! measured depends on the machine.

#![allow(clippy::disallowed_methods, reason = "benchmarks measure real time")]

mod support;

use atalaya::demo::watch_list::past;
use atalaya::store::Store;
use std::fmt::Write as _;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{Agent, closing_target, get, ms, sum};

const CHECKS: usize = 1_000;
const SECTIONS: usize = 8;
const VIEWERS: usize = 50;

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    remember(directory.path());
    let address = closing_target();
    let mut checks = String::new();
    for n in 0..CHECKS {
        let section = n % SECTIONS;
        writeln!(
            checks,
            "[[check]]\nname = 'check-{n}'\nsection = 'part-{section}'\nevery = '10s'\nprobe.tcp = {{ address = '{address}' }}"
        )
        .expect("a string");
    }
    let agent = Agent::start(directory, &checks, "");
    agent.wait_until_ready();
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
        let (first, bytes) = timed(agent.port, path);
        let mut later: Vec<Duration> = (0..9).map(|_| timed(agent.port, path).0).collect();
        later.sort();
        println!("| {path} | {:.0} | {:.1} | {:.0} |", ms(first), ms(later[4]), bytes as f64 / 1024.0);
    }
    viewers(&agent);
}

/// Fifty connections that are told of changes, and each of them gets the page once a second.
fn viewers(agent: &Agent) {
    const DROPPED: &str = "atalaya_check_dropped_runs_total";
    let port = agent.port;
    let mut open = Vec::new();
    for _ in 0..VIEWERS {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a place");
        write!(stream, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
        open.push(stream);
    }
    let (before, dropped) = (agent.cpu(), sum(&agent.metrics(), DROPPED));
    let began = Instant::now();
    let mut took = Vec::new();
    while began.elapsed() < Duration::from_secs(20) {
        let round = Instant::now();
        let asked: Vec<_> = (0..VIEWERS).map(|_| std::thread::spawn(move || timed(port, "/").0)).collect();
        took.extend(asked.into_iter().map(|one| one.join().expect("an answer")));
        std::thread::sleep(Duration::from_secs(1).saturating_sub(round.elapsed()));
    }
    took.sort();
    let share = agent.cpu().saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    println!(
        "\n{VIEWERS} viewers, a page a second each: P50 {:.1} ms, P99 {:.1} ms, {:.0} % of one core with all checks, {} runs dropped",
        ms(took[took.len() / 2]),
        ms(took[took.len() * 99 / 100]),
        share * 100.0,
        sum(&agent.metrics(), DROPPED) - dropped,
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
    let answer = get(port, path, "Accept: text/html\r\nAccept-Encoding: gzip\r\n").expect("an answer");
    (began.elapsed(), answer.len())
}
