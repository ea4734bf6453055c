//! Whatever the channels do, and whenever the process is killed.

use super::world::Seen;
use super::{Mood, World, page};
use crate::alert::Kind;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
enum Step {
    /// An episode begins, goes on, or ends.
    Tell(usize, Kind),
    /// Two that belong together begin.
    Group(usize),
    Mood(&'static str, Mood),
    Pass(u64),
    /// Killed; with the second, what changed since the last writing is lost.
    Crash,
    Writes(bool),
}

const EPISODES: usize = 6;
const CHANNELS: [&str; 2] = ["mail", "slack"];

fn mood(honest: bool) -> impl Strategy<Value = Mood> {
    let last = if honest { Mood::Failing } else { Mood::Ambiguous };
    prop::sample::select(vec![
        Mood::Well,
        Mood::Well,
        Mood::Failing,
        Mood::Hanging,
        Mood::Busy(40),
        Mood::Refusing,
        last,
    ])
}

/// Honest: what was taken is known to be, and no process is killed.
fn steps(honest: bool) -> impl Strategy<Value = Vec<Step>> {
    let kinds = prop::sample::select(vec![
        Kind::Firing,
        Kind::Firing,
        Kind::Reminder,
        Kind::Escalated,
        Kind::Resolved,
        Kind::Resolved,
    ]);
    let kill = if honest {
        Just(Step::Pass(1)).boxed()
    } else {
        prop_oneof![Just(Step::Crash), any::<bool>().prop_map(Step::Writes)].boxed()
    };
    let step = prop_oneof![
        4 => (0..EPISODES, kinds).prop_map(|(episode, kind)| Step::Tell(episode, kind)),
        1 => (0..EPISODES - 1).prop_map(Step::Group),
        2 => (prop::sample::select(CHANNELS.to_vec()), mood(honest)).prop_map(|(channel, mood)| Step::Mood(channel, mood)),
        4 => prop::sample::select(vec![0, 1, 7, 30, 70, 400]).prop_map(Step::Pass),
        2 => kill,
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Clone, Copy, PartialEq)]
enum Life {
    Before,
    Firing,
    Over,
}

struct Story {
    world: World,
    lives: [Life; EPISODES],
    number: usize,
}

impl Story {
    /// As the engine would tell it: no end without a beginning, nothing after the end.
    fn apply(&mut self, step: Step) {
        match step {
            Step::Tell(episode, kind) => {
                let life = self.lives[episode];
                let expected = if kind == Kind::Firing { Life::Before } else { Life::Firing };
                if life == expected {
                    self.lives[episode] = if kind == Kind::Resolved { Life::Over } else { Life::Firing };
                    self.tell(kind, &[&episode.to_string()]);
                }
            }
            Step::Group(first) if self.lives[first..=first + 1] == [Life::Before; 2] => {
                self.lives[first..=first + 1].fill(Life::Firing);
                self.tell(Kind::Firing, &[&first.to_string(), &(first + 1).to_string()]);
            }
            Step::Group(_) => {}
            Step::Mood(channel, mood) => self.world.is(channel, mood),
            Step::Pass(seconds) => self.world.pass(seconds),
            Step::Crash => self.world.crash(),
            Step::Writes(writes) => self.world.writes = writes,
        }
    }

    fn tell(&mut self, kind: Kind, episodes: &[&str]) {
        self.number += 1;
        let id = format!("{}/{}", kind.as_str(), self.number);
        self.world.tell(crate::alert::Notice { id, ..page(kind, episodes) });
    }

    /// All is well again, all who can be told are told.
    fn run(steps: Vec<Step>) -> Story {
        let mut story = Story { world: World::new(), lives: [Life::Before; EPISODES], number: 0 };
        for step in steps {
            story.apply(step);
        }
        story.world.writes = true;
        story.world.is("mail", Mood::Well);
        story.world.is("slack", Mood::Well);
        // A restart in peace tries once more what every channel has refused.
        story.world.rest();
        story.world.crash();
        story.world.pass(4000);
        story
    }

    fn seen(&self, episode: usize) -> impl Iterator<Item = &Seen> {
        let name = episode.to_string();
        self.world
            .seen
            .iter()
            .filter(move |seen| seen.parcel.notice.alerts.iter().any(|alert| alert.episode == name))
    }
}

fn is_end(seen: &Seen) -> bool {
    seen.parcel.notice.kind == Kind::Resolved
}

fn told_and_ordered(story: &Story) -> Result<(), TestCaseError> {
    for (episode, life) in story.lives.iter().enumerate() {
        let seen: Vec<&Seen> = story.seen(episode).collect();
        prop_assert_eq!(seen.is_empty(), *life == Life::Before, "episode {}", episode);
        prop_assert_eq!(seen.iter().any(|seen| is_end(seen)), *life == Life::Over, "episode {}", episode);
        let lives = 0..=story.world.life;
        for (channel, life) in
            CHANNELS.iter().flat_map(|channel| lives.clone().map(move |life| (*channel, life)))
        {
            let mut keys = BTreeSet::new();
            let own = seen.iter().filter(|seen| &*seen.channel == channel && seen.life == life);
            let first: Vec<bool> =
                own.filter(|seen| keys.insert(&seen.parcel.key)).map(|seen| is_end(seen)).collect();
            prop_assert!(first.is_sorted(), "episode {} on {}: {:?}", episode, channel, story.world.told());
        }
    }
    prop_assert_eq!(story.world.stored(crate::store::RowState::Pending), 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// With kills at any moment and tries that were taken and did not say so: every beginning and every end is told,
    /// in order on each channel, and the same message on the same channel always has the same key. (In order within
    /// one process: what was not written before a kill is told again, and the beginning again before the end.)
    #[test]
    fn nothing_is_lost(steps in steps(false)) {
        let story = Story::run(steps);
        told_and_ordered(&story)?;
        let mut keys: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for seen in &story.world.seen {
            let of = (seen.parcel.notice.id.as_str(), &*seen.channel);
            keys.entry(of).or_default().insert(&seen.parcel.key);
        }
        for (of, keys) in keys {
            prop_assert_eq!(keys.len(), 1, "{:?}", of);
        }
    }

    /// Without these two, nobody is told the same twice, on whatever channels, and an end says that nobody was told
    /// of the beginning exactly where that is so.
    #[test]
    fn nothing_is_told_twice(steps in steps(true)) {
        let story = Story::run(steps);
        told_and_ordered(&story)?;
        let mut messages = BTreeSet::new();
        for seen in &story.world.seen {
            prop_assert!(messages.insert(&seen.parcel.notice.id), "{:?}", story.world.told());
        }
        for episode in 0..EPISODES {
            let begun = story.seen(episode).any(|seen| !is_end(seen));
            let merged = story.seen(episode).any(|seen| seen.parcel.notice.merged);
            prop_assert!(!(begun && merged), "{:?}", story.world.told());
            prop_assert!(begun || merged || story.lives[episode] == Life::Before, "{:?}", story.world.told());
        }
    }
}
