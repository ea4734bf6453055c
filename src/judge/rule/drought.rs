//! Whether there are far fewer events than usual at this hour: the failure in which nobody *can* order leaves no failed
//! order behind.
//!
//! Usual is the median of the same hour of the same weekday over the last weeks, where the shop is, and three tenths
//! less for safety. What was usual since the last event is then weighed against chance: at noon two hours of silence may
//! be a fault, and at four in the morning they never are.

use super::Scene;
use crate::alert::{Severity, Verdict};
use crate::config::alerting::Objective;
use crate::judge::Condition;
use crate::judge::chance::{at_most, median};
use crate::judge::words::{by_chance, number, period};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// How long the history is that it learns from.
pub const LEARNS_FROM: u32 = 56 * DAY;
const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;
/// Once is not usual.
const WEEKS_MIN: usize = 2;
const SAFETY: f64 = 0.7;
/// Silence is looked at together with so many events before it, so that a trickle is seen too.
const EVENTS_MAX: u32 = 3;
/// A silence longer than this is told as one of this length.
const LOOKS_BACK: u32 = 7 * DAY;
const TICKET: f64 = 1e-3;
const PAGE: f64 = 1e-4;
/// What chance does more often than this is no drought any more.
const OVER: f64 = 1e-2;

/// What is usual, by the hour of the week.
#[derive(Debug, Default)]
pub struct Drought {
    zone: Option<TimeZone>,
    /// Events an hour, Monday's first hour first; `None`: not known.
    usual: Vec<Option<f64>>,
    /// The hour in which it is learnt anew: once a day, each objective in its own hour, so that no tick has to do it for
    /// all of them.
    learns: u32,
    own_hour: u32,
    /// The judgement of a minute holds for the minute.
    judged: Option<(u32, Condition)>,
}

impl Drought {
    pub fn new(objective: &Objective) -> Drought {
        let own_hour = objective.name.bytes().map(u32::from).sum::<u32>() % 24;
        Drought { zone: objective.report.clone(), own_hour, ..Drought::default() }
    }

    pub fn judge(&mut self, scene: &Scene<'_>) -> Condition {
        let end = scene.minutes.end();
        if let Some((minute, condition)) = &self.judged
            && *minute == end
        {
            return condition.clone();
        }
        self.learn(scene, end);
        let condition = self.look(scene, end);
        self.judged = Some((end, condition.clone()));
        condition
    }

    fn look(&self, scene: &Scene<'_>, end: u32) -> Condition {
        let nothing = |verdict, summary: &str| condition(Severity::Ticket, verdict, summary.to_owned());
        let learns_until = scene.minutes.first().map_or(u32::MAX, |first| first + 14 * DAY);
        if end < learns_until {
            return nothing(Verdict::Unknown, "it takes two weeks to learn what is usual");
        }
        let oldest = end.saturating_sub(LOOKS_BACK);
        let mut expected = Expected { drought: self, scene, from: end + 1, sum: 0.0 };
        let mut worst: Option<(f64, u32, u32, f64)> = None;
        let mut events = scene.minutes.busy_back().take_while(|(minute, _)| *minute >= oldest);
        let mut seen = 0;
        while seen <= EVENTS_MAX {
            let (minute, count) = events.next().unwrap_or((oldest, u64::from(EVENTS_MAX) + 1));
            // The silence begins after the minute of the event.
            let usual = expected.back_to(minute + 1);
            let chance = at_most(seen, usual);
            if worst.is_none_or(|(least, ..)| chance < least) {
                worst = Some((chance, seen, end - minute, usual));
            }
            seen = seen.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        }
        match worst {
            Some((chance, seen, minutes, usual)) if chance <= TICKET => {
                let page = chance <= PAGE && !scene.objective.page.is_empty();
                let severity =
                    if page || scene.objective.ticket.is_empty() { Severity::Page } else { Severity::Ticket };
                let told = format!("{} in {}", count(scene, seen), period(minutes));
                let mut condition = condition(severity, Verdict::Firing, told.clone());
                condition.evidence = vec![format!(
                    "{told}, where at least {} are usual; that happens by chance {}",
                    number(usual),
                    by_chance(chance)
                )];
                condition
            }
            Some((chance, ..)) if chance < OVER => nothing(Verdict::Unknown, "fewer than usual"),
            _ if scene.window(HOUR / 2).is_covered() => nothing(Verdict::Healthy, ""),
            _ => nothing(Verdict::Unknown, "the last half hour is not measured"),
        }
    }

    /// The medians of all hours that are over and were measured.
    fn learn(&mut self, scene: &Scene<'_>, end: u32) {
        let hour = end / HOUR;
        if hour < self.learns {
            return;
        }
        self.learns = (hour / 24 + 1) * 24 + self.own_hour;
        let first = scene.minutes.first().unwrap_or(end).max(end.saturating_sub(LEARNS_FROM)).div_ceil(HOUR);
        let mut seen: Vec<Vec<f64>> = vec![Vec::new(); 168];
        for hour in first..hour {
            let sum = scene.minutes.sum(hour * HOUR, hour * HOUR + HOUR - 1);
            if sum.measured * 10 >= u64::from(HOUR) * 9 {
                seen[self.slot(hour)].push(sum.total() as f64 * f64::from(HOUR) / sum.measured as f64);
            }
        }
        let usual = |hours: &mut Vec<f64>| {
            if hours.len() < WEEKS_MIN { None } else { median(hours) }
        };
        self.usual = seen.iter_mut().map(usual).collect();
    }

    /// Which hour of the week it is where the shop is. `hour`: since the epoch.
    fn slot(&self, hour: u32) -> usize {
        let at = Timestamp::from_second(i64::from(hour) * 3600).unwrap_or(Timestamp::UNIX_EPOCH);
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        let local = at.to_zoned(zone);
        let day = local.weekday().to_monday_zero_offset();
        (usize::from(day.unsigned_abs()) * 24 + usize::from(local.hour().unsigned_abs())) % 168
    }
}

/// Adds up what is usual, backwards. Only measured minutes count: where nobody looked, nothing is missing.
struct Expected<'a> {
    drought: &'a Drought,
    scene: &'a Scene<'a>,
    from: u32,
    sum: f64,
}

impl Expected<'_> {
    fn back_to(&mut self, minute: u32) -> f64 {
        while self.from > minute {
            let hour = (self.from - 1) / HOUR;
            let begin = (hour * HOUR).max(minute);
            let measured = self.scene.minutes.sum(begin, self.from - 1).measured;
            let usual = self.drought.usual[self.drought.slot(hour)].unwrap_or(0.0);
            self.sum += usual * SAFETY * measured as f64 / f64::from(HOUR);
            self.from = begin;
        }
        self.sum
    }
}

fn count(scene: &Scene<'_>, seen: u32) -> String {
    if seen == 0 {
        format!("no {}", scene.words.many())
    } else {
        format!("only {}", scene.words.count(u64::from(seen)))
    }
}

fn condition(severity: Severity, verdict: Verdict, summary: String) -> Condition {
    Condition {
        name: "drought",
        severity,
        verdict,
        summary,
        evidence: Vec::new(),
        cost: None,
        keep_firing_for: None,
    }
}
