//! What the shop says, as fast as it may come: `cargo bench --bench ingest`.
//!
//! The agent is another process; this one sends batches on a schedule, as exporters do, and never faster because an answer
//! was fast. Told: CPU of the agent as a share of one core, resident memory, how long answers took, dropped runs of a hundred
//! checks that go on meanwhile, and how far the P95 of the agent's histogram is from the exact one. Nothing is asserted here;
//! what is measured depends on the machine.

#![allow(clippy::disallowed_methods, reason = "benchmarks measure real time")]

mod support;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use support::{Agent, closing_target, get, sum, wanted};

/// What the shop presents.
const TOKEN: &str = "shop-of-the-benches";
const SECONDS: u64 = 75;
/// Batches a second, on as many connections: an SDK sends what it has every second or so, or 512 spans.
const BATCHES: u64 = 10;
const CONNECTIONS: u64 = 4;
const ROUTES: u64 = 40;

/// Makes a batch of so many: its body, and how long each took in microseconds.
type Make = fn(&mut fastrand::Rng, u64) -> (Vec<u8>, Vec<u64>);

/// What is sent, and how many of it a second.
struct Case {
    name: &'static str,
    path: &'static str,
    kind: &'static str,
    a_second: u64,
    make: Make,
}

const CASES: [Case; 3] = [
    Case {
        name: "nothing",
        path: "/v1/traces",
        kind: "",
        a_second: 0,
        make: |_, _| (Vec::new(), Vec::new()),
    },
    Case {
        name: "5,000 spans a second (OTLP, protobuf)",
        path: "/v1/traces",
        kind: "application/x-protobuf",
        a_second: 5_000,
        make: spans,
    },
    Case {
        name: "20,000 events a second (JSON lines)",
        path: "/api/v1/events",
        kind: "application/x-ndjson",
        a_second: 20_000,
        make: events,
    },
];

fn main() {
    println!(
        "| case | sent | refused | share of a core | resident MiB | answer P50 ms | answer P99 ms | runs dropped | P95 off by |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for case in CASES.iter().filter(|case| wanted(case.name)) {
        measure(case);
    }
}

fn measure(case: &Case) {
    let address = closing_target();
    let mut text = "[[check]]\nname = 'requests'\nevery = '10s'\nprobe.received = { source = 'requests', below = '500ms' }\n".to_owned();
    for n in 0..100 {
        writeln!(
            text,
            "[[check]]\nname = 'check-{n}'\nevery = '1s'\nprobe.tcp = {{ address = '{address}' }}"
        )
        .expect("a string");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let agent = Agent::start(directory, &text, &format!("[ingest]\ntoken = '{TOKEN}'\n"));
    agent.wait_until_ready();
    let before = agent.cpu();
    let begun = Instant::now();
    let (port, path, kind, make) = (agent.port, case.path, case.kind, case.make);
    let a_batch = case.a_second / BATCHES;
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|number| std::thread::spawn(move || send(port, (path, kind), (number, a_batch), make, begun)))
        .collect();
    let mut all = Sent::default();
    for sender in senders {
        let sent = sender.join().expect("a sender");
        all.took_us.extend(sent.took_us);
        all.answers.extend(sent.answers);
        all.refused += sent.refused;
    }
    let share = agent.cpu().saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64();
    let resident = agent.mib("VmHWM:");
    let metrics = agent.metrics();
    let dropped = sum(&metrics, "atalaya_check_dropped_runs_total");
    let off = exactness(port, &mut all.took_us, begun);
    let quantile = |sorted: &[u64], q: f64| {
        sorted.get((sorted.len() as f64 * q) as usize).map_or(0.0, |us| *us as f64 / 1e3)
    };
    all.answers.sort_unstable();
    println!(
        "| {} | {} | {} | {:.1} % | {resident:.0} | {:.1} | {:.1} | {dropped} | {off} |",
        case.name,
        all.took_us.len(),
        all.refused,
        share * 100.0,
        quantile(&all.answers, 0.5),
        quantile(&all.answers, 0.99),
    );
}

#[derive(Default)]
struct Sent {
    took_us: Vec<u64>,
    /// How long answers took, from when a batch was due.
    answers: Vec<u64>,
    refused: u64,
}

