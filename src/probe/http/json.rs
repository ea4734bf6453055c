//! What is expected at a place of a JSON body: `json."/status" = "ok"`, `json."/queue" = "< 100"`.

use crate::config::value::Bound;
use crate::probe::expect::Pattern;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// A JSON pointer (RFC 6901): empty for the whole, `/orders/0/id` for a place in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline)]
pub struct Pointer(String);

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Pointer, String> {
        if text.is_empty() || text.starts_with('/') {
            Ok(Pointer(text))
        } else {
            Err(format!("`{text}` is not a JSON pointer such as \"/status\" or \"/orders/0/state\""))
        }
    }
}

/// What must be there: a plain value that it equals (`"ok"`, `5`, `true`), or a comparison: `"== ok"`,
/// `"!= null"`, `"< 100"`, `">= 5"`, `"~ ^2\\."` (matches), `"!~ error"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    test: Test,
    shown: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// A value of TOML or a quoted text: its type must fit as well.
    Is(Value),
    /// A bare word: a text that is equal, or the number, truth value or null that is written so.
    Says(String),
    SaysNot(String),
    Within(Bound),
    Matches(Pattern),
    MatchesNot(Pattern),
}

/// Texts that are shown as they were found: words of states. Any other text may be a customer's.
const STATES: [&str; 31] = [
    "active",
    "alive",
    "critical",
    "dead",
    "degraded",
    "disabled",
    "down",
    "enabled",
    "error",
    "fail",
    "failed",
    "failing",
    "failure",
    "false",
    "healthy",
    "inactive",
    "maintenance",
    "no",
    "ok",
    "outage",
    "pass",
    "passing",
    "pending",
    "ready",
    "starting",
    "stopped",
    "true",
    "unhealthy",
    "up",
    "warn",
    "warning",
];

impl Expectation {
    /// What is wrong at the place; `None` where it is as expected.
    pub fn miss(&self, pointer: &Pointer, body: &Value) -> Option<String> {
        let place = if pointer.0.is_empty() { "the whole" } else { &pointer.0 };
        let found = body.pointer(&pointer.0);
        let fine = match found {
            Some(found) => self.test.holds(found),
            // Expecting null also means: or nothing at all.
            None => matches!(&self.test, Test::Says(word) if word == "null"),
        };
        if fine {
            return None;
        }
        let found = found.map_or(Cow::Borrowed("not there"), show);
        Some(format!("`{place}` is {found}, expected {}", self.shown))
    }

    fn parse(text: &str) -> Result<Expectation, String> {
        let shown = text.trim().to_owned();
        let operand = |sign: &str| shown.strip_prefix(sign).map(str::trim);
        let test = if let Some(pattern) = operand("!~") {
            Test::MatchesNot(Pattern::try_from(pattern.to_owned())?)
        } else if let Some(pattern) = operand("~") {
            Test::Matches(Pattern::try_from(pattern.to_owned())?)
        } else if let Some(word) = operand("!=") {
            Test::SaysNot(word.to_owned())
        } else if let Some(word) = operand("==") {
            quoted(word).map_or_else(|| Test::Says(word.to_owned()), Test::Is)
        } else if shown.starts_with(['<', '>']) {
            Test::Within(Bound::try_from(shown.clone())?)
        } else {
            return Ok(Expectation { shown: format!("== {shown}"), test: Test::Says(shown) });
        };
        Ok(Expectation { test, shown })
    }

    fn exactly(value: Value) -> Expectation {
        Expectation { shown: format!("== {value}"), test: Test::Is(value) }
    }
}

fn quoted(word: &str) -> Option<Value> {
    serde_json::from_str(word).ok().filter(Value::is_string)
}

impl Test {
    fn holds(&self, found: &Value) -> bool {
        match self {
            Test::Is(Value::Number(wanted)) => found.as_f64() == wanted.as_f64() && found.is_number(),
            Test::Is(wanted) => found == wanted,
            Test::Says(word) => says(found, word),
            Test::SaysNot(word) => !says(found, word),
            Test::Within(bound) => found.as_f64().is_some_and(|number| bound.holds(number)),
            Test::Matches(pattern) => found.as_str().is_some_and(|text| pattern.is_match(text.as_bytes())),
            Test::MatchesNot(pattern) => found.as_str().is_none_or(|text| !pattern.is_match(text.as_bytes())),
        }
    }
}

