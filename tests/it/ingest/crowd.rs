//! Many at once, large and slow: what finds no room is told to come again, and the agent goes on with its own work.

use super::exporters::{python, stories, told_exactly, url};
use super::{JSON, SENDER, TOKEN, header, post, requests, start};
use crate::support::agent::Agent;
use crate::support::http;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const SENT_MAX: usize = 4 * 1024 * 1024;
/// Of a vendor's letter.
const LETTER_MAX: usize = 256 * 1024;

/// Somebody who says that a large body comes, and sends a part of it.
fn begin(agent: &Agent, path: &str, headers: &str, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", agent.port)).expect("a listener");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let length = if path.starts_with("/ingest/") { LETTER_MAX } else { SENT_MAX };
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), &vec![b' '; sent]].concat()).expect("sent");
    stream
}

/// Reads what it is told, until nothing more comes.
fn told(mut stream: TcpStream) -> String {
    let mut told = String::new();
    stream.read_to_string(&mut told).ok();
    told
}

fn runs(agent: &Agent) -> f64 {
    let metrics = agent.metrics();
    let of_it =
        metrics.iter().filter(|(name, _)| name.starts_with("atalaya_check_runs_total{check=\"fine\""));
    of_it.map(|(_, runs)| runs).sum()
}

/// Events are taken, and the agent looks and answers as ever.
fn goes_on(agent: &Agent) {
    let before = runs(agent);
    let answer = post(agent.port, "/api/v1/events", SENDER, b"{\"event\":\"order_completed\"}\n");
    assert_eq!(answer.status, 202, "{}", answer.body);
    let begun = Instant::now();
    assert_eq!(http::get(agent.port, "/healthz").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    agent.wait_for("two more runs", |agent| runs(agent) >= before + 2.0);
}

#[test]
fn bodies_that_never_come_keep_nobody_out_and_end() {
    let agent = start("ingest-slow", "", "");
    let begun = Instant::now();
    // Anybody can do that at the door for webhooks.
    let slow: Vec<_> = (0..100)
        .map(|at| match at % 2 {
            0 => begin(&agent, "/ingest/square", "", 10),
            _ => begin(&agent, "/v1/traces", JSON, 10),
        })
        .collect();
    goes_on(&agent);
    for stream in slow {
        let told = told(stream);
        assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn where_there_is_no_room_one_is_told_to_come_again_and_does() {
    let agent = start("ingest-crowd", "", "");
    let fill = || {
        let mut holders: Vec<_> = (0..5).map(|_| begin(&agent, "/v1/traces", JSON, SENT_MAX - 1)).collect();
        holders.push(begin(&agent, "/v1/traces", JSON, 3_900_000));
        holders
    };
    let (mut holders, mut filled) = (fill(), Instant::now());
    let large = vec![b' '; SENT_MAX / 2];
    agent.wait_for("them to fill the room", |agent| {
        // A body has ten seconds to come, and on a busy machine the first may be over before the last is there.
        if filled.elapsed() > Duration::from_secs(10) {
            holders.clear();
            (holders, filled) = (fill(), Instant::now());
        }
        let answer = post(agent.port, "/v1/traces", JSON, &large);
        answer.status == 429 && header(&answer, "retry-after") == Some("1")
    });
    let resident = agent.metric("process_resident_memory_bytes").expect("a number");
    assert!(resident < 160e6, "{resident}");
    // A batch of Python's exporter, as large as it makes them.
    let many: Vec<_> = (0..400).flat_map(|_| stories().as_array().expect("stories").clone()).collect();
    let given =
        json!({"url": url(&agent), "token": TOKEN, "compression": "none", "act": "spans", "spans": many});
    let before = requests(&agent, "otlp", "full");
    let said = std::thread::scope(|scope| {
        let sender = scope.spawn(|| python(&given));
        goes_on(&agent);
        agent.wait_for("it to be refused", |agent| requests(agent, "otlp", "full") > before);
        drop(holders);
        sender.join().expect("an exporter")
    });
    assert_eq!(said["result"], "SUCCESS", "{said:#}");
    told_exactly(&agent, 400, None);
}
