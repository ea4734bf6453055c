//! The payments of a window: gathered over pages and locations, each counted once.

use super::answer::{Money, Payment};
use super::reason::{self, Whose};
use super::time;
use crate::outcome::{Class, Fault, Outcome};
use crate::probe::api::word;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Currencies that get a series of their own. A shop has one or two.
const CURRENCIES_MAX: usize = 8;
/// Statuses of Square's that we don't know and name.
const UNRECOGNIZED_MAX: usize = 4;

/// What became of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// APPROVED or COMPLETED: the customer has paid, even if the shop captures later.
    Succeeded { amount: i64, currency: String },
    /// FAILED for the customer's reasons.
    Declined(&'static str),
    /// FAILED for ours, or for a reason that nobody named.
    Failed(&'static str),
    /// PENDING: not ended yet.
    Pending,
    /// CANCELED: voided by the shop, or never captured. Neither good nor bad.
    Cancelled,
    /// A status that this version does not know.
    Unrecognized(String),
}

/// Payments seen so far, each once: pages overlap when payments arrive meanwhile.
#[derive(Debug, Default)]
pub struct Payments {
    fates: HashMap<String, Fate>,
    newest: Option<Timestamp>,
    unreadable: u64,
}

/// Half open, so that windows laid side by side count no payment twice: `from <= created_at < to`.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Payments {
    /// Takes one payment in. The last that is heard of a payment counts.
    pub fn add(&mut self, payment: &Payment, window: Window) {
        let created = payment.created_at.as_deref().and_then(time::parse);
        let (Some(id), Some(status), Some(created)) = (&payment.id, &payment.status, created) else {
            self.unreadable += 1;
            return;
        };
        if created < window.from || created >= window.to {
            return;
        }
        self.newest = self.newest.max(Some(created));
        self.fates.insert(id.clone(), fate(payment, status));
    }

    /// How many there are in the window.
    pub fn number(&self) -> usize {
        self.fates.len()
    }

    /// When the newest payment of the window was made.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// The counts, as measures. `complete` is whether the whole window was seen.
    pub fn tell(&self, complete: bool, outcome: &mut Outcome) {
        let count =
            |wanted: fn(&Fate) -> bool| self.fates.values().filter(|fate| wanted(fate)).count() as f64;
        let succeeded = count(|fate| matches!(fate, Fate::Succeeded { .. }));
        let declined = count(|fate| matches!(fate, Fate::Declined(_)));
        let failed = count(|fate| matches!(fate, Fate::Failed(_)));
        outcome.measure("payments_attempted", succeeded + declined + failed);
        outcome.measure("payments_succeeded", succeeded);
        outcome.measure("payments_declined", declined);
        outcome.measure("payments_failed", failed);
        outcome.measure("payments_pending", count(|fate| *fate == Fate::Pending));
        outcome.measure("payments_cancelled", count(|fate| *fate == Fate::Cancelled));
        outcome.measure("payments_complete", f64::from(u8::from(complete)));
        for (code, count) in self.codes() {
            outcome.measure_with("payment_errors", count as f64, vec![("code".to_owned(), code.to_owned())]);
        }
        for (currency, amount) in self.value() {
            let labels = vec![("currency".to_owned(), currency)];
            outcome.measure_with("payments_value_minor_units", amount as f64, labels);
        }
        self.tell_what_is_odd(outcome);
    }

    fn tell_what_is_odd(&self, outcome: &mut Outcome) {
        let unrecognized: Vec<_> = self
            .fates
            .values()
            .filter_map(|fate| match fate {
                Fate::Unrecognized(status) => Some(status.as_str()),
                _ => None,
            })
            .collect();
        outcome.measure("payments_unrecognized", unrecognized.len() as f64);
        if !unrecognized.is_empty() {
            let statuses: BTreeSet<_> = unrecognized.iter().copied().collect();
            let named = statuses.into_iter().take(UNRECOGNIZED_MAX).collect::<Vec<_>>().join(", ");
            let count = unrecognized.len();
            outcome.note(format!(
                "{count} payments have a status that is not known ({named}) and are not counted as attempted"
            ));
        }
        if self.unreadable > 0 {
            let text = format!(
                "{} payments came without a readable `id`, `status` or `created_at` and are not counted; check `version`",
                self.unreadable
            );
            outcome.fault(Fault::degraded(Class::Protocol, text));
        }
    }

    fn codes(&self) -> BTreeMap<&'static str, u64> {
        let mut codes = BTreeMap::new();
        for fate in self.fates.values() {
            if let Fate::Declined(code) | Fate::Failed(code) = fate {
                *codes.entry(*code).or_default() += 1;
            }
        }
        codes
    }

    /// By currency. More than a few currencies are no shop's, and share the name `OTHER`.
    fn value(&self) -> BTreeMap<String, i128> {
        let mut value = BTreeMap::<String, i128>::new();
        for fate in self.fates.values() {
            if let Fate::Succeeded { amount, currency } = fate {
                *value.entry(currency.clone()).or_default() += i128::from(*amount);
            }
        }
        if value.len() > CURRENCIES_MAX {
            let (last, _) = value
                .iter()
                .nth(CURRENCIES_MAX - 1)
                .map(|(name, sum)| (name.clone(), *sum))
                .unwrap_or_default();
            let rest: i128 = value.split_off(&last).into_values().sum();
            *value.entry(reason::OTHER.to_owned()).or_default() += rest;
        }
        value
    }
}

