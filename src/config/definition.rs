//! The tables of `checks/*.toml` and `atalaya.toml`, as they stand in the files.
//!
//! These structs mirror the text and are where the JSON Schema comes from; what they say together is
//! checked in [`super::plan`].

use super::alerting::definition::{
    AlertingTable, ChannelTable, CheckAlertTable, ContactTable, MaintenanceTable, PartTable, SloTable,
    StatusTable,
};
use super::text::Text;
use super::value::{Bound, Period};
use crate::probe::Probe;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// One `[[check]]`: what to look at, how often, and which numbers are too much.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckTable {
    /// Its name everywhere: lowercase letters, digits and hyphens. It stays when the title changes.
    pub name: String,
    /// What people read.
    pub title: Option<String>,
    /// Where it shows in the health report and on pages: `database`, `payments`, `cache`, `email`, `site`, `business`, …
    pub section: Option<String>,
    /// Why it is watched.
    pub description: Option<String>,
    /// How often it runs: `"15s"`, `"1m"`. Default: one minute.
    #[serde(default = "every")]
    pub every: Period,
    /// How long a run may take; shorter than twice `every`. Default: ten seconds, or `every` where that is shorter.
    pub timeout: Option<Period>,
    /// Names of checks whose failure explains this one's.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Words to select checks by: `atalaya check --tag deploy`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Where it is written what to do.
    pub runbook: Option<String>,
    /// What the names of its measures begin with in metrics: `shop` gives `shop_pending_orders`.
    /// Default: `atalaya_<kind>`.
    pub metric_prefix: Option<String>,
    /// Whether its measures are Prometheus' too. `false` for tables whose rows come and go, such as the last ten orders:
    /// each row would be a new series for ever. They are then shown on pages and in reports only; that the check is
    /// up, and how long it took, is told as ever. Default: true.
    #[serde(default = "metrics")]
    pub metrics: bool,
    /// When its trouble becomes an alert.
    #[serde(default)]
    pub alert: CheckAlertTable,
    /// What to do: one kind of probe and its keys.
    pub probe: Probe,
    /// Bounds on measures, by the measure's name.
    #[serde(default)]
    pub limits: BTreeMap<String, LimitTable>,
}

const fn every() -> Period {
    Period::from_secs(60)
}

const fn metrics() -> bool {
    true
}

/// When a measure makes the outcome degraded or failed.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitTable {
    /// Beyond this the check is degraded: `"> 0.80"`.
    pub degraded: Option<Bound>,
    /// Beyond this the check has failed: `"> 0.95"`.
    pub failed: Option<Bound>,
    /// What it means when the measure was not there to be compared.
    #[serde(default)]
    pub missing: Missing,
}

/// What it means that a measure with a limit was not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Nothing to compare is fine.
    Ok,
    /// Nobody can tell. The default: not measured is not good.
    #[default]
    Unknown,
    /// It has to be there.
    Failed,
}

/// `atalaya.toml`: the agent itself.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentFile {
    /// Files and folders with checks, relative to this file. Default: `["checks"]`.
    pub checks: Option<Vec<String>>,
    /// Files and folders with objectives, channels and contacts, relative to this file. Default: `["alerts"]`.
    pub alerts: Option<Vec<String>>,
    #[serde(default)]
    pub agent: AgentTable,
    #[serde(default)]
    pub http: HttpTable,
    #[serde(default)]
    pub store: StoreTable,
    #[serde(default)]
    pub ingest: IngestTable,
}

/// How the agent runs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentTable {
    /// How many runs may be under way at once; more are dropped and recorded as such. Default: 4096, or what the
    /// limit on open files allows.
    pub runs_max: Option<NonZeroU32>,
    /// How long running checks may take to end when the agent stops. Default: ten seconds.
    pub grace: Option<Period>,
}

