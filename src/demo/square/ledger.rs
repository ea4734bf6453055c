//! What simulated Square keeps: payments, refunds and the answers to idempotency keys, all in memory and bounded.

use super::answer::Reply;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Some weeks of a small shop. Beyond it the oldest are forgotten.
const PAYMENTS_MAX: usize = 20_000;
const REFUNDS_MAX: usize = 5_000;
const KEYS_MAX: usize = 5_000;

/// How a payment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Captured: COMPLETED.
    Paid,
    /// Authorised, to be captured or cancelled: APPROVED.
    Authorized,
    /// Not ended: PENDING.
    Pending,
    /// Voided by the shop: CANCELED.
    Cancelled,
    /// FAILED for a reason of the customer's, by its code: `GENERIC_DECLINE`.
    Declined(&'static str),
    /// FAILED for a reason of the shop's or of Square's, by its code: `PAYMENT_LIMIT_EXCEEDED`.
    Failed(&'static str),
}

impl Ending {
    pub const fn status(self) -> &'static str {
        match self {
            Ending::Paid => "COMPLETED",
            Ending::Authorized => "APPROVED",
            Ending::Pending => "PENDING",
            Ending::Cancelled => "CANCELED",
            Ending::Declined(_) | Ending::Failed(_) => "FAILED",
        }
    }

    /// Category and code, for a payment that failed.
    pub fn error(self) -> Option<(&'static str, &'static str)> {
        match self {
            Ending::Declined(code) => Some(("PAYMENT_METHOD_ERROR", code)),
            Ending::Failed(code @ ("INTERNAL_SERVER_ERROR" | "SERVICE_UNAVAILABLE" | "GATEWAY_TIMEOUT")) => {
                Some(("API_ERROR", code))
            }
            Ending::Failed("TEMPORARY_ERROR") => Some(("PAYMENT_METHOD_ERROR", "TEMPORARY_ERROR")),
            Ending::Failed(code) => Some(("INVALID_REQUEST_ERROR", code)),
            _ => None,
        }
    }
}

/// When it was made, and a number for payments of the same moment: the order of every list.
pub type Place = (Timestamp, u64);

#[derive(Debug, Clone)]
pub struct Payment {
    pub id: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Minor units.
    pub amount: i64,
    pub currency: String,
    pub ending: Ending,
    pub location: String,
    pub order_id: String,
    pub reference_id: Option<String>,
    pub note: Option<String>,
    pub email: Option<String>,
    /// What was given back, in minor units.
    pub refunded: i64,
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Refund {
    pub id: String,
    pub payment_id: String,
    pub order_id: String,
    pub location: String,
    pub amount: i64,
    pub currency: String,
    pub reason: Option<String>,
    pub created_at: Timestamp,
}

/// What came of asking with an idempotency key.
pub enum Replay {
    New,
    /// Asked before with the same body: the same answer again.
    Same(Reply),
    /// Asked before with another body.
    Reused,
}

#[derive(Debug, Default)]
pub struct Ledger {
    payments: BTreeMap<Place, Payment>,
    places: HashMap<String, Place>,
    refunds: VecDeque<Refund>,
    keys: HashMap<String, (Value, Reply)>,
    keys_in_order: VecDeque<String>,
    counter: u64,
}

impl Ledger {
    /// A number that was not given before.
    pub fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub fn add(&mut self, payment: Payment) {
        if self.payments.len() >= PAYMENTS_MAX
            && let Some((_, oldest)) = self.payments.pop_first()
        {
            self.places.remove(&oldest.id);
        }
        let place = (payment.created_at, self.next());
        self.places.insert(payment.id.clone(), place);
        self.payments.insert(place, payment);
    }

