//! From a plugin's labels and units to measures with proper names in base units.
//!
//! `time=86ms` becomes `time_seconds` 0.086, `'/'=5GB` becomes `root_bytes`, `pl=20%` becomes `pl_ratio` 0.2,
//! `requests=17c` becomes `requests_total`. Kilo, mega and so on are powers of 1000 and `KiB`, `MiB` powers
//! of 1024. A plugin's own thresholds become no measures: its exit code already says what they found.

use super::perfdata::Datum;
use std::collections::BTreeSet;

/// So many numbers one plugin may yield: each becomes a series that somebody has to keep.
pub const DATA_MAX: usize = 256;

/// A label is cut there, so that a metric's name stays one that a person can read.
const NAME_MAX: usize = 80;

/// What comes with every kind of probe, so that no plugin may take it.
const RESERVED: &str = "duration_seconds";

/// The measures of one run, in the order in which the plugin gave them.
///
/// Two labels that come to the same name (`/a`, `a`) get it in the order of their spelling, the later ones
/// with `_2`, `_3`: so the names don't depend on the order of the output.
pub fn measures(data: &[Datum]) -> Vec<(String, f64)> {
    let mut named: Vec<Named<'_>> = data.iter().take(DATA_MAX).enumerate().filter_map(Named::new).collect();
    named.sort_by(|a, b| (&a.stem, a.suffix, a.label, a.at).cmp(&(&b.stem, b.suffix, b.label, b.at)));
    named.dedup_by(|b, a| (&a.stem, a.suffix, a.label) == (&b.stem, b.suffix, b.label));
    let mut taken = BTreeSet::from([RESERVED.to_owned()]);
    let mut measures: Vec<_> = named
        .iter()
        .map(|one| {
            let mut nth = 1;
            while !taken.insert(one.name(nth)) {
                nth += 1;
            }
            let name = one.name(nth);
            (one.at, name, one.value)
        })
        .collect();
    measures.sort_by_key(|(at, ..)| *at);
    measures.into_iter().map(|(_, name, value)| (name, value)).collect()
}

struct Named<'a> {
    /// Its place in the output.
    at: usize,
    label: &'a str,
    stem: String,
    suffix: &'static str,
    value: f64,
}

impl<'a> Named<'a> {
    fn new((at, datum): (usize, &'a Datum)) -> Option<Named<'a>> {
        let (suffix, factor, odd_unit) = match base_unit(&datum.unit) {
            Some((suffix, factor)) => (suffix, factor, ""),
            None => ("", 1.0, datum.unit.as_str()),
        };
        let mut stem = stem(&format!("{} {odd_unit}", datum.label));
        // `time_seconds=5ms` is not `time_seconds_seconds`.
        if stem.ends_with(suffix) && stem.len() > suffix.len() {
            stem.truncate(stem.len() - suffix.len());
        }
        Some(Named { at, label: &datum.label, stem, suffix, value: datum.value? * factor })
    }

    fn name(&self, nth: usize) -> String {
        let Named { stem, suffix, .. } = self;
        if nth == 1 { format!("{stem}{suffix}") } else { format!("{stem}_{nth}{suffix}") }
    }
}

/// Lower-case letters, digits and single underscores, not beginning with a digit.
fn stem(label: &str) -> String {
    if label.trim() == "/" {
        return "root".to_owned();
    }
    let mut stem = String::new();
    for c in label.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => stem.push(c.to_ascii_lowercase()),
            _ if stem.is_empty() || stem.ends_with('_') => {}
            _ => stem.push('_'),
        }
        if stem.len() >= NAME_MAX {
            break;
        }
    }
    stem.truncate(stem.trim_end_matches('_').len());
    match stem.chars().next() {
        None => "value".to_owned(),
        Some('0'..='9') => format!("value_{stem}"),
        Some(_) => stem,
    }
}

