//! `resend`: whether the shop's key is alive, its sender's domain verified, its quota not used up, and what
//! became of the last emails.
//!
//! The shop sends with the same few requests a second, so a run makes two calls (one without `emails`), one
//! more for each demanded domain that is not verified, and never takes the last request of a second.
//! <https://resend.com/docs/api-reference>

mod client;
mod domains;
mod emails;
mod sender;

use super::api::{self, Gate};
use super::{Build, Context, Kind, MeasureInfo, Run, Running};
use crate::config::text::Text;
use crate::config::value::Period;
use crate::outcome::{Class, Fault, Outcome};
use client::{Client, Refusal};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::LazyLock;
use std::time::Duration;
use url::Url;

const API: &str = "https://api.resend.com";

const OWN_MEASURES: &[MeasureInfo] = &[
    MeasureInfo { name: "calls", help: "Calls that this run has made." },
    MeasureInfo {
        name: "limited_sight",
        help: "1 where the key may only send, so that nothing else is seen; else 0.",
    },
    MeasureInfo { name: "rate_limit", help: "Requests a second that Resend allows; the shop shares them." },
    MeasureInfo {
        name: "rate_limit_remaining",
        help: "Requests that were left of those, at the least, in this run.",
    },
];

const QUOTA_MEASURES: &[MeasureInfo] = &[
    MeasureInfo {
        name: "daily_quota_used",
        help: "Emails sent today: as Resend tells it, else of the newest hundred where `daily_quota` is set.",
    },
    MeasureInfo { name: "monthly_quota_used", help: "Emails sent this month, where Resend tells it." },
    MeasureInfo { name: "daily_quota_used_ratio", help: "Emails sent today against `daily_quota`." },
    MeasureInfo { name: "monthly_quota_used_ratio", help: "Emails sent this month against `monthly_quota`." },
];

static MEASURES: LazyLock<Vec<MeasureInfo>> =
    LazyLock::new(|| [domains::MEASURES, emails::MEASURES, QUOTA_MEASURES, OWN_MEASURES].concat());

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resend {
    /// `${RESEND_API_KEY}`. A sending-only key is enough to see that it is alive, and shows no more.
    key: Text,
    /// Domains that must be verified. A sender is taken too: "shop.example", "orders@shop.example" or
    /// "The Shop <orders@shop.example>", so "${FROM_EMAIL}" will do.
    #[serde(default)]
    domains: Vec<Text>,
    /// Also see what became of the last hundred emails (their status only). One more call.
    #[serde(default = "yes")]
    emails: bool,
    /// How far back an email is recent.
    #[serde(default = "a_day")]
    recent: Period,
    /// Emails that the plan allows a day (the free one 100), for `daily_quota_used_ratio`.
    daily_quota: Option<u32>,
    /// Emails that the plan allows a month (the free one 3000), for `monthly_quota_used_ratio`.
    monthly_quota: Option<u32>,
    /// The address of the API, where it is another than Resend's own.
    api_url: Option<Text>,
}

fn yes() -> bool {
    true
}

fn a_day() -> Period {
    Period::from_secs(86_400)
}

struct Look {
    client: reqwest::Client,
    api: Url,
    key: SecretString,
    domains: Vec<String>,
    recent: Option<Duration>,
    daily_quota: Option<u32>,
    monthly_quota: Option<u32>,
    gate: Gate,
}

impl Kind for Resend {
    fn name(&self) -> &'static str {
        "resend"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        &MEASURES
    }

    fn may_yield(&self, measure: &str) -> bool {
        let wanted = match measure {
            "daily_quota_used_ratio" => self.daily_quota.is_some(),
            "monthly_quota_used_ratio" => self.monthly_quota.is_some(),
            _ => self.emails || !emails::MEASURES.iter().any(|info| info.name == measure),
        };
        wanted && MEASURES.iter().any(|info| info.name == measure)
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        let key = build.secret("key", &self.key);
        let domains: Vec<_> = self.domains.iter().map(|text| domain(build, text)).collect();
        let api = match &self.api_url {
            Some(text) => address(build, text),
            None => Url::parse(API).ok(),
        };
        for (name, quota) in [("daily_quota", self.daily_quota), ("monthly_quota", self.monthly_quota)] {
            if quota == Some(0) {
                build.fault(name, "a quota of no emails allows none; leave it out where there is none");
            }
        }
        let key = SecretString::from(key?.expose_secret().trim());
        // What a header can't carry can't be a key, and would be told as a broken request.
        if key.expose_secret().is_empty() || !key.expose_secret().bytes().all(|byte| byte.is_ascii_graphic())
        {
            build.fault("key", "this is no API key, which is `re_` and letters, digits and `_`");
            return None;
        }
        let mut domains = domains.into_iter().collect::<Option<Vec<_>>>()?;
        domains.sort();
        domains.dedup();
        Some(Box::new(Look {
            client: build.net.api.clone(),
            api: api?,
            key,
            domains,
            recent: self.emails.then(|| self.recent.get()),
            daily_quota: self.daily_quota,
            monthly_quota: self.monthly_quota,
            gate: Gate::default(),
        }))
    }
}

