//! `upstash`: whether Upstash's REST interface answers, how full the plan is, and whether the shop's rate
//! limiting is really in use.
//!
//! A rate limiter that can't reach its store lets everybody through and says nothing. What it leaves behind
//! when it works are its analytics: a sorted set for each hour, whose size is asked for here. One call a run;
//! every command in it is billed, so the last hour's sets, which no longer change, are asked for once.
//! <https://upstash.com/docs/redis/features/restapi>, and `@upstash/ratelimit` for the keys.

mod evidence;
mod pipeline;

use super::api::{self, Gate};
use super::redis::refusal;
use super::redis::{Counts, info};
use super::{Build, Context, Kind, MeasureInfo, Run, Running};
use crate::config::text::Text;
use crate::outcome::{Class, Fault, Outcome};
use evidence::Evidence;
use pipeline::{Command, Item, Pipeline};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::{LazyLock, Mutex, PoisonError};
use url::Url;

const OWN_MEASURES: &[MeasureInfo] =
    &[MeasureInfo { name: "commands", help: "Commands that this run has asked for; each is billed." }];

static MEASURES: LazyLock<Vec<MeasureInfo>> =
    LazyLock::new(|| [info::MEASURES, evidence::MEASURES, evidence::BLOCKED_MEASURES, OWN_MEASURES].concat());

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstash {
    /// The address of the REST interface: `${UPSTASH_REDIS_REST_URL}`.
    url: Text,
    /// `${UPSTASH_REDIS_REST_TOKEN}`. A read-only token is enough, though it may not see `INFO`.
    token: Text,
    /// Prefixes of `@upstash/ratelimit` whose use is to be evidenced, as in the shop's code: "checkout_rl".
    #[serde(default)]
    rate_limits: Vec<Text>,
    /// Also count the requests that were blocked. One more command for each prefix. The identifiers of callers
    /// (often their IP addresses) are then among what Upstash answers; they are neither kept nor shown.
    #[serde(default)]
    blocked: bool,
    /// The value of the shop's `BYPASS_RATE_LIMIT`; "true" is a failure.
    bypass: Option<Text>,
    /// Also ask for memory, keys, hits and the like (`INFO`).
    #[serde(default = "yes")]
    info: bool,
}

fn yes() -> bool {
    true
}

struct Look {
    client: reqwest::Client,
    url: Url,
    token: SecretString,
    evidence: Evidence,
    bypassed: bool,
    info: bool,
    counts: Mutex<Counts>,
    gate: Gate,
}

impl Kind for Upstash {
    fn name(&self) -> &'static str {
        "upstash"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        &MEASURES
    }

    fn may_yield(&self, measure: &str) -> bool {
        let among = |list: &[MeasureInfo]| list.iter().any(|info| info.name == measure);
        let limits = !self.rate_limits.is_empty();
        among(OWN_MEASURES)
            || self.info && among(info::MEASURES)
            || limits && among(evidence::MEASURES)
            || limits && self.blocked && among(evidence::BLOCKED_MEASURES)
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        let url = build.secret("url", &self.url);
        let token = build.secret("token", &self.token);
        let bypass = self.bypass.as_ref().map(|text| build.text("bypass", text));
        let prefixes: Vec<_> = self.rate_limits.iter().map(|text| build.text("rate_limits", text)).collect();
        if self.blocked && prefixes.is_empty() {
            build.fault("blocked", "without `rate_limits` there is nothing to count");
            return None;
        }
        let url = address(build, &url?)?;
        let token = token?;
        if token.expose_secret().trim().is_empty() {
            build.fault("token", "the token is empty");
            return None;
        }
        let bypassed = match bypass {
            Some(value) => value?.trim().eq_ignore_ascii_case("true"),
            None => false,
        };
        let evidence = Evidence::new(prefixes.into_iter().collect::<Option<_>>()?, self.blocked);
        Some(Box::new(Look {
            client: build.net.api.clone(),
            url,
            token,
            evidence,
            bypassed,
            info: self.info,
            counts: Mutex::default(),
            gate: Gate::default(),
        }))
    }
}

