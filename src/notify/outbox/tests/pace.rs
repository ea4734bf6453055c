//! When tries happen: pauses, expiry, clocks that are set, and what ten thousand messages cost.

use super::super::{Outbox, row, rows};
use super::world::{AGENT, alerting};
use super::{Mood, World, firing, page, ticket};
use crate::alert::Kind;
use crate::clock;
use crate::notify::Delivery;
use crate::store::RowState;
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::Duration;

fn alone() -> World {
    World::with(alerting(&[("mail", 3600)], &[("on-call", &["mail"])]))
}

#[test]
fn a_message_that_fails_is_tried_again_ever_more_rarely() {
    let mut world = alone();
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.pass(3600);
    let tried = world.tried("mail");
    let pauses: Vec<f64> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (pause, expected) in pauses.iter().zip([5.0, 15.0, 45.0, 120.0, 300.0, 600.0, 600.0]) {
        assert!((expected * 0.79..expected * 1.21).contains(pause), "{pause} for {expected}");
    }
    assert!(pauses.len() >= 7, "{pauses:?}");
    world.is("mail", Mood::Well);
    world.pass(750);
    world.expect(&["mail firing a"]);
    let keys: std::collections::BTreeSet<_> = world.tries.iter().map(|(.., key)| key).collect();
    assert_eq!(keys.len(), 1, "every try has the same key");
}

#[test]
fn a_channel_that_asks_for_time_gets_it_with_all_its_messages() {
    let mut world = alone();
    world.is("mail", Mood::Busy(90));
    world.tell(firing("a"));
    world.pass(1);
    world.is("mail", Mood::Well);
    world.tell(firing("b"));
    world.pass(88);
    world.expect(&[]);
    world.pass(3);
    assert_eq!(world.seen.len(), 2, "{:?}", world.told());
    let mut world = alone();
    world.is("mail", Mood::Busy(100_000));
    world.tell(firing("a"));
    world.pass(1);
    world.is("mail", Mood::Well);
    world.pass(3599);
    world.expect(&[]);
    world.pass(3);
    world.expect(&["mail firing a"]);
}

#[test]
fn what_nobody_needs_any_more_expires_and_says_so() {
    let mut world = alone();
    world.is("mail", Mood::Failing);
    world.tell(ticket(Kind::Reminder, &["a"]));
    world.tell(firing("b"));
    world.pass(3700);
    assert_eq!(world.stored(RowState::Expired), 1, "the reminder is due again");
    world.pass(22 * 3600);
    assert_eq!(world.stored(RowState::Expired), 2);
    assert_eq!(world.stored(RowState::Pending), 0);
    let lost = |event: &super::super::Event| matches!(event, super::super::Event::Lost { kind: Kind::Firing, why, .. } if why == "connection refused");
    assert!(world.events.iter().any(lost), "{:?}", world.events);
}

#[test]
fn a_channel_that_hangs_delays_no_other() {
    let channels = [("mail", 3600), ("slack", 3600)];
    let mut world = World::with(alerting(&channels, &[("on-call", &["mail"]), ("boss", &["slack"])]));
    world.is("mail", Mood::Hanging);
    for n in 0..20 {
        world.tell(firing(&format!("a{n}")));
        world.tell(crate::alert::Notice { contact: "boss".to_owned(), ..firing(&format!("a{n}")) });
    }
    let start = world.now;
    world.pass(1);
    assert_eq!(world.seen.len(), 20);
    assert!(world.seen.iter().all(|seen| row::between(start, seen.at) < Duration::from_secs(1)));
    assert_eq!(world.tried("mail").len(), 1, "one at a time");
}

#[test]
fn a_dead_channel_is_not_stormed_and_tells_all_when_it_lives() {
    let mut world = alone();
    world.is("mail", Mood::Failing);
    for n in 0..100 {
        world.tell(firing(&format!("a{n:02}")));
    }
    world.pass(600);
    assert!(world.tries.len() < 140, "one message each five seconds, not {}", world.tries.len());
    world.is("mail", Mood::Well);
    world.pass(700);
    let first = world.seen.first().map(|seen| seen.at).unwrap();
    assert_eq!(world.seen.len(), 100);
    let burst =
        world.seen.iter().filter(|seen| row::between(first, seen.at) < Duration::from_mins(2)).count();
    assert_eq!(burst, 100, "what waited because of the channel waits no more");
}

/// The wall clock is set, and the courier says so.
fn set_clock(world: &mut World, by: SignedDuration) {
    world.outbox.clock_set(by);
    world.now = row::moved(world.now, by);
    world.write();
}

#[test]
fn a_clock_that_jumps_a_year_ahead_expires_nothing() {
    let mut world = alone();
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.tell(ticket(Kind::Reminder, &["b"]));
    world.pass(30);
    set_clock(&mut world, SignedDuration::from_hours(365 * 24));
    // A row that was written just before, and comes only now.
    let old = row::moved(world.now, SignedDuration::from_hours(-365 * 24));
    let late = crate::alert::Notice { at: old, ..firing("late") };
    world.outbox.add(world.now, rows(late, &world.alerting, AGENT));
    world.is("mail", Mood::Well);
    world.pass(200);
    let mut told = world.told();
    told.sort();
    assert_eq!(told, ["mail firing a", "mail firing late", "mail reminder b"]);
    assert_eq!(world.stored(RowState::Expired), 0);
    assert!(world.outbox.next_due().is_none_or(|due| due > world.now), "and nothing is due at once");
}

