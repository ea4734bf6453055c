//! The shipped checks against the shop's own tables: a healthy shop is healthy, and every fault is told by the checks
//! that are for it and by no other, in PostgreSQL and in SQLite, with the same numbers.

use crate::support::shop::{Found, Shop, ZONE};
use atalaya::demo::fault::ShopFault;
use atalaya::demo::schema;
use atalaya::demo::trade::{PAST, Trade};
use atalaya::outcome::Status;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

const SEED: u64 = 20_260_301;

/// After lunch on a Sunday: enough traffic for every check to judge.
const NOON: &str = "2026-03-01T13:37:42.123Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A shop with its past.
async fn open(shop: Shop, seed: u64, now: Timestamp) -> Shop {
    shop.execute(&schema::statements(shop.dialect())).await;
    shop.execute(&Trade::new(seed, now - PAST).advance(now)).await;
    shop
}

/// The checks that are not well, with the reason.
fn troubled(found: &BTreeMap<String, Found>) -> BTreeMap<&str, &str> {
    let bad = found.iter().filter(|(_, found)| found.status != Status::Ok);
    bad.map(|(name, found)| (name.as_str(), found.reason.as_str())).collect()
}

#[tokio::test]
async fn every_fault_is_told_by_its_checks_alone() {
    let now = at(NOON);
    let shops = [Shop::postgres("shop").await, Shop::sqlite("shop").await];
    let [postgres, sqlite] = shops.map(|shop| open(shop, SEED, now));
    let (postgres, sqlite) = tokio::join!(postgres, sqlite);
    let healthy = same(&postgres.look(now).await, &sqlite.look(now).await, "healthy");
    assert_eq!(troubled(&healthy), BTreeMap::new());

    for fault in ShopFault::all() {
        for shop in [&postgres, &sqlite] {
            shop.execute(&fault.inject(now)).await;
            // Twice is once.
            shop.execute(&fault.inject(now)).await;
        }
        let found = same(&postgres.look(now).await, &sqlite.look(now).await, fault.name());
        let troubled = troubled(&found);
        assert_eq!(troubled.keys().copied().collect::<Vec<_>>(), fault.checks(), "{fault:?}: {troubled:?}");
        for shop in [&postgres, &sqlite] {
            shop.execute(&fault.clear(now)).await;
        }
    }
    let again = same(&postgres.look(now).await, &sqlite.look(now).await, "all taken back");
    assert_eq!(troubled(&again), BTreeMap::new());
    let measures = |found: &BTreeMap<String, Found>| {
        found.values().map(|found| found.measures.clone()).collect::<Vec<_>>()
    };
    // A sync comes with the end of some faults; all else is as it was.
    let (mut before, mut after) = (healthy, again);
    for found in [&mut before, &mut after] {
        found.remove("catalog-sync");
    }
    assert_eq!(measures(&before), measures(&after));
}

/// Both databases must say the same; gives what they said.
fn same(
    postgres: &BTreeMap<String, Found>,
    sqlite: &BTreeMap<String, Found>,
    when: &str,
) -> BTreeMap<String, Found> {
    assert_eq!(postgres.keys().collect::<Vec<_>>(), sqlite.keys().collect::<Vec<_>>());
    for ((name, one), other) in postgres.iter().zip(sqlite.values()) {
        assert_eq!((one.status, &one.reason), (other.status, &other.reason), "{when}: {name}");
        assert_eq!(
            one.measures.keys().collect::<Vec<_>>(),
            other.measures.keys().collect::<Vec<_>>(),
            "{name}"
        );
        for ((measure, one), other) in one.measures.iter().zip(other.measures.values()) {
            let near = (one - other).abs() <= 1e-9 * one.abs().max(1.0);
            assert!(near, "{when}: {name}: {measure} is {one} in PostgreSQL and {other} in SQLite");
        }
    }
    postgres.clone()
}

