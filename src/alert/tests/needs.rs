//! What needs what: the cause is told, and what follows from it is not. The network is what everything needs.

use super::*;

/// The site needs the database.
fn shop() -> World {
    World::new(vec![watched("database", 5, &[]), watched("site", 5, &["database"])], alerting())
}

#[test]
fn the_cause_is_told_and_what_follows_is_not() {
    check(
        shop,
        "0 database ok
         0 site ok
         4-60/5 site failed
         5-60/5 database failed
         65-120/5 database ok
         69-120/5 site ok",
        &["15.5 ops firing page check/database", "70.5 ops resolved page check/database"],
    );
    let mut world = shop();
    world.run("4-60/5 site failed\n5-60/5 database failed");
    let site = world.view("check/site");
    assert_eq!(site.now.cause.as_deref(), Some("Database (which this needs) has failed since 10:00:05 UTC"));
    assert_eq!(site.held, site.now.cause);
    assert!(site.told.is_empty());
}

#[test]
fn what_is_still_down_when_its_cause_is_gone_is_told_after_its_own_attempts() {
    check(
        shop,
        "5-60/5 database failed
         9-90/5 site failed
         65-100/5 database ok
         94-100/5 site ok",
        &[
            "15.5 ops firing page check/database",
            "70.5 ops resolved page check/database",
            "84.5 ops firing page check/site",
            "99.5 ops resolved page check/site",
        ],
    );
}

#[test]
fn one_failure_of_what_it_needs_keeps_back_too() {
    check(
        shop,
        "0-10/5 site failed
         9 database failed
         14-40/5 database ok
         15-40/5 site failed",
        &["25.5 ops firing page check/site"],
    );
}

/// The database is looked at every 30 seconds; the site goes down with one failure.
fn slow_cause() -> World {
    let mut site = watched("site", 5, &["database"]);
    site.alert.attempts = 1;
    World::new(vec![watched("database", 30, &[]), site], alerting())
}

#[test]
fn who_cannot_know_yet_asks_the_cause_to_hurry_and_waits_for_it() {
    let mut world = slow_cause();
    world.run("0 database ok\n3 site failed");
    assert_eq!(world.hurried, [(moment(3.0), vec![Arc::from("database")])]);
    assert_eq!(world.told(), Vec::<String>::new());
    world.run("4.5 database ok");
    assert_eq!(world.told(), ["4.5 ops firing page check/site"], "it is not the database");

    check(slow_cause, "0 database ok\n3 site failed\n4.5 database failed\n9 site failed", &[]);
    check(
        slow_cause,
        "0 database ok\n3-50/5 site failed",
        &["43 ops firing page check/site"], // 30 s until the next look at the cause, and 10 s of grace.
    );
    check(slow_cause, "5 database ok\n4-9/5 site failed", &["5 ops firing page check/site"]);
    check(
        slow_cause,
        "0 database ok\n3 site failed\n5 site ok\n10 site ok\n12 .",
        &["10.5 ops merged resolved page check/site"],
    );
}

#[test]
fn the_gravest_cause_is_found_through_others() {
    let all = || {
        let names: [(&str, &[&str]); 3] = [("database", &[]), ("api", &["database"]), ("site", &["api"])];
        World::new(names.map(|(name, needs)| watched(name, 5, needs)).to_vec(), alerting())
    };
    check(
        all,
        "0-100/5 site failed
         1-100/5 api failed
         2-100/5 database failed",
        &["12.5 ops firing page check/database"],
    );
}

/// Two checks tell of the network, five others look at the shop.
fn far() -> World {
    let names = ["gateway", "resolver", "a", "b", "c", "d", "e"];
    let mut alerting = alerting();
    alerting.policy.network = vec!["gateway".into(), "resolver".into()];
    World::new(names.map(|name| watched(name, 5, &[])).to_vec(), alerting)
}

fn shop_runs(script: &str) -> String {
    ["a", "b", "c", "d", "e"].map(|name| script.replace('*', name)).join("\n")
}

#[test]
fn a_watcher_that_is_offline_says_only_that() {
    let script = "0 gateway ok\n0 resolver ok\n".to_owned()
        + &shop_runs("0 * ok\n6-300/5 * failed\n306-360/5 * ok")
        + "\n7-300/5 gateway failed\n8-300/5 resolver failed\n305-360/5 gateway ok\n306-360/5 resolver ok";
    check(far, &script, &["17.5 ops firing page agent/offline", "310.5 ops resolved page agent/offline"]);
}

