//! The tables of `alerts/*.toml`, as they stand in the files: objectives, channels, contacts, maintenance, policy.

use crate::alert::Severity;
use crate::config::share::Share;
use crate::config::text::Text;
use crate::config::value::{Bound, Period};
use crate::config::zone::Zone;
use crate::notify::Channel;
use schemars::JsonSchema;
use serde::Deserialize;

/// One `[[slo]]`: the share of good events that is promised over a window.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SloTable {
    /// Its name everywhere: lowercase letters, digits and hyphens. It stays when the title changes.
    pub name: String,
    /// What people read.
    pub title: Option<String>,
    /// Where it shows on pages: `payments`, `site`, `business`, …
    pub section: Option<String>,
    /// Why it is promised.
    pub description: Option<String>,
    /// The share of good events that is promised: `"99.9%"`. A baseline promises none.
    pub objective: Option<Share>,
    /// Over how long; whole days, at most 90. Default: 28 days, so that every window has the same weekdays.
    pub window: Option<Period>,
    /// Which events there are and which of them are good.
    pub indicator: IndicatorTable,
    /// Which events stand for them where the indicator's check is skipped: what the agent sees by itself as long as nobody
    /// tells it of customers.
    pub otherwise: Option<IndicatorTable>,
    /// How it is judged. Default: by burn rates.
    #[serde(default)]
    pub rule: Rule,
    /// Who is told when it must be mended now. Default: `[alerting] page.to`; `[]`: nobody, it never pages.
    pub page: Option<Vec<String>>,
    /// Who is told when it must be mended within days. Default: `[alerting] ticket.to`.
    pub ticket: Option<Vec<String>>,
    /// Who is told what is worth knowing. Default: `[alerting] info.to`.
    pub info: Option<Vec<String>>,
    /// The long windows whose burn rates page: of `1h` and `6h`. Default: both.
    pub page_windows: Option<Vec<Period>>,
    /// The long windows whose burn rates make tickets: of `1d` and `3d`. With `rule = "share"` the windows to judge over. Default: both; for a share, the whole window.
    pub ticket_windows: Option<Vec<Period>>,
    /// Whether few events need evidence beyond their ratio (a significance test, at least three bad ones). Default: true.
    /// Without it the rules are the plain ones of the SRE workbook, as Prometheus would judge.
    pub low_traffic: Option<bool>,
    /// Whether no event at all is a fault once two weeks have taught how many there usually are at that hour.
    #[serde(default)]
    pub drought: bool,
    /// What maintenance means for the budget. Default: it is not counted.
    #[serde(default)]
    pub maintenance: InMaintenance,
    /// A report by calendar months.
    pub report: Option<ReportTable>,
    /// Where it is written what to do.
    pub runbook: Option<String>,
}

/// Which events an objective counts.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum IndicatorTable {
    /// Minutes: one in which at least half of the known runs of any of the checks failed is bad.
    Availability(AvailabilityTable),
    /// Runs of a check: good is one that did not fail and took at most so long.
    Latency(LatencyTable),
    /// What a counting query counts between `$from` and `$to`.
    Counts(CountsTable),
    /// Runs of a check: good is one whose measure is within the bound.
    Measure(MeasureTable),
    /// The mean of a value, against what it usually is.
    Baseline(BaselineTable),
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AvailabilityTable {
    /// Names of checks.
    pub checks: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencyTable {
    /// The name of a check.
    pub check: String,
    /// Good is at most this: `"500ms"`.
    pub below: Period,
}

/// Two of the three; the names are columns of the query.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CountsTable {
    /// The name of a `sql` check whose query uses `$from` and `$to`.
    pub check: String,
    pub good: Option<String>,
    pub bad: Option<String>,
    /// All of them; need not contain the bad ones (support tickets against orders).
    pub total: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasureTable {
    /// The name of a check.
    pub check: String,
    pub measure: String,
    /// A run is good where this holds: `"< 0.8"`.
    pub good: Bound,
}

/// Columns of a counting query: how many, their sum, the sum of their squares.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineTable {
    /// The name of a `sql` check whose query uses `$from` and `$to`.
    pub check: String,
    pub count: String,
    pub sum: String,
    pub squares: String,
    /// What the value is counted in, for people: `USD`.
    pub unit: Option<String>,
}

/// How an objective is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// How fast the error budget burns, over a long and a short window at once.
    #[default]
    BurnRate,
    /// Whether the share over the window is worse than promised beyond chance. For what moves in weeks.
    Share,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InMaintenance {
    /// What happens in maintenance is neither good nor bad.
    #[default]
    Excluded,
    /// It counts like everything else.
    Counted,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportTable {
    /// Where months begin: an IANA name such as `America/Los_Angeles`.
    pub time_zone: Zone,
}

/// One `[[channel]]`: a way to people or systems.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelTable {
    /// Its name everywhere: lowercase letters, digits and hyphens.
    pub name: String,
    /// One kind of channel and its keys.
    pub to: Channel,
    /// How long one try may take in all. Default: 20 seconds.
    pub timeout: Option<Period>,
    /// The most messages in an hour, a sixth of them (at least five) at once. Of what may go at once 30 % is kept for pages, and what is too much becomes one digest. Default: by kind.
    pub hourly_max: Option<std::num::NonZeroU32>,
}

