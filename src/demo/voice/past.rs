//! What the demo's agent has heard before it began: a week of requests, queries and events, and the letters that tell of the
//! last days' payments. Made up, as the rest of the demo's past.

use super::{Saying, Voice, letters};
use crate::config::Ingest;
use crate::demo::order::Payment;
use crate::ingest::tally::{Names, Tallies};
use crate::ingest::{Arrival, Post, Vendor, events, ledger, resend, square};
use crate::store::inbox::Heard;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

const DAYS: u32 = 7;
/// So far back it is told by the minute.
const MINUTES: u32 = 180;
/// Minutes of which all others are made.
const PATTERNS: u32 = 12;
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
    let patterns: Vec<Tallies> = (0..PATTERNS)
        .map(|_| names.tally(&minute(&mut voice, now), ingest.slow_query, this_minute))
        .collect();
    let pattern = |minute: u32| &patterns[(minute.wrapping_mul(0x9E37_79B1) >> 16) as usize % patterns.len()];
    let by_minutes = this_minute.saturating_sub(MINUTES) / 60 * 60;
    let first = by_minutes.saturating_sub(DAYS * 24 * 60);
    let hour = |start: u32| {
        let of_day = (i64::from(start / 60) + hours_ahead).rem_euclid(24);
        let mut whole = Tallies::default();
        (0..busy(of_day)).for_each(|number| whole.merge(pattern(start + number)));
        (start, whole)
    };
    let mut hours: BTreeMap<u32, Tallies> = (first..by_minutes).step_by(60).map(hour).collect();
    let mut minutes: BTreeMap<u32, Tallies> =
        (by_minutes..this_minute).map(|minute| (minute, pattern(minute).clone())).collect();
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

/// How many patterns an hour of the shop's day is made of: few at night.
fn busy(of_day: i64) -> u32 {
    match of_day {
        0..6 => 6,
        6..10 | 21..24 => 24,
        _ => 54,
    }
}

/// One minute of what is said, payments aside: they have a time of their own.
fn minute(voice: &mut Voice, now: Timestamp) -> Arrival {
    let mut lines = Vec::new();
    for _ in 0..60 {
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
        assert!(sum.count("requests") > 100);
    }
}
