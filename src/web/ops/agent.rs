//! The agent itself: whether it does its work, what it costs, and what it remembers.

use super::{Frame, Shared, Who, shown};
use crate::web::page::{figure, words};
use askama::Template;
use axum::extract::State;
use axum::response::Response;

#[derive(Template)]
#[template(path = "ops/agent.html")]
struct AgentPage {
    frame: Frame,
    trouble: Option<String>,
    groups: Vec<(&'static str, Vec<(&'static str, String)>)>,
    started: jiff::Timestamp,
    channels: Vec<(String, String, bool)>,
}

/// What is shown of the agent's own metrics: the name of the family, and what people read.
const GROUPS: [(&str, &[(&str, &str)]); 4] = [
    (
        "Checking",
        &[
            ("atalaya_checks", "checks"),
            ("atalaya_checks_skipped", "skipped"),
            ("atalaya_runs_under_way", "runs under way"),
            ("atalaya_dropped_runs_total", "runs that were due and did not happen"),
            ("atalaya_events_waiting", "events that wait for the loop"),
        ],
    ),
    (
        "Telling",
        &[
            ("atalaya_notifications_total", "messages"),
            ("atalaya_notification_oldest_pending_seconds", "the oldest that waits"),
            ("atalaya_dead_mans_switch_pings_total", "pings of the dead man's switch"),
        ],
    ),
    (
        "Remembering",
        &[
            ("atalaya_store_up", "the store can be written"),
            ("atalaya_store_size_bytes", "size of the store"),
            ("atalaya_store_waiting_rows", "rows that wait to be written"),
            ("atalaya_store_given_up_rows_total", "rows given up"),
        ],
    ),
    (
        "The process",
        &[
            ("process_resident_memory_bytes", "memory"),
            ("process_cpu_seconds_total", "processor time"),
            ("process_open_fds", "open files"),
            ("process_threads", "threads"),
            ("atalaya_http_refused_total", "requests refused"),
            ("atalaya_reloads_total", "reloads"),
        ],
    ),
];

pub async fn show(State(shared): State<Shared>, who: Who) -> Response {
    let trouble = shared.eyes.trouble().await;
    let own = shared.eyes.own.render();
    shown(&shared, async |view| {
        let group = |(title, families): (&'static str, &[(&'static str, &'static str)])| {
            let known = families.iter().filter_map(|(family, name)| {
                let value = sum(&own, family)?;
                Some((*name, shown_value(family, value)))
            });
            (title, known.collect())
        };
        Ok(AgentPage {
            frame: Frame::new(view, &who, "The agent", "/ops/agent"),
            trouble,
            groups: GROUPS.into_iter().map(|(title, families)| group((title, families))).collect(),
            started: view.started.wall,
            channels: channels(&own),
        })
    })
    .await
}

/// With its unit; what is one or zero in a metric is yes or no to people.
fn shown_value(family: &str, value: f64) -> String {
    match (family.ends_with("_up"), value > 0.0) {
        (true, true) => "yes".to_owned(),
        (true, false) => "no".to_owned(),
        (false, _) => figure::value(&family.replace("_total", ""), value),
    }
}

/// The sum over all series of a family; `None` where it has none.
fn sum(text: &str, family: &str) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(family)?;
        (rest.starts_with([' ', '{'])).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
    });
    values.reduce(|a, b| a + b)
}

/// Channels, what they are, and whether they delivered last.
fn channels(text: &str) -> Vec<(String, String, bool)> {
    let label = |line: &str, name: &str| {
        let rest = line.split_once(&format!("{name}=\""))?.1;
        Some(rest.split('"').next()?.to_owned())
    };
    let lines = text.lines().filter(|line| line.starts_with("atalaya_notification_channel_up{"));
    lines
        .filter_map(|line| {
            Some((label(line, "channel")?, label(line, "kind").unwrap_or_default(), line.ends_with(" 1")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_summed_over_its_series_and_no_other() {
        let text = "# TYPE a counter\na{x=\"1\"} 2\na{x=\"2\"} 3\nab 7\nempty_bucket{le=\"1\"} 1\n";
        assert_eq!((sum(text, "a"), sum(text, "ab"), sum(text, "b")), (Some(5.0), Some(7.0), None));
    }
}
