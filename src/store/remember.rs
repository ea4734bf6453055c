//! What is read back at the start; and from a damaged file, what can still be read.

use super::write::{moment, nanoseconds};
use super::{
    AlertRow, Batch, CursorRow, Day, DayRow, Gathered, OutboxRow, Remembered, RowState, Slice, SliceRow,
    pack, tidy,
};
use crate::clock;
use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, Row};
use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Messages that were settled within this are remembered, so that nobody tells them again.
const SETTLED: Duration = Duration::from_hours(24);

/// Whether rows that can't be read end the reading, or just their table's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    All,
    WhatIsLeft,
}

/// Everything, or why not.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Remembered, sqlx::Error> {
    let fresh: String = (0..16).fold(String::new(), |mut text, _| {
        // Writing to a string can't fail.
        let _ = write!(text, "{:02x}", fastrand::u8(..));
        text
    });
    let made = sqlx::query("INSERT OR IGNORE INTO meta (key, value) VALUES ('agent', ?)")
        .bind(fresh)
        .execute(&mut *connection)
        .await?;
    let is_new = made.rows_affected() > 0;
    Ok(Remembered { is_new, ..read(connection, Demand::All).await? })
}

/// What a damaged file still tells; nothing where it tells nothing.
pub(super) async fn salvage(path: &Path) -> Remembered {
    let options = SqliteConnectOptions::new().filename(path).disable_statement_logging();
    let Ok(mut connection) = options.connect().await else { return Remembered::default() };
    let remembered = read(&mut connection, Demand::WhatIsLeft).await.unwrap_or_default();
    connection.close().await.ok();
    remembered
}

pub(super) async fn set_agent(connection: &mut SqliteConnection, agent: &str) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT OR REPLACE INTO meta (key, value) VALUES ('agent', ?)")
        .bind(agent)
        .execute(connection)
        .await?;
    Ok(())
}

/// To be written into the file that takes the place of the one it was read from.
pub(super) fn batch(remembered: &Remembered) -> Batch {
    let alert = |(key, state): &(Arc<str>, String)| AlertRow {
        key: key.clone(),
        state: Some(state.clone()),
        episode: None,
    };
    Batch {
        alerts: remembered.alerts.iter().map(alert).collect(),
        silences: remembered.silences.clone(),
        outbox: remembered.outbox.clone(),
        slices: remembered.slices.clone(),
        days: remembered.days.clone(),
        cursors: remembered.cursors.clone(),
        ..Batch::default()
    }
}

impl Remembered {
    /// What must be written again where the file is lost.
    pub fn promises(&self) -> Gathered {
        Gathered::from(Batch { slices: Vec::new(), days: Vec::new(), ..batch(self) })
    }
}

async fn read(connection: &mut SqliteConnection, demand: Demand) -> Result<Remembered, sqlx::Error> {
    let now = clock::wall();
    let mut reading = Reading { connection, demand, unreadable: 0 };
    let agent =
        reading.rows("SELECT value FROM meta WHERE key = 'agent'", None, |row| row.try_get(0)).await?;
    let alerts = "SELECT key, state FROM alert ORDER BY key";
    let alert = |row: &SqliteRow| Ok((row.try_get::<String, _>(0)?.into(), row.try_get(1)?));
    let alerts = reading.rows(alerts, None, alert).await?;
    let silences = "SELECT body FROM silence WHERE until > ? ORDER BY until";
    let silences = reading.rows(silences, Some(nanoseconds(now)), |row| parse(row.try_get(0)?)).await?;
    let outbox = "SELECT key, thread, channel, backups, notice, state, created, not_before, expires, attempts, error, \
        settled FROM outbox WHERE state = 'pending' OR settled > ? ORDER BY created, id";
    let outbox = reading.rows(outbox, Some(nanoseconds(now - SETTLED)), message).await?;
    let cursor = |row: &SqliteRow| {
        Ok(CursorRow { check: row.try_get::<String, _>(0)?.into(), to: moment(row.try_get(1)?) })
    };
    let cursors = reading.rows("SELECT name, upto FROM cursor ORDER BY name", None, cursor).await?;
    let name = |row: &SqliteRow| Ok((row.try_get(0)?, row.try_get::<String, _>(1)?.into()));
    let names = reading.rows("SELECT id, name FROM name", None, name).await?.into_iter().collect();
    let today = minute_of(now) / pack::MINUTES_OF_DAY;
    let slices = reading.slices(&names, today.saturating_sub(tidy::SLICE_DAYS)).await?;
    let days =
        "SELECT day, name, generation, count, sum, squares FROM baseline_day WHERE day >= ? ORDER BY day";
    let since = i64::from(today.saturating_sub(tidy::BASELINE_DAYS));
    let days = reading.rows(days, Some(since), |row| day(&names, row)).await?.into_iter().flatten().collect();
    let damage = (reading.unreadable > 0)
        .then(|| format!("{} rows of the store can't be read and are left out", reading.unreadable));
    let agent = agent.into_iter().next().unwrap_or_default();
    Ok(Remembered { agent, is_new: false, alerts, silences, outbox, slices, days, cursors, damage })
}

struct Reading<'c> {
    connection: &'c mut SqliteConnection,
    demand: Demand,
    /// Rows that hold what nobody understands: they are left where they are.
    unreadable: u32,
}

