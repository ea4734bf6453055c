//! A past for the demo: 90 days in which the shop was watched and a few things went wrong, so that pages have something
//! to show from the first second. All of it is made up, from a seed, and the demo says so.
//!
//! Only what the status page stands on has a past, and the promise that it can be reached. Hours and days are consistent
//! with each other and with the episodes: who adds them up finds the same outages.

use crate::alert::Severity;
use crate::config::Plan;
use crate::config::alerting::Indicator;
use crate::record::cells::{Cells, Side};
use crate::record::windows::Counts;
use crate::store::{AlertRow, Batch, EpisodeRow, ImportedDay, ImportedRuns, Slice};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const DAY: u32 = 1440;
/// Hours are told apart for so many days; before them only days are.
const HOURS_KEPT: u32 = 29;
/// Durations of one hour are one of so many patterns: to pack a histogram takes time.
const PATTERNS: u32 = 12;
/// Different durations in an hour.
const VALUES: u32 = 40;

/// Something that went wrong: the check, how many days ago, at which minute of the day, for how many minutes, what was
/// told.
const OUTAGES: [(&str, u32, u32, u32, &str); 6] = [
    ("site", 83, 611, 22, "the connection was refused"),
    ("payments", 67, 1_122, 38, "Square answers 503: service unavailable"),
    ("site", 41, 1_003, 26, "the answer took longer than 5 s"),
    ("email", 33, 540, 95, "Resend answers 429: the daily quota is used up"),
    ("site", 12, 742, 9, "status 502, and 200 was expected"),
    ("payments", 5, 860, 6, "Square answers 401: the token has expired"),
];
/// The agent was off: days ago, from and to which minute of the day.
const OFF: (u32, u32, u32) = (52, 60, 1_260);

/// What the store is filled with.
#[derive(Debug, Default)]
pub struct Past {
    pub runs: Vec<ImportedRuns>,
    pub days: Vec<ImportedDay>,
    pub episodes: Batch,
}

/// `days` days of what the parts of the plan's status page stand on, up to the hour before `now`.
pub fn simulated(plan: &Plan, days: u32, seed: u64, now: Timestamp) -> Past {
    let this_hour = minute(now) / 60 * 60;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut past = Past::default();
    for check in &plan.checks {
        if plan.alerting.parts.iter().any(|part| part.has(&check.name, &check.section)) {
            let typical = 0.004 + random.f64() * 0.12;
            past.runs.extend(runs(&check.name, check.every, typical, (days, this_hour), &mut random));
        }
    }
    for objective in &plan.alerting.objectives {
        if let Indicator::Availability { checks } = &objective.indicator {
            let named = (objective.name.clone(), objective.generation);
            past.days.extend(minutes(&named, checks, days, this_hour));
        }
    }
    past.episodes.alerts = OUTAGES.iter().filter_map(|outage| episode(plan, *outage, (days, now))).collect();
    past
}

/// The runs of one check; every hour of the last weeks, and every day.
pub fn runs(
    check: &Arc<str>,
    every: Duration,
    typical_seconds: f64,
    (days, this_hour): (u32, u32),
    random: &mut fastrand::Rng,
) -> Vec<ImportedRuns> {
    let patterns: Vec<Cells> = (0..PATTERNS).map(|_| durations(every, typical_seconds, random)).collect();
    let today = this_hour / DAY;
    let mut rows = Vec::new();
    for ago in (0..days).rev() {
        let day = today - ago;
        let mut whole = (Counts::default(), Cells::default());
        for start in (day * DAY..(day + 1) * DAY).step_by(60).filter(|start| *start < this_hour) {
            let pattern = &patterns[random.u32(..PATTERNS) as usize];
            let (counts, cells) = hour(check, start, ago, every, pattern);
            whole.0.merge(&counts);
            whole.1.merge(&cells);
            if ago < HOURS_KEPT && counts != Counts::default() {
                rows.push(ImportedRuns { check: check.clone(), start, is_day: false, counts, cells });
            }
        }
        if ago > 0 && whole.0 != Counts::default() {
            let (counts, cells) = whole;
            rows.push(ImportedRuns { check: check.clone(), start: day * DAY, is_day: true, counts, cells });
        }
    }
    rows
}

