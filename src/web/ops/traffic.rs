//! What the shop says by itself: requests of customers, slow queries, events, what vendors told, and jobs that tell that
//! they ran.

use super::check::rows as heat_rows;
use super::checks::{QUANTILES, icon, word};
use super::{Frame, Missing, Shared, Who, shown};
use crate::app::Eyes;
use crate::ingest::{StatusClass, Vendor};
use crate::record::cells::{Cells, Side};
use crate::view::heard::{Aside, Heard, Moment, Requests, Span};
use crate::web::chart::heat::{Column, Heat};
use crate::web::chart::lines::{Line, Lines};
use crate::web::chart::{Range, Unit};
use crate::web::heard::{Asked as AskedAt, Beat, beats};
use crate::web::page::{figure, words};
use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// Rows of a table; the API has all.
const ROWS_MAX: usize = 100;
/// A share of failures that is to be seen at once: more than a shop promises.
const MUCH: f64 = 0.01;
/// Of less than so many seconds a rate jumps.
const HEARD_MIN: u32 = 20;

#[derive(Template)]
#[template(path = "ops/traffic.html")]
struct TrafficPage {
    frame: Frame,
    span: Span,
    said: Option<(&'static str, bool)>,
    sums: Result<Sums, String>,
    aside: Result<Aside, String>,
    beats: Result<Vec<BeatRow>, String>,
    /// Where the agent is reached.
    at: String,
}

struct Sums {
    requests: Option<RequestsCard>,
    deaf: Option<String>,
    queries: Option<QueriesCard>,
    events: Vec<CountRow>,
    vendors: Vec<(&'static str, Vec<CountRow>)>,
}

struct RequestsCard {
    tiles: [(&'static str, String); 3],
    quantiles: [String; 3],
    rates: String,
    heat: String,
    routes: Vec<RouteRow>,
    /// Routes that are not shown.
    more: usize,
}

struct RouteRow {
    name: String,
    count: String,
    per_minute: String,
    failed: String,
    is_much: bool,
    classes: String,
    quantiles: [String; 3],
}

struct QueriesCard {
    count: String,
    slow: String,
    quantiles: [String; 3],
    statements: Vec<StatementRow>,
    more: usize,
}

struct StatementRow {
    text: String,
    count: String,
    p95: String,
    worst: String,
}

struct CountRow {
    name: String,
    help: &'static str,
    count: String,
    per_minute: String,
}

struct BeatRow {
    name: String,
    title: String,
    job: String,
    word: &'static str,
    icon: &'static str,
    reason: String,
    times: [(&'static str, Option<Timestamp>); 3],
    took: String,
    is_running: bool,
}

/// What is asked for; and what came of the form that was sent last.
#[derive(Debug, Deserialize)]
pub struct Asked {
    span: Option<String>,
    said: Option<String>,
}

/// The only texts that an address can put on the page.
const SAID: [(&str, &str, bool); 4] = [
    ("again", "They are worked through again; those that fail once more come back here.", false),
    ("none", "None of them could be read, so that trying again can't help.", true),
    ("away", "They are put away: nothing of them is counted, and nobody is told of them any more.", false),
    ("failed", "That could not be done; the log says why.", true),
];

pub async fn show(
    State(shared): State<Shared>,
    who: Who,
    at: AskedAt,
    Query(asked): Query<Asked>,
) -> Response {
    shown(&shared, async |view| {
        let wanted = asked.span.as_deref().unwrap_or(Span::Hour.as_str());
        let span = Span::ALL.into_iter().find(|span| span.as_str() == wanted);
        let span = span.ok_or_else(|| Missing(format!("there is no span `{wanted}`")))?;
        let said = SAID.into_iter().find(|(word, ..)| Some(*word) == asked.said.as_deref());
        let Eyes { intake, .. } = &shared.eyes;
        Ok(TrafficPage {
            frame: Frame::new(view, &who, "Traffic", "/ops/traffic"),
            span,
            said: said.map(|(_, text, wrong)| (text, wrong)),
            sums: shared.ear.heard(intake, span).await.map(|heard| sums(&heard)),
            aside: intake.aside().await,
            beats: beats(&shared.eyes, view).await.map(|beats| beats.iter().map(beat).collect()),
            at: at.reached(view),
        })
    })
    .await
}

fn sums(heard: &Heard) -> Sums {
    let event = |(name, count): &(std::sync::Arc<str>, u64)| count_row(heard, name, "", *count);
    let vendor = |(vendor, counts): &(crate::ingest::Vendor, crate::view::heard::Counted)| {
        let rows = counts.iter().map(|(name, help, count)| count_row(heard, name, help, *count));
        (vendor.title(), rows.collect())
    };
    // Of a minute it is not worth a word.
    let deaf = Some(heard.deaf_seconds()).filter(|seconds| *seconds > 90);
    Sums {
        requests: (heard.total.count() > 0).then(|| requests(heard)),
        deaf: deaf.map(|seconds| words::duration(std::time::Duration::from_secs(seconds / 60 * 60))),
        queries: (heard.queries.count > 0).then(|| queries(heard)),
        events: heard.events.iter().take(ROWS_MAX).map(event).collect(),
        vendors: heard.vendors.iter().filter(|(_, counts)| !counts.is_empty()).map(vendor).collect(),
    }
}

fn requests(heard: &Heard) -> RequestsCard {
    let total = &heard.total;
    RequestsCard {
        tiles: [
            ("Requests", figure::plain(total.count() as f64)),
            ("A minute", rate(heard, total.count())),
            ("Failed", failed(total)),
        ],
        quantiles: quantiles(&total.took),
        rates: rates(heard)
            .svg(&format!("requests a minute, and those that failed, over the last {}", heard.span.as_str())),
        heat: heat(heard).svg(&format!("how long requests took over the last {}", heard.span.as_str())),
        routes: heard.routes.iter().take(ROWS_MAX).map(|(name, one)| route(heard, name, one)).collect(),
        more: heard.routes.len().saturating_sub(ROWS_MAX),
    }
}

fn route(heard: &Heard, name: &str, requests: &Requests) -> RouteRow {
    let class = |class: StatusClass| {
        let count = requests.classes[class as usize];
        (count > 0).then(|| format!("{} {}", class.as_str(), figure::plain(count as f64)))
    };
    RouteRow {
        name: name.to_owned(),
        count: figure::plain(requests.count() as f64),
        per_minute: rate(heard, requests.count()),
        failed: failed(requests),
        is_much: requests.failed_ratio().is_some_and(|ratio| ratio >= MUCH),
        classes: StatusClass::ALL.into_iter().filter_map(class).collect::<Vec<_>>().join(" · "),
        quantiles: quantiles(&requests.took),
    }
}

fn queries(heard: &Heard) -> QueriesCard {
    let statement = |(text, tally): &(std::sync::Arc<str>, crate::ingest::tally::Tally)| {
        let found = tally.took.quantiles(Side::Good, [0.95, 1.0]).unwrap_or_default();
        let [p95, worst] = found.map(words::seconds);
        StatementRow { text: text.to_string(), count: figure::plain(tally.count as f64), p95, worst }
    };
    QueriesCard {
        count: figure::plain(heard.queries.count as f64),
        slow: figure::plain(heard.slow() as f64),
        quantiles: quantiles(&heard.queries.took),
        statements: heard.statements.iter().take(ROWS_MAX).map(statement).collect(),
        more: heard.statements.len().saturating_sub(ROWS_MAX),
    }
}

fn count_row(heard: &Heard, name: &str, help: &'static str, count: u64) -> CountRow {
    CountRow {
        name: name.to_owned(),
        help,
        count: figure::plain(count as f64),
        per_minute: rate(heard, count),
    }
}

fn beat(beat: &Beat) -> BeatRow {
    BeatRow {
        name: beat.check.check.name.to_string(),
        title: beat.check.check.title.clone(),
        job: beat.job.clone(),
        word: word(&beat.check),
        icon: icon(beat.check.status()),
        reason: beat.check.reason().map(|fault| fault.text.clone()).unwrap_or_default(),
        times: [("Began last", beat.start), ("Failed last", beat.fail), ("Succeeded last", beat.success)],
        took: beat.took().map_or_else(|| "–".to_owned(), words::seconds),
        is_running: beat.is_running() == Some(true),
    }
}

fn rate(heard: &Heard, count: u64) -> String {
    match heard.per_minute(count) {
        Some(rate) if rate >= 0.01 || count == 0 => figure::plain(rate),
        Some(_) => "< 0.01".to_owned(),
        None => "–".to_owned(),
    }
}

/// A share that is never rounded down to none.
fn failed(requests: &Requests) -> String {
    match requests.failed_ratio() {
        None => "–".to_owned(),
        Some(0.0) => "0 %".to_owned(),
        Some(some) if some < 0.0001 => "< 0.01 %".to_owned(),
        Some(some) => format!("{} %", figure::plain((some * 10_000.0).round() / 100.0)),
    }
}

fn quantiles(took: &Cells) -> [String; 3] {
    match took.quantiles(Side::Good, [0.5, 0.95, 0.99]) {
        Some(found) => found.map(words::seconds),
        None => ["–", "–", "–"].map(str::to_owned),
    }
}

/// The whole of its columns.
fn range(heard: &Heard) -> Range {
    let (step, count) = heard.span.grid();
    let length = SignedDuration::from_mins(i64::from(step) * i64::from(count));
    Range { from: heard.from, to: heard.from.saturating_add(length).unwrap_or(Timestamp::MAX) }
}

fn rates(heard: &Heard) -> Lines {
    let step = f64::from(heard.span.grid().0) * 60.0;
    let begin = heard.from.as_second() as f64;
    let line = |number: u8, count: fn(&Requests) -> u64| {
        let rate = |moment: &Moment| {
            let minutes = f64::from(moment.heard_s) / 60.0;
            (moment.heard_s >= HEARD_MIN).then(|| count(&moment.requests) as f64 / minutes)
        };
        let middle = |at: u32| begin + (f64::from(at) + 0.5) * step;
        let points = (0..).zip(&heard.moments).map(|(at, moment)| (middle(at), rate(moment)));
        Line { number, points: points.collect() }
    };
    Lines {
        range: range(heard),
        unit: Unit::Plain,
        lines: vec![line(1, Requests::count), line(5, |requests| requests.failed)],
        bounds: Vec::new(),
        top: 1.0,
        ceiling: f64::INFINITY,
    }
}

fn heat(heard: &Heard) -> Heat {
    let column = |moment: &Moment| Column {
        cells: heat_rows(&moment.requests.took),
        quantiles: moment.requests.took.quantiles(Side::Good, [0.5, 0.95, 0.99]),
        failed_ratio: moment.requests.failed_ratio().unwrap_or_default(),
    };
    Heat {
        range: range(heard),
        step: f64::from(heard.span.grid().0) * 60.0,
        columns: heard.moments.iter().map(column).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(failures: u64, successes: u64, shown: &str) {
        let mut requests = Requests { failed: failures, ..Requests::default() };
        requests.classes[StatusClass::Successful as usize] = successes;
        requests.classes[StatusClass::ServerError as usize] = failures;
        assert_eq!(failed(&requests), shown);
    }

    #[test]
    fn what_failed_is_never_rounded_down_to_nothing() {
        check(0, 0, "–");
        check(0, 5, "0 %");
        check(1, 99_999, "< 0.01 %");
        check(1, 799, "0.13 %");
        check(3, 1, "75 %");
    }
}
