//! Objectives, alerts and silences as JSON; and what changes them, which takes the token.

use crate::alert::AlertView;
use crate::app::{Command, Refused};
use crate::config::alerting::Objective;
use crate::export::window_word;
use crate::fact::{Acknowledgement, Is, Matcher, Silence};
use crate::judge::calendar::Month;
use crate::plain;
use crate::view::{ObjectiveView, View};
use crate::web::{Shared, stuck};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than this nobody remembers why.
const SILENCE_MAX: Duration = Duration::from_hours(30 * 24);
const SILENCE: Duration = Duration::from_hours(2);
/// Enough for a sentence; it stands on pages and in messages.
const TEXT_MAX: usize = 500;
const MATCHERS_MAX: usize = 16;

pub(super) async fn objectives(State(shared): State<Shared>) -> Response {
    read(&shared, |view| view.objectives.iter().map(objective).collect()).await
}

pub(super) async fn alerts(State(shared): State<Shared>) -> Response {
    read(&shared, |view| view.alerts.iter().map(alert).collect()).await
}

pub(super) async fn silences(State(shared): State<Shared>) -> Response {
    read(&shared, |view| view.silences.iter().map(|one| json!(one)).collect()).await
}

async fn read(shared: &Shared, list: impl Fn(&View) -> Vec<Value>) -> Response {
    match shared.eyes.look().await {
        Some(view) => Json(list(&view)).into_response(),
        None => stuck(),
    }
}

fn objective(view: &ObjectiveView) -> Value {
    let (objective, standing) = (&view.objective, view.standing.as_deref());
    let ratio = |good: u64, total: u64| (total > 0).then(|| good as f64 / total as f64);
    let burns = standing.iter().flat_map(|standing| &standing.burns).map(|burn| {
        json!({
            "window": window_word(burn.window), "good": burn.good, "bad": burn.bad,
            "burnRate": burn.rate, "coverage": burn.coverage,
        })
    });
    let conditions = standing.iter().flat_map(|standing| &standing.conditions).map(|condition| {
        json!({
            "name": condition.name, "severity": condition.severity, "verdict": condition.verdict,
            "summary": condition.summary, "evidence": condition.evidence, "cost": condition.cost,
        })
    });
    json!({
        "name": &*objective.name,
        "title": objective.title,
        "section": objective.section,
        "description": objective.description,
        "objective": (objective.objective_ppm > 0).then(|| f64::from(objective.objective_ppm) / 1e6),
        "windowSeconds": objective.window.as_secs(),
        "state": standing.map_or("unknown", |standing| standing.state.as_str()),
        "good": standing.map(|standing| standing.good),
        "total": standing.map(|standing| standing.total),
        "indicator": standing.and_then(|standing| ratio(standing.good, standing.total)),
        "indicatorWithMaintenance": standing.and_then(|standing| ratio(standing.raw_good, standing.raw_total)),
        "coverage": standing.map(|standing| standing.coverage),
        "budgetConsumed": standing.and_then(|standing| standing.consumed),
        "windows": burns.collect::<Vec<_>>(),
        "conditions": conditions.collect::<Vec<_>>(),
        "baseline": standing.and_then(|standing| standing.baseline).map(|baseline| json!({
            "value": baseline.value, "count": baseline.count, "usual": baseline.usual,
            "lower": baseline.lower, "upper": baseline.upper, "score": baseline.score,
        })),
        "months": view.months.iter().map(|month| self::month(objective, month)).collect::<Vec<_>>(),
        "runbook": objective.runbook,
    })
}

/// A calendar month of the report.
fn month(objective: &Objective, ((year, month), report): &Month) -> Value {
    json!({
        "month": format!("{year:04}-{month:02}"),
        "begins": report.begins.to_string(),
        "ends": report.ends.to_string(),
        "good": report.good,
        "total": report.total,
        "indicator": report.ratio(),
        "minutesExpected": report.expected,
        "minutesMeasured": report.measured,
        "budgetSeconds": report.budget(objective.budget_ppm()).as_secs(),
    })
}

fn alert(view: &AlertView) -> Value {
    let now = &view.now;
    let told = view.told.iter().map(|(contact, at)| json!({ "contact": &**contact, "at": at.to_string() }));
    json!({
        "key": now.key,
        "state": view.phase.as_str(),
        "severity": now.severity,
        "title": now.title,
        "section": now.section,
        "summary": now.summary,
        "evidence": now.evidence,
        "cost": now.cost,
        "cause": now.cause,
        "runbook": now.runbook,
        "episode": now.episode,
        "began": now.began.to_string(),
        "fired": now.fired.to_string(),
        "ended": now.ended.map(|at| at.to_string()),
        "flapping": view.flapping,
        "acknowledgedBy": now.acknowledged_by,
        "held": view.held,
        "told": told.collect::<Vec<_>>(),
        "labels": now.labels,
    })
}

/// What a new silence says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSilence {
    matchers: Vec<NewMatcher>,
    /// Two hours unless given; thirty days at most.
    seconds: Option<u64>,
    by: String,
    #[serde(default)]
    comment: String,
}

