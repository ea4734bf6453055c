//! A browser sends a cookie, or a password it knows, with every request to a place, whoever made it ask. So what changes
//! something must prove that a page of ours made it: the browser says where the page is from, and the page knows a word
//! that nobody else can read.

use super::caller::{asked_authority, host_of, text};
use super::extract::Proved;
use super::{Access, How, Operator};
use crate::config::Http;
use crate::config::http::{Digest, hex};
use crate::web::limit;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// An acknowledgement, a silence: a sentence and some names.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// The field of a form, and the header of everything else, in which a page shows the word.
const FIELD: &str = "csrf";
const HEADER: &str = "x-csrf-token";

const FORM: &str = "application/x-www-form-urlencoded";

impl Access {
    /// The word of the pages of one session.
    pub(super) fn csrf_of_session(&self, id: &Digest) -> String {
        self.word(&format!("session {}", id.text()))
    }

    /// The word of the pages that are shown for a password: a browser that has it has no session.
    pub(super) fn csrf_of_basic(&self) -> String {
        self.word(&format!("basic {}", self.terms().token.text()))
    }

    fn word(&self, what: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0.secret).expect("an HMAC takes a key of any length");
        mac.update(what.as_bytes());
        hex(&mac.finalize().into_bytes())
    }

    /// The request as its handler reads it, once it is proved: with its whole body, and without the word in a form.
    pub(super) async fn prove(&self, request: Request, operator: &Operator) -> Result<Request, Response> {
        let (mut parts, body) = request.into_parts();
        let ambient = operator.how != How::Bearer;
        if ambient && !is_own_page(&parts, &self.terms().http) {
            return Err(forged("the page that asks is not one of this agent's"));
        }
        let mut bytes = limit::body(body, BODY_BYTES_MAX).await?;
        if ambient {
            let mut shown = text(&parts.headers, HEADER).map(str::to_owned);
            if is_form(&parts) {
                let fields: Vec<_> = url::form_urlencoded::parse(&bytes).into_owned().collect();
                shown =
                    shown.or_else(|| fields.iter().find(|(name, _)| name == FIELD).map(|(_, it)| it.clone()));
                let others = fields.iter().filter(|(name, _)| name != FIELD);
                bytes =
                    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish().into();
                parts.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
                parts.headers.remove(header::TRANSFER_ENCODING);
            }
            let fits = shown.is_some_and(|shown| shown.as_bytes().ct_eq(operator.csrf.as_bytes()).into());
            if !fits {
                return Err(forged("the page that asks is out of date"));
            }
        }
        parts.extensions.insert(Proved);
        Ok(Request::from_parts(parts, Body::from(bytes)))
    }
}

/// Whether the browser says that a page from here made it ask. One of both headers is always there: what sends neither
/// is no browser of these years, and can send the token as a program does.
pub fn is_own_page(parts: &Parts, http: &Http) -> bool {
    let origin = text(&parts.headers, header::ORIGIN.as_str());
    let site = text(&parts.headers, "sec-fetch-site");
    (origin.is_some() || site.is_some())
        && site.is_none_or(|site| site == "same-origin")
        && origin.is_none_or(|origin| is_ours(parts, origin, http))
}

/// The name under which this was asked, or, as a proxy may ask by another, one that the definitions name. Not the
/// scheme: a proxy may end TLS.
fn is_ours(parts: &Parts, origin: &str, http: &Http) -> bool {
    let Some((scheme, rest)) = origin.split_once("://") else { return false };
    let Ok(origin) = rest.parse::<Authority>() else { return false };
    let default = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    let same = |asked: Authority| {
        let asked_port = asked.port_u16().unwrap_or(default);
        host_of(&asked) == host_of(&origin) && asked_port == origin.port_u16().unwrap_or(default)
    };
    asked_authority(parts).is_some_and(same) || http.hosts.contains(&host_of(&origin))
}

fn is_form(parts: &Parts) -> bool {
    let kind = text(&parts.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM)
}

/// `403`: the credentials are right, and it is not proved who made them come.
pub fn forged(why: &str) -> Response {
    let text = format!(
        "{why}; load it again, or send `Authorization: Bearer TOKEN`\n  hint: behind a proxy, name the host in `[http] hosts`\n"
    );
    (StatusCode::FORBIDDEN, text).into_response()
}
