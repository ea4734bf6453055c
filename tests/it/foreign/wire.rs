//! Bytes from servers that speak `http`, `redis`, `dns` or nothing at all, mutated and random.

use super::mutate::{self, Change};
use super::{Bench, CARD, EMAIL, SECRET, Says, Script, cases, promises, serve};
use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{MX, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Long enough for anything that ends by itself on this machine.
const LONG: Duration = Duration::from_secs(5);
/// For a line that is held: the deadline ends it.
const SHORT: Duration = Duration::from_millis(60);

fn timeout(script: &Script) -> Duration {
    if script.holds { SHORT } else { LONG }
}

/// Waits for the first bytes of a question, says what the script says, and closes or holds the line.
pub async fn follow(mut stream: TcpStream, script: Script) {
    let mut asked = vec![0; 16 * 1024];
    if stream.read(&mut asked).await.is_err() || stream.write_all(&script.says).await.is_err() {
        return;
    }
    if !script.holds && stream.shutdown().await.is_err() {
        return;
    }
    // Until the other side closes: closing with something unread would be a reset.
    while stream.read(&mut asked).await.is_ok_and(|length| length > 0) {}
}

/// Bytes that are nearly those of a sample, or no bytes of any protocol.
fn said(samples: Vec<Vec<u8>>) -> impl Strategy<Value = Script> {
    let mutated = (prop::sample::select(samples), mutate::changes(4))
        .prop_map(|(sample, changes): (Vec<u8>, Vec<Change>)| mutate::bytes(&sample, &changes));
    let noise = prop::collection::vec(any::<u8>(), 0..200);
    let says = prop_oneof![6 => mutated, 1 => noise];
    (says, prop::bool::weighted(0.04)).prop_map(|(says, holds)| Script { says, holds })
}

fn check(probe: &str, number: u32, samples: Vec<Vec<u8>>) {
    let bench = Bench::new();
    let (address, says) = serve(&bench);
    let address = address.to_string();
    let probe = probe.replace("ADDRESS", &address);
    // Redirects lead here too.
    let samples = samples.into_iter().map(|sample| match String::from_utf8(sample) {
        Ok(text) => text.replace("ADDRESS", &address).into_bytes(),
        Err(bytes) => bytes.into_bytes(),
    });
    let samples = samples.collect();
    let run = TestRunner::new(cases(number)).run(&said(samples), |script| {
        let timeout = timeout(&script);
        set(&says, script);
        promises(&bench.look(&probe, timeout), timeout)
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

pub fn set(says: &Says, script: Script) {
    *says.lock().expect("the script") = script;
}

fn private() -> String {
    format!("{SECRET} {EMAIL} {CARD}")
}

#[test]
fn any_answer_over_http_is_told_or_taken() {
    let private = private();
    let body = format!(r#"{{"status":"{private}","queue":"{CARD}","list":[1,2],"name":"{EMAIL}"}}"#);
    let length = body.len();
    let samples = [
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Who: {private}\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
        ),
        format!(
            "HTTP/1.1 301 Moved\r\nLocation: http://{SECRET}:{EMAIL}@ADDRESS/{EMAIL}/{CARD}?a={SECRET}&{EMAIL}={CARD}#{EMAIL}\r\nContent-Length: 0\r\n\r\n"
        ),
        "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".to_owned(),
        format!("HTTP/1.0 503 {private}\r\nRetry-After: 99999999999\r\nContent-Type: {EMAIL}\r\n\r\n{body}"),
        format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"),
        format!("HTTP/1.1 200 OK\r\n{}\r\n{body}", "X-Many: a\r\n".repeat(150)),
        format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n{body}", "a".repeat(60_000)),
        format!("220 mail.shop.example ESMTP {private}\r\n"),
        format!("SSH-2.0-{private}\r\n"),
    ];
    let probe = r#"probe.http = { url = "http://ADDRESS/", redirects = 2, status = ["2xx", 301], contains = "a",
        not_contains = "${SECRET}", regex = "a", json = { "/status" = "ok", "/queue" = "< 100" },
        header = { X-Who = { contains = "a" } }, body_max = "64KiB" }"#;
    check(&probe.replace('\n', " "), 400, samples.map(String::into_bytes).to_vec());
}

#[test]
fn any_answer_over_http_2_is_told_or_taken() {
    let settings = b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0".to_vec();
    let headers = b"\0\0\x01\x01\x04\0\0\0\x01\x88\0\0\x02\0\x01\0\0\0\x01{}".to_vec();
    let goaway = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x02".to_vec();
    let huge = b"\xff\xff\xff\x01\x04\0\0\0\x01".to_vec();
    let samples = vec![
        [settings.clone(), headers.clone()].concat(),
        [settings.clone(), goaway].concat(),
        [settings.clone(), huge].concat(),
        [settings, headers.repeat(20)].concat(),
    ];
    check(r#"probe.http = { url = "http://ADDRESS/", version = "2", json = { "" = "ok" } }"#, 150, samples);
}

#[test]
fn any_greeting_over_tcp_is_told_or_taken() {
    let samples = [
        format!("220 mail ESMTP {}\r\n", private()),
        "+PONG\r\n".to_owned(),
        "x".repeat(70_000),
        format!("{}é\u{0}", "a ".repeat(3000)),
    ];
    let probe = r#"probe.tcp = { address = "ADDRESS", send = "hi ${SECRET}", expect = { contains = "ready ${SECRET}", regex = "^220 .*é" } }"#;
    check(probe, 200, samples.map(String::into_bytes).to_vec());
    check(
        r#"probe.tcp = { address = "ADDRESS", tls = { insecure = true } }"#,
        150,
        vec![
            b"\x16\x03\x03\0\x7a\x02\0\0\x76\x03\x03".repeat(3),
            b"\x15\x03\x03\0\x02\x02\x28".to_vec(),
            b"220 mail\r\n".to_vec(),
        ],
    );
}

#[test]
fn any_answer_of_a_redis_is_told_or_taken() {
    let info = format!(
        "# Server\r\nused_memory:50\r\nmaxmemory:100\r\nrole:slave\r\nmaster_link_status:down\r\n\
         master_link_down_since_seconds:1e300\r\ndb0:keys=3,expires=1\r\nkeyspace_hits:1\r\nkeyspace_misses:1\r\n{}\r\n",
        private()
    );
    let info = format!("${}\r\n{info}\r\n", info.len());
    let samples = [
        format!("+OK\r\n+OK\r\n+PONG\r\n{info}"),
        format!("+OK\r\n+OK\r\n+PONG\r\n*2\r\n:1\r\n{info}"),
        format!("+OK\r\n+OK\r\n-ERR {}\r\n", private()),
        format!("-{SECRET} {EMAIL} card {CARD}\r\n"),
        format!("-{CARD}\r\n"),
        format!("+OK\r\n+OK\r\n+PONG\r\n-MOVED {}\r\n", private()),
        "+OK\r\n+OK\r\n+PONG\r\n*1\r\n".repeat(100),
        "*2147483647\r\n".to_owned(),
        "%2147483647\r\n".to_owned(),
        "~1000000000000\r\n".to_owned(),
        ">3\r\n+message\r\n+a\r\n+b\r\n".repeat(20),
        "$9223372036854775807\r\n".to_owned(),
        "*1\r\n".repeat(50_000),
        format!(
            "={}\r\ntxt:{}\r\n|1\r\n+a\r\n+b\r\n#t\r\n,1e999\r\n(99999999999999999999\r\n_\r\n",
            10, "abcdef"
        ),
    ];
    check(
        r#"probe.redis = { url = "redis://shop:${SECRET}@ADDRESS/1" }"#,
        400,
        samples.map(String::into_bytes).to_vec(),
    );
}

/// A name server that answers each question with these bytes behind the question's number, by UDP and TCP.
async fn name_server(says: Says) -> SocketAddr {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = udp.local_addr().expect("an address");
        if let Ok(tcp) = TcpListener::bind(address).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().expect("an address");
    let numbered = |says: &Says, question: &[u8]| {
        let mut answer = says.lock().expect("the script").says.clone();
        answer.iter_mut().zip(question.iter().take(2)).for_each(|(byte, number)| *byte = *number);
        answer
    };
    let told = says.clone();
    tokio::spawn(async move {
        let mut question = [0; 4096];
        while let Ok((length, from)) = udp.recv_from(&mut question).await {
            udp.send_to(&numbered(&told, &question[..length]), from).await.ok();
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let mut question = [0; 4096];
            let length = stream.read(&mut question).await.unwrap_or(0);
            let answer = numbered(&says, question[..length].get(2..).unwrap_or_default());
            let announced = u16::try_from(answer.len()).unwrap_or(u16::MAX);
            stream.write_all(&[&announced.to_be_bytes()[..], &answer].concat()).await.ok();
        }
    });
    address
}

fn dns_samples() -> Vec<Vec<u8>> {
    let name = Name::from_str("shop.test.").expect("a name");
    let records = [
        RData::TXT(TXT::new(vec!["v=spf1 -all".to_owned(), "\u{1b}[31m\u{0}é".to_owned()])),
        RData::MX(MX::new(10, name.clone())),
        RData::TXT(TXT::new(vec!["x".repeat(255); 4])),
    ];
    let message = |truncated: bool, code: ResponseCode| {
        let mut message = Message::query();
        message.metadata.message_type = MessageType::Response;
        message.metadata.truncation = truncated;
        message.metadata.response_code = code;
        for data in records.clone() {
            message.add_answer(Record::from_rdata(name.clone(), 300, data));
        }
        message.to_vec().expect("a message")
    };
    vec![
        message(false, ResponseCode::NoError),
        message(true, ResponseCode::NoError),
        message(false, ResponseCode::NXDomain),
        message(false, ResponseCode::ServFail),
        // A name that points to itself.
        b"\0\0\x81\x80\0\x01\0\x01\0\0\0\0\xc0\x0c\0\x10\0\x01\xc0\x0c\0\x10\0\x01\0\0\0\0\0\x02\x01a"
            .to_vec(),
    ]
}

#[test]
fn any_answer_of_a_name_server_is_told_or_taken() {
    let bench = Bench::new();
    let says = Says::default();
    let address = bench.runtime.block_on(name_server(says.clone()));
    let probe = format!(
        r#"probe.dns = {{ name = "shop.test", record = "TXT", server = "{address}", expect = "v=spf1 -all" }}"#
    );
    let run = TestRunner::new(cases(300)).run(&said(dns_samples()), |script| {
        set(&says, script);
        // What is taken for silence is asked for again: it is the deadline that bounds that.
        promises(&bench.look(&probe, Duration::from_millis(500)), Duration::from_millis(500))
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}
