//! Rows as an agent writes them.

use atalaya::alert::{Key, Kind, Notice, Severity, Snapshot};
use atalaya::fact::{Is, Matcher, Silence};
use atalaya::record::cells::{Cells, Side};
use atalaya::store::{
    AlertRow, Batch, CursorRow, Day, DayRow, EpisodeRow, HistogramRow, OutboxRow, RowState, Slice, SliceRow,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// When these tests began. What is remembered depends on the clock, so rows are told from here.
static BEGAN: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);

/// So many seconds after the tests began, and some nanoseconds.
pub fn at(seconds: i64) -> Timestamp {
    *BEGAN + SignedDuration::new(seconds, 0)
}

/// Minutes since the epoch, so many after the tests began.
pub fn minute(after: i64) -> u32 {
    u32::try_from(at(after * 60).as_second() / 60).expect("a minute")
}

pub fn notice(number: u32) -> Notice {
    let snapshot = Snapshot {
        key: Key(format!("check/site-{number}").into()),
        episode: format!("check/site-{number}@{}", at(0).as_millisecond()),
        severity: Severity::Page,
        title: format!("Site {number}"),
        section: "site".to_owned(),
        summary: "connection refused by 127.0.0.1:443 — größer \"als\" sonst".to_owned(),
        evidence: vec!["3 of the last 3 runs failed".to_owned()],
        cost: None,
        cause: None,
        runbook: Some("https://example.org/runbook".to_owned()),
        began: at(-60),
        fired: at(-30),
        ended: None,
        acknowledged_by: None,
        flaps: 2,
        labels: BTreeMap::from([("alertname".to_owned(), "CheckFailed".to_owned())]),
    };
    Notice {
        id: format!("firing/{number}"),
        kind: Kind::Firing,
        at: at(-30),
        severity: Severity::Page,
        contact: "on-call".to_owned(),
        alerts: vec![snapshot],
        more: 0,
        thread: format!("firing/{number}"),
        merged: false,
        backup: None,
    }
}

pub fn row(key: &str, created: i64, state: RowState) -> OutboxRow {
    OutboxRow {
        key: format!("{key:0>32}"),
        thread: format!("{key:0>32}"),
        channel: "mail".into(),
        backups: vec!["slack".into(), "desktop".into()],
        notice: Arc::new(notice(1)),
        state,
        created: at(created),
        not_before: at(created + 5),
        expires: at(created + 86_400),
        attempts: 2,
        error: Some("451 try again later".to_owned()),
        settled: (state != RowState::Pending).then(|| at(created + 6)),
    }
}

pub fn episode(number: u32, over: bool) -> EpisodeRow {
    EpisodeRow {
        episode: format!("check/site-{number}@{}", at(0).as_millisecond()),
        severity: Severity::Page,
        title: format!("Site {number}"),
        summary: "connection refused".to_owned(),
        fired: at(-30),
        ended: over.then(|| at(60)),
    }
}

pub fn alert(number: u32, state: &str) -> AlertRow {
    AlertRow {
        key: format!("check/site-{number}").into(),
        state: Some(state.to_owned()),
        episode: Some(episode(number, false)),
    }
}

pub fn cells(durations_us: &[u64], failed_us: &[u64]) -> Cells {
    let mut cells = Cells::default();
    for us in durations_us {
        cells.add(Side::Good, Duration::from_micros(*us));
    }
    for us in failed_us {
        cells.add(Side::Failed, Duration::from_micros(*us));
    }
    cells
}

pub fn histogram(check: &str, minute: u32, cells: &Cells) -> HistogramRow {
    let count = |side| u32::try_from(cells.count(side)).expect("a count");
    HistogramRow {
        check: check.into(),
        minute,
        counts: [count(Side::Good), 0, count(Side::Failed), 1, 2],
        good: cells.to_v2(Side::Good),
        failed: cells.to_v2(Side::Failed),
    }
}

pub fn slice(objective: &str, minute: u32, good: u32, bad: u32) -> SliceRow {
    let slice = Slice { minute, good, bad, excluded: minute.is_multiple_of(7) };
    SliceRow { objective: objective.into(), generation: u64::MAX - 5, slice }
}

/// One of everything.
pub fn batch(number: u32) -> Batch {
    let matcher = Matcher { label: "check".to_owned(), is: Is::Like, value: "site|shop".to_owned() };
    let silence = Silence {
        id: format!("silence-{number}"),
        matchers: vec![matcher],
        from: at(-60),
        until: at(3600),
        by: "ops".to_owned(),
        comment: "moving house".to_owned(),
    };
    let day = Day { day: minute(0) / 1440, count: 12, sum: 1234.5, squares: 150_000.25 };
    Batch {
        alerts: vec![alert(number, r#"{"firing":true}"#)],
        silences: vec![silence],
        outbox: vec![
            row(&format!("a{number}"), 0, RowState::Pending),
            row(&format!("b{number}"), 1, RowState::Delivered),
        ],
        slices: vec![
            slice("payments", minute(-1), 3, 1),
            slice("payments", minute(0), 0, 0),
            slice("site", minute(0), u32::MAX, 9),
        ],
        days: vec![DayRow { objective: "order-value".into(), generation: 7, day }],
        histograms: vec![histogram("site", minute(0), &cells(&[900, 1000, 25_000], &[5_000_000]))],
        cursors: vec![CursorRow { check: "payments".into(), to: at(-120) }],
        facts: Some((at(0), format!("{{\"at\":\"{}\",\"tick\":null}}\n", at(0)))),
    }
}
