//! `sql`: a question about the business, asked of the shop's own tables.

use super::address::Address;
use super::answer::{Empty, Label, Reading};
use super::ask::{self, Open};
use super::counting::Counting;
use super::template::{self, Moment, Template};
use super::token::{self, Dialect};
use crate::config::text::Text;
use crate::config::value::Period;
use crate::config::zone::Zone;
use crate::fact;
use crate::outcome::{Fault, Outcome};
use crate::probe::{Build, Context, Counted, Kind, MeasureInfo, Run, Running};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Asks one question of a PostgreSQL or SQLite database; each column of the answer is a measure.
///
/// The query reads only, in a transaction with deadlines. Times are placeholders that the agent fills from its clock:
/// `$now`, `$ago_15m` (any number and s, m, h or d), `$from` and `$to` (the window to count in), `$start_of_hour`,
/// `$start_of_day`, `$start_of_yesterday`; and `$days_30` are the last thirty days, today the last, as rows of a day's name,
/// its begin and its end: `with days (day, begins, ends) as (values $days_30)`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    /// `postgresql://user:password@host:5432/database`, also through a pooler and with Prisma's parameters, or
    /// `sqlite:/path/to/file`.
    url: Text,
    /// A file with certificates (PEM) to trust beside the system's; without `sslmode` in the address it means `verify-full`.
    ca: Option<Text>,
    /// One `select`. Each column of its answer is a measure named by its alias: numbers, booleans (0 or 1),
    /// intervals (seconds), times (Unix seconds; their age where the alias ends in `_age_seconds`).
    query: Text,
    /// Columns that are labels of the measures. With them the answer may have many rows, without them one; they stay in the
    /// order of the query. Labels are shown, so one that is called after customers' data (`email`, `phone`,
    /// `customer_name`, …) is refused, and a value that looks like an email address, a phone number or a card's number is
    /// never kept: `…` stands for it. Names of people can't be told from other words: leave them out of the query.
    #[serde(default)]
    labels: Vec<Label>,
    /// The most rows that an answer with labels may have, at most 1000. More is `unknown`, not a part of the truth.
    #[serde(default = "rows_max_default")]
    rows_max: u16,
    /// What no row, or a row of nothing but null, means.
    #[serde(default)]
    empty: Empty,
    /// Counts over a window that slides: how far before `$to` the time `$from` is. Without it a running agent counts
    /// every event once: each run goes on where the one before ended, also after a time in which nobody counted.
    window: Option<Period>,
    /// How long after it happened an event may still change. It is counted, and booked, that much later: what changes
    /// in the meantime is seen, and nothing is counted before its end is known. Only where runs go on.
    settle: Option<Period>,
    /// How far back the very first run goes. Only where runs go on; as long as from one run to the next unless given.
    backfill: Option<Period>,
    /// Where hours and days begin: an IANA name such as `America/Los_Angeles`. UTC unless given.
    time_zone: Option<Text>,
}

fn rows_max_default() -> u16 {
    100
}

/// Each row is as many series as it has measures; past this it is a report and not a check.
const ROWS_MAX: u16 = 1_000;

struct Question {
    address: Address,
    template: Template,
    labels: Vec<Label>,
    rows_max: usize,
    empty: Empty,
    window: Duration,
    zone: TimeZone,
    /// How the query is asked when its runs go on where the one before ended.
    counting: Option<Rhythm>,
}

#[derive(Clone, Copy)]
struct Rhythm {
    every: Duration,
    settle: Duration,
    backfill: Duration,
}

impl Kind for Sql {
    fn name(&self) -> &'static str {
        "sql"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        &[]
    }

    fn may_yield(&self, measure: &str) -> bool {
        template::names(self.query.raw(), measure) && !self.labels.iter().any(|label| label.is(measure))
    }

    fn yields(&self) -> Vec<String> {
        let mut columns = token::columns(self.query.raw());
        columns.retain(|column| !self.labels.iter().any(|label| label.is(column)));
        columns
    }

    fn labels(&self) -> Vec<String> {
        self.labels.iter().map(|label| label.name().to_owned()).collect()
    }

    fn counts(&self) -> bool {
        let template = Template::parse(self.query.raw(), Dialect::Postgres);
        self.window.is_none()
            && self.labels.is_empty()
            && template.is_ok_and(|template| template.has_window())
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        let address = super::address(build, "url", &self.url, self.ca.as_ref());
        let query = build.text("query", &self.query);
        if !(1..=ROWS_MAX).contains(&self.rows_max) {
            build.fault("rows_max", format!("`{}` is not between 1 and {ROWS_MAX}", self.rows_max));
        }
        let zone = self.zone(build);
        let (address, query, zone) = (address?, query?, zone?);
        let template = ask::template(build, &query, &address)?;
        self.refuse_what_has_no_effect(&template, build)?;
        Some(Box::new(Question {
            address,
            template,
            labels: self.labels.clone(),
            rows_max: usize::from(self.rows_max),
            empty: self.empty,
            window: self.window.map_or(build.every, Period::get),
            zone,
            counting: self.counts().then(|| Rhythm {
                every: build.every,
                settle: self.settle.map_or(Duration::ZERO, Period::get),
                backfill: self.backfill.map_or(build.every, Period::get),
            }),
        }))
    }
}

