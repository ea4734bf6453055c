//! The task that sends what is in the outbox: it starts tries and ends them at their deadline, hands changed rows to
//! the keeper of the store, and tells how the channels are. Nothing here waits for anything while something else
//! could go on: a channel that hangs, a store that is slow and a reader of health that is busy delay no delivery.

use super::outbox::{Dispatch, Event, Health, Outbox};
use super::{Delivery, trial};
use crate::alert::Severity;
use crate::app::own;
use crate::clock::{self, Now};
use crate::config::alerting::{Alerting, ChannelPlan};
use crate::store::{Batch, OutboxRow};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{Id, JoinError, JoinSet};

/// The wall clock may be set while nothing happens: it is looked at this often.
const SLEEP_MAX: Duration = Duration::from_secs(10);

/// The wall clock was set when it moves that much against the steady one between two looks at it.
const CLOCK_STEP: Duration = Duration::from_secs(2);

/// Between two looks at what is ready, so that no arithmetic of time can keep a core busy.
const SLEEP_MIN: Duration = Duration::from_millis(5);

/// Tests of channels at once; each holds a connection.
const TRIALS_MAX: usize = 4;

/// How long the store may take for the last rows when the agent stops.
const LAST_WRITE_MAX: Duration = Duration::from_secs(5);

/// What the courier is asked to do.
#[derive(Debug)]
pub enum Order {
    /// Messages that are written: send this once their batch is with the keeper, so that what becomes of them is
    /// written after them.
    Rows(Vec<OutboxRow>),
    /// The definitions are new.
    Replan(Arc<Alerting>),
    /// `atalaya notify test`: one try, now, past the outbox.
    /// Without such a channel the answer says which there are.
    Test { channel: String, reply: oneshot::Sender<Result<Delivery, String>> },
}

/// How a part of the agent is: `channel/<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHealth {
    pub part: Arc<str>,
    pub well: bool,
    pub why: String,
}

/// What is known of a try that ended.
enum Ended {
    Tried { key: String, channel: Arc<str>, took: Duration, delivery: Delivery },
    Tested { reply: oneshot::Sender<Result<Delivery, String>>, delivery: Delivery },
}

pub struct Courier {
    outbox: Outbox,
    alerting: Arc<Alerting>,
    keeper: mpsc::Sender<Batch>,
    told: mpsc::Sender<PartHealth>,
    health: watch::Sender<Health>,
    /// When the clocks were looked at last.
    last: Now,
    /// How long tries may still take when the agent stops.
    grace: Duration,
    under_way: JoinSet<Ended>,
    /// Keys of messages by the task that tries them, for one that ends without a word.
    keys: HashMap<Id, String>,
    trials: usize,
    /// Rows that the keeper has not taken yet, the newest of each key.
    unwritten: BTreeMap<String, OutboxRow>,
    /// The same for health.
    untold: BTreeMap<Arc<str>, PartHealth>,
}

impl Courier {
    pub fn new(
        outbox: Outbox,
        alerting: Arc<Alerting>,
        keeper: mpsc::Sender<Batch>,
        told: mpsc::Sender<PartHealth>,
        grace: Duration,
    ) -> Courier {
        Courier {
            health: watch::Sender::new(outbox.health(clock::wall())),
            outbox,
            alerting,
            keeper,
            told,
            last: clock::now(),
            grace,
            under_way: JoinSet::new(),
            keys: HashMap::new(),
            trials: 0,
            unwritten: BTreeMap::new(),
            untold: BTreeMap::new(),
        }
    }