#[test]
fn what_was_told_before_stays_as_it_is_while_the_watcher_is_offline() {
    let script = shop_runs("0-300/5 * ok").replace("0-300/5 a ok", "0-60/5 a failed\n61-300/5 a ok")
        + "\n300-310/5 a ok\n0-60/5 gateway ok\n0-60/5 resolver ok
        61-300/5 gateway failed\n61-300/5 resolver failed\n301-400/5 gateway ok\n301-400/5 resolver ok";
    let mut world = far();
    world.run(&script);
    let told = [
        "10.5 ops firing page check/a",
        "71.5 ops firing page agent/offline",
        "306.5 ops resolved page agent/offline",
        "310.5 ops resolved page check/a",
    ];
    assert_eq!(world.told(), told);
}

#[test]
fn what_is_still_down_when_the_watcher_is_online_again_is_told_after_its_own_attempts() {
    let script = "0-5/5 gateway ok\n0-5/5 resolver ok\n6-100/5 a failed
        7-30/5 gateway failed\n8-30/5 resolver failed\n32-100/5 gateway ok\n33-100/5 resolver ok";
    let mut world = far();
    world.run(script);
    let told = [
        "17.5 ops firing page agent/offline",
        "37.5 ops resolved page agent/offline",
        "51.5 ops firing page check/a",
    ];
    assert_eq!(world.told(), told);
}

#[test]
fn one_of_the_network_that_fails_is_an_alert_like_any_other() {
    let mut world = far();
    world.run("0-60/5 gateway failed\n1-60/5 resolver ok\n2-60/5 a failed");
    assert_eq!(world.told(), ["10.5 ops firing page check/gateway", "12.5 ops firing page check/a"]);
}

#[test]
fn a_blink_of_the_network_is_told_to_nobody() {
    let script = "0 gateway ok\n0 resolver ok\n5 gateway failed\n6 resolver failed\n".to_owned()
        + &shop_runs("4-9/5 * failed\n14-60/5 * ok")
        + "\n10-60/5 gateway ok\n11-60/5 resolver ok";
    check(far, &script, &[]);
}

#[test]
fn nothing_is_missed_by_who_could_not_see() {
    let mut world = far();
    let script = "0 gateway ok\n0 resolver ok\n".to_owned()
        + &shop_runs("0 * ok")
        + "\n5-600/5 gateway failed\n5-600/5 resolver failed\n605-660/5 gateway ok\n605-660/5 resolver ok";
    world.run(&script);
    let told = world.told();
    assert_eq!(told, ["15.5 ops firing page agent/offline", "610.5 ops resolved page agent/offline"]);
}

#[test]
fn what_rose_and_fell_while_it_was_kept_back_is_told_as_graver_once_and_when_it_is() {
    let mut world = shop();
    world.run(
        "0-95/5 database ok
         1-96/5 site degraded
         100-160/5 database failed
         101-121/5 site failed
         126-161/5 site degraded
         165-400/5 database ok
         166-250/5 site degraded
         251-301/5 site failed
         305-320/5 site ok",
    );
    let told = world.told();
    assert_eq!(told[0], "71 team firing ticket check/site");
    let escalated: Vec<&String> = told.iter().filter(|notice| notice.contains(" escalated ")).collect();
    assert_eq!(escalated, ["261 ops escalated page check/site"], "{told:#?}");
    let ended = told.iter().filter(|notice| notice.contains(" resolved ") && notice.ends_with("check/site"));
    assert_eq!(ended.count(), 2, "{told:#?}");
}

#[test]
fn who_needs_what_fails_now_and_then_is_told_in_the_end() {
    let ticket = |kind: &str| format!("team {kind} ticket check/b");
    let make = || World::new(vec![watched("a", 15, &[]), watched("b", 5, &["a"])], alerting());
    let mut world = make();
    // Never three times in a row, and never well for the minute that a ticket waits.
    world.run("0-600/45 a failed\n15-600/45 a ok\n30-600/45 a ok\n0-600/5 b degraded");
    let told = world.told();
    assert!(told.len() == 1 && told[0].ends_with(&ticket("firing")), "{told:?}");
    world.run("605-615/5 b ok\n700 .");
    let told = world.told();
    assert!(told.len() == 1 && told[0].ends_with(&ticket("resolved")), "{told:?}");
}
