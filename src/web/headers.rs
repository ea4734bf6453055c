//! What every answer says to browsers: run and show nothing but what is ours, tell nobody, be framed by nobody.
//!
//! An answer that has a header of its own keeps it.

use super::server::Peer;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

const ALWAYS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    // Not `no-referrer`: a form would then tell of itself that it comes from nowhere.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// Browsers come over TLS only from now on. Said over TLS alone: who ends it elsewhere knows what else is under the name.
const TLS_ONLY: (&str, &str) = ("strict-transport-security", "max-age=31536000");

pub async fn add(request: Request, next: Next) -> Response {
    let tls = request.extensions().get::<Peer>().is_some_and(|peer| peer.tls);
    let mut answer = next.run(request).await;
    for (name, value) in ALWAYS.into_iter().chain(tls.then_some(TLS_ONLY)) {
        let name = HeaderName::from_static(name);
        answer.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    answer
}
