//! What holds for every channel that speaks HTTP: which answer means what, that no try hangs, that no secret shows.

use crate::support::channel::{build_within, deliver, notice, parcel, verdict};
use crate::support::receiver::{Act, Receiver, Request, answer};
use crate::support::target::Silent;
use crate::support::web::{Authority, TlsServer, saying_in_tls};
use atalaya::alert::Kind;
use atalaya::notify::{Deliver, Delivery};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use socket2::{Domain, Socket, Type};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Is in every part of every definition that holds a secret, and must be in no text.
const MARK: &str = "mark3dsecretmark3dsecretmark3dse";

/// A kind of channel, and what its own receiver says when it has taken a message.
struct Channel {
    name: &'static str,
    /// `{url}` is the receiver.
    toml: &'static str,
    taken: (u16, &'static str),
    /// What else is taken, whatever the body.
    also_taken: fn(u16) -> bool,
    /// It can't tell a repeat, so what may have arrived is not repeated soon.
    once: bool,
    /// The address is everybody's and may be shown.
    public: bool,
}

const CHANNEL: Channel =
    Channel { name: "", toml: "", taken: (200, ""), also_taken: |_| false, once: false, public: false };

const CHANNELS: &[Channel] = &[
    Channel {
        name: "slack",
        toml: "to.slack = { url = \"{url}\" }",
        taken: (200, "ok"),
        once: true,
        ..CHANNEL
    },
    Channel {
        name: "discord",
        toml: "to.discord = { url = \"{url}\" }",
        taken: (204, ""),
        also_taken: |status| status == 200,
        once: true,
        ..CHANNEL
    },
    Channel {
        name: "pagerduty",
        toml: "to.pagerduty = { url = \"{url}\", routing_key = \"${MARK}\" }",
        taken: (202, r#"{"status":"success","message":"Event processed"}"#),
        also_taken: |status| status == 202,
        ..CHANNEL
    },
    Channel {
        name: "webhook",
        toml: "to.webhook = { url = \"{url}\", authorization = \"Bearer ${MARK}\", secret = \"whsec_${MARK}\" }",
        taken: (200, ""),
        also_taken: |status| (200..300).contains(&status),
        ..CHANNEL
    },
    Channel {
        name: "alertmanager",
        toml: "to.alertmanager = { urls = [\"{url}\"], authorization = \"Bearer ${MARK}\" }",
        also_taken: |status| status == 200,
        ..CHANNEL
    },
    Channel {
        name: "resend",
        toml: "to.resend = { api_url = \"{url}\", api_key = \"${MARK}\", from = \"a@shop.example\", to = \"b@shop.example\" }",
        taken: (200, r#"{"id":"49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}"#),
        public: true,
        ..CHANNEL
    },
];

impl Channel {
    fn to(&self, url: &str, timeout: Duration) -> Box<dyn Deliver> {
        let variables = [("MARK", MARK), ("URL", url)];
        let toml = self.toml.replace("{url}", "${URL}");
        build_within(timeout, &toml, &variables).unwrap_or_else(|found| panic!("{}: {found:#?}", self.name))
    }

    fn at(&self, scheme: &str, address: SocketAddr, timeout: Duration) -> Box<dyn Deliver> {
        if self.public {
            return self.to(&format!("{scheme}://{address}"), timeout);
        }
        let url = format!(
            "{scheme}://user-{MARK}:{MARK}@{address}/services/{MARK}/hook?token={MARK}&q=%6dark3dsecret"
        );
        self.to(&url, timeout)
    }

    async fn try_at(&self, address: SocketAddr) -> Delivery {
        let timeout = Duration::from_secs(20);
        self.try_with(&*self.at("http", address, timeout), timeout).await
    }

    async fn try_within(&self, scheme: &str, address: SocketAddr, timeout: Duration) -> Delivery {
        self.try_with(&*self.at(scheme, address, timeout), timeout).await
    }

    /// One try; it must end by itself, before it is ended from outside, and say nothing that is secret.
    async fn try_with(&self, deliver_to: &dyn Deliver, timeout: Duration) -> Delivery {
        let parcel = parcel(7, notice(Kind::Firing));
        let delivery = deliver(deliver_to, &parcel, timeout).await;
        let delivery = delivery.unwrap_or_else(|| panic!("{} took more than {timeout:?}", self.name));
        let shown = format!("{delivery:?}");
        let basic = STANDARD.encode(format!("user-{MARK}:{MARK}"));
        let secrets = ["mark3d", &basic, if self.public { "mark3d" } else { "127.0.0.1" }];
        assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{}: {shown}", self.name);
        delivery
    }
}

fn is_retry(delivery: &Delivery) -> bool {
    matches!(delivery, Delivery::Retry { .. })
}

fn is_refused(delivery: &Delivery) -> bool {
    matches!(delivery, Delivery::Refused { .. })
}

#[tokio::test]
async fn every_status_means_the_same_to_every_channel() {
    let receiver = Receiver::start(|_| Act::Reset).await;
    for channel in CHANNELS {
        let (status, body) = channel.taken;
        let timeout = Duration::from_secs(20);
        let built = channel.at("http", receiver.address, timeout);
        receiver.now(move |_| answer(status, "", body));
        assert_eq!(channel.try_with(&*built, timeout).await, Delivery::Delivered, "{}", channel.name);
        for status in 200..=599 {
            receiver.now(move |_| answer(status, "", ""));
            let delivery = channel.try_with(&*built, timeout).await;
            let as_is_due = match status {
                _ if (channel.also_taken)(status) || channel.taken == (status, "") => {
                    delivery == Delivery::Delivered
                }
                408 | 409 | 421 | 423 | 425 | 429 | 500.. | 200..300 => is_retry(&delivery),
                _ => is_refused(&delivery),
            };
            assert!(as_is_due, "{} makes of {status}: {}", channel.name, verdict(&delivery));
        }
    }
}

#[tokio::test]
async fn a_refusal_tells_the_way_out() {
    let receiver = Receiver::start(|_| answer(404, "", "no_service")).await;
    let mut shown = Vec::new();
    for channel in CHANNELS {
        shown.push(verdict(&channel.try_at(receiver.address).await));
    }
    let expected = [
        "refused: Slack answered 404 (no_service): make a new incoming webhook in Slack and put its address into `url` of the channel",
        "refused: Discord answered 404 (no_service): make a new webhook in Discord and put its address into `url` of the channel",
        "refused: PagerDuty answered 404 (no_service): check `routing_key` of the channel, which is the integration key of a service with Events API v2",
        "refused: the webhook answered 404 (no_service): check `url` and `authorization` of the channel",
        "refused: Alertmanager answered 404 (no_service): check `urls` and `authorization` of the channel",
        "refused: Resend answered 404 Not Found with 10 bytes of no stated type; check `api_url`",
    ];
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn who_asks_to_be_left_alone_is() {
    let receiver = Receiver::start(|_| Act::Reset).await;
    let date = |seconds: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    let waits: [(u16, String, std::ops::RangeInclusive<u64>); 5] = [
        (429, "7".to_owned(), 7..=7),
        (503, "7".to_owned(), 7..=7),
        (429, date(120), 100..=120),
        (429, "999999".to_owned(), 3600..=3600),
        (503, date(-60), 0..=0),
    ];
    for channel in CHANNELS {
        for (status, value, expected) in &waits {
            let (status, header) = (*status, format!("retry-after: {value}\r\n"));
            receiver.now(move |_| answer(status, &header, ""));
            let delivery = channel.try_at(receiver.address).await;
            let Delivery::Retry { after: Some(after), .. } = &delivery else {
                panic!("{}: {}", channel.name, verdict(&delivery))
            };
            // Resend's quotas come back after a day or a month, and it says when.
            let days = channel.name == "resend" && value == "999999" && after.as_secs() == 86_400;
            assert!(
                days || expected.contains(&after.as_secs()),
                "{} waits {after:?} for {value}",
                channel.name
            );
        }
        receiver.now(|_| answer(503, "retry-after: soon\r\n", ""));
        let delivery = channel.try_at(receiver.address).await;
        assert!(matches!(delivery, Delivery::Retry { after: None, .. }), "{}", channel.name);
    }
}

#[tokio::test]
async fn a_limit_of_discord_is_read_to_the_millisecond() {
    let body = r#"{"message":"You are being rate limited.","retry_after":1.337,"global":false}"#;
    let receiver = Receiver::start(move |_| answer(429, "retry-after: 2\r\n", body)).await;
    let discord = CHANNELS.iter().find(|channel| channel.name == "discord").expect("discord");
    let delivery = discord.try_at(receiver.address).await;
    let expected =
        "retry after 1s 337ms: Discord answered 429 (You are being rate limited.): too many messages";
    assert_eq!(verdict(&delivery), expected);
}

/// A port where connections are never completed: its queue is full.
fn full() -> (Socket, SocketAddr, Vec<Socket>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    listener.listen(0).expect("to listen");
    let address = listener.local_addr().expect("an address").as_socket().expect("IPv4");
    let fill = |_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        socket.connect(&address.into()).ok();
        socket
    };
    let waiting = (0..8).map(fill).collect();
    (listener, address, waiting)
}

#[tokio::test]
async fn whatever_hangs_ends_and_is_tried_again() {
    let timeout = Duration::from_millis(600);
    let (_listener, full, _waiting) = full();
    let silent = Silent::start();
    let receiver = Receiver::start(|_| Act::Reset).await;
    for channel in CHANNELS {
        let after = channel.once.then_some(Duration::from_mins(1));
        // Where it hung; Resend's own words are judged elsewhere.
        let says = |delivery: &Delivery, after: Option<Duration>, begin: &str| match delivery {
            Delivery::Retry { after: found, why } => {
                *found == after && (channel.name == "resend" || why.starts_with(begin))
            }
            _ => false,
        };
        let delivery = channel.try_within("http", full, timeout).await;
        assert!(says(&delivery, None, "no connection to"), "{}: {delivery:?}", channel.name);
        let delivery = channel.try_within("http", silent.address(), timeout).await;
        assert!(says(&delivery, after, "no answer from"), "{}: {delivery:?}", channel.name);
        // Over TLS it hangs before anything could be sent.
        let delivery = channel.try_within("https", silent.address(), timeout).await;
        assert!(matches!(&delivery, Delivery::Retry { after: None, .. }), "{}", channel.name);
        for head in ["HTTP/1.1 2", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n"] {
            receiver.now(|_| Act::SayAndHang(head.to_owned()));
            let delivery = channel.try_within("http", receiver.address, timeout).await;
            assert!(
                matches!(&delivery, Delivery::Retry { after: found, .. } if *found == after),
                "{}",
                channel.name
            );
        }
        receiver.now(|_| Act::Reset);
        let delivery = channel.try_within("http", receiver.address, timeout).await;
        assert!(
            matches!(&delivery, Delivery::Retry { after: found, .. } if *found == after),
            "{}",
            channel.name
        );
    }
}

#[tokio::test]
async fn an_answer_counts_though_its_body_never_ends() {
    let timeout = Duration::from_secs(2);
    let receiver = Receiver::start(|_| Act::Reset).await;
    for channel in CHANNELS {
        let head =
            |status: u16| format!("HTTP/1.1 {status} X\r\ncontent-length: 99999999999\r\n\r\nhalf of it");
        let acts: [fn(String) -> Act; 3] = [Act::SayAndHang, Act::SayWithoutEnd, Act::Say];
        for act in acts {
            let taken = channel.taken.0;
            receiver.now(move |_| act(head(taken)));
            let delivery = channel.try_within("http", receiver.address, timeout).await;
            if channel.name == "resend" {
                // A repeat has the same key, and only Resend answers with an id.
                assert!(is_retry(&delivery), "{}", verdict(&delivery));
            } else if channel.name == "slack" {
                assert_eq!(verdict(&delivery), "retry after 1m: Slack broke its answer off");
            } else if taken != 204 {
                assert_eq!(delivery, Delivery::Delivered, "{}", channel.name);
            }
        }
        receiver.now(move |_| Act::SayWithoutEnd(head(400)));
        let delivery = channel.try_within("http", receiver.address, timeout).await;
        assert!(is_refused(&delivery) || channel.name == "resend" && is_retry(&delivery), "{delivery:?}");
        receiver.now(move |_| Act::SayWithoutEnd(head(500)));
        assert!(is_retry(&channel.try_within("http", receiver.address, timeout).await), "{}", channel.name);
    }
}

#[tokio::test]
async fn what_speaks_another_language_is_tried_again() {
    let timeout = Duration::from_secs(1);
    let authority = Authority::new();
    let tls = TlsServer::default().acceptor(authority.identity("localhost", |_| {}));
    let tls = saying_in_tls(tls, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let plain = Receiver::start(|_| answer(200, "", "ok")).await;
    let noise = Receiver::start(|_| Act::Say("220 mail ESMTP\r\n".to_owned())).await;
    let closed = full().1;
    for channel in CHANNELS {
        let tries = [("https", plain.address), ("http", tls), ("http", noise.address), ("http", closed)];
        for (scheme, address) in tries {
            let delivery = channel.try_within(scheme, address, timeout).await;
            assert!(is_retry(&delivery), "{} {scheme}: {}", channel.name, verdict(&delivery));
        }
        // Whom nobody trusts is not told.
        let delivery = channel.try_within("https", tls, timeout).await;
        assert!(
            matches!(&delivery, Delivery::Retry { why, .. } if why.starts_with("no TLS with")),
            "{delivery:?}"
        );
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Receiver::start(|_| answer(200, "", "ok")).await;
    let to = format!("location: http://{}/mark3d\r\n", elsewhere.address);
    let receiver = Receiver::start(|_| Act::Reset).await;
    for channel in CHANNELS {
        for status in [301, 302, 307, 308] {
            let to = to.clone();
            receiver.now(move |_| answer(status, &to, ""));
            assert!(is_refused(&channel.try_at(receiver.address).await), "{}", channel.name);
        }
    }
    assert!(elsewhere.take().is_empty());
}

/// Everything that is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_shows_though_the_receiver_tells_all_it_got() {
    let log = Log::default();
    let writer = {
        let log = log.clone();
        move || log.clone()
    };
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(writer).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    tracing::info!("the log is read");
    let receiver = Receiver::start(|_| Act::Reset).await;
    let tell_all =
        |request: &Request| format!("{}\n{}", request.head, request.body).replace(['\r', '\n'], " ");
    for channel in CHANNELS {
        for status in [200, 302, 400, 403, 429, 500] {
            receiver.now(move |request| answer(status, "", &tell_all(request)));
            channel.try_at(receiver.address).await;
            receiver.now(move |request| {
                let said = serde_json::json!({ "message": tell_all(request), "errors": [tell_all(request)] });
                answer(status, "", &said.to_string())
            });
            channel.try_at(receiver.address).await;
        }
        // It did get the secrets: otherwise this shows nothing.
        let got = receiver.take();
        assert!(got.iter().all(|request| format!("{request:?}").contains(MARK)), "{}", channel.name);
    }
    // Nobody listens there, and nobody is called so.
    assert!(TcpStream::connect("127.0.0.1:1").is_err());
    for channel in CHANNELS {
        for url in [format!("http://127.0.0.1:1/{MARK}"), format!("http://h0stsecret.invalid/{MARK}")] {
            let name_is_public = channel.public;
            let channel = channel.to(&url, Duration::from_secs(5));
            let delivery = channel.deliver(&parcel(1, notice(Kind::Firing))).await;
            let shown = format!("{delivery:?}");
            assert!(is_retry(&delivery), "{shown}");
            assert!(!shown.contains("mark3d"), "{shown}");
            assert!(name_is_public || !shown.contains("h0stsecret"), "{shown}");
        }
    }
    let log = String::from_utf8_lossy(&log.0.lock().expect("the log")).into_owned();
    assert!(log.contains("the log is read"));
    assert!(!log.contains("mark3d"), "{log}");
    // Only the library that connects tells where to, and that at its finest level.
    let told: Vec<_> = log.lines().filter(|line| line.contains("h0stsecret")).collect();
    assert!(told.iter().all(|line| line.contains("TRACE") && line.contains("hyper_util")), "{told:?}");
}

#[tokio::test]
async fn what_is_no_address_is_said_without_showing_it() {
    for channel in CHANNELS {
        for wrong in [MARK, "ftp://mark3d.example/", "//mark3d/x", "mailto:mark3d@x.example"] {
            let variables = [("MARK", MARK), ("URL", wrong)];
            let toml = channel.toml.replace("{url}", "${URL}");
            let found = build_within(Duration::from_secs(1), &toml, &variables).err().expect("no channel");
            let fault = &found.faults[0];
            let expected = match channel.name {
                "resend" => "`${URL}` is no web address such as `https://api.resend.com`",
                _ => "the value is no address that begins with `https://` or `http://`",
            };
            assert_eq!(fault.text, expected, "{}", channel.name);
            assert!(!format!("{found:?}").contains("mark3d"), "{found:?}");
        }
    }
}