#[test]
fn what_waits_and_expires_does_so_by_the_time_that_passes() {
    for hours in [-1000, -1, 1, 1000] {
        let mut world = alone();
        world.is("mail", Mood::Failing);
        world.tell(ticket(Kind::Reminder, &["a"]));
        world.pass(1000);
        let tries = world.tries.len();
        set_clock(&mut world, SignedDuration::from_hours(hours));
        world.pass(1);
        assert_eq!(world.tries.len(), tries, "{hours}: no try is due by it");
        world.pass(2500);
        assert_eq!(world.stored(RowState::Expired), 0, "{hours}");
        world.pass(200);
        assert_eq!(world.stored(RowState::Expired), 1, "{hours}: an hour after it was told");
    }
}

#[test]
fn a_clock_that_was_behind_at_the_start_expires_nothing_when_it_is_set() {
    let mut world = alone();
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.pass(10);
    world.crash();
    let behind = SignedDuration::from_hours(-20 * 365 * 24);
    world.now = row::moved(world.now, behind);
    world.pass(10);
    set_clock(&mut world, -behind);
    world.is("mail", Mood::Well);
    world.pass(100);
    world.expect(&["mail firing a"]);
    let row = world.written.values().next().expect("a row");
    assert!(row::between(row.created, row.expires) <= Duration::from_hours(23), "{row:?}");
}

#[test]
fn a_clock_set_back_makes_nothing_wait() {
    let mut world = alone();
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.pass(1);
    world.is("mail", Mood::Well);
    world.now = row::earlier(world.now, Duration::from_hours(1));
    world.pass(10);
    world.expect(&["mail firing a"]);
}

#[test]
fn a_row_from_the_future_waits_an_hour_at_most() {
    let mut world = alone();
    world.tell(firing("a"));
    world.is("mail", Mood::Failing);
    world.pass(1);
    world.is("mail", Mood::Well);
    world.now = row::earlier(world.now, Duration::from_hours(30 * 24));
    world.crash();
    world.pass(3601);
    world.expect(&["mail firing a"]);
}

#[test]
fn a_try_that_was_cut_off_is_repeated_with_the_same_key() {
    let mut world = alone();
    world.is("mail", Mood::Ambiguous);
    world.tell(firing("a"));
    world.pass(1);
    world.crash();
    world.is("mail", Mood::Well);
    world.pass(1);
    world.expect(&["mail firing a", "mail firing a"]);
    assert_eq!(world.seen[0].parcel.key, world.seen[1].parcel.key);
    world.crash();
    world.pass(100_000);
    assert_eq!(world.seen.len(), 2, "what is settled stays so");
}

#[test]
fn a_row_that_is_handed_over_twice_is_one() {
    let mut world = alone();
    world.tell(firing("a"));
    world.pass(1);
    world.tell(firing("a"));
    world.pass(100);
    world.expect(&["mail firing a"]);
}

#[test]
fn what_is_settled_is_forgotten_when_its_episode_is_over() {
    let mut world = alone();
    for n in 0..50 {
        let name = format!("a{n}");
        world.tell(firing(&name));
        world.pass(60);
        world.tell(page(Kind::Resolved, &[&name]));
        world.pass(60);
    }
    world.pass(3 * 24 * 3600);
    assert_eq!(world.outbox.ledger.len(), 0);
    world.tell(firing("long"));
    world.pass(3 * 24 * 3600);
    assert_eq!(world.outbox.ledger.len(), 1, "where it was told is known until it ends");
    world.tell(page(Kind::Resolved, &["long"]));
    world.pass(3 * 24 * 3600);
    assert_eq!(world.outbox.ledger.len(), 0);
}

/// Seconds for a turn of `take_ready`, `done`, `next_due` while `rows` are pending.
fn cost(pending: usize) -> f64 {
    let alerting =
        Arc::new(alerting(&[("mail", 4_000_000), ("slack", 4_000_000)], &[("on-call", &["mail", "slack"])]));
    let mut outbox = Outbox::new(Vec::new(), alerting.clone());
    let mut now = "2026-03-01T10:00:00Z".parse().unwrap();
    for n in 0..pending {
        let notice = crate::alert::Notice { at: now, ..firing(&format!("e{n}")) };
        outbox.add(now, rows(notice, &alerting, AGENT));
    }
    let begun = clock::instant();
    let turns = 400;
    for turn in 0..turns {
        now = row::later(now, Duration::from_millis(1));
        let taken = outbox.take_ready(now);
        assert_eq!(taken.len(), 1);
        for dispatch in taken {
            let delivery = match turn % 2 {
                0 => Delivery::Delivered,
                _ => Delivery::Retry { after: None, why: "no".to_owned() },
            };
            outbox.done(now, &dispatch.parcel.key, delivery);
        }
        assert!(outbox.next_due().is_some());
        outbox.changed();
        outbox.happened();
    }
    begun.elapsed().as_secs_f64() / f64::from(turns)
}

#[test]
fn ten_thousand_pending_cost_what_a_thousand_cost() {
    let few = (0..3).map(|_| cost(500)).fold(f64::MAX, f64::min);
    let many = (0..3).map(|_| cost(10_000)).fold(f64::MAX, f64::min);
    assert!(many < few * 6.0, "a turn takes {few} s with 500 and {many} s with 10000");
}
