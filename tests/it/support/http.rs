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

/// Sends a body with any method.
pub fn send(port: u16, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a listener");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    // One that refuses a body does not read it to the end.
    stream.write_all(request.as_bytes()).ok();
    read(stream).unwrap_or_else(|error| panic!("{method} {path} on port {port}: {error}"))
}

pub fn try_get(port: u16, path: &str, headers: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n")?;
    read(stream)
}

fn read(mut stream: TcpStream) -> std::io::Result<Answer> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