/// Where pipelines are sent to. What is wrong is said without showing the value: a token may have been put here.
fn address(build: &mut Build<'_>, text: &SecretString) -> Option<Url> {
    let text = text.expose_secret().trim().trim_end_matches('/');
    if text.starts_with("redis://") || text.starts_with("rediss://") {
        build.fault_with_hint(
            "url",
            "this is the address for the protocol of Redis; the REST interface has one that begins with `https://`",
            "for the protocol of Redis there is `probe.redis`",
        );
        return None;
    }
    let url = Url::parse(&format!("{text}/pipeline")).ok();
    let url = url.filter(|url| matches!(url.scheme(), "https" | "http") && url.query().is_none());
    if url.is_none() {
        build.fault("url", "this is no web address such as `https://name-12345.upstash.io`");
    }
    url
}

impl Run for Look {
    fn run<'a>(&'a self, cx: &'a Context) -> Running<'a> {
        Box::pin(async {
            let mut outcome = Outcome::ok();
            if self.bypassed {
                let text =
                    "rate limiting is bypassed: the shop's BYPASS_RATE_LIMIT is `true`; unset it and deploy";
                outcome.fault(Fault::failed(Class::Assertion, text));
            }
            if let Err(fault) = self.look(cx, &mut outcome).await {
                outcome.fault(fault);
            }
            api::redact(&mut outcome, &self.token);
            outcome
        })
    }
}

impl Look {
    async fn look(&self, cx: &Context, outcome: &mut Outcome) -> Result<(), Fault> {
        self.gate.open()?;
        let mut commands = vec![Command::of(&["PING"])];
        if self.info {
            commands.push(Command::of(&["INFO"]));
        }
        let first_of_evidence = commands.len();
        let asked = self.evidence.ask(cx.now, &mut commands);
        outcome.measure("commands", commands.len() as f64);
        let pipeline =
            Pipeline { client: &self.client, url: &self.url, token: &self.token, gate: &self.gate };
        let mut items = pipeline.run(cx, &commands).await?;
        let evidence = items.split_off(first_of_evidence);
        let mut items = items.into_iter();
        self.ping(items.next(), outcome)?;
        if let Some(item) = items.next() {
            self.measure(item, outcome);
        }
        self.evidence.judge(&asked, evidence, &self.token, outcome);
        Ok(())
    }

    fn ping(&self, item: Option<Item>, outcome: &mut Outcome) -> Result<(), Fault> {
        match item {
            Some(Item::Result(value)) if value.as_str() == Some("PONG") => Ok(()),
            Some(Item::Error(line)) if refusal::is_no_permission(&line) => {
                outcome.note("the token may not PING; Upstash is alive all the same");
                Ok(())
            }
            Some(Item::Error(line)) => Err(refusal::fault("PING at Upstash", &line, &self.token)),
            _ => Err(Fault::failed(Class::Protocol, "Upstash answers PING with something else than PONG")),
        }
    }

    fn measure(&self, item: Item, outcome: &mut Outcome) {
        match item {
            Item::Result(value) => match value.as_str() {
                Some(text) => {
                    let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
                    info::measure(text, &counts, outcome);
                    counts.keep(outcome);
                }
                None => outcome.note("INFO answers something that is no text: no measures"),
            },
            Item::Error(line) if refusal::is_no_permission(&line) => outcome.note(
                "the token may not ask INFO (a read-only one may not): no measures; set `info = false` to save the command",
            ),
            Item::Error(line) => {
                let mut fault = refusal::fault("INFO at Upstash", &line, &self.token);
                if fault.class == Class::Quota {
                    outcome.fault(fault);
                } else {
                    fault.text.push_str(": no measures");
                    outcome.note(fault.text);
                }
            }
        }
    }
}
