//! The message of `atalaya notify test`: says that it is only a test, and is otherwise like any other.

use super::Parcel;
use crate::alert::{Key, Kind, Notice, Severity, Snapshot};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Each test is another message: its key is made from the moment.
pub fn parcel(channel: &str, url: Option<String>, now: Timestamp) -> Parcel {
    let episode = format!("test/{channel}@{}", now.as_millisecond());
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let labels = [label("alertname", "AtalayaTest"), label("severity", "info"), label("channel", channel)];
    let alert = Snapshot {
        key: Key(format!("test/{channel}").into()),
        episode: episode.clone(),
        severity: Severity::Info,
        title: "A test of Atalaya".to_owned(),
        section: "test".to_owned(),
        summary: format!("channel \"{channel}\" works: nothing is wrong, and nothing is to be done"),
        evidence: Vec::new(),
        cost: None,
        cause: None,
        runbook: None,
        began: now,
        fired: now,
        ended: None,
        acknowledged_by: None,
        flaps: 0,
        labels: BTreeMap::from(labels),
    };
    let key = super::outbox::hash(&[&episode, &now.as_nanosecond().to_string()]);
    let notice = Notice {
        id: episode.clone(),
        kind: Kind::Test,
        at: now,
        severity: Severity::Info,
        contact: "test".to_owned(),
        alerts: vec![alert],
        more: 0,
        thread: episode,
        merged: false,
        backup: None,
    };
    Parcel { notice: Arc::new(notice), thread: key.clone(), key, url, attempts: 0 }
}
