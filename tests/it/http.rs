//! `http` against servers of this process, most of which misbehave.

mod redirects;
mod tls;
mod versions;

use crate::support::probe::{build_faults, look, look_with, measure, parse_error, verdict};
use crate::support::server::free_port;
use crate::support::web::{request, say, saying, serve};
use atalaya::probe::Look;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok";

/// Looks at `address` with `rest` beside the URL in the table.
async fn ask(address: SocketAddr, rest: &str) -> Look {
    look(&format!("probe.http = {{ url = \"http://{address}/path?key=secret#part\"{rest} }}")).await
}

fn told(look: &Look, address: SocketAddr) -> String {
    verdict(look).replace(&address.to_string(), "SERVER")
}

/// The verdict on a server that gives `answer`.
async fn check(answer: &str, rest: &str, expected: &str) {
    let address = saying(answer).await;
    assert_eq!(told(&ask(address, rest).await, address), expected, "{answer:.80} {rest}");
}

#[tokio::test]
async fn a_good_answer_is_ok_and_measured() {
    let address = saying(OK).await;
    let look = ask(address, "").await;
    assert_eq!(verdict(&look), "ok");
    let measures: Vec<_> = look.outcome.measures.iter().map(|one| (&*one.name, one.value)).collect();
    let expected = [("redirects", 0.0), ("status_code", 200.0), ("version", 1.1), ("response_bytes", 2.0)];
    assert_eq!(measures, expected);
    let phases: Vec<_> = look.phases.iter().map(|phase| phase.name).collect();
    assert_eq!(phases, ["connect", "first_byte", "body"]);
}

#[tokio::test]
async fn a_name_is_resolved_first() {
    let address = saying(OK).await;
    let url = format!("http://localhost:{}/", address.port());
    let look = look(&format!("probe.http = {{ url = \"{url}\" }}")).await;
    assert_eq!(verdict(&look), "ok");
    assert_eq!(look.phases[0].name, "resolve");
}

