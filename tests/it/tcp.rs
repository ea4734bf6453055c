//! `tcp` against ports of this process.

use crate::support::probe::{build_faults, look, look_with, measure, verdict};
use crate::support::server::free_port;
use crate::support::web::{Authority, TlsServer, say, serve};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// Greets, then echoes one line in capitals.
async fn greeter() -> SocketAddr {
    serve(|stream| async move {
        let mut stream = BufReader::new(stream);
        // In two pieces, as a network may deliver it.
        stream.write_all(b"220 mail.shop").await.ok();
        tokio::task::yield_now().await;
        stream.write_all(b".test ESMTP\r\n").await.ok();
        let mut line = String::new();
        stream.read_line(&mut line).await.ok();
        say(&mut stream, line.to_uppercase().as_bytes()).await;
    })
    .await
}

async fn check(address: SocketAddr, rest: &str, expected: &str) {
    let look = look(&format!("probe.tcp = {{ address = \"{address}\"{rest} }}")).await;
    assert_eq!(verdict(&look).replace(&address.to_string(), "SERVER"), expected, "{rest}");
}

#[tokio::test]
async fn a_port_that_takes_connections_is_ok_and_one_that_refuses_is_not() {
    check(greeter().await, "", "ok").await;
    let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
    check(nobody, "", "failed connect: SERVER refused the connection").await;
}

#[tokio::test]
async fn a_greeting_is_waited_for_and_answered() {
    let address = greeter().await;
    check(address, ", expect.contains = \"ESMTP\"", "ok").await;
    check(address, ", expect = { contains = \"220\", regex = \"(?m)^HELLO\" }, send = \"hello\\r\\n\"", "ok")
        .await;
    let toml =
        format!("probe.tcp = {{ address = \"{address}\", send = \"x\", expect.regex = \"TP\\r\\n\" }}");
    let look = look(&toml.replace("\\r\\n", "\\\\r\\\\n")).await;
    assert_eq!((verdict(&look), measure(&look.outcome, "response_bytes")), ("ok".to_owned(), Some(26.0)));
    let phases: Vec<_> = look.phases.iter().map(|phase| phase.name).collect();
    assert_eq!(phases, ["connect", "send", "banner"]);
}

#[tokio::test]
async fn a_wrong_greeting_is_told_from_none_and_an_endless_one() {
    let wrong = serve(|mut stream| async move { say(&mut stream, b"554 go away\r\n").await }).await;
    let text = "SERVER closed the connection after 13 bytes; what came does not match `^220`";
    check(wrong, ", expect.regex = \"^220\"", &format!("failed assertion: {text}")).await;
    let mute = serve(|mut stream| async move { say(&mut stream, b"").await }).await;
    let text = "SERVER closed the connection after 0 bytes; what came does not contain `220`";
    check(mute, ", expect.contains = \"220\"", &format!("failed connect: {text}")).await;
    let endless =
        serve(|mut stream| async move { while stream.write_all(&[b'x'; 4096]).await.is_ok() {} }).await;
    let text = "the first 64KiB that SERVER sent: what came does not contain `220`";
    check(endless, ", expect.contains = \"220\"", &format!("failed assertion: {text}")).await;
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    for (rest, phase) in [("expect.contains = \"220\"", "banner"), ("tls = {}", "tls")] {
        let toml = format!("probe.tcp = {{ address = \"{address}\", {rest} }}");
        let look = look_with(&toml, &[], Duration::from_millis(200)).await;
        let expected = format!("failed timeout: no end within 200ms; it hung in phase `{phase}`");
        assert_eq!(verdict(&look), expected);
    }
}

#[tokio::test]
async fn tls_is_spoken_where_it_was_asked_for() {
    let authority = Authority::new();
    let acceptor = TlsServer::default().acceptor(authority.identity("localhost", |_| ()));
    let address = serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                say(&mut stream, b"220 hello\r\n").await;
            }
        }
    })
    .await;
    let look_at = async |tls: &str| {
        let toml = format!(
            "probe.tcp = {{ address = \"localhost:{}\", tls = {{ {tls} }}, expect.contains = \"220\" }}",
            address.port()
        );
        look(&toml).await
    };
    let trusted = look_at(&format!("ca = {:?}", authority.file())).await;
    assert_eq!(verdict(&trusted), "ok");
    assert!(measure(&trusted.outcome, "certificate_expiry_seconds").is_some_and(|left| left > 0.0));
    let strange = look_at("").await;
    assert_eq!(verdict(&strange), "failed tls: the certificate of `localhost` has an unknown issuer");
    assert!(measure(&strange.outcome, "certificate_expiry_seconds").is_some());
    let plain = greeter().await;
    check(plain, ", tls = {}", "failed tls: SERVER does not speak TLS").await;
}

#[tokio::test]
async fn what_can_not_be_built_is_said_at_once() {
    let faults = build_faults("probe.tcp = { address = 'db', expect = {}, tls.ca = '/none.pem' }");
    let expected = [
        "address: `db` is not `host:port`",
        "tls.ca: can't read `/none.pem`: No such file or directory (os error 2)",
        "expect: nothing is expected here; say `contains` or `regex`",
    ];
    assert_eq!(faults, expected);
}
