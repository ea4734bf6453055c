//! The one notion of being well. Loops leave behind when they last turned, others what they last said; whoever asks
//! gets the same answer from the same signs, with reasons in words. Nothing here waits or reads a clock.

use crate::clock::{Now, Steady};
use crate::mind::EVALUATE_EVERY;
use crate::notify::outbox::Health;
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The runner and the loop that judges each turn at least once a second.
const TURNED_MAX: Duration = Duration::from_secs(10);
/// Two evaluations may not come late one after the other.
const JUDGED_MAX: Duration = EVALUATE_EVERY.saturating_mul(2);
/// The courier tells how it is every ten seconds.
const COURIER_MAX: Duration = Duration::from_secs(30);
/// A page that nobody has after this is as bad as one that was never sent.
const PAGE_MAX: Duration = Duration::from_mins(5);
/// Whoever looks does so every second. After a gap like this the machine was suspended or the process stopped, and
/// what all others left behind says nothing.
const GAP: Duration = Duration::from_secs(5);
/// Nobody ran this program before 2026, nor will anybody after 2100: a clock that says so was never set.
const CLOCK: std::ops::Range<i64> = 1_767_225_600..4_102_444_800;

/// What must be well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Runner,
    Judge,
    Store,
    Pages,
    Clock,
}

impl Part {
    pub const ALL: [Part; 5] = [Part::Runner, Part::Judge, Part::Store, Part::Pages, Part::Clock];

    /// The word used in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Part::Runner => "runner",
            Part::Judge => "judge",
            Part::Store => "store",
            Part::Pages => "pages",
            Part::Clock => "clock",
        }
    }

    /// Whether it is the process itself, which a restart can mend.
    const fn is_process(self) -> bool {
        matches!(self, Part::Runner | Part::Judge)
    }
}

/// How the agent is at one moment: what is not well, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wellness {
    troubles: Vec<(Part, String)>,
}

impl Wellness {
    pub const fn is_well(&self) -> bool {
        self.troubles.is_empty()
    }

    /// Whether the process works, whatever is around it.
    pub fn process_is_well(&self) -> bool {
        !self.troubles.iter().any(|(part, _)| part.is_process())
    }

    pub fn ill(&self) -> Vec<Part> {
        self.troubles.iter().map(|(part, _)| *part).collect()
    }

    /// Why this part is not well.
    pub fn trouble(&self, part: Part) -> Option<&str> {
        self.troubles.iter().find(|(ill, _)| *ill == part).map(|(_, why)| why.as_str())
    }

    /// All that is not well, as one line.
    pub fn reason(&self) -> String {
        let whys: Vec<&str> = self.troubles.iter().map(|(_, why)| why.as_str()).collect();
        whys.join("; ")
    }
}

/// What the parts of the agent left behind. Moments are steady.
#[derive(Debug)]
pub struct Vitals {
    runner: Moment,
    judge: Moment,
    judged: Moment,
    /// What was before says nothing: the start, or the end of a suspension.
    awake: Moment,
    stopping: AtomicBool,
    /// Why the store is ill.
    store: Mutex<Option<String>>,
    /// What the courier said last, and when.
    courier: Mutex<(Steady, Option<Health>)>,
}

/// A moment that is moved from one side and read from another.
#[derive(Debug)]
struct Moment(AtomicU64);

impl Moment {
    fn new(at: Steady) -> Moment {
        Moment(AtomicU64::new(milliseconds(at)))
    }

    fn set(&self, at: Steady) {
        self.0.fetch_max(milliseconds(at), Ordering::Relaxed);
    }

    fn get(&self) -> Steady {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

fn milliseconds(at: Steady) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}

/// What is kept here is replaced in one piece, so it is whole whatever happened to who held it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Vitals {
    pub fn new(at: Steady) -> Vitals {
        let moment = || Moment::new(at);
        Vitals {
            runner: moment(),
            judge: moment(),
            judged: Moment::new(Duration::ZERO),
            awake: moment(),
            stopping: AtomicBool::new(false),
            store: Mutex::new(None),
            courier: Mutex::new((at, None)),
        }
    }

    pub fn runner_turned(&self, at: Steady) {
        self.runner.set(at);
    }

    /// The loop that judges has turned.
    pub fn judge_turned(&self, at: Steady) {
        self.judge.set(at);
    }

    /// Objectives were evaluated.
    pub fn judged(&self, at: Steady) {
        self.judged.set(at);
    }

    /// When objectives were last evaluated; zero before the first time.
    pub fn last_judged(&self) -> Steady {
        self.judged.get()
    }

