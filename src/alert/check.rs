//! What is believed of one check: soft states that one run can change, hard states that it takes several in a row for.
//!
//! There are two ways to be ill, degraded and failed, each with its own run of evidence; failed is also degraded.

use super::flap::{Flaps, Turn};
use crate::config::alerting::CheckAlert;
use crate::outcome::Status;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// For readers: how sure it is. The number counts the runs in a row that say otherwise than what is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// Nothing was heard of it yet.
    Unknown,
    Up,
    SoftDown(u8),
    Down,
    SoftUp(u8),
}

/// What is in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Hard {
    #[default]
    Unknown,
    Up,
    Degraded,
    Failed,
}

impl Hard {
    pub(super) const fn is_ill(self) -> bool {
        matches!(self, Hard::Degraded | Hard::Failed)
    }
}

/// What must be remembered of a check. Counters stop where they decide, so that a steady state changes nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    pub(super) hard: Hard,
    /// Runs in a row: ill, failed, good, not failed.
    ill: u8,
    failed: u8,
    good: u8,
    calm: u8,
    /// The first of the runs that made it ill.
    pub(super) began: Option<Timestamp>,
    /// The first failed one of them.
    pub(super) failed_since: Option<Timestamp>,
    /// The first of the good runs since.
    pub(super) good_since: Option<Timestamp>,
    /// Ill runs in a row while nothing else explained them.
    pub(super) proved: u8,
    pub(super) flaps: Flaps,
}

/// What one run changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) from: Hard,
    pub(super) to: Hard,
    pub(super) flap: Option<Turn>,
}

impl Memory {
    /// Books a run of a known status. `explained`: something else is known to be the cause.
    pub(super) fn run(
        &mut self,
        at: Timestamp,
        status: Status,
        alert: &CheckAlert,
        explained: bool,
    ) -> Change {
        let (attempts, recoveries) = (alert.attempts.max(1), alert.recoveries.max(1));
        let from = self.hard;
        let count = |yes: bool, n: u8, max: u8| if yes { n.saturating_add(1).min(max) } else { 0 };
        let (failed, ill) = (status == Status::Failed, status != Status::Ok);
        self.ill = count(ill, self.ill, attempts);
        self.failed = count(failed, self.failed, attempts);
        self.good = count(!ill, self.good, recoveries);
        self.calm = count(!failed, self.calm, recoveries);
        self.proved = match (ill, from.is_ill()) {
            (true, _) => count(!explained, self.proved, attempts),
            (false, still) => self.proved * u8::from(still || self.flaps.flapping),
        };
        if failed {
            self.failed_since.get_or_insert(at);
        }
        if !from.is_ill() {
            self.good_since = None;
        }
        if ill {
            self.began.get_or_insert(at);
            self.good_since = None;
        } else if from.is_ill() {
            self.good_since.get_or_insert(at);
        }
        self.hard = self.judge(from, attempts, recoveries, ill);
        let flap = self.flaps.record(self.hard.is_ill());
        if !self.hard.is_ill() && !ill {
            // One that flaps is well between its failures, and no less to blame for them.
            self.proved *= u8::from(self.flaps.flapping);
            self.began = None;
            self.failed_since = None;
        }
        if !self.is_failing() {
            self.failed_since = None;
        }
        Change { from, to: self.hard, flap }
    }

    fn judge(&self, from: Hard, attempts: u8, recoveries: u8, ill: bool) -> Hard {
        if self.failed >= attempts {
            return Hard::Failed;
        }
        match from {
            Hard::Unknown | Hard::Up if self.ill >= attempts => Hard::Degraded,
            Hard::Unknown if !ill => Hard::Up,
            Hard::Degraded | Hard::Failed if self.good >= recoveries => Hard::Up,
            Hard::Failed if ill && self.calm >= recoveries => Hard::Degraded,
            other => other,
        }
    }

    /// It doesn't do its work, as far as the last runs tell: what needs it can't be blamed.
    pub(super) const fn is_failing(&self) -> bool {
        matches!(self.hard, Hard::Failed) || self.failed > 0
    }

    /// The last runs were ill, but too few of them to be sure.
    pub(super) const fn is_soft_down(&self) -> bool {
        !self.hard.is_ill() && self.ill > 0
    }

    /// Nothing in here would be missed.
    pub(super) fn is_plain(&self) -> bool {
        *self == Memory { hard: self.hard, good: self.good, calm: self.calm, ..Memory::default() }
            && !self.hard.is_ill()
    }

    /// How many ill runs in a row were seen that nothing else explained.
    pub(super) const fn is_proved(&self, attempts: u8) -> bool {
        self.proved >= if attempts == 0 { 1 } else { attempts }
    }

    /// Another cause was found for everything until now. Gives whether that changes anything.
    pub(super) fn unprove(&mut self) -> bool {
        std::mem::take(&mut self.proved) > 0
    }

    /// The last run failed.
    pub(super) const fn failed_just_now(&self) -> bool {
        self.failed > 0
    }

