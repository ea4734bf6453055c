//! The shipped checks against the shop's own tables: a healthy shop is healthy, and every fault is told by the checks
//! that are for it and by no other, in PostgreSQL and in SQLite, with the same numbers.

use crate::support::shop::{Found, Shop};
use atalaya::demo::fault::ShopFault;
use atalaya::demo::schema;
use atalaya::demo::trade::{PAST, Trade};
use atalaya::outcome::Status;
use jiff::{SignedDuration, Timestamp};
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
