//! Upstash Redis, simulated: its REST interface (path form, `POST /`, `/pipeline`, `/multi-exec`) over a small
//! store in memory, with its errors, a read-only token, what `@upstash/ratelimit` leaves behind, and faults
//! that can be switched on.
//!
//! It has no clock: what time it is comes in from outside. All state is in memory and bounded.

mod argument;
mod command;
mod fault;
mod info;
mod rest;
mod store;

pub use fault::Fault;

use axum::Router;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::Store;

/// A database at Upstash.
pub struct Upstash {
    state: Mutex<State>,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

struct State {
    store: Store,
    faults: BTreeSet<Fault>,
    calls: u64,
    /// Commands, each of which is billed.
    commands: u64,
}

impl Upstash {
    /// The token that may do everything.
    pub const TOKEN: &'static str = "AXSimulatedUpstashToken";
    /// The token that may only read.
    pub const READ_ONLY_TOKEN: &'static str = "AhSimulatedUpstashReadOnlyToken";

    /// An empty database for which it is always as late as `now` says.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Arc<Upstash> {
        let state = State { store: Store::default(), faults: BTreeSet::new(), calls: 0, commands: 0 };
        Arc::new(Upstash { state: Mutex::new(state), now: Box::new(now) })
    }

    /// The REST interface, to be put under the root of a server.
    pub fn router(self: &Arc<Self>) -> Router {
        rest::router(self)
    }

    /// Somebody's request met the rate limiter with this prefix, which writes down that it did: a bucket of
    /// tokens for the caller, and its analytics of the hour. Refused writes lose both, as in real life.
    pub fn limit(&self, prefix: &str, identifier: &str, allowed: bool) {
        let now = (self.now)();
        let mut state = self.state();
        if state.faults.iter().any(|fault| fault.loses_writes()) {
            return;
        }
        state.store.limit(now.as_millisecond(), prefix, identifier, allowed);
    }

    /// Switches a fault on or off.
    pub fn set(&self, fault: Fault, on: bool) {
        let mut state = self.state();
        if fault == Fault::StorageFull {
            state.store.full = on;
        }
        if on {
            state.faults.insert(fault)
        } else {
            state.faults.remove(&fault)
        };
    }

    /// Switches all faults off.
    pub fn mend(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.store.full = false;
    }

    /// The faults that are on.
    pub fn faults(&self) -> Vec<Fault> {
        self.state().faults.iter().copied().collect()
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// How many commands were asked for in them; each is billed.
    pub fn commands(&self) -> u64 {
        self.state().commands
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}

impl Fault {
    /// Whether a rate limiter can't write while this is on.
    const fn loses_writes(self) -> bool {
        !matches!(self, Fault::Slow | Fault::RateLimited)
    }
}
