//! Which statuses are expected: codes, classes and ranges.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// One code (`204`, `"204"`), a class (`"2xx"`) or a range (`"200-204"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statuses {
    first: u16,
    last: u16,
}

impl Statuses {
    pub const SUCCESS: Statuses = Statuses { first: 200, last: 299 };

    pub fn contain(self, code: u16) -> bool {
        (self.first..=self.last).contains(&code)
    }

    fn parse(text: &str) -> Option<Statuses> {
        if let Some(class) = text.strip_suffix("xx") {
            let class = class.parse::<u16>().ok().filter(|class| (1..=5).contains(class))?;
            return Some(Statuses { first: class * 100, last: class * 100 + 99 });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let code = |text: &str| text.trim().parse::<u16>().ok().filter(|code| (100..=599).contains(code));
        let (first, last) = (code(first)?, code(last)?);
        (first <= last).then_some(Statuses { first, last })
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Statuses { first, last } = self;
        match (first, last) {
            (first, last) if first == last => first.fmt(f),
            (first, last) if first % 100 == 0 && *last == first + 99 => write!(f, "{}xx", first / 100),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Statuses, D::Error> {
        struct Read;

        impl Visitor<'_> for Read {
            type Value = Statuses;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status such as 204, \"2xx\" or \"200-204\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Statuses, E> {
                Statuses::parse(text).ok_or_else(|| {
                    E::custom(format!("`{text}` is not a status such as 204, \"2xx\" or \"200-204\""))
                })
            }

            fn visit_i64<E: de::Error>(self, code: i64) -> Result<Statuses, E> {
                self.visit_str(&code.to_string())
            }

            fn visit_u64<E: de::Error>(self, code: u64) -> Result<Statuses, E> {
                self.visit_str(&code.to_string())
            }
        }

        deserializer.deserialize_any(Read)
    }
}

impl JsonSchema for Statuses {
    fn schema_name() -> Cow<'static, str> {
        "Statuses".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 100, "maximum": 599 },
            { "type": "string", "pattern": "^([1-5]xx|[1-5][0-9]{2}( *- *[1-5][0-9]{2})?)$" }
        ] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, inside: u16, outside: u16, shown: &str) {
        let statuses = Statuses::parse(text).expect("a status");
        assert!(statuses.contain(inside) && !statuses.contain(outside), "{text}");
        assert_eq!(statuses.to_string(), shown);
    }

    #[test]
    fn codes_classes_and_ranges() {
        check("204", 204, 205, "204");
        check("3xx", 399, 400, "3xx");
        check("200-204", 203, 205, "200-204");
        check("400-499", 451, 399, "4xx");
        for wrong in ["", "xx", "6xx", "2XX", "99", "600", "204-200", "200-", "ok", "-1"] {
            assert_eq!(Statuses::parse(wrong), None, "{wrong}");
        }
    }
}
