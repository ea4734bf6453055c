//! What has really gone wrong in such a shop, as switches.
//!
//! Each fault is rows as the shop would have left them, put among the healthy ones, and knows which shipped checks
//! must say so: those and no others. Rows of a fault have ids of their own range, so that it can be taken back.

use super::order::Payment;
use super::row::Row;
use super::sql::{Inserts, Value, time};
use super::{catalog, harm};
use jiff::{SignedDuration, Timestamp};
use std::str::FromStr;

/// One way in which the shop's data goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShopFault {
    PendingPile,
    StuckPaid,
    StuckUnpaid,
    PhantomOrders,
    OrdersStopped,
    LowCompletion,
    DeclinedPayments,
    PaymentsUnknown,
    RefundWave,
    PaymentSyncFailing,
    PaymentSyncStopped,
    DoubledCatering,
    WebhookBacklog,
    WebhooksGivenUp,
    BadSignatures,
    SlowWebhooks,
    WebhooksLost,
    FailedEmails,
    RetryingEmails,
    CatalogStopped,
    WriteJobsStuck,
    SoldOut,
    RunningOut,
    SmallBaskets,
    OnlyNewcomers,
    SupportWave,
    FailedMigration,
}

#[allow(clippy::enum_glob_use, reason = "the table below stays a table")]
use ShopFault::*;

/// Name, title, and the shipped checks that must tell.
const FACTS: [(ShopFault, &str, &str, &[&str]); 27] = [
    (PendingPile, "pending-pile", "Orders pile up unpaid", &["pending-orders"]),
    (StuckPaid, "stuck-orders", "Orders are paid and don't move", &["stuck-orders"]),
    (StuckUnpaid, "stuck-unpaid-orders", "Orders known to Square stay pending", &["stuck-orders"]),
    (
        PhantomOrders,
        "phantom-orders",
        "A webhook that raced the checkout left empty orders",
        &["phantom-orders"],
    ),
    (OrdersStopped, "orders-stopped", "Nobody orders any more", &["orders-flow"]),
    (LowCompletion, "low-completion", "Paid orders are cancelled", &["order-completion"]),
    (DeclinedPayments, "failed-payments", "Most cards are declined", &["failed-payments"]),
    (PaymentsUnknown, "unknown-payments", "Paid orders have no payment", &["orders-without-payment"]),
    (RefundWave, "refund-wave", "Much is paid back", &["refunds"]),
    (PaymentSyncFailing, "payment-sync-failing", "The payment sync can't store payments", &["payment-sync"]),
    (PaymentSyncStopped, "payment-sync-stopped", "The payment sync has stopped", &["payment-sync"]),
    (DoubledCatering, "doubled-catering", "Catering orders are written twice", &["doubled-catering-orders"]),
    (WebhookBacklog, "webhook-backlog", "Nobody drains the webhook queue", &["webhook-queue"]),
    (WebhooksGivenUp, "webhooks-given-up", "Webhooks failed five times", &["webhook-queue"]),
    (BadSignatures, "bad-signatures", "Webhooks are signed with the sandbox's key", &["webhook-deliveries"]),
    (SlowWebhooks, "slow-webhooks", "Webhooks take almost as long as Square waits", &["webhook-deliveries"]),
    (WebhooksLost, "webhooks-lost", "Square's webhooks don't arrive", &["webhooks-arrive"]),
    (FailedEmails, "failed-emails", "Emails to customers fail", &["customer-emails"]),
    (RetryingEmails, "retrying-emails", "Emails to customers are retried for ever", &["customer-emails"]),
    (CatalogStopped, "catalog-stopped", "The catalog sync has silently stopped", &["catalog-sync"]),
    (WriteJobsStuck, "write-jobs-stuck", "Changes don't reach Square", &["write-jobs"]),
    (SoldOut, "inventory-out", "A product is sold out", &["inventory"]),
    (RunningOut, "inventory-low", "A product will not last the day", &["inventory"]),
    (SmallBaskets, "small-baskets", "Customers buy far less than usual", &["average-order-value"]),
    (OnlyNewcomers, "only-newcomers", "Customers don't come back", &["returning-customers"]),
    (SupportWave, "support-wave", "Many customers write to the shop", &["support-tickets"]),
    (FailedMigration, "failed-migration", "A migration failed half-way", &["migrations"]),
];

impl ShopFault {
    /// All of them.
    pub fn all() -> impl Iterator<Item = ShopFault> {
        FACTS.iter().map(|fact| fact.0)
    }

