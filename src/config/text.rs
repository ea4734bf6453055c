//! Texts with holes: `${NAME}`, `${NAME:-default}`, `${file:/path}`, `$${` for a literal `${`.
//!
//! Holes are filled after TOML was parsed, so that a value can't break the syntax, and the filled
//! value is a [`SecretString`], so that it can't be printed by accident. The text as written in the
//! file holds no secret and is what every error message shows.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::{fmt, io};

/// A string of a definition in which `${…}` is allowed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Text {
    raw: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Variable { name: String, default: Option<String> },
    File(String),
}

/// Why a text has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// The variable is not set, or empty. The check is skipped, and that is said.
    Unset(String),
    /// The file can't be read.
    File { path: String, why: String },
}

impl Unresolved {
    /// Of a file that is named and can't be read: what is to be said of it. A variable may be missing on purpose.
    pub fn unreadable(all: &[Unresolved], key: &str) -> Option<String> {
        all.iter().find_map(|one| match one {
            Unresolved::File { path, why } => Some(format!("`{key}`: can't read `{path}`: {why}")),
            Unresolved::Unset(_) => None,
        })
    }
}

/// Where holes are filled from. Reading a file is handed in, since this module does no I/O.
#[derive(Clone)]
pub struct Variables {
    values: BTreeMap<String, SecretString>,
    read: fn(&Path) -> io::Result<String>,
}

impl Variables {
    /// From pairs; `read` reads the file of a `${file:…}`.
    pub fn new<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
        read: fn(&Path) -> io::Result<String>,
    ) -> Variables {
        let values = pairs.into_iter().map(|(k, v)| (k.into(), SecretString::from(v.into()))).collect();
        Variables { values, read }
    }

    /// Sets one more, or replaces it.
    pub fn set(&mut self, name: &str, value: String) {
        self.values.insert(name.to_owned(), SecretString::from(value));
    }

    /// What a file holds that a definition names.
    pub fn read_file(&self, path: &Path) -> io::Result<String> {
        (self.read)(path)
    }

    /// The value of a variable; one that is set to nothing counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(ExposeSecret::expose_secret).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Text {
    /// The text as it stands in the file.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The value, where it has no hole.
    pub fn literal(&self) -> Option<Cow<'_, str>> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => Some(text.as_str()),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(|parts| match parts.as_slice() {
                [one] => Cow::Borrowed(*one),
                many => Cow::Owned(many.concat()),
            })
    }

    /// What the environment and files put into the holes, each beside its hole as written (`${NAME}`).
    /// For whoever must keep these values out of what others print. Defaults stand in the file: no secret.
    pub fn fillings(&self, variables: &Variables) -> Vec<(String, SecretString)> {
        let filling = |part: &Part| match part {
            Part::Literal(_) => None,
            Part::Variable { name, .. } => Some((format!("${{{name}}}"), variables.get(name)?.to_owned())),
            Part::File(path) => {
                let content = (variables.read)(Path::new(path)).ok()?;
                Some((format!("${{file:{path}}}"), content.trim_end_matches(['\r', '\n']).to_owned()))
            }
        };
        self.parts.iter().filter_map(filling).map(|(hole, value)| (hole, SecretString::from(value))).collect()
    }

    /// Fills the holes. All that is missing is said, not the first only.
    pub fn resolve(&self, variables: &Variables) -> Result<SecretString, Vec<Unresolved>> {
        let mut filled = String::new();
        let mut missing = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => filled.push_str(text),
                Part::Variable { name, default } => match (variables.get(name), default) {
                    (Some(value), _) => filled.push_str(value),
                    (None, Some(default)) => filled.push_str(default),
                    (None, None) => missing.push(Unresolved::Unset(name.clone())),
                },
                Part::File(path) => match (variables.read)(Path::new(path)) {
                    Ok(content) => filled.push_str(content.trim_end_matches(['\r', '\n'])),
                    Err(error) => {
                        missing.push(Unresolved::File { path: path.clone(), why: error.to_string() });
                    }
                },
            }
        }
        if missing.is_empty() { Ok(SecretString::from(filled)) } else { Err(missing) }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw.fmt(f)
    }
}

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(raw: String) -> Result<Text, String> {
        let parts = parse(&raw)?;
        Ok(Text { raw, parts })
    }
}

