//! Every bad definition of `alerts/*.toml`, with the exact words that its author reads.

use crate::config::alerting::Indicator;
use crate::config::text::Variables;
use crate::config::{Files, Plan, Source, load};
use crate::probe::net::Net;
use std::io;
use std::sync::Arc;

const CHECKS: &str = r#"
[[check]]
name = "web"
probe.tcp = { address = "${HOST}:80" }
[[check]]
name = "gone"
probe.tcp = { address = "${NOT_SET}:80" }
[[check]]
name = "paid"
[check.probe.sql]
url = "sqlite:/nowhere.db"
query = "select count(*) as tried, sum(ok) as succeeded from payments where at >= $from and at < $to"
"#;

fn plan(alerts: &str) -> Result<Plan, Vec<String>> {
    let files = Files {
        agent: None,
        checks: vec![Source::new("c.toml", CHECKS)],
        alerts: vec![Source::new("a.toml", alerts)],
    };
    let variables =
        Variables::new([("HOST", "127.0.0.1")], |_| Err(io::Error::from(io::ErrorKind::NotFound)));
    let net = Arc::new(Net::new().expect("a net"));
    load(&files, &variables, &net).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn check(alerts: &str, expected: &[&str]) {
    let found = plan(alerts).map(|plan| format!("{:?}", plan.alerting));
    assert_eq!(found, Err(expected.iter().map(ToString::to_string).collect()), "{alerts}");
}

const SLO: &str =
    "[[slo]]\nname = 'up'\nobjective = '99.9%'\nindicator.availability = { checks = ['web'] }\n";

#[test]
fn a_promise_says_little_and_gets_sensible_defaults() {
    let plan = plan(&format!("{SLO}[[channel]]\nname = 'here'\nto.desktop = {{}}\n")).expect("valid");
    let objective = &plan.alerting.objectives[0];
    assert_eq!((objective.title.as_str(), objective.objective_ppm), ("Up", 999_000));
    assert_eq!(objective.window.as_secs(), 28 * 86_400);
    assert_eq!(objective.page_windows.len() + objective.ticket_windows.len(), 4);
    assert!(objective.page.is_empty(), "nobody is told whom nobody named");
    assert_eq!(plan.alerting.contacts["here"].channels.len(), 1, "a channel is a contact of its own");
    let page = &plan.alerting.policy.page;
    assert_eq!((page.wait.as_millis(), page.keep_firing_for.as_secs()), (500, 300));
}

#[test]
fn an_objective_of_a_check_that_is_skipped_is_left_out_and_says_so() {
    let plan = plan(&SLO.replace("web", "gone")).expect("valid");
    assert!(plan.alerting.objectives.is_empty());
    let left_out = &plan.alerting.skipped[0];
    assert_eq!((left_out.what, &*left_out.name), ("objective", "up"));
    assert_eq!(left_out.why, "its check `gone` is skipped: variable NOT_SET is not set");
}

#[test]
fn every_name_is_there() {
    check(
        &SLO.replace("'web'", "'wbe'"),
        &["a.toml:4:37: there is no check `wbe`\n  hint: did you mean `web`?"],
    );
    check(
        &format!("{SLO}page = ['on-call']"),
        &[
            "a.toml:5:8: `page`: there is no contact `on-call`\n  hint: write a `[[contact]]` or a `[[channel]]` of that name",
        ],
    );
    check(
        "[[channel]]\nname = 'here'\nto.desktop = {}\n[[contact]]\nname = 'me'\nchannels = ['her']\nescalate = [{ after = '5m', to = 'mee' }]",
        &[
            "a.toml:6:12: `channels`: there is no channel `her`\n  hint: did you mean `here`?",
            "a.toml:7:12: `to`: there is no contact `mee`\n  hint: did you mean `me`?",
        ],
    );
    check(
        "[alerting]\nnetwork = ['wb']",
        &["a.toml:2:11: `network`: there is no check `wb`\n  hint: did you mean `web`?"],
    );
}

#[test]
fn a_promise_is_one_that_can_be_judged() {
    check(
        "[[slo]]\nname = 'up'\nindicator.availability = { checks = ['web'] }",
        &["a.toml:1:1: missing key `objective`"],
    );
    check(
        &SLO.replace("99.9%", "100%"),
        &[
            "a.toml:3:13: `objective`: `100%` is not a share such as \"98%\" or \"99.95%\": above 0%, below 100%, at most four digits behind the point",
        ],
    );
    check(&format!("{SLO}window = '36h'"), &["a.toml:5:10: `window`: whole days are wanted, 90 at most"]);
    check(&format!("{SLO}page_windows = ['2h']"), &["a.toml:5:16: `page_windows`: 2h is not one of 1h, 6h"]);
    let counts = |columns: &str| {
        format!(
            "[[slo]]\nname = 'paid'\nobjective = '98%'\nindicator.counts = {{ check = 'paid', {columns} }}"
        )
    };
    assert!(plan(&counts("good = 'succeeded', total = 'tried'")).is_ok());
    check(
        &counts("good = 'succeeded'"),
        &["a.toml:4:20: exactly two of `good`, `bad` and `total` are wanted"],
    );
    check(&counts("good = 'won', total = 'tried'"), &["a.toml:4:20: `paid` counts no `won`"]);
    check(
        &counts("good = 'succeeded', total = 'tried'").replace("check = 'paid'", "check = 'web'"),
        &[
            "a.toml:4:30: `check`: `web` is no `sql` check that counts from `$from` to `$to`, and no `received` one\n  hint: such a `sql` check has a query with both, and no `window`",
        ],
    );
}

#[test]
fn maintenance_has_one_beginning() {
    let with = |keys: &str| format!("[[maintenance]]\nname = 'night'\nlasts = '1h'\n{keys}");
    assert!(plan(&with("cron = '0 3 * * SUN'\ntime_zone = 'Europe/Berlin'")).is_ok());
    assert!(plan(&with("at = '2026-12-24T18:00'\nof = ['web']")).is_ok());
    check(&with(""), &["a.toml:1:1: a maintenance needs exactly one of `cron` and `at`"]);
    check(&with("at = 'soon'"), &["a.toml:4:6: `at`: `soon` is no time such as \"2026-12-24T18:00\""]);
    check(
        &with("at = '2026-12-24T18:00'\nof = ['wen']"),
        &["a.toml:5:6: `of`: there is no check or objective `wen`\n  hint: did you mean `web`?"],
    );
}

#[test]
fn a_maintenance_that_never_begins_is_refused() {
    let with = |cron: &str| format!("[[maintenance]]\nname = 'night'\nlasts = '1h'\ncron = '{cron}'");
    check(
        &with("0 3 30 2 *"),
        &[
            "a.toml:4:8: `cron`: `0 3 30 2 *` names a day that no year has\n  hint: the fields are minute, hour, day of the month, month, weekday",
        ],
    );
    assert!(plan(&with("0 3 29 2 *")).is_ok());
}

#[test]
fn other_tables_are_refused_with_what_is_allowed() {
    check(
        "[[slos]]\n",
        &[
            "a.toml:1:3: unknown key `slos`; allowed are `slo`, `channel`, `contact`, `maintenance`, `part`, `alerting`, `status`\n  hint: did you mean `slo`?",
        ],
    );
    check(
        "[slo]\n",
        &["a.toml:1:2: `slo` must be a list of tables\n  hint: write `[[slo]]` with two brackets"],
    );
}

#[test]
fn a_dead_mans_switch_is_an_address() {
    let text =
        "a.toml:2:20: `dead_mans_switch`: the value is no address that begins with `https://` or `http://`";
    check("[alerting]\ndead_mans_switch = 'hc-ping.com/secret'\n", &[text]);
    assert!(plan("[alerting]\ndead_mans_switch = 'https://hc-ping.com/secret'\n").is_ok());
    let none = plan("[alerting]\ndead_mans_switch = '${NOT_SET:-}'\n").expect("no switch");
    assert!(none.alerting.dead_mans_switch.is_none());
}

#[test]
fn what_the_agent_sees_stands_for_customers_that_nobody_tells_of() {
    let slo = |check: &str, otherwise: &str| {
        let counts =
            format!("indicator.counts = {{ check = '{check}', good = 'succeeded', total = 'tried' }}");
        format!("[[slo]]\nname = 'paid'\nobjective = '98%'\n{counts}\n{otherwise}\n")
    };
    let web = "otherwise.latency = { check = 'web', below = '1s' }";
    let told = plan(&slo("paid", web)).expect("valid");
    assert!(matches!(told.alerting.objectives[0].indicator, Indicator::Counts { .. }));
    assert_eq!(told.alerting.objectives[0].instead, None);
    let untold = plan(&slo("gone", web)).expect("valid");
    let objective = &untold.alerting.objectives[0];
    assert!(matches!(objective.indicator, Indicator::Latency { .. }));
    assert!(objective.instead.as_ref().is_some_and(|why| why.contains("`gone` is skipped")));
    assert_ne!(objective.generation, told.alerting.objectives[0].generation, "they are not the same events");
    let neither = plan(&slo("gone", "")).expect("valid");
    assert!(neither.alerting.objectives.is_empty() && neither.alerting.skipped.len() == 1);
    check(
        &slo("paid", "otherwise.latency = { check = 'wbe', below = '1s' }"),
        &["a.toml:5:31: there is no check `wbe`\n  hint: did you mean `web`?"],
    );
}
