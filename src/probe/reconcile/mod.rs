//! `reconcile`: whether Square's book and the shop's own say the same of the money.
//!
//! A webhook that was lost, a row that was written twice or never, a sandbox's payment in the real table: each is money that
//! only one side knows, and neither side alone can see it. So payments that Square calls COMPLETED are laid beside the rows of
//! the shop, by id, amount and status. Nothing is called missing at the edges of the window: each side is read a
//! `slack` further than it is judged, and a row without a payment is asked for at Square by its id.
//!
//! | the row says | Square may say |
//! |---|---|
//! | PAID, COMPLETED | COMPLETED |
//! | REFUNDED | COMPLETED with a refund, or whatever took no money |
//! | PENDING, APPROVED, FAILED, CANCELED, CANCELLED | APPROVED, PENDING, CANCELED, FAILED; or nothing |

mod book;
mod compare;
mod look;
mod rows;
pub mod webhook_log;
mod words;

use super::database::{self, ask};
use super::square::CALLS_MAX_MAX;
use super::square::access::Account;
use super::square::patience::Patience;
use super::{Build, Kind, MeasureInfo, Run};
use crate::config::text::Text;
use crate::config::value::Period;
use look::Reconciliation;
use schemars::JsonSchema;
use serde::Deserialize;

/// Compares the payments that Square has taken with the rows that the shop has written.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// The account whose payments are compared.
    square: Account,
    /// The shop's database: `postgresql://user:password@host:5432/database`, also through a pooler and with Prisma's
    /// parameters, or `sqlite:/path/to/file`.
    url: Text,
    /// A file with certificates (PEM) to trust beside the system's; without `sslmode` in the address it means `verify-full`.
    ca: Option<Text>,
    /// One `select` with `$from` and `$to` and with these columns, by these aliases, and no others: `id`, Square's id of the
    /// payment; `cents`, the amount in the smallest unit of the currency, with the tip or without; `status`, of
    /// which PAID and COMPLETED mean that the money is there. REFUNDED, PENDING, APPROVED, FAILED and CANCELED are known
    /// too; others have to be mapped with `case`. It is asked twice: for the window, and for `slack` around it.
    query: Text,
    /// The currency of the shop's amounts, ISO 4217. A payment in another is told of and not compared.
    #[serde(default = "dollars")]
    currency: Text,
    /// How far back payments are compared.
    #[serde(default = "day")]
    window: Period,
    /// The window ends this long ago: Square shows a payment some seconds late, and the shop writes its row when the
    /// webhook came.
    #[serde(default = "two_minutes")]
    lag: Period,
    /// How far a row's time may be from its payment's: so much further than the window both sides are read.
    #[serde(default = "hour")]
    slack: Period,
    /// A discrepancy is `degraded` up to so much money at risk, in the smallest unit of the currency, and `failed` above.
    #[serde(default)]
    failed_above_cents: u64,
    /// The most rows that the query may give, at most 20000. More is `unknown`, not a part of the truth.
    #[serde(default = "rows_max_default")]
    rows_max: u32,
    /// The most calls to Square that one run may make; each page of 100 payments is a call, and so is each of the at
    /// most ten rows that are asked for by their id.
    #[serde(default = "calls_max_default")]
    calls_max: u32,
}

fn dollars() -> Text {
    Text::from("USD")
}

const fn day() -> Period {
    Period::from_secs(24 * 3_600)
}

const fn two_minutes() -> Period {
    Period::from_secs(120)
}

const fn hour() -> Period {
    Period::from_secs(3_600)
}

const fn rows_max_default() -> u32 {
    5_000
}

const fn calls_max_default() -> u32 {
    30
}

/// Past this a run copies the shop's table.
const ROWS_MAX: u32 = 20_000;

const MEASURES: &[MeasureInfo] = &[
    MeasureInfo {
        name: "payments_compared",
        help: "Payments of the window that Square, the shop or both hold to be paid.",
    },
    MeasureInfo {
        name: "payments_missing_here",
        help: "Payments that Square has taken and the shop has no row for.",
    },
    MeasureInfo {
        name: "payments_missing_there",
        help: "Rows that the shop holds to be paid and that Square has no payment for.",
    },
    MeasureInfo {
        name: "payment_amounts_different",
        help: "Payments that both sides hold to be paid, with different amounts.",
    },
    MeasureInfo {
        name: "payment_statuses_different",
        help: "Payments that one side holds to be paid and the other not, or paid back.",
    },
    MeasureInfo {
        name: "money_at_risk_major_units",
        help: "Money that only one side holds to be there, in whole units (dollars) of the currency: what is missing on either side, and by how much amounts differ.",
    },
    MeasureInfo { name: "calls", help: "Calls that the run made to Square." },
];

impl Kind for Reconcile {
    fn name(&self) -> &'static str {
        "reconcile"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        MEASURES
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        // All are asked before any is given up on, so that all that is wrong is told at once.
        let access = self.square.access("square");
        let client = access.client(build);
        let locations = access.locations(build);
        let address = database::address(build, "url", &self.url, self.ca.as_ref());
        let query = build.text("query", &self.query);
        let currency = self.currency(build);
        let bounds = self.check_bounds(locations.as_ref().map_or(0, Vec::len), build);
        let (address, query) = (address?, query?);
        let template = ask::template(build, &query, &address)?;
        if !template.has_window() {
            build.fault("query", "the query has no `$from` and `$to`, so it would read the whole table");
            return None;
        }
        if let Some(wrong) = rows::wrong_columns(&query) {
            build.fault("query", wrong);
            return None;
        }
        bounds?;
        Some(Box::new(Reconciliation {
            client: client?,
            locations: locations?,
            address,
            template,
            currency: currency?,
            window: self.window.get(),
            lag: self.lag.get(),
            slack: self.slack.get(),
            failed_above_cents: self.failed_above_cents,
            rows_max: usize::try_from(self.rows_max).unwrap_or(usize::MAX),
            calls_max: self.calls_max,
            patience: Patience::new(build.every),
        }))
    }
}

impl Reconcile {
    fn currency(&self, build: &mut Build<'_>) -> Option<String> {
        let currency = build.text("currency", &self.currency)?;
        if currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Some(currency);
        }
        let raw = self.currency.raw();
        build.fault("currency", format!("`{raw}` is not the code of a currency such as \"USD\""));
        None
    }

    /// The locations where none is named, a page for each, and one payment by its id are the least.
    fn check_bounds(&self, locations: usize, build: &mut Build<'_>) -> Option<()> {
        let least = 2 + u32::try_from(locations).unwrap_or(u32::MAX - 2).max(1);
        let calls = (least..=CALLS_MAX_MAX).contains(&self.calls_max);
        if !calls {
            let text = format!(
                "{} is not between {least}, which one look needs, and {CALLS_MAX_MAX}",
                self.calls_max
            );
            build.fault("calls_max", text);
        }
        let rows = (1..=ROWS_MAX).contains(&self.rows_max);
        if !rows {
            build.fault("rows_max", format!("`{}` is not between 1 and {ROWS_MAX}", self.rows_max));
        }
        (calls && rows).then_some(())
    }
}
