//! Bodies that are cut off, damaged, or made to do harm: refused with a place and nothing of their content.

use super::both::{KeyValue, Request, ResourceSpans, ScopeSpans, Span, any_request, in_json};
use crate::ingest::Malformed;
use crate::ingest::otlp::{Spans, json, protobuf};
use proptest::prelude::*;
use prost::Message;

const MEBIBYTE: usize = 1 << 20;

fn check(result: Result<Spans, Malformed>, expected: &str) {
    assert_eq!(result.expect_err("malformed").0, expected);
}

/// A request of spans of the same kind.
fn request(span: &str, count: usize) -> Vec<u8> {
    let spans = vec![span; count].join(",");
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#).into_bytes()
}

#[test]
fn a_fault_is_told_by_its_place_and_never_by_what_is_there() {
    check(json(b"secret"), "the body is not JSON, at line 1, column 1");
    check(json(b""), "the body ends too early, at line 1, column 0");
    check(json(b"{\n\"resourceSpans\":[{}"), "the body ends too early, at line 2, column 19");
    check(json(b"{\"resourceSpans\":\"secret\"}"), "the body is no JSON that OTLP has, at line 1, column 25");
    check(json(b"{} secret"), "the body is not JSON, at line 1, column 4");
    check(
        json(&request(r#"{"kind":"secret"}"#, 1)),
        "the body is no JSON that OTLP has, at line 1, column 59",
    );
    check(json(&request(r#"{"name":"\xff"}"#, 1)), "the body is not JSON, at line 1, column 54");
    let place = |how: &str| format!("the body is no protobuf that OTLP has: in a {how}");
    check(protobuf(b"secret"), &place("request, a field is of a kind that is not used"));
    check(protobuf(b"\x0a\x05abc"), &place("request, a field is longer than what is left"));
    check(protobuf(b"\x08\x05"), &place("request, a field holds something of another type"));
    check(protobuf(b"\x02\x05"), &place("request, a field has a number that none can have"));
    check(protobuf(b"\x0a\x02\x12\x80"), &place("ResourceSpans, a number is cut off or too long"));
    check(
        protobuf(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        &place("request, a number is cut off or too long"),
    );
}

#[test]
fn more_spans_than_anybody_sends_are_refused_as_a_whole() {
    let limit = "more than 65536 spans in one request";
    check(json(&request("{}", 65_537)), limit);
    check(json(&request("null", 2 * MEBIBYTE)), limit);
    let empty = [0x12, 0].repeat(4 * MEBIBYTE);
    let scopes = [&[0x12][..], &length(empty.len()), &empty].concat();
    check(protobuf(&[&[0x0a][..], &length(scopes.len()), &scopes].concat()), limit);
    assert_eq!(json(&request("{}", 65_536)).map(|spans| (spans.spans, spans.rejected)), Ok((65_536, 65_536)));
}

#[test]
fn what_is_made_to_do_harm_is_read_to_its_end_or_refused() {
    let deep = format!("{{\"a\":{}", "[".repeat(4 * MEBIBYTE));
    check(json(deep.as_bytes()), "the body ends too early, at line 1, column 4194309");
    let attributes = format!(r#"{{"attributes":[{}{{}}]}}"#, "{},".repeat(MEBIBYTE));
    assert_eq!(json(&request(&attributes, 1)).map(|spans| spans.rejected), Ok(1));
    let levels = format!(r#"{{"resourceSpans":[{}{{}}]}}"#, "{},".repeat(MEBIBYTE));
    assert_eq!(json(levels.as_bytes()), Ok(Spans::default()));
    let attributes = (0..MEBIBYTE).map(|_| KeyValue { key: String::new(), value: None }).collect();
    let scope_spans = vec![ScopeSpans { spans: vec![Span { attributes, ..Span::default() }] }];
    let body = Request { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    assert_eq!(protobuf(&body.encode_to_vec()).map(|spans| spans.rejected), Ok(1));
}

#[test]
fn a_long_chain_of_parents_is_not_followed_for_ever() {
    let span = |id: usize| {
        format!(
            r#"{{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"{id:016x}","parentSpanId":"{:016x}","kind":{},"startTimeUnixNano":1,"endTimeUnixNano":1}}"#,
            id - 1,
            if id.is_multiple_of(2) { 2 } else { 1 },
        )
    };
    let spans = (1..=65_536).map(span).collect::<Vec<_>>().join(",");
    let read = json(&request(&spans, 1)).expect("well-formed");
    assert_eq!((read.spans, read.rejected), (65_536, 0));
    assert!(read.arrival.requests.len() > 32_000);
}

fn length(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encode_length_delimiter(length, &mut bytes).expect("a vector takes every byte");
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn cut_at_any_byte_or_with_any_bit_turned_it_is_read_or_refused(request in any_request(), bit in 0..8_u8) {
        let in_json = in_json(&request).to_string().into_bytes();
        prop_assume!(in_json.len() < 4_000);
        for (mut body, read) in [(request.encode_to_vec(), protobuf as fn(&[u8]) -> _), (in_json, json)] {
            for at in 0..body.len() {
                let _: Result<Spans, Malformed> = read(&body[..at]);
                body[at] ^= 1 << bit;
                if let Err(Malformed(why)) = read(&body) {
                    prop_assert!(!why.contains("secret"));
                }
                body[at] ^= 1 << bit;
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = (protobuf(&body), json(&body));
    }
}

#[test]
fn half_of_a_pair_of_surrogates_costs_no_batch() {
    let cut =
        request(r#"{"name":"cut \ud83d","attributes":[{"key":"a","value":{"stringValue":"\ude00"}}]}"#, 1);
    assert!(json(&cut).is_ok());
}
