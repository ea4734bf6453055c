//! What the shop and its vendors say by themselves: spans, events, webhooks, heartbeats.
//!
//! Text in, plain values out: each way of saying it has a reader here that knows one protocol, does no I/O, and refuses
//! what it can't bear by name. What was read is written down before anybody is answered with a 2xx ([`Arrival`] is what
//! one request brought); from there on it is looked at by checks like everything else ([`Received`] is how they ask), so
//! that records, objectives and alerts have one way in.
//!
//! Everything counts at the moment at which it was received. Clocks of serverless functions may be an hour off, and what is
//! sent may be late or told twice; when it was received is the one time that a moment can be closed by.

pub mod events;
mod id;
pub mod ledger;
pub mod otlp;
pub mod ping;
pub mod resend;
mod route;
pub mod square;
pub mod standard_webhooks;
pub mod statement;
pub mod tally;
pub mod traffic;
pub mod webhook;

use crate::record::cells::Cells;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
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

    pub const ALL: [StatusClass; 6] = [
        StatusClass::Unknown,
        StatusClass::Informational,
        StatusClass::Successful,
        StatusClass::Redirection,
        StatusClass::ClientError,
        StatusClass::ServerError,
    ];

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

/// A letter, and what was found out about it when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub vendor: Vendor,
    pub letter: Letter,
    /// The name of the key that it was signed with: `production`.
    pub account: Arc<str>,
    /// It is of an account whose trade is counted; what others tell is kept and counts nothing.
    pub counts: bool,
    /// Why nobody can work it through, whatever is tried: it lies aside at once.
    pub unreadable: Option<String>,
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
    pub posts: Vec<Post>,
    /// Names of jobs, and what they told.
    pub pings: Vec<(Arc<str>, Ping)>,
    /// The sender's word for this very batch: one that comes again brings nothing new.
    pub key: Option<String>,
}

/// A body that can't be read, or that is more than anybody may send. The text names the place and never shows content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who sends webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    Square,
    Resend,
}

impl Vendor {
    pub const ALL: [Vendor; 2] = [Vendor::Square, Vendor::Resend];

    /// The word in addresses, in the store and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Vendor::Square => "square",
            Vendor::Resend => "resend",
        }
    }

    /// As it calls itself.
    pub const fn title(self) -> &'static str {
        match self {
            Vendor::Square => "Square",
            Vendor::Resend => "Resend",
        }
    }
}

/// What is received, by the kind of thing that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Requests of customers: `requests`, `requests_failed`, `requests_5xx`, …
    Requests,
    /// Questions of the shop to its database: `queries`, `queries_slow`.
    Queries,
    /// What else the shop says happened, by the names that it gives.
    Events,
    /// What Square tells of payments, refunds, disputes and orders.
    Square,
    /// What Resend tells of emails.
    Resend,
}

impl Source {
    pub const ALL: [Source; 5] =
        [Source::Requests, Source::Queries, Source::Events, Source::Square, Source::Resend];

    /// The word in definitions, in the store and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Source::Requests => "requests",
            Source::Queries => "queries",
            Source::Events => "events",
            Source::Square => "square",
            Source::Resend => "resend",
        }
    }
}

impl From<Vendor> for Source {
    fn from(vendor: Vendor) -> Source {
        match vendor {
            Vendor::Square => Source::Square,
            Vendor::Resend => Source::Resend,
        }
    }
}

/// What was received in a part of time, added up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sum {
    /// By the names of what is counted.
    pub counts: BTreeMap<Arc<str>, u64>,
    /// How long requests or queries took; failed requests apart.
    pub took: Cells,
    /// For a part of that time nobody listened: what came then is not known.
    pub is_deaf: bool,
}

impl Sum {
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }
}

/// What a job told, and since when it could have been heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pings {
    pub heard_since: Timestamp,
    /// Times since then in which nobody listened, from (inclusive) to (exclusive), the oldest first.
    pub deaf: Vec<(Timestamp, Timestamp)>,
    /// The oldest first.
    pub pings: Vec<Ping>,
}

/// An answer from what was written down, or why there is none.
pub type Told<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// How checks ask for what was received.
pub trait Received: Send + Sync {
    /// The pings of a job: the newest of each word, however old, and all since then, a bounded number of them.
    fn pings<'a>(&'a self, job: &'a str, since: Timestamp) -> Told<'a, Pings>;

    /// What was received from `from` (inclusive) to `to` (exclusive), by whole minutes. To the minutes that were over when this
    /// was asked nothing is ever added.
    fn sum(&self, source: Source, from: Timestamp, to: Timestamp) -> Told<'_, Sum>;

    /// For how long nothing of that kind came while somebody listened; nothing where none ever came.
    fn silence(&self, source: Source, now: Timestamp) -> Told<'_, Duration>;

    /// The ids of a vendor's letters received from `from` (inclusive) to `to` (exclusive), each with when it came.
    fn letters(&self, vendor: Vendor, from: Timestamp, to: Timestamp) -> Told<'_, Vec<(String, Timestamp)>>;

    /// How many letters of a vendor could not be worked through and lie aside for a person to look at.
    fn set_aside(&self, vendor: Vendor) -> Told<'_, u64>;
}
