//! The simulator: Square's own library can use it, and it has the shapes and pitfalls of the real one.

use super::{ago, simulated};
use crate::support::judge;
use atalaya::demo::square::{Ending, Fault, Square};
use axum::http::header::RETRY_AFTER;
use std::time::{Duration, Instant};

#[tokio::test]
async fn squares_own_library_can_use_the_simulator() {
    let (square, url) = simulated().await;
    for number in 0..45 {
        square.pay_at(Square::MARKET_LOCATION, ago(100 + number / 4), 500, Ending::Paid);
    }
    square.pay(ago(100), 500, Ending::Paid);
    // The library runs beside this runtime, which serves it.
    let said = tokio::task::spawn_blocking(move || {
        let args = [url.as_str(), Square::TOKEN, Square::MAIN_LOCATION, Square::MARKET_LOCATION];
        judge::node("square.mjs", &["square@44.1.0"], &args)
    });
    let said = said.await.unwrap().unwrap_or_else(|complaint| panic!("{complaint}"));
    let mut got: serde_json::Value = serde_json::from_str(&said).unwrap();
    let orders = (got["ordersCancelled"].take(), got["ordersExpected"].take());
    assert_eq!(orders.0.as_array().map(Vec::len), Some(2));
    assert_eq!(orders.0, orders.1);
    let refused = |status: u16, error: &str| serde_json::json!({ "status": status, "errors": [error] });
    let place = |id: &str| serde_json::json!({ "id": id, "status": "ACTIVE", "capabilities": ["CREDIT_CARD_PROCESSING", "AUTOMATIC_TRANSFERS"] });
    assert_eq!(
        got,
        serde_json::json!({
            "token": { "application": Square::APPLICATION_ID, "mayReadPayments": true },
            "mainLocation": Square::MAIN_LOCATION,
            "locations": [place(Square::MAIN_LOCATION), place(Square::MARKET_LOCATION)],
            "location": "Kitchen",
            "listed": { "count": 45, "ids": 45 },
            "inOrder": true,
            "amounts": ["bigint"],
            "locationsOfDefault": [Square::MAIN_LOCATION],
            "authorized": "APPROVED",
            "cancelled": "CANCELED",
            "cancelledTwice": refused(400, "INVALID_REQUEST_ERROR BAD_REQUEST"),
            "cancelledByKey": "CANCELED",
            "paid": { "status": "COMPLETED", "card": "CAPTURED", "sameAgain": true },
            "keyReused": refused(400, "INVALID_REQUEST_ERROR IDEMPOTENCY_KEY_REUSED"),
            "keyTooLong": refused(400, "INVALID_REQUEST_ERROR VALUE_TOO_LONG"),
            "declines": {
                "declined": refused(400, "PAYMENT_METHOD_ERROR GENERIC_DECLINE"),
                "rejected-cvv": refused(400, "PAYMENT_METHOD_ERROR CVV_FAILURE"),
                "rejected-postalcode": refused(400, "PAYMENT_METHOD_ERROR ADDRESS_VERIFICATION_FAILURE"),
                "rejected-expiration": refused(400, "PAYMENT_METHOD_ERROR INVALID_EXPIRATION"),
            },
            "unknownNonce": refused(404, "INVALID_REQUEST_ERROR NOT_FOUND"),
            "refund": { "status": "PENDING", "amount": 299 },
            "refundFound": true,
            "refundsListed": 1,
            "refunded": 299,
            "tooMuchBack": refused(400, "INVALID_REQUEST_ERROR REFUND_AMOUNT_INVALID"),
            "ordersCancelled": null,
            "ordersExpected": null,
            "ordersHaveNoMore": true,
            "wrongSort": refused(400, "INVALID_REQUEST_ERROR BAD_REQUEST"),
            "noLocation": refused(400, "INVALID_REQUEST_ERROR MISSING_REQUIRED_PARAMETER"),
            "subscriptions": [true],
            "unknownPayment": refused(404, "INVALID_REQUEST_ERROR NOT_FOUND"),
            "stranger": refused(401, "AUTHENTICATION_ERROR UNAUTHORIZED"),
        })
    );
}

#[tokio::test]
async fn the_simulator_answers_in_squares_shapes() {
    let (square, url) = simulated().await;
    square.set(Fault::RateLimited, true);
    let client = reqwest::Client::builder();
    let client = client
        .tls_backend_preconfigured((*atalaya::probe::net::Net::new().unwrap().tls).clone())
        .build()
        .unwrap();
    let get = |path: &str| client.get(format!("{url}{path}")).bearer_auth(Square::TOKEN);
    let limited = get("/v2/locations").send().await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()[RETRY_AFTER]), (429, &"30".parse().unwrap()));
    square.mend();
    let echo = get("/v2/locations").header("Square-Version", "2025-08-20").send().await.unwrap();
    assert_eq!(echo.headers()["Square-Version"], "2025-08-20");
    for (request, status, code) in [
        (get("/v2/nothing"), 404, "NOT_FOUND"),
        (client.delete(format!("{url}/v2/payments")).bearer_auth(Square::TOKEN), 405, "METHOD_NOT_ALLOWED"),
        (get("/v2/locations").header("Square-Version", "newest"), 400, "INVALID_SQUARE_VERSION_FORMAT"),
        (get("/v2/payments?cursor=made-up"), 400, "INVALID_CURSOR"),
        (get("/v2/payments?begin_time=yesterday"), 400, "INVALID_TIME"),
        (
            client.post(format!("{url}/v2/payments")).bearer_auth(Square::TOKEN).body("{"),
            400,
            "EXPECTED_JSON_BODY",
        ),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{code}");
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(body["errors"][0]["code"], code);
    }
    // A larger limit is ignored, not refused; and what was switched off hides unless asked for.
    for _ in 0..101 {
        square.pay(ago(60), 1, Ending::Paid);
    }
    let page: serde_json::Value = get("/v2/payments?limit=5000").send().await.unwrap().json().await.unwrap();
    assert_eq!(page["payments"].as_array().map(Vec::len), Some(100));
    assert!(page["cursor"].is_string());
    square.set(Fault::Slow, true);
    let begun = Instant::now();
    get("/v2/locations").send().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(2));
    square.mend();
    square.set(Fault::WebhookDisabled, true);
    let hidden: serde_json::Value =
        get("/v2/webhooks/subscriptions").send().await.unwrap().json().await.unwrap();
    assert_eq!(hidden, serde_json::json!({}));
}
