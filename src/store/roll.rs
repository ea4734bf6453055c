//! Minutes become hours, hours become days: the histograms of the parts are merged, which loses nothing but when in
//! the hour it was.
//!
//! Writing a minute marks its hour as `unrolled`, writing an hour marks its day. An hour is made from all of its
//! minutes, so making it again after a late one is harmless. Minutes go by the hour, and it is remembered up to where
//! they are gone: one that comes later still is added to what its hour holds.

use super::tidy::{HOUR_DAYS, MINUTE_HOURS};
use super::write::BEGIN;
use crate::record::cells::{Cells, Side};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Row};

/// What one level is made from.
pub(super) struct Level {
    pub table: &'static str,
    /// Minutes that one row covers.
    pub span: u32,
    /// Minutes that a row of the level below covers.
    pub part: u32,
    /// The level below.
    pub parts: &'static str,
    /// Minutes for which the level below is kept.
    parts_kept: u32,
    /// Where it is remembered up to which minute the level below is gone.
    gone: &'static str,
    /// Minutes to wait for late parts.
    wait: u32,
}

pub(super) const HOURS: Level = Level {
    table: "histogram_hour",
    span: 60,
    part: 1,
    parts: "histogram_minute",
    parts_kept: MINUTE_HOURS * 60,
    gone: "minutes gone before",
    wait: 2,
};

pub(super) const DAYS: Level = Level {
    table: "histogram_day",
    span: 1440,
    part: 60,
    parts: "histogram_hour",
    parts_kept: HOUR_DAYS * 1440,
    gone: "hours gone before",
    wait: 30,
};

/// Hours or days that are made in one transaction.
const AT_ONCE: i64 = 16;

/// Runs of one check by verdict, and what they took.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sum {
    pub counts: [u64; 5],
    pub cells: Cells,
}

impl Sum {
    /// Adds a row of (…, five counts, two histograms), from `at` on.
    pub fn add(&mut self, row: &SqliteRow, at: usize) -> Result<(), sqlx::Error> {
        for (number, count) in self.counts.iter_mut().enumerate() {
            *count += row.try_get::<i64, _>(at + number)?.cast_unsigned();
        }
        for (side, column) in [(Side::Good, at + 5), (Side::Failed, at + 6)] {
            self.cells
                .add_v2(side, row.try_get(column)?)
                .map_err(|error| sqlx::Error::Decode(error.into()))?;
        }
        Ok(())
    }
}

