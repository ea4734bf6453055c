//! `resend` against the simulator, against Resend's own library, and against every answer that there may be.

use crate::support::channel::{
    build_faults, channel, channel_within, deliver, notice, parcel, reply, verdict,
};
use crate::support::judge;
use crate::support::vendor::{Scripted, json, refuse, serve};
use atalaya::alert::Kind;
use atalaya::clock;
use atalaya::demo::resend::{Fault, Resend};
use atalaya::notify::message::Message;
use atalaya::notify::{Deliver, Delivery, Parcel};
use atalaya::probe::net::Net;
use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use serde_json::{Value, json as value};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KEY: &str = "re_marked_key";
const TO: &str = "delivered@resend.dev, \"Lee, Ann\" <ann@shop.example>";

fn definition(url: &str, key: &str, to: &str) -> String {
    format!(
        "to.resend = {{ api_url = '{url}', api_key = '{key}', from = 'Atalaya <watch@shop.example>', to = '{to}' }}"
    )
}

fn to_simulator(url: &str) -> Box<dyn Deliver> {
    channel(&definition(url, Resend::KEY, TO), &[])
}

async fn send(channel: &dyn Deliver, parcel: &Parcel) -> String {
    let delivery =
        deliver(channel, parcel, Duration::from_secs(20)).await.expect("an end within its own time");
    let shown = format!("{} {delivery:?}", verdict(&delivery));
    for hidden in [KEY, Resend::KEY, "@", "ann"] {
        assert!(!shown.contains(hidden), "{hidden}: {shown}");
    }
    verdict(&delivery)
}

/// A simulator whose rate limit of a second nothing here comes near: a second passes with each call.
fn simulated() -> Arc<Resend> {
    let calls = std::sync::atomic::AtomicI64::new(0);
    Resend::new(move || clock::wall() + jiff::SignedDuration::from_secs(calls.fetch_add(1, Ordering::SeqCst)))
}

/// What the simulator has, the newest first.
async fn emails(url: &str) -> Vec<Value> {
    let http = Net::new().expect("a network").api;
    let get = async |path: String| {
        let reply =
            http.get(format!("{url}/{path}")).bearer_auth(Resend::KEY).send().await.expect("an answer");
        reply.json::<Value>().await.expect("JSON")
    };
    let mut all = Vec::new();
    for email in get("emails".to_owned()).await["data"].as_array().expect("a list") {
        all.push(get(format!("emails/{}", email["id"].as_str().expect("an id"))).await);
    }
    all
}

#[tokio::test]
async fn an_episode_arrives_once_however_often_it_is_tried() {
    let resend = simulated();
    let url = serve(resend.router()).await;
    let mail = to_simulator(&url);
    let first = parcel(1, notice(Kind::Firing));
    let last = reply(2, &first, notice(Kind::Resolved));
    for parcel in [&first, &first, &last, &last] {
        assert_eq!(send(&*mail, parcel).await, "delivered");
    }
    let found = emails(&url).await;
    assert_eq!(found.len(), 2);
    for (email, parcel) in found.iter().rev().zip([&first, &last]) {
        let message = Message::of(parcel);
        assert_eq!(email["from"], "\"Atalaya\" <watch@shop.example>");
        assert_eq!(email["to"], value!(["delivered@resend.dev", "\"Lee, Ann\" <ann@shop.example>"]));
        assert_eq!((&email["subject"], &email["text"]), (&value!(message.subject), &value!(message.text)));
        assert_eq!(email["html"], value!(message.html));
    }
    assert_eq!(found[0]["subject"], format!("Re: {}", found[1]["subject"].as_str().expect("a text")));
}

