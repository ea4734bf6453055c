//! A provider that takes what it is told and never answers, for longer than anybody watches.

use super::*;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Case 10: told through the next channel, and no check is late.
#[test]
fn a_provider_that_never_answers_is_passed_by() {
    with_both(|protocol| {
        let (target, well) = (Door::new(drop), Door::new(drop));
        let (first, second) = (Inbox::new(protocol), Inbox::new(protocol));
        let mut checks = tcp("site-a", EVERY, &target, "");
        for number in 0..30 {
            checks += &tcp(&format!("site-well-{number}"), EVERY, &well, "");
        }
        let alerts = contact(WAIT, &[first.channel("way-0", "1s"), second.channel("way-1", "2s")]);
        let name = format!("alerts-case10-{protocol:?}").to_lowercase();
        let agent = Agent::start_alerting(&name, &[("a", &checks)], &alerts, &[]);
        agent.wait_until_ready();
        first.now(Mode::Hang);
        target.close();
        wait_longer(&agent, "the next channel to be told", || !second.taken().is_empty());
        target.open();
        wait_longer(&agent, "the end to be told there", || second.taken().len() == 2);
        let before = runs(&agent, "site-a");
        agent.wait_for("more runs", |agent| runs(agent, "site-a") >= before + MORE_RUNS);
        assert_eq!(told(&second.taken()), ["down site-a", "well site-a"]);
        assert!(second.taken()[0].text.contains("via backup") || protocol == Protocol::Webhook);
        let keys: BTreeSet<String> = first.seen().into_iter().map(|message| message.key).collect();
        assert_eq!(
            keys.len(),
            1,
            "what is tried again has the same key, and the end is told where the beginning was"
        );
        assert_eq!(dropped(&agent), 0.0, "a check was late");
    });
}

/// Ten minutes are allowed for a try, and are not over when this ends: another channel, another contact and the checks
/// don't notice.
#[test]
fn a_channel_that_hangs_delays_no_check_and_no_other_channel() {
    let (targets, well) = (doors(4), Door::new(drop));
    let (hung, other) = (Inbox::new(Protocol::Webhook), Inbox::new(Protocol::Mail));
    let mut checks = String::new();
    for (number, target) in targets.iter().enumerate() {
        checks += &tcp(&site(number), EVERY, target, "alert.attempts = 1\nalert.recoveries = 1");
    }
    for number in 0..50 {
        checks += &tcp(&format!("site-well-{number}"), EVERY, &well, "");
    }
    let alerts = "[alerting]\npage.to = ['one', 'two']\n\
        [[contact]]\nname = 'one'\nchannels = ['hung']\n\
        [[contact]]\nname = 'two'\nchannels = ['other']\n"
        .to_owned()
        + &hung.channel("hung", "10m")
        + &other.channel("other", "2s");
    let agent = Agent::start_alerting("alerts-hang", &[("a", &checks)], &alerts, &[]);
    agent.wait_until_ready();
    hung.now(Mode::Hang);
    let before = runs(&agent, "site-well-0");
    let begun = Instant::now();
    for (number, target) in targets.iter().enumerate() {
        for (down, messages) in [(true, 2 * number + 1), (false, 2 * number + 2)] {
            let at = Instant::now();
            if down {
                target.close();
            } else {
                target.open();
            }
            agent.wait_for("the other channel", |_| other.taken().len() >= messages);
            let took = at.elapsed();
            assert!(took <= Duration::from_millis(1500), "message {messages} took {took:?}");
        }
    }
    let passed = begun.elapsed().as_secs_f64();
    let ran = runs(&agent, "site-well-0") - before;
    assert_eq!(hung.seen().len(), 1, "one try is under way all the time");
    assert_eq!(dropped(&agent), 0.0, "a check was late");
    assert!(ran >= passed / 0.5 - 2.0, "{ran} runs in {passed} s");
    let expected: Vec<String> = (0..4)
        .flat_map(|number| [format!("down {}", site(number)), format!("well {}", site(number))])
        .collect();
    assert_eq!(told(&other.taken()), expected);
}

/// Three tries and what lies between them are more than others wait for.
fn wait_longer(agent: &Agent, what: &str, ready: impl Fn() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) && !ready() {
        std::thread::sleep(Duration::from_millis(20));
    }
    agent.wait_for(what, |_| ready());
}
