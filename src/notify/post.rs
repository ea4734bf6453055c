//! One message to one address over HTTP, for every channel that speaks it: what came back, and what that means.
//!
//! The address of a webhook is a secret as a whole: whoever knows it can write into the channel. So no text shows any
//! of it, neither its host nor a part of its path, and what the other side says is quoted only after everything
//! that it may have got from us was taken out. No redirect is followed: it would carry the message and its
//! signature to somebody who was not named. No connection is kept: messages are rare, and one on a connection that
//! the other side has just closed would fail for nothing.

use super::{Delivery, Parcel};
use crate::clock;
use crate::config::text::Text;
use crate::plain;
use crate::probe::{Build, api};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What any of the receivers says to a message is a tenth of this.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The verdict is in the head of an answer; its body comes with it or is not worth waiting for.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// Whoever asks to be left alone for longer is asked again after this: a broken header must not hold a page for a day.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// After what may have been taken, where a repeat would be a second message.
pub const REPEAT_AFTER: Duration = Duration::from_mins(1);

/// Shorter parts of an address are words such as `services`; hiding them would hide what an answer says.
const PART_CHARS_MIN: usize = 8;

/// An address that takes messages.
pub struct Post {
    client: Client,
    url: Url,
    /// What people call the other side: `Slack`.
    who: &'static str,
    /// What to do when it says that address or key are wrong.
    way_out: &'static str,
    /// A little less than the channel's, so that what hung can still be told.
    timeout: Duration,
    hidden: Vec<SecretString>,
}

/// What came back. The head is whole; of the body as much as came.
pub struct Answer {
    pub status: StatusCode,
    headers: HeaderMap,
    pub body: Bytes,
    /// Whether the body came to its end.
    pub whole: bool,
}

/// Why nothing came back.
pub struct Unanswered {
    pub why: String,
    /// Whether the message had left, so that it may have been taken all the same.
    pub sent: bool,
}

impl Post {
    /// Reads the address at `key`. `None` where a fault or a missing variable was reported.
    pub fn build(
        build: &mut Build<'_>,
        key: &str,
        url: &Text,
        who: &'static str,
        way_out: &'static str,
    ) -> Option<Post> {
        let filled = build.secret(key, url)?;
        Post::to(build, key, &filled, who, way_out)
    }

    /// As [`Post::build`], with an address that is filled.
    pub fn to(
        build: &mut Build<'_>,
        key: &str,
        url: &SecretString,
        who: &'static str,
        way_out: &'static str,
    ) -> Option<Post> {
        let parsed = Url::parse(url.expose_secret().trim()).ok();
        let Some(url) = parsed.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        else {
            build.fault(key, "the value is no address that begins with `https://` or `http://`");
            return None;
        };
        let client = Client::builder()
            .tls_backend_preconfigured((*build.net.tls).clone())
            .redirect(redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .user_agent(concat!("atalaya/", env!("CARGO_PKG_VERSION")))
            .build();
        match client {
            Ok(client) => {
                let hidden = parts(&url);
                let margin = (build.timeout / 10).min(Duration::from_millis(500));
                let timeout = build.timeout.saturating_sub(margin);
                Some(Post { client, url, who, way_out, timeout, hidden })
            }
            Err(error) => {
                build.fault("", format!("can't build the HTTP client: {error}"));
                None
            }
        }
    }

    /// What must not show in any text either: a key, a header and each of its words.
    pub fn hide(&mut self, secret: &SecretString) {
        let words = secret.expose_secret().split_whitespace();
        let long = words.filter(|word| word.chars().count() >= PART_CHARS_MIN);
        self.hidden.extend(long.map(SecretString::from));
        self.hidden.push(secret.clone());
    }

    /// Adds to the query of the address, unless it says so itself.
    pub fn ask(&mut self, name: &str, value: &str) {
        if self.url.query_pairs().all(|(asked, _)| asked != name) {
            self.url.query_pairs_mut().append_pair(name, value);
        }
    }

    /// Sends JSON. `headers` come on top of its type.
    pub async fn send(&self, message: &impl Serialize, headers: HeaderMap) -> Result<Answer, Unanswered> {
        let message = serde_json::to_vec(message).map_err(|error| Unanswered {
            why: format!("can't write the message as JSON: {error}; this is a bug in atalaya"),
            sent: false,
        })?;
        self.send_bytes(message.into(), headers).await
    }

    /// As [`Post::send`], with JSON that is written already.
    pub async fn send_bytes(&self, message: Bytes, headers: HeaderMap) -> Result<Answer, Unanswered> {
        let sent = Arc::new(AtomicBool::new(false));
        let body = Tracked { message: Some(message), sent: Arc::clone(&sent) };
        let request = self.client.post(self.url.clone()).headers(headers);
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let deadline = clock::instant() + self.timeout;
        let answer = timeout_at(deadline, request.body(reqwest::Body::wrap(body)).send()).await;
        let unanswered = |why| Unanswered { why, sent: sent.load(Ordering::Relaxed) };
        match answer {
            Ok(Ok(response)) => Ok(read(response, deadline.min(clock::instant() + ANSWER_TIME_MAX)).await),
            Ok(Err(error)) => {
                let fault = api::transport_fault(self.who, &error.without_url());
                Err(unanswered(self.redact(&fault.text)))
            }
            Err(_elapsed) => {
                let limit = humantime::format_duration(self.timeout);
                let doing = if sent.load(Ordering::Relaxed) { "no answer from" } else { "no connection to" };
                Err(unanswered(format!("{doing} {} within {limit}", self.who)))
            }
        }
    }

    /// What an answer means that is not the success this channel knows.
    pub fn judge(&self, answer: &Answer) -> Delivery {
        let status = answer.status.as_u16();
        let said = self.quote(answer).map(|said| format!(" ({said})")).unwrap_or_default();
        let told = format!("{} answered {status}{said}", self.who);
        let retry = |why: String| Delivery::Retry { after: answer.retry_after(clock::wall()), why };
        let refused = |why: String| Delivery::Refused { why };
        match status {
            429 => retry(format!("{told}: too many messages")),
            408 | 409 | 421 | 423 | 425 => retry(format!("{told}: not now")),
            300..=399 => refused(format!(
                "{told}, which points to another address; put that one where this channel has this one"
            )),
            401 | 403 | 404 | 407 | 410 => refused(format!("{told}: {}", self.way_out)),
            400..=499 => refused(format!("{told}: it does not take this message; {}", self.way_out)),
            500..=599 => retry(format!("{told}: the trouble is on its side")),
            _ => retry(format!("{told}, which is no answer that {} gives", self.who)),
        }
    }

    /// The other side's own words, fit to be shown; `None` where it said nothing that people read.
    fn quote(&self, answer: &Answer) -> Option<String> {
        let said = words(&answer.body)?;
        let shown = api::quote(&self.redact(&said), &SecretString::default());
        Some(shown).filter(|shown| !shown.is_empty())
    }

    fn redact(&self, text: &str) -> String {
        plain::redact(text, self.hidden.iter().map(|part| ("<secret>", part.expose_secret())))
    }
}

impl From<Unanswered> for Delivery {
    fn from(unanswered: Unanswered) -> Delivery {
        Delivery::Retry { after: None, why: unanswered.why }
    }
}

impl Unanswered {
    /// Where the other side can't tell a repeat: what has left may have been taken, so a repeat waits until a slow
    /// other side would have shown it.
    pub fn once(self) -> Delivery {
        Delivery::Retry { after: self.sent.then_some(REPEAT_AFTER), why: self.why }
    }
}

impl Answer {
    /// How long the other side wants to be left alone.
    fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        api::retry_after(text, now).map(bounded)
    }
}

