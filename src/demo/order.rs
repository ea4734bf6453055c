//! One customer's order, from the checkout to the door, with all that it leaves in the shop's tables.

use super::catalog::{self, Product};
use super::fault::ShopFault;
use super::row::Row;
use super::sql::{Cell, Cents};
use super::trade::Trade;
use jiff::{SignedDuration, Timestamp};

/// A payment as Square knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub id: String,
    pub order_id: String,
    /// Of the letter that tells of it, which the shop logs.
    pub event: String,
    pub at: Timestamp,
    pub amount: Cents,
    /// Square's code where the card was declined: `GENERIC_DECLINE`, `INSUFFICIENT_FUNDS`, …
    pub declined: Option<&'static str>,
    /// All of it was given back.
    pub refunded: bool,
}

const DECLINES: [&str; 4] = ["GENERIC_DECLINE", "INSUFFICIENT_FUNDS", "CVV_FAILURE", "CARD_EXPIRED"];

/// How an order ends.
enum Fate {
    Delivered,
    /// The first card was declined, the second was good.
    DeliveredAtSecondTry,
    Declined,
    /// The customer left the payment page; the shop cancels when its address expires.
    Abandoned,
    /// Cancelled by the customer and paid back.
    Refunded,
    /// At the counter.
    Cash,
}

/// An order while it is planned.
pub(super) struct Order {
    id: String,
    square_id: String,
    at: Timestamp,
    total: Cents,
}

impl Order {
    /// Draws an order and plans its rows.
    pub(super) fn plan(trade: &mut Trade, at: Timestamp) {
        let basket = basket(trade);
        let total = Cents(basket.iter().map(|(product, quantity)| product.price.0 * quantity).sum());
        let order = Order { id: trade.id(), square_id: trade.square_id(), at, total };
        for (product, quantity) in basket {
            let cells = [
                ("id", trade.id().into()),
                ("orderId", order.id.clone().into()),
                ("productId", product.id().into()),
                ("quantity", quantity.into()),
                ("price", product.price.into()),
            ];
            trade.planned.add(Row::new("order_items", at, cells));
        }
        let fate = fate(trade);
        let row = order.row(trade, &fate);
        let row = order.live(trade, row, &fate);
        trade.planned.add(row);
    }

    fn row(&self, trade: &mut Trade, fate: &Fate) -> Row {
        let customer = trade.customer();
        let cash = matches!(fate, Fate::Cash);
        let cells = [
            ("id", self.id.clone().into()),
            ("squareOrderId", (!cash).then(|| self.square_id.clone()).into()),
            ("status", "PENDING".into()),
            ("total", self.total.into()),
            ("customerName", customer.name.into()),
            ("email", customer.email.into()),
            ("phone", customer.phone.into()),
            ("fulfillment_type", if cash { "pickup" } else { "shipping" }.into()),
            ("paymentStatus", "PENDING".into()),
            ("paymentMethod", if cash { "CASH" } else { "SQUARE" }.into()),
            ("createdAt", self.at.into()),
            ("updatedAt", self.at.into()),
            ("retry_count", 0.into()),
            ("idempotency_key", trade.id().into()),
        ];
        Row::new("orders", self.at, cells)
    }

    /// Plans what becomes of it.
    fn live(&self, trade: &mut Trade, row: Row, fate: &Fate) -> Row {
        let tried = self.at + trade.between(20, 90);
        match fate {
            Fate::Delivered => self.deliver(trade, row, tried),
            Fate::DeliveredAtSecondTry => {
                self.pay(trade, tried, true);
                let again = tried + trade.between(30, 120);
                let row = changed(row, tried, &[("retry_count", 1.into()), ("last_retry_at", tried.into())]);
                self.deliver(trade, row, again)
            }
            Fate::Declined => {
                self.pay(trade, tried, true);
                changed(
                    row,
                    tried,
                    &[("status", "PAYMENT_FAILED".into()), ("paymentStatus", "FAILED".into())],
                )
            }
            Fate::Abandoned => {
                let expired = self.at + trade.between(1800, 2700);
                changed(row, expired, &[("status", "CANCELLED".into())])
            }
            Fate::Refunded => self.refund(trade, row, tried),
            Fate::Cash => {
                let row = changed(row, tried, &[("status", "PROCESSING".into())]);
                let fetched = tried + trade.between(1800, 7200);
                changed(row, fetched, &[("status", "COMPLETED".into()), ("paymentStatus", "PAID".into())])
            }
        }
    }

