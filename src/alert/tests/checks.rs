//! One check: firing, its end, severities, flapping, gaps, grouping, reminders, escalation.

use super::*;
use crate::alert::Kind;
use crate::fact::Acknowledgement;

#[test]
fn an_outage_is_told_once_and_its_end_once() {
    check(
        || World::of(&["site"]),
        "0-10/5 site ok
         15-60/5 site failed
         65-80/5 site ok",
        &["25.5 ops firing page check/site", "70.5 ops resolved page check/site"],
    );
}

#[test]
fn a_second_outage_eighty_seconds_later_is_another_one() {
    check(
        || World::of(&["site"]),
        "0-60/5 site failed
         65-140/5 site ok
         145-205/5 site failed
         210-300/5 site ok",
        &[
            "10.5 ops firing page check/site",
            "70.5 ops resolved page check/site",
            "155.5 ops firing page check/site",
            "215.5 ops resolved page check/site",
        ],
    );
}

#[test]
fn less_than_three_failures_in_a_row_are_told_to_nobody() {
    check(
        || World::of(&["site"]),
        "0-5/5 site failed
         10 site ok
         15-20/5 site failed
         25-60/5 site ok",
        &[],
    );
}

#[test]
fn what_nobody_knows_neither_counts_nor_resets() {
    check(
        || World::of(&["site"]),
        "0-5/5 site failed
         10-15/5 site unknown
         20 site failed
         25-40/5 site unknown
         45 site ok
         50 site unknown
         55 site ok",
        &["20.5 ops firing page check/site", "55.5 ops resolved page check/site"],
    );
}

#[test]
fn what_is_over_before_it_was_told_is_one_message_for_a_page_and_none_for_a_ticket() {
    let fast = || {
        let mut site = watched("site", 1, &[]);
        (site.alert.attempts, site.alert.recoveries) = (1, 1);
        World::new(vec![site], alerting())
    };
    check(fast, "0 site failed\n0.2 site ok\n10 . ", &["0.7 ops merged resolved page check/site"]);
    check(fast, "0 site degraded\n30 site ok\n50 site ok", &[]);
    // Ill again before its end was told: nothing has ended.
    check(fast, "0 site failed\n1 site ok\n1.2 site failed\n10 .", &["0.5 ops firing page check/site"]);
}

#[test]
fn degraded_is_a_ticket_that_rises_to_a_page_without_waiting() {
    check(
        || World::of(&["site"]),
        "0-100/5 site degraded
         105-115/5 site failed
         120-130/5 site degraded
         135-145/5 site failed
         150-160/5 site ok",
        &[
            "70 team firing ticket check/site",
            "115 ops escalated page check/site",
            "155.5 ops resolved page check/site",
            "155.5 team resolved page check/site",
        ],
    );
}

#[test]
fn what_it_says_is_what_was_seen() {
    let mut world = World::of(&["site"]);
    world.run("0 site ok\n3 site failed refused\n8-13/5 site failed connection refused by 127.0.0.1:1");
    world.run("18 site failed timeout\n23-28/5 site ok\n30 .");
    let [fired, resolved] = &world.notices[..] else { panic!("{:?}", world.notices) };
    let (began, end) = (&fired.alerts[0], &resolved.alerts[0]);
    assert_eq!(began.summary, "connection refused by 127.0.0.1:1");
    assert_eq!(began.evidence, ["failed 3 times in a row since 10:00:03 UTC"]);
    assert_eq!((began.began, began.fired, began.ended), (moment(3.0), moment(13.0), None));
    assert_eq!(began.episode, format!("check/site@{}", moment(13.0).as_millisecond()));
    assert_eq!(end.ended, Some(moment(23.0)), "well again with the first good run");
    assert_eq!((&end.episode, &resolved.thread), (&began.episode, &fired.id));
    assert_eq!(fired.thread, fired.id);
    let labels: Vec<String> = began.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let expected =
        ["alertname=CheckFailing", "check=site", "key=check/site", "section=shop", "severity=page"];
    assert_eq!(labels, expected);
    let history: Vec<_> = world.episodes.iter().map(|row| (row.fired, row.ended)).collect();
    assert_eq!(history, [(moment(13.0), None), (moment(13.0), Some(moment(23.0)))]);
    // While it goes on, the last words are the latest ones.
    world.run("33-43/5 site failed refused\n48-60/5 site failed timeout");
    assert_eq!(world.view("check/site").now.summary, "timeout");
}

