//! `resend`: email through Resend's API.
//!
//! Each message has its key as `Idempotency-Key`, so that a try whose answer was lost can be repeated without a second
//! email. What Resend refuses with is in `refusal`.

mod refusal;

use super::mailbox::{self, Mailbox, Recipients};
use super::message::{Message, Tone};
use super::{Deliver, Delivering, Delivery, Kind, Parcel};
use crate::clock;
use crate::config::text::Text;
use crate::outcome::Fault;
use crate::probe::api::{self, Reply};
use crate::probe::{self, Build, Context};
use refusal::Answer;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;
use url::Url;

const VENDOR: &str = "Resend";
const API: &str = "https://api.resend.com";

/// A little before the try is ended from outside, so that it can be told where it hung.
const SHARE: f64 = 0.95;

/// Email through Resend's API.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resend {
    /// `"${RESEND_API_KEY}"`; one that may only send is enough, and better.
    api_key: Text,
    /// Who sends, at a domain that is verified with Resend: `"Atalaya <atalaya@shop.example>"`.
    from: Text,
    /// Who is told: addresses with commas between them, or a list.
    to: Recipients,
    /// The address of the API, where it is another than Resend's own; empty is Resend's own.
    api_url: Option<Text>,
}

impl Kind for Resend {
    fn name(&self) -> &'static str {
        "resend"
    }

    /// The shop's own emails share the quota, of a hundred a day in the smallest plan.
    fn hourly_max(&self) -> u32 {
        20
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Deliver>> {
        let key = build.secret("api_key", &self.api_key);
        let from = mailbox::sender(build, &self.from);
        let to = self.to.build(build);
        let api = match &self.api_url {
            Some(text) => address(build, text),
            None => Url::parse(API).ok(),
        };
        let key = SecretString::from(key?.expose_secret().trim());
        // What a header can't carry can't be a key, and would be told as a broken request.
        let is_key =
            !key.expose_secret().is_empty() && key.expose_secret().bytes().all(|b| b.is_ascii_graphic());
        if !is_key {
            build.fault("api_key", "this is no API key, which is `re_` and letters, digits and `_`");
            return None;
        }
        let base = api?.as_str().trim_end_matches('/').to_owned();
        Some(Box::new(Channel {
            http: build.net.api.clone(),
            emails: format!("{base}/emails"),
            key,
            from: from?,
            to: to?,
            timeout: build.timeout,
        }))
    }
}

fn address(build: &mut Build<'_>, text: &Text) -> Option<Url> {
    let filled = build.text("api_url", text)?;
    let filled = if filled.trim().is_empty() { API } else { filled.trim() };
    let url =
        Url::parse(filled).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    if url.is_none() {
        build.fault("api_url", format!("`{}` is no web address such as `{API}`", text.raw()));
    }
    url
}

struct Channel {
    http: reqwest::Client,
    emails: String,
    key: SecretString,
    from: Mailbox,
    to: Vec<Mailbox>,
    timeout: Duration,
}

impl Deliver for Channel {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Delivering<'a> {
        Box::pin(async move {
            let cx = Context::new(clock::wall(), self.timeout.mul_f64(SHARE));
            let later = |fault: Fault| Delivery::Retry { after: None, why: fault.text };
            match tokio::time::timeout_at(cx.deadline, self.deliver(&cx, parcel)).await {
                Ok(Ok(delivery)) => self.without_key(delivery),
                Ok(Err(fault)) => self.without_key(later(fault)),
                Err(_elapsed) => later(probe::timed_out(&cx, cx.timeout)),
            }
        })
    }
}

impl Channel {
    async fn deliver(&self, cx: &Context, parcel: &Parcel) -> Result<Delivery, Fault> {
        let body = self.body(parcel, &Message::of(parcel)).to_string();
        match self.post(cx, &parcel.key, &body).await? {
            Answer::KeyReused => {
                // An earlier try was taken with another body: the definition or the program has changed since, and
                // with it perhaps who is to be told. Whether they have it nobody knows, and telling twice is better
                // than not at all. The new key comes from the new body, so it is twice at the most.
                let digest =
                    Sha256::digest(&body).iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
                let again = self.post(cx, &format!("{}-{digest:016x}", parcel.key), &body).await?;
                Ok(again.delivery())
            }
            answer => Ok(answer.delivery()),
        }
    }

    async fn post(&self, cx: &Context, key: &str, body: &str) -> Result<Answer, Fault> {
        let request = self
            .http
            .post(&self.emails)
            .bearer_auth(self.key.expose_secret())
            .header("Idempotency-Key", key)
            .header("Content-Type", "application/json")
            .body(body.to_owned());
        let reply = api::call(cx, VENDOR, request).await?;
        if reply.status.is_success() {
            return taken(&reply);
        }
        Ok(refusal::read(&reply, &self.key, cx.now))
    }

    /// The same at every try, letter for letter: Resend compares.
    fn body(&self, parcel: &Parcel, message: &Message) -> Value {
        let to: Vec<String> = self.to.iter().map(Mailbox::to_string).collect();
        let tag = |name: &str, value: &str| json!({ "name": name, "value": value });
        let notice = &parcel.notice;
        json!({
            "from": self.from.to_string(),
            "to": to,
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
            "headers": self.headers(parcel, message),
            "tags": [
                tag("source", "atalaya"), tag("kind", notice.kind.as_str()), tag("severity", notice.severity.as_str()),
            ],
        })
    }

    /// Resend gives each email a Message-ID of its own that nobody can name beforehand. So all emails of a thread, the
    /// first one too, refer to one that was never sent; mail programs put together what refers to the same.
    fn headers(&self, parcel: &Parcel, message: &Message) -> Map<String, Value> {
        let root = format!("<{}@{}>", parcel.thread, self.from.domain);
        let mut headers = Map::new();
        let mut set = |name: &str, value: &str| headers.insert(name.to_owned(), json!(value));
        set("References", &root);
        if parcel.thread != parcel.key {
            set("In-Reply-To", &root);
        }
        set("Auto-Submitted", "auto-generated");
        set("X-Auto-Response-Suppress", "All");
        if message.tone == Tone::Page {
            set("Importance", "high");
            set("X-Priority", "1");
        }
        headers
    }

    /// As a last resort: a vendor may repeat the key in a place where only words of its own are due.
    fn without_key(&self, delivery: Delivery) -> Delivery {
        delivery.reworded(|why| why.replace(self.key.expose_secret(), "<secret>"))
    }
}

/// Whether an answer that says 200 comes from Resend, and not from something on the way that says 200 to everything.
fn taken(reply: &Reply) -> Result<Answer, Fault> {
    #[derive(Deserialize)]
    struct Sent {
        #[serde(rename = "id")]
        _id: String,
    }
    reply.json::<Sent>(VENDOR).map(|_| Answer::Taken)
}
