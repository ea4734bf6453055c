//! `postgres`: whether a PostgreSQL server answers, how full it is, and what holds it up.

use super::address::{Address, Server};
use super::indexes::{self, IndexName};
use super::session::Session;
use super::statements::{self, Slow};
use super::{fault, pooler, pulse};
use crate::clock;
use crate::config::text::Text;
use crate::config::value::Period;
use crate::outcome::Class::{Protocol, Timeout};
use crate::outcome::{Fault, Outcome};
use crate::probe::{Build, Context, Kind, MeasureInfo, Run, Running};
use schemars::JsonSchema;
use serde::Deserialize;
use std::borrow::Cow;
use std::time::Duration;

/// Looks at a PostgreSQL server, directly or through a pooler: reachability, connections, locks, long transactions, cache,
/// size, replication, indexes, slow statements.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// `postgresql://user:password@host:5432/database`, also through a pooler and with Prisma's parameters as they stand in
    /// the shop's own variable. A role with `pg_monitor` sees all sessions.
    url: Text,
    /// A file with certificates (PEM) to trust beside the system's; without `sslmode` in the address it means `verify-full`.
    ca: Option<Text>,
    /// The address of pgbouncer's console, `postgresql://user:password@host:6432/pgbouncer`: who waits for a connection.
    pooler_admin_url: Option<Text>,
    /// Indexes that must exist and be valid: `name` or `schema.name`.
    #[serde(default)]
    indexes: Vec<IndexName>,
    /// Whether an index that an interrupted build has left invalid is a fault, whatever its name.
    #[serde(default = "yes")]
    invalid_indexes: bool,
    /// Tells the statements that take longer than this on average, by digest; needs `pg_stat_statements`.
    slow_statements: Option<Period>,
    /// How often a statement must have run to be told as slow.
    #[serde(default = "calls_default")]
    slow_statements_calls: u32,
}

fn yes() -> bool {
    true
}

/// A migration or an administrator's query runs once or twice.
fn calls_default() -> u32 {
    5
}

const fn info(name: &'static str, help: &'static str) -> MeasureInfo {
    MeasureInfo { name, help }
}

const MEASURES: &[MeasureInfo] = &[
    info("round_trip_seconds", "How long the shortest question took on an open connection."),
    info("connections", "Connections to the server by state, over all its databases."),
    info("connections_used", "Connections to the server, over all its databases."),
    info("connections_max", "Connections that the server gives to ordinary roles."),
    info("connections_used_ratio", "Share of the connections that are in use."),
    info(
        "connections_idle_in_transaction",
        "Sessions of this database that hold a transaction open and do nothing.",
    ),
    info("longest_transaction_seconds", "Age of the oldest open transaction of this database."),
    info(
        "longest_idle_in_transaction_seconds",
        "For how long a session of this database has held a transaction idle.",
    ),
    info("longest_query_seconds", "For how long the oldest running query of this database has run."),
    info("blocked_sessions", "Sessions of this database that wait for a lock."),
    info("longest_blocked_seconds", "For how long a session of this database has waited for a lock."),
    info("cache_hit_ratio", "Share of blocks found in the server's cache since its statistics began."),
    info("deadlocks_total", "Deadlocks in this database since its statistics began."),
    info("temp_bytes_total", "Bytes that queries of this database wrote to temporary files."),
    info("transactions_committed_total", "Transactions committed in this database."),
    info("transactions_rolled_back_total", "Transactions rolled back in this database."),
    info("size_bytes", "Size of this database on disk."),
    info("dead_tuples", "Dead rows that vacuum has yet to remove from the tables of this database."),
    info("dead_tuples_ratio", "Share of the rows of this database that are dead."),
    info("transaction_id_age", "Age of the oldest transaction id of the server, in transactions."),
    info("transaction_id_age_ratio", "That age as a share of 2^31, where the server would have to stop."),
    info("replicas", "Replicas that stream from this server."),
    info(
        "replication_lag_seconds",
        "By how much the slowest replica, or this server where it is one, is behind.",
    ),
    info(
        "replication_lag_bytes",
        "How much log the slowest replica, or this server where it is one, has yet to replay.",
    ),
    info(
        "replication_slot_retained_bytes",
        "Log that is kept on disk for the replication slot furthest behind.",
    ),
    info("invalid_indexes", "Indexes that an interrupted build has left invalid."),
    info("missing_indexes", "Indexes named in the definition that do not exist."),
    info("slow_statements", "Statements that take longer on average than the definition allows."),
    info("slowest_statement_mean_seconds", "Mean time of the slowest of them."),
    info("pooler_clients_active", "Clients of the pooler that have a server connection."),
    info("pooler_clients_waiting", "Clients of the pooler that wait for a server connection."),
    info("pooler_maxwait_seconds", "For how long the first client in the pooler's queue has waited."),
    info("pooler_servers_active", "Server connections of the pooler that are in use."),
    info("pooler_servers_idle", "Server connections of the pooler that are free."),
];

