//! The small values of the language: periods (`"15s"`), sizes (`"1MiB"`) and bounds (`"> 0.80"`).

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// A length of time, written with its unit: `"500ms"`, `"15s"`, `"1h 30m"`, `"28d"`. Never zero, and at most
/// ten years, so that no sum of moments and periods leaves the range of any clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Period(Duration);

const PERIOD_MAX: Duration = Duration::from_hours(24 * 3660);

impl Period {
    pub const fn from_secs(seconds: u64) -> Period {
        Period(Duration::from_secs(seconds))
    }

    pub const fn get(self) -> Duration {
        self.0
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Period, String> {
        match humantime::parse_duration(&text) {
            Ok(Duration::ZERO) => Err("a period must be longer than nothing".to_owned()),
            Ok(period) if period > PERIOD_MAX => Err(format!("`{text}` is longer than ten years")),
            Ok(period) => Ok(Period(period)),
            Err(_) => {
                Err(format!("`{text}` is not a period such as \"500ms\", \"15s\", \"5m\" or \"1h 30m\""))
            }
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]", "examples": ["500ms", "15s", "5m", "1h 30m"] })
    }
}

/// A number of bytes, written with its unit: `"512KiB"`, `"1MiB"`. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(u64);

impl Size {
    pub const fn from_bytes(bytes: u64) -> Size {
        Size(bytes)
    }

    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// Largest first, so that a size is shown in the largest unit that divides it.
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Size, String> {
        let read = || {
            let (number, factor) =
                SIZES.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
            number.trim().parse::<u64>().ok()?.checked_mul(*factor).filter(|bytes| *bytes > 0)
        };
        read().map(Size).ok_or_else(|| {
            format!("`{text}` is not a size such as \"500B\", \"64KiB\", \"1MiB\" or \"2GiB\"")
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) =
            SIZES.iter().find(|(_, factor)| self.0.is_multiple_of(*factor)).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB|GiB)$", "examples": ["64KiB", "1MiB"]
        })
    }
}

/// A comparison with a number: `"> 0.80"`, `">= 5"`, `"< 14d"`, `"!= 0"`. The bound is passed when it holds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Bound {
    operator: Operator,
    value: f64,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
    NotEqual,
}

/// Longest first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 6] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    (">", Operator::Above),
    ("<", Operator::Below),
];

/// Units that a bound may carry, in terms of the base unit of the measure: so many times it, divided by so much. A
/// quotient of whole numbers is rounded once, so that 95 % are 0.95.
const UNITS: [(&str, f64, f64); 10] = [
    ("%", 1.0, 100.0),
    ("KiB", 1024.0, 1.0),
    ("MiB", 1_048_576.0, 1.0),
    ("GiB", 1_073_741_824.0, 1.0),
    ("us", 1.0, 1e6),
    ("ms", 1.0, 1e3),
    ("s", 1.0, 1.0),
    ("m", 60.0, 1.0),
    ("h", 3_600.0, 1.0),
    ("d", 86_400.0, 1.0),
];

impl Bound {
    /// Whether `value` is beyond this bound.
    pub fn holds(&self, value: f64) -> bool {
        match self.operator {
            Operator::Above => value > self.value,
            Operator::AtLeast => value >= self.value,
            Operator::Below => value < self.value,
            Operator::AtMost => value <= self.value,
            Operator::Equal => value == self.value,
            Operator::NotEqual => value != self.value,
        }
    }

    /// The number compared with, in the base unit of the measure.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// A value of the measure in the unit in which the bound is written: `5.98%` beside `> 2%`.
    pub fn show(&self, value: f64) -> String {
        let unit = self.text.trim_start_matches(|c: char| !c.is_alphabetic() && c != '%');
        match UNITS.iter().find(|(name, ..)| *name == unit) {
            Some((name, times, by)) => format!("{}{name}", number(value * by / times)),
            None => number(value),
        }
    }
}

