//! What the runs of one check took over any window, merged from days, hours and minutes.

use super::error::StoreError;
use super::reader::Reader;
use super::remember::minute_of;
use super::roll::{COLUMNS, Sum};
use crate::record::cells::Cells;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

/// (table, minutes that a row covers), the coarsest first.
pub(super) const LEVELS: [(&str, u32); 3] =
    [("histogram_day", 1440), ("histogram_hour", 60), ("histogram_minute", 1)];

/// The runs of one check in one window.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    /// ok, degraded, failed, unknown, dropped.
    pub counts: [u64; 5],
    /// What they took: quantiles over the window come from here.
    pub cells: Cells,
}

impl Reader {
    /// From `from` (inclusive) to `to` (exclusive), to the minute; where only an hour or a day is left of what a
    /// border falls into, to that.
    pub async fn past(&mut self, check: &str, from: Timestamp, to: Timestamp) -> Result<Past, StoreError> {
        let (from, to) = (minute_of(from), minute_of(to));
        let sum = sum(&mut self.connection, check, from, to).await;
        let Sum { counts, cells } = sum.map_err(|error| StoreError::sql(&self.path, &error))?;
        Ok(Past { counts, cells })
    }
}

async fn sum(connection: &mut SqliteConnection, check: &str, from: u32, to: u32) -> Result<Sum, sqlx::Error> {
    let mut sum = Sum::default();
    let name = sqlx::query_scalar::<_, i64>("SELECT id FROM name WHERE name = ?").bind(check);
    let Some(name) = name.fetch_optional(&mut *connection).await? else { return Ok(sum) };
    // What is still to be covered, as [from, to) in minutes.
    let mut open = vec![(from, to)];
    for (number, (table, span)) in LEVELS.into_iter().enumerate() {
        // From here on the next finer level can tell a part of a row from the rest.
        let finer = match LEVELS.get(number + 1) {
            Some((table, _)) => oldest(connection, table).await?,
            None => 0,
        };
        let mut left = Vec::new();
        for (from, to) in open {
            let begun = from / span * span;
            let first = if begun < finer { begun } else { from.next_multiple_of(span) };
            let mut at = from;
            for (start, row) in rows(connection, table, name, (first, to)).await? {
                if start + span > to && start >= finer {
                    continue;
                }
                sum.add(&row, 1)?;
                if start > at {
                    left.push((at, start));
                }
                at = start + span;
            }
            if at < to {
                left.push((at, to));
            }
        }
        open = left;
    }
    Ok(sum)
}

async fn oldest(connection: &mut SqliteConnection, table: &str) -> Result<u32, sqlx::Error> {
    let sql = format!("SELECT min(start) FROM {table}");
    let oldest: Option<u32> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await?;
    Ok(oldest.unwrap_or(u32::MAX))
}

/// By time. Rows of all checks lie mixed, so each that may be there is looked up; but none before the first.
async fn rows(
    connection: &mut SqliteConnection,
    table: &str,
    name: i64,
    (from, to): (u32, u32),
) -> Result<Vec<(u32, sqlx::sqlite::SqliteRow)>, sqlx::Error> {
    let span = LEVELS.iter().find(|(level, _)| *level == table).map_or(1, |(_, span)| *span);
    let from = from.max(oldest(connection, table).await?).checked_next_multiple_of(span);
    let Some(from) = from.filter(|from| *from < to) else { return Ok(Vec::new()) };
    let sql = format!(
        "WITH RECURSIVE part (at) AS (VALUES (?) UNION ALL SELECT at + ? FROM part WHERE at + ? < ?) \
         SELECT start, {COLUMNS} FROM part CROSS JOIN {table} AS h ON h.start = part.at AND h.name = ?"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(from).bind(span).bind(span).bind(to).bind(name);
    query.fetch_all(connection).await?.into_iter().map(|row| Ok((row.try_get(0)?, row))).collect()
}
