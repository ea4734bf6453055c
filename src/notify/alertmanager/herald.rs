//! Shows every Alertmanager everything that fires, again and again: it forgets what it is not told.
//!
//! One task for each instance, so that one that hangs delays no other. A beginning or an end is told at once;
//! everything is told again in rounds. The alert `Watchdog` goes with the rounds only while alerts are still being judged
//! and the agent is well, since it is there to be missed when that is not so.

use super::book::Book;
use super::{Delivery, Mirror, Told};
use crate::alert::Snapshot;
use crate::clock::{self, Steady};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Without a word from the judging loop for so long, the agent is not well, whatever was the last that it said.
const JUDGED_MAX: Duration = Duration::from_mins(1);

/// In a storm what begins within this goes into one request.
const PAUSE: Duration = Duration::from_millis(500);

/// After a failure; doubled with each, up to a round.
const RETRY: Duration = Duration::from_secs(5);

/// What the judging loop tells, at each of its ticks.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    /// When alerts were last judged.
    pub judged: Steady,
    /// Whether the agent is well: without that no `Watchdog`.
    pub well: bool,
    /// Everything that fires, and what has ended in the last quarter of an hour where that is still known.
    pub alerts: Arc<Vec<Snapshot>>,
    /// Where people reach the agent.
    pub url: Option<Arc<str>>,
}

/// How it goes with one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceHealth {
    pub channel: Arc<str>,
    /// Its place among the channel's `urls`, from 1: an address may be a secret.
    pub instance: usize,
    /// When it last took what it was told.
    pub told: Option<Timestamp>,
    /// Why the last try failed.
    pub trouble: Option<String>,
}

/// Ends with its value: what fired is then over for Alertmanager after some rounds, unless another herald goes on.
pub struct Herald {
    tasks: JoinSet<()>,
    health: Vec<Arc<Mutex<InstanceHealth>>>,
}

impl Herald {
    /// Begins to tell the instances of these channels. Needs a runtime.
    pub fn start(
        mirrors: impl IntoIterator<Item = (Arc<str>, Mirror)>,
        feed: &watch::Receiver<Feed>,
    ) -> Herald {
        let mut herald = Herald { tasks: JoinSet::new(), health: Vec::new() };
        for (channel, mirror) in mirrors {
            for at in 0..mirror.instances.len() {
                let (channel, instance) = (Arc::clone(&channel), at + 1);
                let health = InstanceHealth { channel, instance, told: None, trouble: None };
                let health = Arc::new(Mutex::new(health));
                herald.health.push(Arc::clone(&health));
                let teller = Teller::new(mirror.clone(), at, health);
                herald.tasks.spawn(teller.tell_always(feed.clone()));
            }
        }
        herald
    }

    /// How it goes with each instance, in the order of the channels.
    pub fn health(&self) -> Vec<InstanceHealth> {
        self.health.iter().map(|health| lock(health).clone()).collect()
    }

    /// Whether there is anybody to tell.
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }
}

fn lock(health: &Mutex<InstanceHealth>) -> std::sync::MutexGuard<'_, InstanceHealth> {
    health.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells one instance.
struct Teller {
    mirror: Mirror,
    at: usize,
    health: Arc<Mutex<InstanceHealth>>,
    book: Book,
    began: Timestamp,
    /// When everything is told again.
    round: Instant,
    /// Nothing is told before.
    not_before: Instant,
    failures: u32,
}

impl Teller {
    fn new(mirror: Mirror, at: usize, health: Arc<Mutex<InstanceHealth>>) -> Teller {
        let now = clock::instant();
        let (book, began) = (Book::default(), clock::wall());
        Teller { mirror, at, health, book, began, round: now, not_before: now, failures: 0 }
    }

    /// Ends when nobody judges any more.
    async fn tell_always(mut self, mut feed: watch::Receiver<Feed>) {
        loop {
            let now = feed.borrow_and_update().clone();
            // Before the first judgement nobody knows what fires.
            let begun = now.judged > Steady::ZERO;
            if begun {
                self.book.take(&now.alerts, clock::wall());
                self.tell(&now).await;
            }
            let next = if self.book.has_news() { self.not_before } else { self.round.max(self.not_before) };
            tokio::select! {
                changed = feed.changed() => if changed.is_err() { return },
                () = sleep_until(next), if begun => {}
            }
        }
    }

    /// Tells what is due, if anything is.
    async fn tell(&mut self, feed: &Feed) {
        let now = clock::instant();
        let all = now >= self.round;
        if now < self.not_before || !(all || self.book.has_news()) {
            return;
        }
        let told = self.told(feed, all);
        let delivery = match told.as_slice() {
            [] => Delivery::Delivered,
            told => self.mirror.instances[self.at].tell(told).await,
        };
        self.settle(delivery, all);
    }

    fn told(&self, feed: &Feed, all: bool) -> Vec<Told> {
        let (now, url) = (clock::wall(), feed.url.as_deref());
        let rows = self.book.rows(all);
        let mut told: Vec<_> = rows.map(|row| self.mirror.told(&row.alert, row.ended, now, url)).collect();
        let judged = clock::steady().saturating_sub(feed.judged) < JUDGED_MAX;
        if all && judged && feed.well && self.mirror.watchdog {
            told.push(Mirror::watchdog(self.began, self.mirror.lasts_until(now)));
        }
        told
    }

    fn settle(&mut self, delivery: Delivery, all: bool) {
        let now = clock::instant();
        let mut health = lock(&self.health);
        match delivery {
            Delivery::Delivered => {
                self.book.told();
                self.failures = 0;
                self.not_before = now + PAUSE.min(self.mirror.every);
                if all {
                    self.round = now + self.mirror.every;
                }
                if health.trouble.take().is_some() {
                    let (channel, instance) = (&*health.channel, health.instance);
                    tracing::info!(channel, instance, "an Alertmanager takes alerts again");
                }
                health.told = Some(clock::wall());
            }
            Delivery::Retry { why, .. } | Delivery::Refused { why } | Delivery::Absent { why } => {
                let wait = RETRY * 2_u32.pow(self.failures.min(8));
                self.failures += 1;
                self.not_before = now + wait.min(self.mirror.every);
                if health.trouble.is_none() {
                    let (channel, instance) = (&*health.channel, health.instance);
                    tracing::warn!(channel, instance, why, "an Alertmanager does not take alerts");
                }
                health.trouble = Some(why);
            }
        }
    }
}
