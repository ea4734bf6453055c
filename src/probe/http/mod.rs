//! `http`: whether an address answers as it should, with a new connection for each run unless told
//! otherwise, and how long each part of that took.

mod address;
mod exchange;
mod expected;
mod json;
mod look;
mod status;
mod wrong;

use crate::config::text::Text;
use crate::config::value::Size;
use crate::probe::expect::{Many, Matcher, Pattern, Wanted};
use crate::probe::net::tls::{self, Alpn, CERTIFICATE_EXPIRY, Tls};
use crate::probe::{Build, Kind, MeasureInfo, Run};
use address::Hop;
use bytes::Bytes;
use exchange::Outgoing;
use expected::Expected;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method};
use json::{Expectation, Pointer};
use look::Look;
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;
use status::Statuses;
use std::collections::BTreeMap;
use std::sync::Mutex;
use url::Url;

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// `http://` or `https://`. A user and a password in it become basic authentication.
    url: Text,
    /// GET unless given.
    #[serde(default)]
    method: Verb,
    /// Headers to send, by name.
    #[serde(default)]
    headers: BTreeMap<String, Text>,
    /// The body to send.
    body: Option<Text>,
    /// How many redirects to follow; none unless given. Only the last answer is judged.
    #[serde(default)]
    redirects: u8,
    /// The expected status, or a list: codes (204), classes ("2xx"), ranges ("200-204"). "2xx" unless given.
    #[serde(default)]
    status: Many<Statuses>,
    /// What the answer's headers must be, by name.
    #[serde(default)]
    header: BTreeMap<String, Matcher>,
    /// A text, or a list of texts, that the body must contain.
    #[serde(default)]
    contains: Many<Text>,
    /// A text, or a list of texts, that the body must not contain.
    #[serde(default)]
    not_contains: Many<Text>,
    /// A regular expression, or a list of them, that the body must match.
    #[serde(default)]
    regex: Many<Pattern>,
    /// What must be at places of a JSON body, by JSON pointer: `json."/status" = "ok"`, `"< 100"`, `"!= null"`.
    #[serde(default)]
    json: BTreeMap<Pointer, Expectation>,
    /// The longest body that is read; a longer one is a failure. "1MiB" unless given, "64MiB" at most.
    #[serde(default = "body_max")]
    body_max: Size,
    /// The version of HTTP: "1.1", "2" (without TLS: from the first byte), or "auto": what the server
    /// chooses in the TLS handshake, "1.1" without TLS.
    #[serde(default)]
    version: HttpVersion,
    /// Keep one connection between runs, in place of a new one for each.
    #[serde(default)]
    keep_alive: bool,
    /// How TLS is spoken.
    tls: Option<Tls>,
}

/// A method that makes sense for a check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
enum Verb {
    #[default]
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
enum HttpVersion {
    #[serde(rename = "1.1")]
    One,
    #[serde(rename = "2")]
    Two,
    #[default]
    #[serde(rename = "auto")]
    Auto,
}

const BODY_MAX: Size = Size::from_bytes(64 * 1024 * 1024);
const USER: HeaderValue = HeaderValue::from_static(concat!("atalaya/", env!("CARGO_PKG_VERSION")));

/// Headers that belong to the connection, not to what is asked.
const OWN: [&str; 7] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];

const fn body_max() -> Size {
    Size::from_bytes(1024 * 1024)
}

impl Kind for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        &[
            MeasureInfo { name: "status_code", help: "Status of the last answer." },
            MeasureInfo { name: "response_bytes", help: "Length of the last answer's body." },
            MeasureInfo { name: "redirects", help: "Redirects that were followed." },
            MeasureInfo { name: "version", help: "Version of HTTP that the last answer came in: 1.1 or 2." },
            CERTIFICATE_EXPIRY,
        ]
    }

    fn may_yield(&self, measure: &str) -> bool {
        // A redirect may lead from http to https; otherwise the scheme settles whether there is TLS.
        let plain = self.url.raw().starts_with("http://") && self.redirects == 0;
        let known = self.measures().iter().any(|info| info.name == measure);
        known && !(plain && measure == CERTIFICATE_EXPIRY.name)
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        // Each part is built before any is asked for, so that all faults are said at once.
        let headers = self.build_headers(build);
        let hop = self.build_hop(build, headers.as_ref().and_then(|headers| headers.get(HOST)));
        let body = match &self.body {
            None => Some(Bytes::new()),
            Some(text) => build.secret("body", text).map(|body| Bytes::from(body.expose_secret().to_owned())),
        };
        let expected = self.build_expected(build);
        let tls = tls::Client::build(build, self.tls.as_ref(), self.alpn());
        if self.body_max > BODY_MAX {
            build.fault("body_max", format!("`{}` is more than {BODY_MAX}", self.body_max));
            return None;
        }
        let (mut headers, (mut hop, auth), tls) = (headers?, hop?, tls?);
        hop.ask_for(tls.server_name());
        let host = headers.remove(HOST);
        if let Some(auth) = auth {
            if headers.contains_key(AUTHORIZATION) {
                build.fault("headers.authorization", "the URL has a user as well; one of them is too many");
                return None;
            }
            headers.insert(AUTHORIZATION, auth);
        }
        let success = vec![Statuses::SUCCESS];
        Some(Box::new(Look {
            net: build.net.clone(),
            first: hop,
            host,
            outgoing: Outgoing { method: self.method.into(), headers, body: body? },
            redirects_max: usize::from(self.redirects),
            status: if self.status.as_slice().is_empty() { success } else { self.status.as_slice().to_vec() },
            expected: expected?,
            body_max: self.body_max,
            version: self.version.into(),
            kept: self.keep_alive.then(|| Mutex::new(None)),
            tls,
        }))
    }
}