/// Makes some of the hours or days that are due at minute `now`. Whether there were any.
pub(super) async fn roll(
    connection: &mut SqliteConnection,
    level: &Level,
    now: u32,
) -> Result<bool, sqlx::Error> {
    let due =
        sqlx::query("SELECT start, name FROM unrolled WHERE span = ? AND start <= ? ORDER BY start LIMIT ?")
            .bind(level.span)
            .bind(now.saturating_sub(level.span + level.wait))
            .bind(AT_ONCE)
            .fetch_all(&mut *connection)
            .await?;
    if due.is_empty() {
        return Ok(false);
    }
    let mut tx = connection.begin_with(BEGIN).await?;
    let gone = number(&mut tx, level.gone).await?;
    for row in due {
        let (start, name) = (row.try_get(0)?, row.try_get(1)?);
        make(&mut tx, level, start, name, start < gone).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Forgets the parts of the oldest hour or day that has any longer than they are kept. Whether there were some.
pub(super) async fn forget_parts(
    connection: &mut SqliteConnection,
    level: &Level,
    now: u32,
) -> Result<bool, sqlx::Error> {
    let sql = format!("SELECT min(start) FROM {}", level.parts);
    let oldest: Option<u32> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
    let border = oldest.map(|start| start / level.span * level.span + level.span);
    let Some(border) = border.filter(|border| border + level.parts_kept <= now) else { return Ok(false) };
    let mut tx = connection.begin_with(BEGIN).await?;
    let unrolled = sqlx::query("SELECT 1 FROM unrolled WHERE span = ? AND start < ? LIMIT 1");
    if unrolled.bind(level.span).bind(border).fetch_optional(&mut *tx).await?.is_none() {
        let sql = format!("DELETE FROM {} WHERE start < ?", level.parts);
        sqlx::query(AssertSqlSafe(sql)).bind(border).execute(&mut *tx).await?;
        set_number(&mut tx, level.gone, border).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Makes the oldest days that are past `kept` minutes coarse: nobody looks at them by the thousandth, and there are
/// many of them. Whether there were some.
pub(super) async fn coarsen(
    connection: &mut SqliteConnection,
    kept: u32,
    now: u32,
) -> Result<bool, sqlx::Error> {
    let before = number(connection, COARSE).await?;
    let next = sqlx::query_scalar("SELECT min(start) FROM histogram_day WHERE start >= ? AND start < ?");
    let next: Option<u32> =
        next.bind(before).bind(now.saturating_sub(kept)).fetch_one(&mut *connection).await?;
    let Some(start) = next else { return Ok(false) };
    let mut tx = connection.begin_with(BEGIN).await?;
    let sql = format!("SELECT name, {COLUMNS} FROM histogram_day WHERE start = ?");
    for row in sqlx::query(AssertSqlSafe(sql)).bind(start).fetch_all(&mut *tx).await? {
        let mut sum = Sum::default();
        match sum.add(&row, 1) {
            Ok(()) => put(&mut tx, &DAYS, (start, row.try_get(0)?), sum.counts, &sum.cells.coarse()).await?,
            Err(error) => tracing::error!(%error, "a histogram of a day is damaged"),
        }
    }
    set_number(&mut tx, COARSE, start + DAYS.span).await?;
    tx.commit().await?;
    Ok(true)
}

/// Where it is remembered up to which minute days are coarse.
const COARSE: &str = "days coarse before";

async fn set_number(tx: &mut SqliteConnection, key: &str, number: u32) -> Result<(), sqlx::Error> {
    let set = sqlx::query("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)");
    set.bind(key).bind(number.to_string()).execute(tx).await?;
    Ok(())
}

async fn number(connection: &mut SqliteConnection, key: &str) -> Result<u32, sqlx::Error> {
    let value = sqlx::query_scalar::<_, String>("SELECT value FROM meta WHERE key = ?").bind(key);
    Ok(value.fetch_optional(connection).await?.and_then(|value| value.parse().ok()).unwrap_or(0))
}

async fn make(
    tx: &mut SqliteConnection,
    level: &Level,
    start: u32,
    name: i64,
    late: bool,
) -> Result<(), sqlx::Error> {
    let mut sum = Sum::default();
    let mut rows = parts(tx, level, start, name).await?;
    if late {
        let sql = format!("SELECT {COLUMNS} FROM {} WHERE start = ? AND name = ?", level.table);
        let before = sqlx::query(AssertSqlSafe(sql)).bind(start).bind(name).fetch_optional(&mut *tx).await?;
        rows.extend(before);
        let sql = format!("DELETE FROM {} WHERE start >= ? AND start < ? AND name = ?", level.parts);
        sqlx::query(AssertSqlSafe(sql))
            .bind(start)
            .bind(start + level.span)
            .bind(name)
            .execute(&mut *tx)
            .await?;
    }
    for row in rows {
        if let Err(error) = sum.add(&row, 0) {
            tracing::error!(%error, "a histogram of a check is damaged, and lost");
        }
    }
    put(tx, level, (start, name), sum.counts, &sum.cells).await?;
    if level.span == HOURS.span {
        sqlx::query("INSERT OR IGNORE INTO unrolled (span, start, name) VALUES (1440, ?, ?)")
            .bind(start / 1440 * 1440)
            .bind(name)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("DELETE FROM unrolled WHERE span = ? AND start = ? AND name = ?")
        .bind(level.span)
        .bind(start)
        .bind(name)
        .execute(tx)
        .await?;
    Ok(())
}

/// In the place of the row before, which is removed first: a page that is left half empty is joined with the next.
async fn put(
    tx: &mut SqliteConnection,
    level: &Level,
    (start, name): (u32, i64),
    counts: [u64; 5],
    cells: &Cells,
) -> Result<(), sqlx::Error> {
    let table = level.table;
    let sql =
        format!("INSERT OR REPLACE INTO {table} (start, name, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    let mut insert = sqlx::query(AssertSqlSafe(sql)).bind(start).bind(name);
    for count in counts {
        insert = insert.bind(count.cast_signed());
    }
    let insert = insert.bind(cells.to_v2(Side::Good)).bind(cells.to_v2(Side::Failed));
    insert.execute(tx).await?;
    Ok(())
}

pub(super) const COLUMNS: &str = "ok, degraded, failed, unknown, dropped, good, bad";

/// One look-up for each part that may be there: the parts of all checks lie mixed.
async fn parts(
    tx: &mut SqliteConnection,
    level: &Level,
    start: u32,
    name: i64,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let sql = format!(
        "WITH RECURSIVE part (start) AS (VALUES (?) UNION ALL SELECT start + ? FROM part WHERE start + ? < ?) \
         SELECT {COLUMNS} FROM part CROSS JOIN {} AS h ON h.start = part.start AND h.name = ?",
        level.parts
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(start)
        .bind(level.part)
        .bind(level.part)
        .bind(start + level.span)
        .bind(name)
        .fetch_all(tx)
        .await
}
