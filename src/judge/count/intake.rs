//! Which minutes a run is booked in, and as what, by the kind of the indicator.
//!
//! A run's result holds until the next run is due: so an hourly check is measured all hour long. A minute without a
//! run of its own is measured where a result holds for at least half of it, and is booked when it is over.

use super::counted::Counted;
use super::history::Cell;
use super::minute_of;
use super::minutes::Minutes;
use super::tally::Tallies;
use crate::config::alerting::{Indicator, Objective};
use crate::config::value::Bound;
use crate::fact::Ran;
use crate::outcome::Status;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What turns runs into minutes.
#[derive(Debug)]
pub enum Intake {
    /// Good or bad minutes of checks.
    Minutes(Tallies),
    /// Each run is an event.
    Runs(Runs),
    /// A query counts the events.
    Counted(Counted),
    /// It has no events.
    None,
}

impl Intake {
    /// `minutes`: what is remembered.
    pub fn new(objective: &Objective, minutes: &Minutes) -> Intake {
        match &objective.indicator {
            Indicator::Availability { checks } => {
                Intake::Minutes(Tallies::new(checks, |check| every(objective, check), minutes.last()))
            }
            Indicator::Latency { check, below } => {
                Intake::Runs(Runs::new(Good::Within(*below), every(objective, check)))
            }
            Indicator::Measure { check, measure, good } => {
                let good = Good::Holds(Arc::clone(measure), good.clone());
                Intake::Runs(Runs::new(good, every(objective, check)))
            }
            Indicator::Counts { check, counts } => Intake::Counted(Counted::new(
                counts.clone(),
                every(objective, check),
                minutes.last().map(|slice| slice.minute),
            )),
            Indicator::Baseline { .. } => Intake::None,
        }
    }

    pub fn ran(&mut self, at: Timestamp, ran: &Ran, excluded: bool, minutes: &mut Minutes) {
        match self {
            Intake::Minutes(tallies) => tallies.ran(at, ran, excluded, minutes),
            Intake::Runs(runs) => runs.ran(at, ran, excluded, minutes),
            Intake::Counted(counted) => counted.ran(at, ran, excluded, minutes),
            Intake::None => {}
        }
    }

    /// Books what holds for minutes that are over, and tells the minute that windows end with: the current one; for
    /// what is counted late, the last one that is known, as long as it is not overdue.
    pub fn close(&mut self, at: Timestamp, minutes: &mut Minutes) -> u32 {
        let now = minute_of(at);
        match self {
            Intake::Minutes(tallies) => tallies.close(now, minutes),
            Intake::Runs(runs) => runs.close(now, minutes),
            Intake::Counted(counted) => return counted.horizon(at),
            Intake::None => {}
        }
        now
    }

    /// Its checks run at other intervals from now on.
    pub fn retime(&mut self, objective: &Objective) {
        match self {
            Intake::Minutes(tallies) => tallies.retime(|check| every(objective, check)),
            Intake::Runs(runs) => runs.every = objective.every.values().copied().min().unwrap_or(runs.every),
            Intake::Counted(counted) => {
                if let Some(every) = objective.every.values().min() {
                    counted.retime(*every);
                }
            }
            Intake::None => {}
        }
    }

    /// See [`crate::judge::Tracker::nothing_later_than`].
    pub fn nothing_later_than(&mut self, at: Timestamp) {
        if let Intake::Counted(counted) = self {
            counted.nothing_later_than(at);
        }
    }

    /// Whether what is missing is on its way.
    pub fn catches_up(&mut self, at: Timestamp) -> bool {
        match self {
            Intake::Counted(counted) => counted.catches_up(at),
            _ => false,
        }
    }

    /// What could not be counted.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Intake::Counted(counted) => counted.notes(),
            _ => Vec::new(),
        }
    }
}

/// How often a check runs; each minute where nobody says.
fn every(objective: &Objective, check: &str) -> Duration {
    objective.every.get(check).copied().unwrap_or(Duration::from_mins(1))
}

/// The last minute for which a run that ended then tells something.
pub fn holds_until(at: Timestamp, every: Duration) -> u32 {
    let half = 30;
    let seconds = at.as_second().saturating_add(every.as_secs().cast_signed()).saturating_sub(half);
    u32::try_from(seconds.div_euclid(60)).unwrap_or(0).max(minute_of(at))
}

#[derive(Debug)]
enum Good {
    Within(Duration),
    Holds(Arc<str>, Bound),
}

/// Each run of one check is an event.
#[derive(Debug)]
pub struct Runs {
    good: Good,
    every: Duration,
    /// The last run that told something: up to which minute it holds, and whether that counts.
    held: Option<(u32, bool)>,
    /// Minutes before this one are closed.
    closed: Option<u32>,
}

impl Runs {
    fn new(good: Good, every: Duration) -> Runs {
        Runs { good, every, held: None, closed: None }
    }

    fn ran(&mut self, at: Timestamp, ran: &Ran, excluded: bool, minutes: &mut Minutes) {
        let minute = minute_of(at);
        self.close(minute, minutes);
        let Some(good) = self.verdict(ran) else {
            self.held = None;
            return;
        };
        let mut cell = minutes.get(minute).unwrap_or_default();
        let count = if good { &mut cell.good } else { &mut cell.bad };
        *count = count.saturating_add(1);
        cell.excluded |= excluded;
        minutes.set(minute, cell);
        self.held = Some((holds_until(at, self.every), excluded));
    }

    /// A failed run is bad, a time-out too; `None`: nobody knows.
    fn verdict(&self, ran: &Ran) -> Option<bool> {
        match (ran.status, &self.good) {
            (Status::Unknown, _) => None,
            (Status::Failed, _) => Some(false),
            (_, Good::Within(below)) => Some(u128::from(ran.took_us) <= below.as_micros()),
            (_, Good::Holds(measure, bound)) => ran.measures.get(measure).map(|value| bound.holds(*value)),
        }
    }

    fn close(&mut self, now: u32, minutes: &mut Minutes) {
        if let (Some(closed), Some((until, excluded))) = (self.closed, self.held) {
            let end = now.min(until + 1);
            if closed < end {
                minutes.fill(closed, end - 1, Cell { excluded, ..Cell::default() });
            }
        }
        self.closed = Some(now);
    }
}
