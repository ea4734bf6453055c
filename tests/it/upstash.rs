//! `upstash` against the simulator, which Upstash's own library can use, and against answers that none gives.

use crate::support::judge;
use crate::support::probe::{build, build_faults, look_with, measure, verdict};
use crate::support::vendor::{Scripted, json, refuse, serve};
use atalaya::demo::upstash::{Fault, Upstash};
use atalaya::probe::net::Net;
use atalaya::probe::{self, Look, Run};
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde_json::json as value;
use std::sync::Arc;
use std::time::Duration;

/// Whom a rate limiter saw: nobody may ever see it again.
const CALLER: &str = "203.0.113.9";

fn noon() -> Timestamp {
    "2026-03-01T12:30:00Z".parse().expect("a time")
}

async fn simulated() -> (Arc<Upstash>, String) {
    let upstash = Upstash::new(noon);
    let url = serve(upstash.router()).await;
    (upstash, url)
}

fn definition(url: &str, token: &str, more: &str) -> String {
    format!("probe.upstash = {{ url = \"{url}\", token = \"{token}\"{more} }}")
}

async fn at_noon(run: &dyn Run) -> Look {
    probe::look(run, noon(), Duration::from_secs(10)).await
}

/// One look at noon, whose outcome begins so and shows neither token nor caller.
async fn check(url: &str, token: &str, more: &str, expected: &str) -> Look {
    let run = build(&definition(url, token, more), &[]).expect("built");
    let found = at_noon(&*run).await;
    let shown = format!("{:?}", found.outcome);
    assert!(verdict(&found).starts_with(expected), "{more}: {}\n{shown}", verdict(&found));
    assert!(!shown.contains(token) && !shown.contains(CALLER), "{shown}");
    found
}

fn labelled(look: &Look, name: &str, prefix: &str) -> Option<f64> {
    let of_prefix = |labels: &[(String, String)]| labels == [("prefix".to_owned(), prefix.to_owned())];
    let found = look.outcome.measures.iter().find(|one| one.name == name && of_prefix(&one.labels));
    found.map(|one| one.value)
}

const LIMITS: &str = ", rate_limits = [\"checkout_rl\", \"api_rl\"]";

#[tokio::test]
async fn upstashs_own_library_can_use_the_simulator() {
    let (_upstash, url) = simulated().await;
    let said = tokio::task::spawn_blocking(move || {
        let args = [url.as_str(), Upstash::TOKEN, Upstash::READ_ONLY_TOKEN];
        judge::node("upstash.mjs", &["@upstash/redis@1.39.0"], &args)
    });
    let said = said.await.unwrap().unwrap_or_else(|complaint| panic!("{complaint}"));
    let got: serde_json::Value = serde_json::from_str(&said).unwrap();
    let denied =
        |command: &str| format!("NOPERM this user has no permissions to run the '{command}' command");
    let expected = value!({
        "ping": "PONG", "set": "OK", "get": { "items": 2, "name": "größe" }, "setAgain": null, "ttl": 60,
        "missing": null, "incremented": [1, 5, 4], "plain": [4, "a/b c?d"],
        "hash": [2, { "a": 1, "b": "two" }, 3], "list": [3, ["a", "b", "c"], "a", 2],
        "members": [2, 2, 1], "ranked": [6, 2, 6, ["one", 6]],
        "pipelined": ["OK", 1, 1],
        "pipelineWithError": "Command 2 [ lpush ] failed", "itemsOfErrors": [1, "WRONGTYPE"],
        "transaction": ["OK", "x"], "scanned": ["h"], "keys": ["h", "l", "p", "s", "t", "z"], "type": "zset",
        "deleted": 2, "size": 6, "reader": [4, 2, "PONG"],
        "readerRefused": [denied("set"), denied("keys"), denied("info")],
        "wrongToken": "WRONGPASS invalid or missing auth token",
        "wrongType": "WRONGTYPE Operation against a key holding the wrong kind of value",
    });
    assert_eq!(got, expected);
}

