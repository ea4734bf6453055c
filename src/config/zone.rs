//! A time zone of a definition.

use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;

/// A time zone by its IANA name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Zone(pub TimeZone);

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Zone, String> {
        TimeZone::get(&name).map(Zone).map_err(|_| Zone::wrong(&name))
    }
}

impl Zone {
    /// What is said of a name that is none; where it came out of a variable, give the name of that.
    pub fn wrong(name: &str) -> String {
        format!("`{name}` is not a time zone such as \"Europe/Berlin\" or \"UTC\"")
    }
}

impl JsonSchema for Zone {
    fn schema_name() -> Cow<'static, str> {
        "Zone".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["UTC", "America/Los_Angeles", "Europe/Berlin"] })
    }
}
