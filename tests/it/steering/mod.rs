//! A running agent that is steered: by commands, over its API, by new definitions; and what it exports meanwhile.

mod commands;
mod counting;
mod metrics;
mod refusals;
mod reload;
mod replay;

use crate::support::agent::Agent;
use crate::support::receiver::{Receiver, Request, answer};
use crate::support::server::directory;
use jiff::Timestamp;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Output;
use std::sync::Mutex;
use tokio::runtime::Runtime;

/// A webhook that takes everything, and what it was told so far. `/refuse` refuses and `/hang` never answers.
struct Hook {
    _runtime: Runtime,
    receiver: Receiver,
    seen: Mutex<Vec<Told>>,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    at: Timestamp,
    path: String,
    /// `firing`, `resolved`, `test`, or what else the payload gives as its reason.
    kind: String,
    /// The key, the beginning and the end of each of its alerts.
    alerts: Vec<(String, String, String)>,
    /// The whole of it.
    text: String,
}

impl Told {
    fn new(request: &Request) -> Told {
        let body = request.json();
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        // A test has no key: it is about its channel.
        let key = |labels: &serde_json::Value| text(labels.get("key").unwrap_or(&labels["channel"]));
        let alerts = body["alerts"].as_array().expect("alerts").iter();
        let alerts: Vec<_> =
            alerts.map(|one| (key(&one["labels"]), text(&one["startsAt"]), text(&one["endsAt"]))).collect();
        let kind = match body["notification_reason"].as_str().expect("a reason") {
            _ if body["receiver"] == "test" => "test",
            "first notification" => "firing",
            "all alerts resolved" => "resolved",
            other => other,
        };
        Told {
            at: atalaya::clock::wall(),
            path: request.head.split(' ').nth(1).expect("a path").to_owned(),
            kind: kind.to_owned(),
            alerts,
            text: request.body.clone(),
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.alerts.iter().map(|(key, ..)| key.as_str()).collect()
    }
}

impl Hook {
    fn start() -> Hook {
        let runtime = Runtime::new().expect("a runtime");
        let act = |request: &Request| match request.head.split(' ').nth(1) {
            Some("/refuse") => answer(403, "", ""),
            Some("/hang") => crate::support::receiver::Act::SayAndHang(String::new()),
            _ => answer(200, "", ""),
        };
        let receiver = runtime.block_on(Receiver::start(act));
        Hook { _runtime: runtime, receiver, seen: Mutex::default() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.receiver.address)
    }

    /// Everything that it was told, in order.
    fn told(&self) -> Vec<Told> {
        let mut seen = self.seen.lock().expect("the list");
        seen.extend(self.receiver.take().iter().map(Told::new));
        seen.clone()
    }

    /// How often it was told this of an alert.
    fn count(&self, kind: &str, key: &str) -> usize {
        self.told().iter().filter(|told| told.kind == kind && told.keys().contains(&key)).count()
    }
}

/// A port that is open or shut.
struct Door {
    address: SocketAddr,
    listener: Option<TcpListener>,
}

impl Door {
    fn open() -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Door { address: listener.local_addr().expect("an address"), listener: Some(listener) }
    }

    fn shut() -> Door {
        let mut door = Door::open();
        door.close();
        door
    }

    fn close(&mut self) {
        self.listener = None;
    }

    fn open_again(&mut self) {
        self.listener = Some(TcpListener::bind(self.address).expect("the port that it had"));
    }
}

/// `site` behind a door: two bad runs and two good ones count.
fn site(door: &Door) -> String {
    tcp("site", door.address) + "alert = { attempts = 2, recoveries = 2 }\n"
}

fn tcp(name: &str, address: impl std::fmt::Display) -> String {
    format!(
        "[[check]]\nname = '{name}'\nsection = 'site'\nevery = '1s'\nprobe.tcp = {{ address = '{address}' }}\n"
    )
}

/// `on-call` is told at once, through `hook`.
fn on_call(hook: &Hook) -> String {
    let url = hook.url("hook");
    format!(
        "[alerting]\npage = {{ to = ['on-call'], wait = '50ms' }}\nticket = {{ to = ['on-call'], wait = '50ms' }}\n\
         [[contact]]\nname = 'on-call'\nchannels = ['hook']\n\
         [[channel]]\nname = 'hook'\nto.webhook = {{ url = '{url}' }}\n"
    )
}

/// An agent with these checks and alerts.
fn start(name: &str, checks: &str, alerts: &str) -> Agent {
    Agent::start_in(prepare(name, checks, alerts), &[])
}

/// A directory for [`Agent::start_in`].
fn prepare(name: &str, checks: &str, alerts: &str) -> PathBuf {
    let directory = directory(name);
    for (folder, text) in [("checks", checks), ("alerts", alerts)] {
        std::fs::create_dir_all(directory.join(folder)).expect("a folder");
        std::fs::write(directory.join(folder).join(format!("{folder}.toml")), text).expect("a file");
    }
    directory
}

/// Exit code, standard output, standard error.
fn texts(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}
