//! What counts as a request or a query, with the words of the programs that send them.

use crate::ingest::otlp::{Spans, json};
use crate::ingest::{Query, Request};
use serde_json::{Value, json};

/// The example of OpenTelemetry's own repository.
const OFFICIAL: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"my.service"}}]},"scopeSpans":[{"scope":{"name":"my.library","version":"1.0.0","attributes":[{"key":"my.scope.attribute","value":{"stringValue":"some scope attribute"}}]},"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"EEE19B7EC3C1B173","name":"I'm a server span","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000","kind":2,"attributes":[{"key":"my.span.attr","value":{"stringValue":"some value"}}]}]}]}]}"#;

/// As Next.js 15 sends it through `@vercel/otel`.
const NEXT: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"destino-sf"}},{"key":"env","value":{"stringValue":"production"}},{"key":"vercel.region","value":{"stringValue":"sfo1"}}]},"scopeSpans":[{"scope":{"name":"next.js","version":"0.0.1"},"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"POST /api/checkout","kind":2,"startTimeUnixNano":"1767225600000000000","endTimeUnixNano":"1767225600250000000","attributes":[{"key":"next.span_name","value":{"stringValue":"POST /api/checkout"}},{"key":"next.span_type","value":{"stringValue":"BaseServer.handleRequest"}},{"key":"http.method","value":{"stringValue":"POST"}},{"key":"http.target","value":{"stringValue":"/api/checkout?x=1"}},{"key":"http.status_code","value":{"intValue":"500"}},{"key":"http.route","value":{"stringValue":"/api/checkout"}},{"key":"next.route","value":{"stringValue":"/api/checkout"}},{"key":"error.type","value":{"stringValue":"500"}}],"status":{"code":2}}]}]}]}"#;

/// A span of 5 ms.
fn span(id: u64, parent: u64, kind: u8, name: &str, attributes: &[(&str, Value)]) -> Value {
    let attributes = attributes.iter().map(|(key, value)| json!({ "key": key, "value": value }));
    json!({
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": format!("{id:016x}"),
        "parentSpanId": if parent == 0 { String::new() } else { format!("{parent:016x}") },
        "name": name,
        "kind": kind,
        "startTimeUnixNano": "1767225600000000000",
        "endTimeUnixNano": 1_767_225_600_005_000_000_u64,
        "attributes": attributes.collect::<Vec<_>>(),
    })
}

fn text(text: &str) -> Value {
    json!({ "stringValue": text })
}

fn read(spans: Vec<Value>) -> Spans {
    let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] });
    json(body.to_string().as_bytes()).expect("well-formed")
}

/// One request as `route class`, with what failed marked, or a query as its text; each in its line.
fn told(spans: &Spans) -> String {
    let request = |request: &Request| {
        format!("{} {}{}", request.route, request.class.as_str(), if request.failed { " failed" } else { "" })
    };
    let query = |query: &Query| query.text.clone().unwrap_or_else(|| "a query".to_owned());
    let requests = spans.arrival.requests.iter().map(request);
    requests.chain(spans.arrival.queries.iter().map(query)).collect::<Vec<_>>().join("\n")
}

fn check(spans: Vec<Value>, expected: &str) {
    let shown = format!("{spans:?}");
    let read = read(spans);
    assert_eq!(read.why, None, "{shown}");
    assert_eq!(told(&read), expected, "{shown}");
}

fn check_rejected(change: &[(&str, Value)], expected: &str) {
    let mut span = span(1, 0, 2, "GET", &[]);
    for (name, value) in change {
        span[*name] = value.clone();
    }
    let read = read(vec![span]);
    assert_eq!(read.why.as_deref().unwrap_or_default(), expected);
    assert_eq!(read.rejected, u64::from(!expected.is_empty()));
    assert_eq!(read.arrival.requests.len() as u64 + read.rejected, 1);
}

