//! The task between the loop and the disk: whoever has something to remember hands it over here and goes on, and
//! nothing ever waits for a disk.
//!
//! Batches that wait are written together, in one transaction at a time. A new message is handed to the courier once
//! it is written. While the disk is ill (full, locked, read-only, slow, gone) the keeper says so, hands messages on
//! from memory, keeps what it can't write merged and bounded ([`Gathered`]) and tries again every few seconds. Where
//! the file is a new one it writes again what was promised before.
//!
//! One job is under way at a time and is never given up half-way: what comes meanwhile waits, so rows can't overtake
//! each other, and a disk that hangs holds one thread and no more.

mod outlet;
mod post;

use super::own;
use crate::clock;
use crate::store::{Batch, Gathered, OutboxRow, Remembered, Store, StoreError, Trouble};
use outlet::Outlet;
pub use outlet::{Outlets, Told};
use post::Post;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// A write that takes longer than this is as bad as one that fails.
const SLOW: Duration = Duration::from_secs(5);
/// Between two tries while the disk is ill.
const RETRY: Duration = Duration::from_secs(3);
/// What promises nothing waits this long for company, so that the disk is flushed once a second and not for each run.
const COMPANY: Duration = Duration::from_secs(1);
/// How often is looked for what is to be rolled up or forgotten.
const TIDY: Duration = Duration::from_mins(1);
/// Between two steps of tidying, so that a long one (after a long stop) leaves the disk to others too.
const TIDY_PAUSE: Duration = Duration::from_millis(50);
/// How long is written after the loop has ended.
const GRACE: Duration = Duration::from_secs(5);
/// Batches that are taken at once.
const BATCHES: usize = 64;

/// See the module.
pub struct Keeper {
    path: PathBuf,
    /// Not there while a job has it, and while it can't be opened.
    store: Option<Store>,
    /// One that failed: closed before the file is opened again, since it could remove the log of a new one.
    broken: Option<Store>,
    job: Option<Job>,
    /// What is not written and not in the job.
    waiting: Gathered,
    /// What must be written again into a new file.
    promised: Gathered,
    /// Whether the file was ever open: what it remembers is known.
    found: bool,
    post: Post,
    ill: bool,
    /// Since when what waits has waited.
    since: Option<Instant>,
    try_at: Instant,
    tidy_at: Instant,
    courier: Outlet<Vec<OutboxRow>>,
    told: Outlet<Told>,
}

/// Something under way with the store.
struct Job {
    task: JoinHandle<Done>,
    /// When it is as bad as one that fails.
    slow_at: Instant,
    began: Instant,
    told_slow: bool,
}

enum Done {
    Written(Store, Arc<Gathered>, Result<(), StoreError>),
    Tidied(Store, Result<bool, StoreError>),
    Opened(Result<(Store, Box<Remembered>), StoreError>),
}

impl Keeper {
    /// `opened` is the store and what it remembered, or why it can't be opened: that is told, and it is tried again.
    /// The remembered messages are with the courier already.
    pub fn new(path: PathBuf, opened: Result<(Store, &Remembered), StoreError>, outlets: Outlets) -> Keeper {
        let now = clock::instant();
        let mut keeper = Keeper {
            path,
            store: None,
            broken: None,
            job: None,
            waiting: Gathered::default(),
            promised: Gathered::default(),
            found: false,
            post: Post::default(),
            ill: false,
            since: None,
            try_at: now,
            tidy_at: now + TIDY,
            courier: Outlet::new(outlets.courier),
            told: Outlet::new(outlets.told),
        };
        own::store_up(true);
        match opened {
            Ok((store, remembered)) => {
                keeper.remember(remembered);
                remembered.outbox.iter().for_each(|row| keeper.post.know(row));
                own::store_size(store.size_bytes());
                keeper.store = Some(store);
                // It is told, and over as soon as the new file has taken something.
                if let Some(damage) = &remembered.damage {
                    keeper.fall_ill(damage);
                }
            }
            Err(error) => {
                keeper.try_at = now + RETRY;
                keeper.fall_ill(&error.to_string());
            }
        }
        keeper
    }

