//! What is measured and counted of what was received, asked of an agent that remembers just that.

use super::*;
use crate::ingest::tally::{Names, Tallies};
use crate::ingest::{Arrival, Happened, Pings, Query, Request, StatusClass, Told};
use crate::outcome::Status;

/// One arrival each minute from the first of them on; deaf in the minutes after `deaf`.
struct Heard {
    minutes: Vec<Arrival>,
    deaf: Option<u64>,
}

const FIRST: u64 = 100_000;

fn minute(number: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(number.cast_signed())
}

impl Received for Heard {
    fn pings<'a>(&'a self, _: &'a str, _: Timestamp) -> Told<'a, Pings> {
        Box::pin(async { Err("no pings".to_owned()) })
    }

    fn sum(&self, source: Source, from: Timestamp, to: Timestamp) -> Told<'_, Sum> {
        let mut all = Tallies::default();
        for (number, arrival) in (FIRST..).zip(&self.minutes) {
            if from <= minute(number) && minute(number) < to {
                all.merge(&Names::new(10).tally(arrival, Duration::from_millis(100), 0));
            }
        }
        let mut sum = Sum { is_deaf: self.deaf.is_some_and(|deaf| to > minute(deaf)), ..Sum::default() };
        all.add_to(source, &mut sum);
        Box::pin(async { Ok(sum) })
    }

    fn silence(&self, _: Source, now: Timestamp) -> Told<'_, Duration> {
        Box::pin(async move { Ok(Duration::try_from(now.duration_since(minute(FIRST))).unwrap_or_default()) })
    }

    fn letters(&self, _: Vendor, _: Timestamp, _: Timestamp) -> Told<'_, Vec<(String, Timestamp)>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn set_aside(&self, _: Vendor) -> Told<'_, u64> {
        Box::pin(async { Ok(3) })
    }
}

fn request(status: u16, ms: u64) -> Request {
    let class = StatusClass::of(status);
    let (route, failed) = ("GET /".to_owned(), class == StatusClass::ServerError);
    Request { route, class, failed, took: Duration::from_millis(ms), trace: None }
}

fn question(source: Source, below: Option<u64>, names: &[(&str, &str)]) -> Question {
    Question {
        source,
        below: below.map(Duration::from_millis),
        names: names.iter().map(|(measure, event)| ((*measure).into(), (*event).to_owned())).collect(),
        window: Duration::from_mins(2),
        every: MINUTE,
    }
}

/// The run in the middle of the third minute.
async fn ask(question: &Question, heard: Heard, counted: Counted) -> Outcome {
    let mut cx = Context::new(minute(FIRST + 2) + SignedDuration::from_secs(30), Duration::from_secs(5));
    cx.received = Some(Arc::new(heard));
    cx.counted = counted;
    question.run(&cx).await
}

fn measured(outcome: &Outcome) -> BTreeMap<String, f64> {
    outcome.measures.iter().map(|measure| (measure.name.to_string(), measure.value)).collect()
}

#[tokio::test]
async fn requests_are_measured_over_the_window_and_counted_minute_by_minute() {
    let minutes = vec![
        Arrival { requests: vec![request(200, 100), request(200, 900)], ..Arrival::default() },
        Arrival { requests: vec![request(503, 200), request(404, 10)], ..Arrival::default() },
        // The minute that is under way: it is measured, and counted when it is over.
        Arrival { requests: vec![request(200, 5)], ..Arrival::default() },
    ];
    let question = question(Source::Requests, Some(500), &[]);
    let counted = Counted::UpTo(Some(minute(FIRST)));
    let outcome = ask(&question, Heard { minutes, deaf: None }, counted).await;
    let found = measured(&outcome);
    for (name, value) in [
        ("requests", 5.0),
        ("requests_ok", 4.0),
        ("requests_failed", 1.0),
        ("requests_fast", 3.0),
        ("requests_4xx", 1.0),
        ("requests_failed_ratio", 0.2),
        ("requests_per_second", 5.0 / 150.0),
        ("silence_seconds", 150.0),
    ] {
        assert_eq!(found.get(name), Some(&value), "{name}");
    }
    assert!((found["p99_seconds"] - 0.9).abs() < 0.001 && (found["mean_seconds"] - 0.243).abs() < 0.001);
    let parts: Vec<_> = outcome
        .counted
        .iter()
        .map(|part| (part.from, part.values["requests"], part.values["requests_fast"]))
        .collect();
    assert_eq!(parts, [(minute(FIRST), 2.0, 1.0), (minute(FIRST + 1), 2.0, 1.0)]);
}

#[tokio::test]
async fn a_time_in_which_nobody_listened_is_not_a_time_without_events() {
    let question = question(Source::Events, None, &[("orders", "order_completed")]);
    let order = Arrival {
        happened: vec![Happened { name: "order_completed".to_owned(), times: 2 }],
        ..Arrival::default()
    };
    let counted = Counted::UpTo(Some(minute(FIRST)));
    let heard = Heard { minutes: vec![order], deaf: Some(FIRST + 1) };
    let outcome = ask(&question, heard, counted).await;
    let values: Vec<_> = outcome.counted.iter().map(|part| part.values.get("orders").copied()).collect();
    assert_eq!(values, [Some(2.0), None]);
    assert_eq!(outcome.notes.len(), 1);
}

#[tokio::test]
async fn without_traffic_there_are_zeros_and_no_ratio() {
    let question = question(Source::Queries, Some(100), &[]);
    let outcome = ask(&question, Heard { minutes: Vec::new(), deaf: None }, Counted::Never).await;
    let found = measured(&outcome);
    assert_eq!((found["queries"], found["queries_fast"]), (0.0, 0.0));
    assert!(!found.contains_key("p95_seconds") && !found.contains_key("mean_seconds"));
    assert_eq!(outcome.status(), Status::Ok);
}

#[tokio::test]
async fn slow_queries_and_letters_aside_are_told() {
    let queries = [90, 110].map(|ms| Query { text: None, took: Duration::from_millis(ms) }).to_vec();
    let heard = Heard { minutes: vec![Arrival { queries, ..Arrival::default() }], deaf: None };
    let found = measured(&ask(&question(Source::Queries, None, &[]), heard, Counted::Never).await);
    assert_eq!((found["queries"], found["queries_slow"]), (2.0, 1.0));
    let heard = Heard { minutes: Vec::new(), deaf: None };
    let found = measured(&ask(&question(Source::Square, None, &[]), heard, Counted::Never).await);
    assert_eq!((found["letters_aside"], found["payments_attempted"]), (3.0, 0.0));
}

#[tokio::test]
async fn a_look_without_an_agent_can_not_tell() {
    let cx = Context::new(minute(FIRST), Duration::from_secs(5));
    let outcome = question(Source::Requests, None, &[]).run(&cx).await;
    assert_eq!(outcome.status(), Status::Unknown);
}
