//! `webhook_log`: whether the shop has taken in what its vendor sent.
//!
//! A vendor that sends its webhooks to Atalaya too tells it of the same events as the shop. An event that came here and is in
//! none of the shop's rows was lost on its way, refused, or thrown away: the order that it belongs to stays as it is. Only
//! a running agent can tell, since only that is sent anything.

use crate::config::text::Text;
use crate::config::value::Period;
use crate::ingest::{Received, Vendor};
use crate::outcome::{Class, Fault, Outcome};
use crate::probe::database::address::Address;
use crate::probe::database::ask::{self, Open};
use crate::probe::database::cell::{Cell, Table};
use crate::probe::database::template::{Moment, Template};
use crate::probe::database::{self, token};
use crate::probe::{Build, Context, Examine, Kind, MeasureInfo, Run, api};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// Compares the webhooks that a vendor sent here with those that the shop has logged.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookLog {
    /// Whose webhooks: `square` or `resend`. Both subscriptions, the shop's and Atalaya's, must be for the same types of events.
    vendor: Vendor,
    /// The key with which the vendor signs what it sends here: without one nothing is received, so where its variable is
    /// not set the check is skipped.
    sent_with: Text,
    /// The shop's database: `postgresql://user:password@host:5432/database`, also through a pooler and with Prisma's
    /// parameters, or `sqlite:/path/to/file`.
    url: Text,
    /// A file with certificates (PEM) to trust beside the system's; without `sslmode` in the address it means `verify-full`.
    ca: Option<Text>,
    /// One `select` with `$from` and `$to` and one column, `id`: the vendor's ids of the events that the shop has logged. It
    /// is asked twice: for the window, and for `slack` around it.
    query: Text,
    /// How far back webhooks are compared.
    #[serde(default = "day")]
    window: Period,
    /// The window ends this long ago: the shop has so much time to log what was sent.
    #[serde(default = "five_minutes")]
    lag: Period,
    /// How far the time at which the shop logged may be from the time at which we were told.
    #[serde(default = "hour")]
    slack: Period,
    /// The most rows that the query may give, at most 50000. More is `unknown`, not a part of the truth.
    #[serde(default = "rows_max_default")]
    rows_max: u32,
}

const fn day() -> Period {
    Period::from_secs(24 * 3_600)
}

const fn five_minutes() -> Period {
    Period::from_secs(300)
}

const fn hour() -> Period {
    Period::from_secs(3_600)
}

const fn rows_max_default() -> u32 {
    10_000
}

/// Past this a run copies the shop's log.
const ROWS_MAX: u32 = 50_000;
/// So many ids are named; a person who looks into it has the tables.
const NAMED_MAX: usize = 5;

const MEASURES: &[MeasureInfo] = &[
    MeasureInfo { name: "webhooks_compared", help: "Webhooks of the window that the vendor sent here." },
    MeasureInfo {
        name: "webhooks_missed",
        help: "Webhooks that the vendor sent here and that the shop has not logged.",
    },
    MeasureInfo {
        name: "webhooks_unheard",
        help: "Webhooks that the shop has logged and that did not come here: sent while nobody listened, or not subscribed to.",
    },
];

impl Kind for WebhookLog {
    fn name(&self) -> &'static str {
        "webhook_log"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        MEASURES
    }

    fn is_heard(&self) -> bool {
        true
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        let key = build.secret("sent_with", &self.sent_with);
        let address = database::address(build, "url", &self.url, self.ca.as_ref());
        let query = build.text("query", &self.query);
        let rows = (1..=ROWS_MAX).contains(&self.rows_max);
        if !rows {
            build.fault("rows_max", format!("`{}` is not between 1 and {ROWS_MAX}", self.rows_max));
        }
        let (address, query) = (address?, query?);
        let template = ask::template(build, &query, &address)?;
        if !template.has_window() {
            build.fault("query", "the query has no `$from` and `$to`, so it would read the whole table");
            return None;
        }
        if token::columns(&query) != ["id"] {
            build.fault("query", "the query must name one column, `id`, and no other");
            return None;
        }
        key?;
        rows.then(|| {
            let rows_max = usize::try_from(self.rows_max).unwrap_or(usize::MAX);
            let (window, lag, slack) = (self.window.get(), self.lag.get(), self.slack.get());
            let log = Log { vendor: self.vendor, address, template, window, lag, slack, rows_max };
            Box::new(log) as Box<dyn Run>
        })
    }
}

struct Log {
    vendor: Vendor,
    address: Address,
    template: Template,
    window: Duration,
    lag: Duration,
    slack: Duration,
    rows_max: usize,
}

/// The ids that each side has: of the window, and of the time around it.
#[derive(Debug, Default)]
struct Sides {
    sent: BTreeSet<String>,
    sent_around: BTreeSet<String>,
    logged: BTreeSet<String>,
    logged_around: BTreeSet<String>,
}

