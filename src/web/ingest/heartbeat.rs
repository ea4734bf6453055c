//! Heartbeats: a job says that it began, that it is done, or that it failed. A plain `curl` is enough, and what
//! healthchecks.io's users have in their scripts works with another address in it.

use super::{Door, Refusal, malformed};
use crate::app::intake::meter::{self, Fate};
use crate::clock;
use crate::ingest::{Arrival, ping};
use crate::web::access::Source;
use crate::web::limit::{self, too_many};
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

const KIND: &str = "heartbeat";
/// Scripts send their output along. It is taken, and nothing of it is kept: nobody knows what stands in it.
const OUTPUT_MAX: usize = 128 * 1024;

pub async fn take(
    State(door): State<Door>,
    Path(tail): Path<String>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Response {
    // Whoever sends it waits for it to be read.
    limit::body(body, OUTPUT_MAX).await.ok();
    let tail: Vec<&str> = tail.split('/').collect();
    let read = ping::read(&tail, query.as_deref().unwrap_or_default(), clock::wall());
    let (job, ping) = match read {
        Ok(read) => read,
        Err(wrong) => return malformed(KIND, wrong.0).into_response(),
    };
    let Some(view) = door.eyes.look().await else { return crate::web::stuck() };
    if !view.checks.iter().any(|check| check.check.definition.kind().hears() == Some(&*job)) {
        meter::request(KIND, Fate::Malformed);
        let why = format!(
            "no check listens for the job `{job}`\n  hint: `probe.heartbeat = {{ job = \"{job}\", … }}`"
        );
        return Refusal::new(StatusCode::NOT_FOUND, why).into_response();
    }
    match door.take(KIND, Arrival { pings: vec![(job, ping)], ..Arrival::default() }).await {
        Ok(_) => {
            meter::items(KIND, 1, 0);
            "OK\n".into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// As [`take`], by a key in the address.
pub async fn take_by_key(
    State(door): State<Door>,
    Path((key, tail)): Path<(String, String)>,
    query: RawQuery,
    (from, body): (Source, Body),
) -> Response {
    match door.access.ping_key_fits(&key, &from) {
        Ok(true) => take(State(door), Path(tail), query, body).await,
        Ok(false) => {
            meter::request(KIND, Fate::Forged);
            Refusal::new(StatusCode::UNAUTHORIZED, "the key in the address is not the one of this agent")
                .into_response()
        }
        Err(wait) => too_many(wait),
    }
}
