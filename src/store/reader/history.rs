//! What the runs of checks were, by days and in columns of a chart: read from whichever level holds it.
//!
//! A day is in its own row once it is over and rolled up; until then it is in the rows of its hours, and the hour that is
//! under way in those of its minutes. No run is in two of the rows that are added up here.

use super::Reader;
use crate::record::windows::Counts;
use crate::store::error::StoreError;
use crate::store::quantiles::LEVELS;
use crate::store::remember::minute_of;
use crate::store::roll::{COLUMNS, Sum};
use crate::view::WindowView;
use crate::view::past::{Column, DAYS, Days, HeatMap, Windows};
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

const DAY: u32 = 1440;
/// After so many days every day is rolled up, and its hours need not be asked for.
const UNROLLED_DAYS: u32 = 2;
/// After so many rows others have their turn: a histogram takes some microseconds to merge.
const TURN: usize = 64;

impl Reader {
    /// The runs of all checks on the last days, today last. With what was read before, only what may have changed since
    /// is read.
    pub async fn days(&mut self, now: Timestamp, before: Option<&Days>) -> Result<Days, StoreError> {
        let today = minute_of(now) / DAY;
        let first = (today + 1).saturating_sub(DAYS);
        let known = before.filter(|days| days.first == first);
        let since = if known.is_some() { today.saturating_sub(UNROLLED_DAYS) } else { first };
        let mut days = Days { first, checks: known.map(|days| days.checks.clone()).unwrap_or_default() };
        let recent = (since - first) as usize;
        for entries in days.checks.values_mut() {
            entries[recent..].fill(None);
        }
        let names = self.names().await?;
        let from = since * DAY;
        for row in self.unmerged("ok, degraded, failed, unknown, dropped", from, today).await? {
            let (start, name) = self.decode(start_and_name(&row))?;
            let counts = self.decode(counts(&row, 2))?;
            let Some(name) = names.get(&name) else { continue };
            let entries = days.checks.entry(name.clone()).or_insert_with(|| vec![None; DAYS as usize]);
            if let Some(entry) = entries.get_mut((start / DAY - first) as usize) {
                let sum = entry.get_or_insert_with(Counts::default);
                sum.merge(&counts);
            }
        }
        Ok(days)
    }

