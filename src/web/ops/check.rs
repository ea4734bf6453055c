//! One check: how it is, what it measured, where its time went, and the heat map of how long its runs took.

use super::checks::{QUANTILES, icon, quantiles, word};
use super::{Frame, Missing, Shared, Who, shown};
use crate::app::almanac::{Span, Unread};
use crate::clock;
use crate::ingest::Source as Received;
use crate::record::cells::{Cells, Side};
use crate::record::windows::{Counts, Stretch, Window};
use crate::view::{CheckView, WindowView};
use crate::web::chart::Range;
use crate::web::chart::heat::{Column, Heat};
use crate::web::heard::Asked as AskedAt;
use crate::web::page::{figure, words};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[derive(Template)]
#[template(path = "ops/check.html")]
struct CheckPage {
    frame: Frame,
    check: Arc<CheckView>,
    word: &'static str,
    icon: &'static str,
    explained: Option<String>,
    needs: String,
    phases: Vec<(String, String, f64)>,
    measures: Vec<Measure>,
    windows: Vec<WindowRow>,
    map: Option<String>,
    unread: Option<String>,
    span: &'static str,
    /// When the agent began, where that is within the last day: shorter windows know nothing of what was before.
    young: Option<Timestamp>,
    every: String,
    timeout: String,
    /// The job that it listens for.
    job: Option<String>,
    /// What else it listens for, and the addresses to which that is sent.
    listens: Option<(&'static str, &'static str)>,
    /// Where the agent is reached.
    at: String,
}

struct Measure {
    name: String,
    labels: String,
    value: String,
    limit: String,
}

struct WindowRow {
    name: &'static str,
    runs: String,
    failed: u64,
    missed: u64,
    available: String,
    quantiles: [String; 3],
}

/// How far back the heat map reaches.
#[derive(Debug, Deserialize)]
pub struct Asked {
    span: Option<String>,
}

/// Heat maps that can be chosen: those of the last hour and day are up to the second, the others from the store.
const SPANS: [(&str, Source); 5] = [
    ("1h", Source::Slices(Window::Hour, 60, 60)),
    ("24h", Source::Slices(Window::Day, 900, 96)),
    ("7d", Source::Store(Span::Week)),
    ("28d", Source::Store(Span::FourWeeks)),
    ("90d", Source::Store(Span::Quarter)),
];

#[derive(Clone, Copy)]
enum Source {
    /// Seconds of a column, and how many there are.
    Slices(Window, u64, u64),
    Store(Span),
}

impl Source {
    /// What the agent itself has not seen of the last day is in the store, by the hour.
    fn of(self, age: Duration) -> Source {
        match self {
            Source::Slices(Window::Day, ..) if age < Span::Day.length() => Source::Store(Span::Day),
            other => other,
        }
    }
}

pub async fn show(
    State(shared): State<Shared>,
    who: Who,
    at: AskedAt,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    shown(&shared, async |view| {
        let found = view.by_name.get(&*name).and_then(|at| view.checks.get(*at));
        let check = found.ok_or_else(|| Missing(format!("there is no check `{name}`")))?;
        let wanted = asked.span.as_deref().unwrap_or("1h");
        let span = SPANS.into_iter().find(|(span, _)| *span == wanted);
        let (span, source) = span.ok_or_else(|| Missing(format!("there is no span `{wanted}`")))?;
        let age = clock::wall().duration_since(view.started.wall).try_into().unwrap_or_default();
        let map = map(&shared, &check.check.name, source.of(age)).await;
        let (map, unread) = match map {
            Ok(map) => (map, None),
            Err(Unread(why)) => (None, Some(why)),
        };
        let about = format!("how long the runs of {} took over the last {span}", check.check.title);
        let mut rows = windows(check);
        for span in [Span::Week, Span::FourWeeks] {
            let past = shared.eyes.almanac.windows(span).await.ok();
            let seen = past.and_then(|past| past.get(&check.check.name).copied());
            rows.extend(seen.map(|seen| window_row(span.as_str(), &seen)));
        }
        Ok(CheckPage {
            frame: Frame::new(view, &who, &check.check.title, "/ops/checks"),
            word: word(check),
            icon: icon(check.status()),
            explained: view.explained_by(check).map(|parent| parent.check.title.clone()),
            needs: check.check.needs.join(", "),
            phases: phases(check),
            measures: measures(check),
            windows: rows,
            map: map.map(|map| map.svg(&about)),
            unread,
            span,
            young: Some(view.started.wall).filter(|_| age < Span::Day.length()),
            every: words::duration(check.check.every),
            timeout: words::duration(check.check.timeout),
            job: check.check.definition.kind().hears().map(str::to_owned),
            listens: check.check.definition.kind().source().map(listens),
            at: at.reached(view),
            check: check.clone(),
        })
    })
    .await
}

