//! Statements as text that PostgreSQL and SQLite both take, with the values as literals.
//!
//! Text, because the same words then fill either database through any client, `psql` among them. Only
//! the demo's invented data passes here, never anything that came from outside.

use jiff::Timestamp;
use std::fmt::{self, Write};

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Text(String),
    Integer(i64),
    Boolean(bool),
    Money(Cents),
    Time(Timestamp),
}

/// Money. The shop keeps dollars with two digits, Square keeps cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Cents(pub i64);

/// What a row is made of: column and value.
pub type Cell = (&'static str, Value);

/// Rows in one statement: few enough that a statement stays readable in a log.
const ROWS_MAX: usize = 200;

/// A time as the shop keeps it: UTC, without zone, in milliseconds.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Value::Integer(number) => number.fmt(f),
            Value::Boolean(truth) => truth.fmt(f),
            Value::Money(cents) => cents.fmt(f),
            Value::Time(at) => write!(f, "'{}'", time(*at)),
        }
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:02}", self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Boolean(truth)
    }
}

impl From<Cents> for Value {
    fn from(cents: Cents) -> Value {
        Value::Money(cents)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Value {
        Value::Time(at)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// Rows that wait to be written, gathered by table and columns.
#[derive(Debug, Default)]
pub struct Inserts {
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    table: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<String>,
}

impl Inserts {
    /// Adds a row.
    pub fn add(&mut self, table: &'static str, cells: &[Cell]) {
        let values = cells.iter().map(|(_, value)| value.to_string()).collect::<Vec<_>>();
        let row = format!("({})", values.join(", "));
        let same = |group: &&mut Group| {
            group.table == table && group.columns.iter().eq(cells.iter().map(|(column, _)| column))
        };
        if let Some(group) = self.groups.iter_mut().find(same) {
            group.rows.push(row);
        } else {
            let columns = cells.iter().map(|(column, _)| *column).collect();
            self.groups.push(Group { table, columns, rows: vec![row] });
        }
    }

    /// The statements, in the order in which tables were first written to.
    pub fn into_statements(self) -> Vec<String> {
        let mut statements = Vec::new();
        for Group { table, columns, rows } in self.groups {
            let head = format!("insert into \"{table}\" (\"{}\") values\n", columns.join("\", \""));
            statements.extend(rows.chunks(ROWS_MAX).map(|rows| format!("{head}{}", rows.join(",\n"))));
        }
        statements
    }
}

/// Changes the one row whose `key` column has this value.
pub fn update(table: &str, (key, is): &Cell, cells: &[Cell]) -> String {
    let mut sql = format!("update \"{table}\" set ");
    for (at, (column, value)) in cells.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        // Writing to a `String` can't fail.
        let _ = write!(sql, "{comma}\"{column}\" = {value}");
    }
    let _ = write!(sql, " where \"{key}\" = {is}");
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_literals_of_both_dialects() {
        let at = "2026-03-01T12:00:00.5Z".parse::<Timestamp>().expect("a time");
        let cells = [
            ("id", Value::from(7)),
            ("name", "O'Hara".into()),
            ("total", Cents(-1205).into()),
            ("active", true.into()),
            ("at", at.into()),
            ("none", Value::from(None::<i64>)),
        ];
        let mut inserts = Inserts::default();
        inserts.add("t", &cells);
        let expected = "insert into \"t\" (\"id\", \"name\", \"total\", \"active\", \"at\", \"none\") values\n\
                        (7, 'O''Hara', -12.05, true, '2026-03-01 12:00:00.500', null)";
        assert_eq!(inserts.into_statements(), [expected]);
        assert_eq!(
            update("t", &cells[0], &cells[3..5]),
            "update \"t\" set \"active\" = true, \"at\" = '2026-03-01 12:00:00.500' where \"id\" = 7"
        );
    }

    #[test]
    fn rows_of_one_shape_share_statements_of_bounded_size() {
        let mut inserts = Inserts::default();
        for number in 0..450 {
            inserts.add("a", &[("n", Value::from(number))]);
            inserts.add("b", &[("n", Value::from(number))]);
        }
        inserts.add("a", &[("m", Value::Null)]);
        let rows: Vec<_> = inserts.into_statements().iter().map(|sql| sql.lines().count() - 1).collect();
        assert_eq!(rows, [200, 200, 50, 200, 200, 50, 1]);
    }
}
