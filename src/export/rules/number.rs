//! Numbers and times as rules write them: exact decimals, since `1 - 0.999` as a float is `0.0010000000000000009`, which
//! nobody can review.

use std::time::Duration;

/// Parts per million as a decimal: 20000 is `0.02`.
pub fn share(ppm: u32) -> String {
    decimal(f64::from(ppm) / 1e6)
}

/// At most twelve digits behind the point, and none that say nothing.
pub fn decimal(value: f64) -> String {
    let text = format!("{value:.12}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `90s`, `15m`, `1d`: the largest unit that leaves no rest.
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let unit = units.iter().find(|(length, _)| seconds > 0 && seconds.is_multiple_of(*length));
    unit.map_or_else(|| format!("{seconds}s"), |(length, unit)| format!("{}{unit}", seconds / length))
}

/// A window of minutes as its label writes it: `5m`, `1h`, `28d`.
pub fn window(minutes: u32) -> String {
    crate::export::window_word(Duration::from_secs(u64::from(minutes) * 60))
}

/// A name that may be part of a group's name and of an identity: lowercase letters, digits and hyphens.
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => slug.push(c),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "general".to_owned() } else { slug.to_owned() }
}

/// A text between `"` in PromQL.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n"))
}

/// Names between `|` that a regular expression of PromQL matches as they are.
pub fn any_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| regex::escape(name).replace(r"\-", "-")).collect::<Vec<_>>().join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        assert_eq!(
            (share(20_000), share(999_000), share(1)),
            ("0.02".into(), "0.999".into(), "0.000001".into())
        );
        assert_eq!(
            (decimal(0.2688), decimal(0.02 * 13.44), decimal(3.0)),
            ("0.2688".into(), "0.2688".into(), "3".into())
        );
    }

    #[test]
    fn times_have_the_largest_unit() {
        let check = |seconds, expected: &str| assert_eq!(time(Duration::from_secs(seconds)), expected);
        check(0, "0s");
        check(90, "90s");
        check(900, "15m");
        check(7200, "2h");
        check(172_800, "2d");
        assert_eq!(time(Duration::from_millis(100)), "1s");
    }

    #[test]
    fn names_are_safe() {
        assert_eq!(
            (slug("Größe \"x\\"), slug("--"), slug("site")),
            ("gr-e-x".into(), "general".into(), "site".into())
        );
        assert_eq!(any_of(["site-api", "a.b"]), r"site-api|a\.b");
        assert_eq!(quoted("a\"b"), r#""a\"b""#);
    }
}
