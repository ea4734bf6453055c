//! One question to the file of an embedded database, read only.
//!
//! sqlx runs SQLite in a thread of its own, which doesn't end when a run is given up. So a handler that SQLite calls
//! as it works ends the query at its deadline, or as soon as the run is dropped.

use super::super::cell::{Cell, Table};
use super::super::fault;
use crate::clock;
use crate::outcome::Fault;
use crate::probe::Context;
use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Row, TypeInfo, ValueRef};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many of SQLite's instructions pass between two looks at the clock; some tens of microseconds.
const INSTRUCTIONS: i32 = 2_000;

/// Tells the query that nobody waits for it any more.
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Opens the file, asks, and closes it: phases `connect` and `query`.
pub async fn read(path: &Path, cx: &Context, sql: String, rows_max: usize) -> Result<Table, Fault> {
    cx.phase("connect");
    let mut connection = open(path, cx).await.map_err(|error| fault::sqlite(&error))?;
    let given_up = GivenUp(Arc::new(AtomicBool::new(false)));
    // Before the run's own deadline, so that what is said is that the query was the trouble.
    let deadline = clock::instant() + cx.remaining().mul_f64(0.9);
    let nobody_waits = Arc::clone(&given_up.0);
    connection
        .lock_handle()
        .await
        .map_err(|error| fault::sqlite(&error))?
        .set_progress_handler(INSTRUCTIONS, move || {
            !nobody_waits.load(Ordering::Relaxed) && clock::instant() < deadline
        });
    cx.phase("query");
    let table = ask(&mut connection, sql, rows_max).await.map_err(|error| fault::sqlite(&error))?;
    cx.phase_end();
    connection.close().await.ok();
    Ok(table)
}

async fn open(path: &Path, cx: &Context) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(cx.remaining() / 2)
        .statement_cache_capacity(1)
        .disable_statement_logging();
    options.connect().await
}

async fn ask(connection: &mut SqliteConnection, sql: String, rows_max: usize) -> Result<Table, sqlx::Error> {
    let mut table = Table::default();
    let mut rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        if table.rows.len() >= rows_max {
            table.more = true;
            break;
        }
        if table.columns.is_empty() {
            table.columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
        }
        let cells = (0..row.len()).map(|at| cell(&row, at)).collect::<Result<_, _>>()?;
        table.rows.push(cells);
    }
    Ok(table)
}

/// By the type of the value, since a column of SQLite can hold anything.
fn cell(row: &SqliteRow, at: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    Ok(match value.type_info().name() {
        "INTEGER" => Cell::Number(row.try_get_unchecked::<i64, _>(at)? as f64),
        "REAL" => match row.try_get_unchecked::<f64, _>(at)? {
            number if number.is_finite() => Cell::Number(number),
            _ => Cell::Null,
        },
        "TEXT" => Cell::Text(row.try_get_unchecked(at)?),
        other => Cell::Other(other.to_ascii_lowercase()),
    })
}
