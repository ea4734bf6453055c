//! What was counted: written down as it comes, folded when its minute is over, added up when somebody asks.

use super::{Inbox, Parcel, Taken, series, tally};
use crate::ingest::tally::{Series, Tallies, encode};
use crate::ingest::{Source, Sum};
use crate::store::error::StoreError;
use crate::store::remember::minute_of;
use crate::store::write::{BEGIN, nanoseconds};
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};
use std::collections::HashMap;

impl Inbox {
    /// Writes down what came: all of it or nothing. What came before under the same word adds nothing.
    pub async fn take(&mut self, at: Timestamp, parcels: &[Parcel]) -> Result<Vec<Taken>, StoreError> {
        self.is_there()?;
        let written = self.try_take(at, parcels).await.map_err(|error| self.fail(&error))?;
        let Written { taken, tallies, new } = written;
        self.booked(at, &tallies, new);
        Ok(taken)
    }

    async fn try_take(&mut self, at: Timestamp, parcels: &[Parcel]) -> Result<Written, sqlx::Error> {
        let mut tx = self.connection.begin_with(BEGIN).await?;
        let mut taken = Vec::with_capacity(parcels.len());
        let mut tallies = Tallies::default();
        for parcel in parcels {
            if !is_new(&mut tx, parcel, at).await? {
                taken.push(Taken::Known);
                continue;
            }
            tallies.merge(&parcel.tallies);
            let mut is_news = parcel.posts.is_empty();
            for post in &parcel.posts {
                is_news |= super::letters::insert(&mut tx, post, at).await?;
            }
            for (job, ping) in &parcel.pings {
                super::pings::insert(&mut tx, job, ping).await?;
            }
            taken.push(if is_news { Taken::New } else { Taken::Known });
        }
        let new = append(&mut tx, &self.known.numbers, minute_of(at), &tallies).await?;
        tx.commit().await?;
        Ok(Written { taken, tallies, new })
    }

    /// What is committed is known.
    pub(super) fn booked(&mut self, at: Timestamp, tallies: &Tallies, new: HashMap<Series, i64>) {
        self.known.numbers.extend(new);
        if !tallies.is_empty() {
            self.known.open.entry(minute_of(at)).or_default().merge(tallies);
            self.known.newest.extend(tallies.0.keys().map(|series| (series.source, at)));
        }
    }

    /// Whether minutes are over that still stand in the log.
    pub fn is_to_fold(&self, at: Timestamp) -> bool {
        self.known.open.keys().next().is_some_and(|minute| *minute < minute_of(at))
    }

    /// Writes the sums of the minutes that are over, each in the place of its rows.
    pub async fn fold(&mut self, at: Timestamp) -> Result<(), StoreError> {
        let now = minute_of(at);
        let over: Vec<u32> = self.known.open.keys().copied().take_while(|minute| *minute < now).collect();
        for minute in over {
            self.fold_minute(minute).await.map_err(|error| self.fail(&error))?;
            self.known.open.remove(&minute);
        }
        Ok(())
    }