#[tokio::test]
async fn the_request_is_sent_as_it_was_defined() {
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let address = serve(move |mut stream| {
        let tell = tell.clone();
        async move {
            tell.send(request(&mut stream).await).await.ok();
            say(&mut stream, OK.as_bytes()).await;
        }
    })
    .await;
    let toml = format!(
        "probe.http = {{ url = \"http://ada:p%40ss@{address}/a?b=c#d\", method = \"POST\", body = \"{{}}\",
           headers = {{ \"content-type\" = \"application/json\", X-Key = \"${{KEY}}\" }} }}"
    );
    let look = look_with(&toml, &[("KEY", "1234")], Duration::from_secs(5)).await;
    assert_eq!(verdict(&look), "ok");
    let head = told.recv().await.unwrap();
    let mut lines: Vec<_> = head.trim().lines().collect();
    assert_eq!(lines.remove(0), "POST /a?b=c HTTP/1.1");
    lines.sort_unstable();
    let expected = [
        "accept: */*".to_owned(),
        "authorization: Basic YWRhOnBAc3M=".to_owned(),
        "connection: close".to_owned(),
        "content-length: 2".to_owned(),
        "content-type: application/json".to_owned(),
        format!("host: {address}"),
        concat!("user-agent: atalaya/", env!("CARGO_PKG_VERSION")).to_owned(),
        "x-key: 1234".to_owned(),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn an_unexpected_status_has_its_class_and_names_both() {
    let answer = |status: &str, rest: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n{rest}\r\n");
    let url = "http://SERVER/path?key=…";
    let mut cases = vec![
        (answer("404 Not Found", ""), "assertion", "404 Not Found, expected 2xx"),
        (answer("401 No", ""), "auth", "401 Unauthorized, expected 2xx"),
        (answer("403 No", ""), "auth", "403 Forbidden, expected 2xx"),
        (
            answer("500 Oh", "content-type: text/html; charset=x\r\n"),
            "protocol",
            "500 Internal Server Error (text/html), expected 2xx",
        ),
        (
            answer("429 Slow", "retry-after: 30\r\n"),
            "quota",
            "429 Too Many Requests, expected 2xx; it asks to wait 30s",
        ),
        (answer("503 Oh", "retry-after: Dear Ada\r\n"), "protocol", "503 Service Unavailable, expected 2xx"),
        (
            answer("302 Found", "location: /in?session=1\r\n"),
            "assertion",
            "302 Found, expected 2xx; it leads to http://SERVER/in?session=… (`redirects = 1` would follow)",
        ),
        (answer("599 Odd", ""), "protocol", "599, expected 2xx"),
    ];
    for (answer, class, text) in cases.drain(..) {
        check(&answer, "", &format!("failed {class}: {url} answered {text}")).await;
    }
    check(&answer("404 Not Found", ""), ", status = [\"2xx\", 404]", "ok").await;
    check(&answer("302 Found", "location: /in\r\n"), ", status = 302", "ok").await;
    let text = format!("failed assertion: {url} answered 204 No Content, expected 200 or 500-503");
    check(&answer("204 No Content", ""), ", status = [200, \"500-503\"]", &text).await;
}

#[tokio::test]
async fn what_is_no_good_http_is_told_apart() {
    let cases = [
        ("", "failed connect: SERVER closed the connection without an answer"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "failed protocol: SERVER speaks SSH, not HTTP"),
        ("220 mail ESMTP\r\n", "failed protocol: SERVER speaks SMTP or FTP, not HTTP"),
        ("garbage\r\n\r\n", "failed protocol: SERVER does not answer in HTTP: invalid HTTP version parsed"),
        ("\x15\x03\x01\0\x02\x02\x28", "failed protocol: SERVER speaks TLS; ask it with `https://`"),
        (
            "\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64",
            "failed protocol: SERVER speaks HTTP/2 only; say `version = \"2\"`",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-",
            "failed protocol: SERVER closed the connection in the middle of the answer's header",
        ),
        (
            "HTTP/1.1 20x OK\r\n\r\n",
            "failed protocol: SERVER does not answer in HTTP: invalid HTTP status-code parsed",
        ),
        (
            "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
            "failed protocol: SERVER does not answer in HTTP: invalid HTTP header parsed",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfour",
            "failed protocol: the body ended after 4 of 10 bytes",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\n",
            "failed protocol: the body broke off after 4 bytes: unexpected EOF during chunk size line",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\nxyz\r\n",
            "failed protocol: the body broke off after 4 bytes: Invalid chunk size line: missing size digit",
        ),
    ];
    for (answer, expected) in cases {
        check(answer, "", expected).await;
    }
    let lines = "x: y\r\n".repeat(300);
    let too_long = "failed protocol: the answer's header is too long (more than 65536 bytes or 200 lines)";
    check(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n"), "", too_long).await;
    check(&format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(100_000)), "", too_long).await;
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_is_told_apart() {
    let port = free_port();
    let refused = look(&format!("probe.http = {{ url = \"http://127.0.0.1:{port}/\" }}")).await;
    assert_eq!(verdict(&refused), format!("failed connect: 127.0.0.1:{port} refused the connection"));
    let reset = serve(|stream| async move {
        stream.set_zero_linger().unwrap();
    })
    .await;
    let reset_look = ask(reset, "").await;
    assert_eq!(told(&reset_look, reset), "failed connect: SERVER reset the connection without an answer");
}

#[tokio::test]
async fn a_hang_ends_at_the_deadline_and_names_its_phase() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let drip = serve(|mut stream| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await.ok();
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    for (address, phase) in [(silent.local_addr().unwrap(), "first_byte"), (drip, "body")] {
        let toml = format!("probe.http = {{ url = \"http://{address}\" }}");
        let look = look_with(&toml, &[], Duration::from_millis(300)).await;
        let expected = format!("failed timeout: no end within 300ms; it hung in phase `{phase}`");
        assert_eq!(verdict(&look), expected);
        assert!(look.took < Duration::from_secs(2), "{:?}", look.took);
    }
}

#[tokio::test]
async fn a_body_is_read_to_its_bound_and_no_further() {
    let endless = serve(|mut stream| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let look = ask(endless, ", body_max = \"256KiB\"").await;
    let too_long = "failed assertion: the body is longer than 256KiB (`body_max`)";
    assert_eq!(verdict(&look), too_long);
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n";
    check(announced, ", body_max = \"256KiB\"", too_long).await;
    check(OK, ", body_max = \"2B\"", "ok").await;
    check(OK, ", body_max = \"1B\"", "failed assertion: the body is longer than 1B (`body_max`)").await;
}

#[tokio::test]
async fn assertions_name_what_was_expected() {
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nx-frame-options: DENY\r\nset-cookie: a=secret\r\n\
        content-length: 21\r\n\r\n<h1>Welcome, Ada</h1>";
    check(
        page,
        ", contains = \"Welcome\", not_contains = [\"error\", \"oops\"], regex = \"<h1>.*</h1>\"",
        "ok",
    )
    .await;
    let body = "failed assertion: the body (text/html, 21 bytes)";
    check(page, ", contains = [\"Welcome\", \"Checkout\"]", &format!("{body} does not contain `Checkout`"))
        .await;
    check(page, ", not_contains = \"Welcome\"", &format!("{body} contains `Welcome`")).await;
    check(page, ", regex = \"^Hello\"", &format!("{body} does not match `^Hello`")).await;
    check(page, ", json = { \"/a\" = 1 }", &format!("{body} is not JSON: expected value at line 1 column 1"))
        .await;
    check(page, ", header = { X-Frame-Options = { equals = \"DENY\" } }", "ok").await;
    let header = "failed assertion: the header";
    check(
        page,
        ", header = { set-cookie = { contains = \"b=\" } }",
        &format!("{header} `set-cookie` does not contain `b=`"),
    )
    .await;
    check(
        page,
        ", header = { content-type = { regex = \"json\" } }",
        &format!("{header} `content-type` does not match `json`"),
    )
    .await;
    check(page, ", header = { x-none = { equals = \"1\" } }", &format!("{header} `x-none` is missing")).await;
    let json = "HTTP/1.1 200 OK\r\ncontent-length: 27\r\n\r\n{\"status\":\"down\",\"queue\":7}";
    check(json, ", json = { \"/status\" = \"!= up\", \"/queue\" = \"< 10\" }", "ok").await;
    check(json, ", json.\"/status\" = \"ok\"", "failed assertion: `/status` is \"down\", expected == ok")
        .await;
}

#[tokio::test]
async fn every_assertion_that_fails_is_reported() {
    let address = saying(OK).await;
    let look = ask(address, ", contains = [\"a\", \"b\"], header = { x = { equals = \"1\" } }").await;
    let texts: Vec<_> = look.outcome.faults.iter().map(|fault| fault.text.as_str()).collect();
    let body = "the body (text/plain, 2 bytes) does not contain";
    assert_eq!(texts, ["the header `x` is missing", &format!("{body} `a`"), &format!("{body} `b`")]);
    assert_eq!(measure(&look.outcome, "response_bytes"), Some(2.0));
}

/// Answers any number of requests over each connection, `limit` at most; counts the connections.
async fn keeping(limit: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    let address = serve(move |mut stream| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move {
            for _ in 0..limit {
                if request(&mut stream).await.is_empty() || stream.write_all(OK.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (address, connections)
}

async fn look_three_times(rest: &str, limit: usize) -> usize {
    let (address, connections) = keeping(limit).await;
    let toml = format!("probe.http = {{ url = \"http://{address}/\"{rest} }}");
    let run = crate::support::probe::build(&toml, &[]).expect("a probe");
    for _ in 0..3 {
        let look = atalaya::probe::look(&*run, atalaya::clock::wall(), Duration::from_secs(5)).await;
        assert_eq!(verdict(&look), "ok");
    }
    connections.load(Ordering::SeqCst)
}

#[tokio::test]
async fn connections_are_new_unless_kept() {
    assert_eq!(look_three_times("", 9).await, 3);
    assert_eq!(look_three_times(", keep_alive = true", 9).await, 1);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced_within_the_run() {
    assert_eq!(look_three_times(", keep_alive = true", 1).await, 3);
    assert_eq!(look_three_times(", keep_alive = true", 2).await, 2);
}

#[test]
fn what_can_not_be_read_is_refused_with_what_is_allowed() {
    let refused = |rest: &str| parse_error(&format!("probe.http = {{ url = \"http://a\", {rest} }}"));
    assert_eq!(refused("status = \"2yy\""), "`2yy` is not a status such as 204, \"2xx\" or \"200-204\"");
    assert_eq!(refused("status = []"), "an empty list expects nothing; leave the key out instead");
    assert_eq!(refused("regex = \"a(\""), "`a(` is not a regular expression: unclosed group");
    assert_eq!(
        refused("json = { a = 1 }"),
        "`a` is not a JSON pointer such as \"/status\" or \"/orders/0/state\""
    );
    assert!(refused("method = \"get\"").starts_with("unknown variant `get`, expected one of `GET`"));
    assert!(refused("body_max = 5").starts_with("invalid type: integer `5`, expected a string"));
}

#[tokio::test]
async fn what_can_not_be_built_is_said_at_once_and_without_secrets() {
    let faults = |toml: &str| build_faults(&format!("probe.http = {{ {toml} }}"));
    assert_eq!(
        faults(
            "url = \"ftp://a\", headers = { \"a b\" = \"1\", host = \"\\n\", connection = \"x\" }, contains = \"\""
        ),
        [
            "headers.a b: `a b` is not the name of a header",
            "headers.connection: `connection` is set by atalaya itself",
            "headers.host: the value holds a character that a header can't carry",
            "url: `ftp://a` can't be asked: the scheme `ftp` is neither `http` nor `https`",
            "contains: the expected text is empty",
        ]
    );
    assert_eq!(faults("url = \"shop\""), ["url: `shop` can't be asked: relative URL without a base"]);
    let both = "url = \"http://a:b@c\", headers = { Authorization = \"x\" }";
    assert_eq!(faults(both), ["headers.authorization: the URL has a user as well; one of them is too many"]);
    assert_eq!(
        faults("url = \"http://a\", body_max = \"65MiB\", header = { x = {} }"),
        [
            "header.x: nothing is expected here; say `equals`, `contains` or `regex`",
            "body_max: `65MiB` is more than 64MiB"
        ]
    );
}
