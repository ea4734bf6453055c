//! Bodies that mean harm, or were made by mistake: refused with a reason that a sender understands, or bounded, and never
//! repeated in a log, a metric, a page or a file.

use super::{CARD, EMAIL, JSON, SENDER, TOKEN, events, header, nowhere, openmetrics, post, requests, start};
use crate::support::agent::Agent;
use crate::support::http::{self, Answer, raw};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;

const PROTOBUF: &str =
    "Authorization: Bearer token-of-the-shop-7Qk2\r\nContent-Type: application/x-protobuf\r\n";
const SENT_MAX: usize = 4 * 1024 * 1024;

fn packed(whole: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(whole).expect("written");
    encoder.finish().expect("finished")
}

fn chunked(agent: &Agent, path: &str, body: &[u8]) -> Answer {
    let stream = TcpStream::connect(("127.0.0.1", agent.port)).expect("a listener");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{JSON}\r\n"
    );
    let mut request = head.into_bytes();
    for piece in body.chunks(64 * 1024) {
        request.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        request.extend(piece);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    raw(stream, &request).expect("an answer")
}

/// It is refused, in words that have nothing of it.
fn refused(answer: &Answer, status: u16, why: &str) {
    assert_eq!(answer.status, status, "{why}: {}", answer.body);
    assert!(answer.body.contains(why), "{why}: {}", answer.body);
    assert!(!answer.body.contains(EMAIL) && !answer.body.contains(CARD), "{}", answer.body);
}

fn spans(spans: &[Value]) -> String {
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string()
}

fn span(number: u64, route: &str, (from, to): (u64, u64)) -> Value {
    json!({"traceId": format!("{:032x}", number + 1), "spanId": "00000000000000ab", "name": "GET", "kind": 2,
        "startTimeUnixNano": from.to_string(), "endTimeUnixNano": to.to_string(), "attributes": [
        {"key": "http.method", "value": {"stringValue": "GET"}}, {"key": "http.route", "value": {"stringValue": route}},
        {"key": "http.status_code", "value": {"intValue": 200}}]})
}

/// A value of protobuf in a value, so many times.
fn nested(depth: usize) -> Vec<u8> {
    let field = |number: u8, content: &[u8]| {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            bytes.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        [bytes, content.to_vec()].concat()
    };
    let mut value = field(1, b"x");
    for _ in 0..depth {
        value = field(5, &field(1, &value));
    }
    let attribute = [field(1, b"http.route"), field(2, &value)].concat();
    let span = [field(1, &[1; 16]), field(2, &[1; 8]), vec![6 << 3, 2], field(9, &attribute)].concat();
    field(1, &field(2, &field(2, &span)))
}

#[test]
fn harmful_bodies_are_refused_and_nothing_of_them_is_kept() {
    let mut agent = start("ingest-abuse", "", "");
    let port = agent.port;
    let mark = format!("{EMAIL} {CARD}");
    let traces = |headers: &str, body: &[u8]| post(port, "/v1/traces", headers, body);
    let kinds = "neither `application/x-protobuf` nor `application/json`";
    refused(&traces(SENDER, b"{}"), 415, kinds);
    refused(&traces(&format!("{SENDER}Content-Type: text/plain\r\n"), mark.as_bytes()), 415, kinds);
    for encoding in ["br", "deflate", "gzip, gzip", "zstd"] {
        let headers = format!("{JSON}Content-Encoding: {encoding}\r\n");
        refused(&traces(&headers, b"{}"), 415, "neither `gzip` nor `identity`");
    }
    let gzip = format!("{JSON}Content-Encoding: gzip\r\n");
    refused(&traces(&gzip, mark.as_bytes()), 400, "no gzip, or is cut off");
    let whole = packed(spans(&[span(0, "/a", (1, 2))]).as_bytes());
    refused(&traces(&gzip, &whole[..whole.len() - 6]), 400, "no gzip, or is cut off");
    refused(
        &traces(&gzip, &packed(&vec![b' '; 400 * 1024 * 1024])),
        413,
        "longer than the limit of 8388608 bytes",
    );
    let large = vec![b' '; SENT_MAX + 1];
    refused(&traces(JSON, &large), 413, "longer than the limit of 4194304 bytes");
    refused(&chunked(&agent, "/v1/traces", &large), 413, "longer than the limit of 4194304 bytes");
    refused(&chunked(&agent, "/api/v1/events", &large), 413, "longer than the limit of 4194304 bytes");
    for deep in ["[".repeat(1_000_000), "{\"resourceSpans\":".repeat(100_000), "{\"a\":[".repeat(100_000)] {
        refused(&traces(JSON, deep.as_bytes()), 400, "");
        refused(&post(port, "/api/v1/events", JSON, deep.as_bytes()), 400, "");
    }
    refused(&traces(JSON, format!("{{\"resourceSpans\":\"{mark}\"}}").as_bytes()), 400, "");
    refused(&traces(JSON, mark.as_bytes()), 400, "");
    refused(&traces(PROTOBUF, mark.as_bytes()), 400, "");
    refused(&traces(PROTOBUF, &[0xff; 64]), 400, "");
    assert!(matches!(traces(PROTOBUF, &nested(20_000)).status, 200 | 400), "and it does not die");
    for letter in ["/ingest/square", "/ingest/resend"] {
        refused(&post(port, letter, "", mark.as_bytes()), 403, "");
        refused(&post(port, letter, "", &large), 413, "");
    }
    let lines = format!(
        "{{\"event\":7}}\n{{\"event\":\"{EMAIL}\"}}\n{mark}\n{{\"event\":\"a\",\"count\":\"{CARD}\"}}\n\
         {{\"event\":\"api_call\",\"route\":\"/a\",\"duration_ms\":-1}}\n{{\"event\":\"api_call\",\"route\":\"/a\",\"duration_ms\":1e300}}\n"
    );
    let answer = post(port, "/api/v1/events", JSON, lines.as_bytes());
    refused(&answer, 400, "\"rejected\":6");
    let good = format!("{lines}{{\"event\":\"order_completed\",\"customer\":\"{mark}\"}}\n");
    let answer = post(port, "/api/v1/events", JSON, good.as_bytes());
    refused(&answer, 202, "\"accepted\":1");
    assert_eq!(events(&agent, "events", "order_completed"), 1.0);
    assert_eq!(agent.get("/healthz").status, 200);
    for path in ["/", "/metrics", "/api/v1/status", "/api/v1/checks", "/api/v1/alerts"] {
        for accept in ["", "Accept: text/html\r\n"] {
            let told = http::get_with(port, path, accept).body;
            assert!(!told.contains(EMAIL) && !told.contains(CARD) && !told.contains(TOKEN), "{path}");
        }
    }
    let log = agent.log();
    assert!(
        !log.iter().any(|line| line["message"].as_str().is_some_and(|text| text.contains("bug"))),
        "{log:#?}"
    );
    agent.terminate();
    nowhere(&agent.directory, &[EMAIL, CARD, TOKEN]);
}

