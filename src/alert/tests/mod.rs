//! Timelines: what happens in which second, and what is told in which.
//!
//! A line of a script is `SECOND CHECK STATUS [TEXT]`, or `FROM-TO/STEP CHECK STATUS` for runs again and again; `.` in
//! place of a check is a tick. A line of what is expected is `SECOND CONTACT KIND SEVERITY KEYS`, with `merged` before
//! the kind and `+N` at the end where they apply.

mod checks;
mod needs;
mod objectives;
mod properties;
mod quiet;
mod restart;

use super::*;
use crate::config::alerting::{Alerting, CheckAlert, Contact, Policy, SeverityPolicy};
use crate::fact::{Fact, Ran, Silence, What};
use crate::outcome::Status;
use std::sync::Arc;
use std::time::Duration;

/// Every timeline begins here: 2026-11-22 10:00:00 UTC.
pub(super) fn moment(seconds: f64) -> Timestamp {
    let start: Timestamp = "2026-11-22T10:00:00Z".parse().expect("a moment");
    start + jiff::SignedDuration::from_millis((seconds * 1000.0).round() as i64)
}

pub(super) fn watched(name: &str, every: u64, needs: &[&str]) -> Watched {
    Watched {
        name: name.into(),
        title: name[..1].to_uppercase() + &name[1..],
        section: "shop".to_owned(),
        needs: needs.iter().map(|need| Arc::from(*need)).collect(),
        runbook: None,
        every: Duration::from_secs(every),
        waits: false,
        alert: CheckAlert::default(),
    }
}

/// `ops` gets pages and escalates to `boss` after 15 minutes, `team` gets the rest.
pub(super) fn alerting() -> Alerting {
    let contact = |name: &str, escalate: &[(u64, &str)]| {
        let escalate =
            escalate.iter().map(|(after, to)| (Duration::from_mins(*after), Arc::from(*to))).collect();
        (Arc::from(name), Contact { name: name.into(), channels: vec!["mail".into()], escalate })
    };
    let policy = |to: &str, wait_ms, keep_minutes, remind_hours: &[u64]| SeverityPolicy {
        to: vec![to.into()],
        wait: Duration::from_millis(wait_ms),
        keep_firing_for: Duration::from_mins(keep_minutes),
        remind: remind_hours.iter().map(|hours| Duration::from_hours(*hours)).collect(),
    };
    Alerting {
        contacts: [contact("ops", &[(15, "boss")]), contact("team", &[]), contact("boss", &[])].into(),
        policy: Policy {
            page: policy("ops", 500, 5, &[1, 2, 4]),
            ticket: policy("team", 60_000, 30, &[24]),
            info: policy("team", 60_000, 30, &[]),
            network: vec![],
            url: None,
        },
        ..Alerting::default()
    }
}

/// An engine, its definitions, what it wrote and what it told.
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) watched: Vec<Watched>,
    pub(super) alerting: Arc<Alerting>,
    pub(super) rows: BTreeMap<Arc<str>, String>,
    pub(super) silences: BTreeMap<String, Silence>,
    pub(super) notices: Vec<Notice>,
    pub(super) hurried: Vec<(Timestamp, Vec<Arc<str>>)>,
    pub(super) episodes: Vec<crate::store::EpisodeRow>,
    pub(super) now: Timestamp,
    /// Begin anew from what was written after every fact, as if killed.
    pub(super) always_killed: bool,
}

impl World {
    pub(super) fn new(watched: Vec<Watched>, alerting: Alerting) -> World {
        let alerting = Arc::new(alerting);
        World {
            engine: Engine::new(watched.clone(), alerting.clone()),
            watched,
            alerting,
            rows: BTreeMap::new(),
            silences: BTreeMap::new(),
            notices: Vec::new(),
            hurried: Vec::new(),
            episodes: Vec::new(),
            now: moment(0.0),
            always_killed: false,
        }
    }

    /// Checks that run every five seconds.
    pub(super) fn of(names: &[&str]) -> World {
        World::new(names.iter().map(|name| watched(name, 5, &[])).collect(), alerting())
    }

    pub(super) fn kill(&mut self) {
        self.engine = Engine::new(self.watched.clone(), self.alerting.clone());
        let rows: Vec<_> = self.rows.iter().map(|(key, state)| (key.clone(), state.clone())).collect();
        let silences = self.silences.values().filter(|silence| silence.until > self.now).cloned().collect();
        let unread = self.engine.restore(&rows, silences);
        assert!(unread.is_empty(), "{unread:?}");
    }

