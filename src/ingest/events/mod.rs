//! Events as JSON lines, for a shop that has no OpenTelemetry: one object a line, told apart by the name in `event`.
//!
//! | `event` | fields | what it is |
//! |---|---|---|
//! | `api_call` | `route`, `duration_ms`; maybe `method`, `status` or `error`, `trace_id` | a request of a customer |
//! | `db_query` | `duration_ms`; maybe `query` | a question to the database |
//! | any other | maybe `count` | that it happened, so many times |
//!
//! `duration_s` may stand for `duration_ms`. A list of such objects is read as well, and one object over several lines.
//! Fields that are not named here may hold what customers wrote: they are passed over, whatever they hold, and never kept.
//! What is wrong with a line is told with its number and never with its content; the good lines count all the same.

#[cfg(test)]
mod tests;

use super::id::hex;
use super::statement::{DoubleQuoted, normalise};
use super::{Arrival, Happened, Malformed, Query, Request, StatusClass, route};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

pub const LINES_MAX: usize = 100_000;
/// So many wrong lines are told; the rest of them is only counted.
pub const REJECTED_MAX: usize = 20;
/// What may happen in one line.
const TIMES_MAX: f64 = 1e6;
/// Longer than any function may run.
const SECONDS_MAX: f64 = 24.0 * 60.0 * 60.0;
const NAME_MAX: usize = 64;

const NO_OBJECT: &str = "is no object that has each field once";

/// What the lines of one body come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lines {
    pub arrival: Arrival,
    pub accepted: u64,
    /// The first wrong lines, counted from 1 (in a list: which of its objects), and why each is wrong.
    pub rejected: Vec<(usize, String)>,
    pub rejected_total: u64,
}

/// One event, with those of its fields that are ever looked at.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    event: Field<'a>,
    #[serde(borrow, default)]
    method: Field<'a>,
    #[serde(borrow, default)]
    route: Field<'a>,
    #[serde(borrow, default)]
    status: Field<'a>,
    #[serde(borrow, default)]
    error: Field<'a>,
    #[serde(borrow, default)]
    duration_ms: Field<'a>,
    #[serde(borrow, default)]
    duration_s: Field<'a>,
    #[serde(borrow, default)]
    trace_id: Field<'a>,
    #[serde(borrow, default)]
    query: Field<'a>,
    #[serde(borrow, default)]
    count: Field<'a>,
}

/// Whatever a field holds: what it must hold depends on the event.
#[derive(Default)]
enum Field<'a> {
    /// Missing, or `null`.
    #[default]
    Missing,
    Text(Cow<'a, str>),
    Number(f64),
    Flag(bool),
    Other,
}

/// JSON lines, a JSON list, or one JSON object.
pub fn lines(body: &[u8]) -> Result<Lines, Malformed> {
    let mut read = Reading::default();
    if body.trim_ascii_start().starts_with(b"[") {
        let mut json = serde_json::Deserializer::from_slice(body);
        let listed = json.deserialize_seq(&mut read).and_then(|()| json.end());
        listed.map_err(|error| unreadable(&error))?;
    } else if let Some(line) = over_several_lines(body) {
        let result = line.arrive(&mut read.lines.arrival);
        read.take(1, result);
    } else {
        for (at, text) in body.split(|byte| *byte == b'\n').enumerate() {
            let text = text.trim_ascii();
            if !text.is_empty() {
                read.text(at + 1, text);
            }
        }
    }
    if read.seen > LINES_MAX {
        return Err(Malformed(format!("more than {LINES_MAX} events in one request")));
    }
    Ok(read.lines)
}

/// The one event of a body that has line breaks within it.
fn over_several_lines(body: &[u8]) -> Option<Line<'_>> {
    let body = body.trim_ascii();
    let first = body.split(|byte| *byte == b'\n').next().filter(|first| first.len() < body.len())?;
    let is_open = serde_json::from_slice::<IgnoredAny>(first).is_err_and(|error| error.is_eof());
    is_open.then(|| serde_json::from_slice(body).ok()).flatten()
}

/// serde would take a list for an object without names.
fn line(text: &[u8]) -> Result<Line<'_>, &'static str> {
    let line = serde_json::from_slice(text).map_err(|error| what(&error))?;
    if text.starts_with(b"[") { Err(NO_OBJECT) } else { Ok(line) }
}

/// Only the place: what serde_json says may repeat a part of the body.
fn unreadable(error: &serde_json::Error) -> Malformed {
    Malformed(format!("the list {}, at line {}, column {}", what(error), error.line(), error.column()))
}

fn what(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        Category::Syntax | Category::Io => "is not JSON",
        Category::Eof => "ends too early",
        Category::Data => NO_OBJECT,
    }
}

#[derive(Default)]
struct Reading {
    lines: Lines,
    /// Also those beyond the bound, which are not read.
    seen: usize,
}