/// Takes everything and keeps it.
async fn recorder() -> (String, Arc<Mutex<Vec<(HeaderMap, Value)>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&kept);
    let router = Router::new().fallback(move |headers: HeaderMap, body: Bytes| {
        let body = serde_json::from_slice(&body).expect("JSON");
        log.lock().expect("the log").push((headers, body));
        async { json(r#"{"id":"49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}"#) }
    });
    (serve(router).await, kept)
}

#[tokio::test]
async fn resends_own_library_would_send_the_same() {
    let (url, kept) = recorder().await;
    let mail = channel(&definition(&url, KEY, TO), &[]);
    let first = parcel(1, notice(Kind::Firing));
    let last = reply(2, &first, notice(Kind::Resolved));
    for parcel in [&first, &last] {
        assert_eq!(send(&*mail, parcel).await, "delivered");
    }
    let ours = kept.lock().expect("the log").clone();
    let root = format!("<{}@shop.example>", first.key);
    assert_eq!(ours[0].1["headers"]["References"], value!(root));
    assert_eq!(ours[0].1["headers"].get("In-Reply-To"), None);
    assert_eq!(
        (&ours[0].1["headers"]["Importance"], &ours[0].1["headers"]["X-Priority"]),
        (&value!("high"), &value!("1"))
    );
    let threaded = value!({
        "References": root, "In-Reply-To": root, "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All",
    });
    assert_eq!(ours[1].1["headers"], threaded);
    let tags = ["source atalaya", "kind resolved", "severity page"];
    let found = ours[1].1["tags"].as_array().expect("tags").iter();
    let found = found.map(|tag| format!("{} {}", tag["name"], tag["value"]).replace('"', ""));
    assert_eq!(found.collect::<Vec<_>>(), tags);

    let args = [url, KEY.to_owned(), ours[1].1.to_string(), last.key.clone()];
    let said = tokio::task::spawn_blocking(move || {
        judge::node("resend_email.mjs", &["resend@6.38.0"], &args.each_ref().map(String::as_str))
    });
    said.await.expect("an end").unwrap_or_else(|complaint| panic!("{complaint}"));
    let theirs = kept.lock().expect("the log").pop().expect("a request");
    assert_eq!(theirs.1, ours[1].1);
    for name in ["authorization", "content-type", "idempotency-key"] {
        assert_eq!(theirs.0.get(name), ours[1].0.get(name), "{name}");
    }
    assert!(ours[1].0[header::USER_AGENT].to_str().is_ok_and(|agent| agent.starts_with("atalaya/")));
}

#[tokio::test]
async fn an_email_whose_answer_was_lost_is_not_sent_twice() {
    let resend = simulated();
    let posts = Arc::new(AtomicUsize::new(0));
    let lossy = axum::middleware::from_fn(move |request: Request, next: Next| {
        let lost = request.method() == "POST" && posts.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            let answer = next.run(request).await;
            if lost {
                std::future::pending::<()>().await;
            }
            answer
        }
    });
    let url = serve(resend.router().layer(lossy)).await;
    let first = parcel(1, notice(Kind::Firing));
    let hasty = channel_within(Duration::from_millis(500), &definition(&url, Resend::KEY, TO));
    assert_eq!(send(&*hasty, &first).await, "retry: no end within 475ms; it hung in phase `first_byte`");
    assert_eq!(send(&*hasty, &first).await, "delivered");
    assert_eq!(emails(&url).await.len(), 1);
}

#[tokio::test]
async fn two_tries_at_once_send_one_email() {
    let resend = simulated();
    let url = serve(resend.router()).await;
    resend.set(Fault::Slow, true);
    let (mail, first) = (to_simulator(&url), parcel(1, notice(Kind::Firing)));
    let (one, other) = tokio::join!(send(&*mail, &first), send(&*mail, &first));
    let mut both = [one, other];
    both.sort();
    assert_eq!(both, ["delivered", "retry after 5s: Resend is still at an earlier try of this message"]);
    resend.mend();
    assert_eq!(send(&*mail, &first).await, "delivered");
    assert_eq!(emails(&url).await.len(), 1);
}

