//! What the shop and its vendors say by themselves: said to the real program by those who say it in the shop (exporters of
//! OpenTelemetry, the vendors' libraries, `curl`), and by those who mean harm.

mod abuse;
mod crowd;
mod damage;
mod exporters;
mod first;
mod heartbeats;
mod kills;
mod letters;
mod outage;
mod patience;
mod webhooks;

use crate::support::agent::Agent;
use crate::support::http::{Answer, get_with, raw};
use crate::support::server::directory;
use atalaya::ingest::Source;
use atalaya::ingest::standard_webhooks::Key;
use atalaya::ingest::tally::Tallies;
use atalaya::store::inbox::Inbox;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::Value;
use sha2::Sha256;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

const TOKEN: &str = "token-of-the-shop-7Qk2";
const PING_KEY: &str = "key-of-old-scripts-9Zx1";
const SQUARE_KEY: &str = "square-signs-production-K81";
const SANDBOX_KEY: &str = "square-signs-sandbox-M42";
const RESEND_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// What Square's subscription says, which is not where the agent listens: a proxy stands between.
const SQUARE_URL: &str = "https://atalaya.shop.example/ingest/square?from=square";

/// What customers leave in bodies, and nobody may find anywhere.
const EMAIL: &str = "marked.person@customer.example";
const CARD: &str = "4111222233334444";

/// One that needs nothing.
const CHECK: &str = "[[check]]\nname = 'fine'\nevery = '1s'\nprobe.command = { argv = ['/bin/true'] }\n";

const SENDER: &str = "Authorization: Bearer token-of-the-shop-7Qk2\r\n";
const JSON: &str = "Authorization: Bearer token-of-the-shop-7Qk2\r\nContent-Type: application/json\r\n";

fn secrets() -> Vec<(&'static str, String)> {
    let all = [
        ("ATALAYA_INGEST_TOKEN", TOKEN),
        ("ATALAYA_PING_KEY", PING_KEY),
        ("SQUARE_WEBHOOK_SIGNATURE_KEY", SQUARE_KEY),
        ("SQUARE_WEBHOOK_SECRET_SANDBOX", SANDBOX_KEY),
        ("RESEND_WEBHOOK_SECRET", RESEND_SECRET),
    ];
    all.map(|(name, secret)| (name, secret.to_owned())).to_vec()
}

/// Takes what the shop says. `table` is more of `[ingest]`.
fn start(name: &str, checks: &str, table: &str) -> Agent {
    prepare(name, table);
    Agent::start_with(name, &[("all", &format!("{CHECK}{checks}"))], &secrets())
}

fn prepare(name: &str, table: &str) {
    let text = format!("[ingest]\n{table}\n[ingest.square]\nurl = '{SQUARE_URL}'\n");
    std::fs::write(directory(name).join("atalaya.toml"), text).expect("a file");
}

/// POSTs bytes; `headers` are lines that end in `\r\n`.
fn post(port: u16, path: &str, headers: &str, body: &[u8]) -> Answer {
    try_post(port, path, headers, body).unwrap_or_else(|error| panic!("POST {path}: {error}"))
}

fn try_post(port: u16, path: &str, headers: &str, body: &[u8]) -> std::io::Result<Answer> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    raw(stream, &[head.as_bytes(), body].concat())
}

/// A line of a head, by its name.
fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(line, _)| line.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Letters of Square, signed as Square signs them.
fn square(port: u16, key: &str, body: &str) -> Answer {
    try_square(port, key, body).unwrap_or_else(|error| panic!("a letter: {error}"))
}

fn try_square(port: u16, key: &str, body: &str) -> std::io::Result<Answer> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key");
    mac.update(SQUARE_URL.as_bytes());
    mac.update(body.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let headers = format!("x-square-hmacsha256-signature: {signature}\r\n");
    try_post(port, "/ingest/square", &headers, body.as_bytes())
}

