//! Definitions that change under messages.

use super::super::{Event, rows};
use super::world::{AGENT, alerting, plan};
use super::{Mood, World, firing, page};
use crate::alert::Kind;
use crate::config::alerting::Alerting;
use crate::store::RowState;

fn only(channel: &str) -> Alerting {
    alerting(&[(channel, 3600)], &[("on-call", &[channel])])
}

#[test]
fn a_channel_that_is_gone_leaves_its_messages_to_the_backup() {
    let mut world = World::new();
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.pass(1);
    world.replan(only("slack"));
    world.pass(1);
    world.expect(&["slack firing a backup"]);
    let why = world.seen[0].parcel.notice.backup.as_deref();
    assert_eq!(why, Some("via backup, \"mail\" can't deliver: there is no channel \"mail\" any more"));
}

#[test]
fn a_channel_that_got_another_name_takes_what_waits() {
    let mut world = World::with(only("mail"));
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.pass(1);
    world.replan(only("smtp"));
    world.pass(1);
    world.expect(&["smtp firing a backup"]);
}

#[test]
fn the_same_over_a_restart() {
    let mut world = World::with(only("mail"));
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.pass(1);
    world.alerting = only("smtp").into();
    world.crash();
    world.pass(1);
    world.expect(&["smtp firing a backup"]);
}

#[test]
fn a_channel_that_goes_while_a_try_is_under_way_ends_it_first() {
    let mut world = World::new();
    world.is("mail", Mood::Hanging);
    world.tell(firing("a"));
    world.pass(1);
    world.replan(only("slack"));
    world.pass(10);
    world.expect(&[]);
    world.pass(10);
    world.expect(&["slack firing a backup"]);
}

#[test]
fn without_any_channel_it_is_refused_until_there_is_one() {
    let mut world = World::with(only("mail"));
    world.is("mail", Mood::Failing);
    world.tell(firing("a"));
    world.pass(1);
    world.replan(alerting(&[], &[]));
    world.pass(1);
    assert_eq!(world.stored(RowState::Refused), 1);
    assert!(world.events.iter().any(|event| matches!(event, Event::Lost { .. })));
    world.is("mail", Mood::Well);
    world.replan(only("mail"));
    world.pass(10);
    world.expect(&["mail firing a"]);
}

#[test]
fn what_was_refused_is_tried_again_where_the_channel_was_mended() {
    let mut world = World::with(only("mail"));
    world.is("mail", Mood::Refusing);
    world.tell(firing("a"));
    world.pass(100);
    world.is("mail", Mood::Well);
    world.replan(only("mail"));
    world.pass(100);
    world.expect(&[]);
    let mut mended = only("mail");
    mended.channels.insert("mail".into(), plan("mail", 3600, 2));
    world.replan(mended);
    world.pass(1);
    world.expect(&["mail firing a"]);
}

#[test]
fn what_was_refused_is_tried_once_after_a_restart() {
    let mut world = World::new();
    world.is("mail", Mood::Refusing);
    world.is("slack", Mood::Refusing);
    world.tell(firing("a"));
    world.pass(100);
    world.crash();
    world.pass(100);
    assert_eq!(world.tries.len(), 4);
    world.tell(page(Kind::Resolved, &["a"]));
    world.pass(100);
    world.is("slack", Mood::Well);
    world.crash();
    world.pass(100);
    world.expect(&["slack resolved a merged backup"]);
}

#[test]
fn a_contact_without_a_channel_gives_no_rows() {
    let alerting = alerting(&[("mail", 60)], &[("on-call", &[])]);
    assert!(rows(firing("a"), &alerting, AGENT).is_empty());
    let stranger = crate::alert::Notice { contact: "nobody".to_owned(), ..firing("a") };
    assert!(rows(stranger, &alerting, AGENT).is_empty());
}

#[test]
fn keys_tell_agents_messages_contacts_and_channels_apart() {
    let channels = [("mail", 60), ("slack", 60)];
    let first = alerting(&channels, &[("on-call", &["mail", "slack", "mail"])]);
    let second = alerting(&channels, &[("on-call", &["slack"]), ("boss", &["mail"])]);
    let boss = crate::alert::Notice { contact: "boss".to_owned(), ..firing("a") };
    let mut made = rows(firing("a"), &first, AGENT);
    assert_eq!(made[0].backups.len(), 1, "a channel that is named twice is used once");
    assert_eq!(made[0].thread, made[0].key, "it begins its thread");
    made.extend(rows(firing("a"), &first, "another"));
    made.extend(rows(firing("b"), &first, AGENT));
    made.extend(rows(firing("a"), &second, AGENT));
    made.extend(rows(boss, &second, AGENT));
    let mut keys: Vec<_> = made.iter().map(|row| row.key.clone()).collect();
    assert!(keys.iter().all(|key| key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit())));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 5);
    assert_eq!(rows(firing("a"), &first, AGENT)[0].key, made[0].key, "the same each time");
}
