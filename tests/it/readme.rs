//! What the README shows is true: its definitions load, and its tables name what there is.

use atalaya::config::text::Variables;
use atalaya::config::{self, Files, Source};
use atalaya::once::Format;
use atalaya::probe::Probe;
use atalaya::probe::net::Net;
use clap::ValueEnum;
use std::sync::Arc;

const README: &str = include_str!("../../README.md");

fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README.split(&*fence).skip(1).map(|rest| rest.split("```").next().expect("a text")).collect()
}

#[tokio::test]
async fn its_definitions_load() {
    let sources =
        blocks("toml").into_iter().zip(1..).map(|(text, n)| Source::new(&format!("README-{n}.toml"), text));
    let (checks, alerts) = sources.partition(|source| source.text.starts_with("[[check]]"));
    let files = Files { checks, alerts, ..Files::default() };
    assert_eq!((files.checks.len(), files.alerts.len()), (4, 4));
    let pairs = [
        ("ALERT_EMAIL_FROM", "Atalaya <alerts@shop.example>"),
        ("ALERT_EMAIL_TO", "on-call@shop.example"),
        ("SLACK_WEBHOOK_URL", "https://hooks.slack.example/services/T/B/secret"),
        ("SMTP_HOST", "127.0.0.1"),
        ("NEXT_PUBLIC_APP_URL", "https://shop.example"),
        ("DATABASE_URL", "postgresql://a:b@127.0.0.1/shop"),
    ];
    let variables = Variables::new(pairs, |path| std::fs::read_to_string(path));
    let net = Arc::new(Net::new().expect("a network"));
    let plan = config::load(&files, &variables, &net).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let names: Vec<_> = plan.checks.iter().map(|check| check.name.to_string()).collect();
    assert_eq!(names, ["site", "database", "stuck-orders", "disk", "backup", "requests"]);
    assert!(plan.skipped.is_empty(), "{:?}", plan.skipped);
    let alerting = &plan.alerting;
    assert!(alerting.skipped.is_empty(), "{:?}", alerting.skipped);
    assert_eq!((alerting.objectives.len(), alerting.contacts["on-call"].channels.len()), (3, 2));
}

#[test]
fn its_tables_name_every_kind_and_format() {
    // The JSON Schema is where all kinds stand, whatever their number.
    let schema = serde_json::to_value(schemars::schema_for!(Probe)).expect("a schema");
    let kinds: Vec<_> = schema["oneOf"].as_array().expect("one for each kind").iter().collect();
    assert!(kinds.len() > 1, "{schema}");
    for kind in kinds {
        let name = kind["required"][0].as_str().expect("a name");
        assert!(README.contains(&format!("| `{name}` |")), "{name} has no row");
    }
    for format in Format::value_variants() {
        let name = format.to_possible_value().expect("a name").get_name().to_owned();
        assert!(README.contains(&format!("| `{name}` |")), "{name} has no row");
    }
}
