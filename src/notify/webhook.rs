//! `webhook`: any receiver of Alertmanager's webhooks, of which there are many; signed, so that it can tell who sent it.
//!
//! The payload is Alertmanager's version 4, so whatever reads that reads this. A notice is one request with all of its
//! alerts. Its group is the labels that they have in common: of a single alert all of its labels, so that the end
//! of an alert comes in the group of its beginning; who takes several at once goes by each one's `fingerprint`.
//!
//! With a secret it is signed as Standard Webhooks says, whose libraries exist for every language.
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>,
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use super::post::{self, Post};
use super::prometheus::{self, Alert, Labels};
use super::{Deliver, Delivering, Delivery, Kind, Parcel};
use crate::alert;
use crate::clock;
use crate::config::text::Text;
use crate::ingest::standard_webhooks::Key;
use crate::probe::Build;
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

const WAY_OUT: &str = "check `url` and `authorization` of the channel";

/// POSTs Alertmanager's webhook payload (version 4) to an address of yours, and takes any answer of 200 to 299 as taken.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where to; a secret as a whole: `"${ALERT_WEBHOOK_URL}"`.
    url: Text,
    /// Signs each request as Standard Webhooks says (`webhook-id`, `webhook-timestamp`, `webhook-signature`): `whsec_` and base64.
    secret: Option<Text>,
    /// The whole header `Authorization`: `"Bearer ${ALERT_WEBHOOK_TOKEN}"`.
    authorization: Option<Text>,
}

struct Hook {
    post: Post,
    signer: Option<Signer>,
    authorization: Option<HeaderValue>,
}

impl Kind for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn hourly_max(&self) -> u32 {
        600
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Deliver>> {
        let post = Post::build(build, "url", &self.url, "the webhook", WAY_OUT);
        let signer = self.secret.as_ref().map(|secret| Signer::build(build, secret));
        let authorization = self.authorization.as_ref().map(|text| post::authorization(build, text));
        let mut post = post?;
        let signer = signer.map_or(Some(None), |signer| signer.map(Some))?;
        let authorization = authorization.map_or(Some(None), |value| value.map(Some))?;
        let authorization = authorization.map(|(value, secret)| {
            post.hide(&secret);
            value
        });
        Some(Box::new(Hook { post, signer, authorization }))
    }
}

impl Deliver for Hook {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Delivering<'a> {
        Box::pin(async move {
            let message = match serde_json::to_vec(&Payload::of(parcel)) {
                Ok(message) => message,
                Err(error) => {
                    let why = format!("can't write the message as JSON: {error}; this is a bug in atalaya");
                    return Delivery::Refused { why };
                }
            };
            let mut headers = post::idempotency_key(parcel);
            if let Some(authorization) = &self.authorization {
                headers.insert(AUTHORIZATION, authorization.clone());
            }
            if let Some(signer) = &self.signer {
                // The moment is that of the try: receivers refuse what was signed more than five minutes ago.
                signer.sign(&mut headers, &parcel.key, clock::wall(), &message);
            }
            match self.post.send_bytes(message.into(), headers).await {
                Ok(answer) if answer.status.is_success() => Delivery::Delivered,
                Ok(answer) => self.post.judge(&answer),
                Err(unanswered) => unanswered.into(),
            }
        })
    }
}

/// Alertmanager's webhook payload.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    receiver: &'a str,
    status: &'static str,
    alerts: Vec<Alert>,
    group_labels: Labels,
    common_labels: Labels,
    common_annotations: Labels,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    version: &'static str,
    group_key: String,
    truncated_alerts: u32,
    route_labels: Labels,
    #[serde(rename = "notification_reason")]
    reason: &'static str,
}

impl Payload<'_> {
    fn of(parcel: &Parcel) -> Payload<'_> {
        let notice = &*parcel.notice;
        let over = |ended: bool| ended || notice.kind == alert::Kind::Resolved;
        let url = parcel.url.as_deref();
        let alerts: Vec<Alert> = notice
            .alerts
            .iter()
            .map(|one| Alert::new(one, over(one.ended.is_some()), notice.at, url))
            .collect();
        let common = prometheus::common(alerts.iter().map(|alert| &alert.labels));
        let firing = alerts.iter().any(|alert| alert.status == "firing");
        Payload {
            receiver: &notice.contact,
            status: if firing { "firing" } else { "resolved" },
            group_key: prometheus::group_key(&common),
            group_labels: common.clone(),
            common_labels: common,
            common_annotations: prometheus::common(alerts.iter().map(|alert| &alert.annotations)),
            alerts,
            external_url: url.unwrap_or_default(),
            version: "4",
            truncated_alerts: notice.more,
            route_labels: Labels::new(),
            reason: reason(notice.kind),
        }
    }
}

/// Which of Alertmanager's reasons comes nearest.
const fn reason(kind: alert::Kind) -> &'static str {
    match kind {
        alert::Kind::Firing | alert::Kind::Test => "first notification",
        alert::Kind::Escalated | alert::Kind::Reminder | alert::Kind::Flapping => "repeat interval elapsed",
        alert::Kind::Resolved => "all alerts resolved",
    }
}

/// Signs as Standard Webhooks says.
struct Signer {
    key: Key,
}

impl Signer {
    fn build(build: &mut Build<'_>, secret: &Text) -> Option<Signer> {
        let filled = build.secret("secret", secret)?;
        let signer = Signer::new(filled.expose_secret());
        if signer.is_none() {
            build.fault_with_hint(
                "secret",
                "the value is no signing secret, which is `whsec_` and base64 of 24 to 64 bytes",
                "make one with: echo \"whsec_$(openssl rand -base64 32)\"",
            );
        }
        signer
    }

    fn new(secret: &str) -> Option<Signer> {
        let key = Key::new(secret).filter(|key| (24..=64).contains(&key.bytes()))?;
        Some(Signer { key })
    }

    fn sign(&self, headers: &mut HeaderMap, id: &str, at: Timestamp, message: &[u8]) {
        let seconds = at.as_second().to_string();
        let signature = self.key.sign(id, &seconds, message);
        for (name, value) in
            [("webhook-id", id), ("webhook-timestamp", &seconds), ("webhook-signature", &signature)]
        {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_secret_is_refused() {
        for wrong in ["", "whsec_", "whsec_short", "hunter2", "whsec_AAAA"] {
            assert!(Signer::new(wrong).is_none(), "{wrong}");
        }
    }
}
