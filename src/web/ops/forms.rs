//! What the forms of the operators' pages ask for. Each answer sends the browser back to a page, so that reloading that
//! page asks for nothing again.

use super::Shared;
use crate::app::{Command, Refused};
use crate::fact::{Acknowledgement, Is, Matcher};
use crate::ingest::Vendor;
use crate::web::access::MayChange;
use crate::web::api::{self, NewSilence};
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Acknowledge {
    alert: String,
    by: String,
    #[serde(default)]
    comment: String,
}

pub async fn acknowledge(
    State(shared): State<Shared>,
    MayChange(_): MayChange,
    Form(form): Form<Acknowledge>,
) -> Response {
    let Ok((by, comment)) = api::who_and_why(&form.by, &form.comment) else { return back("wrong") };
    let acknowledgement = Acknowledgement { alert: form.alert, by, comment };
    let done = shared.eyes.command(Command::Acknowledge(acknowledgement)).await;
    back(said(done.map(drop), "acknowledged"))
}

#[derive(Deserialize)]
pub struct Silence {
    /// `check=site`
    about: String,
    hours: u64,
    by: String,
    #[serde(default)]
    comment: String,
}

pub async fn silence(
    State(shared): State<Shared>,
    MayChange(_): MayChange,
    Form(form): Form<Silence>,
) -> Response {
    let Some((label, value)) = form.about.split_once('=') else { return back("wrong") };
    let matcher = Matcher { label: label.to_owned(), is: Is::Equal, value: value.to_owned() };
    let seconds = form.hours.saturating_mul(3_600);
    let new = NewSilence::new(vec![matcher], seconds, form.by, form.comment);
    match api::silence(new, crate::clock::wall()) {
        Ok(silence) => {
            let done = shared.eyes.command(Command::Silence(silence)).await;
            back(said(done.map(drop), "silenced"))
        }
        Err(_) => back("wrong"),
    }
}

#[derive(Deserialize)]
pub struct Nothing {}

pub async fn end_silence(
    State(shared): State<Shared>,
    MayChange(who): MayChange,
    Path(id): Path<String>,
    Form(Nothing {}): Form<Nothing>,
) -> Response {
    let by = who.name.unwrap_or_else(|| "an operator".to_owned());
    let done = shared.eyes.command(Command::EndSilence { id, by }).await;
    back(said(done.map(drop), "ended"))
}

pub async fn test_channel(
    State(shared): State<Shared>,
    MayChange(_): MayChange,
    Path(name): Path<String>,
) -> Response {
    let done = shared.eyes.test_channel(name).await;
    back(said(done.map(drop), "delivered"))
}

pub async fn work_again(
    State(shared): State<Shared>,
    MayChange(_): MayChange,
    Path(vendor): Path<Vendor>,
    Form(Nothing {}): Form<Nothing>,
) -> Response {
    let said = match shared.eyes.intake.work_again(vendor).await {
        Ok(0) => "none",
        Ok(_) => "again",
        Err(why) => {
            tracing::warn!(why, "letters that lie aside could not be worked through again");
            "failed"
        }
    };
    Redirect::to(&format!("/ops/traffic?said={said}")).into_response()
}

#[derive(Deserialize)]
pub struct Seen {
    /// The ids of those that were on the page, which have no blanks in them.
    letters: String,
}

pub async fn put_away(
    State(shared): State<Shared>,
    MayChange(who): MayChange,
    Path(vendor): Path<Vendor>,
    Form(form): Form<Seen>,
) -> Response {
    let by = who.name.unwrap_or_else(|| "an operator".to_owned());
    let ids = form.letters.split(' ').map(str::to_owned).collect();
    let said = match api::seen(&shared, vendor, ids, &by).await {
        Ok(_) => "away",
        Err(why) => {
            tracing::warn!(why, "letters that lie aside could not be put away");
            "failed"
        }
    };
    Redirect::to(&format!("/ops/traffic?said={said}")).into_response()
}

fn said(done: Result<(), Refused>, word: &'static str) -> &'static str {
    match done {
        Ok(()) => word,
        Err(Refused::NoSuch(_)) => "gone",
        Err(Refused::Failed(why)) => {
            tracing::warn!(why, "a test message was not taken");
            "failed"
        }
        Err(Refused::Wrong(_) | Refused::Stuck) => "wrong",
    }
}

fn back(said: &str) -> Response {
    Redirect::to(&format!("/ops/alerts?said={said}")).into_response()
}
