//! Rows: from a notice to one message for one channel, with a key that is the same at every try.

use crate::alert::{Kind, Notice, Severity};
use crate::config::alerting::Alerting;
use crate::store::{OutboxRow, RowState};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// After a day receivers forget the keys that they have seen; a try after that could tell twice.
const USEFUL: Duration = Duration::from_hours(23);

/// A reminder is of no use when the next one is due.
const REMINDER_USEFUL: Duration = Duration::from_hours(1);

/// How long a page may be undelivered until the next channel is used too.
const PAGE_PATIENCE: Duration = Duration::from_mins(1);

/// The same for what can wait for the morning.
const PATIENCE: Duration = Duration::from_mins(10);

/// One message for the contact of the notice: to its first channel, the others as backups. None where the contact
/// has no channel that works; whoever asks counts that.
pub fn rows(notice: Notice, alerting: &Alerting, agent: &str) -> Vec<OutboxRow> {
    let Some(contact) = alerting.contacts.get(&*notice.contact) else { return Vec::new() };
    let mut channels: Vec<Arc<str>> = Vec::with_capacity(contact.channels.len());
    for channel in &contact.channels {
        if alerting.channels.contains_key(channel) && !channels.contains(channel) {
            channels.push(channel.clone());
        }
    }
    if channels.is_empty() {
        return Vec::new();
    }
    let channel = channels.remove(0);
    let useful = if notice.kind == Kind::Reminder { REMINDER_USEFUL } else { USEFUL };
    let row = OutboxRow {
        key: hash(&[agent, &notice.id, &notice.contact, &channel]),
        thread: hash(&[agent, &notice.thread, &notice.contact, &channel]),
        channel,
        backups: channels,
        state: RowState::Pending,
        created: notice.at,
        not_before: notice.at,
        expires: later(notice.at, useful),
        attempts: 0,
        error: None,
        settled: None,
        notice: Arc::new(notice),
    };
    vec![row]
}

/// 32 hexadecimal digits of the SHA-256 of the parts.
pub(in crate::notify) fn hash(parts: &[&str]) -> String {
    let digest = Sha256::digest(parts.join("|"));
    digest.iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a text can't fail");
        text
    })
}

/// The same message for another channel. `root` is the row that the notice began with: so the key says which message
/// on which channel, on whatever way it got there. `why` is told with it.
pub(super) fn copy(row: &OutboxRow, root: &OutboxRow, channel: Arc<str>, why: &str) -> OutboxRow {
    let of = |text: &str| if channel == root.channel { text.to_owned() } else { hash(&[text, &channel]) };
    let mut notice = Notice::clone(&row.notice);
    notice.backup = (channel != root.channel).then(|| format!("via backup, {why}"));
    OutboxRow {
        key: of(&root.key),
        thread: of(&root.thread),
        channel,
        backups: Vec::new(),
        notice: Arc::new(notice),
        state: RowState::Pending,
        created: row.created,
        not_before: row.created,
        expires: row.expires,
        attempts: 0,
        error: None,
        settled: None,
    }
}

/// How long a message of this severity waits for its channel alone.
pub(super) const fn patience(severity: Severity) -> Duration {
    match severity {
        Severity::Page => PAGE_PATIENCE,
        Severity::Ticket | Severity::Info => PATIENCE,
    }
}

/// What begins comes before what goes on, and that before the end; clocks that jump don't change it.
pub(super) const fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Firing => 0,
        Kind::Escalated | Kind::Reminder | Kind::Flapping | Kind::Test => 1,
        Kind::Resolved => 2,
    }
}

/// Times beyond what calendars hold don't occur; they become the last one.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

pub(super) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// The same moment on a clock that was set by that.
pub(super) fn moved(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

/// Zero where `from` is later.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or(Duration::ZERO)
}
