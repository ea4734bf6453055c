//! Indexes that must be there, and indexes that are there and of no use.
//!
//! An interrupted `create index concurrently` leaves an index that costs every write and serves no
//! query. One that is being built looks the same; a table on which a build is under way is left alone.

use super::cell::Table;
use super::session::literal;
use crate::outcome::Class::Assertion;
use crate::outcome::{Fault, Outcome};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt;

/// The name of an index, with its schema where it is not the one of the address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct IndexName {
    schema: Option<String>,
    name: String,
}

impl TryFrom<String> for IndexName {
    type Error = String;

    fn try_from(text: String) -> Result<IndexName, String> {
        let (schema, name) = match text.split_once('.') {
            Some((schema, name)) => (Some(schema.to_owned()), name.to_owned()),
            None => (None, text.clone()),
        };
        // PostgreSQL cuts longer names off, so one could never be found.
        let fits = |part: &str| (1..=63).contains(&part.len()) && !part.contains(['"', '\0']);
        if fits(&name) && schema.as_deref().is_none_or(fits) {
            return Ok(IndexName { schema, name });
        }
        Err(format!(
            "`{text}` is not the name of an index: `name` or `schema.name`, without quotes, at most 63 bytes each"
        ))
    }
}

impl fmt::Display for IndexName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

impl JsonSchema for IndexName {
    fn schema_name() -> Cow<'static, str> {
        "IndexName".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "examples": ["idx_orders_pending", "shop.idx_orders_pending"] })
    }
}

/// How many of the invalid ones are named in a fault.
const NAMED_MAX: usize = 5;

/// A build is under way on the table of index `i`. What another role builds can't be seen without rights: then nobody can tell.
const BEING_BUILT: &str = "exists (select from pg_stat_progress_create_index p
  where p.datname = current_database() and (p.relid = i.indrelid or p.relid is null))";

/// Asks for invalid indexes of any name. A partitioned one is invalid until all its parts have theirs, which is no accident.
pub fn ask_invalid() -> String {
    format!(
        "select n.nspname::text as schema, c.relname::text as name, t.relname::text as on_table
         from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
              join pg_namespace n on n.oid = c.relnamespace
         where not (i.indisvalid and i.indisready and i.indislive) and c.relkind = 'i' and not {BEING_BUILT}
         order by 1, 2"
    )
}

/// Asks for these indexes, in their order.
pub fn ask_named(names: &[IndexName]) -> String {
    let wanted = names.iter().enumerate().map(|(at, IndexName { schema, name })| {
        let schema = schema.as_deref().map_or("null".to_owned(), literal);
        format!("({at}, {schema}, {})", literal(name))
    });
    let wanted = wanted.collect::<Vec<_>>().join(", ");
    format!(
        "select found.oid is not null as present, {BEING_BUILT} as being_built,
                coalesce(i.indisvalid and i.indisready and i.indislive, false) as valid
         from (values {wanted}) as wanted (at, schema, name)
         left join lateral (
           select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind in ('i', 'I') and c.relname = wanted.name
             and case when wanted.schema is null then pg_table_is_visible(c.oid) else n.nspname = wanted.schema end
           limit 1) as found on true
         left join pg_index i on i.indexrelid = found.oid
         order by wanted.at"
    )
}

/// Says which of `names` are missing or invalid.
pub fn read_named(names: &[IndexName], answer: &Table, outcome: &mut Outcome) {
    let mut missing = 0;
    for (row, name) in names.iter().enumerate() {
        let is = |column| answer.is_true(row, column);
        let wrong = match (is("present"), is("valid"), is("being_built")) {
            (true, true, _) => continue,
            (true, false, true) => "is still being built",
            (true, false, false) => "is invalid, left by an interrupted build: drop it and build it again",
            (false, ..) => "does not exist: create it with `create index concurrently`",
        };
        missing += usize::from(!is("present"));
        outcome.fault(Fault::degraded(Assertion, format!("index `{name}` {wrong}")));
    }
    outcome.measure("missing_indexes", missing as f64);
}

/// Says which indexes are invalid; those of `named` were told already.
pub fn read_invalid(named: &[IndexName], answer: &Table, outcome: &mut Outcome) {
    let count = answer.rows.len();
    outcome.measure("invalid_indexes", count as f64);
    let text = |row, column| answer.text(row, column).unwrap_or_default();
    let others = (0..count)
        .filter(|row| named.iter().all(|index| index.name != text(*row, "name")))
        .map(|row| format!("`{}.{}` on `{}`", text(row, "schema"), text(row, "name"), text(row, "on_table")))
        .collect::<Vec<_>>();
    if !others.is_empty() {
        let more = others.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let names = others[..others.len().min(NAMED_MAX)].join(", ");
        let text =
            format!("invalid, left by an interrupted build: index {names}{more}; drop and build again");
        outcome.fault(Fault::degraded(Assertion, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_can_never_be_found_is_refused() {
        for name in ["idx", "shop.idx", "Orders_status_idx"] {
            assert_eq!(
                IndexName::try_from(name.to_owned()).map(|index| index.to_string()),
                Ok(name.to_owned())
            );
        }
        for name in ["", ".idx", "shop.", "\"idx\"", &"x".repeat(64)] {
            assert!(IndexName::try_from(name.to_owned()).is_err(), "{name}");
        }
    }
}
