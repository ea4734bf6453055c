//! The same spans in both encodings come to the same.

use crate::ingest::otlp::{json, protobuf};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};

#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    #[prost(message, repeated, tag = "1")]
    pub(super) resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceSpans {
    #[prost(message, repeated, tag = "2")]
    pub(super) scope_spans: Vec<ScopeSpans>,
    #[prost(string, tag = "3")]
    pub(super) schema_url: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    pub(super) spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Span {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    pub(super) trace_state: String,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(super) name: String,
    #[prost(int32, tag = "6")]
    pub(super) kind: i32,
    #[prost(fixed64, tag = "7")]
    pub(super) start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    pub(super) end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    pub(super) attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    pub(super) status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    pub(super) flags: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(int32, tag = "3")]
    pub(super) code: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 2, 3, 4, 5, 7")]
    pub(super) value: Option<Any>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Flag(bool),
    #[prost(int64, tag = "3")]
    Whole(i64),
    #[prost(double, tag = "4")]
    Number(f64),
    #[prost(message, tag = "5")]
    List(List),
    #[prost(bytes = "vec", tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct List {
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<AnyValue>,
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)]))
        .collect()
}

fn value_in_json(value: &AnyValue) -> Value {
    match &value.value {
        None => json!({}),
        Some(Any::Text(text)) => json!({ "stringValue": text }),
        Some(Any::Flag(flag)) => json!({ "boolValue": flag }),
        Some(Any::Whole(whole)) if whole % 2 == 0 => json!({ "intValue": whole }),
        Some(Any::Whole(whole)) => json!({ "intValue": whole.to_string() }),
        Some(Any::Number(number)) => json!({ "doubleValue": number }),
        Some(Any::List(list)) => {
            json!({ "arrayValue": { "values": list.values.iter().map(value_in_json).collect::<Vec<_>>() } })
        }
        Some(Any::Bytes(_)) => json!({ "bytesValue": "AAAA" }),
    }
}

fn span_in_json(span: &Span) -> Value {
    let attribute = |attribute: &KeyValue| json!({ "key": attribute.key, "value": attribute.value.as_ref().map(value_in_json) });
    json!({
        "traceId": hex(&span.trace_id),
        "spanId": hex(&span.span_id),
        "traceState": span.trace_state,
        "parentSpanId": hex(&span.parent_span_id),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": span.start_time_unix_nano.to_string(),
        "endTimeUnixNano": span.end_time_unix_nano,
        "attributes": span.attributes.iter().map(attribute).collect::<Vec<_>>(),
        "events": [{ "name": "exception" }],
        "status": span.status.as_ref().map(|status| json!({ "message": status.message, "code": status.code })),
        "flags": span.flags,
    })
}

pub(super) fn in_json(request: &Request) -> Value {
    let scope =
        |scope: &ScopeSpans| json!({ "spans": scope.spans.iter().map(span_in_json).collect::<Vec<_>>() });
    let resource = |resource: &ResourceSpans| json!({ "scopeSpans": resource.scope_spans.iter().map(scope).collect::<Vec<_>>(), "schemaUrl": resource.schema_url });
    json!({ "resourceSpans": request.resource_spans.iter().map(resource).collect::<Vec<_>>() })
}

fn any_value() -> impl Strategy<Value = Option<AnyValue>> {
    let text = prop_oneof![
        "(?s).{0,12}",
        Just("BaseServer.handleRequest".to_owned()),
        Just("postgresql".to_owned()),
        Just("select 'a' from \"b\" where c in (1, 2)".to_owned()),
        Just("GET".to_owned()),
        "/[a-z]{1,4}(/\\[id\\])?(\\?x=1)?",
        "[1-6]0[0-9]",
    ];
    let value = prop_oneof![
        6 => text.prop_map(Any::Text),
        1 => any::<bool>().prop_map(Any::Flag),
        2 => (100..700_i64).prop_map(Any::Whole),
        1 => any::<i64>().prop_map(Any::Whole),
        1 => (-1e9..1e9_f64).prop_map(Any::Number),
        1 => Just(Any::List(List { values: vec![AnyValue { value: Some(Any::Flag(true)) }] })),
        1 => Just(Any::Bytes(vec![0, 0, 0])),
    ];
    prop_oneof![1 => Just(None), 9 => prop::option::of(value).prop_map(|value| Some(AnyValue { value }))]
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop::sample::select(vec![
        "http.request.method",
        "http.method",
        "http.response.status_code",
        "http.status_code",
        "http.route",
        "next.route",
        "next.rsc",
        "next.span_type",
        "db.system",
        "db.system.name",
        "db.statement",
        "db.query.text",
        "db.operation",
        "é",
        "",
    ]);
    prop::collection::vec(
        (key, any_value()).prop_map(|(key, value)| KeyValue { key: key.to_owned(), value }),
        0..8,
    )
}

fn any_id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    // Few different ones, so that some are parents of others.
    prop_oneof![
        18 => (1..9_u8).prop_map(move |byte| vec![byte; length]),
        1 => Just(vec![0; length]),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

fn any_span() -> impl Strategy<Value = Span> {
    let name = prop_oneof![
        "(?s).{0,9}",
        Just("prisma:client:db_query".to_owned()),
        Just("prisma:engine:query".to_owned())
    ];
    let start = prop_oneof![1 => Just(0_u64), 1 => any::<u64>(), 9 => Just(1_767_225_600_000_000_000)];
    let took = prop_oneof![9 => 0..9_000_000_000_i64, 1 => any::<i64>()];
    let status = prop::option::of((-1..4_i32).prop_map(|code| Status { message: "secret".to_owned(), code }));
    let ids = (any_id(16), any_id(8), any_id(8));
    (ids, name, 0..6_i32, (start, took), attributes(), status).prop_map(
        |(ids, name, kind, (start, took), attributes, status)| Span {
            trace_id: ids.0,
            span_id: ids.1,
            trace_state: "a=b".to_owned(),
            parent_span_id: ids.2,
            name,
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: start.wrapping_add_signed(took),
            attributes,
            status,
            flags: 0x101,
        },
    )
}

pub(super) fn any_request() -> impl Strategy<Value = Request> {
    let scope = prop::collection::vec(any_span(), 0..8).prop_map(|spans| ScopeSpans { spans });
    let resource = prop::collection::vec(scope, 0..3)
        .prop_map(|scope_spans| ResourceSpans { scope_spans, schema_url: "https://a".to_owned() });
    prop::collection::vec(resource, 0..3).prop_map(|resource_spans| Request { resource_spans })
}

proptest! {
    #[test]
    fn both_encodings_come_to_the_same(request in any_request()) {
        let from_protobuf = protobuf(&request.encode_to_vec()).expect("well-formed");
        let from_json = json(in_json(&request).to_string().as_bytes()).expect("well-formed");
        let all = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        prop_assert_eq!(from_json.spans, all.map(|scope| scope.spans.len() as u64).sum::<u64>());
        prop_assert_eq!(from_json, from_protobuf);
    }
}
