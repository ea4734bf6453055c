//! The process dies, begins again, is given other definitions: nothing is told twice, nothing is lost.

use super::*;

#[test]
fn what_goes_on_over_a_restart_is_not_told_again() {
    let mut world = World::of(&["site"]);
    world.run("0-20/5 site failed");
    world.restart(1200.0);
    world.run("1205-1230/5 site failed");
    // Escalation was due while nobody was there: a round of runs comes first.
    world.run("1235-1265/5 site failed");
    assert_eq!(world.told(), ["10.5 ops firing page check/site", "1260 boss escalated page check/site"]);
}

#[test]
fn what_ended_while_nobody_was_there_is_told() {
    let mut world = World::of(&["site"]);
    world.run("0-20/5 site failed");
    world.restart(3600.0);
    world.run("3605-3630/5 site ok");
    assert_eq!(world.told(), ["10.5 ops firing page check/site", "3610.5 ops resolved page check/site"]);
    assert!(world.rows.keys().all(|key| !key.starts_with("gap/")));
}

#[test]
fn what_was_promised_and_not_told_is_told_by_the_next_process() {
    let mut world = World::of(&["site"]);
    for second in [0.0, 5.0, 10.0] {
        world.fact(second, ran("site", Status::Failed, "refused"));
    }
    assert!(world.notices.is_empty() && world.rows[&Arc::from("check/site")].contains("to_tell"));
    world.restart(60.0);
    let [told] = &world.notices[..] else { panic!("{:?}", world.notices) };
    assert_eq!((told.kind, told.alerts[0].fired), (Kind::Firing, moment(10.0)));
    let id = told.id.clone();
    // The same again from the same rows: a repeat has the same id.
    let mut again = World::of(&["site"]);
    for second in [0.0, 5.0, 10.0] {
        again.fact(second, ran("site", Status::Failed, "refused"));
    }
    again.run("12 .");
    assert_eq!(again.notices[0].id, id);
}

#[test]
fn absence_is_judged_after_a_round_only() {
    let mut world = World::new(vec![watched("hourly", 3600, &[])], alerting());
    world.run("0 hourly ok");
    world.restart(90_000.0);
    world.run("91000 .\n100000 .");
    assert_eq!(world.told(), Vec::<String>::new());
    world.run("101000 .");
    assert_eq!(world.told(), ["100860 team firing ticket gap/hourly"]);
}

