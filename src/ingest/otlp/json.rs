//! OTLP in JSON: `ExportTraceServiceRequest` down to its spans, one at a time.
//!
//! Nothing is collected on the way, for `{}` is two bytes in a body and a hundred in a list. The rules are those of
//! OTLP/HTTP's JSON encoding: names in lowerCamelCase, ids as hex in any case, enums as integers, integers of 64 bits as text
//! or numbers, what is not known passed over, what is missing or `null` as its default.

use super::gather::Gathered;
use super::span::{Attributes, Span, Value};
use crate::ingest::Malformed;
use crate::ingest::id::hex;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use std::borrow::Cow;
use std::fmt;

/// From the outside in: the lists that lie in each other. The last one holds the spans.
const LEVELS: [&str; 3] = ["resourceSpans", "scopeSpans", "spans"];

pub(super) fn read(body: &[u8], gathered: &mut Gathered) -> Result<(), Malformed> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let request = Message { levels: &LEVELS, gathered };
    request.deserialize(&mut json).and_then(|()| json.end()).map_err(|error| malformed(&error))
}

/// Only the place: what serde_json says may repeat a part of the body.
fn malformed(error: &serde_json::Error) -> Malformed {
    let what = match error.classify() {
        Category::Syntax | Category::Io => "is not JSON",
        Category::Eof => "ends too early",
        Category::Data => "is no JSON that OTLP has",
    };
    Malformed(format!("the body {what}, at line {}, column {}", error.line(), error.column()))
}

/// An object with a list of further ones; without any levels left, a span.
struct Message<'a, 'g> {
    levels: &'a [&'static str],
    gathered: &'g mut Gathered,
}

/// The list in it.
struct List<'a, 'g>(Message<'a, 'g>);

impl<'de> DeserializeSeed<'de> for Message<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.levels.is_empty() {
            // A `null` in a list of messages stands for an empty one.
            let span = Option::<RawSpan<'de>>::deserialize(deserializer)?.unwrap_or_default();
            self.gathered.take(&span.into());
            return Ok(());
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Message<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((name, deeper)) = self.levels.split_first() else { return Ok(()) };
        while let Some(Text(key)) = map.next_key()? {
            if key == *name {
                map.next_value_seed(List(Message { levels: deeper, gathered: self.gathered }))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Message { levels, gathered } = self.0;
        while list.next_element_seed(Message { levels, gathered: &mut *gathered })?.is_some() {}
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct RawSpan<'a> {
    #[serde(borrow)]
    trace_id: Option<Text<'a>>,
    #[serde(borrow)]
    span_id: Option<Text<'a>>,
    #[serde(borrow)]
    parent_span_id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    kind: Option<i32>,
    start_time_unix_nano: Option<Whole>,
    end_time_unix_nano: Option<Whole>,
    #[serde(borrow)]
    attributes: Option<RawAttributes<'a>>,
    status: Option<RawStatus>,
}

#[derive(Deserialize)]
struct RawStatus {
    code: Option<i32>,
}

/// An attribute.
#[derive(Deserialize)]
struct KeyValue<'a> {
    #[serde(borrow)]
    key: Option<Text<'a>>,
    #[serde(borrow)]
    value: Option<AnyValue<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyValue<'a> {
    #[serde(borrow)]
    string_value: Option<Text<'a>>,
    int_value: Option<Whole>,
    bool_value: Option<bool>,
}

/// Borrowed from the body where nothing in it is escaped.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    /// As bytes: an exporter that cuts a value may leave half of a pair of surrogates, and one value is no reason to refuse
    /// a whole batch.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        deserializer.deserialize_bytes(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Text<'de>, E> {
        Ok(Text(String::from_utf8_lossy(bytes)))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text<'de>, E> {
        Ok(Text(String::from_utf8_lossy(bytes).into_owned().into()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(text.to_owned().into()))
    }
}

/// An integer of 64 bits, with or without a sign.
struct Whole(i128);

struct RawAttributes<'a>(Attributes<'a>);

impl<'a> From<RawSpan<'a>> for Span<'a> {
    fn from(raw: RawSpan<'a>) -> Span<'a> {
        let nanoseconds = |whole: Option<Whole>| whole.and_then(|whole| u64::try_from(whole.0).ok());
        Span {
            trace: raw.trace_id.and_then(|text| hex(&text.0)),
            id: raw.span_id.and_then(|text| hex(&text.0)),
            parent: raw.parent_span_id.and_then(|text| hex(&text.0)),
            name: raw.name.map(|name| name.0).unwrap_or_default(),
            kind: raw.kind.unwrap_or_default().into(),
            start: nanoseconds(raw.start_time_unix_nano).unwrap_or_default(),
            end: nanoseconds(raw.end_time_unix_nano).unwrap_or_default(),
            status: raw.status.and_then(|status| status.code).unwrap_or_default().into(),
            attributes: raw.attributes.map(|attributes| attributes.0).unwrap_or_default(),
        }
    }
}

impl<'a> From<AnyValue<'a>> for Value<'a> {
    fn from(value: AnyValue<'a>) -> Value<'a> {
        if let Some(text) = value.string_value {
            Value::Text(text.0)
        } else if let Some(whole) = value.int_value.and_then(|whole| i64::try_from(whole.0).ok()) {
            Value::Whole(whole)
        } else {
            value.bool_value.map_or(Value::Else, Value::Flag)
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawAttributes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawAttributes<'a>, D::Error> {
        deserializer.deserialize_seq(AttributesVisitor)
    }
}

struct AttributesVisitor;

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = RawAttributes<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of attributes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawAttributes<'de>, A::Error> {
        let mut attributes = Attributes::default();
        while let Some(attribute) = list.next_element::<Option<KeyValue<'de>>>()? {
            if let Some(KeyValue { key: Some(key), value }) = attribute {
                attributes.put(&key.0, value.map_or(Value::Else, Value::from));
            }
        }
        Ok(RawAttributes(attributes))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Whole, D::Error> {
        deserializer.deserialize_any(WholeVisitor)
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer, or one as text")
    }

    fn visit_i64<E: Error>(self, whole: i64) -> Result<Whole, E> {
        Ok(Whole(whole.into()))
    }

    fn visit_u64<E: Error>(self, whole: u64) -> Result<Whole, E> {
        Ok(Whole(whole.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Whole, E> {
        text.parse().map(Whole).map_err(|_| E::custom("no integer"))
    }
}
