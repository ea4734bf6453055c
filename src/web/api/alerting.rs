//! Objectives, alerts and silences as JSON; and what changes them, which takes the token.

use super::shape::{AlertShape, DoneShape, ObjectiveShape};
use crate::app::{Command, Refused};
use crate::fact::{Acknowledgement, Is, Matcher, Silence};
use crate::plain;
use crate::view::View;
use crate::web::{Shared, stuck};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longer than this nobody remembers why.
const SILENCE_MAX: Duration = Duration::from_hours(30 * 24);
const SILENCE: Duration = Duration::from_hours(2);
/// Enough for a sentence; it stands on pages and in messages.
const TEXT_MAX: usize = 500;
const MATCHERS_MAX: usize = 16;
/// For the description: at least one character that is shown.
pub(super) const SAYS_SOMETHING: &str = "[A-Za-z0-9]";
/// For the description: no control characters.
const ONE_LINE: &str = "^[^\\x00-\\x1f\\x7f-\\x9f]*$";

pub(super) async fn objectives(State(shared): State<Shared>) -> Response {
    read(&shared, |view| view.objectives.iter().map(ObjectiveShape::new).collect::<Vec<_>>()).await
}

pub(super) async fn objective(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    match shared.eyes.look().await {
        Some(view) => match view.objectives.iter().find(|one| *one.objective.name == *name) {
            Some(objective) => Json(ObjectiveShape::new(objective)).into_response(),
            None => (StatusCode::NOT_FOUND, "there is no promise of that name\n").into_response(),
        },
        None => stuck(),
    }
}

pub(super) async fn alerts(State(shared): State<Shared>) -> Response {
    read(&shared, |view| view.alerts.iter().map(AlertShape::new).collect::<Vec<_>>()).await
}

pub(super) async fn silences(State(shared): State<Shared>) -> Response {
    read(&shared, |view| view.silences.clone()).await
}

pub(super) async fn read<T: Serialize>(shared: &Shared, list: impl Fn(&View) -> T) -> Response {
    match shared.eyes.look().await {
        Some(view) => Json(list(&view)).into_response(),
        None => stuck(),
    }
}

/// What a new silence says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSilence {
    #[schemars(length(min = 1, max = 16))]
    matchers: Vec<NewMatcher>,
    /// Two hours unless given; thirty days at most.
    #[schemars(range(min = 1, max = 2_592_000))]
    seconds: Option<u64>,
    #[schemars(length(max = 500), regex(pattern = SAYS_SOMETHING))]
    by: String,
    #[serde(default)]
    #[schemars(length(max = 500))]
    comment: String,
}

impl NewSilence {
    pub fn new(matchers: Vec<Matcher>, seconds: u64, by: String, comment: String) -> NewSilence {
        let matcher = |Matcher { label, is, value }| NewMatcher { label, is, value };
        NewSilence {
            matchers: matchers.into_iter().map(matcher).collect(),
            seconds: Some(seconds),
            by,
            comment,
        }
    }
}

/// As [`Matcher`], from people: what is mistyped is not passed over.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMatcher {
    #[schemars(length(max = 500), regex(pattern = ONE_LINE))]
    label: String,
    is: Is,
    #[schemars(length(max = 500), regex(pattern = ONE_LINE))]
    value: String,
}

pub(super) async fn add_silence(State(shared): State<Shared>, Json(new): Json<NewSilence>) -> Response {
    match silence(new, crate::clock::wall()) {
        Ok(silence) => {
            let answer = silence.clone();
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

pub(super) fn wrong(why: String) -> Response {
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
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct By {
    #[schemars(length(max = 500), regex(pattern = SAYS_SOMETHING))]
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
    answered(shared.eyes.command(Command::EndSilence { id, by }).await, DoneShape::Ended)
}

/// As [`Acknowledgement`], from people: what is mistyped is not passed over.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAcknowledgement {
    #[schemars(length(min = 1, max = 500))]
    alert: String,
    #[schemars(length(max = 500), regex(pattern = SAYS_SOMETHING))]
    by: String,
    #[serde(default)]
    #[schemars(length(max = 500))]
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
    answered(done, DoneShape::Acknowledged)
}

pub(super) async fn test_channel(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    answered(shared.eyes.test_channel(name).await, DoneShape::Result)
}

fn answered<T: Serialize>(
    done: Result<Vec<String>, Refused>,
    show: impl FnOnce(Vec<String>) -> T,
) -> Response {
    match done {
        Ok(said) => Json(show(said)).into_response(),
        Err(Refused::NoSuch(why)) => (StatusCode::NOT_FOUND, why + "\n").into_response(),
        Err(Refused::Wrong(why)) => wrong(why),
        Err(Refused::Failed(why)) => (StatusCode::BAD_GATEWAY, why + "\n").into_response(),
        Err(Refused::Stuck) => stuck(),
    }
}
