//! A promised share: `"99.9%"`, kept as an integer.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;

/// A share in parts per million, written in percent: `"98%"`, `"99.95%"`. More than nothing and less than everything,
/// so that there is a budget; at most four digits behind the point, so that it is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Share(u32);

impl Share {
    pub const fn ppm(self) -> u32 {
        self.0
    }
}

impl TryFrom<String> for Share {
    type Error = String;

    fn try_from(text: String) -> Result<Share, String> {
        parse(&text).map(Share).ok_or_else(|| {
            format!("`{text}` is not a share such as \"98%\" or \"99.95%\": above 0%, below 100%, at most four digits behind the point")
        })
    }
}

/// By digits: a float would not be exact.
fn parse(text: &str) -> Option<u32> {
    let number = text.trim().strip_suffix('%')?.trim_end();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || number.contains('.') && !digits(fraction) || whole.len() > 2 || fraction.len() > 4 {
        return None;
    }
    let ppm = whole.parse::<u32>().ok()? * 10_000 + format!("{fraction:0<4}").parse::<u32>().ok()?;
    (ppm > 0).then_some(ppm)
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{1,2}([.][0-9]{1,4})? *%$", "examples": ["98%", "99.95%"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<u32>) {
        assert_eq!(Share::try_from(text.to_owned()).ok().map(Share::ppm), expected, "{text}");
    }

    #[test]
    fn shares_are_exact() {
        check("98%", Some(980_000));
        check("99.9 %", Some(999_000));
        check("99.9999%", Some(999_999));
        check("0.5%", Some(5_000));
        for wrong in
            ["", "%", "98", "100%", "0%", "0.0%", "-1%", "99.99999%", "9.%", ".9%", "1e1%", "098%", "+9%"]
        {
            check(wrong, None);
        }
    }
}
