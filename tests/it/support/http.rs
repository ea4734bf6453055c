//! The smallest HTTP client: one request, one connection, the whole answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// GETs a path from a port of the loopback interface.
pub fn get(port: u16, path: &str) -> Answer {
    get_with(port, path, "")
}

/// As [`get`], with more header lines (each ending in `\r\n`).
pub fn get_with(port: u16, path: &str, headers: &str) -> Answer {
    try_get(port, path, headers).unwrap_or_else(|error| panic!("GET {path} from port {port}: {error}"))
}

pub fn try_get(port: u16, path: &str, headers: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
