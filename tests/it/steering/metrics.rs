//! What Prometheus is told of objectives, alerts and messages.

use super::counting::{Payments, objective};
use super::{Door, Hook, on_call, site, start, tcp};
use crate::support::agent::Agent;
use crate::support::http;
use crate::support::judge::{answer, python};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::process::Command;

const PARSE: &str = "import sys\n\
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
    for family in parse(sys.stdin.read()): print(family.type, family.name, len(family.samples))\n";

/// The value of the only series of a family with all of these labels.
fn value(metrics: &BTreeMap<String, f64>, family: &str, labels: &[&str]) -> Option<f64> {
    let fits = |name: &&String| {
        name.starts_with(&format!("{family}{{")) && labels.iter().all(|label| name.contains(label))
    };
    let found: Vec<&String> = metrics.keys().filter(fits).collect();
    assert!(found.len() <= 1, "{found:?}");
    found.first().map(|name| metrics[*name])
}

fn judged(agent: &Agent) -> bool {
    value(&agent.metrics(), "atalaya_slo_window_events", &["payments", "bad", "\"28d\""]) == Some(40.0)
}

#[test]
fn objectives_alerts_and_messages_are_told_to_prometheus() {
    let (hook, mut door) = (Hook::start(), Door::shut());
    let shop = Payments::new("metrics");
    let now = atalaya::clock::wall();
    shop.add((0..400).map(|n| (now - SignedDuration::from_mins(120 + n), n % 10 != 0)));
    let slow = "[[check]]\nname = 'slow'\nsection = 'a\"b\\\\c'\nevery = '1s'\nprobe.tcp = { address = '127.0.0.1:1' }\nalert.attempts = 100\n";
    let checks = site(&door) + slow + &shop.check("1s", "settle = '1m'\nbackfill = '12h'\n");
    let alerts = on_call(&hook)
        + &objective("95%")
        + "[[slo]]\nname = 'reach'\nobjective = '99.9%'\nindicator.availability = { checks = ['site', 'slow'] }\n\
           [[slo]]\nname = 'values'\nindicator.baseline = { check = 'payment-events', count = 'tried', sum = 'paid', squares = 'paid' }\npage = []\n\
           [[channel]]\nname = 'refusing'\nto.webhook = { url = '"
        + &hook.url("refuse")
        + "' }\n[[channel]]\nname = 'unset'\nto.webhook = { url = 'http://127.0.0.1/${STEERING_NOT_SET}' }\n";
    let alerts = alerts.replace("channels = ['hook']", "channels = ['refusing', 'hook']");
    let agent = start("steering-metrics", &checks, &alerts);
    agent.wait_for("the alert", |_| hook.count("firing", "check/site") >= 1);
    agent.wait_for("the payments to be judged", judged);

    both_formats_are_clean_and_complete(&agent);
    budgets_follow_from_what_stands_beside_them(&agent.metrics());
    let metrics = agent.metrics();
    let state =
        |metrics: &BTreeMap<String, f64>| value(metrics, "atalaya_alert_state", &["alert=\"check/site\""]);
    assert_eq!(state(&metrics), Some(1.0));
    let sent = |metrics: &BTreeMap<String, f64>, channel: &str, result: &str| {
        let labels =
            [format!("channel=\"{channel}\""), "kind=\"firing\"".to_owned(), format!("result=\"{result}\"")];
        value(metrics, "atalaya_notifications_total", &labels.each_ref().map(String::as_str))
            .unwrap_or_default()
    };
    assert!(sent(&metrics, "hook", "delivered") >= 1.0, "{metrics:#?}");
    assert!(sent(&metrics, "refusing", "refused") >= 1.0, "{metrics:#?}");
    assert_eq!(value(&metrics, "atalaya_notification_channel_up", &["\"hook\""]), Some(1.0));

    // Counters only grow, and the alert goes when it is over.
    door.open_again();
    let mut before = metrics;
    agent.wait_for("the alert to go", |agent| {
        let now = agent.metrics();
        for (name, value) in before.iter().filter(|(name, _)| name.contains("_total")) {
            assert!(now.get(name).is_some_and(|now| now >= value), "{name} went down");
        }
        let gone = state(&now).is_none();
        before = now;
        gone
    });
    agent.wait_for("the end to be told", |agent| {
        hook.count("resolved", "check/site") == 1
            && agent.metric("atalaya_notification_oldest_pending_seconds") == Some(0.0)
    });
}