#[tokio::test]
async fn a_healthy_database_is_measured_with_one_call() {
    let (upstash, url) = simulated().await;
    upstash.limit("checkout_rl", CALLER, true);
    let look = check(&url, Upstash::TOKEN, "", "ok").await;
    assert_eq!((upstash.calls(), upstash.commands()), (1, 2));
    assert_eq!(measure(&look.outcome, "commands"), Some(2.0));
    assert_eq!(measure(&look.outcome, "keys"), Some(2.0));
    assert!(measure(&look.outcome, "data_used_ratio").is_some_and(|ratio| ratio > 0.0 && ratio < 0.01));
    assert_eq!(look.outcome.notes, Vec::<String>::new());
    let phases: Vec<_> = look.phases.iter().map(|phase| phase.name).collect();
    assert_eq!(phases, ["first_byte", "body"]);
}

#[tokio::test]
async fn rate_limiting_in_use_leaves_evidence() {
    let (upstash, url) = simulated().await;
    for (caller, allowed) in [(CALLER, true), (CALLER, true), (CALLER, false), ("198.51.100.7", true)] {
        upstash.limit("checkout_rl", caller, allowed);
    }
    let more = format!("{LIMITS}, blocked = true, info = false");
    for token in [Upstash::TOKEN, Upstash::READ_ONLY_TOKEN] {
        let look = check(&url, token, &more, "ok").await;
        assert_eq!(labelled(&look, "rate_limit_used", "checkout_rl"), Some(1.0));
        assert_eq!(labelled(&look, "rate_limit_identifiers", "checkout_rl"), Some(3.0));
        assert_eq!(labelled(&look, "rate_limit_requests", "checkout_rl"), Some(4.0));
        assert_eq!(labelled(&look, "rate_limit_blocked", "checkout_rl"), Some(1.0));
        assert_eq!(labelled(&look, "rate_limit_blocked_ratio", "checkout_rl"), Some(0.25));
        assert_eq!(labelled(&look, "rate_limit_used", "api_rl"), Some(0.0));
        assert_eq!(labelled(&look, "rate_limit_blocked_ratio", "api_rl"), None);
        assert_eq!(measure(&look.outcome, "rate_limits_unused"), Some(1.0));
        assert_eq!(measure(&look.outcome, "commands"), Some(7.0));
    }
    upstash.set(Fault::LimiterUnused, true);
    let look = check(&url, Upstash::TOKEN, &more, "ok").await;
    assert_eq!(labelled(&look, "rate_limit_used", "checkout_rl"), Some(0.0));
    assert_eq!(measure(&look.outcome, "rate_limits_unused"), Some(2.0));
}

#[tokio::test]
async fn the_hour_that_is_over_is_paid_for_once() {
    let (upstash, url) = simulated().await;
    let run = build(&definition(&url, Upstash::TOKEN, LIMITS), &[]).expect("built");
    let mut billed = Vec::new();
    for _ in 0..3 {
        let before = upstash.commands();
        at_noon(&*run).await;
        billed.push(upstash.commands() - before);
    }
    assert_eq!(billed, [6, 4, 4]);
}

#[tokio::test]
async fn a_read_only_token_sees_less_and_is_no_failure() {
    let (_upstash, url) = simulated().await;
    let look = check(&url, Upstash::READ_ONLY_TOKEN, LIMITS, "ok").await;
    assert_eq!(measure(&look.outcome, "keys"), None);
    assert_eq!(measure(&look.outcome, "rate_limits_unused"), Some(2.0));
    assert_eq!(look.outcome.notes.len(), 1, "{:?}", look.outcome.notes);
}

#[tokio::test]
async fn each_fault_has_its_class_and_reason() {
    let (upstash, url) = simulated().await;
    for (fault, expected) in [
        (Fault::Unauthorized, "failed auth: Upstash refuses the token"),
        (Fault::DailyQuota, "failed quota: Upstash: the day's quota of commands is used up"),
        (Fault::MonthlyQuota, "failed quota: PING at Upstash: the month's quota of commands is used up"),
        (Fault::RateLimited, "degraded quota: Upstash takes no more commands at this rate"),
        (Fault::Outage, "failed protocol: Upstash answered 503"),
        (Fault::Html, "failed protocol: Upstash answered 200 with an HTML page where JSON is due"),
        (Fault::Slow, "ok"),
    ] {
        upstash.set(fault, true);
        let look = check(&url, Upstash::TOKEN, LIMITS, expected).await;
        if verdict(&look).contains("quota of commands") {
            assert!(verdict(&look).contains("lets everybody through"), "{}", verdict(&look));
        }
        upstash.mend();
    }
    check(&url, "a-wrong-token", "", "failed auth: ").await;
    upstash.set(Fault::Hang, true);
    let hung = look_with(&definition(&url, Upstash::TOKEN, ""), &[], Duration::from_millis(200)).await;
    assert_eq!(verdict(&hung), "failed timeout: no end within 200ms; it hung in phase `first_byte`");
}

