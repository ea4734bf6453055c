//! Exporters that shops have: whatever the language, the encoding, the compression and the age of the names, the same
//! requests and queries are counted, and nothing else.

use super::{CARD, EMAIL, TOKEN, nowhere, openmetrics, requests, start};
use crate::support::agent::Agent;
use crate::support::judge;
use serde_json::{Value, json};
use std::path::Path;

/// OpenTelemetry for Node in the versions that `@vercel/otel` takes.
pub const NODE: [&str; 11] = [
    "@opentelemetry/api@1.9.1",
    "@opentelemetry/api-logs@0.223.1",
    "@opentelemetry/exporter-trace-otlp-http@0.223.1",
    "@opentelemetry/exporter-trace-otlp-proto@0.223.1",
    "@opentelemetry/instrumentation@0.223.0",
    "@opentelemetry/resources@2.12.1",
    "@opentelemetry/sdk-logs@0.223.1",
    "@opentelemetry/sdk-metrics@2.12.1",
    "@opentelemetry/sdk-trace-base@2.12.1",
    "@opentelemetry/sdk-trace-node@2.12.1",
    "@vercel/otel@2.1.3",
];

/// A few requests as Next.js and Prisma tell of them. In each story a span may lie in one before it.
pub fn stories() -> Value {
    let find = format!("SELECT \"id\" FROM \"products\" WHERE \"owner\" = '{EMAIL}' LIMIT 1");
    let pay = format!("INSERT INTO \"payments\" (\"card\") VALUES ('{CARD}')");
    json!([
        // Old names, a render and a query inside, and a look at another server.
        [
            {"id": "a", "name": "GET /products/[slug]", "kind": "SERVER", "ms": 20, "attributes": {
                "next.span_name": "GET /products/[slug]", "next.span_type": "BaseServer.handleRequest", "http.method": "GET",
                "http.target": format!("/products/alfajor?email={EMAIL}"), "http.status_code": 200,
                "http.route": "/products/[slug]", "next.route": "/products/[slug]"}},
            {"id": "b", "in": "a", "name": "render route (app) /products/[slug]", "kind": "INTERNAL", "ms": 19, "attributes": {
                "next.span_type": "AppRender.getBodyResult", "next.route": "/products/[slug]"}},
            {"id": "c", "in": "b", "name": "prisma:client:operation", "kind": "INTERNAL", "ms": 6, "attributes": {
                "method": "findFirst", "model": "Product"}},
            {"id": "d", "in": "c", "name": "prisma:engine:db_query", "kind": "CLIENT", "ms": 5, "attributes": {
                "db.system": "postgresql", "db.query.text": find}},
            {"id": "e", "in": "a", "name": "fetch GET https://api.example/x", "kind": "CLIENT", "ms": 8, "attributes": {
                "next.span_type": "AppRender.fetch", "http.method": "GET", "http.status_code": 503}},
        ],
        // New names, an error of the shop, and a query that is slow.
        [
            {"id": "a", "name": "POST /api/checkout", "kind": "SERVER", "ms": 300, "error": true, "attributes": {
                "http.request.method": "POST", "http.response.status_code": 500, "http.route": "/api/checkout",
                "url.path": "/api/checkout", "error.type": "500"}},
            {"id": "b", "in": "a", "name": "prisma:client:db_query", "kind": "CLIENT", "ms": 250, "attributes": {
                "db.system.name": "postgresql", "db.query.text": pay}},
            {"id": "c", "in": "a", "name": "SELECT shop", "kind": "CLIENT", "ms": 150, "attributes": {
                "db.system": "postgresql", "db.statement": format!("SELECT 1 FROM carts WHERE email = '{EMAIL}'")}},
        ],
        // No route is known, and the status comes as a text.
        [
            {"id": "a", "name": "GET", "kind": "SERVER", "ms": 3, "attributes": {
                "http.method": "GET", "http.target": format!("/nowhere/{EMAIL}"), "http.status_code": "404"}},
        ],
        // Somebody before it began the trace.
        [
            {"id": "a", "in": "elsewhere", "name": "PUT /api/orders/[id]", "kind": "SERVER", "ms": 40, "attributes": {
                "http.request.method": "PUT", "http.response.status_code": 201, "http.route": "/api/orders/[id]"}},
        ],
        // A cold start is nobody's request, whatever became of it.
        [
            {"id": "a", "name": "resolve page components", "kind": "INTERNAL", "ms": 900, "error": true, "attributes": {
                "next.span_type": "NextNodeServer.findPageComponents", "next.route": "/products/[slug]"}},
        ],
    ])
}

/// What an exporter said that is given this.
pub fn node(given: &Value) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("given.json");
    std::fs::write(&file, given.to_string()).expect("a file");
    said(&judge::node("otlp.mjs", &NODE, &[file.to_str().expect("UTF-8")]))
}

pub fn python(given: &Value) -> Value {
    said(&judge::python(include_str!("../judges/otlp.py"), &given.to_string()))
}

