//! What outlives the process: one embedded SQLite file, and another beside it for what others say ([`inbox`]). The only
//! place that knows so.
//!
//! Whoever has something to remember makes a [`Batch`], which is written in one transaction: an alert's state and
//! the messages that tell of it are there together or not at all. Reading happens once, at the start
//! ([`Remembered`]), and by the commands `atalaya store …` ([`Reader`]).
//!
//! How long it keeps what, so that the file stops growing. `benches/store.rs` measures it: with a hundred checks that run
//! every ten seconds and twenty objectives 110 MiB after 30 days, 124 after 60; and with ten checks 22 MiB after 400 days
//! and no more after that.
//!
//! | what | how long | form |
//! |---|---|---|
//! | alert states, cursors | while they are in use | a row each |
//! | messages that wait | until they are settled; a month past their use at most | a row each |
//! | messages that are settled | 30 days, the newest 5,000 | a row each |
//! | episodes | 400 days, the newest 20,000 | a row each |
//! | silences | 30 days past their end | a row each |
//! | minutes of objectives | 90 days, exact | a row for two hours, then deflated, a row for each day |
//! | days of baselines | 400 days | a row each |
//! | durations of checks | minutes 26 hours, hours 35 days, days 400 days | HdrHistogram V2, merged upwards; after 92 days with two digits |
//! | facts | 3 days, 48 MiB of deflated text at most | deflated, joined to chunks of some 256 KiB of text |
//!
//! It is written with `synchronous=FULL`: a commit is on the disk before anyone is told, also when the machine loses
//! power. That costs one flush of the log for each commit, 1 to 10 ms on a disk, and commits are few: what waits is
//! written together.

mod error;
mod facts;
mod file;
mod gathered;
mod import;
pub mod inbox;
mod look;
mod pack;
mod quantiles;
mod reader;
mod remember;
mod roll;
mod tidy;
mod write;

pub use error::{StoreError, Trouble};
pub use file::Store;
pub use gathered::Gathered;
pub use import::{ImportedDay, ImportedRuns};
pub use look::{Look, Table};
pub use quantiles::Past;
pub use reader::Reader;

use crate::alert::Notice;
use crate::fact::Silence;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Everything to write at once. Rows replace those of the same key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    pub alerts: Vec<AlertRow>,
    pub silences: Vec<Silence>,
    pub outbox: Vec<OutboxRow>,
    pub slices: Vec<SliceRow>,
    pub days: Vec<DayRow>,
    pub histograms: Vec<HistogramRow>,
    pub cursors: Vec<CursorRow>,
    /// Facts as lines of JSON, with the moment of the first.
    pub facts: Option<(Timestamp, String)>,
}

/// The state of one alert, as its engine writes it; without a state it is forgotten.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRow {
    pub key: Arc<str>,
    /// JSON.
    pub state: Option<String>,
    /// An episode that began or ended with this change, for the history.
    pub episode: Option<EpisodeRow>,
}

/// One firing life, for the history.
#[derive(Debug, Clone, PartialEq)]
pub struct EpisodeRow {
    pub episode: String,
    pub severity: crate::alert::Severity,
    pub title: String,
    pub summary: String,
    pub fired: Timestamp,
    pub ended: Option<Timestamp>,
}

/// One message for one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxRow {
    /// The hash of agent, notice and channel: the same at every try. 32 hexadecimal digits.
    pub key: String,
    /// The key of the first message of the thread on this channel; its own where it is the first.
    pub thread: String,
    pub channel: Arc<str>,
    /// Channels to use when this one can't deliver, in order.
    pub backups: Vec<Arc<str>>,
    pub notice: Arc<Notice>,
    pub state: RowState,
    pub created: Timestamp,
    /// Not to be tried before.
    pub not_before: Timestamp,
    /// Of no use after.
    pub expires: Timestamp,
    pub attempts: u32,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When it was delivered, refused, expired or made part of another.
    pub settled: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    Pending,
    Delivered,
    /// No try can help.
    Refused,
    /// Nobody needs to know any more.
    Expired,
    /// Told by another message: one that merged both, or a digest.
    Merged,
}

/// Good and bad events of one objective in one minute. A minute that was measured and had no event has a row of zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Minutes since the epoch.
    pub minute: u32,
    pub good: u32,
    pub bad: u32,
    /// Failure was expected in it, and the objective says that it doesn't count.
    pub excluded: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SliceRow {
    pub objective: Arc<str>,
    /// Of the indicator; slices of another one are of no use.
    pub generation: u64,
    pub slice: Slice,
}

/// Sums of one day of a baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Day {
    /// Days since the epoch, in UTC.
    pub day: u32,
    pub count: u64,
    pub sum: f64,
    pub squares: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DayRow {
    pub objective: Arc<str>,
    pub generation: u64,
    pub day: Day,
}

/// What the runs of one check in one minute took.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramRow {
    pub check: Arc<str>,
    /// Minutes since the epoch.
    pub minute: u32,
    /// ok, degraded, failed, unknown, dropped.
    pub counts: [u32; 5],
    /// Durations of good and of failed runs in microseconds: HdrHistogram V2, compressed; empty without any.
    pub good: Vec<u8>,
    pub failed: Vec<u8>,
}

/// Up to where a counting query has counted.
#[derive(Debug, Clone, PartialEq)]
pub struct CursorRow {
    pub check: Arc<str>,
    pub to: Timestamp,
}

/// A store that was opened with what it remembers, or why it can't be.
pub type Opened = Result<(Store, Remembered), StoreError>;

/// What was written before this process began.
#[derive(Debug, Default)]
pub struct Remembered {
    /// Made when the file was: tells agents apart in the keys of messages. 32 hexadecimal digits.
    pub agent: String,
    /// The file was made just now.
    pub is_new: bool,
    /// Keys and states.
    pub alerts: Vec<(Arc<str>, String)>,
    /// Those that have not ended.
    pub silences: Vec<Silence>,
    /// Those that are pending, and those settled within the last day.
    pub outbox: Vec<OutboxRow>,
    /// By time. Of the last 90 days.
    pub slices: Vec<SliceRow>,
    pub days: Vec<DayRow>,
    pub cursors: Vec<CursorRow>,
    /// What is lost: the file that was found is damaged (where it lies now, what could be taken over from it), or rows
    /// can't be read. Worth an alert.
    pub damage: Option<String>,
}
