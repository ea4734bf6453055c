//! Numbers and moments as pages show them. Whoever has a script reads moments in their own zone; the text is in UTC.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "templates hand references")]

use jiff::Timestamp;
use std::time::Duration;

pub use crate::notify::message::duration;

/// A share that is never rounded up to what was not reached: `99.98 %`; `100 %` is exactly all.
pub fn percent(ratio: &f64) -> String {
    match *ratio {
        all if all >= 1.0 => "100 %".to_owned(),
        ratio => {
            let cut = (ratio.max(0.0) * 10_000.0).floor() / 100.0;
            format!("{cut:.2} %")
        }
    }
}

/// `10:02 UTC`
pub fn clock(at: &Timestamp) -> String {
    at.strftime("%H:%M UTC").to_string()
}

/// `3 Nov 2026, 10:02 UTC`
pub fn moment(at: &Timestamp) -> String {
    at.strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// For the `datetime` of a `time` element.
pub fn machine(at: &Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A duration in seconds as people read it: `3.2 ms`, `1.25 s`.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        none if none <= 0.0 => "0 ms".to_owned(),
        tiny if tiny < 0.001 => format!("{:.0} µs", tiny * 1e6),
        small if small < 0.01 => format!("{:.1} ms", small * 1e3),
        some if some < 1.0 => format!("{:.0} ms", some * 1e3),
        more if more < 100.0 => format!("{more:.2} s"),
        much => duration(Duration::from_secs_f64(much.min(1e12))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_up() {
        let shown = [1.0, 0.999_999, 0.999_849, 0.5, 0.0].map(|ratio| percent(&ratio));
        assert_eq!(shown, ["100 %", "99.99 %", "99.98 %", "50.00 %", "0.00 %"]);
    }

    #[test]
    fn a_duration_has_three_digits_or_so() {
        let shown = [0.0, 0.000_25, 0.0032, 0.042, 1.25, 300.0].map(seconds);
        assert_eq!(shown, ["0 ms", "250 µs", "3.2 ms", "42 ms", "1.25 s", "5 min"]);
    }
}
