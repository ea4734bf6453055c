//! What the shop said by itself, for Prometheus. Routes and events are bounded where they are taken in; the statements of slow
//! queries are on pages only.

use super::exposition::{Type, Value, Writer, label};
use crate::config::http::hex;
use crate::ingest::StatusClass;
use crate::ingest::traffic::{Exemplar, Traffic};
use crate::record::{BUCKETS, Buckets};
use std::sync::LazyLock;

const REQUESTS: &str = "atalaya_requests_total";
const FAILED: &str = "atalaya_requests_failed_total";
const REQUEST_DURATION: &str = "atalaya_request_duration_seconds";
const QUERY_DURATION: &str = "atalaya_query_duration_seconds";
const SLOW_QUERIES: &str = "atalaya_slow_queries_total";
const EVENTS: &str = "atalaya_events_total";

/// All families; their heads are there before anything came.
pub fn write(traffic: &Traffic, out: &mut Writer) {
    out.family(
        REQUESTS,
        Type::Counter,
        "Requests of customers that the shop told of, by route and class of status.",
    );
    let routes: Vec<_> = traffic.routes.iter().map(|(name, route)| (label("route", name), route)).collect();
    for (labels, route) in &routes {
        for class in StatusClass::ALL {
            let count = route.classes[class as usize];
            if count > 0 {
                let more = label("status_class", class.as_str());
                out.sample(REQUESTS, labels, &more, Value::Integer(count));
            }
        }
    }
    out.family(FAILED, Type::Counter, "Requests that ended with a 5xx, or with an error and no status.");
    for (labels, route) in &routes {
        out.sample(FAILED, labels, "", Value::Integer(route.failed));
    }
    out.family(REQUEST_DURATION, Type::Histogram, "How long requests took, those that failed too.");
    for (labels, route) in &routes {
        write_buckets(REQUEST_DURATION, labels, &route.took, &route.exemplars, out);
    }
    out.family(QUERY_DURATION, Type::Histogram, "How long the shop's queries of its database took.");
    write_buckets(QUERY_DURATION, "", &traffic.queries, &[], out);
    out.family(SLOW_QUERIES, Type::Counter, "Queries that took longer than `slow_query` of `[ingest]`.");
    out.sample(SLOW_QUERIES, "", "", Value::Integer(traffic.slow_queries));
    out.family(EVENTS, Type::Counter, "What else the shop said happened, and what vendors told by webhooks.");
    for ((source, name), count) in &traffic.counts {
        let labels = format!("{},{}", label("source", source.as_str()), label("event", name));
        out.sample(EVENTS, &labels, "", Value::Integer(*count));
    }
}

fn write_buckets(
    name: &str,
    labels: &str,
    buckets: &Buckets,
    exemplars: &[Option<Exemplar>],
    out: &mut Writer,
) {
    static BOUNDS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let bounds = BUCKETS.iter().map(|bound| format!("le=\"{bound:?}\""));
        bounds.chain(["le=\"+Inf\"".to_owned()]).collect()
    });
    let series = format!("{name}_bucket");
    let mut below = 0;
    for (at, (bound, in_bucket)) in BOUNDS.iter().zip(buckets.counts).enumerate() {
        below += in_bucket;
        let value = Value::Integer(below);
        match exemplars.get(at).copied().flatten() {
            Some(Exemplar { trace, took, at }) => {
                let seen_in = label("trace_id", &hex(&trace));
                let seconds = at.as_millisecond() as f64 / 1e3;
                out.sample_seen_in((&series, labels, bound), value, (&seen_in, took.as_secs_f64(), seconds));
            }
            None => out.sample(&series, labels, bound, value),
        }
    }
    out.sample(&format!("{name}_sum"), labels, "", Value::Float(buckets.sum.as_secs_f64()));
    out.sample(&format!("{name}_count"), labels, "", Value::Integer(below));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::exposition::Format;
    use crate::ingest::tally::Names;
    use crate::ingest::{Arrival, Happened, Query, Request};
    use jiff::Timestamp;
    use std::time::Duration;

    fn check(format: Format, line: &str) {
        let request = |route: &str, status: u16, ms: u64| Request {
            route: route.to_owned(),
            class: StatusClass::of(status),
            failed: status >= 500,
            took: Duration::from_millis(ms),
            trace: Some([0xab; 16]),
        };
        let arrival = Arrival {
            requests: vec![
                request("GET /a", 200, 20),
                request("GET /a", 503, 300),
                request("GET /\"b", 404, 1),
            ],
            queries: vec![Query { text: None, took: Duration::from_millis(150) }],
            happened: vec![Happened { name: "order_completed".to_owned(), times: 2 }],
            ..Arrival::default()
        };
        let slow = Duration::from_millis(100);
        let tallies = Names::new(10).tally(&arrival, slow, 0);
        let mut traffic = Traffic::default();
        traffic.take(&arrival, &tallies, slow, Timestamp::UNIX_EPOCH);
        let mut writer = Writer::new(format);
        write(&traffic, &mut writer);
        let text = String::from_utf8(writer.out).expect("text");
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }

    #[test]
    fn traffic_is_told_by_route_and_a_bucket_by_a_trace() {
        for format in [Format::Text, Format::OpenMetrics] {
            check(format, r#"atalaya_requests_total{route="GET /a",status_class="2xx"} 1"#);
            check(format, r#"atalaya_requests_total{route="GET /\"b",status_class="4xx"} 1"#);
            check(format, r#"atalaya_requests_failed_total{route="GET /a"} 1"#);
            check(format, r#"atalaya_request_duration_seconds_count{route="GET /a"} 2"#);
            check(format, r#"atalaya_query_duration_seconds_bucket{le="0.25"} 1"#);
            check(format, "atalaya_slow_queries_total 1");
            check(format, r#"atalaya_events_total{source="events",event="order_completed"} 2"#);
        }
        check(Format::Text, r#"atalaya_request_duration_seconds_bucket{route="GET /a",le="0.5"} 2"#);
        let trace = "ab".repeat(16);
        let seen = format!(
            r#"atalaya_request_duration_seconds_bucket{{route="GET /a",le="0.5"}} 2 # {{trace_id="{trace}"}} 0.3 0"#
        );
        check(Format::OpenMetrics, &seen);
    }
}