/// Where pages and metrics are served.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpTable {
    /// `address:port`. Default: `127.0.0.1:9760`.
    pub listen: Option<Text>,
    /// What an operator presents: sixteen characters at least, or `sha256:` and the 64 hexadecimal digits of its hash
    /// (`atalaya token` makes both). Default: made anew at each start, and kept in a file beside the store that only
    /// this user can read.
    pub token: Option<Text>,
    /// The names beside those of this machine under which it is reached: `["status.shop.example"]`. Where they are
    /// given, requests under any other name are refused. The host of `url` in `[alerting]` is always one of them.
    pub hosts: Option<Vec<Text>>,
    /// Whether callers on this machine read without a token. Default: true. Say false where a reverse proxy on this
    /// machine passes strangers on without saying so (no `X-Forwarded-For`).
    pub open_to_loopback: Option<bool>,
    /// A file with the certificate and its chain in PEM, relative to this file; with `key`, it is served over TLS. Read
    /// anew when it changes.
    pub certificate: Option<Text>,
    /// The file with the certificate's key in PEM.
    pub key: Option<Text>,
}

/// What outlives the process.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreTable {
    /// One file (SQLite), relative to this file. Default: `atalaya.db`, in the state directory that systemd names or
    /// else beside this file.
    pub path: Option<Text>,
}

/// What the shop and its vendors may say by themselves, and how it is known that it is they.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IngestTable {
    /// What the shop shows to send spans, events and heartbeats: as `token` in `[http]`, whose own serves too. Default:
    /// `"${ATALAYA_INGEST_TOKEN:-}"`.
    pub token: Option<Text>,
    /// What stands in the address of a heartbeat (`/ping/KEY/NAME`) for scripts that can send no header. It lets nobody do
    /// anything else, since addresses end up in logs. Default: `"${ATALAYA_PING_KEY:-}"`.
    pub ping_key: Option<Text>,
    /// How many routes, statements of slow queries and events are told apart, of each so many; the others are counted
    /// as one. Default: 200.
    pub names_max: Option<u16>,
    /// A query of the shop that takes longer is slow, and told by its statement. Default: `"100ms"`.
    pub slow_query: Option<Period>,
    #[serde(default)]
    pub square: SquareHookTable,
    #[serde(default)]
    pub resend: ResendHookTable,
}

/// Square's webhooks.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SquareHookTable {
    /// The address of the subscription at Square, to the letter: it is part of what is signed. Default: `url` in
    /// `[alerting]` and `/ingest/square` behind it.
    pub url: Option<Text>,
    /// The subscriptions' signature keys, by the names of the accounts. Default: `production =
    /// "${ATALAYA_SQUARE_WEBHOOK_KEY:-}"`, `sandbox = "${ATALAYA_SQUARE_WEBHOOK_KEY_SANDBOX:-}"`, and the shop's own
    /// keys, for a shop that hands on what it gets: `SQUARE_WEBHOOK_SECRET`, `SQUARE_WEBHOOK_SIGNATURE_KEY`,
    /// `SQUARE_WEBHOOK_SECRET_SANDBOX`.
    pub keys: Option<BTreeMap<String, Text>>,
    /// The account whose payments are counted; what others tell is kept and counts nothing. Default:
    /// `"${SQUARE_ENVIRONMENT:-production}"`.
    pub counts: Option<Text>,
}

/// Resend's webhooks.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResendHookTable {
    /// The signing secret of the webhook, `whsec_…`. Default: `"${RESEND_WEBHOOK_SECRET:-}"`.
    pub secret: Option<Text>,
}

/// All kinds of files in one, so that editors can use one schema for all.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Atalaya: definitions")]
pub struct AnyFile {
    /// The watch list.
    #[serde(default)]
    pub check: Vec<CheckTable>,
    /// What is promised.
    #[serde(default)]
    pub slo: Vec<SloTable>,
    /// Ways to people and systems.
    #[serde(default)]
    pub channel: Vec<ChannelTable>,
    /// Who can be told.
    #[serde(default)]
    pub contact: Vec<ContactTable>,
    /// When failure is expected.
    #[serde(default)]
    pub maintenance: Vec<MaintenanceTable>,
    /// What the status page shows.
    #[serde(default)]
    pub part: Vec<PartTable>,
    #[serde(default)]
    pub alerting: AlertingTable,
    #[serde(default)]
    pub status: StatusTable,
    /// Files and folders with checks, relative to this file. Default: `["checks"]`.
    pub checks: Option<Vec<String>>,
    /// Files and folders with objectives, channels and contacts, relative to this file. Default: `["alerts"]`.
    pub alerts: Option<Vec<String>>,
    #[serde(default)]
    pub agent: AgentTable,
    #[serde(default)]
    pub http: HttpTable,
    #[serde(default)]
    pub store: StoreTable,
    #[serde(default)]
    pub ingest: IngestTable,
}
