//! Letters as Square and Resend write them, with all that is in a real one: what a customer is called, too.

use super::Saying;
use crate::demo::order::Payment;
use serde_json::json;

/// A payment at its end.
pub fn payment(payment: &Payment) -> Saying {
    let money = json!({ "amount": payment.amount.0, "currency": "USD" });
    let (status, card) = match payment.declined {
        None => ("COMPLETED", json!({ "status": "CAPTURED" })),
        Some(code) => (
            "FAILED",
            json!({ "status": "FAILED", "errors": [{ "category": "PAYMENT_METHOD_ERROR", "code": code }] }),
        ),
    };
    let mut details = card;
    details["card"] = json!({ "card_brand": "VISA", "last_4": "1111", "exp_month": 11, "exp_year": 2030 });
    let at = payment.at.to_string();
    let body = json!({
        "merchant_id": "DEMO", "type": "payment.updated", "event_id": payment.event, "created_at": at,
        "data": { "type": "payment", "id": payment.id, "object": { "payment": {
            "id": payment.id, "order_id": payment.order_id, "status": status, "source_type": "CARD",
            "amount_money": money, "total_money": money, "card_details": details,
            "buyer_email_address": "ann@customer.example", "created_at": at, "updated_at": at,
        } } },
    });
    Saying::Square(body.to_string())
}

/// The email that confirms a paid order arrived.
pub fn delivered(payment: &Payment) -> Saying {
    let at = payment.at.to_string();
    let body = json!({
        "type": "email.delivered", "created_at": at,
        "data": {
            "email_id": payment.event, "created_at": at, "from": "Shop <orders@shop.example>",
            "to": ["ann@customer.example"], "subject": "Your order",
        },
    });
    Saying::Resend(format!("msg_{}", payment.id), body.to_string())
}
