//! The shop's rows, out of the answer to its query: `id`, `cents` and `status`, and nothing else.

use super::compare::{Here, Row};
use crate::outcome::{Class, Fault, Outcome};
use crate::probe::database::cell::{Cell, Table};
use crate::probe::database::token;
use std::collections::{BTreeMap, BTreeSet};

/// What the query must give. More is refused: what is not read can't be shown.
pub const COLUMNS: [&str; 3] = ["id", "cents", "status"];

/// What is wrong with the columns of a query, as far as its text tells.
pub fn wrong_columns(query: &str) -> Option<String> {
    let named: BTreeSet<String> = token::columns(query).into_iter().collect();
    let wanted: BTreeSet<String> = COLUMNS.map(str::to_owned).into();
    let list = |names: &mut dyn Iterator<Item = &String>| {
        names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    let (more, less) = (list(&mut named.difference(&wanted)), list(&mut wanted.difference(&named)));
    match (more.as_str(), less.as_str()) {
        ("", "") => None,
        ("", less) => {
            Some(format!("the query names no column {less}; it must name `id`, `cents` and `status`"))
        }
        (more, _) => Some(format!("the query names {more}, and only `id`, `cents` and `status` are read")),
    }
}

/// The rows by their ids, and how many could not be taken.
#[derive(Debug, Default, PartialEq)]
pub struct Rows {
    pub by_id: BTreeMap<String, Row>,
    /// Ids of rows that can't be read: they are not compared, and their payments are not missing.
    pub unreadable: BTreeSet<String>,
    /// Ids of rows that say two things.
    doubled: BTreeSet<String>,
    without_id: u64,
    without_cents: u64,
    without_status: u64,
}

impl Rows {
    /// Reads an answer. `inside` are the ids of the rows that were written in the window itself.
    pub fn read(table: &Table, inside: &BTreeSet<String>) -> Result<Rows, Fault> {
        let [id, cents, status] = places(table)?;
        let mut rows = Rows::default();
        for cells in &table.rows {
            let Cell::Text(id) = &cells[id] else {
                rows.without_id += 1;
                continue;
            };
            let Some(cents) = whole(&cells[cents]) else {
                rows.without_cents += 1;
                rows.unreadable.insert(id.clone());
                continue;
            };
            let Some(state) = here(&cells[status]) else {
                rows.without_status += 1;
                rows.unreadable.insert(id.clone());
                continue;
            };
            let row = Row { state, cents, is_inside: inside.contains(id) };
            if rows.by_id.insert(id.clone(), row).is_some_and(|before| before != row) {
                rows.doubled.insert(id.clone());
            }
        }
        rows.unreadable.extend(rows.doubled.iter().cloned());
        rows.by_id.retain(|id, _| !rows.unreadable.contains(id));
        Ok(rows)
    }

    /// What was not compared, and why. Values are not shown: they might be anything.
    pub fn tell(&self, outcome: &mut Outcome) {
        let without = [
            (self.without_cents, "have no whole number in `cents`; write `round(amount * 100) as cents`"),
            (self.without_status, "have a status that means nothing here; map it with `case` in the query"),
            (
                self.doubled.len() as u64,
                "ids are in rows that contradict each other; group them in the query",
            ),
        ];
        for (count, what) in without.into_iter().filter(|(count, _)| *count > 0) {
            let rows = if what.starts_with("ids") { "" } else { "rows " };
            let text = format!("{count} {rows}{what}: they were not compared");
            outcome.fault(Fault::unknown(Class::Assertion, text));
        }
        if self.without_id > 0 {
            outcome.note(format!("{} rows have no id of a payment and were not compared", self.without_id));
        }
    }
}

/// The ids in an answer.
pub fn ids(table: &Table) -> Result<BTreeSet<String>, Fault> {
    let [id, ..] = places(table)?;
    let ids = table.rows.iter().filter_map(|cells| match &cells[id] {
        Cell::Text(id) => Some(id.clone()),
        _ => None,
    });
    Ok(ids.collect())
}

/// Where the columns are. An answer without rows has none.
fn places(table: &Table) -> Result<[usize; 3], Fault> {
    if table.rows.is_empty() {
        return Ok([0, 0, 0]);
    }
    let place = |name: &str| table.columns.iter().position(|column| column == name);
    match COLUMNS.map(place) {
        [Some(id), Some(cents), Some(status)] if table.columns.len() == COLUMNS.len() => {
            Ok([id, cents, status])
        }
        _ => Err(Fault::unknown(
            Class::Assertion,
            "the query must give the columns `id`, `cents` and `status`, and no others",
        )),
    }
}

fn whole(cell: &Cell) -> Option<i64> {
    /// Up to here every whole number is one that a double can be (2^53).
    const MAX: f64 = 9_007_199_254_740_992.0;
    match cell {
        Cell::Number(number) if number.fract() == 0.0 && number.abs() <= MAX => Some(*number as i64),
        _ => None,
    }
}

/// What a status of the shop's means.
fn here(cell: &Cell) -> Option<Here> {
    let Cell::Text(status) = cell else { return None };
    match status.trim().to_ascii_uppercase().as_str() {
        "PAID" | "COMPLETED" => Some(Here::Paid),
        "REFUNDED" => Some(Here::Refunded),
        "PENDING" | "APPROVED" => Some(Here::Open),
        "FAILED" | "CANCELED" | "CANCELLED" => Some(Here::NotTaken),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    fn table(rows: Vec<[Cell; 3]>) -> Table {
        let columns = ["status", "id", "cents"].map(str::to_owned).to_vec();
        Table { columns, rows: rows.into_iter().map(Vec::from).collect(), more: false }
    }

    #[test]
    fn rows_are_read_by_the_names_of_their_columns() {
        let table = table(vec![
            [text("PAID"), text("a"), Cell::Number(1299.0)],
            [text("completed"), text("b"), Cell::Number(1.0)],
            [text("REFUNDED"), text("c"), Cell::Number(0.0)],
            [text("PENDING"), text("d"), Cell::Number(2.0)],
            [text("FAILED"), text("e"), Cell::Number(3.0)],
            // The same row twice is what a join makes of it.
            [text("FAILED"), text("e"), Cell::Number(3.0)],
        ]);
        let rows = Rows::read(&table, &BTreeSet::from(["a".to_owned()])).expect("rows");
        let found: Vec<_> =
            rows.by_id.iter().map(|(id, row)| (id.as_str(), row.state, row.cents, row.is_inside)).collect();
        assert_eq!(
            found,
            [
                ("a", Here::Paid, 1299, true),
                ("b", Here::Paid, 1, false),
                ("c", Here::Refunded, 0, false),
                ("d", Here::Open, 2, false),
                ("e", Here::NotTaken, 3, false),
            ]
        );
        let mut outcome = Outcome::ok();
        rows.tell(&mut outcome);
        assert_eq!(outcome, Outcome::ok());
        assert_eq!(ids(&table).expect("ids").len(), 5);
    }

    #[test]
    fn what_can_not_be_compared_is_said_and_not_shown() {
        let table = table(vec![
            [text("PAID"), Cell::Null, Cell::Number(1.0)],
            [text("PAID"), text("a"), Cell::Number(12.99)],
            [text("PAID"), text("b"), text("jane@example.org")],
            [text("Jane Doe"), text("c"), Cell::Number(1.0)],
            [text("PAID"), text("d"), Cell::Number(1.0)],
            [text("PAID"), text("d"), Cell::Number(2.0)],
        ]);
        let rows = Rows::read(&table, &BTreeSet::new()).expect("rows");
        assert!(rows.by_id.is_empty());
        let mut outcome = Outcome::ok();
        rows.tell(&mut outcome);
        let told: Vec<_> = outcome.faults.iter().map(|fault| fault.text.as_str()).collect();
        assert_eq!(
            told,
            [
                "2 rows have no whole number in `cents`; write `round(amount * 100) as cents`: they were not compared",
                "1 rows have a status that means nothing here; map it with `case` in the query: they were not compared",
                "1 ids are in rows that contradict each other; group them in the query: they were not compared",
            ]
        );
        assert_eq!(outcome.notes, ["1 rows have no id of a payment and were not compared"]);
    }

    #[test]
    fn only_what_is_read_may_be_asked_for() {
        for (query, expected) in [
            (r#"select "squarePaymentId" as id, round(amount * 100) as cents, status from payments"#, None),
            ("with p as (select 1 as x) select status, cents, id from p", None),
            (
                "select id, cents, status, email from payments",
                Some("the query names `email`, and only `id`, `cents` and `status` are read"),
            ),
            (
                "select id, amount as cents from payments",
                Some("the query names no column `status`; it must name `id`, `cents` and `status`"),
            ),
            (
                "select * from payments",
                Some(
                    "the query names no column `cents`, `id`, `status`; it must name `id`, `cents` and `status`",
                ),
            ),
        ] {
            assert_eq!(wrong_columns(query).as_deref(), expected, "{query}");
        }
        let mut table = table(vec![[text("PAID"), text("a"), Cell::Number(1.0)]]);
        table.columns[1] = "other".to_owned();
        let fault = Rows::read(&table, &BTreeSet::new()).expect_err("no id");
        assert_eq!(fault.text, "the query must give the columns `id`, `cents` and `status`, and no others");
    }
}
