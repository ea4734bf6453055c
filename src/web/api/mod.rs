//! What programs ask: the state of everything as JSON, and what changes it.

mod alerting;
mod health;

pub use alerting::{NewSilence, silence, who_and_why};

use super::access::gate::Pages;
use super::{Shared, stuck};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{delete, get, post};

pub(super) fn pages() -> Pages<Shared> {
    let private = Router::new()
        .route("/api/v1/health", get(report))
        .route("/api/v1/objectives", get(alerting::objectives))
        .route("/api/v1/alerts", get(alerting::alerts))
        .route("/api/v1/silences", get(alerting::silences));
    let changes = Router::new()
        .route("/api/v1/alerts/acknowledge", post(alerting::acknowledge))
        .route("/api/v1/silences", post(alerting::add_silence))
        .route("/api/v1/silences/{id}", delete(alerting::end_silence))
        .route("/api/v1/channels/{name}/test", post(alerting::test_channel));
    Pages { private, changes, ..Pages::default() }
}

async fn report(State(shared): State<Shared>) -> Response {
    match shared.eyes.look().await {
        Some(view) => Json(health::report(&view)).into_response(),
        None => stuck(),
    }
}
