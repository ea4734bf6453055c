//! A row with its whole life planned: when it appears, and when what changes in it.
//!
//! A customer who orders decides at once about rows in several tables, some of them minutes or days
//! later. Planned rows let one generator write a past of weeks (each row once, as it stands now)
//! and a present that goes on (updates as they fall due).

use super::sql::{Cell, Inserts, update};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A planned row. Its first cell is its key.
#[derive(Debug, Clone)]
pub struct Row {
    pub table: &'static str,
    pub at: Timestamp,
    pub cells: Vec<Cell>,
    /// In the order of time.
    pub changes: Vec<(Timestamp, Vec<Cell>)>,
}

impl Row {
    pub fn new(table: &'static str, at: Timestamp, cells: impl Into<Vec<Cell>>) -> Row {
        Row { table, at, cells: cells.into(), changes: Vec::new() }
    }

    /// At `at`, these cells get these values.
    pub fn then(mut self, at: Timestamp, cells: impl Into<Vec<Cell>>) -> Row {
        self.changes.push((at, cells.into()));
        self
    }

    fn apply(&mut self, cells: Vec<Cell>) {
        for (column, value) in cells {
            match self.cells.iter_mut().find(|(name, _)| *name == column) {
                Some(cell) => cell.1 = value,
                None => self.cells.push((column, value)),
            }
        }
    }
}

/// What is still to come, by time.
#[derive(Debug, Default)]
pub struct Planned {
    /// Rows that are not written yet. Several may share a moment, so each has a number.
    rows: BTreeMap<(Timestamp, u64), Row>,
    /// Changes to rows that are written.
    changes: BTreeMap<(Timestamp, u64), Change>,
    number: u64,
}

#[derive(Debug)]
struct Change {
    table: &'static str,
    key: Cell,
    cells: Vec<Cell>,
}

impl Planned {
    pub fn add(&mut self, row: Row) {
        self.number += 1;
        self.rows.insert((row.at, self.number), row);
    }

    /// What has fallen due until `to`, the end included. Rows for which `keep` says no are never written.
    pub fn take_due(&mut self, to: Timestamp, keep: impl Fn(&Row) -> bool) -> Vec<String> {
        let mut inserts = Inserts::default();
        let mut updates = Vec::new();
        let later = self.changes.split_off(&(to, u64::MAX));
        for change in std::mem::replace(&mut self.changes, later).into_values() {
            updates.push(update(change.table, &change.key, &change.cells));
        }
        let later = self.rows.split_off(&(to, u64::MAX));
        for mut row in std::mem::replace(&mut self.rows, later).into_values().filter(keep) {
            for (at, cells) in std::mem::take(&mut row.changes) {
                if at <= to {
                    row.apply(cells);
                } else {
                    self.number += 1;
                    let key = row.cells[0].clone();
                    self.changes.insert((at, self.number), Change { table: row.table, key, cells });
                }
            }
            inserts.add(row.table, &row.cells);
        }
        let mut statements = inserts.into_statements();
        statements.extend(updates);
        statements
    }
}

#[cfg(test)]
mod tests {
    use super::super::sql::Value;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn planned() -> Planned {
        let mut planned = Planned::default();
        let row = Row::new("t", at(10), [("id", Value::from(1)), ("s", "new".into())])
            .then(at(20), [("s", "paid".into())])
            .then(at(30), [("s", "done".into())]);
        planned.add(row);
        planned
    }

    fn check(times: &[i64], expected: &[&str]) {
        let mut planned = planned();
        let found: Vec<_> = times.iter().flat_map(|to| planned.take_due(at(*to), |_| true)).collect();
        assert_eq!(found, expected, "{times:?}");
    }

    #[test]
    fn a_past_is_written_as_it_stands_and_a_present_as_it_changes() {
        let insert = |state: &str| format!("insert into \"t\" (\"id\", \"s\") values\n(1, '{state}')");
        let update = |state: &str| format!("update \"t\" set \"s\" = '{state}' where \"id\" = 1");
        check(&[9], &[]);
        check(&[40], &[&insert("done")]);
        check(&[10, 20, 29, 30, 40], &[&insert("new"), &update("paid"), &update("done")]);
        check(&[25, 31], &[&insert("paid"), &update("done")]);
    }

    #[test]
    fn what_is_not_kept_is_never_written() {
        let mut planned = planned();
        assert!(planned.take_due(at(15), |_| false).is_empty());
        assert!(planned.take_due(at(99), |_| true).is_empty());
    }
}
