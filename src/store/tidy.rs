//! Rolling up, packing and forgetting, a small step at a time, so that what is new never waits long.

use super::error::StoreError;
use super::file::{Store, Writer};
use super::remember::{loose_slice, minute_of};
use super::write::{BEGIN, nanoseconds};
use super::{Slice, facts, pack, roll};
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};
use std::collections::BTreeMap;

pub(super) const SLICE_DAYS: u32 = 90;
pub(super) const BASELINE_DAYS: u32 = 400;
/// More than the longest window that is shown by the minute, with the time that rolling waits.
pub(super) const MINUTE_HOURS: u32 = 26;
pub(super) const HOUR_DAYS: u32 = 35;
const DAY_DAYS: u32 = 400;
/// More than the longest window of an objective; days before are kept with two digits.
const EXACT_DAYS: u32 = 92;
const FACTS: SignedDuration = SignedDuration::from_hours(3 * 24);
const SETTLED: SignedDuration = SignedDuration::from_hours(30 * 24);
const EPISODES: SignedDuration = SignedDuration::from_hours(400 * 24);
const SETTLED_MAX: i64 = 5_000;
const EPISODES_MAX: i64 = 20_000;

/// Minutes after which a slice is packed; one that changes later is packed again.
const LOOSE_MINUTES: u32 = 120;

/// Pages that are given back at once, and pages that may stay free for what comes next.
const PAGES_AT_ONCE: &str = "PRAGMA incremental_vacuum(256)";
const FREE_PAGES_MAX: i64 = 2048;

/// Rows that are removed at once.
const ROWS_AT_ONCE: i64 = 2_000;

/// What is older than a moment, as a statement with that moment and the number of rows as its holes.
const FORGET_MINUTES: [(&str, u32); 3] = [
    (
        "DELETE FROM histogram_day WHERE (start, name) IN (SELECT start, name FROM histogram_day WHERE start < ? LIMIT ?)",
        DAY_DAYS * 1440,
    ),
    (
        "DELETE FROM slice_day WHERE (day, name, generation) IN (SELECT day, name, generation FROM slice_day \
         WHERE (day + 1) * 1440 < ? LIMIT ?)",
        SLICE_DAYS * 1440,
    ),
    (
        "DELETE FROM baseline_day WHERE (day, name, generation) IN (SELECT day, name, generation FROM baseline_day \
         WHERE (day + 1) * 1440 < ? LIMIT ?)",
        BASELINE_DAYS * 1440,
    ),
];

const FORGET_MOMENTS: [(&str, SignedDuration); 4] = [
    ("DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE settled < ? LIMIT ?)", SETTLED),
    // Nobody came to settle it: its channel is gone.
    (
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE settled IS NULL AND expires < ? LIMIT ?)",
        SETTLED,
    ),
    ("DELETE FROM episode WHERE id IN (SELECT id FROM episode WHERE ended < ? LIMIT ?)", EPISODES),
    ("DELETE FROM silence WHERE id IN (SELECT id FROM silence WHERE until < ? LIMIT ?)", SETTLED),
];

/// The oldest beyond a number, with that number and the number of rows as holes.
const FORGET_BEYOND: [(&str, i64); 2] = [
    (
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE settled <= \
         (SELECT settled FROM outbox WHERE settled IS NOT NULL ORDER BY settled DESC LIMIT 1 OFFSET ?) LIMIT ?)",
        SETTLED_MAX,
    ),
    (
        "DELETE FROM episode WHERE id IN (SELECT id FROM episode WHERE ended IS NOT NULL AND fired <= \
         (SELECT fired FROM episode ORDER BY fired DESC LIMIT 1 OFFSET ?) LIMIT ?)",
        EPISODES_MAX,
    ),
];

impl Store {
    /// Everything that is due at `now`.
    pub async fn tidy(&self, now: Timestamp) -> Result<(), StoreError> {
        while self.tidy_step(now).await? {}
        Ok(())
    }

    /// A part of what is due, some milliseconds long; whether there was any.
    pub async fn tidy_step(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.is_there()?;
        let mut writer = self.writer.lock().await;
        step(&mut writer, now).await.map_err(|error| StoreError::sql(&self.path, &error))
    }
}

