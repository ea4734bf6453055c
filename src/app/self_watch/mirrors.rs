//! Keeps every Alertmanager that the definitions name shown what fires, over changes of the definitions.

use crate::app::own;
use crate::config::Alerting;
use crate::notify::alertmanager::{Feed, Herald, InstanceHealth};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;

pub struct Mirrors {
    feed: watch::Receiver<Feed>,
    alerting: watch::Receiver<Arc<Alerting>>,
    herald: Herald,
    /// Names and fingerprints of the channels that it tells.
    told: Vec<(Arc<str>, u64)>,
    /// Instances of which something was said.
    known: BTreeSet<(Arc<str>, usize)>,
}

impl Mirrors {
    pub fn new(feed: watch::Receiver<Feed>, mut alerting: watch::Receiver<Arc<Alerting>>) -> Mirrors {
        let now = alerting.borrow_and_update().clone();
        let (herald, told) = (start(&now, &feed), told(&now));
        Mirrors { feed, alerting, herald, told, known: BTreeSet::new() }
    }

    /// To be called every second: follows the definitions, and says how it goes with each instance.
    pub fn look(&mut self) {
        if self.alerting.has_changed().unwrap_or(false) {
            let now = self.alerting.borrow_and_update().clone();
            let told = told(&now);
            // One that goes on unchanged is not disturbed: it knows what it has told.
            if told != self.told {
                self.herald = start(&now, &self.feed);
                self.told = told;
            }
        }
        self.account();
    }

    fn account(&mut self) {
        let mut gone = std::mem::take(&mut self.known);
        for InstanceHealth { channel, instance, told, trouble } in self.herald.health() {
            gone.remove(&(channel.clone(), instance));
            // Before the first word nobody knows.
            if told.is_some() || trouble.is_some() {
                own::alertmanager_up(&channel, instance, Some(trouble.is_none()));
                self.known.insert((channel, instance));
            }
        }
        for (channel, instance) in gone {
            own::alertmanager_up(&channel, instance, None);
        }
    }
}

fn start(alerting: &Alerting, feed: &watch::Receiver<Feed>) -> Herald {
    let channels = alerting.channels.values();
    Herald::start(
        channels.filter_map(|channel| Some((channel.name.clone(), channel.deliver.mirror()?.clone()))),
        feed,
    )
}

fn told(alerting: &Alerting) -> Vec<(Arc<str>, u64)> {
    let mirrored = alerting.channels.values().filter(|channel| channel.deliver.mirror().is_some());
    mirrored.map(|channel| (channel.name.clone(), channel.fingerprint)).collect()
}
