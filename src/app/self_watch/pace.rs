//! When the dead man's switch is due: every minute, at once when the agent falls ill or gets well, after a failure soon
//! again, and never more often than the other side takes it. Pure.

use crate::clock::Steady;
use std::collections::VecDeque;
use std::time::Duration;

pub const EVERY: Duration = Duration::from_mins(1);
/// Services of this kind refuse more in a minute.
const TRIES_MAX: usize = 5;
/// After each failure in a row; then the next minute begins.
const RETRY: [u64; 4] = [1, 2, 4, 8];

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    Taken,
    /// Another try can help.
    Failed,
    /// Only somebody who mends something can help.
    Refused,
}

#[derive(Debug)]
pub struct Pace {
    /// Tries of the last minute.
    tries: VecDeque<Steady>,
    next: Steady,
    /// When the first try of this minute was.
    began: Steady,
    failures: usize,
    /// Whether the last that was told is that it is well.
    told: Option<bool>,
}

impl Pace {
    pub fn new(now: Steady) -> Pace {
        Pace { tries: VecDeque::new(), next: now, began: now, failures: 0, told: None }
    }

    /// Another address: what was told the old one says nothing.
    pub fn begin_anew(&mut self, now: Steady) {
        *self = Pace { tries: std::mem::take(&mut self.tries), ..Pace::new(now) };
    }

    pub fn is_due(&mut self, now: Steady, well: bool) -> bool {
        while self.tries.front().is_some_and(|first| now.saturating_sub(*first) >= EVERY) {
            self.tries.pop_front();
        }
        let changed = self.failures == 0 && self.told.is_some_and(|told| told != well);
        self.tries.len() < TRIES_MAX && (changed || now >= self.next)
    }

    /// A try begins.
    pub fn begin(&mut self, now: Steady) {
        if self.failures == 0 {
            self.began = now;
        }
        self.tries.push_back(now);
    }

    pub fn end(&mut self, now: Steady, well: bool, came: Came) {
        self.told = Some(well);
        if let (Came::Failed, Some(wait)) = (came, RETRY.get(self.failures)) {
            self.failures += 1;
            self.next = now + Duration::from_secs(*wait);
        } else {
            self.failures = 0;
            self.next = self.began + EVERY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds of tries, looked at every second; `script` gives how the agent is and what comes of a try.
    fn check(script: impl Fn(u64) -> (bool, Came), seconds: u64, expected: &[u64]) {
        let mut pace = Pace::new(Duration::ZERO);
        let mut tries = Vec::new();
        for second in 0..seconds {
            let (now, (well, came)) = (Duration::from_secs(second), script(second));
            if pace.is_due(now, well) {
                pace.begin(now);
                pace.end(now, well, came);
                tries.push(second);
            }
        }
        assert_eq!(tries, expected);
    }

    #[test]
    fn every_minute_while_it_is_taken() {
        check(|_| (true, Came::Taken), 200, &[0, 60, 120, 180]);
        check(|_| (false, Came::Taken), 100, &[0, 60]);
        check(|_| (true, Came::Refused), 100, &[0, 60]);
    }

    #[test]
    fn a_failure_is_tried_again_four_times_and_in_the_next_minute() {
        check(|_| (true, Came::Failed), 100, &[0, 1, 3, 7, 15, 60, 61, 63, 67, 75]);
        let back = |second| (true, if second < 2 { Came::Failed } else { Came::Taken });
        check(back, 100, &[0, 1, 3, 60]);
    }

    #[test]
    fn a_change_is_told_at_once() {
        check(|second| (!(20..40).contains(&second), Came::Taken), 150, &[0, 20, 40, 100]);
    }

    #[test]
    fn no_more_than_five_in_a_minute_whatever_changes() {
        check(|second| (second % 2 == 0, Came::Taken), 63, &[0, 1, 2, 3, 4, 61, 62]);
    }

    #[test]
    fn another_address_is_told_at_once() {
        let mut pace = Pace::new(Duration::ZERO);
        pace.begin(Duration::ZERO);
        pace.end(Duration::ZERO, true, Came::Taken);
        assert!(!pace.is_due(Duration::from_secs(5), true));
        pace.begin_anew(Duration::from_secs(5));
        assert!(pace.is_due(Duration::from_secs(5), true));
    }
}