impl Examine for Log {
    async fn examine(&self, cx: &Context, outcome: &mut Outcome) -> Result<(), Fault> {
        let Some(received) = &cx.received else {
            return Err(Fault::unknown(
                Class::Assertion,
                "nothing is received here: only a running agent that takes webhooks in can tell what was missed",
            ));
        };
        let mut sides = Sides::default();
        cx.phase("received");
        self.sent(cx, &**received, &mut sides).await?;
        let mut open = Open::at(&self.address, cx).await?;
        let logged = self.logged(cx, &mut open, &mut sides).await;
        open.close().await;
        logged?;
        self.tell(&sides, outcome)
    }
}

impl Log {
    async fn sent(&self, cx: &Context, received: &dyn Received, sides: &mut Sides) -> Result<(), Fault> {
        let before = |at: jiff::Timestamp, by| at.checked_sub(by).ok();
        let times = before(cx.now, self.lag)
            .and_then(|to| Some((to, before(to, self.window)?)))
            .and_then(|(to, from)| Some((to, from, before(from, self.slack)?)));
        let (to, from, earliest) =
            times.ok_or_else(|| Fault::internal("`window` begins before time does"))?;
        let all = received.letters(self.vendor, earliest, cx.now).await;
        let all = all.map_err(|why| Fault::internal(format!("what was received can't be read: {why}")))?;
        for (id, at) in all {
            if at >= from && at < to {
                sides.sent.insert(id.clone());
            }
            sides.sent_around.insert(id);
        }
        Ok(())
    }

    /// After what was sent, so that it has had all the time to be logged.
    async fn logged(&self, cx: &Context, open: &mut Open<'_>, sides: &mut Sides) -> Result<(), Fault> {
        let to = cx.now.checked_sub(self.lag).unwrap_or(cx.now);
        let latest = cx.now.checked_add(self.slack).unwrap_or(cx.now);
        let around = self.window + self.lag + self.slack * 2;
        sides.logged = self.ask(cx, open, (to, self.window)).await?;
        sides.logged_around = self.ask(cx, open, (latest, around)).await?;
        Ok(())
    }

    async fn ask(
        &self,
        cx: &Context,
        open: &mut Open<'_>,
        (to, window): (jiff::Timestamp, Duration),
    ) -> Result<BTreeSet<String>, Fault> {
        let moment = Moment { now: cx.now, to, window, zone: TimeZone::UTC };
        let table = open.ask(cx, self.template.fill(&moment), self.rows_max).await?;
        if table.more {
            let rows = self.rows_max;
            return Err(Fault::internal(format!(
                "not all was compared: the query gave more than {rows} rows; shorten `window` or raise `rows_max`"
            )));
        }
        ids(&table)
    }

    fn tell(&self, sides: &Sides, outcome: &mut Outcome) -> Result<(), Fault> {
        let vendor = self.vendor.as_str();
        if sides.sent_around.is_empty() && !sides.logged.is_empty() {
            return Err(Fault::unknown(
                Class::Assertion,
                format!(
                    "{vendor} has sent nothing here, while the shop has logged {} webhooks: add Atalaya's address to {vendor}'s subscriptions",
                    sides.logged.len()
                ),
            ));
        }
        let missed: Vec<_> = sides.sent.difference(&sides.logged_around).collect();
        let unheard = sides.logged.difference(&sides.sent_around).count();
        outcome.measure("webhooks_compared", sides.sent.len() as f64);
        outcome.measure("webhooks_missed", missed.len() as f64);
        outcome.measure("webhooks_unheard", unheard as f64);
        if missed.is_empty() {
            return Ok(());
        }
        let named: Vec<_> = missed.iter().take(NAMED_MAX).map(|id| api::word(Some(id))).collect();
        let rest = missed.len() - named.len();
        let more = if rest == 0 { String::new() } else { format!(", and {rest} more") };
        let count = missed.len();
        let what = if count == 1 { "1 webhook".to_owned() } else { format!("{count} webhooks") };
        let text = format!("{what} that {vendor} sent the shop has not logged: {}{more}", named.join(", "));
        Err(Fault::failed(Class::Assertion, text))
    }
}

/// What is no text is no id of a vendor's.
fn ids(table: &Table) -> Result<BTreeSet<String>, Fault> {
    let mut ids = BTreeSet::new();
    for cells in &table.rows {
        match cells.as_slice() {
            [Cell::Text(id)] => drop(ids.insert(id.clone())),
            [Cell::Null] => {}
            _ => {
                let text = "the query must give one column of texts, `id`, and no other";
                return Err(Fault::unknown(Class::Assertion, text));
            }
        }
    }
    Ok(ids)
}
