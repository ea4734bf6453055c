//! HTTP/1.1 and HTTP/2, with and without TLS.

use super::OK;
use crate::support::probe::{look, measure, verdict};
use crate::support::web::{Authority, TlsServer, saying, saying_in_tls, serve};
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};

/// Says who was asked, how, and with which headers of the connection.
async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let of_connection = ["host", "connection"].iter().any(|name| request.headers().contains_key(*name));
    let text = format!("{:?} {} {of_connection}", request.version(), request.uri());
    Ok(Response::new(Full::new(Bytes::from(text))))
}

async fn http2(io: impl AsyncRead + AsyncWrite + Unpin) {
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    connection.serve_connection(TokioIo::new(io), service_fn(echo)).await.ok();
}

async fn http2_in_tls(authority: &Authority, protocols: &[&str]) -> SocketAddr {
    let server = TlsServer { protocols, clients: None };
    let acceptor = server.acceptor(authority.identity("localhost", |_| ()));
    serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                http2(stream).await;
            }
        }
    })
    .await
}

/// The verdict and the version that was measured.
async fn check(url: &str, rest: &str, expected: (&str, Option<f64>)) {
    let look = look(&format!("probe.http = {{ url = \"{url}\"{rest} }}")).await;
    assert_eq!((verdict(&look).as_str(), measure(&look.outcome, "version")), expected, "{rest}");
}

#[tokio::test]
async fn http2_without_tls_is_spoken_from_the_first_byte() {
    let address = serve(http2).await;
    let url = format!("http://{address}/a?b=c");
    let text = format!(", version = \"2\", contains = \"HTTP/2.0 {url} false\"");
    check(&url, &text, ("ok", Some(2.0))).await;
    let only = format!("failed protocol: {address} speaks HTTP/2 only; say `version = \"2\"`");
    check(&url, "", (&only, None)).await;
}

#[tokio::test]
async fn http2_is_chosen_in_the_handshake() {
    let authority = Authority::new();
    let tls = format!(", tls = {{ ca = {:?} }}", authority.file());
    let both = http2_in_tls(&authority, &["h2", "http/1.1"]).await;
    let url = format!("https://localhost:{}/", both.port());
    check(&url, &format!(", contains = \"HTTP/2.0\"{tls}"), ("ok", Some(2.0))).await;
    check(&url, &format!(", version = \"2\"{tls}"), ("ok", Some(2.0))).await;
}

#[tokio::test]
async fn a_server_without_http2_gets_http1_or_is_told_to_lack_it() {
    let authority = Authority::new();
    let tls = format!(", tls = {{ ca = {:?} }}", authority.file());
    let identity = || authority.identity("localhost", |_| ());
    let silent = saying_in_tls(TlsServer::default().acceptor(identity()), OK).await;
    let url = format!("https://localhost:{}/", silent.port());
    check(&url, &tls, ("ok", Some(1.1))).await;
    let lacks = format!(
        "failed protocol: localhost:{} does not offer HTTP/2 in its TLS handshake (ALPN)",
        silent.port()
    );
    check(&url, &format!(", version = \"2\"{tls}"), (&lacks, None)).await;
    let only = TlsServer { protocols: &["http/1.1"], clients: None };
    let address = saying_in_tls(only.acceptor(identity()), OK).await;
    let url = format!("https://localhost:{}/", address.port());
    check(&url, &tls, ("ok", Some(1.1))).await;
    let refuses = format!(
        "failed tls: localhost:{} speaks none of the protocols that were offered (ALPN)",
        address.port()
    );
    check(&url, &format!(", version = \"2\"{tls}"), (&refuses, None)).await;
}

#[tokio::test]
async fn http1_where_http2_was_asked_for_is_said() {
    let address = saying("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let text = format!("failed protocol: {address} answers in HTTP/1 where HTTP/2 was asked for");
    check(&format!("http://{address}/"), ", version = \"2\"", (&text, None)).await;
}
