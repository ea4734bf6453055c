//! What a measure is called on a board and in which unit it is read, both from its name.

/// Ends of names, the unit that Grafana has for each, and how much of the name it is.
const UNITS: [(&str, &str); 7] = [
    ("_seconds", "s"),
    ("_bytes", "bytes"),
    ("_ratio", "percentunit"),
    ("_dollars", "currencyUSD"),
    ("_euros", "currencyEUR"),
    ("_percent", "percent"),
    ("_total", "ops"),
];

/// Grafana's name of the unit; a plain count has `short`.
pub fn unit(measure: &str) -> &'static str {
    UNITS.iter().find(|(end, _)| measure.ends_with(end)).map_or("short", |(_, unit)| unit)
}

/// `oldest_pending_webhook_age_seconds`  →  `Oldest pending webhook age`
pub fn title(measure: &str) -> String {
    let stem = UNITS.iter().find_map(|(end, _)| measure.strip_suffix(end)).unwrap_or(measure);
    let mut title = stem.trim_end_matches("_age").replace('_', " ");
    if stem.ends_with("_age") {
        title += ", age";
    }
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_are() {
        let check =
            |measure: &str, expected: (&str, &str)| assert_eq!((&*title(measure), unit(measure)), expected);
        check("oldest_pending_webhook_age_seconds", ("Oldest pending webhook, age", "s"));
        check("connections_used_ratio", ("Connections used", "percentunit"));
        check("revenue_today_dollars", ("Revenue today", "currencyUSD"));
        check("evicted_keys_total", ("Evicted keys", "ops"));
        check("stuck_orders", ("Stuck orders", "short"));
    }
}
