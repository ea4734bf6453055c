//! What a database's error means: whose it is, and the way out.
//!
//! Judged by SQLSTATE, since messages come in the server's language; by words only where poolers give
//! one code to everything. A message is shown only where it can't hold a value from a table. An
//! error of the query itself is `unknown`: nothing was measured, and that says nothing about the shop.

use super::address::Server;
use crate::outcome::Class::{self, Assertion, Auth, Connect, Internal, Protocol, Quota, Timeout, Tls};
use crate::outcome::{Fault, Status};
use std::borrow::Cow;
use std::io::ErrorKind;

/// What a code, and where it is not enough a word of the message, means.
struct Rule {
    code: &'static str,
    words: &'static str,
    status: Status,
    class: Class,
    way_out: &'static str,
}

const fn failed(code: &'static str, words: &'static str, class: Class, way_out: &'static str) -> Rule {
    Rule { code, words, status: Status::Failed, class, way_out }
}

const fn unknown(code: &'static str, class: Class, way_out: &'static str) -> Rule {
    Rule { code, words: "", status: Status::Unknown, class, way_out }
}

const EXHAUSTED: &str = "the pooler's pool is exhausted: look for sessions that hold a connection";
const LOGIN_BEHIND: &str = "the pooler answers, but gets no connection to the server behind it";
const ROLE: &str = "check user and password in the address";
const NEED_TLS: &str = "write `sslmode=require` in the address";

/// The first that fits is taken. Of poolers: pgbouncer's by its words (code 08P01), Supavisor's by the word in parentheses.
const RULES: [Rule; 45] = [
    failed("08", "query_wait_timeout", Quota, EXHAUSTED),
    failed(
        "08",
        "no more connections allowed",
        Quota,
        "the pooler takes no more clients (`max_client_conn`)",
    ),
    failed("08", "login has been failing", Connect, LOGIN_BEHIND),
    failed("08", "no such database", Assertion, "check the database's name in the address"),
    // What the server behind it said, pgbouncer passes on without the server's code.
    failed("08", "does not exist", Assertion, "check role and database in the address"),
    failed("08", "too many", Quota, "the server behind the pooler has no connection left"),
    failed("08", "no such user", Auth, ROLE),
    failed("08", "authentication failed", Auth, ROLE),
    failed("08", "SSL required", Tls, NEED_TLS),
    failed("08", "unsupported startup parameter", Internal, "unset PGOPTIONS in the agent's environment"),
    failed("08", "login", Connect, LOGIN_BEHIND),
    failed("08", "server", Connect, LOGIN_BEHIND),
    failed("08", "", Connect, "the connection broke"),
    failed(
        "58",
        "no more connections allowed",
        Quota,
        "the pooler takes no more clients (`max_client_conn`)",
    ),
    failed("XX", "(EMAXCONN", Quota, "the pooler takes no more clients"),
    failed("XX", "max clients reached", Quota, "the pooler takes no more clients"),
    failed("XX", "(ECHECKOUTTIMEOUT)", Quota, EXHAUSTED),
    failed(
        "XX",
        "(ENOTFOUND)",
        Auth,
        "check project reference and region in the address; a paused project answers so too",
    ),
    failed(
        "XX",
        "Tenant or user not found",
        Auth,
        "check project reference and region in the address; a paused project answers so too",
    ),
    failed("XX", "(EAUTHQUERY)", Auth, "the pooler can't look up the role"),
    failed(
        "XX",
        "(EADDRNOTALLOWED)",
        Auth,
        "allow the agent's address in the project's network restrictions",
    ),
    failed(
        "XX",
        "(EBANNED)",
        Auth,
        "too many failed logins from this address: correct the password and lift the ban",
    ),
    failed("XX", "(ESSLREQUIRED)", Tls, NEED_TLS),
    failed("XX", "(E", Connect, LOGIN_BEHIND),
    failed("XX", "", Protocol, "an internal error of the server: see its log"),
    failed("28P01", "", Auth, ROLE),
    failed("28", "no encryption", Tls, NEED_TLS),
    failed("28", "SSL off", Tls, NEED_TLS),
    failed("28", "", Auth, "check role and database in the address, and the server's pg_hba.conf"),
    failed("3D", "", Assertion, "check the database's name in the address"),
    failed("53300", "", Quota, "no connection is left: look for idle ones, or raise the limit"),
    failed("53", "", Protocol, "the server ran out of a resource: see its log"),
    failed(
        "57014",
        "statement timeout",
        Timeout,
        "the query is slower than the `timeout` of the check allows",
    ),
    failed(
        "57014",
        "",
        Timeout,
        "somebody cancelled it, or it was slower than the `timeout` of the check allows",
    ),
    failed("57P03", "", Connect, "the server is starting, stopping or recovering"),
    failed("57", "", Connect, "an administrator or a restart ended the session"),
    failed("55P03", "", Timeout, "another session holds a lock on what the query reads"),
    failed("58", "", Protocol, "the server has trouble with its disk or system: see its log"),
    failed("42501", "", Auth, "grant it to the role of the check"),
    unknown("25006", Assertion, "a check may only read"),
    unknown("40", Protocol, "the next run tries again"),
    unknown("42", Protocol, "correct the query"),
    unknown("22", Protocol, "correct the query or the data that it reads"),
    unknown("0A", Protocol, "correct the query"),
    unknown("", Protocol, "see the server's log"),
];

