//! What jobs told of themselves.

use super::Inbox;
use crate::clock;
use crate::ingest::{Ping, PingWord, Pings};
use crate::store::error::StoreError;
use crate::store::write::{moment, nanoseconds};
use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::time::Duration;

/// More than these no question needs; the newest are given.
const PINGS_MAX: u32 = 500;

impl Inbox {
    /// The newest ping of each word, however old, and all since then: the newest of them where there are too many.
    pub async fn pings(&mut self, job: &str, since: Timestamp) -> Result<Pings, StoreError> {
        let sql = "SELECT at, word, code, run, took_us FROM ping WHERE id IN \
                   (SELECT id FROM (SELECT id FROM ping WHERE job = ?1 AND at >= ?2 ORDER BY at DESC, id DESC LIMIT ?3) \
                    UNION SELECT max(id) FROM ping WHERE job = ?1 GROUP BY word) ORDER BY at, id";
        let rows = sqlx::query(sql).bind(job).bind(nanoseconds(since)).bind(PINGS_MAX);
        let rows = rows.fetch_all(&mut self.connection).await.map_err(|error| self.fail(&error))?;
        let pings =
            rows.iter().map(ping).collect::<Result<Vec<_>, _>>().map_err(|error| self.fail(&error))?;
        let heard_since = self.listened_for(job, &pings).await?;
        Ok(Pings { heard_since, deaf: self.deaf_times(), pings })
    }

    /// Since when somebody listens for a job: pings of one that no check names are refused. Not before it was first asked
    /// for, or told something.
    async fn listened_for(&mut self, job: &str, pings: &[Ping]) -> Result<Timestamp, StoreError> {
        match pings.first() {
            Some(oldest) => Ok(self.begun().max(oldest.at)),
            None => self.first_asked(&format!("job {job}"), clock::wall()).await,
        }
    }
}

pub(super) async fn insert(tx: &mut SqliteConnection, job: &str, ping: &Ping) -> Result<(), sqlx::Error> {
    let (word, code) = match ping.word {
        PingWord::Start => ("start", None),
        PingWord::Success => ("success", None),
        PingWord::Fail(code) => ("fail", code),
        PingWord::Log => ("log", None),
    };
    sqlx::query("INSERT INTO ping (job, at, word, code, run, took_us) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(job)
        .bind(nanoseconds(ping.at))
        .bind(word)
        .bind(code)
        .bind(&ping.run)
        .bind(ping.took.map(|took| i64::try_from(took.as_micros()).unwrap_or(i64::MAX)))
        .execute(tx)
        .await?;
    Ok(())
}

fn ping(row: &SqliteRow) -> Result<Ping, sqlx::Error> {
    let word = match row.try_get(1)? {
        "start" => PingWord::Start,
        "success" => PingWord::Success,
        "fail" => PingWord::Fail(row.try_get(2)?),
        "log" => PingWord::Log,
        _ => return Err(super::damaged()),
    };
    let took: Option<i64> = row.try_get(4)?;
    Ok(Ping {
        at: moment(row.try_get(0)?),
        word,
        run: row.try_get(3)?,
        took: took.map(|us| Duration::from_micros(us.cast_unsigned())),
    })
}
