//! Definitions that somebody mistyped: all that ships, with lines and words deleted, doubled, swapped and replaced.

use super::{SECRET, cases, fails, mutate};
use atalaya::config::text::Variables;
use atalaya::config::{Files, Plan, Source, load};
use atalaya::demo::watch_list::{ALERTS, CHECKS};
use atalaya::probe::net::Net;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};
use std::io;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// What a slip of the keys could never be, and what a wrong idea of the language might.
const NASTY: &[&str] = &[
    "1",
    "-1",
    "1e999",
    "true",
    "nan",
    "[]",
    "{}",
    "''",
    "[",
    "\"",
    "'''",
    "=",
    ".",
    "\u{0}",
    "é\u{202e}",
    "\r",
    "99999999999999999999",
    "1979-05-27T07:32:00Z",
    "'0s'",
    "'300000000000y'",
    "'18446744073709551615s'",
    "'> 1e308d'",
    "'> 5 apples'",
    "'${'",
    "'${SECRET}'",
    "'${SECRET}:80'",
    "'a.b:${SECRET}'",
    "'${NONE}'",
    "'${file:/none}'",
    "'${file:/none}${SECRET}'",
    "'https://${SECRET}'",
    "'http://${SECRET}.example/${SECRET}'",
    "'rediss://${SECRET}'",
    "'redis://${SECRET}@${SECRET}'",
    "'postgresql://shop:${SECRET}@db/shop'",
    "'postgresql://${SECRET}'",
    "'select ${SECRET}'",
    "'select $now; $nwo'",
    "['${SECRET}', 5]",
    "{ a = 1 }",
    "{ insecure = true }",
    "{ ca = '${SECRET}' }",
    "'$$${X}'",
    "[[check]]",
    "[check]",
    "'\\u0000'",
    "\"\\u0000\"",
    "needs",
    "name",
    "probe",
    "timeout",
    "limits",
    "'a'",
    "'A'",
    "4294967296",
    "0",
    "65536",
];

/// What a variable may be set to, each with what must not be shown.
const VALUES: &[&str] = &[
    "marked-secret-Yq27",
    "marked-secret-Yq27-",
    "-marked-secret-Yq27-:443",
    "marked-secret-Yq27:80",
    "https://marked-secret-Yq27/-?#@%zz",
    "https://shop.example/marked-secret-Yq27",
    "rediss://marked-secret-Yq27-:6379",
    "redis://default:marked-secret-Yq27@db:1/marked-secret-Yq27",
    "postgresql://shop:marked-secret-Yq27@db:5432/shop?sslmode=marked-secret-Yq27",
    "postgresql://shop:p@marked-secret-Yq27/x@db/shop",
    "sqlite:/nowhere/marked-secret-Yq27.db",
    "Shop <marked-secret-Yq27>",
    "marked-secret-Yq27\u{0}\n\u{202e}",
    "\u{feff}marked-secret-Yq27 ${SECRET}",
    "",
];

const NAMES: [&str; 29] = [
    "SECRET",
    "ALERT_EMAIL_FROM",
    "ALERT_EMAIL_TO",
    "ATALAYA_URL",
    "DEAD_MANS_SWITCH_URL",
    "DISCORD_WEBHOOK_URL",
    "PAGERDUTY_ROUTING_KEY",
    "SLACK_WEBHOOK_URL",
    "SMTP_PASS",
    "SMTP_USER",
    "BYPASS_RATE_LIMIT",
    "DATABASE_URL",
    "DIRECT_DATABASE_URL",
    "FROM_EMAIL",
    "MONITORING_PLUGINS",
    "NEXT_PUBLIC_APP_URL",
    "REDIS_URL",
    "RESEND_API_KEY",
    "RESEND_API_URL",
    "SHOP_DOMAIN",
    "SMTP_HOST",
    "SMTP_PORT",
    "SQUARE_ACCESS_TOKEN",
    "SQUARE_API_URL",
    "SQUARE_ENVIRONMENT",
    "SQUARE_LOCATION_ID",
    "SQUARE_PRODUCTION_TOKEN",
    "UPSTASH_REDIS_REST_TOKEN",
    "UPSTASH_REDIS_REST_URL",
];

/// Keys of alerts that nothing that ships has a use for.
const MORE_ALERTS: &str = r#"
[[channel]]
name = "hook"
timeout = "3s"
hourly_max = 7
[channel.to.webhook]
url = "https://hooks.example/${SECRET}"
secret = "${SECRET}"
authorization = "Bearer ${SECRET}"

[[channel]]
name = "alertmanager"
to.alertmanager = { urls = ["https://am:${SECRET}@am.example"] }

