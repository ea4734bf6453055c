//! What the keeper has to say, and to whom, without ever waiting for the one who takes it: who takes it may wait for
//! the keeper.

use crate::store::{OutboxRow, Remembered};
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// Words on its health that wait for somebody to listen; only the newest matter.
const HEALTH_MAX: usize = 4;

/// What the keeper has to say.
#[derive(Debug)]
pub enum Told {
    /// How the store is; told when it changes.
    Health { well: bool, text: String },
    /// The store could be opened only now: what it remembers. Messages in it that wait are handed to the courier by
    /// the keeper.
    Found(Box<Remembered>),
}

/// Where messages and words on its health go.
pub struct Outlets {
    pub courier: mpsc::Sender<Vec<OutboxRow>>,
    pub told: mpsc::Sender<Told>,
}

/// What is to be sent when there is room for it.
pub(super) struct Outlet<T> {
    sender: mpsc::Sender<T>,
    queue: VecDeque<T>,
}

impl<T> Outlet<T> {
    pub fn new(sender: mpsc::Sender<T>) -> Outlet<T> {
        Outlet { sender, queue: VecDeque::new() }
    }

    pub fn push(&mut self, one: T) {
        self.queue.push_back(one);
    }

    pub fn waits(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Sends one when there is room. What is not sent stays when this is given up.
    pub async fn send_one(&mut self) {
        let Ok(room) = self.sender.reserve().await else {
            // Nobody takes it any more: the agent is ending.
            self.queue.clear();
            return;
        };
        if let Some(one) = self.queue.pop_front() {
            room.send(one);
        }
    }
}

impl Outlet<Told> {
    pub fn tell(&mut self, well: bool, text: String) {
        let is_health = |told: &Told| matches!(told, Told::Health { .. });
        if self.queue.iter().filter(|told| is_health(told)).count() >= HEALTH_MAX {
            let oldest = self.queue.iter().position(is_health);
            oldest.and_then(|at| self.queue.remove(at));
        }
        self.push(Told::Health { well, text });
    }
}