impl Reading<'_> {
    /// Each row as `make` understands it; `since` fills the query's one hole.
    async fn rows<T>(
        &mut self,
        sql: &'static str,
        since: Option<i64>,
        make: impl Fn(&SqliteRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, sqlx::Error> {
        let query = sqlx::query(sql);
        let query = if let Some(since) = since { query.bind(since) } else { query };
        let mut made = Vec::new();
        let mut found = query.fetch(&mut *self.connection);
        loop {
            match found.try_next().await {
                Ok(Some(row)) => match make(&row) {
                    Ok(one) => made.push(one),
                    Err(error) => {
                        tracing::error!(%error, sql, "a row of the store can't be read and is left out");
                        self.unreadable += 1;
                    }
                },
                Ok(None) => return Ok(made),
                Err(error) if self.demand == Demand::WhatIsLeft => {
                    tracing::error!(%error, sql, "a table of the store is damaged; what lies behind is lost");
                    return Ok(made);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Of the days from `since` on, by time. A minute that changed after its day was packed has two forms; the loose
    /// one is the newer.
    async fn slices(
        &mut self,
        names: &HashMap<i64, Arc<str>>,
        since: u32,
    ) -> Result<Vec<SliceRow>, sqlx::Error> {
        let sql = "SELECT day, name, generation, minutes FROM slice_day WHERE day >= ? ORDER BY day";
        let packed = self.rows(sql, Some(i64::from(since)), |row| {
            let (name, generation) = (row.try_get(1)?, row.try_get::<i64, _>(2)?);
            let minutes = pack::unpack(row.try_get(0)?, row.try_get(3)?);
            Ok((name, generation.cast_unsigned(), minutes.ok_or_else(|| damaged("the minutes of a day"))?))
        });
        let mut found = Vec::new();
        for (name, generation, minutes) in packed.await? {
            let Some(objective) = names.get(&name) else { continue };
            let row = |slice| SliceRow { objective: objective.clone(), generation, slice };
            found.extend(minutes.into_values().map(row));
        }
        let sql = "SELECT minute, name, generation, good, bad, excluded FROM slice WHERE minute >= ? ORDER BY minute";
        let loose = self.rows(sql, Some(i64::from(since * pack::MINUTES_OF_DAY)), |row| {
            let (name, generation) = (row.try_get(1)?, row.try_get::<i64, _>(2)?.cast_unsigned());
            Ok((name, generation, loose_slice(row)?))
        });
        for (name, generation, slice) in loose.await? {
            let Some(objective) = names.get(&name) else { continue };
            found.push(SliceRow { objective: objective.clone(), generation, slice });
        }
        // Stable: of two forms the loose one comes second, and takes the place of the first.
        found.sort_by(|a, b| key(a).cmp(&key(b)));
        found.dedup_by(|later, earlier| {
            let same = key(later) == key(earlier);
            if same {
                earlier.slice = later.slice;
            }
            same
        });
        Ok(found)
    }
}

fn key(row: &SliceRow) -> (u32, &str, u64) {
    (row.slice.minute, &row.objective, row.generation)
}

/// From the columns `minute`, …, `good`, `bad`, `excluded`, the last three at 3.
pub(super) fn loose_slice(row: &SqliteRow) -> Result<Slice, sqlx::Error> {
    Ok(Slice {
        minute: row.try_get(0)?,
        good: row.try_get(3)?,
        bad: row.try_get(4)?,
        excluded: row.try_get(5)?,
    })
}

fn day(names: &HashMap<i64, Arc<str>>, row: &SqliteRow) -> Result<Option<DayRow>, sqlx::Error> {
    let Some(objective) = names.get(&row.try_get(1)?) else { return Ok(None) };
    let day = Day {
        day: row.try_get(0)?,
        count: row.try_get::<i64, _>(3)?.cast_unsigned(),
        sum: row.try_get(4)?,
        squares: row.try_get(5)?,
    };
    let generation = row.try_get::<i64, _>(2)?.cast_unsigned();
    Ok(Some(DayRow { objective: objective.clone(), generation, day }))
}

fn message(row: &SqliteRow) -> Result<OutboxRow, sqlx::Error> {
    let state: String = row.try_get(5)?;
    let state = RowState::ALL.into_iter().find(|known| known.as_str() == state);
    let backups: Vec<String> = parse(row.try_get(3)?)?;
    Ok(OutboxRow {
        key: row.try_get(0)?,
        thread: row.try_get(1)?,
        channel: row.try_get::<String, _>(2)?.into(),
        backups: backups.into_iter().map(Into::into).collect(),
        notice: Arc::new(parse(row.try_get(4)?)?),
        state: state.ok_or_else(|| damaged("the state of a message"))?,
        created: moment(row.try_get(6)?),
        not_before: moment(row.try_get(7)?),
        expires: moment(row.try_get(8)?),
        attempts: row.try_get(9)?,
        error: row.try_get(10)?,
        settled: row.try_get::<Option<i64>, _>(11)?.map(moment),
    })
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(json).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn damaged(what: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("{what} can't be read").into())
}

/// Minutes since the epoch.
pub(super) fn minute_of(at: jiff::Timestamp) -> u32 {
    u32::try_from(at.as_second().div_euclid(60)).unwrap_or(0)
}
