//! Takes connections, within bounds: how many, how long a header may take, how large it may be, how long
//! a connection may live. [`places`] says who has to go when there are too many.

mod answer;
pub(in crate::web) mod places;
pub mod tls;

use super::own;
use answer::Answering;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use places::{Held, Place, Places};
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tls::Certificate;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How long a client may take to agree on TLS.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 100;
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

/// Who is at the other end of a connection; every request has it as an extension.
#[derive(Clone)]
pub struct Peer {
    pub address: SocketAddr,
    /// It came over TLS.
    pub tls: bool,
    place: Arc<Place>,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, tls: bool, held: &Held) -> Peer {
        Peer { address, tls, place: held.place.clone() }
    }

    /// An operator uses this connection: others make room first.
    pub(super) fn trust(&self) {
        self.place.trust();
    }
}

/// A running server.
pub struct Server {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Serves over TLS where there is a certificate.
    pub fn start(
        listener: TcpListener,
        router: Router,
        certificate: Option<Arc<Certificate>>,
    ) -> Result<Server, String> {
        let (stop, stopped) = watch::channel(false);
        let tls = certificate.map(Certificate::acceptor).transpose()?;
        let door = Door { router, tls, places: Places::default(), stopped };
        Ok(Server { stop, task: tokio::spawn(door.serve(listener)) })
    }

    /// No new connections; answers under way are finished.
    pub async fn stop(self) {
        self.stop.send(true).ok();
        self.task.await.ok();
    }
}

/// What every connection needs.
#[derive(Clone)]
struct Door {
    router: Router,
    tls: Option<TlsAcceptor>,
    places: Places,
    stopped: watch::Receiver<bool>,
}

impl Door {
    async fn serve(mut self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop(&mut self.stopped) => break,
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            };
            match accepted {
                Ok((stream, address)) => match self.places.take(address.ip()) {
                    Some(held) => {
                        connections.spawn(self.clone().connection(stream, address, held));
                    }
                    // Closing at once is the bound: a client that waits in a queue would hold a file too.
                    None => own::request_refused(),
                },
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        let all = async { while connections.join_next().await.is_some() {} };
        tokio::time::timeout(LAST_ANSWER, all).await.ok();
    }

    /// Holds its place until it ends, or until somebody else needs it.
    async fn connection(self, stream: TcpStream, address: SocketAddr, held: Held) {
        let peer = Peer::new(address, self.tls.is_some(), &held);
        tokio::select! {
            () = self.open(stream, peer) => {}
            () = held.place.told_to_leave() => own::request_refused(),
        }
    }

    async fn open(self, stream: TcpStream, peer: Peer) {
        stream.set_nodelay(true).ok();
        // Where the system refuses this, the connection's age still ends it.
        SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_MAX)).ok();
        match self.tls.clone() {
            None => self.answer(stream, peer).await,
            Some(acceptor) => {
                if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
                    self.answer(stream, peer).await;
                }
            }
        }
    }

    async fn answer(mut self, stream: impl AsyncRead + AsyncWrite + Unpin, peer: Peer) {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(HEADER_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), Answering::new(self.router, peer));
        tokio::pin!(connection);
        let age = tokio::time::sleep(CONNECTION_AGE_MAX);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = age => {}
            () = stop(&mut self.stopped) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::time::timeout(LAST_ANSWER, connection).await.ok();
    }
}

async fn stop(stopped: &mut watch::Receiver<bool>) {
    stopped.wait_for(|stop| *stop).await.ok();
}
