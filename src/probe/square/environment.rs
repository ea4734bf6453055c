//! Square's two environments, which differ by host, by token and by application id.

use std::fmt;
use url::{Host, Url};

/// Where money is real, and where it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    Production,
    Sandbox,
}

impl Environment {
    pub fn from_name(name: &str) -> Option<Environment> {
        [Environment::Production, Environment::Sandbox]
            .into_iter()
            .find(|environment| name.trim().eq_ignore_ascii_case(environment.as_str()))
    }

    /// Which environment an application id is of.
    pub fn of_application(id: &str) -> Option<Environment> {
        match id {
            id if id.starts_with("sandbox-sq0idb-") => Some(Environment::Sandbox),
            id if id.starts_with("sq0idp-") => Some(Environment::Production),
            _ => None,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Environment::Production => "production",
            Environment::Sandbox => "sandbox",
        }
    }

    pub const fn host(self) -> &'static str {
        match self {
            Environment::Production => "connect.squareup.com",
            Environment::Sandbox => "connect.squareupsandbox.com",
        }
    }

    pub const fn other(self) -> Environment {
        match self {
            Environment::Production => Environment::Sandbox,
            Environment::Sandbox => Environment::Production,
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The URL to put paths behind, or why it is none. A real token never travels in clear text but on this machine.
pub fn base_of(given: &str, environment: Environment) -> Result<String, String> {
    let url = Url::parse(given).map_err(|error| format!("is no URL: {error}"))?;
    let host = url.host().ok_or("names no host")?;
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err("has more than scheme, host, port and path".to_owned());
    }
    let is_loopback = match &host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback || environment == Environment::Sandbox => {}
        "http" => return Err("would carry a production token in clear text; use https".to_owned()),
        _ => return Err("is neither http nor https".to_owned()),
    }
    if host == Host::Domain(environment.other().host()) {
        return Err(format!("is Square's {} while {environment} is expected", environment.other()));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, environment: Environment, expected: Result<&str, &str>) {
        let found = base_of(url, environment);
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{url}");
    }

    #[test]
    fn where_square_is() {
        use Environment::{Production, Sandbox};
        check("http://127.0.0.1:8080/", Production, Ok("http://127.0.0.1:8080"));
        check("http://[::1]:8080", Production, Ok("http://[::1]:8080"));
        check("http://square.test/api/", Sandbox, Ok("http://square.test/api"));
        check("https://proxy.test:8443/square", Production, Ok("https://proxy.test:8443/square"));
        check(
            "http://square.test",
            Production,
            Err("would carry a production token in clear text; use https"),
        );
        check("ftp://square.test", Sandbox, Err("is neither http nor https"));
        check("https://proxy.test/?a=b", Sandbox, Err("has more than scheme, host, port and path"));
        check(
            "https://connect.squareupsandbox.com",
            Production,
            Err("is Square's sandbox while production is expected"),
        );
        check("connect.squareup.com", Production, Err("is no URL: relative URL without a base"));
    }
}
