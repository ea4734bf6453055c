//! What programs ask: the state of everything as JSON, and what changes it. [`openapi`] describes it.

mod alerting;
mod health;
mod openapi;
mod shape;
mod traffic;

pub use alerting::{NewSilence, silence, who_and_why};
pub use traffic::seen;

use super::access::gate::Pages;
use super::page::{self, overview};
use super::{Shared, stuck};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{delete, get, post};
use shape::{CheckShape, ChecksShape, EpisodeShape, StatusShape};

pub(super) fn pages() -> Pages<Shared> {
    let public = Router::new()
        .route("/api/v1/status", get(status))
        .route("/api/v1/openapi.json", get(async || Json(openapi::description())));
    let private = Router::new()
        .route("/api/v1/health", get(report))
        .route("/api/v1/checks", get(checks))
        .route("/api/v1/checks/{name}", get(check))
        .route("/api/v1/objectives", get(alerting::objectives))
        .route("/api/v1/objectives/{name}", get(alerting::objective))
        .route("/api/v1/alerts", get(alerting::alerts))
        .route("/api/v1/episodes", get(episodes))
        .route("/api/v1/silences", get(alerting::silences))
        .route("/api/v1/traffic", get(traffic::traffic))
        .route("/api/v1/heartbeats", get(traffic::heartbeats));
    let changes = Router::new()
        .route("/api/v1/alerts/acknowledge", post(alerting::acknowledge))
        .route("/api/v1/silences", post(alerting::add_silence))
        .route("/api/v1/silences/{id}", delete(alerting::end_silence))
        .route("/api/v1/channels/{name}/test", post(alerting::test_channel))
        .route("/api/v1/letters/{vendor}/again", post(traffic::work_again))
        .route("/api/v1/letters/{vendor}/seen", post(traffic::put_away));
    Pages { public, private, changes, ..Pages::default() }
}

async fn report(State(shared): State<Shared>) -> Response {
    alerting::read(&shared, health::report).await
}

async fn status(State(shared): State<Shared>) -> Response {
    match shared.eyes.look().await {
        Some(view) => Json(StatusShape::new(&page::see(&shared.eyes, &view).await)).into_response(),
        None => stuck(),
    }
}

/// As JSON; as lines of text for who asks for text.
async fn checks(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.starts_with("text/plain") {
        return match shared.eyes.look().await {
            Some(view) => overview::checks(&view).into_response(),
            None => stuck(),
        };
    }
    alerting::read(&shared, ChecksShape::new).await
}

async fn check(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    let Some(view) = shared.eyes.look().await else { return stuck() };
    match view.by_name.get(&*name).and_then(|at| view.checks.get(*at)) {
        Some(check) => Json(CheckShape::new(&view, check)).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no check of that name\n").into_response(),
    }
}

/// Alerts that fired within the last 90 days.
async fn episodes(State(shared): State<Shared>) -> Response {
    match shared.eyes.almanac.episodes().await {
        Ok(episodes) => Json(episodes.iter().map(EpisodeShape::new).collect::<Vec<_>>()).into_response(),
        Err(unread) => (StatusCode::SERVICE_UNAVAILABLE, unread.0 + "\n").into_response(),
    }
}