#[tokio::test]
async fn who_is_to_be_told_since_an_earlier_try_is_told() {
    let resend = simulated();
    let url = serve(resend.router()).await;
    let first = parcel(1, notice(Kind::Firing));
    assert_eq!(send(&*to_simulator(&url), &first).await, "delivered");
    let changed = channel(&definition(&url, Resend::KEY, "delivered+night@resend.dev"), &[]);
    for _ in 0..3 {
        assert_eq!(send(&*changed, &first).await, "delivered");
    }
    let told: Vec<_> = emails(&url).await.into_iter().map(|email| email["to"][0].clone()).collect();
    assert_eq!(told, ["delivered+night@resend.dev", "delivered@resend.dev"]);
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_told_apart_from_haste() {
    let resend = simulated();
    resend.limit_daily(1);
    let url = serve(resend.router()).await;
    let mail = to_simulator(&url);
    assert_eq!(send(&*mail, &parcel(1, notice(Kind::Firing))).await, "delivered");
    let second = parcel(2, notice(Kind::Firing));
    let daily = "retry after 1h: the daily quota of emails at Resend is used up; raise the plan";
    assert_eq!(send(&*mail, &second).await, daily);
    assert_eq!(send(&*mail, &parcel(1, notice(Kind::Firing))).await, "delivered", "it was taken before");
    for (fault, expected) in [
        (Fault::MonthlyQuota, "retry after 6h: the monthly quota of emails at Resend is used up"),
        (Fault::RateLimited, "retry after 1s: Resend takes no more requests for the moment"),
        (Fault::Unauthorized, "refused: Resend does not know the API key"),
        (Fault::InvalidKey, "refused: Resend does not know the API key"),
        (Fault::BadRequestKey, "refused: Resend does not know the API key"),
        (Fault::Suspended, "refused: Resend has suspended the API key"),
        (Fault::EdgeRefusal, "refused: Resend's edge turns the request away"),
        (Fault::Outage, "retry: Resend answered 503"),
        (Fault::Html, "retry: Resend answered 200 with an HTML page where JSON is due"),
    ] {
        resend.set(fault, true);
        let found = send(&*mail, &second).await;
        assert!(found.starts_with(expected), "{fault}: {found}");
        resend.mend();
    }
    resend.set(Fault::DomainUnverified, true);
    resend.limit_daily(100);
    let found = send(&*mail, &second).await;
    assert!(
        found.starts_with(
            "refused: Resend refuses the message with 403, validation_error: The shop.example domain"
        ),
        "{found}"
    );
    assert!(
        found.ends_with("; the domain of `from` must be verified at https://resend.com/domains"),
        "{found}"
    );
}

/// What is made of one answer.
async fn check(status: u16, body: &'static str, expected: &str) {
    let scripted = Scripted::start(move |_, _| refuse(status, body)).await;
    let found =
        send(&*channel(&definition(&scripted.url, KEY, TO), &[]), &parcel(1, notice(Kind::Firing))).await;
    assert!(found.starts_with(expected), "{status} {body}: {found}");
    let calls = if body.contains("invalid_idempotent_request") { 2 } else { 1 };
    assert_eq!(scripted.calls(), vec!["/emails"; calls]);
}

#[tokio::test]
async fn each_refusal_says_whether_to_try_again() {
    let refused = "refused: Resend refuses the message with";
    for (status, name, expected) in [
        (400, "invalid_idempotency_key", format!("{refused} 400, invalid_idempotency_key")),
        (400, "validation_error", format!("{refused} 400, validation_error: said so; check `from` and `to`")),
        (401, "missing_api_key", "refused: Resend does not know the API key".to_owned()),
        (
            401,
            "restricted_api_key",
            format!("{refused} 401, restricted_api_key: said so; the key in `api_key` must"),
        ),
        (403, "invalid_api_key", "refused: Resend does not know the API key".to_owned()),
        (403, "email_above_quota", "retry after 6h: the monthly quota".to_owned()),
        (403, "invalid_permission", format!("{refused} 403, invalid_permission")),
        (404, "not_found", format!("{refused} 404, not_found: said so; check `api_url`")),
        (405, "method_not_allowed", format!("{refused} 405, method_not_allowed: said so; check `api_url`")),
        (
            409,
            "invalid_idempotent_request",
            "refused: Resend has taken another email with this key".to_owned(),
        ),
        (409, "concurrent_idempotent_requests", "retry after 5s: Resend is still at".to_owned()),
        (409, "resource_locked", "retry after 5s: ".to_owned()),
        (422, "validation_error", format!("{refused} 422, validation_error")),
        (422, "missing_required_field", format!("{refused} 422, missing_required_field")),
        (422, "invalid_parameter", format!("{refused} 422, invalid_parameter")),
        (422, "invalid_from_address", format!("{refused} 422, invalid_from_address: said so; check `from`")),
        (422, "invalid_access", format!("{refused} 422, invalid_access")),
        (429, "rate_limit_exceeded", "retry after 1s: ".to_owned()),
        (429, "daily_quota_exceeded", "retry after 1h: the daily quota".to_owned()),
        (429, "monthly_quota_exceeded", "retry after 6h: the monthly quota".to_owned()),
        (429, "something_new", "retry: Resend answered 429".to_owned()),
        (451, "security_error", format!("{refused} 451, security_error")),
        (500, "application_error", "retry: Resend answered 500".to_owned()),
        (500, "internal_server_error", "retry: Resend answered 500".to_owned()),
        (503, "service_unavailable", "retry: Resend answered 503".to_owned()),
        (418, "something_new", format!("{refused} 418, something_new")),
    ] {
        let body = format!("{{\"statusCode\":{status},\"name\":\"{name}\",\"message\":\"said so\"}}");
        check(status, body.leak(), &expected).await;
    }
}

#[tokio::test]
async fn each_status_without_words_says_whether_to_try_again() {
    for status in 300..=599 {
        let expected = match status {
            408 | 409 | 421 | 423 | 425 | 429 | 500.. => "retry: Resend answered",
            _ => "refused: Resend answered",
        };
        check(status, "", expected).await;
    }
    check(200, "", "retry: Resend answered 200 with nothing where JSON is due").await;
    check(200, "[]", "retry: Resend answered 200 with JSON of another shape where JSON is due").await;
}

#[tokio::test]
async fn a_wait_that_is_demanded_is_told() {
    let scripted = Scripted::start(|_, _| {
        let mut answer = refuse(503, "{}");
        answer.headers_mut().insert(header::RETRY_AFTER, "120".parse().expect("a header"));
        answer
    })
    .await;
    let mail = channel(&definition(&scripted.url, KEY, TO), &[]);
    let found = send(&*mail, &parcel(1, notice(Kind::Firing))).await;
    assert!(found.starts_with("retry after 2m: Resend answered 503"), "{found}");
}

#[tokio::test]
async fn what_resend_repeats_of_secrets_and_people_is_not_shown() {
    check(
        422,
        r#"{"name":"validation_error","message":"re_marked_key may not send to ann@shop.example 4111 1111 1111 1111"}"#,
        "refused: Resend refuses the message with 422, validation_error: <secret> may not send to <address> <number>",
    )
    .await;
    check(
        422,
        r#"{"name":"re_marked_key","message":""}"#,
        "refused: Resend refuses the message with 422, <secret>",
    )
    .await;
}

#[tokio::test]
async fn nobody_there_and_nobody_answering_are_for_another_try() {
    let port = crate::support::server::free_port();
    let nobody = channel(&definition(&format!("http://127.0.0.1:{port}"), KEY, TO), &[]);
    let first = parcel(1, notice(Kind::Firing));
    let found = send(&*nobody, &first).await;
    assert!(found.starts_with("retry: can't connect to Resend at 127.0.0.1"), "{found}");
    let silent = crate::support::target::Silent::start();
    let address = format!("http://{}", silent.address());
    let hung = channel_within(Duration::from_millis(400), &definition(&address, KEY, TO));
    assert_eq!(send(&*hung, &first).await, "retry: no end within 380ms; it hung in phase `first_byte`");
    let plain = crate::support::web::saying("hello\r\n\r\n").await;
    let found = send(&*channel(&definition(&format!("http://{plain}"), KEY, TO), &[]), &first).await;
    assert!(found.starts_with("retry: Resend at 127.0.0.1 answered what is no HTTP"), "{found}");
    assert_eq!(deliver(&*hung, &first, Duration::from_millis(50)).await, None::<Delivery>);
}

#[tokio::test]
async fn a_definition_that_makes_no_sense_is_refused() {
    let faults = |url: &str, key: &str, to: &str| build_faults(&definition(url, key, to)).join("; ");
    let key = faults("", "marked key", "a@b.c");
    assert_eq!(key, "api_key: this is no API key, which is `re_` and letters, digits and `_`");
    assert!(faults("ftp://x", KEY, "a@b.c").starts_with("api_url: `ftp://x` is no web address"));
    assert_eq!(faults("", KEY, "nobody"), "to: `nobody` holds what is no email address");
    channel(&definition("", KEY, "a@b.c").replace("api_url = ''", "api_url = '${RESEND_API_URL:-}'"), &[]);
}
