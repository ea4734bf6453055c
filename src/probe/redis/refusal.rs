//! What an error line of Redis means and what helps: the same over the wire and over Upstash's REST.

use crate::outcome::{Class, Fault};
use crate::probe::api;
use secrecy::SecretString;

/// Begin of the line, class, and the reason with its way out. The longer begin comes first.
const KNOWN: &[(&str, Class, &str)] = &[
    ("NOAUTH", Class::Auth, "a password is demanded and none was given"),
    ("WRONGPASS", Class::Auth, "user name, password or token refused; it may have been changed"),
    ("ERR invalid password", Class::Auth, "password refused; it may have been changed"),
    (
        "ERR AUTH <password> called without any password",
        Class::Auth,
        "the server has no password for the default user; leave it out of the address",
    ),
    (
        "ERR Client sent AUTH, but no password is set",
        Class::Auth,
        "the server has no password; leave it out of the address",
    ),
    (
        "ERR wrong number of arguments for 'auth'",
        Class::Auth,
        "the server is older than Redis 6 and knows no users; leave the user name out of the address",
    ),
    ("NOPERM", Class::Auth, "the user or token lacks the right to do this"),
    (
        "DENIED",
        Class::Auth,
        "the server is in protected mode and speaks only to its own machine; give it a password",
    ),
    (
        "LOADING",
        Class::Protocol,
        "the server was started and still loads its data; it takes no commands until that is done",
    ),
    (
        "MASTERDOWN",
        Class::Protocol,
        "the replica has lost its primary and may not answer (`replica-serve-stale-data no`)",
    ),
    (
        "MISCONF",
        Class::Protocol,
        "writes are refused since the server can't save to its disk; look at its log, its disk and its rights",
    ),
    (
        "READONLY",
        Class::Assertion,
        "this is a replica, which takes no writes; name the primary, or set `write = false`",
    ),
    (
        "OOM",
        Class::Quota,
        "memory is used up (`maxmemory`) and nothing may be evicted: writes are refused; give it more memory or another `maxmemory-policy`",
    ),
    (
        "NOREPLICAS",
        Class::Protocol,
        "writes are refused since too few replicas are in step (`min-replicas-to-write`)",
    ),
    (
        "ERR max number of clients reached",
        Class::Quota,
        "no connection is left (`maxclients`); look for clients that don't close theirs",
    ),
    (
        "MOVED",
        Class::Assertion,
        "this is one node of a cluster and the key belongs to another; set `write = false` and watch each node",
    ),
    (
        "ASK",
        Class::Assertion,
        "this is one node of a cluster and the key is moving to another; set `write = false`",
    ),
    ("CLUSTERDOWN", Class::Protocol, "the cluster is down: some of its slots are served by nobody"),
    (
        "BUSY",
        Class::Protocol,
        "a script has been running too long and blocks everything; end it with SCRIPT KILL",
    ),
    (
        "ERR DB index is out of range",
        Class::Assertion,
        "the server has no database of this number; see `databases` in its configuration",
    ),
    (
        "ERR SELECT is not allowed in cluster mode",
        Class::Assertion,
        "a cluster has database 0 only; leave the number out of the address",
    ),
    (
        "ERR max daily request limit exceeded",
        Class::Quota,
        "the day's quota of commands is used up: every command is refused, and rate limiting lets everybody through; raise the plan's limit",
    ),
    (
        "ERR max requests limit exceeded",
        Class::Quota,
        "the month's quota of commands is used up: every command is refused, and rate limiting lets everybody through; raise the plan's limit",
    ),
    (
        "ERR DB capacity quota exceeded",
        Class::Quota,
        "the plan's storage is full: writes are refused, and rate limiting lets everybody through; delete data or raise the plan's limit",
    ),
    (
        "ERR max concurrent connections exceeded",
        Class::Quota,
        "the plan's connections are used up; look for clients that don't close theirs",
    ),
    ("ERR max request size exceeded", Class::Quota, "the request is larger than the plan allows"),
    ("ERR max single record size exceeded", Class::Quota, "a record is larger than the plan allows"),
];

/// The fault that a line such as `WRONGPASS invalid username-password pair` is. `what` was asked: `PING`.
pub fn fault(what: &str, line: &str, secret: &SecretString) -> Fault {
    if let Some((_, class, reason)) = known(line) {
        return Fault::failed(*class, format!("{what}: {reason}"));
    }
    let quoted = api::quote(line, secret);
    Fault::failed(Class::Protocol, format!("{what} was refused: {quoted}"))
}

/// Whether the line is one of those with a way out.
pub fn is_known(line: &str) -> bool {
    known(line).is_some()
}

fn known(line: &str) -> Option<&'static (&'static str, Class, &'static str)> {
    KNOWN.iter().find(|(start, ..)| line.starts_with(start))
}

/// Whether the user or token may not do this: alive, but sight is limited.
pub fn is_no_permission(line: &str) -> bool {
    line.starts_with("NOPERM")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, class: Class, contains: &str) {
        let fault = fault("PING", line, &SecretString::from("marked-secret"));
        assert_eq!(fault.class, class, "{line}");
        assert!(fault.text.starts_with("PING") && fault.text.contains(contains), "{}", fault.text);
        assert!(!fault.text.contains("marked-secret"), "{}", fault.text);
    }

    #[test]
    fn lines_have_their_class_and_way_out() {
        check("WRONGPASS invalid username-password pair or user is disabled.", Class::Auth, "refused");
        check("NOAUTH Authentication required.", Class::Auth, "demanded");
        check("LOADING Redis is loading the dataset in memory", Class::Protocol, "loads its data");
        check("OOM command not allowed when used memory > 'maxmemory'.", Class::Quota, "maxmemory-policy");
        check("MOVED 3999 127.0.0.1:6381", Class::Assertion, "cluster");
        check("ERR max requests limit exceeded. Limit: 500000, Usage: 500000", Class::Quota, "month");
        check("ERR max daily request limit exceeded. Limit: 10000", Class::Quota, "day's quota");
        check("ERR oh marked-secret of ann@shop.example", Class::Protocol, "<secret> of <address>");
    }

    #[test]
    fn no_begin_hides_a_longer_one() {
        for (at, (start, ..)) in KNOWN.iter().enumerate() {
            let hidden = KNOWN[at + 1..].iter().find(|(later, ..)| later.starts_with(start));
            assert_eq!(hidden, None, "{start}");
        }
    }
}
