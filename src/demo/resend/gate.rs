//! What every call passes before it is answered: the edge, the faults, the key, the rate.

use super::answer::{Reply, error};
use super::{Fault, Resend, emails};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Requests a second, as documented; recordings of 2025 show two.
const RATE_LIMIT: u32 = 5;
const SLOWNESS: Duration = Duration::from_secs(2);
const RETRY_AFTER_SECONDS: u32 = 1;

/// The requests of the second under way.
#[derive(Debug, Default)]
pub struct Window {
    second: i64,
    used: u32,
}

impl Window {
    /// Takes one of the second's requests; how many are left, or `None` where there was none.
    fn take(&mut self, now: Timestamp) -> Option<u32> {
        let second = now.as_second();
        if self.second != second {
            *self = Window { second, used: 0 };
        }
        self.used += 1;
        RATE_LIMIT.checked_sub(self.used)
    }
}

pub async fn pass(State(resend): State<Arc<Resend>>, request: Request, next: Next) -> Response {
    resend.state().calls += 1;
    let has = |fault| resend.state().has(fault);
    let _under_way = match emails::begin(&resend, &request) {
        Some(Err(refusal)) => return refusal.into_response(),
        begun => begun,
    };
    if has(Fault::Hang) {
        std::future::pending::<()>().await;
    }
    if has(Fault::Slow) {
        tokio::time::sleep(SLOWNESS).await;
    }
    if has(Fault::EdgeRefusal) || !request.headers().contains_key(USER_AGENT) {
        return (StatusCode::FORBIDDEN, [(CONTENT_TYPE, "text/plain")], "error code: 1010").into_response();
    }
    if has(Fault::Html) {
        let page = "<!doctype html><title>Resend</title>";
        return ([(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
    }
    let left = resend.state().window.take((resend.now)());
    let refusal = refusal(&resend, &request, left.is_none());
    let mut response = match refusal {
        Some(reply) => reply.into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert("ratelimit-limit", HeaderValue::from(RATE_LIMIT));
    headers.insert("ratelimit-remaining", HeaderValue::from(left.unwrap_or(0)));
    headers.insert("ratelimit-reset", HeaderValue::from(1));
    headers.insert("ratelimit-policy", HeaderValue::from_static("5;w=1"));
    let is_limit_of_rate = left.is_none() || resend.state().has(Fault::RateLimited);
    if response.status() == StatusCode::TOO_MANY_REQUESTS && is_limit_of_rate {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    }
    response
}

pub async fn no_such_place() -> Reply {
    error(404, "not_found", "The requested endpoint does not exist.")
}

pub async fn no_such_method(method: Method, uri: Uri) -> Reply {
    let text = format!("Method {method} is not allowed for {}.", uri.path());
    error(405, "method_not_allowed", &text)
}

fn refusal(resend: &Resend, request: &Request, too_fast: bool) -> Option<Reply> {
    const INVALID: &str = "API key is invalid";
    let state = resend.state();
    let has = |fault| state.has(fault);
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = given.and_then(|value| value.strip_prefix("Bearer "));
    let sends = request.method() == Method::POST && request.uri().path().starts_with("/emails");
    Some(match key {
        _ if has(Fault::Outage) => error(503, "service_unavailable", "The service is unavailable."),
        None => error(401, "missing_api_key", "Missing API key in the authorization header."),
        _ if has(Fault::Unauthorized) => error(401, "validation_error", INVALID),
        _ if has(Fault::InvalidKey) => error(403, "invalid_api_key", INVALID),
        _ if has(Fault::BadRequestKey) => error(400, "validation_error", INVALID),
        Some(key) if key != Resend::KEY && key != Resend::SENDING_KEY => {
            error(401, "validation_error", INVALID)
        }
        _ if has(Fault::Suspended) => error(403, "suspended_api_key", "This API key is suspended."),
        _ if too_fast || has(Fault::RateLimited) => {
            error(429, "rate_limit_exceeded", "Too many requests. You can only make 5 requests per second.")
        }
        _ if has(Fault::DailyQuota) => {
            error(429, "daily_quota_exceeded", "You have reached your daily email sending quota.")
        }
        _ if has(Fault::MonthlyQuota) => {
            error(429, "monthly_quota_exceeded", "You have reached your monthly email sending quota.")
        }
        Some(Resend::SENDING_KEY) if !sends => {
            error(401, "restricted_api_key", "This API key is restricted to only send emails")
        }
        _ => return None,
    })
}
