//! What is wrong, who was told, who is not to be told; and the ways to say so.

use super::{Frame, Shared, Who, shown};
use crate::alert::{AlertView, Phase};
use crate::store::RowState;
use crate::view::View;
use crate::view::past::{Episode, Message};
use crate::web::page::words;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "ops/alerts.html")]
struct Alerts {
    frame: Frame,
    alerts: Vec<AlertCard>,
    silences: Vec<SilenceRow>,
    checks: Vec<(String, String)>,
    sections: Vec<String>,
    channels: Vec<(String, &'static str)>,
    left_out: Vec<(String, String)>,
    said: Option<Said>,
    past: Vec<EpisodeRow>,
    messages: Vec<MessageRow>,
    unread: Option<String>,
}

struct EpisodeRow {
    title: String,
    summary: String,
    severity: &'static str,
    fired: Timestamp,
    ended: Option<Timestamp>,
    lasted: String,
}

struct MessageRow {
    key: String,
    what: String,
    kind: &'static str,
    to: String,
    state: &'static str,
    class: &'static str,
    created: Timestamp,
    note: String,
}

/// One alert.
pub struct AlertCard {
    pub id: String,
    pub key: String,
    pub title: String,
    pub link: Option<String>,
    pub severity: &'static str,
    pub phase: &'static str,
    pub summary: String,
    pub evidence: Vec<String>,
    pub began: Timestamp,
    pub cause: Option<String>,
    pub runbook: Option<String>,
    pub told: Vec<String>,
    pub held: Option<String>,
    pub acknowledged: Option<String>,
    pub flapping: bool,
    pub can_acknowledge: bool,
}

struct SilenceRow {
    id: String,
    matchers: String,
    until: Timestamp,
    by: String,
    comment: String,
}

/// Rows of each table; the rest is in the API.
const PAST_MAX: usize = 50;

/// What came of the form that was sent last.
#[derive(Debug, Deserialize)]
pub struct Asked {
    said: Option<String>,
}

struct Said {
    text: &'static str,
    wrong: bool,
}

/// The only texts that an address can put on the page.
const SAID: [(&str, &str, bool); 7] = [
    ("acknowledged", "Acknowledged: reminders and escalation of this alert end.", false),
    ("silenced", "Silenced.", false),
    ("ended", "The silence is ended.", false),
    ("delivered", "The channel took the test message.", false),
    ("failed", "The channel did not take the test message; the log says why.", true),
    ("gone", "That is not there any more.", true),
    ("wrong", "That could not be done: something is missing or too long.", true),
];

pub async fn show(State(shared): State<Shared>, who: Who, Query(asked): Query<Asked>) -> Response {
    shown(&shared, async |view| {
        let said = SAID.into_iter().find(|(word, ..)| Some(*word) == asked.said.as_deref());
        let mut sections: Vec<String> = view.checks.iter().map(|check| check.check.section.clone()).collect();
        sections.sort();
        sections.dedup();
        let almanac = &shared.eyes.almanac;
        let (past, messages) = (almanac.episodes().await, almanac.messages().await);
        let unread = past.as_ref().err().map(|error| error.0.clone());
        let past = past
            .map(|all| all.iter().take(PAST_MAX).map(|one| episode(one, view.at.wall)).collect())
            .unwrap_or_default();
        let messages =
            messages.map(|all| all.iter().take(PAST_MAX).map(message).collect()).unwrap_or_default();
        let left_out = view.left_out.skipped.iter().filter(|one| one.what == "channel");
        Ok(Alerts {
            frame: Frame::new(view, &who, "Alerts", "/ops/alerts"),
            alerts: view.alerts.iter().map(|alert| AlertCard::new(view, alert)).collect(),
            silences: view.silences.iter().map(silence).collect(),
            checks: view
                .checks
                .iter()
                .map(|check| (check.check.name.to_string(), check.check.title.clone()))
                .collect(),
            sections,
            channels: view.left_out.channels.values().map(|one| (one.name.to_string(), one.kind)).collect(),
            left_out: left_out.map(|one| (one.name.to_string(), one.why.clone())).collect(),
            past,
            messages,
            unread,
            said: said.map(|(_, text, wrong)| Said { text, wrong }),
        })
    })
    .await
}

impl AlertCard {
    pub fn new(_view: &View, alert: &AlertView) -> AlertCard {
        let now = &alert.now;
        let link = match now.key.0.split('/').collect::<Vec<_>>().as_slice() {
            ["check" | "gap", name] => Some(format!("/ops/checks/{name}")),
            ["slo", name, _] => Some(format!("/ops/promises/{name}")),
            _ => None,
        };
        let told = alert.told.iter().map(|(contact, at)| format!("{contact} at {}", words::clock(at)));
        AlertCard {
            id: now.key.0.replace('/', "-"),
            key: now.key.to_string(),
            title: now.title.clone(),
            link,
            severity: now.severity.as_str(),
            phase: alert.phase.as_str(),
            summary: now.summary.clone(),
            evidence: now.evidence.clone(),
            began: now.began,
            // Where that is why nobody is told, it is said once.
            cause: now.cause.clone().filter(|cause| alert.held.as_ref() != Some(cause)),
            runbook: now.runbook.clone(),
            told: told.collect(),
            held: alert.held.clone(),
            acknowledged: now.acknowledged_by.clone(),
            flapping: alert.flapping,
            can_acknowledge: alert.phase == Phase::Firing && now.acknowledged_by.is_none(),
        }
    }
}

fn episode(episode: &Episode, now: Timestamp) -> EpisodeRow {
    let lasted = episode.ended.unwrap_or(now).duration_since(episode.fired);
    EpisodeRow {
        title: episode.title.clone(),
        summary: episode.summary.clone(),
        severity: episode.severity.as_str(),
        fired: episode.fired,
        ended: episode.ended,
        lasted: words::duration(lasted.try_into().unwrap_or_default()),
    }
}

fn message(message: &Message) -> MessageRow {
    let more = if message.more > 0 { format!(" and {} more", message.more) } else { String::new() };
    let (state, class) = match message.state {
        RowState::Pending => ("waits", "pending"),
        RowState::Delivered => ("delivered", "ok"),
        RowState::Refused => ("refused", "failed"),
        RowState::Expired => ("expired", "failed"),
        RowState::Merged => ("told by another", "unknown"),
    };
    let tries = if message.attempts > 1 { format!("{} tries", message.attempts) } else { String::new() };
    let error = message.error.clone().filter(|_| message.state != RowState::Delivered).unwrap_or_default();
    MessageRow {
        key: message.key.clone(),
        what: message.titles.join(", ") + &more,
        kind: message.kind.as_str(),
        to: format!("{} by {}", message.contact, message.channel),
        state,
        class,
        created: message.created,
        note: [tries, error].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": "),
    }
}

fn silence(silence: &crate::fact::Silence) -> SilenceRow {
    let is = |is: crate::fact::Is| match is {
        crate::fact::Is::Equal => "=",
        crate::fact::Is::NotEqual => "!=",
        crate::fact::Is::Like => "=~",
        crate::fact::Is::NotLike => "!~",
    };
    let matchers = silence.matchers.iter().map(|one| format!("{}{}{}", one.label, is(one.is), one.value));
    SilenceRow {
        id: silence.id.clone(),
        matchers: matchers.collect::<Vec<_>>().join(", "),
        until: silence.until,
        by: silence.by.clone(),
        comment: silence.comment.clone(),
    }
}
