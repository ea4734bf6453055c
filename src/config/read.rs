//! From TOML to serde structs with *all* faults, each at its place.
//!
//! serde stops at the first error. Here an erroneous entry is noted and taken out, and a missing one is
//! noted and stood in for, until the rest reads or nothing can be mended; so one pass over a file tells
//! everything that is wrong with it.

use super::fault::{Fault, Source, did_you_mean};
use serde::Deserialize;
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeTable, DeValue, ValueDeserializer};

/// An upper bound on faults told for one table; more are noise.
const FAULTS_MAX: usize = 50;

/// What the deserializer says where an enum's table has no entry, or two.
const ONE_KIND: &str = "wanted exactly 1 element";

/// Entries that stand in for missing ones get places behind the end of every file, each its own.
const STAND_INS: usize = usize::MAX / 2;

/// Parses the syntax. Every syntax error is a fault; with one, what else could be read is not trusted.
pub fn parse<'i>(source: &'i Source, faults: &mut Vec<Fault>) -> Option<Spanned<DeTable<'i>>> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let valid = errors.is_empty();
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        faults.push(source.fault(offset, one_line(error.message())));
    }
    valid.then_some(table)
}

/// Reads one table into `T`; `None` where it has faults.
pub fn read<T: for<'de> Deserialize<'de>>(
    source: &Source,
    table: &Spanned<DeValue<'_>>,
    faults: &mut Vec<Fault>,
) -> Option<T> {
    let mut table = table.clone();
    let mut noted = Vec::new();
    let (mut removed, mut taken_out) = (Vec::new(), false);
    let mut stand_ins = 0;
    for _ in 0..FAULTS_MAX {
        let error = match T::deserialize(ValueDeserializer::from(table.clone())) {
            Ok(value) if noted.is_empty() => return Some(value),
            Ok(_) => break,
            Err(error) => error,
        };
        let span = error.span().unwrap_or(table.span());
        let mended = if span.start >= STAND_INS {
            try_next_stand_in(table.get_mut(), &span)
        } else if let Some(field) = missing_field(error.message()) {
            if !removed.iter().any(|key| key == field) {
                noted.push(describe(source, &table, &span, error.message()));
            }
            let place = STAND_INS + stand_ins..STAND_INS + stand_ins + 1;
            stand_ins += 1;
            let own = table.span();
            add_stand_in(table.get_mut(), &own, &span, Spanned::new(place, Cow::Owned(field.to_owned())))
        } else if error.message().starts_with(ONE_KIND) && taken_out {
            // Most likely the one kind that was there had a fault and was taken out.
            break;
        } else {
            taken_out = true;
            noted.push(describe(source, &table, &span, error.message()));
            removed.extend(key_of(table.get_ref(), &span).map(str::to_owned));
            remove(table.get_mut(), &span)
        };
        if !mended {
            break;
        }
    }
    faults.extend(noted);
    None
}

/// Says a serde error in our words; a string of the file is never repeated from a type error, since it may be a secret.
fn describe(source: &Source, table: &Spanned<DeValue<'_>>, span: &Range<usize>, message: &str) -> Fault {
    let message = no_struct(&one_line(message));
    let mut fault = source.fault(span.start, message.clone());
    if let Some(rest) = message.strip_prefix("unknown field `") {
        unknown(&mut fault, "key", rest);
    } else if let Some(rest) = message.strip_prefix("unknown variant `") {
        unknown(&mut fault, "value", rest);
    } else if let Some(field) = missing_field(&message) {
        fault.text = format!("missing key `{field}`");
    } else if let Some(found) = message.strip_prefix(ONE_KIND) {
        let found = if found.contains("more") { "more than one" } else { "none" };
        fault.text = format!("exactly one kind is wanted, found {found}");
    } else if message.starts_with("invalid type: string ") {
        let expected = message.rsplit_once(", expected ").map_or("something else", |(_, expected)| expected);
        fault.text = format!("invalid type: a string, expected {expected}");
    }
    if let Some(key) = key_of(table.get_ref(), span)
        && !fault.text.contains(&format!("`{key}`"))
    {
        fault.text = format!("`{key}`: {}", fault.text);
    }
    fault
}

/// What serde expects by the name of a type of ours is a table to whoever wrote the file.
fn no_struct(message: &str) -> String {
    match message.rsplit_once("expected struct ") {
        Some((before, _name)) => format!("{before}expected a table"),
        None => message.to_owned(),
    }
}

/// `x`, expected one of `a`, `b`  →  the text, and the nearest of what is allowed.
fn unknown(fault: &mut Fault, what: &str, rest: &str) {
    let mut words = rest.split('`');
    let word = words.next().unwrap_or_default();
    let allowed: Vec<&str> = words.skip(1).step_by(2).collect();
    fault.hint = did_you_mean(word, allowed.iter().copied());
    fault.text = match allowed.as_slice() {
        [] => format!("unknown {what} `{word}`; none is allowed here"),
        allowed => format!("unknown {what} `{word}`; allowed are `{}`", allowed.join("`, `")),
    };
}

fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

fn one_line(message: &str) -> String {
    message.trim().replace('\n', ", ")
}