/// A wait that the other side asked for, no longer than a page can wait.
pub fn bounded(wait: Duration) -> Duration {
    wait.min(WAIT_MAX)
}

/// The key of a message, for receivers that take a message once.
pub fn idempotency_key(parcel: &Parcel) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(key) = HeaderValue::from_str(&parcel.key) {
        headers.insert("idempotency-key", key);
    }
    headers
}

/// A header that is a secret: `Authorization`.
pub fn authorization(build: &mut Build<'_>, text: &Text) -> Option<(HeaderValue, SecretString)> {
    let filled = build.secret("authorization", text)?;
    let mut value = HeaderValue::from_str(filled.expose_secret().trim()).ok();
    if let Some(value) = &mut value {
        value.set_sensitive(true);
    } else {
        build.fault("authorization", "the value holds characters that a header can't carry");
    }
    value.map(|value| (value, filled))
}

async fn read(mut response: reqwest::Response, deadline: Instant) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = BytesMut::new();
    let whole = loop {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) if body.len() + chunk.len() <= ANSWER_BYTES_MAX => body.extend(chunk),
            Ok(Ok(None)) => break true,
            _ => break false,
        }
    };
    Answer { status, headers, body: body.freeze(), whole }
}

/// What a body says to people: a line of text, a JSON string, or the message and the errors of a JSON object.
fn words(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    match serde_json::from_str(text) {
        Ok(Value::String(text)) => Some(text),
        Ok(Value::Object(object)) => {
            let of = |name: &str| match object.get(name) {
                Some(Value::String(text)) => Some(text.clone()),
                Some(Value::Array(texts)) => {
                    Some(texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "))
                }
                _ => None,
            };
            let said: Vec<_> = ["error", "message", "errors"].into_iter().filter_map(of).collect();
            Some(said.join(": "))
        }
        Ok(_) => None,
        // A page is for browsers.
        Err(_) => Some(text.lines().next()?.to_owned()).filter(|line| !line.starts_with(['<', '{', '['])),
    }
}

/// Everything in an address that tells it from others, as it is written and as it is read.
fn parts(url: &Url) -> Vec<SecretString> {
    let mut parts: Vec<String> = vec![url.as_str().to_owned(), url.path().to_owned()];
    parts.extend(url.host_str().map(str::to_owned));
    parts.extend(url.query().map(str::to_owned));
    parts.extend(url.password().map(str::to_owned));
    parts.push(url.username().to_owned());
    // As the header has it into which both are made.
    let password = url.password().unwrap_or_default();
    let read = |text| percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    parts.push(STANDARD.encode(format!("{}:{}", read(url.username()), read(password))));
    parts.extend(url.path_segments().into_iter().flatten().map(str::to_owned));
    parts.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    let decoded: Vec<String> = parts.iter().map(|part| read(part).into_owned()).collect();
    parts.extend(decoded);
    parts.retain(|part| part.chars().count() >= PART_CHARS_MIN);
    parts.sort();
    parts.dedup();
    parts.into_iter().map(SecretString::from).collect()
}

/// A body that tells when the connection has taken it.
struct Tracked {
    message: Option<Bytes>,
    sent: Arc<AtomicBool>,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.sent.store(true, Ordering::Relaxed);
        Poll::Ready(self.message.take().map(|message| Ok(Frame::data(message))))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.message.as_ref().map_or(0, |message| message.len() as u64))
    }
}
