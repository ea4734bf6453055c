//! `desktop`: a notification of the desktop on which the agent runs.
//!
//! Where there is no desktop, nobody is told and nothing is wrong: the channel is absent, quietly, and the next one is
//! used. What an episode's later messages say takes the place of what is still shown, so that a page does not stay
//! on the screen after it is over.

use super::message::{Message, Tone};
use super::{Deliver, Delivering, Delivery, Kind, Parcel};
use crate::plain;
use crate::probe::Build;
use notify_rust::{Notification, Timeout, Urgency};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A notification service on the same machine answers within milliseconds.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Desktops show some lines.
const BODY_CHARS_MAX: usize = 600;

/// As many as anybody has on a screen.
const SHOWN_MAX: usize = 64;

/// Shows a notification on the desktop of this machine. Where there is no desktop, it is quietly absent.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Desktop {}

impl Kind for Desktop {
    fn name(&self) -> &'static str {
        "desktop"
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Deliver>> {
        let timeout = ANSWER_MAX.min(build.timeout * 9 / 10);
        Some(Box::new(Show { timeout, shown: Mutex::default() }))
    }
}

struct Show {
    timeout: Duration,
    /// Threads and what the desktop calls their notification, the newest last.
    shown: Mutex<VecDeque<(String, u32)>>,
}

impl Deliver for Show {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Delivering<'a> {
        Box::pin(async move {
            let mut notification = render(&Message::of(parcel));
            if let Some(id) = self.shown(&parcel.thread) {
                notification.id(id);
            }
            match tokio::time::timeout(self.timeout, notification.show_async()).await {
                Ok(Ok(handle)) => {
                    self.remember(&parcel.thread, handle.id());
                    Delivery::Delivered
                }
                Ok(Err(error)) => absent(&error),
                Err(_elapsed) => {
                    let limit = humantime::format_duration(self.timeout);
                    let why = format!("the desktop's notification service gave no answer within {limit}");
                    Delivery::Retry { after: None, why }
                }
            }
        })
    }
}

impl Show {
    fn shown(&self, thread: &str) -> Option<u32> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.iter().find(|(of, _)| of == thread).map(|(_, id)| *id)
    }

    fn remember(&self, thread: &str, id: u32) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.retain(|(of, _)| of != thread);
        if shown.len() == SHOWN_MAX {
            shown.pop_front();
        }
        shown.push_back((thread.to_owned(), id));
    }
}

/// No session bus, nobody on it who shows notifications, or one who does not want this: there is no desktop for us.
fn absent(error: &notify_rust::error::Error) -> Delivery {
    let why = plain::line(&error.to_string(), 160);
    tracing::debug!(why, "there is no desktop to notify");
    Delivery::Absent { why: format!("there is no desktop here ({why})") }
}

fn render(message: &Message) -> Notification {
    let lead = message.backup.iter().chain(&message.lead).cloned();
    let facts = message.facts.iter().map(|(name, value)| format!("{name}: {}", value.replace('\n', "; ")));
    let lines: Vec<String> = lead.chain(facts).collect();
    let mut body: String = lines.join("\n").chars().take(BODY_CHARS_MAX).collect();
    // The body may be read as markup.
    body = body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut notification = Notification::new();
    notification.appname("Atalaya").summary(&message.headline).body(&body);
    notification.icon(icon(message.tone)).urgency(urgency(message.tone));
    if message.tone == Tone::Page {
        // Stays until somebody has seen it.
        notification.timeout(Timeout::Never);
    }
    notification
}

const fn urgency(tone: Tone) -> Urgency {
    match tone {
        Tone::Page => Urgency::Critical,
        Tone::Ticket | Tone::Over | Tone::Test => Urgency::Normal,
        Tone::Info => Urgency::Low,
    }
}

/// By the names that every icon theme has.
const fn icon(tone: Tone) -> &'static str {
    match tone {
        Tone::Page => "dialog-error",
        Tone::Ticket => "dialog-warning",
        Tone::Info | Tone::Over | Tone::Test => "dialog-information",
    }
}
