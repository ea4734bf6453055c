//! When each check is due. Pure: `now` is an argument, on the steady clock.
//!
//! Due times are absolute (`first + n × every`), so a late run doesn't shift the ones behind it. What
//! was due while nobody looked (a stalled process, a suspended machine) is counted as missed, and one run
//! takes the place of the latest of them: never a burst.

use crate::clock::Steady;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::Hasher;
use std::time::Duration;

/// Names one check for as long as its definition stays.
pub type Id = u32;

/// A run that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    pub id: Id,
    pub at: Steady,
    /// Due times before this one that nobody saw.
    pub missed: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    every: Duration,
    next: Steady,
}

/// What is due when.
#[derive(Debug, Default)]
pub struct Schedule {
    entries: HashMap<Id, Entry>,
    /// May hold what was removed or moved since; the entry knows.
    queue: BinaryHeap<Reverse<(Steady, Id)>>,
}

impl Schedule {
    /// Adds a check, first due at `first`.
    pub fn insert(&mut self, id: Id, every: Duration, first: Steady) {
        self.entries.insert(id, Entry { every, next: first });
        self.queue.push(Reverse((first, id)));
    }

    /// Keeps only those for which `kept` holds.
    pub fn retain(&mut self, kept: impl Fn(Id) -> bool) {
        self.entries.retain(|id, _| kept(*id));
    }

    /// When the next check is due.
    pub fn next_due(&mut self) -> Option<Steady> {
        while let Some(Reverse((at, id))) = self.queue.peek() {
            if self.entries.get(id).is_some_and(|entry| entry.next == *at) {
                return Some(*at);
            }
            self.queue.pop();
        }
        None
    }

    /// Takes one check that is due, and sets when it is due again.
    pub fn take_due(&mut self, now: Steady) -> Option<Due> {
        let at = self.next_due().filter(|at| *at <= now)?;
        let Reverse((_, id)) = self.queue.pop()?;
        let entry = self.entries.get_mut(&id)?;
        let missed = (now.saturating_sub(at).as_nanos() / entry.every.as_nanos().max(1)) as u64;
        let latest = at + entry.every.saturating_mul(u32::try_from(missed).unwrap_or(u32::MAX));
        entry.next = latest + entry.every;
        self.queue.push(Reverse((entry.next, id)));
        Some(Due { id, at: latest, missed })
    }
}

/// First runs, and with them all later ones, begin at whole multiples of this, or of a tenth of the time
/// over which they are spread. Runs that begin together share the process' wake-ups: a thousand HTTP
/// checks every ten seconds cost 78 µs a run in slots of a second, 90 µs in slots of half of it, 118 µs
/// in slots of 100 ms, and more than twice that each on its own (`cargo bench --bench agent`). Larger
/// slots would gain little and knock at one target with hundreds of connections at once.
const SLOT: Duration = Duration::from_secs(1);

/// When a check that is new at `now` runs first: at a place within `spread` that is the same for the same
/// name, so that checks don't all start together and each keeps its place over restarts.
pub fn first(name: &str, now: Steady, spread: Duration) -> Steady {
    let slot = SLOT.min(spread / 10).max(Duration::from_millis(1));
    let at = now + offset(name, spread.saturating_sub(slot));
    let nanos = at.as_nanos().next_multiple_of(slot.as_nanos());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn offset(name: &str, spread: Duration) -> Duration {
    let mut hasher = fnv::FnvHasher::default();
    hasher.write(name.as_bytes());
    // FNV mixes its low bits best; a second round spreads names that differ in their last letter only.
    let first = hasher.finish();
    hasher.write_u64(first);
    let share = (hasher.finish() >> 11) as f64 / (1u64 << 53) as f64;
    spread.mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// All that is due at each moment, as (id, due second, missed).
    fn check(moments: &[u64], expected: &[&[(Id, u64, u64)]]) {
        let mut schedule = Schedule::default();
        schedule.insert(1, s(10), s(3));
        schedule.insert(2, s(60), s(5));
        for (now, expected) in moments.iter().zip(expected) {
            let due: Vec<_> = std::iter::from_fn(|| schedule.take_due(s(*now)))
                .map(|due| (due.id, due.at.as_secs(), due.missed))
                .collect();
            assert_eq!(due, *expected, "at {now} s");
        }
    }

    #[test]
    fn a_late_run_does_not_shift_the_next() {
        check(&[2, 3, 7, 14, 23], &[&[], &[(1, 3, 0)], &[(2, 5, 0)], &[(1, 13, 0)], &[(1, 23, 0)]]);
    }

    #[test]
    fn after_a_suspension_each_check_runs_once_and_the_rest_is_missed() {
        check(&[5, 3605], &[&[(1, 3, 0), (2, 5, 0)], &[(1, 3603, 359), (2, 3605, 59)]]);
    }

    #[test]
    fn what_is_removed_is_not_due() {
        let mut schedule = Schedule::default();
        schedule.insert(1, s(10), s(3));
        schedule.retain(|id| id != 1);
        assert_eq!((schedule.next_due(), schedule.take_due(s(100))), (None, None));
    }

    #[test]
    fn first_runs_are_spread_evenly_over_shared_slots() {
        let now = Duration::from_micros(1_234_567_890);
        let mut tenths = [0; 10];
        for n in 0..1000 {
            let first = first(&format!("check-{n}"), now, s(10));
            assert_eq!(first.as_nanos() % SLOT.as_nanos(), 0);
            assert!(first <= now + s(10), "all have run once within the first interval");
            tenths[((first.saturating_sub(now)).as_secs_f64() as usize).min(9)] += 1;
        }
        assert!(tenths.iter().all(|count| (35..=145).contains(count)), "{tenths:?}");
    }
}