fn says(found: &Value, word: &str) -> bool {
    match found {
        Value::String(text) => text == word || quoted(word).is_some_and(|quoted| quoted == *text),
        Value::Number(number) => {
            number.to_string() == word
                || word.parse().is_ok_and(|wanted: f64| number.as_f64() == Some(wanted))
        }
        Value::Bool(truth) => word == if *truth { "true" } else { "false" },
        Value::Null => word == "null",
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// What was found, as far as it can't be a customer's: a long number may be a card's or a telephone's.
fn show(found: &Value) -> Cow<'static, str> {
    const DIGITS_MAX: usize = 9;
    match found {
        Value::Null => "null".into(),
        Value::Bool(truth) => truth.to_string().into(),
        Value::Number(number) if number.to_string().len() <= DIGITS_MAX => number.to_string().into(),
        Value::Number(_) => "a long number".into(),
        Value::String(text) if STATES.contains(&text.to_ascii_lowercase().as_str()) => {
            format!("\"{text}\"").into()
        }
        Value::String(text) => format!("a text of {} characters", text.chars().count()).into(),
        Value::Array(values) => format!("a list of {}", values.len()).into(),
        Value::Object(values) => format!("an object with {} keys", values.len()).into(),
    }
}

impl<'de> Deserialize<'de> for Expectation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Expectation, D::Error> {
        struct Read;

        impl Visitor<'_> for Read {
            type Value = Expectation;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a text, a number or a truth value that is expected, or a comparison such as \"< 5\"",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Expectation, E> {
                Expectation::parse(text).map_err(E::custom)
            }

            fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Expectation, E> {
                Ok(Expectation::exactly(Value::from(truth)))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Expectation, E> {
                Ok(Expectation::exactly(Value::from(number)))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Expectation, E> {
                Ok(Expectation::exactly(Value::from(number)))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Expectation, E> {
                Ok(Expectation::exactly(Value::from(number)))
            }
        }

        deserializer.deserialize_any(Read)
    }
}

impl JsonSchema for Expectation {
    fn schema_name() -> Cow<'static, str> {
        "JsonExpectation".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number", "boolean"],
            "examples": ["ok", "== ok", "!= null", "< 100", "~ ^2\\.", "!~ error", 5, true]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{ "status": "degraded", "queue": 7, "ready": true, "none": null, "name": "Ada L.",
        "card": 4242424242424242, "text": "5", "list": [1, 2], "version": "2.14" }"#;

    #[derive(Deserialize)]
    struct File {
        value: Expectation,
    }

    fn check(pointer: &str, expectation: &str, miss: Option<&str>) {
        let body = serde_json::from_str(BODY).expect("JSON");
        let pointer = Pointer::try_from(pointer.to_owned()).expect("a pointer");
        let file: File = toml::from_str(&format!("value = {expectation}")).expect("an expectation");
        assert_eq!(file.value.miss(&pointer, &body).as_deref(), miss, "{expectation}");
    }

    #[test]
    fn plain_values_are_equality() {
        check("/status", "'degraded'", None);
        check("/status", "'ok'", Some("`/status` is \"degraded\", expected == ok"));
        check("/queue", "7", None);
        check("/queue", "7.0", None);
        check("/queue", "8", Some("`/queue` is 7, expected == 8"));
        check("/ready", "true", None);
        check("/ready", "false", Some("`/ready` is true, expected == false"));
        check("/text", "5", Some("`/text` is a text of 1 characters, expected == 5"));
        check("/text", "'5'", None);
    }

    #[test]
    fn comparisons_stand_before_their_value() {
        check("/status", "'== degraded'", None);
        check("/status", "'!= ok'", None);
        check("/queue", "'== \"7\"'", Some("`/queue` is 7, expected == \"7\""));
        check("/queue", "'< 7'", Some("`/queue` is 7, expected < 7"));
        check("/queue", "'>= 7'", None);
        check("/status", "'> 7'", Some("`/status` is \"degraded\", expected > 7"));
        check("/version", "'~ ^2\\.'", None);
        check("/version", "'!~ ^2\\.'", Some("`/version` is a text of 4 characters, expected !~ ^2\\."));
        check("/none", "'!= null'", Some("`/none` is null, expected != null"));
        check("/none", "'== null'", None);
    }

    #[test]
    fn what_is_not_there_is_said_and_is_null_at_most() {
        check("/gone", "'!= ok'", Some("`/gone` is not there, expected != ok"));
        check("/gone", "'== null'", None);
        check("/list/1", "2", None);
        check("/list/2", "2", Some("`/list/2` is not there, expected == 2"));
    }

    #[test]
    fn what_may_be_a_customers_is_not_shown() {
        check("/name", "'ok'", Some("`/name` is a text of 6 characters, expected == ok"));
        check("/card", "1", Some("`/card` is a long number, expected == 1"));
        check("", "1", Some("`the whole` is an object with 9 keys, expected == 1"));
        check("/list", "1", Some("`/list` is a list of 2, expected == 1"));
    }

    #[test]
    fn what_is_no_expectation_is_refused() {
        for wrong in ["~ a(", "< five", "> "] {
            assert!(Expectation::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Pointer::try_from("status".to_owned()).is_err());
    }
}
