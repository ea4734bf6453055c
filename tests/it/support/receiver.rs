//! A receiver of messages that does what a test wants, from the connection up: HTTP servers are too well-behaved.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One request, as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// The request line and the headers.
    pub head: String,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// What it does once it has read a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Says this and closes.
    Say(String),
    /// Says this and then nothing more.
    SayAndHang(String),
    /// Says this, and then bytes without end.
    SayWithoutEnd(String),
    /// Resets the connection.
    Reset,
}

type Script = Arc<dyn Fn(&Request) -> Act + Send + Sync>;

/// A whole answer.
pub fn answer(status: u16, headers: &str, body: &str) -> Act {
    Act::Say(format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    ))
}

/// Listens for as long as the test's runtime lives.
pub struct Receiver {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    act: Arc<Mutex<Script>>,
}

impl Receiver {
    pub async fn start(act: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let receiver = Receiver { address, seen: Arc::default(), act: Arc::new(Mutex::new(Arc::new(act))) };
        let (seen, act) = (Arc::clone(&receiver.seen), Arc::clone(&receiver.act));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, act) = (Arc::clone(&seen), Arc::clone(&act));
                tokio::spawn(async move {
                    let mut stream = stream;
                    let Some(request) = read(&mut stream).await else { return };
                    let act = Arc::clone(&*act.lock().expect("the act"));
                    let act = act(&request);
                    seen.lock().expect("the log").push(request);
                    play(stream, act).await;
                });
            }
        });
        receiver
    }

    /// From now on it does this.
    pub fn now(&self, act: impl Fn(&Request) -> Act + Send + Sync + 'static) {
        *self.act.lock().expect("the act") = Arc::new(act);
    }

    /// What has come since the last call, in order.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut *self.seen.lock().expect("the log"))
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let request = Request { head, body: String::new() };
            let length: usize = request.header("content-length").unwrap_or("0").parse().expect("a length");
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8(bytes[end + 4..end + 4 + length].to_vec()).expect("UTF-8");
                return Some(Request { body, ..request });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

async fn play(mut stream: TcpStream, act: Act) {
    match act {
        Act::Say(text) => {
            stream.write_all(text.as_bytes()).await.ok();
            stream.shutdown().await.ok();
        }
        Act::SayAndHang(text) => {
            stream.write_all(text.as_bytes()).await.ok();
            // Until the other side gives up.
            let mut rest = [0; 64];
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
        }
        Act::SayWithoutEnd(text) => {
            stream.write_all(text.as_bytes()).await.ok();
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        }
        Act::Reset => stream.set_zero_linger().expect("a socket"),
    }
}

/// Asks until it is so, for at most ten seconds.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(10), "waited 10 s for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