#[test]
fn what_fails_at_once_is_hurried_and_told_in_one_message() {
    let names: Vec<String> = (0..10).map(|n| format!("t{n}")).collect();
    let mut world = World::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let lines = |names: &[String], second: &str| {
        names.iter().map(|name| format!("{second} {name} failed")).collect::<Vec<_>>().join("\n")
    };
    let at = |second: &str| lines(&names, second);
    let others = |second: &str| lines(&names[1..], second);
    world.run(
        &[&at("0"), "5 t0 failed\n10 t0 failed", &others("10.1"), &others("10.2")]
            .map(str::to_owned)
            .join("\n"),
    );
    let asked: Vec<_> = world.hurried.iter().map(|(at, names)| (*at, names.len())).collect();
    assert_eq!(asked[0], (moment(10.0), 9), "all the others");
    assert_eq!(asked[1..], vec![(moment(10.1), 1); 9], "each again when it is still soft");
    let keys = names.iter().map(|name| format!("check/{name}")).collect::<Vec<_>>().join(",");
    assert_eq!(world.told(), [format!("10.5 ops firing page {keys}")]);
    world.run(&at("25-30/5").replace("failed", "ok"));
    assert_eq!(world.told(), [format!("30.5 ops resolved page {keys}")]);
}

#[test]
fn after_more_than_ten_in_a_minute_the_rest_is_one_summary() {
    storm(false);
    storm(true);
}

fn storm(always_killed: bool) {
    let names: Vec<String> = (0..60).map(|n| format!("t{n:02}")).collect();
    let mut world = World::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    world.always_killed = always_killed;
    for (n, name) in (0_u32..).zip(&names) {
        let at = f64::from(n);
        world.run(&format!("{at} {name} failed\n{} {name} failed\n{} {name} failed", at + 0.1, at + 0.2));
    }
    world.run("130 .");
    let told = world.told();
    assert_eq!(told.iter().filter(|notice| notice.contains(" ops firing ")).count(), 12, "{told:#?}");
    let last = told.iter().rfind(|notice| notice.contains(" ops firing ")).expect("a summary");
    assert!(
        last.starts_with("71.2 ops firing page check/t11,") && last.ends_with(",check/t30 +29"),
        "{last}"
    );
    // Everybody who is told of the beginning is told of the end, in the thread of it.
    for name in &names {
        world.run(&format!("140 {name} ok\n140 {name} ok"));
    }
    world.run("150 .");
    let ends: usize = world
        .notices
        .iter()
        .filter(|n| n.kind == Kind::Resolved && n.contact == "ops")
        .map(|n| n.alerts.len() + n.more as usize)
        .sum();
    assert_eq!(ends, 60);
}

#[test]
fn what_goes_on_is_reminded_less_and_less_often() {
    let mut world = World::of(&["site"]);
    world.run("0-220000/60 site failed");
    let hours: Vec<String> = world
        .notices
        .iter()
        .filter(|notice| notice.kind == Kind::Reminder && notice.contact == "ops")
        .map(|notice| format!("{:.1}", notice.at.duration_since(moment(120.5)).as_secs_f64() / 3600.0))
        .collect();
    // Ten, and then one a day.
    let expected = ["1.0", "3.0", "7.0", "11.0", "15.0", "19.0", "23.0", "27.0", "31.0", "35.0", "59.0"];
    assert_eq!(hours, expected);
}

