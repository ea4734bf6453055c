//! What vendors told: on the disk before they are answered, then worked through one after the other. What fails is tried
//! again a few times and then lies aside, where a person sees it; nothing is dropped.

use super::{Inbox, damaged};
use crate::clock;
use crate::ingest::ledger::{self, Known};
use crate::ingest::tally::Tallies;
use crate::ingest::{About, Post, Vendor};
use crate::store::error::{StoreError, Trouble};
use crate::store::remember::minute_of;
use crate::store::write::{BEGIN, moment, nanoseconds};
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};
use std::sync::Arc;
use std::time::Duration;

/// Letters that are worked through at once, before others have their turn, and for how long at most: each is a flush.
const LETTERS_AT_ONCE: u32 = 64;
const WORKS_FOR: Duration = Duration::from_secs(1);
/// After so many tries a letter lies aside.
const ATTEMPTS_MAX: u32 = 5;
/// Before the second try; four times as long before each later one.
const RETRY: SignedDuration = SignedDuration::from_secs(1);

/// The words for what letters are about.
const THINGS: [&str; 5] = ["payment", "refund", "dispute", "order", "email"];

/// What working through brought.
#[derive(Debug, Default)]
pub struct Worked {
    pub tallies: Tallies,
    /// Letters that were worked through, whether they counted or not.
    pub done: u32,
    /// Those that lie aside now, and the reason of the last.
    pub aside: u32,
    pub why: Option<String>,
}

/// One that waits.
struct Waiting {
    id: String,
    counts: bool,
    account: Arc<str>,
    about: Option<About>,
    attempts: u32,
}

impl Inbox {
    /// Works through letters whose time has come.
    pub async fn work(&mut self, at: Timestamp) -> Result<Worked, StoreError> {
        self.is_there()?;
        let mut worked = Worked::default();
        let begun = clock::instant();
        for (vendor, letter) in self.waiting(at).await.map_err(|error| self.fail(&error))? {
            if worked.done > 0 && begun.elapsed() > WORKS_FOR {
                break;
            }
            match self.work_one(vendor, &letter, at).await {
                Ok(tallies) => {
                    worked.tallies.merge(&tallies);
                    worked.done += 1;
                }
                Err(error) => {
                    let error = self.fail(&error);
                    // What is no fault of the letter costs it no try.
                    if error.trouble != Trouble::Other {
                        return if worked.done > 0 { Ok(worked) } else { Err(error) };
                    }
                    let why = error.to_string();
                    let aside = self.put_off(vendor, &letter, &why, at).await;
                    if aside.map_err(|error| self.fail(&error))? {
                        worked.aside += 1;
                        worked.why = Some(why);
                    }
                }
            }
        }
        Ok(worked)
    }

    /// Ids of letters received from `from` (inclusive) to `to` (exclusive); those of a sandbox are left out.
    pub async fn letters(
        &mut self,
        vendor: Vendor,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let sql = "SELECT id, received FROM letter WHERE vendor = ? AND counts AND received >= ? AND received < ? ORDER BY received";
        let rows = sqlx::query(sql).bind(vendor.as_str()).bind(nanoseconds(from)).bind(nanoseconds(to));
        let rows = rows.fetch_all(&mut self.connection).await.map_err(|error| self.fail(&error))?;
        let letter = |row: &SqliteRow| Ok((row.try_get(0)?, moment(row.try_get(1)?)));
        rows.iter().map(letter).collect::<Result<_, _>>().map_err(|error| self.fail(&error))
    }

