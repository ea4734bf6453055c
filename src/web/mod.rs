//! What is served over HTTP. The only place (with the demo) that knows the web framework.
//!
//! Nothing here can hold the agent up: connections, headers, bodies and their time are bounded, and every answer is
//! made from a view that is shared. Who may see and change what stands in one place, [`access`], and a route is shut
//! unless it was put among those that are open.

pub mod access;
mod api;
mod chart;
mod headers;
mod heard;
mod ingest;
pub mod limit;
mod ops;
mod page;
mod scrape;
mod server;

use crate::app::{Eyes, own};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use tokio::sync::Semaphore;

use access::Access;
use access::gate::Pages;
pub use axum::Router;
pub use server::tls::Certificate;
pub use server::{Server, bind};

/// Pages that are told of changes at the same time; half of the connections that there are.
const VIEWERS_MAX: usize = 128;

#[derive(Clone)]
struct Shared {
    eyes: Eyes,
    scrapes: Arc<Semaphore>,
    /// Places of those whose page is live.
    viewers: Arc<Semaphore>,
    desk: Arc<page::Desk>,
    ear: Arc<heard::Ear>,
}

/// All that a running agent serves; `more` beside its own. Who may ask for what is [`access`]'s to say.
pub fn router(eyes: Eyes, access: &Access, more: Pages) -> Router {
    let shared = Shared {
        eyes,
        scrapes: Arc::new(Semaphore::new(scrape::SCRAPES_MAX)),
        viewers: Arc::new(Semaphore::new(VIEWERS_MAX)),
        desk: Arc::default(),
        ear: Arc::default(),
    };
    let own = Pages {
        public: page::public().route("/healthz", get(alive)).route("/readyz", get(ready)),
        embedded: page::embedded(),
        private: Router::new().route("/metrics", get(scrape::metrics)),
        operators: ops::pages(),
        changes: ops::changes(),
        ..Pages::default()
    };
    let taken = ingest::pages(shared.eyes.clone(), access);
    served(own.and(api::pages()).with_state(shared).and(taken).and(more), access)
}

/// These routes with the login, behind their gates, with what every answer says to browsers.
pub fn served(pages: Pages, access: &Access) -> Router {
    pages
        .and(access::pages(access.clone()))
        .gated(access)
        .method_not_allowed_fallback(async || {
            (StatusCode::METHOD_NOT_ALLOWED, "this page does not take that method; `allow` says which\n")
        })
        .fallback(async || (StatusCode::NOT_FOUND, "no such page; see / for what there is\n"))
        .layer(DefaultBodyLimit::max(access::BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(access.clone(), access::gate::know))
        .layer(middleware::from_fn(headers::add))
}

/// The process and its loops.
async fn alive(State(shared): State<Shared>) -> Response {
    match shared.eyes.trouble().await {
        None => "ok\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response(),
    }
}

/// Whether every check has run once.
async fn ready(State(shared): State<Shared>) -> Response {
    let Some(view) = shared.eyes.look().await else { return stuck() };
    match view.not_ready() {
        None => "ok\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response(),
    }
}

fn stuck() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the agent does not answer\n").into_response()
}
