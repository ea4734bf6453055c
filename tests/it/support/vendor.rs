//! Vendors' APIs on loopback: simulators of ours, and scripted servers that answer what no simulator should.

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::{Arc, Mutex};

/// Serves on a free port for as long as the test's runtime lives; gives `http://127.0.0.1:PORT`.
pub async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A server that answers each call as `answer` says for its number, from 0, and its path.
pub struct Scripted {
    pub url: String,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub async fn start(answer: impl Fn(usize, &str) -> Response + Send + Sync + 'static) -> Scripted {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&calls), Arc::new(answer));
        let router = Router::new().fallback(move |request: Request| {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            async move {
                let number = {
                    let mut log = log.lock().expect("the log");
                    log.push(request.uri().to_string());
                    log.len() - 1
                };
                answer(number, request.uri().path())
            }
        });
        Scripted { url: serve(router).await, calls }
    }

    /// The paths and queries that were asked for, in order.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().expect("the log").clone()
    }
}

/// 200 with JSON.
pub fn json(body: impl Into<String>) -> Response {
    refuse(200, body)
}

/// A status with JSON.
pub fn refuse(status: u16, body: impl Into<String>) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}
