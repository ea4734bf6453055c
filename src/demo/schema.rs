//! The shop's tables, once, for both dialects.
//!
//! Names, quoting and types are those that Prisma made in the shop. SQLite has no enum types, so there a
//! `check` keeps the same words; that a word is not in the enum then fails in both.

use std::fmt::Write;

/// Which database the statements are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    Sqlite,
}

#[derive(Debug, Clone, Copy)]
enum Type {
    Uuid,
    Text,
    Integer,
    Boolean,
    /// Dollars with cents.
    Money,
    /// Without zone, in UTC, in milliseconds.
    Time,
    /// With a zone: only Prisma's own ledger.
    TimeWithZone,
    Date,
    Json,
    Enum(&'static Enum),
}

#[derive(Debug)]
struct Enum {
    name: &'static str,
    words: &'static [&'static str],
}

static ORDER_STATUS: Enum = Enum {
    name: "OrderStatus",
    words: &[
        "PENDING",
        "PROCESSING",
        "READY",
        "COMPLETED",
        "CANCELLED",
        "FULFILLMENT_UPDATED",
        "SHIPPING",
        "DELIVERED",
        "PAYMENT_FAILED",
    ],
};
static PAYMENT_STATUS: Enum =
    Enum { name: "PaymentStatus", words: &["PENDING", "PAID", "FAILED", "REFUNDED", "COMPLETED"] };
static CATERING_STATUS: Enum =
    Enum { name: "CateringStatus", words: &["PENDING", "CONFIRMED", "PREPARING", "COMPLETED", "CANCELLED"] };
static ALERT_STATUS: Enum = Enum { name: "AlertStatus", words: &["PENDING", "SENT", "FAILED", "RETRYING"] };
static PAYMENT_METHOD: Enum = Enum { name: "PaymentMethod", words: &["SQUARE", "CASH"] };

static ENUMS: [&Enum; 5] = [&ORDER_STATUS, &PAYMENT_STATUS, &CATERING_STATUS, &ALERT_STATUS, &PAYMENT_METHOD];

struct Table {
    name: &'static str,
    /// Name, type, and what follows the type.
    columns: &'static [(&'static str, Type, &'static str)],
    /// Columns that are unique together, where they are more than one.
    unique: &'static [&'static str],
}

use Type::{Boolean, Date, Integer, Json, Money, Text, Time, TimeWithZone, Uuid};

const REQUIRED: &str = "not null";
const KEY: &str = "primary key";
const UNIQUE: &str = "unique";
const OPTIONAL: &str = "";
const FALSE: &str = "not null default false";
const ZERO: &str = "not null default 0";

