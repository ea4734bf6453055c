//! `pagerduty`: PagerDuty's Events API v2, an event for each alert, so that each incident ends with its own.
//!
//! An episode's events share a `dedup_key`: whatever is told again becomes part of the same incident. So a notice that
//! was taken in part is simply sent again.
//! <https://developer.pagerduty.com/docs/send-alert-event>

use super::post::Post;
use super::{Deliver, Delivering, Delivery, Kind, Parcel};
use crate::alert::{self, Severity, Snapshot};
use crate::config::text::Text;
use crate::notify::message::{Message, alert_url};
use crate::plain;
use crate::probe::Build;
use futures_util::{StreamExt, stream};
use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::Duration;

const API: &str = "https://events.pagerduty.com/v2/enqueue";
const WAY_OUT: &str =
    "check `routing_key` of the channel, which is the integration key of a service with Events API v2";

const SUMMARY_CHARS_MAX: usize = 1024;
const DEDUP_KEY_BYTES_MAX: usize = 255;
/// An event may have 512 KiB; nobody reads a tenth of this.
const DETAIL_CHARS_MAX: usize = 1000;
const DETAILS_MAX: usize = 20;
/// A notice of many alerts must get through within one try.
const AT_ONCE_MAX: usize = 4;
/// "A few minutes", says PagerDuty where it does not say how long.
const LIMITED_WAIT: Duration = Duration::from_mins(2);

/// Opens and resolves incidents in PagerDuty (Events API v2).
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagerDuty {
    /// The integration key of a service: `"${PAGERDUTY_ROUTING_KEY}"`.
    routing_key: Text,
    /// The address of the API, where it is another than PagerDuty's own: `https://events.eu.pagerduty.com/v2/enqueue` in the EU.
    url: Option<Text>,
}

struct Events {
    post: Post,
    routing_key: SecretString,
}

impl Kind for PagerDuty {
    fn name(&self) -> &'static str {
        "pagerduty"
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Deliver>> {
        let key = build.secret("routing_key", &self.routing_key);
        let post = match &self.url {
            Some(url) => Post::build(build, "url", url, "PagerDuty", WAY_OUT),
            None => Post::to(build, "url", &SecretString::from(API), "PagerDuty", WAY_OUT),
        };
        let key = SecretString::from(key?.expose_secret().trim());
        let text = key.expose_secret();
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            build.fault("routing_key", "the value is no integration key, which is 32 letters and digits");
            return None;
        }
        let mut post = post?;
        post.hide(&key);
        Some(Box::new(Events { post, routing_key: key }))
    }
}

impl Deliver for Events {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Delivering<'a> {
        Box::pin(async move {
            let tries: Vec<_> = parcel.notice.alerts.iter().map(|alert| self.tell(parcel, alert)).collect();
            let tried = stream::iter(tries).buffer_unordered(AT_ONCE_MAX).collect::<Vec<_>>().await;
            tried.into_iter().reduce(graver).unwrap_or(Delivery::Delivered)
        })
    }
}

/// Of two, the one that decides for both: who must be told again must be, and a refusal must not hide that.
fn graver(one: Delivery, other: Delivery) -> Delivery {
    let rank = |delivery: &Delivery| match delivery {
        Delivery::Retry { .. } => 2,
        Delivery::Refused { .. } => 1,
        _ => 0,
    };
    match (one, other) {
        (Delivery::Retry { after: one, why }, Delivery::Retry { after: other, .. }) => {
            Delivery::Retry { after: one.max(other), why }
        }
        (one, other) => {
            if rank(&other) > rank(&one) {
                other
            } else {
                one
            }
        }
    }
}

impl Events {
    async fn tell(&self, parcel: &Parcel, alert: &Snapshot) -> Delivery {
        let over = alert.ended.is_some() || parcel.notice.kind == alert::Kind::Resolved;
        // Without a trigger there is nothing to resolve, and nobody would ever see that it was.
        if !over || parcel.notice.merged {
            let triggered = self.send(&self.trigger(parcel, alert)).await;
            if !over || triggered != Delivery::Delivered {
                return triggered;
            }
        }
        self.send(&self.event("resolve", alert)).await
    }

    async fn send(&self, event: &Value) -> Delivery {
        match self.post.send(event, HeaderMap::new()).await {
            Ok(answer) if answer.status.as_u16() == 202 => Delivery::Delivered,
            Ok(answer) => match self.post.judge(&answer) {
                Delivery::Retry { after: None, why } if answer.status.as_u16() == 429 => {
                    Delivery::Retry { after: Some(LIMITED_WAIT), why }
                }
                delivery => delivery,
            },
            Err(unanswered) => unanswered.into(),
        }
    }

    fn event(&self, action: &str, alert: &Snapshot) -> Value {
        json!({
            "routing_key": self.routing_key.expose_secret(),
            "event_action": action,
            "dedup_key": dedup_key(&alert.episode),
        })
    }

    fn trigger(&self, parcel: &Parcel, alert: &Snapshot) -> Value {
        let mut event = self.event("trigger", alert);
        event["client"] = "Atalaya".into();
        if let Some(url) = &parcel.url {
            event["client_url"] = alert_url(url, &alert.key.0).into();
        }
        event["payload"] = payload(parcel, alert);
        let runbook = alert.runbook.as_deref().filter(|runbook| runbook.starts_with("http"));
        event["links"] = runbook.map(|href| json!({ "href": href, "text": "Runbook" })).into_iter().collect();
        event
    }
}