impl Reading {
    fn text(&mut self, at: usize, text: &[u8]) {
        self.seen += 1;
        if self.seen <= LINES_MAX {
            let result = line(text).and_then(|line| line.arrive(&mut self.lines.arrival));
            self.take(at, result);
        }
    }

    fn take(&mut self, at: usize, result: Result<(), &'static str>) {
        let Err(why) = result else {
            self.lines.accepted += 1;
            return;
        };
        self.lines.rejected_total += 1;
        if self.lines.rejected.len() < REJECTED_MAX {
            self.lines.rejected.push((at, why.to_owned()));
        }
    }
}

/// The objects of a list, one at a time.
impl<'de> Visitor<'de> for &mut Reading {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(text) = list.next_element::<&RawValue>()? {
            self.text(self.seen + 1, text.get().as_bytes());
        }
        Ok(())
    }
}

impl Line<'_> {
    /// Adds what the line tells; `Err` says what is wrong with it.
    fn arrive(&self, arrival: &mut Arrival) -> Result<(), &'static str> {
        let name = self.event.text("`event` is no text")?.ok_or("has no `event`")?;
        match name {
            "api_call" => arrival.requests.push(self.request()?),
            "db_query" => arrival.queries.push(self.query()?),
            name if is_name(name) => {
                arrival.happened.push(Happened { name: name.to_owned(), times: self.times()? });
            }
            _ => return Err("`event` is not a to z, then a to z, 0 to 9 and _, up to 64 of them"),
        }
        Ok(())
    }

    fn request(&self) -> Result<Request, &'static str> {
        let pattern = self.route.text("`route` is no text")?;
        let route = route::name(None, pattern).ok_or("has no `route`")?;
        let method = self.method.text("`method` is no text")?;
        let status = self.status.status()?;
        let error = self.error.flag("`error` is neither true nor false")?;
        Ok(Request {
            route: route::name(method, Some(&route)).unwrap_or(route),
            class: status.map_or(StatusClass::Unknown, StatusClass::of),
            failed: status.map_or(error, |status| status >= 500),
            took: self.took()?,
            trace: match self.trace_id.text("`trace_id` is no text")? {
                None => None,
                Some(text) => {
                    Some(hex(text).ok_or("`trace_id` is not 32 digits of hex that are not all zero")?)
                }
            },
        })
    }

    fn query(&self) -> Result<Query, &'static str> {
        let text = self.query.text("`query` is no text")?;
        let text = text.map(|query| normalise(query, DoubleQuoted::Name));
        Ok(Query { text: text.filter(|text| !text.is_empty()), took: self.took()? })
    }

    fn took(&self) -> Result<Duration, &'static str> {
        let wrong = "`duration_ms` is no number from 0 to a day";
        let seconds = match (&self.duration_ms, &self.duration_s) {
            (Field::Number(milliseconds), _) => milliseconds / 1e3,
            (Field::Missing, Field::Number(seconds)) => *seconds,
            (Field::Missing, Field::Missing) => return Err("has no `duration_ms`"),
            (Field::Missing, _) => return Err("`duration_s` is no number from 0 to a day"),
            _ => return Err(wrong),
        };
        if seconds > SECONDS_MAX {
            return Err(wrong);
        }
        Duration::try_from_secs_f64(seconds).map_err(|_| wrong)
    }

    fn times(&self) -> Result<u64, &'static str> {
        match self.count {
            Field::Missing => Ok(1),
            Field::Number(times) if times.fract() == 0.0 && (1.0..=TIMES_MAX).contains(&times) => {
                Ok(times as u64)
            }
            _ => Err("`count` is no whole number from 1 to 1000000"),
        }
    }
}

impl Field<'_> {
    /// An empty text is none.
    fn text(&self, otherwise: &'static str) -> Result<Option<&str>, &'static str> {
        match self {
            Field::Missing => Ok(None),
            Field::Text(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            _ => Err(otherwise),
        }
    }

    fn flag(&self, otherwise: &'static str) -> Result<bool, &'static str> {
        match self {
            Field::Missing => Ok(false),
            Field::Flag(flag) => Ok(*flag),
            _ => Err(otherwise),
        }
    }

    /// An HTTP status code, as a number or as text.
    fn status(&self) -> Result<Option<u16>, &'static str> {
        let status = match self {
            Field::Missing => return Ok(None),
            Field::Number(number) if number.fract() == 0.0 => Some(*number as u16),
            Field::Text(text) => text.parse().ok(),
            _ => None,
        };
        let known = status.filter(|status| StatusClass::of(*status) != StatusClass::Unknown);
        known.map(Some).ok_or("`status` is no HTTP status code")
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Field<'a>, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number as f64))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Field<'de>, E> {
        Ok(Field::Flag(flag))
    }

    fn visit_unit<E: Error>(self) -> Result<Field<'de>, E> {
        Ok(Field::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Field<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}
