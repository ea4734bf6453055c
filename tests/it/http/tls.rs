//! `https` against certificates of every kind.

use super::OK;
use crate::support::probe::{build_faults, look, measure, verdict};
use crate::support::web::{Authority, Identity, TlsServer, say, saying, saying_in_tls, serve};
use atalaya::probe::Look;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

async fn server(identity: Identity) -> SocketAddr {
    saying_in_tls(TlsServer::default().acceptor(identity), OK).await
}

async fn ask(address: SocketAddr, tls: &str) -> Look {
    look(&format!("probe.http = {{ url = \"https://localhost:{}/\", tls = {{ {tls} }} }}", address.port()))
        .await
}

fn days_left(look: &Look) -> Option<f64> {
    measure(&look.outcome, "certificate_expiry_seconds").map(|seconds| (seconds / 86_400.0).floor())
}

#[tokio::test]
async fn a_trusted_certificate_is_ok_and_its_expiry_known() {
    let authority = Authority::new();
    let identity = authority.identity("localhost", expiring_in(20));
    let look = ask(server(identity).await, &format!("ca = {:?}", authority.file())).await;
    assert_eq!(verdict(&look), "ok");
    assert_eq!(days_left(&look), Some(20.0));
    let phases: Vec<_> = look.phases.iter().map(|phase| phase.name).collect();
    assert_eq!(phases, ["resolve", "connect", "tls", "first_byte", "body"]);
}

