//! Refunds of payments that were captured.

use super::answer::{Reply, error, invalid, not_found};
use super::ledger::{Ending, Refund};
use super::payments::{json_body, limit, money, replayed, required};
use super::{Square, State};
use axum::body::Bytes;
use axum::extract::{self, Path, Query};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub async fn create(
    extract::State(square): extract::State<Arc<Square>>,
    body: Bytes,
) -> Result<Reply, Reply> {
    let body = json_body(&body)?;
    let now = (square.now)();
    replayed(&mut square.state(), body, |state, body, _key| make(state, body, now))
}

/// Newest first, of all locations unless one is named: unlike payments.
pub async fn list(
    extract::State(square): extract::State<Arc<Square>>,
    Query(params): Query<BTreeMap<String, String>>,
) -> Result<Reply, Reply> {
    let limit = limit(params.get("limit").map(String::as_str))?;
    let now = (square.now)();
    let state = square.state();
    let is_wanted = |refund: &&Refund| params.get("location_id").is_none_or(|id| *id == refund.location);
    let refunds: Vec<_> =
        state.ledger.refunds().filter(is_wanted).take(limit).map(|refund| refund.to_json(now)).collect();
    Ok(Reply::ok(if refunds.is_empty() { json!({}) } else { json!({ "refunds": refunds }) }))
}

pub async fn one(extract::State(square): extract::State<Arc<Square>>, Path(id): Path<String>) -> Reply {
    let now = (square.now)();
    match square.state().ledger.refunds().find(|refund| refund.id == id) {
        Some(refund) => Reply::ok(json!({ "refund": refund.to_json(now) })),
        None => not_found("Could not find refund with the given id."),
    }
}

fn make(state: &mut State, body: &Value, now: Timestamp) -> Result<Reply, Reply> {
    let id = required(body, "payment_id")?;
    let (amount, currency) = money(body)?;
    let number = state.ledger.next();
    let payment = state.ledger.get_mut(id);
    let payment = payment.ok_or_else(|| not_found("Could not find payment with the given id."))?;
    if payment.ending != Ending::Paid {
        let detail = format!("Payment is in the state {}.", payment.ending.status());
        return Err(error(StatusCode::BAD_REQUEST, "REFUND_ERROR", "PAYMENT_NOT_REFUNDABLE", &detail));
    }
    if payment.refunded.saturating_add(amount) > payment.amount {
        let detail = "The requested refund amount exceeds the amount available to refund.";
        return Err(invalid("REFUND_AMOUNT_INVALID", "amount_money.amount", detail));
    }
    payment.refunded += amount;
    payment.updated_at = now;
    let refund = Refund {
        id: format!("{id}_{number:044}"),
        payment_id: id.to_owned(),
        order_id: payment.order_id.clone(),
        location: payment.location.clone(),
        amount,
        currency: currency.to_owned(),
        reason: body["reason"].as_str().map(str::to_owned),
        created_at: now,
    };
    let shown = refund.to_json(now);
    state.ledger.add_refund(refund);
    Ok(Reply::ok(json!({ "refund": shown })))
}
