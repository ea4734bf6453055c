//! Answers of Square, Upstash and Resend, with every value replaced, left out, doubled or blown up, and then cut off
//! or broken as bytes.

use super::mutate::{self, Change};
use super::wire::follow;
use super::{Bench, CARD, EMAIL, MARKED, SECRET, Script, cases, promises};
use crate::support::web;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

/// What may stand where a vendor's word is due.
const NASTY: &[&str] = &[
    EMAIL,
    CARD,
    SECRET,
    "4111-1111-1111-1111",
    "declined marked-secret-Yq27 of <marked.person@customer.example> with card 4111111111111111",
    "4111111111111111:marked-secret-Yq27",
    "ERR marked-secret-Yq27 4111111111111111",
    "",
    "\u{0}\u{1b}[31m\u{202e}",
    "../../v2/payments?x=",
    "FAILED",
    "COMPLETED",
    "2026-03-04T11:59:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "-9999-01-01T00:00:00Z",
    "1e999",
    "-1",
    "verified",
    "invalid_api_key",
    "PONG",
];

/// How an answer is sent.
#[derive(Debug, Clone)]
struct Sent {
    status: u16,
    headers: &'static str,
    /// More or less is announced than comes.
    announced: i64,
    changes: Vec<Change>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let status = prop_oneof![12 => Just(200_u16), 1 => prop::sample::select(vec![
        204, 301, 400, 401, 403, 404, 408, 422, 429, 500, 503, 599
    ])];
    let headers = prop::sample::select(vec![
        "",
        "Retry-After: 30\r\n",
        "Retry-After: 1e308\r\nRatelimit-Remaining: 1e999\r\n",
        "Ratelimit-Limit: -5\r\nRatelimit-Remaining: 9\r\nRatelimit-Reset: -1e300\r\n",
        "X-Resend-Daily-Quota: nan\r\nX-Resend-Monthly-Quota: 1e308\r\n",
        "Location: http://marked-secret-Yq27:x@127.0.0.1/4111111111111111\r\n",
    ]);
    let announced = prop_oneof![10 => Just(0_i64), 1 => -20..20_i64, 1 => Just(1_i64 << 40)];
    (status, headers, announced, mutate::changes(4)).prop_map(|(status, headers, announced, changes)| Sent {
        status,
        headers,
        announced,
        changes,
    })
}

fn answer(sample: &Value, sent: &Sent) -> Script {
    let body = mutate::json(sample, &sent.changes, NASTY);
    let length = i64::try_from(body.len()).unwrap_or(i64::MAX) + sent.announced;
    let head = format!(
        "HTTP/1.1 {} Said\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n",
        sent.status,
        length.max(0),
        sent.headers
    );
    Script { says: [head.as_bytes(), &body].concat(), holds: false }
}

