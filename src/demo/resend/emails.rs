//! Sending, with idempotency keys, and what becomes of emails.

use super::answer::{Reply, error, id, moment, ok};
use super::{Fault, Resend, State as Simulated};
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Older ones are forgotten.
const EMAILS_KEPT: usize = 1_000;
const KEYS_KEPT: usize = 1_000;
const KEY_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// How long it takes until an email has arrived.
const DELIVERY: SignedDuration = SignedDuration::from_secs(2);

/// Newest first.
#[derive(Default)]
pub struct Outbox {
    emails: VecDeque<Email>,
    keys: BTreeMap<String, (Timestamp, Bytes, String)>,
    /// Keys of requests that are under way.
    under_way: BTreeSet<String>,
    /// Emails that the plan allows a day.
    pub daily_quota: Option<usize>,
    count: u64,
}

/// A key is under way until this is dropped, be it that the caller has gone.
pub struct UnderWay<'a> {
    resend: &'a Resend,
    key: String,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.resend.state().outbox.under_way.remove(&self.key);
    }
}

/// Begins a request to send; a refusal where another one with its key has not ended.
pub fn begin<'a>(resend: &'a Resend, request: &Request) -> Option<Result<UnderWay<'a>, Reply>> {
    let sends = request.method() == Method::POST && request.uri().path() == "/emails";
    let key = request.headers().get("idempotency-key").filter(|_| sends)?.to_str().ok()?.to_owned();
    Some(if resend.state().outbox.under_way.insert(key.clone()) {
        Ok(UnderWay { resend, key })
    } else {
        let text = "Another request with the same idempotency key is in progress.";
        Err(error(409, "concurrent_idempotent_requests", text))
    })
}

/// An email, as the one who got it sees it.
#[derive(Debug, Clone)]
pub struct Received {
    pub id: String,
    pub at: Timestamp,
    pub subject: String,
    pub html: String,
}

struct Email {
    id: String,
    created: Timestamp,
    fields: Map<String, Value>,
    ending: &'static str,
}

#[derive(Deserialize)]
pub struct Paging {
    limit: Option<usize>,
    after: Option<String>,
}

impl Outbox {
    /// A plain email to a test address.
    pub fn add_simple(&mut self, now: Timestamp, subject: &str, bounces: bool) {
        let fields = json!({
            "from": format!("Shop <orders@{}>", Resend::DOMAIN), "to": ["delivered@resend.dev"],
            "subject": subject, "text": subject,
        });
        let fields = fields.as_object().cloned().unwrap_or_default();
        self.add(now, fields, bounces);
    }

    fn add(&mut self, now: Timestamp, mut fields: Map<String, Value>, bounces: bool) -> String {
        self.count += 1;
        if fields.get("to").is_some_and(Value::is_string) {
            let to = fields.remove("to").unwrap_or_default();
            fields.insert("to".to_owned(), json!([to]));
        }
        let recipient = fields.get("to").and_then(|to| to[0].as_str()).unwrap_or("");
        let ending = match recipient.split(['@', '+']).next() {
            Some("bounced") => "bounced",
            Some("complained") => "complained",
            Some("suppressed") => "suppressed",
            _ if bounces && self.count % 2 == 1 => "bounced",
            _ => "delivered",
        };
        let email = Email { id: id(0x49a3_999c, self.count), created: now, fields, ending };
        let id = email.id.clone();
        self.emails.push_front(email);
        self.emails.truncate(EMAILS_KEPT);
        id
    }

