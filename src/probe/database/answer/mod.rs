//! From the rows that a query gave to measures: each column one, under the name that the query gives it.
//!
//! What can't be measured is `unknown` and names the column: it says nothing about the shop. Measures keep the order of the
//! rows, and in a row that of the columns: a query that sorts makes a table that is sorted.

mod label;
mod private;

use super::cell::{Cell, Table};
use super::token::Dialect;
use crate::outcome::Class::Assertion;
use crate::outcome::{Fault, Outcome};
use jiff::Timestamp;
pub use label::Label;
use label::{NAME, is_name};
use private::StandIns;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

/// What it means where there is nothing: no row, or a row of nothing but NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Empty {
    /// Nothing was measured, so nobody knows.
    #[default]
    Unknown,
    /// Nothing is as it should be.
    Ok,
    /// There should have been something.
    Failed,
}

/// How an answer is to be read.
pub struct Reading<'a> {
    pub labels: &'a [Label],
    pub empty: Empty,
    pub rows_max: usize,
    pub dialect: Dialect,
    /// What ages are counted from.
    pub now: Timestamp,
}

impl Reading<'_> {
    /// More rows than this need not be fetched to know that they are too many.
    pub fn rows_fetched(&self) -> usize {
        if self.labels.is_empty() { 1 } else { self.rows_max }
    }

    /// The measures of an answer and what is wrong with it.
    pub fn read(&self, table: &Table) -> Outcome {
        let mut outcome = Outcome::ok();
        if table.more {
            outcome.fault(self.too_many());
            return outcome;
        }
        match self.columns(table) {
            Ok(columns) => self.read_rows(table, &columns, &mut outcome),
            Err(faults) => outcome.faults = faults,
        }
        if outcome.faults.is_empty() && outcome.measures.is_empty() {
            self.nothing(table.rows.is_empty(), &mut outcome);
        }
        outcome
    }

    fn too_many(&self) -> Fault {
        let rows = self.rows_fetched();
        let text = if self.labels.is_empty() {
            "the query gave more than one row: aggregate them, or name in `labels` the columns that tell them apart"
                .to_owned()
        } else {
            format!("the query gave more than {rows} rows: group or `limit` them, or raise `rows_max`")
        };
        Fault::unknown(Assertion, text)
    }

    fn nothing(&self, no_row: bool, outcome: &mut Outcome) {
        let what = if no_row { "the query gave no row" } else { "the query gave nothing but null" };
        match self.empty {
            Empty::Ok => outcome.note(what),
            Empty::Failed => outcome.fault(Fault::failed(Assertion, what)),
            Empty::Unknown => {
                let text = format!("{what}, so nothing was measured; say with `empty` what that means");
                outcome.fault(Fault::unknown(Assertion, text));
            }
        }
    }

    /// Where labels and measures are in a row.
    fn columns(&self, table: &Table) -> Result<Columns, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut columns = Columns { labels: Vec::new(), measures: Vec::new() };
        let mut seen = BTreeSet::new();
        let mut wrong = |text: String| faults.push(Fault::unknown(Assertion, text));
        for (at, name) in table.columns.iter().enumerate() {
            if self.labels.iter().any(|label| label.is(name)) {
                columns.labels.push(at);
            } else {
                columns.measures.push(at);
            }
            if !is_name(name) {
                wrong(format!("column {} is called `{name}`: give it an alias of {NAME}", at + 1));
            } else if name == "duration_seconds" {
                wrong(
                    "column `duration_seconds` has the name of the run's own duration: give it another"
                        .to_owned(),
                );
            } else if !seen.insert(name) {
                wrong(format!("two columns are called `{name}`: give one another alias"));
            }
        }
        if !table.rows.is_empty() {
            for Label(label) in self.labels.iter().filter(|label| !seen.contains(&label.0)) {
                wrong(format!("the label `{label}` is no column of the answer"));
            }
        }
        if faults.is_empty() { Ok(columns) } else { Err(faults) }
    }

    fn read_rows(&self, table: &Table, columns: &Columns, outcome: &mut Outcome) {
        let mut null = BTreeSet::new();
        let mut wrong = BTreeSet::new();
        let mut told = BTreeSet::new();
        let mut hidden = BTreeSet::new();
        let mut stand_ins = StandIns::default();
        for row in &table.rows {
            let labels: Vec<_> = columns.labels.iter().map(|at| (&table.columns[*at], &row[*at])).collect();
            let labels = kept(&labels, &mut stand_ins, &mut hidden);
            if !told.insert(labels.clone()) {
                wrong.insert("two rows have the same labels: group by them".to_owned());
                continue;
            }
            for at in &columns.measures {
                let name = &table.columns[*at];
                match self.number(name, &row[*at]) {
                    Ok(Some(number)) => outcome.measure_with(name.clone(), number, labels.clone()),
                    Ok(None) => drop(null.insert(name)),
                    Err(fault) => drop(wrong.insert(fault)),
                }
            }
        }
        for name in null {
            outcome.note(format!("column `{name}` is null and not measured"));
        }
        for name in hidden {
            outcome.note(format!(
                "label `{name}` held what looks like an email address, a phone number or a card's number: shown as `…`"
            ));
        }
        outcome.faults.extend(wrong.into_iter().map(|text| Fault::unknown(Assertion, text)));
    }

    fn number(&self, name: &str, cell: &Cell) -> Result<Option<f64>, String> {
        let in_text = || if self.dialect == Dialect::Sqlite { cell.moment_in_text() } else { None };
        match cell {
            Cell::Null => Ok(None),
            Cell::Number(number) | Cell::Seconds(number) => Ok(Some(*number)),
            Cell::Moment(moment) => Ok(Some(self.seconds(name, *moment))),
            Cell::Text(_) => match in_text() {
                Some(moment) => Ok(Some(self.seconds(name, moment))),
                None => Err(format!(
                    "column `{name}` is text where a number is needed: count it, cast it, or name it in `labels`"
                )),
            },
            Cell::Other(kind) => Err(format!(
                "column `{name}` is of type {kind} where a number is needed: cast it to a number"
            )),
        }
    }

    /// How long ago a moment is where the column's name asks for that; else Unix seconds.
    fn seconds(&self, name: &str, moment: Timestamp) -> f64 {
        if name.ends_with("_age_seconds") {
            self.now.duration_since(moment).as_secs_f64()
        } else {
            moment.as_duration().as_secs_f64()
        }
    }
}

