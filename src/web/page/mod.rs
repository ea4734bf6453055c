//! Pages for people: the status page for everybody and, behind the gate, the operators' pages.
//!
//! A page is whole without a script. With one it is live: the script is told over `/live` that something has changed,
//! gets the same page again and exchanges what differs. Each page is made at most twice a second however many people look
//! at it, from a view that is shared; nobody who looks stands in the way of checking.

pub mod assets;
mod badge;
mod cached;
mod feed;
pub mod figure;
pub mod live;
pub mod overview;
mod status;
pub mod words;

use super::{Shared, stuck};
use crate::app::Eyes;
use crate::view::View;
use crate::view::status::{Past, Status};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cached::Cached;
use std::sync::Arc;

/// What pages share.
#[derive(Default)]
pub struct Desk {
    status: Cached,
    /// What tells whether an operators' page would be another one.
    ops: Cached,
}

/// What anybody may see.
pub fn public() -> Router<Shared> {
    Router::new()
        .route("/", get(front))
        .route("/feed.atom", get(feed::show))
        .route("/live", get(live::status))
        .route("/assets/{name}", get(assets::serve))
        .route("/favicon.ico", get(assets::icon))
}

/// What pages of others may show.
pub fn embedded() -> Router<Shared> {
    Router::new().route("/badges/{file}", get(badge::show))
}

/// The status page for browsers, and text for those that don't ask for HTML.
async fn front(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if !wants_html(&headers) {
        return match shared.eyes.look().await {
            Some(view) => overview::parts(&see(&shared.eyes, &view).await).into_response(),
            None => stuck(),
        };
    }
    match status_page(&shared).await {
        Some(page) => page.answer(&headers),
        None => stuck(),
    }
}

/// The page as it is now; the same one for half a second.
async fn status_page(shared: &Shared) -> Option<Arc<cached::Page>> {
    let make = async || {
        let view = shared.eyes.look().await?;
        Some(status::render(&see(&shared.eyes, &view).await, &view.left_out.page))
    };
    shared.desk.status.get(make).await
}

/// How the shop is, with what is known of the past.
pub async fn see(eyes: &Eyes, view: &View) -> Status {
    let almanac = &eyes.almanac;
    // What can't be read now is not shown; that the store is ill is an alert of its own.
    let days = almanac.days().await.ok();
    let objectives = almanac.objective_days(view.left_out.promised_by_parts()).await.ok();
    let episodes = almanac.episodes().await.ok();
    let past = Past {
        days: days.as_deref(),
        objectives: objectives.as_deref(),
        episodes: episodes.as_ref().map(|all| all.as_slice()).unwrap_or_default(),
    };
    Status::new(view, past)
}

/// Whether a browser asks.
pub fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|kind| kind.trim().starts_with("text/html"))
}

/// A template that can't be filled is a bug; whoever looks is told no more than that.
pub fn html(rendered: Result<String, askama::Error>) -> Response {
    match rendered {
        Ok(text) => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page can't be made");
            (StatusCode::INTERNAL_SERVER_ERROR, "this page can't be made; the log says why\n").into_response()
        }
    }
}
