//! What the shop says by itself: how much its customers ask for, how that ends and how long it takes, what its database is
//! slow at, what else happens, and whether the agent takes all of it.

use super::board::Board;
use super::panel::{Kind, Panel};

const MINE: &str = "instance=\"$instance\"";

/// Its name, for links of other boards.
pub const TRAFFIC: &str = "traffic";

pub fn board() -> Board {
    let description = "What the shop says by itself: requests of its customers, slow queries, events, webhooks; and whether the agent takes all of it. Made by `atalaya export dashboards`.";
    let mut board = Board::new(TRAFFIC, "Atalaya: what the shop says", description);
    board.row("Requests of customers", requests());
    board.row("By route", by_route());
    board.row("Queries of the shop", queries());
    board.row("What else happened", events());
    board.row("Whether all of it is taken", intake());
    board
}

/// What is shared by questions on how long something took: nothing is averaged, buckets are added up.
fn quantile(quantile: f64, by: &str, buckets: &str) -> String {
    format!("histogram_quantile({quantile}, sum by ({by}) (rate({buckets}{{{MINE}}}[$__rate_interval])))")
}

fn per_second(what: &str) -> String {
    format!("sum(rate({what}{{{MINE}}}[$__rate_interval]))")
}

const REQUESTS: &str = "atalaya_requests_total";
const FAILED: &str = "atalaya_requests_failed_total";
const TOOK: &str = "atalaya_request_duration_seconds_bucket";
const QUERY_TOOK: &str = "atalaya_query_duration_seconds_bucket";

/// Failed ones among all; nothing where there is none.
fn failed_ratio(by: &str) -> String {
    let sum = |what: &str| format!("sum{by} (rate({what}{{{MINE}}}[$__rate_interval]))");
    format!("{} / ({} > 0)", sum(FAILED), sum(REQUESTS))
}

fn requests() -> Vec<Panel> {
    vec![
        Panel::stat("Requests a second", "Of customers, as the shop tells of them by spans and events.")
            .unit("reqps")
            .ask(per_second(REQUESTS), "requests")
            .thresholds([(None, "text")])
            .or_else("the shop tells of none"),
        Panel::stat("Failed", "The share of requests that ended with a 5xx, or with an error and no status.")
            .unit("percentunit")
            .ask(failed_ratio(""), "failed")
            .thresholds([(None, "green"), (Some(0.01), "orange"), (Some(0.05), "red")])
            .or_else("no request"),
        Panel::stat("P95", "So long or less took 95 of 100 requests, whatever came of them.")
            .unit("s")
            .ask(quantile(0.95, "le", TOOK), "P95")
            .thresholds([(None, "green"), (Some(0.5), "orange"), (Some(2.0), "red")])
            .or_else("no request"),
        Panel { kind: Kind::Lines { filled: true }, ..Panel::lines("By class of status", "Requests a second; `unknown` where nobody said how it ended.") }
            .sized(12, 8)
            .unit("reqps")
            .ask(format!("sum by (status_class) (rate({REQUESTS}{{{MINE}}}[$__rate_interval]))"), "{{status_class}}"),
        Panel::lines("How long they took", "Percentiles from buckets that are added up, of all routes. Points are traces in which it can be seen.")
            .sized(12, 8)
            .unit("s")
            .between(0.0, None)
            .ask(quantile(0.5, "le", TOOK), "P50")
            .ask(quantile(0.95, "le", TOOK), "P95")
            .ask(quantile(0.99, "le", TOOK), "P99")
            .with_exemplars(),
        Panel::new(Kind::Heatmap, "How long all of them took", "Two bands are two crowds of customers: a percentile would show one of them.")
            .sized(24, 8)
            .ask(format!("sum by (le) (increase({TOOK}{{{MINE}}}[$__rate_interval]))"), "{{le}}"),
    ]
}

fn by_route() -> Vec<Panel> {
    vec![
        Panel::lines("Requests a second", "By method and pattern; `(other)` is what there was no room for.")
            .unit("reqps")
            .ask(format!("sum by (route) (rate({REQUESTS}{{{MINE}}}[$__rate_interval]))"), "{{route}}"),
        Panel::lines("Failed", "The share of each route's requests that failed.")
            .unit("percentunit")
            .between(0.0, None)
            .ask(failed_ratio(" by (route)"), "{{route}}"),
        Panel::lines("P95", "By route, from buckets.")
            .unit("s")
            .between(0.0, None)
            .ask(quantile(0.95, "le, route", TOOK), "{{route}}")
            .with_exemplars(),
    ]
}

