//! A question to the shop's own tables, in PostgreSQL or SQLite: how every kind that has a `query` asks it.

mod sqlite;

use super::address::{Address, Server};
use super::cell::Table;
use super::fault;
use super::session::Session;
use super::template::{Template, Wrong};
use super::token::Dialect;
use crate::outcome::Fault;
use crate::probe::{Build, Context};
use std::path::Path;

/// Where questions are asked; for PostgreSQL a connection that is open until [`Open::close`].
pub enum Open<'a> {
    Postgres(&'a Server, Session),
    Sqlite(&'a Path),
}

impl<'a> Open<'a> {
    pub async fn at(address: &'a Address, cx: &Context) -> Result<Open<'a>, Fault> {
        match address {
            Address::Postgres(server) => Ok(Open::Postgres(server, Session::open(server, cx).await?)),
            Address::Sqlite(path) => Ok(Open::Sqlite(path)),
        }
    }

    pub const fn dialect(&self) -> Dialect {
        match self {
            Open::Postgres(..) => Dialect::Postgres,
            Open::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// At most `rows_max` rows; whether there were more is said.
    pub async fn ask(&mut self, cx: &Context, sql: String, rows_max: usize) -> Result<Table, Fault> {
        match self {
            Open::Postgres(server, session) => ask_postgres(server, session, cx, &sql, rows_max).await,
            Open::Sqlite(path) => sqlite::read(path, cx, sql, rows_max).await,
        }
    }

    pub async fn close(self) {
        // After an error the connection is as good as before: the transaction ended with the message.
        if let Open::Postgres(_, session) = self {
            session.close().await;
        }
    }
}

/// Through a cursor, so that a query with too many rows costs the server no more than those that are looked at, and
/// nothing but a query that reads can stand there. It is planned for all rows, as it would be without one.
async fn ask_postgres(
    server: &Server,
    session: &mut Session,
    cx: &Context,
    sql: &str,
    rows_max: usize,
) -> Result<Table, Fault> {
    cx.phase("query");
    let statements = format!(
        "set local cursor_tuple_fraction = 1;\ndeclare atalaya_check no scroll cursor for\n{sql}\n;\n\
         fetch {} from atalaya_check",
        rows_max + 1,
    );
    let tables = session.read(cx, server.schema.as_deref(), &statements, rows_max).await;
    cx.phase_end();
    tables.map(|mut tables| tables.pop().unwrap_or_default()).map_err(|error| fault::asking(&error))
}

/// The query at the key `query`, for the database at an address. `None` where it has faults, which are reported.
pub fn template(build: &mut Build<'_>, query: &str, address: &Address) -> Option<Template> {
    let dialect = match address {
        Address::Postgres(_) => Dialect::Postgres,
        Address::Sqlite(_) => Dialect::Sqlite,
    };
    let report = |Wrong { text, hint }| match hint {
        Some(hint) => build.fault_with_hint("query", text, hint),
        None => build.fault("query", text),
    };
    Template::parse(query, dialect).map_err(|faults| faults.into_iter().for_each(report)).ok()
}
