//! The agent's own metrics: recorded through `metrics`, rendered by its Prometheus exporter.
//!
//! The exporter writes plain text only, in an order that changes with every scrape, and numbers in `le` in
//! another way than OpenMetrics demands. There are few of these series, so its text is read again
//! and written in order, in either format. Series of checks don't go this way: rendering them would cost
//! fifty times as much.

use super::exposition::{Format, Type, Value, Writer};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
struct Family<'a> {
    kind: &'a str,
    help: &'a str,
    /// (name, labels, value) as written.
    samples: Vec<(&'a str, String, f64)>,
}

/// Writes what the exporter rendered, in order of names.
pub fn write(rendered: &str, format: Format, out: &mut Vec<u8>) {
    let mut writer = Writer::new(format);
    for (name, family) in families(rendered) {
        let kind = match family.kind {
            "counter" => Type::Counter,
            "histogram" => Type::Histogram,
            _ if name.ends_with("_info") => Type::Info,
            _ => Type::Gauge,
        };
        writer.family(name, kind, family.help);
        for (name, labels, value) in &family.samples {
            writer.sample(name, labels, "", number(*value));
        }
    }
    out.append(&mut writer.out);
}

fn families(rendered: &str) -> BTreeMap<&str, Family<'_>> {
    let mut families: BTreeMap<&str, Family> = BTreeMap::new();
    let mut current = "";
    for line in rendered.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            families.entry(name).or_default().help = help;
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            families.entry(name).or_default().kind = kind;
            current = name;
        } else if let Some((series, value)) = line.rsplit_once(' ') {
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels = canonical(labels.strip_suffix('}').unwrap_or(labels));
            if let Ok(value) = value.parse() {
                families.entry(current).or_default().samples.push((name, labels, value));
            }
        }
    }
    for family in families.values_mut() {
        // Stable, and by labels without `le`: the buckets of one series stay in their order.
        family.samples.sort_by(|a, b| without_le(&a.1).cmp(without_le(&b.1)));
    }
    families
}

fn without_le(labels: &str) -> &str {
    labels.split("le=\"").next().unwrap_or(labels).trim_end_matches(',')
}

/// `le="1"`  →  `le="1.0"`
fn canonical(labels: &str) -> String {
    match labels.rsplit_once("le=\"") {
        Some((before, bound)) => {
            let bound = bound.trim_end_matches('"');
            let whole = bound.bytes().all(|b| b.is_ascii_digit());
            format!("{before}le=\"{bound}{}\"", if whole { ".0" } else { "" })
        }
        None => labels.to_owned(),
    }
}

fn number(value: f64) -> Value {
    if value >= 0.0 && value.fract() == 0.0 && value < 9e15 {
        Value::Integer(value as u64)
    } else {
        Value::Float(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENDERED: &str = "# HELP b_total Things.\n# TYPE b_total counter\nb_total{result=\"x\"} 3\n\n\
        # TYPE a_seconds histogram\na_seconds_bucket{le=\"0.5\"} 1\na_seconds_bucket{le=\"1\"} 2\n\
        a_seconds_bucket{le=\"+Inf\"} 2\na_seconds_sum 0.75\na_seconds_count 2\n";

    fn check(format: Format, expected: &str) {
        let mut out = Vec::new();
        write(RENDERED, format, &mut out);
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }

    #[test]
    fn both_formats_come_in_order() {
        let buckets = "a_seconds_bucket{le=\"0.5\"} 1\na_seconds_bucket{le=\"1.0\"} 2\n\
            a_seconds_bucket{le=\"+Inf\"} 2\na_seconds_sum 0.75\na_seconds_count 2\n";
        check(
            Format::Text,
            &format!(
                "# HELP a_seconds \n# TYPE a_seconds histogram\n{buckets}\
                 # HELP b_total Things.\n# TYPE b_total counter\nb_total{{result=\"x\"}} 3\n"
            ),
        );
        check(
            Format::OpenMetrics,
            &format!(
                "# HELP a_seconds \n# TYPE a_seconds histogram\n# UNIT a_seconds seconds\n{buckets}\
                 # HELP b Things.\n# TYPE b counter\nb_total{{result=\"x\"}} 3\n"
            ),
        );
    }
}