fn said(answer: &Result<String, String>) -> Value {
    let text = answer.as_ref().unwrap_or_else(|error| panic!("{error}"));
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

pub fn url(agent: &Agent) -> String {
    format!("http://127.0.0.1:{}/v1/traces", agent.port)
}

/// Exactly the stories stand in `/metrics`, `times` over; the trace is one that can be looked up.
pub fn told_exactly(agent: &Agent, times: u64, trace: Option<&str>) {
    let text = openmetrics(agent);
    let program = "import sys, json\n\
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
        out = {}\n\
        for family in parse(sys.stdin.read()):\n    \
            for s in family.samples:\n        \
                name = s.name + ''.join(f' {s.labels[k]}' for k in ('route', 'status_class') if k in s.labels)\n        \
                if s.name.startswith(('atalaya_requests', 'atalaya_request_d', 'atalaya_query_d', 'atalaya_slow')):\n            \
                    if not s.name.endswith('_bucket'): out[name] = s.value\n            \
                    if s.exemplar: out.setdefault('seen ' + s.labels['route'], []).append([s.exemplar.labels['trace_id'], s.exemplar.value])\n\
        print(json.dumps(out))";
    let told: Value =
        serde_json::from_str(&judge::python(program, &text).expect("OpenMetrics")).expect("JSON");
    let routes = [
        ("GET", "4xx", 0, 0.003),
        ("GET /products/[slug]", "2xx", 0, 0.02),
        ("POST /api/checkout", "5xx", 1, 0.3),
        ("PUT /api/orders/[id]", "2xx", 0, 0.04),
    ];
    let mut counts = 0;
    for (route, class, failed, seconds) in routes {
        let number = |name: &str| told[name].as_f64().unwrap_or(f64::NAN);
        assert_eq!(
            number(&format!("atalaya_requests_total {route} {class}")),
            times as f64,
            "{route}: {told:#}"
        );
        assert_eq!(
            number(&format!("atalaya_requests_failed_total {route}")),
            (failed * times) as f64,
            "{route}"
        );
        assert_eq!(
            number(&format!("atalaya_request_duration_seconds_count {route}")),
            times as f64,
            "{route}"
        );
        let sum = number(&format!("atalaya_request_duration_seconds_sum {route}"));
        assert!((sum - seconds * times as f64).abs() < 1e-6, "{route}: {sum}");
        counts += 1;
    }
    let families = told.as_object().expect("families").keys();
    assert_eq!(
        families.filter(|name| name.starts_with("atalaya_requests_total ")).count(),
        counts,
        "{told:#}"
    );
    assert_eq!(told["atalaya_query_duration_seconds_count"], 3.0 * times as f64, "{told:#}");
    assert_eq!(told["atalaya_slow_queries_total"], 2.0 * times as f64, "{told:#}");
    if let Some(trace) = trace {
        assert_eq!(told["seen GET /products/[slug]"], json!([[trace, 0.02]]), "{told:#}");
    }
}

/// No statement's literal and no target of a request is kept.
fn forgets_customers(directory: &Path) {
    nowhere(directory, &[EMAIL, CARD, TOKEN]);
}

#[test]
fn the_sdk_of_python_is_understood_packed_and_not() {
    let mut agent = start("ingest-python", "", "");
    for (times, compression) in [(1, "none"), (2, "gzip")] {
        let given = json!({"url": url(&agent), "token": TOKEN, "compression": compression, "act": "spans", "spans": stories()});
        let said = python(&given);
        assert_eq!((&said["result"], &said["logs"]), (&"SUCCESS".into(), &json!([])), "{said:#}");
        told_exactly(&agent, times, said["trace"].as_str());
    }
    agent.terminate();
    forgets_customers(&agent.directory);
}

#[test]
fn the_exporters_of_node_are_understood_as_protobuf_and_json_packed_and_not() {
    let mut agent = start("ingest-node", "", "");
    let cases = [("proto", "gzip"), ("proto", "none"), ("http", "gzip"), ("http", "none")];
    for (times, (exporter, compression)) in (1..).zip(cases) {
        let given = json!({"url": url(&agent), "token": TOKEN, "exporter": exporter, "compression": compression, "spans": stories()});
        let said = node(&given);
        assert_eq!(
            (&said["result"], &said["logs"]),
            (&"SUCCESS".into(), &json!([])),
            "{exporter} {compression}: {said:#}"
        );
        told_exactly(&agent, times, said["trace"].as_str());
    }
    assert_eq!(requests(&agent, "otlp", "taken"), 4.0);
    agent.terminate();
    forgets_customers(&agent.directory);
}

#[test]
fn what_vercel_sends_to_an_endpoint_with_a_slash_at_its_end_arrives() {
    let agent = start("ingest-vercel", "", "");
    let endpoint = format!("http://127.0.0.1:{}/", agent.port);
    let said = node(&json!({"url": endpoint, "token": TOKEN, "exporter": "vercel", "spans": stories()}));
    assert_eq!(said["result"], "SUCCESS", "{said:#}");
    told_exactly(&agent, 1, said["trace"].as_str());
}