/// What pages show, beside what the tables hold when they are read another way.
#[tokio::test]
async fn what_pages_show_is_in_the_tables_and_in_their_order() {
    let now = at(NOON);
    for shop in [Shop::postgres("pages").await, Shop::sqlite("pages").await] {
        let shop = open(shop, SEED, now).await;
        let found = shop.look(now).await;
        let table = |check: &str, measure: &str| {
            let rows = found[check].rows.iter().filter(|(name, ..)| name == measure);
            rows.map(|(_, labels, value)| (labels.clone(), *value)).collect::<Vec<_>>()
        };
        let sales = &found["sales"].measures;

        let history = paid_by_day(&shop).await;
        let days = table("sales-history", "orders");
        let expected = (0..30).rev().map(|before| {
            let day = now.to_zoned(TimeZone::get(ZONE).expect("a zone")).date();
            let day = day.saturating_sub(Span::new().days(before)).to_string();
            let (orders, cents) = history.get(&day).copied().unwrap_or_default();
            (vec![day], orders, cents)
        });
        let expected: Vec<_> = expected.collect();
        let orders = expected.iter().map(|(day, orders, _)| (day.clone(), *orders as f64));
        assert_eq!(days, orders.collect::<Vec<_>>());
        for ((_, revenue), (day, _, cents)) in table("sales-history", "revenue_dollars").iter().zip(&expected)
        {
            assert!((revenue * 100.0 - *cents as f64).abs() < 1e-3, "{day:?}: {revenue} and {cents} cents");
        }
        let (yesterday, today) = (&expected[28], &expected[29]);
        assert_eq!(sales["orders_today"], today.1 as f64);
        assert!((sales["revenue_today_dollars"] * 100.0 - today.2 as f64).abs() < 1e-3);
        assert!(sales["orders_yesterday_by_now"] > 0.0);
        assert!(sales["orders_yesterday_by_now"] < yesterday.1 as f64, "the evening is still to come");
        let conversion = sales["conversion_last_day_ratio"];
        assert!((0.8..1.0).contains(&conversion), "{conversion}");

        let orders = shop.rows(r#"select cast(id as text) as id, cast(status as text) as status from orders order by "createdAt" desc limit 10"#).await;
        let orders = orders.iter().map(|row| {
            let (id, status) = (row["id"].as_deref().unwrap_or_default(), row["status"].clone());
            (id[id.len() - 8..].to_owned(), status.unwrap_or_default())
        });
        let shown = table("recent-orders", "order_age_seconds");
        let labels = shown.iter().map(|(labels, _)| (labels[0].clone(), labels[1].clone()));
        assert_eq!(labels.collect::<Vec<_>>(), orders.collect::<Vec<_>>());
        assert!(shown.is_sorted_by_key(|(_, age)| *age) && shown[0].1 >= 0.0, "{shown:?}");

        let stock = table("inventory-by-product", "inventory");
        assert!(stock.len() == 9 && stock.is_sorted_by_key(|(_, left)| *left), "{stock:?}");
        let best = table("sales-by-product", "product_revenue_dollars");
        assert!(best.len() == 12 && best.is_sorted_by(|a, b| a.1 >= b.1), "{best:?}");
    }
}

/// Paid orders and their cents by day of the shop, added up here.
async fn paid_by_day(shop: &Shop) -> BTreeMap<String, (u64, i64)> {
    let zone = TimeZone::get(ZONE).expect("a zone");
    let mut days: BTreeMap<String, (u64, i64)> = BTreeMap::new();
    let sql = r#"select cast("createdAt" as text) as at, cast(round(total * 100) as integer) as cents
        from orders where "paymentStatus" in ('PAID', 'COMPLETED')"#;
    for row in shop.rows(sql).await {
        let text = |column: &str| row[column].as_deref().expect("a value");
        let placed: DateTime = text("at").parse().expect("a time");
        let placed = TimeZone::UTC.to_timestamp(placed).expect("a time");
        let day = days.entry(placed.to_zoned(zone.clone()).date().to_string()).or_default();
        day.0 += 1;
        day.1 += text("cents").parse::<i64>().expect("cents");
    }
    days
}

/// Before its first customer a shop has tables full of nothing, and nothing is wrong with that.
#[tokio::test]
async fn pages_of_an_empty_shop_show_nothing_and_alarm_nobody() {
    let now = at(NOON);
    for shop in [Shop::postgres("empty").await, Shop::sqlite("empty").await] {
        shop.execute(&schema::statements(shop.dialect())).await;
        let found = shop.look(now).await;
        for check in [
            "sales",
            "sales-history",
            "sales-by-product",
            "inventory",
            "inventory-by-product",
            "recent-orders",
        ] {
            assert_eq!((found[check].status, found[check].reason.as_str()), (Status::Ok, ""), "{check}");
        }
        let sales = &found["sales"].measures;
        assert_eq!((sales["orders_today"], sales["revenue_last_week_dollars"]), (0.0, 0.0));
        assert!(!sales.contains_key("conversion_last_day_ratio"), "of nobody there is no share");
        assert_eq!(found["sales-history"].measures.len(), 60);
        assert_eq!(found["recent-orders"].measures.len(), 0);
    }
}

#[tokio::test]
async fn every_business_check_has_a_fault_that_it_finds() {
    let told: BTreeSet<&str> = ShopFault::all().flat_map(ShopFault::checks).copied().collect();
    let shop = open(Shop::sqlite("told").await, SEED, at(NOON)).await;
    let limited = shop.look(at(NOON)).await.into_iter().filter(|(_, found)| found.limited);
    let limited: BTreeSet<String> = limited.map(|(name, _)| name).collect();
    assert_eq!(limited.iter().map(String::as_str).collect::<BTreeSet<_>>(), told);
}

/// Quiet nights, mornings with a customer or two, the change of a day: none of them may alarm anybody.
#[tokio::test]
async fn a_healthy_shop_is_healthy_at_every_hour() {
    for (seed, now) in [
        (1, "2026-01-01T00:00:00Z"),
        (2, "2026-03-02T03:12:00Z"),
        (3, "2026-06-15T06:59:59.999Z"),
        (4, "2026-10-25T18:30:00Z"),
        (5, "2026-12-24T23:59:00Z"),
    ] {
        let shop = open(Shop::sqlite(&format!("hour-{seed}")).await, seed, at(now)).await;
        let found = shop.look(at(now)).await;
        assert_eq!(troubled(&found), BTreeMap::new(), "seed {seed} at {now}");
        assert!(found["sales"].measures["orders_last_day"] > 40.0, "seed {seed} at {now}");
    }
}

#[tokio::test]
async fn one_declined_card_at_night_wakes_nobody() {
    let night = at("2026-03-02T03:12:00Z");
    let shop = open(Shop::sqlite("night").await, 2, night).await;
    let declined = "update \"payments\" set \"status\" = 'FAILED' where \"createdAt\" = \
                    (select max(\"createdAt\") from \"payments\")";
    shop.execute(&[declined.to_owned()]).await;
    let found = shop.look(night).await;
    assert!(found["failed-payments"].measures["failed_payments"] >= 1.0);
    assert_eq!(troubled(&found), BTreeMap::new());
}

/// A shop that opened an hour ago has nothing to judge, and nothing is divided by nothing.
#[tokio::test]
async fn an_almost_empty_shop_alarms_nobody() {
    let now = at(NOON);
    let shop = Shop::sqlite("new").await;
    shop.execute(&schema::statements(shop.dialect())).await;
    shop.execute(&Trade::new(SEED, now - SignedDuration::from_hours(1)).advance(now)).await;
    assert_eq!(troubled(&shop.look(now).await), BTreeMap::new());
}

/// What is written in one go is what is written as time goes on.
#[tokio::test]
async fn a_past_and_a_present_are_the_same_trade() {
    let (opened, now) = (at("2026-03-01T10:00:00Z"), at("2026-03-01T16:00:07Z"));
    let (past, present) = (Shop::sqlite("past").await, Shop::sqlite("present").await);
    for shop in [&past, &present] {
        shop.execute(&schema::statements(shop.dialect())).await;
    }
    past.execute(&Trade::new(SEED, opened).advance(now)).await;
    let mut trade = Trade::new(SEED, opened);
    let mut to = opened;
    while to < now {
        to = now.min(to + SignedDuration::from_secs(37));
        present.execute(&trade.advance(to)).await;
    }
    for table in schema::tables() {
        let sql = format!("select * from \"{table}\" order by 1");
        let (past, present) = (past.rows(&sql).await, present.rows(&sql).await);
        assert_eq!(past, present, "{table}");
        assert!(
            !past.is_empty()
                || ["catering_orders", "refunds", "contact_submissions", "business_metrics"].contains(&table),
            "{table}"
        );
    }
}
