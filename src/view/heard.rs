//! What the shop and its vendors said over a span of time, added up for whoever reads.
//!
//! Durations are merged from the cells of histograms and never averaged. Time in which nobody listened is told apart from
//! time in which nothing came: rates are over the minutes in which somebody did.

use crate::ingest::tally::{Series, Tallies, Tally};
use crate::ingest::{Source, StatusClass, Vendor, ledger};
use crate::record::cells::{Cells, Side};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How far back is looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Span {
    #[default]
    #[serde(rename = "1h")]
    Hour,
    #[serde(rename = "24h")]
    Day,
    #[serde(rename = "7d")]
    Week,
}

impl Span {
    pub const ALL: [Span; 3] = [Span::Hour, Span::Day, Span::Week];

    pub const fn as_str(self) -> &'static str {
        match self {
            Span::Hour => "1h",
            Span::Day => "24h",
            Span::Week => "7d",
        }
    }

    /// Minutes of a column, and how many there are. An hour is the finest that is known of last week.
    pub const fn grid(self) -> (u32, u32) {
        match self {
            Span::Hour => (1, 60),
            Span::Day => (15, 96),
            Span::Week => (60, 168),
        }
    }

    /// When the first column begins: columns are at whole steps, and now lies in the last one.
    pub fn begin(self, now: Timestamp) -> Timestamp {
        let (step, count) = self.grid();
        let step = i64::from(step) * 60;
        let last = now.as_second().div_euclid(step) * step;
        Timestamp::from_second(last - step * i64::from(count - 1)).unwrap_or(Timestamp::MIN)
    }
}

/// Everything that came within one stretch of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Column {
    pub tallies: Tallies,
    /// Minutes of it in which nobody listened.
    pub deaf_minutes: u32,
}

/// Letters that nobody could work through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aside {
    /// How many of each vendor, in the order of [`Vendor::ALL`].
    pub counts: [u64; Vendor::ALL.len()],
    /// The newest of all, a bounded number.
    pub letters: Vec<AsideLetter>,
}

impl Aside {
    /// The ids of a vendor's letters of the list.
    pub fn ids(&self, vendor: &Vendor) -> Vec<&str> {
        let of_vendor = self.letters.iter().filter(|letter| letter.vendor == *vendor);
        of_vendor.map(|letter| letter.id.as_str()).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideLetter {
    pub vendor: Vendor,
    pub id: String,
    /// The vendor's word: `payment.updated`.
    pub kind: String,
    pub received: Timestamp,
    pub error: String,
    /// Trying again can help: it could be read.
    pub is_readable: bool,
}

/// Requests of customers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requests {
    pub classes: [u64; StatusClass::ALL.len()],
    pub failed: u64,
    /// Whatever came of them, on the good side.
    pub took: Cells,
}

impl Requests {
    pub fn count(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// `None` without any request.
    pub fn failed_ratio(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.failed as f64 / self.count() as f64)
    }

    fn add(&mut self, class: StatusClass, tally: &Tally) {
        self.classes[class as usize] += tally.count;
        self.failed += tally.took.count(Side::Failed);
        self.took.merge(&tally.took.as_good());
    }
}

/// One stretch of time on a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moment {
    pub requests: Requests,
    /// Seconds of it that are over and in which somebody listened.
    pub heard_s: u32,
}

/// What is counted of a vendor's letters: name, what it is, how many.
pub type Counted = Vec<(Arc<str>, &'static str, u64)>;

/// All of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub span: Span,
    pub from: Timestamp,
    /// When it was asked for.
    pub to: Timestamp,
    /// The oldest first.
    pub moments: Vec<Moment>,
    pub total: Requests,
    /// The most frequent first, as everything below.
    pub routes: Vec<(Arc<str>, Requests)>,
    pub queries: Tally,
    /// Slow queries by their statements, without literals.
    pub statements: Vec<(Arc<str>, Tally)>,
    pub events: Vec<(Arc<str>, u64)>,
    pub vendors: Vec<(Vendor, Counted)>,
}

/// Sums that are not in order yet.
#[derive(Debug, Default)]
pub struct Gathering {
    moments: Vec<(Requests, u32)>,
    routes: BTreeMap<Arc<str>, Requests>,
    queries: Tally,
    statements: BTreeMap<Arc<str>, Tally>,
    counts: BTreeMap<(Source, Arc<str>), u64>,
}

