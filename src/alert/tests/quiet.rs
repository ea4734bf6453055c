//! Told not to tell: silences and maintenance. And the wall clock, which may jump.

use super::*;
use crate::config::alerting::{Begins, Maintenance};
use crate::fact::{Is, Matcher};
use jiff::tz::TimeZone;

/// `check=site`, between two seconds.
pub(super) fn silence(matcher: &str, from: f64, until: f64) -> Silence {
    let (label, value) = matcher.split_once('=').expect("LABEL=VALUE");
    Silence {
        id: format!("{matcher} {from}"),
        matchers: vec![Matcher { label: label.to_owned(), is: Is::Equal, value: value.to_owned() }],
        from: moment(from),
        until: moment(until),
        by: "ana".to_owned(),
        comment: "moving house".to_owned(),
    }
}

fn silenced(matcher: &str, from: f64, until: f64) -> World {
    let mut world = World::of(&["site"]);
    world.always_killed = true;
    world.fact(0.0, What::Silenced(silence(matcher, from, until)));
    world
}

#[test]
fn what_is_silenced_is_told_when_the_silence_ends_and_it_still_fires() {
    let script = "0-100/5 site failed";
    let mut world = silenced("check=site", 0.0, 60.0);
    assert_eq!(world.run(script).told(), ["60.5 ops firing page check/site"]);
    assert_eq!(world.silences.len(), 1, "to be written");
    assert_eq!(silenced("severity=page", 0.0, 60.0).run(script).told(), ["60.5 ops firing page check/site"]);
    assert_eq!(silenced("check=shop", 0.0, 60.0).run(script).told(), ["10.5 ops firing page check/site"]);
    assert_eq!(silenced("check=site", 30.0, 60.0).run(script).told(), ["10.5 ops firing page check/site"]);
}

#[test]
fn nobody_hears_of_what_began_and_ended_in_silence() {
    let mut world = silenced("check=site", 0.0, 60.0);
    world.run("0-40/5 site failed");
    let view = world.view("check/site");
    assert_eq!(view.held.as_deref(), Some("silenced by ana until 10:01:00 UTC"));
    world.run("45-100/5 site ok");
    assert_eq!(world.told(), Vec::<String>::new());
    assert_eq!(world.episodes.len(), 2, "it is recorded all the same");
}

#[test]
fn whoever_knows_of_the_beginning_hears_of_the_end_in_silence_too() {
    let mut world = World::of(&["site"]);
    world.run("0-20/5 site failed");
    world.fact(21.0, What::Silenced(silence("check=site", 21.0, 600.0)));
    world.run("25-40/5 site ok");
    assert_eq!(world.told(), ["10.5 ops firing page check/site", "30.5 ops resolved page check/site"]);
}

#[test]
fn a_silence_that_is_ended_by_hand_ends_at_once() {
    let mut world = silenced("check=site", 0.0, 600.0);
    world.run("0-40/5 site failed");
    let id = world.engine.silences()[0].id.clone();
    world.fact(42.0, What::SilenceEnded { id: id.clone(), by: "ana".to_owned() });
    world.run("45-60/5 site failed");
    assert_eq!(world.told(), ["42.5 ops firing page check/site"]);
    assert_eq!(world.silences[&id].until, moment(42.0), "as it is written");
    assert!(world.engine.silences().is_empty());
}

#[test]
fn what_gets_graver_is_no_longer_what_was_silenced() {
    let mut world = silenced("severity=ticket", 0.0, 600.0);
    world.run("0-100/5 site degraded\n105-120/5 site failed");
    assert_eq!(world.told(), ["115.5 ops firing page check/site"]);
}

