//! Tells pages that they are out of date: one line over a connection that stays, whenever the page would be another one.
//!
//! How a page is, is known from its tag, which is made once for all who look. A connection ends after some minutes like
//! any other; browsers come again by themselves.

use super::cached::Page;
use super::{Shared, status_page};
use crate::app::own;
use crate::view::View;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::convert::Infallible;
use std::fmt::Write;
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

/// For operators: whenever anything has changed that one of their pages shows.
pub async fn ops(State(shared): State<Shared>) -> Response {
    let Ok(place) = shared.viewers.clone().try_acquire_owned() else {
        own::request_refused();
        return (StatusCode::SERVICE_UNAVAILABLE, "too many look at the same time\n").into_response();
    };
    tell(place, move || {
        let shared = shared.clone();
        async move {
            let make = async || Some(signs(&*shared.eyes.look().await?));
            shared.desk.ops.get(make).await
        }
    })
}

/// What stands on the operators' pages and is worth showing anew at once; and every ten seconds the rest.
fn signs(view: &View) -> String {
    let mut text = (view.at.wall.as_second() / 10).to_string();
    for check in &view.checks {
        text.push_str(check.status().as_str());
        text.push_str(check.reason().map_or("", |fault| &fault.text));
    }
    for alert in &view.alerts {
        // Writing to a string can't fail.
        let _ = write!(
            text,
            "{}{}{:?}{}",
            alert.now.key,
            alert.phase.as_str(),
            alert.now.acknowledged_by,
            alert.told.len()
        );
    }
    for silence in &view.silences {
        text.push_str(&silence.id);
    }
    text
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
