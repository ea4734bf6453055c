//! What every call passes before it is answered: the count, the faults, the token, the version.

use super::answer::{self, Reply, error};
use super::{Fault, Square};
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// The version that the application is pinned to.
const VERSION: &str = "2026-05-20";
const SLOWNESS: Duration = Duration::from_secs(2);
const TRUNCATION_PAUSE: Duration = Duration::from_millis(20);
const RETRY_AFTER_SECONDS: i64 = 30;
const BODY_BYTES_MAX: usize = 1024 * 1024;

pub async fn pass(State(square): State<Arc<Square>>, request: Request, next: Next) -> Response {
    square.state().count(format!("{} {}", request.method(), request.uri()));
    if has(&square, Fault::Hang) {
        std::future::pending::<()>().await;
    }
    if has(&square, Fault::Slow) {
        tokio::time::sleep(SLOWNESS).await;
    }
    if let Some(refusal) = refusal(&square, &request) {
        return refusal;
    }
    let version = match version(request.headers()) {
        Ok(version) => version,
        Err(reply) => return reply.into_response(),
    };
    let mut response = next.run(request).await;
    if response.status().is_success() {
        response.headers_mut().insert("Square-Version", version);
    }
    if has(&square, Fault::Html) {
        return (
            [(CONTENT_TYPE, "text/html; charset=utf-8")],
            "<!doctype html><title>We'll be right back</title>",
        )
            .into_response();
    }
    if has(&square, Fault::Truncated) {
        return truncated(response).await;
    }
    response
}

pub async fn no_such_place() -> Reply {
    answer::not_found("Resource not found.")
}

pub async fn no_such_method(method: Method, uri: Uri) -> Reply {
    let detail = format!("Method `{method}` is not allowed for `{}`.", uri.path());
    error(StatusCode::METHOD_NOT_ALLOWED, "INVALID_REQUEST_ERROR", "METHOD_NOT_ALLOWED", &detail)
}

fn has(square: &Square, fault: Fault) -> bool {
    square.state().has(fault)
}

fn refusal(square: &Square, request: &Request) -> Option<Response> {
    let detail = "This request could not be authorized.";
    let unauthorized = |code| error(StatusCode::UNAUTHORIZED, "AUTHENTICATION_ERROR", code, detail);
    if has(square, Fault::Outage) {
        let detail = "The service is unavailable.";
        let reply = error(StatusCode::SERVICE_UNAVAILABLE, "API_ERROR", "SERVICE_UNAVAILABLE", detail);
        return Some(reply.into_response());
    }
    if let Some(limited) = limited(square) {
        return Some(limited);
    }
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let is_known = given.and_then(|value| value.strip_prefix("Bearer ")) == Some(Square::TOKEN);
    if !is_known || has(square, Fault::Unauthorized) {
        return Some(unauthorized("UNAUTHORIZED").into_response());
    }
    let expired = square.state().shop.token_expires_at.is_some_and(|at| at <= (square.now)());
    if expired || has(square, Fault::TokenExpired) {
        return Some(unauthorized("ACCESS_TOKEN_EXPIRED").into_response());
    }
    let is_of_payments =
        ["/v2/payments", "/v2/refunds"].iter().any(|path| request.uri().path().starts_with(path));
    if has(square, Fault::ForbiddenScope) && is_of_payments {
        let detail = "The merchant has not given your application sufficient permissions to do that.";
        let reply = error(StatusCode::FORBIDDEN, "AUTHENTICATION_ERROR", "INSUFFICIENT_SCOPES", detail);
        return Some(reply.into_response());
    }
    None
}

fn limited(square: &Square) -> Option<Response> {
    let now = (square.now)();
    let until = now.checked_add(SignedDuration::from_secs(RETRY_AFTER_SECONDS)).unwrap_or(Timestamp::MAX);
    let retry_after = match () {
        () if has(square, Fault::RateLimited) => Some(RETRY_AFTER_SECONDS.to_string()),
        () if has(square, Fault::RateLimitedUntil) => Some(http_date(until)),
        () if has(square, Fault::RateLimitedSilently) => None,
        () => return None,
    };
    let detail = "Your request was rate limited; try again later.";
    let reply = error(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_ERROR", "RATE_LIMITED", detail);
    let mut response = reply.into_response();
    for (name, text) in [(RETRY_AFTER, retry_after), (DATE, Some(http_date(now)))] {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    Some(response)
}

fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The version asked for, else the application's own.
fn version(headers: &HeaderMap) -> Result<HeaderValue, Reply> {
    let Some(asked) = headers.get("Square-Version") else {
        return Ok(HeaderValue::from_static(VERSION));
    };
    let is_date =
        asked.to_str().is_ok_and(|text| text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok());
    let detail = "The API version is not of the form YYYY-MM-DD.";
    is_date
        .then(|| asked.clone())
        .ok_or_else(|| answer::invalid("INVALID_SQUARE_VERSION_FORMAT", "Square-Version", detail))
}

/// The first half of a body, and then the connection ends.
async fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
    let half = body.slice(..body.len() / 2);
    // The pause lets the half reach the other side before the connection ends.
    let broken = async {
        tokio::time::sleep(TRUNCATION_PAUSE).await;
        Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe))
    };
    let chunks = stream::iter([Ok::<Bytes, std::io::Error>(half)]).chain(stream::once(broken));
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from_stream(chunks))
}