#[rustfmt::skip]
static TABLES: &[Table] = &[
    Table { name: "orders", unique: &[], columns: &[
        ("id", Uuid, KEY), ("squareOrderId", Text, UNIQUE), ("status", Type::Enum(&ORDER_STATUS), "not null default 'PENDING'"),
        ("total", Money, REQUIRED), ("userId", Uuid, OPTIONAL), ("customerName", Text, REQUIRED),
        ("email", Text, REQUIRED), ("phone", Text, REQUIRED), ("fulfillment_type", Text, OPTIONAL),
        ("paymentStatus", Type::Enum(&PAYMENT_STATUS), "not null default 'PENDING'"),
        ("paymentMethod", Type::Enum(&PAYMENT_METHOD), "not null default 'SQUARE'"),
        ("createdAt", Time, REQUIRED), ("updatedAt", Time, REQUIRED), ("isCateringOrder", Boolean, FALSE),
        ("is_archived", Boolean, FALSE), ("retry_count", Integer, ZERO), ("last_retry_at", Time, OPTIONAL),
        ("payment_url_expires_at", Time, OPTIONAL), ("trackingNumber", Text, OPTIONAL), ("idempotency_key", Text, UNIQUE),
    ] },
    Table { name: "payments", unique: &[], columns: &[
        ("id", Uuid, KEY), ("squarePaymentId", Text, "not null unique"), ("orderId", Uuid, REQUIRED), ("amount", Money, REQUIRED),
        ("status", Type::Enum(&PAYMENT_STATUS), "not null default 'PENDING'"), ("createdAt", Time, REQUIRED), ("updatedAt", Time, REQUIRED),
    ] },
    Table { name: "refunds", unique: &[], columns: &[
        ("id", Uuid, KEY), ("squareRefundId", Text, "not null unique"), ("paymentId", Uuid, REQUIRED), ("amount", Money, REQUIRED),
        ("status", Text, REQUIRED), ("createdAt", Time, REQUIRED),
    ] },
    Table { name: "order_items", unique: &[], columns: &[
        ("id", Uuid, KEY), ("orderId", Uuid, REQUIRED), ("productId", Uuid, REQUIRED), ("variantId", Uuid, OPTIONAL),
        ("quantity", Integer, REQUIRED), ("price", Money, REQUIRED),
    ] },
    Table { name: "products", unique: &[], columns: &[
        ("id", Uuid, KEY), ("squareId", Text, "not null unique"), ("name", Text, REQUIRED), ("price", Money, REQUIRED),
        ("active", Boolean, "not null default true"), ("inventory", Integer, OPTIONAL), ("lastSyncAt", Time, OPTIONAL),
        ("sync_status", Text, OPTIONAL), ("is_archived", Boolean, FALSE),
    ] },
    Table { name: "catering_orders", unique: &[], columns: &[
        ("id", Uuid, KEY), ("email", Text, REQUIRED), ("totalAmount", Money, REQUIRED),
        ("status", Type::Enum(&CATERING_STATUS), "not null default 'PENDING'"),
        ("paymentStatus", Type::Enum(&PAYMENT_STATUS), "not null default 'PENDING'"), ("squareOrderId", Text, UNIQUE),
        ("eventDate", Time, REQUIRED), ("createdAt", Time, REQUIRED), ("is_archived", Boolean, FALSE),
    ] },
    Table { name: "webhook_queue", unique: &[], columns: &[
        ("id", Uuid, KEY), ("event_id", Text, "not null unique"), ("event_type", Text, REQUIRED), ("payload", Json, REQUIRED),
        ("status", Text, "not null default 'PENDING'"), ("attempts", Integer, ZERO), ("last_attempt_at", Time, OPTIONAL),
        ("error_message", Text, OPTIONAL), ("created_at", Time, REQUIRED), ("processed_at", Time, OPTIONAL),
    ] },
    Table { name: "webhook_logs", unique: &[], columns: &[
        ("id", Uuid, KEY), ("webhook_id", Text, REQUIRED), ("event_type", Text, REQUIRED), ("environment", Text, REQUIRED),
        ("signature_valid", Boolean, REQUIRED), ("processing_time_ms", Integer, OPTIONAL), ("processed_at", Time, OPTIONAL),
        ("created_at", Time, REQUIRED),
    ] },
    Table { name: "payment_sync_status", unique: &[], columns: &[
        ("sync_id", Text, KEY), ("sync_type", Text, REQUIRED), ("start_time", Time, REQUIRED), ("end_time", Time, OPTIONAL),
        ("payments_found", Integer, ZERO), ("payments_processed", Integer, ZERO), ("payments_failed", Integer, ZERO),
        ("created_at", Time, REQUIRED),
    ] },
    Table { name: "sync_logs", unique: &[], columns: &[
        ("id", Uuid, KEY), ("sync_type", Text, REQUIRED), ("status", Text, REQUIRED), ("errors", Json, OPTIONAL),
        ("started_at", Time, REQUIRED), ("completed_at", Time, OPTIONAL),
    ] },
    Table { name: "email_alerts", unique: &[], columns: &[
        ("id", Uuid, KEY), ("type", Text, REQUIRED), ("priority", Text, REQUIRED),
        ("status", Type::Enum(&ALERT_STATUS), "not null default 'PENDING'"), ("sentAt", Time, OPTIONAL), ("failedAt", Time, OPTIONAL),
        ("retryCount", Integer, ZERO), ("createdAt", Time, REQUIRED),
    ] },
    Table { name: "square_write_jobs", unique: &[], columns: &[
        ("id", Uuid, KEY), ("operation", Text, REQUIRED), ("status", Text, REQUIRED), ("attempts", Integer, ZERO),
        ("last_error", Text, OPTIONAL), ("next_attempt_at", Time, OPTIONAL), ("succeeded_at", Time, OPTIONAL),
        ("created_at", Time, REQUIRED),
    ] },
    Table { name: "contact_submissions", unique: &[], columns: &[
        ("id", Uuid, KEY), ("type", Text, REQUIRED), ("status", Text, REQUIRED), ("created_at", Time, REQUIRED),
    ] },
    Table { name: "business_metrics", unique: &["date", "metric"], columns: &[
        ("id", Uuid, KEY), ("date", Date, REQUIRED), ("metric", Text, REQUIRED), ("value", Money, REQUIRED),
    ] },
    Table { name: "_prisma_migrations", unique: &[], columns: &[
        ("id", Text, KEY), ("checksum", Text, REQUIRED), ("finished_at", TimeWithZone, OPTIONAL), ("migration_name", Text, REQUIRED),
        ("logs", Text, OPTIONAL), ("rolled_back_at", TimeWithZone, OPTIONAL), ("started_at", TimeWithZone, REQUIRED),
        ("applied_steps_count", Integer, ZERO),
    ] },
];

