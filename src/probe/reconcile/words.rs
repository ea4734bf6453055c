//! What a comparison comes to in words: ids and amounts, and nothing else.

use super::compare::{AtSquare, Comparison, Discrepancy, Here, Kind};
use crate::probe::api;
use std::fmt::Write as _;

/// Of each kind of discrepancy so many are named; a person who looks into it has the tables.
const NAMED_MAX: usize = 5;

/// How money of a currency is written.
pub struct Money<'a> {
    pub currency: &'a str,
}

impl Money<'_> {
    /// How many digits follow the point. Of the currencies that Square takes, one has none.
    fn digits(&self) -> usize {
        if self.currency == "JPY" { 0 } else { 2 }
    }

    /// As a number in whole units: dollars.
    pub fn units(&self, cents: i128) -> f64 {
        cents as f64 / 10_f64.powi(i32::try_from(self.digits()).unwrap_or_default())
    }

    /// `12.99 USD`
    pub fn show(&self, cents: i128) -> String {
        format!("{:.*} {}", self.digits(), self.units(cents), self.currency)
    }
}

/// `2 payments are at Square and not here: bP9m 12.99 USD, …; 25.98 USD at risk`
pub fn reason(found: &Comparison, money: &Money<'_>) -> String {
    let mut text = String::new();
    for kind in Kind::ALL {
        let all = found.of(kind);
        let count = all.len();
        if count == 0 {
            continue;
        }
        let named: Vec<_> = all.take(NAMED_MAX).map(|one| named(one, money)).collect();
        let rest = count - named.len();
        let more = if rest == 0 { String::new() } else { format!(", and {rest} more") };
        let text = &mut text;
        write!(text, "{}: {}{more}; ", heading(kind, count), named.join(", "))
            .expect("writing to memory can't fail");
    }
    text + &format!("{} at risk", money.show(found.cents_at_risk()))
}

fn heading(kind: Kind, count: usize) -> String {
    match (kind, count) {
        (Kind::MissingHere, 1) => "1 payment is at Square and not here".to_owned(),
        (Kind::MissingHere, _) => format!("{count} payments are at Square and not here"),
        (Kind::MissingThere, 1) => "1 payment is here and not at Square".to_owned(),
        (Kind::MissingThere, _) => format!("{count} payments are here and not at Square"),
        (Kind::Amount, 1) => "1 amount differs".to_owned(),
        (Kind::Amount, _) => format!("{count} amounts differ"),
        (Kind::Status, 1) => "1 status differs".to_owned(),
        (Kind::Status, _) => format!("{count} statuses differ"),
    }
}

fn named(one: &Discrepancy, money: &Money<'_>) -> String {
    let id = api::word(Some(&one.id));
    let show = |cents: i64| money.show(i128::from(cents));
    match (one.kind, one.at_square, one.here) {
        (Kind::Amount, Some(payment), Some(row)) => {
            format!("{id} {} at Square and {} here", show(payment.cents), show(row.cents))
        }
        (Kind::Status, Some(payment), Some(row)) => {
            let (at_square, here) = (at_square(payment.state), here(row.state));
            format!("{id} {} {at_square} at Square and {here} here", show(one.cents()))
        }
        _ => format!("{id} {}", show(one.cents())),
    }
}

const fn at_square(state: AtSquare) -> &'static str {
    match state {
        AtSquare::Completed { has_refunds: false } => "COMPLETED",
        AtSquare::Completed { has_refunds: true } => "COMPLETED, with a refund,",
        AtSquare::Open(word) | AtSquare::NotTaken(word) => word,
    }
}

const fn here(state: Here) -> &'static str {
    match state {
        Here::Paid => "PAID",
        Here::Refunded => "REFUNDED",
        Here::Open => "PENDING",
        Here::NotTaken => "FAILED",
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::{Payment, Row, compare};
    use super::*;
    use std::collections::BTreeMap;

    const DOLLARS: Money<'_> = Money { currency: "USD" };

    fn payment(cents: i64) -> Payment {
        let state = AtSquare::Completed { has_refunds: false };
        Payment { state, cents, cents_without_tip: cents, is_inside: true, is_settled: true }
    }

    fn row(state: Here, cents: i64) -> Row {
        Row { state, cents, is_inside: true }
    }

    fn check(payments: &[(&str, Payment)], rows: &[(&str, Row)], expected: &str) {
        let payments = payments.iter().map(|(id, payment)| ((*id).to_owned(), *payment)).collect();
        let rows = rows.iter().map(|(id, row)| ((*id).to_owned(), *row)).collect();
        assert_eq!(reason(&compare(&payments, &rows), &DOLLARS), expected);
    }

    #[test]
    fn ids_and_amounts_are_named() {
        check(
            &[("bP9m", payment(1299))],
            &[],
            "1 payment is at Square and not here: bP9m 12.99 USD; 12.99 USD at risk",
        );
        check(
            &[("a", payment(5)), ("b", payment(1299)), ("d", payment(700)), ("e", payment(100))],
            &[("c", row(Here::Paid, 100)), ("d", row(Here::Paid, 650)), ("e", row(Here::Open, 100))],
            "2 payments are at Square and not here: b 12.99 USD, a 0.05 USD; 1 payment is here and not at Square: \
             c 1.00 USD; 1 amount differs: d 7.00 USD at Square and 6.50 USD here; 1 status differs: e 1.00 USD \
             COMPLETED at Square and PENDING here; 15.54 USD at risk",
        );
    }

    #[test]
    fn what_is_named_is_bounded_and_what_is_no_id_is_not_shown() {
        let rows: Vec<String> = (10..27).map(|number| format!("id{number}")).collect();
        let rows: BTreeMap<_, _> = rows.iter().map(|id| (id.as_str(), row(Here::Paid, 100))).collect();
        let rows: Vec<_> = rows.into_iter().collect();
        check(
            &[],
            &rows,
            "17 payments are here and not at Square: id10 1.00 USD, id11 1.00 USD, id12 1.00 USD, id13 1.00 USD, \
             id14 1.00 USD, and 12 more; 17.00 USD at risk",
        );
        for id in ["jane@example.org", "4111 1111 1111 1111", "4111111111111111", "Jane Doe", ""] {
            let found = format!(
                "1 payment is here and not at Square: {} 1.00 USD; 1.00 USD at risk",
                if id.is_empty() { "(none)" } else { "(unreadable)" }
            );
            check(&[], &[(id, row(Here::Paid, 100))], &found);
        }
    }

    #[test]
    fn money_is_written_as_its_currency_is() {
        assert_eq!(DOLLARS.show(1_234_567), "12345.67 USD");
        assert_eq!(Money { currency: "JPY" }.show(500), "500 JPY");
        assert!((DOLLARS.units(1299) - 12.99).abs() < 1e-9);
    }
}