/// How long the runs of an hour take: most of them about the same, a few much longer.
fn durations(every: Duration, typical_seconds: f64, random: &mut fastrand::Rng) -> Cells {
    let mut cells = Cells::default();
    let slower = 0.8 + random.f64() * 0.5;
    let all = per_minutes(60, every) as u32;
    let values = all.min(VALUES);
    for number in 0..values {
        let spread = (random.f64() + random.f64() + random.f64() - 1.5) * 0.5;
        let tail = if random.f64() < 0.02 { 2.0 + random.f64() * 6.0 } else { 1.0 };
        let took = typical_seconds * slower * spread.exp() * tail;
        let times = all / values + u32::from(number < all % values);
        cells.add_many(Side::Good, Duration::from_secs_f64(took), times);
    }
    cells
}

fn per_minutes(minutes: u32, every: Duration) -> u64 {
    u64::from(minutes) * 60_000 / u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn hour(check: &str, start: u32, ago: u32, every: Duration, pattern: &Cells) -> (Counts, Cells) {
    let overlap = |(from, to): (u32, u32)| {
        let begins = start % DAY;
        (begins + 60).min(to).saturating_sub(begins.max(from))
    };
    if ago == OFF.0 && overlap((OFF.1, OFF.2)) > 0 {
        return (Counts::default(), Cells::default());
    }
    let down: u32 = OUTAGES
        .iter()
        .filter(|(name, day, ..)| *name == check && *day == ago)
        .map(|(_, _, from, lasts, _)| overlap((*from, from + lasts)))
        .sum();
    let failed = per_minutes(down, every);
    let mut cells = pattern.clone();
    let ok = per_minutes(60, every) - failed;
    if failed > 0 {
        cells = Cells::default();
        let mut left = ok;
        for (seconds, count) in pattern.durations() {
            let kept = count.min(left);
            cells.add_many(Side::Good, Duration::from_secs_f64(seconds), kept as u32);
            left -= kept;
        }
        (0..failed).for_each(|number| cells.add(Side::Failed, Duration::from_millis(40 + number % 7 * 400)));
    }
    (Counts { ok, failed, ..Counts::default() }, cells)
}

/// The minutes of a promise that these checks can be reached.
fn minutes(named: &(Arc<str>, u64), checks: &[Arc<str>], days: u32, this_hour: u32) -> Vec<ImportedDay> {
    let today = this_hour / DAY;
    let day = |ago: u32| {
        let first = (today - ago) * DAY;
        let slice = |minute: u32| {
            let of_day = minute - first;
            let is_off = ago == OFF.0 && (OFF.1..OFF.2).contains(&of_day);
            let is_bad = OUTAGES.iter().any(|(check, day, from, lasts, _)| {
                *day == ago
                    && (*from..from + lasts).contains(&of_day)
                    && checks.iter().any(|one| **one == **check)
            });
            let (good, bad) = (u32::from(!is_bad), u32::from(is_bad));
            (!is_off).then_some((minute, Slice { minute, good, bad, excluded: false }))
        };
        let minutes: BTreeMap<u32, Slice> = (first..(first + DAY).min(this_hour)).filter_map(slice).collect();
        ImportedDay { objective: named.0.clone(), generation: named.1, day: today - ago, minutes }
    };
    (0..days).rev().map(day).filter(|day| !day.minutes.is_empty()).collect()
}

fn episode(
    plan: &Plan,
    outage: (&str, u32, u32, u32, &str),
    (days, now): (u32, Timestamp),
) -> Option<AlertRow> {
    let (name, ago, from, lasts, summary) = outage;
    let check = plan.checks.iter().find(|check| *check.name == *name).filter(|_| ago < days)?;
    let begins = (minute(now) / DAY - ago) * DAY + from;
    let at = |minute: u32| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(i64::from(minute));
    let key = format!("check/{name}");
    Some(AlertRow {
        key: key.as_str().into(),
        state: None,
        episode: Some(EpisodeRow {
            episode: format!("{key}/{}", at(begins).as_millisecond()),
            severity: check.alert.failed.unwrap_or(Severity::Info),
            title: check.title.clone(),
            summary: summary.to_owned(),
            fired: at(begins + 1),
            ended: Some(at(begins + lasts)),
        }),
    })
}

fn minute(at: Timestamp) -> u32 {
    u32::try_from(at.as_second() / 60).unwrap_or_default()
}
