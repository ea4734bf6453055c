//! What readers of webhooks share: how little may be kept of a body, and what is said of one that can't be read.
//!
//! A vendor's webhooks carry customers' names, addresses and cards. So nothing is kept that does not look like what it
//! should be: an id, a word of a program, a number. What is not parsed can never be shown.

use super::{Letter, Malformed};
use crate::probe::api;
use jiff::Timestamp;

/// Square's ids of refunds have 73 characters, and nothing promises that none is longer.
const ID_CHARS_MAX: usize = 192;
const WORD_CHARS_MAX: usize = 64;

/// A letter, and why what it is about can't be worked through: the vendor must be told that it was taken, and a person
/// that it lies aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub letter: Letter,
    pub unreadable: Option<String>,
}

impl Read {
    /// An event by its id, its time and its name, as they stand in the body.
    pub(super) fn envelope(
        id: Option<String>,
        at: Option<String>,
        kind: Option<String>,
    ) -> Result<Letter, Malformed> {
        let missing = |what: &str| Malformed(format!("{what} of the event is missing, or is none"));
        Ok(Letter {
            id: id.filter(|id| is_id(id)).ok_or_else(|| missing("the id"))?,
            at: at.as_deref().and_then(moment).ok_or_else(|| missing("`created_at`"))?,
            // Names of events are an open list, so this asks for less than a word.
            kind: kind
                .filter(|kind| !kind.is_empty() && api::is_word(kind))
                .ok_or_else(|| missing("`type`"))?,
            about: None,
        })
    }
}

/// Something that is known by an id, and not a text that somebody wrote.
pub(super) fn is_id(text: &str) -> bool {
    (1..=ID_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-:.".contains(&byte))
}

/// A word that a program made up: `payment.updated`, `EVIDENCE_REQUIRED`. Without digits, so that it is nobody's number.
pub(super) fn is_word(text: &str) -> bool {
    (1..=WORD_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_.".contains(&byte))
}

/// RFC 3339 with no to nine digits of a second.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// What is wrong with a body, by its place only: an error of serde's may quote the value that it stumbled over.
pub(super) fn misshapen(error: &serde_json::Error) -> Malformed {
    let place = format!("at line {} column {}", error.line(), error.column());
    Malformed(match error.classify() {
        serde_json::error::Category::Data => {
            format!("the JSON is of another shape than the vendor's {place}")
        }
        serde_json::error::Category::Eof => format!("the JSON breaks off {place}"),
        _ => format!("no JSON {place}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_program_made_up_is_kept() {
        for id in ["hYy9pRFVxpDsO1FB05SunFWUe9JZY", "56761188-7520-42d8-8898-ff6fc54ce618", "inv:0-Ch"] {
            assert!(is_id(id), "{id}");
        }
        for text in ["", "ann@customer.example", "a b", "größe", "a\n", &"x".repeat(193)] {
            assert!(!is_id(text), "{text}");
        }
        assert!(is_word("order.fulfillment.updated") && is_word("COMPLETED"));
        for text in ["", "4111111111111111", "CARD 1", "ann@customer.example", &"x".repeat(65)] {
            assert!(!is_word(text), "{text}");
        }
    }
}
