//! What the shop says by itself, as JSON.

use super::alerting::{SAYS_SOMETHING, who_and_why, wrong};
use super::shape::{HeartbeatShape, LettersShape, TrafficShape};
use crate::ingest::Vendor;
use crate::view::heard::Span;
use crate::web::heard::{Asked as AskedAt, beats};
use crate::web::{Shared, stuck};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use schemars::JsonSchema;
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
    match called(&vendor) {
        Some(vendor) => counted(shared.eyes.intake.work_again(vendor).await),
        None => nobody(),
    }
}

/// So many letters a page shows.
const SEEN_MAX: usize = 100;

/// Who has looked at letters of a vendor that lie aside, and at which.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    #[schemars(length(max = 500), regex(pattern = SAYS_SOMETHING))]
    by: String,
    /// Their ids. Those that do not lie aside stay as they are.
    #[schemars(length(min = 1, max = SEEN_MAX))]
    letters: Vec<String>,
}

pub(super) async fn put_away(
    State(shared): State<Shared>,
    Path(vendor): Path<String>,
    Json(Seen { by, letters }): Json<Seen>,
) -> Response {
    let Some(vendor) = called(&vendor) else { return nobody() };
    let by = match who_and_why(&by, "") {
        Ok((by, _)) => by,
        Err(why) => return wrong(why),
    };
    if letters.is_empty() || letters.len() > SEEN_MAX {
        return wrong(format!("`letters` are between 1 and {SEEN_MAX} ids"));
    }
    counted(seen(&shared, vendor, letters, &by).await)
}

/// Puts letters away, and says in the log who did.
pub async fn seen(shared: &Shared, vendor: Vendor, ids: Vec<String>, by: &str) -> Result<u64, String> {
    let letters = shared.eyes.intake.put_away(vendor, ids).await?;
    tracing::info!(vendor = vendor.as_str(), letters, by, "letters that lay aside are put away");
    Ok(letters)
}

fn called(vendor: &str) -> Option<Vendor> {
    Vendor::ALL.into_iter().find(|one| one.as_str() == vendor)
}

fn nobody() -> Response {
    (StatusCode::NOT_FOUND, "no vendor of that name sends letters here\n").into_response()
}

fn counted(letters: Result<u64, String>) -> Response {
    match letters {
        Ok(letters) => Json(LettersShape { letters }).into_response(),
        Err(why) => unread(why),
    }
}

fn unread(why: String) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response()
}
