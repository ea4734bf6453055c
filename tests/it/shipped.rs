//! Everything that ships loads as it stands, and is complete.

use crate::support::agent::PROGRAM;
use crate::support::judge::python;
use atalaya::config::text::Variables;
use atalaya::config::{Plan, load};
use atalaya::demo::watch_list;
use atalaya::notify::Channel;
use atalaya::probe::Probe;
use atalaya::probe::net::Net;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// The watch list with every variable that it names set to something of the right shape.
fn plan() -> Plan {
    let pairs = [
        ("ALERTMANAGER_URL", "http://127.0.0.1:9093"),
        ("ALERT_EMAIL_FROM", "Atalaya <alerts@shop.example>"),
        ("ALERT_EMAIL_TO", "on-call@shop.example"),
        ("ALERT_WEBHOOK_URL", "https://hooks.example/atalaya"),
        ("ATALAYA_INGEST_TOKEN", "secret-secret-secret"),
        ("ATALAYA_SQUARE_WEBHOOK_KEY", "secret"),
        ("BYPASS_RATE_LIMIT", "false"),
        ("DATABASE_URL", "postgresql://shop:p%40ss@127.0.0.1:6543/shop?pgbouncer=true&connection_limit=20"),
        ("DISCORD_WEBHOOK_URL", "https://discord.example/api/webhooks/1/secret"),
        ("DIRECT_DATABASE_URL", "postgresql://shop:p%40ss@127.0.0.1:5432/shop"),
        ("FROM_EMAIL", "Shop <orders@shop.example>"),
        ("MONITORING_PLUGINS", "/usr/lib/nagios/plugins"),
        ("NEXT_PUBLIC_APP_URL", "https://shop.example"),
        ("PAGERDUTY_ROUTING_KEY", "0123456789abcdef0123456789abcdef"),
        ("REDIS_URL", "rediss://default:secret@127.0.0.1:6379"),
        ("RESEND_API_KEY", "re_secret"),
        ("RESEND_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("SHOP_DOMAIN", "shop.example"),
        ("SLACK_WEBHOOK_URL", "https://hooks.slack.example/services/T/B/secret"),
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", "587"),
        ("SQUARE_ACCESS_TOKEN", "secret"),
        ("SQUARE_ENVIRONMENT", "production"),
        ("SQUARE_LOCATION_ID", "L88917AVBK2S5"),
        ("SQUARE_PRODUCTION_TOKEN", "secret"),
        ("UPSTASH_REDIS_REST_TOKEN", "secret"),
        ("UPSTASH_REDIS_REST_URL", "https://cache.example"),
    ];
    let variables = Variables::new(pairs, |path| std::fs::read_to_string(path));
    let net = Arc::new(Net::new().expect("a network"));
    load(&watch_list::files(), &variables, &net).unwrap_or_else(|faults| {
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        panic!("{}", told.join("\n"))
    })
}

#[tokio::test]
async fn the_watch_list_loads_and_says_why_each_thing_is_watched() {
    let plan = plan();
    assert!(plan.skipped.is_empty(), "{:?}", plan.skipped);
    for check in &plan.checks {
        assert!(check.description.is_some(), "{} does not say why", check.name);
    }
    for section in ["database", "payments", "cache", "email", "site", "business"] {
        assert!(plan.checks.iter().any(|check| check.section == section), "nothing of section {section}");
    }
}

#[tokio::test]
async fn every_kind_of_probe_has_an_example() {
    let schema = serde_json::to_value(schemars::schema_for!(Probe)).expect("a schema");
    let kinds = schema["oneOf"].as_array().expect("one for each kind").iter();
    let kinds: BTreeSet<&str> = kinds.filter_map(|kind| kind["required"][0].as_str()).collect();
    let plan = plan();
    let shown: BTreeSet<&str> = plan.checks.iter().map(|check| check.kind).collect();
    assert_eq!(shown, kinds);
}

#[tokio::test]
async fn all_promises_of_the_shop_are_judged_and_somebody_is_told() {
    let plan = plan();
    let alerting = &plan.alerting;
    assert!(alerting.skipped.is_empty(), "{:?}", alerting.skipped);
    let promised: Vec<(&str, u32)> =
        alerting.objectives.iter().map(|one| (&*one.name, one.objective_ppm)).collect();
    let expected = [
        ("uptime", 999_000),
        ("error-rate", 999_000),
        ("response-time", 950_000),
        ("database-response-time", 950_000),
        ("payment-success", 980_000),
        ("email-delivery", 970_000),
        ("cart-conversion", 850_000),
        ("order-completion", 950_000),
        ("support-tickets", 980_000),
        ("returning-customers", 300_000),
        ("average-order-value", 0),
    ];
    assert_eq!(promised, expected);
    for objective in &alerting.objectives {
        assert!(objective.description.is_some(), "{} does not say why", objective.name);
    }
    assert_eq!(alerting.contacts["on-call"].channels.len(), 7);
}

#[tokio::test]
async fn every_kind_of_channel_has_an_example() {
    let schema = serde_json::to_value(schemars::schema_for!(Channel)).expect("a schema");
    let kinds = schema["oneOf"].as_array().expect("one for each kind").iter();
    let kinds: BTreeSet<&str> = kinds.filter_map(|kind| kind["required"][0].as_str()).collect();
    let plan = plan();
    let shown: BTreeSet<&str> = plan.alerting.channels.values().map(|channel| channel.kind).collect();
    assert_eq!(shown, kinds);
}

#[test]
fn the_program_holds_every_file_of_the_folders() {
    let files = |folder: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let entries =
            std::fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let mut files: Vec<String> =
            entries.map(|name| format!("{folder}/{}", name.to_string_lossy())).collect();
        // Beside the objectives stand the rule files that are made from them.
        files.retain(|file| !file.ends_with("/prometheus"));
        files.sort();
        files
    };
    assert_eq!(watch_list::CHECKS.map(|(file, _)| file.to_owned()).to_vec(), files("checks"));
    assert_eq!(watch_list::ALERTS.map(|(file, _)| file.to_owned()).to_vec(), files("alerts"));
}

