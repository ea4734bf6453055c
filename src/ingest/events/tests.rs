//! What lines come to, what is said of wrong ones, and that nothing in them can do harm.

use super::*;
use proptest::prelude::*;
use serde_json::json;

/// Everything that arrived and every wrong line, each in a line of its own.
fn told(lines: &Lines) -> String {
    let mut told = Vec::new();
    for request in &lines.arrival.requests {
        let failed = if request.failed { " failed" } else { "" };
        let class = request.class.as_str();
        told.push(format!("{} {class}{failed} in {} ms", request.route, request.took.as_secs_f64() * 1e3));
    }
    for query in &lines.arrival.queries {
        let text = query.text.as_deref().unwrap_or("a query");
        told.push(format!("{text} in {} ms", query.took.as_secs_f64() * 1e3));
    }
    for happened in &lines.arrival.happened {
        told.push(format!("{} × {}", happened.name, happened.times));
    }
    told.extend(lines.rejected.iter().map(|(at, why)| format!("{at}: {why}")));
    told.join("\n")
}

fn check(body: &str, expected: &str) {
    let lines = lines(body.as_bytes()).expect("readable");
    assert_eq!(told(&lines), expected, "{body}");
    let arrival = &lines.arrival;
    let arrived = arrival.requests.len() + arrival.queries.len() + arrival.happened.len();
    assert_eq!(
        (lines.accepted, lines.rejected_total),
        (arrived as u64, lines.rejected.len() as u64),
        "{body}"
    );
}

fn check_malformed(body: &str, expected: &str) {
    assert_eq!(lines(body.as_bytes()).expect_err("malformed").0, expected, "{body}");
}