impl Sql {
    fn zone(&self, build: &mut Build<'_>) -> Option<TimeZone> {
        let Some(name) = &self.time_zone else { return Some(TimeZone::UTC) };
        let zone = Zone::try_from(build.text("time_zone", name)?);
        zone.map(|zone| zone.0).map_err(|_| build.fault("time_zone", Zone::wrong(name.raw()))).ok()
    }

    /// A key that does nothing is a slip: what it was meant to do is not done.
    fn refuse_what_has_no_effect(&self, template: &Template, build: &mut Build<'_>) -> Option<()> {
        let window = self.window.is_some() && !template.has_window();
        if window {
            build.fault("window", "the query has no `$from` and `$to`, so a window has no effect");
        }
        let zone = self.time_zone.is_some() && !template.has_zone();
        if zone {
            let text = "the query has no `$start_of_day`, `$start_of_hour` or `$days_…`, so a time zone has no effect";
            build.fault("time_zone", text);
        }
        let going_on = (self.settle.is_some() || self.backfill.is_some()) && !self.counts();
        if going_on {
            let key = if self.settle.is_some() { "settle" } else { "backfill" };
            build.fault(key, "only a query with `$from` and `$to`, and without `window` and `labels`, goes on from run to run");
        }
        (!window && !zone && !going_on && (1..=ROWS_MAX).contains(&self.rows_max)).then_some(())
    }
}

impl Run for Question {
    fn run<'a>(&'a self, cx: &'a Context) -> Running<'a> {
        Box::pin(async {
            match self.ask(cx).await {
                Ok(outcome) => outcome,
                Err(fault) => fault.into(),
            }
        })
    }
}

impl Question {
    async fn ask(&self, cx: &Context) -> Result<Outcome, Fault> {
        let mut open = Open::at(&self.address, cx).await?;
        let outcome = match (self.counting, cx.counted) {
            (Some(rhythm), Counted::UpTo(cursor)) => self.go_on(cx, &mut open, rhythm, cursor).await,
            _ => self.ask_once(cx, &mut open, cx.now, self.window).await,
        };
        open.close().await;
        outcome
    }

    /// Asks about each part of time since the last run, the oldest first. What was counted is kept when a later part
    /// fails, and when half of the time is over the rest is for the next run.
    async fn go_on(
        &self,
        cx: &Context,
        open: &mut Open<'_>,
        rhythm: Rhythm,
        cursor: Option<Timestamp>,
    ) -> Result<Outcome, Fault> {
        let Rhythm { every, settle, backfill } = rhythm;
        let settle = SignedDuration::try_from(settle).unwrap_or(SignedDuration::MAX);
        let parts = Counting { now: cx.now, cursor, every, backfill }.parts();
        let mut all = Outcome::ok();
        let mut sums: BTreeMap<Arc<str>, f64> = BTreeMap::new();
        for (from, to) in parts {
            if !all.counted.is_empty() && cx.remaining() < cx.timeout / 2 {
                break;
            }
            let window = Duration::try_from(to.duration_since(from)).unwrap_or_default();
            let settled = to.saturating_sub(settle).unwrap_or(Timestamp::MIN);
            let part = match self.ask_once(cx, open, settled, window).await {
                Ok(part) if part.faults.is_empty() => part,
                Ok(part) => {
                    all.faults = part.faults;
                    break;
                }
                Err(fault) => {
                    all.fault(fault);
                    break;
                }
            };
            let values: BTreeMap<Arc<str>, f64> =
                part.measures.iter().map(|measure| (Arc::from(&*measure.name), measure.value)).collect();
            for (name, value) in &values {
                *sums.entry(name.clone()).or_default() += value;
            }
            all.notes = part.notes;
            all.counted.push(fact::Counted { from, to, settled_s: settle.as_secs(), values });
        }
        for (name, value) in sums {
            all.measure(name.to_string(), value);
        }
        Ok(all)
    }

    async fn ask_once(
        &self,
        cx: &Context,
        open: &mut Open<'_>,
        to: Timestamp,
        window: Duration,
    ) -> Result<Outcome, Fault> {
        let moment = Moment { now: cx.now, to, window, zone: self.zone.clone() };
        let sql = self.template.fill(&moment);
        let reading = Reading {
            labels: &self.labels,
            empty: self.empty,
            rows_max: self.rows_max,
            dialect: open.dialect(),
            now: cx.now,
        };
        let table = open.ask(cx, sql, reading.rows_fetched()).await?;
        Ok(reading.read(&table))
    }
}
