//! `smtp`: email through a mail server.
//!
//! The dialogue is held here command by command, and not by lettre's transport, for three reasons: a try that is ended
//! from outside must not leave a connection in the middle of a message for the next one to find; where one of several
//! recipients is refused, the others must get their message; and what went wrong must be told with where it did.

mod letter;
mod parking;
mod session;
mod trouble;
mod wire;

use super::mailbox::{self, Mailbox, Recipients};
use super::message::Message;
use super::{Deliver, Delivering, Delivery, Kind, Parcel};
use crate::clock;
use crate::config::text::Text;
use crate::probe::net::target::{Host, Target};
use crate::probe::net::tls;
use crate::probe::{self, Build, Context};
use lettre::Address;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use parking::Parking;
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;
use session::{Security, Server};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use trouble::{Hidden, Trouble};

/// A little before the try is ended from outside, so that it can be told where it hung.
const SHARE: f64 = 0.95;

/// Messages whose recipients are remembered while some of them still wait.
const PARTLY_TOLD_MAX: usize = 64;

/// Email through a mail server.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// The mail server: a name or an address.
    host: Text,
    /// `"587"` unless given; with implicit TLS it is usually `"465"`.
    #[serde(default = "submission")]
    port: Text,
    /// How the connection is protected; there is no default, so that nobody sends in clear without wanting it.
    tls: Protection,
    /// Empty, as is its default: the server is not logged in to.
    #[serde(default = "nothing")]
    user: Text,
    /// `"${SMTP_PASS}"`
    #[serde(default = "nothing")]
    password: Text,
    /// Who sends: `"Atalaya <atalaya@shop.example>"`.
    from: Text,
    /// Who is told: addresses with commas between them, or a list.
    to: Recipients,
    /// PEM file with the authorities to trust, in place of the system's.
    ca: Option<Text>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Protection {
    /// It begins in clear and must change to TLS before anything is told; usual at port 587.
    Starttls,
    /// It is TLS from its first byte; usual at port 465.
    Implicit,
    /// It stays in clear. Logging in is then possible on this machine only.
    None,
}

fn submission() -> Text {
    Text::from("587")
}

fn nothing() -> Text {
    Text::from("")
}

impl Kind for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
    }

    fn hourly_max(&self) -> u32 {
        20
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Deliver>> {
        let target = self.target(build);
        let user = build.text("user", &self.user);
        let password = build.secret("password", &self.password);
        let from = mailbox::sender(build, &self.from);
        let to = self.to.build(build);
        let security = self.security(build);
        let (target, user, password) = (target?, user?, password?);
        let credentials = match (user.is_empty(), password.expose_secret().is_empty()) {
            (true, true) => None,
            (false, false) => Some(Credentials::new(user.clone(), password.expose_secret().to_owned())),
            (empty_user, _) => {
                let (given, missing) = if empty_user { ("password", "user") } else { ("user", "password") };
                build.fault(
                    missing,
                    format!("there is a `{given}` and no `{missing}`; give both or none of them"),
                );
                return None;
            }
        };
        if credentials.is_some() && self.tls == Protection::None && !is_this_machine(&target.host) {
            let hint = "set `tls` to \"starttls\" or \"implicit\"";
            build.fault_with_hint("tls", "without TLS the password would cross the network in clear", hint);
            return None;
        }
        let name = target.server_name();
        if let (Err(why), false) = (&name, self.tls == Protection::None) {
            build.fault("host", why.as_str());
        }
        let (from, to) = (from?, to?);
        let hidden = Hidden::new(&user, &password, &to);
        let server =
            Server { net: build.net.clone(), name: name.ok(), target, security: security?, credentials };
        Some(Box::new(Channel {
            server,
            from,
            to,
            hidden,
            timeout: build.timeout,
            parking: Parking::default(),
            told: Mutex::default(),
        }))
    }
}

impl Smtp {
    fn target(&self, build: &mut Build<'_>) -> Option<Target> {
        let (host, port) = (build.text("host", &self.host), build.text("port", &self.port));
        let host = host.and_then(|host| {
            let parsed = Host::parse(host.trim().trim_start_matches('[').trim_end_matches(']'));
            parsed.or_else(|| {
                build.fault("host", format!("`{}` is not a host name or an address", self.host.raw()));
                None
            })
        });
        let port = port.and_then(|port| {
            let parsed = port.trim().parse().ok().filter(|port| *port != 0);
            parsed.or_else(|| {
                build.fault("port", format!("`{}` is not a port from 1 to 65535", self.port.raw()));
                None
            })
        });
        Some(Target { host: host?, port: port? })
    }

    fn security(&self, build: &mut Build<'_>) -> Option<Security> {
        if self.tls == Protection::None {
            if self.ca.is_some() {
                build.fault("ca", "without TLS there is nobody to trust; leave it out or set `tls`");
                return None;
            }
            return Some(Security::None);
        }
        let before = build.found.faults.len();
        let client = tls::Client::trusting(build, self.ca.as_ref());
        for fault in &mut build.found.faults[before..] {
            "ca".clone_into(&mut fault.key);
        }
        match self.tls {
            Protection::Implicit => client.map(Security::Implicit),
            _ => client.map(Security::Starttls),
        }
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Ip(ip) => ip.is_loopback(),
        Host::Name(name) => name.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    }
}

