//! Whatever checks are called and whatever they measure, both texts can be read: by a strict parser here for every
//! case, and by programs that nobody here wrote for a batch of them.

use super::{cases, fails};
use crate::support::judge::{answer, python};
use atalaya::clock::Now;
use atalaya::config::text::Variables;
use atalaya::config::{Check, Files, Source, load};
use atalaya::export::exposition::Format;
use atalaya::export::{Exposition, check_labels};
use atalaya::outcome::{Class, Fault, Measure, Outcome, Phase};
use atalaya::probe::net::Net;
use atalaya::record::{Record, Run};
use atalaya::view::{CheckView, View, by_name};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// Names of measures that come near to each other, to what formats reserve, and to nothing at all.
const MEASURES: [&str; 24] = [
    "x",
    "x_total",
    "x_now",
    "x_total_total",
    "x_created",
    "x_created_total",
    "x_info",
    "x_bucket",
    "x_count",
    "x_sum",
    "x_seconds",
    "x_seconds_total",
    "x_ratio",
    "x_",
    "x x",
    "y_x",
    "le",
    "1",
    "",
    "größe",
    "duration_seconds",
    "total",
    "x_gcount",
    "x_now_total",
];

const LABELS: [&str; 14] = [
    "check",
    "section",
    "exported_check",
    "le",
    "quantile",
    "__name__",
    "_name_",
    "a",
    "a b",
    "a_b",
    "",
    "ä",
    "window",
    "1",
];

const PREFIXES: [&str; 4] = ["", "shop", "shop_x", "x_y"];

#[derive(Debug, Clone)]
struct Case {
    checks: Vec<CaseCheck>,
}

#[derive(Debug, Clone)]
struct CaseCheck {
    section: String,
    title: String,
    prefix: &'static str,
    runs: Vec<CaseRun>,
}

#[derive(Debug, Clone)]
struct CaseRun {
    status: u8,
    took: Duration,
    measures: Vec<CaseMeasure>,
}

/// A name, a value and labels.
type CaseMeasure = (&'static str, f64, Vec<(&'static str, String)>);

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["(?s).{0,10}", "[\"\\\\\n\r\t{}=, é\u{0}\u{2028}#]{0,6}", Just("EOF".to_owned())]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("a measure is finite", |number| number.is_finite()),
        prop::sample::select(vec![
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.1,
            1e300,
            5e-324,
            f64::MAX,
            9e15,
            1e16,
            1_763_838_000.5
        ]),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let labels = prop::collection::vec((prop::sample::select(LABELS.to_vec()), text()), 0..3);
    let measure = (prop::sample::select(MEASURES.to_vec()), number(), labels);
    let took = prop_oneof![0..2_000_000_u64, 0..40_000_000_000_u64, Just(3660 * 86_400_000_000)];
    let run = (0..4_u8, took, prop::collection::vec(measure, 0..8));
    let run = run.prop_map(|(status, took, measures)| CaseRun {
        status,
        took: Duration::from_micros(took),
        measures,
    });
    let prefix = prop::sample::select(PREFIXES.to_vec());
    let check = (text(), text(), prefix, prop::collection::vec(run, 0..3));
    let check = check.prop_map(|(section, title, prefix, runs)| CaseCheck { section, title, prefix, runs });
    prop::collection::vec(check, 0..4).prop_map(|checks| Case { checks })
}

/// Checks out of a definition, as the agent gets them.
fn defined(case: &Case, net: &Arc<Net>) -> Vec<Arc<Check>> {
    let tables = case.checks.iter().enumerate().map(|(at, check)| {
        let mut table = toml::Table::new();
        table.insert("name".to_owned(), format!("check-{at}").into());
        table.insert("section".to_owned(), check.section.clone().into());
        table.insert("title".to_owned(), check.title.clone().into());
        if !check.prefix.is_empty() {
            table.insert("metric_prefix".to_owned(), check.prefix.into());
        }
        let address: toml::Table = "probe.tcp.address = '127.0.0.1:1'".parse().expect("TOML");
        table.extend(address);
        toml::Value::Table(table)
    });
    let file = toml::Table::from_iter([("check".to_owned(), toml::Value::Array(tables.collect()))]);
    let files =
        Files { agent: None, checks: vec![Source::new("checks.toml", file.to_string())], ..Files::default() };
    let none: [(String, String); 0] = [];
    let variables = Variables::new(none, |path| std::fs::read_to_string(path));
    load(&files, &variables, net).unwrap_or_else(|faults| panic!("{faults:?}\n{file}")).checks
}