    /// How many lie aside.
    pub async fn set_aside(&mut self, vendor: Vendor) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM letter WHERE vendor = ? AND state = 'aside'";
        let count = sqlx::query_scalar::<_, i64>(sql).bind(vendor.as_str());
        let count = count.fetch_one(&mut self.connection).await.map_err(|error| self.fail(&error))?;
        Ok(count.cast_unsigned())
    }

    /// Tries those again that lie aside and can be tried; how many there are.
    pub async fn work_again(&mut self, vendor: Vendor, at: Timestamp) -> Result<u64, StoreError> {
        let sql = "UPDATE letter SET state = 'waiting', attempts = 0, not_before = ? \
                   WHERE vendor = ? AND state = 'aside' AND thing IS NOT NULL";
        let updated = sqlx::query(sql).bind(nanoseconds(at)).bind(vendor.as_str());
        let updated = updated.execute(&mut self.connection).await.map_err(|error| self.fail(&error))?;
        Ok(updated.rows_affected())
    }

    /// Somebody has seen these, as far as they lie aside: they stay as they are, and nobody is told of them any more. How
    /// many there were.
    pub async fn put_away(&mut self, vendor: Vendor, ids: &[String]) -> Result<u64, StoreError> {
        let put_away = self.try_put_away(vendor, ids).await;
        put_away.map_err(|error| self.fail(&error))
    }

    async fn try_put_away(&mut self, vendor: Vendor, ids: &[String]) -> Result<u64, sqlx::Error> {
        let mut tx = self.connection.begin_with(BEGIN).await?;
        let mut letters = 0;
        for id in ids {
            let sql = "UPDATE letter SET state = 'seen' WHERE vendor = ? AND id = ? AND state = 'aside'";
            let updated = sqlx::query(sql).bind(vendor.as_str()).bind(id).execute(&mut *tx).await?;
            letters += updated.rows_affected();
        }
        tx.commit().await?;
        Ok(letters)
    }

    async fn waiting(&mut self, at: Timestamp) -> Result<Vec<(Vendor, Waiting)>, sqlx::Error> {
        let sql = "SELECT vendor, id, account, counts, thing, thing_id, version, thing_state, reason, amount, currency, \
                   attempts FROM letter WHERE state = 'waiting' AND not_before <= ? ORDER BY received, at LIMIT ?";
        let rows = sqlx::query(sql).bind(nanoseconds(at)).bind(LETTERS_AT_ONCE);
        rows.fetch_all(&mut self.connection).await?.iter().map(waiting).collect()
    }

    async fn work_one(
        &mut self,
        vendor: Vendor,
        letter: &Waiting,
        at: Timestamp,
    ) -> Result<Tallies, sqlx::Error> {
        let mut tx = self.connection.begin_with(BEGIN).await?;
        let mut tallies = Tallies::default();
        tallies.count(vendor.into(), &format!("letters_{}", letter.account).into(), 1);
        if let Some(about) = letter.about.as_ref().filter(|_| letter.counts) {
            let before = known(&mut tx, vendor, about).await?;
            let (after, counted) = ledger::apply(vendor, about, before.as_ref());
            if before.as_ref() != Some(&after) {
                remember(&mut tx, vendor, about, &after, at).await?;
            }
            for (name, times) in counted {
                tallies.count(vendor.into(), &name.into(), times);
            }
        }
        sqlx::query("UPDATE letter SET state = 'done', error = NULL WHERE vendor = ? AND id = ?")
            .bind(vendor.as_str())
            .bind(&letter.id)
            .execute(&mut *tx)
            .await?;
        let new = super::book::append(&mut tx, &self.known.numbers, minute_of(at), &tallies).await?;
        tx.commit().await?;
        self.booked(at, &tallies, new);
        Ok(tallies)
    }

    /// It is tried again later, or lies aside from now on: whether it does.
    async fn put_off(
        &mut self,
        vendor: Vendor,
        letter: &Waiting,
        why: &str,
        at: Timestamp,
    ) -> Result<bool, sqlx::Error> {
        let attempts = letter.attempts + 1;
        let aside = attempts >= ATTEMPTS_MAX;
        let wait = RETRY * 4_i32.pow(attempts.min(ATTEMPTS_MAX) - 1);
        sqlx::query("UPDATE letter SET state = ?, attempts = ?, not_before = ?, error = ? WHERE vendor = ? AND id = ?")
            .bind(if aside { "aside" } else { "waiting" })
            .bind(attempts)
            .bind(nanoseconds(at.saturating_add(wait).unwrap_or(Timestamp::MAX)))
            .bind(why)
            .bind(vendor.as_str())
            .bind(&letter.id)
            .execute(&mut self.connection)
            .await?;
        Ok(aside)
    }
}

