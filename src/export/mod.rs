//! What Prometheus scrapes. Pure: a view of the agent in, text out, in pieces.
//!
//! The text comes in pieces of some 64 kB so that ten thousand checks need neither a buffer of sixty
//! megabytes nor a worker thread for a tenth of a second.

pub mod exposition;
mod families;
pub use families::check_labels;
pub mod own;

use crate::view::View;
use exposition::{Format, Type, Value, Writer, label, metric_name};
use families::FAMILIES;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a piece ends: after the line that passes it.
const PIECE: usize = 64 * 1024;

/// The metrics of one view, piece by piece.
pub struct Exposition {
    view: Arc<View>,
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
    help: String,
    /// Which checks, and which of their measures.
    samples: Vec<(usize, usize)>,
}

impl Exposition {
    pub fn new(view: Arc<View>, own: String, format: Format) -> Exposition {
        let measures = measure_families(&view).into_iter();
        let writer = Writer::new(format);
        Exposition { view, writer, own: Some(own), format, family: 0, check: 0, measures, done: false }
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
            self.writer.end();
            self.done = true;
        }
    }

    fn write_measures(&mut self, family: &MeasureFamily) {
        let kind = if family.name.ends_with("_total") { Type::Counter } else { Type::Gauge };
        self.writer.family(&family.name, kind, &family.help);
        for (check, measure) in &family.samples {
            let check = &self.view.checks[*check];
            let Some(last) = &check.last else { continue };
            let measure = &last.run.outcome.measures[*measure];
            let more: Vec<String> =
                measure.labels.iter().map(|(name, value)| label(&metric_name(name), value)).collect();
            self.writer.sample(&family.name, &check.labels, &more.join(","), Value::Float(measure.value));
        }
    }
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

/// The measures of all checks by the name of their metric. Of two measures of one check that would be one series,
/// the first counts.
fn measure_families(view: &View) -> Vec<MeasureFamily> {
    let mut families: BTreeMap<(&str, &str), MeasureFamily> = BTreeMap::new();
    for (at, check) in view.checks.iter().enumerate() {
        let Some(last) = &check.last else { continue };
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
                MeasureFamily { name, help, samples: Vec::new() }
            });
            family.samples.push((at, number));
        }
    }
    one_family_a_name(families.into_values())
}

/// Names that differ only in characters that Prometheus doesn't allow become one family; and in
/// OpenMetrics `x` and `x_total` would be one too, so there the counter keeps its name and the gauge gets an end.
fn one_family_a_name(families: impl Iterator<Item = MeasureFamily>) -> Vec<MeasureFamily> {
    let mut by_name: BTreeMap<String, MeasureFamily> = BTreeMap::new();
    for family in families {
        match by_name.get_mut(&family.name) {
            Some(first) => first.samples.extend(family.samples),
            None => {
                by_name.insert(family.name.clone(), family);
            }
        }
    }
    let counters: Vec<String> =
        by_name.keys().filter_map(|name| name.strip_suffix("_total").map(str::to_owned)).collect();
    for name in counters {
        if let Some(mut gauge) = by_name.remove(&name) {
            gauge.name = format!("{name}_now");
            by_name.insert(gauge.name.clone(), gauge);
        }
    }
    by_name.into_values().collect()
}