    /// The word on the command line and in the path of the demo's control.
    pub fn name(self) -> &'static str {
        self.facts().1
    }

    /// What it is, for people.
    pub fn title(self) -> &'static str {
        self.facts().2
    }

    /// The shipped checks that must tell of it.
    pub fn checks(self) -> &'static [&'static str] {
        self.facts().3
    }

    fn facts(self) -> &'static (ShopFault, &'static str, &'static str, &'static [&'static str]) {
        FACTS.iter().find(|fact| fact.0 == self).expect("a test holds that every fault has its facts")
    }

    /// Statements that break the shop in this way. Doing it twice is doing it once.
    pub fn inject(self, now: Timestamp) -> Vec<String> {
        let mut statements = self.clear(now);
        if let Some((table, condition)) = self.held(now) {
            statements.push(format!(
                "create table \"{}\" as select * from \"{table}\" where {condition}",
                self.aside()
            ));
            statements.push(format!("delete from \"{table}\" where {condition}"));
        }
        let mut inserts = Inserts::default();
        for row in harm::rows(self, now) {
            inserts.add(row.table, &row.cells);
        }
        statements.extend(inserts.into_statements());
        statements.extend(self.changes(now));
        statements
    }

    /// Statements that take it back.
    pub fn clear(self, now: Timestamp) -> Vec<String> {
        let mut statements = Vec::new();
        let from = self.id(0);
        let range = format!("between '{}' and '{}ffff-ffff-ffff-ffffffffffff'", from, &from[..9]);
        for Row { table, cells, .. } in harm::rows(self, now) {
            let delete = format!("delete from \"{table}\" where \"{}\" {range}", cells[0].0);
            if !statements.contains(&delete) {
                statements.push(delete);
            }
        }
        if let Some((table, _)) = self.held(now) {
            let aside = self.aside();
            statements.push(format!(
                "create table if not exists \"{aside}\" as select * from \"{table}\" where false"
            ));
            statements.push(format!("insert into \"{table}\" select * from \"{aside}\""));
            statements.push(format!("drop table \"{aside}\""));
        }
        match self {
            CatalogStopped => statements.push(catalog::sync(now)),
            SoldOut | RunningOut => statements.extend(catalog::stock(now)),
            _ => {}
        }
        statements
    }

    /// The payments among its rows, as Square knows them.
    pub fn payments(self, now: Timestamp) -> Vec<Payment> {
        let rows = harm::rows(self, now).into_iter().filter(|row| row.table == "payments");
        rows.filter_map(|row| payment(&row)).collect()
    }

    /// Rows that the fault takes away, until it is taken back: table and condition.
    fn held(self, now: Timestamp) -> Option<(&'static str, String)> {
        let since = |column: &str, hours| {
            format!("\"{column}\" >= '{}'", time(now - SignedDuration::from_hours(hours)))
        };
        match self {
            // What is still pending would be stuck when it comes back, so it stays.
            OrdersStopped => {
                Some(("orders", format!("{} and \"status\" <> 'PENDING'", since("createdAt", 4))))
            }
            WebhooksLost => Some(("webhook_logs", since("created_at", 4))),
            PaymentSyncStopped => Some(("payment_sync_status", since("created_at", 80))),
            _ => None,
        }
    }

    fn aside(self) -> String {
        format!("demo_aside_{}", self.name())
    }

    /// What it changes in rows that are there.
    fn changes(self, now: Timestamp) -> Vec<String> {
        let inventory = |left: i64| {
            let id = catalog::PRODUCTS[0].id();
            vec![format!(r#"update "products" set "inventory" = {left} where "id" = '{id}'"#)]
        };
        match self {
            CatalogStopped => vec![catalog::sync(now - SignedDuration::from_hours(4 * 24))],
            SoldOut => inventory(0),
            RunningOut => inventory(1),
            _ => Vec::new(),
        }
    }

    /// The id of its row of this number: `fa01…`, which no random id of this shop begins with by more than chance. Its
    /// end is of this row alone too, since pages show of an order's id no more than that.
    pub(super) fn id(self, number: i64) -> String {
        let fault = FACTS.iter().position(|fact| fact.0 == self).unwrap_or_default();
        format!("fa01{fault:04x}-0000-4000-8000-0000{number:06x}{fault:02x}")
    }
}

/// The other side of a row of `payments`.
fn payment(row: &Row) -> Option<Payment> {
    let cell = |name: &str| row.cells.iter().find(|(column, _)| *column == name).map(|(_, value)| value);
    let (Value::Text(id), Value::Money(amount)) = (cell("squarePaymentId")?, cell("amount")?) else {
        return None;
    };
    let is = |status: &str| cell("status") == Some(&Value::from(status));
    Some(Payment {
        id: id.clone(),
        order_id: id.clone(),
        event: id.clone(),
        at: row.at,
        amount: *amount,
        declined: is("FAILED").then_some("GENERIC_DECLINE"),
        refunded: is("REFUNDED"),
    })
}

impl FromStr for ShopFault {
    type Err = String;

    fn from_str(name: &str) -> Result<ShopFault, String> {
        FACTS.iter().find(|fact| fact.1 == name).map(|fact| fact.0).ok_or_else(|| {
            let names: Vec<_> = FACTS.iter().map(|fact| fact.1).collect();
            format!("`{name}` is not a fault of the shop; there are {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_fault_has_its_facts_and_a_name_of_its_own() {
        let names: BTreeSet<_> = ShopFault::all().map(ShopFault::name).collect();
        let faults: BTreeSet<_> = ShopFault::all().collect();
        assert_eq!((names.len(), faults.len()), (FACTS.len(), FACTS.len()));
        // The last variant's number says how many there are.
        assert_eq!(FailedMigration as usize + 1, FACTS.len());
        for fault in ShopFault::all() {
            assert_eq!(fault.name().parse(), Ok(fault));
        }
        assert!("stuck".parse::<ShopFault>().expect_err("no fault").contains("stuck-orders"));
    }

    #[test]
    fn what_a_fault_adds_it_takes_back() {
        let now = "2026-03-01T12:00:00Z".parse::<Timestamp>().expect("a time");
        for fault in ShopFault::all() {
            let undone = fault.clear(now);
            assert!(!undone.is_empty(), "{fault:?}");
            for row in harm::rows(fault, now) {
                let delete = format!("delete from \"{}\" where \"{}\" between", row.table, row.cells[0].0);
                assert!(undone.iter().any(|sql| sql.starts_with(&delete)), "{fault:?}: {delete}");
            }
        }
    }
}
