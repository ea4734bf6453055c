//! The demo's web shop: the few routes that checks look at, with the troubles that web shops have.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// One thing that is wrong with the web shop while it is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    Down,
    Errors,
    ApiErrors,
    Slow,
}

impl Trouble {
    pub const ALL: [Trouble; 4] = [Trouble::Down, Trouble::Errors, Trouble::ApiErrors, Trouble::Slow];

    /// The name on the command line and over HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Trouble::Down => "site-down",
            Trouble::Errors => "site-errors",
            Trouble::ApiErrors => "site-api-errors",
            Trouble::Slow => "site-slow",
        }
    }

    /// What it does, for people.
    pub const fn title(self) -> &'static str {
        match self {
            Trouble::Down => "The web shop hangs up on everybody",
            Trouble::Errors => "After a deploy every page is an error (500)",
            Trouble::ApiErrors => "Pages are served, and every route behind them fails (500)",
            Trouble::Slow => "The web shop takes four seconds for an answer",
        }
    }

    /// The shipped checks that must tell of it.
    pub const fn checks(self) -> &'static [&'static str] {
        match self {
            Trouble::Down | Trouble::Errors => &["site", "site-api", "site-webhooks"],
            Trouble::ApiErrors => &["site-api", "site-webhooks"],
            Trouble::Slow => &["site", "site-api"],
        }
    }
}

/// The web shop.
#[derive(Debug, Clone, Default)]
pub struct Site {
    troubles: Arc<Mutex<BTreeSet<Trouble>>>,
}

/// Longer than the limit of the checks, shorter than their deadlines.
const SLOW: Duration = Duration::from_secs(4);

impl Site {
    /// Switches a trouble on or off.
    pub fn set(&self, trouble: Trouble, on: bool) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if on {
            troubles.insert(trouble)
        } else {
            troubles.remove(&trouble)
        };
    }

    fn has(&self, trouble: Trouble) -> bool {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).contains(&trouble)
    }

    /// The routes.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(async || Html(PAGE)))
            .route("/api/health", get(async || Json(json!({ "status": "ok" }))))
            .route(
                "/api/checkout",
                post(async || (StatusCode::CREATED, Json(json!({ "status": "PENDING" })))),
            )
            .route("/api/webhooks/square", post(async || StatusCode::OK))
            .layer(from_fn_with_state(self.clone(), trouble))
    }

    /// The door of the shop: closed while it is down.
    pub fn door(&self, listener: TcpListener) -> Door {
        Door { listener, site: self.clone() }
    }
}

async fn trouble(State(site): State<Site>, request: Request, next: Next) -> Response {
    if site.has(Trouble::Slow) {
        tokio::time::sleep(SLOW).await;
    }
    let api = request.uri().path().starts_with("/api/");
    if site.has(Trouble::Errors) || api && site.has(Trouble::ApiErrors) {
        return (StatusCode::INTERNAL_SERVER_ERROR, Body::from("Internal Server Error")).into_response();
    }
    next.run(request).await
}

/// Takes connections, and drops them at once while the site is down.
pub struct Door {
    listener: TcpListener,
    site: Site,
}

impl axum::serve::Listener for Door {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(_) if self.site.has(Trouble::Down) => {}
                Ok(accepted) => return accepted,
                // No file descriptor is left, or the client was gone already: the next try may be better.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Empanadas y alfajores</title></head>
<body>
<h1>Empanadas y alfajores</h1>
<p>A shop that does not exist, for Atalaya to watch.</p>
</body>
</html>
"#;
