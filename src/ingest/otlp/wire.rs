//! The wire format of Protocol Buffers, read in place: one field after the other, nothing copied or kept.
//!
//! Decoding a body as a whole into structs would take some thirty times its size in the worst case: an empty attribute
//! is two bytes there and eighty in memory. What is needed of a span are a dozen fields.
//!
//! Format: <https://protobuf.dev/programming-guides/encoding/>. The varints are decoded by prost.

use crate::ingest::Malformed;

/// The fields of a message, as they come.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    /// What the message is called, for errors.
    message: &'static str,
}

/// What a field holds.
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'static str, bytes: &'a [u8]) -> Fields<'a> {
        Fields { rest: bytes, message }
    }

    /// The number of the next field and what it holds; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || tag > u64::from(u32::MAX) {
            return Err(self.wrong("a field has a number that none can have"));
        }
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => {
                let bytes = self.bytes(8)?.try_into().expect("eight bytes were asked for");
                Field::Fixed64(u64::from_le_bytes(bytes))
            }
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Field::Bytes(self.bytes(length)?)
            }
            5 => {
                self.bytes(4)?;
                Field::Fixed32
            }
            _ => return Err(self.wrong("a field is of a kind that is not used")),
        };
        Ok(Some((number, field)))
    }

    /// The fault of a field that is known and holds something else than it may.
    pub(super) fn mistyped(&self) -> Malformed {
        self.wrong("a field holds something of another type")
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        match prost::decode_length_delimiter(&mut self.rest) {
            Ok(number) => Ok(number as u64),
            Err(_) => Err(self.wrong("a number is cut off or too long")),
        }
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| self.wrong("a field is longer than what is left"))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn wrong(&self, how: &str) -> Malformed {
        Malformed(format!("the body is no protobuf that OTLP has: in a {}, {how}", self.message))
    }
}
