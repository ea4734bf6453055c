//! Who has logged in: the browser has a random name, and here is only its hash.

use super::token::random;
use crate::clock::Steady;
use crate::config::http::{Digest, hex};
use std::collections::VecDeque;
use std::time::Duration;

/// A day's work; then one logs in anew.
pub const SESSION_MAX: Duration = Duration::from_hours(12);
/// More operators than a shop has; beyond that the oldest goes.
const SESSIONS_MAX: usize = 64;

/// The oldest first.
#[derive(Default)]
pub struct Sessions(VecDeque<Session>);

struct Session {
    id: Digest,
    opened: Steady,
    login: Login,
}

/// What was said at a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// How the operator calls themselves.
    pub name: Option<String>,
}

impl Sessions {
    /// Opens one; what the browser is to present.
    pub fn open(&mut self, login: Login, now: Steady) -> Result<String, String> {
        let id = hex(&random::<32>()?);
        self.forget_old(now);
        while self.0.len() >= SESSIONS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Session { id: Digest::of(&id), opened: now, login });
        Ok(id)
    }

    /// The login to which `id` belongs.
    pub fn find(&mut self, id: &Digest, now: Steady) -> Option<Login> {
        self.forget_old(now);
        self.0.iter().find(|session| session.id.is(id)).map(|session| session.login.clone())
    }

    pub fn end(&mut self, id: &Digest) {
        self.0.retain(|session| !session.id.is(id));
    }

    pub fn end_all(&mut self) {
        self.0.clear();
    }

    fn forget_old(&mut self, now: Steady) {
        self.0.retain(|session| now.saturating_sub(session.opened) < SESSION_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(name: &str) -> Login {
        Login { name: Some(name.to_owned()) }
    }

    fn open(sessions: &mut Sessions, name: &str, at: u64) -> Digest {
        let id = sessions.open(login(name), Duration::from_secs(at)).expect("random numbers");
        assert_eq!(id.len(), 64, "256 bits");
        Digest::of(&id)
    }

    #[test]
    fn a_session_ends_by_itself_and_when_it_is_told_to() {
        let mut sessions = Sessions::default();
        let (ana, ben) = (open(&mut sessions, "ana", 0), open(&mut sessions, "ben", 60));
        let hours = |hours| Duration::from_hours(hours);
        assert_eq!(sessions.find(&ana, hours(1)), Some(login("ana")));
        assert_eq!(sessions.find(&Digest::of("another"), hours(1)), None);
        assert_eq!(sessions.find(&ana, hours(12)), None);
        assert!(sessions.find(&ben, hours(12)).is_some());
        sessions.end(&ben);
        assert_eq!(sessions.find(&ben, hours(12)), None);
    }

    #[test]
    fn there_are_64_at_most_and_the_oldest_goes() {
        let mut sessions = Sessions::default();
        let all: Vec<_> = (0..65).map(|n| open(&mut sessions, "a", n)).collect();
        let now = Duration::from_secs(65);
        assert!(sessions.find(&all[0], now).is_none() && sessions.find(&all[1], now).is_some());
        assert_eq!(sessions.0.len(), SESSIONS_MAX);
        sessions.end_all();
        assert!(sessions.find(&all[64], now).is_none());
    }
}
