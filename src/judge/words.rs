//! The sentences of the judgement, for a person at three in the morning: numbers as they are said, one and many right.

use crate::config::alerting::{Indicator, Objective};

/// What an objective's events are called.
#[derive(Debug, Clone)]
pub struct Words {
    one: String,
    many: String,
    /// `failed`
    went_wrong: String,
    /// `payments fail`
    go_wrong: String,
}

/// Sections that say what their events are, as (one, many).
const NOUNS: [(&str, &str); 12] = [
    ("checkout", "checkouts"),
    ("customer", "customers"),
    ("email", "emails"),
    ("job", "jobs"),
    ("message", "messages"),
    ("order", "orders"),
    ("page", "pages"),
    ("payment", "payments"),
    ("query", "queries"),
    ("request", "requests"),
    ("ticket", "tickets"),
    ("webhook", "webhooks"),
];

impl Words {
    pub fn new(objective: &Objective) -> Words {
        match &objective.indicator {
            Indicator::Availability { .. } => Words {
                one: "minute".to_owned(),
                many: "minutes".to_owned(),
                went_wrong: "were bad".to_owned(),
                go_wrong: "minutes are bad".to_owned(),
            },
            Indicator::Latency { check, below } => {
                let below = humantime::format_duration(*below);
                runs(
                    check,
                    &format!("failed or took more than {below}"),
                    &format!("fail or take more than {below}"),
                )
            }
            Indicator::Measure { check, measure, good } => {
                let found = format!("find {measure} {good}");
                runs(check, &format!("failed or did not {found}"), &format!("fail or do not {found}"))
            }
            Indicator::Counts { .. } | Indicator::Baseline { .. } => {
                let noun = NOUNS.iter().find(|(_, many)| *many == objective.section);
                let (one, many) = noun.copied().unwrap_or(("event", "events"));
                Words {
                    one: one.to_owned(),
                    many: many.to_owned(),
                    went_wrong: "failed".to_owned(),
                    go_wrong: format!("{many} fail"),
                }
            }
        }
    }

    /// `payments fail 25 times as often as a promise of 98 % allows`
    pub fn rate(&self, times: f64, ppm: u32) -> String {
        format!("{} {} times as often as a promise of {} allows", self.go_wrong, number(times), promise(ppm))
    }

    /// `1 payment`, `3,000 payments`
    pub fn count(&self, n: u64) -> String {
        format!("{} {}", grouped(n), if n == 1 { &self.one } else { &self.many })
    }

    pub fn many(&self) -> &str {
        &self.many
    }

    /// `3 of the last 10 payments failed`
    pub fn of_the_last(&self, bad: u64, total: u64) -> String {
        match (bad, total) {
            (1, 1) => format!("the last {} {}", self.one, self.went_wrong),
            _ => format!("{} of the last {} {}", none(bad), self.count(total), self.went_wrong),
        }
    }

    /// `12 of 240 payments of the last hour failed`
    pub fn of_window(&self, bad: u64, total: u64, minutes: u32) -> String {
        format!("{} of {} of {} {}", none(bad), self.count(total), the_last(minutes), self.went_wrong)
    }
}

fn runs(check: &str, went_wrong: &str, go_wrong: &str) -> Words {
    Words {
        one: format!("run of `{check}`"),
        many: format!("runs of `{check}`"),
        went_wrong: went_wrong.to_owned(),
        go_wrong: format!("runs of `{check}` {go_wrong}"),
    }
}

fn none(n: u64) -> String {
    if n == 0 { "none".to_owned() } else { grouped(n) }
}

/// `the last hour`, `the last 28 days`
pub fn the_last(minutes: u32) -> String {
    match period(minutes).strip_prefix("1 ") {
        Some(unit) => format!("the last {unit}"),
        None => format!("the last {}", period(minutes)),
    }
}

/// `1 minute`, `6 hours`, `28 days`, `2 hours 12 minutes`
pub fn period(minutes: u32) -> String {
    let part = |n: u32, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
    let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let parts = [(days, "day"), (hours, "hour"), (rest, "minute")];
    let said: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).take(2).map(|(n, unit)| part(*n, unit)).collect();
    if said.is_empty() { part(0, "minute") } else { said.join(" ") }
}

/// `98 %`, from parts per million, with all digits that there are.
pub fn promise(ppm: u32) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `10 %`, `1.44 %`, `0.05 %`
pub fn percent(ratio: f64) -> String {
    format!("{} %", number(ratio * 100.0))
}

/// A number of three digits that say something: `0.014`, `1.44`, `14.4`, `1,430`.
pub fn number(value: f64) -> String {
    let size = value.abs();
    let digits = if size < 1e-6 { 0 } else { (2.0 - size.log10().floor()).max(0.0) as usize };
    let text = format!("{size:.digits$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let sign = if value < 0.0 { "−" } else { "" };
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// How often chance does it: `once in 125,000`.
pub fn by_chance(chance: f64) -> String {
    match 1.0 / chance {
        often if often < 1.5 => "nearly always".to_owned(),
        rare if rare > 1e9 => "less than once in a billion times".to_owned(),
        times => {
            let step = 10_f64.powf((times.log10().floor() - 2.0).max(0.0));
            format!("once in {}", grouped(((times / step).round() * step) as u64))
        }
    }
}

/// `3,000`
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
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
    use crate::judge::tests::objective;

    #[test]
    fn one_and_many_are_told_apart() {
        let mut objective = objective("counts", 98.0, 28);
        objective.section = "payments".to_owned();
        let words = Words::new(&objective);
        assert_eq!(words.of_the_last(3, 3), "3 of the last 3 payments failed");
        assert_eq!(words.of_the_last(1, 1), "the last payment failed");
        assert_eq!(words.of_the_last(0, 3), "none of the last 3 payments failed");
        assert_eq!(words.of_window(1, 12_000, 60), "1 of 12,000 payments of the last hour failed");
        objective.section = "business".to_owned();
        assert_eq!(Words::new(&objective).count(1), "1 event");
    }

    #[test]
    fn numbers_are_as_they_are_said() {
        assert_eq!(the_last(5), "the last 5 minutes");
        assert_eq!(the_last(1440), "the last day");
        assert_eq!(period(40_320), "28 days");
        assert_eq!(period(132), "2 hours 12 minutes");
        assert_eq!(promise(999_500), "99.95 %");
        assert_eq!(promise(980_000), "98 %");
        let shown: Vec<String> = [0.1, 0.014, 0.0005, 1.0, 14.3, 0.999].map(percent).to_vec();
        assert_eq!(shown, ["10 %", "1.4 %", "0.05 %", "100 %", "1,430 %", "99.9 %"]);
        assert_eq!(number(-4.214), "−4.21");
        assert_eq!(by_chance(8e-6), "once in 125,000");
        assert_eq!(by_chance(8.64e-4), "once in 1,160");
        assert_eq!(by_chance(0.0), "less than once in a billion times");
        assert_eq!(by_chance(0.9), "nearly always");
    }
}