    /// Ends when whoever fills the inbox is gone and everything is written, or the grace is over.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Batch>) {
        let mut batches = Vec::with_capacity(BATCHES);
        let mut end: Option<Instant> = None;
        loop {
            let now = clock::instant();
            self.begin_job(now, end.is_some());
            if end.is_some_and(|end| now >= end || self.is_done()) {
                break;
            }
            let next = self.next_moment(now, end);
            tokio::select! {
                number = inbox.recv_many(&mut batches, BATCHES), if end.is_none() => match number {
                    0 => end = Some(clock::instant() + GRACE),
                    _ => batches.drain(..).for_each(|batch| self.take(batch)),
                },
                done = finished(&mut self.job) => self.done(done),
                () = self.courier.send_one(), if self.courier.waits() => {}
                () = self.told.send_one(), if self.told.waits() => {}
                () = sleep_until(next) => {}
            }
            self.look_at_job();
        }
        self.end().await;
    }

    fn is_done(&self) -> bool {
        self.job.is_none() && self.waiting.is_empty()
    }

    async fn end(self) {
        let unwritten = self.waiting.rows();
        if unwritten > 0 || self.job.is_some() {
            tracing::error!(rows = unwritten, "the agent ends and the store could not take everything");
        }
        if let Some(store) = self.store.or(self.broken)
            && tokio::time::timeout(GRACE, store.close()).await.is_err()
        {
            tracing::error!("the store does not answer and is left as it is");
        }
    }

    /// When something is to be done though nothing happens.
    fn next_moment(&self, now: Instant, end: Option<Instant>) -> Instant {
        let mut next = now + TIDY;
        if let Some(job) = &self.job {
            if !job.told_slow {
                next = next.min(job.slow_at);
            }
        } else {
            if self.store.is_none() || self.ill {
                next = next.min(self.try_at);
            } else {
                next = next.min(self.tidy_at);
            }
            if let Some(since) = self.since.filter(|_| !self.ill) {
                next = next.min(since + COMPANY);
            }
        }
        end.map_or(next, |end| next.min(end)).max(now)
    }

    /// Takes what is to be written; sees which messages are new.
    fn take(&mut self, batch: Batch) {
        batch.outbox.iter().for_each(|row| self.post.sort(row));
        let batch = Gathered::from(batch);
        self.promised.keep_promises_of(&batch);
        self.waiting.over(batch);
        self.bound();
        if self.ill {
            let rows = self.post.all();
            self.hand_on(rows);
        }
    }

    fn hand_on(&mut self, rows: Vec<OutboxRow>) {
        if !rows.is_empty() {
            self.courier.push(rows);
        }
    }

    /// To be called whenever rows were added to what waits.
    fn bound(&mut self) {
        own::store_given_up(self.waiting.bound());
        own::store_waiting(self.waiting.rows());
        if self.since.is_none() && !self.waiting.is_empty() {
            self.since = Some(clock::instant());
        }
    }

    /// Begins what is due, if nothing is under way.
    fn begin_job(&mut self, now: Instant, ending: bool) {
        if self.job.is_some() {
            return;
        }
        let may_try = !self.ill || now >= self.try_at;
        let urgent = ending || self.ill || self.waiting.promises() > 0;
        let due = urgent || self.since.is_some_and(|since| now >= since + COMPANY);
        let task = match self.store.take() {
            None if may_try => {
                let (path, broken) = (self.path.clone(), self.broken.take());
                tokio::spawn(async move {
                    if let Some(broken) = broken {
                        broken.close().await;
                    }
                    Done::Opened(Store::open(&path).await.map(|(store, found)| (store, Box::new(found))))
                })
            }
            Some(store) if may_try && due && !self.waiting.is_empty() => {
                let rows = Arc::new(std::mem::take(&mut self.waiting));
                self.since = None;
                self.post.cover();
                tokio::spawn(async move {
                    let written = store.put(&rows).await;
                    Done::Written(store, rows, written)
                })
            }
            // An ill store with nothing to write is asked to tidy: whether it is well again shows by that.
            Some(store) if may_try && !ending && (self.ill || now >= self.tidy_at) => {
                tokio::spawn(async move {
                    let tidied = store.tidy_step(clock::wall()).await;
                    Done::Tidied(store, tidied)
                })
            }
            store => {
                self.store = store;
                return;
            }
        };
        self.job = Some(Job { task, slow_at: now + SLOW, began: now, told_slow: false });
    }

    /// A job that takes too long is not waited for by anybody.
    fn look_at_job(&mut self) {
        let now = clock::instant();
        let Some(job) = &mut self.job else { return };
        if !job.told_slow && now >= job.slow_at {
            job.told_slow = true;
            let text = format!("the store {} has not answered for {} s", self.path.display(), SLOW.as_secs());
            self.fall_ill(&text);
        }
    }

    fn done(&mut self, done: Option<Done>) {
        let now = clock::instant();
        let job = self.job.take();
        match done {
            Some(Done::Written(store, rows, result)) => {
                let took = job.map_or(Duration::ZERO, |job| now.saturating_duration_since(job.began));
                own::store_written(result.is_ok(), took);
                self.written(store, rows, result);
            }
            Some(Done::Tidied(store, Ok(more))) => {
                own::store_size(store.size_bytes());
                self.store = Some(store);
                self.tidy_at = now + if more { TIDY_PAUSE } else { TIDY };
                self.promised.forget_ended(clock::wall());
                self.get_well();
            }
            Some(Done::Tidied(store, Err(error))) => self.fail(store, &error),
            Some(Done::Opened(Ok((store, found)))) => self.opened(store, found),
            Some(Done::Opened(Err(error))) => {
                self.try_at = now + RETRY;
                self.fall_ill(&error.to_string());
            }
            None => {
                self.try_at = now + RETRY;
                self.fall_ill("the task that writes the store has ended; this is a bug in atalaya");
            }
        }
        own::store_waiting(self.waiting.rows());
    }

    fn written(&mut self, store: Store, rows: Arc<Gathered>, result: Result<(), StoreError>) {
        match result {
            Ok(()) => {
                self.store = Some(store);
                let rows = self.post.covered();
                self.hand_on(rows);
                self.get_well();
            }
            Err(error) => {
                let mut unwritten = Arc::unwrap_or_clone(rows);
                unwritten.over(std::mem::take(&mut self.waiting));
                self.waiting = unwritten;
                self.bound();
                self.fail(store, &error);
            }
        }
    }

    /// After a full disk or a lock the same connection serves; after anything else a new one is safer.
    fn fail(&mut self, store: Store, error: &StoreError) {
        self.try_at = clock::instant() + RETRY;
        self.tidy_at = self.try_at;
        if matches!(error.trouble, Trouble::Full | Trouble::Locked) {
            self.store = Some(store);
        } else {
            self.broken = Some(store);
        }
        self.fall_ill(&error.to_string());
    }

    /// The file was not there at the start, or is another one than before.
    fn opened(&mut self, store: Store, found: Box<Remembered>) {
        let now = clock::instant();
        if let Some(damage) = &found.damage {
            self.told.tell(false, damage.clone());
        }
        if !self.found {
            // What happened since the start is newer.
            found.outbox.iter().for_each(|row| self.post.sort(row));
            let rows = self.post.all();
            self.hand_on(rows);
            let newer = std::mem::take(&mut self.promised);
            self.remember(&found);
            self.promised.keep_promises_of(&newer);
            self.told.push(Told::Found(found));
        } else if found.is_new {
            tracing::warn!("the store is a new file; what was promised is written again");
            let mut rows = self.promised.clone();
            rows.over(std::mem::take(&mut self.waiting));
            self.waiting = rows;
            self.bound();
        }
        own::store_size(store.size_bytes());
        self.store = Some(store);
        self.try_at = now;
        self.tidy_at = now + TIDY;
        self.get_well();
    }

    fn remember(&mut self, remembered: &Remembered) {
        self.found = true;
        self.promised.keep_promises_of(&remembered.promises());
    }

    fn fall_ill(&mut self, text: &str) {
        let rows = self.post.all();
        self.hand_on(rows);
        if !self.ill {
            self.ill = true;
            own::store_up(false);
            tracing::error!(reason = text, "the store is ill; what happens is kept in memory");
            self.told.tell(false, text.to_owned());
        }
    }

    /// It is well when everything is written.
    fn get_well(&mut self) {
        if self.ill && self.waiting.is_empty() {
            self.ill = false;
            own::store_up(true);
            tracing::info!("the store is well again, and everything is written");
            self.told.tell(true, "the store takes what is written to it".to_owned());
        }
    }
}

/// What came of the job; never where there is none, `None` where it panicked.
async fn finished(job: &mut Option<Job>) -> Option<Done> {
    match job {
        Some(job) => (&mut job.task).await.ok(),
        None => std::future::pending().await,
    }
}
