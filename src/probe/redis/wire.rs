//! A connection that can do no harm: what comes is read to a bound, and the socket is closed when the run
//! ends, in whatever way, since nothing else holds it.

use super::refusal;
use crate::outcome::{Class, Fault};
use crate::plain;
use crate::probe::net::stream::Stream;
use crate::probe::net::target::Target;
use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{AsyncConnectionConfig, Cmd, ErrorKind, RedisConnectionInfo, RedisError, RedisResult, Value};
use secrecy::SecretString;
use std::io;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context as TaskContext, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// INFO with all sections of a large cluster has some 20 kB.
const READ_BYTES_MAX: usize = 4 << 20;

/// Sends nothing by itself: the library would hide why a password is refused.
static SILENT: LazyLock<RedisConnectionInfo> =
    LazyLock::new(|| RedisConnectionInfo::default().set_skip_set_lib_name());

/// Asks one after the other.
pub struct Wire<'a> {
    connection: MultiplexedConnection,
    target: &'a Target,
    secret: &'a SecretString,
}

/// What came of a command.
pub enum Reply {
    Value(Value),
    /// The server's error line: `NOPERM this user has no permissions to run the 'info' command`.
    Error(String),
}

/// A connection over `stream`, and what must be polled beside each command.
pub async fn open<'a>(
    stream: Stream,
    target: &'a Target,
    secret: &'a SecretString,
) -> Result<(Wire<'a>, impl Future<Output = ()> + Send + 'static), Fault> {
    // The deadline of the run ends a command; a second clock would only blur where it hung.
    let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    let bounded = Bounded { stream, left: READ_BYTES_MAX, asked: false, waiting: None };
    let made = MultiplexedConnection::new_with_config(&SILENT, bounded, config).await;
    let (connection, driver) = made
        .map_err(|error| Fault::internal(format!("can't set up a client of Redis: {}", error.category())))?;
    Ok((Wire { connection, target, secret }, driver))
}

impl Wire<'_> {
    /// One command, whatever the server says to it.
    pub async fn ask(&mut self, command: &Cmd) -> Result<Reply, Fault> {
        match self.connection.req_packed_command(command).await {
            Ok(Value::ServerError(error)) => Ok(Reply::Error(line(error.code(), error.details()))),
            Ok(value) => Ok(Reply::Value(value)),
            Err(error) => match server_line(&error) {
                Some(line) => Ok(Reply::Error(line)),
                None => Err(self.broken(&error)),
            },
        }
    }

    /// One command whose refusal is a fault. `what` names it in the reason.
    pub async fn demand(&mut self, what: &str, command: &Cmd) -> Result<Value, Fault> {
        match self.ask(command).await? {
            Reply::Value(value) => Ok(value),
            Reply::Error(line) => Err(self.refused(what, &line)),
        }
    }

    pub fn refused(&self, what: &str, line: &str) -> Fault {
        let mut fault = refusal::fault(what, line, self.secret);
        fault.text = format!("{}: {}", self.target, fault.text);
        fault
    }

    /// The connection ended, or what came is no Redis.
    fn broken(&self, error: &RedisError) -> Fault {
        let target = self.target;
        if error.kind() == ErrorKind::Parse {
            let text = format!("{target} does not speak the protocol of Redis");
            return Fault::failed(Class::Protocol, text);
        }
        let cause = error.to_string();
        if cause.contains(TOO_LONG) {
            let text = format!("{target} answers more than {READ_BYTES_MAX} bytes; it may be no Redis");
            return Fault::failed(Class::Protocol, text);
        }
        let text = if error.is_connection_dropped() {
            format!("{target} closed the connection before it answered; it may want TLS (`rediss://`)")
        } else {
            format!("{target} broke the connection off: {}", plain::line(&cause, 120))
        };
        Fault::failed(Class::Connect, text)
    }
}

fn server_line(error: &RedisError) -> Option<String> {
    error.code().map(|code| line(code, error.detail()))
}

fn line(code: &str, details: Option<&str>) -> String {
    details.map_or_else(|| code.to_owned(), |details| format!("{code} {details}"))
}

/// Text of a value, where it is one.
pub fn text(value: &Value) -> Option<String> {
    let text: RedisResult<String> = ::redis::from_redis_value_ref(value).map_err(RedisError::from);
    text.ok()
}

const TOO_LONG: &str = "more bytes than a run takes";

/// Reads to a bound, and nothing before the first question: what a full server says unasked (that it takes
/// no more clients) is then the answer to that, and not lost.
struct Bounded {
    stream: Stream,
    left: usize,
    asked: bool,
    waiting: Option<Waker>,
}

impl AsyncRead for Bounded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.asked {
            this.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
        };
        match this.left.checked_sub(buf.filled().len() - before) {
            Some(left) => this.left = left,
            None => return Poll::Ready(Err(io::Error::other(TOO_LONG))),
        }
        polled
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.asked = true;
        if let Some(waiting) = this.waiting.take() {
            waiting.wake();
        }
        match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}