/// Letters of Resend, signed as Svix signs them for it.
fn resend(port: u16, id: &str, body: &str) -> Answer {
    let seconds = Timestamp::now().as_second().to_string();
    let signature = Key::new(RESEND_SECRET).expect("a secret").sign(id, &seconds, body.as_bytes());
    let headers = format!("svix-id: {id}\r\nsvix-timestamp: {seconds}\r\nsvix-signature: {signature}\r\n");
    post(port, "/ingest/resend", &headers, body.as_bytes())
}

/// As Square's documentation shows one, with a customer's data where Square puts it.
fn payment(event: &str, id: &str, status: &str, updated: &str) -> String {
    format!(
        r#"{{"merchant_id":"6SSW7HV8K2ST5","type":"payment.updated","event_id":"{event}","created_at":"2026-02-06T21:27:34.308Z","data":{{"type":"payment","id":"x","object":{{"payment":{{"amount_money":{{"amount":1299,"currency":"USD"}},"buyer_email_address":"{EMAIL}","card_details":{{"card":{{"card_brand":"VISA","last_4":"4444","cardholder_name":"{CARD}"}},"status":"CAPTURED"}},"id":"{id}","order_id":"o-{id}","note":"for {EMAIL}","status":"{status}","updated_at":"{updated}"}}}}}}}}"#
    )
}

/// What the agent says of one check.
fn check(agent: &Agent, name: &str) -> Value {
    let answer = agent.get(&format!("/api/v1/checks/{name}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

/// One of its measures.
fn measure(agent: &Agent, name: &str, measure: &str) -> Option<f64> {
    let all = check(agent, name);
    let found = all["measures"].as_array()?.iter().find(|one| one["name"] == measure)?;
    found["value"].as_f64()
}

/// How often something happened since the agent began.
fn events(agent: &Agent, source: &str, event: &str) -> f64 {
    let series = format!("atalaya_events_total{{source=\"{source}\",event=\"{event}\"}}");
    agent.metrics().get(&series).copied().unwrap_or_default()
}

/// What became of requests of a kind since the agent began.
fn requests(agent: &Agent, kind: &str, result: &str) -> f64 {
    let series = format!("atalaya_ingest_requests_total{{kind=\"{kind}\",result=\"{result}\"}}");
    agent.metrics().get(&series).copied().unwrap_or_default()
}

/// `/metrics` as Prometheus asks for it.
fn openmetrics(agent: &Agent) -> String {
    let accept = "Accept: application/openmetrics-text;version=1.0.0\r\n";
    get_with(agent.port, "/metrics", accept).body
}

/// Everything that was ever counted of a source, read from the file of an agent that has ended.
fn counted(directory: &Path, source: Source) -> Tallies {
    with_inbox(directory, async |inbox| {
        inbox.tallies(source, (Timestamp::UNIX_EPOCH, Timestamp::MAX)).await.expect("tallies")
    })
}

/// How often one thing was counted.
fn times(tallies: &Tallies, name: &str) -> u64 {
    tallies.0.iter().filter(|(series, _)| &*series.name == name).map(|(_, tally)| tally.count).sum()
}

fn with_inbox<T>(directory: &Path, act: impl AsyncFnOnce(&mut Inbox) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = directory.join("atalaya.db");
        let (mut inbox, damage) = Inbox::open(Some(&store)).await.expect("the inbox of an agent that ended");
        assert_eq!(damage, None);
        let found = act(&mut inbox).await;
        inbox.close().await;
        found
    })
}

/// Changes the inbox, as a person with `sqlite3` would.
fn change(directory: &Path, sql: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(directory.join("atalaya.db.inbox"));
        let mut connection = options.connect().await.expect("the inbox");
        sqlx::raw_sql(sql).execute(&mut connection).await.expect("changed");
        connection.close().await.expect("closed");
    });
}

/// Neither the log nor any file of the agent has any of these.
fn nowhere(directory: &Path, texts: &[&str]) {
    for entry in std::fs::read_dir(directory).expect("a folder") {
        let path = entry.expect("an entry").path();
        // What is configured stands in the definitions.
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "toml") {
            continue;
        }
        let bytes = std::fs::read(&path).expect("a file");
        for text in texts {
            let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!found, "{} has `{text}`", path.display());
        }
    }
}
