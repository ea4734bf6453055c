//! The cases in which others lose the outage or its end, or tell them twice: each with a webhook and with a mail server.

use super::*;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const DOWN: &str = "down site-a";
const WELL: &str = "well site-a";

#[test]
fn a_kill_while_it_fires_tells_nothing_new() {
    with_both(|protocol| {
        let mut world = World::new("case1", protocol);
        world.break_and_be_told();
        world.kill_and_restart();
        world.says_no_more_than(&[DOWN]);
        world.target().open();
        world.is_told(&[DOWN, WELL]);
        world.end();
    });
}

#[test]
fn an_end_while_the_agent_is_dead_is_told() {
    with_both(|protocol| {
        let mut world = World::new("case2", protocol);
        world.break_and_be_told();
        world.agent.kill();
        world.target().open();
        world.agent.restart();
        world.is_told(&[DOWN, WELL]);
        world.end();
    });
}

/// Cases 3 and 5: the provider fails in its way at the alert, and the target stays down.
fn fails_at_the_alert(name: &str, protocol: Protocol, how: Mode) {
    let world = World::new(name, protocol);
    world.inbox.now(how);
    world.target().close();
    world.wait_for_failures("firing", 2.0);
    assert_eq!(told(&world.inbox.taken()), [""; 0]);
    world.inbox.now(Mode::Take);
    world.is_told(&[DOWN]);
    world.target().open();
    world.is_told(&[DOWN, WELL]);
    world.end();
}

/// Cases 4 and 6: the provider fails in its way at the recovery.
fn fails_at_the_recovery(name: &str, protocol: Protocol, how: Mode) {
    let world = World::new(name, protocol);
    world.break_and_be_told();
    world.inbox.now(how);
    world.target().open();
    world.wait_for_failures("resolved", 2.0);
    assert_eq!(told(&world.inbox.taken()), [DOWN]);
    world.inbox.now(Mode::Take);
    world.is_told(&[DOWN, WELL]);
    world.end();
}

#[test]
fn a_provider_that_refuses_at_the_alert_is_told_later() {
    with_both(|protocol| fails_at_the_alert("case3", protocol, Mode::Refuse));
}

#[test]
fn a_provider_that_refuses_at_the_recovery_is_told_later() {
    with_both(|protocol| fails_at_the_recovery("case4", protocol, Mode::Refuse));
}

#[test]
fn a_provider_that_answers_500_at_the_alert_is_told_later() {
    with_both(|protocol| fails_at_the_alert("case5", protocol, Mode::Fail));
}

#[test]
fn a_provider_that_answers_500_at_the_recovery_is_told_later() {
    with_both(|protocol| fails_at_the_recovery("case6", protocol, Mode::Fail));
}

/// Cases 7 and 8: one message tells the whole outage, since nobody could be told of its beginning.
fn outage_within_the_providers(name: &str, protocol: Protocol, killed: bool) {
    let mut world = World::new(name, protocol);
    world.inbox.now(Mode::Refuse);
    world.target().close();
    world.wait_for_failures("firing", 1.0);
    if killed {
        world.kill_and_restart();
    }
    world.target().open();
    world.wait_until_well();
    world.inbox.now(Mode::Take);
    world.is_told(&[WELL]);
    if protocol == Protocol::Mail {
        let text = &world.inbox.taken()[0].text;
        assert!(text.contains("site-a was down from ") || text.contains("site-a was down for "), "{text}");
    }
    world.end();
}

#[test]
fn an_outage_within_the_providers_is_told_in_one_message() {
    with_both(|protocol| outage_within_the_providers("case7", protocol, false));
}

#[test]
fn an_outage_within_the_providers_survives_a_kill() {
    with_both(|protocol| outage_within_the_providers("case8", protocol, true));
}

#[test]
fn a_restart_while_it_fires_tells_nothing_new() {
    with_both(|protocol| {
        let mut world = World::new("case9", protocol);
        world.break_and_be_told();
        assert_eq!(world.agent.terminate().code(), Some(0));
        world.agent.restart();
        world.says_no_more_than(&[DOWN]);
        world.target().open();
        world.is_told(&[DOWN, WELL]);
        world.end();
    });
}

