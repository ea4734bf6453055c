//! The REST interface: what each call passes (faults, token), its forms, and its answers.

use super::argument::Answer;
use super::{Fault, State as Simulated, Upstash, command};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const SLOWNESS: Duration = Duration::from_secs(2);
const PIPELINE_COMMANDS_MAX: usize = 1_000;
const RETRY_AFTER_SECONDS: &str = "2";
const DAILY: &str = "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000. See https://upstash.com/docs/redis/troubleshooting/max_daily_request_limit for details";
const MONTHLY: &str = "ERR max requests limit exceeded. Limit: 500000, Usage: 500000. See https://upstash.com/docs/redis/troubleshooting/max_requests_limit for details";
const STORAGE: &str = "ERR DB capacity quota exceeded. Limit: 268435456";

pub fn router(upstash: &Arc<Upstash>) -> Router {
    Router::new().fallback(answer).with_state(Arc::clone(upstash))
}

/// Whoever the token lets in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rights {
    All,
    Read,
}

async fn answer(
    State(upstash): State<Arc<Upstash>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    upstash.state().calls += 1;
    let has = |fault| upstash.state().has(fault);
    if has(Fault::Hang) {
        std::future::pending::<()>().await;
    }
    if has(Fault::Slow) {
        tokio::time::sleep(SLOWNESS).await;
    }
    let page = |status, text: &'static str| (status, [(CONTENT_TYPE, "text/html")], text).into_response();
    if has(Fault::Outage) {
        return page(
            StatusCode::SERVICE_UNAVAILABLE,
            "<html><title>503 Service Temporarily Unavailable</title></html>",
        );
    }
    if has(Fault::Html) {
        return page(StatusCode::OK, "<!doctype html><title>Upstash</title>");
    }
    if has(Fault::RateLimited) {
        let retry = [(RETRY_AFTER, RETRY_AFTER_SECONDS)];
        let text = "ERR max requests per second exceeded";
        return (retry, error(StatusCode::TOO_MANY_REQUESTS, text)).into_response();
    }
    if ![Method::GET, Method::HEAD, Method::POST, Method::PUT].contains(&method) {
        return error(StatusCode::METHOD_NOT_ALLOWED, "ERR method not allowed");
    }
    let Some(rights) = rights(&uri, &headers).filter(|_| !has(Fault::Unauthorized)) else {
        return error(StatusCode::UNAUTHORIZED, "WRONGPASS invalid or missing auth token");
    };
    if has(Fault::DailyQuota) {
        return error(StatusCode::BAD_REQUEST, DAILY);
    }
    let encoded = headers.get("upstash-encoding").is_some_and(|value| value == "base64");
    let session = Session { rights, encoded, now_ms: (upstash.now)().as_millisecond() };
    session.answer(&mut upstash.state(), &uri, &body)
}

/// From the header, or from `?_token=`.
fn rights(uri: &Uri, headers: &HeaderMap) -> Option<Rights> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let header = header.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let query = || query(uri).into_iter().find(|(name, _)| name == "_token").map(|(_, value)| value);
    match header.or_else(query)?.as_str() {
        Upstash::TOKEN => Some(Rights::All),
        Upstash::READ_ONLY_TOKEN => Some(Rights::Read),
        _ => None,
    }
}

fn query(uri: &Uri) -> Vec<(String, String)> {
    url::form_urlencoded::parse(uri.query().unwrap_or("").as_bytes()).into_owned().collect()
}

struct Session {
    rights: Rights,
    encoded: bool,
    now_ms: i64,
}

impl Session {
    fn answer(&self, state: &mut Simulated, uri: &Uri, body: &Bytes) -> Response {
        match uri.path().trim_matches('/') {
            "" => match serde_json::from_slice::<Value>(body).ok().as_ref().and_then(words) {
                Some(command) => self.single(state, &command),
                None => error(StatusCode::BAD_REQUEST, "ERR failed to parse command"),
            },
            "pipeline" => match commands(body) {
                Some(commands) => self.pipeline(state, &commands),
                None => error(StatusCode::BAD_REQUEST, "ERR failed to parse pipeline request"),
            },
            "multi-exec" => match commands(body) {
                Some(commands) => self.transaction(state, &commands),
                None => error(StatusCode::BAD_REQUEST, "ERR failed to parse transaction request"),
            },
            path => self.single(state, &path_form(path, uri, body)),
        }
    }