#[test]
fn a_page_that_nobody_acknowledges_goes_to_the_next() {
    check(
        || World::of(&["site"]),
        "0-1000/5 site failed\n1005-1010/5 site ok\n1020 .",
        &[
            "10.5 ops firing page check/site",
            "910.5 boss escalated page check/site",
            "1010.5 boss resolved page check/site",
            "1010.5 ops resolved page check/site",
        ],
    );
}

fn acknowledge(alert: &str) -> What {
    What::Acknowledged(Acknowledgement {
        alert: alert.to_owned(),
        by: "ana".to_owned(),
        comment: "on it".to_owned(),
    })
}

#[test]
fn an_acknowledgement_ends_reminders_and_escalation_for_a_day() {
    let mut world = World::of(&["site"]);
    world.always_killed = true;
    world.run("0-300/5 site failed");
    world.fact(300.0, acknowledge("site"));
    assert_eq!(world.view("check/site").now.acknowledged_by.as_deref(), Some("ana"));
    world.run("360-90000/60 site failed");
    assert_eq!(
        world.told(),
        ["10.5 ops firing page check/site", "86700 ops reminder page check/site"]
            .into_iter()
            .chain(["86700 boss escalated page check/site"])
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
}

#[test]
fn an_acknowledgement_says_nothing_of_what_gets_graver_or_comes_again() {
    let mut world = World::of(&["site"]);
    world.run("0-100/5 site degraded");
    world.fact(100.0, acknowledge("check/site"));
    world.run("105-115/5 site failed");
    assert_eq!(world.view("check/site").acknowledged, None);
    world.fact(116.0, acknowledge("check/site"));
    world.run("120-130/5 site ok\n135-145/5 site failed\n1100 site failed");
    assert_eq!(
        world.told(),
        [
            "70 team firing ticket check/site",
            "115 ops escalated page check/site",
            "125.5 ops resolved page check/site",
            "125.5 team resolved page check/site",
            "145.5 ops firing page check/site",
            "265 team firing ticket gap/site",
            "1045.5 boss escalated page check/site",
        ]
    );
}

#[test]
fn an_acknowledgement_of_what_is_not_there_says_what_is() {
    let mut world = World::of(&["site", "shop"]);
    let ask = |world: &mut World, alert: &str| {
        let What::Acknowledged(asked) = acknowledge(alert) else { panic!("not an acknowledgement") };
        world.engine.acknowledge(world.now, &asked)
    };
    assert_eq!(ask(&mut world, "x"), Err("no alert `x` is firing; firing: none is".to_owned()));
    world.run("0-20/5 site failed\n0-20/5 shop failed\n90 shop failed");
    let firing = "check/shop, check/site, gap/site";
    assert_eq!(ask(&mut world, "x"), Err(format!("no alert `x` is firing; firing: {firing}")));
    let several = "`site` is the name of several alerts: check/site, gap/site; give the key of one";
    assert_eq!(ask(&mut world, "site"), Err(several.to_owned()));
    assert_eq!(ask(&mut world, "shop"), Ok(vec![Key("check/shop".into())]));
}

#[test]
fn what_keeps_changing_is_told_as_such_and_then_as_it_is() {
    let flap = |at| format!("{at}-{}/5 site failed\n{}-{}/5 site ok", at + 10, at + 15, at + 20);
    let flaps = (0..12).map(|n| flap(n * 25)).collect::<Vec<_>>().join("\n");
    let mut world = World::of(&["site"]);
    world.always_killed = true;
    world.run(&flaps).run("300-500/5 site ok");
    let told = world.told();
    assert_eq!(told.iter().filter(|notice| notice.contains("flapping")).count(), 1, "{told:#?}");
    let from = told.iter().position(|notice| notice.contains("flapping")).expect("told");
    assert_eq!(told.len(), from + 2, "between the two nothing is told: {told:#?}");
    assert!(told[from + 1].contains(" resolved page check/site"), "{told:#?}");

    let mut world = World::of(&["site"]);
    world.run(&flaps).run("300-500/5 site failed");
    let told = world.told();
    let last = told.last().expect("told");
    assert!(last.contains(" reminder page check/site"), "{told:#?}");
    assert!(!world.view("check/site").flapping && world.view("check/site").now.flaps > 3);
}

#[test]
fn a_reminder_that_it_flaps_no_more_has_the_id_of_no_other_reminder() {
    let flap = |at| format!("{at}-{}/5 site failed\n{}-{}/5 site ok", at + 10, at + 15, at + 20);
    let flaps = (0..12).map(|n| flap(n * 25)).collect::<Vec<_>>().join("\n");
    let mut world = World::new(vec![watched("site", 365 * 86_400, &[])], alerting());
    world.run(&flaps).run("300-500/5 site failed");
    world.wait_until(moment(20.0 * 86_400.0));
    let flaps = world.view("check/site").now.flaps as usize;
    let reminders =
        world.notices.iter().filter(|notice| notice.kind == Kind::Reminder && notice.contact == "ops");
    let ids: Vec<&str> = reminders.map(|notice| notice.id.as_str()).collect();
    assert!(flaps > 3 && ids.len() > flaps + 1, "{flaps} {ids:?}");
    let distinct: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
}

#[test]
fn what_is_not_measured_is_a_ticket_of_its_own() {
    let mut world = World::of(&["site"]);
    world.run("0-20/5 site failed\n25-200/5 site unknown no file descriptor left");
    assert_eq!(world.told(), ["10.5 ops firing page check/site", "140 team firing ticket gap/site"]);
    assert_eq!(world.view("gap/site").now.summary, "no file descriptor left");
    let mut world = World::new(vec![watched("hourly", 3600, &[])], alerting());
    world.run("0 hourly ok\n3600 hourly ok\n20000 .");
    assert_eq!(world.told(), ["14460 team firing ticket gap/hourly"]);
    assert_eq!(world.view("gap/hourly").now.summary, "it was due and did not run");
    world.run("20001 hourly ok\n20100 .");
    assert_eq!(world.told(), ["20061 team resolved ticket gap/hourly"]);
}

#[test]
fn a_part_of_the_agent_that_is_ill_fires_at_once() {
    let mut alerting = alerting();
    let own = |part: &str, well| What::Own { part: part.into(), well, text: "disk full".to_owned() };
    alerting.policy.ticket.wait = Duration::from_secs(1);
    let mut world = World::new(vec![], alerting);
    world.fact(0.0, own("store", false));
    world.fact(1.0, own("store", false));
    world.fact(2.0, own("store", true));
    world.fact(3.0, own("store", true));
    world.run("9 .");
    assert_eq!(world.told(), ["0.5 ops firing page agent/store", "2.5 ops resolved page agent/store"]);
    assert!(world.rows.keys().all(|key| key.starts_with("contact/")), "{:?}", world.rows);
}

#[test]
fn who_waits_for_a_job_and_can_not_say_yet_has_looked() {
    let mut job = watched("job", 5, &[]);
    job.waits = true;
    let mut world = World::new(vec![job, watched("site", 5, &[])], alerting());
    world.run("0-300/5 job unknown no success heard yet\n0-300/5 site unknown out of files");
    assert_eq!(world.told(), ["120 team firing ticket gap/site"]);
    // What is the agent's own trouble is a gap there too.
    let trouble = crate::fact::Ran { class: Some(crate::outcome::Class::Internal), ..look("job") };
    for second in (305..500).step_by(5) {
        world.fact(f64::from(second), What::Ran(trouble.clone()));
    }
    assert_eq!(world.told(), ["420 team firing ticket gap/job"]);
    world.run("500-600/5 job unknown no success heard yet");
    assert_eq!(world.told(), ["560 team resolved ticket gap/job"]);
}

fn look(check: &str) -> crate::fact::Ran {
    let What::Ran(ran) = ran(check, Status::Unknown, "no success heard yet") else { unreachable!("a run") };
    ran
}