/// What is sent, and where to.
const fn listens(source: Received) -> (&'static str, &'static str) {
    match source {
        Received::Requests => {
            ("requests of customers, of which the shop tells", "/v1/traces or /api/v1/events")
        }
        Received::Queries => {
            ("queries of the database, of which the shop tells", "/v1/traces or /api/v1/events")
        }
        Received::Events => ("events of the shop, by their names", "/api/v1/events"),
        Received::Square => ("webhooks of Square", "/ingest/square"),
        Received::Resend => ("webhooks of Resend", "/ingest/resend"),
    }
}

/// What is drawn; nothing where nothing was measured.
async fn map(shared: &Shared, check: &Arc<str>, source: Source) -> Result<Option<Heat>, Unread> {
    match source {
        Source::Slices(window, step, count) => {
            let stretches = shared.eyes.look_into(check, window).await.unwrap_or_default();
            Ok((!stretches.is_empty())
                .then(|| heat(&stretches, clock::now(), Duration::from_secs(step), count)))
        }
        Source::Store(span) => {
            let map = shared.eyes.almanac.heat_map(check, span).await?;
            let columns: Vec<Column> =
                map.columns.iter().map(|one| column(&one.counts, &one.cells)).collect();
            let whole = SignedDuration::try_from(map.step).unwrap_or_default()
                * i32::try_from(columns.len()).unwrap_or(i32::MAX);
            let to = map.from.saturating_add(whole).unwrap_or(Timestamp::MAX);
            let heat = Heat { range: Range { from: map.from, to }, step: map.step.as_secs_f64(), columns };
            Ok(heat.columns.iter().any(|column| !column.cells.is_empty()).then_some(heat))
        }
    }
}

/// Names, durations, and their shares of the run.
fn phases(check: &CheckView) -> Vec<(String, String, f64)> {
    let Some(last) = &check.last else { return Vec::new() };
    let whole = last.run.took.as_secs_f64().max(1e-9);
    let phase = |phase: &crate::outcome::Phase| {
        let seconds = phase.took.as_secs_f64();
        (phase.name.replace('_', " "), words::seconds(seconds), (seconds / whole * 100.0).min(100.0))
    };
    last.run.phases.iter().map(phase).collect()
}

fn measures(check: &CheckView) -> Vec<Measure> {
    let Some(last) = &check.last else { return Vec::new() };
    let limit = |name: &str| {
        let limit = check.check.limits.iter().find(|limit| limit.measure == name)?;
        let bound = |word: &str, bound: &Option<crate::config::value::Bound>| {
            bound.as_ref().map(|bound| format!("{word} {}", figure::bound(name, &bound.to_string())))
        };
        let both = [bound("degraded", &limit.table.degraded), bound("failed", &limit.table.failed)];
        Some(both.into_iter().flatten().collect::<Vec<_>>().join(", "))
    };
    let shown = |measure: &crate::outcome::Measure| Measure {
        name: figure::name(&measure.name),
        labels: measure.labels.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" · "),
        value: figure::value(&measure.name, measure.value),
        limit: limit(&measure.name).unwrap_or_default(),
    };
    last.run.outcome.measures.iter().map(shown).collect()
}

