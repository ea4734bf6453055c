//! A world of channels that can be told how to behave, and people who remember what they were told.

use super::super::{Dispatch, Event, Outbox, row, rows};
use crate::alert::{Key, Kind, Notice, Severity, Snapshot};
use crate::config::Place;
use crate::config::alerting::{Alerting, ChannelPlan, Contact};
use crate::notify::{Deliver, Delivering, Delivery, Parcel};
use crate::store::OutboxRow;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) const AGENT: &str = "agent";
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    Failing,
    Refusing,
    /// Never answers.
    Hanging,
    /// Takes the message and never says so.
    Ambiguous,
    /// Asks for so many seconds.
    Busy(u64),
}

/// Something that a person saw.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// How often the process was killed before.
    pub life: usize,
    pub at: Timestamp,
    pub channel: Arc<str>,
    pub parcel: Parcel,
}

struct Flight {
    ends: Timestamp,
    key: String,
    delivery: Delivery,
}

pub(super) struct World {
    pub outbox: Outbox,
    pub alerting: Arc<Alerting>,
    pub now: Timestamp,
    pub moods: BTreeMap<Arc<str>, Mood>,
    /// What the store has.
    pub written: BTreeMap<String, OutboxRow>,
    pub tries: Vec<(Timestamp, Arc<str>, String)>,
    pub seen: Vec<Seen>,
    pub events: Vec<Event>,
    flights: Vec<Flight>,
    pub life: usize,
    /// Whether changes are written at once.
    pub writes: bool,
}

struct Nobody;

impl Deliver for Nobody {
    fn deliver<'a>(&'a self, _parcel: &'a Parcel) -> Delivering<'a> {
        Box::pin(async { Delivery::Delivered })
    }
}

pub(super) fn plan(name: &str, hourly_max: u32, fingerprint: u64) -> Arc<ChannelPlan> {
    Arc::new(ChannelPlan {
        name: name.into(),
        kind: "webhook",
        timeout: TIMEOUT,
        hourly_max,
        place: Place { file: "alerts/channels.toml".into(), line: 1, column: 1 },
        fingerprint,
        deliver: Box::new(Nobody),
    })
}

/// Contacts as `name: channel channel`.
pub(super) fn alerting(channels: &[(&str, u32)], contacts: &[(&str, &[&str])]) -> Alerting {
    let contact = |(name, channels): &(&str, &[&str])| Contact {
        name: (*name).into(),
        channels: channels.iter().map(|channel| (*channel).into()).collect(),
        escalate: Vec::new(),
    };
    Alerting {
        channels: channels.iter().map(|(name, max)| ((*name).into(), plan(name, *max, 1))).collect(),
        contacts: contacts.iter().map(|one| (one.0.into(), contact(one))).collect(),
        ..Alerting::default()
    }
}

fn snapshot(episode: &str, severity: Severity) -> Snapshot {
    Snapshot {
        key: Key(format!("check/{episode}").into()),
        episode: episode.to_owned(),
        severity,
        title: episode.to_owned(),
        section: "site".to_owned(),
        summary: format!("{episode} is broken"),
        evidence: Vec::new(),
        cost: None,
        cause: None,
        runbook: None,
        began: Timestamp::UNIX_EPOCH,
        fired: Timestamp::UNIX_EPOCH,
        ended: None,
        acknowledged_by: None,
        flaps: 0,
        labels: BTreeMap::new(),
    }
}

fn notice(kind: Kind, severity: Severity, episodes: &[&str]) -> Notice {
    let id = format!("{}/{}", kind.as_str(), episodes.join("+"));
    Notice {
        thread: format!("firing/{}", episodes.join("+")),
        id,
        kind,
        at: Timestamp::UNIX_EPOCH,
        severity,
        contact: "on-call".to_owned(),
        alerts: episodes.iter().map(|episode| snapshot(episode, severity)).collect(),
        more: 0,
        merged: false,
        backup: None,
    }
}

pub(super) fn page(kind: Kind, episodes: &[&str]) -> Notice {
    notice(kind, Severity::Page, episodes)
}

pub(super) fn ticket(kind: Kind, episodes: &[&str]) -> Notice {
    notice(kind, Severity::Ticket, episodes)
}

pub(super) fn firing(episode: &str) -> Notice {
    page(Kind::Firing, &[episode])
}

impl World {
    /// One contact, on-call, with mail first and slack as the backup.
    pub(super) fn new() -> World {
        World::with(alerting(&[("mail", 3600), ("slack", 3600)], &[("on-call", &["mail", "slack"])]))
    }

    pub(super) fn with(alerting: Alerting) -> World {
        let alerting = Arc::new(alerting);
        World {
            outbox: Outbox::new(Vec::new(), alerting.clone()),
            alerting,
            now: "2026-03-01T10:00:00Z".parse().unwrap(),
            moods: BTreeMap::new(),
            written: BTreeMap::new(),
            tries: Vec::new(),
            seen: Vec::new(),
            events: Vec::new(),
            flights: Vec::new(),
            life: 0,
            writes: true,
        }
    }

