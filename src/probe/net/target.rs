//! Where to connect to: a name or an address, and a port.

use hickory_resolver::proto::rr::Name;
use rustls_pki_types::{DnsName, ServerName};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// A host and a port that were checked when the definition was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub host: Host,
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// Needs no resolving.
    Ip(IpAddr),
    Name(Box<str>),
}

impl Target {
    /// From `host:port`, `1.2.3.4:port` or `[::1]:port`.
    pub fn parse(address: &str) -> Result<Target, String> {
        let wrong = || format!("`{address}` is not `host:port`, such as \"db.example:5432\" or \"[::1]:80\"");
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(v6) => Host::Ip(IpAddr::V6(v6.parse::<Ipv6Addr>().map_err(|_| wrong())?)),
            None if host.contains(':') => return Err(wrong()),
            None => Host::parse(host).ok_or_else(wrong)?,
        };
        Ok(Target { host, port })
    }

    /// The name that a certificate must carry. The error doesn't show it: it may have come out of a variable.
    pub fn server_name(&self) -> Result<ServerName<'static>, String> {
        self.host.server_name()
    }
}

impl Host {
    /// A name that can be asked for, or an address without brackets.
    pub fn parse(host: &str) -> Option<Host> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Some(Host::Ip(ip));
        }
        let speakable = !host.is_empty() && host.is_ascii() && Name::from_str(host).is_ok();
        let clean = host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/@[]".contains(&byte));
        (speakable && clean).then(|| Host::Name(host.into()))
    }

    fn server_name(&self) -> Result<ServerName<'static>, String> {
        match self {
            Host::Ip(ip) => Ok(ServerName::IpAddress((*ip).into())),
            Host::Name(name) => DnsName::try_from(name.trim_end_matches('.').to_owned())
                .map(ServerName::DnsName)
                .map_err(|_| "the host is not a name that a certificate can carry".to_owned()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Host::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Host::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Target {
        Target { host: Host::Ip(address.ip()), port: address.port() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expected: Option<&str>) {
        let found = Target::parse(address).map(|target| target.to_string()).ok();
        assert_eq!(found.as_deref(), expected, "{address}");
    }

    #[test]
    fn addresses_are_a_host_and_a_port() {
        check("db.example:5432", Some("db.example:5432"));
        check("127.0.0.1:80", Some("127.0.0.1:80"));
        check("[::1]:80", Some("[::1]:80"));
        check("_srv.local:1", Some("_srv.local:1"));
        for wrong in ["", "db", "db:", ":80", "db:0", "db:65536", "::1:80", "[::1]", "[db]:80", "a b:80"] {
            check(wrong, None);
        }
        check("http://shop.example:80", None);
        check("a..b:80", None);
    }

    #[test]
    fn a_host_that_no_certificate_can_carry_is_not_shown() {
        let target = Target::parse("marked-:443").expect("a name that can be asked for");
        let error = target.server_name().expect_err("a label ends with a hyphen");
        assert_eq!(error, "the host is not a name that a certificate can carry");
    }
}