impl Kind for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        MEASURES
    }

    fn may_yield(&self, measure: &str) -> bool {
        let asked = match measure {
            "missing_indexes" => !self.indexes.is_empty(),
            "invalid_indexes" => self.invalid_indexes,
            "slow_statements" | "slowest_statement_mean_seconds" => self.slow_statements.is_some(),
            measure if measure.starts_with("pooler_") => self.pooler_admin_url.is_some(),
            _ => true,
        };
        asked && MEASURES.iter().any(|info| info.name == measure)
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        let server = server(build, "url", &self.url, self.ca.as_ref());
        let pooler = match &self.pooler_admin_url {
            Some(url) => Some(server_of_pooler(build, url)?),
            None => None,
        };
        let mut statements: Vec<_> = pulse::QUESTION.map(Cow::Borrowed).into();
        if self.invalid_indexes {
            statements.push(Cow::Owned(indexes::ask_invalid()));
        }
        if !self.indexes.is_empty() {
            statements.push(Cow::Owned(indexes::ask_named(&self.indexes)));
        }
        if self.slow_statements.is_some() {
            statements.push(Cow::Borrowed(statements::ASK_SCHEMA));
        }
        Some(Box::new(Look {
            server: server?,
            pooler,
            question: statements.join(";\n"),
            indexes: self.indexes.clone(),
            invalid_indexes: self.invalid_indexes,
            slow: self
                .slow_statements
                .map(|mean| Slow { mean: mean.get(), calls: self.slow_statements_calls }),
        }))
    }
}

fn server(build: &mut Build<'_>, key: &str, url: &Text, ca: Option<&Text>) -> Option<Server> {
    match super::address(build, key, url, ca)? {
        Address::Postgres(server) => Some(server),
        Address::Sqlite(_) if url.literal().is_none() => {
            build.leave_out("it needs a PostgreSQL server, and the address is that of an embedded database");
            None
        }
        Address::Sqlite(_) => {
            let text = "the file of an embedded database has no server to look at";
            build.fault_with_hint(key, text, "ask it questions with `probe.sql`");
            None
        }
    }
}

fn server_of_pooler(build: &mut Build<'_>, url: &Text) -> Option<Server> {
    server(build, "pooler_admin_url", url, None)
}

/// What a run does.
struct Look {
    server: Server,
    pooler: Option<Server>,
    /// All statements whose answers come in one message.
    question: String,
    indexes: Vec<IndexName>,
    invalid_indexes: bool,
    slow: Option<Slow>,
}

/// What is kept of the time to say what was found out before the database hung.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// No server has more rows to tell than this: the longest answer is that of the invalid indexes.
const ROWS_MAX: usize = 1_000;

impl Run for Look {
    fn run<'a>(&'a self, cx: &'a Context) -> Running<'a> {
        Box::pin(async {
            let mut outcome = Outcome::ok();
            // First, since an exhausted pool is why the database would not answer.
            if let Some(pooler) = &self.pooler {
                pooler::look(pooler, cx, &mut outcome).await;
            }
            let remaining = cx.remaining();
            let deadline = clock::instant() + remaining.saturating_sub(LAST_WORDS.min(remaining / 10));
            match tokio::time::timeout_at(deadline, self.look(cx, &mut outcome)).await {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => outcome.fault(fault),
                Err(_elapsed) => outcome.fault(hung(cx, &self.server)),
            }
            outcome
        })
    }
}

fn hung(cx: &Context, server: &Server) -> Fault {
    let phase = cx.current_phase().unwrap_or("close");
    Fault::failed(Timeout, format!("no answer from {server} in time; it hung in phase `{phase}`"))
}

impl Look {
    async fn look(&self, cx: &Context, outcome: &mut Outcome) -> Result<(), Fault> {
        let mut session = Session::open(&self.server, cx).await?;
        let asked = self.ask(&mut session, cx, outcome).await;
        cx.phase_end();
        session.close().await;
        asked
    }

    async fn ask(&self, session: &mut Session, cx: &Context, outcome: &mut Outcome) -> Result<(), Fault> {
        let asking = |error| fault::asking(&error);
        cx.phase("round_trip");
        let begun = clock::instant();
        let answer = session.ask("select 1 as one".to_owned(), 1).await.map_err(asking)?;
        if !answer.first().is_some_and(|answer| answer.is_true(0, "one")) {
            return Err(Fault::failed(Protocol, "the answer to `select 1` is not 1"));
        }
        let took = clock::instant().saturating_duration_since(begun);
        outcome.measure("round_trip_seconds", took.as_secs_f64());

        cx.phase("query");
        let schema = self.server.schema.as_deref();
        let answers = session.read(cx, schema, &self.question, ROWS_MAX).await.map_err(asking)?;
        let too_few = || Fault::failed(Protocol, "the server answered fewer questions than were asked");
        pulse::read(&answers, outcome).ok_or_else(too_few)?;
        let mut rest = answers[pulse::QUESTION.len()..].iter();
        if self.invalid_indexes {
            indexes::read_invalid(&self.indexes, rest.next().ok_or_else(too_few)?, outcome);
        }
        if !self.indexes.is_empty() {
            indexes::read_named(&self.indexes, rest.next().ok_or_else(too_few)?, outcome);
        }
        let sees_all = answers[0].is_true(0, "sees_all");
        if let (Some(slow), true) = (&self.slow, sees_all) {
            cx.phase("statements");
            let schema = rest.next().ok_or_else(too_few)?;
            statements::look(slow, schema, session, cx, outcome).await;
        }
        Ok(())
    }
}
