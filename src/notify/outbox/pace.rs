//! How fast: when a failed try is repeated, and how many messages a channel takes.

use super::row::{between, earlier, later, moved};
use crate::alert::Severity;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Seconds until the next try, by tries before; the last goes on. Short at first, since most trouble of a provider
/// lasts for seconds; then rare enough to do no harm.
const PAUSES: [u64; 6] = [5, 15, 45, 120, 300, 600];

/// Tries that failed together don't meet again: up to a fifth sooner or later.
const JITTER: f64 = 0.2;

/// Who asks for more time than this in a page's way is asked again all the same.
pub(super) const PAGE_WAIT_MAX: Duration = Duration::from_hours(1);

/// The share of a burst that is kept for pages.
const RESERVE: f64 = 0.3;

/// A burst of fewer would make a digest of what nobody calls a flood.
const BURST_MIN: f64 = 5.0;

/// When to try again after `attempts` tries have failed, `after` being what the other side asked for. The same for
/// the same key, so that a timeline can be repeated.
pub(super) fn again(key: &str, attempts: u32, after: Option<Duration>, severity: Severity) -> Duration {
    let step = (attempts.max(1) as usize - 1).min(PAUSES.len() - 1);
    let pause =
        Duration::from_secs(PAUSES[step]).mul_f64(1.0 - JITTER + 2.0 * JITTER * chance(key, attempts));
    let asked = after.unwrap_or_default();
    pause.max(if severity == Severity::Page { asked.min(PAGE_WAIT_MAX) } else { asked })
}

/// From 0 to 1, evenly over keys.
fn chance(key: &str, attempts: u32) -> f64 {
    let mut hasher = Sha256::new();
    hasher.update(key);
    hasher.update(attempts.to_be_bytes());
    let digest = hasher.finalize();
    f64::from(u16::from_be_bytes([digest[0], digest[1]])) / f64::from(u16::MAX)
}

/// A token bucket: the channel's messages of an hour, evenly, with a burst of a sixth of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    burst: f64,
    per_second: f64,
    tokens: f64,
    at: Timestamp,
}

impl Bucket {
    pub(super) fn new(hourly_max: u32) -> Bucket {
        let burst = (f64::from(hourly_max) / 6.0).max(BURST_MIN);
        Bucket { burst, per_second: f64::from(hourly_max.max(1)) / 3600.0, tokens: burst, at: Timestamp::MIN }
    }

    /// Other numbers; what was sent before counts on.
    pub(super) fn resize(&mut self, hourly_max: u32) {
        let fresh = Bucket::new(hourly_max);
        let sent = self.burst - self.tokens;
        *self = Bucket { tokens: (fresh.burst - sent).max(0.0), at: self.at, ..fresh };
    }

    /// What it takes to send this: a token, and for what is not a page those that are kept for pages.
    fn needed(&self, page: bool) -> f64 {
        if page { 1.0 } else { 1.0 + RESERVE * self.burst }
    }

    /// A clock that was set back gives nothing until it is where it was measured last.
    pub(super) fn has(&mut self, now: Timestamp, page: bool) -> bool {
        let passed = between(self.at, now).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.at = now;
        self.tokens >= self.needed(page)
    }

    /// When there will be enough.
    pub(super) fn ready_at(&self, page: bool) -> Timestamp {
        let missing = self.needed(page) - self.tokens;
        if missing <= 0.0 {
            return self.at;
        }
        // A millisecond more, so that rounding never asks too soon.
        later(self.at, Duration::from_secs_f64(missing / self.per_second) + Duration::from_millis(1))
    }

    pub(super) fn take(&mut self) {
        self.tokens = (self.tokens - 1.0).max(0.0);
    }

    /// Nothing was sent after all.
    pub(super) fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(self.burst);
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        self.at = earlier(self.at, by);
    }

    pub(super) fn clock_set(&mut self, by: SignedDuration) {
        self.at = moved(self.at, by);
    }

    /// A message that was sent before this process began.
    pub(super) fn remember(&mut self, at: Timestamp) {
        self.has(at, true);
        self.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_a_fifth() {
        for (attempts, seconds) in
            [(1, 5.0), (2, 15.0), (3, 45.0), (4, 120.0), (5, 300.0), (6, 600.0), (40, 600.0)]
        {
            for key in ["a", "b", "c", "d", "e", "f"] {
                let pause = again(key, attempts, None, Severity::Page).as_secs_f64();
                assert!((seconds * 0.8..=seconds * 1.2).contains(&pause), "{attempts}: {pause}");
                assert_eq!(again(key, attempts, None, Severity::Page).as_secs_f64(), pause);
            }
        }
        let spread: Vec<_> = (0..50).map(|n| again(&n.to_string(), 1, None, Severity::Page)).collect();
        assert!(
            spread.iter().max().unwrap().saturating_sub(*spread.iter().min().unwrap())
                > Duration::from_secs(1)
        );
    }

    #[test]
    fn what_the_other_side_asks_for_is_a_lower_bound() {
        let hours = |n: u64| Some(Duration::from_secs(n * 3600));
        assert_eq!(again("k", 1, Some(Duration::from_secs(90)), Severity::Page), Duration::from_secs(90));
        assert_eq!(again("k", 1, hours(6), Severity::Page), PAGE_WAIT_MAX);
        assert_eq!(again("k", 1, hours(6), Severity::Ticket), Duration::from_hours(6));
        assert!(again("k", 3, Some(Duration::from_secs(1)), Severity::Page) > Duration::from_secs(30));
    }

    #[test]
    fn a_burst_keeps_a_share_for_pages() {
        let mut bucket = Bucket::new(60);
        let start = Timestamp::UNIX_EPOCH;
        let mut sent = 0;
        while bucket.has(start, false) {
            bucket.take();
            sent += 1;
        }
        assert_eq!(sent, 7, "of ten, three are kept");
        while bucket.has(start, true) {
            bucket.take();
            sent += 1;
        }
        assert_eq!(sent, 10);
        let ready = bucket.ready_at(true);
        assert!(!bucket.has(earlier(ready, Duration::from_millis(50)), true));
        assert!(bucket.has(ready, true));
        assert!(between(start, ready) <= Duration::from_millis(60_002), "{ready}");
        assert!(!bucket.has(start, false), "a clock set back gives nothing");
    }
}
