//! OpenTelemetry's protocol: spans that the shop's functions export, over HTTP, in Protocol Buffers or JSON.
//!
//! Each encoding is read down to its spans by a file of its own, one span at a time, so that a body takes little more memory
//! than it is long. What a span means is decided in `span`, what several of them mean together in `gather`: both
//! encodings say the same. Protocol: OTLP 1.x, `docs/specification.md` of opentelemetry-proto.

mod answer;
mod gather;
mod json;
mod protobuf;
mod span;
#[cfg(test)]
mod tests;
mod wire;

pub use answer::{Refusal, answer_json, answer_protobuf, refusal_json, refusal_protobuf};

use crate::ingest::{Arrival, Malformed};
use gather::Gathered;

/// What the spans of one body come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// Requests and queries; most spans are neither.
    pub arrival: Arrival,
    /// How many there were, also those that mean nothing here and those that are no spans.
    pub spans: u64,
    /// How many were not taken, since they can't be true.
    pub rejected: u64,
    /// Why the first of these was not.
    pub why: Option<String>,
}

/// An `ExportTraceServiceRequest` of `application/x-protobuf`.
pub fn protobuf(body: &[u8]) -> Result<Spans, Malformed> {
    let mut gathered = Gathered::default();
    protobuf::read(body, &mut gathered)?;
    gathered.finish()
}

/// An `ExportTraceServiceRequest` of `application/json`.
pub fn json(body: &[u8]) -> Result<Spans, Malformed> {
    let mut gathered = Gathered::default();
    json::read(body, &mut gathered)?;
    gathered.finish()
}
