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
use jiff::Timestamp;
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

/// Who has looked at a vendor's letters that lie aside, and at which.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    #[schemars(length(max = 500), regex(pattern = SAYS_SOMETHING))]
    by: String,
    /// Those that came by then, in milliseconds since 1970: what came later nobody has looked at.
    #[serde(rename = "untilMs")]
    #[schemars(range(min = 0, max = 253_402_207_200_000_i64))]
    until_ms: i64,
}

pub(super) async fn put_away(
    State(shared): State<Shared>,
    Path(vendor): Path<String>,
    Json(Seen { by, until_ms }): Json<Seen>,
) -> Response {
    let Some(vendor) = called(&vendor) else { return nobody() };
    let (by, until) = match (who_and_why(&by, ""), Timestamp::from_millisecond(until_ms)) {
        (Ok((by, _)), Ok(until)) => (by, until),
        (Err(why), _) => return wrong(why),
        (_, Err(_)) => return wrong("`untilMs` is no moment".to_owned()),
    };
    counted(seen(&shared, vendor, until, &by).await)
}

/// Puts a vendor's letters away, and says in the log who did.
pub async fn seen(shared: &Shared, vendor: Vendor, until: Timestamp, by: &str) -> Result<u64, String> {
    let letters = shared.eyes.intake.put_away(vendor, until).await?;
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
