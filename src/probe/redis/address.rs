//! The address as the shop's own clients take it: `redis://user:password@host:port/database`.

use crate::probe::Build;
use crate::probe::net::target::{Host, Target};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use std::borrow::Cow;
use url::Url;

/// Where to connect to and as whom.
pub struct Address {
    pub target: Target,
    pub tls: bool,
    pub user: Option<String>,
    pub password: SecretString,
    pub database: u32,
}

const FORM: &str = "`redis://`, `rediss://` or `valkey://`, then `user:password@host:port/database` \
                    (all but the host may be left out)";

impl Address {
    /// Reports what is wrong with the key `url` and never shows any of it: it may be a secret.
    pub fn build(build: &mut Build<'_>, url: &SecretString) -> Option<Address> {
        match parse(url.expose_secret()) {
            Ok(address) => Some(address),
            Err((what, hint)) => {
                match hint {
                    Some(hint) => build.fault_with_hint("url", what, hint),
                    None => build.fault("url", what),
                }
                None
            }
        }
    }
}

type Wrong = (String, Option<&'static str>);

fn parse(text: &str) -> Result<Address, Wrong> {
    const ENCODE: &str =
        "in a password, `@`, `#`, `/`, `?` and `%` must be written as `%40`, `%23`, `%2F`, `%3F`, `%25`";
    let wrong = |what: &str, hint| (format!("{what}; an address is {FORM}"), hint);
    let text = text.trim();
    if text.starts_with("https://") || text.starts_with("http://") {
        return Err(wrong(
            "this is a web address",
            Some("for Upstash's REST interface there is `probe.upstash`"),
        ));
    }
    let url = Url::parse(text).map_err(|_| wrong("this can't be read", Some(ENCODE)))?;
    let tls = match url.scheme() {
        "redis" | "valkey" => false,
        "rediss" | "valkeys" => true,
        _ => return Err(wrong("this is no address of Redis", None)),
    };
    if url.fragment().is_some() {
        return Err(wrong("a `#` means nothing here", Some("to take any certificate, set `tls.insecure`")));
    }
    let host = url.host_str().unwrap_or("");
    let host =
        Host::parse(host.trim_matches(['[', ']'])).ok_or_else(|| wrong("there is no host", Some(ENCODE)))?;
    let database = match url.path().trim_matches('/') {
        "" => 0,
        number => number.parse().map_err(|_| wrong("the database is no number", Some(ENCODE)))?,
    };
    let decode = |part: &str| percent_decode_str(part).decode_utf8().map(Cow::into_owned);
    let not_text = |_| wrong("user or password is no text", Some(ENCODE));
    let user = decode(url.username()).map_err(not_text)?;
    let password = decode(url.password().unwrap_or("")).map_err(not_text)?;
    Ok(Address {
        target: Target { host, port: url.port().unwrap_or(6379) },
        tls,
        user: Some(user).filter(|user| !user.is_empty()),
        password: SecretString::from(password),
        database,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, target: &str, tls: bool, user_and_password: (&str, &str), database: u32) {
        let found = parse(url).unwrap_or_else(|(what, _)| panic!("{url}: {what}"));
        assert_eq!((found.target.to_string().as_str(), found.tls, found.database), (target, tls, database));
        let user = found.user.as_deref().unwrap_or("");
        assert_eq!((user, found.password.expose_secret()), user_and_password, "{url}");
    }

    #[test]
    fn addresses_as_other_clients_take_them() {
        check("redis://localhost", "localhost:6379", false, ("", ""), 0);
        check("redis://:pass@10.0.0.1:6380/3", "10.0.0.1:6380", false, ("", "pass"), 3);
        check(
            "rediss://default:p%40%23s@eu1.upstash.io:6379/",
            "eu1.upstash.io:6379",
            true,
            ("default", "p@#s"),
            0,
        );
        check("valkey://watch:w@[::1]:7000/1?timeout=5", "[::1]:7000", false, ("watch", "w"), 1);
    }

    #[test]
    fn what_is_wrong_is_said_without_showing_it() {
        for url in [
            "",
            "marked",
            "redis://",
            "redis://:marked#x@host:1",
            "http://marked",
            "redis://:marked/x@host",
            "redis://marked/one",
            "amqp://marked",
            "redis://marked:99999",
            "rediss://h#insecure",
        ] {
            let Err((what, hint)) = parse(url) else { panic!("{url} was taken") };
            assert!(!what.contains("marked") && !hint.unwrap_or("").contains("marked"), "{url}: {what}");
        }
    }
}
