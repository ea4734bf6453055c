//! What the server bears: whoever says nothing, says it slowly, or says too much.

use super::{FORM, ask, header};
use crate::support::agent::Agent;
use crate::support::http::{self, raw};
use crate::support::server::directory;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn agent(name: &str) -> Agent {
    let directory = directory(name);
    std::fs::create_dir_all(directory.join("checks")).expect("a folder");
    Agent::start_in(directory, &[])
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a listener");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    stream
}

/// Sends this and nothing more; what came by the end of the connection, and when that was.
fn say_and_wait(port: u16, text: &str) -> (String, Duration) {
    let mut stream = connect(port);
    let begun = Instant::now();
    stream.write_all(text.as_bytes()).expect("it takes it");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
}

#[test]
fn whoever_speaks_slowly_is_hung_up_on() {
    let agent = agent("gate-slow");
    let port = agent.port;
    let cases = [
        ("", ""),
        ("GET / HT", ""),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ", ""),
        ("POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\ntoken=", "HTTP/1.1 408"),
        (
            "POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ntok",
            "HTTP/1.1 408",
        ),
    ];
    let waiting = cases.map(|(said, answer)| (answer, std::thread::spawn(move || say_and_wait(port, said))));
    for (expected, waiting) in waiting {
        let (answer, took) = waiting.join().expect("no panic");
        assert!(answer.starts_with(expected), "{answer}");
        assert!(took > Duration::from_secs(8) && took < Duration::from_secs(25), "{took:?}");
    }
    // A byte now and then is no header either.
    let mut stream = connect(port);
    let begun = Instant::now();
    for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: aaaaaaaaaaaaaaaaaaaa".iter().cycle() {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(25), "nobody hangs up");
        std::thread::sleep(Duration::from_millis(250));
    }
    assert_eq!(agent.get("/healthz").status, 200);
}

#[test]
fn idle_connections_do_not_lock_out_who_asks() {
    let agent = agent("gate-idle");
    let mut idle: Vec<TcpStream> = (0..300).map(|_| connect(agent.port)).collect();
    for (n, stream) in idle.iter_mut().enumerate() {
        let said = if n % 2 == 0 {
            "GET / HTTP/1.1\r\nHost: lo"
        } else {
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        };
        stream.write_all(said.as_bytes()).ok();
    }
    for _ in 0..20 {
        let begun = Instant::now();
        let answer = agent.get("/metrics");
        assert!(answer.status == 200 && begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
    let refused = agent.metric("atalaya_http_refused_total").expect("a counter");
    assert!(refused >= 44.0, "those whose places were needed are counted: {refused}");
}

#[test]
fn what_is_too_large_is_refused() {
    let agent = agent("gate-large");
    let get = |lines: String| {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n");
        raw(connect(agent.port), request.as_bytes()).expect("an answer").status
    };
    assert_eq!(get(format!("X-A: {}\r\n", "a".repeat(8_000))), 200);
    assert_eq!(get(format!("X-A: {}\r\n", "a".repeat(20_000))), 431);
    let many = |n: usize| (0..n).fold(String::new(), |lines, n| lines + &format!("X-{n}: a\r\n"));
    assert_eq!((get(many(90)), get(many(101))), (200, 431));
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(70_000));
    assert!([414, 431].contains(&raw(connect(agent.port), long.as_bytes()).expect("an answer").status));
    assert_eq!(
        ask(agent.port, "POST", "/login", &[FORM], &format!("token={}", "a".repeat(5_000))).status,
        413
    );
    let token = std::fs::read_to_string(agent.directory.join("atalaya.db.token")).expect("the token");
    let large = http::send(
        agent.port,
        "POST",
        "/api/v1/silences",
        &format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"),
        &"a".repeat(17_000),
    );
    assert_eq!(large.status, 413);
    assert!(header(&large, "content-security-policy").is_some());
}

/// Two servers that disagree on where a request ends let one smuggle another past the first.
#[test]
fn where_a_request_ends_is_clear() {
    let agent = agent("gate-smuggling");
    let second = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // One that says both is read as the newer of the two and nothing after it is: RFC 9112, 6.1.
    for lines in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"]
    {
        let request = format!("POST /login HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n0\r\n\r\n{second}");
        let (answers, _) = say_and_wait(agent.port, &request);
        assert!(
            answers.starts_with("HTTP/1.1 401") && answers.contains("\r\nconnection: close\r\n"),
            "{answers}"
        );
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{lines}: {answers}");
    }
    for lines in [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Content-Length: -1",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding : chunked",
        "Content-Length : 5",
        " Content-Length: 5",
    ] {
        let request = format!("POST /login HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n0\r\n\r\n{second}");
        let (answers, _) = say_and_wait(agent.port, &request);
        assert!(answers.starts_with("HTTP/1.1 400"), "{lines}: {answers}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{lines}: {answers}");
        assert!(!answers.contains("atalaya_"), "{lines}: {answers}");
    }
}
