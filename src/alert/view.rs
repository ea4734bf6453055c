//! Alerts as they are shown: on the page, in the table of `atalaya alerts`, in metrics.

use super::engine::Engine;
use super::life::Ack;
use super::words;
use super::{Key, Snapshot};
use jiff::Timestamp;
use std::sync::Arc;

/// Where an alert is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It looks ill, and too little was seen to be sure.
    Pending,
    Firing,
    /// Its condition is gone, but not for long enough.
    Resolving,
    /// It is over, and somebody is yet to be told.
    Resolved,
}

impl Phase {
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Pending => "pending",
            Phase::Firing => "firing",
            Phase::Resolving => "resolving",
            Phase::Resolved => "resolved",
        }
    }
}

/// One alert now.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertView {
    pub phase: Phase,
    pub now: Snapshot,
    /// Who was told, and when last.
    pub told: Vec<(Arc<str>, Timestamp)>,
    /// Why nobody is told more: `silenced by ana until 14:00:00 UTC`.
    pub held: Option<String>,
    pub acknowledged: Option<Ack>,
    pub flapping: bool,
}

impl Engine {
    /// Every alert that is firing, may be soon, or is over and not yet told; by key.
    pub fn alerts(&self) -> Vec<AlertView> {
        let known = self.alerts.keys().filter_map(|key| self.view(key));
        let nearly = self.checks.values().filter(|check| check.memory.is_soft_down());
        let pending = nearly.filter_map(|check| {
            let failing = check.memory.is_failing().then_some(check.watched.alert.failed).flatten();
            let severity = failing.or(check.watched.alert.degraded)?;
            let now = words::check(&check.watched, &check.memory, severity, &check.text, self.at);
            let no_alert = !self.alerts.contains_key(&now.key);
            no_alert.then(|| AlertView {
                phase: Phase::Pending,
                now: Snapshot { evidence: Vec::new(), cause: self.cause(check), ..now },
                told: Vec::new(),
                held: None,
                acknowledged: None,
                flapping: false,
            })
        });
        let mut all: Vec<AlertView> = known.chain(pending).collect();
        all.sort_by(|a, b| a.now.key.cmp(&b.now.key));
        all
    }

    fn view(&self, key: &Key) -> Option<AlertView> {
        let alert = self.alerts.get(key)?;
        let phase = match (alert.is_open(), alert.well_since) {
            (false, _) => Phase::Resolved,
            (true, Some(_)) => Phase::Resolving,
            (true, None) => Phase::Firing,
        };
        let told =
            alert.lines.iter().filter_map(|(name, line)| Some((name.clone(), line.told.as_ref()?.last)));
        let hold = self.places.get(key).and_then(|place| place.hold.as_ref());
        let check = key.0.strip_prefix("check/").and_then(|name| self.checks.get(name));
        Some(AlertView {
            phase,
            now: self.snapshot(key)?,
            told: told.collect(),
            held: hold.map(|hold| hold.text.clone()),
            acknowledged: alert.ack.clone(),
            flapping: check.is_some_and(|check| check.memory.flaps.flapping),
        })
    }
}
