//! What the shop and its vendors say by themselves: taken, written down, and only then answered.
//!
//! ```text
//! web ──Arrival──▶ task ──one transaction for all that wait──▶ inbox ──▶ answered
//!                   ▲                                            │
//!                   └────── checks and pages ask ◀───────────────┘
//! ```
//!
//! One task owns the file, apart from the loop that judges: a flood of spans never makes an alert late. What is judged are
//! the runs of checks that ask it, as they ask a database; so that records, objectives and alerts have one way in. What finds
//! no room is refused at once, and whoever sent it is told when to try again.

pub mod meter;
mod opening;
mod task;

pub use opening::Opening;

use super::Event;
use crate::config::Http;
use crate::ingest::tally::Tallies;
use crate::ingest::traffic::Traffic;
use crate::ingest::{Arrival, Pings, Received, Source, Sum, Told, Vendor};
use crate::store::inbox::Taken;
use crate::view::heard::{Aside, Column, Gathering, Heard, Span as Back};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use task::Task;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Arrivals that wait to be written; each is bounded by what a body may hold.
const ARRIVALS_MAX: usize = 64;
/// Questions that wait; whoever asks waits for room.
const QUESTIONS_MAX: usize = 32;
/// Columns of a span that one question asks for: three hours of minutes at most.
const COLUMNS_AT_ONCE: u32 = 12;

/// Why nothing was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// Too much waits already.
    Full,
    /// It can't be written down; the text says why, for the log and for operators.
    Ill(String),
}

/// How others reach the task.
#[derive(Clone)]
pub struct Intake {
    arrivals: mpsc::Sender<Delivery>,
    questions: mpsc::Sender<Question>,
}

struct Delivery {
    arrival: Arrival,
    answer: oneshot::Sender<Result<Taken, NotTaken>>,
}

type Answer<T> = oneshot::Sender<Result<T, String>>;
type Span = (Timestamp, Timestamp);

enum Question {
    Pings { job: String, since: Timestamp, answer: Answer<Pings> },
    Sum { source: Source, span: Span, answer: Answer<Sum> },
    Tallies { source: Source, span: Span, answer: Answer<Tallies> },
    Silence { source: Source, now: Timestamp, answer: Answer<Duration> },
    Letters { vendor: Vendor, span: Span, answer: Answer<Vec<(String, Timestamp)>> },
    SetAside { vendor: Vendor, answer: Answer<u64> },
    Columns { from: Timestamp, minutes: u32, count: u32, answer: Answer<Vec<Column>> },
    Aside { answer: Answer<Aside> },
    WorkAgain { vendor: Vendor, answer: Answer<u64> },
    PutAway { vendor: Vendor, ids: Vec<String>, answer: Answer<u64> },
    Traffic { answer: Answer<Arc<Traffic>> },
}

impl Question {
    /// Nobody can answer it.
    fn refuse(self, why: &str) {
        let why = format!("nothing that was received can be read: {why}");
        match self {
            Question::Pings { answer, .. } => answer.send(Err(why)).is_ok(),
            Question::Sum { answer, .. } => answer.send(Err(why)).is_ok(),
            Question::Tallies { answer, .. } => answer.send(Err(why)).is_ok(),
            Question::Silence { answer, .. } => answer.send(Err(why)).is_ok(),
            Question::Letters { answer, .. } => answer.send(Err(why)).is_ok(),
            Question::Columns { answer, .. } => answer.send(Err(why)).is_ok(),
            Question::Aside { answer } => answer.send(Err(why)).is_ok(),
            Question::SetAside { answer, .. }
            | Question::WorkAgain { answer, .. }
            | Question::PutAway { answer, .. } => answer.send(Err(why)).is_ok(),
            Question::Traffic { answer } => answer.send(Err(why)).is_ok(),
        };
    }
}

/// Shorter than the timeout of most checks: what hangs here is the agent's trouble, and not the job's or the shop's.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