    /// The runs of all checks on the last `length` days, today counted as one: exact merges.
    pub async fn windows(&mut self, now: Timestamp, length: u32) -> Result<Windows, StoreError> {
        let today = minute_of(now) / DAY;
        let from = (today + 1).saturating_sub(length) * DAY;
        let names = self.names().await?;
        let mut sums: HashMap<i64, Sum> = HashMap::new();
        for (number, row) in self.unmerged(COLUMNS, from, today).await?.iter().enumerate() {
            let (_, name) = self.decode(start_and_name(row))?;
            let added = sums.entry(name).or_default().add(row, 2);
            self.decode(added)?;
            if number % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        let window = |(name, sum): (i64, Sum)| Some((names.get(&name)?.clone(), view(&sum)));
        Ok(sums.into_iter().filter_map(window).collect())
    }

    /// Rows from minute `from` on that hold what no coarser row holds.
    async fn unmerged(&mut self, columns: &str, from: u32, today: u32) -> Result<Vec<SqliteRow>, StoreError> {
        let recent = from.max(today.saturating_sub(UNROLLED_DAYS) * DAY);
        let sql = format!(
            "SELECT start, name, {columns} FROM histogram_day WHERE start >= ?1 UNION ALL \
             SELECT start, name, {columns} FROM histogram_hour AS h WHERE start >= ?2 AND NOT EXISTS \
             (SELECT 1 FROM histogram_day AS d WHERE d.start = h.start / 1440 * 1440 AND d.name = h.name) UNION ALL \
             SELECT start, name, {columns} FROM histogram_minute AS m WHERE start >= ?2 AND NOT EXISTS \
             (SELECT 1 FROM histogram_hour AS h WHERE h.start = m.start / 60 * 60 AND h.name = m.name) AND NOT EXISTS \
             (SELECT 1 FROM histogram_day AS d WHERE d.start = m.start / 1440 * 1440 AND d.name = m.name)"
        );
        let rows =
            sqlx::query(AssertSqlSafe(sql)).bind(from).bind(recent).fetch_all(&mut self.connection).await;
        rows.map_err(|error| StoreError::sql(&self.path, &error))
    }

    /// What the runs of one check took, in `count` columns of `step` minutes (1, 60 or a multiple, 1440), the last one
    /// under way.
    pub async fn heat_map(
        &mut self,
        check: &str,
        now: Timestamp,
        step: u32,
        count: u32,
    ) -> Result<HeatMap, StoreError> {
        let newest = minute_of(now) / step * step;
        let from = newest.saturating_sub(step * (count - 1));
        let mut sums = vec![Sum::default(); count as usize];
        let mut covered: HashSet<(u32, u32)> = HashSet::new();
        for (table, span) in LEVELS.into_iter().filter(|(_, span)| *span <= step) {
            for row in self.of_check(table, span, check, (from, newest + step)).await? {
                let start: u32 = self.decode(row.try_get(0))?;
                let inside = LEVELS
                    .iter()
                    .any(|(_, wider)| *wider > span && covered.contains(&(*wider, start / wider)));
                covered.insert((span, start / span));
                if let Some(sum) = sums.get_mut(((start - from) / step) as usize).filter(|_| !inside) {
                    let added = sum.add(&row, 1);
                    self.decode(added)?;
                }
            }
        }
        Ok(HeatMap {
            from: Timestamp::UNIX_EPOCH + SignedDuration::from_mins(i64::from(from)),
            step: Duration::from_mins(u64::from(step)),
            columns: sums
                .into_iter()
                .map(|sum| Column { counts: counts_of(&sum), cells: sum.cells })
                .collect(),
        })
    }

    async fn of_check(
        &mut self,
        table: &str,
        span: u32,
        check: &str,
        (from, to): (u32, u32),
    ) -> Result<Vec<SqliteRow>, StoreError> {
        // Rows of all checks lie mixed, by time: each that may be there is looked up.
        let sql = format!(
            "WITH RECURSIVE oldest (at) AS (SELECT max(?1, coalesce((SELECT min(start) FROM {table}), ?3))), \
             part (at) AS (SELECT at / ?2 * ?2 FROM oldest UNION ALL SELECT at + ?2 FROM part WHERE at + ?2 < ?3) \
             SELECT start, {COLUMNS} FROM part CROSS JOIN {table} AS h ON h.start = part.at \
             AND h.name = (SELECT id FROM name WHERE name = ?4) WHERE h.start >= ?1"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(from).bind(span).bind(to).bind(check);
        query.fetch_all(&mut self.connection).await.map_err(|error| StoreError::sql(&self.path, &error))
    }

    pub(in crate::store) async fn names(&mut self) -> Result<HashMap<i64, Arc<str>>, StoreError> {
        let rows = sqlx::query("SELECT id, name FROM name").fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| StoreError::sql(&self.path, &error))?;
        let name = |row: &SqliteRow| Ok((row.try_get(0)?, Arc::from(row.try_get::<&str, _>(1)?)));
        self.decode(rows.iter().map(name).collect())
    }

    pub(in crate::store) fn decode<T>(&self, decoded: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        decoded.map_err(|error| StoreError::sql(&self.path, &error))
    }
}

fn start_and_name(row: &SqliteRow) -> Result<(u32, i64), sqlx::Error> {
    Ok((row.try_get(0)?, row.try_get(1)?))
}

fn counts(row: &SqliteRow, at: usize) -> Result<Counts, sqlx::Error> {
    let count = |number: usize| Ok::<_, sqlx::Error>(row.try_get::<i64, _>(at + number)?.cast_unsigned());
    Ok(Counts {
        ok: count(0)?,
        degraded: count(1)?,
        failed: count(2)?,
        unknown: count(3)?,
        dropped: count(4)?,
    })
}

fn counts_of(sum: &Sum) -> Counts {
    let [ok, degraded, failed, unknown, dropped] = sum.counts;
    Counts { ok, degraded, failed, unknown, dropped }
}

fn view(sum: &Sum) -> WindowView {
    WindowView::of(counts_of(sum), &sum.cells)
}
