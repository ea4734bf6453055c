//! The outage is told once and its end is told once, in this order.

use super::world::alerting;
use super::{Mood, World, firing, page, ticket};
use crate::alert::{Kind, Notice};
use crate::store::RowState;

fn resolved(episode: &str) -> Notice {
    page(Kind::Resolved, &[episode])
}

#[test]
fn the_beginning_and_the_end_are_one_thread() {
    let mut world = World::new();
    world.tell(firing("a"));
    world.pass(60);
    world.tell(resolved("a"));
    world.pass(60);
    world.expect(&["mail firing a", "mail resolved a"]);
    assert_eq!(world.seen[0].parcel.thread, world.seen[0].parcel.key);
    assert_eq!(world.seen[1].parcel.thread, world.seen[0].parcel.key);
}

#[test]
fn an_outage_within_the_outage_of_the_channel_is_one_message() {
    let mut world = World::with(alerting(&[("mail", 3600)], &[("on-call", &["mail"])]));
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.pass(40);
    world.tell(resolved("a"));
    world.pass(20);
    world.is("mail", Mood::Well);
    world.pass(2000);
    world.expect(&["mail resolved a merged"]);
    assert_eq!(world.stored(RowState::Merged), 1);
    assert_eq!(world.seen[0].parcel.thread, world.seen[0].parcel.key, "nothing to join");
}

#[test]
fn the_same_with_a_kill_in_it() {
    let mut world = World::with(alerting(&[("mail", 3600)], &[("on-call", &["mail"])]));
    world.is("mail", Mood::Hanging);
    world.tell(firing("a"));
    world.pass(10);
    world.crash();
    world.tell(resolved("a"));
    world.pass(10);
    world.crash();
    world.is("mail", Mood::Well);
    world.pass(2000);
    world.expect(&["mail resolved a merged"]);
}

#[test]
fn an_end_waits_for_a_beginning_that_is_under_way() {
    let mut world = World::new();
    world.tell(firing("a"));
    let under_way = world.outbox.take_ready(world.now);
    world.tell(resolved("a"));
    assert!(world.outbox.take_ready(world.now).is_empty());
    world.outbox.done(world.now, &under_way[0].parcel.key, crate::notify::Delivery::Delivered);
    world.pass(1);
    world.expect(&["mail resolved a"]);
}

#[test]
fn a_beginning_that_fails_while_its_end_waits_is_told_with_it() {
    let mut world = World::new();
    world.is("mail", Mood::Ambiguous);
    world.tell(firing("a"));
    world.pass(5);
    world.tell(resolved("a"));
    world.is("mail", Mood::Well);
    world.pass(60);
    world.expect(&["mail firing a", "mail resolved a merged"]);
    let ambiguous = &world.seen[0].parcel.key;
    assert_ne!(ambiguous, &world.seen[1].parcel.key);
}

#[test]
fn a_beginning_that_is_with_its_backup_is_merged_with_all_its_copies() {
    let mut world = World::new();
    world.is("mail", Mood::Failing);
    world.is("slack", Mood::Failing);
    world.tell(firing("a"));
    world.pass(100);
    world.tell(resolved("a"));
    world.pass(1);
    assert_eq!(world.stored(RowState::Merged), 2);
    world.is("slack", Mood::Well);
    world.pass(2000);
    world.expect(&["slack resolved a merged backup"]);
    world.is("mail", Mood::Well);
    world.pass(20_000);
    assert_eq!(world.seen.len(), 1);
}

#[test]
fn of_a_group_of_which_some_have_ended_both_are_told_in_order() {
    let mut world = World::with(alerting(&[("mail", 3600)], &[("on-call", &["mail"])]));
    world.is("mail", Mood::Failing);
    world.tell(page(Kind::Firing, &["a", "b"]));
    world.pass(30);
    world.tell(resolved("a"));
    world.pass(30);
    world.is("mail", Mood::Well);
    world.pass(1000);
    world.expect(&["mail firing a b", "mail resolved a"]);
    world.tell(resolved("b"));
    world.pass(10);
    world.expect(&["mail firing a b", "mail resolved a", "mail resolved b"]);
}

#[test]
fn a_group_that_has_ended_is_one_message() {
    let mut world = World::with(alerting(&[("mail", 3600)], &[("on-call", &["mail"])]));
    world.is("mail", Mood::Failing);
    world.tell(page(Kind::Firing, &["a"]));
    world.tell(page(Kind::Firing, &["b"]));
    world.pass(30);
    world.tell(page(Kind::Resolved, &["a", "b"]));
    world.is("mail", Mood::Well);
    world.pass(1000);
    world.expect(&["mail resolved a b merged"]);
}

#[test]
fn an_end_whose_beginning_was_refused_tells_both() {
    let mut world = World::new();
    world.is("mail", Mood::Refusing);
    world.is("slack", Mood::Refusing);
    world.tell(firing("a"));
    world.pass(100);
    world.is("mail", Mood::Well);
    world.tell(resolved("a"));
    world.pass(100);
    world.expect(&["mail resolved a merged"]);
}

#[test]
fn an_end_whose_beginning_is_not_remembered_is_told_as_it_is() {
    let mut world = World::new();
    world.tell(resolved("a"));
    world.pass(10);
    world.expect(&["mail resolved a"]);
}

#[test]
fn reminders_that_nobody_needs_are_not_sent() {
    let mut world = World::with(alerting(&[("mail", 3600)], &[("on-call", &["mail"])]));
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.pass(3600);
    world.tell(page(Kind::Reminder, &["a"]));
    world.is("mail", Mood::Well);
    world.pass(1000);
    world.expect(&["mail firing a"]);
    world.is("mail", Mood::Failing);
    world.tell(Notice { id: "reminder/2".to_owned(), ..page(Kind::Reminder, &["a"]) });
    world.pass(100);
    world.tell(resolved("a"));
    world.is("mail", Mood::Well);
    world.pass(1000);
    world.expect(&["mail firing a", "mail resolved a"]);
}

#[test]
fn what_matters_more_is_told_in_place_of_what_waits() {
    let mut world = World::with(alerting(&[("mail", 30)], &[("on-call", &["mail"])]));
    world.is("mail", Mood::Failing);
    world.tell(ticket(Kind::Firing, &["a"]));
    world.pass(30);
    world.tell(page(Kind::Escalated, &["a"]));
    world.is("mail", Mood::Well);
    world.pass(100);
    world.tell(resolved("a"));
    world.pass(100);
    world.expect(&["mail escalated a", "mail resolved a"]);
    assert_eq!(world.seen[1].parcel.thread, world.seen[0].parcel.key);
}

#[test]
fn two_contacts_know_different_things() {
    let channels = [("mail", 3600), ("slack", 3600)];
    let mut world = World::with(alerting(&channels, &[("on-call", &["mail"]), ("boss", &["slack"])]));
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.tell(Notice { contact: "boss".to_owned(), ..firing("a") });
    world.pass(30);
    world.tell(resolved("a"));
    world.tell(Notice { contact: "boss".to_owned(), ..resolved("a") });
    world.is("mail", Mood::Well);
    world.pass(1000);
    world.expect(&["slack firing a", "mail resolved a merged", "slack resolved a"]);
}
