//! One request and its answer over a connection of its own, by hand over hyper's connections, so that
//! each phase is exact, a run costs no client, and no task is left behind when a run is given up.

use super::address::Hop;
use super::wrong::{Asked, Stage, wrong};
use crate::config::value::Size;
use crate::outcome::{Class, Fault, Outcome};
use crate::probe::Context;
use crate::probe::net::stream::{FirstBytes, Stream, Watched};
use crate::probe::net::tls::{self, Peer};
use crate::probe::net::{Net, connect};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::rt::Executor;
use hyper::{HeaderMap, Method, Request, Response, Version};
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;

/// An answer's header may be so long, with at most [`HEADERS_MAX`] lines.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
pub const HEADERS_MAX: usize = 200;

/// What is sent.
#[derive(Clone)]
pub struct Outgoing {
    pub method: Method,
    /// Without `Host`, which belongs to the hop.
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Which version is spoken where the connection does not settle it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Http1,
    Http2,
    /// What the server chooses in the TLS handshake; HTTP/1.1 without TLS.
    Either,
}

/// An open connection that a request can be sent over.
pub struct Connection {
    sender: Sender,
    driver: Driver,
    first: FirstBytes,
    /// When the first certificate of its chain expires (Unix seconds).
    pub expires: Option<i64>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// What moves the bytes. It runs only while somebody waits for an answer.
struct Driver {
    /// `None` once it is over: whoever waits for something of it is told only when it is dropped.
    connection: Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>,
    _tasks: Tasks,
}

impl Driver {
    async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if self.connection.as_mut().is_some_and(|connection| connection.as_mut().poll(cx).is_ready()) {
                self.connection = None;
            }
            future.as_mut().poll(cx)
        })
        .await
    }
}

/// HTTP/2 needs tasks; they end with their connection.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }
}

impl Connection {
    /// Phases `resolve`, `connect`, `tls`.
    pub async fn open(
        net: &Net,
        cx: &Context,
        hop: &Hop,
        how: (&tls::Client, Wanted),
        outcome: &mut Outcome,
    ) -> Result<Connection, Fault> {
        let tcp = connect::connect(net, cx, &hop.target).await?;
        let (tls, wanted) = how;
        let (stream, http2, expires) = if let Some(name) = &hop.secure {
            let peer = Peer { name, target: &hop.target };
            let secured = tls.handshake(cx, tcp, peer, outcome).await?;
            let http2 = secured.speaks_http2();
            if wanted == Wanted::Http2 && !http2 {
                let text = format!("{} does not offer HTTP/2 in its TLS handshake (ALPN)", hop.target);
                return Err(Fault::failed(Class::Protocol, text));
            }
            (Stream::Tls(Box::new(secured.stream)), http2, secured.expires)
        } else {
            (Stream::Plain(tcp), wanted == Wanted::Http2, None)
        };
        cx.phase("first_byte");
        let first = FirstBytes::default();
        let io = TokioIo::new(Watched { stream, first: first.clone() });
        let opened = if http2 { open_http2(io).await } else { open_http1(io).await };
        let asked = Asked { hop, http2, first: &first };
        let (sender, driver) = opened.map_err(|error| wrong(&error, Stage::Answer, asked))?;
        Ok(Connection { sender, driver, first, expires })
    }

    pub fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// Whether a connection that was kept can still be used.
    pub async fn is_alive(&mut self) -> bool {
        let Connection { sender, driver, .. } = self;
        let ready = match sender {
            Sender::Http1(sender) => driver.drive(sender.ready()).await,
            Sender::Http2(sender) => driver.drive(sender.ready()).await,
        };
        ready.is_ok() && driver.connection.is_some()
    }

    /// Phase `first_byte`: until the answer's header has come.
    pub async fn ask(
        &mut self,
        cx: &Context,
        hop: &Hop,
        outgoing: &Outgoing,
        last: bool,
    ) -> Result<Response<Incoming>, hyper::Error> {
        cx.phase("first_byte");
        let request = request(hop, outgoing, self.is_http2(), last);
        let Connection { sender, driver, .. } = self;
        match sender {
            Sender::Http1(sender) => driver.drive(sender.send_request(request)).await,
            Sender::Http2(sender) => driver.drive(sender.send_request(request)).await,
        }
    }

    /// Phase `body`: until its end, or `max`. The bytes are kept only where they are needed.
    pub async fn read(
        &mut self,
        cx: &Context,
        hop: &Hop,
        mut body: Incoming,
        (max, keep): (Size, bool),
    ) -> Result<(u64, Vec<u8>), Fault> {
        cx.phase("body");
        let too_long =
            || Fault::failed(Class::Assertion, format!("the body is longer than {max} (`body_max`)"));
        let expected = body.size_hint().exact();
        if expected.is_some_and(|length| length > max.bytes()) {
            return Err(too_long());
        }
        let (mut length, mut kept) = (0, Vec::new());
        while let Some(frame) = self.driver.drive(body.frame()).await {
            let frame = frame.map_err(|error| self.wrong(&error, Stage::Body { length, expected }, hop))?;
            let Some(data) = frame.data_ref() else { continue };
            length += data.len() as u64;
            if length > max.bytes() {
                return Err(too_long());
            }
            if keep {
                kept.extend_from_slice(data);
            }
        }
        cx.phase_end();
        Ok((length, kept))
    }

    /// An error of this connection in words.
    pub fn wrong(&self, error: &hyper::Error, stage: Stage, hop: &Hop) -> Fault {
        wrong(error, stage, Asked { hop, http2: self.is_http2(), first: &self.first })
    }
}

type Opened = hyper::Result<(Sender, Driver)>;

async fn open_http1(io: TokioIo<Watched>) -> Opened {
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(HEADER_BYTES_MAX)
        .max_header_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .handshake(io)
        .await?;
    let driver = Driver { connection: Some(Box::pin(connection)), _tasks: Tasks::default() };
    Ok((Sender::Http1(sender), driver))
}

async fn open_http2(io: TokioIo<Watched>) -> Opened {
    let tasks = Tasks::default();
    let header_bytes_max = u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX);
    let (sender, connection) =
        http2::Builder::new(tasks.clone()).max_header_list_size(header_bytes_max).handshake(io).await?;
    let driver = Driver { connection: Some(Box::pin(connection)), _tasks: tasks };
    Ok((Sender::Http2(sender), driver))
}

fn request(hop: &Hop, outgoing: &Outgoing, http2: bool, last: bool) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(outgoing.body.clone()));
    *request.method_mut() = outgoing.method.clone();
    *request.headers_mut() = outgoing.headers.clone();
    if http2 {
        *request.uri_mut() = hop.full.clone();
        *request.version_mut() = Version::HTTP_2;
    } else {
        *request.uri_mut() = hop.path.clone();
        request.headers_mut().insert(HOST, hop.authority.clone());
        if last {
            // The server closes, so that no port of this machine waits for a minute after each run.
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
    request
}