/// At most four digits behind the point, and none that say nothing.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl TryFrom<String> for Bound {
    type Error = String;

    fn try_from(text: String) -> Result<Bound, String> {
        let wrong = || {
            format!(
                "`{text}` is not a bound such as \"> 0.80\", \">= 5\", \"< 14d\", \"> 500ms\" or \"!= 0\""
            )
        };
        let trimmed = text.trim();
        let (operator, rest) = OPERATORS
            .iter()
            .find_map(|(sign, operator)| trimmed.strip_prefix(sign).map(|rest| (*operator, rest.trim())))
            .ok_or_else(wrong)?;
        let unit_at = rest.find(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'E' || c == '%');
        let (number, unit) = rest.split_at(unit_at.unwrap_or(rest.len()));
        let (times, by) = match unit {
            "" => (1.0, 1.0),
            unit => UNITS
                .iter()
                .find(|(name, ..)| *name == unit)
                .map(|(_, times, by)| (*times, *by))
                .ok_or_else(wrong)?,
        };
        let number = number.trim().parse::<f64>().ok().map(|number| number * times / by);
        let value = number.filter(|value| value.is_finite()).ok_or_else(wrong)?;
        Ok(Bound { operator, value, text: trimmed.to_owned() })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonSchema for Bound {
    fn schema_name() -> Cow<'static, str> {
        "Bound".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^ *(>=|<=|==|!=|>|<)",
            "examples": ["> 0.80", ">= 5", "< 14d", "> 500ms", "!= 0"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(bound: &str, passed_by: f64, kept_by: f64) {
        let bound = Bound::try_from(bound.to_owned()).expect("a bound");
        assert!(bound.holds(passed_by), "{passed_by} {bound}");
        assert!(!bound.holds(kept_by), "{kept_by} {bound}");
    }

    #[test]
    fn bounds_compare_in_base_units() {
        check("> 0.80", 0.81, 0.80);
        check(">= 5", 5.0, 4.9);
        check("< 14d", 1_209_599.0, 1_209_600.0);
        check("<=10MiB", 10_485_760.0, 10_485_761.0);
        check("> 90%", 0.91, 0.90);
        check("> 500ms", 0.6, 0.5);
        check("!= 0", -1.0, 0.0);
        check("== 1e3", 1000.0, 1.0);
        check("< -2.5", -3.0, -2.5);
    }

    #[test]
    fn sizes_are_read_and_shown_in_their_unit() {
        let size = |text: &str| Size::try_from(text.to_owned());
        assert_eq!(size("1MiB").map(Size::bytes), Ok(1_048_576));
        assert_eq!(size("1536 KiB").map(|size| size.to_string()), Ok("1536KiB".to_owned()));
        assert_eq!(size("2048KiB").map(|size| size.to_string()), Ok("2MiB".to_owned()));
        for wrong in ["", "5", "0B", "1MB", "-1KiB", "1.5MiB", "99999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_value_is_shown_in_the_unit_of_its_bound() {
        let show = |bound: &str, value| Bound::try_from(bound.to_owned()).expect("a bound").show(value);
        assert_eq!(show("> 2%", 0.0598), "5.98%");
        assert_eq!(show("< 14d", 1_209_600.0 / 2.0), "7d");
        assert_eq!(show("> 500ms", 0.75), "750ms");
        assert_eq!(show("> 0.80", 0.825), "0.825");
        assert_eq!(show("> 1e3", 2000.0), "2000");
    }

    #[test]
    fn what_is_no_bound_or_period_is_refused() {
        for wrong in ["", "5", "=> 5", "> ", "> five", "> 5 apples", "> nan", "> inf"] {
            assert!(Bound::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        for wrong in ["", "5", "0s", "-1s", "fast", "1 fortnight"] {
            assert!(Period::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        assert_eq!(Period::try_from("1h 30m".to_owned()), Ok(Period::from_secs(5400)));
    }

    #[test]
    fn a_period_that_leaves_every_clock_behind_is_refused() {
        assert_eq!(
            Period::try_from("500000000000y".to_owned()),
            Err("`500000000000y` is longer than ten years".to_owned())
        );
        assert!(Period::try_from("10y".to_owned()).is_ok());
    }

    #[test]
    fn a_bound_stays_finite_in_its_base_unit() {
        assert!(Bound::try_from("> 1e308d".to_owned()).is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_the_readers_panic_and_what_is_shown_reads_the_same(
            text in "(?s)[<>=!]{0,3} {0,2}-?[0-9]{0,20}[.]?[0-9]{0,3}(e[0-9]{1,4})? ?[%KMGiBumshdyé]{0,3}|.{0,12}"
        ) {
            if let Ok(period) = Period::try_from(text.clone()) {
                prop_assert_eq!(Period::try_from(period.to_string()), Ok(period));
            }
            if let Ok(size) = Size::try_from(text.clone()) {
                prop_assert_eq!(Size::try_from(size.to_string()), Ok(size));
            }
            if let Ok(bound) = Bound::try_from(text) {
                prop_assert!(bound.value().is_finite());
                prop_assert_eq!(Bound::try_from(bound.to_string()), Ok(bound));
            }
        }

        #[test]
        fn a_period_is_read_back_as_it_is_shown(seconds in 1_u64..3660 * 86_400, nanoseconds in 0_u32..1_000_000_000) {
            let period = Period(Duration::new(seconds, nanoseconds));
            prop_assert_eq!(Period::try_from(period.to_string()), Ok(period));
        }
    }
}
