//! Where messages of alerts arrive: a webhook's receiver or a mail server that keeps all it is told, and fails in
//! the ways of real ones when it is told to.

use super::door::Door;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Webhook,
    Mail,
}

/// What it does with a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    Take,
    /// Takes it after a while.
    Slow(Duration),
    /// Nobody listens, and open connections end.
    Refuse,
    /// Answers 500, or 450.
    Fail,
    /// Reads the message and never answers.
    Hang,
    /// Takes one message and kills who sends it before it is answered; then takes all.
    KillBeforeAnswer(Pid),
    /// Answers one message and kills who sent it so much later; then takes all.
    KillAfterAnswer(Pid, Duration),
}

/// A message, as it was understood.
#[derive(Debug, Clone)]
pub struct Message {
    pub at: Instant,
    /// The Idempotency-Key or the Message-ID.
    pub key: String,
    pub in_reply_to: Option<String>,
    /// It was read to its end by somebody who keeps it.
    pub taken: bool,
    /// It tells an end.
    pub over: bool,
    /// Of a webhook: each alert as `check since when`, which is one episode. Of a mail: titles of checks.
    pub alerts: BTreeSet<String>,
    /// Of a webhook: names of checks. Of a mail: titles, which are the names where there are no others.
    pub names: BTreeSet<String>,
    pub text: String,
}

struct Shared {
    mode: Mutex<Mode>,
    seen: Mutex<Vec<Message>>,
}

pub struct Inbox {
    pub protocol: Protocol,
    door: Door,
    shared: Arc<Shared>,
}

impl Inbox {
    pub fn new(protocol: Protocol) -> Inbox {
        let shared = Arc::new(Shared { mode: Mutex::new(Mode::Take), seen: Mutex::default() });
        let own = shared.clone();
        let door = Door::new(move |stream| {
            let stream = BufReader::new(stream);
            // Whoever is killed or loses patience leaves in the middle of a sentence.
            match protocol {
                Protocol::Webhook => own.webhook(stream).ok(),
                Protocol::Mail => own.mail(stream).ok(),
            };
        });
        Inbox { protocol, door, shared }
    }

    /// From now on it does this.
    pub fn now(&self, mode: Mode) {
        *self.shared.mode.lock().expect("the mode") = mode;
        if mode == Mode::Refuse {
            self.door.close();
        } else {
            self.door.open();
        }
    }

    /// A `[[channel]]` that leads here.
    pub fn channel(&self, name: &str, timeout: &str) -> String {
        let address: SocketAddr = self.door.address();
        let to = match self.protocol {
            Protocol::Webhook => format!("to.webhook = {{ url = 'http://{address}/' }}"),
            Protocol::Mail => format!(
                "to.smtp = {{ host = '{}', port = '{}', tls = 'none', from = 'atalaya@shop.example', \
                 to = 'on-call@shop.example' }}",
                address.ip(),
                address.port()
            ),
        };
        format!("[[channel]]\nname = '{name}'\ntimeout = '{timeout}'\nhourly_max = 100000\n{to}\n")
    }

    /// All messages that were begun, in order.
    pub fn seen(&self) -> Vec<Message> {
        self.shared.seen.lock().expect("the messages").clone()
    }

    /// Those of them that it keeps.
    pub fn taken(&self) -> Vec<Message> {
        let mut seen = self.seen();
        seen.retain(|message| message.taken);
        seen
    }
}

