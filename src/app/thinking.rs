//! From what happened to what follows: each fact is judged, written down, and what must be remembered or told is handed
//! on in one piece. Nothing here waits: what finds no room is kept, merged, and handed on later.

use super::cursors::Cursors;
use super::runner::Order;
use crate::clock::{Now, Steady};
use crate::config::Check;
use crate::config::alerting::Alerting;
use crate::fact::{Fact, Ran, What};
use crate::mind::{Mind, Thought};
use crate::notify::outbox;
use crate::record::Run;
use crate::schedule::Id;
use crate::store::{Batch, Remembered};
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The wall clock was set when it moves that much against the steady one between two turns of the loop.
const CLOCK_STEP: Duration = Duration::from_secs(2);
/// So long counting waits for a store that can't be opened; then it goes on without what it remembered.
const STORE_AWAITED: Duration = Duration::from_mins(2);
/// The journal is handed on when it is this long, and every minute.
const JOURNAL_BYTES: usize = 256 * 1024;

/// The mind, and where what it says goes.
pub struct Thinking {
    pub mind: Mind,
    alerting: Arc<Alerting>,
    /// Tells agents apart in the keys of messages.
    agent: String,
    cursors: Cursors,
    keeper: mpsc::Sender<Batch>,
    orders: mpsc::Sender<Order>,
    ids: HashMap<Arc<str>, Id>,
    /// What found no room yet.
    pending: VecDeque<Batch>,
    journal: String,
    journal_from: Option<Timestamp>,
    last: Now,
    /// The steady minute that was last seen.
    minute: u64,
    /// Until then the store may still tell up to where was counted.
    unheard_until: Option<Steady>,
    /// Alerts changed since somebody asked.
    changed: bool,
}

/// What a [`Thinking`] is made from.
pub struct Made {
    pub mind: Mind,
    pub alerting: Arc<Alerting>,
    pub agent: String,
    pub cursors: Cursors,
    pub keeper: mpsc::Sender<Batch>,
    pub orders: mpsc::Sender<Order>,
    pub now: Now,
}

impl Thinking {
    pub fn new(made: Made) -> Thinking {
        let Made { mind, alerting, agent, cursors, keeper, orders, now } = made;
        for (check, to) in mind.cursors() {
            cursors.set(check, to);
        }
        let unheard_until = agent.is_empty().then(|| now.steady + STORE_AWAITED);
        if unheard_until.is_none() {
            cursors.open();
        }
        Thinking {
            mind,
            alerting,
            agent,
            cursors,
            keeper,
            orders,
            ids: HashMap::new(),
            pending: VecDeque::new(),
            journal: String::new(),
            journal_from: None,
            last: now,
            minute: now.steady.as_secs() / 60,
            unheard_until,
            changed: false,
        }
    }

    /// New definitions; the first ones too.
    pub fn replan(&mut self, checks: &[(Id, Arc<Check>)], alerting: Arc<Alerting>, at: Timestamp) {
        self.ids = checks.iter().map(|(id, check)| (check.name.clone(), *id)).collect();
        self.mind.replan(checks.iter().map(|(_, check)| &**check), alerting.clone());
        for contact in alerting.unreachable() {
            tracing::warn!(
                contact = &*contact.name,
                "nobody is told: this contact has no channel that works"
            );
        }
        self.alerting = alerting;
        self.follow(at);
    }

    /// A run ended.
    pub fn ran(&mut self, at: Timestamp, check: &Check, run: &Run) {
        let reason = run.outcome.reason();
        let wants_measures = self.mind.measures(&check.name);
        let plain = run.outcome.measures.iter().filter(|measure| wants_measures && measure.labels.is_empty());
        let ran = Ran {
            check: check.name.clone(),
            status: run.outcome.status(),
            took_us: u64::try_from(run.took.as_micros()).unwrap_or(u64::MAX),
            class: reason.map(|fault| fault.class),
            text: reason.map(|fault| fault.text.clone()).unwrap_or_default(),
            measures: plain.map(|measure| (Arc::from(&*measure.name), measure.value)).collect(),
            counted: run.outcome.counted.clone(),
        };
        let counted = !ran.counted.is_empty();
        self.think(Fact { at, what: What::Ran(ran) });
        if counted && let Some(to) = self.mind.cursor(&check.name) {
            self.cursors.set(&check.name, to);
        }
    }

