//! Whether a check changes so often that telling each change would only wear people out: the formula of Nagios
//! (`base/flapping.c`).
//!
//! The last 21 states have 20 changes between them; a recent change weighs more than an old one (0.75 for the oldest,
//! 1.25 for the newest). A state here is what was in force after a run, not what the run found: one soft failure
//! changes nothing that was told, so it is no change.

use serde::{Deserialize, Serialize};

/// States that are remembered.
const STATES: u32 = 21;
const CHANGES: u32 = STATES - 1;
/// In percent.
const STARTS_AT: f64 = 30.0;
const STOPS_AT: f64 = 15.0;

/// The last states, the newest in the lowest bit; set where it was ill. All well before anything is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Flaps {
    states: u32,
    pub(super) flapping: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Started,
    Stopped,
}

impl Flaps {
    /// Books the state after a run. Between the two bounds it stays what it is.
    pub(super) fn record(&mut self, ill: bool) -> Option<Turn> {
        self.states = (self.states << 1 | u32::from(ill)) & ((1 << STATES) - 1);
        let percent = self.percent();
        let turn = match self.flapping {
            false if percent >= STARTS_AT => Turn::Started,
            true if percent <= STOPS_AT => Turn::Stopped,
            _ => return None,
        };
        self.flapping = turn == Turn::Started;
        Some(turn)
    }

    /// How much of the most possible change there was.
    pub(super) fn percent(self) -> f64 {
        let changes = self.states ^ (self.states >> 1);
        let weight = |age: u32| 1.25 - 0.5 * f64::from(age) / f64::from(CHANGES - 1);
        let sum: f64 = (0..CHANGES).filter(|age| changes >> age & 1 == 1).map(weight).sum();
        sum / f64::from(CHANGES) * 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of change when the changes (1 is the oldest of 20) are these.
    fn check(changes: impl IntoIterator<Item = u32>, expected: f64) {
        let changes: Vec<u32> = changes.into_iter().collect();
        let (mut flaps, mut ill) = (Flaps::default(), false);
        for change in 0..=CHANGES {
            ill ^= changes.contains(&change);
            flaps.record(ill);
        }
        let percent = flaps.percent();
        assert!((percent - expected).abs() < 0.051, "{changes:?}: {percent} and not {expected}");
    }

    #[test]
    fn the_vectors_of_nagios() {
        check([1], 3.75);
        check([20], 6.25);
        check(1..=20, 100.0);
        for (last, expected) in [(2, 12.4), (3, 18.4), (4, 24.2), (5, 29.9), (7, 41.0), (10, 56.6)] {
            check(21 - last..=20, expected);
        }
    }

    #[test]
    fn it_starts_at_thirty_percent_and_stops_at_fifteen() {
        let mut flaps = Flaps::default();
        let turns: Vec<_> = (0..6).map(|n| flaps.record(n % 2 == 0)).collect();
        assert_eq!(turns, [None, None, None, None, None, Some(Turn::Started)]);
        let calm = (1..40).find(|_| flaps.record(false) == Some(Turn::Stopped));
        assert!(calm.is_some_and(|runs| (12..=20).contains(&runs)), "{calm:?}");
        assert!(flaps.percent() <= STOPS_AT);
    }

    #[test]
    fn a_minute_of_outage_every_eighty_seconds_is_told_each_time() {
        let mut flaps = Flaps::default();
        for round in 0..20 {
            let turns = (0..12).map(|_| true).chain((0..16).map(|_| false)).map(|ill| flaps.record(ill));
            assert!(turns.into_iter().all(|turn| turn.is_none()), "round {round}");
        }
    }
}