fn queries() -> Vec<Panel> {
    vec![
        Panel::lines("Queries a second", "Of the shop to its database, and those that were slow. Their statements are on the agent's own page, `/ops/traffic`.")
            .unit("ops")
            .ask(per_second("atalaya_query_duration_seconds_count"), "all")
            .ask(per_second("atalaya_slow_queries_total"), "slow"),
        Panel::lines("How long they took", "Percentiles from buckets.")
            .unit("s")
            .between(0.0, None)
            .ask(quantile(0.5, "le", QUERY_TOOK), "P50")
            .ask(quantile(0.95, "le", QUERY_TOOK), "P95")
            .ask(quantile(0.99, "le", QUERY_TOOK), "P99"),
        Panel::new(Kind::Heatmap, "How long all of them took", "A band that rises: the database has too much to do, or an index is missing.")
            .ask(format!("sum by (le) (increase({QUERY_TOOK}{{{MINE}}}[$__rate_interval]))"), "{{le}}"),
    ]
}

fn events() -> Vec<Panel> {
    let counted = |sources: &str| {
        format!(
            "60 * sum by (event) (rate(atalaya_events_total{{{MINE}, source{sources}}}[$__rate_interval]))"
        )
    };
    vec![
        Panel::lines("Events a minute", "That the shop names: checkouts, orders, carts.")
            .sized(12, 8)
            .ask(counted("=\"events\""), "{{event}}")
            .or_else("the shop tells of none"),
        Panel::lines(
            "What vendors told, a minute",
            "Payments, refunds, disputes and emails, each counted once however often it was told.",
        )
        .sized(12, 8)
        .ask(counted("=~\"square|resend\""), "{{event}}")
        .or_else("no webhook came"),
    ]
}

fn intake() -> Vec<Panel> {
    let rate = |what: &str, by: &str| format!("sum by ({by}) (rate({what}{{{MINE}}}[$__rate_interval]))");
    vec![
        Panel::new(Kind::Timeline, "The inbox", "Whether what is sent can be written down. While it can't, it is refused and senders try again.")
            .sized(24, 4)
            .ask(format!("atalaya_ingest_up{{{MINE}}}"), "inbox")
            .mapped(&[(0.0, "down", "red"), (1.0, "up", "green")])
            .thresholds([(None, "red"), (Some(1.0), "green")]),
        Panel::lines("Bodies a second", "By kind and what became of them. `full`: there was no room, and the sender was told to come again; `ill`: nothing could be written.")
            .unit("reqps")
            .ask(rate("atalaya_ingest_requests_total", "kind, result"), "{{kind}}: {{result}}"),
        Panel::lines("What they brought, a second", "Spans, events, letters and heartbeats that were taken, and those among them that could not be read.")
            .unit("cps")
            .ask(rate("atalaya_ingest_items_total", "kind"), "{{kind}}")
            .ask(rate("atalaya_ingest_rejected_items_total", "kind"), "{{kind}}, not read"),
        Panel::lines("How long writing takes", "Of all that waited together; whoever sends waits as long.")
            .unit("s")
            .between(0.0, None)
            .thresholds([(None, "green"), (Some(1.0), "orange")])
            .ask(quantile(0.5, "le", "atalaya_ingest_write_duration_seconds_bucket"), "P50")
            .ask(quantile(0.99, "le", "atalaya_ingest_write_duration_seconds_bucket"), "P99"),
        Panel::lines("Waiting", "Bodies that wait to be written; at 64 others are told to come again.")
            .between(0.0, None)
            .thresholds([(None, "green"), (Some(48.0), "orange")])
            .ask(format!("atalaya_ingest_waiting{{{MINE}}}"), "wait"),
        Panel::lines("Counted as (other)", "Requests, slow queries and events for whose names there was no room, a minute: `names_max` of `[ingest]`.")
            .ask(format!("60 * rate(atalaya_ingest_other_names_total{{{MINE}}}[$__rate_interval])"), "other"),
        Panel::lines("Letters of vendors, a minute", "Those that were worked through, and those that lie aside until a person looks at them.")
            .ask(format!("60 * sum by (result) (rate(atalaya_letters_total{{{MINE}}}[$__rate_interval]))"), "{{result}}"),
    ]
}