    fn single(&self, state: &mut Simulated, command: &[String]) -> Response {
        match self.run(state, command) {
            Ok(reply) => json_of(StatusCode::OK, &json!({ "result": reply.json(self.encoded) })),
            Err(line) => error(StatusCode::BAD_REQUEST, &line),
        }
    }

    fn pipeline(&self, state: &mut Simulated, commands: &[Vec<String>]) -> Response {
        let items: Vec<Value> = commands.iter().map(|command| self.item(self.run(state, command))).collect();
        json_of(StatusCode::OK, &json!(items))
    }

    /// Nothing runs where one command is none; after that, each answers for itself, as in Redis.
    fn transaction(&self, state: &mut Simulated, commands: &[Vec<String>]) -> Response {
        if commands.iter().any(|words| words.first().is_none_or(|name| !command::is_known(name))) {
            let text = "EXECABORT Transaction discarded because of previous errors.";
            return error(StatusCode::BAD_REQUEST, text);
        }
        self.pipeline(state, commands)
    }

    fn item(&self, answer: Answer) -> Value {
        match answer {
            Ok(reply) => json!({ "result": reply.json(self.encoded) }),
            Err(line) => json!({ "error": line }),
        }
    }

    fn run(&self, state: &mut Simulated, words: &[String]) -> Answer {
        state.commands += 1;
        if state.has(Fault::MonthlyQuota) {
            return Err(MONTHLY.to_owned());
        }
        let name = words.first().ok_or("ERR empty command")?.to_uppercase();
        if !command::is_known(&name) {
            return Err(format!(
                "ERR Command is not available: '{name}'. See https://upstash.com/docs/redis/overall/rediscompatibility for details"
            ));
        }
        if self.rights == Rights::Read && !command::is_for_readers(&name) {
            let name = name.to_lowercase();
            return Err(format!("NOPERM this user has no permissions to run the '{name}' command"));
        }
        if state.has(Fault::StorageFull) && command::writes(&name) {
            return Err(STORAGE.to_owned());
        }
        state.store.expire(self.now_ms);
        if state.has(Fault::LimiterUnused) && words.get(1).is_some_and(|key| key.contains(":events:")) {
            return Ok(command::nothing(&name));
        }
        let commands = state.commands;
        command::run(&mut state.store, self.now_ms, commands, &name, &words[1..])
    }
}

/// `/SET/key/value?EX=60`; with a body, that is the argument before the query's.
fn path_form(path: &str, uri: &Uri, body: &Bytes) -> Vec<String> {
    let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let mut words: Vec<String> = path.split('/').map(decode).collect();
    if !body.is_empty() {
        words.push(String::from_utf8_lossy(body).into_owned());
    }
    for (name, value) in query(uri).into_iter().filter(|(name, _)| name != "_token") {
        words.push(name);
        words.extend(Some(value).filter(|value| !value.is_empty()));
    }
    words
}

fn commands(body: &Bytes) -> Option<Vec<Vec<String>>> {
    let list: Vec<Value> = serde_json::from_slice(body).ok()?;
    if list.is_empty() || list.len() > PIPELINE_COMMANDS_MAX {
        return None;
    }
    list.iter().map(words).collect()
}

/// The words of a command; numbers and booleans may stand as they are, other JSON is text.
fn words(command: &Value) -> Option<Vec<String>> {
    let word = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    command.as_array().filter(|list| !list.is_empty()).map(|list| list.iter().map(word).collect())
}

fn error(status: StatusCode, line: &str) -> Response {
    json_of(status, &json!({ "error": line }))
}

fn json_of(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
