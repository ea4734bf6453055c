//! Good and bad minutes of checks. A check's minute is bad where at least half of its runs whose verdict is known
//! failed; the objective's is bad where any check's is, good where all were measured, and unmeasured otherwise.

use super::history::Cell;
use super::intake::holds_until;
use super::minute_of;
use super::minutes::Minutes;
use crate::fact::Ran;
use crate::store::Slice;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// One check in the current minute.
#[derive(Debug)]
struct Tally {
    check: Arc<str>,
    every: Duration,
    up: u32,
    down: u32,
    held: Option<Held>,
}

/// What the last run found, for the minutes until the next is due.
#[derive(Debug, Clone, Copy)]
struct Held {
    up: bool,
    until: u32,
    excluded: bool,
}

impl Tally {
    /// Whether its minute is bad; `None`: not measured.
    fn own(&self) -> Option<bool> {
        (self.up + self.down > 0).then_some(self.down >= self.up)
    }

    fn held(&self, minute: u32) -> Option<Held> {
        self.held.filter(|held| minute <= held.until)
    }
}

#[derive(Debug)]
pub struct Tallies {
    checks: Vec<Tally>,
    /// The minute that is being counted.
    current: Option<u32>,
    excluded: bool,
    /// A minute that was found bad before this process began: runs of it are not known any more, so it stays bad.
    found_bad: Option<u32>,
}

impl Tallies {
    pub fn new(checks: &[Arc<str>], every: impl Fn(&str) -> Duration, last: Option<Slice>) -> Tallies {
        let tally = |check: &Arc<str>| Tally {
            check: Arc::clone(check),
            every: every(check),
            up: 0,
            down: 0,
            held: None,
        };
        let found_bad = last.filter(|slice| slice.bad > 0).map(|slice| slice.minute);
        Tallies { checks: checks.iter().map(tally).collect(), current: None, excluded: false, found_bad }
    }

    pub fn retime(&mut self, every: impl Fn(&str) -> Duration) {
        for tally in &mut self.checks {
            tally.every = every(&tally.check);
        }
    }

    pub fn ran(&mut self, at: Timestamp, ran: &Ran, excluded: bool, minutes: &mut Minutes) {
        let minute = minute_of(at);
        self.close(minute, minutes);
        let Some(tally) = self.checks.iter_mut().find(|tally| tally.check == ran.check) else { return };
        let Some(up) = ran.status.is_up() else {
            tally.held = None;
            return;
        };
        *(if up { &mut tally.up } else { &mut tally.down }) += 1;
        tally.held = Some(Held { up, until: holds_until(at, tally.every), excluded });
        self.excluded |= excluded;
        self.book(minute, false, minutes);
    }

    /// Books the minutes that are over and begins this one.
    pub fn close(&mut self, now: u32, minutes: &mut Minutes) {
        if let Some(current) = self.current.filter(|current| *current < now) {
            let until =
                self.checks.iter().filter_map(|tally| Some(tally.held?.until)).max().unwrap_or(current);
            for minute in current..now.min(until.max(current) + 1) {
                self.book(minute, true, minutes);
                self.begin(minute + 1);
            }
        }
        if self.current != Some(now) {
            self.begin(now);
        }
    }

    fn begin(&mut self, minute: u32) {
        for tally in &mut self.checks {
            (tally.up, tally.down) = (0, 0);
        }
        self.current = Some(minute);
        self.excluded = false;
    }

    /// `over`: no more runs will come, so that what was found before speaks for checks without one.
    fn book(&self, minute: u32, over: bool, minutes: &mut Minutes) {
        let held = |tally: &Tally| tally.held(minute).filter(|_| over);
        let verdict = |tally: &Tally| tally.own().or_else(|| held(tally).map(|held| !held.up));
        let bad = match self.checks.iter().map(verdict).try_fold(false, |bad, verdict| Some(bad | verdict?)) {
            Some(bad) => bad,
            // Not all are known, and one is bad: that is enough.
            None if self.checks.iter().any(|tally| verdict(tally) == Some(true)) => true,
            None => {
                // It was bad at first, and nobody can say so any more: neither good nor bad.
                let was_bad = minutes.get(minute).is_some_and(|cell| cell.bad > 0);
                if was_bad && self.found_bad != Some(minute) {
                    minutes.set(minute, Cell { good: 0, bad: 0, excluded: self.excluded });
                }
                return;
            }
        };
        let bad = bad || self.found_bad == Some(minute);
        let excluded = self.excluded
            || self
                .checks
                .iter()
                .any(|tally| tally.own().is_none() && held(tally).is_some_and(|held| held.excluded));
        minutes.set(minute, Cell { good: u32::from(!bad), bad: u32::from(bad), excluded });
    }
}
