//! What an answer must be, beyond its status: headers, texts in the body, places of a JSON body.

use super::json::{Expectation, Pointer};
use crate::outcome::{Class, Fault};
use crate::probe::expect::{Match, Pattern, Wanted};
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use serde_json::Value;

/// More would bury the first, which is the one that explains.
const FAULTS_MAX: usize = 10;

#[derive(Default)]
pub struct Expected {
    pub headers: Vec<(HeaderName, Match)>,
    pub contains: Vec<Wanted>,
    pub not_contains: Vec<Wanted>,
    pub regex: Vec<Pattern>,
    pub json: Vec<(Pointer, Expectation)>,
}

impl Expected {
    /// Whether the body must be kept, not only counted.
    pub fn needs_body(&self) -> bool {
        let Expected { headers: _, contains, not_contains, regex, json } = self;
        !(contains.is_empty() && not_contains.is_empty() && regex.is_empty() && json.is_empty())
    }

    /// All that is wrong with an answer.
    pub fn faults(&self, headers: &HeaderMap, body: &[u8]) -> Vec<Fault> {
        let mut wrong: Vec<String> =
            self.headers.iter().filter_map(|(name, wanted)| header(headers, name, wanted)).collect();
        if self.needs_body() {
            wrong.extend(self.body(&about(headers, body.len()), body));
        }
        wrong.truncate(FAULTS_MAX);
        wrong.into_iter().map(|text| Fault::failed(Class::Assertion, text)).collect()
    }

    fn body(&self, about: &str, body: &[u8]) -> Vec<String> {
        let mut wrong = Vec::new();
        for wanted in self.contains.iter().filter(|wanted| !wanted.is_in(body)) {
            wrong.push(format!("{about} does not contain `{wanted}`"));
        }
        for unwanted in self.not_contains.iter().filter(|unwanted| unwanted.is_in(body)) {
            wrong.push(format!("{about} contains `{unwanted}`"));
        }
        for pattern in self.regex.iter().filter(|pattern| !pattern.is_match(body)) {
            wrong.push(format!("{about} does not match `{}`", pattern.as_str()));
        }
        if !self.json.is_empty() {
            match serde_json::from_slice::<Value>(body) {
                Ok(value) => {
                    wrong.extend(self.json.iter().filter_map(|(at, wanted)| wanted.miss(at, &value)));
                }
                Err(error) => wrong.push(format!("{about} is not JSON: {error}")),
            }
        }
        wrong
    }
}

fn header(headers: &HeaderMap, name: &HeaderName, wanted: &Match) -> Option<String> {
    let mut miss = None;
    for value in headers.get_all(name) {
        miss = Some(wanted.miss(value.as_bytes())?);
    }
    Some(match miss {
        Some(miss) => format!("the header `{name}` {miss}"),
        None => format!("the header `{name}` is missing"),
    })
}

/// `the body (text/html, 512 bytes)`: what can be said of a body without showing it.
fn about(headers: &HeaderMap, length: usize) -> String {
    let kind = kind(headers).map(|kind| format!("{kind}, ")).unwrap_or_default();
    let encoding = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    let encoded = encoding.filter(|encoding| !encoding.eq_ignore_ascii_case("identity"));
    let encoded = encoded.map(|_| ", encoded although that was not asked for").unwrap_or_default();
    format!("the body ({kind}{length} bytes{encoded})")
}

/// The media type without its parameters, where it looks like one.
pub fn kind(headers: &HeaderMap) -> Option<&str> {
    const SHOWN_MAX: usize = 60;
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-._".contains(&byte);
    (!value.is_empty() && value.len() <= SHOWN_MAX && value.bytes().all(plain)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn check(headers: &[(&'static str, &'static str)], body: &str, expected: &[&str]) {
        let rules = Expected {
            regex: vec![Pattern::try_from("^\\{".to_owned()).expect("a pattern")],
            json: vec![(
                Pointer::try_from("/a".to_owned()).expect("a pointer"),
                toml::from_str::<toml::Table>("v = 1").expect("TOML")["v"]
                    .clone()
                    .try_into()
                    .expect("a number"),
            )],
            ..Expected::default()
        };
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let faults = rules.faults(&headers, body.as_bytes());
        let texts: Vec<_> = faults.iter().map(|fault| fault.text.as_str()).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_body_is_described_and_never_shown() {
        check(&[], "{\"a\": 1}", &[]);
        check(
            &[("content-type", "text/html; charset=utf-8")],
            "Dear Ada",
            &[
                "the body (text/html, 8 bytes) does not match `^\\{`",
                "the body (text/html, 8 bytes) is not JSON: expected value at line 1 column 1",
            ],
        );
        check(
            &[("content-type", "Dear Ada"), ("content-encoding", "gzip")],
            "{\"a\": 1",
            &["the body (7 bytes, encoded although that was not asked for) is not JSON: \
               EOF while parsing an object at line 1 column 7"],
        );
    }
}