#[test]
fn guessing_the_token_ends_soon() {
    let agent = start("ingest-guess", "", "");
    for (headers, status) in
        [("", 401), ("Authorization: Basic abc\r\n", 401), ("Authorization: Bearer \r\n", 401)]
    {
        let answer =
            post(agent.port, "/v1/traces", &format!("{headers}Content-Type: application/json\r\n"), b"{}");
        assert_eq!(answer.status, status, "{headers}");
    }
    let guess = |number: u32| {
        let headers = format!(
            "Authorization: Bearer guess-number-{number}-of-many\r\nContent-Type: application/json\r\n"
        );
        post(agent.port, "/v1/traces", &headers, b"{}")
    };
    let refusals: Vec<Answer> = (0..20).map(guess).collect();
    let is_limited = |answer: &&Answer| answer.status == 429 && header(answer, "retry-after").is_some();
    assert!(
        refusals.iter().filter(is_limited).count() >= 8,
        "{:?}",
        refusals.iter().map(|answer| answer.status)
    );
    assert_eq!(requests(&agent, "otlp", "taken"), 0.0);
}

#[test]
fn ten_thousand_routes_are_some_hundred_series_and_none_is_lost() {
    let mut agent = start("ingest-routes", "", "");
    for part in 0..10 {
        let all: Vec<Value> = (0..1000)
            .map(|at| part * 1000 + at)
            .map(|at| span(at, &format!("/orders/{at}"), (1, 20_000_001)))
            .collect();
        let answer = post(agent.port, "/v1/traces", JSON, spans(&all).as_bytes());
        assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    }
    let names: String = (0..1000).fold(String::new(), |mut text, at| {
        writeln!(text, "{{\"event\":\"made_up_{at}\"}}").expect("a text");
        text
    });
    assert_eq!(post(agent.port, "/api/v1/events", JSON, names.as_bytes()).status, 202);
    let metrics = agent.metrics();
    let of = |start: &str| {
        metrics
            .iter()
            .filter(|(name, _)| name.starts_with(start))
            .map(|(_, value)| *value)
            .collect::<Vec<_>>()
    };
    let routes = of("atalaya_requests_total{");
    assert_eq!((routes.len(), routes.iter().sum::<f64>()), (201, 10_000.0));
    assert_eq!(metrics["atalaya_requests_total{route=\"(other)\",status_class=\"2xx\"}"], 9_800.0);
    let names = of("atalaya_events_total{source=\"events\"");
    assert_eq!((names.len(), names.iter().sum::<f64>()), (201, 1_000.0));
    assert_eq!(metrics["atalaya_ingest_other_names_total"], 9_800.0 + 800.0);
    assert!(openmetrics(&agent).lines().count() < 5_000, "what is scraped stays small");
    // Which are told apart outlives the process, so a restart is no way to have more of them.
    agent.kill();
    agent.restart();
    let all: Vec<Value> = (0..1000).map(|at| span(at, &format!("/carts/{at}"), (1, 20_000_001))).collect();
    assert_eq!(post(agent.port, "/v1/traces", JSON, spans(&all).as_bytes()).status, 200);
    assert_eq!(agent.metrics()["atalaya_requests_total{route=\"(other)\",status_class=\"2xx\"}"], 1_000.0);
}

#[test]
fn clocks_that_are_an_hour_off_change_no_count_and_no_duration() {
    let agent = start("ingest-clocks", "", "");
    let now = u64::try_from(jiff::Timestamp::now().as_nanosecond()).expect("after 1970");
    let hour = 3_600_000_000_000;
    let took = 20_000_000;
    let at = |from: u64| span(from % 997, "/a", (from, from + took));
    let all = [at(now - hour), at(now), at(now + hour), at(1), span(7, "/a", (now, now - hour))];
    let answer = post(agent.port, "/v1/traces", JSON, spans(&all).as_bytes());
    let told: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!((answer.status, &told["partialSuccess"]["rejectedSpans"]), (200, &"1".into()), "{told}");
    let metric = |name: &str| agent.metric(&format!("{name}{{route=\"GET /a\"")).expect(name);
    assert_eq!(metric("atalaya_requests_total"), 4.0);
    assert!((metric("atalaya_request_duration_seconds_sum") - 0.08).abs() < 1e-9);
}