impl Gathering {
    /// The next column, from the oldest on.
    pub fn add(&mut self, column: &Column) {
        let mut requests = Requests::default();
        for (series, tally) in &column.tallies.0 {
            match series.source {
                Source::Requests => {
                    requests.add(series.class, tally);
                    self.routes.entry(series.name.clone()).or_default().add(series.class, tally);
                }
                Source::Queries => self.query(series, tally),
                Source::Events | Source::Square | Source::Resend => {
                    *self.counts.entry((series.source, series.name.clone())).or_default() += tally.count;
                }
            }
        }
        self.moments.push((requests, column.deaf_minutes));
    }

    fn query(&mut self, series: &Series, tally: &Tally) {
        let add = |to: &mut Tally| {
            to.count += tally.count;
            to.took.merge(&tally.took);
        };
        add(&mut self.queries);
        if !series.name.is_empty() {
            add(self.statements.entry(series.name.clone()).or_default());
        }
    }

    pub fn done(self, span: Span, now: Timestamp) -> Heard {
        let from = span.begin(now);
        let mut total = Requests::default();
        for (requests, _) in &self.moments {
            requests.classes.iter().zip(&mut total.classes).for_each(|(more, sum)| *sum += more);
            total.failed += requests.failed;
            total.took.merge(&requests.took);
        }
        let mut routes: Vec<_> = self.routes.into_iter().collect();
        routes.sort_by_key(|(_, requests)| std::cmp::Reverse(requests.count()));
        let mut statements: Vec<_> = self.statements.into_iter().collect();
        statements.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.count));
        let events = self.counts.iter().filter(|((source, _), _)| *source == Source::Events);
        let mut events: Vec<_> = events.map(|((_, name), count)| (name.clone(), *count)).collect();
        events.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Heard {
            span,
            from,
            to: now,
            moments: moments(self.moments, span, now.duration_since(from)),
            total,
            routes,
            queries: self.queries,
            statements,
            events,
            vendors: Vendor::ALL.map(|vendor| (vendor, counted(vendor, &self.counts))).into(),
        }
    }
}

fn moments(sums: Vec<(Requests, u32)>, span: Span, passed: SignedDuration) -> Vec<Moment> {
    let step = i64::from(span.grid().0) * 60;
    let moment = |(at, (requests, deaf_minutes)): (i64, (Requests, u32))| {
        let over = (passed.as_secs() - at * step).clamp(0, step);
        let heard = (over - i64::from(deaf_minutes) * 60).max(0);
        Moment { requests, heard_s: u32::try_from(heard).unwrap_or_default() }
    };
    (0..).zip(sums).map(moment).collect()
}

/// In the order of the ledger; then how many letters came, by account.
fn counted(vendor: Vendor, counts: &BTreeMap<(Source, Arc<str>), u64>) -> Counted {
    let source = Source::from(vendor);
    let known = ledger::measures(vendor).iter().filter_map(|info| {
        let ((_, name), count) = counts.get_key_value(&(source, info.name.into()))?;
        Some((name.clone(), info.help, *count))
    });
    let letters = counts.iter().filter(|((of, name), _)| *of == source && name.starts_with("letters_"));
    let letters = letters.map(|((_, name), count)| (name.clone(), "Letters of this account.", *count));
    known.chain(letters).collect()
}

impl Heard {
    /// Minutes of the span in which somebody listened.
    pub fn minutes(&self) -> f64 {
        let seconds: u64 = self.moments.iter().map(|moment| u64::from(moment.heard_s)).sum();
        seconds as f64 / 60.0
    }

    /// For so many seconds of the span nobody listened.
    pub fn deaf_seconds(&self) -> u64 {
        let whole = self.to.duration_since(self.from).as_secs().max(0).cast_unsigned();
        let heard: u64 = self.moments.iter().map(|moment| u64::from(moment.heard_s)).sum();
        whole.saturating_sub(heard)
    }

    /// How many a minute; of less than a minute nobody can tell.
    pub fn per_minute(&self, count: u64) -> Option<f64> {
        (self.minutes() >= 1.0).then(|| count as f64 / self.minutes())
    }