/// Looks with `probe` at a vendor that answers each of these paths with what became of its sample.
fn check(probe: &str, number: u32, samples: Vec<(&'static str, Value)>) {
    let bench = Bench::new();
    let answers: Arc<Mutex<HashMap<&str, Script>>> = Arc::default();
    let told = answers.clone();
    let address = bench.runtime.block_on(web::serve(move |stream| {
        let told = told.clone();
        async move {
            let mut head = [0; 1024];
            let length = stream.peek(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let path = head.split([' ', '?']).nth(1).unwrap_or_default();
            let script = told.lock().expect("the answers").get(path).cloned().unwrap_or_default();
            Box::pin(follow(stream, script)).await;
        }
    }));
    let probe = probe.replace("ADDRESS", &format!("http://{address}"));
    let tell = |said: Vec<(&'static str, Script)>| {
        *answers.lock().expect("the answers") = said.into_iter().collect();
        promises(&bench.look(&probe, TIMEOUT), TIMEOUT)
    };
    let fine = Sent { status: 200, headers: "", announced: 0, changes: Vec::new() };
    for marked in MARKED {
        for at in 0..samples.len() {
            for replaced in mutate::each_replaced(&samples[at].1, marked) {
                let mut said: Vec<_> =
                    samples.iter().map(|(path, sample)| (*path, answer(sample, &fine))).collect();
                said[at].1 = answer(&replaced, &fine);
                tell(said).unwrap_or_else(|error| panic!("{error}\n{replaced}"));
            }
        }
    }
    // Most answers are as they should be, so that looks get as far as those that are not.
    let one = prop_oneof![2 => Just(fine), 1 => sent()];
    let given = prop::collection::vec(one, samples.len());
    let run = TestRunner::new(cases(number)).run(&given, |sent| {
        let said = samples.iter().zip(&sent).map(|((path, sample), sent)| (*path, answer(sample, sent)));
        tell(said.collect())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

/// As Square's documentation shows them, with a customer's data where Square puts it.
fn square() -> Vec<(&'static str, Value)> {
    let at = |seconds: i64| jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds);
    let card = json!({"card": {"card_brand": "VISA", "last_4": "1111", "cardholder_name": "Marked Person"},
        "errors": [{"category": "PAYMENT_METHOD_ERROR", "code": "CVV_FAILURE", "detail": format!("{CARD} {EMAIL}")}]});
    let payment = |id: &str, status: &str, seconds: i64| {
        json!({"id": id, "created_at": at(seconds).to_string(), "status": status,
            "amount_money": {"amount": 555, "currency": "USD"}, "total_money": {"amount": 600, "currency": "USD"},
            "card_details": card, "buyer_email_address": EMAIL, "shipping_address": {"address_line_1": "1 Marked St"}})
    };
    vec![
        (
            "/oauth2/token/status",
            json!({"scopes": ["PAYMENTS_READ"], "expires_at": "2030-01-01T00:00:00Z", "client_id": "sq0idp-a",
                "merchant_id": "M", "errors": []}),
        ),
        (
            "/v2/locations",
            json!({"locations": [{"id": "L1", "name": EMAIL, "status": "ACTIVE", "capabilities": ["CREDIT_CARD_PROCESSING"],
                "business_email": EMAIL}, {"id": "L2", "status": "INACTIVE"}]}),
        ),
        (
            "/v2/webhooks/subscriptions",
            json!({"subscriptions": [{"id": "wbhk_b35f6b3145074cf9ad513610786c19d5", "enabled": true,
                "updated_at": "2022-01-10 23:29:48 +0000 UTC"}, {"id": "wbhk_2", "enabled": false,
                "notification_url": "https://shop.example"}], "cursor": ""}),
        ),
        (
            "/v2/payments",
            json!({"payments": [payment("a", "COMPLETED", 100), payment("b", "FAILED", 200), payment("c", "PENDING", 300),
                payment("d", "CANCELED", 400)], "cursor": null, "errors": null}),
        ),
    ]
}

#[test]
fn any_answer_of_square_is_told_or_taken() {
    for locations in ["[\"L1\", \"L2\"]", "[]"] {
        let probe = format!(
            r#"probe.square = {{ token = "${{SECRET}}", environment = "production", api_url = "ADDRESS",
            application_id = "sq0idp-a", locations = {locations}, webhooks = true, calls_max = 8 }}"#
        );
        check(&probe.replace('\n', " "), 200, square());
    }
    let refusal =
        json!({"errors": [{"category": CARD, "code": SECRET, "detail": format!("{CARD} {EMAIL}")}]});
    let probe = r#"probe.square = { token = "${SECRET}", environment = "sandbox", api_url = "ADDRESS" }"#;
    check(probe, 100, vec![("/oauth2/token/status", refusal.clone()), ("/v2/locations", refusal)]);
}

#[test]
fn any_answer_of_upstash_is_told_or_taken() {
    let member = |who: &str, success: Value| json!({"identifier": who, "success": success}).to_string();
    let info =
        format!("used_memory:5\r\nmaxmemory:9\r\ntotal_data_size:5\r\nrole:slave\r\n{EMAIL}:{CARD}\r\n");
    let callers = json!([member(EMAIL, json!(true)), "6", member(CARD, json!("denied")), 3]);
    let samples =
        json!([{"result": "PONG"}, {"result": info}, {"result": 3}, {"result": 0}, {"result": callers}]);
    let probe = r#"probe.upstash = { url = "ADDRESS", token = "${SECRET}", rate_limits = ["checkout"], blocked = true }"#;
    check(probe, 250, vec![("/pipeline", samples)]);
    let refusal = json!({"error": format!("ERR {SECRET} of {EMAIL} with {CARD}")});
    let items =
        [json!({"result": "PONG"}), refusal.clone(), refusal.clone(), refusal.clone(), refusal.clone()];
    check(probe, 100, vec![("/pipeline", json!(items))]);
    check(probe, 100, vec![("/pipeline", refusal)]);
}

#[test]
fn any_answer_of_resend_is_told_or_taken() {
    let records = json!([{"record": "SPF", "name": "send", "type": "MX", "status": "failed", "value": EMAIL},
        {"record": "DKIM", "name": "resend._domainkey", "type": "TXT", "status": "pending"}]);
    let domain = |status: &str| {
        json!({"id": "d91cd9bd-1176-453e-8fc1-35364d380206", "name": "shop.example", "status": status,
            "capabilities": {"sending": "enabled", "receiving": "disabled"}, "records": records})
    };
    let emails = json!({"object": "list", "has_more": false, "data": [
        {"id": "1", "to": [EMAIL], "subject": CARD, "created_at": "2026-11-22 18:00:00.000000+00", "last_event": "bounced"},
        {"id": "2", "to": [EMAIL], "created_at": jiff::Timestamp::now().to_string(), "last_event": "delivered"}]});
    let samples = |status: &str| {
        vec![
            ("/domains", json!({"data": [domain(status)], "has_more": false})),
            ("/domains/d91cd9bd-1176-453e-8fc1-35364d380206", domain(status)),
            ("/emails", emails.clone()),
        ]
    };
    let probe = r#"probe.resend = { key = "${SECRET}", api_url = "ADDRESS", domains = ["shop.example"], daily_quota = 100, monthly_quota = 3000 }"#;
    check(probe, 150, samples("verified"));
    check(probe, 200, samples("failed"));
    let words = json!({"statusCode": 422, "name": "validation_error", "message": format!("no {EMAIL} {CARD} {SECRET}")});
    check(probe, 100, vec![("/domains", words)]);
}
