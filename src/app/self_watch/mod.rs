//! The agent watches itself, and tells outside whether it is well: a dead man's switch, systemd and its watchdog, every
//! Alertmanager, and its own metrics. All ask the same [`Vitals`], so that they can't disagree.
//!
//! ```text
//! runner, loop that judges, keeper, courier ──▶ Vitals ──▶ dead man's switch, STATUS, metrics, /healthz
//! loop that judges ──Beacon──▶ WATCHDOG=1, alerts and Watchdog at Alertmanagers
//! ```

mod beacon;
mod dead_mans_switch;
mod mirrors;
mod pace;
mod showing;
mod systemd;
mod vitals;

pub use beacon::Beacon;
pub use systemd::Systemd;
pub use vitals::{Part, Vitals, Wellness};

use super::{Event, own, told_to_stop};
use crate::clock::{self, Now};
use crate::config::Alerting;
use crate::notify::alertmanager::Feed;
use crate::notify::outbox::Health;
use dead_mans_switch::DeadMansSwitch;
use mirrors::Mirrors;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use vitals::Watcher;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is watched, and whom to tell.
pub struct Start {
    pub vitals: Arc<Vitals>,
    /// Follows no redirect.
    pub client: reqwest::Client,
    pub alerting: watch::Receiver<Arc<Alerting>>,
    /// What the courier says of itself.
    pub health: watch::Receiver<Health>,
    pub events: mpsc::WeakSender<Event>,
    pub stopped: watch::Receiver<bool>,
    pub now: Now,
}

/// The watch over the agent itself, at work.
pub struct SelfWatch {
    pub systemd: Arc<Systemd>,
    vitals: Arc<Vitals>,
    looking: JoinHandle<()>,
    switch: JoinHandle<()>,
}

impl SelfWatch {
    /// The [`Beacon`] is for the loop that judges.
    pub fn start(start: Start) -> (SelfWatch, Beacon) {
        let Start { vitals, client, alerting, health, events, stopped, now } = start;
        let systemd = Arc::new(Systemd::from_environment());
        let (feed, fed) = watch::channel(Feed::default());
        let beacon = Beacon::new(vitals.clone(), systemd.clone(), feed, now);
        let switch = DeadMansSwitch::new(client, vitals.clone(), alerting.clone());
        let switch = tokio::spawn(switch.run(stopped.clone()));
        let look_out = LookOut {
            vitals: vitals.clone(),
            systemd: systemd.clone(),
            watcher: Watcher::new(now.steady),
            mirrors: Mirrors::new(fed, alerting),
            events,
            told: Vec::new(),
            runner_was_well: true,
        };
        let looking = tokio::spawn(look_out.run(health, stopped));
        (SelfWatch { systemd, vitals, looking, switch }, beacon)
    }

    /// Ends when one of its tasks has ended by itself, which none ever should.
    pub async fn broken(&mut self) {
        tokio::select! {
            _ = &mut self.looking => {}
            _ = &mut self.switch => {}
        }
    }

    /// From now on nothing runs any more, and that is meant.
    pub fn begin_stop(&self) {
        if !self.vitals.is_stopping() {
            self.vitals.stop();
            self.systemd.stopping();
        }
    }

    /// The dead man's switch is told of the stop.
    pub async fn close(self) {
        self.looking.await.ok();
        self.switch.await.ok();
    }
}

/// Looks every second how the agent is, and says it where it changed.
struct LookOut {
    vitals: Arc<Vitals>,
    systemd: Arc<Systemd>,
    watcher: Watcher,
    mirrors: Mirrors,
    events: mpsc::WeakSender<Event>,
    /// What was last told not to be well.
    told: Vec<Part>,
    runner_was_well: bool,
}

impl LookOut {
    async fn run(mut self, mut health: watch::Receiver<Health>, mut stopped: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = told_to_stop(&mut stopped) => return,
                // Without a courier nothing changes any more, and it is missed.
                Ok(()) = health.changed() => {
                    let heard = health.borrow_and_update().clone();
                    self.vitals.hear_courier(clock::steady(), heard);
                }
                _ = tick.tick() => self.look(clock::now()),
            }
        }
    }

    fn look(&mut self, now: Now) {
        let wellness = self.watcher.look(&self.vitals, now);
        for part in Part::ALL {
            own::self_well(part.as_str(), wellness.trouble(part).is_none());
        }
        self.mirrors.look();
        self.tell(&wellness);
        self.tell_of_runner(&wellness);
    }

    fn tell(&mut self, wellness: &Wellness) {
        let ill = wellness.ill();
        // Reasons say for how long, so they are new every second.
        if std::mem::replace(&mut self.told, ill.clone()) == ill {
            return;
        }
        if wellness.is_well() {
            tracing::info!("the agent is well again");
            self.systemd.status("well again");
        } else {
            let reason = wellness.reason();
            tracing::error!(reason, "the agent is not well");
            self.systemd.status(&format!("not well: {reason}"));
        }
    }

    /// Without the runner nothing is seen any more, and the loop that judges may not be what is stuck: one alert. The
    /// loop takes it when it has room; until then it is offered again.
    fn tell_of_runner(&mut self, wellness: &Wellness) {
        let trouble = wellness.trouble(Part::Runner);
        if trouble.is_none() == self.runner_was_well {
            return;
        }
        let Some(events) = self.events.upgrade() else { return };
        let text = trouble.unwrap_or("the runner of checks turns again").to_owned();
        let event = Event::Own { part: "runner".into(), well: trouble.is_none(), text };
        if events.try_send(event).is_ok() {
            self.runner_was_well = trouble.is_none();
        }
    }
}