#[tokio::test]
async fn while_told_to_wait_nothing_is_called() {
    let (upstash, url) = simulated().await;
    upstash.set(Fault::RateLimited, true);
    let run = build(&definition(&url, Upstash::TOKEN, ""), &[]).expect("built");
    assert!(verdict(&at_noon(&*run).await).starts_with("degraded quota: "));
    upstash.mend();
    let waiting = at_noon(&*run).await;
    assert!(verdict(&waiting).starts_with("unknown quota: "), "{}", verdict(&waiting));
    assert!(verdict(&waiting).ends_with("(not asked again for 2s, as it demands)"), "{}", verdict(&waiting));
    assert_eq!(upstash.calls(), 1);
    let patience = std::time::Instant::now();
    while verdict(&at_noon(&*run).await) != "ok" {
        assert!(patience.elapsed() < Duration::from_secs(20), "never asked again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(patience.elapsed() > Duration::from_millis(1_500));
    assert_eq!(upstash.calls(), 2);
}

#[tokio::test]
async fn a_bypass_in_production_is_a_failure() {
    let (_upstash, url) = simulated().await;
    let bypass = ", bypass = \"${BYPASS_RATE_LIMIT:-}\"";
    let definition = definition(&url, Upstash::TOKEN, bypass);
    for (value, expected) in [
        ("true", "failed assertion: rate limiting is bypassed: "),
        (" TRUE", "failed assertion: rate limiting is bypassed: "),
        ("false", "ok"),
        ("", "ok"),
    ] {
        let look = look_with(&definition, &[("BYPASS_RATE_LIMIT", value)], Duration::from_secs(10)).await;
        assert!(verdict(&look).starts_with(expected), "{value}: {}", verdict(&look));
        assert!(measure(&look.outcome, "keys").is_some(), "the rest is looked at all the same");
    }
}

#[tokio::test]
async fn odd_answers_are_told_apart() {
    const TOKEN: &str = "marked-token";
    let pong = r#"{"result":"PONG"}"#;
    let cases = [
        (200, format!("[{pong}]"), "failed protocol: Upstash answered 1 of 2 commands"),
        (200, format!("[{pong},{{\"error\":\"ERR unknown command\"}}]"), "ok"),
        (200, format!("[{pong},{{\"result\":17}}]"), "ok"),
        (
            200,
            "[{\"result\":\"PING\"},{}]".to_owned(),
            "failed protocol: Upstash answers PING with something else",
        ),
        (
            200,
            format!("[{{\"error\":\"ERR marked-token of {CALLER}@x\"}},{{}}]"),
            "failed protocol: PING at Upstash was refused: ERR <secret> of <address>",
        ),
        (
            200,
            "{}".to_owned(),
            "failed protocol: Upstash answered 200 with JSON of another shape where JSON is due",
        ),
        (200, String::new(), "failed protocol: Upstash answered 200 with nothing where JSON is due"),
        (401, r#"{"error":"Unauthorized"}"#.to_owned(), "failed auth: Upstash refuses the token"),
        (401, "<html>".to_owned(), "failed auth: Upstash refuses the token"),
        (
            400,
            r#"{"error":"ERR max requests limit exceeded. Limit: 1"}"#.to_owned(),
            "failed quota: Upstash: the month's",
        ),
        (
            400,
            r#"{"error":"ERR DB capacity quota exceeded"}"#.to_owned(),
            "failed quota: Upstash: the plan's storage",
        ),
        (405, r#"{"error":"ERR method"}"#.to_owned(), "failed protocol: Upstash answered 405"),
        (404, "Not Found".to_owned(), "failed protocol: Upstash answered 404"),
        (302, String::new(), "failed protocol: Upstash answered 302"),
        (500, r#"{"error":"ERR internal"}"#.to_owned(), "failed protocol: Upstash was refused: ERR internal"),
    ];
    for (status, body, expected) in cases {
        let scripted = Scripted::start(move |_, _| refuse(status, body.clone())).await;
        check(&scripted.url, TOKEN, "", expected).await;
        assert_eq!(scripted.calls(), ["/pipeline"]);
    }
    let endless = Scripted::start(|_, _| {
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65_536]));
        axum::body::Body::from_stream(chunks).into_response()
    });
    check(
        &endless.await.url,
        TOKEN,
        "",
        "failed protocol: the answer of Upstash is longer than 4194304 bytes",
    )
    .await;
    let quota = r#"[{"result":"PONG"},{"error":"NOPERM no"},{"error":"NOPERM no"},{"error":"NOPERM no"}]"#;
    let blind = Scripted::start(move |_, _| json(quota)).await;
    let look = check(&blind.url, TOKEN, ", rate_limits = [\"checkout_rl\"]", "ok").await;
    assert_eq!(measure(&look.outcome, "rate_limits_unused"), None, "what is not seen is not unused");
    assert_eq!(look.outcome.notes.len(), 3);
}

#[tokio::test]
async fn who_is_not_there_is_said_without_the_token() {
    const TOKEN: &str = "marked-token";
    let port = crate::support::server::free_port();
    check(
        &format!("http://127.0.0.1:{port}"),
        TOKEN,
        "",
        "failed connect: can't connect to Upstash at 127.0.0.1",
    )
    .await;
    let (_upstash, url) = simulated().await;
    check(&url.replace("http:", "https:"), TOKEN, "", "failed tls: no TLS with Upstash at 127.0.0.1").await;
    check("https://no-such-name.invalid", TOKEN, "", "failed dns: can't resolve no-such-name.invalid").await;
}

#[tokio::test]
async fn a_definition_that_makes_no_sense_is_refused() {
    let faults = |url: &str, token: &str, more: &str| {
        let faults = build_faults(&definition(url, token, more)).join("; ");
        assert!(!faults.contains("marked"), "{faults}");
        faults
    };
    assert!(
        faults("rediss://default:marked@x.upstash.io:6379", "t", "")
            .starts_with("url: this is the address for")
    );
    assert!(faults("marked-token", "t", "").starts_with("url: this is no web address"));
    assert!(faults("https://x.upstash.io", " ", "").starts_with("token: the token is empty"));
    assert!(
        faults("https://x.upstash.io", "t", ", blocked = true").starts_with("blocked: without `rate_limits`")
    );
}

#[tokio::test]
async fn the_simulator_takes_each_form_that_upstash_takes() {
    let (_upstash, url) = simulated().await;
    let client = Net::new().expect("a network").api;
    let ask = async |path: &str, authorized: bool| {
        let mut request = client.get(format!("{url}{path}"));
        if authorized {
            request = request.bearer_auth(Upstash::TOKEN);
        }
        let reply = request.send().await.expect("an answer");
        (reply.status().as_u16(), reply.text().await.expect("a body"))
    };
    let token = Upstash::TOKEN;
    assert_eq!(ask("/set/a%2Fb/1%202?EX=60", true).await, (200, r#"{"result":"OK"}"#.to_owned()));
    assert_eq!(
        ask(&format!("/get/a%2Fb?_token={token}"), false).await,
        (200, r#"{"result":"1 2"}"#.to_owned())
    );
    assert_eq!(ask("/ttl/a%2Fb", true).await, (200, r#"{"result":60}"#.to_owned()));
    assert_eq!(ask("/get", true).await.0, 400);
    assert_eq!(ask("/subscribe/x", true).await.0, 400);
    assert_eq!(
        ask("/ping", false).await,
        (401, r#"{"error":"WRONGPASS invalid or missing auth token"}"#.to_owned())
    );
    let wrong_method =
        client.delete(format!("{url}/ping")).bearer_auth(token).send().await.expect("an answer");
    assert_eq!(wrong_method.status().as_u16(), 405);
}
