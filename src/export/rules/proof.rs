//! How each rule is shown to be right: the unit tests that `promtool test rules` runs. Every alert is seen resting and
//! seen firing, every recorded series has its number.

use super::rule::{Alert, Group, Labels, yaml};
use serde::Serialize;

/// The series that a test is fed with, a value each minute, and what is seen when.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// A series, and its values in promtool's notation: `0x5 1x20`.
    pub series: Vec<(String, String)>,
    /// The minutes at which it must rest, before and after.
    pub rests: Vec<u32>,
    /// The minute at which it must fire; of records, at which they have their values.
    pub fires: u32,
    /// Labels that the firing alert has from its series.
    pub labels: Labels,
    /// What becomes of `{{ $value … }}`.
    pub value: String,
}

#[derive(Serialize)]
struct File<'a> {
    rule_files: [&'a str; 1],
    evaluation_interval: &'static str,
    tests: Vec<Test>,
}

#[derive(Serialize)]
struct Test {
    interval: &'static str,
    input_series: Vec<Input>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alert_rule_test: Vec<AlertTest>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    promql_expr_test: Vec<ValueTest>,
}

#[derive(Serialize)]
struct Input {
    series: String,
    values: String,
}

#[derive(Serialize)]
struct AlertTest {
    eval_time: String,
    alertname: &'static str,
    exp_alerts: Vec<Expected>,
}

#[derive(Serialize)]
struct Expected {
    exp_labels: Labels,
    exp_annotations: Labels,
}

#[derive(Serialize)]
struct ValueTest {
    expr: String,
    eval_time: String,
    exp_samples: Vec<Sample>,
}

#[derive(Serialize)]
struct Sample {
    labels: String,
    value: f64,
}

/// The tests of a file of rules.
pub fn text(rules: &str, groups: &[Group]) -> String {
    let mut tests = Vec::new();
    for group in groups {
        tests.extend(of_records(group, groups));
        tests.extend(group.alerts.iter().map(of_alert));
    }
    let head = format!(
        "# Made by `atalaya export rules`: shows each rule of {rules} at work. `promtool test rules {}`\n",
        rules.replace("rules", "test")
    );
    yaml(&head, &File { rule_files: [rules], evaluation_interval: "1m", tests })
}

fn inputs(proof: &Proof) -> Vec<Input> {
    let copied =
        |(series, values): &(String, String)| Input { series: series.clone(), values: values.clone() };
    proof.series.iter().map(copied).collect()
}

fn of_alert(alert: &Alert) -> Test {
    let proof = &alert.proof;
    let mut exp_labels = alert.all_labels();
    exp_labels.extend(proof.labels.clone());
    let annotations = alert.words.annotations().into_iter();
    let exp_annotations =
        annotations.map(|(name, text)| (name, filled(&text, &exp_labels, &proof.value))).collect();
    let at = |minute: u32, exp_alerts: Vec<Expected>| AlertTest {
        eval_time: format!("{minute}m"),
        alertname: alert.name,
        exp_alerts,
    };
    let mut seen: Vec<(u32, AlertTest)> =
        proof.rests.iter().map(|minute| (*minute, at(*minute, Vec::new()))).collect();
    seen.push((proof.fires, at(proof.fires, vec![Expected { exp_labels, exp_annotations }])));
    seen.sort_by_key(|(minute, _)| *minute);
    Test {
        interval: "1m",
        input_series: inputs(proof),
        alert_rule_test: seen.into_iter().map(|(_, test)| test).collect(),
        promql_expr_test: Vec::new(),
    }
}

/// What Prometheus makes of a text.
fn filled(text: &str, labels: &Labels, value: &str) -> String {
    let mut text = text.to_owned();
    for (name, label) in labels {
        text = text.replace(&format!("{{{{ $labels.{name} }}}}"), label);
    }
    while let Some((before, rest)) = text.split_once("{{ $value") {
        let after = rest.split_once("}}").map_or("", |(_, after)| after);
        text = format!("{before}{value}{after}");
    }
    text
}

fn of_records(group: &Group, all: &[Group]) -> Option<Test> {
    let proof = group.proof.as_ref()?;
    let value = |record: &super::rule::Record| ValueTest {
        expr: series(&record.name, &record.labels),
        eval_time: format!("{}m", proof.fires),
        exp_samples: vec![Sample { labels: series(&record.name, &record.labels), value: record.expected }],
    };
    // Groups that share a proof are shown once, with the first of them.
    let same = all.iter().filter(|other| {
        other.proof.as_ref().is_some_and(|other| other.series == proof.series && other.fires == proof.fires)
    });
    let same: Vec<&Group> = same.collect();
    if same.first().is_some_and(|first| first.name != group.name) {
        return None;
    }
    Some(Test {
        interval: "1m",
        input_series: inputs(proof),
        alert_rule_test: Vec::new(),
        promql_expr_test: same.iter().flat_map(|group| &group.records).map(value).collect(),
    })
}

/// `name{a="b"}`
pub fn series(name: &str, labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={}", super::number::quoted(value))).collect();
    format!("{name}{{{}}}", pairs.join(", "))
}
