//! What one span means: a request of a customer, a question to the database, or neither.
//!
//! Instrumentation of different ages says the same under different names, and says much that is no request:
//! internal steps, calls of the shop to others, cold starts that end with an error. The rules:
//!
//! - A request is a span of kind SERVER, root or not (with an incoming `traceparent` it has a parent). Where Next.js says
//!   which span it is (`next.span_type`), only the one around the handling of a request counts.
//! - It is told apart by method and pattern of the route, never by its target. Next.js asks for the data of a page without
//!   its HTML (`RSC`); that is another answer of another length, so it keeps the word that Next.js has for it.
//! - A query is Prisma's `…:db_query`, or a span of kind CLIENT to a database that says what it asks: Prisma's other spans
//!   and the opening of connections ask nothing, and a cache is no database.

use crate::ingest::id::{SpanId, TraceId};
use crate::ingest::statement::{DoubleQuoted, normalise};
use crate::ingest::{Query, Request, StatusClass, route};
use std::borrow::Cow;
use std::time::Duration;

/// Longer than any function may run: a clock was set meanwhile, or the span is made up.
const NANOSECONDS_MAX: u64 = 24 * 60 * 60 * 1_000_000_000;

const INTERNAL: i64 = 1;
const SERVER: i64 = 2;
const CLIENT: i64 = 3;
/// The status of a span that failed.
pub(super) const ERROR: i64 = 2;

/// The attributes that matter; all others are passed over. New names stand before old ones.
const KEPT: [&str; 17] = [
    "http.request.method",
    "http.method",
    "http.response.status_code",
    "http.status_code",
    "http.route",
    "next.route",
    "next.rsc",
    "next.span_type",
    "db.system.name",
    "db.system",
    "db.query.text",
    "db.statement",
    "db.query.summary",
    "db.operation.name",
    "db.operation",
    "db.collection.name",
    "db.sql.table",
];

/// Whose statements are SQL, by the words of both generations of names, without what stands before a dot.
const SQL: [&str; 14] = [
    "postgresql",
    "mysql",
    "mariadb",
    "sqlite",
    "mssql",
    "sql_server",
    "oracle",
    "db",
    "cockroachdb",
    "redshift",
    "db2",
    "clickhouse",
    "h2database",
    "other_sql",
];

const CACHES: [&str; 4] = ["redis", "valkey", "memcached", "hazelcast"];

/// What an attribute says, as far as it matters.
#[derive(Debug, Default)]
pub(super) enum Value<'a> {
    /// Nothing, or something that no attribute of ours can be.
    #[default]
    Else,
    Text(Cow<'a, str>),
    Whole(i64),
    Flag(bool),
}

#[derive(Debug, Default)]
pub(super) struct Attributes<'a>([Value<'a>; KEPT.len()]);

impl<'a> Attributes<'a> {
    /// Of two with the same name the last counts.
    pub(super) fn put(&mut self, name: &str, value: Value<'a>) {
        if let Some(at) = KEPT.iter().position(|kept| *kept == name) {
            self.0[at] = value;
        }
    }

    /// The first that is said.
    fn first(&self, names: &[&str]) -> &Value<'a> {
        const NOTHING: &Value<'static> = &Value::Else;
        let value = |name: &&str| KEPT.iter().position(|kept| kept == name).map(|at| &self.0[at]);
        names.iter().filter_map(value).find(|value| !matches!(value, Value::Else)).unwrap_or(NOTHING)
    }

    fn text(&self, names: &[&str]) -> Option<&str> {
        match self.first(names) {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Old instrumentation tells it as text.
    fn status(&self) -> Option<u16> {
        let status = match self.first(&["http.response.status_code", "http.status_code"]) {
            Value::Whole(whole) => u16::try_from(*whole).ok(),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        status.filter(|status| StatusClass::of(*status) != StatusClass::Unknown)
    }

    fn is_rsc(&self) -> bool {
        match self.first(&["next.rsc"]) {
            Value::Flag(flag) => *flag,
            Value::Text(text) => text == "true",
            _ => false,
        }
    }
}

/// One span as it was sent. Ids are `None` where they are missing or can't be ids.
#[derive(Debug, Default)]
pub(super) struct Span<'a> {
    pub(super) trace: Option<TraceId>,
    pub(super) id: Option<SpanId>,
    pub(super) parent: Option<SpanId>,
    pub(super) name: Cow<'a, str>,
    pub(super) kind: i64,
    /// Nanoseconds by a clock that may be wrong; only the distance of both is used.
    pub(super) start: u64,
    pub(super) end: u64,
    /// The code of its status.
    pub(super) status: i64,
    pub(super) attributes: Attributes<'a>,
}

/// A span that is taken.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) trace: TraceId,
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) meaning: Meaning,
}