/// The indexes of the plan whose columns these tables have.
const INDEXES: [&str; 2] = [
    r#"create index "idx_orders_user_id_created_at" on "orders" ("userId", "createdAt")"#,
    r#"create index "idx_orders_pending" on "orders" ("createdAt") where "status" = 'PENDING'"#,
];

/// Creates everything in an empty database.
pub fn statements(dialect: Dialect) -> Vec<String> {
    let enums = ENUMS.iter().filter(|_| dialect == Dialect::Postgres).map(|of| {
        let Enum { name, words } = of;
        format!("create type \"{name}\" as enum ('{}')", words.join("', '"))
    });
    let tables = TABLES.iter().map(|table| create(table, dialect));
    enums.chain(tables).chain(INDEXES.map(str::to_owned)).collect()
}

/// The names of all tables.
pub fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name)
}

fn create(table: &Table, dialect: Dialect) -> String {
    let mut sql = format!("create table \"{}\" (", table.name);
    for (at, (name, of, rest)) in table.columns.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let gap = if rest.is_empty() { "" } else { " " };
        // Writing to a `String` can't fail.
        let _ = write!(sql, "{comma}\n  \"{name}\" {}{gap}{rest}", type_name(*of, dialect));
        if let (Type::Enum(of), Dialect::Sqlite) = (of, dialect) {
            let _ = write!(sql, " check (\"{name}\" in ('{}'))", of.words.join("', '"));
        }
    }
    if !table.unique.is_empty() {
        let _ = write!(sql, ",\n  unique (\"{}\")", table.unique.join("\", \""));
    }
    sql.push_str("\n)");
    sql
}

fn type_name(of: Type, dialect: Dialect) -> String {
    match (of, dialect) {
        (Type::Enum(of), Dialect::Postgres) => format!("\"{}\"", of.name),
        (Integer, _) => "integer".to_owned(),
        (Boolean, _) => "boolean".to_owned(),
        (Money, _) => "numeric(10,2)".to_owned(),
        (Uuid, Dialect::Postgres) => "uuid".to_owned(),
        (Time, Dialect::Postgres) => "timestamp(3)".to_owned(),
        (TimeWithZone, Dialect::Postgres) => "timestamptz".to_owned(),
        (Date, Dialect::Postgres) => "date".to_owned(),
        (Json, Dialect::Postgres) => "jsonb".to_owned(),
        // SQLite keeps times as text, which sorts as time does.
        (Text | Uuid | Time | TimeWithZone | Date | Json | Type::Enum(_), _) => "text".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_have_the_same_tables_and_columns() {
        let names = |dialect| {
            let create = statements(dialect).into_iter().filter(|sql| sql.starts_with("create table"));
            create.map(|sql| sql.lines().map(first_word).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        assert_eq!(names(Dialect::Postgres), names(Dialect::Sqlite));
        assert_eq!(names(Dialect::Sqlite).len(), tables().count());
    }

    fn first_word(line: &str) -> String {
        line.split_whitespace().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn an_enum_is_a_type_in_one_and_a_check_in_the_other() {
        let [postgres, sqlite] =
            [Dialect::Postgres, Dialect::Sqlite].map(|dialect| statements(dialect).join(";\n"));
        assert!(postgres.contains(r#"create type "PaymentMethod" as enum ('SQUARE', 'CASH')"#));
        assert!(postgres.contains(r#""paymentMethod" "PaymentMethod" not null default 'SQUARE'"#));
        assert!(!sqlite.contains("create type"));
        assert!(sqlite.contains(r#"default 'SQUARE' check ("paymentMethod" in ('SQUARE', 'CASH'))"#));
    }
}
