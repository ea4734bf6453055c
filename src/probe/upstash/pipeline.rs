//! One call with many commands, `POST /pipeline`: 200 with an item for each, also where items failed; another
//! status with one error where the whole was refused.

use crate::outcome::{Class, Fault};
use crate::probe::Context;
use crate::probe::api::{self, Gate, Reply};
use crate::probe::redis::refusal;
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use url::Url;

pub const VENDOR: &str = "Upstash";

/// How long Upstash is left alone where it refuses for its load and does not say for how long.
const WAIT: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Command(Vec<String>);

impl Command {
    pub fn of(parts: &[&str]) -> Command {
        Command(parts.iter().map(|&part| part.to_owned()).collect())
    }
}

/// What came of one command.
#[derive(Debug, PartialEq)]
pub enum Item {
    Result(Value),
    /// Redis' error line.
    Error(String),
}

#[derive(Deserialize)]
struct RawItem {
    #[serde(default)]
    result: Value,
    error: Option<String>,
}

pub struct Pipeline<'a> {
    pub client: &'a reqwest::Client,
    pub url: &'a Url,
    pub token: &'a SecretString,
    pub gate: &'a Gate,
}

impl Pipeline<'_> {
    /// As many items as commands.
    pub async fn run(&self, cx: &Context, commands: &[Command]) -> Result<Vec<Item>, Fault> {
        let request =
            self.client.post(self.url.clone()).bearer_auth(self.token.expose_secret()).json(commands);
        let reply = api::call(cx, VENDOR, request).await?;
        if reply.status != StatusCode::OK {
            let fault = self.refused(&reply);
            if matches!(reply.status.as_u16(), 429 | 503) {
                self.gate.close(reply.retry_after(cx.now).unwrap_or(WAIT), &fault);
            }
            return Err(fault);
        }
        items(&reply, commands.len())
    }

    fn refused(&self, reply: &Reply) -> Fault {
        // A page in place of JSON is told by the status alone.
        let line = reply.json::<RawItem>(VENDOR).ok().and_then(|item| item.error);
        match (reply.status.as_u16(), line) {
            (401, _) => Fault::failed(
                Class::Auth,
                "Upstash refuses the token; compare it with the one shown in its console, and the address too",
            ),
            (_, Some(line)) if refusal::is_known(&line) => refusal::fault(VENDOR, &line, self.token),
            (404 | 405, _) => Fault::failed(
                Class::Protocol,
                format!("Upstash answered {}: is `url` the one of the REST interface?", reply.status),
            ),
            (429, _) => Fault::degraded(Class::Quota, "Upstash takes no more commands at this rate (429)"),
            (_, Some(line)) => refusal::fault(VENDOR, &line, self.token),
            (_, None) => reply.status_fault(VENDOR),
        }
    }
}

fn items(reply: &Reply, count: usize) -> Result<Vec<Item>, Fault> {
    let raw: Vec<RawItem> = reply.json(VENDOR)?;
    if raw.len() != count {
        let text = format!("Upstash answered {} of {count} commands", raw.len());
        return Err(Fault::failed(Class::Protocol, text));
    }
    let item = |raw: RawItem| raw.error.map_or(Item::Result(raw.result), Item::Error);
    Ok(raw.into_iter().map(item).collect())
}
