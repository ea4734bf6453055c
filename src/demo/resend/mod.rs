//! Resend, simulated: the part of its API that a shop and its watchers use, with its headers, limits and
//! error bodies, and faults that can be switched on.
//!
//! It has no clock: what time it is comes in from outside. All state is in memory and bounded.

mod answer;
mod domains;
mod emails;
mod fault;
mod gate;
pub mod inbox;

pub use fault::Fault;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use domains::Domain;
use emails::Outbox;
pub use emails::Received;
use gate::Window;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A Resend with one account.
pub struct Resend {
    state: Mutex<State>,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

struct State {
    domains: Vec<Domain>,
    outbox: Outbox,
    window: Window,
    faults: BTreeSet<Fault>,
    calls: u64,
}

impl Resend {
    /// A key with full access.
    pub const KEY: &'static str = "re_simulated_full_access_key";
    /// A key that may only send.
    pub const SENDING_KEY: &'static str = "re_simulated_sending_key";
    /// The domain that the shop sends from.
    pub const DOMAIN: &'static str = "shop.example";

    /// A Resend for which it is always as late as `now` says.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Arc<Resend> {
        let state = State {
            domains: vec![Domain::new(Resend::DOMAIN, now())],
            outbox: Outbox::default(),
            window: Window::default(),
            faults: BTreeSet::new(),
            calls: 0,
        };
        Arc::new(Resend { state: Mutex::new(state), now: Box::new(now) })
    }

    /// The API, to be put under the root of a server.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/domains", get(domains::list))
            .route("/domains/{id}", get(domains::one))
            .route("/api-keys", get(domains::api_keys))
            .route("/emails", post(emails::send).get(emails::list))
            .route("/emails/{id}", get(emails::one))
            .fallback(gate::no_such_place)
            .method_not_allowed_fallback(gate::no_such_method)
            .layer(from_fn_with_state(Arc::clone(self), gate::pass))
            .with_state(Arc::clone(self))
    }

    /// The shop sends an email that nobody refuses; what becomes of it depends on the faults.
    pub fn deliver(&self, subject: &str) {
        let now = (self.now)();
        let mut state = self.state();
        let bounces = state.has(Fault::Bounces);
        state.outbox.add_simple(now, subject, bounces);
    }

    /// Adds a domain that is not verified yet.
    pub fn add_unverified_domain(&self, name: &str) {
        let now = (self.now)();
        let domain = Domain { status: "not_started", ..Domain::new(name, now) };
        self.state().domains.push(domain);
    }

    /// The plan allows so many emails a day; more are refused.
    pub fn limit_daily(&self, emails: usize) {
        self.state().outbox.daily_quota = Some(emails);
    }

    /// Switches a fault on or off.
    pub fn set(&self, fault: Fault, on: bool) {
        let mut state = self.state();
        if on {
            state.faults.insert(fault)
        } else {
            state.faults.remove(&fault)
        };
    }

    /// Switches all faults off.
    pub fn mend(&self) {
        self.state().faults.clear();
    }

    /// The faults that are on.
    pub fn faults(&self) -> Vec<Fault> {
        self.state().faults.iter().copied().collect()
    }

    /// The emails that were sent to `to` and are kept, the newest first.
    pub fn received(&self, to: &str) -> Vec<Received> {
        self.state().outbox.received(to)
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.state().calls
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