    pub(super) fn is(&mut self, channel: &str, mood: Mood) {
        self.moods.insert(channel.into(), mood);
    }

    /// The engine writes the rows in its own transaction, and hands them over.
    pub(super) fn tell(&mut self, mut notice: Notice) {
        notice.at = self.now;
        let rows = rows(notice, &self.alerting, AGENT);
        assert!(!rows.is_empty());
        self.written.extend(rows.iter().map(|row| (row.key.clone(), row.clone())));
        self.outbox.add(self.now, rows);
        self.write();
    }

    pub(super) fn write(&mut self) {
        if self.writes {
            self.written.extend(self.outbox.changed().into_iter().map(|row| (row.key.clone(), row)));
        }
        self.events.extend(self.outbox.happened());
    }

    /// `kill -9`, and a new process with what was written.
    pub(super) fn crash(&mut self) {
        self.flights.clear();
        self.life += 1;
        self.outbox = Outbox::new(self.written.values().cloned().collect(), self.alerting.clone());
    }

    pub(super) fn replan(&mut self, alerting: Alerting) {
        self.alerting = Arc::new(alerting);
        self.outbox.replan(self.alerting.clone());
        self.write();
    }

    /// Lets so many seconds pass, with all that becomes due in them.
    pub(super) fn pass(&mut self, seconds: u64) {
        let end = row::later(self.now, Duration::from_secs(seconds));
        for _ in 0..100_000 {
            self.start();
            let lands = self.flights.iter().map(|flight| flight.ends).min();
            let Some(next) = self.outbox.next_due().into_iter().chain(lands).min().filter(|at| *at <= end)
            else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            self.land();
        }
        panic!("the outbox never comes to rest");
    }

    /// Until nothing is under way.
    pub(super) fn rest(&mut self) {
        while !self.flights.is_empty() {
            self.pass(1);
        }
    }

    /// Ends what is over by now, without taking anything new.
    fn land(&mut self) {
        let (over, under_way) =
            std::mem::take(&mut self.flights).into_iter().partition(|f| f.ends <= self.now);
        self.flights = under_way;
        for flight in over {
            self.outbox.done(self.now, &flight.key, flight.delivery);
            self.write();
        }
    }

    fn start(&mut self) {
        for dispatch in self.outbox.take_ready(self.now) {
            self.attempt(dispatch);
        }
        self.write();
    }

    fn attempt(&mut self, Dispatch { channel, parcel }: Dispatch) {
        let channel = channel.name.clone();
        let mood = self.moods.get(&channel).copied().unwrap_or(Mood::Well);
        self.tries.push((self.now, channel.clone(), parcel.key.clone()));
        let key = parcel.key.clone();
        if matches!(mood, Mood::Well | Mood::Ambiguous) {
            self.seen.push(Seen { life: self.life, at: self.now, channel, parcel });
        }
        let slow = matches!(mood, Mood::Hanging | Mood::Ambiguous);
        let retry = |after: Option<u64>, why: &str| Delivery::Retry {
            after: after.map(Duration::from_secs),
            why: why.to_owned(),
        };
        let delivery = match mood {
            Mood::Well => Delivery::Delivered,
            Mood::Failing => retry(None, "connection refused"),
            Mood::Refusing => Delivery::Refused { why: "the key is wrong".to_owned() },
            Mood::Hanging | Mood::Ambiguous => retry(None, "no answer within 20 s"),
            Mood::Busy(seconds) => retry(Some(seconds), "429 Too Many Requests"),
        };
        let ends = row::later(self.now, if slow { TIMEOUT } else { Duration::from_millis(10) });
        self.flights.push(Flight { ends, key, delivery });
    }

    /// `mail firing a b`, with a word where it says more.
    pub(super) fn told(&self) -> Vec<String> {
        let words = |seen: &Seen| {
            let notice = &seen.parcel.notice;
            let mut words = vec![seen.channel.to_string(), notice.kind.as_str().to_owned()];
            words.extend(notice.alerts.iter().map(|alert| alert.episode.clone()));
            words.extend((notice.more > 0).then(|| format!("+{}", notice.more)));
            words.extend(notice.merged.then(|| "merged".to_owned()));
            words.extend(notice.backup.is_some().then(|| "backup".to_owned()));
            words.join(" ")
        };
        self.seen.iter().map(words).collect()
    }

    pub(super) fn expect(&self, told: &[&str]) {
        assert_eq!(self.told(), told);
    }

    /// Seconds from the first try to each, of one channel.
    pub(super) fn tried(&self, channel: &str) -> Vec<f64> {
        let first = self.tries.first().map_or(self.now, |first| first.0);
        let own = self.tries.iter().filter(|(_, name, _)| &**name == channel);
        own.map(|(at, ..)| row::between(first, *at).as_secs_f64()).collect()
    }

    /// Rows that the store has in this state.
    pub(super) fn stored(&self, state: crate::store::RowState) -> usize {
        self.written.values().filter(|row| row.state == state).count()
    }
}
