//! Mail servers: a real one that reads every message with a parser of its own, and one that answers as it is told.

use super::judge;
use super::server::{self, Start};
use super::web::{self, Authority, Identity};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

/// `aiosmtpd`, with TLS from an authority of its own and one account.
pub struct RealServer {
    pub port: u16,
    pub authority: Authority,
    out: PathBuf,
    child: Child,
}

impl RealServer {
    pub const USER: &'static str = "watch";
    pub const PASSWORD: &'static str = "marked-pass-word";

    /// `tls` as in a definition; its certificate is for `name`.
    pub fn start(tls: &str, name: &str, with_account: bool) -> RealServer {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = server::directory(&format!("mail-{number}"));
        let authority = Authority::new();
        let Identity { chain, key } = authority.identity(name, |_| {});
        let pem = |der: &[u8]| {
            let base64 = base64_lines(der);
            format!("-----BEGIN CERTIFICATE-----\n{base64}-----END CERTIFICATE-----\n")
        };
        let certificate = authority.write("mail.pem", &chain.iter().map(|one| pem(one)).collect::<String>());
        let key = authority.write("mail.key", &key.serialize_pem());
        let (port, out) = (server::free_port(), directory.join("letters"));
        let user = if with_account { RealServer::USER } else { "" };
        let settings = json!({
            "port": port, "tls": tls, "certificate": certificate, "key": key, "user": user,
            "password": RealServer::PASSWORD, "out": out,
        });
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/judges/mail.py");
        let child = server::start(Start {
            program: judge::interpreter().to_str().expect("a path in UTF-8"),
            args: vec![script.to_owned(), settings.to_string()],
            user: None,
            directory: &directory,
            environment: Vec::new(),
        });
        server::wait_until("a mail server", Some(&directory.join("python.log")), || server::listens(port));
        RealServer { port, authority, out, child }
    }

    /// What has come so far.
    pub fn letters(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.out).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn base64_lines(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    text.as_bytes()
        .chunks(64)
        .fold(String::new(), |lines, line| lines + std::str::from_utf8(line).expect("base64 is ASCII") + "\n")
}

/// What a scripted server does next.
pub enum Answer {
    Say(String),
    /// Says nothing more, and holds the connection.
    Hang,
    Close,
}

/// For whom each letter was, and the letter.
type Letters = Mutex<Vec<(Vec<String>, String)>>;

/// A server that answers each step as it is told: `greeting`, `EHLO`, `AUTH`, `MAIL`, `RCPT`, `DATA`, `.`, `NOOP`, …
pub struct ScriptedServer {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    letters: Arc<Letters>,
}

impl ScriptedServer {
    /// `answer` is given the number of the connection, from 0, and what was said; without an answer of its own the
    /// server is polite.
    pub async fn start(
        answer: impl Fn(usize, &str) -> Option<Answer> + Send + Sync + 'static,
    ) -> ScriptedServer {
        let (connections, letters) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (count, taken, answer) = (Arc::clone(&connections), Arc::clone(&letters), Arc::new(answer));
        let address = web::serve(move |stream| {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let (answer, taken) = (Arc::clone(&answer), Arc::clone(&taken));
            async move { converse(BufReader::new(stream), |said| answer(number, said), &taken).await }
        })
        .await;
        ScriptedServer { address, connections, letters }
    }

    /// Always answers `step` so.
    pub async fn saying(step: &'static str, words: &'static str) -> ScriptedServer {
        ScriptedServer::start(move |_, said| said.starts_with(step).then(|| Answer::Say(words.to_owned())))
            .await
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What was taken: for whom, and the letter.
    pub fn letters(&self) -> Vec<(Vec<String>, String)> {
        self.letters.lock().expect("the letters").clone()
    }
}

async fn converse(
    mut stream: BufReader<tokio::net::TcpStream>,
    answer: impl Fn(&str) -> Option<Answer>,
    letters: &Letters,
) {
    let mut said = "greeting".to_owned();
    let (mut recipients, mut letter) = (Vec::new(), String::new());
    loop {
        let words = match answer(&said).unwrap_or_else(|| Answer::Say(polite(&said).to_owned())) {
            Answer::Say(words) => words,
            Answer::Close => return,
            Answer::Hang => {
                // Until the client has gone.
                stream.read_to_end(&mut Vec::new()).await.ok();
                return;
            }
        };
        if said.starts_with("MAIL") {
            recipients.clear();
        }
        if let Some(recipient) = said.strip_prefix("RCPT TO:").filter(|_| words.starts_with('2')) {
            recipients.push(recipient.to_owned());
        }
        if said == "." && words.starts_with('2') {
            letters.lock().expect("the letters").push((recipients.clone(), std::mem::take(&mut letter)));
        }
        let goes_on = stream.get_mut().write_all(format!("{words}\r\n").as_bytes()).await.is_ok();
        if !goes_on || words.starts_with("421") || said.starts_with("QUIT") {
            return;
        }
        let is_letter = said.starts_with("DATA") && words.starts_with('3');
        said = match if is_letter {
            read_letter(&mut stream, &mut letter).await
        } else {
            read(&mut stream).await
        } {
            Some(said) => said,
            None => return,
        };
    }
}

async fn read(stream: &mut BufReader<tokio::net::TcpStream>) -> Option<String> {
    let mut line = String::new();
    let length = stream.read_line(&mut line).await.ok()?;
    (length > 0).then(|| line.trim_end().to_owned())
}

async fn read_letter(stream: &mut BufReader<tokio::net::TcpStream>, letter: &mut String) -> Option<String> {
    letter.clear();
    loop {
        match read(stream).await? {
            dot if dot == "." => return Some(dot),
            line => *letter += &(line + "\n"),
        }
    }
}

fn polite(said: &str) -> &'static str {
    match said.split([' ', ':']).next().unwrap_or("") {
        "greeting" => "220 mail.example ready",
        "EHLO" => "250-mail.example\r\n250 AUTH PLAIN LOGIN",
        "AUTH" => "235 welcome",
        "DATA" => "354 go on",
        "QUIT" => "221 bye",
        _ => "250 fine",
    }
}
