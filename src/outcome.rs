//! What one run of a check found.
//!
//! A probe says *what* it saw (measures, faults); the status follows from the faults and is never set by
//! hand, so that a probe can't report trouble and be `ok` at the same time. The agent's own trouble is
//! `unknown`: it says nothing about the target.

use crate::fact::Counted;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// The verdict of one run. Ordered by how much a person should care: `Ok` least, `Failed` most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Looked at, and fine.
    Ok,
    /// Not looked at, or the agent itself was the trouble: neither up nor down.
    Unknown,
    /// Works, but a bound that matters is passed.
    Degraded,
    /// Does not do what it is there for.
    Failed,
}

impl Status {
    /// All of them, in the order in which pages and metrics list them.
    pub const ALL: [Status; 4] = [Status::Ok, Status::Degraded, Status::Failed, Status::Unknown];

    /// The word used in metrics, JSON and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Unknown => "unknown",
            Status::Degraded => "degraded",
            Status::Failed => "failed",
        }
    }

    /// Whether the target did its work: `None` where nobody knows.
    pub const fn is_up(self) -> Option<bool> {
        match self {
            Status::Ok | Status::Degraded => Some(true),
            Status::Failed => Some(false),
            Status::Unknown => None,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whose fault it is and what kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The name could not be resolved.
    Dns,
    /// No connection: refused, reset, unreachable.
    Connect,
    /// The TLS handshake or the certificate.
    Tls,
    /// The deadline passed.
    Timeout,
    /// Credentials: wrong, expired, not allowed.
    Auth,
    /// A quota or a rate limit.
    Quota,
    /// The other side answered something that its protocol does not allow, or an error of its own.
    Protocol,
    /// The answer was well-formed and not what the definition demands; a limit that is passed.
    Assertion,
    /// The agent's own trouble. Always `Status::Unknown`.
    Internal,
}

impl Class {
    /// The word used in metrics, JSON and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Dns => "dns",
            Class::Connect => "connect",
            Class::Tls => "tls",
            Class::Timeout => "timeout",
            Class::Auth => "auth",
            Class::Quota => "quota",
            Class::Protocol => "protocol",
            Class::Assertion => "assertion",
            Class::Internal => "internal",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is wrong, in words that a person can act on. Never a secret, never a customer's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub status: Status,
    pub class: Class,
    /// A lowercase fragment without a final period: `connection refused by 127.0.0.1:5432`.
    pub text: String,
}

impl Fault {
    /// The target does not do its work. With `Class::Internal` the status is `unknown` instead.
    pub fn failed(class: Class, text: impl Into<String>) -> Fault {
        let status = if class == Class::Internal { Status::Unknown } else { Status::Failed };
        Fault { status, class, text: text.into() }
    }

    /// The target works, but not as well as it should.
    pub fn degraded(class: Class, text: impl Into<String>) -> Fault {
        let status = if class == Class::Internal { Status::Unknown } else { Status::Degraded };
        Fault { status, class, text: text.into() }
    }

    /// Nobody can tell.
    pub fn unknown(class: Class, text: impl Into<String>) -> Fault {
        Fault { status: Status::Unknown, class, text: text.into() }
    }

    /// The agent's own trouble, never the target's.
    pub fn internal(text: impl Into<String>) -> Fault {
        Fault::unknown(Class::Internal, text)
    }
}

/// A named number. The unit is the end of the name (`_seconds`, `_bytes`, `_ratio`, `_total` for a counter).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measure {
    pub name: Cow<'static, str>,
    pub value: f64,
    /// Label names come from the definition; values may come from the target, so their number is bounded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<(String, String)>,
}

/// How long one part of a run took: `resolve`, `connect`, `tls`, `first_byte`, `query`, …
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    pub name: &'static str,
    pub took: Duration,
}

/// What a probe found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    pub faults: Vec<Fault>,
    pub measures: Vec<Measure>,
    /// Worth knowing and no fault: limited sight, what was left out.
    pub notes: Vec<String>,
    /// What a counting query counted, part by part, each beginning where the one before ended.
    pub counted: Vec<Counted>,
}

impl Outcome {
    /// Nothing wrong, nothing measured yet.
    pub fn ok() -> Outcome {
        Outcome::default()
    }

    /// The gravest of the faults; `ok` without any.
    pub fn status(&self) -> Status {
        self.faults.iter().map(|fault| fault.status).max().unwrap_or(Status::Ok)
    }

    /// The fault that explains the status: the first among the gravest.
    pub fn reason(&self) -> Option<&Fault> {
        let status = self.status();
        self.faults.iter().find(|fault| fault.status == status)
    }

    /// Adds a number. A number that is not finite is left out: it would poison every sum after it.
    pub fn measure(&mut self, name: impl Into<Cow<'static, str>>, value: f64) {
        self.measure_with(name, value, Vec::new());
    }

    /// Adds a number with labels.
    pub fn measure_with(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        value: f64,
        labels: Vec<(String, String)>,
    ) {
        if value.is_finite() {
            self.measures.push(Measure { name: name.into(), value, labels });
        }
    }

    pub fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Outcome {
        Outcome { faults: vec![fault], ..Outcome::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_fault_gives_status_and_reason() {
        let mut outcome = Outcome::ok();
        assert_eq!((outcome.status(), outcome.reason()), (Status::Ok, None));
        outcome.fault(Fault::internal("no file descriptor left"));
        assert_eq!(outcome.status(), Status::Unknown);
        outcome.fault(Fault::degraded(Class::Assertion, "slow"));
        outcome.fault(Fault::failed(Class::Connect, "refused"));
        outcome.fault(Fault::failed(Class::Tls, "expired"));
        assert_eq!(outcome.status(), Status::Failed);
        assert_eq!(outcome.reason().map(|fault| fault.text.as_str()), Some("refused"));
    }

    #[test]
    fn the_agents_own_trouble_is_never_the_targets() {
        assert_eq!(Fault::failed(Class::Internal, "x").status, Status::Unknown);
        assert_eq!(Fault::degraded(Class::Internal, "x").status, Status::Unknown);
    }

    #[test]
    fn a_number_that_is_none_is_left_out() {
        let mut outcome = Outcome::ok();
        outcome.measure("hit_ratio", f64::NAN);
        outcome.measure("pending", 3.0);
        assert_eq!(outcome.measures.len(), 1);
    }
}
