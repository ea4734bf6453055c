//! `dns` against a real dnsmasq, and against servers that misbehave.

use crate::support::dnsmasq;
use crate::support::probe::{build_faults, look, look_with, measure, parse_error, verdict};
use crate::support::server::free_port;
use hickory_resolver::proto::op::{Message, ResponseCode};
use std::time::Duration;
use tokio::net::UdpSocket;

/// The verdict on a question to dnsmasq, with its address as SERVER.
async fn check(question: &str, expected: &str) {
    let server = dnsmasq::address();
    let look = look(&format!("probe.dns = {{ server = \"{server}\", {question} }}")).await;
    assert_eq!(verdict(&look).replace(&server, "SERVER"), expected, "{question}");
}

#[tokio::test]
async fn records_of_every_kind_are_found_however_they_are_spelt() {
    check("name = 'shop.test'", "ok").await;
    check("name = 'Shop.Test.', expect = ['192.0.2.2', '192.0.2.1']", "ok").await;
    check("name = 'www.shop.test', expect_any = ['192.0.2.9', '192.0.2.1']", "ok").await;
    check("name = 'www.shop.test', record = 'CNAME', expect = 'shop.test.'", "ok").await;
    check("name = 'shop.test', record = 'AAAA', expect = '2001:DB8:0::1'", "ok").await;
    check("name = 'shop.test', record = 'MX', expect = '10 mail.shop.test'", "ok").await;
    check("name = 'shop.test', record = 'TXT', expect = 'v=spf1 -all'", "ok").await;
    check("name = '_db._tcp.shop.test', record = 'SRV', expect = '1 2 5432 db.shop.test'", "ok").await;
    check("name = 'shop.test', record = 'CAA', expect = '0 issue \"letsencrypt.org\"'", "ok").await;
    check("name = '192.0.2.1', record = 'PTR', expect = 'shop.test'", "ok").await;
}

#[tokio::test]
async fn answers_are_counted_and_their_time_to_live_measured() {
    let question = format!("server = \"{}\", name = \"shop.test\"", dnsmasq::address());
    let look = look(&format!("probe.dns = {{ {question} }}")).await;
    assert_eq!(measure(&look.outcome, "answers"), Some(2.0));
    assert_eq!(measure(&look.outcome, "ttl_seconds"), Some(300.0));
    assert_eq!(look.phases.iter().map(|phase| phase.name).collect::<Vec<_>>(), ["query"]);
}

#[tokio::test]
async fn an_answer_too_long_for_a_datagram_comes_whole() {
    let question =
        format!("server = \"{}\", name = \"long.shop.test\", record = \"TXT\"", dnsmasq::address());
    let last = format!("19 {}", "x".repeat(200));
    let look = look(&format!("probe.dns = {{ {question}, expect = \"{last}\" }}")).await;
    assert_eq!((verdict(&look), measure(&look.outcome, "answers")), ("ok".to_owned(), Some(20.0)));
}

#[tokio::test]
async fn what_is_missing_is_told_from_what_is_other() {
    check("name = 'none.shop.test'", "failed dns: `none.shop.test` does not exist (NXDOMAIN from SERVER)")
        .await;
    check("name = 'shop.test', record = 'NS'", "failed dns: `shop.test` has no NS record (says SERVER)")
        .await;
    check("name = 'shop.example'", "failed dns: `shop.example`: SERVER answers REFUSED").await;
    check(
        "name = 'shop.test', record = 'MX', expect = ['10 mail.shop.test', '20 spare.shop.test']",
        "failed assertion: `shop.test` MX lacks `20 spare.shop.test`; SERVER has `10 mail.shop.test`",
    )
    .await;
    check(
        "name = 'shop.test', record = 'AAAA', expect_any = ['2001:db8::2', '::1']",
        "failed assertion: `shop.test` AAAA is none of `2001:db8::2`, `::1`; SERVER has `2001:db8::1`",
    )
    .await;
}

/// A server that answers each datagram as `answer` says, or never.
async fn responder(answer: fn(&[u8]) -> Option<Vec<u8>>) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            if let Some(answer) = answer(&buffer[..length]) {
                socket.send_to(&answer, from).await.ok();
            }
        }
    });
    address.to_string()
}

async fn ask(server: &str, timeout: Duration) -> String {
    let toml = format!("probe.dns = {{ server = \"{server}\", name = \"shop.test\" }}");
    verdict(&look_with(&toml, &[], timeout).await)
}

#[tokio::test]
async fn a_server_that_fails_is_told_from_one_that_is_silent_or_talks_nonsense() {
    let second = Duration::from_secs(1);
    let failing = responder(|query| {
        let mut answer = Message::from_vec(query).ok()?.into_response();
        answer.metadata.response_code = ResponseCode::ServFail;
        answer.to_vec().ok()
    })
    .await;
    assert_eq!(ask(&failing, second).await, format!("failed dns: `shop.test`: {failing} answers SERVFAIL"));
    let nonsense = responder(|_| Some(b"HTTP/1.1 400 Bad Request".to_vec())).await;
    let text = "sends something that is no answer to the question";
    assert_eq!(ask(&nonsense, second).await, format!("failed protocol: `shop.test`: {nonsense} {text}"));
    let stranger = responder(|query| {
        let mut answer = Message::from_vec(query).ok()?.into_response();
        answer.metadata.id = answer.metadata.id.wrapping_add(1);
        answer.to_vec().ok()
    })
    .await;
    assert_eq!(ask(&stranger, second).await, format!("failed protocol: `shop.test`: {stranger} {text}"));
    let silent = responder(|_| None).await;
    assert_eq!(ask(&silent, second).await, format!("failed timeout: `shop.test`: {silent} does not answer"));
    let nobody = format!("127.0.0.1:{}", free_port());
    assert_eq!(
        ask(&nobody, second).await,
        format!("failed connect: `shop.test`: nothing listens at {nobody}")
    );
}

#[tokio::test]
async fn a_lost_datagram_is_asked_for_again() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static LOST: AtomicBool = AtomicBool::new(false);
    let losing = responder(|query| {
        let first = !LOST.swap(true, Ordering::SeqCst);
        let mut answer = Message::from_vec(query).ok().filter(|_| !first)?.into_response();
        answer.metadata.response_code = ResponseCode::NXDomain;
        answer.to_vec().ok()
    })
    .await;
    let expected = format!("failed dns: `shop.test` does not exist (NXDOMAIN from {losing})");
    assert_eq!(ask(&losing, Duration::from_secs(1)).await, expected);
}

#[tokio::test]
async fn what_can_not_be_asked_is_a_fault() {
    assert_eq!(
        build_faults("probe.dns = { name = 'a..b', server = 'dns.example' }"),
        [
            "name: `a..b` is not a name that can be asked for",
            "server: `dns.example` is neither `ip` nor `ip:port`"
        ]
    );
    let error = parse_error("probe.dns = { name = 'a', record = 'ANY' }");
    assert!(error.starts_with("`ANY` is none of A, AAAA"), "{error}");
}
