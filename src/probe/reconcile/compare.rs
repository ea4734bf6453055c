//! Two books beside each other: what Square says of payments, and what the shop's rows say. Pure.
//!
//! The measure of all is what each side holds to be in the till. A payment that one side has taken and the other does not
//! know, has not taken or took with another amount is a discrepancy; what neither has taken is none, whatever it is called.

use std::collections::BTreeMap;

/// A payment as Square knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    pub state: AtSquare,
    /// With the tip, in the smallest unit of the currency.
    pub cents: i64,
    pub cents_without_tip: i64,
    /// It was made in the window, so there must be a row for it.
    pub is_inside: bool,
    /// Nothing has changed since the window's end: whoever must know of it has had the time to.
    pub is_settled: bool,
}

/// What became of a payment at Square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtSquare {
    /// The money was taken. Where any of it was given back, the shop may call it refunded or still paid.
    Completed { has_refunds: bool },
    /// Authorised or not ended: no money was taken yet.
    Open(&'static str),
    /// Cancelled or failed.
    NotTaken(&'static str),
}

/// A row of the shop's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub state: Here,
    pub cents: i64,
    /// It was written in the window, so there must be a payment for it.
    pub is_inside: bool,
}

/// What the shop calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Here {
    Paid,
    Refunded,
    Open,
    NotTaken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Square has taken it, and there is no row.
    MissingHere,
    /// The row says paid, and Square has no such payment.
    MissingThere,
    /// Both have taken it, with different amounts.
    Amount,
    /// One has taken it and the other not, or gave it back.
    Status,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::MissingHere, Kind::MissingThere, Kind::Amount, Kind::Status];
}

/// One payment over which the books differ; a side that does not know it is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    pub kind: Kind,
    pub id: String,
    pub at_square: Option<Payment>,
    pub here: Option<Row>,
}

impl Discrepancy {
    /// The money that only one side holds to be there.
    pub fn cents(&self) -> i64 {
        let taken = |cents: i64| cents.max(0);
        match (self.kind, self.at_square, self.here) {
            (Kind::Amount, Some(payment), Some(row)) => difference(&payment, &row),
            (Kind::Status, Some(payment), Some(row)) => match payment.state {
                AtSquare::Completed { .. } => taken(payment.cents),
                AtSquare::Open(_) | AtSquare::NotTaken(_) => taken(row.cents),
            },
            (_, Some(payment), _) => taken(payment.cents),
            (_, None, Some(row)) => taken(row.cents),
            (_, None, None) => 0,
        }
    }
}

/// What a comparison found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Payments that at least one side has taken and that were judged.
    pub compared: u64,
    /// By kind, the largest first.
    pub discrepancies: Vec<Discrepancy>,
}

impl Comparison {
    pub fn of(&self, kind: Kind) -> impl ExactSizeIterator<Item = &Discrepancy> {
        let from = self.discrepancies.partition_point(|one| one.kind < kind);
        let to = self.discrepancies.partition_point(|one| one.kind <= kind);
        self.discrepancies[from..to].iter()
    }

    /// All money that only one side holds to be there.
    pub fn cents_at_risk(&self) -> i128 {
        self.discrepancies.iter().map(|one| i128::from(one.cents())).sum()
    }
}

/// Compares the books, by id. Payments and rows that are not inside of the window only explain those that are.
pub fn compare(payments: &BTreeMap<String, Payment>, rows: &BTreeMap<String, Row>) -> Comparison {
    let mut found = Comparison::default();
    for (id, payment) in payments {
        let row = rows.get(id);
        let is_judged = payment.is_inside || row.is_some_and(|row| row.is_inside);
        let is_taken = matches!(payment.state, AtSquare::Completed { .. })
            || row.is_some_and(|row| row.state == Here::Paid);
        if is_judged && payment.is_settled && is_taken {
            found.compared += 1;
            found.add(kind(payment, row), id, Some(*payment), row.copied());
        }
    }
    for (id, row) in rows {
        if row.is_inside && row.state == Here::Paid && !payments.contains_key(id) {
            found.compared += 1;
            found.add(Some(Kind::MissingThere), id, None, Some(*row));
        }
    }
    let order = |one: &Discrepancy| (one.kind, std::cmp::Reverse(one.cents()), one.id.clone());
    found.discrepancies.sort_by_cached_key(order);
    found
}

