//! A past that was heard elsewhere, or is made up, as if it had been heard here.

use super::Inbox;
use crate::ingest::Post;
use crate::ingest::tally::Tallies;
use crate::store::error::StoreError;
use crate::store::write::{BEGIN, nanoseconds};
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

/// Each before now, and each minute and hour once.
#[derive(Debug, Default)]
pub struct Heard {
    /// Since when there was anybody to hear.
    pub since: Timestamp,
    /// By the first minute of each hour.
    pub hours: Vec<(u32, Tallies)>,
    pub minutes: Vec<(u32, Tallies)>,
    /// Letters, and when each came. They are worked through: what they count is in the minutes and hours.
    pub posts: Vec<(Timestamp, Post)>,
}

impl Inbox {
    /// Takes it in, all of it or nothing.
    pub async fn import(&mut self, heard: &Heard) -> Result<(), StoreError> {
        self.try_import(heard).await.map_err(|error| self.fail(&error))?;
        self.known.begun = heard.since;
        Ok(())
    }

    async fn try_import(&mut self, heard: &Heard) -> Result<(), sqlx::Error> {
        let mut tx = self.connection.begin_with(BEGIN).await?;
        sqlx::query("UPDATE meta SET value = ? WHERE key = 'begun'")
            .bind(nanoseconds(heard.since))
            .execute(&mut *tx)
            .await?;
        let mut numbers = self.known.numbers.clone();
        for (table, rows) in [("hour", &heard.hours), ("minute", &heard.minutes)] {
            for (start, tallies) in rows {
                for (series, tally) in &tallies.0 {
                    let number = match numbers.get(series) {
                        Some(number) => *number,
                        None => super::book::number_of(&mut tx, series).await?,
                    };
                    numbers.insert(series.clone(), number);
                    row(&mut tx, table, (*start, number), (tally.count, tally.took.pack().as_bytes()))
                        .await?;
                }
            }
        }
        for (at, post) in &heard.posts {
            super::letters::insert(&mut tx, post, *at).await?;
        }
        sqlx::raw_sql("UPDATE letter SET state = 'done' WHERE state = 'waiting'").execute(&mut *tx).await?;
        tx.commit().await?;
        self.known.numbers = numbers;
        Ok(())
    }
}

async fn row(
    tx: &mut SqliteConnection,
    table: &str,
    (start, number): (u32, i64),
    (count, took): (u64, &[u8]),
) -> Result<(), sqlx::Error> {
    let sql = format!("INSERT OR REPLACE INTO {table} (start, series, count, took) VALUES (?, ?, ?, ?)");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(start).bind(number).bind(count.cast_signed());
    query.bind(took).execute(tx).await?;
    Ok(())
}
