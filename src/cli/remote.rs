//! A running agent, asked over HTTP: by `atalaya slo`, `alerts`, `silence`, `ack` and `notify`.

use super::{exit, fail, print};
use crate::app::files::read_text;
use crate::config::plan::LISTEN;
use clap::Args;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// An agent on this machine answers in milliseconds; a channel that is tested has twenty seconds.
const PATIENCE: Duration = Duration::from_secs(30);
const TOKEN_BYTES_MAX: u64 = 4096;

/// Which agent.
#[derive(Debug, Clone, Args)]
pub struct Agent {
    /// Where the agent serves
    #[arg(long, value_name = "URL", env = "ATALAYA_AGENT", default_value_t = format!("http://{LISTEN}"), help_heading = "Agent")]
    agent: String,
    /// The file that holds the token of the agent, where ATALAYA_TOKEN does not; the agent keeps one beside its store
    #[arg(long, value_name = "FILE", default_value = "atalaya.db.token", help_heading = "Agent")]
    token_file: PathBuf,
}

impl Agent {
    /// What the agent answers; otherwise the exit code, and the reason was told.
    pub async fn get(&self, path: &str) -> Result<Value, u8> {
        self.ask(Method::GET, path, None).await
    }

    /// As [`Agent::get`], with a body, and the token.
    pub async fn send(&self, method: Method, path: &str, body: Value) -> Result<Value, u8> {
        self.ask(method, path, Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, u8> {
        let url = format!("{}{path}", self.agent.trim_end_matches('/'));
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy();
        let client = client.redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(|error| fail(format!("can't ask the agent: {error}")))?;
        let mut request = client.request(method, &url);
        if let Some(body) = body {
            if let Some(token) = self.token() {
                request = request.bearer_auth(token.expose_secret());
            }
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|error| {
            let why = if error.is_timeout() { "it does not answer" } else { "nothing listens there" };
            fail(format!(
                "can't reach an agent at {}: {why}\n  hint: start one with `atalaya run`, or name it with --agent or ATALAYA_AGENT",
                self.agent
            ))
        })?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        match status {
            StatusCode::OK => serde_json::from_str(&text)
                .map_err(|_| fail(format!("what answers at {} is no agent of this version", self.agent))),
            StatusCode::UNAUTHORIZED => Err(fail(format!(
                "the agent wants its token\n  hint: set ATALAYA_TOKEN to what [http] token says, or name its file with --token-file ({} can't be read or holds another)",
                self.token_file.display()
            ))),
            _ => Err(fail(text.trim_end())),
        }
    }

    fn token(&self) -> Option<SecretString> {
        let given = std::env::var("ATALAYA_TOKEN").ok().filter(|token| !token.is_empty());
        let token = given.or_else(|| read_text(&self.token_file, TOKEN_BYTES_MAX).ok());
        token.map(|token| SecretString::from(token.trim().to_owned()))
    }
}

/// Prints JSON for programs.
pub fn print_json(value: &Value) -> u8 {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&(text + "\n"), exit::OK),
        Err(error) => fail(error),
    }
}

/// The text of a key; nothing where it is not there.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Who runs this command, unless told otherwise.
pub fn somebody() -> String {
    std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "somebody".to_owned())
}