#[test]
fn a_second_outage_is_another_one() {
    with_both(|protocol| {
        let world = World::new("case11", protocol);
        world.break_and_be_told();
        world.target().open();
        world.is_told(&[DOWN, WELL]);
        world.target().close();
        world.is_told(&[DOWN, WELL, DOWN]);
        world.target().open();
        world.is_told(&[DOWN, WELL, DOWN, WELL]);
        let taken = world.inbox.taken();
        if protocol == Protocol::Webhook {
            assert_ne!(taken[0].alerts, taken[2].alerts, "an episode of its own");
        }
        world.end();
    });
}

#[test]
fn ten_that_fail_at_once_are_told_at_once() {
    with_both(|protocol| {
        let (target, inbox) = (Door::new(drop), Inbox::new(protocol));
        let names: Vec<String> = (0..10).map(|number| format!("site-{number}")).collect();
        let checks: String = names.iter().map(|name| tcp(name, EVERY, &target, "")).collect();
        let alerts = contact(WAIT, &[inbox.channel("way-0", "2s")]);
        let name = format!("alerts-case12-{protocol:?}").to_lowercase();
        let agent = Agent::start_alerting(&name, &[("a", &checks)], &alerts, &[]);
        agent.wait_until_ready();
        for over in [false, true] {
            if over {
                target.open();
            } else {
                target.close();
            }
            let those = || inbox.taken().into_iter().filter(|message| message.over == over);
            let number = || those().map(|message| message.names.len()).sum::<usize>();
            agent.wait_for("all ten to be told", |_| number() >= names.len());
            let before = runs(&agent, "site-9");
            agent.wait_for("more runs", |agent| runs(agent, "site-9") >= before + MORE_RUNS);
            let messages: Vec<_> = those().collect();
            assert_eq!(number(), names.len(), "{:?}", told(&messages));
            let apart = messages[messages.len() - 1].at - messages[0].at;
            assert!(apart <= Duration::from_millis(500), "{apart:?} apart: {:?}", told(&messages));
        }
    });
}

#[test]
fn ten_that_hang_are_told_and_the_healthy_fifty_are_all_checked_on_time() {
    let (well, inbox) = (Door::new(drop), Inbox::new(Protocol::Webhook));
    let hung = crate::support::target::Silent::start();
    let mut checks: String =
        (0..50).map(|number| tcp(&format!("site-well-{number}"), "1s", &well, "")).collect();
    for number in 0..10 {
        writeln!(
            checks,
            "[[check]]\nname = 'site-hung-{number}'\nsection = 'site'\nevery = '1s'\ntimeout = '900ms'\n\
             probe.tcp = {{ address = '{}', expect = {{ contains = 'x' }} }}",
            hung.address()
        )
        .expect("a text");
    }
    let alerts = contact(WAIT, &[inbox.channel("way-0", "2s")]);
    let agent = Agent::start_alerting("alerts-case13", &[("a", &checks)], &alerts, &[]);
    agent.wait_until_ready();
    let (begun, before) = (Instant::now(), runs(&agent, "site-well-49"));
    agent.wait_for("ten seconds of runs", |agent| runs(agent, "site-well-49") >= before + 10.0);
    let passed = begun.elapsed().as_secs_f64();
    assert_eq!(dropped(&agent), 0.0, "a run was missed");
    for number in 0..50 {
        let done = runs(&agent, &format!("site-well-{number}"));
        assert!(done >= passed.floor() - 1.0, "site-well-{number} ran {done} times in {passed} s");
    }
    let names: BTreeSet<String> = inbox.taken().into_iter().flat_map(|message| message.names).collect();
    let expected: BTreeSet<String> = (0..10).map(|number| format!("site-hung-{number}")).collect();
    assert_eq!(names, expected);
}
