//! `square`: whether Square takes the shop's payments.
//!
//! A run asks, in this order and never with more calls than `calls_max`: whether the token is alive and of
//! which application, the locations, the webhook subscriptions where wanted, and the payments of a window
//! over all locations. A declined card is no fault of Square's and never of this probe's: the counts are
//! measures, and limits and objectives judge them.

pub mod access;
pub mod answer;
pub mod client;
pub mod environment;
mod judge;
mod look;
pub mod pages;
pub mod patience;
pub mod payments;
pub mod reason;
pub mod time;
mod wait;

use super::{Build, Kind, MeasureInfo, Run};
use crate::config::text::Text;
use crate::config::value::Period;
use access::{Access, Version};
use look::Watch;
use patience::Patience;
pub use payments::Window;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Mutex;

/// More is no watching but copying.
pub const CALLS_MAX_MAX: u32 = 500;

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
        let access = self.access();
        let client = access.client(build);
        let application_id = access::optional("application_id", self.application_id.as_ref(), build);
        let locations = access.locations(build);
        self.check_calls(locations.as_ref().map_or(0, Vec::len), build)?;
        Some(Box::new(Watch {
            client: client?,
            application_id: application_id?,
            locations: locations?,
            window: self.window.get(),
            settling: self.settling.get(),
            webhooks: self.webhooks,
            calls_max: self.calls_max,
            patience: Patience::new(build.every),
            newest: Mutex::default(),
        }))
    }
}

impl Square {
    fn access(&self) -> Access<'_> {
        Access {
            key: None,
            token: &self.token,
            environment: &self.environment,
            api_url: self.api_url.as_ref(),
            locations: &self.locations,
            version: &self.version,
        }
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