    /// A new process, so many seconds after the start.
    pub(super) fn restart(&mut self, seconds: f64) {
        self.now = moment(seconds);
        self.kill();
        self.engine.apply(&Fact { at: self.now, what: What::Started });
        self.drain();
    }

    pub(super) fn replan(&mut self, watched: Vec<Watched>, alerting: Alerting) {
        self.watched = watched;
        self.alerting = Arc::new(alerting);
        self.engine.replan(self.watched.clone(), self.alerting.clone());
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        let drained = self.engine.drain(self.now);
        for row in drained.alerts {
            match row.state {
                Some(state) => drop(self.rows.insert(row.key, state)),
                None => drop(self.rows.remove(&row.key)),
            }
            self.episodes.extend(row.episode);
        }
        for silence in drained.silences {
            self.silences.insert(silence.id.clone(), silence);
        }
        if !drained.hurry.is_empty() {
            self.hurried.push((self.now, drained.hurry));
        }
        self.notices.extend(drained.notices);
        if self.always_killed {
            self.kill();
            self.engine.apply(&Fact { at: self.now, what: What::Tick });
        }
    }

    /// Ticks whenever the engine says that something is due, until that moment.
    pub(super) fn wait_until(&mut self, until: Timestamp) {
        while let Some(due) = self.engine.next_due().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.engine.apply(&Fact { at: self.now, what: What::Tick });
            self.drain();
            assert!(self.engine.next_due() != Some(due), "a tick at {due} changed nothing");
        }
        self.now = until;
    }

    pub(super) fn fact(&mut self, seconds: f64, what: What) {
        self.wait_until(moment(seconds));
        self.engine.apply(&Fact { at: self.now, what });
        self.drain();
    }

    pub(super) fn run(&mut self, script: &str) -> &mut World {
        let mut facts: Vec<(f64, What)> = script.lines().flat_map(line).collect();
        facts.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (second, what) in facts {
            self.fact(second, what);
        }
        self.wait_until(self.now + Duration::from_millis(900));
        self
    }

    /// What was told since this was asked last.
    pub(super) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices).iter().map(show).collect()
    }

    pub(super) fn view(&self, key: &str) -> AlertView {
        let all = self.engine.alerts();
        all.into_iter().find(|view| *view.now.key.0 == *key).unwrap_or_else(|| panic!("no alert {key}"))
    }
}

pub(super) fn ran(check: &str, status: Status, text: &str) -> What {
    What::Ran(Ran {
        check: check.into(),
        status,
        took_us: 1000,
        class: None,
        text: text.to_owned(),
        measures: BTreeMap::new(),
        counted: vec![],
    })
}

fn line(line: &str) -> Vec<(f64, What)> {
    let mut words = line.split_whitespace();
    let Some(when) = words.next() else { return Vec::new() };
    let check = words.next().expect("a check");
    let what = match words.next() {
        None => What::Tick,
        Some(status) => {
            let status = match status {
                "ok" => Status::Ok,
                "degraded" => Status::Degraded,
                "failed" => Status::Failed,
                "unknown" => Status::Unknown,
                other => panic!("no status {other}"),
            };
            ran(check, status, &words.collect::<Vec<_>>().join(" "))
        }
    };
    let number = |text: &str| text.parse::<f64>().expect("a number");
    let Some((from, rest)) = when.split_once('-') else { return vec![(number(when), what)] };
    let (to, step) = rest.split_once('/').expect("FROM-TO/STEP");
    let (from, to, step) = (number(from), number(to), number(step));
    let times = ((to - from) / step).floor() as u32;
    (0..=times).map(|n| (from + step * f64::from(n), what.clone())).collect()
}

pub(super) fn show(notice: &Notice) -> String {
    let seconds = notice.at.duration_since(moment(0.0)).as_secs_f64();
    let keys: Vec<&str> = notice.alerts.iter().map(|alert| &*alert.key.0).collect();
    let merged = if notice.merged { "merged " } else { "" };
    let more = if notice.more > 0 { format!(" +{}", notice.more) } else { String::new() };
    let (contact, kind, severity) = (&notice.contact, notice.kind.as_str(), notice.severity);
    format!("{seconds} {contact} {merged}{kind} {severity} {}{more}", keys.join(","))
}

/// The same without and with a kill after every single fact.
pub(super) fn check(mut make: impl FnMut() -> World, script: &str, expected: &[&str]) {
    for always_killed in [false, true] {
        let mut world = make();
        world.always_killed = always_killed;
        assert_eq!(world.run(script).told(), expected, "killed: {always_killed}\n{script}");
    }
}
