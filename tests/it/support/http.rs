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
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a listener");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    raw(stream, request.as_bytes()).unwrap_or_else(|error| panic!("{method} {path} on port {port}: {error}"))
}

pub fn try_get(port: u16, path: &str, headers: &str) -> std::io::Result<Answer> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    raw(stream, request.as_bytes())
}

/// Sends exactly this, which asks for the end of the connection, and reads what comes.
pub fn raw(mut stream: impl Read + Write, request: &[u8]) -> std::io::Result<Answer> {
    // One that refuses does not read it to the end.
    stream.write_all(request).ok();
    read(stream)
}

fn read(mut stream: impl Read) -> std::io::Result<Answer> {
    let mut answer = Vec::new();
    let mut piece = [0; 16 * 1024];
    let mut end = None;
    // A stream of events has no end to be waited for.
    while !end.is_some_and(|end| says(&answer[..end], "content-type: text/event-stream")) {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) if answer.is_empty() => return Err(error),
            // Whoever refuses before all was read ends with a reset, and what it said is there all the same.
            Err(_) => break,
        }
        end = end.or_else(|| answer.windows(4).position(|four| four == b"\r\n\r\n"));
    }
    let (head, body) = answer.split_at(end.unwrap_or(answer.len()));
    let body = body.get(4..).unwrap_or_default();
    let chunked = says(head, "transfer-encoding: chunked") && !says(head, "content-type: text/event-stream");
    let body = if chunked { chunks(body)? } else { body.to_owned() };
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Whether a head has a line that begins so.
fn says(head: &[u8], line: &str) -> bool {
    String::from_utf8_lossy(head).to_lowercase().contains(&format!("\r\n{line}"))
}

/// The parts of a body, put together; an error where the last one is missing.
fn chunks(mut rest: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let cut = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n").ok_or_else(cut)?;
        let length =
            std::str::from_utf8(&rest[..line]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let length = length.ok_or_else(cut)?;
        if length == 0 {
            return Ok(body);
        }
        body.extend_from_slice(rest.get(line + 2..line + 2 + length).ok_or_else(cut)?);
        rest = rest.get(line + 4 + length..).ok_or_else(cut)?;
    }
}
