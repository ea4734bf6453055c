//! Calls of one run, in the pace that Resend's headers give, and what its refusals mean.

use crate::outcome::{Class, Fault, Outcome};
use crate::probe::Context;
use crate::probe::api::{self, Gate, Reply};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use url::Url;

pub const VENDOR: &str = "Resend";

/// With fewer left of a second the rest belongs to the shop.
const REMAINING_MIN: f64 = 2.0;

/// A second that is over gives all requests back; Resend says how long that takes.
const RESET_MAX: Duration = Duration::from_secs(5);

/// How long Resend is left alone where it refuses for its load and does not say for how long.
const WAIT: Duration = Duration::from_secs(1);

/// Why a call has no answer.
#[derive(Debug)]
pub enum Refusal {
    /// The key is alive and may not see this.
    LimitedSight,
    Fault(Fault),
}

pub struct Client<'a> {
    http: &'a reqwest::Client,
    api: &'a Url,
    key: &'a SecretString,
    gate: &'a Gate,
    calls: u32,
    limit: Option<f64>,
    remaining: Option<f64>,
    /// The least that was left in this run.
    remaining_min: Option<f64>,
    reset: Duration,
    rate_limited: bool,
    pub daily_quota_used: Option<f64>,
    pub monthly_quota_used: Option<f64>,
}

/// `{"statusCode":404,"message":"API key not found","name":"not_found"}`
#[derive(Deserialize)]
struct Words {
    #[serde(default)]
    name: String,
    #[serde(default)]
    message: String,
}

impl<'a> Client<'a> {
    pub fn new(http: &'a reqwest::Client, api: &'a Url, key: &'a SecretString, gate: &'a Gate) -> Client<'a> {
        Client {
            http,
            api,
            key,
            gate,
            calls: 0,
            limit: None,
            remaining: None,
            remaining_min: None,
            reset: Duration::ZERO,
            rate_limited: false,
            daily_quota_used: None,
            monthly_quota_used: None,
        }
    }

    /// GETs a path such as `domains?limit=100`.
    pub async fn get<T: DeserializeOwned>(&mut self, cx: &Context, path: &str) -> Result<T, Refusal> {
        self.gate.open().map_err(Refusal::Fault)?;
        self.leave_the_shop_its_share(cx).await;
        let base = self.api.as_str().trim_end_matches('/');
        self.calls += 1;
        let request = self.http.get(format!("{base}/{path}")).bearer_auth(self.key.expose_secret());
        let reply = api::call(cx, VENDOR, request).await.map_err(Refusal::Fault)?;
        self.note_headers(&reply);
        if reply.status.is_success() {
            return reply.json(VENDOR).map_err(Refusal::Fault);
        }
        Err(self.refusal(cx, &reply))
    }

    pub fn measure(&self, outcome: &mut Outcome) {
        outcome.measure("calls", f64::from(self.calls));
        for (name, number) in [("rate_limit", self.limit), ("rate_limit_remaining", self.remaining_min)] {
            if let Some(number) = number {
                outcome.measure(name, number);
            }
        }
    }

    /// Whether a call of this run came too soon after others.
    pub fn is_rate_limited(&self) -> bool {
        self.rate_limited
    }

    async fn leave_the_shop_its_share(&mut self, cx: &Context) {
        if self.remaining.is_some_and(|left| left < REMAINING_MIN) && self.reset > Duration::ZERO {
            cx.phase("wait");
            tokio::time::sleep(self.reset).await;
        }
    }

    fn note_headers(&mut self, reply: &Reply) {
        self.limit = reply.number("ratelimit-limit").or(self.limit);
        self.remaining = reply.number("ratelimit-remaining");
        self.remaining_min = match (self.remaining_min, self.remaining) {
            (Some(before), Some(now)) => Some(f64::min(before, now)),
            (before, now) => before.or(now),
        };
        let reset = reply.number("ratelimit-reset").unwrap_or(1.0);
        self.reset = Duration::try_from_secs_f64(reset).unwrap_or_default().min(RESET_MAX);
        self.daily_quota_used = reply.number("x-resend-daily-quota").or(self.daily_quota_used);
        self.monthly_quota_used = reply.number("x-resend-monthly-quota").or(self.monthly_quota_used);
    }

    fn refusal(&mut self, cx: &Context, reply: &Reply) -> Refusal {
        let status = reply.status.as_u16();
        let words: Words = serde_json::from_slice(&reply.body)
            .unwrap_or_else(|_| Words { name: String::new(), message: String::new() });
        if words.name == "restricted_api_key" {
            return Refusal::LimitedSight;
        }
        let fault = self.fault(status, &words, reply);
        let is_of_rate = fault.class == Class::Quota && fault.status == crate::outcome::Status::Degraded;
        self.rate_limited |= is_of_rate;
        if let Some(wait) = reply.retry_after(cx.now).or(is_of_rate.then_some(WAIT)) {
            self.gate.close(wait, &fault);
        }
        Refusal::Fault(fault)
    }

    fn fault(&self, status: u16, words: &Words, reply: &Reply) -> Fault {
        let failed = |class, text: &str| Fault::failed(class, text);
        let is_edge = !reply.body.starts_with(b"{") && contains(&reply.body, b"1010");
        match (status, words.name.as_str()) {
            (_, "daily_quota_exceeded") => failed(
                Class::Quota,
                "the day's quota of emails is used up: the shop's mail is stopped; raise the plan",
            ),
            (_, "monthly_quota_exceeded" | "email_above_quota") => failed(
                Class::Quota,
                "the month's quota of emails is used up: the shop's mail is stopped; raise the plan",
            ),
            (429, _) => {
                let limit = self.limit.map_or_else(String::new, |limit| format!(" ({limit} a second)"));
                let text =
                    format!("Resend refuses more requests for the moment{limit}; the shop shares this limit");
                Fault::degraded(Class::Quota, text)
            }
            (_, "suspended_api_key") => failed(
                Class::Auth,
                "Resend has suspended the API key: the shop's mail is stopped; ask its support",
            ),
            (_, "missing_api_key" | "invalid_api_key") => failed(Class::Auth, BAD_KEY),
            (400 | 401 | 403, _) if words.message.contains("API key is invalid") => {
                failed(Class::Auth, BAD_KEY)
            }
            (403, _) if is_edge => failed(
                Class::Protocol,
                "Resend's edge turned the request away (403, code 1010: the User-Agent is missing or barred)",
            ),
            (_, "invalid_permission") => {
                failed(Class::Auth, "the API key may not do this; give it full access")
            }
            (400..=499, name) if !name.is_empty() => {
                let said = api::quote(&format!("{name}: {}", words.message), self.key);
                let class = if matches!(status, 401 | 403) { Class::Auth } else { Class::Protocol };
                Fault::failed(class, format!("Resend answered {status}, {said}"))
            }
            _ => reply.status_fault(VENDOR),
        }
    }
}

const BAD_KEY: &str =
    "Resend does not know the API key: it was deleted or mistyped, and the shop's mail with it is stopped";

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    body.windows(wanted.len()).any(|window| window == wanted)
}
