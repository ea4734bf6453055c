//! Delivering once through a channel that is given as it stands in a definition: `to.smtp = { … }`.
//!
//! The one shared part of all channels' tests: how one is built, one parcel to send, and what must hold of each
//! answer whatever the channel.

use atalaya::alert::{Key, Kind, Notice, Severity, Snapshot};
use atalaya::config::text::Variables;
use atalaya::notify::{Channel, Deliver, Delivery, Parcel};
use atalaya::probe::net::Net;
use atalaya::probe::{Build, BuildFault, Found};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// What one try may take in all, as the outbox ends it.
pub const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    to: Channel,
}

/// Builds the channel of `toml`; fails the test where it can't be. Needs a runtime.
pub fn channel(toml: &str, variables: &[(&str, &str)]) -> Box<dyn Deliver> {
    build(toml, variables).unwrap_or_else(|found| panic!("{toml}\n{found:#?}"))
}

/// As [`channel`], for one whose tries may take `timeout`.
pub fn channel_within(timeout: Duration, toml: &str) -> Box<dyn Deliver> {
    build_within(timeout, toml, &[]).unwrap_or_else(|found| panic!("{toml}\n{found:#?}"))
}

/// Builds the channel of `toml`; what is wrong with it otherwise.
pub fn build(toml: &str, variables: &[(&str, &str)]) -> Result<Box<dyn Deliver>, Found> {
    build_within(TIMEOUT, toml, variables)
}

/// As [`build`], for one whose tries may take `timeout`.
pub fn build_within(
    timeout: Duration,
    toml: &str,
    variables: &[(&str, &str)],
) -> Result<Box<dyn Deliver>, Found> {
    let definition: Definition = toml::from_str(toml).unwrap_or_else(|error| panic!("{toml}\n{error}"));
    let variables = Variables::new(variables.iter().copied(), |path| std::fs::read_to_string(path));
    let net = Arc::new(Net::new().expect("a network"));
    let every = Duration::from_mins(1);
    let found = Found::default();
    let mut build = Build { variables: &variables, every, timeout, net: &net, found };
    let deliver = definition.to.kind().build(&mut build);
    let Found { faults, unset, left_out, .. } = &build.found;
    match deliver {
        Some(deliver) if faults.is_empty() && unset.is_empty() && left_out.is_none() => Ok(deliver),
        _ => Err(build.found),
    }
}

/// What is wrong with a channel that can't be built, each as `key: text`.
pub fn build_faults(toml: &str) -> Vec<String> {
    let found = build(toml, &[]).err().unwrap_or_else(|| panic!("this was built: {toml}"));
    found.faults.iter().map(|BuildFault { key, text, .. }| format!("{key}: {text}")).collect()
}

/// What `toml` is refused with before anything is built.
pub fn parse_error(toml: &str) -> String {
    let parsed = toml::from_str::<Definition>(toml);
    parsed.err().unwrap_or_else(|| panic!("this was taken: {toml}")).message().to_owned()
}

/// One try, ended from outside as the outbox ends it: `None` where it took longer than `timeout`.
pub async fn deliver(channel: &dyn Deliver, parcel: &Parcel, timeout: Duration) -> Option<Delivery> {
    tokio::time::timeout(timeout, channel.deliver(parcel)).await.ok()
}

/// What became of a try in one line, as tests compare it: `delivered`, `retry: …`, `retry after 30s: …`, `refused: …`.
pub fn verdict(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Delivered => "delivered".to_owned(),
        Delivery::Retry { after: None, why } => format!("retry: {why}"),
        Delivery::Retry { after: Some(after), why } => {
            format!("retry after {}: {why}", humantime::format_duration(*after))
        }
        Delivery::Refused { why } => format!("refused: {why}"),
        Delivery::Absent { why } => format!("absent: {why}"),
    }
}

/// A parcel of a notice, the first of its thread. Its key is made of `number`.
pub fn parcel(number: u64, notice: Notice) -> Parcel {
    let key = format!("{number:032x}");
    let url = Some("https://watch.shop.example".to_owned());
    Parcel { notice: Arc::new(notice), thread: key.clone(), key, url, attempts: 0 }
}

/// A message that joins the thread which `first` began.
pub fn reply(number: u64, first: &Parcel, notice: Notice) -> Parcel {
    let notice = Notice { thread: first.notice.id.clone(), ..notice };
    Parcel { thread: first.key.clone(), ..parcel(number, notice) }
}

/// A notice of one page about Square, which has everything that a notice can have.
pub fn notice(kind: Kind) -> Notice {
    let at = |text: &str| format!("2026-03-01T{text}Z").parse().expect("a time");
    let labels = [("alertname", "CheckFailed"), ("check", "square"), ("severity", "page")];
    let over = matches!(kind, Kind::Resolved);
    let alert = Snapshot {
        key: Key("check/square".into()),
        episode: "check/square@1772359320000".to_owned(),
        severity: Severity::Page,
        title: "Square".to_owned(),
        section: "payments".to_owned(),
        summary: "größer als 5 s: no answer from <Square> & Co.".to_owned(),
        evidence: vec!["3 of the last 3 runs failed".to_owned()],
        cost: Some("it has used 10 % of the error budget of 28 days".to_owned()),
        cause: Some("Network: no route".to_owned()),
        runbook: Some("https://wiki.shop.example/runbooks/square".to_owned()),
        began: at("10:02:00"),
        fired: at("10:03:00"),
        ended: over.then(|| at("10:09:00")),
        acknowledged_by: None,
        flaps: 0,
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    };
    let id = format!("notice-{}", kind.as_str());
    Notice {
        thread: id.clone(),
        id,
        kind,
        at: at("10:09:30"),
        severity: Severity::Page,
        contact: "on-call".to_owned(),
        alerts: vec![alert],
        more: 0,
        merged: false,
        backup: None,
    }
}