impl Http {
    fn alpn(&self) -> Alpn {
        match self.version {
            HttpVersion::One => Alpn::Http1,
            HttpVersion::Two => Alpn::Http2,
            HttpVersion::Auto => Alpn::Either,
        }
    }

    fn build_hop(
        &self,
        build: &mut Build<'_>,
        host: Option<&HeaderValue>,
    ) -> Option<(Hop, Option<HeaderValue>)> {
        let filled = build.secret("url", &self.url)?;
        let made = Url::parse(filled.expose_secret()).map_err(|error| error.to_string()).and_then(|url| {
            let shown = address::shown(&url, self.url.raw());
            let auth = address::basic_auth(&url);
            Ok((Hop::new(url, shown, host)?, auth))
        });
        let hint = "write it as \"https://shop.example/path\"";
        made.map_err(|why| {
            build.fault_with_hint("url", format!("`{}` can't be asked: {why}", self.url.raw()), hint);
        })
        .ok()
    }

    fn build_headers(&self, build: &mut Build<'_>) -> Option<HeaderMap> {
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 5);
        headers.insert(USER_AGENT, USER);
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        let mut whole = true;
        for (name, text) in &self.headers {
            let key = format!("headers.{name}");
            let value = build.secret(&key, text);
            let Some(name) = header_name(build, &key, name) else {
                whole = false;
                continue;
            };
            if OWN.contains(&name.as_str()) {
                build.fault(&key, format!("`{name}` is set by atalaya itself"));
                whole = false;
                continue;
            }
            let value = value.map(|value| HeaderValue::from_str(value.expose_secret()));
            match value {
                Some(Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
                Some(Err(_)) => {
                    build.fault(&key, "the value holds a character that a header can't carry");
                    whole = false;
                }
                None => whole = false,
            }
        }
        whole.then_some(headers)
    }

    fn build_expected(&self, build: &mut Build<'_>) -> Option<Expected> {
        let mut headers = Vec::new();
        for (name, matcher) in &self.header {
            let key = format!("header.{name}");
            let (name, matcher) = (header_name(build, &key, name), matcher.build(build, &key));
            headers.push(name.zip(matcher));
        }
        let mut wanted = |key: &str, texts: &Many<Text>| {
            let built: Vec<_> = texts.as_slice().iter().map(|text| Wanted::build(build, key, text)).collect();
            built.into_iter().collect::<Option<Vec<_>>>()
        };
        let (contains, not_contains) =
            (wanted("contains", &self.contains), wanted("not_contains", &self.not_contains));
        Some(Expected {
            headers: headers.into_iter().collect::<Option<Vec<_>>>()?,
            contains: contains?,
            not_contains: not_contains?,
            regex: self.regex.as_slice().to_vec(),
            json: self.json.iter().map(|(at, wanted)| (at.clone(), wanted.clone())).collect(),
        })
    }
}

fn header_name(build: &mut Build<'_>, key: &str, name: &str) -> Option<HeaderName> {
    let made = HeaderName::from_bytes(name.as_bytes());
    made.map_err(|_| build.fault(key, format!("`{name}` is not the name of a header"))).ok()
}

impl From<Verb> for Method {
    fn from(verb: Verb) -> Method {
        match verb {
            Verb::Get => Method::GET,
            Verb::Head => Method::HEAD,
            Verb::Options => Method::OPTIONS,
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
            Verb::Patch => Method::PATCH,
            Verb::Delete => Method::DELETE,
        }
    }
}

impl From<HttpVersion> for exchange::Wanted {
    fn from(version: HttpVersion) -> exchange::Wanted {
        match version {
            HttpVersion::One => exchange::Wanted::Http1,
            HttpVersion::Two => exchange::Wanted::Http2,
            HttpVersion::Auto => exchange::Wanted::Either,
        }
    }
}
