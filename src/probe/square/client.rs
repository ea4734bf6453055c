//! Calls to Square: counted, bounded, and each refusal told with its class and what to do about it.

use super::answer::{Answer, ApiError, Envelope};
use super::wait;
use crate::clock;
use crate::outcome::{Class, Fault};
use crate::probe::api::{self, BODY_BYTES_MAX, word};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Square, as one token sees it.
pub struct Client {
    pub http: reqwest::Client,
    /// Scheme, host and, behind a proxy, a path; without a slash at its end.
    pub base: String,
    pub environment: super::environment::Environment,
    pub token: SecretString,
    /// `Bearer …`, marked as sensitive.
    pub authorization: HeaderValue,
    pub version: HeaderValue,
}

/// The calls of one run.
#[derive(Debug)]
pub struct Calls {
    pub made: u32,
    max: u32,
}

impl Calls {
    pub fn at_most(max: u32) -> Calls {
        Calls { made: 0, max }
    }

    pub fn left(&self) -> u32 {
        self.max - self.made
    }

    fn take(&mut self) -> bool {
        let may = self.left() > 0;
        self.made += u32::from(may);
        may
    }
}

/// What is asked.
pub struct Ask<'a> {
    pub method: Method,
    pub path: &'a str,
    pub query: &'a [(&'static str, &'a str)],
    /// What a token must be allowed to do for this.
    pub permission: &'static str,
}

/// Why there is no answer.
pub enum Trouble {
    /// The run has made all the calls that it may make.
    NoCallsLeft,
    Refused(Refusal),
}

/// What Square, or the way there, answered instead.
pub struct Refusal {
    pub fault: Fault,
    /// The pause that Square asked for.
    pub asked: Option<Duration>,
    /// Square itself, and no proxy before it, says that there is no such thing.
    pub is_not_found: bool,
}

impl Refusal {
    /// What can't be an answer of Square's.
    pub fn protocol(text: &str) -> Refusal {
        Refusal::new(Class::Protocol, text.to_owned())
    }

    fn new(class: Class, text: String) -> Refusal {
        Refusal::of(Fault::failed(class, text))
    }

    const fn of(fault: Fault) -> Refusal {
        Refusal { fault, asked: None, is_not_found: false }
    }

    /// Whether another call of this run may fare better: not where credentials, quota or the way are the matter.
    pub fn is_of_this_call_only(&self) -> bool {
        self.fault.class == Class::Protocol && self.asked.is_none()
    }

    /// Whether Square wants to be left alone for a while.
    pub fn wants_a_pause(&self) -> bool {
        self.asked.is_some() || self.fault.class == Class::Quota
    }
}

impl Client {
    /// One call. Ended by the run's deadline.
    pub async fn call<T: DeserializeOwned + Answer>(
        &self,
        calls: &mut Calls,
        ask: &Ask<'_>,
    ) -> Result<T, Trouble> {
        if !calls.take() {
            return Err(Trouble::NoCallsLeft);
        }
        self.answer(ask).await.map_err(Trouble::Refused)
    }

