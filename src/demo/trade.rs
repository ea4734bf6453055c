//! Seeded customers who order, pay, change their minds and write to the shop, by day more than by night.
//!
//! Arrivals are drawn in short slots of time from the shapes of a day and a week, so that a call for ten weeks of past and ten
//! thousand calls for a second each are the same trade. What an arrival brings is planned at once ([`super::row`]).

use super::catalog;
use super::fault::ShopFault;
use super::order::{Order, Payment};
use super::row::{Planned, Row};
use super::sql::{Cents, Inserts, time};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How many customers order on a usual day: the first user has tens to hundreds.
pub const ORDERS_A_DAY: f64 = 90.0;

/// Long enough for every window of the shipped checks: the longest compares a week with the eight before it.
pub const PAST: SignedDuration = SignedDuration::from_hours(24 * 70);

/// Share of a day's orders in each hour of the shop's day. They needn't add up to one.
#[rustfmt::skip]
const DAY: [f64; 24] = [
    5., 2., 1., 1., 1., 2., 6., 15., 30., 45., 60., 90.,
    110., 90., 60., 50., 60., 90., 110., 85., 50., 25., 12., 8.,
];

/// How many order on each day of the week, Monday first, beside the usual.
const WEEK: [f64; 7] = [0.8, 0.85, 0.9, 1.0, 1.25, 1.3, 0.9];

const SLOT: SignedDuration = SignedDuration::from_secs(15);
const SLOTS_AN_HOUR: f64 = 240.0;

/// Logs of the shop that it clears itself, so that they hold no long past.
const CLEARED: [(&str, &str); 4] = [
    ("webhook_queue", "created_at"),
    ("webhook_logs", "created_at"),
    ("email_alerts", "createdAt"),
    ("square_write_jobs", "created_at"),
];
const CLEARED_AFTER: SignedDuration = SignedDuration::from_hours(24 * 8);

/// The trade of one shop, from its opening on.
#[derive(Debug)]
pub struct Trade {
    pub(super) rng: Rng,
    /// Until when all is drawn.
    drawn: Timestamp,
    /// Hours between the shop's day and UTC.
    hours_ahead: i64,
    /// How often customers come, beside the usual.
    pace: f64,
    pub(super) planned: Planned,
    /// Payments as Square knows them, until someone takes them.
    pub(super) payments: BTreeMap<(Timestamp, String), Payment>,
    /// What is broken now and keeps breaking what comes.
    pub(super) broken: BTreeSet<ShopFault>,
    pub(super) newcomers: u64,
    synced: Option<Timestamp>,
}

impl Trade {
    /// A shop that opened at `opened`. Nothing has happened yet.
    pub fn new(seed: u64, opened: Timestamp) -> Trade {
        let whole = opened.as_second() - opened.as_second().rem_euclid(SLOT.as_secs());
        let drawn = Timestamp::from_second(whole).unwrap_or(opened);
        Trade {
            rng: Rng::with_seed(seed),
            drawn,
            hours_ahead: 0,
            pace: 1.0,
            planned: Planned::default(),
            payments: BTreeMap::new(),
            broken: BTreeSet::new(),
            newcomers: 0,
            synced: None,
        }
    }

    /// Makes the shop's day run ahead of UTC by so many hours.
    pub fn with_hours_ahead(mut self, hours: i64) -> Trade {
        self.hours_ahead = hours;
        self
    }

    /// From now on customers come this many times as often.
    pub fn set_pace(&mut self, pace: f64) {
        self.pace = pace;
    }

    /// From now on, what comes is broken in this way, or no longer.
    pub fn set_broken(&mut self, fault: ShopFault, on: bool) {
        if on {
            self.broken.insert(fault);
        } else {
            self.broken.remove(&fault);
        }
    }

    /// Statements that bring the database to the moment `to`, the first time from empty tables.
    pub fn advance(&mut self, to: Timestamp) -> Vec<String> {
        let mut statements = Vec::new();
        if self.synced.is_none() {
            let mut inserts = Inserts::default();
            catalog::create(self.drawn, &mut inserts);
            statements.extend(inserts.into_statements());
            self.migrations();
        }
        let synced = self.synced;
        while self.drawn + SLOT <= to {
            self.slot();
        }
        let oldest = to - CLEARED_AFTER;
        let cleared = |row: &Row| CLEARED.iter().any(|(table, _)| *table == row.table);
        statements.extend(self.planned.take_due(to, |row| row.at >= oldest || !cleared(row)));
        if let Some(at) = self.synced.filter(|at| Some(*at) != synced) {
            statements.extend(self.sync_statements(at));
        }
        statements
    }

    /// The payments that Square has seen until `to` and that were not taken before.
    pub fn take_payments(&mut self, to: Timestamp) -> Vec<Payment> {
        let later = self.payments.split_off(&(to + SignedDuration::from_nanos(1), String::new()));
        std::mem::replace(&mut self.payments, later).into_values().collect()
    }

    /// What the shop's hourly jobs do to rows that are there: the sync of the catalog, and clearing its logs.
    fn sync_statements(&self, at: Timestamp) -> Vec<String> {
        let before = time(at - CLEARED_AFTER);
        let clear = |(table, column)| format!("delete from \"{table}\" where \"{column}\" < '{before}'");
        let mut statements = CLEARED.map(clear).to_vec();
        if !self.broken.contains(&ShopFault::CatalogStopped) {
            statements.push(catalog::sync(at));
        }
        if !self.broken.contains(&ShopFault::SoldOut) && !self.broken.contains(&ShopFault::RunningOut) {
            statements.extend(catalog::stock(at));
        }
        statements
    }

