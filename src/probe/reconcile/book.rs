//! Square's book: the payments that it told of, as they can be compared. Pure.

use super::compare::{AtSquare, Payment};
use crate::outcome::{Class, Fault, Outcome};
use crate::probe::square::Window;
use crate::probe::square::answer;
use crate::probe::square::time;
use std::collections::BTreeMap;

/// Payments by their ids, each as it was last heard of.
#[derive(Debug)]
pub struct Book {
    pub payments: BTreeMap<String, Payment>,
    window: Window,
    currency: String,
    /// What can't be compared, and must not be called missing either.
    aside: BTreeMap<String, Aside>,
    nameless: u64,
}

/// Why a payment can't be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aside {
    Unreadable,
    Unrecognized,
    Foreign,
}

impl Book {
    pub const fn new(window: Window, currency: String) -> Book {
        Book { payments: BTreeMap::new(), window, currency, aside: BTreeMap::new(), nameless: 0 }
    }

    /// Takes a payment in. The last that is heard of a payment counts.
    pub fn add(&mut self, payment: &answer::Payment) {
        let Some(id) = payment.id.clone().filter(|id| !id.is_empty()) else {
            self.nameless += 1;
            return;
        };
        self.payments.remove(&id);
        self.aside.remove(&id);
        match self.read(payment) {
            Ok(payment) => drop(self.payments.insert(id, payment)),
            Err(why) => drop(self.aside.insert(id, why)),
        }
    }

    /// Whether Square told of it and it can't be compared.
    pub fn is_aside(&self, id: &str) -> bool {
        self.aside.contains_key(id)
    }

    fn read(&self, payment: &answer::Payment) -> Result<Payment, Aside> {
        let moment = |text: &Option<String>| text.as_deref().and_then(time::parse);
        let (status, created) = (payment.status.as_deref(), moment(&payment.created_at));
        let (Some(status), Some(created), Some(money)) = (status, created, payment.money()) else {
            return Err(Aside::Unreadable);
        };
        let cents = money.amount.ok_or(Aside::Unreadable)?;
        let state = match status {
            "COMPLETED" => AtSquare::Completed { has_refunds: payment.has_refunds() },
            "APPROVED" => AtSquare::Open("APPROVED"),
            "PENDING" => AtSquare::Open("PENDING"),
            "CANCELED" => AtSquare::NotTaken("CANCELED"),
            "FAILED" => AtSquare::NotTaken("FAILED"),
            _ => return Err(Aside::Unrecognized),
        };
        if money.currency.as_deref() != Some(self.currency.as_str()) {
            return Err(Aside::Foreign);
        }
        let changed = moment(&payment.updated_at).unwrap_or(created).max(created);
        Ok(Payment {
            state,
            cents,
            cents_without_tip: payment.amount_money.as_ref().and_then(|money| money.amount).unwrap_or(cents),
            is_inside: created >= self.window.from && created < self.window.to,
            is_settled: changed < self.window.to,
        })
    }

    /// What was not compared, and why.
    pub fn tell(&self, outcome: &mut Outcome) {
        let count = |wanted: Aside| self.aside.values().filter(|why| **why == wanted).count() as u64;
        let unreadable = count(Aside::Unreadable) + self.nameless;
        let told = [
            (
                unreadable,
                "without a readable `id`, `status`, `created_at` or amount; check `version`".to_owned(),
            ),
            (count(Aside::Unrecognized), "with a status that is not known".to_owned()),
            (count(Aside::Foreign), format!("in another currency than {}", self.currency)),
        ];
        for (count, what) in told.into_iter().filter(|(count, _)| *count > 0) {
            let text = format!("Square told of {count} payments {what}: they were not compared");
            outcome.fault(Fault::unknown(Class::Protocol, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn book() -> Book {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let window = Window { from: at("2026-03-01T00:00:00Z"), to: at("2026-03-02T00:00:00Z") };
        Book::new(window, "USD".to_owned())
    }

    fn payment(json: &str) -> answer::Payment {
        serde_json::from_str(json).expect("a payment")
    }

    fn check(rest: &str, expected: Result<(AtSquare, i64, i64), Aside>) {
        let json = format!(r#"{{"id":"a","created_at":"2026-03-01T12:00:00Z",{rest}}}"#);
        let found = book().read(&payment(&json)).map(|one| (one.state, one.cents, one.cents_without_tip));
        assert_eq!(found, expected, "{rest}");
    }

    #[test]
    fn what_square_says_is_read() {
        let money = r#""amount_money":{"amount":500,"currency":"USD"}"#;
        let completed = |has_refunds| AtSquare::Completed { has_refunds };
        check(&format!(r#""status":"COMPLETED",{money}"#), Ok((completed(false), 500, 500)));
        check(
            &format!(r#""status":"COMPLETED",{money},"total_money":{{"amount":555,"currency":"USD"}}"#),
            Ok((completed(false), 555, 500)),
        );
        for refund in [r#""refunded_money":{"amount":1,"currency":"USD"}"#, r#""refund_ids":["r"]"#] {
            check(&format!(r#""status":"COMPLETED",{money},{refund}"#), Ok((completed(true), 500, 500)));
        }
        let none = r#""refunded_money":{"amount":0,"currency":"USD"},"refund_ids":[]"#;
        check(&format!(r#""status":"COMPLETED",{money},{none}"#), Ok((completed(false), 500, 500)));
        check(&format!(r#""status":"APPROVED",{money}"#), Ok((AtSquare::Open("APPROVED"), 500, 500)));
        check(&format!(r#""status":"CANCELED",{money}"#), Ok((AtSquare::NotTaken("CANCELED"), 500, 500)));
        check(&format!(r#""status":"HELD",{money}"#), Err(Aside::Unrecognized));
        check(r#""status":"COMPLETED""#, Err(Aside::Unreadable));
        check(r#""status":"COMPLETED","amount_money":{"amount":5,"currency":"EUR"}"#, Err(Aside::Foreign));
    }

    #[test]
    fn the_window_is_half_open_and_what_changed_after_it_is_not_settled() {
        for (created, updated, expected) in [
            ("2026-02-28T23:59:59.999Z", None, (false, true)),
            ("2026-03-01T00:00:00Z", None, (true, true)),
            ("2026-03-01T23:59:59.999Z", None, (true, true)),
            ("2026-03-02T00:00:00Z", None, (false, false)),
            ("2026-03-01T12:00:00Z", Some("2026-03-01T23:59:59Z"), (true, true)),
            ("2026-03-01T12:00:00Z", Some("2026-03-02T00:00:00Z"), (true, false)),
        ] {
            let updated = updated.map_or_else(String::new, |at| format!(r#","updated_at":"{at}""#));
            let json = format!(
                r#"{{"id":"a","created_at":"{created}"{updated},"status":"COMPLETED","amount_money":{{"amount":5,"currency":"USD"}}}}"#
            );
            let one = book().read(&payment(&json)).expect("readable");
            assert_eq!((one.is_inside, one.is_settled), expected, "{created}{updated}");
        }
    }

    #[test]
    fn what_is_odd_is_told_and_not_called_missing() {
        let mut book = book();
        for json in [r#"{"id":"a"}"#, "{}", r#"{"id":""}"#] {
            book.add(&payment(json));
        }
        assert!(book.is_aside("a") && !book.is_aside("b") && book.payments.is_empty());
        let mut outcome = Outcome::ok();
        book.tell(&mut outcome);
        assert_eq!(
            outcome.faults[0].text,
            "Square told of 3 payments without a readable `id`, `status`, `created_at` or amount; check `version`: they were not compared"
        );
    }
}
