//! Everything fails at once, again and again, and the agent is killed at random moments of it.

use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const CHECKS: usize = 500;

/// Few enough that a message names them all, so that the receiver sees each alert.
const CHECKS_A_CONTACT: usize = 2;

/// How long the receiver takes for a message: most kills hit the middle of a storm.
const SLOWLY: Duration = Duration::from_millis(40);

/// Lives of the agent that end by a kill, unless `ATALAYA_TEST_KILLS` says otherwise. They are in four parts: all fails,
/// all is well, and both again; once more would be flapping.
const KILLS: usize = 40;

/// The moments are the same at every run of the test, as far as a machine repeats itself.
const SEED: u64 = 0x5eed;

/// Checks of one target; each ten have a contact of their own, and all contacts one channel.
fn definitions(target: &Door, inbox: &Inbox) -> (String, String) {
    let contacts = CHECKS / CHECKS_A_CONTACT;
    let mut checks = String::new();
    for number in 0..CHECKS {
        let more =
            format!("alert = {{ attempts = 1, recoveries = 1, to = ['contact-{}'] }}", number % contacts);
        checks += &tcp(&format!("site-{number}"), "1s", target, &more);
    }
    let mut alerts = inbox.channel("hook", "5s");
    for number in 0..contacts {
        writeln!(alerts, "[[contact]]\nname = 'contact-{number}'\nchannels = ['hook']").expect("a text");
    }
    (checks, alerts)
}

/// What each episode was told: keys of messages that told its beginning, and its end.
#[derive(Default)]
struct Heard {
    begun: BTreeSet<String>,
    ended: BTreeSet<String>,
    /// The first word was that it is over, and not for want of being told before.
    out_of_order: bool,
}

fn heard(messages: &[Message]) -> BTreeMap<String, Heard> {
    let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
    let mut heard: BTreeMap<String, Heard> = BTreeMap::new();
    for message in messages {
        let first = texts.entry(&message.key).or_insert(&message.text);
        assert_eq!(*first, message.text, "one key, one text");
        for episode in &message.alerts {
            let heard = heard.entry(episode.clone()).or_default();
            if message.over {
                heard.ended.insert(message.key.clone());
            } else {
                heard.out_of_order |= !heard.ended.is_empty();
                heard.begun.insert(message.key.clone());
            }
        }
    }
    heard
}

#[test]
fn kills_at_random_moments_of_a_storm_lose_nothing() {
    let (target, inbox) = (Door::new(drop), Inbox::new(Protocol::Webhook));
    let (checks, alerts) = definitions(&target, &inbox);
    let mut agent = Agent::start_alerting("alerts-storm", &[("a", &checks)], &alerts, &[]);
    let mut random = fastrand::Rng::with_seed(SEED);
    agent.wait_until_ready();
    inbox.now(Mode::Slow(SLOWLY));
    let kills = std::env::var("ATALAYA_TEST_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"));
    let begun = Instant::now();
    for number in 0..kills {
        match number * 4 % (kills * 2) {
            part if part < 4 => target.close(),
            part if (kills..kills + 4).contains(&part) => target.open(),
            _ => {}
        }
        // Starting takes a part of it, so that some kills hit the start.
        std::thread::sleep(Duration::from_millis(random.u64(50..2500)));
        agent.kill();
        agent.begin_restart();
    }
    inbox.now(Mode::Take);
    agent.kill();
    agent.restart();
    target.open();
    wait_until_calm(&agent, &inbox);
    println!("{kills} kills in {:?}, {} messages", begun.elapsed(), inbox.taken().len());
    assert_eq!(agent.terminate().code(), Some(0));
    let store = Store::of(&agent);
    assert_eq!(store.pending, 0, "messages that nobody was told");
    assert!(store.episodes.len() >= CHECKS, "{} episodes", store.episodes.len());
    let heard = heard(&inbox.taken());
    for (episode, is_over) in &store.episodes {
        assert!(is_over, "{episode} has not ended");
        let heard = heard.get(episode).unwrap_or_else(|| panic!("{episode} was told nobody"));
        assert!(!heard.out_of_order, "{episode} was told to begin after its end");
        assert_eq!(heard.ended.len(), 1, "the end of {episode}");
        assert!(heard.begun.len() <= 1, "{episode} was told in several messages: {:?}", heard.begun);
    }
    let known: BTreeSet<&String> = store.episodes.iter().map(|(episode, _)| episode).collect();
    let invented: Vec<_> = heard.keys().filter(|episode| !known.contains(episode)).collect();
    assert!(invented.is_empty(), "told, and not remembered: {invented:?}");
}

/// No alert is open, and nothing was told since the checks ran some more times.
fn wait_until_calm(agent: &Agent, inbox: &Inbox) {
    agent.wait_until_ready();
    agent.wait_for("every alert to be over", |agent| agent.get("/api/v1/alerts").body == "[]");
    agent.wait_for("every message to be delivered", |agent| {
        agent.metric("atalaya_notification_oldest_pending_seconds") == Some(0.0)
    });
    let (before, messages) = (runs(agent, "site-0"), inbox.taken().len());
    agent.wait_for("more runs", |agent| runs(agent, "site-0") >= before + 3.0);
    assert_eq!(inbox.taken().len(), messages, "something was told when all was over");
}