/// In the eyes of promtool, and of the strict parser of OpenMetrics.
fn both_formats_are_clean_and_complete(agent: &Agent) {
    let text = agent.get("/metrics").body;
    let promtool = answer(Command::new("promtool").args(["check", "metrics"]), &text);
    assert_eq!(promtool, Ok(String::new()), "{text}");
    let open =
        http::get_with(agent.port, "/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n");
    let families = python(PARSE, &open.body).unwrap_or_else(|error| panic!("{error}\n{}", open.body));
    for family in [
        "gauge atalaya_slo_objective_ratio 2",
        "gauge atalaya_slo_window_seconds 3",
        "counter atalaya_slo_events 6",
        "gauge atalaya_slo_state 15",
        "gauge atalaya_notification_oldest_pending_seconds 1",
    ] {
        assert!(families.lines().any(|line| line == family), "{family}\n{families}");
    }
    for family in [
        "slo_window_events",
        "slo_burn_rate",
        "slo_coverage_ratio",
        "slo_error_budget_remaining_ratio",
        "alert_state",
        "notification_channel_up",
    ] {
        assert!(families.contains(&format!("gauge atalaya_{family} ")), "{family}\n{families}");
    }
}

/// `remaining = 1 - bad / all * coverage / (1 - objective)`, and the same for burn rates without the coverage.
fn budgets_follow_from_what_stands_beside_them(metrics: &BTreeMap<String, f64>) {
    let slo = "slo=\"payments\"";
    let of =
        |family: &str, labels: &[&str]| value(metrics, family, &[&[slo], labels].concat()).expect("a series");
    let allowed = 1.0 - of("atalaya_slo_objective_ratio", &[]);
    assert!((allowed - 0.05).abs() < 1e-12);
    let ratio = |window: &str| {
        let count =
            |result: &str| of("atalaya_slo_window_events", &[window, &format!("result=\"{result}\"")]);
        count("bad") / (count("good") + count("bad"))
    };
    let whole = "window=\"28d\"";
    assert!((ratio(whole) - 0.1).abs() < 1e-12);
    let covered = of("atalaya_slo_coverage_ratio", &[whole]);
    assert!(covered > 0.0 && covered < 0.1, "twelve hours of four weeks: {covered}");
    let remaining = of("atalaya_slo_error_budget_remaining_ratio", &[]);
    assert!((remaining - (1.0 - ratio(whole) * covered / allowed)).abs() < 1e-9, "{remaining}");
    for window in ["window=\"6h\"", "window=\"1d\"", whole] {
        assert!((of("atalaya_slo_burn_rate", &[window]) - ratio(window) / allowed).abs() < 1e-9, "{window}");
    }
    assert_eq!(of("atalaya_slo_events_total", &["result=\"bad\""]), 40.0);
    assert_eq!(of("atalaya_slo_events_total", &["result=\"good\""]), 360.0);
}

#[test]
fn a_message_that_waits_shows_its_age_and_an_alert_that_is_silenced_is_marked() {
    let (hook, door) = (Hook::start(), Door::shut());
    let alerts =
        on_call(&hook).replace("/hook'", "/hang'").replace("to.webhook", "timeout = '20s'\nto.webhook");
    let agent = start("steering-waiting", &(site(&door) + &tcp("other", door.address)), &alerts);
    agent.wait_for("a message that waits", |agent| {
        agent.metric("atalaya_notification_oldest_pending_seconds").is_some_and(|age| age >= 1.0)
    });
    assert!(agent.command(&["silence", "add", "site"]).status.success());
    agent.wait_for("the alert to be marked", |agent| {
        value(&agent.metrics(), "atalaya_alert_muted", &["alert=\"check/site\""]) == Some(1.0)
    });
    assert_eq!(value(&agent.metrics(), "atalaya_alert_muted", &["alert=\"check/other\""]), None);
}
