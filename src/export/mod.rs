//! What leaves the house for Prometheus and Grafana. Pure: a view of the agent in, text out, in pieces; definitions in,
//! rule files and boards out.
//!
//! The text of a scrape comes in pieces of some 64 kB so that ten thousand checks need neither a buffer of sixty
//! megabytes nor a worker thread for a tenth of a second.

pub mod boards;
pub mod exposition;
mod families;
mod promises;
pub use families::check_labels;
pub use promises::window_word;
pub mod own;
pub mod rules;
mod traffic;

use crate::ingest::traffic::Traffic;
use crate::view::View;
use exposition::{Format, Type, Value, Writer, label, label_name, metric_name};
use families::{FAMILIES, OF_EVERY_CHECK};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// A file that is made from the definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Below the folder for files of its kind.
    pub path: PathBuf,
    pub text: String,
}

/// Where a piece ends: after the line that passes it.
const PIECE: usize = 64 * 1024;

/// The metrics of one view, piece by piece.
pub struct Exposition {
    view: Arc<View>,
    /// What the shop said by itself, where that can be told.
    traffic: Option<Arc<Traffic>>,
    writer: Writer,
    /// What the `metrics` exporter rendered; written first.
    own: Option<String>,
    format: Format,
    family: usize,
    /// The next check of the family under way; 0 before its head is written.
    check: usize,
    measures: std::vec::IntoIter<MeasureFamily>,
    done: bool,
}

/// A family whose name comes from a measure.
struct MeasureFamily {
    name: String,
    kind: Type,
    help: String,
    /// Which checks, and which of their measures.
    samples: Vec<(usize, usize)>,
}

impl Exposition {
    pub fn new(view: Arc<View>, own: String, format: Format) -> Exposition {
        let measures = measure_families(&view).into_iter();
        let writer = Writer::new(format);
        Exposition {
            view,
            traffic: None,
            writer,
            own: Some(own),
            format,
            family: 0,
            check: 0,
            measures,
            done: false,
        }
    }

    /// With what the shop said by itself.
    pub fn with(self, traffic: Arc<Traffic>) -> Exposition {
        Exposition { traffic: Some(traffic), ..self }
    }

    /// Writes what comes next: about one family of one check.
    fn step(&mut self) {
        if let Some(own) = self.own.take() {
            own::write(&own, self.format, &mut self.writer.out);
        } else if let Some(family) = FAMILIES.get(self.family) {
            if self.check == 0 {
                self.writer.family(family.name, family.kind, family.help);
            }
            while let Some(check) = self.view.checks.get(self.check) {
                (family.write)(check, &self.view, family.name, &mut self.writer);
                self.check += 1;
                if self.writer.out.len() >= PIECE {
                    return;
                }
            }
            self.family += 1;
            self.check = 0;
        } else if let Some(family) = self.measures.next() {
            self.write_measures(&family);
        } else {
            families::write_skipped(&self.view, &mut self.writer);
            promises::write(&self.view, &mut self.writer);
            if let Some(traffic) = &self.traffic {
                traffic::write(traffic, &mut self.writer);
            }
            self.writer.end();
            self.done = true;
        }
    }

    /// Of two measures of one check that would be one series the first counts. A counter below zero is none.
    fn write_measures(&mut self, family: &MeasureFamily) {
        self.writer.family(&family.name, family.kind, &family.help);
        let (mut of, mut written) = (usize::MAX, BTreeSet::new());
        for (at, number) in &family.samples {
            let check = &self.view.checks[*at];
            let Some(last) = &check.last else { continue };
            let measure = &last.run.outcome.measures[*number];
            if family.kind == Type::Counter && measure.value < 0.0 {
                continue;
            }
            if of != *at {
                (of, written) = (*at, BTreeSet::new());
            }
            let more = labels(&measure.labels);
            if !written.contains(&more) {
                self.writer.sample(&family.name, &check.labels, &more, Value::Float(measure.value));
                written.insert(more);
            }
        }
    }
}

/// The labels of a measure beside those of its check, by name. To Prometheus an empty label is none.
fn labels(given: &[(String, String)]) -> String {
    let mut all = BTreeMap::new();
    for (name, value) in given.iter().filter(|(_, value)| !value.is_empty()) {
        let name = label_name(name, |name| OF_EVERY_CHECK.contains(&name) || all.contains_key(name));
        all.insert(name, value);
    }
    all.iter().map(|(name, value)| label(name, value)).collect::<Vec<_>>().join(",")
}

impl Iterator for Exposition {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        while !self.done && self.writer.out.len() < PIECE {
            self.step();
        }
        let piece = std::mem::take(&mut self.writer.out);
        (!piece.is_empty()).then_some(piece)
    }
}

/// The measures of all checks by the name of their metric.
fn measure_families(view: &View) -> Vec<MeasureFamily> {
    let mut families: BTreeMap<(&str, &str), MeasureFamily> = BTreeMap::new();
    for (at, check) in view.checks.iter().enumerate() {
        // A check that no longer runs has no numbers of now.
        let Some(last) = check.last.as_ref().filter(|_| check.check.metrics && !check.stale) else {
            continue;
        };
        for (number, measure) in last.run.outcome.measures.iter().enumerate() {
            if measure.name == crate::judge::limits::DURATION {
                continue;
            }
            let prefix = check.check.metric_prefix.as_str();
            let family = families.entry((prefix, measure.name.as_ref())).or_insert_with(|| {
                let info = check.check.measures.iter().find(|info| info.name == measure.name);
                let help = info.map_or_else(
                    || format!("`{}` as the definition's own probe yields it.", measure.name),
                    |info| info.help.to_owned(),
                );
                let name = metric_name(&format!("{prefix}_{}", measure.name));
                let kind = if name.ends_with("_total") { Type::Counter } else { Type::Gauge };
                MeasureFamily { name, kind, help, samples: Vec::new() }
            });
            family.samples.push((at, number));
        }
    }
    one_family_a_name(families.into_values())
}