/// Why there is no connection.
pub fn connecting(server: &Server, error: &sqlx::Error) -> Fault {
    let place = server.place();
    match error {
        sqlx::Error::Database(error) => {
            let fault = judge(error.code(), error.message());
            Fault { text: format!("{server} refuses `{}`: {}", server.user(), fault.text), ..fault }
        }
        sqlx::Error::Io(error) => io(&place, error),
        sqlx::Error::Tls(error) => match error.downcast_ref::<rustls::Error>() {
            Some(error) => tls(&place, error),
            None if error.to_string().contains("does not support TLS") => Fault::failed(
                Tls,
                format!("{place} does not take TLS connections; the address demands one with its `sslmode`"),
            ),
            None => Fault::failed(Tls, format!("no TLS with {place}: {error}")),
        },
        // The answer to the question for TLS was no byte at all, which sqlx takes for a zero.
        sqlx::Error::Protocol(text) if text.contains("SSLRequest: 0x00") => closed(&place),
        sqlx::Error::Protocol(_) => Fault::failed(
            Protocol,
            format!("what answers at {place} does not speak PostgreSQL's protocol; check host and port"),
        ),
        error => Fault::internal(format!("can't connect to {place}: {error}")),
    }
}

/// Why a question has no answer.
pub fn asking(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(error) => judge(error.code(), error.message()),
        sqlx::Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Fault::failed(Connect, "the server closed the connection before it answered")
        }
        sqlx::Error::Io(error) => Fault::failed(Connect, format!("the connection broke: {error}")),
        sqlx::Error::Protocol(_) => Fault::failed(Protocol, "the answer breaks PostgreSQL's protocol"),
        error => Fault::internal(format!("can't read the answer: {error}")),
    }
}

/// Why the file of an embedded database gives no answer.
pub fn sqlite(error: &sqlx::Error) -> Fault {
    let sqlx::Error::Database(error) = error else {
        return Fault::internal(format!("can't read the answer: {error}"));
    };
    let code = error.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or(1);
    let text = |way_out: &str| format!("{}; {way_out}", error.message());
    // The lowest byte is the primary code; https://www.sqlite.org/rescode.html
    match code & 0xff {
        5 | 6 => Fault::failed(Timeout, text("another program writes to the file")),
        8 => Fault::unknown(Assertion, text("a check may only read")),
        9 => Fault::failed(Timeout, "the query is slower than the `timeout` of the check allows"),
        10 | 13 => Fault::failed(Protocol, text("the disk has trouble")),
        11 | 26 => Fault::failed(Protocol, text("the file is damaged or no database")),
        14 => Fault::failed(Connect, text("check the path, and that the agent may read it")),
        _ => Fault::unknown(Protocol, text("correct the query")),
    }
}

fn judge(code: Option<Cow<'_, str>>, message: &str) -> Fault {
    let code = code.unwrap_or_default();
    let fits = |rule: &&Rule| code.starts_with(rule.code) && message.contains(rule.words);
    let rule = RULES.iter().find(fits).expect("the last rule fits everything");
    let text = match shown(&code, message, !rule.words.is_empty()) {
        Some(message) => format!("{message} ({code}); {}", rule.way_out),
        None => format!("error {code}, whose message may hold data and is not shown; {}", rule.way_out),
    };
    let status = if rule.class == Internal { Status::Unknown } else { rule.status };
    Fault { status, class: rule.class, text }
}

/// The message, or as much of it as can't hold a value from a table. Functions of the shop's own (class P0) and extensions
/// can say anything.
fn shown(code: &str, message: &str, known: bool) -> Option<String> {
    const OF_THE_SYSTEM: [&str; 11] = ["08", "0A", "25", "28", "3D", "40", "42", "53", "54", "55", "57"];
    let class = code.get(..2).unwrap_or_default();
    let line = message.lines().next().unwrap_or_default();
    if known || OF_THE_SYSTEM.contains(&class) || class == "58" {
        return Some(line.chars().take(200).collect());
    }
    (class == "22").then(|| without_value(line))
}