[[contact]]
name = "boss"
channels = ["hook", "alertmanager"]
escalate = [{ after = "30m", to = "hook" }]

[[slo]]
name = "own"
title = "Own"
section = "site"
description = "All keys"
objective = "99.5%"
window = "30d"
indicator.availability = { checks = ["site"] }
rule = "burn_rate"
page = ["boss"]
ticket = ["boss"]
info = []
page_windows = ["1h"]
ticket_windows = ["1d", "3d"]
low_traffic = false
drought = true
maintenance = "counted"
report = { time_zone = "Europe/Madrid" }
runbook = "https://wiki.example"

[[maintenance]]
name = "night"
title = "Night"
cron = "0 3 * * SUN"
lasts = "2h"
time_zone = "America/Los_Angeles"
of = ["site", "own"]
sections = ["site"]

[[maintenance]]
name = "move"
at = "2026-12-24T18:00"
lasts = "1d"

[alerting]
page = { to = ["boss"], wait = "1s", keep_firing_for = "5m", remind = ["1h", "2h"] }
ticket.to = ["hook"]
network = ["site"]
url = "https://${SECRET}"
dead_mans_switch = "https://hc.example/${SECRET}"
"#;

/// Keys that nothing that ships has a use for.
const MORE: &str = r#"
[[check]]
name = "everything"
every = "15s"
timeout = "5s"
needs = ["site"]
metric_prefix = "shop"
runbook = "https://wiki.example"
limits.duration_seconds = { degraded = "> 500ms", failed = "> 1s", missing = "ok" }
probe.tcp = { address = "${SECRET}", send = "${SECRET}", expect = { contains = "${SECRET}", regex = "^a" }, tls = { server_name = "${SECRET}", ca = "${SECRET}" } }
[[check]]
name = "asked"
probe.http = { url = "https://${SECRET}/a?b=${SECRET}", method = "POST", headers = { Authorization = "Bearer ${SECRET}" }, body = "${SECRET}", redirects = 2, status = ["2xx", 301], header = { Server = { contains = "${SECRET}" } }, contains = "${SECRET}", regex = ["a"], json = { "/status" = "ok" }, body_max = "1MiB", version = "auto", keep_alive = true, tls = { insecure = true, server_name = "${SECRET}", certificate = "${SECRET}", key = "${SECRET}" } }
[[check]]
name = "named"
probe.dns = { name = "${SECRET}", record = "MX", expect = ["10 ${SECRET}"], server = "${SECRET}" }
[[check]]
name = "counted"
probe.sql = { url = "${SECRET}", query = "select a, count(*) as b from c where d < $ago_15m group by 1", labels = ["a"], rows_max = 5 }
[[check]]
name = "kept"
probe.redis = { url = "rediss://${SECRET}", write = true, tls = { insecure = true } }
[[check]]
name = "limited"
probe.upstash = { url = "${SECRET}", token = "${SECRET}", rate_limits = ["${SECRET}", "a"], blocked = true, bypass = "${SECRET}" }
[[check]]
name = "reconciled"
probe.reconcile = { square = { token = "${SECRET}", environment = "sandbox", api_url = "${SECRET}", locations = ["${SECRET}"], version = "2026-05-20" }, url = "${SECRET}", query = "select a as id, b as cents, status from p where c >= $from and c < $to", currency = "USD", window = "2h", lag = "5m", slack = "10m", failed_above_cents = 5, rows_max = 7, calls_max = 9 }
[[check]]
name = "logged"
probe.webhook_log = { vendor = "square", sent_with = "${SECRET}", url = "${SECRET}", query = "select a as id from p where c >= $from and c < $to", window = "2h", lag = "5m", slack = "10m", rows_max = 7 }
[[check]]
name = "plugged"
probe.command = { argv = ["${SECRET}", "-H", "${SECRET}"], environment = { TOKEN = "${SECRET}" }, directory = "/${SECRET}", timeout_status = "unknown", output_max = "1KiB" }
"#;

const AGENT: &str =
    "checks = ['checks']\n[agent]\nruns_max = 100\ngrace = '10s'\n[http]\nlisten = '127.0.0.1:9760'\n";

struct Loader {
    runtime: Runtime,
    net: Arc<Net>,
}

impl Loader {
    fn new() -> Loader {
        let runtime = Runtime::new().expect("a runtime");
        let net = Arc::new(Net::new().expect("a network"));
        Loader { runtime, net }
    }

    fn load(&self, files: &Files, values: &[&str]) -> Result<Plan, Vec<atalaya::config::Fault>> {
        let _entered = self.runtime.enter();
        let pairs = NAMES.iter().zip(values.iter().cycle());
        let variables = Variables::new(pairs.map(|(name, value)| (*name, *value)), |_| {
            Err(io::ErrorKind::NotFound.into())
        });
        load(files, &variables, &self.net)
    }

