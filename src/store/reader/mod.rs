//! Reading beside a running agent: a connection of its own that can't write, and no transaction that lasts, since one
//! that does would keep the log from being merged.

mod history;
mod told;

use crate::store::error::{StoreError, Trouble};
use crate::store::file::{STORE, recognise};
use crate::store::remember::loose_slice;
use crate::store::write::{moment, nanoseconds};
use crate::store::{Slice, facts, pack, quantiles};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a reader waits while another program holds the whole file.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Rows that are read at once, and as many more as are of the same minute or day.
const PAGE: u32 = 500;

/// A connection that only reads.
pub struct Reader {
    pub(super) path: PathBuf,
    pub(super) connection: SqliteConnection,
}

impl Reader {
    pub async fn open(path: &Path) -> Result<Reader, StoreError> {
        if !path.exists() {
            return Err(StoreError::new(Trouble::Other, path, "there is no such file"));
        }
        let mut connection = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(LOCK_WAIT)
            .disable_statement_logging()
            .connect()
            .await
            .map_err(|error| StoreError::sql(path, &error))?;
        recognise(&mut connection, path, &STORE).await?;
        Ok(Reader { path: path.to_owned(), connection })
    }

    fn fail(&self, error: &sqlx::Error) -> StoreError {
        StoreError::sql(&self.path, error)
    }

    /// Facts from `from` (inclusive) to `to` (exclusive) as lines of JSON, a chunk at a time. `write` says whether to
    /// go on.
    pub async fn facts(
        &mut self,
        from: Timestamp,
        to: Timestamp,
        write: Write<'_>,
    ) -> Result<(), StoreError> {
        // A chunk lasts until the next one begins, so the one before the first that begins in time is part of it.
        let first = sqlx::query_scalar::<_, Option<i64>>("SELECT max(id) FROM fact WHERE at <= ?");
        let first = first.bind(nanoseconds(from)).fetch_one(&mut self.connection).await;
        let mut after = first.map_err(|error| self.fail(&error))?.unwrap_or(0) - 1;
        loop {
            let next = sqlx::query("SELECT id, lines FROM fact WHERE id > ? AND at < ? ORDER BY id LIMIT 1");
            let next = next.bind(after).bind(nanoseconds(to)).fetch_optional(&mut self.connection).await;
            let Some(row) = next.map_err(|error| self.fail(&error))? else { return Ok(()) };
            let (id, lines) = chunk(&row).map_err(|error| self.fail(&error))?;
            after = id;
            for line in lines.lines() {
                let at = serde_json::from_str::<At>(line).map(|line| line.at);
                let wanted = at.is_ok_and(|at| from <= at && at < to);
                if wanted && !write(line) {
                    return Ok(());
                }
            }
        }
    }

    /// Episodes, in the order in which they were first written.
    pub async fn episodes(&mut self, write: Write<'_>) -> Result<(), StoreError> {
        let columns = "id, episode, alert, severity, title, summary, fired, ended";
        self.pages(("episode", columns), write, |row| {
            let ended: Option<i64> = row.try_get(7)?;
            Ok(vec![json!({
                "episode": row.try_get::<&str, _>(1)?, "alert": row.try_get::<&str, _>(2)?,
                "severity": row.try_get::<&str, _>(3)?, "title": row.try_get::<&str, _>(4)?,
                "summary": row.try_get::<&str, _>(5)?, "fired": moment(row.try_get(6)?),
                "ended": ended.map(moment),
            })])
        })
        .await
    }

