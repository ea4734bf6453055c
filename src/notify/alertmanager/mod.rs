//! `alertmanager`: the API v2 of Alertmanager, which groups, silences and routes by itself.
//!
//! It is told in two ways. A notice is delivered to it like to any channel, so that the outbox knows whether somebody
//! was told and can turn to the next channel. And Alertmanager forgets what it is not told again: so a [`Herald`]
//! shows it everything that fires, again and again, and what has ended for a while. Both say the same of the same
//! alert, and whatever is told twice is one alert there.
//!
//! All instances are told, each for itself: they agree among themselves on who notifies. A notice is delivered when
//! one has taken it; the herald brings it to the others as soon as they answer.
//! <https://github.com/prometheus/alertmanager/blob/main/docs/alerts_api.md>

mod book;
mod herald;

pub use herald::{Feed, Herald, InstanceHealth};

use super::message::alert_url;
use super::post::{self, Post};
use super::prometheus::{self, Labels};
use super::{Deliver, Delivering, Delivery, Kind, Parcel};
use crate::alert::{self, Snapshot};
use crate::clock;
use crate::config::text::Text;
use crate::config::value::Period;
use crate::probe::Build;
use futures_util::future::join_all;
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const WAY_OUT: &str = "check `urls` and `authorization` of the channel";

/// As many as Prometheus sends in one request.
const BATCH_MAX: usize = 256;

/// So many rounds may be lost before Alertmanager takes an alert for over: as with Prometheus.
const ROUNDS_LOST_MAX: u32 = 4;

/// Tells Alertmanager (API v2) what fires, again and again, and what has ended.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alertmanager {
    /// All instances, never a load balancer before them: `["http://alertmanager:9093"]`.
    urls: Vec<Text>,
    /// The whole header `Authorization`: `"Bearer ${ALERTMANAGER_TOKEN}"`.
    authorization: Option<Text>,
    /// Labels that every alert gets, so that those of several agents are told apart: `{ agent = "shop-1" }`.
    #[serde(default)]
    labels: BTreeMap<String, Text>,
    /// How often everything is told again; four times as long without, and Alertmanager takes an alert for over. Default: a minute.
    every: Option<Period>,
    /// Also an alert `Watchdog` that always fires while the agent is well: its absence tells that it is not. Default: yes.
    #[serde(default = "yes")]
    watchdog: bool,
}

fn yes() -> bool {
    true
}

/// What a built channel of this kind knows; the [`Herald`] needs it.
#[derive(Clone)]
pub struct Mirror {
    instances: Arc<[Instance]>,
    every: Duration,
    watchdog: bool,
}

/// One Alertmanager.
struct Instance {
    post: Post,
    headers: HeaderMap,
    /// Of every alert.
    labels: Labels,
}

/// One alert, as its API takes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    labels: Labels,
    annotations: Labels,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
}

impl Kind for Alertmanager {
    fn name(&self) -> &'static str {
        "alertmanager"
    }

    fn hourly_max(&self) -> u32 {
        3_600
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Deliver>> {
        if self.urls.is_empty() {
            build.fault("urls", "without an address nobody is told; name at least one instance");
        }
        let labels = self.extra_labels(build);
        let authorization = self.authorization.as_ref().map(|text| post::authorization(build, text));
        let authorization = authorization.map_or(Some(None), |value| value.map(Some));
        let posts: Vec<_> = self.urls.iter().map(|url| post(build, url)).collect();
        let (labels, authorization) = (labels?, authorization?);
        let posts = posts.into_iter().collect::<Option<Vec<_>>>().filter(|posts| !posts.is_empty())?;
        let instance = |mut post: Post| {
            let mut headers = HeaderMap::new();
            if let Some((value, secret)) = &authorization {
                post.hide(secret);
                headers.insert(AUTHORIZATION, HeaderValue::clone(value));
            }
            Instance { post, headers, labels: labels.clone() }
        };
        let every = self.every.map_or(Duration::from_mins(1), Period::get);
        let instances = posts.into_iter().map(instance).collect();
        Some(Box::new(Mirror { instances, every, watchdog: self.watchdog }))
    }
}