fn fate(payment: &Payment, status: &str) -> Fate {
    match status {
        "APPROVED" | "COMPLETED" => {
            let Money { amount, currency } = payment.money().cloned().unwrap_or_default();
            Fate::Succeeded { amount: amount.unwrap_or_default(), currency: iso_code(currency) }
        }
        "FAILED" => match reason::of(payment.errors()) {
            (Whose::Customer, code) => Fate::Declined(code),
            (Whose::Ours, code) => Fate::Failed(code),
        },
        "PENDING" => Fate::Pending,
        "CANCELED" => Fate::Cancelled,
        other => Fate::Unrecognized(word(Some(other)).to_owned()),
    }
}

fn iso_code(currency: Option<String>) -> String {
    let is_code = |text: &String| text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    currency.filter(is_code).unwrap_or_else(|| reason::OTHER.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window =
        Window { from: Timestamp::constant(1_700_000_000, 0), to: Timestamp::constant(1_700_003_600, 0) };

    fn payment(id: &str, at: i64, rest: &str) -> Payment {
        let created = Timestamp::from_second(at).unwrap();
        serde_json::from_str(&format!(r#"{{"id":"{id}","created_at":"{created}",{rest}}}"#)).unwrap()
    }

    fn told(payments: &[Payment]) -> (Outcome, BTreeMap<String, f64>) {
        let mut gathered = Payments::default();
        for payment in payments {
            gathered.add(payment, WINDOW);
        }
        let mut outcome = Outcome::ok();
        gathered.tell(true, &mut outcome);
        let named = outcome.measures.iter().filter(|measure| measure.value != 0.0).map(|measure| {
            let labels = measure.labels.iter().map(|(_, value)| value.as_str());
            let words: Vec<_> = std::iter::once(measure.name.as_ref()).chain(labels).collect();
            (words.join(" "), measure.value)
        });
        let named = named.collect();
        (outcome, named)
    }

    fn check(payments: &[Payment], expected: &[(&str, f64)]) {
        let (_, found) = told(payments);
        let complete = std::iter::once(("payments_complete", 1.0));
        let expected: BTreeMap<_, _> =
            complete.chain(expected.iter().copied()).map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn each_status_has_its_count() {
        let at = 1_700_000_100;
        let paid = r#""status":"COMPLETED","amount_money":{"amount":500,"currency":"USD"},"total_money":{"amount":555,"currency":"USD"}"#;
        let declined = r#""status":"FAILED","card_details":{"errors":[{"category":"PAYMENT_METHOD_ERROR","code":"CVV_FAILURE"}]}"#;
        let ours = r#""status":"FAILED","bank_account_details":{"errors":[{"category":"API_ERROR","code":"MADE_UP"}]}"#;
        check(
            &[
                payment("a", at, paid),
                payment("b", at, r#""status":"APPROVED","amount_money":{"amount":45,"currency":"usd"}"#),
                payment("c", at, declined),
                payment("d", at, ours),
                payment("e", at, r#""status":"PENDING""#),
                payment("f", at, r#""status":"CANCELED""#),
            ],
            &[
                ("payments_attempted", 4.0),
                ("payments_succeeded", 2.0),
                ("payments_declined", 1.0),
                ("payments_failed", 1.0),
                ("payments_pending", 1.0),
                ("payments_cancelled", 1.0),
                ("payment_errors CVV_FAILURE", 1.0),
                ("payment_errors OTHER", 1.0),
                ("payments_value_minor_units USD", 555.0),
                ("payments_value_minor_units OTHER", 45.0),
            ],
        );
    }

    #[test]
    fn the_window_is_half_open_and_a_payment_counts_once_as_last_heard() {
        let (failed, pending) = (r#""status":"FAILED""#, r#""status":"PENDING""#);
        check(
            &[
                payment("before", 1_699_999_999, failed),
                payment("first", 1_700_000_000, pending),
                payment("first", 1_700_000_000, failed),
                payment("last", 1_700_003_599, failed),
                payment("after", 1_700_003_600, failed),
            ],
            &[("payments_attempted", 2.0), ("payments_failed", 2.0), ("payment_errors NONE", 2.0)],
        );
    }

    #[test]
    fn what_is_odd_is_told_and_not_counted() {
        let unreadable: Payment = serde_json::from_str(r#"{"id":"x","status":"COMPLETED"}"#).unwrap();
        let (outcome, found) = told(&[payment("a", 1_700_000_000, r#""status":"HELD""#), unreadable]);
        assert_eq!(found.get("payments_attempted"), None);
        assert_eq!(
            outcome.notes,
            ["1 payments have a status that is not known (HELD) and are not counted as attempted"]
        );
        assert_eq!(
            outcome.reason().map(|fault| (fault.class, fault.text.as_str())),
            Some((
                Class::Protocol,
                "1 payments came without a readable `id`, `status` or `created_at` and are not counted; check `version`"
            ))
        );
    }

    #[test]
    fn currencies_are_bounded() {
        let payments: Vec<_> = (b'A'..=b'Z')
            .map(|letter| {
                let currency = format!("XX{}", char::from(letter));
                let rest =
                    format!(r#""status":"COMPLETED","total_money":{{"amount":1,"currency":"{currency}"}}"#);
                payment(&currency, 1_700_000_000, &rest)
            })
            .collect();
        let (_, found) = told(&payments);
        let of_currencies = |name: &&String| name.starts_with("payments_value");
        assert_eq!(found.keys().filter(of_currencies).count(), CURRENCIES_MAX);
        assert_eq!(found.get("payments_value_minor_units OTHER"), Some(&19.0));
    }
}
