//! How long it takes from the moment in which something breaks to the moment in which the mail server has the mail.

use super::*;
use std::time::{Duration, Instant};

/// So many targets break and are mended, one after the other.
const TIMES: usize = 4;

/// Everything beside the runs: the wait for what belongs together, the store, the mail server.
const REST: Duration = Duration::from_secs(1);

fn check(attempts: u32) {
    let every = Duration::from_millis(500);
    let more = format!("alert.attempts = {attempts}\nalert.recoveries = 1");
    let world = World::with_targets(TIMES, &format!("latency{attempts}"), Protocol::Mail, (&more, WAIT));
    let mut took = Vec::new();
    for (number, target) in world.targets.iter().enumerate() {
        // Another place between two runs each time.
        std::thread::sleep(every * number as u32 / TIMES as u32);
        let broken = Instant::now();
        target.close();
        world.wait_for("the mail", |world| world.inbox.taken().len() > 2 * number);
        took.push(world.inbox.taken()[2 * number].at - broken);
        target.open();
        world.wait_for("the end", |world| world.inbox.taken().len() == 2 * number + 2);
    }
    println!("{attempts} attempts every {every:?}: {took:?}");
    assert!(took.iter().all(|took| *took <= every * attempts + REST), "{attempts} attempts: {took:?}");
    world.end();
}

#[test]
fn the_mail_is_there_after_the_attempts_and_a_second() {
    check(3);
}

#[test]
fn the_mail_is_there_after_one_attempt_and_a_second() {
    check(1);
}
