//! Every check in a row: how it is, why, and how long it took over the last hour or day.

use super::{Frame, Missing, Shared, Who, shown, spark};
use crate::app::almanac::Span;
use crate::outcome::Status;
use crate::record::windows::Minute;
use crate::view::{CheckView, View, WindowView};
use crate::web::page::{figure, words};
use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "ops/checks.html")]
struct Checks {
    frame: Frame,
    window: &'static str,
    unread: Option<String>,
    rows: Vec<Row>,
    skipped: Vec<(String, String, String)>,
}

struct Row {
    name: String,
    title: String,
    section: String,
    word: &'static str,
    icon: &'static str,
    reason: String,
    explained: Option<String>,
    spark: String,
    quantiles: [String; 3],
    runs: String,
    available: String,
}

/// Which window is shown.
#[derive(Debug, Deserialize)]
pub struct Asked {
    window: Option<String>,
}

/// Windows that can be chosen.
pub const WINDOWS: [(&str, Where); 5] = [
    ("5m", Where::View(0)),
    ("1h", Where::View(1)),
    ("24h", Where::View(2)),
    ("7d", Where::Past(Span::Week)),
    ("28d", Where::Past(Span::FourWeeks)),
];

/// Where a window is kept.
#[derive(Debug, Clone, Copy)]
pub enum Where {
    View(usize),
    Past(Span),
}

pub async fn show(State(shared): State<Shared>, who: Who, Query(asked): Query<Asked>) -> Response {
    let minutes = shared.eyes.look_back().await.unwrap_or_default();
    shown(&shared, async |view| {
        let wanted = asked.window.as_deref().unwrap_or("1h");
        let (window, at) = WINDOWS
            .into_iter()
            .find(|(name, _)| *name == wanted)
            .ok_or_else(|| Missing(format!("there is no window `{wanted}`")))?;
        let past = match at {
            Where::Past(span) => Some(shared.eyes.almanac.windows(span).await),
            Where::View(_) => None,
        };
        let unread = past.as_ref().and_then(|past| past.as_ref().err()).map(|error| error.0.clone());
        let past = past.and_then(Result::ok);
        let seen = |check: &CheckView| match (at, &past) {
            (Where::View(at), _) => check.windows[at],
            (Where::Past(_), Some(past)) => past.get(&check.check.name).copied().unwrap_or_default(),
            (Where::Past(_), None) => WindowView::default(),
        };
        let rows = view.checks.iter().enumerate().map(|(number, check)| {
            let minutes = minutes.get(number).map(Vec::as_slice).unwrap_or_default();
            row(view, check, minutes, &seen(check))
        });
        let mut rows: Vec<(Status, Row)> = view.checks.iter().map(|check| check.status()).zip(rows).collect();
        rows.sort_by_key(|(status, _)| std::cmp::Reverse(*status));
        Ok(Checks {
            frame: Frame::new(view, &who, "Checks", "/ops/checks"),
            window,
            unread,
            rows: rows.into_iter().map(|(_, row)| row).collect(),
            skipped: view
                .skipped
                .iter()
                .map(|one| (one.name.to_string(), one.title.clone(), one.why.clone()))
                .collect(),
        })
    })
    .await
}

fn row(view: &View, check: &CheckView, minutes: &[Minute], window: &WindowView) -> Row {
    Row {
        name: check.check.name.to_string(),
        title: check.check.title.clone(),
        section: check.check.section.clone(),
        word: word(check),
        icon: icon(check.status()),
        reason: check.reason().map(|fault| fault.text.clone()).unwrap_or_default(),
        explained: view.explained_by(check).map(|parent| parent.check.title.clone()),
        spark: spark::svg(minutes),
        quantiles: quantiles(window),
        runs: figure::plain(window.counts.known() as f64),
        available: window
            .counts
            .availability()
            .map_or_else(|| "–".to_owned(), |share| words::percent(&share)),
    }
}

/// What the columns of percentiles are called.
pub const QUANTILES: [&str; 3] = ["P50", "P95", "P99"];

/// P50, P95 and P99 of good runs, or of failed ones where there is no good one.
pub fn quantiles(window: &WindowView) -> [String; 3] {
    match window.good.or(window.failed) {
        Some([half, _, most, nearly]) => [half, most, nearly].map(words::seconds),
        None => ["–", "–", "–"].map(str::to_owned),
    }
}

/// The status, or that nothing is known yet.
pub fn word(check: &CheckView) -> &'static str {
    match check.last {
        None => "waiting",
        Some(_) => check.status().as_str(),
    }
}

pub const fn icon(status: Status) -> &'static str {
    match status {
        Status::Ok => "well",
        Status::Degraded => "impaired",
        Status::Failed => "down",
        Status::Unknown => "unknown",
    }
}