impl From<&str> for Text {
    /// A text without holes.
    fn from(literal: &str) -> Text {
        Text { raw: literal.to_owned(), parts: vec![Part::Literal(literal.to_owned())] }
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

fn parse(raw: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            literal.push_str(&rest[..at - 1]);
            literal.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        literal.push_str(&rest[..at]);
        let hole = &rest[at + 2..];
        let end = hole.find('}').ok_or("a `${` has no `}` (write `$${` for a literal `${`)")?;
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(parse_hole(&hole[..end])?);
        rest = &hole[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() || parts.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

fn parse_hole(hole: &str) -> Result<Part, String> {
    if let Some(path) = hole.strip_prefix("file:") {
        if path.is_empty() {
            return Err("`${file:}` names no file".to_owned());
        }
        return Ok(Part::File(path.to_owned()));
    }
    let (name, default) = match hole.split_once(":-") {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (hole, None),
    };
    let first_is_no_digit = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !first_is_no_digit || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!("`${{{hole}}}` is none of `${{NAME}}`, `${{NAME:-default}}`, `${{file:/path}}`"));
    }
    Ok(Part::Variable { name: name.to_owned(), default })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(raw: &str, expected: Result<&str, &str>) {
        let read = |path: &Path| match path.to_str() {
            Some("/run/secrets/key") => Ok("s3cret\n".to_owned()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        let variables = Variables::new([("HOST", "db"), ("EMPTY", ""), ("ODD", "a\"b\\${X}")], read);
        let found = Text::try_from(raw.to_owned())
            .and_then(|text| text.resolve(&variables).map_err(|missing| format!("{missing:?}")));
        let found = found.as_ref().map(ExposeSecret::expose_secret).map_err(String::as_str);
        assert_eq!(found, expected, "{raw}");
    }

    #[test]
    fn holes_are_filled_once_and_never_again() {
        check("plain", Ok("plain"));
        check("", Ok(""));
        check("tcp://${HOST}:5432", Ok("tcp://db:5432"));
        check("${EMPTY:-fallback}", Ok("fallback"));
        check("${NONE:-}", Ok(""));
        check("${ODD}", Ok("a\"b\\${X}"));
        check("${file:/run/secrets/key}", Ok("s3cret"));
        check("$${HOST} and $ago_15m", Ok("${HOST} and $ago_15m"));
        check("${HOST}${HOST}", Ok("dbdb"));
    }

    #[test]
    fn what_is_missing_or_broken_is_said() {
        check("${NONE} ${EMPTY}", Err(r#"[Unset("NONE"), Unset("EMPTY")]"#));
        check("${file:/none}", Err(r#"[File { path: "/none", why: "entity not found" }]"#));
        check("${HOST", Err("a `${` has no `}` (write `$${` for a literal `${`)"));
        check("${1X}", Err("`${1X}` is none of `${NAME}`, `${NAME:-default}`, `${file:/path}`"));
    }

    #[test]
    fn a_filled_value_cannot_be_printed() {
        let variables = Variables::new([("TOKEN", "marked-secret")], |_| unreachable!("no file is named"));
        let text = Text::try_from("Bearer ${TOKEN}".to_owned()).expect("valid");
        let shown = format!("{text:?} {variables:?} {:?}", text.resolve(&variables).expect("set"));
        assert!(!shown.contains("marked-secret"), "{shown}");
    }

    proptest! {
        #[test]
        fn what_has_no_hole_stays_and_what_fills_one_is_never_read_again(
            before in "(?s)[^$]{0,8}", value in "(?s).{1,12}", after in "(?s)[^$]{0,8}"
        ) {
            let variables = Variables::new([("A", value.as_str())], |_| unreachable!("no file is named"));
            let text = Text::try_from(format!("{before}${{A}}{after}")).expect("one hole");
            let filled = text.resolve(&variables).expect("set");
            prop_assert_eq!(filled.expose_secret(), &format!("{before}{value}{after}"));
            let plain = Text::try_from(format!("{before}{after}")).expect("no hole");
            let expected = format!("{before}{after}");
            prop_assert_eq!(plain.literal().map(Cow::into_owned), Some(expected));
        }

        #[test]
        fn nothing_makes_the_reader_panic(raw in "(?s)([$]{0,3}[{]?(A|file:|:-|é|[}]| ){0,3}){0,8}|.{0,20}") {
            let variables = Variables::new([("A", "${A}")], |_| Ok("from a file\n".to_owned()));
            if let Ok(text) = Text::try_from(raw.clone()) {
                prop_assert_eq!(text.raw(), raw.as_str());
                let filled = text.resolve(&variables).map(|filled| filled.expose_secret().to_owned());
                if let Some(literal) = text.literal() {
                    prop_assert_eq!(filled, Ok(literal.into_owned()));
                }
                let holes = raw.matches("${").count();
                prop_assert!(text.fillings(&variables).len() <= holes);
            }
        }
    }
}