impl Comparison {
    fn add(&mut self, kind: Option<Kind>, id: &str, at_square: Option<Payment>, here: Option<Row>) {
        if let Some(kind) = kind {
            self.discrepancies.push(Discrepancy { kind, id: id.to_owned(), at_square, here });
        }
    }
}

fn kind(payment: &Payment, row: Option<&Row>) -> Option<Kind> {
    use AtSquare::Completed;
    match (payment.state, row) {
        (Completed { .. }, None) => Some(Kind::MissingHere),
        (Completed { .. }, Some(row @ Row { state: Here::Paid, .. }))
        | (Completed { has_refunds: true }, Some(row @ Row { state: Here::Refunded, .. })) => {
            (difference(payment, row) > 0).then_some(Kind::Amount)
        }
        (Completed { .. }, Some(_)) | (_, Some(Row { state: Here::Paid, .. })) => Some(Kind::Status),
        (_, _) => None,
    }
}

/// Shops write down the amount with the tip or without it: either is right.
fn difference(payment: &Payment, row: &Row) -> i64 {
    let to = |cents: i64| i64::try_from(row.cents.abs_diff(cents)).unwrap_or(i64::MAX);
    to(payment.cents).min(to(payment.cents_without_tip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAID: AtSquare = AtSquare::Completed { has_refunds: false };
    const BACK: AtSquare = AtSquare::Completed { has_refunds: true };

    fn payment(state: AtSquare, cents: i64) -> Payment {
        Payment { state, cents, cents_without_tip: cents, is_inside: true, is_settled: true }
    }

    fn row(state: Here, cents: i64) -> Row {
        Row { state, cents, is_inside: true }
    }

    fn compared(payment: Option<Payment>, row: Option<Row>) -> Comparison {
        let one = |id: &str| id.to_owned();
        let payments = payment.map(|payment| (one("a"), payment)).into_iter().collect();
        compare(&payments, &row.map(|row| (one("a"), row)).into_iter().collect())
    }

    /// What a payment beside a row comes to: how many were compared, and what was found with its cents.
    fn check(payment: Option<Payment>, row: Option<Row>, expected: (u64, Option<(Kind, i64)>)) {
        let found = compared(payment, row);
        let first = found.discrepancies.first().map(|one| (one.kind, one.cents()));
        assert_eq!((found.compared, first), expected, "{payment:?} {row:?}");
    }

    #[test]
    fn what_each_state_means_beside_each_other() {
        let (open, failed) = (AtSquare::Open("APPROVED"), AtSquare::NotTaken("FAILED"));
        let status = (1, Some((Kind::Status, 500)));
        for (at_square, here, expected) in [
            (PAID, Here::Paid, (1, None)),
            (PAID, Here::Refunded, status),
            (PAID, Here::Open, status),
            (PAID, Here::NotTaken, status),
            (BACK, Here::Paid, (1, None)),
            (BACK, Here::Refunded, (1, None)),
            (BACK, Here::Open, status),
            (open, Here::Paid, status),
            (open, Here::Open, (0, None)),
            (failed, Here::Paid, status),
            (failed, Here::Refunded, (0, None)),
            (failed, Here::NotTaken, (0, None)),
            (failed, Here::Open, (0, None)),
        ] {
            check(Some(payment(at_square, 500)), Some(row(here, 500)), expected);
        }
        check(Some(payment(PAID, 500)), None, (1, Some((Kind::MissingHere, 500))));
        check(Some(payment(BACK, 500)), None, (1, Some((Kind::MissingHere, 500))));
        check(Some(payment(failed, 500)), None, (0, None));
        check(None, Some(row(Here::Paid, 500)), (1, Some((Kind::MissingThere, 500))));
        check(None, Some(row(Here::Refunded, 500)), (0, None));
        check(None, Some(row(Here::NotTaken, 500)), (0, None));
    }

    #[test]
    fn amounts_may_be_with_the_tip_or_without() {
        let tipped = Payment { cents_without_tip: 1000, ..payment(PAID, 1200) };
        for (cents, expected) in [
            (1200, None),
            (1000, None),
            (1199, Some((Kind::Amount, 1))),
            (900, Some((Kind::Amount, 100))),
            (12, Some((Kind::Amount, 988))),
        ] {
            check(Some(tipped), Some(row(Here::Paid, cents)), (1, expected));
        }
        check(Some(payment(BACK, 500)), Some(row(Here::Refunded, 400)), (1, Some((Kind::Amount, 100))));
    }

    #[test]
    fn what_is_outside_or_still_moving_only_explains() {
        let outside = Payment { is_inside: false, ..payment(PAID, 500) };
        let moving = Payment { is_settled: false, ..payment(PAID, 500) };
        let early = Row { is_inside: false, ..row(Here::Paid, 500) };
        check(Some(outside), None, (0, None));
        check(Some(outside), Some(row(Here::Paid, 500)), (1, None));
        check(Some(outside), Some(row(Here::Paid, 400)), (1, Some((Kind::Amount, 100))));
        check(Some(outside), Some(early), (0, None));
        check(Some(payment(PAID, 500)), Some(early), (1, None));
        check(None, Some(early), (0, None));
        check(Some(moving), None, (0, None));
        check(Some(moving), Some(row(Here::Open, 500)), (0, None));
    }

    /// A payment and its row that agree.
    fn agreeing() -> impl Strategy<Value = (Payment, Option<Row>)> {
        let states = prop::sample::select(vec![
            (PAID, Some(Here::Paid)),
            (BACK, Some(Here::Paid)),
            (BACK, Some(Here::Refunded)),
            (AtSquare::Open("PENDING"), Some(Here::Open)),
            (AtSquare::NotTaken("FAILED"), Some(Here::NotTaken)),
            (AtSquare::NotTaken("CANCELED"), None),
        ]);
        (states, 1..1_000_000_i64, 0..500_i64, any::<bool>()).prop_map(
            |((at_square, here), cents, tip, with)| {
                let payment =
                    Payment { cents: cents + tip, cents_without_tip: cents, ..payment(at_square, 0) };
                (payment, here.map(|here| row(here, if with { cents + tip } else { cents })))
            },
        )
    }

    type Books = (BTreeMap<String, Payment>, BTreeMap<String, Row>);

    fn books() -> impl Strategy<Value = Books> {
        prop::collection::vec(agreeing(), 0..40).prop_map(|pairs| {
            let mut books = Books::default();
            for (number, (payment, row)) in pairs.into_iter().enumerate() {
                books.0.insert(format!("same{number}"), payment);
                row.map(|row| books.1.insert(format!("same{number}"), row));
            }
            books
        })
    }

    /// Something wrong between the books, with what must be found of it.
    fn wrong() -> impl Strategy<Value = (Kind, Option<Payment>, Option<Row>, i64)> {
        (prop::sample::select(Kind::ALL.to_vec()), 100..100_000_i64, 1..100_i64).prop_map(
            |(kind, cents, off)| match kind {
                Kind::MissingHere => (kind, Some(payment(PAID, cents)), None, cents),
                Kind::MissingThere => (kind, None, Some(row(Here::Paid, cents)), cents),
                Kind::Amount => (kind, Some(payment(PAID, cents)), Some(row(Here::Paid, cents - off)), off),
                Kind::Status => (kind, Some(payment(PAID, cents)), Some(row(Here::Open, cents)), cents),
            },
        )
    }

    proptest! {
        #[test]
        fn books_that_agree_are_found_to_agree((payments, rows) in books()) {
            let found = compare(&payments, &rows);
            prop_assert_eq!(&found.discrepancies, &[]);
            let taken = payments.values().filter(|one| matches!(one.state, AtSquare::Completed { .. }));
            prop_assert_eq!(found.compared, taken.count() as u64);
        }

        #[test]
        fn what_is_planted_is_found_and_nothing_else(
            (mut payments, mut rows) in books(),
            planted in prop::collection::vec(wrong(), 0..12),
        ) {
            let mut expected: Vec<(Kind, String)> = Vec::new();
            let mut cents = 0_i128;
            for (number, (kind, payment, row, at_risk)) in planted.into_iter().enumerate() {
                // Names that sort before, among and after those that agree.
                let id = format!("{}{number}", ["a", "same1x", "z"][number % 3]);
                payment.map(|payment| payments.insert(id.clone(), payment));
                row.map(|row| rows.insert(id.clone(), row));
                expected.push((kind, id));
                cents += i128::from(at_risk);
            }
            let found = compare(&payments, &rows);
            let mut told: Vec<_> =
                found.discrepancies.iter().map(|one| (one.kind, one.id.clone())).collect();
            prop_assert!(told.is_sorted_by_key(|(kind, _)| *kind));
            told.sort();
            expected.sort();
            prop_assert_eq!(told, expected);
            prop_assert_eq!(found.cents_at_risk(), cents);
            let by_kind: usize = Kind::ALL.iter().map(|kind| found.of(*kind).len()).sum();
            prop_assert_eq!(by_kind, found.discrepancies.len());
        }
    }
}
