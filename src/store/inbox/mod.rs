//! What the shop and its vendors say by themselves, in a file of its own beside the store.
//!
//! A file of its own, since it is written as often as somebody outside wants: whatever becomes of it, alerts and what was
//! promised are written elsewhere. It is written with `synchronous=FULL` as the store is: whoever was answered with a 2xx can
//! forget what was sent, also when the machine loses power.
//!
//! What is counted is added up in memory and written as one row of what came in, however many spans that were; when a minute
//! is over its sums take the place of those rows. A start reads the rows of the minutes that were not over, so that nothing
//! is counted twice or lost.
//!
//! | what | how long |
//! |---|---|
//! | counts and durations, by route, statement, event | minutes 26 hours, hours 35 days |
//! | letters of vendors that were worked through, or put away | 35 days |
//! | letters that lie aside | 400 days |
//! | what is known of a payment, a refund, an email | 400 days |
//! | pings of jobs | 35 days, the newest of each word as long as the file |
//! | senders' words for batches | 2 days |

mod book;
mod columns;
mod hearing;
mod import;
mod letters;
mod pings;
mod tidy;

use super::error::{StoreError, Trouble};
use super::file::{self, Form, beside, blocking};
use super::remember::minute_of;
use super::write::{moment, nanoseconds};
use crate::clock;
use crate::ingest::tally::{Series, Tallies, Tally, decode};
use crate::ingest::{Ping, Post, Source, StatusClass};
use crate::record::cells::Packed;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use import::Heard;
pub use letters::Worked;

/// "ATLI".
const INBOX: Form = Form {
    application: 0x4154_4c49,
    migrations: &[("first", include_str!("../migrations/inbox_0001_first.sql"))],
};

/// What is beside the store's name.
const SUFFIX: &str = ".inbox";

/// What one request brings to be written down.
#[derive(Debug, Default)]
pub struct Parcel {
    /// The sender's word for it.
    pub key: Option<String>,
    pub tallies: Tallies,
    pub posts: Vec<Post>,
    pub pings: Vec<(Arc<str>, Ping)>,
}

/// What became of a parcel that was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    New,
    /// It is the same as one before: nothing was added.
    Known,
}

/// The open file; held by this process alone.
pub struct Inbox {
    /// None: in memory only.
    place: Option<Place>,
    connection: SqliteConnection,
    known: Known,
}

struct Place {
    path: PathBuf,
    identity: (u64, u64),
    /// Let go when this is dropped.
    _lock: File,
}

/// What needs no asking.
struct Known {
    numbers: HashMap<Series, i64>,
    /// Minutes that are not over, as they stand in the log.
    open: BTreeMap<u32, Tallies>,
    /// When something of each kind came last: to the minute where that was before the start.
    newest: BTreeMap<Source, Timestamp>,
    /// The same, as it was written last.
    kept: BTreeMap<Source, Timestamp>,
    /// Since when there was anybody to hear.
    begun: Timestamp,
    /// First and last minutes of the times since in which there was nobody.
    deaf: Vec<(u32, u32)>,
    /// The last minute that is marked as listened in.
    heard: u32,
}

impl Inbox {
    /// Opens the file beside the store, or makes it; without a store it is kept in memory only. One that is damaged is put
    /// aside and a new one takes its place: the text says so.
    pub async fn open(store: Option<&Path>) -> Result<(Inbox, Option<String>), StoreError> {
        let Some(store) = store else {
            let (connection, known) = begin(Path::new(":memory:")).await?;
            return Ok((Inbox { place: None, connection, known }, None));
        };
        let path = beside(store, SUFFIX);
        let lock = blocking(&path, file::prepare).await?;
        let (connection, known, damage) = match begin(&path).await {
            Err(error) if error.trouble == Trouble::Corrupt => {
                let aside = blocking(&path, file::put_aside).await?;
                let (connection, known) = begin(&path).await?;
                (connection, known, Some(format!("{error}; it lies at {} now", aside.display())))
            }
            begun => begun.map(|(connection, known)| (connection, known, None))?,
        };
        let identity = file::identity(&path).map_err(|error| StoreError::io(&path, &error))?;
        Ok((Inbox { place: Some(Place { path, identity, _lock: lock }), connection, known }, damage))
    }

