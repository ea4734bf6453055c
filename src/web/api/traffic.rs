//! What the shop says by itself, as JSON.

use super::shape::{AgainShape, HeartbeatShape, TrafficShape};
use crate::ingest::Vendor;
use crate::view::heard::Span;
use crate::web::heard::{Asked as AskedAt, beats};
use crate::web::{Shared, stuck};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    span: Span,
}

pub(super) async fn traffic(State(shared): State<Shared>, Query(asked): Query<Asked>) -> Response {
    let heard = match shared.ear.heard(&shared.eyes.intake, asked.span).await {
        Ok(heard) => heard,
        Err(why) => return unread(why),
    };
    match shared.eyes.intake.aside().await {
        Ok(aside) => Json(TrafficShape::new(&heard, &aside)).into_response(),
        Err(why) => unread(why),
    }
}

pub(super) async fn heartbeats(State(shared): State<Shared>, at: AskedAt) -> Response {
    let Some(view) = shared.eyes.look().await else { return stuck() };
    let reached = at.reached(&view);
    match beats(&shared.eyes, &view).await {
        Ok(beats) => {
            let shapes = beats.iter().map(|beat| HeartbeatShape::new(beat, &reached));
            Json(shapes.collect::<Vec<_>>()).into_response()
        }
        Err(why) => unread(why),
    }
}

pub(super) async fn work_again(State(shared): State<Shared>, Path(vendor): Path<String>) -> Response {
    let Some(vendor) = Vendor::ALL.into_iter().find(|one| one.as_str() == vendor) else {
        return (StatusCode::NOT_FOUND, "no vendor of that name sends letters here\n").into_response();
    };
    match shared.eyes.intake.work_again(vendor).await {
        Ok(letters) => Json(AgainShape { letters }).into_response(),
        Err(why) => unread(why),
    }
}

fn unread(why: String) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response()
}
