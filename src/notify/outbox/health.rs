//! How the channels are, and what happened to messages: for metrics, logs, and alerts about the channels themselves.

use super::Outbox;
use super::lane::FAILURES_MAX;
use super::ledger::Id;
use crate::alert::{Kind, Severity};
use crate::store::RowState;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What became of a message, or of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Delivered,
    /// A try failed, and there will be another.
    Retried,
    Refused,
    Expired,
    Merged,
}

impl Fate {
    pub const fn as_str(self) -> &'static str {
        match self {
            Fate::Delivered => "delivered",
            Fate::Retried => "retried",
            Fate::Refused => "refused",
            Fate::Expired => "expired",
            Fate::Merged => "merged",
        }
    }
}

/// Worth a count, a line or an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Counted {
        channel: Arc<str>,
        kind: Kind,
        fate: Fate,
    },
    /// A channel is not what it was when this was told last.
    Channel {
        channel: Arc<str>,
        well: bool,
        why: String,
    },
    /// A message was refused or has expired, and no other channel is left: nobody was told.
    Lost {
        channel: Arc<str>,
        kind: Kind,
        severity: Severity,
        why: String,
    },
}

/// How one channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelHealth {
    pub channel: Arc<str>,
    pub well: bool,
    /// How long its oldest message has waited.
    pub oldest_pending: Option<Duration>,
    pub pending: usize,
    /// Why the last try failed, until one succeeds.
    pub error: Option<String>,
    /// Tries that failed since the last one that did not.
    pub failures: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// By name.
    pub channels: Vec<ChannelHealth>,
    /// How long the oldest page has not been delivered.
    pub oldest_page: Option<Duration>,
}

impl Health {
    /// How long the oldest message of all has waited.
    pub fn oldest_pending(&self) -> Option<Duration> {
        self.channels.iter().filter_map(|channel| channel.oldest_pending).max()
    }
}

impl Outbox {
    pub fn health(&self, now: Timestamp) -> Health {
        let age = |at: Timestamp| super::between(at, now);
        let channels = self.lanes.iter().map(|(channel, lane)| ChannelHealth {
            channel: channel.clone(),
            well: lane.is_well(),
            oldest_pending: lane.pending.first().map(|(created, _)| age(*created)),
            pending: lane.pending.len(),
            error: lane.error.clone(),
            failures: lane.failures,
        });
        let oldest_page = self.pages.first().map(|(created, _)| age(*created));
        Health { channels: channels.collect(), oldest_page }
    }

    pub(super) fn count(&mut self, id: Id, fate: Fate) {
        if let Some(entry) = self.ledger.get(id) {
            self.events.push(Event::Counted { channel: entry.row.channel.clone(), kind: entry.kind(), fate });
        }
    }

    /// Says when a channel that was well no longer is, and the other way round.
    pub(super) fn tell_health(&mut self, channel: &Arc<str>) {
        let Some(lane) = self.lanes.get_mut(channel) else { return };
        let well = lane.is_well();
        let doubtful = well && lane.failures > 0;
        if doubtful || lane.told.replace(well) == Some(well) {
            return;
        }
        let error = lane.error.as_deref().unwrap_or("no reason given");
        let why = match (well, lane.refused) {
            (true, _) => "it delivers".to_owned(),
            (false, true) => format!("it refused a message: {error}"),
            (false, false) => format!("{FAILURES_MAX} tries in a row failed: {error}"),
        };
        self.events.push(Event::Channel { channel: channel.clone(), well, why });
    }

    /// Loudly, where it was the last that could have told it.
    pub(super) fn mourn(&mut self, id: Id) {
        let Some(entry) = self.ledger.get(id) else { return };
        let is_lost = |id: &Id| {
            let state = self.ledger.get(*id).map(|entry| entry.row.state);
            matches!(state, Some(RowState::Refused | RowState::Expired))
        };
        if entry.kind() == Kind::Reminder || !self.ledger.family(id).iter().all(is_lost) {
            return;
        }
        self.events.push(Event::Lost {
            channel: entry.row.channel.clone(),
            kind: entry.kind(),
            severity: entry.row.notice.severity,
            why: entry.row.error.clone().unwrap_or_else(|| "it was never tried".to_owned()),
        });
    }
}
