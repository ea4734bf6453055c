//! One connection to PostgreSQL, opened and closed in a run, which only reads.
//!
//! Questions go as one message of the simple protocol. Its statements are one implicit transaction, so `set
//! local` ends with the message, a pooler gives all of them to one server connection, and an error leaves
//! nothing behind: neither a setting nor an aborted transaction.

use super::address::Server;
use super::cell::{Cell, Table};
use super::fault;
use crate::outcome::Fault;
use crate::probe::Context;
use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Either, Row, TypeInfo, ValueRef};
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// An open connection.
pub struct Session {
    connection: PgConnection,
}

/// Certificates of authorities are small; more than this is another file.
const CA_BYTES_MAX: u64 = 1 << 20;

/// How much of the time that is left the server gets. The rest is for its answer to arrive, so that
/// its own words for the delay are seen and nothing runs on when the run has ended.
const SERVER_SHARE: f64 = 0.9;

impl Session {
    /// Connects and logs in: phase `connect`.
    pub async fn open(server: &Server, cx: &Context) -> Result<Session, Fault> {
        let mut options = server.options();
        if let Some(path) = &server.ca {
            let pem = read_ca(path).await.map_err(|error| {
                Fault::internal(format!("can't read the certificates in {}: {error}", path.display()))
            })?;
            options = options.ssl_root_cert_from_pem(pem);
        }
        cx.phase("connect");
        match options.connect().await {
            Ok(connection) => Ok(Session { connection }),
            Err(error) => Err(fault::connecting(server, &error)),
        }
    }

    /// Asks in a read-only transaction with deadlines that the server keeps. `statements` are divided by
    /// semicolons; the answer has a table for each, with at most `rows_max` rows.
    pub async fn read(
        &mut self,
        cx: &Context,
        schema: Option<&str>,
        statements: &str,
        rows_max: usize,
    ) -> Result<Vec<Table>, sqlx::Error> {
        let guard = guard(cx.remaining(), schema);
        let sql = format!("{};\n{statements}", guard.join(";\n"));
        let mut tables = self.ask(sql, rows_max).await?;
        Ok(tables.split_off(guard.len().min(tables.len())))
    }

    /// As it stands, for a question that needs no deadline of its own and a console that knows no settings.
    pub async fn ask(&mut self, sql: String, rows_max: usize) -> Result<Vec<Table>, sqlx::Error> {
        let mut tables = Vec::new();
        let mut table = Table::default();
        let mut answers = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(&mut self.connection);
        while let Some(answer) = answers.try_next().await? {
            match answer {
                Either::Left(_end) => tables.push(std::mem::take(&mut table)),
                Either::Right(_) if table.rows.len() >= rows_max => table.more = true,
                Either::Right(row) => add(&mut table, &row)?,
            }
        }
        Ok(tables)
    }

    /// Says goodbye, so that neither server nor pooler logs a client that went away. The answer is in hand by then, so
    /// trouble in parting is nobody's.
    pub async fn close(self) {
        self.connection.close().await.ok();
    }
}

/// The settings that hold for one message.
fn guard(remaining: Duration, schema: Option<&str>) -> Vec<String> {
    let statement = remaining.mul_f64(SERVER_SHARE).as_millis().max(1);
    let mut guard = vec![
        format!("set local statement_timeout = {statement}"),
        // Shorter, so that what is said is that a lock was the trouble.
        format!("set local lock_timeout = {}", (statement / 2).max(1)),
        "set transaction read only".to_owned(),
        // What times in the query mean and how answers are printed, whatever the role's own settings are.
        "set local timezone = 'UTC'".to_owned(),
        "set local datestyle = 'ISO, MDY'".to_owned(),
        "set local intervalstyle = 'postgres'".to_owned(),
        // A notice of the shop's own functions may hold data, and sqlx would log it.
        "set local client_min_messages = error".to_owned(),
    ];
    guard.extend(schema.map(|schema| format!("set local search_path = {}", identifier(schema))));
    guard
}

fn add(table: &mut Table, row: &PgRow) -> Result<(), sqlx::Error> {
    if table.columns.is_empty() {
        table.columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
    }
    let cells = (0..row.len()).map(|at| {
        let value = row.try_get_raw(at)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let text = value.as_str().map_err(sqlx::Error::Decode)?;
        Ok(Cell::from_postgres(row.column(at).type_info().name(), text))
    });
    let cells = cells.collect::<Result<_, sqlx::Error>>()?;
    table.rows.push(cells);
    Ok(())
}

async fn read_ca(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    tokio::fs::File::open(path).await?.take(CA_BYTES_MAX).read_to_end(&mut pem).await?;
    Ok(pem)
}

/// A name in SQL, whatever it holds.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL, whatever it holds, in sessions of every setting.
pub fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_ends_before_the_run_and_a_lock_before_both() {
        let guard = guard(Duration::from_secs(5), Some("a\"b")).join("; ");
        assert!(
            guard.starts_with("set local statement_timeout = 4500; set local lock_timeout = 2250; "),
            "{guard}"
        );
        assert!(guard.ends_with("set local search_path = \"a\"\"b\""), "{guard}");
    }

    #[test]
    fn no_text_ends_its_literal() {
        assert_eq!(literal("a'b\\'c"), "E'a\\'b\\\\\\'c'");
    }
}
