//! What is to be said of a job, from what was heard of it. Pure: the same pings and the same moment say the same.
//!
//! Texts name moments and no ages, so that they stay as they are for as long as nothing else happens.

use super::runs::{Ended, Open, Replaced, Runs};
use super::schedule::{Schedule, between, later};
use crate::ingest::{Ping, PingWord, Pings};
use crate::outcome::{Class, Fault, Outcome};
use crate::probe::MeasureInfo;
use jiff::Timestamp;
use std::time::Duration;

pub(super) const MEASURES: &[MeasureInfo] = &[
    MeasureInfo { name: "last_success_age_seconds", help: "Time since the job last succeeded." },
    MeasureInfo { name: "last_duration_seconds", help: "How long that took, where the job told." },
    MeasureInfo { name: "running", help: "1 while a run of the job is under way; else 0." },
    MeasureInfo { name: "overlapping", help: "1 while more than one run is under way; else 0." },
    MeasureInfo {
        name: "overdue_seconds",
        help: "Time since a success was due that has not come; 0 where none is due. Counts in `grace` as well.",
    },
];

/// What a job should do.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) schedule: Schedule,
    /// How long after it was due its success may come.
    pub(super) grace: Duration,
    /// How long a run may take.
    pub(super) longest: Option<Duration>,
}

impl Expected {
    /// From when on pings matter that are not the newest of their kind.
    pub(super) fn since(&self, now: Timestamp) -> Timestamp {
        now.checked_sub(self.schedule.gap() * 2 + self.grace).unwrap_or(Timestamp::MIN)
    }

    /// By when a run must have ended.
    fn end_of(&self, run: &Open<'_>) -> Timestamp {
        match self.longest {
            Some(longest) => later(run.began, longest),
            None => self.schedule.due_again(run.began, self.grace),
        }
    }
}

/// What is to be said of a job at a moment.
pub(super) fn judge(now: Timestamp, job: &str, pings: &Pings, expected: &Expected) -> Outcome {
    let runs = Runs::of(&pings.pings, expected.since(now));
    let sight = Sight { now, job, pings, expected, runs: &runs };
    let due = sight.due();
    let mut outcome = Outcome::ok();
    if let Some(success) = &runs.last_success {
        outcome.measure("last_success_age_seconds", between(success.ping.at, now).as_secs_f64());
        if let Some(took) = success.took() {
            outcome.measure("last_duration_seconds", took.as_secs_f64());
        }
    }
    let under_way: Vec<&Open<'_>> = runs.open.iter().filter(|run| now <= expected.end_of(run)).collect();
    let stuck = sight.stuck();
    let running = !under_way.is_empty() || stuck.is_some();
    outcome.measure("running", f64::from(u8::from(running)));
    outcome.measure("overlapping", f64::from(u8::from(under_way.len() > 1)));
    outcome.measure("overdue_seconds", between(due.at, now).as_secs_f64());
    outcome.faults.extend(stuck.map(|run| sight.running_too_long(run)));
    outcome.faults.extend(sight.failed());
    // A run that may still take its time is as good as a success at its start, and no better: else the end of a run could
    // make a job late that was not.
    let held = under_way.iter().filter(|_| expected.longest.is_some());
    let held = held.map(|run| expected.schedule.due_again(run.began, expected.grace)).max();
    if now > later(held.map_or(due.at, |held| held.max(due.at)), expected.grace) {
        outcome.faults.extend(sight.late(&due));
    } else if let Some(since) = due.listening_since {
        outcome.fault(sight.not_heard_yet(&due, since));
    }
    if let [.., before, last] = under_way.as_slice() {
        outcome.fault(overlapping(before, last));
    }
    outcome
}

/// When the next success is due, or was.
struct Due {
    at: Timestamp,
    /// Where not everything is known that it follows from, since when there is somebody who listens: before the first
    /// success, and where nobody listened in the time in which one was due.
    listening_since: Option<Timestamp>,
}

/// All that is looked at.
struct Sight<'a> {
    now: Timestamp,
    job: &'a str,
    pings: &'a Pings,
    expected: &'a Expected,
    runs: &'a Runs<'a>,
}

