//! What the agent says of itself, through `metrics`. Handles are looked up once: a name per call would
//! cost more than recording a run.

use super::intake::meter;
use crate::alert::Kind;
use crate::notify::outbox::Fate;
use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;

/// Upper bounds for how late a run may begin, in seconds.
const LAG_BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0];

/// Upper bounds for how long the store takes for a write, in seconds.
const WRITE_BUCKETS: [f64; 8] = [0.001, 0.0025, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0];
/// Upper bounds for how long a try to deliver takes, in seconds; a try ends at its channel's `timeout`.
const DELIVERY_BUCKETS: [f64; 9] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// The exporter keeps every value until it is told to count them.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why a run that was due did not happen.
#[derive(Debug, Clone, Copy)]
pub enum Dropped {
    /// Nobody looked: the process was stalled or the machine suspended.
    Missed,
    /// Two runs of the same check were still under way.
    Overlap,
    /// As many runs as allowed were under way.
    Full,
}

struct Handles {
    lag: Histogram,
    under_way: Gauge,
    events_waiting: Gauge,
    dropped: [Counter; 3],
    checks: Gauge,
    skipped: Gauge,
    reloads: [Counter; 2],
    reload_good: Gauge,
    reload_at: Gauge,
    scrapes_refused: Counter,
    wrong_credentials: Counter,
    log_lines_dropped: Counter,
    store: Store,
}

struct Store {
    writes: [Counter; 2],
    took: Histogram,
    waiting: Gauge,
    given_up: Counter,
    size: Gauge,
    up: Gauge,
}

static HANDLES: OnceLock<Handles> = OnceLock::new();

/// Installs the recorder of this process. The handle renders.
pub fn install() -> Result<PrometheusHandle, String> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("atalaya_schedule_lag_seconds".to_owned()), &LAG_BUCKETS)
        .and_then(|builder| {
            let name = Matcher::Full("atalaya_store_write_duration_seconds".to_owned());
            builder.set_buckets_for_metric(name, &WRITE_BUCKETS)
        })
        .and_then(|builder| {
            let delivery = Matcher::Full("atalaya_notification_attempt_duration_seconds".to_owned());
            builder.set_buckets_for_metric(delivery, &DELIVERY_BUCKETS)
        })
        .and_then(|builder| {
            let write = Matcher::Full(meter::WRITE.to_owned());
            builder.set_buckets_for_metric(write, &WRITE_BUCKETS)
        })
        .map_err(|error| format!("can't set the buckets of the metrics: {error}"))?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| format!("can't record metrics: {error}"))?;
    describe();
    meter::describe();
    HANDLES.get_or_init(handles);
    Ok(handle)
}

/// Counts what was recorded and looks at the process, for ever.
pub async fn upkeep(handle: PrometheusHandle) {
    let process = metrics_process::Collector::default();
    process.describe();
    let mut tick = tokio::time::interval(UPKEEP);
    loop {
        tick.tick().await;
        process.collect();
        handle.run_upkeep();
    }
}

fn handles() -> Handles {
    gauge!("atalaya_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Handles {
        lag: histogram!("atalaya_schedule_lag_seconds"),
        under_way: gauge!("atalaya_runs_under_way"),
        events_waiting: gauge!("atalaya_events_waiting"),
        dropped: ["missed", "overlap", "full"]
            .map(|why| counter!("atalaya_dropped_runs_total", "why" => why)),
        checks: gauge!("atalaya_checks"),
        skipped: gauge!("atalaya_checks_skipped"),
        reloads: ["ok", "refused"].map(|result| counter!("atalaya_reloads_total", "result" => result)),
        reload_good: gauge!("atalaya_reload_last_successful"),
        reload_at: gauge!("atalaya_reload_last_success_timestamp_seconds"),
        scrapes_refused: counter!("atalaya_http_refused_total"),
        wrong_credentials: counter!("atalaya_http_wrong_credentials_total"),
        log_lines_dropped: counter!("atalaya_log_lines_dropped_total"),
        store: Store {
            writes: ["ok", "failed"].map(|result| counter!("atalaya_store_writes_total", "result" => result)),
            took: histogram!("atalaya_store_write_duration_seconds"),
            waiting: gauge!("atalaya_store_waiting_rows"),
            given_up: counter!("atalaya_store_given_up_rows_total"),
            size: gauge!("atalaya_store_size_bytes"),
            up: gauge!("atalaya_store_up"),
        },
    }
}

