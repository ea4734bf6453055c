//! Opening the file, as often as it takes.

use crate::clock;
use crate::ingest::Source;
use crate::store::StoreError;
use crate::store::inbox::Inbox;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// A file that can't be used is tried again so much later.
const RETRY: Duration = Duration::from_secs(3);
/// Checks begin to run then, and pages to be served.
const BEGINS_WITHIN: Duration = Duration::from_secs(2);
/// For one that takes longer nobody waits any more; it goes on by itself.
const WITHIN: Duration = Duration::from_secs(1);

/// The file, and what became of one that was damaged.
pub type Opened = Result<(Inbox, Option<String>), StoreError>;

pub struct Opening {
    store: Option<PathBuf>,
    /// What was opened first, until it is taken over.
    given: Option<Opened>,
    /// What was open before, being closed: its lock is held until then.
    closing: Option<JoinHandle<()>>,
    /// One at a time: on a disk that hangs each would hold a thread.
    under_way: Option<JoinHandle<Opened>>,
    try_at: Instant,
}

/// What came of a try.
pub enum Tried {
    /// Its time has not come.
    NotYet,
    Hangs,
    Done(Box<Opened>),
}

impl Opening {
    /// `store` is the file that it lies beside. Where that takes long, whoever asked goes on without it.
    pub async fn begin(store: Option<PathBuf>) -> Opening {
        let mut under_way = start(store.clone());
        let (given, under_way) = match timeout(BEGINS_WITHIN, &mut under_way).await {
            Ok(ended) => (ended.ok(), None),
            Err(_) => (None, Some(under_way)),
        };
        Opening { store, given, closing: None, under_way, try_at: clock::instant() }
    }

    /// Of what anything was heard. Where that can't be known everything is as it was meant.
    pub fn heard(&self) -> BTreeSet<Source> {
        match &self.given {
            Some(Ok((inbox, None))) => inbox.heard(),
            _ => Source::ALL.into(),
        }
    }

    pub async fn attempt(&mut self) -> Tried {
        let now = clock::instant();
        if now < self.try_at {
            return Tried::NotYet;
        }
        self.try_at = now + RETRY;
        if let Some(given) = self.given.take() {
            return Tried::Done(Box::new(given));
        }
        if let Some(closing) = &mut self.closing {
            if timeout(WITHIN, closing).await.is_err() {
                return Tried::Hangs;
            }
            self.closing = None;
        }
        let under_way = self.under_way.get_or_insert_with(|| start(self.store.clone()));
        let Ok(ended) = timeout(WITHIN, under_way).await else { return Tried::Hangs };
        self.under_way = None;
        // One that panicked is tried again.
        ended.map_or(Tried::NotYet, |opened| Tried::Done(Box::new(opened)))
    }

    /// What was open can't be used. One that hangs is left to itself: nothing else waits for it.
    pub fn let_go(&mut self, inbox: Inbox) {
        self.try_at = clock::instant() + RETRY;
        self.closing = Some(tokio::spawn(inbox.close()));
    }
}

fn start(store: Option<PathBuf>) -> JoinHandle<Opened> {
    tokio::spawn(async move { Inbox::open(store.as_deref()).await })
}
