//! Any bytes as an export in protobuf: read or refused, and never more found in them than they can hold.

#![no_main]

use atalaya::ingest::otlp::{answer_protobuf, protobuf};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(spans) = protobuf(body) {
        assert!(spans.rejected <= spans.spans && spans.spans <= body.len() as u64 / 2);
        assert!(spans.arrival.requests.len() + spans.arrival.queries.len() <= body.len() / 40);
        assert_eq!(spans.rejected == 0, answer_protobuf(&spans).is_empty());
    }
});
