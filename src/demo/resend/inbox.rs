//! What the on-call person would have got: the emails that Resend's simulator took for them, as a page.

use super::{Received, Resend};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use std::fmt::Write as _;
use std::sync::Arc;

/// Who is told in the demo.
pub const ON_CALL: &str = "on-call@shop.example";

/// `/inbox` and each of its emails.
pub fn router(resend: Arc<Resend>) -> Router {
    Router::new().route("/inbox", get(list)).route("/inbox/{id}", get(one)).with_state(resend)
}

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta http-equiv=\"refresh\" content=\"5\">\
    <title>On-call inbox</title><style>:root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;\
    max-width:44rem;margin:2rem auto;padding:0 1rem}li{margin:.6rem 0}time{opacity:.75;font-variant-numeric:tabular-nums}\
    </style><h1>On-call inbox</h1>";

async fn list(State(resend): State<Arc<Resend>>) -> impl IntoResponse {
    let mut page = HEAD.to_owned();
    let received = resend.received(ON_CALL);
    if received.is_empty() {
        page += "<p>Nothing yet. Break something, and wait until three runs in a row have found it.</p>";
    }
    page += "<ol reversed>";
    for Received { id, at, subject, .. } in &received {
        let at = at.strftime("%H:%M:%S");
        let subject = escape(subject);
        // Writing to a string can't fail.
        let _ = write!(page, "<li><time>{at} UTC</time> <a href=\"/inbox/{id}\">{subject}</a></li>");
    }
    let policy = [(header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'")];
    (policy, Html(page + "</ol></html>"))
}

async fn one(State(resend): State<Arc<Resend>>, Path(id): Path<String>) -> Response {
    match resend.received(ON_CALL).into_iter().find(|email| email.id == id) {
        // A message is foreign text to this page: nothing in it may run.
        Some(email) => {
            let policy =
                [(header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox")];
            (policy, Html(email.html)).into_response()
        }
        None => (StatusCode::NOT_FOUND, "there is no such email\n").into_response(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