fn maintained(from: f64, lasts: u64, of: &[&str], sections: &[&str]) -> World {
    let maintenance = Maintenance {
        name: "move".into(),
        title: "Moving house".to_owned(),
        begins: Begins::Once(moment(from)),
        lasts: Duration::from_secs(lasts),
        zone: TimeZone::UTC,
        of: of.iter().map(|of| Arc::from(*of)).collect(),
        sections: sections.iter().map(|section| (*section).to_owned()).collect(),
    };
    let alerting = Alerting { maintenance: vec![maintenance], ..alerting() };
    World::new(vec![watched("site", 5, &[])], alerting)
}

#[test]
fn what_fails_in_maintenance_is_told_after_it_if_it_still_does() {
    let script = "0-100/5 site failed\n105-110/5 site ok";
    let told = ["60.5 ops firing page check/site", "110.5 ops resolved page check/site"];
    check(|| maintained(0.0, 60, &[], &[]), script, &told);
    check(|| maintained(0.0, 60, &["site"], &[]), script, &told);
    check(|| maintained(0.0, 60, &[], &["shop"]), script, &told);
    let at_once = ["10.5 ops firing page check/site", "110.5 ops resolved page check/site"];
    check(|| maintained(0.0, 60, &["other"], &["mail"]), script, &at_once);
    check(|| maintained(0.0, 60, &[], &[]), "0-40/5 site failed\n45-100/5 site ok", &[]);
}

#[test]
fn down_before_and_after_maintenance_is_told_once() {
    check(
        || maintained(30.0, 600, &[], &[]),
        "0-40/5 site failed
         45-100/5 site ok
         105-200/5 site failed
         205-300/5 site ok
         305-700/5 site failed
         705-710/5 site ok",
        &["10.5 ops firing page check/site", "710.5 ops resolved page check/site"],
    );
    check(
        || maintained(30.0, 600, &[], &[]),
        "0-40/5 site failed\n45-700/5 site ok",
        &["10.5 ops firing page check/site", "630 ops resolved page check/site"],
    );
}

#[test]
fn who_asks_is_told_which_maintenance_it_is() {
    let world = maintained(30.0, 600, &["site"], &[]);
    let name = |at, check| world.engine.in_maintenance(moment(at), check, "shop").map(|m| m.title.as_str());
    assert_eq!((name(29.0, "site"), name(30.0, "site")), (None, Some("Moving house")));
    assert_eq!(
        (name(629.9, "site"), name(630.0, "site"), name(60.0, "shop")),
        (Some("Moving house"), None, None)
    );
}

/// The same outage, once with the clock set by that in the middle of it.
fn jump(by_seconds: f64) {
    let expected = ["10.5 ops firing page check/site", "3610.5 ops reminder page check/site"];
    let mut world = World::of(&["site"]);
    world.fact(0.0, What::Silenced(silence("check=other", 0.0, 7200.0)));
    world.run("0-60/5 site failed");
    world.now = moment(62.0 + by_seconds);
    let by_ms = (by_seconds * 1000.0) as i64;
    world.engine.apply(&Fact { at: world.now, what: What::ClockSet { by_ms } });
    world.drain();
    assert_eq!(world.told(), expected[..1], "nothing happens by it");
    let run = |world: &mut World, from: i32, to: i32| {
        for second in (from..to).step_by(5) {
            world.fact(f64::from(second) + by_seconds, ran("site", Status::Failed, ""));
        }
    };
    run(&mut world, 65, 900);
    assert_eq!(world.told(), Vec::<String>::new());
    run(&mut world, 900, 3620);
    let at = |second: f64| second + by_seconds;
    let told = [
        format!("{} boss escalated page check/site", at(910.5)),
        format!("{} ops reminder page check/site", at(3610.5)),
    ];
    assert_eq!(world.told(), told, "durations are what they were");
    assert_eq!(world.engine.silences()[0].until, moment(at(7200.0)));
    assert!(world.engine.alerts().iter().all(|view| *view.now.key.0 == *"check/site"), "nothing is missed");
}

#[test]
fn a_clock_that_jumps_an_hour_makes_nothing_due() {
    jump(3600.0);
    jump(-3600.0);
    jump(0.5);
}
