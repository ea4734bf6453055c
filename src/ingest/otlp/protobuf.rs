//! OTLP in Protocol Buffers: `ExportTraceServiceRequest` down to its spans, one at a time.
//!
//! Field numbers are those of `opentelemetry/proto/trace/v1/trace.proto` and `common/v1/common.proto`. Text that is not
//! UTF-8 (an exporter cut it at a limit) is taken with its broken characters replaced, for only parts of it matter.

use super::gather::Gathered;
use super::span::{Attributes, Span, Value};
use super::wire::{Field, Fields};
use crate::ingest::Malformed;
use crate::ingest::id::id;

/// From the outside in: the message and the field in which the next one lies.
const LEVELS: [(&str, u64); 3] = [("request", 1), ("ResourceSpans", 2), ("ScopeSpans", 2)];

pub(super) fn read(body: &[u8], gathered: &mut Gathered) -> Result<(), Malformed> {
    descend(&LEVELS, body, gathered)
}

fn descend(levels: &[(&'static str, u64)], bytes: &[u8], gathered: &mut Gathered) -> Result<(), Malformed> {
    let Some(((message, inside), deeper)) = levels.split_first() else {
        gathered.take(&span(bytes)?);
        return Ok(());
    };
    let mut fields = Fields::of(message, bytes);
    while let Some((number, field)) = fields.next()? {
        match field {
            Field::Bytes(bytes) if number == *inside => descend(deeper, bytes, gathered)?,
            _ if number == *inside => return Err(fields.mistyped()),
            _ => {}
        }
    }
    Ok(())
}

fn span(bytes: &[u8]) -> Result<Span<'_>, Malformed> {
    let mut span = Span::default();
    let mut fields = Fields::of("Span", bytes);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => span.trace = id(bytes),
            (2, Field::Bytes(bytes)) => span.id = id(bytes),
            (4, Field::Bytes(bytes)) => span.parent = id(bytes),
            (5, Field::Bytes(bytes)) => span.name = String::from_utf8_lossy(bytes),
            (6, Field::Varint(kind)) => span.kind = enumerated(kind),
            (7, Field::Fixed64(nanoseconds)) => span.start = nanoseconds,
            (8, Field::Fixed64(nanoseconds)) => span.end = nanoseconds,
            (9, Field::Bytes(bytes)) => attribute(bytes, &mut span.attributes)?,
            (15, Field::Bytes(bytes)) => status(bytes, &mut span.status)?,
            (1 | 2 | 4..=9 | 15, _) => return Err(fields.mistyped()),
            _ => {}
        }
    }
    Ok(span)
}

fn status(bytes: &[u8], code: &mut i64) -> Result<(), Malformed> {
    let mut fields = Fields::of("Status", bytes);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (3, Field::Varint(number)) => *code = enumerated(number),
            (3, _) => return Err(fields.mistyped()),
            _ => {}
        }
    }
    Ok(())
}

fn attribute<'a>(bytes: &'a [u8], attributes: &mut Attributes<'a>) -> Result<(), Malformed> {
    let mut key: &[u8] = &[];
    let mut said = Value::Else;
    let mut fields = Fields::of("KeyValue", bytes);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => key = bytes,
            (2, Field::Bytes(bytes)) => value(bytes, &mut said)?,
            (1 | 2, _) => return Err(fields.mistyped()),
            _ => {}
        }
    }
    // A name that is not UTF-8 is none that we know.
    attributes.put(std::str::from_utf8(key).unwrap_or_default(), said);
    Ok(())
}

fn value<'a>(bytes: &'a [u8], value: &mut Value<'a>) -> Result<(), Malformed> {
    let mut fields = Fields::of("AnyValue", bytes);
    while let Some((number, field)) = fields.next()? {
        *value = match (number, field) {
            (1, Field::Bytes(bytes)) => Value::Text(String::from_utf8_lossy(bytes)),
            (2, Field::Varint(flag)) => Value::Flag(flag != 0),
            (3, Field::Varint(whole)) => Value::Whole(whole.cast_signed()),
            // Doubles, lists and bytes: no attribute of ours.
            (4, Field::Fixed64(_)) | (5..=7, Field::Bytes(_)) => Value::Else,
            (1..=7, _) => return Err(fields.mistyped()),
            _ => continue,
        };
    }
    Ok(())
}

/// Enums are 32 bits wide; of a longer number these count.
fn enumerated(number: u64) -> i64 {
    i64::from((number as u32).cast_signed())
}
