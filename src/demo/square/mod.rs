//! Square, simulated: the part of its API that a shop and its watchers use, with the shapes, the defaults
//! and the pitfalls of the real one (payments of the main location only unless one is named, at most 100 a
//! page, errors in their envelope), and faults that can be switched on.
//!
//! It has no clock: what time it is comes in from outside. All state is in memory and bounded.

mod account;
mod answer;
mod books;
mod fault;
mod gate;
mod ledger;
mod orders;
mod payments;
mod refunds;

pub use books::{Booked, Discrepancy};
pub use fault::Fault;
pub use ledger::Ending;

use account::Shop;
use answer::Reply;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use ledger::{Ledger, Payment};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many calls are remembered one by one.
const CALLS_KEPT: usize = 1_000;

/// A Square of one merchant.
pub struct Square {
    state: Mutex<State>,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

#[derive(Debug)]
struct State {
    ledger: Ledger,
    shop: Shop,
    faults: BTreeSet<Fault>,
    calls: u64,
    recent_calls: VecDeque<String>,
    /// The share of payments that a fault of payments strikes.
    share: f64,
    /// Payments that it could have struck, and those that it has.
    exposed: u64,
    struck: u64,
}

impl Square {
    /// The access token that it takes.
    pub const TOKEN: &'static str = "EAAAsimulated-square-access-token";
    /// The application that the token belongs to.
    pub const APPLICATION_ID: &'static str = "sq0idp-simulatedApplication0";
    /// The main location: the default of everything.
    pub const MAIN_LOCATION: &'static str = "LMAIN00000001";
    /// A second location.
    pub const MARKET_LOCATION: &'static str = "LMARKET000002";

    /// A Square for which it is always as late as `now` says.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Arc<Square> {
        let state = State {
            ledger: Ledger::default(),
            shop: Shop::new(now()),
            faults: BTreeSet::new(),
            calls: 0,
            recent_calls: VecDeque::new(),
            share: 0.5,
            exposed: 0,
            struck: 0,
        };
        Arc::new(Square { state: Mutex::new(state), now: Box::new(now) })
    }

    /// The API, to be put under the root of a server.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/oauth2/token/status", post(account::token_status))
            .route("/v2/merchants", get(account::merchants))
            .route("/v2/merchants/{id}", get(account::merchant))
            .route("/v2/locations", get(account::locations))
            .route("/v2/locations/{id}", get(account::location))
            .route("/v2/webhooks/subscriptions", get(account::subscriptions))
            .route("/v2/payments", get(payments::list).post(payments::create))
            .route("/v2/payments/cancel", post(payments::cancel_by_key))
            .route("/v2/payments/{id}", get(payments::one))
            .route("/v2/payments/{id}/cancel", post(payments::cancel))
            .route("/v2/payments/{id}/complete", post(payments::complete))
            .route("/v2/refunds", get(refunds::list).post(refunds::create))
            .route("/v2/refunds/{id}", get(refunds::one))
            .route("/v2/orders/search", post(orders::search))
            .fallback(gate::no_such_place)
            .method_not_allowed_fallback(gate::no_such_method)
            .layer(from_fn_with_state(Arc::clone(self), gate::pass))
            .with_state(Arc::clone(self))
    }

    /// A customer pays at the main location; gives the payment's id. Faults of payments strike here too.
    pub fn pay(&self, now: Timestamp, amount: i64, ending: Ending) -> String {
        self.pay_at(Square::MAIN_LOCATION, now, amount, ending)
    }

    /// As [`Square::pay`], at another location.
    pub fn pay_at(&self, location: &str, now: Timestamp, amount: i64, ending: Ending) -> String {
        let mut state = self.state();
        let ending = state.struck(ending);
        let number = state.ledger.next();
        let payment = Payment {
            email: Some(format!("customer{number}@example.com")),
            ..Payment::new(number, now, amount, ending, location)
        };
        let id = payment.id.clone();
        state.ledger.add(payment);
        id
    }

    /// Switches a fault on or off.
    pub fn set(&self, fault: Fault, on: bool) {
        let mut state = self.state();
        if fault == Fault::WebhookDisabled {
            state.shop.webhook_changed_at = (self.now)();
        }
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

    /// The share of payments that `declines` or `our-failures` strikes, 0 to 1; a half at first.
    pub fn set_share(&self, share: f64) {
        let mut state = self.state();
        (state.share, state.exposed, state.struck) = (share.clamp(0.0, 1.0), 0, 0);
    }

    /// When the token expires; `None` is never.
    pub fn set_token_expiry(&self, at: Option<Timestamp>) {
        self.state().shop.token_expires_at = at;
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The last calls, oldest first: `GET /v2/payments?limit=100`.
    pub fn recent_calls(&self) -> Vec<String> {
        self.state().recent_calls.iter().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn count(&mut self, call: String) {
        self.calls += 1;
        if self.recent_calls.len() >= CALLS_KEPT {
            self.recent_calls.pop_front();
        }
        self.recent_calls.push_back(call);
    }

    /// What becomes of a payment that would go well, while payments are broken.
    fn struck(&mut self, ending: Ending) -> Ending {
        let (declines, failures) = (self.has(Fault::Declines), self.has(Fault::OurFailures));
        if !matches!(ending, Ending::Paid | Ending::Authorized) || !(declines || failures) {
            return ending;
        }
        self.exposed += 1;
        if ((self.exposed as f64) * self.share).round() as u64 <= self.struck {
            return ending;
        }
        self.struck += 1;
        match (declines, self.struck % 2) {
            (true, 1) => Ending::Declined("GENERIC_DECLINE"),
            (true, _) => Ending::Declined("INSUFFICIENT_FUNDS"),
            (false, 1) => Ending::Failed("PAYMENT_LIMIT_EXCEEDED"),
            (false, _) => Ending::Failed("CARD_PROCESSING_NOT_ENABLED"),
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        (self.status, [(CONTENT_TYPE, "application/json")], self.body.to_string()).into_response()
    }
}