/// `invalid input syntax for type integer: "4711"` quotes the value; `invalid input value for enum "Status": "X"` names the
/// type first.
fn without_value(message: &str) -> String {
    let enumeration = "invalid input value for enum \"";
    if let Some(rest) = message.strip_prefix(enumeration) {
        let name = rest.split('"').next().unwrap_or_default();
        return format!("{enumeration}{name}\"");
    }
    match (message.find('"'), message.rfind('"')) {
        (Some(first), _) if message[..first].ends_with(": ") => message[..first - 2].to_owned(),
        (Some(first), Some(last)) if first < last => {
            format!("{}\"…\"{}", &message[..first], &message[last + 1..])
        }
        (Some(first), _) => message[..first].to_owned(),
        // What follows a colon is a value more often than not.
        _ => message.split(": ").next().unwrap_or_default().to_owned(),
    }
}

fn io(place: &str, error: &std::io::Error) -> Fault {
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return tls(place, error);
    }
    let text = error.to_string();
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            Fault::failed(Connect, format!("connection refused by {place}: no server listens there"))
        }
        ErrorKind::NotFound => {
            Fault::failed(Connect, format!("there is no socket for {place}: no server listens there"))
        }
        ErrorKind::UnexpectedEof => closed(place),
        _ if text.starts_with("failed to lookup address") || text.contains("could not resolve") => {
            Fault::failed(Class::Dns, format!("the name in {place} can't be resolved: {text}"))
        }
        _ => Fault::failed(Connect, format!("no connection to {place}: {text}")),
    }
}

fn closed(place: &str) -> Fault {
    Fault::failed(Connect, format!("{place} closed the connection before the login was done"))
}

fn tls(place: &str, error: &rustls::Error) -> Fault {
    use rustls::CertificateError as Why;
    let way_out = match error {
        rustls::Error::InvalidCertificate(Why::UnknownIssuer) => "name its authority's certificate in `ca`",
        rustls::Error::InvalidCertificate(Why::Expired | Why::ExpiredContext { .. }) => {
            "it has expired: renew it"
        }
        rustls::Error::InvalidCertificate(Why::NotValidForName | Why::NotValidForNameContext { .. }) => {
            "it is for another name than the address has"
        }
        _ => "see `sslmode` in the address",
    };
    Fault::failed(Tls, format!("no TLS with {place}: {error}; {way_out}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &'static str, message: &str, expected: &str) {
        let fault = judge(Some(Cow::Borrowed(code)), message);
        assert_eq!(format!("{} {}: {}", fault.status, fault.class, fault.text), expected);
    }

    #[test]
    fn errors_have_a_class_and_a_way_out() {
        check(
            "28P01",
            "password authentication failed for user \"u\"",
            "failed auth: password authentication failed for user \"u\" (28P01); check user and password in the address",
        );
        check(
            "XX000",
            "(EMAXCONNSESSION) max clients reached in session mode - max clients are limited to pool_size: 15",
            "failed quota: (EMAXCONNSESSION) max clients reached in session mode - max clients are limited to pool_size: \
             15 (XX000); the pooler takes no more clients",
        );
        check(
            "XX000",
            "Tenant or user not found",
            "failed auth: Tenant or user not found (XX000); check project reference and region in the address; a paused \
             project answers so too",
        );
        check(
            "42P01",
            "relation \"orders\" does not exist",
            "unknown protocol: relation \"orders\" does not exist (42P01); correct the query",
        );
        check(
            "08P01",
            "unsupported startup parameter: options",
            "unknown internal: unsupported startup parameter: options (08P01); unset PGOPTIONS in the agent's environment",
        );
        check(
            "",
            "odd",
            "unknown protocol: error , whose message may hold data and is not shown; see the server's log",
        );
    }

    #[test]
    fn no_value_of_a_table_is_shown() {
        let correct = "; correct the query or the data that it reads";
        for (code, message, expected) in [
            (
                "22P02",
                "invalid input syntax for type integer: \"jane@x.org\"",
                "invalid input syntax for type integer",
            ),
            (
                "22P02",
                "invalid input value for enum \"Status\": \"jane\"",
                "invalid input value for enum \"Status\"",
            ),
            (
                "22003",
                "value \"jane\" is out of range for type integer",
                "value \"…\" is out of range for type integer",
            ),
            (
                "22007",
                "invalid input syntax for type date: \"a\": \"jane\"",
                "invalid input syntax for type date",
            ),
            ("22012", "division by zero", "division by zero"),
            ("2201B", "invalid regular expression: jane", "invalid regular expression"),
        ] {
            check(code, message, &format!("unknown protocol: {expected} ({code}){correct}"));
        }
        for code in ["P0001", "XX001", "23505", "HV000"] {
            let fault = judge(Some(Cow::Borrowed(code)), "key (email)=(jane@x.org)");
            assert!(!fault.text.contains("jane"), "{}", fault.text);
        }
    }
}
