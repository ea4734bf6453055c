//! From what a job told to what became of its runs: which start belongs to which end.
//!
//! A run that tells its id ends with the end that tells it too. A job that tells no ids has one run at a time, so a new
//! start takes the place of the one before. Where only one side tells, the end is taken for the run that is under way:
//! better than a run that never ends.

use crate::ingest::{Ping, PingWord};
use jiff::Timestamp;
use std::collections::HashSet;
use std::time::Duration;

/// A run that began and of which no end was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) began: Timestamp,
}

/// A run without an id and without an end, after which the next one began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replaced<'a> {
    pub(super) run: Open<'a>,
    pub(super) at: Timestamp,
}

/// A run that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended<'a> {
    pub(super) ping: &'a Ping,
    /// Where its start was heard.
    began: Option<Timestamp>,
}

impl Ended<'_> {
    /// As told, else from its start to its end.
    pub(super) fn took(&self) -> Option<Duration> {
        let from_start = || Duration::try_from(self.ping.at.duration_since(self.began?)).ok();
        self.ping.took.or_else(from_start)
    }

    /// When it began, as far as anybody can tell.
    pub(super) fn began(&self) -> Timestamp {
        self.began.unwrap_or(self.ping.at)
    }
}

/// The runs of a job.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Runs<'a> {
    /// The oldest first.
    pub(super) open: Vec<Open<'a>>,
    /// Since the last end, the oldest first.
    pub(super) replaced: Vec<Replaced<'a>>,
    pub(super) last_success: Option<Ended<'a>>,
    pub(super) last_end: Option<Ended<'a>>,
}

impl<'a> Runs<'a> {
    /// `pings` with the oldest first. Starts before `since` are too long ago to say that anything is under way.
    pub(super) fn of(pings: &'a [Ping], since: Timestamp) -> Runs<'a> {
        let mut runs = Runs::default();
        // A start that is told again after its end is the same start, sent twice.
        let mut ended: HashSet<&str> = HashSet::new();
        for ping in pings {
            let id = ping.run.as_deref();
            match ping.word {
                PingWord::Log => {}
                PingWord::Start if id.is_some_and(|id| ended.contains(id)) => {}
                PingWord::Start => runs.start(id, ping.at),
                PingWord::Success | PingWord::Fail(_) => {
                    ended.extend(id);
                    let began = runs.end(id);
                    let end = Ended { ping, began };
                    if ping.word == PingWord::Success {
                        runs.last_success = Some(end.clone());
                    }
                    runs.last_end = Some(end);
                }
            }
        }
        runs.open.retain(|open| open.began >= since);
        runs.replaced.retain(|replaced| replaced.run.began >= since);
        runs
    }

    fn start(&mut self, id: Option<&'a str>, began: Timestamp) {
        match self.open.iter().position(|open| open.id == id) {
            Some(_) if id.is_some() => return,
            Some(at) => {
                let run = self.open.remove(at);
                self.replaced.push(Replaced { run, at: began });
            }
            None => {}
        }
        self.open.push(Open { id, began });
    }

    /// When the run began that ends here.
    fn end(&mut self, id: Option<&str>) -> Option<Timestamp> {
        self.replaced.clear();
        let at = self.open.iter().position(|open| open.id == id);
        let unnamed = || self.open.iter().position(|open| open.id.is_none());
        if let Some(at) = at.or_else(unnamed) {
            return Some(self.open.remove(at).began);
        }
        // An end that tells no id after starts that did: of one run it is that one's; of several nobody knows.
        let only = if self.open.len() == 1 { Some(self.open[0].began) } else { None };
        if id.is_none() {
            self.open.clear();
            return only;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pings as `SECOND WORD [ID]`; what is open as `ID@SECOND`, and the second at which the last success began.
    fn check(pings: &[&str], open: &[&str], success: Option<i64>) {
        let pings: Vec<Ping> = pings.iter().map(|text| ping(text)).collect();
        let runs = Runs::of(&pings, Timestamp::from_second(10).expect("a moment"));
        let shown = |one: &Open<'_>| format!("{}@{}", one.id.unwrap_or("-"), one.began.as_second());
        assert_eq!(runs.open.iter().map(shown).collect::<Vec<_>>(), open, "{pings:?}");
        assert_eq!(runs.last_success.map(|one| one.began().as_second()), success, "{pings:?}");
    }

    fn ping(text: &str) -> Ping {
        let mut words = text.split(' ');
        let second = words.next().expect("a second").parse().expect("a number");
        let word = match words.next().expect("a word") {
            "start" => PingWord::Start,
            "ok" => PingWord::Success,
            "fail" => PingWord::Fail(Some(1)),
            _ => PingWord::Log,
        };
        let run = words.next().map(str::to_owned);
        Ping { at: Timestamp::from_second(second).expect("a moment"), word, run, took: None }
    }

    #[test]
    fn a_run_ends_with_its_own_end() {
        check(&["20 start a", "30 start b", "40 ok a"], &["b@30"], Some(20));
        check(&["20 start a", "30 start b", "40 fail b", "50 log"], &["a@20"], None);
        check(&["20 start a", "21 start a"], &["a@20"], None);
        check(&["20 start a", "30 ok a", "31 start a"], &[], Some(20));
        check(&["20 start a", "30 ok b"], &["a@20"], Some(30));
    }

    #[test]
    fn who_tells_no_id_has_one_run_at_a_time() {
        check(&["20 start", "30 start"], &["-@30"], None);
        check(&["20 start", "30 ok", "40 ok"], &[], Some(40));
    }

    #[test]
    fn where_one_side_tells_the_end_is_of_what_is_under_way() {
        check(&["20 start", "30 ok a"], &[], Some(20));
        check(&["20 start a", "30 ok"], &[], Some(20));
        check(&["20 start a", "25 start b", "30 ok"], &[], Some(30));
        check(&["20 start a", "25 start", "30 ok"], &["a@20"], Some(25));
    }

    #[test]
    fn what_began_long_ago_is_not_under_way() {
        check(&["9 start a", "10 start b"], &["b@10"], None);
        check(&["1 ok"], &[], Some(1));
    }
}
