//! `kill -9` under load: what was answered with a 2xx counts exactly once, and what was not answered and is sent again under
//! its word counts once as well.

use super::{JSON, SENDER, SQUARE_KEY, counted, payment, start, times, try_post, try_square, with_inbox};
use atalaya::ingest::Source;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};

const SENDERS: u64 = 4;
const KILLS: u64 = 10;
/// Each batch of spans has a route of its own, and so many are told apart.
const ROUTES_MAX: u64 = 4_000;

/// Where the agent is now, and whether there is more to send.
struct Field {
    port: AtomicU16,
    is_over: AtomicBool,
}

impl Field {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    /// The status of an answer that came to its end.
    fn post(&self, path: &str, headers: &str, body: &str) -> Option<u16> {
        let answer = try_post(self.port.load(Ordering::Relaxed), path, headers, body.as_bytes()).ok()?;
        // A connection that was cut in the middle of the head has told nothing.
        Some(answer.status).filter(|status| *status != 0)
    }

    /// Sends batches of events, each under its word until it is taken; how many events there were, and how many batches
    /// had to be sent more than once.
    fn events(&self, sender: u64) -> (u64, u64) {
        let (mut sum, mut repeated) = (0, 0);
        for batch in 0.. {
            if !self.goes_on() {
                break;
            }
            let count = 1 + (batch * 7 + sender) % 40;
            let body = format!(
                "{}\n{}\n",
                json!({"event": "order_completed", "count": count}),
                json!({"event": format!("sent_by_{sender}")})
            );
            let headers = format!("{SENDER}Idempotency-Key: batch-{sender}-{batch}\r\n");
            let mut tries = 0_u64;
            while self.post("/api/v1/events", &headers, &body).is_none_or(|status| status != 202) {
                tries += 1;
                // Nobody listens for a while.
                std::thread::sleep(Duration::from_millis(5));
            }
            sum += count;
            repeated += u64::from(tries > 0);
        }
        (sum, repeated)
    }

    /// Letters of Square, each sent until it is taken, and once more; how many there were.
    fn letters(&self) -> u64 {
        let mut number = 0;
        while self.goes_on() {
            let (id, at) = (format!("p-{number}"), "2026-02-06T21:27:34Z");
            let letter = payment(&format!("e-{number}"), &id, "COMPLETED", at);
            let send = || try_square(self.port.load(Ordering::Relaxed), SQUARE_KEY, &letter);
            while send().map_or(0, |answer| answer.status) != 202 {
                std::thread::sleep(Duration::from_millis(5));
            }
            send().ok();
            number += 1;
        }
        number
    }

    /// Sends batches of spans and never again; of each how many requests there were, and whether it was answered.
    fn spans(&self) -> BTreeMap<String, (u64, bool)> {
        let mut sent = BTreeMap::new();
        for batch in 0..ROUTES_MAX {
            if !self.goes_on() {
                break;
            }
            let (route, number) = (format!("/batch/{batch}"), 1 + batch % 30);
            let answered = self.post("/v1/traces", JSON, &batch_of(&route, batch, number)) == Some(200);
            sent.insert(format!("GET {route}"), (number, answered));
            if !answered {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        sent
    }
}

fn batch_of(route: &str, batch: u64, number: u64) -> String {
    let span = |at: u64| {
        json!({"traceId": format!("{:032x}", batch + 1), "spanId": format!("{:016x}", at + 1), "name": "GET", "kind": 2,
            "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712660020000000", "attributes": [
            {"key": "http.request.method", "value": {"stringValue": "GET"}}, {"key": "http.route", "value": {"stringValue": route}},
            {"key": "http.response.status_code", "value": {"intValue": "200"}}]})
    };
    let spans: Vec<_> = (0..number).map(span).collect();
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string()
}

#[test]
fn what_was_answered_counts_exactly_once_whenever_it_is_killed() {
    let mut agent = start("ingest-kill", "", "names_max = 5000");
    let field = Field { port: AtomicU16::new(agent.port), is_over: AtomicBool::new(false) };
    let (events, spans, letters) = std::thread::scope(|scope| {
        let field = &field;
        let senders: Vec<_> = (0..SENDERS).map(|sender| scope.spawn(move || field.events(sender))).collect();
        let tracer = scope.spawn(move || field.spans());
        let vendor = scope.spawn(move || field.letters());
        for number in 0..KILLS {
            // This is no waiting for something: it is the moment of the kill.
            std::thread::sleep(Duration::from_millis(fastrand::u64(20..900)));
            agent.kill();
            // Some die before they listen.
            if number % 3 == 1 {
                agent.begin_restart();
                std::thread::sleep(Duration::from_millis(fastrand::u64(0..60)));
                agent.kill();
            }
            agent.restart();
            field.port.store(agent.port, Ordering::Relaxed);
        }
        let last = Instant::now();
        agent.wait_for("something to be sent after the last kill", |_| {
            last.elapsed() > Duration::from_millis(300)
        });
        field.is_over.store(true, Ordering::Relaxed);
        let events: Vec<_> = senders.into_iter().map(|sender| sender.join().expect("a sender")).collect();
        (events, tracer.join().expect("a sender"), vendor.join().expect("a sender"))
    });
    agent.kill();
    let orders = counted(&agent.directory, Source::Events);
    let sums: u64 = events.iter().map(|(sum, _)| sum).sum();
    let repeated: u64 = events.iter().map(|(_, repeated)| repeated).sum();
    assert_eq!(times(&orders, "order_completed"), sums, "{repeated} batches were sent more than once");
    assert!(sums > 1_000 && repeated > 0, "{sums} events, {repeated} repeated");
    let requests = counted(&agent.directory, Source::Requests);
    with_inbox(
        &agent.directory,
        async |inbox| while inbox.work(Timestamp::now()).await.expect("work").done > 0 {},
    );
    let square = counted(&agent.directory, Source::Square);
    let found = ["letters_production", "payments_succeeded"].map(|name| times(&square, name));
    assert!(found == [letters, letters] && letters > 20, "{found:?} of {letters}");
    let mut lost = 0;
    for (route, (number, answered)) in &spans {
        let found = times(&requests, route);
        assert!(
            found == *number || (!answered && found == 0),
            "{route}: {found} of {number}, answered: {answered}"
        );
        lost += u64::from(found == 0);
    }
    let answered: u64 = spans.values().filter(|(_, answered)| *answered).map(|(number, _)| number).sum();
    println!(
        "{letters} letters, {sums} events, {repeated} batches repeated, {answered} spans answered, {lost} batches lost unanswered"
    );
    assert!(answered > 100, "{answered}");
}