/// One `[[contact]]`: somebody who can be told, and through what.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactTable {
    /// Its name everywhere: lowercase letters, digits and hyphens.
    pub name: String,
    /// Names of channels: the first is used; each next one when those before can't deliver.
    pub channels: Vec<String>,
    /// Who else is told when a page is not acknowledged.
    #[serde(default)]
    pub escalate: Vec<EscalationTable>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalationTable {
    /// How long after the page.
    pub after: Period,
    /// The name of a contact.
    pub to: String,
}

/// One `[[maintenance]]`: a time in which failure is expected.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceTable {
    /// Its name everywhere: lowercase letters, digits and hyphens.
    pub name: String,
    pub title: Option<String>,
    /// When it begins, again and again, as a cron expression: `"0 3 * * SUN"`.
    pub cron: Option<String>,
    /// When it begins, once: `"2026-12-24T18:00"`.
    pub at: Option<String>,
    /// How long it lasts.
    pub lasts: Period,
    /// The zone in which `cron` and `at` are read: an IANA name. UTC unless given.
    pub time_zone: Option<Zone>,
    /// Names of checks and objectives; none of both this and `sections`: everything.
    #[serde(default)]
    pub of: Vec<String>,
    /// Sections.
    #[serde(default)]
    pub sections: Vec<String>,
}

/// One `[[part]]`: a part of the shop as visitors of the status page know it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartTable {
    /// Its name in badges, feeds and the API: lowercase letters, digits and hyphens.
    pub name: String,
    /// What visitors read. Default: the name.
    pub title: Option<String>,
    /// What it is for them, in a sentence.
    pub description: Option<String>,
    /// Sections whose checks tell how it is. Default: the one of its name, unless `checks` are named.
    pub sections: Option<Vec<String>>,
    /// Names of checks that tell how it is, beside those of the sections.
    #[serde(default)]
    pub checks: Vec<String>,
    /// The objective whose minutes make its days and its uptime. Default: the worst of its checks that page does.
    pub objective: Option<String>,
}

/// `[status]`: the status page. At most once in all files.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusTable {
    /// Whose page it is: the name of the shop.
    pub title: Option<String>,
    /// A sentence below it.
    pub about: Option<String>,
    /// Where the shop is: an address that begins with `https://` or `http://`.
    pub link: Option<Text>,
}

/// `[alerting]`: what holds for all alerts. At most once in all files.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertingTable {
    #[serde(default)]
    pub page: SeverityTable,
    #[serde(default)]
    pub ticket: SeverityTable,
    #[serde(default)]
    pub info: SeverityTable,
    /// Names of checks of things far apart (the gateway, two others): when all of them have failed it is the watcher
    /// that is offline, and that is one alert.
    #[serde(default)]
    pub network: Vec<String>,
    /// Where this agent can be reached by people: links in messages begin with it.
    pub url: Option<Text>,
    /// The address of an outside dead man's switch (healthchecks.io and its like), which gets a `POST` every minute
    /// while the agent is well; `/fail` below it with the reason while it is not, `/log` when it is stopped as planned.
    /// Leave it empty for none. It is a secret: whoever knows it can say that all is well.
    pub dead_mans_switch: Option<Text>,
}

/// How alerts of one severity are told.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeverityTable {
    /// Names of contacts, all of whom are told.
    pub to: Option<Vec<String>>,
    /// How long to wait for others that belong to the same message. Default: half a second for pages, a minute for others.
    pub wait: Option<Period>,
    /// How long the condition of an objective must be gone before its alert is over. Default: 5 minutes for pages, 30 for others.
    pub keep_firing_for: Option<Period>,
    /// When to remind, each after the one before; the last goes on, and after ten reminders there is one a day at most. Default: 1 h, 2 h, 4 h for pages, a day for tickets, never for the rest.
    pub remind: Option<Vec<Period>>,
}

/// `[check.alert]`: when a check's trouble becomes an alert.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckAlertTable {
    /// How much `failed` matters: `page`, `ticket`, `info` or `none`. Default: `page`.
    pub failed: Option<Matters>,
    /// How much `degraded` matters. Default: `ticket`.
    pub degraded: Option<Matters>,
    /// How many runs in a row must find it. Default: 3.
    pub attempts: Option<std::num::NonZeroU8>,
    /// How many runs in a row must find it mended. Default: 2.
    pub recoveries: Option<std::num::NonZeroU8>,
    /// Who is told in place of those whom `[alerting]` names for the severity.
    pub to: Option<Vec<String>>,
}

/// A severity, or that it does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Matters {
    None,
    Info,
    Ticket,
    Page,
}

impl Matters {
    pub const fn severity(self) -> Option<Severity> {
        match self {
            Matters::None => None,
            Matters::Info => Some(Severity::Info),
            Matters::Ticket => Some(Severity::Ticket),
            Matters::Page => Some(Severity::Page),
        }
    }
}
