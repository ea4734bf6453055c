//! Tells pages that they are out of date: one line over a connection that stays, whenever the page would be another one.
//!
//! How a page is, is known from its tag, which is made once for all who look. A connection ends after some minutes like
//! any other; browsers come again by themselves.

use super::cached::Page;
use super::{Shared, status_page};
use crate::app::own;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// How often it is looked whether something has changed.
const EVERY: Duration = Duration::from_millis(700);
/// A line that says nothing, so that whoever stands between does not take the connection for dead.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

pub async fn status(State(shared): State<Shared>) -> Response {
    let Ok(place) = shared.viewers.clone().try_acquire_owned() else {
        own::request_refused();
        return (StatusCode::SERVICE_UNAVAILABLE, "too many look at the same time\n").into_response();
    };
    tell(place, move || {
        let shared = shared.clone();
        async move { status_page(&shared).await }
    })
}

/// The tag of the page at once, and again whenever it is another.
fn tell<F>(place: OwnedSemaphorePermit, page: impl Fn() -> F + Send + 'static) -> Response
where
    F: Future<Output = Option<Arc<Page>>> + Send,
{
    let changes = stream::unfold((place, page, String::new()), |(place, page, last)| async move {
        loop {
            if let Some(now) = page().await
                && now.tag != last
            {
                let event = Event::default().event("page").data(now.tag.trim_matches('"'));
                return Some((Ok::<_, Infallible>(event), (place, page, now.tag.clone())));
            }
            tokio::time::sleep(EVERY).await;
        }
    });
    Sse::new(changes).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)).into_response()
}