    /// Histograms of each day, hour and minute that is kept: `seconds` says how much one covers. The same run is in
    /// its minute, its hour and its day.
    pub async fn histograms(&mut self, write: Write<'_>) -> Result<(), StoreError> {
        let columns = "start, (SELECT name FROM name WHERE id = t.name), ok, degraded, failed, unknown, dropped, good, bad";
        for (table, minutes) in quantiles::LEVELS {
            self.pages((table, columns), write, |row| {
                let mut runs = serde_json::Map::new();
                for (at, word) in (2..).zip(["ok", "degraded", "failed", "unknown", "dropped"]) {
                    runs.insert(word.to_owned(), row.try_get::<i64, _>(at)?.into());
                }
                Ok(vec![json!({
                    "check": row.try_get::<&str, _>(1)?, "from": minute(row.try_get(0)?),
                    "seconds": minutes * 60, "runs": runs,
                    "good": BASE64_STANDARD.encode(row.try_get::<&[u8], _>(7)?),
                    "failed": BASE64_STANDARD.encode(row.try_get::<&[u8], _>(8)?),
                })])
            })
            .await?;
        }
        Ok(())
    }

    /// Minutes of objectives: those that are settled, then those that may still change, which count where both tell
    /// of the same minute.
    pub async fn slices(&mut self, write: Write<'_>) -> Result<(), StoreError> {
        let line = |objective: &str, generation: i64, slice: &Slice| {
            json!({
                "objective": objective, "generation": format!("{:016x}", generation.cast_unsigned()),
                "minute": minute(slice.minute), "good": slice.good, "bad": slice.bad, "excluded": slice.excluded,
            })
        };
        let columns = "day, (SELECT name FROM name WHERE id = t.name), generation, minutes";
        self.pages(("slice_day", columns), write, |row| {
            let (objective, generation) = (row.try_get(1)?, row.try_get(2)?);
            let minutes = pack::unpack(row.try_get(0)?, row.try_get(3)?).unwrap_or_default();
            Ok(minutes.values().map(|slice| line(objective, generation, slice)).collect())
        })
        .await?;
        let columns = "minute, (SELECT name FROM name WHERE id = t.name), generation, good, bad, excluded";
        self.pages(("slice", columns), write, |row| {
            Ok(vec![line(row.try_get(1)?, row.try_get(2)?, &loose_slice(row)?)])
        })
        .await
    }

    /// Asks for the rows after the last one, a page at a time, in the order of the first of the columns; rows that
    /// have the same are of one page.
    async fn pages(
        &mut self,
        (table, columns): (&str, &str),
        write: Write<'_>,
        make: impl Fn(&SqliteRow) -> Result<Vec<Value>, sqlx::Error>,
    ) -> Result<(), StoreError> {
        let order = columns.split(',').next().unwrap_or("rowid");
        let sql = format!(
            "SELECT {columns} FROM {table} AS t WHERE {order} > ?1 AND {order} <= (SELECT max(next) FROM \
             (SELECT {order} AS next FROM {table} WHERE {order} > ?1 ORDER BY {order} LIMIT {PAGE})) ORDER BY {order}"
        );
        let mut after = -1_i64;
        loop {
            let rows = sqlx::query(AssertSqlSafe(&*sql)).bind(after).fetch_all(&mut self.connection).await;
            let rows = rows.map_err(|error| self.fail(&error))?;
            for row in &rows {
                let lines = row.try_get(0).and_then(|at| Ok((at, make(row)?)));
                let (at, lines) = lines.map_err(|error| self.fail(&error))?;
                after = at;
                if !lines.iter().all(|line| write(&line.to_string())) {
                    return Ok(());
                }
            }
            if rows.is_empty() {
                return Ok(());
            }
        }
    }
}

/// Takes a line; says whether to go on.
pub type Write<'w> = &'w mut dyn FnMut(&str) -> bool;

/// The one field of a fact by which it is chosen.
#[derive(Deserialize)]
struct At {
    at: Timestamp,
}

fn chunk(row: &SqliteRow) -> Result<(i64, String), sqlx::Error> {
    Ok((row.try_get(0)?, facts::inflate(row.try_get(1)?)?))
}

/// The moment in which a minute begins.
fn minute(minute: u32) -> Timestamp {
    Timestamp::from_second(i64::from(minute) * 60).unwrap_or(Timestamp::MAX)
}
