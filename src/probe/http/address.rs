//! Where a request goes: a URL taken apart once, and the form of it that may be shown.
//!
//! User, password, the values of a query and the fragment are never shown; neither is a path that came
//! out of a variable, as the addresses of webhooks are secrets as a whole.

use crate::probe::api::is_word;
use crate::probe::net::target::{Host, Target};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::Uri;
use hyper::header::HeaderValue;
use percent_encoding::percent_decode_str;
use rustls_pki_types::ServerName;
use url::{Position, Url};

/// One place to ask, prepared.
pub struct Hop {
    pub url: Url,
    /// The name that the certificate must carry, where TLS is spoken.
    pub secure: Option<ServerName<'static>>,
    pub target: Target,
    /// `/path?query`, as HTTP/1.1 asks.
    pub path: Uri,
    /// With scheme and authority, as HTTP/2 asks.
    pub full: Uri,
    /// What stands in `Host`.
    pub authority: HeaderValue,
    /// The form for reasons.
    pub shown: String,
}

impl Hop {
    /// `host` is what the definition wants to stand in `Host` instead of the URL's own.
    pub fn new(url: Url, shown: String, host: Option<&HeaderValue>) -> Result<Hop, String> {
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(format!("the scheme `{other}` is neither `http` nor `https`")),
        };
        let name = match url.host() {
            Some(url::Host::Ipv4(ip)) => Host::Ip(ip.into()),
            Some(url::Host::Ipv6(ip)) => Host::Ip(ip.into()),
            Some(url::Host::Domain(name)) => Host::parse(name).ok_or("its host is not a name")?,
            None => return Err("it has no host".to_owned()),
        };
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or("its port is 0")?;
        let own = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]);
        let authority = host.cloned().map_or(own, Ok).map_err(|_| "its host is not a name")?;
        let path = &url[Position::BeforePath..Position::AfterQuery];
        let host = authority.to_str().map_err(|_| "its host is not a name")?;
        let no_uri = |_| "its path or query holds a character that HTTP does not allow".to_owned();
        let full = Uri::try_from(format!("{}://{host}{path}", url.scheme())).map_err(no_uri)?;
        let path = Uri::try_from(path).map_err(no_uri)?;
        let target = Target { host: name, port };
        let secure = if secure { Some(target.server_name()?) } else { None };
        Ok(Hop { url, secure, target, path, full, authority, shown })
    }

    /// Expects the name of the definition in the certificate, where it gives one and TLS is spoken.
    pub fn ask_for(&mut self, wanted: Option<&ServerName<'static>>) {
        if let (Some(name), Some(wanted)) = (&mut self.secure, wanted) {
            *name = wanted.clone();
        }
    }

    /// Whether what is meant for `self` may also be told to `other`.
    pub fn same_origin(&self, other: &Hop) -> bool {
        self.secure.is_some() == other.secure.is_some() && self.target == other.target
    }
}

/// `Basic …` from the user and the password of a URL.
pub fn basic_auth(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut plain: Vec<u8> = percent_decode_str(url.username()).collect();
    plain.push(b':');
    plain.extend(percent_decode_str(url.password().unwrap_or_default()));
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(plain))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The form of a URL that may be shown. `raw` is what stands in the definition, holes included.
pub fn shown(url: &Url, raw: &str) -> String {
    let path = match raw.rsplit_once('}') {
        Some((_, literal)) if url.path() != "/" => {
            let literal = literal.split(['?', '#']).next().unwrap_or_default();
            let literal = literal.find('/').map_or("", |at| &literal[at..]);
            if literal == url.path() { literal.to_owned() } else { format!("/…{literal}") }
        }
        _ => url.path().to_owned(),
    };
    whole(url, &path)
}

/// The form of a URL that an answer leads to from `first`, the place of the definition. What is no word in it
/// may be anybody's data; and where the definition's own path is not shown, it would likely be repeated here.
pub fn shown_elsewhere(url: &Url, first: &Hop) -> String {
    let own = first.url.path();
    if own != "/" && !first.shown.contains(own) && url.path() != "/" {
        return whole(url, "/…");
    }
    let segments = url.path().split('/').map(|segment| if is_word(segment) { segment } else { "…" });
    whole(url, &segments.collect::<Vec<_>>().join("/"))
}