async fn step(writer: &mut Writer, now: Timestamp) -> Result<bool, sqlx::Error> {
    let Writer { connection, known } = writer;
    let minute = minute_of(now);
    if roll::roll(connection, &roll::HOURS, minute).await? {
        // Hours that are made are not marked any more.
        known.marked.clear();
        return Ok(true);
    }
    Ok(roll::roll(connection, &roll::DAYS, minute).await?
        || pack_slices(connection, minute).await?
        || roll::forget_parts(connection, &roll::HOURS, minute).await?
        || roll::forget_parts(connection, &roll::DAYS, minute).await?
        || roll::coarsen(connection, EXACT_DAYS * 1440, minute).await?
        || facts::join(connection).await?
        || facts::forget(connection, now - FACTS).await?
        || forget(connection, now, minute).await?
        || give_back(connection).await?)
}

/// Moves the loose minutes of the oldest hour that has any into their days.
async fn pack_slices(connection: &mut SqliteConnection, now: u32) -> Result<bool, sqlx::Error> {
    let settled = now.saturating_sub(LOOSE_MINUTES);
    let oldest: Option<u32> =
        sqlx::query_scalar("SELECT min(minute) FROM slice").fetch_one(&mut *connection).await?;
    // Whole hours, so that a day is packed 24 times and not 1440 times.
    let Some(from) = oldest.map(|minute| minute / 60 * 60).filter(|from| from + 60 <= settled) else {
        return Ok(false);
    };
    let mut tx = connection.begin_with(BEGIN).await?;
    let sql =
        "SELECT minute, name, generation, good, bad, excluded FROM slice WHERE minute >= ? AND minute < ?";
    let mut loose: BTreeMap<(i64, i64), Vec<Slice>> = BTreeMap::new();
    for row in sqlx::query(sql).bind(from).bind(from + 60).fetch_all(&mut *tx).await? {
        loose.entry((row.try_get(1)?, row.try_get(2)?)).or_default().push(loose_slice(&row)?);
    }
    let day = from / pack::MINUTES_OF_DAY;
    for ((name, generation), slices) in loose {
        let mut minutes = packed(&mut tx, day, name, generation).await?;
        minutes.extend(slices.into_iter().map(|slice| (slice.minute, slice)));
        sqlx::query("INSERT OR REPLACE INTO slice_day (day, name, generation, minutes) VALUES (?, ?, ?, ?)")
            .bind(day)
            .bind(name)
            .bind(generation)
            .bind(pack::pack(&minutes))
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("DELETE FROM slice WHERE minute >= ? AND minute < ?")
        .bind(from)
        .bind(from + 60)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(true)
}

async fn packed(
    tx: &mut SqliteConnection,
    day: u32,
    name: i64,
    generation: i64,
) -> Result<BTreeMap<u32, Slice>, sqlx::Error> {
    let sql = "SELECT minutes FROM slice_day WHERE day = ? AND name = ? AND generation = ?";
    let row = sqlx::query(sql).bind(day).bind(name).bind(generation).fetch_optional(tx).await?;
    let Some(row) = row else { return Ok(BTreeMap::new()) };
    Ok(pack::unpack(day, row.try_get(0)?).unwrap_or_else(|| {
        tracing::error!(day, "the packed minutes of an objective are damaged, and lost");
        BTreeMap::new()
    }))
}

async fn forget(connection: &mut SqliteConnection, now: Timestamp, minute: u32) -> Result<bool, sqlx::Error> {
    let mut removed = 0;
    for (sql, kept) in FORGET_MINUTES {
        let query = sqlx::query(sql).bind(i64::from(minute.saturating_sub(kept))).bind(ROWS_AT_ONCE);
        removed += query.execute(&mut *connection).await?.rows_affected();
    }
    for (sql, kept) in FORGET_MOMENTS {
        let before = now.saturating_sub(kept).unwrap_or(Timestamp::MIN);
        let query = sqlx::query(sql).bind(nanoseconds(before)).bind(ROWS_AT_ONCE);
        removed += query.execute(&mut *connection).await?.rows_affected();
    }
    for (sql, kept) in FORGET_BEYOND {
        let query = sqlx::query(sql).bind(kept).bind(ROWS_AT_ONCE);
        removed += query.execute(&mut *connection).await?.rows_affected();
    }
    Ok(removed > 0)
}

/// Gives room back to the disk where more is free than will soon be used.
async fn give_back(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let free: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut *connection).await?;
    if free <= FREE_PAGES_MAX {
        return Ok(false);
    }
    sqlx::query(PAGES_AT_ONCE).fetch_all(connection).await?;
    Ok(true)
}