/// The labels of a row as they are kept. What looks like a customer's data is not, and its label is told.
fn kept<'a>(
    labels: &[(&'a String, &Cell)],
    stand_ins: &mut StandIns,
    hidden: &mut BTreeSet<&'a String>,
) -> Vec<(String, String)> {
    let kept = labels.iter().map(|(name, cell)| {
        let value = label::value(cell);
        if private::looks_personal(&value) {
            hidden.insert(*name);
            return ((*name).clone(), stand_ins.of(&value));
        }
        ((*name).clone(), label::cut(&value))
    });
    kept.collect()
}

struct Columns {
    labels: Vec<usize>,
    measures: Vec<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[&str], rows: Vec<Vec<Cell>>) -> Table {
        Table { columns: columns.iter().map(|name| (*name).to_owned()).collect(), rows, more: false }
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    /// What an answer comes to: measures as `name{labels}=value`, then faults and notes.
    fn check(labels: &[&str], empty: Empty, table: &Table, expected: &str) {
        let labels: Vec<Label> = labels.iter().map(|name| Label((*name).to_owned())).collect();
        let now = "2026-11-22T18:39:00Z".parse().expect("a time");
        let reading = Reading { labels: &labels, empty, rows_max: 3, dialect: Dialect::Sqlite, now };
        let outcome = reading.read(table);
        let measures = outcome.measures.iter().map(|measure| {
            let labels = measure.labels.iter().map(|(name, value)| format!("{name}={value}"));
            format!("{}{{{}}}={}", measure.name, labels.collect::<Vec<_>>().join(","), measure.value)
        });
        let faults = outcome.faults.iter().map(|fault| format!("{}: {}", fault.status, fault.text));
        let notes = outcome.notes.iter().map(|note| format!("note: {note}"));
        let found = measures.chain(faults).chain(notes).collect::<Vec<_>>().join("\n");
        assert_eq!(found, expected);
    }

    #[test]
    fn columns_become_measures() {
        let cells = vec![
            Cell::Number(3.0),
            Cell::Null,
            text("2026-11-22 18:38:30.500"),
            text("2026-11-22T18:39:00Z"),
        ];
        let one = table(&["pending", "average", "oldest_age_seconds", "last_timestamp_seconds"], vec![cells]);
        let told = "pending{}=3\noldest_age_seconds{}=29.5\nlast_timestamp_seconds{}=1795372740\n\
                    note: column `average` is null and not measured";
        check(&[], Empty::Unknown, &one, told);
        let rows = vec![vec![text("PAID"), Cell::Number(3.0)], vec![Cell::Null, Cell::Number(1.0)]];
        let labelled = table(&["status", "orders"], rows);
        check(&["status"], Empty::Unknown, &labelled, "orders{status=PAID}=3\norders{status=(none)}=1");
    }

    #[test]
    fn nothing_is_what_the_definition_says() {
        let none = table(&[], vec![]);
        let null = table(&["average"], vec![vec![Cell::Null]]);
        let hint = "so nothing was measured; say with `empty` what that means";
        let noted = "note: column `average` is null and not measured";
        check(&[], Empty::Unknown, &none, &format!("unknown: the query gave no row, {hint}"));
        check(&["status"], Empty::Ok, &none, "note: the query gave no row");
        check(&[], Empty::Failed, &none, "failed: the query gave no row");
        check(
            &[],
            Empty::Unknown,
            &null,
            &format!("unknown: the query gave nothing but null, {hint}\n{noted}"),
        );
        check(&[], Empty::Ok, &null, &format!("{noted}\nnote: the query gave nothing but null"));
    }

    #[test]
    fn rows_keep_the_order_that_the_query_gave_them() {
        let row = |day: &str, orders: f64| vec![text(day), Cell::Number(orders), Cell::Number(orders * 2.0)];
        let rows = vec![row("2026-11-22", 3.0), row("2026-11-20", 9.0), row("2026-11-21", 1.0)];
        check(
            &["day"],
            Empty::Unknown,
            &table(&["day", "orders", "average"], rows),
            "orders{day=2026-11-22}=3\naverage{day=2026-11-22}=6\norders{day=2026-11-20}=9\n\
             average{day=2026-11-20}=18\norders{day=2026-11-21}=1\naverage{day=2026-11-21}=2",
        );
    }

    #[test]
    fn a_value_that_tells_of_a_customer_is_not_kept() {
        let row = |who: &str, status: &str| vec![text(who), text(status), Cell::Number(1.0)];
        let beyond_the_cut = format!("{} jane@example.org", "x".repeat(95));
        let rows = vec![
            row("jane@example.org", "PAID"),
            row("+1 555 0199", "PAID"),
            row("jane@example.org", "FAILED"),
        ];
        let note = "note: label `who` held what looks like an email address, a phone number or a card's number: shown as `…`";
        check(
            &["who", "status"],
            Empty::Unknown,
            &table(&["who", "status", "orders"], rows),
            &format!(
                "orders{{who=…,status=PAID}}=1\norders{{who=… 2,status=PAID}}=1\norders{{who=…,status=FAILED}}=1\n{note}"
            ),
        );
        check(
            &["who"],
            Empty::Unknown,
            &table(&["who", "orders"], vec![vec![text(&beyond_the_cut), Cell::Number(1.0)]]),
            &format!("orders{{who=…}}=1\n{note}"),
        );
        let card = Cell::Number(4_111_111_111_111_111.0);
        let numbers = table(&["who", "orders"], vec![vec![card, Cell::Number(1.0)]]);
        check(&["who"], Empty::Unknown, &numbers, &format!("orders{{who=…}}=1\n{note}"));
    }

    #[test]
    fn what_is_no_measure_is_said_with_its_column() {
        let number = || Cell::Number(1.0);
        check(
            &[],
            Empty::Unknown,
            &table(&["status", "pending"], vec![vec![text("PAID"), number()]]),
            "pending{}=1\nunknown: column `status` is text where a number is needed: count it, cast it, or name it in `labels`",
        );
        check(
            &[],
            Empty::Unknown,
            &table(&["?column?"], vec![vec![number()]]),
            "unknown: column 1 is called `?column?`: give it an alias of lowercase letters, digits and `_`, beginning with a letter",
        );
        check(
            &[],
            Empty::Unknown,
            &table(&["a", "a"], vec![vec![number(), number()]]),
            "unknown: two columns are called `a`: give one another alias",
        );
        check(
            &["status"],
            Empty::Unknown,
            &table(&["orders"], vec![vec![number()]]),
            "unknown: the label `status` is no column of the answer",
        );
        check(
            &["status"],
            Empty::Unknown,
            &table(&["status", "orders"], vec![vec![text("PAID"), number()], vec![text("PAID"), number()]]),
            "orders{status=PAID}=1\nunknown: two rows have the same labels: group by them",
        );
        let more = Table { more: true, ..table(&["a"], vec![vec![number()]]) };
        check(
            &[],
            Empty::Unknown,
            &more,
            "unknown: the query gave more than one row: aggregate them, or name in `labels` the columns that tell them apart",
        );
        check(
            &["a"],
            Empty::Ok,
            &more,
            "unknown: the query gave more than 3 rows: group or `limit` them, or raise `rows_max`",
        );
    }
}