    /// Something happened: judges it, writes it down, and hands on what follows.
    pub fn think(&mut self, fact: Fact) {
        self.write_down(&fact);
        self.mind.apply(&fact);
        self.follow(fact.at);
    }

    /// Time has passed. True where a new minute has begun.
    pub fn turn(&mut self, now: Now) -> bool {
        self.watch_clock(now);
        if self.mind.is_due(now.wall) {
            self.think(Fact { at: now.wall, what: What::Tick });
        }
        if self.unheard_until.is_some_and(|until| now.steady >= until) {
            self.unheard_until = None;
            self.cursors.open();
        }
        let number = now.steady.as_secs() / 60;
        let minute = number != std::mem::replace(&mut self.minute, number);
        if minute || self.journal.len() > JOURNAL_BYTES {
            self.close_journal();
        }
        self.hand_on();
        minute
    }

    /// The wall clock against the steady one: where it was set, everything that is measured in it moves along.
    pub fn watch_clock(&mut self, now: Now) {
        let before = std::mem::replace(&mut self.last, now);
        let steady = now.steady.saturating_sub(before.steady).as_millis();
        let wall = now.wall.as_millisecond() - before.wall.as_millisecond();
        let by_ms = wall - i64::try_from(steady).unwrap_or(i64::MAX);
        if u128::from(by_ms.unsigned_abs()) > CLOCK_STEP.as_millis() {
            tracing::warn!(by_ms, "the wall clock was set; what is measured in it moves along");
            self.think(Fact { at: now.wall, what: What::ClockSet { by_ms } });
            self.share_cursors();
        }
    }

    fn share_cursors(&self) {
        for (check, to) in self.mind.cursors() {
            self.cursors.set(check, to);
        }
    }

    /// The store could be opened only now: what was open before still is.
    pub fn found(&mut self, remembered: &mut Remembered, at: Timestamp) {
        for unreadable in self.mind.found(remembered) {
            tracing::error!(unreadable, "the store holds an alert that this version can't read");
        }
        self.agent = std::mem::take(&mut remembered.agent);
        self.share_cursors();
        self.unheard_until = None;
        self.cursors.open();
        self.follow(at);
    }

    /// How long until time alone changes something; a second at most.
    pub fn nap(&self) -> Duration {
        let until = self.mind.next_due().duration_since(self.last.wall);
        Duration::try_from(until).unwrap_or_default().min(Duration::from_secs(1))
    }

    /// Whether alerts have changed since the last time this was asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The last of all: hands on everything, and waits for room.
    pub async fn finish(mut self, at: Timestamp) {
        let thought = self.mind.drain_all(at);
        self.take(thought);
        self.close_journal();
        for batch in self.pending {
            self.keeper.send(batch).await.ok();
        }
    }

    fn follow(&mut self, at: Timestamp) {
        let thought = self.mind.drain(at);
        self.take(thought);
        self.hand_on();
    }

    fn take(&mut self, thought: Thought) {
        let mut batch = thought.batch;
        self.changed |= !batch.alerts.is_empty() || !batch.silences.is_empty() || !thought.notices.is_empty();
        for notice in thought.notices {
            batch.outbox.extend(outbox::rows(notice, &self.alerting, &self.agent));
        }
        if batch != Batch::default() {
            self.pending.push_back(batch);
        }
        self.hurry(&thought.hurry);
    }

    /// Has checks run beside the schedule.
    pub fn hurry(&self, checks: &[Arc<str>]) {
        let ids: Vec<Id> = checks.iter().filter_map(|name| self.ids.get(name).copied()).collect();
        if !ids.is_empty() {
            self.orders.try_send(Order::Hurry(ids)).ok();
        }
    }

    /// What finds no room stays for the next turn. The keeper waits for nothing, so that is a matter of moments.
    fn hand_on(&mut self) {
        while !self.pending.is_empty()
            && let Ok(place) = self.keeper.try_reserve()
            && let Some(batch) = self.pending.pop_front()
        {
            place.send(batch);
        }
    }

    fn write_down(&mut self, fact: &Fact) {
        // Facts are plain data: they can always be written.
        if let Ok(line) = serde_json::to_string(fact) {
            self.journal_from.get_or_insert(fact.at);
            self.journal.push_str(&line);
            self.journal.push('\n');
        }
    }

    fn close_journal(&mut self) {
        if let Some(from) = self.journal_from.take() {
            let facts = Some((from, std::mem::take(&mut self.journal)));
            self.pending.push_back(Batch { facts, ..Batch::default() });
        }
    }
}