/// The key whose value (or which itself) has this span.
fn key_of<'a>(value: &'a DeValue<'_>, span: &Range<usize>) -> Option<&'a str> {
    match value {
        DeValue::Table(table) => table.iter().find_map(|(key, value)| {
            if value.span() == *span { Some(key.get_ref().as_ref()) } else { key_of(value.get_ref(), span) }
        }),
        DeValue::Array(array) => array.iter().find_map(|value| key_of(value.get_ref(), span)),
        _ => None,
    }
}

/// Takes out the entry whose key or value, or whose array element, has this span.
fn remove(value: &mut DeValue<'_>, span: &Range<usize>) -> bool {
    match value {
        DeValue::Table(table) => {
            let at = table.iter().find(|(key, value)| key.span() == *span || value.span() == *span);
            if let Some(key) = at.map(|(key, _)| key.clone()) {
                return table.remove(&key).is_some();
            }
            let keys: Vec<_> = table.keys().cloned().collect();
            keys.iter().any(|key| table.get_mut(key).is_some_and(|value| remove(value.get_mut(), span)))
        }
        DeValue::Array(array) => {
            let before = array.len();
            *array = array.iter().filter(|value| value.span() != *span).cloned().collect();
            array.len() < before || array.iter_mut().any(|value| remove(value.get_mut(), span))
        }
        _ => false,
    }
}

/// Stands in for a missing key, so that reading can go on behind it.
fn add_stand_in<'i>(
    value: &mut DeValue<'i>,
    own: &Range<usize>,
    span: &Range<usize>,
    key: Spanned<Cow<'i, str>>,
) -> bool {
    if own == span {
        let DeValue::Table(table) = value else { return false };
        let stand_in = Spanned::new(key.span(), DeValue::String(Cow::Borrowed("1s")));
        return table.insert(key, stand_in).is_none();
    }
    children(value).into_iter().any(|child| {
        let own = child.span();
        add_stand_in(child.get_mut(), &own, span, key.clone())
    })
}

/// A stand-in of the wrong type becomes one of the next type, until none is left.
fn try_next_stand_in(value: &mut DeValue<'_>, span: &Range<usize>) -> bool {
    children(value).into_iter().any(|child| {
        if child.span() != *span {
            return try_next_stand_in(child.get_mut(), span);
        }
        let next = match child.get_ref() {
            DeValue::String(_) => DeValue::Integer(DeInteger::default()),
            DeValue::Integer(_) => DeValue::Boolean(true),
            DeValue::Boolean(_) => DeValue::Array(DeArray::default()),
            DeValue::Array(_) => DeValue::Table(DeTable::new()),
            _ => return false,
        };
        *child.get_mut() = next;
        true
    })
}

fn children<'a, 'i>(value: &'a mut DeValue<'i>) -> Vec<&'a mut Spanned<DeValue<'i>>> {
    match value {
        DeValue::Table(table) => table.iter_mut().map(|(_, value)| value).collect(),
        DeValue::Array(array) => array.iter_mut().collect(),
        _ => Vec::new(),
    }
}

/// The offset of a dotted key inside a table: where the value stands; the table itself where it is not there.
pub fn offset_of(table: &Spanned<DeValue<'_>>, dotted: &str) -> usize {
    let mut at = table;
    for key in dotted.split('.').filter(|key| !key.is_empty()) {
        match at.get_ref().get(key) {
            Some(next) => at = next,
            None => break,
        }
    }
    at.span().start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::Period;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only what can be read matters here")]
    struct Outer {
        name: String,
        every: Period,
        inner: Inner,
        #[serde(default)]
        codes: Vec<u16>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only what can be read matters here")]
    struct Inner {
        address: String,
        port: u16,
    }

    fn check(text: &str, expected: &[&str]) {
        let source = Source::new("t.toml", text);
        let mut faults = Vec::new();
        if let Some(table) = parse(&source, &mut faults) {
            let table = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
            read::<Outer>(&source, &table, &mut faults);
        }
        faults.sort();
        let found: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn all_faults_of_a_table_are_told_at_once() {
        check(
            "nmae = 'x'\nevery = 'soon'\ncodes = [200, 'many', 70000]\n[inner]\naddres = 'a'\nport = 'high'",
            &[
                "t.toml:1:1: missing key `name`",
                "t.toml:1:1: unknown key `nmae`; allowed are `name`, `every`, `inner`, `codes`\n  hint: did you mean `name`?",
                "t.toml:2:9: `every`: `soon` is not a period such as \"500ms\", \"15s\", \"5m\" or \"1h 30m\"",
                "t.toml:3:15: invalid type: a string, expected u16",
                "t.toml:3:23: invalid value: integer `70000`, expected u16",
                "t.toml:4:1: `inner`: missing key `address`",
                "t.toml:5:1: unknown key `addres`; allowed are `address`, `port`\n  hint: did you mean `address`?",
                "t.toml:6:8: `port`: invalid type: a string, expected u16",
            ],
        );
        check(
            "name = 'x'\nevery = '1s'\ninner = 5",
            &["t.toml:3:9: `inner`: invalid type: integer `5`, expected a table"],
        );
    }

    #[test]
    fn syntax_errors_have_their_place() {
        check(
            "name = 'a\nevery = = '1s'\ncodes = [",
            &[
                "t.toml:1:10: invalid literal string, expected `'`",
                "t.toml:2:9: extra `=`, expected nothing",
                "t.toml:2:11: unexpected key or value, expected newline, `#`",
                "t.toml:3:10: unclosed array, expected `]`",
            ],
        );
    }
}
