//! Through the next channel when the first can't.

use super::super::{Event, row};
use super::world::alerting;
use super::{Mood, World, firing, page, ticket};
use crate::alert::Kind;
use crate::store::RowState;
use std::time::Duration;

#[test]
fn a_page_goes_through_the_backup_after_three_tries() {
    let mut world = World::new();
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    let start = world.now;
    world.pass(60);
    world.expect(&["slack firing a backup"]);
    assert_eq!(world.tried("mail").len(), 3);
    assert!(row::between(start, world.seen[0].at) < Duration::from_secs(25), "at the third failure");
    let notice = &world.seen[0].parcel.notice;
    assert_eq!(notice.backup.as_deref(), Some("via backup, \"mail\" can't deliver: connection refused"));
    world.is("mail", Mood::Well);
    world.pass(50_000);
    world.expect(&["slack firing a backup"]);
    assert_eq!(world.stored(RowState::Merged), 1, "never the same page twice");
}

/// Whenever the third try would begin: it is not in the way.
#[test]
fn a_page_goes_through_the_backup_after_a_minute_of_no_answer() {
    for name in ('a'..='z').map(String::from) {
        let mut world = World::new();
        world.is("mail", Mood::Hanging);
        world.tell(firing(&name));
        let start = world.now;
        world.pass(200);
        world.expect(&[&format!("slack firing {name} backup")]);
        let waited = row::between(start, world.seen[0].at).as_secs_f64();
        assert!((60.0..61.0).contains(&waited), "{name}: {waited}");
    }
}

#[test]
fn a_page_that_waits_in_a_line_goes_through_the_backup_too() {
    let mut world = World::new();
    world.is("mail", Mood::Hanging);
    let start = world.now;
    for n in 0..30 {
        world.tell(firing(&format!("a{n:02}")));
    }
    world.pass(200);
    assert_eq!(world.seen.len(), 30);
    assert!(world.seen.iter().all(|seen| &*seen.channel == "slack"));
    let last = world.seen.iter().map(|seen| seen.at).max().unwrap();
    assert!(row::between(start, last) < Duration::from_secs(85), "a minute, and a try that was under way");
    world.is("mail", Mood::Well);
    world.pass(50_000);
    assert_eq!(world.seen.len(), 30);
}

#[test]
fn of_one_page_one_try_is_under_way() {
    let mut world = World::new();
    world.is("mail", Mood::Hanging);
    world.is("slack", Mood::Hanging);
    world.tell(firing("a"));
    world.pass(3000);
    world.tries.windows(2).for_each(|pair| {
        assert!(row::between(pair[0].0, pair[1].0) >= super::world::TIMEOUT, "{pair:?}");
    });
    assert!(world.tried("mail").len() >= 5 && world.tried("slack").len() >= 5, "both keep trying");
    world.is("mail", Mood::Well);
    world.is("slack", Mood::Well);
    world.pass(2000);
    assert_eq!(world.seen.len(), 1, "whichever comes first: {:?}", world.told());
}

#[test]
fn a_refusal_goes_to_the_backup_at_once_and_the_channel_is_ill() {
    let mut world = World::new();
    world.is("mail", Mood::Refusing);
    world.tell(ticket(Kind::Firing, &["a"]));
    world.pass(1);
    world.expect(&["slack firing a backup"]);
    let ill = |well| Event::Channel {
        channel: "mail".into(),
        well,
        why: if well { "it delivers" } else { "it refused a message: the key is wrong" }.to_owned(),
    };
    assert!(world.events.contains(&ill(false)));
    world.tell(ticket(Kind::Firing, &["b"]));
    world.pass(1);
    world.is("mail", Mood::Well);
    world.tell(ticket(Kind::Firing, &["c"]));
    world.pass(10);
    assert_eq!(world.events.iter().filter(|event| **event == ill(false)).count(), 1, "told once");
    assert_eq!(world.events.iter().filter(|event| **event == ill(true)).count(), 1);
}

#[test]
fn a_channel_is_ill_after_three_failures_and_well_after_one_success() {
    let mut world = World::with(alerting(&[("mail", 3600)], &[("on-call", &["mail"])]));
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.pass(10);
    let told = |world: &World| -> Vec<bool> {
        let well = |event: &Event| match event {
            Event::Channel { well, .. } => Some(*well),
            _ => None,
        };
        world.events.iter().filter_map(well).collect()
    };
    assert_eq!(told(&world), [] as [bool; 0], "two failures are nothing");
    world.pass(3000);
    assert_eq!(told(&world), [false]);
    let health = world.outbox.health(world.now);
    assert!(!health.channels[0].well && health.channels[0].failures > 5);
    assert_eq!(health.channels[0].error.as_deref(), Some("connection refused"));
    assert_eq!(health.oldest_page, Some(Duration::from_secs(3010)));
    assert_eq!(health.oldest_pending(), health.oldest_page);
    world.is("mail", Mood::Well);
    world.pass(800);
    assert_eq!(told(&world), [false, true]);
    let health = world.outbox.health(world.now);
    assert!(health.channels[0].well && health.channels[0].error.is_none());
    assert_eq!((health.oldest_page, health.channels[0].pending), (None, 0));
}

#[test]
fn a_ticket_waits_ten_minutes_for_its_channel() {
    let mut world = World::new();
    world.is("mail", Mood::Failing);
    world.tell(ticket(Kind::Firing, &["a"]));
    world.pass(595);
    world.expect(&[]);
    world.pass(10);
    world.expect(&["slack firing a backup"]);
}

#[test]
fn without_any_channel_left_it_says_loudly_that_nobody_was_told() {
    let mut world = World::new();
    world.is("mail", Mood::Refusing);
    world.is("slack", Mood::Refusing);
    world.tell(firing("a"));
    world.pass(1);
    assert_eq!(world.stored(RowState::Refused), 2);
    let lost = world.events.iter().filter(|event| matches!(event, Event::Lost { .. })).count();
    assert_eq!(lost, 1);
}

#[test]
fn the_end_goes_where_the_beginning_was_told() {
    let mut world = World::new();
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.pass(100);
    world.is("mail", Mood::Well);
    world.tell(page(Kind::Reminder, &["a"]));
    world.pass(100);
    world.crash();
    world.tell(page(Kind::Resolved, &["a"]));
    world.pass(100);
    world.expect(&["slack firing a backup", "slack reminder a backup", "slack resolved a backup"]);
    let threads: Vec<_> = world.seen.iter().map(|seen| &seen.parcel.thread).collect();
    assert_eq!(threads, [&world.seen[0].parcel.key; 3], "in one thread");
}

#[test]
fn the_end_goes_back_where_the_backup_is_dead_by_then() {
    let mut world = World::new();
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.pass(100);
    world.is("mail", Mood::Well);
    world.is("slack", Mood::Failing);
    world.tell(page(Kind::Resolved, &["a"]));
    world.pass(100);
    world.expect(&["slack firing a backup", "mail resolved a"]);
}

#[test]
fn backups_are_used_one_after_the_other() {
    let channels = [("mail", 3600), ("slack", 3600), ("pager", 3600)];
    let mut world = World::with(alerting(&channels, &[("on-call", &["mail", "slack", "pager"])]));
    world.is("mail", Mood::Refusing);
    world.is("slack", Mood::Failing);
    world.tell(firing("a"));
    world.pass(100);
    world.expect(&["pager firing a backup"]);
    assert_eq!(world.tried("mail").len(), 1);
    assert_eq!(world.tried("slack").len(), 3);
    world.pass(50_000);
    assert_eq!(world.seen.len(), 1);
}