fn domain(build: &mut Build<'_>, text: &Text) -> Option<String> {
    let filled = build.text("domains", text)?;
    let found = sender::domain(&filled);
    if found.is_none() {
        let raw = text.raw();
        build.fault("domains", format!("`{raw}` is neither a domain nor an email address with one"));
    }
    found
}

fn address(build: &mut Build<'_>, text: &Text) -> Option<Url> {
    let filled = build.text("api_url", text)?;
    let url = Url::parse(&filled).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
    if url.is_none() {
        build.fault("api_url", format!("`{}` is no web address such as `{API}`", text.raw()));
    }
    url
}

impl Run for Look {
    fn run<'a>(&'a self, cx: &'a Context) -> Running<'a> {
        Box::pin(async {
            let mut outcome = Outcome::ok();
            let mut client = Client::new(&self.client, &self.api, &self.key, &self.gate);
            let looked = self.look(cx, &mut client, &mut outcome).await;
            if let Err(fault) = looked {
                outcome.fault(fault);
            }
            client.measure(&mut outcome);
            self.quotas(&client, &mut outcome);
            api::redact(&mut outcome, &self.key);
            outcome
        })
    }
}

impl Look {
    async fn look(&self, cx: &Context, client: &mut Client<'_>, outcome: &mut Outcome) -> Result<(), Fault> {
        let all = match domains::all(cx, client).await {
            Ok(all) => all,
            Err(Refusal::LimitedSight) => {
                outcome.measure("limited_sight", 1.0);
                outcome.note(
                    "the key is alive and may only send: domains and emails can't be seen; a key with full access shows them",
                );
                return Ok(());
            }
            Err(Refusal::Fault(fault)) => return Err(fault),
        };
        outcome.measure("limited_sight", 0.0);
        domains::judge(cx, client, &all, &self.domains, outcome).await;
        if let Some(recent) = self.recent {
            match emails::latest(cx, client).await {
                Ok(latest) => {
                    emails::measure(&latest, cx.now, recent, outcome);
                    if self.daily_quota.is_some() {
                        client.daily_quota_used.get_or_insert(emails::today(&latest, cx.now));
                    }
                }
                Err(Refusal::LimitedSight) => outcome.note("the key may not list emails: none are measured"),
                // What was seen before still holds: the limit is shared, and others were quicker.
                Err(Refusal::Fault(fault)) if client.is_rate_limited() => outcome.note(fault.text),
                Err(Refusal::Fault(fault)) => outcome.fault(fault),
            }
        }
        Ok(())
    }

    fn quotas(&self, client: &Client<'_>, outcome: &mut Outcome) {
        let quotas = [
            (client.daily_quota_used, self.daily_quota, "daily_quota_used", "daily_quota_used_ratio", "day"),
            (
                client.monthly_quota_used,
                self.monthly_quota,
                "monthly_quota_used",
                "monthly_quota_used_ratio",
                "month",
            ),
        ];
        for (used, quota, name, ratio, period) in quotas {
            let Some(used) = used else { continue };
            outcome.measure(name, used);
            let Some(quota) = quota.map(f64::from) else { continue };
            outcome.measure(ratio, used / quota);
            if used >= quota {
                let text =
                    format!("the {period}'s quota of {quota} emails is used up: the shop's mail is stopped");
                outcome.fault(Fault::failed(Class::Quota, text));
            }
        }
    }
}
