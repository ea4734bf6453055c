//! Where a request comes from: from this machine, or from anywhere.
//!
//! That the connection comes from this machine is not enough. A reverse proxy here hands on strangers, and says so in a
//! header; older ones that say nothing speak HTTP/1.0. A page of a stranger in a browser here may ask too: by a name of
//! its own that leads here (DNS rebinding), which the `Host` shows, or from its own place, which the browser tells.

use crate::web::server::Peer;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Version, header};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// What a proxy adds; so does whatever begins with `x-forwarded`.
const FORWARDED: [&str; 7] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-original-forwarded-for",
    "cf-connecting-ip",
    "true-client-ip",
];

/// Whose wrong credentials are counted together: an address (of IPv6 a network of 64 bits, which one customer has).
/// Those whom a proxy here hands on are not this machine, and are told apart by what it says of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    address: Option<IpAddr>,
    forwarded: bool,
}

impl Source {
    pub fn of(parts: &Parts) -> Source {
        let peer = peer(parts);
        let forwarded = peer.is_none_or(|peer| peer.is_loopback()) && is_forwarded(&parts.headers);
        let last_hop = || {
            let hops = parts.headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            hops.rsplit(',').next()?.trim().parse().ok()
        };
        let address = if forwarded { last_hop().or(peer) } else { peer };
        Source { address: address.map(network), forwarded }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{address}")?,
            None => f.write_str("somewhere")?,
        }
        f.write_str(if self.forwarded { " by a proxy here" } else { "" })
    }
}

/// Whether it is one of this machine who asks.
pub fn is_local(parts: &Parts) -> bool {
    peer(parts).is_some_and(|peer| peer.is_loopback())
        && parts.version > Version::HTTP_10
        && asked_host(parts).is_some_and(|host| is_loopback_name(&host))
        && !is_forwarded(&parts.headers)
        && text(&parts.headers, "sec-fetch-site") != Some("cross-site")
}

/// The name or address under which it was asked, in lowercase, without a port; none where it is not clear.
pub fn asked_host(parts: &Parts) -> Option<String> {
    asked_authority(parts).map(|authority| host_of(&authority))
}

/// As [`asked_host`], with the port where one is given.
pub fn asked_authority(parts: &Parts) -> Option<Authority> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host: Authority = hosts.next()?.to_str().ok()?.parse().ok()?;
    let agrees = parts.uri.authority().is_none_or(|asked| *asked == host);
    (hosts.next().is_none() && agrees && !host.as_str().contains('@')).then_some(host)
}

pub fn host_of(authority: &Authority) -> String {
    authority.host().trim_end_matches('.').to_lowercase()
}

/// `localhost`, what is below it, and addresses of this machine.
pub fn is_loopback_name(host: &str) -> bool {
    match address_of(host) {
        Some(address) => address.is_loopback(),
        None => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// An address that stands where a name may.
pub fn address_of(host: &str) -> Option<IpAddr> {
    let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    plain.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn peer(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<Peer>().map(|peer| peer.address.ip().to_canonical())
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| FORWARDED.contains(&name.as_str()) || name.as_str().starts_with("x-forwarded"))
}

/// An address as far as one customer has it.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::server::places::Places;
    use axum::http::Request;

    const BEFORE: &str = "host: localhost:9760";

    /// A request from this address with these lines, the first of which may be the version.
    fn parts(peer: &str, lines: &str) -> Parts {
        let mut request = Request::builder().uri("/");
        for line in lines.split('\n') {
            request = match line.split_once(": ") {
                Some((name, value)) => request.header(name, value),
                None if line == "HTTP/1.0" => request.version(Version::HTTP_10),
                None => request.uri(line),
            };
        }
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        let address: std::net::SocketAddr = peer.parse().expect("an address");
        let held = Places::default().take(address.ip()).expect("a place");
        parts.extensions.insert(Peer::new(address, false, &held));
        parts
    }

    fn check(peer: &str, lines: &str, local: bool) {
        assert_eq!(is_local(&parts(peer, lines)), local, "{peer} {lines}");
    }

    #[test]
    fn who_asks_from_this_machine_for_this_machine_is_local() {
        for peer in ["127.0.0.1:5", "127.8.9.1:5", "[::1]:5", "[::ffff:127.0.0.1]:5"] {
            for host in
                ["localhost", "localhost:9760", "127.0.0.1:9760", "[::1]:9760", "LocalHost.", "a.localhost:1"]
            {
                check(peer, &format!("host: {host}"), true);
            }
        }
        check("127.0.0.1:5", &format!("{BEFORE}\nsec-fetch-site: none"), true);
        check("127.0.0.1:5", &format!("{BEFORE}\nsec-fetch-site: same-origin"), true);
        check("127.0.0.1:5", &format!("http://localhost:9760/\n{BEFORE}"), true);
    }

    #[test]
    fn who_comes_from_elsewhere_or_was_handed_on_is_not() {
        for peer in ["192.0.2.1:5", "10.0.0.1:5", "[2001:db8::1]:5", "[::ffff:192.0.2.1]:5", "0.0.0.0:5"] {
            check(peer, BEFORE, false);
        }
        for handed_on in [
            "forwarded: for=127.0.0.1",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-for: ",
            "X-Forwarded-Proto: http",
            "x-forwarded-anything: 1",
            "x-real-ip: 127.0.0.1",
            "via: 1.1 proxy",
            "cf-connecting-ip: 127.0.0.1",
            "HTTP/1.0",
            "sec-fetch-site: cross-site",
        ] {
            check("127.0.0.1:5", &format!("{BEFORE}\n{handed_on}"), false);
        }
    }

    #[test]
    fn a_name_that_is_made_to_lead_here_is_not_this_machine() {
        for host in [
            "evil.example",
            "localhost.evil.example",
            "evillocalhost",
            "127.0.0.1.evil.example",
            "192.0.2.1",
            "a@localhost",
            "[::2]",
            "127.1",
            "0.0.0.0",
        ] {
            check("127.0.0.1:5", &format!("host: {host}"), false);
        }
        check("127.0.0.1:5", "accept: x", false);
        check("127.0.0.1:5", "host: localhost\nhost: localhost", false);
        check("127.0.0.1:5", "http://evil.example/\nhost: localhost", false);
        check("127.0.0.1:5", "http://localhost/\nhost: evil.example", false);
    }

    #[test]
    fn failures_are_counted_by_who_it_really_is() {
        let source = |peer: &str, lines: &str| Source::of(&parts(peer, lines));
        let here = source("127.0.0.1:5", BEFORE);
        let handed_on = |who: &str| source("127.0.0.1:5", &format!("{BEFORE}\nx-forwarded-for: {who}"));
        assert_eq!(here, source("127.0.0.1:6", BEFORE));
        assert_ne!(here, handed_on("127.0.0.1"), "strangers do not lock out this machine");
        assert_eq!(
            handed_on("198.51.100.9, 203.0.113.1"),
            handed_on("203.0.113.1"),
            "the nearest proxy knows"
        );
        assert_ne!(handed_on("203.0.113.1"), handed_on("203.0.113.2"));
        let far = |who: &str| source("192.0.2.1:5", &format!("{BEFORE}\nx-forwarded-for: {who}"));
        assert_eq!(far("203.0.113.1"), far("203.0.113.2"), "a stranger names nobody else");
        let network = |address: &str| source(&format!("[{address}]:5"), BEFORE);
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }
}
