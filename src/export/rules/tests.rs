//! What rule files say of definitions that don't ship.

use super::{Style, files};
use crate::config::{Files, Plan, Source, load_as_written};
use crate::probe::net::Net;
use std::sync::Arc;

fn plan(checks: &str, alerts: &str) -> Plan {
    let files = Files {
        agent: None,
        checks: vec![Source::new("checks/a.toml", checks)],
        alerts: vec![Source::new("alerts/a.toml", alerts)],
    };
    let net = Arc::new(Net::new().expect("a network"));
    load_as_written(&files, &net).unwrap_or_else(|faults| panic!("{faults:?}"))
}

const ORDERS: &str = "[[check]]\nname = 'orders'\nsection = 'Größe \"x\"'\nevery = '1m'\n\
    probe.sql = { url = '${NOT_SET}', query = 'select count(*) as n, 1 as bad from o where t >= $from and t < $to' }\n";
const TOLD: &str = "[alerting]\npage.to = ['a']\nticket.to = ['a']\ninfo.to = ['a']\n[[contact]]\nname = 'a'\nchannels = ['b']\n\
    [[channel]]\nname = 'b'\nto.webhook = { url = '${NOT_SET}' }\n";
const SLO: &str = "[[slo]]\nname = 'orders'\nobjective = '98%'\nsection = 'Größe \"x\"'\n\
    indicator.counts = { check = 'orders', bad = 'bad', total = 'n' }\n";

/// The text of one file, whatever variables are set.
fn text(alerts: &str, style: Style, file: &str) -> String {
    let plan = plan(ORDERS, &(TOLD.to_owned() + alerts));
    let files = files(&plan, style);
    files.into_iter().find(|one| one.path.to_str() == Some(file)).expect("the file").text
}

#[test]
fn thresholds_are_exact_and_capped_as_the_judge_has_them() {
    let check = |more: &str, expected: &[&str]| {
        let text = text(&(SLO.to_owned() + more), Style::Sloth, "objectives.rules.yml");
        for one in expected {
            assert!(text.contains(one), "{one}\n{text}");
        }
    };
    check(
        "",
        &[
            "ratio_rate1h{sloth_id=\"gr-e-x-orders\"} > 0.2688",
            "ratio_rate5m{sloth_id=\"gr-e-x-orders\"} < 0.2688",
            "vector(0.02)",
        ],
    );
    // Half way between the budget and total failure.
    check("window = '90d'\n", &["ratio_rate1h{sloth_id=\"gr-e-x-orders\"} > 0.51"]);
    check(
        "low_traffic = false\n",
        &[
            "slo:sli_error:ratio_rate1h{sloth_id=\"gr-e-x-orders\"} > 0.2688",
            "slo:sli_error:ratio_rate5m{sloth_id=\"gr-e-x-orders\"} > 0.2688",
        ],
    );
}

#[test]
fn a_severity_that_nobody_is_told_of_has_no_rule() {
    let text =
        text(&(SLO.to_owned() + "page = []\nticket = []\ninfo = []\n"), Style::Sloth, "objectives.rules.yml");
    assert!(!text.contains("alert:") && text.contains("record: slo:sli_error:ratio_rate28d"), "{text}");
}

#[test]
fn a_share_is_judged_over_its_own_windows() {
    let text = text(
        &(SLO.to_owned() + "rule = 'share'\nticket_windows = ['7d', '28d']\npage = []\n"),
        Style::Sloth,
        "objectives.rules.yml",
    );
    assert!(
        text.contains("slo:sli_error:ratio_rate7d")
            && text.contains("severity: info")
            && !text.contains("severity: page"),
        "{text}"
    );
}

#[test]
fn pyrra_has_its_own_names() {
    let text = text(SLO, Style::Pyrra, "pyrra.rules.yml");
    for name in [
        "atalaya_slo_events:burnrate5m",
        "atalaya_slo_events:increase4w",
        "pyrra_availability",
        "exhaustion: 2days",
    ] {
        assert!(text.contains(name), "{name}\n{text}");
    }
}