    /// How many queries were slow.
    pub fn slow(&self) -> u64 {
        self.statements.iter().map(|(_, tally)| tally.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a moment")
    }

    fn tally(good: &[u64], failed: &[u64]) -> Tally {
        let mut took = Cells::default();
        let both = [(Side::Good, good), (Side::Failed, failed)];
        for (side, ms) in both.into_iter().flat_map(|(side, all)| all.iter().map(move |ms| (side, *ms))) {
            took.add(side, Duration::from_millis(ms));
        }
        Tally { count: (good.len() + failed.len()) as u64, took }
    }

    fn column(rows: &[(Source, &str, StatusClass, Tally)], deaf_minutes: u32) -> Column {
        let mut tallies = Tallies::default();
        for (source, name, class, tally) in rows {
            let series = Series { source: *source, name: (*name).into(), class: *class };
            tallies.add(&series, tally.count, &tally.took);
        }
        Column { tallies, deaf_minutes }
    }

    #[test]
    fn now_lies_in_the_last_column() {
        for span in Span::ALL {
            let (step, count) = span.grid();
            let (now, from) = (at(1_000_000), span.begin(at(1_000_000)));
            let end = from.as_second() + i64::from(step * count) * 60;
            assert!(end > now.as_second() && end - i64::from(step) * 60 <= now.as_second(), "{span:?}");
            assert_eq!(from.as_second() % (i64::from(step) * 60), 0, "{span:?}");
        }
    }

    #[test]
    fn percentiles_are_of_all_requests_and_never_averaged() {
        let (ok, error) = (StatusClass::Successful, StatusClass::ServerError);
        let mut gathering = Gathering::default();
        gathering.add(&column(&[(Source::Requests, "GET /", ok, tally(&[10; 99], &[]))], 0));
        gathering.add(&column(&[(Source::Requests, "GET /", error, tally(&[], &[900; 9]))], 0));
        gathering.add(&column(&[(Source::Requests, "GET /a", ok, tally(&[20], &[]))], 0));
        let heard = gathering.done(Span::Hour, at(60 * 60 * 500));
        assert_eq!((heard.total.count(), heard.total.failed), (109, 9));
        let names: Vec<_> = heard.routes.iter().map(|(name, requests)| (&**name, requests.count())).collect();
        assert_eq!(names, [("GET /", 108), ("GET /a", 1)]);
        let found = heard.routes[0].1.took.quantiles(Side::Good, [0.5, 0.95]).expect("requests");
        assert!((found[0] - 0.01).abs() < 1e-4 && (found[1] - 0.9).abs() < 1e-3, "{found:?}");
    }

    #[test]
    fn a_rate_is_over_the_time_in_which_somebody_listened() {
        let mut gathering = Gathering::default();
        let (_, count) = Span::Hour.grid();
        for minute in 0..count {
            let deaf = u32::from(minute < 50);
            let came = [(Source::Events, "order_completed", StatusClass::Unknown, tally(&[1], &[]))];
            gathering.add(&column(if minute < 50 { &[] } else { &came }, deaf));
        }
        // Half of the last minute is over.
        let heard = gathering.done(Span::Hour, at(60 * 60 * 500 + 30));
        assert_eq!(heard.minutes(), 9.5);
        assert_eq!(heard.deaf_seconds(), 50 * 60);
        assert_eq!(heard.per_minute(19), Some(2.0));
        assert_eq!(heard.events, [("order_completed".into(), 10)]);
        assert_eq!((heard.moments[49].heard_s, heard.moments[50].heard_s), (0, 60));
    }

    #[test]
    fn slow_queries_are_by_statement_and_vendors_by_the_ledger() {
        let none = StatusClass::Unknown;
        let mut gathering = Gathering::default();
        gathering.add(&column(
            &[
                (Source::Queries, "", none, tally(&[1, 2], &[])),
                (Source::Queries, "select ?", none, tally(&[300], &[])),
                (Source::Square, "payments_succeeded", none, tally(&[1], &[])),
                (Source::Square, "letters_production", none, tally(&[1, 1], &[])),
            ],
            0,
        ));
        let heard = gathering.done(Span::Day, at(0));
        assert_eq!((heard.queries.count, heard.slow()), (3, 1));
        let square: Vec<_> = heard.vendors[0].1.iter().map(|(name, _, count)| (&**name, *count)).collect();
        assert_eq!(square, [("payments_succeeded", 1), ("letters_production", 2)]);
    }
}
