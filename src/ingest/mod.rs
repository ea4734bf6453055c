//! What the shop and its vendors say by themselves: spans, events, webhooks, heartbeats.
//!
//! Text in, plain values out: each way of saying it has a reader here that knows one protocol, does no I/O, and refuses
//! what it can't bear by name. What was read is written down before anybody is answered with a 2xx ([`Arrival`] is what
//! one request brought); from there on it is looked at by checks like everything else ([`Received`] is how they ask), so
//! that records, objectives and alerts have one way in.
//!
//! Everything counts at the moment at which it was received. Clocks of serverless functions may be an hour off, and what is
//! sent may be late or told twice; when it was received is the one time that a moment can be closed by.

use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How a request of a customer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusClass {
    /// Nobody said.
    Unknown,
    Informational,
    Successful,
    Redirection,
    ClientError,
    ServerError,
}

impl StatusClass {
    /// Of an HTTP status code (RFC 9110, section 15); one that is none is unknown.
    pub const fn of(status: u16) -> StatusClass {
        match status {
            100..200 => StatusClass::Informational,
            200..300 => StatusClass::Successful,
            300..400 => StatusClass::Redirection,
            400..500 => StatusClass::ClientError,
            500..600 => StatusClass::ServerError,
            _ => StatusClass::Unknown,
        }
    }

    /// The word used in metrics and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            StatusClass::Unknown => "unknown",
            StatusClass::Informational => "1xx",
            StatusClass::Successful => "2xx",
            StatusClass::Redirection => "3xx",
            StatusClass::ClientError => "4xx",
            StatusClass::ServerError => "5xx",
        }
    }
}

/// One request that a customer's browser made of the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Method and pattern of the route, never what fills it: `POST /api/orders/[id]`. Only the method where nobody said
    /// more.
    pub route: String,
    pub class: StatusClass,
    /// The shop failed: a 5xx, or whoever said it calls it an error and has no status.
    pub failed: bool,
    pub took: Duration,
    /// W3C trace id.
    pub trace: Option<[u8; 16]>,
}

/// One question of the shop to its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Without literals and bounded, as [`crate::ingest`]'s readers make it; `None` where nobody said.
    pub text: Option<String>,
    pub took: Duration,
}

/// Something else that happened, by its name: `checkout_started`, `order_completed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    pub name: String,
    pub times: u64,
}

/// What a vendor told by a webhook, as far as it matters: no customer's name, email, card or address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The vendor's own id of the event: the same letter has the same one, however often it comes.
    pub id: String,
    /// When it happened, by the vendor's clock.
    pub at: Timestamp,
    /// The vendor's word: `payment.updated`, `email.bounced`.
    pub kind: String,
    /// What it is about; `None` for what says nothing about the shop's trade.
    pub about: Option<About>,
}

/// The state of one thing at a vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// `payment`, `refund`, `dispute`, `order`, `email`.
    pub thing: &'static str,
    /// The vendor's id of the thing.
    pub id: String,
    /// Later states have larger ones, whatever the order in which they come.
    pub version: i64,
    /// The vendor's word in lower case: `completed`, `failed`, `bounced`.
    pub state: String,
    /// Why it failed, the vendor's code: `GENERIC_DECLINE`.
    pub reason: Option<String>,
    /// In the smallest unit of the currency.
    pub amount: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
}

/// What a job says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    pub at: Timestamp,
    pub word: PingWord,
    /// Which run of the job says it, where it says so.
    pub run: Option<String>,
    /// How long it took, where it says so.
    pub took: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PingWord {
    Start,
    Success,
    /// With its exit code where it told one.
    Fail(Option<u8>),
    /// Alive, and neither begun nor done.
    Log,
}

/// What one request brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    pub requests: Vec<Request>,
    pub queries: Vec<Query>,
    pub happened: Vec<Happened>,
    /// From which vendor, and what it told.
    pub letters: Vec<(&'static str, Letter)>,
    /// Names of heartbeats, and what they told.
    pub pings: Vec<(Arc<str>, Ping)>,
}

/// A body that can't be read, or that is more than anybody may send. The text names the place and never shows content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An answer from what was written down, or why there is none.
pub type Told<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// How checks ask for what was received.
pub trait Received: Send + Sync {
    /// The pings of a heartbeat since then, the oldest first; and since when there could have been any.
    fn pings<'a>(&'a self, name: &'a str, since: Timestamp) -> Told<'a, (Timestamp, Vec<Ping>)>;

    /// What was received from `from` (inclusive) to `to` (exclusive), both at whole minutes, by its words. What is received
    /// after this was asked never counts in it.
    fn counted<'a>(&'a self, what: &'a Wanted, from: Timestamp, to: Timestamp) -> Told<'a, Counts>;
}

/// Counts by name of measure.
pub type Counts = BTreeMap<String, f64>;

/// Which part of what is received.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// `requests`, `queries`, `events`, `square`, `resend`.
    pub source: String,
    /// Requests and queries that took at most this are counted as `fast`.
    pub below: Option<Duration>,
}