    /// How the channels are and how old the oldest page is, at most ten seconds ago.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Delivers until nobody can give orders any more. What is not delivered then stays in its rows.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        for channel in self.alerting.channels.keys() {
            own::channel_begins(channel);
        }
        let (keeper, told) = (self.keeper.clone(), self.told.clone());
        loop {
            let now = self.look_at_clock();
            for dispatch in self.outbox.take_ready(now) {
                self.attempt(dispatch);
            }
            self.account();
            let sleep = self.sleep();
            tokio::select! {
                order = inbox.recv() => match order {
                    Some(order) => self.obey(order),
                    None => break,
                },
                Some(ended) = self.under_way.join_next_with_id() => self.ended(ended),
                Ok(permit) = keeper.reserve(), if !self.unwritten.is_empty() => {
                    permit.send(batch(&mut self.unwritten));
                }
                Ok(permit) = told.reserve(), if !self.untold.is_empty() => {
                    if let Some((_, health)) = self.untold.pop_first() {
                        permit.send(health);
                    }
                }
                () = tokio::time::sleep(sleep) => {}
            }
        }
        self.stop().await;
    }

    /// The wall time; where it was set since the last look, the outbox learns by how much first.
    fn look_at_clock(&mut self) -> Timestamp {
        let now = clock::now();
        let before = std::mem::replace(&mut self.last, now);
        let passed = SignedDuration::try_from(now.steady.saturating_sub(before.steady));
        let by = now.wall.duration_since(before.wall).saturating_sub(passed.unwrap_or(SignedDuration::MAX));
        if by.unsigned_abs() > CLOCK_STEP {
            self.outbox.clock_set(by);
        }
        now.wall
    }

    fn sleep(&self) -> Duration {
        let now = clock::wall();
        let due = self.outbox.next_due().map(|due| due.max(now).duration_since(now));
        let due = due.and_then(|due| Duration::try_from(due).ok()).unwrap_or(SLEEP_MAX);
        due.clamp(SLEEP_MIN, SLEEP_MAX)
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Rows(rows) => {
                let now = self.look_at_clock();
                self.outbox.add(now, rows);
            }
            Order::Replan(alerting) => self.replan(alerting),
            Order::Test { channel, reply } => self.test(&channel, reply),
        }
    }

    fn replan(&mut self, alerting: Arc<Alerting>) {
        let before = std::mem::replace(&mut self.alerting, alerting.clone());
        for channel in before.channels.keys().filter(|channel| !alerting.channels.contains_key(*channel)) {
            own::channel_up(channel, false);
            // An alert about a channel that nobody defines any more would never end.
            self.tell(channel, true, "it is not defined any more".to_owned());
        }
        for channel in alerting.channels.keys().filter(|channel| !before.channels.contains_key(*channel)) {
            own::channel_begins(channel);
        }
        self.outbox.replan(alerting);
    }

    fn attempt(&mut self, Dispatch { channel, parcel }: Dispatch) {
        let key = parcel.key.clone();
        let task = self.under_way.spawn({
            let key = key.clone();
            async move {
                let begun = clock::instant();
                let delivery = in_time(&channel, &parcel).await;
                let (channel, took) = (channel.name.clone(), begun.elapsed());
                Ended::Tried { key, channel, took, delivery }
            }
        });
        self.keys.insert(task.id(), key);
    }

    fn test(&mut self, channel: &str, reply: oneshot::Sender<Result<Delivery, String>>) {
        let Some(plan) = self.alerting.channels.get(channel).cloned() else {
            reply.send(Err(self.no_such(channel))).ok();
            return;
        };
        if self.trials >= TRIALS_MAX {
            let why = format!("{TRIALS_MAX} tests are under way already");
            reply.send(Ok(Delivery::Retry { after: None, why })).ok();
            return;
        }
        self.trials += 1;
        let parcel = trial::parcel(&plan.name, self.alerting.policy.url.clone(), clock::wall());
        self.under_way.spawn(async move {
            let delivery = in_time(&plan, &parcel).await;
            Ended::Tested { reply, delivery }
        });
    }

    /// Why there is none of this name, and which there are.
    fn no_such(&self, channel: &str) -> String {
        let mut skipped = self.alerting.skipped.iter().filter(|one| one.what == "channel");
        if let Some(one) = skipped.find(|one| &*one.name == channel) {
            return format!("the channel \"{channel}\" is left out: {}", one.why);
        }
        let known: Vec<&str> = self.alerting.channels.keys().map(|name| &**name).collect();
        match known.as_slice() {
            [] => format!("there is no channel \"{channel}\"; none is defined, or none can work now"),
            known => format!("there is no channel \"{channel}\"; there are {}", known.join(", ")),
        }
    }

    fn ended(&mut self, ended: Result<(Id, Ended), JoinError>) {
        match ended {
            Ok((task, Ended::Tried { key, channel, took, delivery })) => {
                self.keys.remove(&task);
                own::notification_tried(&channel, took);
                if let Delivery::Retry { why, .. } | Delivery::Refused { why } | Delivery::Absent { why } =
                    &delivery
                {
                    tracing::warn!(channel = &*channel, ?took, why, "a message was not delivered");
                }
                let now = self.look_at_clock();
                self.outbox.done(now, &key, delivery);
            }
            Ok((_, Ended::Tested { reply, delivery })) => {
                self.trials = self.trials.saturating_sub(1);
                reply.send(Ok(delivery)).ok();
            }
            // A channel that panicked. The message is not its fault: it is tried again, or elsewhere.
            Err(error) => match self.keys.remove(&error.id()) {
                Some(key) => {
                    let why = "the channel failed in itself; this is a bug".to_owned();
                    let now = self.look_at_clock();
                    self.outbox.done(now, &key, Delivery::Retry { after: None, why });
                }
                None => self.trials = self.trials.saturating_sub(1),
            },
        }
    }

    /// Books what happened: rows to write, counts, lines, health.
    fn account(&mut self) {
        for row in self.outbox.changed() {
            self.unwritten.insert(row.key.clone(), row);
        }
        for event in self.outbox.happened() {
            match event {
                Event::Counted { channel, kind, fate } => {
                    own::notified(&channel, kind.as_str(), fate.as_str());
                }
                Event::Channel { channel, well, why } => {
                    own::channel_up(&channel, well);
                    self.tell(&channel, well, why);
                }
                Event::Lost { channel, kind, severity, why } => {
                    let (channel, kind) = (&*channel, kind.as_str());
                    if severity == Severity::Page {
                        tracing::error!(channel, kind, why, "nobody could be told of a page");
                    } else {
                        tracing::warn!(channel, kind, %severity, why, "nobody could be told of an alert");
                    }
                }
            }
        }
        let health = self.outbox.health(clock::wall());
        own::notification_oldest_pending(health.oldest_pending().unwrap_or_default());
        self.health.send_replace(health);
    }

    fn tell(&mut self, channel: &str, well: bool, why: String) {
        let part: Arc<str> = format!("channel/{channel}").into();
        self.untold.insert(part.clone(), PartHealth { part, well, why });
    }

    /// Nothing new; what is under way may end, and what became of it is written.
    async fn stop(mut self) {
        let deadline = clock::instant() + self.grace;
        while !self.under_way.is_empty() {
            match tokio::time::timeout_at(deadline, self.under_way.join_next_with_id()).await {
                Ok(Some(ended)) => self.ended(ended),
                Ok(None) => break,
                Err(_) => {
                    let number = self.under_way.len();
                    tracing::warn!(number, "stopped while messages were under way; they are tried again");
                    self.under_way.abort_all();
                    break;
                }
            }
        }
        self.account();
        if self.unwritten.is_empty() {
            return;
        }
        let rows = self.unwritten.len();
        let written = tokio::time::timeout(LAST_WRITE_MAX, self.keeper.reserve()).await;
        if let Ok(Ok(permit)) = written {
            permit.send(batch(&mut self.unwritten));
        } else {
            tracing::error!(rows, "stopped without writing what was delivered; it may be told again");
        }
    }
}

/// A try, ended at the channel's deadline.
async fn in_time(plan: &ChannelPlan, parcel: &super::Parcel) -> Delivery {
    match tokio::time::timeout(plan.timeout, plan.deliver.deliver(parcel)).await {
        Ok(delivery) => delivery,
        Err(_) => Delivery::Retry { after: None, why: format!("no answer within {:?}", plan.timeout) },
    }
}

fn batch(unwritten: &mut BTreeMap<String, OutboxRow>) -> Batch {
    Batch { outbox: std::mem::take(unwritten).into_values().collect(), ..Batch::default() }
}
