//! A text file for the textfile collector of Prometheus' node_exporter, with the names that `/metrics` has.
//!
//! What only a running agent knows (histograms, counters, windows) is not there. The collector refuses a file with
//! the same series twice, so of two measures that would be one series the first counts.

use super::Verdict;
use super::judged::{Item, Judged};
use crate::export::exposition::{Format, Type, Value, Writer, label, label_name, metric_name};
use crate::judge::limits::DURATION;
use crate::outcome::Status;
use crate::plain;
use std::collections::{BTreeMap, BTreeSet};

/// A family: its help text and its series, each `labels` and a value.
type Families = BTreeMap<String, (String, Vec<(String, f64)>)>;

const VERDICTS: [Verdict; 5] =
    [Verdict::Ok, Verdict::Degraded, Verdict::Failed, Verdict::Unknown, Verdict::Interrupted];

pub fn text(judged: &Judged) -> String {
    let mut families = Families::new();
    for item in judged.items() {
        let labels = format!("{},{}", label("check", item.name()), label("section", &clean(item.section())));
        match item {
            Item::Ran(result) => checks(&mut families, &labels, result),
            Item::Skipped(_) => {
                let help = "1 for a check that is defined and did not run: a variable is not set, or is for something else.";
                add(&mut families, "atalaya_check_skipped", help, labels, 1.0);
            }
        }
    }
    run(&mut families, judged);
    let mut writer = Writer::new(Format::Text);
    for (name, (help, series)) in families {
        let kind = if name.ends_with("_total") { Type::Counter } else { Type::Gauge };
        writer.family(&name, kind, &help);
        let mut written = BTreeSet::new();
        for (labels, value) in series {
            if written.insert(labels.clone()) {
                writer.sample(&name, &labels, "", Value::Float(value));
            }
        }
    }
    String::from_utf8(writer.out).expect("only text was written")
}

fn run(families: &mut Families, judged: &Judged) {
    for verdict in VERDICTS {
        let help = "1 for the verdict of the last one-shot run, 0 for the others.";
        let value = f64::from(u8::from(judged.verdict() == verdict));
        add(families, "atalaya_once_verdict", help, label("verdict", verdict.as_str()), value);
    }
    let took = judged.report.took.as_secs_f64();
    add(
        families,
        "atalaya_once_duration_seconds",
        "How long the last one-shot run took.",
        String::new(),
        took,
    );
    let started = judged.report.started.as_millisecond() as f64 / 1e3;
    let help = "When the last one-shot run began: how old all that stands here is.";
    add(families, "atalaya_once_started_timestamp_seconds", help, String::new(), started);
}

fn checks(families: &mut Families, labels: &str, result: &super::CheckResult) {
    let and = |more: String| format!("{labels},{more}");
    if let Some(up) = result.status().is_up() {
        let help =
            "1 if the last run found the target doing its work, 0 if not. Not there while nobody knows.";
        add(families, "atalaya_check_up", help, labels.to_owned(), f64::from(u8::from(up)));
    }
    for status in Status::ALL {
        let value = f64::from(u8::from(result.status() == status));
        let help = "1 for the status of the last run, 0 for the others.";
        add(families, "atalaya_check_status", help, and(label("status", status.as_str())), value);
    }
    if let Some(fault) = result.outcome.reason() {
        let help = "1 with the class of the fault that explains the status of the last run.";
        add(families, "atalaya_check_fault", help, and(label("class", fault.class.as_str())), 1.0);
    }
    if let Some(parent) = &result.explained_by {
        let help = "1 while a check that this one needs has failed itself.";
        add(families, "atalaya_check_explained", help, and(label("by", parent)), 1.0);
    }
    let took = result.took.as_secs_f64();
    add(
        families,
        "atalaya_check_last_duration_seconds",
        "How long the last run took.",
        labels.to_owned(),
        took,
    );
    for phase in &result.phases {
        let help = "How long each phase of the last run took.";
        add(
            families,
            "atalaya_check_phase_seconds",
            help,
            and(label("phase", phase.name)),
            phase.took.as_secs_f64(),
        );
    }
    if result.check.metrics {
        measures(families, labels, result);
    }
}

fn measures(families: &mut Families, labels: &str, result: &super::CheckResult) {
    for measure in result.outcome.measures.iter().filter(|measure| measure.name != DURATION) {
        let info = result.check.measures.iter().find(|info| info.name == measure.name);
        let help = info.map_or_else(
            || format!("`{}` as the definition's own probe yields it.", measure.name),
            |info| info.help.to_owned(),
        );
        let name = metric_name(&format!("{}_{}", result.check.metric_prefix, measure.name));
        let mut all = vec![labels.to_owned()];
        let mut taken = BTreeSet::from(["check".to_owned(), "section".to_owned()]);
        for (name, value) in &measure.labels {
            let name = label_name(name, |name| taken.contains(name));
            all.push(label(&name, &clean(value)));
            taken.insert(name);
        }
        add(families, &name, &help, all.join(","), measure.value);
    }
}

fn clean(value: &str) -> String {
    plain::line(value, 200)
}

fn add(families: &mut Families, name: &str, help: &str, labels: String, value: f64) {
    let family = families.entry(name.to_owned()).or_insert_with(|| (help.to_owned(), Vec::new()));
    family.1.push((labels, value));
}

#[cfg(test)]
mod tests {
    use super::super::samples::rich;
    use super::*;
    use std::sync::Arc;

    fn check(line: &str, is_there: bool) {
        let text = text(&rich().judge(false));
        assert_eq!(text.lines().any(|written| written == line), is_there, "{line}\n{text}");
    }

    #[test]
    fn each_fact_has_its_series() {
        check(r#"atalaya_check_up{check="site",section="shop"} 1"#, true);
        check(r#"atalaya_check_up{check="database",section="database"} 0"#, true);
        check(r#"atalaya_check_up{check="cache",section="shop"} 1"#, true);
        check(r#"atalaya_check_up{check="disk",section="shop"} 0"#, false);
        check(r#"atalaya_check_status{check="disk",section="shop",status="unknown"} 1"#, true);
        check(r#"atalaya_check_fault{check="database",section="database",class="connect"} 1"#, true);
        check(r#"atalaya_check_explained{check="orders",section="database",by="database"} 1"#, true);
        check(r#"atalaya_check_last_duration_seconds{check="site",section="shop"} 0.012"#, true);
        check(r#"atalaya_check_phase_seconds{check="database",section="database",phase="query"} 0.02"#, true);
        check(r#"atalaya_check_skipped{check="payments",section="shop"} 1"#, true);
        check(r#"atalaya_tcp_memory_used_ratio{check="cache",section="shop"} 0.97"#, true);
        check("# TYPE atalaya_tcp_evictions_total counter", true);
        check(r#"atalaya_tcp_keys{check="cache",section="shop",exported_check="a\"\\ b",_x_y=""} 3"#, true);
        check(r#"atalaya_tcp_keys{check="cache",section="shop",exported_check="a\"\\ b",_x_y=""} 4"#, false);
        check(r#"atalaya_once_verdict{verdict="failed"} 1"#, true);
        check("atalaya_once_started_timestamp_seconds 1763838000", true);
    }

    #[test]
    fn measures_that_are_no_metrics_are_left_out_and_their_check_stays() {
        let mut report = rich();
        Arc::get_mut(&mut report.results[3].check).expect("the only one").metrics = false;
        let text = text(&report.judge(false));
        assert!(!text.contains("atalaya_tcp_"), "{text}");
        assert!(text.contains(r#"atalaya_check_up{check="cache",section="shop"} 1"#), "{text}");
    }
}