fn windows(check: &CheckView) -> Vec<WindowRow> {
    Window::ALL
        .into_iter()
        .zip(&check.windows)
        .map(|(window, seen)| window_row(window.as_str(), seen))
        .collect()
}

fn window_row(name: &'static str, seen: &WindowView) -> WindowRow {
    WindowRow {
        name,
        runs: figure::plain(seen.counts.known() as f64),
        failed: seen.counts.failed,
        missed: seen.counts.unknown + seen.counts.dropped,
        available: seen.counts.availability().map_or_else(|| "–".to_owned(), |share| words::percent(&share)),
        quantiles: quantiles(seen),
    }
}

/// Rows of the map for each factor of ten.
const ROWS: f64 = 10.0;

fn heat(stretches: &[Stretch], now: clock::Now, step: Duration, count: u64) -> Heat {
    let newest = now.steady.as_secs() / step.as_secs();
    let end = Duration::from_secs((newest + 1) * step.as_secs());
    let ahead = end.saturating_sub(now.steady);
    let to = now
        .wall
        .saturating_add(SignedDuration::try_from(ahead).unwrap_or_default())
        .unwrap_or(Timestamp::MAX);
    let length = SignedDuration::from_secs(i64::try_from(count * step.as_secs()).unwrap_or(i64::MAX));
    let from = to.saturating_sub(length).unwrap_or(Timestamp::MIN);
    let mut columns = vec![Column::default(); usize::try_from(count).unwrap_or_default()];
    for stretch in stretches {
        // Counted from the newest: an agent that began within the time that is drawn has no slices of what was before.
        let ago = newest.saturating_sub(stretch.from.as_secs() / step.as_secs());
        let at = count.checked_sub(ago + 1).and_then(|at| usize::try_from(at).ok());
        if let Some(column) = at.and_then(|at| columns.get_mut(at)) {
            *column = self::column(&stretch.counts, &stretch.cells);
        }
    }
    Heat { range: Range { from, to }, step: step.as_secs_f64(), columns }
}

fn column(counts: &Counts, cells: &Cells) -> Column {
    let known = counts.known();
    let quantiles = |side| cells.quantiles(side, [0.5, 0.95, 0.99]);
    Column {
        cells: rows(cells),
        quantiles: quantiles(Side::Good).or_else(|| quantiles(Side::Failed)),
        failed_ratio: if known > 0 { counts.failed as f64 / known as f64 } else { 0.0 },
    }
}

/// Cells joined to rows of equal height on a logarithmic scale.
pub fn rows(cells: &Cells) -> Vec<(f64, f64, u64)> {
    let mut rows: BTreeMap<i32, u64> = BTreeMap::new();
    for (seconds, count) in cells.durations() {
        *rows.entry((seconds.max(1e-6).log10() * ROWS).floor() as i32).or_default() += count;
    }
    let edge = |row: i32| 10_f64.powf(f64::from(row) / ROWS);
    rows.into_iter().map(|(row, count)| (edge(row), edge(row + 1), count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_run_is_at_the_end_however_young_the_agent_is() {
        let counts = Counts { failed: 1, ..Counts::default() };
        let stretch = Stretch { from: Duration::from_mins(1), counts, cells: Cells::default(), sum_us: 0 };
        let wall = Timestamp::from_second(1_000_000).expect("a moment");
        let now = clock::Now { wall, steady: Duration::from_secs(90) };
        let heat = heat(&[stretch], now, Duration::from_mins(1), 60);
        assert_eq!(heat.range.to, wall + SignedDuration::from_secs(30));
        assert_eq!(heat.range.from, heat.range.to - SignedDuration::from_hours(1));
        let failed = heat.columns.iter().map(|column| column.failed_ratio > 0.0);
        assert_eq!(failed.enumerate().filter(|(_, failed)| *failed).collect::<Vec<_>>(), [(59, true)]);
    }
}