fn send(
    port: u16,
    (path, kind): (&str, &str),
    (number, a_batch): (u64, u64),
    make: Make,
    begun: Instant,
) -> Sent {
    let mut sent = Sent::default();
    let mut random = fastrand::Rng::with_seed(number);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    for batch in (number..SECONDS * BATCHES).step_by(CONNECTIONS as usize) {
        let due = begun + Duration::from_millis(batch * 1000 / BATCHES);
        let (body, took) = if a_batch > 0 { make(&mut random, a_batch) } else { Default::default() };
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if a_batch == 0 {
            continue;
        }
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).expect("it reads");
        if answered(&mut stream) {
            sent.took_us.extend(took);
        } else {
            sent.refused += took.len() as u64;
        }
        sent.answers.push(due.elapsed().as_micros() as u64);
    }
    sent
}

/// Reads one answer; whether it is a 2xx.
fn answered(stream: &mut TcpStream) -> bool {
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).expect("an answer");
        answer.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return head.starts_with("HTTP/1.1 2");
        }
    }
}

/// Milliseconds that are spread as they are: most short, a few long.
fn took(random: &mut fastrand::Rng) -> u64 {
    let spread = random.f64() + random.f64() + random.f64() - 1.5;
    (80_000.0 * (spread * 1.6).exp()) as u64 + 1
}

fn spans(random: &mut fastrand::Rng, number: u64) -> (Vec<u8>, Vec<u64>) {
    let durations: Vec<u64> = (0..number).map(|_| took(random)).collect();
    let mut spans = Vec::new();
    for us in &durations {
        let mut span = Vec::new();
        field(&mut span, 1, &random.u128(1..).to_be_bytes());
        field(&mut span, 2, &random.u64(1..).to_be_bytes());
        field(&mut span, 5, b"GET /a");
        span.extend([0x30, 2]);
        let start = 1_767_225_600_000_000_000_u64;
        span.push(0x39);
        span.extend(start.to_le_bytes());
        span.push(0x41);
        span.extend((start + us * 1000).to_le_bytes());
        for (key, value) in [
            ("http.method", "GET".to_owned()),
            ("http.route", format!("/route/{}/[id]", random.u64(..ROUTES))),
            ("http.target", "/route/7/42?q=1".to_owned()),
            ("next.span_type", "BaseServer.handleRequest".to_owned()),
            ("http.status_code", if random.u32(..1000) == 0 { "500" } else { "200" }.to_owned()),
        ] {
            let (mut text, mut attribute) = (Vec::new(), Vec::new());
            field(&mut text, 1, value.as_bytes());
            field(&mut attribute, 1, key.as_bytes());
            field(&mut attribute, 2, &text);
            field(&mut span, 9, &attribute);
        }
        field(&mut spans, 2, &span);
    }
    let (mut resource, mut body) = (Vec::new(), Vec::new());
    field(&mut resource, 2, &spans);
    field(&mut body, 1, &resource);
    (body, durations)
}

/// A field of bytes, as protobuf has it.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

fn events(random: &mut fastrand::Rng, number: u64) -> (Vec<u8>, Vec<u64>) {
    let durations: Vec<u64> = (0..number).map(|_| took(random)).collect();
    let mut body = String::new();
    for us in &durations {
        let route = random.u64(..ROUTES);
        writeln!(
            body,
            r#"{{"event":"api_call","method":"GET","route":"/route/{route}/[id]","status":200,"duration_ms":{}}}"#,
            *us as f64 / 1e3
        )
        .expect("a string");
    }
    (body.into_bytes(), durations)
}

/// How far the P95 that the agent tells is from that of what it took, in percent of it. Waits for a run of the check that
/// sees all of it.
fn exactness(port: u16, took_us: &mut [u64], begun: Instant) -> String {
    if took_us.is_empty() {
        return "–".to_owned();
    }
    took_us.sort_unstable();
    let exact = took_us[(took_us.len() * 95).div_ceil(100) - 1] as f64 / 1e6;
    let all = took_us.len() as f64;
    while begun.elapsed() < Duration::from_secs(SECONDS + 60) {
        let body = get(port, "/api/v1/checks/requests", "").unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        let measures = body
            .split_once("\r\n\r\n")
            .and_then(|(_, json)| serde_json::from_str::<serde_json::Value>(json).ok());
        let measure = |name: &str| {
            let all = measures.as_ref()?.get("measures")?.as_array()?;
            all.iter().find(|one| one["name"] == name)?["value"].as_f64()
        };
        if let (Some(requests), Some(p95)) = (measure("requests"), measure("p95_seconds"))
            && requests >= all
        {
            return format!("{:.3} %", (p95 / exact - 1.0).abs() * 100.0);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    "not all was counted".to_owned()
}