    fn deliver(&self, trade: &mut Trade, row: Row, paid: Timestamp) -> Row {
        self.pay(trade, paid, false);
        confirm(trade, paid);
        let row = changed(row, paid, &[("paymentStatus", "PAID".into())]);
        let seen = paid + trade.between(3, 40);
        let row = changed(row, seen, &[("status", "PROCESSING".into())]);
        let ready = seen + trade.between(1800, 5400);
        if trade.happens(0.7) {
            let row = changed(row, ready, &[("status", "READY".into())]);
            let fetched = ready + trade.between(1800, 10_800);
            return changed(row, fetched, &[("status", "COMPLETED".into())]);
        }
        let tracking = format!("DEMO{:012}", trade.rng.u64(..1_000_000_000_000));
        let sent = ready + trade.between(3600, 86_400);
        let row = changed(row, sent, &[("status", "SHIPPING".into()), ("trackingNumber", tracking.into())]);
        let arrived = sent + trade.between(86_400, 3 * 86_400);
        changed(row, arrived, &[("status", "DELIVERED".into())])
    }

    fn refund(&self, trade: &mut Trade, row: Row, paid: Timestamp) -> Row {
        let payment = self.pay(trade, paid, false);
        confirm(trade, paid);
        let row = changed(row, paid, &[("paymentStatus", "PAID".into())]);
        let row = changed(row, paid + trade.between(3, 40), &[("status", "PROCESSING".into())]);
        let back = paid + trade.between(600, 5400);
        let cells = [
            ("id", trade.id().into()),
            ("squareRefundId", trade.square_id().into()),
            ("paymentId", payment.into()),
            ("amount", self.total.into()),
            ("status", "COMPLETED".into()),
            ("createdAt", back.into()),
        ];
        trade.planned.add(Row::new("refunds", back, cells));
        changed(row, back, &[("status", "CANCELLED".into()), ("paymentStatus", "REFUNDED".into())])
    }

    /// A card is tried: at Square, in `payments`, and in the webhook that tells of it. Gives the id of its row.
    fn pay(&self, trade: &mut Trade, at: Timestamp, declined: bool) -> String {
        let declined = declined.then(|| DECLINES[trade.rng.usize(..DECLINES.len())]);
        let (id, square_id) = (trade.id(), trade.square_id());
        let cells = [
            ("id", id.clone().into()),
            ("squarePaymentId", square_id.clone().into()),
            ("orderId", self.id.clone().into()),
            ("amount", self.total.into()),
            ("status", if declined.is_some() { "FAILED" } else { "COMPLETED" }.into()),
            ("createdAt", at.into()),
            ("updatedAt", at.into()),
        ];
        trade.planned.add(Row::new("payments", at, cells));
        let event = webhook(trade, at);
        let payment = Payment {
            id: square_id.clone(),
            order_id: self.square_id.clone(),
            event,
            at,
            amount: self.total,
            declined,
            refunded: false,
        };
        trade.payments.insert((at, square_id), payment);
        id
    }
}

/// A change after which the row says when it was changed.
fn changed(row: Row, at: Timestamp, cells: &[Cell]) -> Row {
    let mut cells = cells.to_vec();
    cells.push(("updatedAt", at.into()));
    row.then(at, cells)
}

/// The email that confirms a paid order; one in a hundred is tried again.
fn confirm(trade: &mut Trade, paid: Timestamp) {
    let at = paid + trade.between(3, 10);
    let cells = [
        ("id", trade.id().into()),
        ("type", "ORDER_CONFIRMATION".into()),
        ("priority", "HIGH".into()),
        ("status", "PENDING".into()),
        ("retryCount", 0.into()),
        ("createdAt", at.into()),
    ];
    let mut row = Row::new("email_alerts", at, cells);
    let mut sent = at + trade.between(1, 4);
    if trade.broken.contains(&ShopFault::FailedEmails) {
        let cells: [Cell; 2] = [("status", "FAILED".into()), ("failedAt", sent.into())];
        trade.planned.add(row.then(sent, cells));
        return;
    }
    if trade.happens(0.01) {
        row = row.then(sent, [("status", "RETRYING".into()), ("retryCount", 1.into())]);
        sent += trade.between(60, 300);
    }
    trade.planned.add(row.then(sent, [("status", "SENT".into()), ("sentAt", sent.into())]));
    if trade.happens(0.1) {
        write_job(trade, at);
    }
}

