//! What Resend's refusals mean for a message, and the way out of each.

use crate::notify::Delivery;
use crate::probe::api::{self, Reply};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use std::time::Duration;

/// Requests are counted by the second.
const RATE_WAIT: Duration = Duration::from_secs(1);
/// How long an earlier request with the same key may still be under way.
const CONCURRENT_WAIT: Duration = Duration::from_secs(5);
/// A day's quota comes back at some midnight, a month's in days: other channels are asked meanwhile.
const DAILY_WAIT: Duration = Duration::from_hours(1);
const MONTHLY_WAIT: Duration = Duration::from_hours(6);

/// What became of a request.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// It was taken.
    Taken,
    /// An earlier request with this key and another body was taken.
    KeyReused,
    Later {
        after: Option<Duration>,
        why: String,
    },
    Never(String),
}

impl Answer {
    pub fn delivery(self) -> Delivery {
        match self {
            Answer::Taken => Delivery::Delivered,
            Answer::Later { after, why } => Delivery::Retry { after, why },
            Answer::Never(why) => Delivery::Refused { why },
            // Of a key that was made from the body this can't be; another try makes the same key.
            Answer::KeyReused => {
                Delivery::Refused { why: "Resend has taken another email with this key".to_owned() }
            }
        }
    }
}

/// `{"statusCode":404,"message":"API key not found","name":"not_found"}`
#[derive(Deserialize, Default)]
#[serde(default)]
struct Words {
    name: String,
    message: String,
}

/// By the name, since statuses are not always those that are documented; by the status where there is no name.
pub fn read(reply: &Reply, key: &SecretString, now: Timestamp) -> Answer {
    let status = reply.status.as_u16();
    let words: Words = serde_json::from_slice(&reply.body).unwrap_or_default();
    let wait = |least| reply.retry_after(now).unwrap_or(least);
    let later = |after, why: &str| Answer::Later { after: Some(after), why: why.to_owned() };
    let never = |why: &str| Answer::Never(why.to_owned());
    let refused = |way_out: &str| {
        let said = api::quote(&format!("{}: {}", api::word(Some(&words.name)), words.message), key);
        Answer::Never(format!("Resend refuses the message with {status}, {said}{way_out}"))
    };
    let is_bad_key = matches!(status, 400 | 401 | 403) && words.message.contains("API key is invalid");
    match words.name.as_str() {
        _ if is_bad_key => never(BAD_KEY),
        "missing_api_key" | "invalid_api_key" => never(BAD_KEY),
        "suspended_api_key" => never("Resend has suspended the API key; ask its support"),
        "restricted_api_key" | "invalid_permission" | "invalid_access" => {
            refused("; the key in `api_key` must be allowed to send from the domain of `from`")
        }
        "daily_quota_exceeded" => {
            later(wait(DAILY_WAIT), "the daily quota of emails at Resend is used up; raise the plan")
        }
        "monthly_quota_exceeded" | "email_above_quota" => {
            later(wait(MONTHLY_WAIT), "the monthly quota of emails at Resend is used up; raise the plan")
        }
        "rate_limit_exceeded" => {
            later(wait(RATE_WAIT), "Resend takes no more requests for the moment; the shop shares this limit")
        }
        "concurrent_idempotent_requests" | "resource_locked" => {
            later(wait(CONCURRENT_WAIT), "Resend is still at an earlier try of this message")
        }
        "invalid_idempotent_request" => Answer::KeyReused,
        "invalid_from_address" => refused("; check `from`"),
        "validation_error" if status == 403 => {
            refused("; the domain of `from` must be verified at https://resend.com/domains")
        }
        "not_found" | "method_not_allowed" => refused("; check `api_url`"),
        "application_error" | "internal_server_error" | "service_unavailable" => unwell(reply, now),
        name if !name.is_empty() && (400..=499).contains(&status) && !is_for_now(status) => {
            refused("; check `from` and `to`")
        }
        _ => by_status(reply, now),
    }
}

const BAD_KEY: &str =
    "Resend does not know the API key: it was deleted or mistyped; give a new one in `api_key`";

/// Answers that none of Resend's own words explain: those of its edge, or of something else on the way.
fn by_status(reply: &Reply, now: Timestamp) -> Answer {
    let status = reply.status.as_u16();
    if (500..=599).contains(&status) || is_for_now(status) {
        return unwell(reply, now);
    }
    let is_edge = status == 403 && reply.body.windows(4).any(|window| window == b"1010");
    if is_edge {
        return Answer::Never(
            "Resend's edge turns the request away (403, code 1010); check what stands between the agent and Resend"
                .to_owned(),
        );
    }
    Answer::Never(format!("{}; check `api_url`", reply.status_fault(super::VENDOR).text))
}

fn unwell(reply: &Reply, now: Timestamp) -> Answer {
    Answer::Later { after: reply.retry_after(now), why: reply.status_fault(super::VENDOR).text }
}

/// Statuses below 500 that say nothing about the message: too slow, in conflict, too early, too many.
fn is_for_now(status: u16) -> bool {
    matches!(status, 408 | 409 | 421 | 423 | 425 | 429)
}