    /// `ill` says why.
    pub fn hear_store(&self, ill: Option<String>) {
        *lock(&self.store) = ill;
    }

    pub fn hear_courier(&self, at: Steady, health: Health) {
        *lock(&self.courier) = (at, Some(health));
    }

    /// From now on nothing runs any more, and that is meant.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub fn wellness(&self, now: Now) -> Wellness {
        let troubles = Part::ALL.into_iter().filter_map(|part| Some((part, self.look_at(part, now)?)));
        Wellness { troubles: troubles.collect() }
    }

    fn look_at(&self, part: Part, now: Now) -> Option<String> {
        match part {
            Part::Runner if self.is_stopping() => None,
            Part::Runner => {
                late(self.age(&self.runner, now), TURNED_MAX, "the runner of checks has not turned")
            }
            Part::Judge => {
                late(self.age(&self.judge, now), TURNED_MAX, "the loop that judges has not turned")
                    .or_else(|| late(self.age(&self.judged, now), JUDGED_MAX, "no objective was evaluated"))
            }
            Part::Store => lock(&self.store).clone(),
            Part::Pages => self.look_at_pages(now),
            Part::Clock => look_at_clock(now.wall),
        }
    }

    fn age(&self, moment: &Moment, now: Now) -> Duration {
        now.steady.saturating_sub(moment.get().max(self.awake.get()))
    }

    fn look_at_pages(&self, now: Now) -> Option<String> {
        let courier = lock(&self.courier);
        let (heard, health) = &*courier;
        let silent = now.steady.saturating_sub((*heard).max(self.awake.get()));
        if let Some(why) = late(silent, COURIER_MAX, "the courier of messages was not heard of") {
            return Some(why);
        }
        let health = health.as_ref()?;
        // It gets older while nobody says so.
        let waited = health.oldest_page.map(|age| age.saturating_add(now.steady.saturating_sub(*heard)));
        if let Some(waited) = waited.filter(|waited| *waited >= PAGE_MAX) {
            return Some(format!("a page has waited for {} s to be delivered", waited.as_secs()));
        }
        let nobody = !health.channels.is_empty() && health.channels.iter().all(|channel| !channel.well);
        nobody.then(|| {
            let names: Vec<&str> = health.channels.iter().map(|channel| &*channel.channel).collect();
            format!("nobody can be told: no channel delivers ({})", names.join(", "))
        })
    }
}

fn late(age: Duration, most: Duration, what: &str) -> Option<String> {
    (age >= most).then(|| format!("{what} for {} s", age.as_secs()))
}

fn look_at_clock(wall: Timestamp) -> Option<String> {
    let sane = CLOCK.contains(&wall.as_second());
    (!sane).then(|| format!("the clock of this machine reads {}, which can't be", wall.strftime("%F %T UTC")))
}

/// Looks every second, and sees by its own gaps when nobody could have done anything.
#[derive(Debug)]
pub struct Watcher {
    last: Steady,
}

impl Watcher {
    pub const fn new(at: Steady) -> Watcher {
        Watcher { last: at }
    }

    /// To be called at every look before anything is concluded.
    pub fn wake(&mut self, vitals: &Vitals, now: Steady) {
        let before = std::mem::replace(&mut self.last, now);
        if now.saturating_sub(before) > GAP {
            vitals.awake.set(now);
        }
    }

