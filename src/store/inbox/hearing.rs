//! When there was anybody to hear. What was sent while the agent was not there, or could not write, is not known: no event
//! is not the same as nobody who counts.

use super::{Inbox, minute_begin};
use crate::ingest::Source;
use crate::store::error::StoreError;
use crate::store::remember::minute_of;
use crate::store::write::{moment, nanoseconds};
use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A gap of so many minutes is none: senders try again.
const RESTART_MINUTES: u32 = 2;

/// Before the name of a source, in `meta`.
const NEWEST: &str = "newest";

impl Inbox {
    /// To be called every now and then while things are taken; whether something had to be written.
    pub async fn listen(&mut self, at: Timestamp) -> Result<bool, StoreError> {
        let minute = minute_of(at);
        if minute == self.known.heard {
            return Ok(false);
        }
        let gap = mark(&mut self.connection, self.known.heard, minute).await;
        self.known.deaf.extend(gap.map_err(|error| self.fail(&error))?);
        self.known.heard = minute;
        self.keep_newest().await.map_err(|error| self.fail(&error))?;
        Ok(true)
    }

    /// When each kind came last outlives what came.
    async fn keep_newest(&mut self) -> Result<(), sqlx::Error> {
        for (source, newest) in &self.known.newest {
            if self.known.kept.get(source) != Some(newest) {
                sqlx::query("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")
                    .bind(format!("{NEWEST} {}", source.as_str()))
                    .bind(nanoseconds(*newest))
                    .execute(&mut self.connection)
                    .await?;
            }
        }
        self.known.kept.clone_from(&self.known.newest);
        Ok(())
    }

    /// Whether nobody listened in a part of these minutes, `to` not included.
    pub(super) fn is_deaf(&self, from: u32, to: u32) -> bool {
        from < minute_of(self.known.begun)
            || self.known.deaf.iter().any(|(first, last)| from <= *last && to > *first)
    }

    /// Each time in which nobody listened, from (inclusive) to (exclusive), the oldest first.
    pub(super) fn deaf_times(&self) -> Vec<(Timestamp, Timestamp)> {
        let gaps = self.known.deaf.iter();
        let mut times: Vec<_> =
            gaps.map(|(first, last)| (minute_begin(*first), minute_begin(last + 1))).collect();
        times.sort_unstable();
        times
    }

    /// Of what anything ever came.
    pub fn heard(&self) -> BTreeSet<Source> {
        self.known.newest.keys().copied().collect()
    }

    /// For how long nothing of this kind came while somebody listened: where none ever did, since it was first asked for.
    pub async fn silence(&mut self, source: Source, now: Timestamp) -> Result<Duration, StoreError> {
        let since = match self.known.newest.get(&source) {
            Some(newest) => *newest,
            None => self.first_asked(&format!("source {}", source.as_str()), now).await?,
        };
        let deaf = Duration::from_mins(1) * self.deaf_minutes(minute_of(since), minute_of(now));
        Ok(Duration::try_from(now.duration_since(since)).unwrap_or_default().saturating_sub(deaf))
    }

    /// When this was asked for first, which is now where it never was.
    pub(super) async fn first_asked(&mut self, what: &str, now: Timestamp) -> Result<Timestamp, StoreError> {
        let asked = sqlx::query_scalar::<_, i64>("SELECT value FROM meta WHERE key = ?").bind(what);
        let asked = asked.fetch_optional(&mut self.connection).await.map_err(|error| self.fail(&error))?;
        if let Some(asked) = asked {
            return Ok(moment(asked));
        }
        let insert = sqlx::query("INSERT INTO meta (key, value) VALUES (?, ?)").bind(what);
        let done = insert.bind(nanoseconds(now)).execute(&mut self.connection).await;
        done.map(|_| now).map_err(|error| self.fail(&error))
    }

