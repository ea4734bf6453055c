//! One run: ask, follow where that was allowed, judge the last answer.

use super::address::{self, Hop};
use super::exchange::{Connection, Outgoing, Wanted};
use super::expected::{self, Expected};
use super::status::Statuses;
use super::wrong::Stage;
use crate::config::value::Size;
use crate::outcome::{Class, Fault, Outcome};
use crate::probe::net::Net;
use crate::probe::net::certificate::seconds_left;
use crate::probe::net::tls::{self, CERTIFICATE_EXPIRY};
use crate::probe::{Context, Examine};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT};
use hyper::http::response::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

/// All that a run needs, prepared.
pub struct Look {
    pub net: Arc<Net>,
    pub first: Hop,
    /// What the definition wants to stand in `Host`.
    pub host: Option<HeaderValue>,
    pub outgoing: Outgoing,
    pub redirects_max: usize,
    pub status: Vec<Statuses>,
    pub expected: Expected,
    pub body_max: Size,
    pub version: Wanted,
    /// The connection between runs, where one is to be kept.
    pub kept: Option<Mutex<Option<Connection>>>,
    pub tls: tls::Client,
}

/// The header of an answer, and the connection over which its body comes.
struct Answer {
    connection: Connection,
    response: Response<Incoming>,
}

impl Examine for Look {
    async fn examine(&self, cx: &Context, outcome: &mut Outcome) -> Result<(), Fault> {
        let mut outgoing = Cow::Borrowed(&self.outgoing);
        let mut followed: Vec<Hop> = Vec::new();
        loop {
            let hop = followed.last().unwrap_or(&self.first);
            let answer = self.ask(cx, hop, &outgoing, outcome).await?;
            let next = if self.redirects_max > 0 { self.next(hop, &answer.response)? } else { None };
            let Some(next) = next else {
                outcome.measure("redirects", followed.len() as f64);
                return self.judge(cx, hop, answer, outcome).await;
            };
            let before = std::iter::once(&self.first).chain(&followed);
            if followed.len() >= self.redirects_max {
                let text =
                    format!("more than {} redirects; the next one leads to {}", followed.len(), next.shown);
                return Err(Fault::failed(Class::Assertion, text));
            }
            if before.clone().any(|hop| hop.url == next.url) {
                let trail: Vec<_> = before.chain([&next]).map(|hop| hop.shown.as_str()).collect();
                let text = format!("redirects in a circle: {}", trail.join(" → "));
                return Err(Fault::failed(Class::Protocol, text));
            }
            outgoing = Cow::Owned(redirected(&outgoing, answer.response.status(), hop, &next)?);
            // Only the certificate of the last place counts.
            outcome.measures.retain(|measure| measure.name != CERTIFICATE_EXPIRY.name);
            followed.push(next);
        }
    }
}

impl Look {
    /// Asks over the connection that was kept, or a new one.
    async fn ask(
        &self,
        cx: &Context,
        hop: &Hop,
        outgoing: &Outgoing,
        outcome: &mut Outcome,
    ) -> Result<Answer, Fault> {
        let last = self.kept.is_none();
        if let Some(mut connection) = self.take_kept(hop)
            && connection.is_alive().await
        {
            let response = connection.ask(cx, hop, outgoing, last).await;
            match response {
                Ok(response) => {
                    if let Some(expires) = connection.expires {
                        outcome.measure(CERTIFICATE_EXPIRY.name, seconds_left(expires, cx.now));
                    }
                    return Ok(Answer { connection, response });
                }
                // The server may close a kept connection at any moment; what can be asked twice is.
                Err(error) if error.is_canceled() || outgoing.method.is_idempotent() => {}
                Err(error) => return Err(connection.wrong(&error, Stage::Answer, hop)),
            }
        }
        let how = (&self.tls, self.version);
        let mut connection = Connection::open(&self.net, cx, hop, how, outcome).await?;
        match connection.ask(cx, hop, outgoing, last).await {
            Ok(response) => Ok(Answer { connection, response }),
            Err(error) => Err(connection.wrong(&error, Stage::Answer, hop)),
        }
    }