/// The same in every event of an episode.
fn dedup_key(episode: &str) -> String {
    if episode.len() <= DEDUP_KEY_BYTES_MAX {
        return episode.to_owned();
    }
    Sha256::digest(episode.as_bytes()).iter().fold(String::new(), |mut key, byte| {
        // Writing into a string does not fail.
        write!(key, "{byte:02x}").ok();
        key
    })
}

/// What wakes people. Alerts that only their number tells of have no incident: the gravest, which is the first, says
/// how many there are.
fn summary(parcel: &Parcel, alert: &Snapshot) -> String {
    let notice = &parcel.notice;
    let is_first = notice.alerts.first().is_some_and(|first| first.episode == alert.episode);
    let more = match notice.more {
        0 => String::new(),
        _ if !is_first => String::new(),
        1 => " (and 1 more alert that has no incident)".to_owned(),
        more => format!(" (and {more} more alerts that have no incident)"),
    };
    let room = SUMMARY_CHARS_MAX - more.len();
    plain::line(&format!("{}: {}", alert.title, alert.summary), room) + &more
}

fn payload(parcel: &Parcel, alert: &Snapshot) -> Value {
    let summary = summary(parcel, alert);
    let host = parcel.url.as_deref().and_then(|url| Some(url::Url::parse(url).ok()?.host_str()?.to_owned()));
    json!({
        "summary": summary,
        "source": host.unwrap_or_else(|| "atalaya".to_owned()),
        "severity": match alert.severity {
            Severity::Page => "critical",
            Severity::Ticket => "warning",
            Severity::Info => "info",
        },
        "timestamp": alert.fired.to_string(),
        "component": plain::line(&alert.key.0, DETAIL_CHARS_MAX),
        "group": plain::line(&alert.section, DETAIL_CHARS_MAX),
        "class": alert.labels.get("alertname").map_or(parcel.notice.kind.as_str(), String::as_str),
        "custom_details": details(parcel, alert),
    })
}

/// What is known, a line a fact; nothing where nothing is.
fn details(parcel: &Parcel, alert: &Snapshot) -> Map<String, Value> {
    let one = crate::alert::Notice { alerts: vec![alert.clone()], more: 0, ..(*parcel.notice).clone() };
    let message = Message::new(&one, parcel.url.as_deref());
    let mut details = Map::new();
    let mut detail = |name: &str, text: &str| {
        if details.len() < DETAILS_MAX && !text.is_empty() {
            details.insert(name.to_owned(), plain::line(text, DETAIL_CHARS_MAX).into());
        }
    };
    for (name, text) in &message.facts {
        detail(name, &text.replace('\n', "; "));
    }
    detail("Via", message.backup.as_deref().unwrap_or_default());
    if parcel.notice.more > 0 {
        detail("More", &format!("{} more alerts at the same time", parcel.notice.more));
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dedup_key_is_never_too_long_and_never_that_of_another() {
        assert_eq!(dedup_key("check/site@1767225600000"), "check/site@1767225600000");
        let (one, other) = (format!("{}1", "x".repeat(255)), format!("{}2", "x".repeat(255)));
        assert_eq!(dedup_key(&one).len(), 64);
        assert_ne!(dedup_key(&one), dedup_key(&other));
    }

    #[test]
    fn a_storm_says_how_many_alerts_it_does_not_name() {
        let mut parcel = crate::notify::trial::parcel("pager", None, jiff::Timestamp::UNIX_EPOCH);
        let mut notice = (*parcel.notice).clone();
        let mut first = notice.alerts[0].clone();
        (first.title, first.summary) = ("Site".to_owned(), "refused ".repeat(300));
        let second = Snapshot { episode: "other".to_owned(), summary: "refused".to_owned(), ..first.clone() };
        notice.alerts = vec![first, second];
        notice.more = 30;
        parcel.notice = notice.into();
        let summary = |at: usize| {
            let alert = &parcel.notice.alerts[at];
            payload(&parcel, alert)["summary"].as_str().expect("a text").to_owned()
        };
        let first = summary(0);
        assert!(first.starts_with("Site: refused refused"), "{first}");
        assert!(first.ends_with(" (and 30 more alerts that have no incident)"), "{first}");
        assert!(first.chars().count() <= SUMMARY_CHARS_MAX);
        assert_eq!(summary(1), "Site: refused", "it is said once");
    }

    #[test]
    fn who_must_be_told_again_decides() {
        let refused = || Delivery::Refused { why: "a".to_owned() };
        let retry = |seconds: Option<u64>| Delivery::Retry {
            after: seconds.map(Duration::from_secs),
            why: "b".to_owned(),
        };
        assert_eq!(graver(Delivery::Delivered, Delivery::Delivered), Delivery::Delivered);
        assert_eq!(graver(Delivery::Delivered, refused()), refused());
        assert_eq!(graver(retry(None), refused()), retry(None));
        assert_eq!(graver(refused(), retry(Some(2))), retry(Some(2)));
        assert_eq!(graver(retry(Some(5)), retry(Some(2))), retry(Some(5)));
    }
}
