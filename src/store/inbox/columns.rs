//! A stretch of time in columns, and the letters that lie aside: what pages ask.

use super::{Inbox, damaged, series, tally};
use crate::ingest::Vendor;
use crate::store::error::StoreError;
use crate::store::remember::minute_of;
use crate::store::write::moment;
use crate::view::heard::{Aside, AsideLetter, Column};
use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// More than these nobody looks at one by one.
const LETTERS_MAX: u32 = 50;

impl Inbox {
    /// What came from `from` on, in so many columns of so many minutes; all of it at whole minutes. Where minutes were made
    /// into hours, an hour counts where it begins.
    pub async fn columns(
        &mut self,
        from: Timestamp,
        minutes: u32,
        count: u32,
    ) -> Result<Vec<Column>, StoreError> {
        let from = minute_of(from);
        let to = from + minutes * count;
        let sql = "SELECT t.start, s.source, s.name, s.class, t.count, t.took FROM \
                   (SELECT start, series, count, took FROM minute WHERE start >= ?1 AND start < ?2 UNION ALL \
                    SELECT start, series, count, took FROM hour WHERE start >= ?1 AND start < ?2) AS t \
                   JOIN series AS s ON s.id = t.series";
        let rows = sqlx::query(sql).bind(from).bind(to).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| self.fail(&error))?;
        let deaf = (0..count).map(|at| self.deaf_minutes(from + at * minutes, from + (at + 1) * minutes));
        let mut columns: Vec<Column> =
            deaf.map(|deaf_minutes| Column { deaf_minutes, ..Column::default() }).collect();
        for row in &rows {
            let read = row.try_get::<u32, _>(0).and_then(|at| Ok((at, series(row, 1)?, tally(row, 4)?)));
            let (at, series, tally) = read.map_err(|error| self.fail(&error))?;
            if let Some(column) = columns.get_mut(((at - from) / minutes) as usize) {
                column.tallies.add(&series, tally.count, &tally.took);
            }
        }
        for (minute, open) in self.known.open.range(from..to) {
            if let Some(column) = columns.get_mut(((minute - from) / minutes) as usize) {
                column.tallies.merge(open);
            }
        }
        Ok(columns)
    }

    /// What nobody could work through.
    pub async fn aside(&mut self) -> Result<Aside, StoreError> {
        let mut counts = [0; Vendor::ALL.len()];
        for (count, vendor) in counts.iter_mut().zip(Vendor::ALL) {
            *count = self.set_aside(vendor).await?;
        }
        let sql = "SELECT vendor, id, kind, received, error, thing IS NOT NULL FROM letter WHERE state = 'aside' \
                   ORDER BY received DESC LIMIT ?";
        let rows = sqlx::query(sql).bind(LETTERS_MAX).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| self.fail(&error))?;
        let letters = rows.iter().map(letter).collect::<Result<_, _>>();
        Ok(Aside { counts, letters: letters.map_err(|error| self.fail(&error))? })
    }
}

fn letter(row: &SqliteRow) -> Result<AsideLetter, sqlx::Error> {
    let word: &str = row.try_get(0)?;
    Ok(AsideLetter {
        vendor: Vendor::ALL.into_iter().find(|vendor| vendor.as_str() == word).ok_or_else(damaged)?,
        id: row.try_get(1)?,
        kind: row.try_get(2)?,
        received: moment(row.try_get(3)?),
        error: row.try_get::<Option<String>, _>(4)?.unwrap_or_default(),
        is_readable: row.try_get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::tally::Names;
    use crate::ingest::{Arrival, Happened, Letter, Post};
    use crate::store::inbox::Parcel;
    use std::time::Duration;

    fn parcel(name: &str) -> Parcel {
        let happened = vec![Happened { name: name.to_owned(), times: 1 }];
        let arrival = Arrival { happened, ..Arrival::default() };
        Parcel { tallies: Names::new(9).tally(&arrival, Duration::ZERO, 0), ..Parcel::default() }
    }

    #[tokio::test]
    async fn what_came_stands_in_its_column_and_what_nobody_heard_is_told() {
        let (mut inbox, _) = Inbox::open(None).await.expect("an inbox");
        let now = Timestamp::from_second(minute_of(inbox.begun()).cast_signed().into()).expect("a moment");
        let minute = |number: i64| {
            let begun = i64::from(minute_of(inbox.begun()));
            Timestamp::from_second((begun + number) * 60 + 5).expect("a moment")
        };
        let times = [minute(0), minute(1), minute(4), minute(-2)];
        assert!(now < times[0]);
        for at in &times[..3] {
            inbox.take(*at, &[parcel("order")]).await.expect("it is written");
        }
        // Minutes that are over and one that is not are the same to who asks.
        inbox.fold(times[2]).await.expect("it is folded");
        let columns = inbox.columns(times[3], 2, 4).await.expect("columns");
        let found: Vec<_> = columns
            .iter()
            .map(|column| (column.tallies.0.values().map(|tally| tally.count).sum(), column.deaf_minutes))
            .collect();
        assert_eq!(found, [(0_u64, 2), (2, 0), (0, 0), (1, 0)]);
    }

    #[tokio::test]
    async fn letters_aside_are_listed_and_it_is_told_whether_trying_again_can_help() {
        let (mut inbox, _) = Inbox::open(None).await.expect("an inbox");
        let at = inbox.begun();
        let letter = Letter { id: "e1".to_owned(), at, kind: "payment.updated".to_owned(), about: None };
        let unreadable = Some("`amount` is no number".to_owned());
        let post =
            Post { vendor: Vendor::Square, letter, account: "production".into(), counts: true, unreadable };
        let parcel = Parcel { posts: vec![post], ..Parcel::default() };
        inbox.take(at, &[parcel]).await.expect("it is written");
        let aside = inbox.aside().await.expect("a list");
        assert_eq!(aside.counts, [1, 0]);
        let told: Vec<_> =
            aside.letters.iter().map(|one| (&*one.id, &*one.kind, &*one.error, one.is_readable)).collect();
        assert_eq!(told, [("e1", "payment.updated", "`amount` is no number", false)]);
    }
}