impl NewSilence {
    pub fn new(matchers: Vec<Matcher>, seconds: u64, by: String, comment: String) -> NewSilence {
        let matcher = |Matcher { label, is, value }| NewMatcher { label, is, value };
        NewSilence { matchers: matchers.into_iter().map(matcher).collect(), seconds: Some(seconds), by, comment }
    }
}

/// As [`Matcher`], from people: what is mistyped is not passed over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMatcher {
    label: String,
    is: Is,
    value: String,
}

pub(super) async fn add_silence(State(shared): State<Shared>, Json(new): Json<NewSilence>) -> Response {
    match silence(new, crate::clock::wall()) {
        Ok(silence) => {
            let answer = json!(silence);
            answered(shared.eyes.command(Command::Silence(silence)).await, |_| answer)
        }
        Err(why) => wrong(why),
    }
}

/// The silence that is meant, from now on; or why it can't be.
pub fn silence(new: NewSilence, from: Timestamp) -> Result<Silence, String> {
    let lasts = new.seconds.map_or(SILENCE, Duration::from_secs);
    let (by, comment) = acceptable(&new, lasts)?;
    let lasts = SignedDuration::try_from(lasts).unwrap_or(SignedDuration::ZERO);
    let until = from.saturating_add(lasts).unwrap_or(Timestamp::MAX);
    let id = format!("{:08x}", fastrand::u32(..));
    let matcher = |NewMatcher { label, is, value }| Matcher { label, is, value };
    let matchers = new.matchers.into_iter().map(matcher).collect();
    Ok(Silence { id, matchers, from, until, by, comment })
}

fn wrong(why: String) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, why + "\n").into_response()
}

/// Who and why, as they may be shown.
fn acceptable(new: &NewSilence, lasts: Duration) -> Result<(String, String), String> {
    if new.matchers.is_empty() || new.matchers.len() > MATCHERS_MAX {
        return Err(format!(
            "a silence needs at least one matcher and at most {MATCHERS_MAX}: it is about something"
        ));
    }
    if lasts.is_zero() {
        return Err("a silence of no length silences nothing: give it some seconds".to_owned());
    }
    if lasts > SILENCE_MAX {
        return Err("a silence ends: after 30 days at most; for what comes again and again there is `[[maintenance]]`"
            .to_owned());
    }
    let texts = new.matchers.iter().flat_map(|matcher| [&matcher.label, &matcher.value]);
    for text in texts {
        if text.chars().count() > TEXT_MAX || text.chars().any(char::is_control) {
            return Err(format!(
                "`{}` is no label and no value of one: at most {TEXT_MAX} characters on one line",
                plain::line(text, 60)
            ));
        }
    }
    who_and_why(&new.by, &new.comment)
}

/// Who does it must be said; and nothing is longer than a sentence. Both come back as one plain line, since they are
/// shown in terminals, messages and pages.
pub fn who_and_why(by: &str, comment: &str) -> Result<(String, String), String> {
    if [by, comment].iter().any(|text| text.chars().count() > TEXT_MAX) {
        return Err(format!("`by` and `comment` have {TEXT_MAX} characters at most"));
    }
    let (by, comment) = (plain::line(by, TEXT_MAX), plain::line(comment, TEXT_MAX));
    if by.is_empty() {
        return Err("`by` is empty: say who does it".to_owned());
    }
    Ok((by, comment))
}

/// Who ends a silence.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct By {
    by: String,
}

pub(super) async fn end_silence(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Json(By { by }): Json<By>,
) -> Response {
    let by = match who_and_why(&by, "") {
        Ok((by, _)) => by,
        Err(why) => return wrong(why),
    };
    answered(shared.eyes.command(Command::EndSilence { id, by }).await, |ids| json!({ "ended": ids }))
}

/// As [`Acknowledgement`], from people: what is mistyped is not passed over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAcknowledgement {
    alert: String,
    by: String,
    #[serde(default)]
    comment: String,
}

pub(super) async fn acknowledge(
    State(shared): State<Shared>,
    Json(new): Json<NewAcknowledgement>,
) -> Response {
    let (by, comment) = match who_and_why(&new.by, &new.comment) {
        Ok(texts) => texts,
        Err(why) => return wrong(why),
    };
    let acknowledgement = Acknowledgement { alert: plain::line(&new.alert, TEXT_MAX), by, comment };
    let done = shared.eyes.command(Command::Acknowledge(acknowledgement)).await;
    answered(done, |keys| json!({ "acknowledged": keys }))
}

pub(super) async fn test_channel(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    answered(shared.eyes.test_channel(name).await, |said| json!({ "result": said }))
}

fn answered(done: Result<Vec<String>, Refused>, show: impl FnOnce(Vec<String>) -> Value) -> Response {
    match done {
        Ok(said) => Json(show(said)).into_response(),
        Err(Refused::NoSuch(why)) => (StatusCode::NOT_FOUND, why + "\n").into_response(),
        Err(Refused::Wrong(why)) => wrong(why),
        Err(Refused::Failed(why)) => (StatusCode::BAD_GATEWAY, why + "\n").into_response(),
        Err(Refused::Stuck) => stuck(),
    }
}
