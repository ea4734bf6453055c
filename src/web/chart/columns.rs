//! One column a day. Nothing of it needs axes, so it is written as it is.

use super::ink::escape;
use std::fmt::Write;

const HEIGHT: f64 = 100.0;
/// Units of a day, and of the gap before the next.
const DAY: f64 = 10.0;
const GAP: f64 = 1.5;

/// The `svg` element: for each day its date, its value, and the value as it is read.
pub fn svg(label: &str, days: &[(&str, f64, String)]) -> String {
    let highest = days.iter().map(|(_, value, _)| *value).fold(1e-9, f64::max);
    let width = days.len().max(1) as f64 * DAY;
    let mut svg = "<svg class=\"plot days-plot\" role=\"img\" aria-label=\"".to_owned();
    let mut labels = String::new();
    escape(label, &mut svg);
    // Writing to a string can't fail.
    let _ =
        write!(svg, "\"><svg height=\"88%\" viewBox=\"0 0 {width} {HEIGHT}\" preserveAspectRatio=\"none\">");
    for (at, (day, value, shown)) in days.iter().enumerate() {
        let (x, height) = (at as f64 * DAY, value / highest * HEIGHT);
        let date = date(day);
        let _ = write!(
            svg,
            "<rect class=\"f1\" x=\"{x}\" y=\"{:.1}\" width=\"{}\" height=\"{height:.1}\"><title>{date}: {shown}</title></rect>",
            HEIGHT - height,
            DAY - GAP
        );
        // A week apart, and so that today has one.
        if at % 7 == days.len().saturating_sub(1) % 7 {
            let along = (x + (DAY - GAP) / 2.0) / width * 100.0;
            let _ = write!(labels, "<text class=\"at\" x=\"{along:.2}%\" y=\"100%\" dy=\"-2\">{date}</text>");
        }
    }
    svg + "</svg>" + &labels + "</svg>"
}

/// `3 Nov`; what is no date is left as it is.
fn date(day: &str) -> String {
    let mut text = String::new();
    match day.parse::<jiff::civil::Date>() {
        Ok(date) => text += &date.strftime("%-d %b").to_string(),
        Err(_) => escape(day, &mut text),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_day_is_as_high_as_the_chart_and_today_has_a_date() {
        let days = [("2026-11-01", 0.0), ("2026-11-02", 5.0), ("2026-11-03", 10.0)];
        let days = days.map(|(day, value)| (day, value, format!("${value}")));
        let svg = svg("a <b>", &days);
        assert!(svg.contains("height=\"100.0\"><title>3 Nov: $10</title>"), "{svg}");
        assert!(
            svg.contains("height=\"0.0\"><title>1 Nov") && svg.contains("aria-label=\"a &lt;b&gt;\""),
            "{svg}"
        );
        assert_eq!(svg.matches("<text").count(), 1, "{svg}");
    }
}