fn outcome(run: &CaseRun) -> Outcome {
    let mut outcome = Outcome::ok();
    match run.status {
        0 => {}
        1 => outcome.fault(Fault::degraded(Class::Assertion, "slow")),
        2 => outcome.fault(Fault::failed(Class::Connect, "refused")),
        _ => outcome.fault(Fault::internal("no file descriptor left")),
    }
    for (name, value, labels) in &run.measures {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        outcome.measures.push(Measure { name: (*name).into(), value: *value, labels });
    }
    outcome
}

fn view(case: &Case, net: &Arc<Net>) -> Arc<View> {
    let begin = Timestamp::from_second(1_763_838_000).expect("a time");
    let started = Now { wall: begin, steady: Duration::from_secs(1000) };
    let mut at = started;
    let mut views = Vec::new();
    for (check, given) in defined(case, net).into_iter().zip(&case.checks) {
        let mut record = Record::default();
        for run in &given.runs {
            at = Now {
                wall: at.wall + SignedDuration::from_secs(40),
                steady: at.steady + Duration::from_secs(40),
            };
            let phases = vec![
                Phase { name: "connect", took: run.took / 2 },
                Phase { name: "query", took: run.took / 3 },
            ];
            let began = at.steady;
            record.run(at, Run { began, lag: run.took / 5, took: run.took, phases, outcome: outcome(run) });
        }
        record.dropped(at, 2);
        record.windows.advance(at.steady);
        let labels = check_labels(&check.name, &check.section).into();
        views.push(Arc::new(CheckView::new(check, labels, &record)));
    }
    let by_name = Arc::new(by_name(views.iter().map(|view: &Arc<CheckView>| &*view.check)));
    Arc::new(View {
        at,
        started,
        checks: views,
        by_name,
        skipped: Arc::new([]),
        objectives: Vec::new(),
        alerts: Vec::new(),
        silences: Vec::new(),
        left_out: Arc::default(),
    })
}

fn exposition(view: &Arc<View>, format: Format) -> String {
    let pieces: Vec<u8> = Exposition::new(view.clone(), String::new(), format).flatten().collect();
    String::from_utf8(pieces).expect("text in UTF-8")
}

type Labels = Vec<(String, String)>;

/// Series by name and sorted labels.
type Series = BTreeMap<(String, Labels), f64>;

/// Reads one exposition by the letter of its format; what is wrong with it otherwise.
fn read(text: &str, format: Format) -> Result<Series, String> {
    let mut series = Series::new();
    let mut told = BTreeSet::new();
    let (mut family, mut kind) = ("", "");
    let body = match format {
        Format::Text => text,
        Format::OpenMetrics => text.strip_suffix("# EOF\n").ok_or("no `# EOF` at the end")?,
    };
    for line in body.strip_suffix('\n').map_or(vec![], |body| body.split('\n').collect()) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, of) = rest.split_once(' ').ok_or(line)?;
            if name != family || !told.insert(name) {
                return Err(format!("a second family or one without help: {line}"));
            }
            kind = of;
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().unwrap_or_default();
            kind = "";
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').ok_or(line)?;
            if name != family || !name.ends_with(&format!("_{unit}")) {
                return Err(format!("not the family's unit: {line}"));
            }
        } else {
            let (name, labels, value) = sample(line).ok_or_else(|| format!("no sample: {line}"))?;
            let suffix =
                name.strip_prefix(family).ok_or_else(|| format!("not of family {family}: {line}"))?;
            let fits = match (format, kind) {
                (_, "histogram") => ["_bucket", "_sum", "_count"].contains(&suffix),
                (Format::OpenMetrics, "counter") => suffix == "_total",
                (Format::OpenMetrics, "info") => suffix == "_info",
                (_, "gauge" | "counter") => suffix.is_empty(),
                _ => false,
            };
            if !fits || kind == "counter" && value < 0.0 {
                return Err(format!("not what a {kind} has: {line}"));
            }
            if series.insert((name.to_owned(), labels), value).is_some() {
                return Err(format!("a second time: {line}"));
            }
        }
    }
    Ok(series)
}

