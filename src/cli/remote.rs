//! A running agent, asked over HTTP: by `atalaya slo`, `alerts`, `silence`, `ack` and `notify`.

use super::{exit, fail, print};
use crate::app::files::read_text;
use crate::config::plan::LISTEN;
use crate::probe::net::certificate::Verifier;
use crate::probe::net::tls;
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use reqwest::{Method, StatusCode};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// An agent on this machine answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// A test of a channel takes as long as the channel may.
const TEST_PATIENCE: Duration = Duration::from_mins(5);
const TOKEN_BYTES_MAX: u64 = 4096;
const PEM_BYTES_MAX: u64 = 1024 * 1024;

const WHERE: &str = "start one with `atalaya run`, or name it with --agent or ATALAYA_AGENT";
const AUTHORITY: &str =
    "name the authority of its certificate with --ca or ATALAYA_AGENT_CA; an agent without TLS is at http://";

/// Which agent.
#[derive(Debug, Clone, Args)]
pub struct Agent {
    /// Where the agent serves
    #[arg(long, value_name = "URL", env = "ATALAYA_AGENT", default_value_t = format!("http://{LISTEN}"), help_heading = "Agent")]
    agent: String,
    /// The file that holds the token of the agent, where ATALAYA_TOKEN does not; the agent keeps one beside its store
    #[arg(long, value_name = "FILE", default_value = "atalaya.db.token", help_heading = "Agent")]
    token_file: PathBuf,
    /// A file with the authority's certificate in PEM, where the agent serves over TLS and this machine does not trust it
    #[arg(long, value_name = "FILE", env = "ATALAYA_AGENT_CA", help_heading = "Agent")]
    ca: Option<PathBuf>,
}

impl Agent {
    /// What the agent answers; otherwise the exit code, and the reason was told.
    pub async fn get(&self, path: &str) -> Result<Value, u8> {
        self.ask(Method::GET, path, None, PATIENCE).await
    }

    /// As [`Agent::get`], with a body.
    pub async fn send(&self, method: Method, path: &str, body: Value) -> Result<Value, u8> {
        self.ask(method, path, Some(body), PATIENCE).await
    }

    /// As [`Agent::send`], for what takes its time.
    pub async fn send_and_wait(&self, method: Method, path: &str, body: Value) -> Result<Value, u8> {
        self.ask(method, path, Some(body), TEST_PATIENCE).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        patience: Duration,
    ) -> Result<Value, u8> {
        let url = format!("{}{path}", self.agent.trim_end_matches('/'));
        let client = reqwest::Client::builder().timeout(patience).no_proxy();
        let client = client.redirect(reqwest::redirect::Policy::none());
        let client = client.tls_backend_preconfigured(self.tls().map_err(fail)?).build();
        let client = client.map_err(|error| fail(format!("can't ask the agent: {error}")))?;
        let mut request = client.request(method, &url);
        let token = self.token();
        if let Token::Found { token, .. } = &token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|error| fail(self.unreachable(&error)))?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        match status {
            StatusCode::OK => serde_json::from_str(&text)
                .map_err(|_| fail(format!("what answers at {} is no agent of this version", self.agent))),
            StatusCode::UNAUTHORIZED => Err(fail(token.refused())),
            _ => Err(fail(text.trim_end())),
        }
    }

    /// Trusts whom this machine trusts, and the authority that was named.
    fn tls(&self) -> Result<rustls::ClientConfig, String> {
        let mut roots = tls::system_roots();
        if let Some(file) = &self.ca {
            let pem =
                read_text(file, PEM_BYTES_MAX).map_err(|error| format!("{}: {error}", file.display()))?;
            let own = CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok);
            if roots.add_parsable_certificates(own).0 == 0 {
                return Err(format!("{} holds no certificate in PEM", file.display()));
            }
        }
        tls::config(Verifier::strict(tls::verifier(roots)?), None)
    }

    fn unreachable(&self, error: &reqwest::Error) -> String {
        let (mut why, mut hint) = ("nothing listens there".to_owned(), WHERE);
        if error.is_timeout() {
            "it does not answer".clone_into(&mut why);
        }
        if let Some(error) = tls_error(error) {
            (why, hint) = (error.to_string(), AUTHORITY);
        }
        format!("can't reach an agent at {}: {why}\n  hint: {hint}", self.agent)
    }

    fn token(&self) -> Token {
        let found = |from: String, token: String| Token::Found { token: token.trim().into(), from };
        let given = std::env::var("ATALAYA_TOKEN").ok().filter(|token| !token.trim().is_empty());
        if let Some(token) = given {
            return found("ATALAYA_TOKEN".to_owned(), token);
        }
        let file = self.token_file.display();
        match read_text(&self.token_file, TOKEN_BYTES_MAX) {
            Ok(token) => found(file.to_string(), token),
            Err(error) => Token::None { why: format!("{file}: {error}") },
        }
    }
}

/// What was wrong with TLS, where that is the cause.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        // What an error of input and output holds is not its source.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = held.map(|held| held as &dyn Error).or_else(|| error.source());
    }
    None
}

/// What there is to show to an agent that asks who is there.
enum Token {
    Found { token: SecretString, from: String },
    None { why: String },
}

impl Token {
    fn refused(&self) -> String {
        match self {
            Token::Found { from, .. } => format!(
                "the agent does not take the token of {from}\n  hint: it takes what its [http] token says, or else what is in the file beside its store (atalaya.db.token), which is new at each start"
            ),
            Token::None { why } => format!(
                "the agent wants its token, and there is none ({why})\n  hint: run this where the agent runs, or name the file beside its store with --token-file, or set ATALAYA_TOKEN to what [http] token says"
            ),
        }
    }
}

impl Agent {
    /// Shows a list of the agent's: a table for people, or JSON for programs; `none` where it is empty.
    pub async fn show(&self, path: &str, json: bool, none: &str, table: fn(&[Value]) -> Table) -> u8 {
        let list = match self.get(path).await {
            Ok(list) => list,
            Err(code) => return code,
        };
        match list.as_array().map(Vec::as_slice).unwrap_or_default() {
            _ if json => print_json(&list),
            [] => print(&format!("{none}\n"), exit::OK),
            list => print(&format!("{}\n", table(list)), exit::OK),
        }
    }
}

/// A table with this head, which fits the terminal.
pub fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head);
    table
}

/// Prints JSON for programs.
fn print_json(value: &Value) -> u8 {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&(text + "\n"), exit::OK),
        Err(error) => fail(error),
    }
}

/// The text of a key; nothing where it is not there.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The time of a key as people read it: `2026-11-22 08:00:00`, in UTC.
pub fn moment(value: &Value, key: &str) -> String {
    text(value, key).get(..19).unwrap_or_default().replace('T', " ")
}

/// Who runs this command, unless told otherwise.
pub fn somebody() -> String {
    std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "somebody".to_owned())
}
