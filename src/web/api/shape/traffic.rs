//! What the shop says by itself, over a span of time; and jobs that tell that they ran.

use crate::ingest::tally::Tally;
use crate::ingest::{StatusClass, Vendor};
use crate::outcome::Status;
use crate::record::cells::{Cells, Side};
use crate::view::heard::{Aside, AsideLetter, Heard, Moment, Requests, Span};
use crate::web::heard::Beat;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// All that was said.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrafficShape {
    span: Span,
    from: String,
    to: String,
    /// Of these seconds nobody knows what came: nobody listened. They are in no rate.
    unheard_seconds: u64,
    requests: RequestsShape,
    /// The most frequent first.
    routes: Vec<RouteShape>,
    step_seconds: u32,
    /// The oldest first, one for each step.
    columns: Vec<ColumnShape>,
    queries: QueriesShape,
    /// The most frequent first.
    events: Vec<CountShape>,
    /// What was counted of webhooks, by vendor and measure.
    vendors: BTreeMap<&'static str, BTreeMap<String, u64>>,
    letters_aside: AsideShape,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestsShape {
    count: u64,
    failed: u64,
    per_minute: Option<f64>,
    failed_ratio: Option<f64>,
    /// `2xx`, `5xx`, `unknown`, … as far as there are any.
    status_classes: BTreeMap<&'static str, u64>,
    /// Of all of them, whatever came of them.
    seconds: Option<DurationsShape>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct RouteShape {
    /// Method and pattern; `(other)` stands for those that there was no room for.
    route: String,
    #[serde(flatten)]
    requests: RequestsShape,
}

/// Of all, merged and never averaged; off by 0.1 % at most.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DurationsShape {
    p50: f64,
    p95: f64,
    p99: f64,
    longest: f64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ColumnShape {
    from: String,
    /// `null`: nobody listened.
    requests: Option<u64>,
    failed: Option<u64>,
    seconds: Option<DurationsShape>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueriesShape {
    count: u64,
    slow: u64,
    per_minute: Option<f64>,
    seconds: Option<DurationsShape>,
    /// Slow ones, the most frequent first.
    statements: Vec<StatementShape>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct StatementShape {
    /// Without literals.
    statement: String,
    count: u64,
    seconds: Option<DurationsShape>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CountShape {
    event: String,
    count: u64,
    per_minute: Option<f64>,
}

/// Letters of vendors that nobody could work through.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AsideShape {
    counts: BTreeMap<&'static str, u64>,
    /// The newest of them.
    letters: Vec<LetterShape>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LetterShape {
    vendor: &'static str,
    id: String,
    kind: String,
    received: String,
    error: String,
    /// Whether working through it again can help.
    readable: bool,
}

/// A job that tells of itself. What was never heard is `null`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatShape {
    check: String,
    title: String,
    job: String,
    status: Status,
    reason: Option<String>,
    last_start: Option<String>,
    last_success: Option<String>,
    last_fail: Option<String>,
    /// That it told with its last failure.
    exit_code: Option<u8>,
    /// How long the last success took.
    last_seconds: Option<f64>,
    running: Option<bool>,
    /// Where it tells.
    url: String,
}

/// What was done with letters that lay aside.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LettersShape {
    /// How many: those that could be read, and are tried again; or those that are put away.
    pub letters: u64,
}

impl TrafficShape {
    pub fn new(heard: &Heard, aside: &Aside) -> TrafficShape {
        let step = heard.span.grid().0 * 60;
        let counts = |counts: &crate::view::heard::Counted| {
            counts.iter().map(|(name, _, count)| (name.to_string(), *count)).collect()
        };
        TrafficShape {
            span: heard.span,
            from: heard.from.to_string(),
            to: heard.to.to_string(),
            unheard_seconds: heard.deaf_seconds(),
            requests: requests(heard, &heard.total),
            routes: heard
                .routes
                .iter()
                .map(|(route, one)| RouteShape { route: route.to_string(), requests: requests(heard, one) })
                .collect(),
            step_seconds: step,
            columns: (0..)
                .zip(&heard.moments)
                .map(|(at, moment)| column(heard.from, at * i64::from(step), moment))
                .collect(),
            queries: QueriesShape {
                count: heard.queries.count,
                slow: heard.slow(),
                per_minute: heard.per_minute(heard.queries.count),
                seconds: durations(&heard.queries.took),
                statements: heard.statements.iter().map(|(text, tally)| statement(text, tally)).collect(),
            },
            events: heard
                .events
                .iter()
                .map(|(name, count)| CountShape {
                    event: name.to_string(),
                    count: *count,
                    per_minute: heard.per_minute(*count),
                })
                .collect(),
            vendors: heard.vendors.iter().map(|(vendor, all)| (vendor.as_str(), counts(all))).collect(),
            letters_aside: AsideShape::new(aside),
        }
    }
}

fn requests(heard: &Heard, requests: &Requests) -> RequestsShape {
    let classes = StatusClass::ALL.into_iter().map(|one| (one.as_str(), requests.classes[one as usize]));
    RequestsShape {
        count: requests.count(),
        failed: requests.failed,
        per_minute: heard.per_minute(requests.count()),
        failed_ratio: requests.failed_ratio(),
        status_classes: classes.filter(|(_, count)| *count > 0).collect(),
        seconds: durations(&requests.took),
    }
}

fn durations(took: &Cells) -> Option<DurationsShape> {
    let [p50, p95, p99, longest] = took.quantiles(Side::Good, [0.5, 0.95, 0.99, 1.0])?;
    Some(DurationsShape { p50, p95, p99, longest })
}

fn column(from: Timestamp, seconds: i64, moment: &Moment) -> ColumnShape {
    let is_heard = moment.heard_s > 0 || moment.requests.count() > 0;
    let at = from.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    ColumnShape {
        from: at.to_string(),
        requests: is_heard.then(|| moment.requests.count()),
        failed: is_heard.then_some(moment.requests.failed),
        seconds: durations(&moment.requests.took),
    }
}

fn statement(text: &str, tally: &Tally) -> StatementShape {
    StatementShape { statement: text.to_owned(), count: tally.count, seconds: durations(&tally.took) }
}

impl AsideShape {
    fn new(aside: &Aside) -> AsideShape {
        let letter = |letter: &AsideLetter| LetterShape {
            vendor: letter.vendor.as_str(),
            id: letter.id.clone(),
            kind: letter.kind.clone(),
            received: letter.received.to_string(),
            error: letter.error.clone(),
            readable: letter.is_readable,
        };
        AsideShape {
            counts: Vendor::ALL.into_iter().map(Vendor::as_str).zip(aside.counts).collect(),
            letters: aside.letters.iter().map(letter).collect(),
        }
    }
}

impl HeartbeatShape {
    pub fn new(beat: &Beat, reached: &str) -> HeartbeatShape {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        HeartbeatShape {
            check: beat.check.check.name.to_string(),
            title: beat.check.check.title.clone(),
            job: beat.job.clone(),
            status: beat.check.status(),
            reason: beat.check.reason().map(|fault| fault.text.clone()),
            last_start: text(beat.start),
            last_success: text(beat.success),
            last_fail: text(beat.fail),
            exit_code: beat.code,
            last_seconds: beat.took(),
            running: beat.is_running(),
            url: format!("{reached}/heartbeat/{}", beat.job),
        }
    }
}
