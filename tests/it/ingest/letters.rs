//! Letters that nobody can work through: they lie aside, are measured and told, and are never lost.

use super::{
    CARD, EMAIL, SQUARE_KEY, change, check, events, measure, nowhere, payment, post, requests, square, start,
    times, with_inbox,
};
use crate::support::agent::Agent;
use crate::support::http::get_with;
use atalaya::ingest::{Source, Vendor};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

const ASIDE: &str = "[[check]]\nname = 'letters'\nevery = '1s'\nprobe.received = { source = 'square' }\n\
    limits.letters_aside = { failed = '> 0' }\nalert.attempts = 1\n";
const AT: &str = "2026-02-06T21:27:34Z";

/// The ids of those that lie aside, as the page has them.
fn aside(agent: &Agent) -> Vec<String> {
    let answer = get_with(agent.port, "/api/v1/traffic", &agent.operator());
    let told: Value = serde_json::from_str(&answer.body).expect("JSON");
    let letters = told["lettersAside"]["letters"].as_array().expect("a list").iter();
    letters.map(|letter| letter["id"].as_str().expect("an id").to_owned()).collect()
}

fn put_away(agent: &Agent, json: &str) -> String {
    let headers = format!("{}Content-Type: application/json\r\n", agent.operator());
    post(agent.port, "/api/v1/letters/square/seen", &headers, json.as_bytes()).body
}

#[test]
fn one_that_is_rightly_signed_and_can_not_be_understood_lies_aside_and_is_told() {
    let mut agent = start("ingest-unreadable", ASIDE, "");
    agent.wait_for("a look", |agent| measure(agent, "letters", "letters_aside") == Some(0.0));
    let other = payment("e-1", "p-1", "COMPLETED", AT).replace("\"id\":\"p-1\"", "\"uid\":\"p-1\"");
    assert_eq!(square(agent.port, SQUARE_KEY, &other).status, 202, "the vendor need not send it again");
    agent.wait_for("the alert", |agent| check(agent, "letters")["status"] == "failed");
    assert_eq!(measure(&agent, "letters", "letters_aside"), Some(1.0));
    let alerts = agent.get("/api/v1/alerts").body;
    assert!(alerts.contains("letters_aside") && alerts.contains("firing"), "{alerts}");
    // Others are worked through all the same.
    assert_eq!(square(agent.port, SQUARE_KEY, &payment("e-2", "p-2", "COMPLETED", AT)).status, 202);
    agent.wait_for("the other", |agent| events(agent, "square", "payments_succeeded") == 1.0);
    // What is no event at all can't be kept, and Square is told so.
    for (body, status) in [("{\"a\":1}", 400), ("no JSON", 400), ("", 400)] {
        assert_eq!(square(agent.port, SQUARE_KEY, body).status, status, "{body}");
    }
    let log = agent.log();
    assert!(log.iter().any(|line| line["message"] == "a rightly signed letter can't be read"), "{log:#?}");
    // Somebody has looked: it stays, and is no alert any more. One that came later is.
    assert_eq!(aside(&agent), ["e-1"]);
    let seen = r#"{"by":"ana","letters":["e-1","e-2"]}"#;
    assert_eq!(put_away(&agent, seen), r#"{"letters":1}"#);
    agent.wait_for("the end of the alert", |agent| check(agent, "letters")["status"] == "ok");
    assert_eq!(square(agent.port, SQUARE_KEY, &other).status, 202, "it is known");
    agent.wait_for("another look", |agent| {
        requests(agent, "square", "known") == 1.0 && measure(agent, "letters", "letters_aside") == Some(0.0)
    });
    assert_eq!(square(agent.port, SQUARE_KEY, &other.replace("e-1", "e-3")).status, 202);
    agent.wait_for("the next alert", |agent| check(agent, "letters")["status"] == "failed");
    assert_eq!(
        (put_away(&agent, seen), aside(&agent)),
        (r#"{"letters":0}"#.to_owned(), vec!["e-3".to_owned()])
    );
    agent.terminate();
    nowhere(&agent.directory, &[EMAIL, CARD]);
}

#[test]
fn one_that_fails_five_times_lies_aside_and_works_again_when_it_can() {
    let mut agent = start("ingest-poison", ASIDE, "");
    agent.terminate();
    change(
        &agent.directory,
        "CREATE TRIGGER poison BEFORE INSERT ON thing WHEN NEW.id = 'p-1' BEGIN SELECT RAISE(ABORT, 'no room for p-1'); END",
    );
    agent.restart();
    assert_eq!(square(agent.port, SQUARE_KEY, &payment("e-1", "p-1", "COMPLETED", AT)).status, 202);
    assert_eq!(square(agent.port, SQUARE_KEY, &payment("e-2", "p-2", "COMPLETED", AT)).status, 202);
    agent.wait_for("the other", |agent| events(agent, "square", "payments_succeeded") == 1.0);
    agent.kill();
    // Later tries come after 1, 4, 16 and 64 s; only the last of them matters here.
    change(
        &agent.directory,
        "UPDATE letter SET attempts = 4, not_before = 0 WHERE id = 'e-1' AND state = 'waiting' AND attempts BETWEEN 1 AND 2",
    );
    agent.restart();
    agent.wait_for("it to lie aside", |agent| check(agent, "letters")["status"] == "failed");
    assert_eq!(measure(&agent, "letters", "letters_aside"), Some(1.0));
    let log = agent.log();
    let told = log.iter().find(|line| line["level"] == "ERROR").expect("a line");
    assert!(told["why"].as_str().is_some_and(|why| why.contains("no room for p-1")), "{told}");
    // It is known, so sending it again changes nothing.
    assert_eq!(square(agent.port, SQUARE_KEY, &payment("e-1", "p-1", "COMPLETED", AT)).status, 202);
    agent.kill();
    change(&agent.directory, "DROP TRIGGER poison");
    let all = with_inbox(&agent.directory, async |inbox| {
        let now = Timestamp::now();
        assert_eq!(inbox.set_aside(Vendor::Square).await, Ok(1));
        assert_eq!(inbox.work_again(Vendor::Square, now).await, Ok(1));
        assert_eq!(inbox.work(now).await.expect("work").done, 1);
        assert_eq!(inbox.set_aside(Vendor::Square).await, Ok(0));
        let later = now + SignedDuration::from_mins(1);
        inbox.tallies(Source::Square, (Timestamp::UNIX_EPOCH, later)).await.expect("tallies")
    });
    assert_eq!((times(&all, "payments_succeeded"), times(&all, "letters_production")), (2, 2));
}