    async fn answer<T: DeserializeOwned + Answer>(&self, ask: &Ask<'_>) -> Result<T, Refusal> {
        let url = format!("{}{}", self.base, ask.path);
        let request = self
            .http
            .request(ask.method.clone(), url)
            .query(ask.query)
            .header(AUTHORIZATION, self.authorization.clone())
            .header("Square-Version", self.version.clone())
            .header(CONTENT_TYPE, "application/json");
        let response =
            request.send().await.map_err(|error| Refusal::of(api::transport_fault("Square", &error)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = match bounded_body(response, ask).await {
            Ok(body) => body,
            // The status says more than a body that broke off.
            Err(_) if !status.is_success() => Vec::new(),
            Err(refusal) => return Err(refusal),
        };
        let refused = if status.is_success() {
            read(&body, &headers, ask).and_then(|answer: T| match answer.errors().first() {
                None => Ok(answer),
                Some(error) => Err(self.refusal(status, error, ask)),
            })
        } else {
            let errors = serde_json::from_slice::<Envelope>(&body).unwrap_or_default();
            let error = errors.errors().first().cloned().unwrap_or_default();
            Err(self.refusal(status, &error, ask))
        };
        refused.map_err(|refusal| Refusal {
            asked: (!status.is_success()).then(|| wait::asked(&headers, clock::wall())).flatten(),
            ..refusal
        })
    }

    /// What an error means to a person, by status and by category; never with its free text.
    fn refusal(&self, status: StatusCode, error: &ApiError, ask: &Ask<'_>) -> Refusal {
        let code = error.code.as_deref();
        let said = match (&error.category, code) {
            (None, None) => format!("{}, without Square's error shape,", status.as_u16()),
            (category, code) => format!("{} {} {}", status.as_u16(), word(category.as_deref()), word(code)),
        };
        let said = format!("Square answered {said} to {} {}", ask.method, ask.path);
        let category = error.category.as_deref().unwrap_or_default();
        match status.as_u16() {
            401 | 403 => Refusal::new(Class::Auth, format!("{said}: {}", self.way_out(status, code, ask))),
            429 => limited(said),
            // An error inside of a success has only its category to go by.
            200..=299 if category == "AUTHENTICATION_ERROR" => {
                Refusal::new(Class::Auth, format!("{said}: {}", self.way_out(status, code, ask)))
            }
            200..=299 if category == "RATE_LIMIT_ERROR" => limited(said),
            300..=399 => Refusal::new(
                Class::Protocol,
                format!("{said}: redirects are not followed, since they would carry the token elsewhere"),
            ),
            404 | 405 => Refusal {
                is_not_found: code == Some("NOT_FOUND"),
                ..Refusal::new(Class::Protocol, format!("{said}: check `api_url`"))
            },
            408 | 500..=599 => {
                Refusal::new(Class::Protocol, format!("{said}: Square, or a proxy before it, is in trouble"))
            }
            _ => Refusal::new(
                Class::Protocol,
                format!("{said}: it does not take this request; check `version`"),
            ),
        }
    }

    fn way_out(&self, status: StatusCode, code: Option<&str>, ask: &Ask<'_>) -> String {
        let (here, other) = (self.environment, self.environment.other());
        match (status.as_u16(), code) {
            (_, Some("ACCESS_TOKEN_EXPIRED")) => "the token has expired; renew it".to_owned(),
            (_, Some("ACCESS_TOKEN_REVOKED")) => "the token was revoked; make a new one".to_owned(),
            (_, Some("CLIENT_DISABLED" | "APPLICATION_DISABLED")) => {
                "Square has disabled the application; see its developer dashboard".to_owned()
            }
            (403, _) | (_, Some("INSUFFICIENT_SCOPES" | "FORBIDDEN")) => {
                format!("the token may not do this; it needs {}", ask.permission)
            }
            _ => format!(
                "the token is wrong for {here}; a token of the {other} environment is the likely cause"
            ),
        }
    }
}

fn limited(said: String) -> Refusal {
    let fault = Fault::degraded(
        Class::Quota,
        format!("{said}: too many calls with this token, the shop's own included"),
    );
    Refusal::of(fault)
}

/// A serde error may quote the value that it stumbled over, so only the place is told.
fn read<T: DeserializeOwned>(body: &[u8], headers: &HeaderMap, ask: &Ask<'_>) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let to = format!("{} {}", ask.method, ask.path);
        let is_json = headers
            .get(CONTENT_TYPE)
            .is_none_or(|kind| kind.to_str().is_ok_and(|kind| kind.to_ascii_lowercase().contains("json")));
        let place = format!("line {} column {}", error.line(), error.column());
        let text = match error.classify() {
            _ if !is_json => format!("the answer to {to} is no JSON but a page: a proxy or a portal stands before Square; check `api_url`"),
            serde_json::error::Category::Eof => format!("the JSON of the answer to {to} breaks off at {place}"),
            serde_json::error::Category::Data => {
                format!("the answer to {to} has another shape than Square documents, at {place}; check `version`")
            }
            _ => format!("the answer to {to} is no JSON, at {place}"),
        };
        Refusal::new(Class::Protocol, text)
    })
}

async fn bounded_body(mut response: Response, ask: &Ask<'_>) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > BODY_BYTES_MAX => {
                let text =
                    format!("the answer to {} {} has more than {BODY_BYTES_MAX} bytes", ask.method, ask.path);
                return Err(Refusal::new(Class::Protocol, text));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(_) => {
                let text =
                    format!("the answer to {} {} broke off after {} bytes", ask.method, ask.path, body.len());
                return Err(Refusal::new(Class::Protocol, text));
            }
        }
    }
}
