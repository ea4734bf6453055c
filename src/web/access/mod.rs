//! Who may see and change what.
//!
//! There are five kinds of routes, and a route is always of one of them ([`gate::Pages`]):
//!
//! | kind | who may ask |
//! |---|---|
//! | public, embedded | anybody; credentials are not looked at |
//! | private | callers on this machine, and operators |
//! | operators | operators |
//! | changes | operators, and a browser must prove that the page it shows is ours (`proof`) |
//! | senders | whoever has the token of `[ingest]`, and operators' programs |
//!
//! The gate stands before the handlers, so a handler can't forget it. A handler that wants to know who asks takes
//! [`Caller`], [`MaySee`], [`Operator`] or [`MayChange`]; each refuses by itself too, so that one that was put among
//! routes of a wrong kind is shut rather than open.

mod caller;
mod door;
mod extract;
pub mod gate;
mod login;
mod proof;
mod session;
pub mod token;

use super::limit::Limiter;
use crate::config::Http;
use crate::config::http::Digest;
use session::Sessions;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

pub(in crate::web) use caller::network;
pub use caller::{Source, is_loopback_name};
pub use extract::{MayChange, MaySee};
pub(in crate::web) use login::pages;
pub use proof::BODY_BYTES_MAX;

/// Wrong credentials from one address: so many at once, and one more every so often.
const FAILURES: (u32, Duration) = (10, Duration::from_secs(6));
/// Wrong credentials that a browser sends by itself or that are typed, from everybody together.
const LOGIN_FAILURES: (u32, Duration) = (100, Duration::from_millis(500));

/// Who asks.
#[derive(Debug, Clone, Default)]
pub enum Caller {
    /// Nobody knows who.
    #[default]
    Anybody,
    /// Somebody on this machine.
    Local,
    Operator(Operator),
}

/// Somebody who has the token.
#[derive(Debug, Clone)]
pub struct Operator {
    /// How they call themselves, as one plain line; nobody vouches for it.
    pub name: Option<String>,
    pub how: How,
    csrf: String,
}

impl Operator {
    /// What each form that changes something holds in a hidden field `csrf`, and each other request of a page in the
    /// header `X-CSRF-Token`.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// How an operator showed the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// `Authorization: Bearer TOKEN`: a program that means it.
    Bearer,
    /// `Authorization: Basic`: a browser sends it by itself once it knows it.
    Basic,
    /// The cookie of a login: a browser sends it by itself.
    Session,
}

/// Knows the token, the sessions and who failed of late.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    terms: RwLock<Terms>,
    sessions: Mutex<Sessions>,
    /// What proofs are made with; new with each process.
    secret: [u8; 32],
    failures: Limiter<Source>,
    login_failures: Limiter<()>,
}

#[derive(Clone)]
struct Terms {
    token: Digest,
    http: Arc<Http>,
}

impl Access {
    /// `token` is what operators present; see [`Http::token`].
    pub fn new(token: Digest, http: Arc<Http>) -> Result<Access, String> {
        Ok(Access(Arc::new(Inner {
            terms: RwLock::new(Terms { token, http }),
            sessions: Mutex::default(),
            secret: token::random()?,
            failures: Limiter::new(FAILURES.0, FAILURES.1),
            login_failures: Limiter::new(LOGIN_FAILURES.0, LOGIN_FAILURES.1),
        })))
    }

    /// Takes over what the definitions say now. A new token ends all sessions; where none is given any more, the one in
    /// force stays.
    pub fn renew(&self, http: Arc<Http>) {
        let mut terms = self.0.terms.write().unwrap_or_else(PoisonError::into_inner);
        let new = http.token.as_ref().filter(|token| !token.is(&terms.token)).cloned();
        terms.http = http;
        if let Some(token) = new {
            terms.token = token;
            self.sessions(Sessions::end_all);
            tracing::info!("the token is new; all sessions are ended");
        }
    }

    /// What the definitions say now.
    pub fn http(&self) -> Arc<Http> {
        self.terms().http
    }

    fn terms(&self) -> Terms {
        self.0.terms.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn sessions<T>(&self, act: impl FnOnce(&mut Sessions) -> T) -> T {
        act(&mut self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