#[derive(Debug)]
pub(super) enum Meaning {
    Request(Request),
    Query(Query),
    /// A step inside of what is around it.
    Step,
    Neither,
}

impl Span<'_> {
    /// `Err` says why it is none that can be taken.
    pub(super) fn read(&self) -> Result<Read, &'static str> {
        let trace = self.trace.ok_or("a trace id is not 16 bytes, or all zero")?;
        let id = self.id.ok_or("a span id is not 8 bytes, or all zero")?;
        if self.start == 0 || self.end == 0 {
            return Err("a span has no start or no end");
        }
        let nanoseconds = self.end.checked_sub(self.start).ok_or("a span ends before it starts")?;
        if nanoseconds > NANOSECONDS_MAX {
            return Err("a span takes more than a day");
        }
        let meaning = self.meaning(trace, Duration::from_nanos(nanoseconds));
        Ok(Read { trace, id, parent: self.parent, meaning })
    }

    fn meaning(&self, trace: TraceId, took: Duration) -> Meaning {
        if self.is_query() {
            return Meaning::Query(Query { text: self.statement(), took });
        }
        match (self.kind, self.attributes.text(&["next.span_type"])) {
            (SERVER, None | Some("BaseServer.handleRequest")) => Meaning::Request(self.request(trace, took)),
            (INTERNAL, _) => Meaning::Step,
            _ => Meaning::Neither,
        }
    }

    fn request(&self, trace: TraceId, took: Duration) -> Request {
        let method = self.attributes.text(&["http.request.method", "http.method"]);
        let pattern = self.attributes.text(&["http.route", "next.route"]);
        let name = route::name(method, pattern).unwrap_or_else(|| route::OTHER.to_owned());
        let status = self.attributes.status();
        Request {
            route: if self.attributes.is_rsc() { format!("RSC {name}") } else { name },
            class: status.map_or(StatusClass::Unknown, StatusClass::of),
            failed: status.map_or(self.status == ERROR, |status| status >= 500),
            took,
            trace: Some(trace),
        }
    }

    fn is_query(&self) -> bool {
        if self.name.ends_with(":db_query") {
            return true;
        }
        let asks = [
            "db.query.text",
            "db.statement",
            "db.query.summary",
            "db.operation.name",
            "db.operation",
            "db.collection.name",
            "db.sql.table",
        ];
        self.kind == CLIENT
            && !self.name.starts_with("prisma:")
            && self.system().is_some_and(|system| !CACHES.contains(&system))
            && self.attributes.text(&asks).is_some()
    }

    /// The database's word without its maker: `postgresql`, `microsoft.sql_server`.
    fn system(&self) -> Option<&str> {
        let system = self.attributes.text(&["db.system.name", "db.system"])?;
        Some(system.rsplit('.').next().unwrap_or(system))
    }

    /// Only SQL has literals that are known to be found: what else a database is asked stays with the shop.
    fn statement(&self) -> Option<String> {
        let speaks_sql = self.system().is_none_or(|system| SQL.contains(&system));
        let statement = self.attributes.text(&["db.query.text", "db.statement"]).filter(|_| speaks_sql)?;
        let double_quoted = match self.system() {
            Some("mysql" | "mariadb") => DoubleQuoted::Literal,
            _ => DoubleQuoted::Name,
        };
        Some(normalise(statement, double_quoted)).filter(|text| !text.is_empty())
    }
}
