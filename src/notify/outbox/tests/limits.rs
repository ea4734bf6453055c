//! More messages than a channel takes.

use super::super::row;
use super::world::alerting;
use super::{Mood, World, firing, ticket};
use crate::alert::Kind;
use crate::store::RowState;
use std::time::Duration;

/// A burst of ten, of which three are kept for pages; one more each minute.
fn narrow() -> World {
    World::with(alerting(&[("mail", 60)], &[("on-call", &["mail"])]))
}

#[test]
fn a_flood_becomes_one_message_that_counts_all() {
    let mut world = narrow();
    for n in 0..40 {
        world.tell(ticket(Kind::Firing, &[&format!("a{n:02}")]));
    }
    world.pass(600);
    assert_eq!(world.seen.len(), 8, "{:?}", world.told());
    let digest = &world.seen[7].parcel.notice;
    assert_eq!((digest.alerts.len(), digest.more), (20, 13));
    let named: usize = world.seen.iter().map(|seen| seen.parcel.notice.alerts.len()).sum();
    assert_eq!(named + 13, 40, "nothing is dropped silently");
    assert_eq!(world.stored(RowState::Merged), 33);
    assert_eq!(world.stored(RowState::Pending), 0);
}

#[test]
fn a_page_has_room_in_a_flood() {
    let mut world = narrow();
    for n in 0..40 {
        world.tell(ticket(Kind::Firing, &[&format!("a{n:02}")]));
    }
    world.pass(1);
    for n in 0..3 {
        world.tell(firing(&format!("page{n}")));
    }
    let start = world.now;
    world.pass(1);
    let pages = world.seen.iter().filter(|seen| seen.parcel.notice.alerts[0].episode.starts_with("page"));
    assert_eq!(pages.filter(|seen| row::between(start, seen.at) < Duration::from_secs(1)).count(), 3);
}

#[test]
fn pages_are_never_part_of_a_digest() {
    let mut world = narrow();
    for n in 0..30 {
        world.tell(firing(&format!("a{n:02}")));
    }
    world.pass(1);
    assert_eq!(world.seen.len(), 10);
    world.pass(1300);
    assert_eq!(world.seen.len(), 30);
    assert!(world.seen.iter().all(|seen| seen.parcel.notice.alerts.len() == 1));
}

#[test]
fn the_ends_of_what_a_digest_counts_come_after_it() {
    let mut world = narrow();
    let names: Vec<String> = (0..60).map(|n| format!("a{n:02}")).collect();
    for name in &names {
        world.tell(ticket(Kind::Firing, &[name]));
    }
    world.pass(1);
    for name in &names {
        world.tell(ticket(Kind::Resolved, &[name]));
    }
    world.pass(3600);
    let told = world.told();
    let last_firing = told.iter().rposition(|line| line.contains("firing")).unwrap();
    for name in &names {
        let end = told.iter().position(|line| line.contains("resolved") && line.contains(name.as_str()));
        let begin = told.iter().position(|line| line.contains("firing") && line.contains(name.as_str()));
        assert!(end.is_none() || end > begin, "{name}: {told:?}");
        assert!(
            end.is_none() || begin.is_some() || end > Some(last_firing),
            "{name} was only counted: {told:?}"
        );
    }
    let count = |kind: Kind| -> usize {
        let own = world.seen.iter().map(|seen| &seen.parcel.notice).filter(|notice| notice.kind == kind);
        own.map(|notice| notice.alerts.len() + notice.more as usize).sum()
    };
    assert_eq!((count(Kind::Firing), count(Kind::Resolved)), (60, 60));
    assert_eq!(world.stored(RowState::Pending), 0);
}

#[test]
fn a_digest_that_fails_over_tells_all_that_it_took_in() {
    let channels = [("mail", 60), ("slack", 60)];
    let mut world = World::with(alerting(&channels, &[("on-call", &["mail", "slack"])]));
    for n in 0..20 {
        world.tell(ticket(Kind::Firing, &[&format!("a{n:02}")]));
    }
    world.pass(1);
    world.is("mail", Mood::Failing);
    for n in 20..40 {
        world.tell(ticket(Kind::Firing, &[&format!("a{n:02}")]));
    }
    world.pass(3600);
    world.is("mail", Mood::Well);
    world.pass(3600);
    let mut named: Vec<String> = Vec::new();
    let mut more = 0;
    for seen in &world.seen {
        named.extend(seen.parcel.notice.alerts.iter().map(|alert| alert.episode.clone()));
        more += seen.parcel.notice.more;
    }
    let all = named.len() + more as usize;
    named.sort();
    named.dedup();
    assert_eq!(named.len() + more as usize, 40, "{:?}", world.told());
    assert_eq!(all, 40, "and nothing twice");
}

#[test]
fn a_kill_does_not_open_the_limit() {
    let mut world = narrow();
    for n in 0..60 {
        world.tell(firing(&format!("a{n:02}")));
    }
    for _ in 0..20 {
        world.pass(1);
        world.crash();
    }
    world.pass(1);
    assert_eq!(world.seen.len(), 10, "what was sent in the last hour counts");
}

#[test]
fn an_end_waits_for_a_digest_that_only_counts_its_beginning() {
    let mut world = narrow();
    let tell = |world: &mut World, kind, range: std::ops::Range<usize>| {
        range.for_each(|n| world.tell(ticket(kind, &[&format!("a{n:02}")])));
    };
    tell(&mut world, Kind::Firing, 0..40);
    world.pass(1);
    world.is("mail", Mood::Failing);
    world.pass(400);
    world.is("mail", Mood::Well);
    tell(&mut world, Kind::Resolved, 39..40);
    world.pass(1);
    assert_eq!(world.seen.len(), 7, "the digest waits for its next try, and the end behind it");
    world.pass(900);
    let told = world.told();
    assert!(told[7].starts_with("mail firing") && told[7].ends_with("+13"), "{told:?}");
    assert_eq!(told[8..], ["mail resolved a39"]);
}

#[test]
fn a_digest_that_is_with_its_backup_takes_nothing_more_in() {
    let channels = [("mail", 5), ("slack", 3600)];
    let mut world = World::with(alerting(&channels, &[("on-call", &["mail", "slack"])]));
    world.tell(firing("page0"));
    world.tell(firing("page1"));
    world.pass(1);
    for n in 0..10 {
        world.tell(ticket(Kind::Firing, &[&format!("a{n}")]));
    }
    world.pass(1);
    world.tell(firing("page2"));
    world.tell(firing("page3"));
    world.is("slack", Mood::Failing);
    world.pass(605);
    for n in 10..15 {
        world.tell(ticket(Kind::Firing, &[&format!("a{n}")]));
    }
    world.pass(1);
    world.is("slack", Mood::Well);
    world.pass(3 * 3600);
    let told = world.told().join(" ");
    for n in 0..15 {
        let name = format!("a{n}");
        assert_eq!(told.split(' ').filter(|word| *word == name).count(), 1, "{name}: {:?}", world.told());
    }
}
