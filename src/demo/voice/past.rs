//! What the demo's agent has heard before it began: a week of requests, queries and events, and the letters that tell of the
//! last days' payments. Made up, as the rest of the demo's past.

use super::{Saying, Voice, letters};
use crate::config::Ingest;
use crate::demo::order::Payment;
use crate::ingest::tally::{Names, Tallies};
use crate::ingest::{Arrival, Post, Vendor, events, ledger, resend, square};
use crate::record::cells::{Cells, Side};
use crate::store::inbox::Heard;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const DAYS: u32 = 7;
/// So far back it is told by the minute: a chart of a day is made of quarters of an hour.
const MINUTES: u32 = 25 * 60;
/// Minutes of which all others of such an hour are made, …
const PATTERNS: u32 = 10;
/// … and so many seconds of them are not quiet: at night, in the morning and late, by day.
const BUSY: [u32; 3] = [7, 26, 60];
/// Letters are compared with the shop's own log over a day.
const LETTERS: SignedDuration = SignedDuration::from_hours(25);
/// The account whose key Square signs with.
const ACCOUNT: &str = "production";

/// What was heard until the minute in which `now` lies. `hours_ahead`: of the shop's day before UTC.
pub fn heard(
    seed: u64,
    ingest: &Ingest,
    payments: &[Payment],
    (now, hours_ahead): (Timestamp, i64),
) -> Heard {
    let mut names = Names::new(ingest.names_max);
    let mut voice = Voice::new(seed.wrapping_add(1));
    let this_minute = u32::try_from(now.as_second() / 60).unwrap_or_default();
    let patterns = BUSY.map(|seconds| {
        let pattern = |_| names.tally(&minute(&mut voice, seconds, now), ingest.slow_query, this_minute);
        (0..PATTERNS).map(pattern).collect::<Vec<Tallies>>()
    });
    let of_hour = |minute: u32| {
        let of_day = (i64::from(minute / 60) + hours_ahead).rem_euclid(24);
        &patterns[match of_day {
            0..6 => 0,
            6..10 | 21..24 => 1,
            _ => 2,
        }]
    };
    let of_minute =
        |minute: u32| &of_hour(minute)[(minute.wrapping_mul(0x9E37_79B1) >> 16) as usize % PATTERNS as usize];
    let by_minutes = this_minute.saturating_sub(MINUTES) / 60 * 60;
    let first = by_minutes.saturating_sub(DAYS * 24 * 60);
    let hour = |start: u32| {
        let mut some = Tallies::default();
        for pattern in of_hour(start) {
            some.merge(pattern);
        }
        (start, often(&some, 60 / PATTERNS))
    };
    let mut hours: BTreeMap<u32, Tallies> = (first..by_minutes).step_by(60).map(hour).collect();
    let mut minutes: BTreeMap<u32, Tallies> =
        (by_minutes..this_minute).map(|minute| (minute, of_minute(minute).clone())).collect();
    let kept = payments.iter().filter(|payment| payment.at >= now - LETTERS);
    let posts: Vec<(Timestamp, Post)> = kept.flat_map(posts).collect();
    for (at, post) in &posts {
        let minute = u32::try_from(at.as_second() / 60).unwrap_or_default();
        let Some(about) = &post.letter.about else { continue };
        let place = minutes.get_mut(&minute).or_else(|| hours.get_mut(&(minute / 60 * 60)));
        let Some(tallies) = place else { continue };
        for (name, times) in ledger::apply(post.vendor, about, None).1 {
            tallies.count(post.vendor.into(), &name.into(), times);
        }
    }
    Heard {
        since: Timestamp::UNIX_EPOCH + SignedDuration::from_mins(i64::from(first)),
        hours: hours.into_iter().collect(),
        minutes: minutes.into_iter().collect(),
        posts,
    }
}

/// So many times as much. Nothing of it has failed.
fn often(tallies: &Tallies, times: u32) -> Tallies {
    let mut all = Tallies::default();
    for (series, tally) in &tallies.0 {
        let mut took = Cells::default();
        for (seconds, count) in tally.took.durations() {
            let count = u32::try_from(count).unwrap_or(u32::MAX).saturating_mul(times);
            took.add_many(Side::Good, Duration::from_secs_f64(seconds), count);
        }
        all.add(series, tally.count * u64::from(times), &took);
    }
    all
}

/// One minute of what is said, payments aside: they have a time of their own.
fn minute(voice: &mut Voice, seconds: u32, now: Timestamp) -> Arrival {
    let mut lines = Vec::new();
    for _ in 0..seconds {
        for saying in voice.say(now, &[]) {
            if let Saying::Events(more) = saying {
                lines.push(more);
            }
        }
    }
    events::lines(lines.join("\n").as_bytes()).map(|read| read.arrival).unwrap_or_default()
}

/// What vendors told of a payment, when they did.
fn posts(payment: &Payment) -> Vec<(Timestamp, Post)> {
    let delivered = payment.declined.is_none().then(|| letters::delivered(payment));
    let read = |saying: Saying| match saying {
        Saying::Square(body) => Some((Vendor::Square, square::read(body.as_bytes()).ok()?)),
        Saying::Resend(id, body) => Some((Vendor::Resend, resend::read(&id, body.as_bytes()).ok()?)),
        _ => None,
    };
    let post = |(vendor, read): (Vendor, crate::ingest::webhook::Read)| {
        let (letter, unreadable) = (read.letter, read.unreadable);
        let post = Post { vendor, letter, account: Arc::from(ACCOUNT), counts: true, unreadable };
        (payment.at, post)
    };
    [Some(letters::payment(payment)), delivered].into_iter().flatten().filter_map(read).map(post).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{Source, Sum};

    #[test]
    fn a_week_was_heard_in_hours_and_the_last_of_it_in_minutes() {
        let now: Timestamp = "2026-03-01T12:37:10Z".parse().expect("a time");
        let heard = heard(7, &Ingest::default(), &[], (now, 0));
        assert_eq!(heard.hours.len(), 7 * 24);
        let (first, last) = (heard.minutes[0].0, heard.minutes[heard.minutes.len() - 1].0);
        assert_eq!(first, heard.hours[heard.hours.len() - 1].0 + 60, "no gap and no overlap");
        assert_eq!(i64::from(last + 1), now.as_second() / 60);
        let mut sum = Sum::default();
        heard.minutes[0].1.add_to(Source::Requests, &mut sum);
        assert!(sum.count("requests") > 10);
    }
}
