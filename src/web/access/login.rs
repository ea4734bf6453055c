//! `/login` and `/logout`: a browser shows the token once and gets a cookie for a day's work.

use super::caller::{Source, host_of, is_loopback_name, text};
use super::door::plain_name;
use super::gate::{Pages, not_kept};
use super::session::{Login, SESSION_MAX};
use super::{Access, Caller, MayChange, proof};
use crate::clock;
use crate::config::http::Digest;
use crate::web::limit;
use askama::Template;
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use std::time::Duration;

/// Where one goes who did not say where to.
const HOME: &str = "/ops";
const BODY_BYTES_MAX: usize = 4096;
const TO_LENGTH_MAX: usize = 1000;

/// With the prefix browsers take the cookie from this host over TLS only, and no other host can set it.
const COOKIE: &str = "atalaya";
const SECURE_COOKIE: &str = "__Host-atalaya";

/// The routes of the login.
pub fn pages(access: Access) -> Pages {
    let pages = Pages {
        public: Router::new().route("/login", get(form).post(login)),
        changes: Router::new().route("/logout", post(logout)),
        ..Pages::default()
    };
    pages.with_state(access)
}

#[derive(Template)]
#[template(path = "login.html")]
struct Form<'a> {
    to: &'a str,
    /// What was wrong the last time.
    wrong: Option<String>,
    /// Ask once more at once, at this path, instead of showing the form.
    again: Option<String>,
}

impl Form<'_> {
    fn answer(&self, status: StatusCode) -> Response {
        match self.render() {
            Ok(page) => not_kept((status, Html(page)).into_response()),
            Err(error) => {
                tracing::error!(%error, "can't make the page of the login; this is a bug in atalaya");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    to: String,
}

/// Leads a browser to the login, and back.
pub fn lead_to(to: &str) -> Response {
    not_kept((StatusCode::SEE_OTHER, [(header::LOCATION, way_to(to))]).into_response())
}

fn way_to(to: &str) -> String {
    let to: String = url::form_urlencoded::byte_serialize(own_path(to).as_bytes()).collect();
    format!("/login?to={to}")
}

async fn form(caller: Caller, headers: HeaderMap, Query(asked): Query<Asked>) -> Response {
    let to = own_path(&asked.to);
    if let Caller::Operator(_) = caller {
        return not_kept((StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response());
    }
    // A link in a mail on a web page comes without the cookie, which is for requests from here only. So a page from here
    // asks once more.
    let from_elsewhere = text(&headers, "sec-fetch-site") == Some("cross-site");
    Form { to, wrong: None, again: from_elsewhere.then(|| way_to(to)) }.answer(StatusCode::OK)
}

async fn login(State(access): State<Access>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let told = ["origin", "sec-fetch-site"].iter().any(|name| parts.headers.contains_key(*name));
    if told && !proof::is_own_page(&parts, &access.terms().http) {
        return not_kept(proof::forged("the page that asks is not one of this agent's"));
    }
    let bytes = match limit::body(body, BODY_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(refused) => return not_kept(refused),
    };
    let field = |wanted: &str| {
        let found = url::form_urlencoded::parse(&bytes).find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let to = field("to");
    let to = own_path(&to);
    if access.is_secure(&parts) && is_shown_in_the_clear(&parts) {
        let wrong = Some("Ask for this page by https: by http the browser keeps no session here.".to_owned());
        return Form { to, wrong, again: None }.answer(StatusCode::FORBIDDEN);
    }
    match access.typed_token_fits(field("token").trim(), &Source::of(&parts)) {
        Ok(true) => {}
        Ok(false) => {
            let wrong = Some("That is not the token.".to_owned());
            let mut answer = Form { to, wrong, again: None }.answer(StatusCode::UNAUTHORIZED);
            // A status of 401 has to say how; with `Basic` the browser would ask in a window of its own.
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
            return answer;
        }
        Err(wait) => return not_kept(limit::too_many(wait)),
    }
    let opened = access
        .sessions(|sessions| sessions.open(Login { name: plain_name(&field("name")) }, clock::steady()));
    match opened {
        Ok(id) => {
            tracing::info!(from = %Source::of(&parts), "an operator logged in");
            let cookie = cookie(access.is_secure(&parts), &id, SESSION_MAX);
            let head = [(header::SET_COOKIE, cookie), (header::LOCATION, to.to_owned())];
            not_kept((StatusCode::SEE_OTHER, head).into_response())
        }
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response(),
    }
}

async fn logout(State(access): State<Access>, _operator: MayChange, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let secure = access.is_secure(&parts);
    if let Some(id) = session_of(&parts, secure) {
        access.sessions(|sessions| sessions.end(&Digest::of(id)));
    }
    let head = [(header::SET_COOKIE, cookie(secure, "", Duration::ZERO)), (header::LOCATION, "/".to_owned())];
    (StatusCode::SEE_OTHER, head).into_response()
}

/// Whether the browser has this page over a network without TLS, where it drops a cookie that is for TLS only.
fn is_shown_in_the_clear(parts: &Parts) -> bool {
    let origin =
        text(&parts.headers, header::ORIGIN.as_str()).and_then(|origin| origin.strip_prefix("http://"));
    let origin = origin.and_then(|origin| origin.parse::<Authority>().ok());
    origin.is_some_and(|origin| !is_loopback_name(&host_of(&origin)))
}

/// What the cookie of the login holds.
pub fn session_of(parts: &Parts, secure: bool) -> Option<&str> {
    let name = if secure { SECURE_COOKIE } else { COOKIE };
    let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

fn cookie(secure: bool, id: &str, lasts: Duration) -> String {
    let (name, more) = if secure { (SECURE_COOKIE, "; Secure") } else { (COOKIE, "") };
    format!("{name}={id}; HttpOnly; SameSite=Strict; Path=/; Max-Age={}{more}", lasts.as_secs())
}

/// A path of this server; a browser would take `//host` and `/\host` for another one, and passes over tabs and line ends.
fn own_path(to: &str) -> &str {
    let plain = to.len() <= TO_LENGTH_MAX && to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if plain && to.starts_with('/') && !to.starts_with("//") { to } else { HOME }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_led_nowhere_else() {
        for own in ["/", "/ops/alerts?open=1", "/ops#a", "/ops/%2f%2fevil.example", "/a//b"] {
            assert_eq!(own_path(own), own);
        }
        for foreign in [
            "",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "\t//evil.example",
            "/\n/evil.example",
            "ops",
            "@evil.example",
            "/a b",
            "/é",
        ] {
            assert_eq!(own_path(foreign), HOME, "{foreign:?}");
        }
        assert_eq!(own_path(&format!("/{}", "a".repeat(TO_LENGTH_MAX))), HOME);
    }
}
