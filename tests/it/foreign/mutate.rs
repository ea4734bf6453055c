//! Small changes to what is right: they reach much further into a reader than noise does.

use proptest::prelude::*;
use serde_json::{Value, json};

/// One change; what `at`, `other` and `with` mean is for whoever applies it, each taken modulo what there is.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    kind: u8,
    at: usize,
    other: usize,
}

/// A few changes.
pub fn changes(most: usize) -> impl Strategy<Value = Vec<Change>> {
    let change = (any::<u8>(), any::<u16>(), any::<u16>()).prop_map(|(kind, at, other)| Change {
        kind,
        at: at.into(),
        other: other.into(),
    });
    prop::collection::vec(change, 0..=most)
}

/// Changes the lines and words of a text. `nasty` is what is put in.
pub fn text(text: &str, changes: &[Change], nasty: &[&str]) -> String {
    changes.iter().fold(text.to_owned(), |text, change| match change.kind % 10 {
        0..=2 => in_pieces(text.split_inclusive('\n').collect(), *change),
        3..=5 => in_pieces(words(&text), *change),
        6 | 7 => {
            let mut words = words(&text);
            let matter = |word: &&str| word.starts_with(|c: char| c.is_alphanumeric() || "\"'$".contains(c));
            let places: Vec<usize> = (0..words.len()).filter(|at| matter(&words[*at])).collect();
            if let Some(at) = places.get(change.at % places.len().max(1)) {
                words[*at] = nasty[change.other % nasty.len()];
            }
            words.concat()
        }
        8 => text.chars().take(change.at % (text.chars().count() + 1)).collect(),
        _ => {
            let at = change.at % (text.chars().count() + 1);
            let before: String = text.chars().take(at).collect();
            let after: String = text.chars().skip(at).collect();
            format!("{before}{}{after}", nasty[change.other % nasty.len()])
        }
    })
}

/// Deletes, doubles or swaps pieces.
fn in_pieces(mut pieces: Vec<&str>, change: Change) -> String {
    if !pieces.is_empty() {
        let (at, other) = (change.at % pieces.len(), change.other % pieces.len());
        match change.kind % 3 {
            0 => {
                pieces.remove(at);
            }
            1 => pieces.insert(other, pieces[at]),
            _ => pieces.swap(at, other),
        }
    }
    pieces.concat()
}

/// Quoted texts, words, and everything else by the character. Together they are the text.
fn words(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || "_-$".contains(c);
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let quoted = Some(first).filter(|c| "\"'".contains(*c));
        let closed = quoted.and_then(|quote| rest[1..].find([quote, '\n']).map(|at| at + 2));
        let length = match closed {
            Some(length) => length,
            None if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            None => first.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after;
    }
    words
}

/// Changes the values of JSON, and then sometimes the bytes. `nasty` is what is put in, beside what JSON itself
/// has to offer.
pub fn json(sample: &Value, changes: &[Change], nasty: &[&str]) -> Vec<u8> {
    let mut value = sample.clone();
    let mut bytes_changes = Vec::new();
    for change in changes {
        if change.kind % 8 == 7 {
            bytes_changes.push(*change);
            continue;
        }
        let mut left = change.at % (count(&value) + 1);
        change_node(&mut value, &mut left, *change, nasty);
    }
    bytes(value.to_string().as_bytes(), &bytes_changes)
}

/// The sample as often as it has values, each time with another of them replaced.
pub fn each_replaced<'a>(sample: &'a Value, by: &'a str) -> impl Iterator<Item = Value> + 'a {
    (0..count(sample)).map(|at| {
        let mut value = sample.clone();
        replace(&mut value, &mut { at }, by);
        value
    })
}

/// Replaces the value that is `left` values away.
fn replace(value: &mut Value, left: &mut usize, by: &str) {
    match (left.checked_sub(1), value) {
        (None, value) => {
            *value = Value::from(by);
            *left = usize::MAX;
        }
        (Some(less), Value::Array(list)) => {
            *left = less;
            for child in list {
                replace(child, left, by);
            }
        }
        (Some(less), Value::Object(object)) => {
            *left = less;
            for child in object.values_mut() {
                replace(child, left, by);
            }
        }
        (Some(less), _) => *left = less,
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(object) => object.values().map(count).sum(),
        _ => 0,
    }
}

/// Changes the node that is `left` nodes away.
fn change_node(value: &mut Value, left: &mut usize, change: Change, nasty: &[&str]) {
    if *left == 0 {
        *left = usize::MAX;
        *value = changed(value, change, nasty);
        return;
    }
    *left = left.saturating_sub(1);
    let children: Vec<&mut Value> = match value {
        Value::Array(list) => list.iter_mut().collect(),
        Value::Object(object) => object.values_mut().collect(),
        _ => Vec::new(),
    };
    for child in children {
        if *left < usize::MAX / 2 {
            change_node(child, left, change, nasty);
        }
    }
}

fn changed(value: &Value, change: Change, nasty: &[&str]) -> Value {
    match change.kind / 8 % 10 {
        0 => Value::Null,
        1 => [json!(0), json!(-1), json!(i64::MAX), json!(u64::MAX), json!(1e308), json!(0.5), json!(true)]
            [change.other % 7]
            .clone(),
        2 => Value::from("x".repeat(change.other)),
        3 => (0..150).fold(Value::Null, |inner, _| Value::Array(vec![inner])),
        4 => match value {
            Value::Array(list) => Value::Array(list.iter().chain(list).cloned().collect()),
            other => Value::Array(vec![other.clone()]),
        },
        5 => match value {
            Value::Object(object) if !object.is_empty() => {
                let mut object = object.clone();
                let key = object.keys().nth(change.other % object.len()).cloned();
                key.and_then(|key| object.shift_remove(&key));
                Value::Object(object)
            }
            Value::Array(list) => Value::Array(list.iter().skip(1).cloned().collect()),
            _ => Value::Object(serde_json::Map::new()),
        },
        _ => Value::from(nasty[change.other % nasty.len()]),
    }
}

/// Changes bytes: cuts off, flips, repeats, leaves out, puts in what is no UTF-8 or a huge number.
pub fn bytes(given: &[u8], changes: &[Change]) -> Vec<u8> {
    changes.iter().fold(given.to_vec(), |mut bytes, change| {
        let at = change.at % (bytes.len() + 1);
        let end = (at + change.other % 32).min(bytes.len());
        let put_in: &[&[u8]] = &[
            b"\xff\xfe",
            b"99999999999999999999",
            b"-1",
            b"\r\n",
            b"\0",
            b"[[[[[[",
            b"1e999",
            b"\xc3",
            b"$2147483647\r\n",
        ];
        match change.kind / 8 % 5 {
            0 => bytes.truncate(at),
            1 => bytes[at..end].iter_mut().for_each(|byte| *byte ^= change.other as u8 | 1),
            2 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            3 => {
                bytes.drain(at..end);
            }
            _ => {
                bytes.splice(at..at, put_in[change.other % put_in.len()].iter().copied());
            }
        }
        bytes
    })
}