    /// Merges the log into the file and lets go of it.
    pub async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the inbox was not closed in order; nothing written is lost");
        }
    }

    /// Since when there was anybody to hear.
    pub fn begun(&self) -> Timestamp {
        self.known.begun
    }

    /// Names that were told apart before the start, each with the last minute in which it was seen.
    pub async fn names(&mut self) -> Result<Vec<(Source, Arc<str>, u32)>, StoreError> {
        let sql = "SELECT s.source, s.name, s.class, max(coalesce((SELECT max(start) FROM minute WHERE series = s.id), 0), \
                   coalesce((SELECT max(start) FROM hour WHERE series = s.id), 0)) FROM series AS s";
        let rows = sqlx::query(sql).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| self.fail(&error))?;
        let name = |row: &SqliteRow| {
            let series = series(row, 0)?;
            let mut open = self.known.open.iter().rev();
            let open = open.find(|(_, tallies)| tallies.0.contains_key(&series)).map(|(minute, _)| *minute);
            let seen = open.unwrap_or_default().max(row.try_get(3)?);
            Ok((series.source, series.name, seen))
        };
        rows.iter().map(name).collect::<Result<_, _>>().map_err(|error| self.fail(&error))
    }

    fn is_there(&self) -> Result<(), StoreError> {
        self.place.as_ref().map_or(Ok(()), |place| file::is_there(&place.path, place.identity))
    }

    fn fail(&self, error: &sqlx::Error) -> StoreError {
        StoreError::sql(self.path(), error)
    }

    fn path(&self) -> &Path {
        self.place.as_ref().map_or(Path::new(":memory:"), |place| &place.path)
    }
}

async fn begin(path: &Path) -> Result<(SqliteConnection, Known), StoreError> {
    let mut connection = file::connect(path, &INBOX).await?;
    match known(&mut connection).await {
        Ok(known) => Ok((connection, known)),
        Err(error) => {
            connection.close().await.ok();
            Err(StoreError::sql(path, &error))
        }
    }
}

async fn known(connection: &mut SqliteConnection) -> Result<Known, sqlx::Error> {
    let now = clock::wall();
    sqlx::query("INSERT OR IGNORE INTO meta (key, value) VALUES ('begun', ?)")
        .bind(nanoseconds(now))
        .execute(&mut *connection)
        .await?;
    let begun = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'begun'");
    let begun = moment(begun.fetch_one(&mut *connection).await?);
    let deaf = hearing::deaf(connection, minute_of(now)).await?;
    let mut numbers = HashMap::new();
    let mut by_number = HashMap::new();
    for row in sqlx::query("SELECT source, name, class, id FROM series").fetch_all(&mut *connection).await? {
        let series = series(&row, 0)?;
        by_number.insert(row.try_get::<i64, _>(3)?, series.clone());
        numbers.insert(series, row.try_get(3)?);
    }
    let mut open: BTreeMap<u32, Tallies> = BTreeMap::new();
    for row in sqlx::query("SELECT minute, tallies FROM log ORDER BY id").fetch_all(&mut *connection).await? {
        let minute = open.entry(row.try_get(0)?).or_default();
        let tallies = decode(row.try_get(1)?).ok_or_else(damaged)?;
        for (number, tally) in tallies {
            let series = by_number.get(&number).ok_or_else(damaged)?;
            minute.add(series, tally.count, &tally.took);
        }
    }
    let kept = hearing::newest(connection).await?;
    let mut newest = kept.clone();
    // Minutes of more than a day ago are hours.
    let sql = "SELECT s.source, max(m.start) FROM (SELECT series, start FROM minute UNION ALL SELECT series, start FROM hour) AS m \
               JOIN series AS s ON s.id = m.series GROUP BY s.source";
    for row in sqlx::query(sql).fetch_all(&mut *connection).await? {
        let at = newest.entry(source(row.try_get(0)?)?).or_insert(Timestamp::MIN);
        *at = (*at).max(minute_begin(row.try_get(1)?));
    }
    for (minute, tallies) in &open {
        for series in tallies.0.keys() {
            let at = newest.entry(series.source).or_insert(Timestamp::MIN);
            *at = (*at).max(minute_begin(*minute));
        }
    }
    Ok(Known { numbers, open, newest, kept, begun, deaf, heard: minute_of(now) })
}

/// Three columns from `at` on: source, name, class.
fn series(row: &SqliteRow, at: usize) -> Result<Series, sqlx::Error> {
    let class: &str = row.try_get(at + 2)?;
    let class = StatusClass::ALL.into_iter().find(|one| one.as_str() == class).ok_or_else(damaged)?;
    Ok(Series { source: source(row.try_get(at)?)?, name: row.try_get::<&str, _>(at + 1)?.into(), class })
}

/// Two columns from `at` on: count, how long it took.
fn tally(row: &SqliteRow, at: usize) -> Result<Tally, sqlx::Error> {
    let took = Packed::read(row.try_get(at + 1)?).ok_or_else(damaged)?.unpack();
    Ok(Tally { count: row.try_get::<i64, _>(at)?.cast_unsigned(), took })
}

fn source(word: &str) -> Result<Source, sqlx::Error> {
    Source::ALL.into_iter().find(|source| source.as_str() == word).ok_or_else(damaged)
}

fn damaged() -> sqlx::Error {
    sqlx::Error::Decode("what stands there was never written by this program".into())
}

fn minute_begin(minute: u32) -> Timestamp {
    Timestamp::from_second(i64::from(minute) * 60).unwrap_or(Timestamp::MAX)
}
