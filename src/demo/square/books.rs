//! Square's book beside the shop's own: payments that both know, and how the two can come to differ.
//!
//! What differs is made here, and in none of the shop's tables: what only one side knows can't be seen on the other.

use super::Square;
use super::ledger::{Ending, Payment};
use jiff::Timestamp;

/// A payment at the main location that the shop has made.
#[derive(Debug, Clone, Copy)]
pub struct Booked<'a> {
    pub id: &'a str,
    pub order_id: &'a str,
    pub at: Timestamp,
    /// Minor units.
    pub amount: i64,
    pub ending: Ending,
    /// What was given back of it, in minor units.
    pub refunded: i64,
}

/// One way in which the two books differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Discrepancy {
    /// Square has a payment that the shop has no row for.
    UnknownPayment,
    /// A payment has another amount at Square than in the shop's row.
    OtherAmount,
}

impl Discrepancy {
    pub const ALL: [Discrepancy; 2] = [Discrepancy::UnknownPayment, Discrepancy::OtherAmount];

    /// The word on the command line and in the path of the demo's control.
    pub const fn name(self) -> &'static str {
        match self {
            Discrepancy::UnknownPayment => "unknown-payment",
            Discrepancy::OtherAmount => "other-amount",
        }
    }

    /// What it is, for people.
    pub const fn title(self) -> &'static str {
        match self {
            Discrepancy::UnknownPayment => "Square has a payment that the shop has not",
            Discrepancy::OtherAmount => "A payment has another amount at Square",
        }
    }
}

impl Square {
    /// Keeps a payment that the shop knows under this id too. No fault strikes it: it has ended as the shop says.
    pub fn book(&self, booked: &Booked<'_>) {
        let mut state = self.state();
        let number = state.ledger.next();
        state.ledger.add(Payment {
            id: booked.id.to_owned(),
            order_id: booked.order_id.to_owned(),
            email: Some(format!("customer{number}@example.com")),
            refunded: booked.refunded,
            ..Payment::new(number, booked.at, booked.amount, booked.ending, Square::MAIN_LOCATION)
        });
    }

    /// As if there had never been a payment of this id.
    pub fn forget(&self, id: &str) {
        self.state().ledger.remove(id);
    }

    /// The id of the newest payment before a time that was captured.
    pub fn newest_paid(&self, before: Timestamp) -> Option<String> {
        let state = self.state();
        let paid = |payment: &&Payment| payment.ending == Ending::Paid && payment.created_at < before;
        state.ledger.payments().map(|(_, payment)| payment).rev().find(paid).map(|payment| payment.id.clone())
    }

    /// Changes an amount by so many minor units, as no shop could.
    pub fn misstate(&self, id: &str, by: i64) {
        if let Some(payment) = self.state().ledger.get_mut(id) {
            payment.amount += by;
        }
    }
}
