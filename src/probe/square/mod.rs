//! `square`: whether Square takes the shop's payments.
//!
//! A run asks, in this order and never with more calls than `calls_max`: whether the token is alive and of
//! which application, the locations, the webhook subscriptions where wanted, and the payments of a window
//! over all locations. A declined card is no fault of Square's and never of this probe's: the counts are
//! measures, and limits and objectives judge them.

pub mod answer;
mod client;
mod environment;
mod judge;
mod look;
mod payments;
pub mod reason;
mod time;
mod wait;

use super::api::Gate;
use super::{Build, Kind, MeasureInfo, Run};
use crate::config::text::Text;
use crate::config::value::Period;
use client::Client;
use environment::Environment;
use look::Watch;
use reqwest::header::HeaderValue;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Mutex;

/// The version of Square's API that the shop's generation of SDKs speaks.
const VERSION: &str = "2026-05-20";
/// More is no watching but copying.
const CALLS_MAX_MAX: u32 = 500;

/// Square: the token, the environment, the locations, the payments of the last while, the webhooks.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Square {
    /// The access token, best of an application of its own that may only read: MERCHANT_PROFILE_READ and
    /// PAYMENTS_READ.
    token: Text,
    /// The environment that is expected to answer: `production` or `sandbox`.
    environment: Text,
    /// Where Square is, in place of the environment's own host: for simulators and proxies. Empty is as left out.
    api_url: Option<Text>,
    /// The application id that the shop's checkout uses; it must belong to the same environment and to the
    /// token. Empty is as left out.
    application_id: Option<Text>,
    /// Ids of locations that must be there, be active and take cards; payments are counted over these. Without
    /// any: over all that are active, of which one at least must take cards.
    #[serde(default)]
    locations: Vec<Text>,
    /// How far back payments are counted.
    #[serde(default = "hour")]
    window: Period,
    /// The window ends this long ago, since Square may show a payment some seconds late.
    #[serde(default = "ten_seconds")]
    settling: Period,
    /// Whether to look at the webhook subscriptions too. Only the application's own personal token may see them;
    /// with another, that is noted.
    #[serde(default)]
    webhooks: bool,
    /// The most calls that one run may make; each page of 100 payments is a call. Counts of a window that needs
    /// more are marked as incomplete.
    #[serde(default = "twelve")]
    calls_max: u32,
    /// The version of Square's API, `YYYY-MM-DD`, so that an upgrade of the application changes nothing here.
    #[serde(default)]
    version: Version,
}

const fn hour() -> Period {
    Period::from_secs(3_600)
}

const fn ten_seconds() -> Period {
    Period::from_secs(10)
}

const fn twelve() -> u32 {
    12
}

/// A release of Square's API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Version(String);

impl Default for Version {
    fn default() -> Version {
        Version(VERSION.to_owned())
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Version, String> {
        match text.parse::<jiff::civil::Date>() {
            Ok(date) if date.to_string() == text => Ok(Version(text)),
            _ => Err(format!("`{text}` is not a version of Square's API such as \"{VERSION}\"")),
        }
    }
}

impl JsonSchema for Version {
    fn schema_name() -> Cow<'static, str> {
        "SquareVersion".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "examples": [VERSION] })
    }
}

/// Attempted are payments that came to an end, well or badly: succeeded, declined and failed. One that is
/// pending has not ended; one that was cancelled was ended by the shop, and is neither good nor bad. A
/// customer who is declined and tries again makes two attempts. Where a call fails there are no counts at all,
/// since half of them would be wrong.
const MEASURES: &[MeasureInfo] = &[
    MeasureInfo {
        name: "payments_attempted",
        help: "Payments of the window that succeeded, were declined or failed.",
    },
    MeasureInfo {
        name: "payments_succeeded",
        help: "Payments of the window that are approved or completed.",
    },
    MeasureInfo {
        name: "payments_declined",
        help: "Payments of the window that failed for a reason of the customer, the card or its issuer.",
    },
    MeasureInfo {
        name: "payments_failed",
        help: "Payments of the window that failed for a reason of the shop, its account, its integration or Square, or for none that was named.",
    },
    MeasureInfo { name: "payments_pending", help: "Payments of the window that have not ended yet." },
    MeasureInfo {
        name: "payments_cancelled",
        help: "Payments of the window that were voided or never captured: neither good nor bad.",
    },
    MeasureInfo {
        name: "payments_unrecognized",
        help: "Payments of the window with a status that Atalaya does not know.",
    },
    MeasureInfo {
        name: "payments_complete",
        help: "1 where all payments of the window were seen, 0 where the calls did not suffice and counts are lower bounds.",
    },
    MeasureInfo {
        name: "payment_errors",
        help: "Declined and failed payments of the window by the code that Square gives as the reason.",
    },
    MeasureInfo {
        name: "payments_value_minor_units",
        help: "Money of the payments that succeeded in the window, tips included, refunds not subtracted, in minor units (cents) of the currency.",
    },
    MeasureInfo {
        name: "newest_payment_age_seconds",
        help: "Time since the newest payment, whatever became of it, also where it is older than the window.",
    },
    MeasureInfo { name: "locations_active", help: "Locations of the account that are active." },
    MeasureInfo { name: "locations_taking_cards", help: "Active locations that can take cards." },
    MeasureInfo { name: "webhook_subscriptions_enabled", help: "Webhook subscriptions that are enabled." },
    MeasureInfo {
        name: "webhook_subscriptions_disabled",
        help: "Webhook subscriptions that are disabled; Square does that by itself after weeks without an answer.",
    },
    MeasureInfo {
        name: "token_expiry_seconds",
        help: "Time until the access token expires, negative when it has; absent for a token that never does.",
    },
    MeasureInfo { name: "calls", help: "Calls that the run made to Square." },
];