/// The verdict on a certificate that is not to be trusted; its expiry must be known all the same.
async fn check(authority: &Authority, identity: Identity, tls: &str, expected: &str) -> Look {
    let look = ask(server(identity).await, &format!("ca = {:?}{tls}", authority.file())).await;
    assert_eq!(verdict(&look), expected);
    assert!(days_left(&look).is_some(), "the expiry is not known");
    look
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_says_why_and_when_it_expires() {
    let authority = Authority::new();
    let expired = authority.identity("localhost", expiring_in(-3));
    let look =
        check(&authority, expired, "", "failed tls: the certificate of `localhost` expired 2 days ago").await;
    assert_eq!(days_left(&look), Some(-3.0));
    let early = authority.identity("localhost", |params| params.not_before = date_time_ymd(2999, 1, 1));
    check(
        &authority,
        early,
        "",
        "failed tls: the certificate of `localhost` is not valid before 2999-01-01T00:00:00Z",
    )
    .await;
    let own = authority.identity("localhost", |params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    check(&authority, own, "", "failed tls: the certificate of `localhost` is not one that a server may use")
        .await;
    let other = authority.identity("shop.example", |_| ());
    check(
        &authority,
        other,
        "",
        "failed tls: the certificate is not for `localhost`; it is for `shop.example`",
    )
    .await;
    let stranger = Authority::new().identity("localhost", |_| ());
    check(&authority, stranger, "", "failed tls: the certificate of `localhost` has an unknown issuer").await;
    let mut alone = Authority::new().identity("localhost", |_| ());
    alone.chain.truncate(1);
    let text = "failed tls: the certificate of `localhost` has an unknown issuer; the server sent no other \
        certificate, so an intermediate one may be missing";
    check(&authority, alone, "", text).await;
    let text = "failed tls: the certificate of `localhost` is self-signed and not among those trusted";
    check(&authority, self_signed(), "", text).await;
}

#[tokio::test]
async fn insecure_takes_it_and_says_what_is_wrong() {
    let authority = Authority::new();
    let look = check(&authority, self_signed(), ", insecure = true", "ok").await;
    let note = "`insecure`: the certificate of `localhost` is self-signed and not among those trusted";
    assert_eq!(look.outcome.notes, [note]);
    let good = authority.identity("localhost", |_| ());
    let look = check(&authority, good, ", insecure = true", "ok").await;
    assert_eq!(look.outcome.notes, ["the certificate would be trusted, so `insecure` is not needed"]);
}

#[tokio::test]
async fn another_name_can_be_asked_for() {
    let authority = Authority::new();
    let other = authority.identity("shop.example", |_| ());
    check(&authority, other, ", server_name = \"shop.example\"", "ok").await;
}

#[tokio::test]
async fn without_an_authority_of_its_own_the_systems_are_trusted() {
    let authority = Authority::new();
    let address = server(authority.identity("localhost", |_| ())).await;
    let look = look(&format!("probe.http.url = \"https://localhost:{}/\"", address.port())).await;
    assert_eq!(verdict(&look), "failed tls: the certificate of `localhost` has an unknown issuer");
    assert!(days_left(&look).is_some());
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_wanted() {
    let authority = Authority::new();
    let wanting = TlsServer { clients: Some(&authority), ..TlsServer::default() };
    let address = saying_in_tls(wanting.acceptor(authority.identity("localhost", |_| ())), OK).await;
    let ca = format!("ca = {:?}", authority.file());
    let look = ask(address, &ca).await;
    let text =
        format!("localhost:{} wants a client certificate (`tls.certificate` and `tls.key`)", address.port());
    assert_eq!(verdict(&look), format!("failed tls: {text}"));
    let client = authority.identity("agent", |_| ());
    let pem: String = client.chain.iter().map(|one| pem("CERTIFICATE", one)).collect();
    let (certificate, key) =
        (authority.write("c.pem", &pem), authority.write("k.pem", &client.key.serialize_pem()));
    let look = ask(address, &format!("{ca}, certificate = {certificate:?}, key = {key:?}")).await;
    assert_eq!(verdict(&look), "ok");
}

#[tokio::test]
async fn a_port_without_tls_is_said_to_be_one() {
    let plain =
        serve(|mut stream| async move { say(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await }).await;
    let look = ask(plain, "").await;
    assert_eq!(verdict(&look), format!("failed tls: localhost:{} does not speak TLS", plain.port()));
    let closing = serve(|mut stream| async move { say(&mut stream, b"").await }).await;
    let look = ask(closing, "").await;
    let port = closing.port();
    assert_eq!(
        verdict(&look),
        format!("failed tls: localhost:{port} closed the connection during the TLS handshake")
    );
}

#[tokio::test]
async fn files_that_can_not_be_used_are_faults() {
    let authority = Authority::new();
    let (empty, cut) =
        (authority.write("empty.pem", ""), authority.write("cut.pem", "-----BEGIN CERTIFICATE-----"));
    let faults =
        |tls: &str| build_faults(&format!("probe.http = {{ url = \"https://a\", tls = {{ {tls} }} }}"));
    assert_eq!(
        faults("ca = \"/none.pem\""),
        ["tls.ca: can't read `/none.pem`: No such file or directory (os error 2)"]
    );
    assert_eq!(
        faults(&format!("ca = {empty:?}")),
        [format!("tls.ca: `{empty}` holds no certificate in PEM")]
    );
    assert_eq!(faults(&format!("ca = {cut:?}")), [format!("tls.ca: `{cut}` holds no certificate in PEM")]);
    assert_eq!(faults("ca = \"/dev/zero\""), ["tls.ca: `/dev/zero` has more than 4194304 bytes"]);
    assert_eq!(faults("key = \"/k.pem\""), ["tls.key: a client's key needs its `certificate`"]);
    assert_eq!(faults("server_name = \"a b\""), ["tls.server_name: `a b` is not a host name"]);
}

fn self_signed() -> Identity {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    Identity { chain: vec![params.self_signed(&key).expect("a certificate").der().clone()], key }
}

/// Half an hour is added, so that whole days do not depend on how long a test takes.
fn expiring_in(days: i64) -> impl FnOnce(&mut CertificateParams) {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock past 1970");
    let seconds = now.as_secs().strict_add_signed(days * 86_400) + 1_800;
    move |params| params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

#[tokio::test]
async fn a_redirect_to_https_is_followed_and_its_certificate_judged() {
    let authority = Authority::new();
    let address = server(authority.identity("shop.example", |_| ())).await;
    let to = format!("https://localhost:{}/", address.port());
    let plain = saying(format!("HTTP/1.1 301 Moved\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")).await;
    let follow = async |tls: &str| {
        let url = format!("http://localhost:{}/", plain.port());
        let tls = format!("{{ ca = {:?}{tls} }}", authority.file());
        verdict(&look(&format!("probe.http = {{ url = \"{url}\", redirects = 1, tls = {tls} }}")).await)
    };
    let wrong = "failed tls: the certificate is not for `localhost`; it is for `shop.example`";
    assert_eq!(follow("").await, wrong);
    assert_eq!(follow(", server_name = \"shop.example\"").await, "ok");
}