#[test]
fn who_was_suspended_misses_nobody() {
    let mut world = World::of(&["site"]);
    world.run("0-20/5 site ok");
    // Nothing happened for an hour: no tick, no run.
    for second in [3600.0, 3601.0, 3605.0] {
        world.engine.apply(&Fact { at: moment(second), what: What::Tick });
        world.now = moment(second);
        world.drain();
    }
    world.run("3610-3650/5 site ok");
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn an_edit_forgets_nothing() {
    let mut world = World::of(&["site"]);
    world.run("0-20/5 site failed");
    let mut edited = watched("site", 10, &[]);
    edited.title = "The whole site".to_owned();
    edited.alert.attempts = 5;
    world.replan(vec![edited, watched("shop", 5, &[])], alerting());
    world.run("25-60/5 site failed\n65-70/5 site ok");
    assert_eq!(world.told(), ["10.5 ops firing page check/site", "70.5 ops resolved page check/site"]);
}

#[test]
fn the_alert_of_what_is_no_longer_defined_ends_and_says_so() {
    let mut world = World::of(&["site", "shop"]);
    world.run("0-20/5 site failed\n0-20/5 shop failed");
    world.replan(vec![watched("shop", 5, &[])], alerting());
    world.run("25 shop failed");
    assert_eq!(
        world.notices.iter().map(show).collect::<Vec<_>>(),
        ["10.5 ops firing page check/shop,check/site", "21.4 ops resolved page check/site"]
    );
    let evidence = &world.notices[1].alerts[0].evidence;
    assert_eq!(evidence, &["it is no longer defined, so nobody looks any more"]);
    assert!(!world.rows.contains_key("check/site"), "{:?}", world.rows);

    // The same when the definition went while nobody was there.
    let mut world = World::of(&["site"]);
    world.run("0-20/5 site failed");
    world.watched = vec![];
    world.restart(30.0);
    world.run("31 .");
    assert_eq!(world.told(), ["10.5 ops firing page check/site", "30.5 ops resolved page check/site"]);
}

#[test]
fn a_contact_that_is_gone_is_not_told_and_one_that_is_named_now_is() {
    let mut world = World::of(&["site"]);
    world.run("0-20/5 site failed");
    let mut other = alerting();
    other.contacts.remove("ops");
    other.policy.page.to = vec!["boss".into()];
    world.replan(vec![watched("site", 5, &[])], other);
    world.run("25 site failed\n30-35/5 site ok");
    assert_eq!(
        world.told(),
        [
            "10.5 ops firing page check/site",
            "21.4 boss firing page check/site",
            "35.5 boss resolved page check/site"
        ]
    );
}

/// A first process tells that the site is down; a second one can't read that, and what it finds is `meanwhile`.
fn store_opens_late(meanwhile: &str) -> World {
    let mut before = World::of(&["site"]);
    before.run("0-20/5 site failed");
    assert_eq!(before.told(), ["10.5 ops firing page check/site"]);
    let mut world = World::of(&["site"]);
    world.now = moment(30.0);
    world.engine.apply(&Fact { at: world.now, what: What::Started });
    world.run(meanwhile);
    let rows: Vec<_> = before.rows.iter().map(|(key, state)| (key.clone(), state.clone())).collect();
    assert_eq!(world.engine.restore(&rows, vec![]), Vec::<String>::new());
    world.drain();
    world
}

/// The episodes of what was told, in seconds.
fn told_episodes(world: &World) -> Vec<(Kind, String)> {
    world.notices.iter().map(|notice| (notice.kind, notice.alerts[0].episode.clone())).collect()
}

#[test]
fn a_store_that_opens_late_brings_back_the_episode_that_people_know() {
    let episode = |seconds: f64| format!("check/site@{}", moment(seconds).as_millisecond());
    let mut world = store_opens_late("35-60/5 site failed");
    assert_eq!(
        told_episodes(&world),
        [(Kind::Firing, episode(45.0)), (Kind::Resolved, episode(45.0))],
        "what the second process told has its end"
    );
    assert_eq!(world.notices[1].thread, world.notices[0].id);
    assert_eq!(world.view("check/site").now.episode, episode(10.0));
    world.run("65-75/5 site failed\n80-85/5 site ok");
    assert_eq!(told_episodes(&world)[2..], [(Kind::Resolved, episode(10.0))], "and so has the first");
    assert!(world.notices[2].thread != world.notices[0].id);
    assert!(world.engine.alerts().is_empty());
    let ended = |seconds: f64| {
        let mut rows = world.episodes.iter().filter(|row| row.episode == episode(seconds));
        rows.next_back().is_some_and(|row| row.ended.is_some())
    };
    assert!(ended(10.0) && ended(45.0), "{:?}", world.episodes);
}

#[test]
fn a_store_that_opens_late_forgets_nothing_that_was_seen_meanwhile() {
    let mut world = store_opens_late("35-60/5 site ok");
    world.run("65-70/5 site ok");
    assert_eq!(world.told(), ["65.5 ops resolved page check/site"], "it is well, and was for long enough");
    let mut world = store_opens_late("35-40/5 site failed\n45-60/5 site ok");
    world.run("65-70/5 site ok");
    assert_eq!(world.told(), ["65.5 ops resolved page check/site"]);
}

/// Nobody has a way to `ops`, which escalates to nobody.
fn without_channel() -> World {
    let mut unreachable = alerting();
    let ops = unreachable.contacts.get_mut("ops").expect("a contact");
    ops.channels.clear();
    ops.escalate.clear();
    World::new(vec![watched("site", 5, &[])], unreachable)
}

#[test]
fn a_contact_without_a_channel_is_told_when_it_has_one() {
    let mut world = without_channel();
    world.run("0-7300/5 site failed");
    assert_eq!(world.told(), Vec::<String>::new(), "and no tick is due because of it");
    assert!(world.rows["check/site"].contains("to_tell"), "{:?}", world.rows);
    world.restart(7301.0);
    let mut mended = alerting();
    mended.contacts.get_mut("ops").expect("a contact").escalate.clear();
    world.replan(vec![watched("site", 5, &[])], mended);
    world.run("7305-7400/5 site failed\n7405-7410/5 site ok");
    assert_eq!(world.told(), ["7301 ops firing page check/site", "7410.5 ops resolved page check/site"]);
}

#[test]
fn a_contact_without_a_channel_is_not_told_of_what_is_over() {
    let mut world = without_channel();
    world.run("0-60/5 site failed\n65-90/5 site ok");
    assert!(world.engine.alerts().is_empty(), "nothing waits for a channel");
    world.replan(vec![watched("site", 5, &[])], alerting());
    world.run("95-120/5 site ok");
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn a_page_that_reaches_nobody_goes_to_whom_it_escalates() {
    let mut unreachable = alerting();
    unreachable.contacts.get_mut("ops").expect("a contact").channels.clear();
    let mut world = World::new(vec![watched("site", 5, &[])], unreachable);
    world.run("0-60/5 site failed\n65-90/5 site ok");
    assert_eq!(world.told(), ["10.5 boss firing page check/site", "70.5 boss resolved page check/site"]);
}

#[test]
fn a_row_that_nobody_can_read_is_told_to_the_log_and_replaced() {
    let mut engine = Engine::new(vec![watched("site", 5, &[])], Arc::new(alerting()));
    let rows = [(Arc::from("check/site"), "{".to_owned()), (Arc::from("contact/ops"), "7".to_owned())];
    let unread = engine.restore(&rows, vec![]);
    assert_eq!(unread.len(), 2, "{unread:?}");
    assert!(unread[0].starts_with("the state of the alert check/site can't be read and is forgotten: EOF"));
    let rows: Vec<_> = engine.drain(moment(0.0)).alerts.into_iter().map(|row| (row.key, row.state)).collect();
    assert_eq!(rows, [(Arc::from("check/site"), None), (Arc::from("contact/ops"), None)]);
}
