//! The keeper, who writes down what must be remembered, and the courier, who takes messages where they belong; and what
//! the loop hears of both.

use super::Event;
use super::keeper::{Keeper, Outlets, Told};
use super::self_watch::Vitals;
use crate::config::Alerting;
use crate::notify::courier::{self, Courier, PartHealth};
use crate::notify::outbox::{Health, Outbox};
use crate::store::{Batch, Opened, Remembered};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Batches, messages and words on somebody's health that wait. Whoever finds no room keeps what it has for later.
const WAITING: usize = 64;

/// The two, at work.
pub struct Office {
    pub keeper: mpsc::Sender<Batch>,
    pub courier: mpsc::Sender<courier::Order>,
    /// How channels are, and how old the oldest page is that nobody has.
    pub health: watch::Receiver<Health>,
    keeping: JoinHandle<()>,
    carrying: JoinHandle<()>,
    bringing: JoinHandle<()>,
}

impl Office {
    /// `store` is the file and what it gave when it was opened; without one everything is kept in memory only.
    pub fn open(
        store: Option<(PathBuf, Opened)>,
        alerting: &Arc<Alerting>,
        (events, vitals): (mpsc::WeakSender<Event>, Arc<Vitals>),
        grace: Duration,
    ) -> (Office, Remembered) {
        let (keeper, batches) = mpsc::channel(WAITING);
        let (courier, orders) = mpsc::channel(WAITING);
        let (told, hears) = mpsc::channel(WAITING);
        let (health, channels) = mpsc::channel(WAITING);
        let (rows, new_rows) = mpsc::channel(WAITING);
        let outlets = Outlets { courier: rows, told };
        let (keeping, mut remembered) = match store {
            Some((path, Ok((store, remembered)))) => {
                let keeper = Keeper::new(path, Ok((store, &remembered)), outlets);
                (tokio::spawn(keeper.run(batches)), remembered)
            }
            Some((path, Err(error))) => {
                let keeper = Keeper::new(path, Err(error), outlets);
                (tokio::spawn(keeper.run(batches)), Remembered::default())
            }
            None => {
                let agent = format!("{:032x}", fastrand::u128(..));
                (tokio::spawn(pass(batches, outlets)), Remembered { agent, ..Remembered::default() })
            }
        };
        let outbox = std::mem::take(&mut remembered.outbox);
        let outbox = Outbox::new(outbox, alerting.clone());
        let carrier = Courier::new(outbox, alerting.clone(), keeper.clone(), health, grace);
        let health = carrier.health();
        let carrying = tokio::spawn(carrier.run(orders));
        let bringing = tokio::spawn(bring(new_rows, courier.clone()));
        tokio::spawn(hear_keeper(hears, events.clone(), vitals));
        tokio::spawn(hear_courier(channels, events));
        (Office { keeper, courier, health, keeping, carrying, bringing }, remembered)
    }

    /// Ends when one of them has ended by itself, which none ever should.
    pub async fn broken(&mut self) -> &'static str {
        tokio::select! {
            _ = &mut self.keeping => "the keeper of the store",
            _ = &mut self.carrying => "the courier of messages",
        }
    }

    /// Messages under way are delivered or stay for the next start; then everything is written.
    pub async fn close(self) {
        let Office { keeper, courier, keeping, carrying, bringing, .. } = self;
        bringing.abort();
        bringing.await.ok();
        drop(courier);
        carrying.await.ok();
        drop(keeper);
        keeping.await.ok();
    }
}

/// New messages, from the keeper to the courier.
async fn bring(
    mut rows: mpsc::Receiver<Vec<crate::store::OutboxRow>>,
    courier: mpsc::Sender<courier::Order>,
) {
    while let Some(rows) = rows.recv().await {
        if courier.send(courier::Order::Rows(rows)).await.is_err() {
            return;
        }
    }
}

/// Without a store, messages go straight on: the new ones, since what comes again is what became of them.
async fn pass(mut batches: mpsc::Receiver<Batch>, outlets: Outlets) {
    let mut known = std::collections::HashSet::new();
    while let Some(batch) = batches.recv().await {
        let mut new = Vec::new();
        for row in batch.outbox {
            if row.settled.is_some() {
                known.remove(&row.key);
            } else if known.insert(row.key.clone()) {
                new.push(row);
            }
        }
        if !new.is_empty() && outlets.courier.send(new).await.is_err() {
            return;
        }
    }
}

async fn hear_keeper(mut hears: mpsc::Receiver<Told>, events: mpsc::WeakSender<Event>, vitals: Arc<Vitals>) {
    while let Some(told) = hears.recv().await {
        // Past the loop, which may be what is ill.
        if let Told::Health { well, text } = &told {
            vitals.hear_store((!well).then(|| text.clone()));
        }
        let event = match told {
            Told::Health { well, text } => Event::Own { part: "store".into(), well, text },
            Told::Found(remembered) => Event::Found(remembered),
        };
        // Without the loop the agent is ending.
        let Some(events) = events.upgrade() else { return };
        events.send(event).await.ok();
    }
}

async fn hear_courier(mut channels: mpsc::Receiver<PartHealth>, events: mpsc::WeakSender<Event>) {
    while let Some(PartHealth { part, well, why: text }) = channels.recv().await {
        let Some(events) = events.upgrade() else { return };
        events.send(Event::Own { part, well, text }).await.ok();
    }
}
