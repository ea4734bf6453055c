//! Looks at the credentials of a request, and answers whoever may not come in.

use super::caller::{self, Source, is_local, text};
use super::{Access, Caller, How, Operator, Terms, login};
use crate::app::own;
use crate::clock;
use crate::config::http::Digest;
use crate::web::limit::too_many;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;

/// How a name may be called that stands in logs and on pages.
const NAME_LENGTH_MAX: usize = 80;

/// Who asks, and what became of the credentials where they were of no use.
#[derive(Clone, Default)]
pub struct Known {
    pub caller: Caller,
    /// No credentials are looked at for so long.
    pub wait: Option<Duration>,
    /// The token is that of those who may send what happens, and do nothing else.
    pub sends: bool,
}

/// What became of credentials.
enum Shown {
    Operator(Operator),
    Sender,
    Nothing,
}

impl Access {
    /// Who this is. What is explicit comes before what a browser sends by itself. Credentials of no use leave a caller of
    /// this machine what it is.
    pub(super) fn know(&self, parts: &Parts) -> Known {
        let open = self.terms().http.open_to_loopback;
        let otherwise = if open && is_local(parts) { Caller::Local } else { Caller::Anybody };
        let shown = match text(&parts.headers, header::AUTHORIZATION.as_str()) {
            Some(authorization) => self.authorized(authorization, &Source::of(parts)),
            None => Ok(self.logged_in(parts).map_or(Shown::Nothing, Shown::Operator)),
        };
        let known = Known { caller: otherwise, wait: None, sends: false };
        match shown {
            Ok(Shown::Operator(operator)) => Known { caller: Caller::Operator(operator), ..known },
            Ok(Shown::Sender) => Known { sends: true, ..known },
            Ok(Shown::Nothing) => known,
            Err(wait) => Known { wait: Some(wait), ..known },
        }
    }

    fn authorized(&self, authorization: &str, source: &Source) -> Result<Shown, Duration> {
        let Some((scheme, credentials)) = authorization.split_once(' ') else { return Ok(Shown::Nothing) };
        let credentials = credentials.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            let operator = Operator { name: None, how: How::Bearer, csrf: String::new() };
            let mut sends = false;
            let fits = self.fits(credentials, source, |presented, terms| {
                let sender = terms.http.ingest.token.as_ref();
                sends = sender.is_some_and(|token| presented.is(token));
                presented.is(&terms.token) || sends
            })?;
            return Ok(match (fits, sends) {
                (true, true) => Shown::Sender,
                (true, false) => Shown::Operator(operator),
                (false, _) => Shown::Nothing,
            });
        }
        let decoded = STANDARD.decode(credentials).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"));
        let Some(decoded) = decoded.and_then(|decoded| String::from_utf8(decoded).ok()) else {
            return Ok(Shown::Nothing);
        };
        let (name, token) = decoded.split_once(':').unwrap_or_default();
        if !self.typed_token_fits(token, source)? {
            return Ok(Shown::Nothing);
        }
        let csrf = self.csrf_of_basic();
        Ok(Shown::Operator(Operator { name: plain_name(name), how: How::Basic, csrf }))
    }

    fn token_fits(&self, token: &str, source: &Source) -> Result<bool, Duration> {
        self.fits(token, source, |presented, terms| presented.is(&terms.token))
    }

    /// Whether this is the key that stands in the addresses of heartbeats.
    pub fn ping_key_fits(&self, key: &str, source: &Source) -> Result<bool, Duration> {
        self.fits(key, source, |presented, terms| {
            terms.http.ingest.ping_key.as_ref().is_some_and(|key| presented.is(key))
        })
    }

    /// Takes a turn of this source where it does not fit; without one left it is not even looked at.
    fn fits(
        &self,
        token: &str,
        source: &Source,
        is_right: impl FnOnce(&Digest, &Terms) -> bool,
    ) -> Result<bool, Duration> {
        let (presented, terms) = (Digest::of(token), self.terms());
        let fits = self.0.failures.take_unless(source, clock::instant(), || is_right(&presented, &terms));
        if fits == Ok(false) {
            own::wrong_credentials();
            tracing::warn!(from = %source, "somebody showed a wrong token");
        }
        fits
    }

    /// As [`Access::token_fits`], for what people type, who choose tokens that can be guessed: those of everybody together
    /// are counted too. A program that has the right token is not held up by strangers that fail.
    pub(super) fn typed_token_fits(&self, token: &str, source: &Source) -> Result<bool, Duration> {
        let mut own = Ok(false);
        let all = self.0.login_failures.take_unless(&(), clock::instant(), || {
            own = self.token_fits(token, source);
            // Whoever has no turn of their own left takes none of the others'.
            own != Ok(false)
        });
        all.and(own)
    }

    fn logged_in(&self, parts: &Parts) -> Option<Operator> {
        let id = login::session_of(parts, self.is_secure(parts))?;
        let id = Digest::of(id);
        let login = self.sessions(|sessions| sessions.find(&id, clock::steady()))?;
        Some(Operator { name: login.name, how: How::Session, csrf: self.csrf_of_session(&id) })
    }

    /// Whether what looks at this does so over TLS, as far as can be told.
    pub(super) fn is_secure(&self, parts: &Parts) -> bool {
        let tls = parts.extensions.get::<crate::web::server::Peer>().is_some_and(|peer| peer.tls);
        tls || self.terms().http.https
    }
}

/// A name as it may be shown; none where there is none.
pub fn plain_name(name: &str) -> Option<String> {
    Some(crate::plain::line(name, NAME_LENGTH_MAX)).filter(|name| !name.is_empty())
}

/// Asks for credentials: a browser that wants to show a page is led to the login, everybody else is told.
pub fn refuse(parts: &Parts, known: &Known) -> Response {
    if let Some(wait) = known.wait {
        return too_many(wait);
    }
    let path = parts.uri.path();
    if wants_page(parts) && path.starts_with("/ops") {
        let to = parts.uri.path_and_query().map_or(path, |path| path.as_str());
        return login::lead_to(if reads(&parts.method) { to } else { "/ops" });
    }
    let hint = if reads(&parts.method) {
        "this is for callers on this machine and for operators: send `Authorization: Bearer TOKEN`\n"
    } else {
        "this changes something: send `Authorization: Bearer TOKEN`\n"
    };
    // A script would make the browser ask for a name and a password in a window of its own.
    let scripted = matches!(text(&parts.headers, "sec-fetch-mode"), Some(mode) if mode != "navigate");
    let ask = if scripted { "Bearer" } else { "Bearer, Basic realm=\"Atalaya\", charset=\"UTF-8\"" };
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, ask)], hint).into_response()
}

pub fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn wants_page(parts: &Parts) -> bool {
    text(&parts.headers, "accept").is_some_and(|accept| accept.contains("text/html"))
}

/// Whether this is asked under a name that is ours, where it is said which are. An address can't be made to lead here by
/// whoever owns a name.
pub fn is_known_name(parts: &Parts, http: &crate::config::Http) -> bool {
    let known = |host: String| {
        caller::is_loopback_name(&host) || caller::address_of(&host).is_some() || http.hosts.contains(&host)
    };
    !http.only_hosts || caller::asked_host(parts).is_some_and(known)
}