/// What Square says of a payment arrives, is logged, and is worked off at once or by the job of every half hour. Gives its id.
fn webhook(trade: &mut Trade, paid: Timestamp) -> String {
    if trade.broken.contains(&ShopFault::WebhooksLost) {
        return trade.id();
    }
    let at = paid + trade.between(1, 12);
    let event = trade.id();
    let forged = trade.broken.contains(&ShopFault::BadSignatures);
    let cells = [
        ("id", trade.id().into()),
        ("webhook_id", event.clone().into()),
        ("event_type", "payment.updated".into()),
        ("environment", if forged { "sandbox" } else { "production" }.into()),
        ("signature_valid", (!forged).into()),
        ("processing_time_ms", trade.rng.i64(60..900).into()),
        ("processed_at", at.into()),
        ("created_at", at.into()),
    ];
    trade.planned.add(Row::new("webhook_logs", at, cells));
    if forged {
        return event;
    }
    let cells = [
        ("id", trade.id().into()),
        ("event_id", event.clone().into()),
        ("event_type", "payment.updated".into()),
        ("payload", "{}".into()),
        ("status", "PENDING".into()),
        ("attempts", 0.into()),
        ("created_at", at.into()),
    ];
    let row = Row::new("webhook_queue", at, cells);
    if trade.broken.contains(&ShopFault::WebhookBacklog) {
        trade.planned.add(row);
        return event;
    }
    let done = if trade.happens(0.85) { at + trade.between(1, 6) } else { next_half_hour(at) };
    let cells: [Cell; 4] = [
        ("status", "COMPLETED".into()),
        ("attempts", 1.into()),
        ("last_attempt_at", done.into()),
        ("processed_at", done.into()),
    ];
    trade.planned.add(row.then(done, cells));
    event
}

fn next_half_hour(at: Timestamp) -> Timestamp {
    at + SignedDuration::from_secs(1800 - at.as_second().rem_euclid(1800))
}

fn write_job(trade: &mut Trade, at: Timestamp) {
    let done = at + trade.between(2, 60);
    let cells = [
        ("id", trade.id().into()),
        ("operation", "UPDATE_ORDER".into()),
        ("status", "PENDING".into()),
        ("attempts", 0.into()),
        ("next_attempt_at", at.into()),
        ("created_at", at.into()),
    ];
    let cells_done: [Cell; 3] =
        [("status", "SUCCEEDED".into()), ("attempts", 1.into()), ("succeeded_at", done.into())];
    trade.planned.add(Row::new("square_write_jobs", at, cells).then(done, cells_done));
}

fn basket(trade: &mut Trade) -> Vec<(Product, i64)> {
    let kinds = trade.rng.usize(1..=3);
    let mut basket: Vec<(Product, i64)> = Vec::new();
    while basket.len() < kinds {
        let product = catalog::chosen(trade.rng.i64(0..100));
        // Nobody puts the same into a basket twice: who wants two takes two.
        if basket.iter().all(|(taken, _)| *taken != product) {
            basket.push((product, if trade.happens(0.2) { 2 } else { 1 }));
        }
    }
    basket
}

fn fate(trade: &mut Trade) -> Fate {
    let declined = if trade.broken.contains(&ShopFault::DeclinedPayments) { 0.6 } else { 0.004 };
    if trade.happens(declined) {
        return Fate::Declined;
    }
    match trade.rng.f64() {
        ..0.010 => Fate::DeliveredAtSecondTry,
        ..0.050 => Fate::Abandoned,
        ..0.062 => Fate::Refunded,
        ..0.090 => Fate::Cash,
        _ => Fate::Delivered,
    }
}