struct Channel {
    server: Server,
    from: Mailbox,
    to: Vec<Mailbox>,
    hidden: Hidden,
    timeout: Duration,
    parking: Parking,
    /// Of messages that not all have yet: the key and who has it, by place in `to`. Lost at a restart; then one of
    /// them gets a message twice, with one Message-ID.
    told: Mutex<VecDeque<(String, Vec<usize>)>>,
}

/// What became of the recipients of one try.
#[derive(Default)]
struct Answers {
    taken: Vec<usize>,
    later: Vec<Trouble>,
    never: Vec<Trouble>,
}

impl Deliver for Channel {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Delivering<'a> {
        Box::pin(async move {
            let cx = Context::new(clock::wall(), self.timeout.mul_f64(SHARE));
            let delivery = match tokio::time::timeout_at(cx.deadline, self.deliver(&cx, parcel)).await {
                Ok(Ok(delivery)) => delivery,
                Ok(Err(trouble)) => trouble.delivery(),
                Err(_elapsed) => Trouble::from(probe::timed_out(&cx, cx.timeout)).delivery(),
            };
            self.hidden.out_of(delivery)
        })
    }
}

impl Channel {
    async fn deliver(&self, cx: &Context, parcel: &Parcel) -> Result<Delivery, Trouble> {
        let letter = letter::write(parcel, &Message::of(parcel), &self.from, &self.to)?;
        let told = self.told(&parcel.key);
        let mut connection = self.connection(cx).await?;
        cx.phase("mail");
        let sender = Mail::new(Some(address(&self.from)?), Vec::new());
        connection.command(sender).await.map_err(|error| self.hidden.trouble("the sender", &error))?;
        let answers = self.recipients(cx, &mut connection, &told).await?;
        if !answers.taken.is_empty() {
            cx.phase("data");
            connection.command(Data).await.map_err(|error| self.hidden.trouble("the message", &error))?;
            connection.message(&letter).await.map_err(|error| self.hidden.trouble("the message", &error))?;
            cx.phase_end();
            self.parking.park(connection);
        }
        Ok(self.conclude(&parcel.key, told, answers))
    }

    /// One that was parked and still lives, else a new one.
    async fn connection(&self, cx: &Context) -> Result<AsyncSmtpConnection, Trouble> {
        cx.phase("reuse");
        if let Some(connection) = self.parking.take().await {
            return Ok(connection);
        }
        self.server.open(cx, &self.hidden).await
    }

    async fn recipients(
        &self,
        cx: &Context,
        connection: &mut AsyncSmtpConnection,
        told: &[usize],
    ) -> Result<Answers, Trouble> {
        cx.phase("recipients");
        let mut answers = Answers::default();
        for (at, mailbox) in self.to.iter().enumerate().filter(|(at, _)| !told.contains(at)) {
            let answer = connection.command(Rcpt::new(address(mailbox)?, Vec::new())).await;
            let Err(error) = answer else {
                answers.taken.push(at);
                continue;
            };
            let trouble = self.hidden.trouble("a recipient", &error);
            match &trouble {
                // Nothing more can be said on this connection.
                _ if !trouble.is_reply || trouble.is_goodbye => return Err(trouble),
                Trouble { never: true, .. } => answers.never.push(trouble),
                _ => answers.later.push(trouble),
            }
        }
        Ok(answers)
    }

    /// Who has it is not told again; who may have it later is tried again. Where at least one has it and the rest
    /// never will, somebody knows, and the log says who must mend an address.
    fn conclude(&self, key: &str, mut told: Vec<usize>, answers: Answers) -> Delivery {
        let Answers { taken, mut later, mut never } = answers;
        told.extend(taken);
        let (waiting, refused, all) = (later.len(), never.len(), self.to.len());
        if let Some(first) = later.pop() {
            self.remember(key, told);
            return first.of(waiting, all).delivery();
        }
        self.forget(key);
        match never.pop() {
            None => Delivery::Delivered,
            Some(first) if told.is_empty() => first.of(refused, all).delivery(),
            Some(first) => {
                tracing::error!(
                    refused,
                    recipients = all,
                    why = first.why,
                    "a mail server refuses recipients"
                );
                Delivery::Delivered
            }
        }
    }

    fn told(&self, key: &str) -> Vec<usize> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().find(|(known, _)| known == key).map(|(_, who)| who.clone()).unwrap_or_default()
    }

    fn remember(&self, key: &str, who: Vec<usize>) {
        self.forget(key);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= PARTLY_TOLD_MAX {
            told.pop_front();
        }
        told.push_back((key.to_owned(), who));
    }

    fn forget(&self, key: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(known, _)| known != key);
    }
}

fn address(mailbox: &Mailbox) -> Result<Address, Trouble> {
    Address::new(&mailbox.user, &mailbox.domain)
        .map_err(|_| Trouble::never("an address of the definition can't be written into an email"))
}
