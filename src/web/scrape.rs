//! `/metrics`: the place that a scrape takes, and how long it may keep it.
//!
//! There are few places, and whoever reads slowly, or not at all, would keep one for ever: while nothing is read,
//! nothing asks for the next piece, so the pieces can't tell the time themselves. A task takes the place away.

use super::{Shared, own, stuck};
use crate::export::Exposition;
use crate::export::exposition::Format;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

/// Scrapes at the same time; more are refused. Each holds one view and one piece of text.
pub const SCRAPES_MAX: usize = 8;

/// How long an answer may take; a server that scrapes waits ten seconds unless told otherwise.
const SCRAPE_MAX: Duration = Duration::from_secs(30);

/// How long a scrape waits for what the shop said; a write that is under way takes moments.
const TRAFFIC_MAX: Duration = Duration::from_secs(2);

pub(super) async fn metrics(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let Ok(place) = shared.scrapes.clone().try_acquire_owned() else {
        own::request_refused();
        return (StatusCode::SERVICE_UNAVAILABLE, "too many scrapes at the same time\n").into_response();
    };
    let Some(view) = shared.eyes.look().await else { return stuck() };
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::negotiate(accept);
    // Where it can't be told, the rest is: counters that are not there are a gap, and no reset.
    let traffic = tokio::time::timeout(TRAFFIC_MAX, shared.eyes.intake.traffic()).await;
    let mut exposition = Exposition::new(view, shared.eyes.own.render(), format);
    if let Ok(Ok(traffic)) = traffic {
        exposition = exposition.with(traffic);
    }
    let kind = [(header::CONTENT_TYPE, format.content_type())];
    (kind, Body::from_stream(stream::iter(bounded(exposition, place)))).into_response()
}

type Place = Arc<Mutex<Option<OwnedSemaphorePermit>>>;

/// The pieces, while the place is held; an error once it is taken away, so that half an answer never looks whole.
fn bounded(
    pieces: impl Iterator<Item = Vec<u8>>,
    place: OwnedSemaphorePermit,
) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    let held = Held::new(place);
    pieces.map(move |piece| if held.is_held() { Ok(piece) } else { Err(io::ErrorKind::TimedOut.into()) })
}

struct Held {
    place: Place,
    timer: JoinHandle<()>,
}

impl Held {
    fn new(place: OwnedSemaphorePermit) -> Held {
        let place: Place = Arc::new(Mutex::new(Some(place)));
        let taken = place.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(SCRAPE_MAX).await;
            give_back(&taken);
        });
        Held { place, timer }
    }

    fn is_held(&self) -> bool {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.timer.abort();
        give_back(&self.place);
    }
}

fn give_back(place: &Place) {
    place.lock().unwrap_or_else(PoisonError::into_inner).take();
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Semaphore;

    fn scrape(places: &Arc<Semaphore>) -> Option<impl Iterator<Item = io::Result<Vec<u8>>> + use<>> {
        let place = places.clone().try_acquire_owned().ok()?;
        Some(bounded([b"first".to_vec(), b"second".to_vec()].into_iter(), place))
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_does_not_read_loses_its_place_and_gets_no_half_answer() {
        let places = Arc::new(Semaphore::new(1));
        let mut stalled = scrape(&places).expect("a place");
        assert_eq!(stalled.next().expect("a piece").expect("in time"), b"first");
        tokio::time::sleep(SCRAPE_MAX.saturating_sub(Duration::from_secs(1))).await;
        assert!(scrape(&places).is_none(), "the place is taken");
        tokio::time::sleep(Duration::from_secs(2)).await;
        let other = scrape(&places).expect("a place again");
        let error = stalled.next().expect("no silent end").expect_err("too late");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(stalled);
        assert!(scrape(&places).is_none(), "what was taken away is not given back twice");
        drop(other);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scrape_that_is_read_gives_its_place_back_at_once() {
        let places = Arc::new(Semaphore::new(1));
        let pieces: Vec<_> = scrape(&places).expect("a place").map(|piece| piece.expect("in time")).collect();
        assert_eq!(pieces, [b"first".to_vec(), b"second".to_vec()]);
        assert_eq!(places.available_permits(), 1);
    }
}