    fn check(&self, files: &Files, values: &[&str]) -> TestCaseResult {
        let told = |found: &Result<Plan, Vec<atalaya::config::Fault>>| match found {
            Ok(plan) => {
                let names = plan.checks.iter().map(|check| (check.name.to_string(), check.fingerprint));
                let skipped = plan.skipped.iter().map(|skipped| format!("{skipped:?}"));
                let skipped = skipped.chain(plan.alerting.skipped.iter().map(|one| format!("{one:?}")));
                let alerting = (&plan.alerting.objectives, &plan.alerting.contacts, &plan.alerting.channels);
                let (names, skipped) = (names.collect::<Vec<_>>(), skipped.collect::<Vec<_>>());
                format!("{names:?} {skipped:?} {alerting:?} {:?}", plan.alerting.dead_mans_switch)
            }
            Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        };
        let found = self.load(files, values);
        prop_assert_eq!(told(&found), told(&self.load(files, values)), "not the same twice");
        prop_assert!(!told(&found).contains(SECRET), "a filled value is shown: {}", told(&found));
        match found {
            Ok(plan) => complete(files, &plan),
            Err(faults) => placed(files, &faults),
        }
    }
}

/// Every check of the files runs or is skipped for a reason.
fn complete(files: &Files, plan: &Plan) -> TestCaseResult {
    let mut tables = 0;
    for source in &files.checks {
        let file: toml::Table = source.text.parse().map_err(|error| fails(format!("loaded, and {error}")))?;
        tables += file.get("check").and_then(|checks| checks.as_array()).map_or(0, Vec::len);
    }
    prop_assert_eq!(tables, plan.checks.len() + plan.skipped.len());
    let mut tables = 0;
    for source in &files.alerts {
        let file: toml::Table = source.text.parse().map_err(|error| fails(format!("loaded, and {error}")))?;
        let of = |key| file.get(key).and_then(toml::Value::as_array).map_or(0, Vec::len);
        tables += of("slo") + of("channel") + of("maintenance");
    }
    let alerting = &plan.alerting;
    let work = alerting.objectives.len() + alerting.channels.len() + alerting.maintenance.len();
    prop_assert_eq!(tables, work + alerting.skipped.len());
    for left_out in &alerting.skipped {
        prop_assert!(!left_out.why.is_empty(), "left out for no reason: {:?}", left_out);
    }
    for skipped in &plan.skipped {
        prop_assert!(!skipped.why.contains("variables  are"), "skipped for no reason: {:?}", skipped);
    }
    Ok(())
}

/// Every fault stands at a place that its file has, in words.
fn placed(files: &Files, faults: &[atalaya::config::Fault]) -> TestCaseResult {
    prop_assert!(!faults.is_empty(), "refused without a fault");
    for fault in faults {
        let mut sources = files.checks.iter().chain(&files.agent).chain(&files.alerts);
        let source = sources.find(|source| source.file == fault.place.file);
        let source = source.ok_or_else(|| fails(format!("no such file: {fault}")))?;
        let line = source.text.split('\n').nth(fault.place.line as usize - 1);
        let line = line.ok_or_else(|| fails(format!("no such line: {fault}")))?;
        prop_assert!(fault.place.column as usize <= line.chars().count() + 1, "no such column: {}", fault);
        prop_assert!(!fault.text.is_empty() && !fault.text.contains('\n'), "{:?}", fault);
    }
    Ok(())
}

fn values() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(VALUES), 1..4)
}

