//! What is measured of each source, by name.

use crate::ingest::tally::{QUERIES, QUERIES_SLOW, REQUESTS, REQUESTS_FAILED};
use crate::ingest::{Source, Sum, Vendor, ledger};
use crate::outcome::Outcome;
use crate::probe::MeasureInfo;
use crate::record::cells::Side;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// Since something came last.
pub const SILENCE: &str = "silence_seconds";
/// Letters that nobody could work through.
pub const ASIDE: &str = "letters_aside";
/// Only with `below`.
pub const FAST: [&str; 2] = ["requests_fast", "queries_fast"];

const REQUESTS_OK: &str = "requests_ok";
const FAILED_RATIO: &str = "requests_failed_ratio";
const QUANTILES: [(f64, &str); 3] = [(0.5, "p50_seconds"), (0.95, "p95_seconds"), (0.99, "p99_seconds")];

const fn info(name: &'static str, help: &'static str) -> MeasureInfo {
    MeasureInfo { name, help }
}

const SILENT: MeasureInfo = info(
    SILENCE,
    "How long ago something came last; where nothing ever did, since it was first listened for.",
);
const P50: MeasureInfo = info("p50_seconds", "Half of them took at most this long, over the window.");
const P95: MeasureInfo = info("p95_seconds", "95 of 100 took at most this long, over the window.");
const P99: MeasureInfo = info("p99_seconds", "99 of 100 took at most this long, over the window.");
const MEAN: MeasureInfo = info("mean_seconds", "How long they took on average, over the window.");

const OF_REQUESTS: [MeasureInfo; 14] = [
    info(REQUESTS, "Requests of customers in the window."),
    info(REQUESTS_OK, "Requests that did not fail."),
    info(REQUESTS_FAILED, "Requests that ended with a 5xx or an error."),
    info("requests_2xx", "Requests that ended with a 2xx."),
    info("requests_3xx", "Requests that ended with a 3xx."),
    info("requests_4xx", "Requests that ended with a 4xx."),
    info("requests_5xx", "Requests that ended with a 5xx."),
    info("requests_fast", "Requests that did not fail and took at most `below`."),
    info("requests_per_second", "Requests a second, over the window."),
    info(FAILED_RATIO, "Requests that failed, of all in the window."),
    P50,
    P95,
    P99,
    MEAN,
];

const OF_QUERIES: [MeasureInfo; 8] = [
    info(QUERIES, "Queries of the shop in the window."),
    info(QUERIES_SLOW, "Queries that took longer than `slow_query` of `[ingest]`."),
    info("queries_fast", "Queries that took at most `below`."),
    info("queries_per_second", "Queries a second, over the window."),
    P50,
    P95,
    P99,
    MEAN,
];

/// All that a source may yield.
pub fn of(source: Source) -> &'static [MeasureInfo] {
    static ALL: LazyLock<BTreeMap<Source, Vec<MeasureInfo>>> = LazyLock::new(|| {
        let of_vendor = |vendor: Vendor| {
            let aside = info(ASIDE, "Letters that nobody could work through.");
            ledger::measures(vendor).iter().copied().chain([aside, SILENT]).collect()
        };
        BTreeMap::from([
            (Source::Requests, OF_REQUESTS.into_iter().chain([SILENT]).collect()),
            (Source::Queries, OF_QUERIES.into_iter().chain([SILENT]).collect()),
            (Source::Events, vec![SILENT]),
            (Source::Square, of_vendor(Vendor::Square)),
            (Source::Resend, of_vendor(Vendor::Resend)),
        ])
    });
    &ALL[&source]
}

/// What is counted of a source whatever its definition says.
pub fn counted(source: Source) -> Vec<&'static str> {
    let of_vendor = |vendor| ledger::measures(vendor).iter().map(|info| info.name).collect();
    match source {
        Source::Requests => {
            vec![REQUESTS, REQUESTS_FAILED, "requests_2xx", "requests_3xx", "requests_4xx", "requests_5xx"]
        }
        Source::Queries => vec![QUERIES, QUERIES_SLOW],
        Source::Events => Vec::new(),
        Source::Square => of_vendor(Vendor::Square),
        Source::Resend => of_vendor(Vendor::Resend),
    }
}

/// The name of those that were fast.
pub const fn fast(source: Source) -> Option<&'static str> {
    match source {
        Source::Requests => Some(FAST[0]),
        Source::Queries => Some(FAST[1]),
        _ => None,
    }
}

/// What follows from the counts.
pub fn add_derived(source: Source, counts: &mut BTreeMap<Arc<str>, f64>) {
    if source == Source::Requests {
        let count = |name: &str| counts.get(name).copied().unwrap_or_default();
        let ok = count(REQUESTS) - count(REQUESTS_FAILED);
        counts.insert(REQUESTS_OK.into(), ok);
    }
}

/// Rates and quantiles. Without anything there is no ratio and no time.
pub fn rates(
    source: Source,
    sum: &Sum,
    (counts, seconds): (&BTreeMap<Arc<str>, f64>, f64),
    outcome: &mut Outcome,
) {
    let count = |name: &str| counts.get(name).copied().unwrap_or_default();
    match source {
        Source::Requests => {
            outcome.measure("requests_per_second", count(REQUESTS) / seconds);
            outcome.measure(FAILED_RATIO, count(REQUESTS_FAILED) / count(REQUESTS));
        }
        Source::Queries => outcome.measure("queries_per_second", count(QUERIES) / seconds),
        Source::Events | Source::Square | Source::Resend => return,
    }
    // A customer waits for an error as long as for a page.
    let all = sum.took.as_good();
    if let Some(quantiles) = all.quantiles(Side::Good, QUANTILES.map(|(quantile, _)| quantile)) {
        for ((_, name), value) in QUANTILES.into_iter().zip(quantiles) {
            outcome.measure(name, value);
        }
    }
    let (seconds, number) = all.durations().fold((0.0, 0_u64), |(seconds, number), (took, times)| {
        (seconds + took * times as f64, number + times)
    });
    outcome.measure("mean_seconds", seconds / number as f64);
}