impl Shared {
    /// Keeps the message and does what is to be done; what to answer, or nothing and the end of the connection.
    fn receive(
        &self,
        stream: &mut BufReader<TcpStream>,
        mut message: Message,
        (well, ill): (&str, &str),
    ) -> std::io::Result<bool> {
        let mode = {
            let mut mode = self.mode.lock().expect("the mode");
            let now = *mode;
            if matches!(now, Mode::KillBeforeAnswer(_) | Mode::KillAfterAnswer(..)) {
                *mode = Mode::Take;
            }
            now
        };
        message.taken = matches!(
            mode,
            Mode::Take | Mode::Slow(_) | Mode::KillBeforeAnswer(_) | Mode::KillAfterAnswer(..)
        );
        self.seen.lock().expect("the messages").push(message);
        let mut say = |words: &str| stream.get_mut().write_all(words.as_bytes());
        match mode {
            Mode::Take => say(well)?,
            Mode::Slow(by) => {
                std::thread::sleep(by);
                say(well)?;
            }
            Mode::Fail => say(ill)?,
            Mode::Refuse => return Ok(false),
            Mode::Hang => {
                stream.read_to_end(&mut Vec::new())?;
                return Ok(false);
            }
            Mode::KillBeforeAnswer(pid) => {
                kill(pid, Signal::SIGKILL).expect("it runs");
                return Ok(false);
            }
            Mode::KillAfterAnswer(pid, later) => {
                say(well)?;
                // This is no waiting for something: it is the moment of the kill.
                std::thread::sleep(later);
                kill(pid, Signal::SIGKILL).expect("it runs");
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn webhook(&self, mut stream: BufReader<TcpStream>) -> std::io::Result<()> {
        loop {
            let (mut length, mut key) = (0, String::new());
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                match line.trim().to_ascii_lowercase().split_once(": ") {
                    Some(("content-length", value)) => length = value.parse().expect("a length"),
                    Some(("idempotency-key", value)) => value.clone_into(&mut key),
                    _ if line.trim().is_empty() => break,
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body)?;
            let message = from_webhook(key, &String::from_utf8(body).expect("UTF-8"));
            let well = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            let ill = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
            if !self.receive(&mut stream, message, (well, ill))? {
                return Ok(());
            }
        }
    }

    fn mail(&self, mut stream: BufReader<TcpStream>) -> std::io::Result<()> {
        stream.get_mut().write_all(b"220 inbox\r\n")?;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 || *self.mode.lock().expect("the mode") == Mode::Refuse {
                return Ok(());
            }
            let answer: &[u8] = match line.trim().to_ascii_uppercase().split([' ', ':']).next() {
                Some("DATA") => {
                    stream.get_mut().write_all(b"354 go on\r\n")?;
                    let mut letter = String::new();
                    while !letter.ends_with("\r\n.\r\n") {
                        if stream.read_line(&mut letter)? == 0 {
                            return Ok(());
                        }
                    }
                    let answers = ("250 taken\r\n", "450 4.3.0 try later\r\n");
                    if !self.receive(&mut stream, from_mail(&letter), answers)? {
                        return Ok(());
                    }
                    continue;
                }
                Some("QUIT") => {
                    stream.get_mut().write_all(b"221 bye\r\n")?;
                    return Ok(());
                }
                _ => b"250 ok\r\n",
            };
            stream.get_mut().write_all(answer)?;
        }
    }
}

fn from_webhook(key: String, body: &str) -> Message {
    let payload: serde_json::Value =
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    let alerts = payload["alerts"].as_array().expect("alerts");
    let name = |alert: &serde_json::Value| {
        let labels = &alert["labels"];
        labels["check"].as_str().or(labels["key"].as_str()).unwrap_or("nameless").to_owned()
    };
    let episode = |alert: &serde_json::Value| {
        format!("{} {}", name(alert), alert["startsAt"].as_str().expect("a time"))
    };
    Message {
        at: Instant::now(),
        key,
        in_reply_to: None,
        taken: false,
        over: payload["status"] == "resolved",
        alerts: alerts.iter().map(episode).collect(),
        names: alerts.iter().map(name).collect(),
        text: body.to_owned(),
    }
}

fn from_mail(letter: &str) -> Message {
    let text = quoted_printable(letter);
    let header = |name: &str| {
        let head = text.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
        head.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
    };
    let titles = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let names: BTreeSet<String> =
        titles.filter(|word| word.starts_with("site-")).map(str::to_owned).collect();
    Message {
        at: Instant::now(),
        key: header("Message-ID:").expect("a Message-ID"),
        in_reply_to: header("In-Reply-To:"),
        taken: false,
        over: text.contains("\r\nOVER\r\n"),
        alerts: names.clone(),
        names,
        text,
    }
}

/// Enough of RFC 2045 for what is in ASCII.
fn quoted_printable(text: &str) -> String {
    let text = text.replace("=\r\n", "");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = (*first == b'=').then(|| after.get(..2)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