    /// What was remembered comes only now, and this was learned without it: what was in force is, until runs say
    /// otherwise, and the runs of this process are the newest.
    pub(super) fn follow(&mut self, older: Memory) {
        if *self == Memory::default() {
            *self = older;
            return;
        }
        if older.hard.is_ill() && !self.hard.is_ill() {
            self.hard = older.hard;
            self.good_since = None;
        }
        if self.hard.is_ill() && older.hard.is_ill() {
            self.began = older.began.or(self.began);
            self.failed_since = older.failed_since.or(self.failed_since);
            self.proved = self.proved.max(older.proved);
        }
        if self.flaps == Flaps::default() || older.flaps.flapping {
            self.flaps = older.flaps;
        }
    }

    pub(super) fn shift(&mut self, by: impl Fn(&mut Timestamp)) {
        [&mut self.began, &mut self.failed_since, &mut self.good_since].into_iter().flatten().for_each(by);
    }

    pub(super) const fn state(&self) -> CheckState {
        match self.hard {
            Hard::Degraded | Hard::Failed if self.good > 0 => CheckState::SoftUp(self.good),
            Hard::Degraded | Hard::Failed => CheckState::Down,
            Hard::Unknown | Hard::Up if self.ill > 0 => CheckState::SoftDown(self.ill),
            Hard::Unknown => CheckState::Unknown,
            Hard::Up => CheckState::Up,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter a run (`o`k, `d`egraded, `f`ailed), and what is in force after each of them.
    fn check(runs: &str, expected: &str) {
        let mut memory = Memory::default();
        let mut seen = String::new();
        for (second, run) in (0_i64..).zip(runs.chars()) {
            let status = match run {
                'o' => Status::Ok,
                'd' => Status::Degraded,
                _ => Status::Failed,
            };
            let at = Timestamp::from_second(second).expect("a moment");
            memory.run(at, status, &CheckAlert::default(), false);
            seen.push(match memory.state() {
                CheckState::Unknown => '?',
                CheckState::Up => '+',
                CheckState::SoftDown(n) => char::from(b'0' + n),
                CheckState::Down if memory.hard == Hard::Failed => 'F',
                CheckState::Down => 'D',
                CheckState::SoftUp(_) => '^',
            });
        }
        assert_eq!(seen, expected, "{runs}");
    }

    #[test]
    fn it_takes_three_to_go_down_and_two_to_come_back() {
        check("ofof", "+1+1");
        check("ffoffffoofo", "12+12FF^+1+");
        check("fffofofoo", "12F^F^F^+");
    }

    #[test]
    fn degraded_and_failed_have_their_own_evidence() {
        check("ddd", "12D");
        check("dfd", "12D");
        check("dddff", "12DDD");
        check("dddfff", "12DDDF");
        check("fffdd", "12FFD");
        check("fffdo", "12FF^");
        check("fffdoo", "12FF^+");
        check("fffdfdo", "12FFFF^");
    }

    #[test]
    fn an_older_memory_overwrites_no_newer_one() {
        let at = |second| Timestamp::from_second(second).expect("a moment");
        let lived = |runs: &str, from: i64| {
            let mut memory = Memory::default();
            for (second, run) in (from..).zip(runs.chars()) {
                let status = if run == 'o' { Status::Ok } else { Status::Failed };
                memory.run(at(second), status, &CheckAlert::default(), false);
            }
            memory
        };
        let state = |older: &str, newer: &str| {
            let mut memory = lived(newer, 100);
            memory.follow(lived(older, 0));
            (memory.state(), memory.began, memory)
        };
        assert_eq!(state("fff", "").2, lived("fff", 0));
        assert_eq!(state("oo", "fff").2, lived("fff", 100), "it is down whatever was before");
        assert_eq!(state("ff", "oo").2, lived("oo", 100));
        let (down, began, _) = state("fff", "ffff");
        assert_eq!((down, began), (CheckState::Down, Some(at(0))));
        let (up, _, mut memory) = state("fff", "oo");
        assert_eq!(up, CheckState::SoftUp(2));
        let change = memory.run(at(200), Status::Ok, &CheckAlert::default(), false);
        assert_eq!((change.from, change.to), (Hard::Failed, Hard::Up), "so its end is seen");
    }

    #[test]
    fn the_trouble_began_with_its_first_run() {
        let mut memory = Memory::default();
        let at = |second| Timestamp::from_second(second).expect("a moment");
        for (second, status) in
            [(1, Status::Failed), (2, Status::Ok), (3, Status::Degraded), (4, Status::Failed)]
        {
            memory.run(at(second), status, &CheckAlert::default(), false);
        }
        assert_eq!((memory.began, memory.failed_since), (Some(at(3)), Some(at(4))));
        assert!(memory.is_failing() && memory.is_soft_down());
        memory.run(at(5), Status::Ok, &CheckAlert::default(), false);
        assert!(memory.is_plain(), "{memory:?}");
    }
}
