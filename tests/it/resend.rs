//! `resend` against the simulator, which Resend's own library can use, and against answers that none gives.

use crate::support::judge;
use crate::support::probe::{build, build_faults, look_with, measure, verdict};
use crate::support::vendor::{Scripted, json, refuse, serve};
use atalaya::clock;
use atalaya::demo::resend::{Fault, Resend};
use atalaya::outcome::Status;
use atalaya::probe::net::Net;
use atalaya::probe::{self, Look, Run};
use axum::response::Response;
use serde_json::json as value;
use std::sync::Arc;
use std::time::Duration;

const KEY: &str = "re_marked_key";

async fn simulated() -> (Arc<Resend>, String) {
    let resend = Resend::new(clock::wall);
    let url = serve(resend.router()).await;
    (resend, url)
}

fn definition(url: &str, key: &str, more: &str) -> String {
    format!("probe.resend = {{ api_url = \"{url}\", key = \"{key}\"{more} }}")
}

async fn now(run: &dyn Run) -> Look {
    probe::look(run, clock::wall(), Duration::from_secs(10)).await
}

/// One look whose outcome begins so, and shows neither the key nor anybody's address.
async fn check(url: &str, key: &str, more: &str, expected: &str) -> Look {
    let run = build(&definition(url, key, more), &[]).expect("built");
    let found = now(&*run).await;
    let shown = format!("{:?}", found.outcome);
    assert!(verdict(&found).starts_with(expected), "{more}: {}\n{shown}", verdict(&found));
    assert!(!shown.contains(key) && !shown.contains('@'), "{shown}");
    found
}

const DOMAIN: &str = ", domains = [\"The Shop <orders@shop.example>\"]";

#[tokio::test]
async fn resends_own_library_can_use_the_simulator() {
    let (_resend, url) = simulated().await;
    let said = tokio::task::spawn_blocking(move || {
        let args = [url.as_str(), Resend::KEY, Resend::SENDING_KEY, Resend::DOMAIN];
        judge::node("resend.mjs", &["resend@6.38.0"], &args)
    });
    let said = said.await.unwrap().unwrap_or_else(|complaint| panic!("{complaint}"));
    let got: serde_json::Value = serde_json::from_str(&said).unwrap();
    let refused = |name: &str| value!({ "refused": name });
    let expected = value!({
        "domains": ["shop.example verified"],
        "records": ["SPF MX verified", "SPF TXT verified", "DKIM TXT verified"],
        "noDomain": refused("not_found"), "keys": 2, "sameAgain": true,
        "keyReused": refused("invalid_idempotent_request"), "keyTooLong": refused("invalid_idempotency_key"),
        "found": { "object": "email", "subject": "Order 1", "to": ["delivered@resend.dev"], "text": "Thank you" },
        "listed": 1, "noSubject": refused("missing_required_field"),
        "otherDomain": refused("validation_error"), "exampleRecipient": refused("validation_error"),
        "sendingKeySends": "string", "sendingKeyLists": refused("restricted_api_key"),
        "wrongKey": refused("validation_error"),
    });
    assert_eq!(got, expected);
}

#[tokio::test]
async fn a_healthy_account_is_seen_with_two_calls() {
    let (resend, url) = simulated().await;
    for _ in 0..4 {
        resend.deliver("Order confirmed");
    }
    resend.add_unverified_domain("old.example");
    let look = check(&url, Resend::KEY, &format!("{DOMAIN}, daily_quota = 100"), "ok").await;
    let of = |name: &str| measure(&look.outcome, name);
    assert_eq!((resend.calls(), of("calls")), (2, Some(2.0)));
    assert_eq!((of("domains_verified"), of("domains_unverified")), (Some(1.0), Some(1.0)));
    assert_eq!(of("records_failing"), Some(0.0));
    assert_eq!((of("rate_limit"), of("limited_sight")), (Some(5.0), Some(0.0)));
    assert_eq!((of("emails_recent"), of("emails_failed_recent")), (Some(4.0), Some(0.0)));
    assert_eq!(of("newest_email_age_seconds").map(|age| age < 60.0), Some(true));
    assert_eq!(of("daily_quota_used_ratio").map(|ratio| ratio <= 0.04), Some(true));
    let one = check(&url, Resend::KEY, ", emails = false", "ok").await;
    assert_eq!(measure(&one.outcome, "calls"), Some(1.0));
    assert_eq!(measure(&one.outcome, "records_failing"), None);
}

