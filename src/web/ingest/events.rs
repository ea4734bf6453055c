//! `POST /api/v1/events`: a line of JSON for each thing that happened, for who has no OpenTelemetry.
//!
//! Good lines are taken and wrong ones told by their numbers. A batch that may be sent again carries an `Idempotency-Key`, so
//! that it counts once.

use super::body::NoBody;
use super::{Door, Refusal, full, malformed};
use crate::app::intake::meter;
use crate::ingest::events::{self, Lines};
use crate::store::inbox::Taken;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use schemars::JsonSchema;
use serde::Serialize;

const KIND: &str = "events";
const KEY: &str = "idempotency-key";
const KEY_LENGTH_MAX: usize = 128;

/// What became of the lines.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TakenShape {
    accepted: u64,
    /// How many lines are wrong.
    rejected: u64,
    /// The first of them.
    wrong: Vec<WrongLine>,
    /// The batch had come before, and was not counted again.
    repeated: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct WrongLine {
    /// Counted from 1.
    line: usize,
    why: String,
}

pub async fn take(State(door): State<Door>, headers: HeaderMap, body: Body) -> Response {
    match read(&door, &headers, body).await {
        Ok(answer) | Err(NoBody::Bound(answer)) => answer,
        Err(NoBody::Full) => full(KIND).into_response(),
        Err(NoBody::Wrong(refusal)) => refusal.into_response(),
    }
}

async fn read(door: &Door, headers: &HeaderMap, body: Body) -> Result<Response, NoBody> {
    let key = key(headers).map_err(NoBody::Wrong)?;
    let held = door.room.hold(headers, body).await?;
    let lines = door.room.read(held, events::lines).await?;
    let lines = lines.map_err(|wrong| NoBody::Wrong(malformed(KIND, wrong.0)))?;
    let Lines { mut arrival, accepted, rejected, rejected_total } = lines;
    arrival.key = key.map(|key| format!("{KIND}:{key}"));
    let wrong = rejected.into_iter().map(|(line, why)| WrongLine { line, why }).collect();
    let mut shape = TakenShape { accepted, rejected: rejected_total, wrong, repeated: false };
    if accepted == 0 && rejected_total > 0 {
        meter::request(KIND, meter::Fate::Malformed);
        meter::items(KIND, 0, rejected_total);
        return Ok((StatusCode::BAD_REQUEST, Json(shape)).into_response());
    }
    shape.repeated = door.take(KIND, arrival).await.map_err(NoBody::Wrong)? == Taken::Known;
    meter::items(KIND, if shape.repeated { 0 } else { accepted }, rejected_total);
    Ok((StatusCode::ACCEPTED, Json(shape)).into_response())
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(key) = headers.get(KEY) else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=KEY_LENGTH_MAX).contains(&key.len()));
    let why = format!("`{KEY}` has 1 to {KEY_LENGTH_MAX} characters of ASCII");
    key.map(|key| Some(key.to_owned())).ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, why))
}