/// One that is there already stays as it is. Whether it was not.
pub(super) async fn insert(
    tx: &mut SqliteConnection,
    post: &Post,
    at: Timestamp,
) -> Result<bool, sqlx::Error> {
    let about = post.letter.about.as_ref();
    let inserted = sqlx::query(
        "INSERT OR IGNORE INTO letter (vendor, id, account, counts, kind, at, received, thing, thing_id, version, \
         thing_state, reason, amount, currency, state, not_before, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \
         ?, ?, ?, ?)",
    )
    .bind(post.vendor.as_str())
    .bind(&post.letter.id)
    .bind(&*post.account)
    .bind(post.counts)
    .bind(&post.letter.kind)
    .bind(nanoseconds(post.letter.at))
    .bind(nanoseconds(at))
    .bind(about.map(|about| about.thing))
    .bind(about.map(|about| &about.id))
    .bind(about.map(|about| about.version))
    .bind(about.map(|about| &about.state))
    .bind(about.and_then(|about| about.reason.as_ref()))
    .bind(about.and_then(|about| about.amount))
    .bind(about.and_then(|about| about.currency.as_ref()))
    .bind(if post.unreadable.is_some() { "aside" } else { "waiting" })
    .bind(nanoseconds(at))
    .bind(&post.unreadable)
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() > 0)
}

fn waiting(row: &SqliteRow) -> Result<(Vendor, Waiting), sqlx::Error> {
    let word: &str = row.try_get(0)?;
    let vendor = Vendor::ALL.into_iter().find(|vendor| vendor.as_str() == word).ok_or_else(damaged)?;
    let about = match row.try_get::<Option<&str>, _>(4)? {
        Some(thing) => Some(About {
            thing: THINGS.into_iter().find(|word| *word == thing).ok_or_else(damaged)?,
            id: row.try_get(5)?,
            version: row.try_get(6)?,
            state: row.try_get(7)?,
            reason: row.try_get(8)?,
            amount: row.try_get(9)?,
            currency: row.try_get(10)?,
        }),
        None => None,
    };
    let letter = Waiting {
        id: row.try_get(1)?,
        account: row.try_get::<&str, _>(2)?.into(),
        counts: row.try_get(3)?,
        about,
        attempts: row.try_get(11)?,
    };
    Ok((vendor, letter))
}

async fn known(
    tx: &mut SqliteConnection,
    vendor: Vendor,
    about: &About,
) -> Result<Option<Known>, sqlx::Error> {
    let sql = "SELECT version, state, counted FROM thing WHERE vendor = ? AND thing = ? AND id = ?";
    let row = sqlx::query(sql).bind(vendor.as_str()).bind(about.thing).bind(&about.id);
    let row = row.fetch_optional(tx).await?;
    row.map(|row| Ok(Known { version: row.try_get(0)?, state: row.try_get(1)?, counted: row.try_get(2)? }))
        .transpose()
}

async fn remember(
    tx: &mut SqliteConnection,
    vendor: Vendor,
    about: &About,
    known: &Known,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT OR REPLACE INTO thing (vendor, thing, id, version, state, counted, changed) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(vendor.as_str())
    .bind(about.thing)
    .bind(&about.id)
    .bind(known.version)
    .bind(&known.state)
    .bind(known.counted)
    .bind(nanoseconds(at))
    .execute(tx)
    .await?;
    Ok(())
}
