//! An alert as the world around Prometheus tells it: labels that name it, annotations that explain it, a
//! fingerprint, two times.
//!
//! What Alertmanager is told and what receivers of its webhooks are told is the same alert, so both are made here.
//! <https://github.com/prometheus/common/blob/main/model/signature.go>

use super::message::alert_url;
use crate::alert::Snapshot;
use crate::plain;
use fnv::FnvHasher;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::hash::Hasher;

pub type Labels = BTreeMap<String, String>;

/// How Go writes that there is no time: what has not ended.
pub const NEVER: &str = "0001-01-01T00:00:00Z";

/// Alertmanager keeps annotations in memory and puts them into every message.
const ANNOTATION_CHARS_MAX: usize = 1_000;
const EVIDENCE_MAX: usize = 8;

/// One alert of a webhook's payload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    pub status: &'static str,
    pub labels: Labels,
    pub annotations: Labels,
    pub starts_at: String,
    pub ends_at: String,
    #[serde(rename = "generatorURL")]
    pub generator_url: String,
    pub fingerprint: String,
}

impl Alert {
    /// One that is over without a known end ended at `now`.
    pub fn new(snapshot: &Snapshot, over: bool, now: Timestamp, url: Option<&str>) -> Alert {
        let labels = labels(&snapshot.labels);
        let ended = over.then(|| snapshot.ended.unwrap_or(now));
        Alert {
            status: if over { "resolved" } else { "firing" },
            fingerprint: fingerprint(&labels),
            labels,
            annotations: annotations(snapshot),
            starts_at: snapshot.fired.to_string(),
            ends_at: ended.map_or_else(|| NEVER.to_owned(), |ended| ended.to_string()),
            generator_url: url.map(|url| alert_url(url, &snapshot.key.0)).unwrap_or_default(),
        }
    }
}

/// Names with the characters that a label may have, and no empty values: both are refused or dropped on the way,
/// which would change what the alert is.
pub fn labels(labels: &Labels) -> Labels {
    let filled = labels.iter().filter(|(_, value)| !value.is_empty());
    filled.map(|(name, value)| (label_name(name), value.clone())).collect()
}

fn label_name(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(allowed).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// Whether a label may have this name.
pub fn is_label_name(name: &str) -> bool {
    !name.is_empty() && label_name(name) == name
}

/// What explains an alert; may change while it lasts.
pub fn annotations(snapshot: &Snapshot) -> Labels {
    let line = |text: &str| plain::line(text, ANNOTATION_CHARS_MAX);
    let mut description: Vec<String> =
        snapshot.evidence.iter().take(EVIDENCE_MAX).map(|text| line(text)).collect();
    description.extend(snapshot.cost.as_deref().map(line));
    description.extend(snapshot.cause.as_deref().map(|cause| line(&format!("probably because of {cause}"))));
    let texts = [
        ("summary", line(&format!("{}: {}", snapshot.title, snapshot.summary))),
        ("description", description.join("\n")),
        ("runbook_url", snapshot.runbook.clone().unwrap_or_default()),
    ];
    let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
    texts.map(|(name, text)| (name.to_owned(), text)).collect()
}

/// FNV-1a over names and values in order, each ended by a byte that no text has. 16 hexadecimal digits.
pub fn fingerprint(labels: &Labels) -> String {
    let mut hasher = FnvHasher::default();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        hasher.write(text.as_bytes());
        hasher.write_u8(0xff);
    }
    format!("{:016x}", hasher.finish())
}

/// The labels that all of the alerts have, which is what they are grouped by.
pub fn common<'a>(mut all: impl Iterator<Item = &'a Labels>) -> Labels {
    let mut common = all.next().cloned().unwrap_or_default();
    for labels in all {
        common.retain(|name, value| labels.get(name) == Some(value));
    }
    common
}

/// A group's key as Alertmanager writes it: `{}:{alertname="Down", check="site"}`.
pub fn group_key(labels: &Labels) -> String {
    let mut key = "{}:{".to_owned();
    for (number, (name, value)) in labels.iter().enumerate() {
        let separator = if number > 0 { ", " } else { "" };
        // Writing into a string does not fail.
        write!(key, "{separator}{name}={}", quoted(value)).ok();
    }
    key + "}"
}

/// A text in double quotes, as Go's `%q` writes it.
fn quoted(value: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in value.chars() {
        let written = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            '\n' => write!(quoted, "\\n"),
            '\t' => write!(quoted, "\\t"),
            '\r' => write!(quoted, "\\r"),
            c if c.is_ascii_control() => write!(quoted, "\\x{:02x}", u32::from(c)),
            c if c.is_control() => write!(quoted, "\\u{:04x}", u32::from(c)),
            c => write!(quoted, "{c}"),
        };
        // Writing into a string does not fail.
        written.ok();
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn fingerprints_are_those_of_prometheus() {
        let burn = [
            ("alertname", "ErrorBudgetBurn"),
            ("service", "shop"),
            ("severity", "page"),
            ("slo", "payment-success"),
        ];
        assert_eq!(fingerprint(&of(&burn)), "64cbfea41860fcd9");
        assert_eq!(fingerprint(&Labels::new()), "cbf29ce484222325");
    }

    #[test]
    fn labels_are_fit_for_alertmanager() {
        let shown = labels(&of(&[("check-name", "a"), ("1st", "b"), ("empty", ""), ("größe", "c")]));
        assert_eq!(shown, of(&[("_1st", "b"), ("check_name", "a"), ("gr__e", "c")]));
        assert!(is_label_name("agent") && !is_label_name("") && !is_label_name("agent-1"));
    }

    #[test]
    fn a_group_is_what_its_alerts_have_in_common() {
        let (site, shop) = (
            of(&[("alertname", "Down"), ("check", "site")]),
            of(&[("alertname", "Down"), ("check", "shop")]),
        );
        assert_eq!(group_key(&common([&site, &shop].into_iter())), r#"{}:{alertname="Down"}"#);
        assert_eq!(group_key(&common([&site].into_iter())), r#"{}:{alertname="Down", check="site"}"#);
        assert_eq!(group_key(&of(&[("a", "x\"\\\n")])), r#"{}:{a="x\"\\\n"}"#);
        assert_eq!(group_key(&Labels::new()), "{}:{}");
    }
}
