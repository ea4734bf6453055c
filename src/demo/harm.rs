//! The rows that each fault leaves in the shop's tables.
//!
//! Times lie so that only the checks meant for a fault see it: an order that is stuck in one way is not
//! stuck in the other, and what is added among a month's orders keeps their usual total.

use super::fault::ShopFault;
use super::row::Row;
use super::sql::{Cell, Cents};
use jiff::{SignedDuration, Timestamp};

/// What an order costs on average, so that rows of one fault don't move another's check.
const USUAL: Cents = Cents(7_150);

/// All rows of a fault at a time.
pub(super) fn rows(fault: ShopFault, now: Timestamp) -> Vec<Row> {
    let harm = Harm { fault, now };
    match fault {
        ShopFault::PendingPile => times(40, |n| harm.order(n, minutes(n / 2), &PENDING, USUAL)),
        ShopFault::StuckPaid => harm.paid_orders(6, |_| minutes(40), ("PENDING", "PAID"), USUAL),
        ShopFault::StuckUnpaid => {
            times(6, |n| harm.at_square(harm.order(n, minutes(200), &PENDING, USUAL), n))
        }
        ShopFault::PhantomOrders => times(2, |n| harm.phantom(n)),
        ShopFault::LowCompletion => {
            harm.paid_orders(150, |n| minutes(1500 + 40 * n), ("CANCELLED", "REFUNDED"), USUAL)
        }
        ShopFault::DeclinedPayments => harm.declined(),
        ShopFault::PaymentsUnknown => {
            times(2, |n| harm.at_square(harm.order(n, minutes(120), &("COMPLETED", "PAID"), USUAL), n))
        }
        ShopFault::DoubledCatering => harm.doubled(),
        ShopFault::SmallBaskets => {
            harm.paid_orders(700, |n| minutes(250 + 13 * n), ("COMPLETED", "PAID"), Cents(400))
        }
        // Eight days back and more, so that the week whose orders are compared stays as it is.
        ShopFault::OnlyNewcomers => {
            harm.paid_orders(900, |n| minutes(11_600 + 34 * n), ("COMPLETED", "PAID"), USUAL)
        }
        ShopFault::RefundWave => times(40, |n| harm.refund(n)),
        ShopFault::PaymentSyncFailing => vec![harm.failing_sync()],
        ShopFault::WebhookBacklog => times(30, |n| harm.queued(n, "PENDING", 0)),
        ShopFault::WebhooksGivenUp => times(3, |n| harm.queued(n, "FAILED", 5)),
        ShopFault::BadSignatures => times(20, |n| harm.delivery(n, false, 40)),
        ShopFault::SlowWebhooks => vec![harm.delivery(0, true, 9_400)],
        ShopFault::FailedEmails => times(3, |n| harm.email(n, "FAILED")),
        ShopFault::RetryingEmails => times(4, |n| harm.email(n, "RETRYING")),
        ShopFault::WriteJobsStuck => times(4, |n| harm.write_job(n)),
        ShopFault::SupportWave => times(120, |n| harm.contact(n)),
        ShopFault::FailedMigration => vec![harm.migration()],
        ShopFault::OrdersStopped
        | ShopFault::PaymentSyncStopped
        | ShopFault::WebhooksLost
        | ShopFault::CatalogStopped
        | ShopFault::SoldOut
        | ShopFault::RunningOut => Vec::new(),
    }
}

/// Status and payment status of an order that waits for its customer.
const PENDING: (&str, &str) = ("PENDING", "PENDING");

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn times(count: i64, row: impl Fn(i64) -> Row) -> Vec<Row> {
    (0..count).map(row).collect()
}

struct Harm {
    fault: ShopFault,
    now: Timestamp,
}

impl Harm {
    fn key(&self, number: i64) -> Cell {
        ("id", self.fault.id(number).into())
    }

    /// A text that is unique in its column.
    fn token(&self, number: i64) -> String {
        format!("FAULT-{}-{number}", self.fault.name())
    }

    fn order(&self, number: i64, ago: SignedDuration, (status, paid): &(&str, &str), total: Cents) -> Row {
        let at = self.now - ago;
        let cells = [
            self.key(number),
            ("status", (*status).into()),
            ("total", total.into()),
            ("customerName", "Customer of a fault".into()),
            ("email", self.email_of(number).into()),
            ("phone", "+1 555 0199".into()),
            ("paymentStatus", (*paid).into()),
            ("createdAt", at.into()),
            ("updatedAt", at.into()),
        ];
        Row::new("orders", at, cells)
    }

    /// Customers who know the shop, but where the fault is that they don't come back.
    fn email_of(&self, number: i64) -> String {
        match self.fault {
            ShopFault::OnlyNewcomers => format!("newcomer{number}@example.com"),
            _ => format!("customer{}@example.com", number % 400),
        }
    }

    fn at_square(&self, mut order: Row, number: i64) -> Row {
        order.cells.push(("squareOrderId", self.token(number).into()));
        order
    }

    /// Orders with their payments.
    fn paid_orders(
        &self,
        count: i64,
        ago: impl Fn(i64) -> SignedDuration,
        status: (&str, &str),
        total: Cents,
    ) -> Vec<Row> {
        let order = |n| self.at_square(self.order(n, ago(n), &status, total), n);
        let payment = |n| {
            let status = if status.1 == "REFUNDED" { "REFUNDED" } else { "COMPLETED" };
            self.payment(n, ago(n), status, total)
        };
        (0..count).flat_map(|n| [order(n), payment(n)]).collect()
    }