    /// In how many of these minutes, `to` not included, nobody listened.
    pub(super) fn deaf_minutes(&self, from: u32, to: u32) -> u32 {
        // A clock may have been set back since.
        let to = to.max(from);
        let before = minute_of(self.known.begun).clamp(from, to) - from;
        let gaps = self.known.deaf.iter();
        gaps.map(|(first, last)| (last + 1).min(to).saturating_sub((*first).max(from))).sum::<u32>() + before
    }
}

/// When each kind came last, as it was kept a minute after.
pub(super) async fn newest(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<Source, Timestamp>, sqlx::Error> {
    let mut newest = BTreeMap::new();
    let sql = "SELECT substr(key, length(?1) + 2), value FROM meta WHERE key LIKE ?1 || ' %'";
    for row in sqlx::query(sql).bind(NEWEST).fetch_all(connection).await? {
        newest.insert(super::source(row.try_get(0)?)?, moment(row.try_get(1)?));
    }
    Ok(newest)
}

/// The times without anybody, the one before now included.
pub(super) async fn deaf(
    connection: &mut SqliteConnection,
    now: u32,
) -> Result<Vec<(u32, u32)>, sqlx::Error> {
    let heard = sqlx::query_scalar::<_, u32>("SELECT value FROM meta WHERE key = 'heard'");
    let heard = heard.fetch_optional(&mut *connection).await?.unwrap_or(now);
    mark(connection, heard, now).await?;
    let rows = sqlx::query("SELECT first, last FROM deaf").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Somebody listens now, and did last at `heard`: the gap between, where it is one.
async fn mark(
    connection: &mut SqliteConnection,
    heard: u32,
    now: u32,
) -> Result<Option<(u32, u32)>, sqlx::Error> {
    let gap = (heard.saturating_add(RESTART_MINUTES) < now).then(|| (heard + 1, now - 1));
    if let Some((first, last)) = gap {
        sqlx::query("INSERT OR REPLACE INTO deaf (first, last) VALUES (?, ?)")
            .bind(first)
            .bind(last)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query("INSERT OR REPLACE INTO meta (key, value) VALUES ('heard', ?)")
        .bind(now)
        .execute(connection)
        .await?;
    Ok(gap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::tally::Tallies;
    use crate::store::inbox::Parcel;
    use jiff::SignedDuration;

    #[tokio::test]
    async fn silence_begins_with_the_first_question_and_a_clock_may_be_set_back() {
        let (mut inbox, _) = Inbox::open(None).await.expect("an inbox");
        let now = inbox.begun();
        let silence =
            [(0, 0), (120, 120), (-5, 0)].map(|(minutes, quiet)| (SignedDuration::from_mins(minutes), quiet));
        for (later, quiet) in silence {
            let found = inbox.silence(Source::Resend, now + later).await;
            assert_eq!(found, Ok(Duration::from_mins(quiet)), "{later}");
        }
        assert!(inbox.heard().is_empty());
    }

    #[tokio::test]
    async fn what_came_last_is_known_for_longer_than_what_came() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("atalaya.db");
        let (mut inbox, _) = Inbox::open(Some(&store)).await.expect("an inbox");
        let now = inbox.begun();
        let mut tallies = Tallies::default();
        tallies.count(Source::Events, &"order".into(), 1);
        inbox.take(now, &[Parcel { tallies, ..Parcel::default() }]).await.expect("it is written");
        let later = now + SignedDuration::from_hours(36 * 24);
        inbox.fold(later).await.expect("it is folded");
        assert_eq!(inbox.listen(later).await, Ok(true));
        while inbox.tidy(later).await.expect("tidied") {}
        let all = inbox.tallies(Source::Events, (Timestamp::UNIX_EPOCH, later)).await.expect("tallies");
        assert!(all.is_empty(), "{all:?}");
        inbox.close().await;
        let (mut inbox, _) = Inbox::open(Some(&store)).await.expect("the inbox");
        assert_eq!(inbox.heard(), [Source::Events].into());
        // Nobody listened meanwhile, as far as the file knows.
        assert!(
            inbox.silence(Source::Events, now).await.is_ok_and(|silence| silence < Duration::from_mins(2))
        );
        inbox.close().await;
    }
}
