//! Where a request comes from: from this machine, or from anywhere.
//!
//! That the connection comes from this machine is not enough. A reverse proxy here hands on strangers, and says so in a
//! header; older ones that say nothing speak HTTP/1.0. A page of a stranger in a browser here may ask too: by a name of
//! its own that leads here (DNS rebinding), which the `Host` shows, or from its own place, which the browser tells.

use crate::web::server::Peer;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Version, header};
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
