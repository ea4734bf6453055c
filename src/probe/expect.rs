//! What a definition expects of a text that a target sent: a banner, a header, a body.
//!
//! What was found is never shown, as it may hold a customer's data; the reason names what was expected,
//! as it stands in the definition, so that a filled hole is not shown either.

use super::Build;
use crate::config::text::Text;
use regex::bytes::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A regular expression in the syntax of the `regex` crate, checked when the file is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Regex);

impl Pattern {
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.0.is_match(bytes)
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Pattern, String> {
        Regex::new(&text).map(Pattern).map_err(|error| {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("`{text}` is not a regular expression: {why}")
        })
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.as_str() == other.as_str()
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "regex" })
    }
}

/// What a text must be. All that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Matcher {
    /// The whole text.
    equals: Option<Text>,
    /// A part of the text.
    contains: Option<Text>,
    /// A regular expression that matches somewhere in the text.
    regex: Option<Pattern>,
}

impl Matcher {
    pub fn build(&self, build: &mut Build<'_>, key: &str) -> Option<Match> {
        if *self == Matcher::default() {
            build.fault(key, "nothing is expected here; say `equals`, `contains` or `regex`");
            return None;
        }
        let mut wanted = |name: &str, text: &Option<Text>| match text {
            None => Some(None),
            Some(text) => Wanted::build(build, &format!("{key}.{name}"), text).map(Some),
        };
        let (equals, contains) = (wanted("equals", &self.equals), wanted("contains", &self.contains));
        Some(Match { equals: equals?, contains: contains?, regex: self.regex.clone() })
    }
}

/// A [`Matcher`] whose holes are filled.
pub struct Match {
    pub equals: Option<Wanted>,
    pub contains: Option<Wanted>,
    pub regex: Option<Pattern>,
}

impl Match {
    /// What is wrong with `found`; `None` where it is as expected.
    pub fn miss(&self, found: &[u8]) -> Option<String> {
        if let Some(wanted) = self.equals.as_ref().filter(|wanted| wanted.bytes() != found) {
            return Some(format!("is not `{wanted}`"));
        }
        if let Some(wanted) = self.contains.as_ref().filter(|wanted| !wanted.is_in(found)) {
            return Some(format!("does not contain `{wanted}`"));
        }
        let pattern = self.regex.as_ref().filter(|pattern| !pattern.is_match(found))?;
        Some(format!("does not match `{}`", pattern.as_str()))
    }
}

/// A text that is expected, which may be a secret; shown as it stands in the definition.
pub struct Wanted {
    raw: String,
    filled: SecretString,
}

impl Wanted {
    pub fn build(build: &mut Build<'_>, key: &str, text: &Text) -> Option<Wanted> {
        let filled = build.secret(key, text)?;
        if filled.expose_secret().is_empty() {
            build.fault(key, "the expected text is empty");
            return None;
        }
        Some(Wanted { raw: text.raw().to_owned(), filled })
    }

    fn bytes(&self) -> &[u8] {
        self.filled.expose_secret().as_bytes()
    }

    pub fn is_in(&self, found: &[u8]) -> bool {
        // The search of the standard library never degenerates, whatever the target sends.
        String::from_utf8_lossy(found).contains(self.filled.expose_secret())
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

/// One value, or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Many<T>(Vec<T>);

impl<T> Many<T> {
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<T> Default for Many<T> {
    fn default() -> Many<T> {
        Many(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Many<T>, D::Error> {
        deserializer.deserialize_any(ManyVisitor(PhantomData))
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value or a list of them")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Many<T>, E> {
        T::deserialize(de::value::StrDeserializer::new(value)).map(|one| Many(vec![one]))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Many<T>, E> {
        T::deserialize(de::value::I64Deserializer::new(value)).map(|one| Many(vec![one]))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Many<T>, E> {
        T::deserialize(de::value::U64Deserializer::new(value)).map(|one| Many(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Many<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        if values.is_empty() {
            return Err(de::Error::custom("an empty list expects nothing; leave the key out instead"));
        }
        Ok(Many(values))
    }
}

impl<T: JsonSchema> JsonSchema for Many<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Many_{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(matcher: &Match, found: &str, miss: Option<&str>) {
        assert_eq!(matcher.miss(found.as_bytes()).as_deref(), miss, "{found}");
    }

    #[test]
    fn a_miss_names_what_was_expected_and_never_a_filled_hole() {
        let wanted = |raw: &str, filled: &str| Wanted {
            raw: raw.to_owned(),
            filled: SecretString::from(filled.to_owned()),
        };
        let matcher = Match {
            equals: None,
            contains: Some(wanted("id ${TOKEN}", "id 1234")),
            regex: Some(Pattern::try_from("^ready".to_owned()).expect("a pattern")),
        };
        check(&matcher, "ready: id 1234", None);
        check(&matcher, "id 1234", Some("does not match `^ready`"));
        check(&matcher, "ready", Some("does not contain `id ${TOKEN}`"));
        let matcher = Match { equals: Some(wanted("ok", "ok")), contains: None, regex: None };
        check(&matcher, "ok", None);
        check(&matcher, "ok ", Some("is not `ok`"));
        assert!(wanted("b", "b").is_in(b"\xff b"));
        assert!(!wanted("bb", "bb").is_in(b"\xff b"));
    }

    #[test]
    fn a_broken_pattern_is_refused_with_the_reason() {
        let error = Pattern::try_from("a(b".to_owned()).expect_err("a group is open");
        assert_eq!(error, "`a(b` is not a regular expression: unclosed group");
    }

    #[test]
    fn one_value_is_a_list_of_one() {
        #[derive(Deserialize)]
        struct File {
            value: Many<Text>,
        }
        let length = |toml: &str| toml::from_str::<File>(toml).map(|file| file.value.as_slice().len()).ok();
        assert_eq!(length("value = 'a'"), Some(1));
        assert_eq!(length("value = ['a', 'b']"), Some(2));
        assert_eq!(length("value = []"), None);
        assert_eq!(length("value = true"), None);
    }
}