/// The suffix of the base unit, and what a value is multiplied with to be in it.
fn base_unit(unit: &str) -> Option<(&'static str, f64)> {
    Some(match unit {
        "" => ("", 1.0),
        "s" => ("_seconds", 1.0),
        "ms" => ("_seconds", 1e-3),
        "us" | "µs" | "μs" => ("_seconds", 1e-6),
        "ns" => ("_seconds", 1e-9),
        "%" => ("_ratio", 1e-2),
        "c" => ("_total", 1.0),
        "B" => ("_bytes", 1.0),
        "KB" | "kB" => ("_bytes", 1e3),
        "MB" => ("_bytes", 1e6),
        "GB" => ("_bytes", 1e9),
        "TB" => ("_bytes", 1e12),
        "PB" => ("_bytes", 1e15),
        "KiB" => ("_bytes", 1024.0),
        "MiB" => ("_bytes", 1_048_576.0),
        "GiB" => ("_bytes", 1_073_741_824.0),
        "TiB" => ("_bytes", 1_099_511_627_776.0),
        "C" | "°C" => ("_celsius", 1.0),
        "V" => ("_volts", 1.0),
        "A" => ("_amperes", 1.0),
        "W" => ("_watts", 1.0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::perfdata::parse;
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &[(&str, f64)]) {
        let found = measures(&parse(text).data);
        assert_eq!(
            found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            expected.iter().map(|(name, _)| *name).collect::<Vec<_>>()
        );
        for ((name, value), (_, expected)) in found.iter().zip(expected) {
            assert!((value - expected).abs() <= expected.abs() * 1e-12, "{name}: {value} for {expected}");
        }
    }

    #[test]
    fn values_come_in_base_units() {
        check(
            "time=86ms a=5us b=2s c=3ns",
            &[("time_seconds", 0.086), ("a_seconds", 5e-6), ("b_seconds", 2.0), ("c_seconds", 3e-9)],
        );
        check("pl=20% hits=17c", &[("pl_ratio", 0.2), ("hits_total", 17.0)]);
        check(
            "a=1B b=2KB c=3MB d=4TB e=1KiB",
            &[("a_bytes", 1.0), ("b_bytes", 2e3), ("c_bytes", 3e6), ("d_bytes", 4e12), ("e_bytes", 1024.0)],
        );
        check(
            "temp=23.5C fan=900rpm x=5req/s",
            &[("temp_celsius", 23.5), ("fan_rpm", 900.0), ("x_req_s", 5.0)],
        );
        check("gone=U there=1", &[("there", 1.0)]);
    }

    #[test]
    fn labels_become_names() {
        check(
            "/=1B /var/log=2B 'C:\\ %'=3%",
            &[("root_bytes", 1.0), ("var_log_bytes", 2.0), ("c_ratio", 0.03)],
        );
        check("5xx=1 日本=2 'Größe'=3", &[("value_5xx", 1.0), ("value", 2.0), ("gr_e", 3.0)]);
        check("time_seconds=5ms size_bytes=1B", &[("time_seconds", 0.005), ("size_bytes", 1.0)]);
        check("duration=1s", &[("duration_2_seconds", 1.0)]);
    }

    #[test]
    fn names_that_collide_do_not_depend_on_the_order() {
        check("/a=1 a=2 A=3", &[("a", 1.0), ("a_3", 2.0), ("a_2", 3.0)]);
        check("A=3 a=2 /a=1", &[("a_2", 3.0), ("a_3", 2.0), ("a", 1.0)]);
        check("a=1 A=2 a_2=3", &[("a_2", 1.0), ("a", 2.0), ("a_2_2", 3.0)]);
        check("a=1 a=2", &[("a", 1.0)]);
        check("a=1 a=2s", &[("a", 1.0), ("a_seconds", 2.0)]);
    }

    #[test]
    fn the_number_of_measures_is_bounded() {
        let text = (0..1000).map(|n| format!("n{n}={n}")).collect::<Vec<_>>().join(" ");
        assert_eq!(measures(&parse(&text).data).len(), DATA_MAX);
    }

    proptest! {
        #[test]
        fn every_name_is_valid_and_its_own(labels in proptest::collection::vec("(?s).{1,6}", 0..20)) {
            let data: Vec<_> = labels.into_iter().map(|label| Datum { label, value: Some(1.0), ..Datum::default() }).collect();
            let names: Vec<_> = measures(&data).into_iter().map(|(name, _)| name).collect();
            for name in &names {
                prop_assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{}", name);
                prop_assert!(name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{}", name);
            }
            prop_assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        }
    }
}
