//! `kill -9` at every step that a message takes: before it is decided, decided and not written, written and not sent,
//! sent and not answered, answered and not booked, booked. Whenever it happens, the message arrives; and where it
//! arrives twice the second one has the key of the first.

use super::*;
use std::time::Duration;

/// A message is decided, written, sent and booked within these from the run that decides it. The steps in between are
/// hit by trying many moments; ten, since more alerts than that in a minute are a storm and wait for each other.
const MOMENTS_MS: [u64; 10] = [0, 1, 2, 4, 7, 11, 16, 24, 40, 80];

/// Nothing waits for company, and one run is enough: so moments after a run mean steps of the outbox.
fn world(name: &str, protocol: Protocol, outages: usize) -> World {
    World::with_targets(outages, name, protocol, ("alert.attempts = 1\nalert.recoveries = 1", "1ms"))
}

/// Outages so far: each one begun once and ended once, in this order; repeats only with the same key.
fn each_is_told(world: &World, outages: usize) {
    let mut first: Vec<Message> = Vec::new();
    for message in world.inbox.taken() {
        match first.iter().find(|known| known.key == message.key) {
            Some(known) => assert_eq!(known.text, message.text, "one key, one text"),
            None => first.push(message),
        }
    }
    let expected: Vec<String> =
        (0..outages).flat_map(|at| [format!("down {}", site(at)), format!("well {}", site(at))]).collect();
    assert_eq!(told(&first), expected, "{:#?}", world.agent.log());
}

/// Breaks and mends the target; `kill` says what becomes of the agent when the one or the other is to be told, and
/// gives it back alive.
fn outage(world: &mut World, number: usize, kill: impl Fn(&mut World)) {
    for over in [false, true] {
        let arrived = |world: &World| {
            let keys: std::collections::BTreeSet<String> =
                world.inbox.taken().into_iter().map(|message| message.key).collect();
            keys.len() > 2 * number + usize::from(over)
        };
        if over {
            world.targets[number].open();
        } else {
            world.targets[number].close();
        }
        kill(world);
        world.wait_for("the message", arrived);
    }
    each_is_told(world, number + 1);
}

#[test]
fn what_was_received_and_not_answered_comes_again_with_its_key() {
    with_both(|protocol| {
        let mut world = world("kill-before", protocol, 4);
        for number in 0..4 {
            outage(&mut world, number, |world| {
                let before = world.inbox.taken().len();
                world.inbox.now(Mode::KillBeforeAnswer(world.agent.pid()));
                world.agent.wait_until_killed();
                world.agent.restart();
                world.wait_for("the repeat", |world| world.inbox.taken().len() == before + 2);
            });
        }
        // Each was taken and not booked, so each came twice.
        each_is_told(&world, 4);
        assert_eq!(world.inbox.taken().len(), 16);
        world.leave_nothing();
    });
}

#[test]
fn what_was_answered_and_perhaps_not_booked_comes_again_with_its_key() {
    with_both(|protocol| {
        let mut world = world("kill-after", protocol, 6);
        for (number, ms) in [0, 1, 2, 4, 8, 16].into_iter().enumerate() {
            outage(&mut world, number, |world| {
                let later = Duration::from_micros(ms * 1000 / 2);
                world.inbox.now(Mode::KillAfterAnswer(world.agent.pid(), later));
                world.agent.wait_until_killed();
                world.agent.restart();
            });
        }
        world.leave_nothing();
    });
}

/// From the run that sees it on, at moments that are spread over all that follows.
#[test]
fn what_is_killed_between_a_run_and_its_message_tells_it_all_the_same() {
    with_both(|protocol| {
        let mut world = world("kill-moments", protocol, MOMENTS_MS.len());
        for (number, ms) in MOMENTS_MS.into_iter().enumerate() {
            outage(&mut world, number, |world| {
                let before = runs(&world.agent, &site(number));
                world.wait_for("the run that sees it", |world| runs(&world.agent, &site(number)) > before);
                // This is no waiting for something: it is the moment of the kill.
                std::thread::sleep(Duration::from_millis(ms));
                world.kill_and_restart();
            });
        }
        world.leave_nothing();
    });
}
