//! `received`: what the shop and its vendors said by themselves, added up: requests of customers, queries, events, payments
//! and emails as webhooks tell of them.
//!
//! It is asked like a database. Each run counts the minutes that are over since the last one, each once, for objectives;
//! and measures a window that slides, for limits and for who looks. Nothing that was not heard counts as nothing that
//! happened: for a time in which the agent did not listen there are no counts.

mod measures;

use super::database::counting::Counting;
use super::{Build, Context, Counted, Kind, MeasureInfo, Run, Running};
use crate::config::text::Text;
use crate::config::value::Period;
use crate::fact;
use crate::ingest::{Received, Source, Sum, Vendor};
use crate::outcome::{Fault, Outcome};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const WINDOW: Duration = Duration::from_mins(5);
/// Minutes are kept for more than a day.
const WINDOW_MAX: Duration = Duration::from_hours(24);
const MINUTE: Duration = Duration::from_mins(1);
/// Each is a measure, and a column of what is counted.
const NAMES_MAX: usize = 32;

/// Counts and measures what was sent to this agent: spans (`/v1/traces`), events (`/api/v1/events`), webhooks of Square and
/// Resend. See the README on how to send.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receive {
    /// `"requests"` and `"queries"` of the shop, from spans and events alike; other `"events"`; what `"square"` or
    /// `"resend"` tell by webhooks.
    source: Source,
    /// Requests and queries that took at most this are counted as `requests_fast`, `queries_fast`; a request that failed is
    /// not fast.
    below: Option<Period>,
    /// Which events, by the names of their measures: `{ active_carts = "cart_active" }`. Only for events.
    #[serde(default)]
    names: BTreeMap<String, String>,
    /// What whoever sends shows, such as `"${ATALAYA_INGEST_TOKEN}"`: the check is skipped where it is not set, since
    /// nothing can come then. Nothing is compared with it here.
    sent_with: Option<Text>,
    /// What is measured now: at least a minute, at most a day; it begins with a whole minute. Default: `"5m"`.
    window: Option<Period>,
}

struct Question {
    source: Source,
    below: Option<Duration>,
    /// Measure and event.
    names: Vec<(Arc<str>, String)>,
    window: Duration,
    every: Duration,
}

impl Kind for Receive {
    fn name(&self) -> &'static str {
        "received"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        measures::of(self.source)
    }

    fn may_yield(&self, measure: &str) -> bool {
        self.yields().iter().any(|name| name == measure)
    }

    fn yields(&self) -> Vec<String> {
        let known = self.measures().iter().map(|info| info.name);
        let fast = |name: &&str| self.below.is_some() || !measures::FAST.contains(name);
        known.filter(fast).map(str::to_owned).chain(self.names.keys().cloned()).collect()
    }

    fn counts(&self) -> bool {
        true
    }

    fn source(&self) -> Option<Source> {
        Some(self.source)
    }

    fn events(&self) -> Vec<&str> {
        self.names.values().map(String::as_str).collect()
    }

    fn is_heard(&self) -> bool {
        true
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        let faults = build.found.faults.len();
        let timed = matches!(self.source, Source::Requests | Source::Queries);
        if self.below.is_some() && !timed {
            build.fault("below", "only requests and queries take time");
        }
        match (self.source, self.names.is_empty()) {
            (Source::Events, true) => build.fault_with_hint(
                "names",
                "say which events: without names nothing is counted",
                "names = { checkouts_started = \"checkout_started\" }",
            ),
            (Source::Events, false) | (_, true) => {}
            (_, false) => build.fault("names", "only events have names that the shop gives"),
        }
        if self.names.len() > NAMES_MAX {
            build.fault("names", format!("{} names are more than {NAMES_MAX}", self.names.len()));
        }
        for name in self.names.keys().filter(|name| !is_measure(name)) {
            build.fault(
                &format!("names.{name}"),
                "a measure is called with lowercase letters, digits and `_`",
            );
        }
        let window = self.window.map_or(WINDOW, Period::get);
        if !(MINUTE..=WINDOW_MAX).contains(&window) {
            build.fault("window", "a window is between a minute and a day: \"5m\"");
        }
        let sent_with = self.sent_with.as_ref().is_none_or(|text| build.secret("sent_with", text).is_some());
        let names = self.names.iter().map(|(measure, event)| (measure.as_str().into(), event.clone()));
        (sent_with && build.found.faults.len() == faults).then(|| {
            Box::new(Question {
                source: self.source,
                below: self.below.map(Period::get),
                names: names.collect(),
                window,
                every: build.every,
            }) as Box<dyn Run>
        })
    }
}

fn is_measure(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl Run for Question {
    fn run<'a>(&'a self, cx: &'a Context) -> Running<'a> {
        Box::pin(async {
            let Some(received) = cx.received.as_deref() else {
                return Fault::internal("only a running agent hears what the shop says (`atalaya run`)")
                    .into();
            };
            match self.ask(cx, received).await {
                Ok(outcome) => outcome,
                Err(why) => Fault::internal(why).into(),
            }
        })
    }
}

impl Question {
    async fn ask(&self, cx: &Context, received: &dyn Received) -> Result<Outcome, String> {
        let mut outcome = Outcome::ok();
        // With what came so far in the minute that is under way: whoever looks wants to see what happens now.
        let from = minute_begin(earlier(cx.now, self.window));
        let sum =
            received.sum(self.source, from, minute_begin(cx.now + SignedDuration::from_mins(1))).await?;
        if sum.is_deaf {
            outcome.note(
                "for a part of the window nobody listened: the agent was not running, or could not write",
            );
        }
        self.measure(&sum, cx.now.duration_since(from).as_secs_f64(), &mut outcome);
        outcome.measure(measures::SILENCE, received.silence(self.source, cx.now).await?.as_secs_f64());
        let vendor = Vendor::ALL.into_iter().find(|vendor| Source::from(*vendor) == self.source);
        if let Some(vendor) = vendor {
            outcome.measure(measures::ASIDE, received.set_aside(vendor).await? as f64);
        }
        if let Counted::UpTo(cursor) = cx.counted {
            let parts = Counting { now: cx.now, cursor, every: self.every, backfill: MINUTE }.parts();
            for (from, to) in parts {
                let sum = received.sum(self.source, from, to).await?;
                let values = if sum.is_deaf { BTreeMap::new() } else { self.counts(&sum) };
                outcome.counted.push(fact::Counted { from, to, settled_s: 0, values });
            }
        }
        Ok(outcome)
    }

    /// What is counted, zeros included.
    fn counts(&self, sum: &Sum) -> BTreeMap<Arc<str>, f64> {
        let mut counts: BTreeMap<Arc<str>, f64> = BTreeMap::new();
        for name in measures::counted(self.source) {
            counts.insert((*name).into(), sum.count(name) as f64);
        }
        if let (Some(below), Some(fast)) = (self.below, measures::fast(self.source)) {
            counts.insert(fast.into(), sum.fast(below) as f64);
        }
        for (measure, event) in &self.names {
            counts.insert(measure.clone(), sum.count(event) as f64);
        }
        measures::add_derived(self.source, &mut counts);
        counts
    }

    fn measure(&self, sum: &Sum, seconds: f64, outcome: &mut Outcome) {
        let counts = self.counts(sum);
        measures::rates(self.source, sum, (&counts, seconds), outcome);
        for (name, value) in counts {
            outcome.measure(name.to_string(), value);
        }
    }
}

fn minute_begin(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap_or(at)
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_sub(SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
