//! Where ticks are and how they are called.

use super::Unit;
use crate::web::page::{figure, words};
use jiff::Timestamp;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

const HOUR: f64 = 3_600.0;
const DAY: f64 = 86_400.0;
/// About so many ticks of time fit.
const TICKS: f64 = 8.0;

/// An axis whose ticks are where we want them.
pub struct Axis {
    range: Range<f64>,
    ticks: Vec<f64>,
    is_log: bool,
}

impl Axis {
    pub fn time(from: f64, to: f64) -> Axis {
        Axis { range: from..to, ticks: time_ticks(from, to), is_log: false }
    }

    pub fn value(from: f64, to: f64) -> Axis {
        Axis { range: from..to, ticks: value_ticks(to), is_log: false }
    }

    /// Both above zero.
    pub fn log(from: f64, to: f64) -> Axis {
        Axis { range: from..to, ticks: log_ticks(from, to), is_log: true }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let on = |value: f64| if self.is_log { value.max(1e-12).ln() } else { value };
        let (from, to) = (on(self.range.start), on(self.range.end));
        let share = (on(*value) - from) / (to - from);
        limit.0 + (f64::from(limit.1 - limit.0) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// Charts say themselves how their labels read.
impl ValueFormatter<f64> for Axis {
    fn format(value: &f64) -> String {
        value.to_string()
    }
}

/// Round moments (UTC) between two, in seconds since the epoch.
pub fn time_ticks(from: f64, to: f64) -> Vec<f64> {
    let steps =
        [60.0, 300.0, 600.0, 1_800.0, HOUR, 2.0 * HOUR, 3.0 * HOUR, 6.0 * HOUR, 12.0 * HOUR, DAY, 2.0 * DAY];
    let more = [4.0 * DAY, 7.0 * DAY, 14.0 * DAY, 30.0 * DAY];
    let wanted = (to - from) / TICKS;
    let step = steps.into_iter().chain(more).find(|step| *step >= wanted).unwrap_or(90.0 * DAY);
    let first = (from / step).ceil() * step;
    std::iter::successors(Some(first), |at| Some(at + step)).take_while(|at| *at <= to).collect()
}

/// `14:00`, and where days matter `3 Nov`.
pub fn time_label(at: f64, span: f64) -> String {
    let moment = Timestamp::from_second(at as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    let is_midnight = at % DAY == 0.0;
    let format = if span > 2.5 * DAY || is_midnight { "%-d %b" } else { "%H:%M" };
    moment.strftime(format).to_string()
}

/// Round values from nothing to `top`.
pub fn value_ticks(top: f64) -> Vec<f64> {
    let raw = top / 4.0;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| *step >= raw);
    let step = step.unwrap_or(raw);
    (0..=8).map(|number| f64::from(number) * step).take_while(|value| *value <= top * 1.000_1).collect()
}

/// Powers of ten, with 2 and 5 where there is room.
pub fn log_ticks(from: f64, to: f64) -> Vec<f64> {
    let few = (to / from).log10() < 2.5;
    let mut ticks = Vec::new();
    let mut power = from.log10().floor() as i32;
    while 10_f64.powi(power) <= to {
        for times in if few { &[1.0, 2.0, 5.0][..] } else { &[1.0][..] } {
            let tick = times * 10_f64.powi(power);
            if from <= tick && tick <= to {
                ticks.push(tick);
            }
        }
        power += 1;
    }
    ticks
}

pub fn value_label(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => words::seconds(value),
        Unit::Ratio => format!("{} %", short(value * 100.0)),
        Unit::Times => format!("{}×", short(value)),
        Unit::Plain => figure::plain(value),
    }
}

fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(time_ticks(100.0, 3_700.0), [600.0, 1_200.0, 1_800.0, 2_400.0, 3_000.0, 3_600.0]);
        assert_eq!(value_ticks(1.0), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(value_ticks(14.0), [0.0, 5.0, 10.0]);
        assert_eq!(log_ticks(0.001, 0.3), [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2]);
    }

    #[test]
    fn labels_have_their_units() {
        assert_eq!(time_label(1_772_539_200.0, 3_600.0), "12:00");
        assert_eq!(time_label(1_772_496_000.0, 3_600.0), "3 Mar");
        let labels = [(0.5, Unit::Ratio), (13.44, Unit::Times), (0.25, Unit::Seconds)];
        assert_eq!(labels.map(|(value, unit)| value_label(value, unit)), ["50 %", "13.44×", "250 ms"]);
    }
}
