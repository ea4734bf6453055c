//! Each fault that can be switched on in the simulator, and what the probe says of it after how many calls.

use super::{NOW, ago, check_values, look_at, look_with, simulated, table, value, watch};
use crate::support::probe::{self as support, verdict};
use crate::support::vendor::{Scripted, json, refuse, serve};
use atalaya::demo::square::{Ending, Fault, Square};
use atalaya::probe::{self, Look};
use axum::http::header::RETRY_AFTER;
use axum::response::IntoResponse;
use jiff::SignedDuration;
use std::time::{Duration, Instant};

/// What the probe says while one fault of the simulator is on, and after how many calls.
async fn check_fault(fault: Fault, more: &str, expected: &str, calls: u64) -> Look {
    let (square, url) = simulated().await;
    square.pay(ago(60), 1, Ending::Paid);
    square.set(fault, true);
    let look = look_at(&url, more).await;
    assert_eq!(verdict(&look), expected, "{fault}");
    assert_eq!(square.calls(), calls, "{fault}: {:#?}", square.recent_calls());
    assert_eq!(value(&look, "calls"), Some(calls as f64), "{fault}");
    look
}

#[tokio::test]
async fn each_refusal_has_its_class_and_a_way_out() {
    let token = "Square answered 401 AUTHENTICATION_ERROR";
    check_fault(
        Fault::Unauthorized,
        "",
        &format!("failed auth: {token} UNAUTHORIZED to POST /oauth2/token/status: the token is wrong for production; a token of the sandbox environment is the likely cause"),
        1,
    )
    .await;
    check_fault(
        Fault::TokenExpired,
        "",
        &format!("failed auth: {token} ACCESS_TOKEN_EXPIRED to POST /oauth2/token/status: the token has expired; renew it"),
        1,
    )
    .await;
    check_fault(
        Fault::ForbiddenScope,
        "",
        "failed auth: Square answered 403 AUTHENTICATION_ERROR INSUFFICIENT_SCOPES to GET /v2/payments: the token may not do this; it needs PAYMENTS_READ",
        3,
    )
    .await;
    check_fault(
        Fault::Outage,
        "",
        "failed protocol: Square answered 503 API_ERROR SERVICE_UNAVAILABLE to GET /v2/locations: Square, or a proxy before it, is in trouble",
        2,
    )
    .await;
    check_fault(
        Fault::Html,
        "",
        "failed protocol: the answer to GET /v2/locations is no JSON but a page: a proxy or a portal stands before Square; check `api_url`",
        2,
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_told() {
    let (square, url) = simulated().await;
    square.set(Fault::Truncated, true);
    let said = verdict(&look_at(&url, "").await);
    assert!(said.starts_with("failed protocol: the answer to GET /v2/locations broke off after "), "{said}");
}

#[tokio::test]
async fn locations_that_are_closed_or_take_no_cards_are_told() {
    check_fault(
        Fault::LocationInactive,
        &format!("locations = [\"{}\"]", Square::MAIN_LOCATION),
        "failed assertion: location LMAIN00000001 is INACTIVE, not ACTIVE",
        3,
    )
    .await;
    check_fault(
        Fault::NoCardProcessing,
        &format!("locations = [\"{}\"]", Square::MARKET_LOCATION),
        "failed assertion: location LMARKET000002 can't take cards: it lacks CREDIT_CARD_PROCESSING",
        4,
    )
    .await;
    let look = check_fault(
        Fault::NoCardProcessing,
        "",
        "failed assertion: Square takes cards at none of the 2 active locations",
        4,
    )
    .await;
    check_values(
        &look,
        &[("locations_active", 2.0), ("locations_taking_cards", 0.0), ("payments_succeeded", 1.0)],
    );
    // Without a location that must be there, one that is left is enough.
    let look = check_fault(Fault::LocationInactive, "", "ok", 4).await;
    check_values(&look, &[("locations_active", 1.0), ("payments_attempted", 0.0)]);
}

#[tokio::test]
async fn a_location_of_another_account_is_told() {
    let (_square, url) = simulated().await;
    let look = look_at(&url, "locations = [\"LOTHER\", \"LMAIN00000001\"]").await;
    assert_eq!(verdict(&look), "failed assertion: location LOTHER is not among the 2 of this account");
    check_values(&look, &[("payments_complete", 1.0)]);
}

#[tokio::test]
async fn the_environment_that_answers_is_compared_with_the_one_expected() {
    let look = check_fault(
        Fault::SandboxAnswers,
        "",
        "failed assertion: Square's sandbox answers where production is expected",
        4,
    )
    .await;
    check_values(&look, &[("payments_succeeded", 1.0)]);
    let (_square, url) = simulated().await;
    let of = |id: &str| format!("application_id = \"{id}\"");
    assert_eq!(verdict(&look_at(&url, &of(Square::APPLICATION_ID)).await), "ok");
    assert_eq!(verdict(&look_at(&url, &of("")).await), "ok");
    assert_eq!(
        verdict(&look_at(&url, &of("sandbox-sq0idb-abc")).await),
        "failed assertion: `application_id` is of Square's sandbox where production is expected: the checkout can't take payments with this token"
    );
    assert_eq!(
        verdict(&look_at(&url, &of("sq0idp-another")).await),
        "degraded assertion: the token belongs to another application than `application_id`: cards that the checkout takes may be refused"
    );
    let odd = look_at(&url, &of("acme-1")).await;
    assert_eq!((verdict(&odd).as_str(), odd.outcome.notes.len()), ("ok", 2));
}

#[tokio::test]
async fn a_webhook_that_square_switched_off_is_seen() {
    let look = check_fault(
        Fault::WebhookDisabled,
        "webhooks = true",
        "degraded assertion: no webhook subscription is enabled: Square tells the shop of no payment",
        5,
    )
    .await;
    check_values(&look, &[("webhook_subscriptions_disabled", 1.0), ("payments_succeeded", 1.0)]);
    assert_eq!(
        look.outcome.notes,
        [
            "webhook subscriptions that are disabled: 1 (wbhk_b35f6b3145074cf9ad513610786c19d5, last changed 2026-03-04T12:00:00Z)"
        ]
    );
}

#[tokio::test]
async fn a_token_that_will_expire_has_a_measure() {
    let (square, url) = simulated().await;
    square.set_token_expiry(Some(NOW + SignedDuration::from_hours(48)));
    check_values(&look_at(&url, "").await, &[("token_expiry_seconds", 172_800.0)]);
    square.set_token_expiry(Some(NOW));
    let said = verdict(&look_at(&url, "").await);
    assert!(
        said.starts_with("failed auth: Square answered 401 AUTHENTICATION_ERROR ACCESS_TOKEN_EXPIRED"),
        "{said}"
    );
}

#[tokio::test]
async fn square_that_hangs_or_is_not_there_is_told() {
    let (square, url) = simulated().await;
    square.set(Fault::Hang, true);
    let look = probe::look(&*watch(&url, ""), NOW, Duration::from_millis(200)).await;
    assert_eq!(verdict(&look), "failed timeout: no end within 200ms; it hung in phase `token`");
    let port = crate::support::server::free_port();
    let said = verdict(&look_at(&format!("http://127.0.0.1:{port}"), "").await);
    assert!(said.starts_with("failed connect: can't connect to Square at 127.0.0.1: "), "{said}");
    assert!(said.contains("refused"), "{said}");
    let said = verdict(&look_at(&url.replace("http://", "https://"), "").await);
    assert!(said.starts_with("failed tls: no TLS with Square at 127.0.0.1: "), "{said}");
    let nowhere = format!("http://{}.test", "label-too-long-for-any-resolver".repeat(3));
    let nowhere = table(&nowhere, "").replace("production", "sandbox");
    let said = verdict(&support::look(&nowhere).await);
    assert!(said.starts_with("failed dns: can't resolve label-too-long"), "{said}");
}

#[tokio::test]
async fn a_wish_for_a_pause_is_obeyed_without_a_call() {
    for (fault, pause) in [
        (Fault::RateLimited, " (not asked again for 30s, as it demands)"),
        (Fault::RateLimitedUntil, " (not asked again for 30s, as it demands)"),
        (Fault::RateLimitedSilently, " (not asked again for "),
    ] {
        let (square, url) = simulated().await;
        square.set(fault, true);
        let run = watch(&url, "");
        let refused = "Square answered 429 RATE_LIMIT_ERROR RATE_LIMITED to POST /oauth2/token/status: too many calls with this token, the shop's own included";
        assert_eq!(verdict(&look_with(&*run, NOW).await), format!("degraded quota: {refused}"), "{fault}");
        square.mend();
        let paused = look_with(&*run, NOW).await;
        let said = verdict(&paused);
        // Whether Square does its work by now nobody knows, since nobody asked.
        assert!(said.starts_with(&format!("unknown quota: {refused}{pause}")), "{said}");
        assert_eq!((square.calls(), value(&paused, "calls")), (1, Some(0.0)), "{fault}");
    }
}

#[tokio::test]
async fn calls_go_on_when_the_pause_is_over_and_not_before() {
    let square = Square::new(|| NOW);
    let healthy = serve(square.router()).await;
    let first = Scripted::start(|number, path| {
        let body = match (number, path) {
            (0, _) => {
                let envelope = r#"{"errors":[{"category":"API_ERROR","code":"SERVICE_UNAVAILABLE"}]}"#;
                return ([(RETRY_AFTER, "1")], refuse(503, envelope)).into_response();
            }
            (_, "/oauth2/token/status") => r#"{"merchant_id":"M"}"#,
            (_, "/v2/locations") => {
                r#"{"locations":[{"id":"L","status":"ACTIVE","capabilities":["CREDIT_CARD_PROCESSING"]}]}"#
            }
            _ => "{}",
        };
        json(body)
    })
    .await;
    assert_eq!(verdict(&look_at(&healthy, "").await), "ok");
    let run = watch(&first.url, "");
    let begun = Instant::now();
    let down = verdict(&look_with(&*run, NOW).await);
    assert!(down.starts_with("failed protocol: Square answered 503 API_ERROR SERVICE_UNAVAILABLE"), "{down}");
    let mut looks = 0;
    while first.calls().len() == 1 {
        let look = look_with(&*run, NOW).await;
        looks += 1;
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", verdict(&look));
        if first.calls().len() == 1 {
            let said = verdict(&look);
            assert!(
                said.starts_with(&down) && said.ends_with(" (not asked again for 1s, as it demands)"),
                "{said}"
            );
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(1) && looks > 1, "{:?} {looks}", begun.elapsed());
    assert_eq!(verdict(&look_with(&*run, NOW).await), "ok");
}