    fn take_kept(&self, hop: &Hop) -> Option<Connection> {
        let kept = self.kept.as_ref().filter(|_| hop.same_origin(&self.first))?;
        kept.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Where an answer leads, if it is a redirect.
    fn next(&self, hop: &Hop, response: &Response<Incoming>) -> Result<Option<Hop>, Fault> {
        let Some(location) = location(response.status(), response.headers()) else { return Ok(None) };
        let nowhere = |why: &str| {
            let text = format!("{} redirects to an address that can't be asked: {why}", hop.shown);
            Fault::failed(Class::Protocol, text)
        };
        let text = location.to_str().map_err(|_| nowhere("it is not plain text"))?;
        let mut url = hop.url.join(text).map_err(|error| nowhere(&error.to_string()))?;
        url.set_fragment(None);
        // Who asks is said by the definition, never by the answer.
        url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| nowhere("it has no host"))?;
        let shown = address::shown_elsewhere(&url, &self.first);
        let host = self.host.as_ref().filter(|_| same_place(&url, &hop.url));
        let mut next = Hop::new(url, shown, host).map_err(|why| nowhere(&why))?;
        if next.target.host == self.first.target.host {
            next.ask_for(self.tls.server_name());
        }
        Ok(Some(next))
    }

    async fn judge(
        &self,
        cx: &Context,
        hop: &Hop,
        answer: Answer,
        outcome: &mut Outcome,
    ) -> Result<(), Fault> {
        let Answer { mut connection, response } = answer;
        let (parts, body) = response.into_parts();
        outcome.measure("status_code", f64::from(parts.status.as_u16()));
        outcome.measure("version", if connection.is_http2() { 2.0 } else { 1.1 });
        if !self.status.iter().any(|statuses| statuses.contain(parts.status.as_u16())) {
            return Err(self.unexpected(hop, &parts));
        }
        let keep = self.expected.needs_body();
        let (length, body) = connection.read(cx, hop, body, (self.body_max, keep)).await?;
        outcome.measure("response_bytes", length as f64);
        outcome.faults.extend(self.expected.faults(&parts.headers, &body));
        if let Some(kept) = self.kept.as_ref().filter(|_| hop.same_origin(&self.first)) {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        }
        Ok(())
    }

    fn unexpected(&self, hop: &Hop, parts: &Parts) -> Fault {
        let class = match parts.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Class::Auth,
            StatusCode::TOO_MANY_REQUESTS => Class::Quota,
            status if status.is_server_error() => Class::Protocol,
            _ => Class::Assertion,
        };
        let words = parts.status.canonical_reason().map(|words| format!(" {words}"));
        let kind = expected::kind(&parts.headers).map(|kind| format!(" ({kind})"));
        let wanted: Vec<String> = self.status.iter().map(ToString::to_string).collect();
        let leads = self.next_shown(hop, parts);
        let leads = leads.map(|to| format!("; it leads to {to} (`redirects = 1` would follow)"));
        let later = parts.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let later = later.and_then(|value| value.parse::<u32>().ok());
        let later = later.map(|seconds| format!("; it asks to wait {seconds}s"));
        let text = format!(
            "{} answered {}{}{}, expected {}{}{}",
            hop.shown,
            parts.status.as_str(),
            words.unwrap_or_default(),
            kind.unwrap_or_default(),
            wanted.join(" or "),
            leads.unwrap_or_default(),
            later.unwrap_or_default(),
        );
        Fault::failed(class, text)
    }

    fn next_shown(&self, hop: &Hop, parts: &Parts) -> Option<String> {
        let location = location(parts.status, &parts.headers).filter(|_| self.redirects_max == 0)?;
        let url = hop.url.join(location.to_str().ok()?).ok()?;
        url.has_host().then(|| address::shown_elsewhere(&url, &self.first))
    }
}

fn location(status: StatusCode, headers: &HeaderMap) -> Option<&HeaderValue> {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308).then(|| headers.get(LOCATION)).flatten()
}

fn same_place(one: &url::Url, other: &url::Url) -> bool {
    one.origin() == other.origin()
}

/// What is asked next: as browsers do it, and never a secret to another host.
fn redirected(before: &Outgoing, status: StatusCode, from: &Hop, to: &Hop) -> Result<Outgoing, Fault> {
    let mut after = before.clone();
    let becomes_get = match status {
        StatusCode::SEE_OTHER => before.method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => before.method == Method::POST,
        _ => false,
    };
    if becomes_get {
        after.method = Method::GET;
        after.body = Bytes::new();
        after.headers.remove(CONTENT_TYPE);
        after.headers.remove(CONTENT_ENCODING);
    }
    if from.same_origin(to) {
        return Ok(after);
    }
    if !after.body.is_empty() {
        let text =
            format!("redirects to {}, another place, which must not get the body; not followed", to.shown);
        return Err(Fault::failed(Class::Assertion, text));
    }
    let mut headers = HeaderMap::with_capacity(5);
    for name in [ACCEPT, USER_AGENT] {
        if let Some(value) = after.headers.remove(&name) {
            headers.insert(name, value);
        }
    }
    Ok(Outgoing { headers, ..after })
}