    fn payment(&self, number: i64, ago: SignedDuration, status: &str, amount: Cents) -> Row {
        let at = self.now - ago;
        let cells = [
            self.key(number),
            ("squarePaymentId", self.token(number).into()),
            ("orderId", self.fault.id(number).into()),
            ("amount", amount.into()),
            ("status", status.into()),
            ("createdAt", at.into()),
            ("updatedAt", at.into()),
        ];
        Row::new("payments", at, cells)
    }

    /// Made by a webhook before the checkout had written its own.
    fn phantom(&self, number: i64) -> Row {
        let mut order = self.at_square(self.order(number, minutes(20), &PENDING, Cents(0)), number);
        for (column, value) in &mut order.cells {
            match *column {
                "customerName" => *value = "Pending Order".into(),
                "email" => *value = "pending@example.com".into(),
                _ => {}
            }
        }
        order
    }

    /// Sixty within the hour: beyond the limits at noon as at night.
    fn declined(&self) -> Vec<Row> {
        let ago = |n: i64| minutes(n / 2);
        let order = |n| self.order(n, ago(n), &("PAYMENT_FAILED", "FAILED"), USUAL);
        (0..60).flat_map(|n| [order(n), self.payment(n, ago(n), "FAILED", USUAL)]).collect()
    }

    /// Paid once, in both tables.
    fn doubled(&self) -> Vec<Row> {
        let mut rows = self.paid_orders(2, |_| minutes(600), ("PROCESSING", "PAID"), USUAL);
        for order in rows.iter_mut().filter(|row| row.table == "orders") {
            order.cells.push(("isCateringOrder", true.into()));
        }
        rows.extend(times(2, |number| {
            let at = self.now - minutes(601);
            let cells = [
                self.key(number),
                ("email", "catering@example.com".into()),
                ("totalAmount", USUAL.into()),
                ("status", "CONFIRMED".into()),
                ("paymentStatus", "PAID".into()),
                ("squareOrderId", self.token(number).into()),
                ("eventDate", (self.now + minutes(10_000)).into()),
                ("createdAt", at.into()),
            ];
            Row::new("catering_orders", at, cells)
        }));
        rows
    }

    fn refund(&self, number: i64) -> Row {
        let at = self.now - minutes(30 + number * 60);
        let cells = [
            self.key(number),
            ("squareRefundId", self.token(number).into()),
            ("paymentId", self.fault.id(number).into()),
            ("amount", Cents(20_000).into()),
            ("status", "COMPLETED".into()),
            ("createdAt", at.into()),
        ];
        Row::new("refunds", at, cells)
    }

    fn failing_sync(&self) -> Row {
        let at = self.now - minutes(30);
        let cells = [
            ("sync_id", self.fault.id(0).into()),
            ("sync_type", "SCHEDULED".into()),
            ("start_time", at.into()),
            ("end_time", at.into()),
            ("payments_found", 9.into()),
            ("payments_processed", 5.into()),
            ("payments_failed", 4.into()),
            ("created_at", at.into()),
        ];
        Row::new("payment_sync_status", at, cells)
    }

    fn queued(&self, number: i64, status: &str, attempts: i64) -> Row {
        let at = self.now - minutes(180 - number);
        let cells = [
            self.key(number),
            ("event_id", self.token(number).into()),
            ("event_type", "payment.updated".into()),
            ("payload", "{}".into()),
            ("status", status.into()),
            ("attempts", attempts.into()),
            ("created_at", at.into()),
        ];
        Row::new("webhook_queue", at, cells)
    }

    fn delivery(&self, number: i64, valid: bool, took_ms: i64) -> Row {
        let at = self.now - minutes(1 + number);
        let cells = [
            self.key(number),
            ("webhook_id", self.token(number).into()),
            ("event_type", "payment.updated".into()),
            ("environment", if valid { "production" } else { "sandbox" }.into()),
            ("signature_valid", valid.into()),
            ("processing_time_ms", took_ms.into()),
            ("created_at", at.into()),
        ];
        Row::new("webhook_logs", at, cells)
    }

    fn email(&self, number: i64, status: &str) -> Row {
        let at = self.now - minutes(120);
        let failed = (status == "FAILED").then_some(at);
        let cells = [
            self.key(number),
            ("type", "ORDER_CONFIRMATION".into()),
            ("priority", "HIGH".into()),
            ("status", status.into()),
            ("failedAt", failed.into()),
            ("retryCount", 4.into()),
            ("createdAt", at.into()),
        ];
        Row::new("email_alerts", at, cells)
    }

    fn write_job(&self, number: i64) -> Row {
        let at = self.now - minutes(180);
        let cells = [
            self.key(number),
            ("operation", "UPDATE_ORDER".into()),
            ("status", "RETRYING".into()),
            ("attempts", 5.into()),
            ("last_error", "429 RATE_LIMITED".into()),
            ("next_attempt_at", (self.now - minutes(60)).into()),
            ("created_at", at.into()),
        ];
        Row::new("square_write_jobs", at, cells)
    }

    fn contact(&self, number: i64) -> Row {
        let at = self.now - minutes(10 + number * 20);
        let cells =
            [self.key(number), ("type", "ORDER".into()), ("status", "NEW".into()), ("created_at", at.into())];
        Row::new("contact_submissions", at, cells)
    }

    fn migration(&self) -> Row {
        let at = self.now - minutes(90);
        let cells = [
            self.key(0),
            ("checksum", "0".repeat(64).into()),
            ("migration_name", "20240401000000_add_loyalty".into()),
            ("logs", "ERROR: column \"points\" of relation \"orders\" already exists".into()),
            ("started_at", at.into()),
        ];
        Row::new("_prisma_migrations", at, cells)
    }
}