    /// What was sent to `to`.
    pub fn received(&self, to: &str) -> Vec<Received> {
        let is_for = |email: &&Email| {
            let mut all = email.fields.get("to").and_then(Value::as_array).into_iter().flatten();
            all.any(|one| one.as_str() == Some(to))
        };
        let text = |email: &Email, name: &str| {
            email.fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let emails = self.emails.iter().filter(is_for);
        emails
            .map(|email| Received {
                id: email.id.clone(),
                at: email.created,
                subject: text(email, "subject"),
                html: text(email, "html"),
            })
            .collect()
    }

    /// The answer of the same request with the same key, or a refusal.
    fn repeated(&mut self, now: Timestamp, key: &str, body: &Bytes) -> Option<Result<String, Reply>> {
        self.keys.retain(|_, (at, ..)| now.duration_since(*at) < KEY_LIFE);
        let (_, known, id) = self.keys.get(key)?;
        Some(if known == body {
            Ok(id.clone())
        } else {
            let text =
                "This idempotency key has already been used on a request that had a different payload.";
            Err(error(409, "invalid_idempotent_request", text))
        })
    }

    fn remember(&mut self, now: Timestamp, key: &str, body: Bytes, id: &str) {
        if self.keys.len() < KEYS_KEPT {
            self.keys.insert(key.to_owned(), (now, body, id.to_owned()));
        }
    }

    fn sent_since(&self, since: Timestamp) -> usize {
        self.emails.iter().filter(|email| email.created >= since).count()
    }
}

impl Email {
    fn as_listed(&self, now: Timestamp) -> Value {
        let field = |name: &str| self.fields.get(name).cloned().unwrap_or(Value::Null);
        let arrived = now.duration_since(self.created) >= DELIVERY;
        json!({
            "id": self.id, "to": field("to"), "from": field("from"), "created_at": moment(self.created),
            "subject": field("subject"), "bcc": field("bcc"), "cc": field("cc"), "reply_to": field("reply_to"),
            "last_event": if arrived { self.ending } else { "sent" }, "scheduled_at": field("scheduled_at"),
        })
    }
}

pub async fn send(State(resend): State<Arc<Resend>>, headers: HeaderMap, body: Bytes) -> Response {
    let now = (resend.now)();
    let mut state = resend.state();
    let sent = match accept(&mut state, now, &headers, body) {
        Ok(id) => ok(json!({ "id": id })),
        Err(refusal) => refusal,
    };
    let used_today = state.outbox.sent_since(midnight(now));
    let mut response = sent.into_response();
    response.headers_mut().insert("x-resend-daily-quota", HeaderValue::from(used_today));
    response.headers_mut().insert("x-resend-monthly-quota", HeaderValue::from(state.outbox.count));
    response
}

fn midnight(now: Timestamp) -> Timestamp {
    let second = now.as_second().div_euclid(86_400) * 86_400;
    Timestamp::from_second(second).unwrap_or(now)
}

fn accept(state: &mut Simulated, now: Timestamp, headers: &HeaderMap, body: Bytes) -> Result<String, Reply> {
    let key = match headers.get("idempotency-key").map(|key| key.to_str().unwrap_or("")) {
        Some(key) if key.is_empty() || key.len() > 256 => {
            let text = "The idempotency key must be between 1-256 characters.";
            return Err(error(400, "invalid_idempotency_key", text));
        }
        key => key,
    };
    if let Some(repeated) = key.and_then(|key| state.outbox.repeated(now, key, &body)) {
        return repeated;
    }
    let midnight = midnight(now);
    if state.outbox.daily_quota.is_some_and(|quota| state.outbox.sent_since(midnight) >= quota) {
        let text = "You have reached your daily email sending quota.";
        return Err(error(429, "daily_quota_exceeded", text));
    }
    let fields = serde_json::from_slice::<Value>(&body).ok().and_then(|value| value.as_object().cloned());
    let fields = fields.ok_or_else(|| error(422, "validation_error", "The body is not a JSON object."))?;
    check(state, &fields)?;
    let bounces = state.has(Fault::Bounces);
    let id = state.outbox.add(now, fields, bounces);
    if let Some(key) = key {
        state.outbox.remember(now, key, body, &id);
    }
    Ok(id)
}

fn check(state: &Simulated, fields: &Map<String, Value>) -> Result<(), Reply> {
    for name in ["from", "to", "subject"] {
        if fields.get(name).is_none_or(|value| value.is_null() || value.as_str() == Some("")) {
            return Err(error(422, "missing_required_field", &format!("Missing `{name}` field.")));
        }
    }
    if !["html", "text", "template"]
        .iter()
        .any(|name| fields.get(*name).is_some_and(|value| !value.is_null()))
    {
        return Err(error(422, "missing_required_field", "Missing `html` or `text` field."));
    }
    let to: Vec<&str> = match &fields["to"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if to.is_empty() || to.len() > 50 || to.iter().any(|one| !one.contains('@')) {
        return Err(error(
            422,
            "validation_error",
            "Invalid `to` field. There must be 1 to 50 email addresses.",
        ));
    }
    if to.iter().any(|one| one.contains("@example.com") || one.contains("@test.com")) {
        let text =
            "Invalid `to` field. Please use our testing email address instead of domains like `example.com`.";
        return Err(error(422, "validation_error", text));
    }
    sender(state, fields["from"].as_str().unwrap_or(""))
}

fn sender(state: &Simulated, from: &str) -> Result<(), Reply> {
    let Some((_, domain)) = from.trim_end_matches('>').rsplit_once('@') else {
        let text = "Invalid `from` field. The email address needs to follow the `email@example.com` or `Name <email@example.com>` format.";
        return Err(error(422, "invalid_from_address", text));
    };
    let known = state.domains.iter().position(|known| known.name == domain);
    if known.is_some_and(|at| state.status_of(at) == "verified") || domain == "resend.dev" {
        return Ok(());
    }
    let text = format!(
        "The {domain} domain is not verified. Please, add and verify your domain on https://resend.com/domains"
    );
    Err(error(403, "validation_error", &text))
}

pub async fn list(State(resend): State<Arc<Resend>>, Query(paging): Query<Paging>) -> Reply {
    let now = (resend.now)();
    let limit = paging.limit.unwrap_or(20);
    if !(1..=100).contains(&limit) {
        return error(422, "validation_error", "The `limit` must be between 1 and 100.");
    }
    let state = resend.state();
    let emails = &state.outbox.emails;
    let first = match &paging.after {
        Some(after) => emails.iter().position(|email| email.id == *after).map_or(emails.len(), |at| at + 1),
        None => 0,
    };
    let page: Vec<Value> = emails.iter().skip(first).take(limit).map(|email| email.as_listed(now)).collect();
    ok(json!({ "object": "list", "has_more": first + page.len() < emails.len(), "data": page }))
}

pub async fn one(State(resend): State<Arc<Resend>>, Path(id): Path<String>) -> Reply {
    let now = (resend.now)();
    let state = resend.state();
    let Some(email) = state.outbox.emails.iter().find(|email| email.id == id) else {
        return error(404, "not_found", "Email not found");
    };
    let mut body = email.as_listed(now);
    body["object"] = json!("email");
    for name in ["html", "text"] {
        body[name] = email.fields.get(name).cloned().unwrap_or(Value::Null);
    }
    ok(body)
}