    async fn fold_minute(&mut self, minute: u32) -> Result<(), sqlx::Error> {
        let Some(tallies) = self.known.open.get(&minute) else { return Ok(()) };
        let mut tx = self.connection.begin_with(BEGIN).await?;
        for (series, tally) in &tallies.0 {
            // A clock that was set back may bring a minute again: what stands there stays, and more comes to it.
            let Some(number) = self.known.numbers.get(series) else { continue };
            let known = sqlx::query("SELECT count, took FROM minute WHERE series = ? AND start = ?");
            let known = known.bind(number).bind(minute).fetch_optional(&mut *tx).await?;
            let mut whole = known.map(|row| super::tally(&row, 0)).transpose()?.unwrap_or_default();
            whole.count += tally.count;
            whole.took.merge(&tally.took);
            sqlx::query("INSERT OR REPLACE INTO minute (start, series, count, took) VALUES (?, ?, ?, ?)")
                .bind(minute)
                .bind(number)
                .bind(whole.count.cast_signed())
                .bind(whole.took.pack().as_bytes())
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query("DELETE FROM log WHERE minute = ?").bind(minute).execute(&mut *tx).await?;
        tx.commit().await
    }

    /// What came of one kind, from `from` (inclusive) to `to` (exclusive), at whole minutes. Where minutes were made into
    /// hours, an hour counts where it begins.
    pub async fn tallies(
        &mut self,
        source: Source,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Tallies, StoreError> {
        let (from, to) = (minute_of(from), minute_of(to));
        let sql = "SELECT s.source, s.name, s.class, t.count, t.took FROM series AS s CROSS JOIN minute AS t \
                   ON t.series = s.id AND t.start >= ?1 AND t.start < ?2 WHERE s.source = ?3 UNION ALL \
                   SELECT s.source, s.name, s.class, t.count, t.took FROM series AS s CROSS JOIN hour AS t \
                   ON t.series = s.id AND t.start >= ?1 AND t.start < ?2 WHERE s.source = ?3";
        let rows = sqlx::query(sql).bind(from).bind(to).bind(source.as_str());
        let rows = rows.fetch_all(&mut self.connection).await.map_err(|error| self.fail(&error))?;
        let mut all = Tallies::default();
        for row in &rows {
            let read = series(row, 0).and_then(|series| Ok((series, tally(row, 3)?)));
            let (series, tally) = read.map_err(|error| self.fail(&error))?;
            all.add(&series, tally.count, &tally.took);
        }
        for (_, open) in self.known.open.range(from..to) {
            for (series, tally) in open.0.iter().filter(|(series, _)| series.source == source) {
                all.add(series, tally.count, &tally.took);
            }
        }
        Ok(all)
    }

    /// As [`Inbox::tallies`], added up.
    pub async fn sum(&mut self, source: Source, span: (Timestamp, Timestamp)) -> Result<Sum, StoreError> {
        let mut sum = Sum::default();
        self.tallies(source, span).await?.add_to(source, &mut sum);
        sum.is_deaf = self.is_deaf(minute_of(span.0), minute_of(span.1));
        Ok(sum)
    }
}

/// What a transaction brought.
struct Written {
    taken: Vec<Taken>,
    tallies: Tallies,
    new: HashMap<Series, i64>,
}

async fn is_new(tx: &mut SqliteConnection, parcel: &Parcel, at: Timestamp) -> Result<bool, sqlx::Error> {
    let Some(key) = &parcel.key else { return Ok(true) };
    let seen = sqlx::query("INSERT OR IGNORE INTO seen (key, at) VALUES (?, ?)");
    let seen = seen.bind(key).bind(nanoseconds(at)).execute(tx).await?;
    Ok(seen.rows_affected() > 0)
}

/// One row of the log; the numbers of series that had none.
pub(super) async fn append(
    tx: &mut SqliteConnection,
    numbers: &HashMap<Series, i64>,
    minute: u32,
    tallies: &Tallies,
) -> Result<HashMap<Series, i64>, sqlx::Error> {
    let mut new = HashMap::new();
    if tallies.is_empty() {
        return Ok(new);
    }
    let mut numbered = Vec::with_capacity(tallies.0.len());
    for (series, tally) in &tallies.0 {
        let number = if let Some(number) = numbers.get(series) {
            *number
        } else {
            let number = number_of(tx, series).await?;
            new.insert(series.clone(), number);
            number
        };
        numbered.push((number, tally));
    }
    sqlx::query("INSERT INTO log (minute, tallies) VALUES (?, ?)")
        .bind(minute)
        .bind(encode(numbered.into_iter()))
        .execute(tx)
        .await?;
    Ok(new)
}

pub(super) async fn number_of(tx: &mut SqliteConnection, series: &Series) -> Result<i64, sqlx::Error> {
    let row = sqlx::query("INSERT INTO series (source, name, class) VALUES (?, ?, ?) RETURNING id")
        .bind(series.source.as_str())
        .bind(&*series.name)
        .bind(series.class.as_str())
        .fetch_one(tx)
        .await?;
    row.try_get(0)
}