impl<'a> Sight<'a> {
    fn due(&self) -> Due {
        let Expected { schedule, grace, .. } = self.expected;
        let again =
            self.runs.last_success.as_ref().map(|success| schedule.due_again(success.ping.at, *grace));
        let next = |since| Due { at: schedule.due_after(since), listening_since: Some(since) };
        let mut due = match again.filter(|due| later(*due, *grace) >= self.pings.heard_since) {
            Some(at) => Due { at, listening_since: None },
            None => next(self.pings.heard_since),
        };
        for (from, to) in &self.pings.deaf {
            if *from <= later(due.at, *grace) && due.at < *to {
                due = next(*to);
            }
        }
        due
    }

    /// A run that should have ended. One after which another began and succeeded was lost, and the job is well, and so is
    /// one that was begun anew before it was too long; of one that may have ended while nobody listened there is nothing
    /// to say.
    fn stuck(&self) -> Option<&'a Open<'a>> {
        let success = self.runs.last_success.as_ref().map(Ended::began);
        let was_late = |one: &&Replaced<'_>| self.expected.end_of(&one.run) < one.at;
        let replaced = self.runs.replaced.iter().filter(was_late).map(|one| &one.run);
        replaced.chain(&self.runs.open).find(|run| {
            let end = self.expected.end_of(run);
            let was_heard = |(from, to): &(Timestamp, Timestamp)| end < *from || *to <= run.began;
            self.now > end
                && success.is_none_or(|success| success < run.began)
                && self.pings.deaf.iter().all(was_heard)
        })
    }

    fn running_too_long(&self, run: &Open<'_>) -> Fault {
        let (name, began) = (of_run(run.id), time(run.began));
        let end = if let Some(longest) = self.expected.longest {
            format!("within {}", humantime::format_duration(longest))
        } else {
            format!("until the next was due, at {}", time(self.expected.end_of(run)))
        };
        let text = format!("running too long: {name} began at {began} and did not end {end}");
        Fault::failed(Class::Timeout, text)
    }

    /// The last thing that it said of an end was that it failed.
    fn failed(&self) -> Option<Fault> {
        let Ping { at, word: PingWord::Fail(code), run, .. } = self.runs.last_end.as_ref()?.ping else {
            return None;
        };
        let (name, at) = (of_run(run.as_deref()), time(*at));
        let code = code.map_or_else(String::new, |code| format!(" with exit code {code}"));
        let text = format!("{name} failed{code} at {at}; {}", self.last_success());
        Some(Fault::failed(Class::Assertion, text))
    }

    /// No success within the grace period. Where it failed since it was due, that is what there is to say.
    fn late(&self, due: &Due) -> Option<Fault> {
        let has_failed = self
            .runs
            .last_end
            .as_ref()
            .is_some_and(|end| matches!(end.ping.word, PingWord::Fail(_)) && end.ping.at >= due.at);
        if has_failed {
            return None;
        }
        let at = time(due.at);
        let text = if self.pings.pings.is_empty() {
            let since = time(self.pings.heard_since);
            format!(
                "never heard of, though a run was due at {at} (listening since {since}): {}",
                self.how_to()
            )
        } else {
            format!("late: a success was due at {at}; {}", self.last_success())
        };
        Some(Fault::failed(Class::Timeout, text))
    }

    /// Neither well nor late.
    fn not_heard_yet(&self, due: &Due, since: Timestamp) -> Fault {
        let at = time(due.at);
        let text = match &self.runs.last_success {
            Some(success) => {
                let (last, since) = (time(success.ping.at), time(since));
                format!(
                    "nobody listened when it was due (it last succeeded at {last}, listening since {since}); due next at {at}"
                )
            }
            None => format!("no success heard yet; the first is due at {at}: {}", self.how_to()),
        };
        Fault::unknown(Class::Assertion, text)
    }

    fn last_success(&self) -> String {
        match &self.runs.last_success {
            Some(success) => format!("it last succeeded at {}", time(success.ping.at)),
            None => "no success was ever heard".to_owned(),
        }
    }

    fn how_to(&self) -> String {
        format!("let the job call `/heartbeat/{}` of this agent when it is done", self.job)
    }
}

fn overlapping(before: &Open<'_>, last: &Open<'_>) -> Fault {
    let text = format!(
        "overlapping: {} began at {} while {}, begun at {}, was under way",
        of_run(last.id),
        time(last.began),
        of_run(before.id),
        time(before.began)
    );
    Fault::degraded(Class::Assertion, text)
}

fn of_run(id: Option<&str>) -> String {
    id.map_or_else(|| "a run".to_owned(), |id| format!("run {id}"))
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests;
