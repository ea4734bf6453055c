//! Keys, their values and when they expire.

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// More keys than this are refused, as a full plan refuses them.
pub const KEYS_MAX: usize = 20_000;
/// The analytics of older hours go, which the real ones never do by themselves.
const HOURS_KEPT: i64 = 48;
const HOUR_MS: i64 = 3_600_000;

#[derive(Debug, Default)]
pub struct Store {
    keys: BTreeMap<String, Entry>,
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    /// As much is stored as the plan allows.
    pub full: bool,
}

#[derive(Debug)]
pub struct Entry {
    pub value: Stored,
    /// Epoch milliseconds.
    pub expires: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Stored {
    Text(String),
    Hash(BTreeMap<String, String>),
    List(VecDeque<String>),
    Set(BTreeSet<String>),
    /// Members and their scores.
    Sorted(BTreeMap<String, f64>),
}

impl Stored {
    pub const fn kind(&self) -> &'static str {
        match self {
            Stored::Text(_) => "string",
            Stored::Hash(_) => "hash",
            Stored::List(_) => "list",
            Stored::Set(_) => "set",
            Stored::Sorted(_) => "zset",
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Stored::Text(_) => false,
            Stored::Hash(hash) => hash.is_empty(),
            Stored::List(list) => list.is_empty(),
            Stored::Set(set) => set.is_empty(),
            Stored::Sorted(sorted) => sorted.is_empty(),
        }
    }
}

impl Store {
    /// Forgets what has expired.
    pub fn expire(&mut self, now_ms: i64) {
        let before = self.keys.len();
        self.keys.retain(|_, entry| entry.expires.is_none_or(|at| at > now_ms));
        self.expired += (before - self.keys.len()) as u64;
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn with_expiry(&self) -> usize {
        self.keys.values().filter(|entry| entry.expires.is_some()).count()
    }

    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.keys.keys()
    }

    pub fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// A lookup, which is counted.
    pub fn look_up(&mut self, key: &str) -> Option<&Stored> {
        let found = self.keys.get(key).map(|entry| &entry.value);
        if found.is_some() {
            self.hits += 1;
        } else {
            self.misses += 1;
        }
        found
    }

    pub fn entry(&mut self, key: &str) -> Option<&mut Entry> {
        self.keys.get_mut(key)
    }

    pub fn set(&mut self, key: &str, value: Stored, expires: Option<i64>) {
        self.keys.insert(key.to_owned(), Entry { value, expires });
    }

    /// The value at a key, made where there is none.
    pub fn or_insert(&mut self, key: &str, empty: Stored) -> &mut Stored {
        &mut self.keys.entry(key.to_owned()).or_insert(Entry { value: empty, expires: None }).value
    }

    pub fn remove(&mut self, key: &str) -> bool {
        self.keys.remove(key).is_some()
    }

    /// A key whose last member went is gone.
    pub fn tidy(&mut self, key: &str) {
        if self.keys.get(key).is_some_and(|entry| entry.value.is_empty()) {
            self.keys.remove(key);
        }
    }

    pub fn clear(&mut self) {
        self.keys.clear();
    }

    /// About how many bytes are stored.
    pub fn size(&self) -> usize {
        let of = |entry: &Entry| match &entry.value {
            Stored::Text(text) => text.len(),
            Stored::Hash(hash) => hash.iter().map(|(name, value)| name.len() + value.len()).sum(),
            Stored::List(list) => list.iter().map(String::len).sum(),
            Stored::Set(set) => set.iter().map(String::len).sum(),
            Stored::Sorted(sorted) => sorted.keys().map(|member| member.len() + 8).sum(),
        };
        self.keys.iter().map(|(key, entry)| key.len() + of(entry)).sum()
    }

    /// What the token bucket of `@upstash/ratelimit` and its analytics write for one request.
    pub fn limit(&mut self, now_ms: i64, prefix: &str, identifier: &str, allowed: bool) {
        let bucket = BTreeMap::from([
            ("refilledAt".to_owned(), now_ms.to_string()),
            ("tokens".to_owned(), i32::from(allowed).to_string()),
        ]);
        self.set(&format!("{prefix}:{identifier}"), Stored::Hash(bucket), Some(now_ms + 60_000));
        let hour = now_ms.div_euclid(HOUR_MS) * HOUR_MS;
        self.remove(&format!("{prefix}:events:{}", hour - HOURS_KEPT * HOUR_MS));
        let events = self.or_insert(&format!("{prefix}:events:{hour}"), Stored::Sorted(BTreeMap::new()));
        if let Stored::Sorted(events) = events {
            let member = json!({ "identifier": identifier, "success": allowed }).to_string();
            *events.entry(member).or_insert(0.0) += 1.0;
        }
    }
}