#[test]
fn the_schema_takes_what_ships_and_refuses_what_the_loader_refuses() {
    let schema = Command::new(PROGRAM).arg("schema").output().expect("the program").stdout;
    let schema = String::from_utf8(schema).expect("text");
    let files: Vec<_> = watch_list::CHECKS.into_iter().chain(watch_list::ALERTS).collect();
    let input = serde_json::json!({ "schema": schema, "files": files }).to_string();
    let program = "import json, sys, tomllib\n\
        from jsonschema import Draft202012Validator as Validator\n\
        given = json.load(sys.stdin)\n\
        schema = json.loads(given['schema'])\n\
        Validator.check_schema(schema)\n\
        validator = Validator(schema)\n\
        for file, text in given['files']:\n\
        \x20   for error in validator.iter_errors(tomllib.loads(text)): print(file, error.json_path, error.message)\n\
        for wrong in ['[[check]]', '[[check]]\\nname=\"a\"\\nevry=\"1s\"\\nprobe.tcp.address=\"a:1\"',\n\
        \x20             '[[check]]\\nname=\"a\"\\nprobe.tcp={}', '[[check]]\\nname=\"a\"\\nprobe.nothing={}', 'chekc=1',\n\
        \x20             '[[slo]]\\nname=\"a\"', '[[slo]]\\nname=\"a\"\\nindicator.nothing={}', '[alerting]\\npages=1',\n\
        \x20             '[[slo]]\\nname=\"a\"\\nobjective=0.99\\nindicator.availability={checks=[\"b\"]}',\n\
        \x20             '[[channel]]\\nname=\"a\"\\nto.pigeon={}', '[[channel]]\\nname=\"a\"\\nto.webhook={ulr=\"b\"}',\n\
        \x20             '[[contact]]\\nname=\"a\"', '[[maintenance]]\\nname=\"a\"\\ncron=\"0 3 * * *\"']:\n\
        \x20   if validator.is_valid(tomllib.loads(wrong)): print('taken:', wrong)\n";
    assert_eq!(python(program, &input), Ok(String::new()));
}
