//! Takes over what happened before there was a store: whole hours and days of runs, whole days of promised minutes.

use super::error::StoreError;
use super::roll::COLUMNS;
use super::write::{BEGIN, name_id};
use super::{Slice, Store, pack};
use crate::record::cells::{Cells, Side};
use crate::record::windows::Counts;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The runs of one check in one hour or on one day.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedRuns {
    pub check: Arc<str>,
    /// Minutes since the epoch.
    pub start: u32,
    /// A day, or else an hour.
    pub is_day: bool,
    pub counts: Counts,
    pub cells: Cells,
}

/// The minutes of one objective on one day.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedDay {
    pub objective: Arc<str>,
    pub generation: u64,
    /// Days since the epoch.
    pub day: u32,
    pub minutes: BTreeMap<u32, Slice>,
}

impl Store {
    /// Writes all of it, in one transaction. What is there of the same hour or day is replaced.
    pub async fn import(&self, runs: &[ImportedRuns], days: &[ImportedDay]) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let done = import(&mut writer.connection, runs, days).await;
        done.map_err(|error| StoreError::sql(self.path(), &error))
    }
}

async fn import(
    connection: &mut SqliteConnection,
    runs: &[ImportedRuns],
    days: &[ImportedDay],
) -> Result<(), sqlx::Error> {
    let mut names = std::collections::HashMap::new();
    let mut tx = connection.begin_with(BEGIN).await?;
    for row in runs {
        let name = name_id(&mut tx, &mut names, &row.check).await?;
        let table = if row.is_day { "histogram_day" } else { "histogram_hour" };
        let sql = format!(
            "INSERT OR REPLACE INTO {table} (start, name, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        );
        let mut insert = sqlx::query(AssertSqlSafe(sql)).bind(row.start).bind(name);
        let Counts { ok, degraded, failed, unknown, dropped } = row.counts;
        for count in [ok, degraded, failed, unknown, dropped] {
            insert = insert.bind(count.cast_signed());
        }
        let insert = insert.bind(row.cells.to_v2(Side::Good)).bind(row.cells.to_v2(Side::Failed));
        insert.execute(&mut *tx).await?;
    }
    for day in days {
        let name = name_id(&mut tx, &mut names, &day.objective).await?;
        sqlx::query("INSERT OR REPLACE INTO slice_day (day, name, generation, minutes) VALUES (?, ?, ?, ?)")
            .bind(day.day)
            .bind(name)
            .bind(day.generation.cast_signed())
            .bind(pack::pack(&day.minutes))
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await
}