    pub fn look(&mut self, vitals: &Vitals, now: Now) -> Wellness {
        self.wake(vitals, now.steady);
        vitals.wellness(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::outbox::ChannelHealth;

    /// 2026-11-22, so many seconds after the start.
    fn at(second: u64) -> Now {
        let wall = Timestamp::from_second(1_795_300_000 + second.cast_signed()).expect("a time");
        Now { wall, steady: Duration::from_secs(1000 + second) }
    }

    /// All is well at this second.
    fn well(second: u64) -> Vitals {
        let vitals = Vitals::new(at(0).steady);
        let steady = at(second).steady;
        vitals.runner_turned(steady);
        vitals.judge_turned(steady);
        vitals.judged(steady);
        vitals.hear_courier(steady, health(None, &[true, false]));
        vitals
    }

    fn health(page: Option<u64>, well: &[bool]) -> Health {
        let channel = |(number, well): (usize, &bool)| ChannelHealth {
            channel: format!("channel-{number}").into(),
            well: *well,
            oldest_pending: None,
            pending: 0,
            error: None,
            failures: 0,
        };
        let channels = well.iter().enumerate().map(channel).collect();
        Health { channels, oldest_page: page.map(Duration::from_secs) }
    }

    fn check(vitals: &Vitals, now: Now, expected: &[(Part, &str)]) {
        let wellness = vitals.wellness(now);
        let found: Vec<_> = wellness.troubles.iter().map(|(part, why)| (*part, why.as_str())).collect();
        assert_eq!(found, expected);
        assert_eq!(wellness.is_well(), expected.is_empty());
        let process = expected.iter().any(|(part, _)| matches!(part, Part::Runner | Part::Judge));
        assert_eq!(wellness.process_is_well(), !process);
    }

    #[test]
    fn all_is_well_from_the_start_until_somebody_is_late() {
        check(&Vitals::new(at(0).steady), at(9), &[]);
        check(&well(60), at(69), &[]);
        let late = [
            (Part::Runner, "the runner of checks has not turned for 10 s"),
            (Part::Judge, "the loop that judges has not turned for 10 s"),
        ];
        check(&well(60), at(70), &late);
    }

    #[test]
    fn a_loop_that_turns_and_does_not_judge_is_ill() {
        let vitals = well(60);
        for (second, why) in [(89, None), (90, Some("no objective was evaluated for 30 s"))] {
            vitals.runner_turned(at(second).steady);
            vitals.judge_turned(at(second).steady);
            vitals.hear_courier(at(second).steady, health(None, &[true]));
            let expected: Vec<_> = why.map(|why| (Part::Judge, why)).into_iter().collect();
            check(&vitals, at(second), &expected);
        }
    }

    #[test]
    fn a_store_that_is_ill_says_why_until_it_is_well() {
        let vitals = well(60);
        vitals.hear_store(Some("the disk is full".to_owned()));
        check(&vitals, at(61), &[(Part::Store, "the disk is full")]);
        assert_eq!(vitals.wellness(at(61)).reason(), "the disk is full");
        vitals.hear_store(None);
        check(&vitals, at(62), &[]);
    }

    #[test]
    fn a_page_that_nobody_has_after_five_minutes_is_told() {
        let vitals = well(60);
        vitals.hear_courier(at(60).steady, health(Some(295), &[true]));
        check(&vitals, at(64), &[]);
        check(&vitals, at(65), &[(Part::Pages, "a page has waited for 300 s to be delivered")]);
        vitals.hear_courier(at(66).steady, health(None, &[true]));
        check(&vitals, at(66), &[]);
    }

    #[test]
    fn without_a_channel_that_delivers_nobody_can_be_told() {
        let vitals = well(60);
        vitals.hear_courier(at(60).steady, health(None, &[false, false]));
        let why = "nobody can be told: no channel delivers (channel-0, channel-1)";
        check(&vitals, at(61), &[(Part::Pages, why)]);
        // Whoever defines none wants only to look.
        vitals.hear_courier(at(61).steady, health(None, &[]));
        check(&vitals, at(62), &[]);
    }

    #[test]
    fn a_courier_that_is_silent_is_ill() {
        let vitals = well(60);
        for second in [89, 90] {
            vitals.runner_turned(at(second).steady);
            vitals.judge_turned(at(second).steady);
            vitals.judged(at(second).steady);
        }
        check(&vitals, at(89), &[]);
        check(&vitals, at(90), &[(Part::Pages, "the courier of messages was not heard of for 30 s")]);
    }

    #[test]
    fn a_clock_that_was_never_set_is_told() {
        let vitals = well(60);
        let set = |second| Now { wall: Timestamp::from_second(second).expect("a time"), ..at(61) };
        let why = "the clock of this machine reads 1970-01-01 00:01:40 UTC, which can't be";
        check(&vitals, set(100), &[(Part::Clock, why)]);
        check(&vitals, set(CLOCK.start), &[]);
        let why = "the clock of this machine reads 2100-01-01 00:00:00 UTC, which can't be";
        check(&vitals, set(CLOCK.end), &[(Part::Clock, why)]);
    }

    #[test]
    fn who_was_suspended_is_not_late_but_who_stays_silent_after_is() {
        let vitals = well(60);
        let mut watcher = Watcher::new(at(60).steady);
        assert!(watcher.look(&vitals, at(30_000)).is_well());
        for second in 30_001..30_010 {
            assert!(watcher.look(&vitals, at(second)).is_well());
        }
        assert!(!watcher.look(&vitals, at(30_010)).process_is_well());
    }

    #[test]
    fn one_that_stops_runs_nothing_and_is_well() {
        let vitals = well(60);
        vitals.stop();
        vitals.judge_turned(at(75).steady);
        check(&vitals, at(75), &[]);
    }
}