fn whole(url: &Url, path: &str) -> String {
    let origin = format!("{}://{}", url.scheme(), &url[Position::BeforeHost..Position::AfterPort]);
    format!("{origin}{}{}", bounded(path), url.query().map(shown_query).unwrap_or_default())
}

/// A redirect may lead to a path of any length.
fn bounded(path: &str) -> String {
    const SHOWN_MAX: usize = 120;
    match path.char_indices().nth(SHOWN_MAX) {
        None => path.to_owned(),
        Some((at, _)) => format!("{}…", &path[..at]),
    }
}

fn shown_query(query: &str) -> String {
    const PAIRS_MAX: usize = 6;
    let pairs = query.split('&').take(PAIRS_MAX).map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_word(name) => format!("{name}=…"),
        _ => "…".to_owned(),
    });
    format!("?{}", pairs.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, raw: Option<&str>, expected: &str) {
        let url = Url::parse(address).expect("a URL");
        assert_eq!(shown(&url, raw.unwrap_or(address)), expected);
    }

    #[test]
    fn a_redirect_repeats_no_path_that_is_a_secret_and_nobodys_data() {
        let check = |first: (&str, &str), to: &str, expected: &str| {
            let url = Url::parse(first.0).expect("a URL");
            let own = shown(&url, first.1);
            let first = Hop::new(url, own, None).expect("a place");
            assert_eq!(shown_elsewhere(&Url::parse(to).expect("a URL"), &first), expected);
        };
        let hook = ("http://hooks.example/T000/XXXX", "${HOOK}");
        check(hook, "https://hooks.example/T000/XXXX/?a=1", "https://hooks.example/…?a=…");
        check(hook, "https://hooks.example/", "https://hooks.example/");
        let shop = ("http://shop.example/", "${SITE}");
        check(shop, "https://shop.example/en/login", "https://shop.example/en/login");
        check(
            shop,
            "https://shop.example/of/jane@shop.example/4111111111111111?jane@shop.example=1",
            "https://shop.example/of/…/…?…",
        );
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        check("https://ada:pass@shop.example/a?key=1#part", None, "https://shop.example/a?key=…");
        check("http://shop.example:8080/?a=1&b&=&token", None, "http://shop.example:8080/?a=…&…&=…&…");
        check("http://[::1]:80/", None, "http://[::1]/");
    }

    #[test]
    fn a_path_out_of_a_variable_is_not_shown() {
        let raw = Some("${SITE}/api/health");
        check("https://shop.example/api/health", raw, "https://shop.example/api/health");
        check("https://shop.example/secret/api/health", raw, "https://shop.example/…/api/health");
        check("https://hooks.example/T000/XXXX", Some("${HOOK}"), "https://hooks.example/…");
        check(
            "https://hooks.example/T000/ok",
            Some("https://hooks.example/${T}/ok"),
            "https://hooks.example/…/ok",
        );
        check(
            "https://hooks.example/idXXXX",
            Some("https://hooks.example/id${T}"),
            "https://hooks.example/…",
        );
        check("https://shop.example/", Some("${SITE}"), "https://shop.example/");
        check(
            "https://a:b@shop.example/ok",
            Some("https://a:${B}@shop.example/ok"),
            "https://shop.example/ok",
        );
    }

    #[test]
    fn a_url_is_taken_apart_once() {
        let url = Url::parse("https://ada:p%40ss@Shop.Example/a b?c=d e#f").expect("a URL");
        assert_eq!(basic_auth(&url).expect("a user"), "Basic YWRhOnBAc3M=");
        let hop = Hop::new(url, String::new(), None).expect("a place");
        assert_eq!(hop.target.to_string(), "shop.example:443");
        assert_eq!(hop.path.to_string(), "/a%20b?c=d%20e");
        assert_eq!(hop.full.to_string(), "https://shop.example/a%20b?c=d%20e");
        assert_eq!(hop.authority, "shop.example");
        for wrong in ["ftp://shop.example", "mailto:a@b.example", "http://shop.example:0/"] {
            assert!(Hop::new(Url::parse(wrong).expect("a URL"), String::new(), None).is_err(), "{wrong}");
        }
    }
}
