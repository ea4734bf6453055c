//! Any bytes as an export in JSON: read or refused, and never more found in them than they can hold.

#![no_main]

use atalaya::ingest::otlp::json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(spans) = json(body) {
        assert!(spans.rejected <= spans.spans && spans.spans <= body.len() as u64 / 2);
        assert!(spans.arrival.requests.len() + spans.arrival.queries.len() <= body.len() / 50);
    }
});