fn describe() {
    let seconds = Some(Unit::Seconds);
    describe_gauge!("atalaya_build_info", "The version that runs.");
    describe_histogram!("atalaya_schedule_lag_seconds", Unit::Seconds, "How much later than due runs began.");
    describe_gauge!("atalaya_runs_under_way", "Runs that have begun and not ended.");
    describe_gauge!("atalaya_events_waiting", "Events that wait for the loop.");
    describe_counter!("atalaya_dropped_runs_total", "Runs that were due and did not happen, by why.");
    describe_gauge!("atalaya_checks", "Checks that run.");
    describe_gauge!("atalaya_checks_skipped", "Checks that are defined and don't run.");
    describe_counter!("atalaya_reloads_total", "Times that the definitions were read again, by result.");
    describe_gauge!(
        "atalaya_reload_last_successful",
        "1 if the definitions in force are those in the files."
    );
    metrics::with_recorder(|recorder| {
        recorder.describe_gauge(
            "atalaya_reload_last_success_timestamp_seconds".into(),
            seconds,
            "When the definitions in force were read.".into(),
        );
    });
    describe_counter!(
        "atalaya_http_refused_total",
        "Requests refused because too many were under way, and connections ended to make room for others."
    );
    describe_counter!(
        "atalaya_http_wrong_credentials_total",
        "Wrong tokens that were looked at; more of them from one address are refused unseen."
    );
    describe_counter!("atalaya_log_lines_dropped_total", "Lines of the log that could not be written.");
    describe_store();
}

fn describe_store() {
    describe_counter!("atalaya_store_writes_total", "Transactions of the store, by result.");
    describe_histogram!(
        "atalaya_store_write_duration_seconds",
        Unit::Seconds,
        "How long transactions of the store took, those that failed too."
    );
    describe_gauge!("atalaya_store_waiting_rows", "Rows that wait for being written.");
    describe_counter!("atalaya_store_given_up_rows_total", "Rows lost because too many waited.");
    metrics::with_recorder(|recorder| {
        recorder.describe_gauge(
            "atalaya_store_size_bytes".into(),
            Some(Unit::Bytes),
            "The size of the store's file with its log.".into(),
        );
    });
    describe_gauge!("atalaya_store_up", "1 if the store takes what is written to it.");
    describe_notifications();
}

fn describe_notifications() {
    describe_counter!(
        "atalaya_notifications_total",
        "Messages by what became of them; `retried` counts tries that failed and are repeated."
    );
    describe_gauge!(
        "atalaya_notification_oldest_pending_seconds",
        Unit::Seconds,
        "How long the oldest message has waited to be delivered; 0 when none waits."
    );
    describe_gauge!("atalaya_notification_channel_up", "1 if the channel delivers, as far as is known.");
    describe_histogram!(
        "atalaya_notification_attempt_duration_seconds",
        Unit::Seconds,
        "How long tries to deliver took, by channel."
    );
    describe_self_watch();
}

/// What the agent says of its own health.
fn describe_self_watch() {
    describe_gauge!(
        "atalaya_self_well",
        "1 if this part of the agent is well; the dead man's switch is told when all are."
    );
    metrics::with_recorder(|recorder| {
        recorder.describe_gauge(
            "atalaya_last_evaluation_timestamp_seconds".into(),
            Some(Unit::Seconds),
            "When objectives and alerts were last judged.".into(),
        );
    });
    describe_counter!(
        "atalaya_dead_mans_switch_pings_total",
        "Tries to tell the dead man's switch how the agent is, by what was said and by result."
    );
    describe_gauge!(
        "atalaya_alertmanager_up",
        "1 if this instance of an Alertmanager takes what it is told; NaN when it is not told any more."
    );
}

fn with(record: impl FnOnce(&Handles)) {
    if let Some(handles) = HANDLES.get() {
        record(handles);
    }
}

pub fn lag(lag: Duration) {
    with(|handles| handles.lag.record(lag.as_secs_f64()));
}

pub fn runs_under_way(number: usize) {
    with(|handles| handles.under_way.set(number as f64));
}

pub fn events_waiting(number: usize) {
    with(|handles| handles.events_waiting.set(number as f64));
}