impl Alertmanager {
    fn extra_labels(&self, build: &mut Build<'_>) -> Option<Labels> {
        let mut labels = Some(Labels::new());
        for (name, text) in &self.labels {
            let key = format!("labels.{name}");
            if !prometheus::is_label_name(name) || matches!(name.as_str(), "alertname" | "severity") {
                build.fault(&key, format!("`{name}` can't be a label here: letters, digits and `_`, and neither `alertname` nor `severity`"));
            }
            let value = build.text(&key, text);
            labels = labels.zip(value).map(|(mut labels, value)| {
                labels.insert(name.clone(), value);
                labels
            });
        }
        labels
    }
}

/// The address of the API below the address of an instance, which may have a path of its own.
fn post(build: &mut Build<'_>, url: &Text) -> Option<Post> {
    let filled = build.secret("urls", url)?;
    let base = filled.expose_secret().trim().trim_end_matches('/');
    Post::to(build, "urls", &SecretString::from(format!("{base}/api/v2/alerts")), "Alertmanager", WAY_OUT)
}

impl Deliver for Mirror {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Delivering<'a> {
        Box::pin(async move {
            let notice = &*parcel.notice;
            let (now, url) = (clock::wall(), parcel.url.as_deref());
            let over = |alert: &Snapshot| match notice.kind {
                alert::Kind::Resolved => Some(alert.ended.unwrap_or(notice.at)),
                _ => alert.ended,
            };
            let told = |alert| self.told(alert, over(alert), now, url);
            let all: Vec<Told> = notice.alerts.iter().map(told).collect();
            let tries = self.instances.iter().map(|instance| instance.tell(&all));
            join_all(tries).await.into_iter().reduce(kinder).unwrap_or(Delivery::Delivered)
        })
    }

    fn mirror(&self) -> Option<&Mirror> {
        Some(self)
    }
}

/// Of two instances, what decides for both: one that has taken it is enough, and one that may yet take it is worth a try.
fn kinder(one: Delivery, other: Delivery) -> Delivery {
    let rank = |delivery: &Delivery| match delivery {
        Delivery::Delivered => 0,
        Delivery::Retry { .. } => 1,
        _ => 2,
    };
    if rank(&other) < rank(&one) { other } else { one }
}

impl Mirror {
    /// An alert that lasts until it is told again, or has ended.
    fn told(&self, alert: &Snapshot, ended: Option<Timestamp>, now: Timestamp, url: Option<&str>) -> Told {
        Told {
            labels: identity(alert),
            annotations: prometheus::annotations(alert),
            starts_at: alert.fired.to_string(),
            ends_at: ended.unwrap_or_else(|| self.lasts_until(now)).to_string(),
            generator_url: url.map(|url| alert_url(url, &alert.key.0)),
        }
    }

    /// The alert that fires as long as the agent is well.
    fn watchdog(began: Timestamp, ends: Timestamp) -> Told {
        let labels = [("alertname", "Watchdog"), ("severity", "none")];
        let summary =
            "Atalaya watches: this alert always fires, and its absence tells that something is wrong";
        let of = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Told {
            labels: labels.map(of).into(),
            annotations: [("summary", summary)].map(of).into(),
            starts_at: began.to_string(),
            ends_at: ends.to_string(),
            generator_url: None,
        }
    }

    fn lasts_until(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.every * ROUNDS_LOST_MAX).unwrap_or(Timestamp::MAX)
    }
}

/// Who an alert is to Alertmanager: its labels, with the severity that it has now, by which it is routed. One that
/// comes to matter more is another alert there; the herald tells that the former is over.
fn identity(alert: &Snapshot) -> Labels {
    let mut labels = prometheus::labels(&alert.labels);
    labels.insert("severity".to_owned(), alert.severity.as_str().to_owned());
    labels
}

impl Instance {
    /// Tells all of it, in as few requests as it takes.
    async fn tell(&self, alerts: &[Told]) -> Delivery {
        for batch in alerts.chunks(BATCH_MAX) {
            let mut batch = batch.to_vec();
            for alert in &mut batch {
                alert.labels.extend(self.labels.clone());
            }
            let delivery = match self.post.send(&batch, self.headers.clone()).await {
                Ok(answer) if answer.status.as_u16() == 200 => Delivery::Delivered,
                Ok(answer) => self.post.judge(&answer),
                Err(unanswered) => unanswered.into(),
            };
            if delivery != Delivery::Delivered {
                return delivery;
            }
        }
        Delivery::Delivered
    }
}
