//! How often somebody may do something, and how much they may send: in bounded memory, at a cost that does not grow.
//!
//! Each key has a bucket that holds some turns and gets one back every so often. What is kept of it is one moment: when
//! the bucket will be full again (the generic cell rate algorithm).

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Keys that are remembered; beyond that the one goes whose bucket is nearest to full.
const KEYS_MAX: usize = 1024;

/// How long a body may take to come in.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// A bucket for each key.
pub struct Limiter<K> {
    burst: u32,
    every: Duration,
    full_again: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash + Clone> Limiter<K> {
    /// `burst` turns at once, and one more every so often.
    pub fn new(burst: u32, every: Duration) -> Limiter<K> {
        Limiter { burst, every, full_again: Mutex::default() }
    }

    /// Takes a turn; otherwise how long to wait for one.
    pub fn take(&self, key: &K, now: Instant) -> Result<(), Duration> {
        self.take_unless(key, now, || false).map(|_| ())
    }

    /// Lets `passes` decide whether it costs a turn, where there is one left; where there is none it is not asked. All at
    /// once, so that many who ask at the same time have no more turns than one after the other.
    pub fn take_unless(
        &self,
        key: &K,
        now: Instant,
        passes: impl FnOnce() -> bool,
    ) -> Result<bool, Duration> {
        let mut keys = self.full_again.lock().unwrap_or_else(PoisonError::into_inner);
        let full_again = keys.get(key).copied().unwrap_or(now).max(now);
        let next = full_again + self.every;
        let wait = (next - now).saturating_sub(self.every * self.burst);
        if !wait.is_zero() {
            return Err(wait);
        }
        if passes() {
            return Ok(true);
        }
        if keys.len() >= KEYS_MAX && !keys.contains_key(key) {
            make_room(&mut keys, now);
        }
        keys.insert(key.clone(), next);
        Ok(false)
    }
}

fn make_room<K: Eq + Hash + Clone>(keys: &mut HashMap<K, Instant>, now: Instant) {
    keys.retain(|_, full_again| *full_again > now);
    if keys.len() >= KEYS_MAX {
        let first = keys.iter().min_by_key(|(_, full_again)| **full_again).map(|(key, _)| key.clone());
        first.and_then(|key| keys.remove(&key));
    }
}

/// `429`, with how many seconds to wait.
pub fn too_many(wait: Duration) -> Response {
    let seconds = wait.as_secs() + 1;
    let head = [(axum::http::header::RETRY_AFTER, seconds.to_string())];
    (StatusCode::TOO_MANY_REQUESTS, head, format!("too often; try again in {seconds} s\n")).into_response()
}

/// A whole body of at most `bytes_max`, while somebody waits for it.
pub async fn body(body: Body, bytes_max: usize) -> Result<Bytes, Response> {
    let whole = in_time(to_bytes(body, bytes_max)).await?;
    whole.map_err(|_| {
        let why = format!("the body is cut off or longer than the limit of {bytes_max} bytes\n");
        (StatusCode::PAYLOAD_TOO_LARGE, why).into_response()
    })
}

/// Reads a body to its end, or so much of it, and keeps nothing.
pub async fn discard(body: Body, bytes_max: usize) {
    let mut pieces = body.into_data_stream();
    let reading = async {
        let mut read = 0;
        while let Some(Ok(piece)) = pieces.next().await {
            read += piece.len();
            if read > bytes_max {
                break;
            }
        }
    };
    in_time(reading).await.ok();
}

/// What reads a body, ended when that takes too long.
pub async fn in_time<T>(reading: impl Future<Output = T>) -> Result<T, Response> {
    let late = |_| (StatusCode::REQUEST_TIMEOUT, "the body took too long\n").into_response();
    tokio::time::timeout(BODY_TIME_MAX, reading).await.map_err(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_one_at_a_time() {
        let limiter = Limiter::new(3, Duration::from_secs(10));
        let now = crate::clock::instant();
        let after = |seconds| now + Duration::from_secs(seconds);
        let taken: Vec<_> = (0..5).map(|_| limiter.take(&"a", now).map_err(|wait| wait.as_secs())).collect();
        assert_eq!(taken, [Ok(()), Ok(()), Ok(()), Err(10), Err(10)]);
        assert_eq!(limiter.take(&"b", now), Ok(()), "another key has its own");
        assert_eq!(limiter.take(&"a", after(9)), Err(Duration::from_secs(1)));
        assert_eq!(limiter.take(&"a", after(10)), Ok(()));
        assert!(limiter.take(&"a", after(10)).is_err());
        let later = (0..4).map(|_| limiter.take(&"a", after(1000)).is_ok()).collect::<Vec<_>>();
        assert_eq!(later, [true, true, true, false], "no more than the burst is saved");
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_costs_nothing_and_is_not_asked_when_no_turn_is_left() {
        let limiter = Limiter::new(1, Duration::from_secs(10));
        let now = crate::clock::instant();
        for _ in 0..5 {
            assert_eq!(limiter.take_unless(&1, now, || true), Ok(true));
        }
        assert_eq!(limiter.take_unless(&1, now, || false), Ok(false));
        assert!(limiter.take_unless(&1, now, || panic!("nobody asks")).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_keys_takes_bounded_memory_and_frees_no_one_who_used_much() {
        let limiter = Limiter::new(2, Duration::from_secs(10));
        let now = crate::clock::instant();
        for _ in 0..2 {
            limiter.take(&0, now).expect("a turn");
        }
        for key in 1..5 * KEYS_MAX {
            limiter.take(&key, now).expect("a turn");
        }
        assert!(limiter.full_again.lock().expect("no panic").len() <= KEYS_MAX);
        assert!(limiter.take(&0, now).is_err(), "it is still known");
    }
}
