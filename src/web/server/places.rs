//! Who holds a connection. There are so many places, and when they are taken the one goes that needs its place least: so
//! nobody locks out Prometheus or an operator by holding connections and asking nothing.

use crate::clock;
use crate::web::access::network;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

const CONNECTIONS_MAX: usize = 256;
/// From one address beyond this machine (of IPv6 a network of 64 bits).
const OF_ONE_MAX: usize = 64;
/// An answer that takes longer than this is a stream, or is read slowly; it may have to make room.
const ANSWER_GRACE: Duration = Duration::from_secs(10);

/// All places.
#[derive(Clone, Default)]
pub struct Places(Arc<Mutex<Vec<Arc<Place>>>>);

/// The place of one connection.
pub struct Place {
    network: IpAddr,
    loopback: bool,
    /// An operator has shown the token on it.
    trusted: AtomicBool,
    state: Mutex<State>,
    leave: Notify,
}

#[derive(Clone, Copy)]
struct State {
    answering: bool,
    since: Instant,
}

/// A place that is held; it is free again when this goes.
pub struct Held {
    pub place: Arc<Place>,
    places: Places,
}

impl Places {
    /// A place for a connection from this address; none where all are taken by others that need theirs.
    pub fn take(&self, address: IpAddr) -> Option<Held> {
        let address = address.to_canonical();
        let (network, loopback) = (network(address), address.is_loopback());
        let now = clock::instant();
        let mut all = lock(&self.0);
        if all.iter().filter(|place| !place.loopback && place.network == network).count() >= OF_ONE_MAX {
            make_room(&mut all, now, |place| place.network == network)?;
        }
        if all.len() >= CONNECTIONS_MAX {
            make_room(&mut all, now, |_| true)?;
        }
        let place = Arc::new(Place {
            network,
            loopback,
            trusted: AtomicBool::new(false),
            state: Mutex::new(State { answering: false, since: now }),
            leave: Notify::new(),
        });
        all.push(place.clone());
        drop(all);
        Some(Held { place, places: self.clone() })
    }
}

/// Tells the connection to leave that needs its place least: strangers before those of this machine and operators, the
/// idle before those that get an answer, and of these the longest.
fn make_room(all: &mut Vec<Arc<Place>>, now: Instant, among: impl Fn(&Place) -> bool) -> Option<()> {
    let need = |place: &Place| {
        let kept = place.loopback || place.trusted.load(Ordering::Relaxed);
        let State { answering, since } = *lock(&place.state);
        let busy = answering && (kept || now.saturating_duration_since(since) < ANSWER_GRACE);
        (!busy).then_some((kept, answering, since))
    };
    let candidates = all.iter().enumerate().filter(|(_, place)| among(place));
    let (_, least) = candidates.filter_map(|(at, place)| Some((need(place)?, at))).min()?;
    all.swap_remove(least).leave.notify_one();
    Some(())
}

impl Place {
    /// An operator uses it.
    pub fn trust(&self) {
        self.trusted.store(true, Ordering::Relaxed);
    }

    pub fn set_answering(&self, answering: bool) {
        *lock(&self.state) = State { answering, since: clock::instant() };
    }

    /// Ends when somebody else needs the place.
    pub async fn told_to_leave(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.places.0).retain(|place| !Arc::ptr_eq(place, &self.place));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// As many strangers as there are places, each from an address of its own.
    fn full(places: &Places) -> Vec<Held> {
        let stranger = |n: usize| IpAddr::from([192, 0, 2, n as u8]);
        (0..CONNECTIONS_MAX).map(|n| places.take(stranger(n)).expect("a place")).collect()
    }

    fn left(held: &Held) -> bool {
        use futures_util::FutureExt;
        held.place.told_to_leave().now_or_never().is_some()
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_stranger_makes_room() {
        let places = Places::default();
        let operator = places.take(IpAddr::from([198, 51, 100, 1])).expect("a place");
        operator.place.trust();
        let here = places.take(HERE).expect("a place");
        pass(1).await;
        let strangers = full(&places);
        assert_eq!(lock(&places.0).len(), CONNECTIONS_MAX);
        assert!(!left(&operator) && !left(&here));
        assert_eq!(strangers.iter().filter(|held| left(held)).count(), 2);
        drop(strangers);
        assert_eq!(lock(&places.0).len(), 2, "who was told to leave does not give a place back twice");
    }

    #[tokio::test(start_paused = true)]
    async fn who_gets_an_answer_stays_for_a_while_and_an_operator_for_as_long_as_it_takes() {
        let places = Places::default();
        let strangers = full(&places);
        for held in &strangers {
            held.place.set_answering(true);
        }
        strangers[7].place.trust();
        pass(9).await;
        assert!(places.take(HERE).is_none());
        pass(2).await;
        strangers[0].place.set_answering(false);
        let _first = places.take(HERE).expect("a place");
        assert!(left(&strangers[0]), "the idle before those that get an answer");
        let _others: Vec<_> = (0..254).map(|_| places.take(HERE).expect("a place")).collect();
        assert!(!left(&strangers[7]));
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_has_its_share_and_this_machine_all() {
        let places = Places::default();
        let far = IpAddr::from([198, 51, 100, 1]);
        let other = places.take(IpAddr::from([198, 51, 100, 2])).expect("a place");
        let held: Vec<_> = (0..OF_ONE_MAX).map(|_| places.take(far).expect("a place")).collect();
        let _one_more = places.take(far).expect("a place");
        assert!(!left(&other), "it takes the place of its own");
        assert_eq!(held.iter().filter(|held| left(held)).count(), 1);
        assert_eq!(lock(&places.0).len(), OF_ONE_MAX + 1);
        let here: Vec<_> = (0..CONNECTIONS_MAX - OF_ONE_MAX - 1).map(|_| places.take(HERE)).collect();
        assert!(here.iter().all(Option::is_some));
    }
}
