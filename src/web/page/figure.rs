//! Measures as people read them: the unit is the end of the name.

use super::words;

/// `connections_used_ratio` → `connections used`
pub fn name(measure: &str) -> String {
    let units = ["_ratio", "_seconds", "_bytes", "_dollars", "_total"];
    let plain = units.iter().find_map(|unit| measure.strip_suffix(unit)).unwrap_or(measure);
    plain.replace('_', " ")
}

/// `0.25` of a `_ratio` → `25 %`; `5242880` of `_bytes` → `5.0 MiB`; `1234.5` of `_dollars` → `$1,234.50`
pub fn value(measure: &str, value: f64) -> String {
    let of = |unit: &str| measure.ends_with(unit);
    if of("_ratio") {
        return format!("{} %", plain(value * 100.0));
    }
    if of("_dollars") {
        let cents = (value.abs() * 100.0).round();
        let sign = if value < 0.0 { "−" } else { "" };
        return format!("{sign}${}.{:02}", grouped((cents / 100.0).floor() as u64), (cents % 100.0) as u64);
    }
    if of("_timestamp_seconds") {
        return jiff::Timestamp::from_second(value as i64)
            .map_or_else(|_| plain(value), |at| words::moment(&at));
    }
    if of("_seconds") {
        return words::seconds(value);
    }
    if of("_bytes") {
        return bytes(value);
    }
    plain(value)
}

/// The bound of a limit, as it is written in the definition; where that has no unit, with the unit of the measure.
pub fn bound(measure: &str, text: &str) -> String {
    let units = [("_seconds", " s"), ("_bytes", " B"), ("_dollars", " $")];
    let unit = units.into_iter().find(|(end, _)| measure.ends_with(end) && text.ends_with(char::is_numeric));
    format!("{text}{}", unit.map_or("", |(_, unit)| unit))
}

/// Whole numbers in groups of three, others with up to two digits behind the point.
pub fn plain(value: f64) -> String {
    let sign = if value < 0.0 { "−" } else { "" };
    let value = value.abs();
    if value.fract() == 0.0 && value < 1e15 {
        return format!("{sign}{}", grouped(value as u64));
    }
    if value >= 1_000.0 {
        return format!("{sign}{}", grouped(value.round() as u64));
    }
    let text = if value >= 10.0 { format!("{value:.1}") } else { format!("{value:.2}") };
    format!("{sign}{}", text.trim_end_matches('0').trim_end_matches('.'))
}

fn bytes(value: f64) -> String {
    let mut value = value;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if value.abs() < 1_024.0 || unit == "TiB" {
            return if unit == "B" { format!("{value:.0} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1_024.0;
    }
    String::new()
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(measure: &str, number: f64, expected: (&str, &str)) {
        assert_eq!((name(measure).as_str(), value(measure, number).as_str()), expected);
    }

    #[test]
    fn the_end_of_the_name_is_the_unit() {
        check("connections_used_ratio", 0.253, ("connections used", "25.3 %"));
        check("revenue_dollars", 1_234.5, ("revenue", "$1,234.50"));
        check("memory_bytes", 5_242_880.0, ("memory", "5.0 MiB"));
        check("oldest_age_seconds", 300.0, ("oldest age", "5 min"));
        check("pending_orders", 12_345.0, ("pending orders", "12,345"));
        check("change", -0.5, ("change", "−0.5"));
    }

    #[test]
    fn a_bound_has_a_unit() {
        let shown = [("duration_seconds", "> 3"), ("duration_seconds", "> 3s"), ("stuck_orders", "> 0")];
        assert_eq!(shown.map(|(measure, text)| bound(measure, text)), ["> 3 s", "> 3s", "> 0"]);
    }
}
