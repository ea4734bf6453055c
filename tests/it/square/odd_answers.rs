//! Answers that Square should never give, and what must never be shown of any answer.

use super::{DECLINED, ago, check_values, look_at, simulated, value};
use crate::support::probe::verdict;
use crate::support::vendor::{Scripted, json, refuse};
use atalaya::demo::square::Square;
use atalaya::probe::Look;
use axum::body::Body;
use axum::response::Response;

const LOCATION: &str =
    r#"{"locations":[{"id":"L","status":"ACTIVE","capabilities":["CREDIT_CARD_PROCESSING","NEW_ONE"]}]}"#;

/// What the probe says of a Square that answers so to the token, the locations, the webhooks and each page.
async fn check_answers(answers: [&'static str; 4], expected: &str) -> Look {
    let [token, locations, webhooks, payments] = answers;
    let server = Scripted::start(move |_, path| match path {
        "/oauth2/token/status" => json(token),
        "/v2/locations" => json(locations),
        "/v2/webhooks/subscriptions" => json(webhooks),
        _ => json(payments),
    })
    .await;
    let look = look_at(&server.url, "webhooks = true").await;
    assert_eq!(verdict(&look), expected, "{answers:?}");
    look
}

const TOKEN: &str = r#"{"merchant_id":"M","scopes":null,"expires_at":""}"#;
const WEBHOOKS: &str = r#"{"subscriptions":[{"enabled":true}],"cursor":null}"#;

#[tokio::test]
async fn odd_answers_are_told_for_what_they_are() {
    check_answers([TOKEN, LOCATION, WEBHOOKS, "{}"], "ok").await;
    check_answers(
        ["{}", LOCATION, WEBHOOKS, "{}"],
        "degraded protocol: Square's answer about the token names neither an application nor a merchant; check `api_url` and `version`",
    )
    .await;
    check_answers(
        [TOKEN, "{}", WEBHOOKS, "{}"],
        "failed assertion: Square knows of no location for this token",
    )
    .await;
    check_answers(
        [TOKEN, r#"{"locations":[{"id":"L","status":"SLEEPING"}]}"#, WEBHOOKS, "{}"],
        "failed assertion: none of Square's 1 locations for this token is active",
    )
    .await;
    check_answers(
        [TOKEN, LOCATION, "{}", "{}"],
        "degraded assertion: no webhook subscription is enabled: Square tells the shop of no payment",
    )
    .await;
    check_answers(
        [TOKEN, LOCATION, WEBHOOKS, r#"{"payments":[{"id":"#],
        "failed protocol: the JSON of the answer to GET /v2/payments breaks off at line 1 column 19",
    )
    .await;
    check_answers(
        [TOKEN, LOCATION, WEBHOOKS, "payments: none"],
        "failed protocol: the answer to GET /v2/payments is no JSON, at line 1 column 1",
    )
    .await;
    check_answers(
        [TOKEN, LOCATION, WEBHOOKS, r#"{"errors":[{"category":"RATE_LIMIT_ERROR","code":"RATE_LIMITED"}]}"#],
        "degraded quota: Square answered 200 RATE_LIMIT_ERROR RATE_LIMITED to GET /v2/payments: too many calls with this token, the shop's own included",
    )
    .await;
    check_answers(
        [TOKEN, LOCATION, WEBHOOKS, r#"{"cursor":"round","payments":[]}"#],
        "failed protocol: Square gave the same cursor twice: the pages of payments have no end",
    )
    .await;
}

#[tokio::test]
async fn odd_payments_are_told_and_not_counted() {
    let payments = r#"{"payments":[
        {"id":"a","created_at":"2026-03-04T11:59:00Z","status":"HELD"},
        {"id":"b","created_at":"2026-03-04T11:59:00.123456789Z","status":"COMPLETED"},
        {"id":"c","created_at":"just now","status":"COMPLETED"}, {}]}"#;
    let look = check_answers(
        [TOKEN, LOCATION, WEBHOOKS, payments],
        "degraded protocol: 2 payments came without a readable `id`, `status` or `created_at` and are not counted; check `version`",
    )
    .await;
    check_values(&look, &[("payments_attempted", 1.0), ("payments_unrecognized", 1.0)]);
    assert_eq!(
        look.outcome.notes,
        ["1 payments have a status that is not known (HELD) and are not counted as attempted"]
    );
}

#[tokio::test]
async fn payments_are_counted_although_the_tokens_state_is_not_told() {
    let server = Scripted::start(|_, path| match path {
        "/oauth2/token/status" => {
            refuse(500, r#"{"errors":[{"category":"API_ERROR","code":"INTERNAL_SERVER_ERROR"}]}"#)
        }
        "/v2/locations" => json(LOCATION),
        _ => json(r#"{"payments":[{"id":"a","created_at":"2026-03-04T11:59:00Z","status":"COMPLETED"}]}"#),
    })
    .await;
    let look = look_at(&server.url, "").await;
    assert_eq!(
        verdict(&look),
        "degraded protocol: Square answered 500 API_ERROR INTERNAL_SERVER_ERROR to POST /oauth2/token/status: Square, or a proxy before it, is in trouble"
    );
    check_values(&look, &[("payments_succeeded", 1.0), ("calls", 3.0)]);
}

/// What the probe says where every call is answered so.
async fn check_status(status: u16, body: &'static str, expected: &str) {
    let server = Scripted::start(move |_, _| refuse(status, body)).await;
    assert_eq!(verdict(&look_at(&server.url, "").await), expected);
}

#[tokio::test]
async fn every_status_has_its_words() {
    check_status(
        401,
        "<h1>no</h1>",
        "failed auth: Square answered 401, without Square's error shape, to POST /oauth2/token/status: the token is wrong for production; a token of the sandbox environment is the likely cause",
    )
    .await;
    check_status(
        302,
        "",
        "failed protocol: Square answered 302, without Square's error shape, to GET /v2/locations: redirects are not followed, since they would carry the token elsewhere",
    )
    .await;
    check_status(
        404,
        r#"{"errors":[{"category":"INVALID_REQUEST_ERROR","code":"NOT_FOUND"}]}"#,
        "failed protocol: Square answered 404 INVALID_REQUEST_ERROR NOT_FOUND to GET /v2/locations: check `api_url`",
    )
    .await;
    check_status(
        400,
        r#"{"errors":[{"category":"INVALID_REQUEST_ERROR","code":"API_VERSION_INCOMPATIBLE"}]}"#,
        "failed protocol: Square answered 400 INVALID_REQUEST_ERROR API_VERSION_INCOMPATIBLE to GET /v2/locations: it does not take this request; check `version`",
    )
    .await;
    check_status(
        502,
        "",
        "failed protocol: Square answered 502, without Square's error shape, to GET /v2/locations: Square, or a proxy before it, is in trouble",
    )
    .await;
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let server = Scripted::start(|_, path| {
        if path == "/oauth2/token/status" {
            return json(TOKEN);
        }
        let chunk = axum::body::Bytes::from(vec![b' '; 64 * 1024]);
        let endless = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
        Response::new(Body::from_stream(endless))
    })
    .await;
    assert_eq!(
        verdict(&look_at(&server.url, "").await),
        "failed protocol: the answer to GET /v2/locations has more than 4194304 bytes"
    );
}

#[tokio::test]
async fn webhooks_that_the_token_may_not_see_are_noted() {
    let server = Scripted::start(|_, path| match path {
        "/oauth2/token/status" => json(TOKEN),
        "/v2/locations" => json(LOCATION),
        "/v2/webhooks/subscriptions" => {
            refuse(403, r#"{"errors":[{"category":"AUTHENTICATION_ERROR","code":"FORBIDDEN"}]}"#)
        }
        _ => json("{}"),
    })
    .await;
    let look = look_at(&server.url, "webhooks = true").await;
    assert_eq!(verdict(&look), "ok");
    assert_eq!(
        look.outcome.notes[0],
        "this token may not see webhook subscriptions; only the application's own personal token may"
    );
    assert_eq!(value(&look, "webhook_subscriptions_enabled"), None);
}

#[tokio::test]
async fn neither_the_token_nor_a_customers_data_is_ever_shown() {
    let private = r#"{"category":"API_ERROR jane@example.com","code":"4111111111111111 declined","detail":"card of jane@example.com"}"#;
    for (status, body) in [
        (400, format!(r#"{{"errors":[{private}]}}"#)),
        (200, format!(r#"{{"locations":"jane@example.com","errors":[{private}]}}"#)),
        (200, r#"{"locations":[{"id":"L","status":"jane@example.com"}]}"#.to_owned()),
    ] {
        let server = Scripted::start(move |_, path| match path {
            "/oauth2/token/status" => json(TOKEN),
            _ => refuse(status, body.clone()),
        })
        .await;
        let look = look_at(&server.url, "locations = [\"L\"]").await;
        let shown = format!("{:?}", look.outcome);
        assert_eq!(look.outcome.status(), atalaya::outcome::Status::Failed, "{shown}");
        for secret in ["jane", "4111", Square::TOKEN] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    let (square, url) = simulated().await;
    square.pay(ago(60), 1, DECLINED);
    let shown = format!("{:?}", look_at(&url, "").await.outcome);
    assert!(!shown.contains("customer") && !shown.contains("1111"), "{shown}");
}
