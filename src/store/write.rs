//! One transaction that replaces rows by their keys.

use super::error::StoreError;
use super::file::{Known, Store, Writer};
use super::{Batch, Gathered, OutboxRow, RowState, facts};
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};
use std::collections::HashMap;
use std::sync::Arc;

/// Takes the lock at once: a reader that becomes a writer can't wait for one.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// A moment as it stands in the file. Moments that a 64-bit number of nanoseconds can't hold (before 1678, after 2262)
/// become the first or the last that it can.
pub(super) fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX })
}

pub(super) fn moment(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Store {
    /// Writes everything or nothing.
    pub async fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        self.put(&Gathered::from(batch.clone())).await
    }

    /// As [`Store::write`], of several batches.
    pub async fn put(&self, rows: &Gathered) -> Result<(), StoreError> {
        self.is_there()?;
        let mut writer = self.writer.lock().await;
        let written = transaction(&mut writer, rows).await;
        if written.is_err() {
            writer.known = Known::default();
        }
        written.map_err(|error| StoreError::sql(&self.path, &error))
    }
}

async fn transaction(writer: &mut Writer, rows: &Gathered) -> Result<(), sqlx::Error> {
    let Writer { connection, known } = writer;
    let mut tx = connection.begin_with(BEGIN).await?;
    promises(&mut tx, rows).await?;
    for row in rows.outbox_in_order() {
        message(&mut tx, row).await?;
    }
    counted(&mut tx, known, rows).await?;
    durations(&mut tx, known, rows).await?;
    for (at, lines) in &rows.facts {
        facts::append(&mut tx, *at, lines).await?;
    }
    tx.commit().await
}