impl Intake {
    /// Writes it down. Ends when that is done, or at once where there is no room.
    pub async fn take(&self, arrival: Arrival) -> Result<Taken, NotTaken> {
        let (answer, taken) = oneshot::channel();
        let gone = || NotTaken::Ill("the agent ends".to_owned());
        self.arrivals.try_send(Delivery { arrival, answer }).map_err(|refused| match refused {
            TrySendError::Full(_) => NotTaken::Full,
            TrySendError::Closed(_) => gone(),
        })?;
        taken.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Everything since the process began.
    pub async fn traffic(&self) -> Result<Arc<Traffic>, String> {
        self.ask(|answer| Question::Traffic { answer }).await
    }

    /// What came of one kind, by what it is of.
    pub async fn tallies(&self, source: Source, span: Span) -> Result<Tallies, String> {
        self.ask(|answer| Question::Tallies { source, span, answer }).await
    }

    /// All of a span that ends now, a few columns at a time: what is sent meanwhile does not wait for all of it.
    pub async fn heard(&self, span: Back, now: Timestamp) -> Result<Heard, String> {
        let (minutes, total) = span.grid();
        let mut gathering = Gathering::default();
        for at in (0..total).step_by(COLUMNS_AT_ONCE as usize) {
            let count = COLUMNS_AT_ONCE.min(total - at);
            let ahead = SignedDuration::from_mins(i64::from(at * minutes));
            let from = span.begin(now).saturating_add(ahead).unwrap_or(Timestamp::MAX);
            let columns = self.ask(|answer| Question::Columns { from, minutes, count, answer }).await?;
            for column in &columns {
                gathering.add(column);
            }
        }
        Ok(gathering.done(span, now))
    }

    /// Letters that nobody could work through.
    pub async fn aside(&self) -> Result<Aside, String> {
        self.ask(|answer| Question::Aside { answer }).await
    }

    /// Tries the letters again that lie aside; how many.
    pub async fn work_again(&self, vendor: Vendor) -> Result<u64, String> {
        self.ask(|answer| Question::WorkAgain { vendor, answer }).await
    }

    /// Puts these away, as far as they lie aside; how many.
    pub async fn put_away(&self, vendor: Vendor, ids: Vec<String>) -> Result<u64, String> {
        self.ask(|answer| Question::PutAway { vendor, ids, answer }).await
    }

    async fn ask<T>(&self, question: impl FnOnce(Answer<T>) -> Question) -> Result<T, String> {
        let gone = || "the agent ends".to_owned();
        let (answer, told) = oneshot::channel();
        let asked = async {
            self.questions.send(question(answer)).await.map_err(|_| gone())?;
            told.await.map_err(|_| gone())?
        };
        let late =
            || "the inbox does not answer: its disk hangs, or another program holds its lock".to_owned();
        tokio::time::timeout(ANSWERS_WITHIN, asked).await.unwrap_or_else(|_elapsed| Err(late()))
    }
}

impl Received for Intake {
    fn pings<'a>(&'a self, job: &'a str, since: Timestamp) -> Told<'a, Pings> {
        Box::pin(self.ask(move |answer| Question::Pings { job: job.to_owned(), since, answer }))
    }

    fn sum(&self, source: Source, from: Timestamp, to: Timestamp) -> Told<'_, Sum> {
        Box::pin(self.ask(move |answer| Question::Sum { source, span: (from, to), answer }))
    }

    fn silence(&self, source: Source, now: Timestamp) -> Told<'_, Duration> {
        Box::pin(self.ask(move |answer| Question::Silence { source, now, answer }))
    }

    fn letters(&self, vendor: Vendor, from: Timestamp, to: Timestamp) -> Told<'_, Vec<(String, Timestamp)>> {
        Box::pin(self.ask(move |answer| Question::Letters { vendor, span: (from, to), answer }))
    }

    fn set_aside(&self, vendor: Vendor) -> Told<'_, u64> {
        Box::pin(self.ask(move |answer| Question::SetAside { vendor, answer }))
    }
}

/// The task, at work.
pub struct Taking {
    pub intake: Intake,
    /// Of what anything was heard until now; it grows.
    pub heard: watch::Receiver<BTreeSet<Source>>,
    task: JoinHandle<()>,
}

impl Taking {
    /// Word of its health goes to the loop.
    pub fn start(
        opening: Opening,
        http: watch::Receiver<Arc<Http>>,
        events: mpsc::WeakSender<Event>,
    ) -> Taking {
        let (arrivals, deliveries) = mpsc::channel(ARRIVALS_MAX);
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        let (tell, heard) = watch::channel(opening.heard());
        let task = tokio::spawn(Task::new(opening, http, events, tell).run(deliveries, asked));
        Taking { intake: Intake { arrivals, questions }, heard, task }
    }

    /// Ends when the task has ended by itself, which it never should.
    pub async fn broken(&mut self) {
        (&mut self.task).await.ok();
    }

    /// What is under way is written; what comes later is told that the agent ends.
    pub async fn close(self) {
        let Taking { intake, task, .. } = self;
        drop(intake);
        task.await.ok();
    }
}
