//! What the channels send, judged by the limits and rules of those who read it.

use crate::support::channel::{build_faults, build_within, deliver, notice, parcel, verdict};
use crate::support::judge;
use crate::support::receiver::{Receiver, Request, answer};
use atalaya::alert::{Key, Kind, Notice, Severity};
use atalaya::notify::{Delivery, Parcel};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Sends `parcel` through the channel of `toml`, whose receiver answers `status` and `body`; what it got.
async fn sent(toml: &str, (status, body): (u16, &'static str), parcel: &Parcel) -> Vec<Request> {
    let receiver = Receiver::start(move |_| answer(status, "", body)).await;
    let timeout = Duration::from_secs(20);
    let toml = toml.replace("{url}", &format!("http://{}", receiver.address));
    let channel = build_within(timeout, &toml, &[("KEY", KEY), ("SECRET", SECRET)]);
    let channel = channel.unwrap_or_else(|found| panic!("{toml}: {found:?}"));
    assert_eq!(deliver(&*channel, parcel, timeout).await, Some(Delivery::Delivered));
    receiver.take()
}

async fn one(toml: &str, taken: (u16, &'static str), parcel: &Parcel) -> Value {
    let requests = sent(toml, taken, parcel).await;
    assert_eq!(requests.len(), 1);
    requests[0].json()
}

const SLACK: (&str, (u16, &str)) = ("to.slack = { url = '{url}/T/B/X' }", (200, "ok"));
const DISCORD: (&str, (u16, &str)) = ("to.discord = { url = '{url}/api/webhooks/1/x' }", (204, ""));
const PAGERDUTY: (&str, (u16, &str)) =
    ("to.pagerduty = { url = '{url}/v2/enqueue', routing_key = '${KEY}' }", (202, "{}"));
const WEBHOOK: (&str, (u16, &str)) =
    ("to.webhook = { url = '{url}/hook', secret = '${SECRET}', authorization = 'Bearer ${KEY}' }", (200, ""));

/// Everything that a target could answer to do harm.
fn nasty(length: usize) -> String {
    let begin = "<!channel> <!here|x> @everyone <@U024BE7LH> <@&1> &lt; [x](http://evil.example) *b* _i_ `c` ~s~ |p| \
                 \u{1b}[31mred\u{1b}[0m \u{0}\u{8}\r\n\u{202e}turned 🛒💥👨‍👩‍👧‍👦 größe \\ \" ' </pre>";
    begin.chars().cycle().take(length).collect()
}

/// A notice of so many alerts, each with as much in it as there can be.
fn crowd(kind: Kind, alerts: usize, length: usize) -> Notice {
    let one = notice(kind);
    let alert = |number: usize| {
        let mut alert = one.alerts[0].clone();
        alert.key = Key(format!("check/square-{number}").into());
        alert.episode = format!("check/square-{number}@1772359320000");
        alert.labels.insert("check".to_owned(), format!("square-{number}"));
        alert.title = format!("Square {number} {}", nasty(length / 10));
        alert.summary = nasty(length);
        alert.evidence = vec![nasty(length); 12];
        alert.cost = Some(nasty(length));
        alert.runbook = Some(format!("https://wiki.shop.example/r?n={number}&x=<a|b>(c)"));
        alert
    };
    let alerts = (0..alerts).map(alert).collect();
    Notice { alerts, more: 4, backup: Some(nasty(length)), ..one }
}

/// All kinds of notices, from the usual one to the worst.
fn notices() -> Vec<Notice> {
    let kinds = [Kind::Firing, Kind::Escalated, Kind::Reminder, Kind::Flapping, Kind::Resolved, Kind::Test];
    let mut notices: Vec<_> = kinds.map(notice).to_vec();
    notices.extend(kinds.map(|kind| crowd(kind, 30, 10_000)));
    notices.extend([crowd(Kind::Firing, 1, 10_000), crowd(Kind::Firing, 11, 3), crowd(Kind::Firing, 2, 250)]);
    notices
}

fn units(text: &Value) -> usize {
    text.as_str().unwrap_or_else(|| panic!("no text: {text}")).encode_utf16().count()
}

/// Every text in it.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(values) => values.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn assert_plain(message: &Value) {
    for text in texts(message) {
        assert!(!text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{text:?}");
    }
}

#[tokio::test]
async fn slack_gets_what_it_takes() {
    for notice in notices() {
        let message = one(SLACK.0, SLACK.1, &parcel(1, notice)).await;
        assert_plain(&message);
        assert!(units(&message["text"]) <= 3000 && units(&message["text"]) > 0);
        let colour = message["attachments"][0]["color"].as_str().expect("a colour");
        assert!(colour.len() == 7 && colour.starts_with('#'));
        let header = &message["blocks"][0];
        assert_eq!(
            (header["type"].as_str(), header["text"]["type"].as_str()),
            (Some("header"), Some("plain_text"))
        );
        assert!(units(&header["text"]["text"]) <= 150);
        let blocks = message["attachments"][0]["blocks"].as_array().expect("blocks");
        assert!(!blocks.is_empty() && blocks.len() < 50);
        for block in blocks {
            let fields = block["fields"].as_array().cloned().unwrap_or_default();
            assert!(fields.len() <= 10);
            assert!(fields.iter().all(|field| units(&field["text"]) <= 2000), "{block}");
            match block["type"].as_str() {
                Some("section") => {
                    assert!(block.get("text").is_some() || !fields.is_empty());
                    let text = block.get("text").map(|text| units(&text["text"]));
                    assert!(text.is_none_or(|text| (1..=3000).contains(&text)), "{block}");
                }
                Some("context") => assert_eq!(block["elements"].as_array().map(Vec::len), Some(1)),
                other => panic!("{other:?}"),
            }
        }
        // A header is plain text, of which nothing is read.
        let header = header["text"]["text"].as_str().expect("a text").to_owned();
        for text in texts(&message).into_iter().filter(|text| *text != header) {
            // Each `<` begins a link that we made, and each `&` is an escape.
            let links = text.split('<').skip(1);
            assert!(links.clone().all(|link| link.starts_with("https://") && link.contains('|')), "{text}");
            let is_escape = |rest: &str| ["amp;", "lt;", "gt;"].iter().any(|escape| rest.starts_with(escape));
            assert!(text.split('&').skip(1).all(is_escape), "{text}");
        }
    }
}

#[tokio::test]
async fn slack_tells_all_that_is_known() {
    let message = one(SLACK.0, SLACK.1, &parcel(1, notice(Kind::Firing))).await;
    let link = |path: &str, text: &str| format!("<https://{path}|{text}>");
    let links = [
        link("wiki.shop.example/runbooks/square", "Runbook"),
        link("watch.shop.example/alerts/check/square", "Alert"),
    ];
    let mrkdwn = |text: &str| json!({ "type": "mrkdwn", "verbatim": true, "text": text });
    let section = |text: &str| json!({ "type": "section", "text": mrkdwn(text) });
    let fields = [
        "*Since*\n10:02 UTC, 7 min ago",
        "*Evidence*\n3 of the last 3 runs failed",
        "*Cost*\nit has used 10 % of the error budget of 28 days",
        "*Probable cause*\nNetwork: no route",
        "*Section*\npayments",
    ];
    let expected = json!({
        "text": "PAGE Square needs attention: größer als 5 s: no answer from &lt;Square&gt; &amp; Co. (since 10:02 UTC)",
        "blocks": [{
            "type": "header",
            "text": { "type": "plain_text", "emoji": false, "text": "🔴 Square needs attention" },
        }],
        "attachments": [{
            "color": "#d00000",
            "blocks": [
                section("größer als 5 s: no answer from &lt;Square&gt; &amp; Co."),
                { "type": "section", "fields": fields.map(mrkdwn) },
                section(&links.join("  ·  ")),
                { "type": "context", "elements": [mrkdwn("Atalaya, for on-call, 1 March 2026, 10:09:30 UTC.")] },
            ],
        }],
    });
    assert_eq!(message, expected);
}

#[tokio::test]
async fn discord_gets_what_it_takes() {
    let escapes = regex::Regex::new(r"\\.").expect("a pattern");
    for notice in notices() {
        let requests = sent(DISCORD.0, DISCORD.1, &parcel(1, notice)).await;
        assert!(requests[0].head.starts_with("POST /api/webhooks/1/x?wait=true HTTP/1.1"));
        let message = requests[0].json();
        assert_plain(&message);
        assert_eq!(message["allowed_mentions"], json!({ "parse": [] }));
        assert!(units(&message["content"]) <= 2000 && units(&message["content"]) > 0);
        let embed = &message["embeds"][0];
        let fields = embed["fields"].as_array().expect("fields");
        assert!(units(&embed["title"]) <= 256 && units(&embed["description"]) <= 4096 && fields.len() <= 25);
        assert!(embed["color"].as_u64().is_some_and(|colour| colour <= 0x00ff_ffff));
        let mut all = units(&embed["title"]) + units(&embed["description"]) + units(&embed["footer"]["text"]);
        for field in fields {
            let (name, value) = (units(&field["name"]), units(&field["value"]));
            assert!((1..=256).contains(&name) && (1..=1024).contains(&value), "{field}");
            all += name + value;
        }
        assert!(all <= 6000, "{all}");
        let shown = [&message["content"], &embed["title"], &embed["description"]].into_iter();
        let fields = fields.iter().filter(|field| field["name"] != "Read on");
        for text in shown.chain(fields.flat_map(|field| [&field["name"], &field["value"]])) {
            let unescaped = escapes.replace_all(text.as_str().expect("a text"), "");
            assert!(!unescaped.contains(['@', '<', '[', '*', '_', '`', '~', '|', '\\']), "{unescaped}");
        }
    }
}

#[tokio::test]
async fn discord_tells_all_that_is_known() {
    let message = one(DISCORD.0, DISCORD.1, &parcel(1, notice(Kind::Resolved))).await;
    let embed = &message["embeds"][0];
    assert_eq!(message["content"], "OVER Square is well again after 7 min");
    assert_eq!(embed["title"], "✅ Square is well again after 7 min");
    assert_eq!(embed["description"], "It was: größer als 5 s: no answer from \\<Square\\> & Co.");
    let fields = embed["fields"].as_array().expect("fields").iter();
    let fields: Vec<_> = fields.map(|field| format!("{}={}", field["name"], field["value"])).collect();
    assert_eq!(fields[0], "\"When\"=\"from 10:02 to 10:09 UTC (7 min)\"");
    assert!(
        fields.last().is_some_and(|links| links.contains("(<https://wiki.shop.example/runbooks/square>)"))
    );
}

#[tokio::test]
async fn pagerduty_gets_an_event_for_each_alert() {
    for notice in notices() {
        let resolves = notice.kind == Kind::Resolved;
        let alerts = notice.alerts.clone();
        let requests = sent(PAGERDUTY.0, PAGERDUTY.1, &parcel(1, notice)).await;
        let mut keys: Vec<String> = Vec::new();
        for request in &requests {
            let event = request.json();
            assert_eq!(event["routing_key"], KEY);
            keys.push(event["dedup_key"].as_str().expect("a key").to_owned());
            if resolves {
                assert_eq!(event["event_action"], "resolve");
                continue;
            }
            assert_plain(&event);
            assert_eq!(
                (event["event_action"].as_str(), event["client"].as_str()),
                (Some("trigger"), Some("Atalaya"))
            );
            let payload = &event["payload"];
            assert!((1..=1024).contains(&payload["summary"].as_str().expect("a summary").chars().count()));
            assert_eq!(
                (payload["severity"].as_str(), payload["source"].as_str()),
                (Some("critical"), Some("watch.shop.example"))
            );
            assert_eq!(payload["timestamp"], "2026-03-01T10:03:00Z");
            assert!(payload["custom_details"].is_object() && request.body.len() < 512 << 10);
            assert!(event["links"][0]["href"].as_str().is_some_and(|href| href.starts_with("https://wiki")));
        }
        keys.sort();
        let mut episodes: Vec<_> = alerts.into_iter().map(|alert| alert.episode).collect();
        episodes.sort();
        assert_eq!(keys, episodes);
    }
}

#[tokio::test]
async fn pagerduty_knows_three_severities() {
    for (severity, expected) in
        [(Severity::Page, "critical"), (Severity::Ticket, "warning"), (Severity::Info, "info")]
    {
        let mut notice = notice(Kind::Firing);
        notice.alerts[0].severity = severity;
        let event = one(PAGERDUTY.0, PAGERDUTY.1, &parcel(1, notice)).await;
        assert_eq!(event["payload"]["severity"], expected);
    }
}

#[tokio::test]
async fn an_incident_that_nobody_saw_is_opened_and_resolved() {
    let notice = Notice { merged: true, ..notice(Kind::Resolved) };
    let requests = sent(PAGERDUTY.0, PAGERDUTY.1, &parcel(1, notice)).await;
    let events: Vec<_> = requests.iter().map(Request::json).collect();
    let actions: Vec<_> =
        events.iter().map(|event| event["event_action"].as_str().expect("an action")).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    assert_eq!(events[0]["dedup_key"], events[1]["dedup_key"]);
}

#[tokio::test]
async fn all_events_of_a_notice_must_be_taken() {
    let count = Arc::new(AtomicUsize::new(0));
    let well = Arc::new(AtomicBool::new(false));
    let (counted, healed) = (Arc::clone(&count), Arc::clone(&well));
    let receiver = Receiver::start(move |_| {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        let ill = number == 17 && !healed.load(Ordering::Relaxed);
        if ill { answer(500, "", "") } else { answer(202, "", "{}") }
    })
    .await;
    let toml = PAGERDUTY.0.replace("{url}", &format!("http://{}", receiver.address));
    let timeout = Duration::from_secs(20);
    let channel = build_within(timeout, &toml, &[("KEY", KEY)]).expect("a channel");
    let parcel = parcel(1, crowd(Kind::Firing, 30, 20));
    let first = channel.deliver(&parcel).await;
    assert_eq!(verdict(&first), "retry: PagerDuty answered 500: the trouble is on its side");
    assert_eq!(receiver.take().len(), 30);
    well.store(true, Ordering::Relaxed);
    assert_eq!(channel.deliver(&parcel).await, Delivery::Delivered);
}

#[tokio::test]
async fn a_webhook_is_told_as_alertmanager_tells() {
    for notice in notices() {
        let (resolves, count) = (notice.kind == Kind::Resolved, notice.alerts.len());
        let payload = one(WEBHOOK.0, WEBHOOK.1, &parcel(1, notice)).await;
        assert_plain(&payload);
        assert_eq!((payload["version"].as_str(), payload["receiver"].as_str()), (Some("4"), Some("on-call")));
        let status = if resolves { "resolved" } else { "firing" };
        assert_eq!(payload["status"], status);
        let alerts = payload["alerts"].as_array().expect("alerts");
        assert_eq!(alerts.len(), count);
        let mut fingerprints: Vec<_> = alerts.iter().map(|alert| alert["fingerprint"].as_str()).collect();
        fingerprints.sort_unstable();
        fingerprints.dedup();
        assert_eq!(fingerprints.len(), count);
        for alert in alerts {
            let ends = if resolves { "2026-03-01T10:09:00Z" } else { "0001-01-01T00:00:00Z" };
            assert_eq!((alert["status"].as_str(), alert["endsAt"].as_str()), (Some(status), Some(ends)));
            assert_eq!(alert["startsAt"], "2026-03-01T10:03:00Z");
        }
    }
}

#[tokio::test]
async fn the_libraries_of_standard_webhooks_accept_our_signature() {
    for notice in [notice(Kind::Firing), crowd(Kind::Firing, 30, 10_000)] {
        let parcel = parcel(7, notice);
        let requests = sent(WEBHOOK.0, WEBHOOK.1, &parcel).await;
        let request = &requests[0];
        assert_eq!(request.header("idempotency-key"), Some(parcel.key.as_str()));
        assert_eq!(request.header("webhook-id"), Some(parcel.key.as_str()));
        assert_eq!(request.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        let header = |name: &str| request.header(name).expect("a header");
        let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        let headers: serde_json::Map<_, _> =
            names.iter().map(|name| ((*name).to_owned(), header(name).into())).collect();
        let file =
            std::env::temp_dir().join(format!("atalaya-hook-{}-{}", std::process::id(), request.body.len()));
        let given = json!({ "secret": SECRET, "headers": headers, "body": request.body });
        std::fs::write(&file, given.to_string()).expect("a file");
        let packages = ["standardwebhooks@1.1.1", "svix@2.5.0"];
        let verdict = judge::node("webhooks.mjs", &packages, &[file.to_str().expect("UTF-8")]);
        std::fs::remove_file(&file).ok();
        let expected = "standardwebhooks: accepted, changed: refused\nsvix: accepted, changed: refused\n";
        assert_eq!(verdict.as_deref(), Ok(expected));
    }
}

#[tokio::test]
async fn every_try_of_a_webhook_has_one_key_and_its_own_time() {
    let parcel = parcel(7, notice(Kind::Firing));
    let first = sent(WEBHOOK.0, WEBHOOK.1, &parcel).await;
    let second = sent(WEBHOOK.0, WEBHOOK.1, &Parcel { attempts: 1, ..parcel }).await;
    assert_eq!(first[0].header("webhook-id"), second[0].header("webhook-id"));
    assert_eq!(first[0].body, second[0].body);
    let seconds: i64 =
        second[0].header("webhook-timestamp").and_then(|value| value.parse().ok()).expect("seconds");
    assert!((jiff::Timestamp::now().as_second() - seconds).abs() <= 60);
}

#[tokio::test]
async fn what_can_never_work_is_said_at_once() {
    let check = |toml: &str, expected: &str| assert_eq!(build_faults(toml), [expected], "{toml}");
    check(
        "to.alertmanager = { urls = [] }",
        "urls: without an address nobody is told; name at least one instance",
    );
    check(
        "to.alertmanager = { urls = ['http://a'], labels = { 'a-b' = 'x' } }",
        "labels.a-b: `a-b` can't be a label here: letters, digits and `_`, and neither `alertname` nor `severity`",
    );
    check(
        "to.pagerduty = { routing_key = 'short' }",
        "routing_key: the value is no integration key, which is 32 letters and digits",
    );
    check(
        "to.webhook = { url = 'http://a', secret = 'hunter2' }",
        "secret: the value is no signing secret, which is `whsec_` and base64 of 24 to 64 bytes",
    );
    check(
        "to.webhook = { url = 'http://a', authorization = \"a\\nb\" }",
        "authorization: the value holds characters that a header can't carry",
    );
}