    pub fn get(&self, id: &str) -> Option<&Payment> {
        self.payments.get(self.places.get(id)?)
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut Payment> {
        self.payments.get_mut(self.places.get(id)?)
    }

    pub fn remove(&mut self, id: &str) {
        if let Some(place) = self.places.remove(id) {
            self.payments.remove(&place);
        }
    }

    pub fn of_key(&mut self, key: &str) -> Option<&mut Payment> {
        self.payments.values_mut().rev().find(|payment| payment.idempotency_key.as_deref() == Some(key))
    }

    /// Oldest first.
    pub fn payments(&self) -> impl DoubleEndedIterator<Item = (Place, &Payment)> {
        self.payments.iter().map(|(place, payment)| (*place, payment))
    }

    pub fn add_refund(&mut self, refund: Refund) {
        if self.refunds.len() >= REFUNDS_MAX {
            self.refunds.pop_front();
        }
        self.refunds.push_back(refund);
    }

    /// Newest first, as Square lists them.
    pub fn refunds(&self) -> impl Iterator<Item = &Refund> {
        self.refunds.iter().rev()
    }

    pub fn replay(&self, key: &str, body: &Value) -> Replay {
        match self.keys.get(key) {
            None => Replay::New,
            Some((before, reply)) if before == body => Replay::Same(reply.clone()),
            Some(_) => Replay::Reused,
        }
    }

    pub fn remember(&mut self, key: &str, body: Value, reply: Reply) {
        if self.keys_in_order.len() >= KEYS_MAX
            && let Some(oldest) = self.keys_in_order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.keys_in_order.push_back(key.to_owned());
        self.keys.insert(key.to_owned(), (body, reply));
    }
}

impl Payment {
    /// As Square shows it, with the card and the customer's data that a watcher must not show on.
    pub fn to_json(&self) -> Value {
        let money = json!({ "amount": self.amount, "currency": self.currency });
        let mut shown = json!({
            "id": self.id,
            "created_at": shown_time(self.created_at),
            "updated_at": shown_time(self.updated_at),
            "amount_money": money,
            "total_money": money,
            "status": self.ending.status(),
            "source_type": "CARD",
            "location_id": self.location,
            "order_id": self.order_id,
            "delay_action": "CANCEL",
            "delay_duration": "PT168H",
            "delayed_until": shown_time(self.created_at.checked_add(168.hours()).unwrap_or(Timestamp::MAX)),
            "card_details": self.card_details(),
            "application_details": { "square_product": "ECOMMERCE_API", "application_id": "sq0idp-simulated" },
            "version_token": format!("v{}", self.updated_at.as_microsecond()),
        });
        if matches!(self.ending, Ending::Paid | Ending::Authorized) {
            shown["approved_money"] = json!({ "amount": self.amount, "currency": self.currency });
        }
        if self.refunded > 0 {
            shown["refunded_money"] = json!({ "amount": self.refunded, "currency": self.currency });
        }
        let optional = [
            ("reference_id", &self.reference_id),
            ("note", &self.note),
            ("buyer_email_address", &self.email),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                shown[name] = json!(value);
            }
        }
        shown
    }

    fn card_details(&self) -> Value {
        let (status, cvv, avs) = match self.ending {
            Ending::Paid => ("CAPTURED", "CVV_ACCEPTED", "AVS_ACCEPTED"),
            Ending::Authorized | Ending::Pending => ("AUTHORIZED", "CVV_ACCEPTED", "AVS_ACCEPTED"),
            Ending::Cancelled => ("VOIDED", "CVV_ACCEPTED", "AVS_ACCEPTED"),
            Ending::Declined("CVV_FAILURE") => ("FAILED", "CVV_REJECTED", "AVS_NOT_CHECKED"),
            Ending::Declined("ADDRESS_VERIFICATION_FAILURE") => ("FAILED", "CVV_ACCEPTED", "AVS_REJECTED"),
            Ending::Declined(_) | Ending::Failed(_) => ("FAILED", "CVV_NOT_CHECKED", "AVS_NOT_CHECKED"),
        };
        let mut details = json!({
            "status": status,
            "entry_method": "KEYED",
            "cvv_status": cvv,
            "avs_status": avs,
            "card": {
                "card_brand": "VISA", "last_4": "1111", "exp_month": 11, "exp_year": 2030,
                "card_type": "DEBIT", "prepaid_type": "NOT_PREPAID", "bin": "411111",
            },
        });
        if let Some((category, code)) = self.ending.error() {
            let detail = format!("Authorization error: '{code}'");
            details["errors"] = json!([{ "category": category, "code": code, "detail": detail }]);
        }
        details
    }
}

impl Refund {
    /// PENDING at first, COMPLETED some seconds later.
    pub fn to_json(&self, now: Timestamp) -> Value {
        let is_done = now.duration_since(self.created_at).as_secs() >= 5;
        json!({
            "id": self.id,
            "status": if is_done { "COMPLETED" } else { "PENDING" },
            "amount_money": { "amount": self.amount, "currency": self.currency },
            "payment_id": self.payment_id,
            "order_id": self.order_id,
            "location_id": self.location,
            "reason": self.reason,
            "created_at": shown_time(self.created_at),
            "updated_at": shown_time(self.created_at),
        })
    }
}

/// With milliseconds, as Square writes the times of payments.
pub fn shown_time(time: Timestamp) -> String {
    format!("{time:.3}")
}