pub fn dropped(why: Dropped, times: u64) {
    with(|handles| handles.dropped[why as usize].increment(times));
}

pub fn checks(running: usize, skipped: usize) {
    with(|handles| {
        handles.checks.set(running as f64);
        handles.skipped.set(skipped as f64);
    });
}

/// The definitions were read again; `at` in seconds since the epoch where they are in force now.
pub fn reloaded(at: Option<f64>) {
    with(|handles| {
        handles.reloads[usize::from(at.is_none())].increment(1);
        handles.reload_good.set(f64::from(u8::from(at.is_some())));
        if let Some(at) = at {
            handles.reload_at.set(at);
        }
    });
}

/// The definitions of the start are in force.
pub fn loaded(at: f64) {
    with(|handles| {
        handles.reload_good.set(1.0);
        handles.reload_at.set(at);
    });
}

pub fn request_refused() {
    with(|handles| handles.scrapes_refused.increment(1));
}

/// Somebody showed a token that is none.
pub fn wrong_credentials() {
    with(|handles| handles.wrong_credentials.increment(1));
}

/// A line of the log is lost.
pub fn log_line_dropped() {
    with(|handles| handles.log_lines_dropped.increment(1));
}

/// A transaction of the store ended.
pub fn store_written(well: bool, took: Duration) {
    with(|handles| {
        handles.store.writes[usize::from(!well)].increment(1);
        handles.store.took.record(took.as_secs_f64());
    });
}

pub fn store_waiting(rows: usize) {
    with(|handles| handles.store.waiting.set(rows as f64));
}

pub fn store_given_up(rows: usize) {
    with(|handles| handles.store.given_up.increment(rows as u64));
}

pub fn store_size(bytes: u64) {
    with(|handles| handles.store.size.set(bytes as f64));
}

pub fn store_up(up: bool) {
    with(|handles| handles.store.up.set(f64::from(u8::from(up))));
}

/// A message to this channel had this fate. There are few, so names are looked up each time.
pub fn notified(channel: &str, kind: &'static str, result: &'static str) {
    let channel = channel.to_owned();
    counter!("atalaya_notifications_total", "channel" => channel, "kind" => kind, "result" => result)
        .increment(1);
}

pub fn notification_oldest_pending(age: Duration) {
    gauge!("atalaya_notification_oldest_pending_seconds").set(age.as_secs_f64());
}

/// A channel is defined from now on. Counters of what is to be alerted of begin with it: one that begins with its first
/// loss has no increase that an alert could see.
pub fn channel_begins(channel: &str) {
    channel_up(channel, true);
    for kind in Kind::SENT {
        for lost in [Fate::Refused, Fate::Expired] {
            let (channel, kind, result) = (channel.to_owned(), kind.as_str(), lost.as_str());
            counter!("atalaya_notifications_total", "channel" => channel, "kind" => kind, "result" => result)
                .increment(0);
        }
    }
}

pub fn channel_up(channel: &str, up: bool) {
    let channel = channel.to_owned();
    gauge!("atalaya_notification_channel_up", "channel" => channel).set(f64::from(u8::from(up)));
}

pub fn notification_tried(channel: &str, took: Duration) {
    let channel = channel.to_owned();
    histogram!("atalaya_notification_attempt_duration_seconds", "channel" => channel).record(took);
}

/// Whether a part of the agent is well.
pub fn self_well(part: &'static str, well: bool) {
    gauge!("atalaya_self_well", "part" => part).set(f64::from(u8::from(well)));
}

/// Objectives were judged; `at` in seconds since the epoch.
pub fn evaluated(at: f64) {
    gauge!("atalaya_last_evaluation_timestamp_seconds").set(at);
}

/// A try to tell the dead man's switch ended.
pub fn dead_mans_switch(signal: &'static str, taken: bool) {
    let result = if taken { "taken" } else { "failed" };
    counter!("atalaya_dead_mans_switch_pings_total", "signal" => signal, "result" => result).increment(1);
}

/// Whether an Alertmanager takes what it is told; `None` where nobody tells it any more.
pub fn alertmanager_up(channel: &str, instance: usize, up: Option<bool>) {
    let (channel, instance) = (channel.to_owned(), instance.to_string());
    let up = up.map_or(f64::NAN, |up| f64::from(u8::from(up)));
    gauge!("atalaya_alertmanager_up", "channel" => channel, "instance" => instance).set(up);
}