/// `name{label="value",…} number`
fn sample(line: &str) -> Option<(&str, Labels, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = unescaped(after)?;
            labels.push((label.to_owned(), value));
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let number = rest.strip_prefix(' ')?.parse().ok()?;
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    labels.sort();
    let distinct: BTreeSet<&String> = labels.iter().map(|(label, _)| label).collect();
    let fine = is_name(name)
        && distinct.len() == labels.len()
        && labels.iter().all(|(label, _)| is_name(label) && !label.starts_with("__"));
    // To Prometheus an empty label is none, so two series must differ in more than that.
    labels.retain(|(_, value)| !value.is_empty());
    fine.then_some((name, labels, number))
}

/// A label's value up to its closing quote, and what follows.
fn unescaped(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text.char_indices();
    while let Some((at, c)) = rest.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match rest.next()?.1 {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

/// Buckets ascend, the last is the count.
fn buckets(series: &Series) -> Result<(), String> {
    let mut histograms: BTreeMap<_, Vec<(f64, f64)>> = BTreeMap::new();
    for ((name, labels), value) in series {
        if let Some(name) = name.strip_suffix("_seconds_bucket")
            && let Some((_, bound)) = labels.iter().find(|(label, _)| label == "le")
            && name == "atalaya_check_duration"
        {
            let others: Vec<_> = labels.iter().filter(|(label, _)| label != "le").cloned().collect();
            let bound = bound.parse().map_err(|_| format!("no bound: {bound}"))?;
            histograms.entry(others).or_default().push((bound, *value));
        }
    }
    for (labels, mut buckets) in histograms {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let count = series.get(&("atalaya_check_duration_seconds_count".to_owned(), labels)).copied();
        let ascend = buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1);
        if !ascend
            || buckets.last().map(|(bound, count)| (*bound, Some(*count))) != Some((f64::INFINITY, count))
        {
            return Err(format!("{buckets:?} of {count:?}"));
        }
    }
    Ok(())
}

fn network() -> Arc<Net> {
    Arc::new(Net::new().expect("a network"))
}

#[test]
fn both_texts_can_be_read_and_hold_the_same_series() {
    let net = network();
    let run = TestRunner::new(cases(500)).run(&case(), |case| {
        let view = view(&case, &net);
        let plain = exposition(&view, Format::Text);
        let open = exposition(&view, Format::OpenMetrics);
        let series = read(&plain, Format::Text).map_err(|error| fails(format!("{error}\n{plain}")))?;
        let same = read(&open, Format::OpenMetrics).map_err(|error| fails(format!("{error}\n{open}")))?;
        prop_assert_eq!(&series, &same);
        buckets(&series).map_err(fails)
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_strict_parser_and_promtool_read_a_batch_of_both() {
    let net = network();
    let mut runner = TestRunner::deterministic();
    let views: Vec<Arc<View>> =
        (0..60).map(|_| view(&case().new_tree(&mut runner).expect("a case").current(), &net)).collect();
    let open: Vec<String> = views.iter().map(|view| exposition(view, Format::OpenMetrics)).collect();
    let program = "import json, sys\n\
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
        for text in json.load(sys.stdin):\n\
        \x20   try:\n\
        \x20       for family in parse(text): pass\n\
        \x20   except Exception as error: print(repr(error), text)\n";
    assert_eq!(python(program, &serde_json::json!(open).to_string()), Ok(String::new()));
    for view in views.iter().take(12).filter(|view| !view.checks.is_empty()) {
        let text = exposition(view, Format::Text);
        let said = answer(Command::new("promtool").args(["check", "metrics"]), &text);
        // 3 is a matter of style, such as a measure that is called `x_count`; 1 is a text that can't be read.
        assert!(said.as_ref().err().is_none_or(|error| error.contains("exit status: 3")), "{said:?}\n{text}");
    }
}
