//! What was read last, and when.

use super::Span;
use crate::clock;
use crate::view::past::{Burns, Days, Episode, HeatMap, Message, ObjectiveDays, Windows};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Charts of a kind that are kept; the one that was read first goes.
const CHARTS_MAX: usize = 64;

/// Objectives: name and generation of each.
pub(super) type Promised = Arc<[(Arc<str>, u64)]>;

/// Everything that is kept.
#[derive(Default)]
pub(super) struct Shelf {
    pub days: Kept<Days>,
    pub promised: Promised,
    /// Of what is promised.
    pub objective_days: Kept<ObjectiveDays>,
    pub windows: HashMap<Span, Kept<Windows>>,
    pub maps: Charts<(Arc<str>, Span), HeatMap>,
    pub burns: Charts<(Arc<str>, u64, Span), Burns>,
    pub episodes: Kept<Vec<Episode>>,
    pub messages: Kept<Vec<Message>>,
}

/// One answer.
pub(super) struct Kept<T> {
    read: Option<(Instant, Arc<T>)>,
    /// Somebody reads it anew, and those who ask meanwhile need not.
    pub is_read_anew: bool,
}

impl<T> Default for Kept<T> {
    fn default() -> Kept<T> {
        Kept { read: None, is_read_anew: false }
    }
}

impl<T> Kept<T> {
    /// The answer, unless it is older than that.
    pub fn within(&self, age: Duration) -> Option<Arc<T>> {
        self.read.as_ref().filter(|(read, _)| read.elapsed() < age).map(|(_, answer)| answer.clone())
    }

    pub fn put(&mut self, answer: Arc<T>) {
        self.read = Some((clock::instant(), answer));
    }
}

/// A bounded number of answers.
pub(super) struct Charts<K, T>(HashMap<K, Kept<T>>);

impl<K, T> Default for Charts<K, T> {
    fn default() -> Charts<K, T> {
        Charts(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash, T> Charts<K, T> {
    /// Where the answer for `key` is kept.
    pub fn place(&mut self, key: &K) -> &mut Kept<T> {
        if self.0.len() >= CHARTS_MAX && !self.0.contains_key(key) {
            let read = |kept: &Kept<T>| kept.read.as_ref().map(|(read, _)| *read);
            let oldest = self.0.iter().min_by_key(|(_, kept)| read(kept)).map(|(key, _)| key.clone());
            self.0.retain(|key, _| Some(key) != oldest.as_ref());
        }
        self.0.entry(key.clone()).or_default()
    }
}