async fn promises(tx: &mut SqliteConnection, rows: &Gathered) -> Result<(), sqlx::Error> {
    for (key, state) in &rows.alerts {
        match state {
            Some(state) => sqlx::query("INSERT OR REPLACE INTO alert (key, state) VALUES (?, ?)")
                .bind(&**key)
                .bind(state),
            None => sqlx::query("DELETE FROM alert WHERE key = ?").bind(&**key),
        }
        .execute(&mut *tx)
        .await?;
    }
    for (alert, row) in rows.episodes.values() {
        sqlx::query(
            "INSERT INTO episode (episode, alert, severity, title, summary, fired, ended) VALUES (?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (episode) DO UPDATE SET alert = excluded.alert, severity = excluded.severity, \
             title = excluded.title, summary = excluded.summary, fired = excluded.fired, ended = excluded.ended",
        )
        .bind(&row.episode)
        .bind(&**alert)
        .bind(row.severity.as_str())
        .bind(&row.title)
        .bind(&row.summary)
        .bind(nanoseconds(row.fired))
        .bind(row.ended.map(nanoseconds))
        .execute(&mut *tx)
        .await?;
    }
    for silence in rows.silences.values() {
        sqlx::query("INSERT OR REPLACE INTO silence (id, until, body) VALUES (?, ?, ?)")
            .bind(&silence.id)
            .bind(nanoseconds(silence.until))
            .bind(json(silence)?)
            .execute(&mut *tx)
            .await?;
    }
    for (check, to) in &rows.cursors {
        sqlx::query("INSERT OR REPLACE INTO cursor (name, upto) VALUES (?, ?)")
            .bind(&**check)
            .bind(nanoseconds(*to))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// A message that is settled stays settled: its key is made from what it says, so one that waits again under the same
/// key has been told already.
async fn message(tx: &mut SqliteConnection, row: &OutboxRow) -> Result<(), sqlx::Error> {
    let backups: Vec<&str> = row.backups.iter().map(|channel| &**channel).collect();
    sqlx::query(
        "INSERT INTO outbox (key, thread, channel, backups, notice, state, created, not_before, expires, attempts, \
         error, settled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (key) DO UPDATE SET thread = excluded.thread, channel = excluded.channel, \
         backups = excluded.backups, notice = excluded.notice, state = excluded.state, created = excluded.created, \
         not_before = excluded.not_before, expires = excluded.expires, attempts = excluded.attempts, \
         error = excluded.error, settled = excluded.settled \
         WHERE outbox.state = 'pending' OR excluded.state <> 'pending'",
    )
    .bind(&row.key)
    .bind(&row.thread)
    .bind(&*row.channel)
    .bind(json(&backups)?)
    .bind(json(&*row.notice)?)
    .bind(row.state.as_str())
    .bind(nanoseconds(row.created))
    .bind(nanoseconds(row.not_before))
    .bind(nanoseconds(row.expires))
    .bind(row.attempts)
    .bind(&row.error)
    .bind(row.settled.map(nanoseconds))
    .execute(tx)
    .await?;
    Ok(())
}

async fn counted(tx: &mut SqliteConnection, known: &mut Known, rows: &Gathered) -> Result<(), sqlx::Error> {
    for ((minute, objective, generation), slice) in &rows.slices {
        let name = name_id(tx, &mut known.names, objective).await?;
        sqlx::query(
            "INSERT OR REPLACE INTO slice (minute, name, generation, good, bad, excluded) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(minute)
        .bind(name)
        .bind(generation.cast_signed())
        .bind(slice.good)
        .bind(slice.bad)
        .bind(slice.excluded)
        .execute(&mut *tx)
        .await?;
    }
    for ((number, objective, generation), day) in &rows.days {
        let name = name_id(tx, &mut known.names, objective).await?;
        sqlx::query(
            "INSERT OR REPLACE INTO baseline_day (day, name, generation, count, sum, squares) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(number)
        .bind(name)
        .bind(generation.cast_signed())
        .bind(i64::try_from(day.count).unwrap_or(i64::MAX))
        .bind(day.sum)
        .bind(day.squares)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn durations(tx: &mut SqliteConnection, known: &mut Known, rows: &Gathered) -> Result<(), sqlx::Error> {
    for ((minute, check), row) in &rows.histograms {
        let name = name_id(tx, &mut known.names, check).await?;
        let mut insert = sqlx::query(
            "INSERT OR REPLACE INTO histogram_minute (start, name, ok, degraded, failed, unknown, dropped, good, bad) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(minute)
        .bind(name);
        for count in row.counts {
            insert = insert.bind(count);
        }
        insert.bind(&row.good).bind(&row.failed).execute(&mut *tx).await?;
        let hour = minute / 60 * 60;
        if known.marked.insert((hour, name)) {
            sqlx::query("INSERT OR IGNORE INTO unrolled (span, start, name) VALUES (60, ?, ?)")
                .bind(hour)
                .bind(name)
                .execute(&mut *tx)
                .await?;
        }
    }
    Ok(())
}

/// The number of a name, made where there is none.
pub(super) async fn name_id(
    tx: &mut SqliteConnection,
    names: &mut HashMap<Arc<str>, i64>,
    name: &Arc<str>,
) -> Result<i64, sqlx::Error> {
    if let Some(id) = names.get(name) {
        return Ok(*id);
    }
    sqlx::query("INSERT OR IGNORE INTO name (name) VALUES (?)").bind(&**name).execute(&mut *tx).await?;
    let row = sqlx::query("SELECT id FROM name WHERE name = ?").bind(&**name).fetch_one(&mut *tx).await?;
    let id = row.try_get(0)?;
    names.insert(name.clone(), id);
    Ok(id)
}

fn json(value: &impl serde::Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

impl RowState {
    pub(super) const ALL: [RowState; 5] =
        [RowState::Pending, RowState::Delivered, RowState::Refused, RowState::Expired, RowState::Merged];

    pub const fn as_str(self) -> &'static str {
        match self {
            RowState::Pending => "pending",
            RowState::Delivered => "delivered",
            RowState::Refused => "refused",
            RowState::Expired => "expired",
            RowState::Merged => "merged",
        }
    }
}
