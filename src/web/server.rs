//! Takes connections, within bounds: how many, how long a header may take, how large it may be, how long
//! a connection may live.

use super::own;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

const CONNECTIONS_MAX: usize = 256;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// After this long a connection ends when its answer is out; a client that keeps it has to come again.
const CONNECTION_AGE_MAX: Duration = Duration::from_mins(5);
/// How long an answer may still take after that, and when the agent stops.
const LAST_ANSWER: Duration = Duration::from_secs(5);
/// How long the other side may leave unread what was sent. The system ends the connection then.
const UNREAD_MAX: Duration = Duration::from_secs(10);
/// When no file is left to accept with, trying at once again would only burn time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens; the error says what to do.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "can't listen on {address}: the port is in use\n  hint: another atalaya may run; choose a port with --listen"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "can't listen on {address}: not allowed\n  hint: ports below 1024 need rights; choose another with --listen"
        ),
        _ => format!("can't listen on {address}: {error}"),
    })
}

/// A running server.
pub struct Server {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub fn start(listener: TcpListener, router: Router) -> Server {
        let (stop, stopped) = watch::channel(false);
        Server { stop, task: tokio::spawn(serve(listener, router, stopped)) }
    }

    /// No new connections; answers under way are finished.
    pub async fn stop(self) {
        self.stop.send(true).ok();
        self.task.await.ok();
    }
}

async fn serve(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop(&mut stopped) => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        match (accepted, places.clone().try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                let (router, stopped) = (router.clone(), stopped.clone());
                connections.spawn(async move {
                    connection(stream, router, stopped).await;
                    drop(place);
                });
            }
            // Closing at once is the bound: a client that waits in a queue would hold a file too.
            (Ok(_), Err(_)) => own::request_refused(),
            (Err(error), _) => {
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    tokio::time::timeout(LAST_ANSWER, all).await.ok();
}

async fn connection(stream: TcpStream, router: Router, mut stopped: watch::Receiver<bool>) {
    stream.set_nodelay(true).ok();
    // Where the system refuses this, the connection's age still ends it.
    SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_MAX)).ok();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let age = tokio::time::sleep(CONNECTION_AGE_MAX);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = age => {}
        () = stop(&mut stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::time::timeout(LAST_ANSWER, connection).await.ok();
}

async fn stop(stopped: &mut watch::Receiver<bool>) {
    stopped.wait_for(|stop| *stop).await.ok();
}