    fn slot(&mut self) {
        let begin = self.drawn;
        self.drawn = begin + SLOT;
        let hour = begin.as_second().div_euclid(3600);
        if begin.as_second().rem_euclid(3600) == 0 || self.synced.is_none() {
            self.hourly(begin);
        }
        let local = hour + self.hours_ahead;
        let share = DAY[usize::try_from(local.rem_euclid(24)).unwrap_or_default()];
        // The epoch was a Thursday.
        let weekday = (local.div_euclid(24) + 3).rem_euclid(7);
        let share = share * WEEK[usize::try_from(weekday).unwrap_or_default()];
        let rate = ORDERS_A_DAY * self.pace * share / DAY.iter().sum::<f64>() / SLOTS_AN_HOUR;
        if self.happens(rate) && !self.broken.contains(&ShopFault::OrdersStopped) {
            let at = begin + self.between(0, SLOT.as_secs());
            Order::plan(self, at);
        }
        if self.happens(rate * 0.008) {
            self.contact(begin);
        }
        if self.happens(rate * 0.03) {
            self.catering(begin);
        }
    }

    fn hourly(&mut self, at: Timestamp) {
        self.synced = Some(at);
        let end = at + SignedDuration::from_secs(20);
        let cells = [
            ("id", self.id().into()),
            ("sync_type", "PRODUCTS".into()),
            ("status", "COMPLETED".into()),
            ("started_at", at.into()),
            ("completed_at", end.into()),
        ];
        self.planned.add(Row::new("sync_logs", end, cells));
        if self.broken.contains(&ShopFault::PaymentSyncStopped) {
            return;
        }
        let found = self.rng.i64(0..12);
        let cells = [
            ("sync_id", self.id().into()),
            ("sync_type", "SCHEDULED".into()),
            ("start_time", at.into()),
            ("end_time", end.into()),
            ("payments_found", found.into()),
            ("payments_processed", found.into()),
            ("created_at", at.into()),
        ];
        self.planned.add(Row::new("payment_sync_status", end, cells));
    }

    /// Three migrations, the second of which failed at first and was rolled back, as happens.
    fn migrations(&mut self) {
        let at = self.drawn;
        for (number, name) in
            ["init", "add_catering", "add_catering", "add_webhook_queue"].into_iter().enumerate()
        {
            let failed = number == 1;
            let cells = [
                ("id", self.id().into()),
                ("checksum", format!("{:064x}", self.rng.u128(..)).into()),
                ("finished_at", (!failed).then_some(at).into()),
                ("migration_name", format!("2024010100000{number}_{name}").into()),
                ("rolled_back_at", failed.then_some(at).into()),
                ("started_at", at.into()),
                ("applied_steps_count", i64::from(!failed).into()),
            ];
            self.planned.add(Row::new("_prisma_migrations", at, cells));
        }
    }

    fn contact(&mut self, at: Timestamp) {
        let cells = [
            ("id", self.id().into()),
            ("type", "ORDER".into()),
            ("status", "NEW".into()),
            ("created_at", at.into()),
        ];
        let answered = at + self.between(1800, 90_000);
        let row = Row::new("contact_submissions", at, cells).then(answered, [("status", "CLOSED".into())]);
        self.planned.add(row);
    }

    fn catering(&mut self, at: Timestamp) {
        let event = at + self.between(4 * 86_400, 20 * 86_400);
        let cells = [
            ("id", self.id().into()),
            ("email", self.customer().email.into()),
            ("totalAmount", Cents(self.rng.i64(12_000..90_000)).into()),
            ("squareOrderId", self.square_id().into()),
            ("eventDate", event.into()),
            ("createdAt", at.into()),
        ];
        let day = SignedDuration::from_hours(24);
        let row = Row::new("catering_orders", at, cells)
            .then(
                at + self.between(60, 900),
                [("paymentStatus", "PAID".into()), ("status", "CONFIRMED".into())],
            )
            .then(event - day, [("status", "PREPARING".into())])
            .then(event, [("status", "COMPLETED".into())]);
        self.planned.add(row);
    }

    /// Three of four orders are from customers who know the shop. A faster shop has no more newcomers in a day.
    pub(super) fn customer(&mut self) -> Customer {
        let number = if self.happens(0.25 / self.pace.max(1.0)) {
            self.newcomers += 1;
            1_000 + self.newcomers
        } else {
            self.rng.u64(0..500)
        };
        Customer {
            name: format!("Customer {number}"),
            email: format!("customer{number}@example.com"),
            phone: format!("+1 555 01{:02}", number % 100),
        }
    }

    pub(super) fn happens(&mut self, chance: f64) -> bool {
        self.rng.f64() < chance
    }

    /// A length of time between two numbers of seconds.
    pub(super) fn between(&mut self, from: i64, to: i64) -> SignedDuration {
        SignedDuration::from_millis(self.rng.i64(from * 1000..to * 1000))
    }

    pub(super) fn id(&mut self) -> String {
        uuid(self.rng.u128(..))
    }

    /// An id as Square gives them.
    pub(super) fn square_id(&mut self) -> String {
        std::iter::repeat_with(|| self.rng.alphanumeric()).take(22).collect()
    }
}

/// Nobody real: the domain is kept for examples, the telephone numbers for fiction.
pub(super) struct Customer {
    pub name: String,
    pub email: String,
    pub phone: String,
}

/// A random number as a version 4 UUID.
fn uuid(number: u128) -> String {
    let hex = format!("{number:032x}");
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
