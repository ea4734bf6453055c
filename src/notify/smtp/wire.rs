//! The stream below the dialogue, made fit for lettre: lines have a bound, and what was read ahead is read first.

use crate::probe::net::stream::Stream;
use lettre::transport::smtp::client::AsyncTokioStream;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// RFC 5321 allows 512; a server that sends a line without end would fill the memory.
const LINE_BYTES_MAX: usize = 8 * 1024;

pub struct Wire {
    pub stream: Stream,
    pub peer: SocketAddr,
    /// Read before anything from the stream.
    ahead: &'static [u8],
    /// Bytes since the last end of a line.
    line: usize,
}

impl Wire {
    pub fn new(stream: Stream, peer: SocketAddr) -> Wire {
        Wire { stream, peer, ahead: b"", line: 0 }
    }

    /// As one whose server has greeted already: after STARTTLS it doesn't a second time.
    pub fn greeted(stream: Stream, peer: SocketAddr) -> Wire {
        Wire { ahead: b"220 \r\n", ..Wire::new(stream, peer) }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let (now, later) = self.ahead.split_at(self.ahead.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.ahead = later;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let came = &buffer.filled()[before..];
        self.line = match came.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => came.len() - at - 1,
            None => self.line + came.len(),
        };
        if self.line > LINE_BYTES_MAX {
            let text = format!("a line of more than {LINE_BYTES_MAX} bytes");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({})", self.peer)
    }
}