#[test]
fn official_examples_are_read() {
    let official = json(OFFICIAL.as_bytes()).expect("well-formed");
    assert_eq!((official.spans, official.rejected), (1, 0));
    assert_eq!(told(&official), "_OTHER unknown");
    let next = json(NEXT.as_bytes()).expect("well-formed");
    assert_eq!(told(&next), "POST /api/checkout 5xx failed");
    let request = &next.arrival.requests[0];
    assert_eq!(request.took.as_millis(), 250);
    assert_eq!(request.trace, Some(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes()));
    for nothing in
        ["{}", r#"{"resourceSpans":null}"#, r#"{"resourceSpans":[{}, {"scopeSpans":[]}, null],"x":[1]}"#]
    {
        assert_eq!(json(nothing.as_bytes()), Ok(Spans::default()));
    }
}

#[test]
fn old_and_new_names_say_the_same() {
    let old = [
        ("http.method", text("GET")),
        ("http.route", text("/a")),
        ("http.status_code", json!({"intValue": 404})),
    ];
    check(vec![span(1, 0, 2, "GET", &old)], "GET /a 4xx");
    let new = [
        ("http.request.method", text("GET")),
        ("http.route", text("/a")),
        ("http.response.status_code", text("503")),
    ];
    check(vec![span(1, 7, 2, "GET", &new)], "GET /a 5xx failed");
}

#[test]
fn only_the_handling_of_a_request_is_one() {
    let next = |kind: &str, more: &[(&'static str, Value)]| {
        let mut attributes = vec![("next.span_type", text(kind)), ("http.method", text("GET"))];
        attributes.extend(more.iter().cloned());
        attributes
    };
    check(vec![span(1, 0, 2, "GET", &next("Middleware.execute", &[]))], "");
    check(vec![span(1, 0, 1, "GET", &next("BaseServer.handleRequest", &[]))], "");
    let route = [("next.route", text("/p/[slug]")), ("http.target", text("/p/secret?x=1"))];
    check(vec![span(1, 9, 2, "GET", &next("BaseServer.handleRequest", &route))], "GET /p/[slug] unknown");
    let target = [("http.target", text("/p/secret"))];
    check(vec![span(1, 0, 2, "GET", &next("BaseServer.handleRequest", &target))], "GET unknown");
    let rsc = [("next.route", text("/p/[slug]")), ("next.rsc", json!({ "boolValue": true }))];
    check(
        vec![span(1, 0, 2, "RSC GET", &next("BaseServer.handleRequest", &rsc))],
        "RSC GET /p/[slug] unknown",
    );
    check(vec![span(1, 0, 3, "fetch GET https://a", &next("AppRender.fetch", &[]))], "");
}

#[test]
fn an_error_without_a_status_failed_and_a_cold_start_is_no_request() {
    let mut failed = span(1, 0, 2, "GET", &[("http.method", text("GET"))]);
    failed["status"] = json!({ "code": 2, "message": "secret" });
    check(vec![failed.clone()], "GET unknown failed");
    failed["kind"] = json!(1);
    check(vec![failed], "");
    let mut missing = span(1, 0, 2, "GET", &[("http.status_code", json!({ "intValue": "404" }))]);
    missing["status"] = json!({ "code": 2 });
    check(vec![missing], "_OTHER 4xx");
}

#[test]
fn two_layers_around_one_request_count_once() {
    let get = ("http.method", text("GET"));
    let outer = || span(1, 0, 2, "GET", std::slice::from_ref(&get));
    let step = |id, parent| span(id, parent, 1, "middleware", &[]);
    let call = |id, parent| span(id, parent, 3, "GET", std::slice::from_ref(&get));
    let known = [get.clone(), ("http.route", text("/a")), ("http.status_code", json!({ "intValue": "500" }))];
    let inner = |id, parent| span(id, parent, 2, "GET /a", &known);
    check(vec![inner(2, 1), outer()], "GET /a 5xx failed");
    check(vec![outer(), step(3, 1), step(4, 3), inner(2, 4)], "GET /a 5xx failed");
    check(vec![outer(), inner(2, 1), inner(3, 2)], "GET /a 5xx failed");
    check(vec![outer(), call(3, 1), inner(2, 3)], "GET unknown\nGET /a 5xx failed");
    check(vec![inner(2, 1)], "GET /a 5xx failed");
    // Who makes a circle of them gets all of them counted.
    check(vec![inner(2, 3), inner(3, 2)], "GET /a 5xx failed\nGET /a 5xx failed");
    check(vec![inner(2, 2)], "GET /a 5xx failed");
}

#[test]
fn queries_are_what_asks_a_database() {
    let sql = [("db.system", text("postgresql")), ("db.query.text", text("select 'secret' from a"))];
    check(vec![span(1, 9, 3, "prisma:engine:db_query", &sql)], "select ? from a");
    check(vec![span(1, 9, 1, "prisma:client:db_query", &[])], "a query");
    check(vec![span(1, 9, 3, "prisma:engine:connection", &sql)], "");
    check(vec![span(1, 9, 1, "prisma:client:operation", &[("method", text("findMany"))])], "");
    let mysql = [("db.system", text("mysql")), ("db.query.text", text("select \"secret\" from a"))];
    check(vec![span(1, 9, 3, "prisma:engine:db_query", &mysql)], "select ? from a");
    let old = [("db.system", text("postgresql")), ("db.statement", text("select 1"))];
    check(vec![span(1, 9, 3, "pg.query:SELECT", &old)], "select ?");
    check(vec![span(1, 9, 3, "pg-pool.connect", &old[..1])], "");
    let new = [("db.system.name", text("microsoft.sql_server")), ("db.query.text", text("select 1"))];
    check(vec![span(1, 9, 3, "SELECT", &new)], "select ?");
    let cache = [("db.system", text("redis")), ("db.statement", text("GET secret"))];
    check(vec![span(1, 9, 3, "GET", &cache)], "");
    let documents = [("db.system", text("mongodb")), ("db.statement", text("{\"email\":\"secret\"}"))];
    check(vec![span(1, 9, 3, "find", &documents)], "a query");
    let by_operation = [("db.system.name", text("postgresql")), ("db.operation.name", text("SELECT"))];
    check(vec![span(1, 9, 3, "SELECT a", &by_operation)], "a query");
}

#[test]
fn two_layers_around_one_query_count_once() {
    let sql = [("db.system", text("postgresql")), ("db.query.text", text("select 1"))];
    let prisma = span(1, 9, 3, "prisma:client:db_query", &[]);
    check(vec![span(3, 2, 3, "pg.query", &sql), span(2, 1, 1, "step", &[]), prisma], "select ?");
}

#[test]
fn what_cannot_be_true_is_rejected_with_a_reason() {
    check_rejected(&[], "");
    check_rejected(&[("parentSpanId", json!("0000000000000000"))], "");
    check_rejected(&[("traceId", json!(null))], "a trace id is not 16 bytes, or all zero");
    check_rejected(&[("traceId", json!("0".repeat(32)))], "a trace id is not 16 bytes, or all zero");
    check_rejected(&[("spanId", json!("b7ad"))], "a span id is not 8 bytes, or all zero");
    check_rejected(&[("startTimeUnixNano", json!(null))], "a span has no start or no end");
    check_rejected(&[("endTimeUnixNano", json!(-1))], "a span has no start or no end");
    check_rejected(&[("endTimeUnixNano", json!("1767225599999999999"))], "a span ends before it starts");
    check_rejected(&[("startTimeUnixNano", json!(1))], "a span takes more than a day");
    // A clock that is off is nobody's fault.
    check_rejected(&[("startTimeUnixNano", json!(1)), ("endTimeUnixNano", json!("5000001"))], "");
}
