//! Forgetting, and making hours of minutes, a small step at a time.

use super::{Inbox, series, tally};
use crate::ingest::tally::{Series, Tallies};
use crate::store::error::StoreError;
use crate::store::remember::minute_of;
use crate::store::write::{BEGIN, nanoseconds};
use jiff::{SignedDuration, Timestamp};
use sqlx::Connection;
use std::collections::HashSet;

/// More than a day: minutes are what a day's chart is made of.
pub(super) const MINUTES: u32 = 26 * 60;
const HOURS: u32 = 35 * 24 * 60;

/// Rows that go at once.
const ROWS_AT_ONCE: u32 = 2_000;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A statement with a moment and a number of rows as its holes, and the age of what it forgets.
const FORGET: [(&str, i32); 5] = [
    ("DELETE FROM seen WHERE key IN (SELECT key FROM seen WHERE at < ? LIMIT ?)", 2),
    (
        "DELETE FROM letter WHERE (vendor, id) IN (SELECT vendor, id FROM letter WHERE received < ? AND state IN ('done', 'seen') LIMIT ?)",
        35,
    ),
    (
        "DELETE FROM letter WHERE (vendor, id) IN (SELECT vendor, id FROM letter WHERE received < ? LIMIT ?)",
        400,
    ),
    (
        "DELETE FROM thing WHERE (vendor, thing, id) IN (SELECT vendor, thing, id FROM thing WHERE changed < ? LIMIT ?)",
        400,
    ),
    (
        "DELETE FROM ping WHERE id IN (SELECT id FROM ping WHERE at < ? AND id NOT IN \
         (SELECT max(id) FROM ping GROUP BY job, word) LIMIT ?)",
        35,
    ),
];

impl Inbox {
    /// One step; whether there is more to do.
    pub async fn tidy(&mut self, at: Timestamp) -> Result<bool, StoreError> {
        self.is_there()?;
        let step = self.step(at).await;
        step.map_err(|error| self.fail(&error))
    }

    async fn step(&mut self, at: Timestamp) -> Result<bool, sqlx::Error> {
        let oldest = minute_of(at).saturating_sub(MINUTES);
        let first = sqlx::query_scalar::<_, Option<u32>>("SELECT min(start) FROM minute");
        let first = first.fetch_one(&mut self.connection).await?;
        if let Some(first) = first.filter(|first| first / 60 * 60 + 60 <= oldest) {
            self.roll(first / 60 * 60).await?;
            return Ok(true);
        }
        let hours = sqlx::query("DELETE FROM hour WHERE start < ?").bind(minute_of(at).saturating_sub(HOURS));
        hours.execute(&mut self.connection).await?;
        let deaf = sqlx::query("DELETE FROM deaf WHERE last < ?").bind(minute_of(at).saturating_sub(HOURS));
        deaf.execute(&mut self.connection).await?;
        let mut more = false;
        for (sql, days) in FORGET {
            let before = at.saturating_sub(DAY * days).unwrap_or(Timestamp::MIN);
            let gone = sqlx::query(sql).bind(nanoseconds(before)).bind(ROWS_AT_ONCE);
            more |= gone.execute(&mut self.connection).await?.rows_affected() >= u64::from(ROWS_AT_ONCE);
        }
        self.forget_names().await?;
        sqlx::raw_sql("PRAGMA incremental_vacuum(256)").execute(&mut self.connection).await?;
        Ok(more)
    }

    /// Names of which nothing is counted any more.
    async fn forget_names(&mut self) -> Result<(), sqlx::Error> {
        let sql = "SELECT id FROM series WHERE id NOT IN (SELECT series FROM minute) AND id NOT IN (SELECT series FROM hour)";
        let unused: HashSet<i64> =
            sqlx::query_scalar(sql).fetch_all(&mut self.connection).await?.into_iter().collect();
        let open = &self.known.open;
        let is_open = |series: &Series| open.values().any(|tallies| tallies.0.contains_key(series));
        let gone = self.known.numbers.iter().filter(|(series, id)| unused.contains(id) && !is_open(series));
        let gone: Vec<(Series, i64)> = gone.map(|(series, id)| (series.clone(), *id)).collect();
        for (series, id) in gone {
            sqlx::query("DELETE FROM series WHERE id = ?").bind(id).execute(&mut self.connection).await?;
            self.known.numbers.remove(&series);
        }
        Ok(())
    }

    /// Makes the minutes of one hour into that hour, with what it has already where a clock was set back.
    async fn roll(&mut self, hour: u32) -> Result<(), sqlx::Error> {
        let mut tx = self.connection.begin_with(BEGIN).await?;
        let sql = "SELECT s.source, s.name, s.class, m.count, m.took FROM minute AS m JOIN series AS s ON s.id = m.series \
                   WHERE m.start >= ?1 AND m.start < ?2 UNION ALL \
                   SELECT s.source, s.name, s.class, h.count, h.took FROM hour AS h JOIN series AS s ON s.id = h.series \
                   WHERE h.start = ?1";
        let rows = sqlx::query(sql).bind(hour).bind(hour + 60).fetch_all(&mut *tx).await?;
        let mut whole = Tallies::default();
        for row in &rows {
            let tally = tally(row, 3)?;
            whole.add(&series(row, 0)?, tally.count, &tally.took);
        }
        for (series, tally) in &whole.0 {
            let Some(number) = self.known.numbers.get(series) else { continue };
            sqlx::query("INSERT OR REPLACE INTO hour (start, series, count, took) VALUES (?, ?, ?, ?)")
                .bind(hour)
                .bind(number)
                .bind(tally.count.cast_signed())
                .bind(tally.took.pack().as_bytes())
                .execute(&mut *tx)
                .await?;
        }
        let sql = "DELETE FROM minute WHERE start >= ? AND start < ?";
        sqlx::query(sql).bind(hour).bind(hour + 60).execute(&mut *tx).await?;
        tx.commit().await
    }
}