/// Names that differ only in characters that Prometheus doesn't allow become one family.
///
/// In OpenMetrics a counter `x_total` takes the names `x` and `x_created` as well. There the counter keeps its name
/// and a gauge gets an end; of two counters that would share a name, the longer one is told as a gauge.
fn one_family_a_name(families: impl Iterator<Item = MeasureFamily>) -> Vec<MeasureFamily> {
    let mut by_name: BTreeMap<String, MeasureFamily> = BTreeMap::new();
    for family in families {
        match by_name.get_mut(&family.name) {
            Some(first) => {
                first.samples.extend(family.samples);
                first.samples.sort_unstable();
            }
            None => {
                by_name.insert(family.name.clone(), family);
            }
        }
    }
    let mut families: Vec<MeasureFamily> = by_name.into_values().collect();
    let names = families.iter().map(|family| family.name.clone());
    let mut taken: BTreeSet<String> = names.filter(|name| name.ends_with("_total")).collect();
    let (mut counters, mut gauges): (Vec<_>, Vec<_>) =
        families.iter_mut().partition(|family| family.kind == Type::Counter);
    counters.sort_by_key(|family| family.name.len());
    for counter in counters {
        let base = counter.name.strip_suffix("_total").unwrap_or(&counter.name);
        let more = [base.to_owned(), format!("{base}_created")];
        if more.iter().any(|name| taken.contains(name)) {
            counter.kind = Type::Gauge;
        } else {
            taken.extend(more);
        }
    }
    let all: BTreeSet<String> = gauges.iter().map(|gauge| gauge.name.clone()).collect();
    for gauge in &mut gauges {
        while taken.contains(&gauge.name) {
            gauge.name.push_str("_now");
            while all.contains(&gauge.name) {
                gauge.name.push_str("_now");
            }
        }
        taken.insert(gauge.name.clone());
    }
    families.sort_by(|a, b| a.name.cmp(&b.name));
    families
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use crate::view::tests::{at, run, tcp, view};

    fn check_names(given: &[&str], expected: &str) {
        let family = |name: &&str| {
            let kind = if name.ends_with("_total") { Type::Counter } else { Type::Gauge };
            MeasureFamily { name: (*name).to_owned(), kind, help: String::new(), samples: Vec::new() }
        };
        let families = one_family_a_name(given.iter().map(family));
        let told: Vec<_> =
            families.iter().map(|family| format!("{} {:?}", family.name, family.kind)).collect();
        assert_eq!(told.join(", "), expected);
    }

    #[test]
    fn a_gauge_beside_a_counter_of_its_name_takes_no_other_gauges_name() {
        check_names(&["x", "x_total"], "x_now Gauge, x_total Counter");
        check_names(&["x", "x_now", "x_total"], "x_now Gauge, x_now_now Gauge, x_total Counter");
    }

    #[test]
    fn no_two_families_share_a_name_in_openmetrics() {
        check_names(&["orders_created", "orders_total"], "orders_created_now Gauge, orders_total Counter");
        check_names(
            &["orders_created_total", "orders_total"],
            "orders_created_total Gauge, orders_total Counter",
        );
        check_names(&["x_total", "x_total_total"], "x_total Counter, x_total_total Gauge");
    }

    #[test]
    fn measures_that_are_no_metrics_are_left_out_and_their_check_stays() {
        let view = view(&(tcp("orders", "metrics = false") + &tcp("sales", "")), |_, record| {
            let mut outcome = Outcome::ok();
            for order in ["b", "a"] {
                outcome.measure_with("total_dollars", 7.5, vec![("order".to_owned(), order.to_owned())]);
            }
            record.run(at(1), run(1, outcome));
        });
        let of_orders = &view.checks[0].last.as_ref().expect("it ran").run.outcome.measures;
        assert_eq!(of_orders.iter().map(|measure| &*measure.labels[0].1).collect::<Vec<_>>(), ["b", "a"]);
        let text = Exposition::new(Arc::new(view), String::new(), Format::OpenMetrics).flatten().collect();
        let text = String::from_utf8(text).expect("text");
        let told = |check: &str, family: &str| text.contains(&format!("\n{family}{{check=\"{check}\""));
        assert!(told("orders", "atalaya_check_up") && told("sales", "atalaya_check_up"));
        assert!(told("orders", "atalaya_check_last_run_timestamp_seconds"));
        assert!(!told("orders", "atalaya_tcp_total_dollars") && told("sales", "atalaya_tcp_total_dollars"));
    }

    #[test]
    fn no_label_of_a_measure_takes_the_place_of_its_checks() {
        let check = |given: &[(&str, &str)], expected: &str| {
            let given: Vec<_> =
                given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(labels(&given), expected);
        };
        check(&[("section", "b"), ("a", "1")], r#"a="1",exported_section="b""#);
        check(&[("a b", "1"), ("a_b", "2")], r#"a_b="1",exported_a_b="2""#);
        check(&[("__name__", "x"), ("none", "")], r#"_name__="x""#);
    }
}
