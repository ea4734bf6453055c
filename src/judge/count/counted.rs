//! What counting queries counted. Each part of time is booked once, at its last minute; a part that begins before the
//! end of one that is booked would be counted twice, so it is left out.

use super::history::Cell;
use super::minute_of;
use super::minutes::Minutes;
use crate::config::alerting::Counts;
use crate::fact::{self, Ran};
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How far behind the clock windows may end, so that what is counted late is not taken for unmeasured. Older than that
/// is history that is being made up for, which nobody should be woken for.
const LAG_MAX: SignedDuration = SignedDuration::from_hours(1);
/// So long a check that makes up for history may fail before its gap is told.
const CATCH_UP: SignedDuration = SignedDuration::from_mins(10);
/// Minutes that one part of time can measure: the longest window, 90 days and one.
const MINUTES_MAX: u32 = 91 * 1440;
/// Notes that are kept.
const NOTES_MAX: usize = 3;

#[derive(Debug)]
pub struct Counted {
    counts: Counts,
    every: SignedDuration,
    /// Up to where it is booked.
    booked: Option<Timestamp>,
    /// How late it was when it was last booked.
    lag: SignedDuration,
    /// When it was last booked, or first looked at.
    moved: Option<Timestamp>,
    /// Bad ones that had no event of the total to belong to yet: where the bad are not a part of the total (support
    /// tickets against orders) they come before it now and then. They are taken off the good ones that come later.
    owed: u64,
    notes: VecDeque<String>,
}

impl Counted {
    /// `last`: the newest minute that is remembered.
    pub fn new(counts: Counts, every: Duration, last: Option<u32>) -> Counted {
        let booked = last.and_then(|minute| Timestamp::from_second(i64::from(minute) * 60).ok());
        let (every, lag) = (signed(every), SignedDuration::ZERO);
        Counted { counts, every, booked, lag, moved: None, owed: 0, notes: VecDeque::new() }
    }

    pub fn retime(&mut self, every: Duration) {
        self.every = signed(every);
    }

    pub fn ran(&mut self, at: Timestamp, ran: &Ran, excluded: bool, minutes: &mut Minutes) {
        for part in &ran.counted {
            if part.to <= part.from || self.booked.is_some_and(|booked| part.from < booked) {
                continue;
            }
            self.booked = Some(part.to);
            self.moved = Some(at);
            self.lag = at.duration_since(part.to).clamp(SignedDuration::ZERO, LAG_MAX);
            // Nobody knows what happened then.
            if part.values.is_empty() {
                continue;
            }
            match self.split(part) {
                Ok((good, bad)) => book(part, Cell { good, bad, excluded }, minutes),
                Err(note) => self.note(note),
            }
        }
    }

    /// The last minute that is booked; later ones once the next part is overdue.
    pub fn horizon(&self, at: Timestamp) -> u32 {
        let now = minute_of(at);
        let Some(booked) = self.booked else { return now };
        let last = last_minute(booked);
        let patience = self.lag.saturating_add(self.every.saturating_mul(2)).min(LAG_MAX.saturating_mul(2));
        let due = at.checked_sub(patience).map_or(0, minute_of);
        last.max(due).min(now)
    }

    /// See [`crate::judge::Tracker::nothing_later_than`].
    pub fn nothing_later_than(&mut self, at: Timestamp) {
        self.booked = self.booked.map(|booked| booked.min(at));
    }

    /// Whether history is being made up for: far behind, and nearer with every run. What is missing until then is on
    /// its way, and nobody needs to be told.
    pub fn catches_up(&mut self, at: Timestamp) -> bool {
        let moved = *self.moved.get_or_insert(at);
        let behind = self.booked.is_none_or(|booked| at.duration_since(booked) > LAG_MAX);
        behind && at.duration_since(moved) < CATCH_UP.saturating_add(self.every.saturating_mul(2))
    }

    pub fn notes(&self) -> Vec<String> {
        self.notes.iter().cloned().collect()
    }

    /// The good and the bad of a part, or why they can't be told.
    fn split(&mut self, part: &fact::Counted) -> Result<(u32, u32), String> {
        let count = |column: &Arc<str>| count(part, column);
        let (good, bad) = match &self.counts {
            Counts::GoodAndBad { good, bad } => (count(good)?, count(bad)?),
            Counts::GoodOfTotal { good, total } => {
                let (good, total) = (count(good)?, count(total)?);
                (good.min(total), total.saturating_sub(good))
            }
            Counts::BadOfTotal { bad, total } => {
                let (bad, total) = (count(bad)?, count(total)?);
                self.owed += bad;
                let taken = self.owed.min(total);
                self.owed -= taken;
                (total - taken, bad)
            }
        };
        let fits = |count: u64| {
            u32::try_from(count).map_err(|_| format!("{count} events in one part are too many to count"))
        };
        Ok((fits(good)?, fits(bad)?))
    }

    fn note(&mut self, note: String) {
        self.notes.retain(|old| *old != note);
        self.notes.push_back(note);
        if self.notes.len() > NOTES_MAX {
            self.notes.pop_front();
        }
    }
}

fn signed(every: Duration) -> SignedDuration {
    SignedDuration::try_from(every).unwrap_or(LAG_MAX)
}

/// A column as a count.
fn count(part: &fact::Counted, column: &Arc<str>) -> Result<u64, String> {
    let value = *part.values.get(column).ok_or_else(|| format!("the query yields no column `{column}`"))?;
    // Above 2^53 a float is no count any more.
    if !(0.0..=9_007_199_254_740_992.0).contains(&value) || value.fract() != 0.0 {
        return Err(format!("column `{column}` is {value}, which is no count"));
    }
    Ok(value as u64)
}

/// Its events are booked in its last minute, and all its minutes are measured.
fn book(part: &fact::Counted, cell: Cell, minutes: &mut Minutes) {
    let (first, last) = (minute_of(part.from), last_minute(part.to));
    let first = first.max(last.saturating_sub(MINUTES_MAX));
    if first < last {
        minutes.fill(first, last - 1, Cell { excluded: cell.excluded, ..Cell::default() });
    }
    let before = minutes.get(last).unwrap_or_default();
    let good = before.good.saturating_add(cell.good);
    let bad = before.bad.saturating_add(cell.bad);
    minutes.set(last, Cell { good, bad, excluded: before.excluded || cell.excluded });
}

/// The last minute of what ends then, the end not included.
fn last_minute(to: Timestamp) -> u32 {
    minute_of(to.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(to))
}
