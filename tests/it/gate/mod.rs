//! Who may see and change what over HTTP, and what the server bears.

mod bounds;
mod clients;
mod login;
mod reload;
mod routes;
mod tls;

use crate::support::http::{Answer, raw};
use atalaya::config::Http;
use atalaya::config::http::Digest;
use atalaya::web::access::gate::Pages;
use atalaya::web::access::{Access, Caller, MayChange, MaySee, Operator};
use atalaya::web::{Router, Server, bind, served};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

pub const TOKEN: &str = "a-token-of-our-own-kX81";

/// The gate with a route of each kind behind it.
struct House {
    _runtime: Runtime,
    _server: Server,
    access: Access,
    port: u16,
}

impl House {
    fn open(http: Http) -> House {
        let runtime = Runtime::new().expect("a runtime");
        let access = Access::new(Digest::of(TOKEN), Arc::new(http)).expect("random numbers");
        let router = served(pages(), &access);
        let (server, port) = runtime.block_on(async {
            let listener = bind("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
            let port = listener.local_addr().expect("an address").port();
            (Server::start(listener, router, None).expect("a server"), port)
        });
        House { _runtime: runtime, _server: server, access, port }
    }

    /// Sends lines of a header, and a body; the port stands for `PORT`.
    fn ask(&self, method: &str, path: &str, lines: &[&str], body: &str) -> Answer {
        ask(self.port, method, path, lines, body)
    }

    /// Logs in; the cookie as it is sent back, and the word for forms.
    fn log_in(&self, name: &str) -> (String, String) {
        let form = format!("token={TOKEN}&name={name}&to=/ops/page");
        let answer = self.ask("POST", "/login", &[FORM, SAME_ORIGIN], &form);
        assert_eq!((answer.status, header(&answer, "location")), (303, Some("/ops/page")), "{}", answer.body);
        let cookie = header(&answer, "set-cookie").and_then(|cookie| cookie.split(';').next());
        let cookie = format!("Cookie: other=1; {}; more=2", cookie.expect("a cookie"));
        let page = self.ask("GET", "/ops/page", &[&cookie], "");
        let word = page.body.split(' ').nth(1).expect("the page has the word").to_owned();
        (cookie, word)
    }
}

pub const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
pub const JSON: &str = "Content-Type: application/json";
pub const SAME_ORIGIN: &str = "Sec-Fetch-Site: same-origin";
/// Whoever comes through a reverse proxy on this machine.
pub const STRANGER: &str = "X-Forwarded-For: 203.0.113.9";

pub fn ask(port: u16, method: &str, path: &str, lines: &[&str], body: &str) -> Answer {
    let mut head = vec![format!("{method} {path} HTTP/1.1"), "Connection: close".to_owned()];
    if !lines.iter().any(|line| line.starts_with("Host:")) {
        head.push(format!("Host: localhost:{port}"));
    }
    if method != "GET" {
        head.push(format!("Content-Length: {}", body.len()));
    }
    head.extend(lines.iter().map(|line| line.replace("PORT", &port.to_string())));
    let request = format!("{}\r\n\r\n{body}", head.join("\r\n"));
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a listener");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    raw(stream, request.as_bytes()).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

pub fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let lines = answer.head.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

fn basic(name: &str, token: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(format!("{name}:{token}")))
}

/// Says who asks and, to operators, the word for forms.
fn pages() -> Pages {
    let who = async |caller: Caller| match caller {
        Caller::Anybody => "anybody".to_owned(),
        Caller::Local => "local".to_owned(),
        Caller::Operator(operator) => format!("{:?} {:?}", operator.how, operator.name),
    };
    let page = async |operator: Operator| format!("word {} {:?}", operator.csrf(), operator.name);
    let change = async |MayChange(operator): MayChange, body: String| format!("{:?} {body}", operator.name);
    Pages {
        public: Router::new()
            .route("/open", get(who))
            // Put among the wrong ones: each refuses by itself.
            .route("/misplaced/seen", get(async |MaySee(_): MaySee| "seen"))
            .route("/misplaced/page", get(page))
            .route("/misplaced/change", post(change)),
        embedded: Router::new().route("/badges/one", get(async || "image")),
        private: Router::new().route("/private", get(who)).route("/both", get(who)),
        operators: Router::new().route("/ops/page", get(page)).route("/ops/other", get(page)),
        changes: Router::new().route("/ops/change", post(change)).route("/both", post(change)),
        senders: Router::new().route("/send", post(async || "taken")),
    }
}
