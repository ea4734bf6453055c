//! A column that is a label: which names it may have, and what of a value is kept.

use super::super::cell::Cell;
use super::private;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;

/// A column whose values become a label of the measures.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Label(pub(super) String);

/// Names that the exporter and Prometheus itself give to labels.
const TAKEN: [&str; 4] = ["check", "job", "le", "quantile"];

/// Longer values are cut: labels are for short words.
const CHARACTERS_MAX: usize = 100;

/// What names may be made of.
pub(super) const NAME: &str = "lowercase letters, digits and `_`, beginning with a letter";

impl Label {
    pub fn name(&self) -> &str {
        &self.0
    }

    pub fn is(&self, column: &str) -> bool {
        self.0 == column
    }
}

impl TryFrom<String> for Label {
    type Error = String;

    fn try_from(name: String) -> Result<Label, String> {
        if TAKEN.contains(&name.as_str()) {
            return Err(format!("the label `{name}` is taken: give the column another alias"));
        }
        if let Some(word) = private::personal_word(&name) {
            return Err(format!(
                "the label `{name}` would show customers' data (`{word}`): count instead of naming; a column that only \
                 sorts them may be called `{word}_type`, `{word}_status` or `{word}_country`"
            ));
        }
        if !is_name(&name) {
            return Err(format!("`{name}` is not the name of a label: {NAME}"));
        }
        Ok(Label(name))
    }
}

impl JsonSchema for Label {
    fn schema_name() -> Cow<'static, str> {
        "Label".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z][a-z0-9_]*$" })
    }
}

pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The whole value of a label, as text.
pub(super) fn value(cell: &Cell) -> String {
    match cell {
        Cell::Null => "(none)".to_owned(),
        Cell::Number(number) | Cell::Seconds(number) => number.to_string(),
        Cell::Moment(moment) => moment.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Other(kind) => format!("({kind})"),
    }
}

/// What of it is kept.
pub(super) fn cut(value: &str) -> String {
    value.chars().take(CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_a_name_that_prometheus_takes_and_nobody_else_has() {
        for name in ["status", "payment_method2", "card_brand"] {
            assert!(Label::try_from(name.to_owned()).is_ok(), "{name}");
        }
        for name in ["", "check", "le", "orderStatus", "2nd", "a-b"] {
            assert!(Label::try_from(name.to_owned()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_label_that_names_customers_is_refused_with_the_way_out() {
        let refused = Label::try_from("email".to_owned()).expect_err("personal");
        let told = "the label `email` would show customers' data (`email`): count instead of naming; a column that only \
                    sorts them may be called `email_type`, `email_status` or `email_country`";
        assert_eq!(refused, told);
        assert!(
            Label::try_from("customerName".to_owned()).expect_err("personal").contains("customers' data")
        );
    }
}