impl Kind for Square {
    fn name(&self) -> &'static str {
        "square"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        MEASURES
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        // All are asked before any is given up on, so that all that is wrong is told at once.
        let authorization = self.authorization(build);
        let environment = self.environment(build);
        let base = environment.and_then(|environment| self.base(environment, build));
        let application_id = optional("application_id", self.application_id.as_ref(), build);
        let locations = self.locations(build);
        self.check_calls(locations.as_ref().map_or(0, Vec::len), build)?;
        let client = Client {
            http: build.net.api.clone(),
            base: base?,
            environment: environment?,
            token: build.secret("token", &self.token)?,
            authorization: authorization?,
            version: HeaderValue::from_str(&self.version.0).ok()?,
        };
        Some(Box::new(Watch {
            client,
            application_id: application_id?,
            locations: locations?,
            window: self.window.get(),
            settling: self.settling.get(),
            webhooks: self.webhooks,
            calls_max: self.calls_max,
            every: build.every,
            gate: Gate::default(),
            memory: Mutex::default(),
        }))
    }
}

impl Square {
    fn authorization(&self, build: &mut Build<'_>) -> Option<HeaderValue> {
        let token = build.secret("token", &self.token)?;
        let token = token.expose_secret();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            let raw = self.token.raw();
            build.fault_with_hint(
                "token",
                format!("`{raw}` is empty, or holds a space or another character that no token has"),
                "give the access token alone, without `Bearer`",
            );
            return None;
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        authorization.set_sensitive(true);
        Some(authorization)
    }

    fn environment(&self, build: &mut Build<'_>) -> Option<Environment> {
        let name = build.text("environment", &self.environment)?;
        let environment = Environment::from_name(&name);
        if environment.is_none() {
            let raw = self.environment.raw();
            build.fault("environment", format!("`{raw}` is neither \"production\" nor \"sandbox\""));
        }
        environment
    }

    fn base(&self, environment: Environment, build: &mut Build<'_>) -> Option<String> {
        let given = optional("api_url", self.api_url.as_ref(), build)?;
        if given.is_empty() {
            return Some(format!("https://{}", environment.host()));
        }
        match environment::base_of(&given, environment) {
            Ok(base) => Some(base),
            Err(why) => {
                let raw = self.api_url.as_ref().map_or("", Text::raw);
                build.fault("api_url", format!("`{raw}` {why}"));
                None
            }
        }
    }

    /// The ids that are there after holes are filled; `${SQUARE_LOCATION_ID:-}` may be none.
    fn locations(&self, build: &mut Build<'_>) -> Option<Vec<String>> {
        let filled: Vec<_> = self
            .locations
            .iter()
            .enumerate()
            .map(|(at, text)| build.text(&format!("locations.{at}"), text))
            .collect();
        let ids: BTreeSet<_> = filled.into_iter().collect::<Option<_>>()?;
        Some(ids.into_iter().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect())
    }

    /// The token, the locations, the webhooks and one page for each location are the least.
    fn check_calls(&self, locations: usize, build: &mut Build<'_>) -> Option<()> {
        let least = 2 + u32::from(self.webhooks) + u32::try_from(locations).unwrap_or(u32::MAX - 3).max(1);
        if (least..=CALLS_MAX_MAX).contains(&self.calls_max) {
            return Some(());
        }
        let given = self.calls_max;
        build.fault(
            "calls_max",
            format!("{given} is not between {least}, which one look needs, and {CALLS_MAX_MAX}"),
        );
        None
    }
}

/// Nothing for what is left out; `None` where a fault was reported.
fn optional(key: &str, text: Option<&Text>, build: &mut Build<'_>) -> Option<String> {
    let filled = text.map_or_else(|| Some(String::new()), |text| build.text(key, text))?;
    Some(filled.trim().to_owned())
}