#[test]
fn calls_are_requests_of_customers() {
    check(
        r#"{"event":"api_call","method":"POST","route":"/api/checkout","status":200,"duration_ms":123.5}"#,
        "POST /api/checkout 2xx in 123.5 ms",
    );
    check(r#"{"event":"api_call","route":"/a?b=secret","duration_s":0.5}"#, "/a unknown in 500 ms");
    check(
        r#"{"event":"api_call","method":"get","route":"/a","status":"503","duration_ms":0}"#,
        "GET /a 5xx failed in 0 ms",
    );
    check(r#"{"event":"api_call","route":"/a","error":true,"duration_ms":1}"#, "/a unknown failed in 1 ms");
    check(r#"{"event":"api_call","route":"/a","error":true,"status":404,"duration_ms":1}"#, "/a 4xx in 1 ms");
    let traced =
        r#"{"event":"api_call","route":"/a","duration_ms":1,"trace_id":"0AF7651916cd43dd8448eb211c80319c"}"#;
    let trace = lines(traced.as_bytes()).expect("readable").arrival.requests[0].trace;
    assert_eq!(trace, Some(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes()));
    check(r#"{"event":"api_call","route":"/a","duration_ms":1,"trace_id":""}"#, "/a unknown in 1 ms");
}

#[test]
fn queries_have_no_literals_and_anything_else_happened() {
    check(
        r#"{"event":"db_query","query":"select * from a where b = 'secret'","duration_ms":5}"#,
        "select * from a where b = ? in 5 ms",
    );
    check(r#"{"event":"db_query","duration_ms":5}"#, "a query in 5 ms");
    check(r#"{"event":"order_completed"}"#, "order_completed × 1");
    check(
        r#"{"event":"cart_active","count":12,"status":"open","route":7,"error":{},"query":[[]]}"#,
        "cart_active × 12",
    );
    check(r#"{"event":"a","count":1e6}"#, "a × 1000000");
}

#[test]
fn lines_lists_and_single_objects_are_read() {
    let three = "a × 1\nb × 1\nc × 1";
    check("{\"event\":\"a\"}\n{\"event\":\"b\"}\r\n\n  {\"event\":\"c\"}", three);
    check("{\"event\":\"a\"}\n{\"event\":\"b\"}\n{\"event\":\"c\"}\n", three);
    check("\n[{\"event\":\"a\"},\n{\"event\":\"b\"},{\"event\":\"c\"}]\n", three);
    check("\n{\n  \"event\": \"a\",\n  \"more\": {\n  }\n}\n", "a × 1");
    check("", "");
    check("[]", "");
    check(" \n\n", "");
}

#[test]
fn a_wrong_line_is_told_by_its_number_and_the_good_ones_count() {
    check(
        "\nsecret\n{\"event\":\"a\"}\n[\"secret\"]\n{\"event\":\"secret",
        "a × 1\n2: is not JSON\n4: is no object that has each field once\n5: ends too early",
    );
    check(
        "[{\"event\":\"a\"},7,{\"event\":8}]",
        "a × 1\n2: is no object that has each field once\n3: `event` is no text",
    );
    let wrong = [
        (json!({}), "has no `event`"),
        (json!({"event": "Secret"}), "`event` is not a to z, then a to z, 0 to 9 and _, up to 64 of them"),
        (
            json!({"event": "a".repeat(65)}),
            "`event` is not a to z, then a to z, 0 to 9 and _, up to 64 of them",
        ),
        (json!({"event": "a", "count": 0}), "`count` is no whole number from 1 to 1000000"),
        (json!({"event": "a", "count": 1.5}), "`count` is no whole number from 1 to 1000000"),
        (json!({"event": "a", "count": "secret"}), "`count` is no whole number from 1 to 1000000"),
        (json!({"event": "a", "count": 1e300}), "`count` is no whole number from 1 to 1000000"),
        (json!({"event": "api_call", "duration_ms": 1}), "has no `route`"),
        (json!({"event": "api_call", "route": "?secret", "duration_ms": 1}), "has no `route`"),
        (json!({"event": "api_call", "route": 1, "duration_ms": 1}), "`route` is no text"),
        (json!({"event": "api_call", "route": "/a", "method": 1}), "`method` is no text"),
        (json!({"event": "api_call", "route": "/a", "status": 99}), "`status` is no HTTP status code"),
        (json!({"event": "api_call", "route": "/a", "status": 200.5}), "`status` is no HTTP status code"),
        (json!({"event": "api_call", "route": "/a", "status": true}), "`status` is no HTTP status code"),
        (json!({"event": "api_call", "route": "/a", "error": "secret"}), "`error` is neither true nor false"),
        (json!({"event": "api_call", "route": "/a"}), "has no `duration_ms`"),
        (json!({"event": "db_query", "duration_ms": -1}), "`duration_ms` is no number from 0 to a day"),
        (json!({"event": "db_query", "duration_ms": 1e300}), "`duration_ms` is no number from 0 to a day"),
        (json!({"event": "db_query", "duration_ms": "5"}), "`duration_ms` is no number from 0 to a day"),
        (json!({"event": "db_query", "duration_s": "5"}), "`duration_s` is no number from 0 to a day"),
        (json!({"event": "db_query", "query": {}}), "`query` is no text"),
        (
            json!({"event": "api_call", "route": "/a", "duration_ms": 1, "trace_id": "secret"}),
            "`trace_id` is not 32 digits of hex that are not all zero",
        ),
    ];
    for (line, why) in wrong {
        check(&line.to_string(), &format!("1: {why}"));
    }
    check(r#"{"event":"a","event":"b"}"#, "1: is no object that has each field once");
}

#[test]
fn a_list_that_cannot_be_read_is_refused_by_its_place() {
    check_malformed("[{\"event\":\"a\"}", "the list ends too early, at line 1, column 14");
    check_malformed("[{\"event\":\"a\"},\nsecret]", "the list is not JSON, at line 2, column 1");
    check_malformed("[] secret", "the list is not JSON, at line 1, column 4");
}

#[test]
fn what_is_too_much_is_bounded() {
    let line = "{\"event\":\"a\"}\n";
    assert_eq!(lines(line.repeat(LINES_MAX).as_bytes()).map(|lines| lines.accepted), Ok(LINES_MAX as u64));
    check_malformed(&line.repeat(LINES_MAX + 1), "more than 100000 events in one request");
    check_malformed(&format!("[{}1]", "1,".repeat(4 << 20)), "more than 100000 events in one request");
    check_malformed(&"{\n".repeat(4 << 20), "more than 100000 events in one request");
    let lines = lines("{}\n".repeat(1000).as_bytes()).expect("readable");
    assert_eq!((lines.rejected.len(), lines.rejected_total), (REJECTED_MAX, 1000));
    let deep = format!("{{\"event\":\"a\",\"status\":{}{}}}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    check(&deep, "a × 1");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_repeating_it(
        body in "([{}\\[\\]:,\" \n]|\"event\":|\"api_call\"|\"a\"|SECRET|1|\"route\":|\"duration_ms\":|é){0,40}",
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let mut body = body.into_bytes();
        if !body.is_empty() {
            let at = at.index(body.len());
            body[at] ^= 1 << bit;
        }
        match lines(&body) {
            Ok(lines) => prop_assert!(lines.rejected.iter().all(|(_, why)| !why.contains("SECRET"))),
            Err(Malformed(why)) => prop_assert!(!why.contains("SECRET")),
        }
    }

    #[test]
    fn lines_and_a_list_of_them_come_to_the_same(events in prop::collection::vec(0..4_usize, 0..20)) {
        let kinds = [
            r#"{"event":"a","count":2}"#,
            r#"{"event":"api_call","route":"/é","duration_ms":1.5}"#,
            r#"{"event":"db_query","query":"select \"a\"","duration_ms":2}"#,
            r#"{"event":"api_call"}"#,
        ];
        let events: Vec<_> = events.into_iter().map(|kind| kinds[kind]).collect();
        prop_assert_eq!(lines(events.join("\n").as_bytes()), lines(format!("[{}]", events.join(",")).as_bytes()));
    }
}
