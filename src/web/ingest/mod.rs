//! Where the shop and its vendors say what happens: spans, events, webhooks, heartbeats.
//!
//! Each handler knows one way of saying it: it reads the body within bounds, has a reader of [`crate::ingest`] make of it
//! what happened, and answers with a 2xx when that is on the disk and not before. What can't be taken is refused with a
//! status that tells the sender whether to try again: 429 where there is no room, 503 where nothing can be written.

mod body;
mod events;
mod heartbeat;
mod traces;
mod webhook;

pub(super) use events::TakenShape;

use super::access::Access;
use super::access::Source;
use super::access::gate::Pages;
use super::limit::Limiter;
use crate::app::Eyes;
use crate::app::intake::meter::{self, Fate};
use crate::app::intake::{Intake, NotTaken};
use crate::ingest::Arrival;
use crate::store::inbox::Taken;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use body::Room;
use std::sync::Arc;
use std::time::Duration;

/// Letters with a signature of nobody from one address: so many at once, and one more every so often.
const FORGED: (u32, Duration) = (20, Duration::from_secs(3));
/// When to try again where there was no room, and where nothing could be written.
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(5);

/// What handlers share.
#[derive(Clone)]
struct Door {
    eyes: Eyes,
    intake: Intake,
    access: Access,
    room: Room,
    letters: Room,
    forged: Arc<Limiter<Source>>,
}

pub(super) fn pages(eyes: Eyes, access: &Access) -> Pages {
    let door = Door {
        intake: eyes.intake.clone(),
        eyes,
        access: access.clone(),
        room: Room::default(),
        letters: Room::of_letters(),
        forged: Arc::new(Limiter::new(FORGED.0, FORGED.1)),
    };
    let senders = Router::new()
        .route("/v1/traces", post(traces::take))
        // Of an endpoint that is given with a slash at its end.
        .route("//v1/traces", post(traces::take))
        .route("/api/v1/events", post(events::take))
        .route("/heartbeat/{*tail}", get(heartbeat::take).post(heartbeat::take));
    // Whoever may send here shows it in the request itself: by a signature, or a key in the address.
    let public = Router::new()
        .route("/ingest/square", post(webhook::square))
        .route("/ingest/resend", post(webhook::resend))
        .route("/ping/{key}/{*tail}", get(heartbeat::take_by_key).post(heartbeat::take_by_key));
    Pages { public, senders, ..Pages::default() }.with_state(door)
}

impl Door {
    /// Has it written down. `kind` is the word in metrics.
    async fn take(&self, kind: &'static str, arrival: Arrival) -> Result<Taken, Refusal> {
        match self.intake.take(arrival).await {
            Ok(taken) => {
                meter::request(kind, if taken == Taken::New { Fate::Taken } else { Fate::Known });
                Ok(taken)
            }
            Err(NotTaken::Full) => Err(full(kind)),
            Err(NotTaken::Ill(_)) => {
                meter::request(kind, Fate::Ill);
                let why = "it can't be written down now; the agent's log and its alert `ingest` say why";
                Err(Refusal {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    wait: Some(LATER),
                    why: why.to_owned(),
                })
            }
        }
    }
}

fn full(kind: &'static str) -> Refusal {
    meter::request(kind, Fate::Full);
    let why = "too much waits to be written down".to_owned();
    Refusal { status: StatusCode::TOO_MANY_REQUESTS, wait: Some(SOON), why }
}

fn malformed(kind: &'static str, why: String) -> Refusal {
    meter::request(kind, Fate::Malformed);
    Refusal { status: StatusCode::BAD_REQUEST, wait: None, why }
}

/// Why something is not taken. The text shows no content of what was sent.
struct Refusal {
    status: StatusCode,
    /// When to try again, where that can help.
    wait: Option<Duration>,
    why: String,
}

impl Refusal {
    /// A final one.
    fn new(status: StatusCode, why: impl Into<String>) -> Refusal {
        Refusal { status, wait: None, why: why.into() }
    }

    /// With this body.
    fn with(self, kind: &'static str, body: Vec<u8>) -> Response {
        let mut answer = (self.status, [(header::CONTENT_TYPE, kind)], body).into_response();
        if let Some(wait) = self.wait {
            answer.headers_mut().insert(header::RETRY_AFTER, wait.as_secs().into());
        }
        answer
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = format!("{}\n", self.why).into_bytes();
        self.with("text/plain; charset=utf-8", body)
    }
}