#[tokio::test]
async fn emails_that_bounce_are_counted() {
    let (resend, url) = simulated().await;
    resend.set(Fault::Bounces, true);
    for _ in 0..4 {
        resend.deliver("Order confirmed");
    }
    let run = build(&definition(&url, Resend::KEY, ""), &[]).expect("built");
    let patience = std::time::Instant::now();
    loop {
        let look = now(&*run).await;
        assert_eq!(verdict(&look), "ok");
        if measure(&look.outcome, "emails_failed_ratio") == Some(0.5) {
            break;
        }
        assert!(patience.elapsed() < Duration::from_secs(20), "{:?}", look.outcome);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test]
async fn a_sending_only_key_is_alive_with_limited_sight() {
    let (resend, url) = simulated().await;
    let look = check(&url, Resend::SENDING_KEY, DOMAIN, "ok").await;
    assert_eq!(measure(&look.outcome, "limited_sight"), Some(1.0));
    assert_eq!(measure(&look.outcome, "domains_verified"), None);
    assert_eq!(look.outcome.notes.len(), 1, "{:?}", look.outcome.notes);
    assert_eq!(resend.calls(), 1);
}

#[tokio::test]
async fn a_domain_that_is_not_verified_is_a_failure_with_its_record() {
    let (resend, url) = simulated().await;
    resend.set(Fault::DomainUnverified, true);
    let look = check(
        &url,
        Resend::KEY,
        DOMAIN,
        "failed assertion: the domain `shop.example` is not verified (`failed`)",
    )
    .await;
    assert!(
        verdict(&look).ends_with("in its DNS DKIM TXT `resend._domainkey` is `failed`"),
        "{}",
        verdict(&look)
    );
    assert_eq!(measure(&look.outcome, "records_failing"), Some(1.0));
    assert_eq!(measure(&look.outcome, "calls"), Some(3.0));
    resend.mend();
    resend.set(Fault::DomainPending, true);
    let look = check(
        &url,
        Resend::KEY,
        DOMAIN,
        "failed assertion: the domain `shop.example` is not verified (`pending`)",
    )
    .await;
    assert_eq!(measure(&look.outcome, "records_failing"), Some(3.0));
    resend.mend();
    check(
        &url,
        Resend::KEY,
        ", domains = [\"other.example\"]",
        "failed assertion: the domain `other.example` is not in the account",
    )
    .await;
    check(
        &url,
        Resend::KEY,
        ", domains = [\"onboarding@resend.dev\"]",
        "failed assertion: the sender is at `resend.dev`",
    )
    .await;
}

#[tokio::test]
async fn each_fault_has_its_class_and_reason() {
    let (resend, url) = simulated().await;
    for (fault, expected) in [
        (Fault::Unauthorized, "failed auth: Resend does not know the API key"),
        (Fault::InvalidKey, "failed auth: Resend does not know the API key"),
        (Fault::BadRequestKey, "failed auth: Resend does not know the API key"),
        (Fault::Suspended, "failed auth: Resend has suspended the API key"),
        (Fault::RateLimited, "degraded quota: Resend refuses more requests for the moment (5 a second)"),
        (Fault::DailyQuota, "failed quota: the day's quota of emails is used up: the shop's mail is stopped"),
        (
            Fault::MonthlyQuota,
            "failed quota: the month's quota of emails is used up: the shop's mail is stopped",
        ),
        (Fault::EdgeRefusal, "failed protocol: Resend's edge turned the request away"),
        (Fault::Outage, "failed protocol: Resend answered 503"),
        (Fault::Html, "failed protocol: Resend answered 200 with an HTML page where JSON is due"),
        (Fault::Slow, "ok"),
    ] {
        resend.set(fault, true);
        // The simulator refuses more than five calls a second, as the real one does.
        let patience = std::time::Instant::now();
        loop {
            let run = build(&definition(&url, Resend::KEY, ", emails = false"), &[]).expect("built");
            let found = now(&*run).await;
            let too_fast = verdict(&found).starts_with("degraded quota") && fault != Fault::RateLimited;
            if !too_fast {
                assert!(verdict(&found).starts_with(expected), "{fault}: {}", verdict(&found));
                assert!(!format!("{:?}", found.outcome).contains(Resend::KEY));
                break;
            }
            assert!(patience.elapsed() < Duration::from_secs(20), "{fault}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        resend.mend();
    }
    check(&url, KEY, "", "failed auth: ").await;
    resend.set(Fault::Hang, true);
    let hung = look_with(&definition(&url, Resend::KEY, ""), &[], Duration::from_millis(200)).await;
    assert_eq!(verdict(&hung), "failed timeout: no end within 200ms; it hung in phase `first_byte`");
}

#[tokio::test]
async fn while_told_to_wait_nothing_is_called() {
    let scripted = Scripted::start(|number, _| match number {
        0 => wait(
            "120",
            refuse(429, r#"{"statusCode":429,"name":"rate_limit_exceeded","message":"Too many"}"#),
        ),
        _ => json(r#"{"data":[]}"#),
    })
    .await;
    let run = build(&definition(&scripted.url, KEY, ""), &[]).expect("built");
    assert_eq!(now(&*run).await.outcome.status(), Status::Degraded);
    for _ in 0..3 {
        let look = now(&*run).await;
        assert!(verdict(&look).starts_with("unknown quota: "), "{}", verdict(&look));
        assert!(verdict(&look).contains("not asked again for 2m"), "{}", verdict(&look));
        assert_eq!(measure(&look.outcome, "calls"), Some(0.0));
    }
    assert_eq!(scripted.calls().len(), 1);
}

fn wait(seconds: &'static str, mut reply: Response) -> Response {
    reply.headers_mut().insert("retry-after", seconds.parse().expect("a header"));
    reply
}

/// A call that finds little left of the second waits, so that the shop can send.
#[tokio::test]
async fn the_last_requests_of_a_second_belong_to_the_shop() {
    let scripted = Scripted::start(|number, _| {
        let mut reply = json(r#"{"data":[]}"#);
        let left = if number == 0 { "1" } else { "0" };
        for (name, text) in
            [("ratelimit-limit", "2"), ("ratelimit-remaining", left), ("ratelimit-reset", "1")]
        {
            reply.headers_mut().insert(name, text.parse().expect("a header"));
        }
        reply
    })
    .await;
    let look = check(&scripted.url, KEY, "", "ok").await;
    assert_eq!(scripted.calls(), ["/domains?limit=100", "/emails?limit=100"]);
    let waited = look.phases.iter().find(|phase| phase.name == "wait").map(|phase| phase.took);
    assert!(waited.is_some_and(|waited| waited >= Duration::from_millis(990)), "{waited:?}");
    assert_eq!(measure(&look.outcome, "rate_limit"), Some(2.0));
    assert_eq!(measure(&look.outcome, "rate_limit_remaining"), Some(0.0));
}

#[tokio::test]
async fn what_was_seen_before_a_second_call_is_refused_still_holds() {
    let refusal = r#"{"statusCode":429,"name":"rate_limit_exceeded","message":"Too many requests"}"#;
    let second = |body: &'static str, status| {
        Scripted::start(move |number, _| match number {
            0 => json(r#"{"data":[{"id":"1","name":"shop.example","status":"verified"}]}"#),
            _ => refuse(status, body),
        })
    };
    let limited = second(refusal, 429).await;
    let look = check(&limited.url, KEY, DOMAIN, "ok").await;
    assert_eq!(measure(&look.outcome, "domains_verified"), Some(1.0));
    assert_eq!(look.outcome.notes.len(), 1, "{:?}", look.outcome.notes);
    let quota = second(r#"{"statusCode":429,"name":"monthly_quota_exceeded","message":""}"#, 429).await;
    check(&quota.url, KEY, DOMAIN, "failed quota: the month's quota").await;
    let broken = second("<html>", 500).await;
    check(&broken.url, KEY, DOMAIN, "failed protocol: Resend answered 500").await;
}

#[tokio::test]
async fn the_statuses_of_a_domain_are_told_apart() {
    for (status, sending, expected) in [
        ("verified", "enabled", "ok"),
        ("verified", "disabled", "failed assertion: the domain `shop.example` is verified and switched off"),
        ("partially_verified", "enabled", "ok"),
        ("partially_failed", "enabled", "ok"),
        ("partially_failed", "disabled", "failed assertion: the domain `shop.example` is not verified"),
        (
            "temporary_failure",
            "enabled",
            "degraded assertion: Resend no longer finds the records of `shop.example`",
        ),
        ("not_started", "enabled", "failed assertion: the domain `shop.example` is not verified"),
        (
            "something_new",
            "enabled",
            "failed assertion: the domain `shop.example` is not verified (`something_new`)",
        ),
    ] {
        let domain = value!({
            "id": "../x", "name": "Shop.Example", "status": status, "capabilities": { "sending": sending },
            "records": [{ "record": "DKIM", "type": "TXT", "name": "resend._domainkey", "status": "pending" }],
        });
        let list = value!({ "data": [domain] }).to_string();
        let scripted = Scripted::start(move |_, path| match path {
            "/domains" => json(list.clone()),
            "/domains/x" => json(domain.to_string()),
            other => refuse(404, format!("{{\"name\":\"not_found\",\"message\":\"{other}\"}}")),
        })
        .await;
        check(&scripted.url, KEY, &format!("{DOMAIN}, emails = false"), expected).await;
    }
}

#[tokio::test]
async fn pages_of_domains_are_followed_to_a_bound() {
    let scripted = Scripted::start(|number, _| {
        json(format!("{{\"has_more\":true,\"data\":[{{\"id\":\"id{number}\",\"name\":\"d{number}.example\",\"status\":\"verified\"}}]}}"))
    })
    .await;
    check(&scripted.url, KEY, ", domains = [\"d2.example\"], emails = false", "ok").await;
    let third = "/domains?limit=100&after=id1";
    assert_eq!(scripted.calls(), ["/domains?limit=100", "/domains?limit=100&after=id0", third]);
    let beyond = ", domains = [\"d99.example\"], emails = false";
    check(&scripted.url, KEY, beyond, "unknown internal: the account has more domains than are read").await;
}

#[tokio::test]
async fn odd_answers_are_told_apart() {
    for (status, body, expected) in [
        (401, r#"{"name":"missing_api_key","message":"Missing"}"#, "failed auth: Resend does not know"),
        (
            400,
            r#"{"name":"validation_error","message":"API key is invalid"}"#,
            "failed auth: Resend does not know",
        ),
        (
            400,
            r#"{"name":"validation_error","message":"re_marked_key for ann@shop.example"}"#,
            "failed protocol: Resend answered 400, validation_error: <secret> for <address>",
        ),
        (403, "error code: 1010", "failed protocol: Resend's edge turned the request away"),
        (403, r#"{"name":"invalid_permission","message":"no"}"#, "failed auth: the API key may not do this"),
        (403, "<html>", "failed auth: Resend answered 403"),
        (429, "slow down", "degraded quota: Resend refuses more requests for the moment;"),
        (429, r#"{"name":"daily_quota_exceeded","message":""}"#, "failed quota: the day's quota"),
        (
            451,
            r#"{"name":"security_error","message":"blocked"}"#,
            "failed protocol: Resend answered 451, security_error: blocked",
        ),
        (500, r#"{"name":"application_error","message":"x"}"#, "failed protocol: Resend answered 500"),
        (200, "{}", "failed protocol: Resend answered 200 with JSON of another shape where JSON is due"),
        (200, "", "failed protocol: Resend answered 200 with nothing where JSON is due"),
    ] {
        let scripted = Scripted::start(move |_, _| refuse(status, body)).await;
        check(&scripted.url, KEY, "", expected).await;
        assert_eq!(scripted.calls().len(), 1, "{body}");
    }
    let quota = Scripted::start(|_, _| {
        let mut reply = json(r#"{"data":[]}"#);
        reply.headers_mut().insert("x-resend-daily-quota", "100".parse().expect("a header"));
        reply
    });
    let more = ", daily_quota = 100, emails = false";
    let look =
        check(&quota.await.url, KEY, more, "failed quota: the day's quota of 100 emails is used up").await;
    assert_eq!(measure(&look.outcome, "daily_quota_used_ratio"), Some(1.0));
    let port = crate::support::server::free_port();
    check(
        &format!("http://127.0.0.1:{port}"),
        KEY,
        "",
        "failed connect: can't connect to Resend at 127.0.0.1",
    )
    .await;
}

#[tokio::test]
async fn a_definition_that_makes_no_sense_is_refused() {
    let faults = |key: &str, more: &str| {
        let faults = build_faults(&format!("probe.resend = {{ key = \"{key}\"{more} }}")).join("; ");
        assert!(!faults.contains("marked"), "{faults}");
        faults
    };
    assert!(faults("re_marked x", "").starts_with("key: this is no API key"));
    assert!(faults(KEY, ", domains = [\"shop\"]").starts_with("domains: `shop` is neither a domain nor"));
    assert!(faults(KEY, ", api_url = \"ftp://x\"").starts_with("api_url: `ftp://x` is no web address"));
    assert!(faults(KEY, ", daily_quota = 0").starts_with("daily_quota: a quota of no emails"));
}

#[tokio::test]
async fn the_simulator_has_the_edge_and_the_headers_of_the_real_one() {
    let (_resend, url) = simulated().await;
    let client = Net::new().expect("a network").api;
    let named =
        client.get(format!("{url}/domains")).bearer_auth(Resend::KEY).send().await.expect("an answer");
    assert_eq!(named.status().as_u16(), 200);
    for name in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "ratelimit-policy"] {
        assert!(named.headers().contains_key(name), "{name}");
    }
    let port = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    // The smallest client of the tests sends no User-Agent.
    let nameless = tokio::task::spawn_blocking(move || crate::support::http::get(port, "/domains"));
    let nameless = nameless.await.expect("an answer");
    assert_eq!((nameless.status, nameless.body.as_str()), (403, "error code: 1010"));
}