#[test]
fn a_mistyped_definition_is_explained_and_never_breaks_the_loader() {
    let loader = Loader::new();
    let checks: Vec<String> =
        CHECKS.iter().map(|(_, text)| *text).chain([MORE]).flat_map(each_check).collect();
    let given = (0..checks.len(), 0..checks.len(), mutate::changes(5), values());
    let run = TestRunner::new(cases(1500)).run(&given, |(first, second, changes, values)| {
        let text = mutate::text(&format!("{}{}", checks[first], checks[second]), &changes, NASTY);
        loader.check(
            &Files { agent: None, checks: vec![Source::new("checks/a.toml", text)], ..Files::default() },
            &values,
        )
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

/// The tables of a file, one by one: two of them are enough to be wrong together.
fn each_check(text: &str) -> Vec<String> {
    text.split("[[check]]").skip(1).map(|table| format!("[[check]]{table}")).collect()
}

#[test]
fn mistyped_alerts_are_explained_and_never_break_the_loader() {
    let loader = Loader::new();
    let alerts: Vec<String> =
        ALERTS.iter().map(|(_, text)| *text).chain([MORE_ALERTS]).flat_map(each_table).collect();
    let checks: Vec<Source> = CHECKS.iter().map(|(file, text)| Source::new(file, *text)).collect();
    let given = (0..alerts.len(), 0..alerts.len(), mutate::changes(5), values());
    let run = TestRunner::new(cases(500)).run(&given, |(first, second, changes, values)| {
        let text = mutate::text(&format!("{}{}", alerts[first], alerts[second]), &changes, NASTY);
        let rest = Source::new("alerts/rest.toml", CONTACTS);
        let alerts = vec![Source::new("alerts/a.toml", text), rest];
        loader.check(&Files { checks: checks.clone(), alerts, ..Files::default() }, &values)
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

/// Whom the tables under change name, so that what is wrong with them is what was changed.
const CONTACTS: &str =
    "[[contact]]\nname = 'on-call'\nchannels = []\n[[contact]]\nname = 'person'\nchannels = []\n";

/// The tables of a file, one by one.
fn each_table(text: &str) -> Vec<String> {
    let starts = text.match_indices("\n[").filter(|(at, _)| {
        let line = text[at + 1..].lines().next().unwrap_or_default();
        line.starts_with("[[") || line == "[alerting]"
    });
    let mut places: Vec<usize> = starts.map(|(at, _)| at + 1).collect();
    places.push(text.len());
    places.windows(2).map(|pair| text[pair[0]..pair[1]].to_owned()).collect()
}

#[test]
fn what_the_alerts_are_mistyped_from_is_right_as_it_stands() {
    let loader = Loader::new();
    let files = |alerts: &str| Files {
        checks: CHECKS.iter().map(|(file, text)| Source::new(file, *text)).collect(),
        alerts: vec![Source::new("alerts/a.toml", alerts)],
        ..Files::default()
    };
    let right: Vec<&str> = NAMES.iter().map(|name| right_value(name)).collect();
    for text in ALERTS.iter().map(|(_, text)| *text).chain([MORE_ALERTS]) {
        // Each file by itself: what it names in another one is not there.
        let text = text.replace("[\"on-call\"]", "[]").replace("[\"person\"]", "[]");
        let text = text.replace("objective = \"uptime\"\n", "");
        let plan = loader.load(&files(&text), &right).unwrap_or_else(|faults| panic!("{faults:#?}"));
        let found = plan.alerting.objectives.len() + plan.alerting.channels.len();
        assert!(found > 0 || plan.alerting.page.title.is_some(), "{text}");
    }
}

fn right_value(name: &str) -> &'static str {
    match name {
        "SECRET" => "bWFya2VkLXNlY3JldC1ZcTI3LW9mLTMyLWJ5dGVzLg==",
        "DATABASE_URL" | "DIRECT_DATABASE_URL" => "postgresql://shop:x@db:5432/shop",
        "ALERT_EMAIL_FROM" | "ALERT_EMAIL_TO" | "FROM_EMAIL" => "Shop <a@shop.example>",
        "SMTP_PORT" => "587",
        "SMTP_HOST" | "SHOP_DOMAIN" => "shop.example",
        "REDIS_URL" => "rediss://default:x@db:6379",
        "SQUARE_ENVIRONMENT" => "production",
        "BYPASS_RATE_LIMIT" => "false",
        "PAGERDUTY_ROUTING_KEY" => "0123456789abcdef0123456789abcdef",
        "MONITORING_PLUGINS" => "/usr/lib/nagios/plugins",
        name if name.ends_with("_URL") => "https://shop.example",
        _ => "a-value",
    }
}

#[test]
fn a_mistyped_file_of_the_agent_is_explained() {
    let loader = Loader::new();
    let given = (mutate::changes(4), values());
    let run = TestRunner::new(cases(400)).run(&given, |(changes, values)| {
        let text = mutate::text(AGENT, &changes, NASTY);
        loader.check(
            &Files { agent: Some(Source::new("atalaya.toml", text)), checks: Vec::new(), ..Files::default() },
            &values,
        )
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn noise_is_no_definition_and_does_no_harm() {
    let loader = Loader::new();
    let piece = prop_oneof![
        4 => prop::sample::select(NASTY).prop_map(str::to_owned),
        1 => "(?s).{0,6}",
        2 => "[\\[\\]{}.=,\n 'a\"]{1,6}",
    ];
    let given = prop::collection::vec(piece, 0..30);
    let run = TestRunner::new(cases(600)).run(&given, |pieces| {
        let checks = vec![Source::new("noise.toml", pieces.join(" "))];
        loader.check(&Files { agent: None, checks, ..Files::default() }, &[SECRET])
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}
