//! What was told and promised, for pages: episodes, messages, and the minutes of objectives.

use super::Reader;
use crate::alert::Notice;
use crate::store::Slice;
use crate::store::error::StoreError;
use crate::store::pack;
use crate::store::remember::{loose_slice, minute_of};
use crate::store::write::{moment, nanoseconds};
use crate::view::past::{DAYS, DayOfObjective, Episode, Message, ObjectiveDays};
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// More than these nobody reads; the newest are kept.
const EPISODES_MAX: u32 = 1_000;
const MESSAGES_MAX: u32 = 200;
const DAY: u32 = pack::MINUTES_OF_DAY;
/// Minutes of these days may still change.
const OPEN_DAYS: u32 = 2;

impl Reader {
    /// Alerts that fired within the last 90 days or still fire, the newest first.
    pub async fn recent_episodes(&mut self, now: Timestamp) -> Result<Vec<Episode>, StoreError> {
        let since =
            now.saturating_sub(SignedDuration::from_hours(i64::from(DAYS) * 24)).unwrap_or(Timestamp::MIN);
        let sql = "SELECT episode, alert, severity, title, summary, fired, ended FROM episode \
                   WHERE fired >= ? OR ended IS NULL ORDER BY fired DESC LIMIT ?";
        let rows =
            sqlx::query(sql).bind(nanoseconds(since)).bind(EPISODES_MAX).fetch_all(&mut self.connection);
        let rows = rows.await.map_err(|error| StoreError::sql(&self.path, &error))?;
        self.decode(rows.iter().map(episode).collect())
    }

    /// What was sent to whom and what waits, the newest first. Texts of messages stay where they are.
    pub async fn messages(&mut self) -> Result<Vec<Message>, StoreError> {
        let sql = "SELECT key, channel, notice, state, created, settled, attempts, error FROM outbox \
                   ORDER BY created DESC, id DESC LIMIT ?";
        let rows = sqlx::query(sql).bind(MESSAGES_MAX).fetch_all(&mut self.connection);
        let rows = rows.await.map_err(|error| StoreError::sql(&self.path, &error))?;
        self.decode(rows.iter().map(message).collect())
    }

    /// Minutes of one objective from `from` (inclusive) to `to` (exclusive) that were measured.
    pub async fn minutes_of(
        &mut self,
        objective: &str,
        generation: u64,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<BTreeMap<u32, Slice>, StoreError> {
        let (from, to) = (minute_of(from), minute_of(to));
        let sql = "SELECT day, minutes FROM slice_day WHERE name = (SELECT id FROM name WHERE name = ?) \
                   AND generation = ? AND day >= ? AND day <= ?";
        let query = sqlx::query(sql).bind(objective).bind(generation.cast_signed());
        let rows = query.bind(from / DAY).bind(to / DAY).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| StoreError::sql(&self.path, &error))?;
        let mut minutes = BTreeMap::new();
        for row in rows {
            let day: u32 = self.decode(row.try_get(0))?;
            let packed: &[u8] = self.decode(row.try_get(1))?;
            minutes.extend(pack::unpack(day, packed).unwrap_or_default());
        }
        // A minute that changed after its day was packed has two forms; the loose one is the newer.
        let sql = "SELECT minute, name, generation, good, bad, excluded FROM slice WHERE minute >= ? AND minute < ? \
                   AND name = (SELECT id FROM name WHERE name = ?) AND generation = ?";
        let query = sqlx::query(sql).bind(from).bind(to).bind(objective).bind(generation.cast_signed());
        let rows = query.fetch_all(&mut self.connection).await;
        for row in rows.map_err(|error| StoreError::sql(&self.path, &error))? {
            let slice = self.decode(loose_slice(&row))?;
            minutes.insert(slice.minute, slice);
        }
        minutes.retain(|minute, _| (from..to).contains(minute));
        Ok(minutes)
    }

    /// The last days of objectives, by name and generation. With what was read before, only what may have changed since
    /// is read.
    pub async fn objective_days(
        &mut self,
        objectives: &[(Arc<str>, u64)],
        now: Timestamp,
        before: Option<&ObjectiveDays>,
    ) -> Result<ObjectiveDays, StoreError> {
        let today = minute_of(now) / DAY;
        let first = (today + 1).saturating_sub(DAYS);
        let mut days = ObjectiveDays { first, objectives: HashMap::new() };
        for (name, generation) in objectives {
            let known = before.filter(|days| days.first == first).and_then(|days| days.objectives.get(name));
            let mut entries =
                known.cloned().unwrap_or_else(|| vec![DayOfObjective::default(); DAYS as usize]);
            let since = if known.is_some() { (today + 1).saturating_sub(OPEN_DAYS) } else { first };
            entries[(since - first) as usize..].fill(DayOfObjective::default());
            let from = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(i64::from(since * DAY));
            let to = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(i64::from((today + 1) * DAY));
            for slice in self.minutes_of(name, *generation, (from, to)).await?.into_values() {
                if let Some(day) = entries.get_mut((slice.minute / DAY - first) as usize) {
                    day.add(slice);
                }
            }
            days.objectives.insert(name.clone(), entries);
        }
        Ok(days)
    }
}

fn episode(row: &SqliteRow) -> Result<Episode, sqlx::Error> {
    let ended: Option<i64> = row.try_get(6)?;
    Ok(Episode {
        episode: row.try_get(0)?,
        alert: row.try_get(1)?,
        severity: parsed(row.try_get(2)?)?,
        title: row.try_get(3)?,
        summary: row.try_get(4)?,
        fired: moment(row.try_get(5)?),
        ended: ended.map(moment),
    })
}

fn message(row: &SqliteRow) -> Result<Message, sqlx::Error> {
    let notice: Notice =
        serde_json::from_str(row.try_get(2)?).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let settled: Option<i64> = row.try_get(5)?;
    Ok(Message {
        key: row.try_get(0)?,
        channel: row.try_get(1)?,
        contact: notice.contact,
        kind: notice.kind,
        severity: notice.severity,
        titles: notice.alerts.iter().map(|alert| alert.title.clone()).collect(),
        more: notice.more,
        state: parsed(row.try_get(3)?)?,
        created: moment(row.try_get(4)?),
        settled: settled.map(moment),
        attempts: row.try_get(6)?,
        error: row.try_get(7)?,
    })
}

fn parsed<T: for<'de> serde::Deserialize<'de>>(word: &str) -> Result<T, sqlx::Error> {
    serde_json::from_value(serde_json::Value::String(word.to_owned()))
        .map_err(|error| sqlx::Error::Decode(error.into()))
}
