//! Arguments and replies of commands, and the errors that Redis has for wrong ones.

use super::store::Stored;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// What a command answers; an error is Redis' line.
pub type Answer = Result<Reply, String>;

#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Okay,
    Text(String),
    Number(i64),
    Nil,
    List(Vec<Reply>),
}

pub const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
pub const NO_INTEGER: &str = "ERR value is not an integer or out of range";
pub const SYNTAX: &str = "ERR syntax error";

impl Reply {
    pub fn text(text: impl Into<String>) -> Reply {
        Reply::Text(text.into())
    }

    pub fn flag(is_so: bool) -> Reply {
        Reply::Number(i64::from(is_so))
    }

    pub fn count(count: usize) -> Reply {
        Reply::Number(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub fn or_nil(text: Option<String>) -> Reply {
        text.map_or(Reply::Nil, Reply::Text)
    }

    pub fn texts(texts: impl IntoIterator<Item = String>) -> Reply {
        Reply::List(texts.into_iter().map(Reply::Text).collect())
    }

    /// As JSON; texts in base64 where that was asked for, save the simple `OK`.
    pub fn json(&self, encoded: bool) -> Value {
        match self {
            Reply::Okay => json!("OK"),
            Reply::Text(text) if encoded => json!(BASE64_STANDARD.encode(text.as_bytes())),
            Reply::Text(text) => json!(text),
            Reply::Number(number) => json!(number),
            Reply::Nil => Value::Null,
            Reply::List(list) => list.iter().map(|one| one.json(encoded)).collect(),
        }
    }
}

/// The arguments after the command's name.
pub struct Arguments<'a> {
    pub name: &'a str,
    pub list: &'a [String],
}

impl Arguments<'_> {
    pub fn wrong_number(&self) -> String {
        format!("ERR wrong number of arguments for '{}' command", self.name.to_lowercase())
    }

    /// Refuses fewer than `min` and more than `max`.
    pub fn between(&self, min: usize, max: usize) -> Result<(), String> {
        if (min..=max).contains(&self.list.len()) { Ok(()) } else { Err(self.wrong_number()) }
    }

    pub fn at(&self, index: usize) -> Result<&str, String> {
        self.list.get(index).map(String::as_str).ok_or_else(|| self.wrong_number())
    }

    pub fn integer(&self, index: usize) -> Result<i64, String> {
        self.at(index)?.parse().map_err(|_| NO_INTEGER.to_owned())
    }

    pub fn score(&self, index: usize) -> Result<f64, String> {
        let number = self.at(index)?.parse().ok().filter(|number: &f64| !number.is_nan());
        number.ok_or_else(|| "ERR value is not a valid float".to_owned())
    }

    /// Whether a word such as `WITHSCORES` stands behind the first `from` arguments.
    pub fn has(&self, from: usize, word: &str) -> bool {
        self.list.iter().skip(from).any(|one| one.eq_ignore_ascii_case(word))
    }

    /// The number behind a word such as `EX`.
    pub fn option(&self, from: usize, word: &str) -> Result<Option<i64>, String> {
        match self.list.iter().skip(from).position(|one| one.eq_ignore_ascii_case(word)) {
            Some(at) => self.integer(from + at + 1).map(Some),
            None => Ok(None),
        }
    }
}

/// A score as Redis writes it.
pub fn number(score: f64) -> String {
    if score.is_infinite() { if score > 0.0 { "inf" } else { "-inf" }.to_owned() } else { score.to_string() }
}

/// The positions that `start` and `stop` (negative ones count from the end) mean in a list of `length`.
pub fn range(start: i64, stop: i64, length: usize) -> std::ops::Range<usize> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let absolute = |index: i64| if index < 0 { index + length } else { index };
    let first = absolute(start).max(0);
    let end = (absolute(stop) + 1).clamp(first.min(length), length);
    first.min(length) as usize..end as usize
}

macro_rules! open {
    ($name:ident, $name_mut:ident, $variant:ident, $inner:ty) => {
        pub fn $name(stored: Option<&Stored>) -> Result<Option<&$inner>, String> {
            match stored {
                None => Ok(None),
                Some(Stored::$variant(inner)) => Ok(Some(inner)),
                Some(_) => Err(WRONG_TYPE.to_owned()),
            }
        }

        pub fn $name_mut(stored: &mut Stored) -> Result<&mut $inner, String> {
            match stored {
                Stored::$variant(inner) => Ok(inner),
                _ => Err(WRONG_TYPE.to_owned()),
            }
        }
    };
}

open!(as_text, as_text_mut, Text, String);
open!(as_hash, as_hash_mut, Hash, std::collections::BTreeMap<String, String>);
open!(as_list, as_list_mut, List, std::collections::VecDeque<String>);
open!(as_set, as_set_mut, Set, std::collections::BTreeSet<String>);
open!(as_sorted, as_sorted_mut, Sorted, std::collections::BTreeMap<String, f64>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_redis() {
        assert_eq!(range(0, -1, 3), 0..3);
        assert_eq!(range(-2, -1, 3), 1..3);
        assert_eq!(range(1, 1, 3), 1..2);
        assert_eq!(range(5, 9, 3), 3..3);
        assert_eq!(range(2, 1, 3), 2..2);
        assert_eq!(range(-9, 0, 3), 0..1);
        assert_eq!(range(0, -1, 0), 0..0);
    }
}
