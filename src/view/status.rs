//! How each part of the shop is, and was, in words for everybody: what a status page shows.
//!
//! Nothing in here tells what a check is called, what it looks at or why it failed: that is for operators. A part is
//! *down* when somebody is being woken for it, *impaired* when something is wrong that wakes nobody (yet), and
//! *unknown* when one of its checks can't tell: unknown is never shown as well.

use super::past::{DAYS, DayOfObjective, Days, Episode, ObjectiveDays};
use super::{CheckView, View};
use crate::alert::{Phase, Severity, maintenance_window};
use crate::config::alerting::{Alerting, Maintenance, Part};
use crate::outcome::Status as Found;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// From this share of a day on it is marked: a minute and a half.
const MARKED_FROM: f64 = 0.001;
/// From this share on it was a bad day: half an hour.
const BAD_FROM: f64 = 0.02;
/// Troubles of one part that follow each other this closely are one for whoever reads about them.
const JOINED: SignedDuration = SignedDuration::from_mins(5);
/// Maintenance that is further away is not announced yet.
const ANNOUNCED: SignedDuration = SignedDuration::from_hours(7 * 24);
const DAY_SECONDS: f64 = 86_400.0;

/// In one word. Ordered by how much a visitor cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    Well,
    Maintenance,
    Unknown,
    Impaired,
    Down,
}

impl Word {
    /// The word in the API, on badges and as the class of an element.
    pub const fn as_str(self) -> &'static str {
        match self {
            Word::Well => "well",
            Word::Maintenance => "maintenance",
            Word::Unknown => "unknown",
            Word::Impaired => "impaired",
            Word::Down => "down",
        }
    }

    /// What people read.
    pub const fn title(self) -> &'static str {
        match self {
            Word::Well => "Works",
            Word::Maintenance => "Maintenance",
            Word::Unknown => "Unknown",
            Word::Impaired => "Impaired",
            Word::Down => "Down",
        }
    }
}

/// Everything that a visitor may know at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub at: Timestamp,
    pub word: Word,
    pub parts: Vec<PartStatus>,
    /// Open ones first, then the latest.
    pub incidents: Vec<Incident>,
    /// Open now or announced, by time.
    pub planned: Vec<Planned>,
}

/// One part of the shop.
#[derive(Debug, Clone, PartialEq)]
pub struct PartStatus {
    pub part: Arc<Part>,
    pub word: Word,
    /// Since when something is wrong with it.
    pub since: Option<Timestamp>,
    /// The oldest first, today last. Empty where the past is not known.
    pub days: Vec<DayStatus>,
    /// The share of good time (or events) among what was measured over those days.
    pub good_ratio: Option<f64>,
    /// The share of those days that was measured.
    pub measured_ratio: f64,
}

/// One day of one part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayStatus {
    pub date: Date,
    pub level: Level,
    /// The share of what was measured that was good; `None` where nothing was.
    pub good_ratio: Option<f64>,
    /// The share of the day, or of what has passed of it, that was measured.
    pub measured_ratio: f64,
}

/// How a day is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Unmeasured,
    Good,
    Marked,
    Bad,
}

impl Level {
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Unmeasured => "unmeasured",
            Level::Good => "good",
            Level::Marked => "marked",
            Level::Bad => "bad",
        }
    }
}

/// A time in which a part was down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    pub part: Arc<Part>,
    pub from: Timestamp,
    pub to: Option<Timestamp>,
}

impl Incident {
    /// The same as long as it is the same incident: for feeds.
    pub fn id(&self) -> String {
        format!("{}-{}", self.part.name, self.from.as_second())
    }

    pub fn lasted(&self, now: Timestamp) -> Duration {
        Duration::try_from(self.to.unwrap_or(now).duration_since(self.from)).unwrap_or_default()
    }
}

/// A time in which failure is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub title: String,
    /// Titles of the parts that it is about.
    pub parts: Vec<String>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub open: bool,
}

/// What is known of the past; nothing without a store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Past<'a> {
    pub days: Option<&'a Days>,
    pub objectives: Option<&'a ObjectiveDays>,
    pub episodes: &'a [Episode],
}

impl Status {
    pub fn new(view: &View, past: Past<'_>) -> Status {
        let alerting = &view.left_out;
        let at = view.at.wall;
        let planned = planned(view, at);
        let parts: Vec<PartStatus> =
            alerting.parts.iter().map(|part| part_status(view, part, past)).collect();
        let word = parts.iter().map(|part| part.word).max().unwrap_or(Word::Unknown);
        Status { at, word, parts, incidents: incidents(alerting, view, past.episodes), planned }
    }

    /// The whole in a sentence.
    pub fn headline(&self) -> String {
        let named: Vec<&str> = self
            .parts
            .iter()
            .filter(|part| part.word == self.word)
            .map(|part| part.part.title.as_str())
            .collect();
        let names = match named.as_slice() {
            [] => return "Nothing is watched yet".to_owned(),
            [one] => (*one).to_owned(),
            [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
        };
        let is =
            |one: &str, several: &str| format!("{names}{}", if named.len() == 1 { one } else { several });
        match self.word {
            Word::Well => "Everything works".to_owned(),
            Word::Maintenance => is(": maintenance is under way", ": maintenance is under way"),
            Word::Unknown => is(": nobody can tell", ": nobody can tell"),
            Word::Impaired => is(": something is wrong", ": something is wrong"),
            Word::Down => is(" is down", " are down"),
        }
    }
}

/// The checks that a part is made of.
pub fn checks_of<'a>(view: &'a View, part: &'a Part) -> impl Iterator<Item = &'a CheckView> {
    view.checks
        .iter()
        .map(|check| &**check)
        .filter(move |check| part.has(&check.check.name, &check.check.section))
}

fn part_status(view: &View, part: &Arc<Part>, past: Past<'_>) -> PartStatus {
    let at = view.at.wall;
    let in_maintenance = view.left_out.maintenance.iter().any(|maintenance| {
        concerns(maintenance, part) && maintenance_window(maintenance, at).is_some_and(|(from, _)| from <= at)
    });
    let (mut word, mut since) = (Word::Well, None);
    let mut any = false;
    for check in checks_of(view, part) {
        any = true;
        let found = check_word(view, check);
        if found > word {
            (word, since) = (found, check.since);
        } else if found == word && word != Word::Well {
            since = since.into_iter().chain(check.since).min();
        }
    }
    if !any {
        word = Word::Unknown;
    }
    if in_maintenance {
        word = Word::Maintenance;
    }
    let days = days(view, part, past, at);
    let measured: f64 = days.iter().map(|day| day.measured_ratio).sum();
    let good: f64 = days.iter().filter_map(|day| Some(day.good_ratio? * day.measured_ratio)).sum();
    PartStatus {
        part: part.clone(),
        word,
        since,
        good_ratio: (measured > 0.0).then(|| (good / measured).min(1.0)),
        measured_ratio: if days.is_empty() { 0.0 } else { measured / days.len() as f64 },
        days,
    }
}

/// What one check means for its part.
fn check_word(view: &View, check: &CheckView) -> Word {
    let alert = &check.check.alert;
    let fires = || {
        let key = format!("check/{}", check.check.name);
        view.alerts.iter().any(|alert| {
            *alert.now.key.0 == key && alert.now.severity == Severity::Page && alert.phase != Phase::Pending
        })
    };
    match check.status() {
        Found::Ok => Word::Well,
        Found::Unknown => Word::Unknown,
        Found::Failed if alert.failed == Some(Severity::Page) && fires() => Word::Down,
        found => {
            let matters = if found == Found::Failed { alert.failed } else { alert.degraded };
            // Where nobody is to be told of it nobody is.
            if matters.is_some() { Word::Impaired } else { Word::Well }
        }
    }
}

fn concerns(maintenance: &Maintenance, part: &Part) -> bool {
    let everything = maintenance.of.is_empty() && maintenance.sections.is_empty();
    everything
        || maintenance.sections.iter().any(|section| part.sections.contains(section))
        || maintenance
            .of
            .iter()
            .any(|name| part.checks.contains(name) || part.objective.as_ref() == Some(name))
}

fn planned(view: &View, at: Timestamp) -> Vec<Planned> {
    let alerting = &view.left_out;
    let soon = at.saturating_add(ANNOUNCED).unwrap_or(Timestamp::MAX);
    let mut planned: Vec<Planned> = Vec::new();
    for maintenance in &alerting.maintenance {
        let parts = alerting.parts.iter().filter(|part| concerns(maintenance, part));
        let parts: Vec<String> = parts.map(|part| part.title.clone()).collect();
        if let Some((from, to)) = maintenance_window(maintenance, at)
            && from <= soon
            && !parts.is_empty()
        {
            planned.push(Planned { title: maintenance.title.clone(), parts, from, to, open: from <= at });
        }
    }
    planned.sort_by_key(|one| one.from);
    planned
}

/// From the minutes of the part's promise where it has one; else from the runs of the worst of its checks.
fn days(view: &View, part: &Part, past: Past<'_>, at: Timestamp) -> Vec<DayStatus> {
    let own = part.objective.as_ref().and_then(|name| {
        let days = past.objectives?;
        Some((days.first, days.objectives.get(name)?))
    });
    if let Some((first, days)) = own {
        return (first..).zip(days).map(|(day, seen)| of_objective(day, *seen, at)).collect();
    }
    let Some(past) = past.days else { return Vec::new() };
    let checks: Vec<(&CheckView, &Vec<_>)> = checks_of(view, part)
        .filter(|check| check.check.alert.failed == Some(Severity::Page))
        .filter_map(|check| Some((check, past.checks.get(&check.check.name)?)))
        .collect();
    let day = |offset: u32| {
        let number = past.first + offset;
        let seen = checks.iter().map(|(check, days)| {
            let counts = days.get(offset as usize).copied().flatten().unwrap_or_default();
            let known = counts.known() as f64;
            let every = check.check.every.as_secs_f64();
            let good = (known > 0.0).then(|| 1.0 - counts.failed as f64 / known);
            day_status(number, good, known * every, at)
        });
        let worst = |a: &DayStatus, b: &DayStatus| {
            let ratio = |day: &DayStatus| day.good_ratio.unwrap_or(2.0);
            ratio(a).total_cmp(&ratio(b))
        };
        seen.min_by(worst).unwrap_or_else(|| day_status(number, None, 0.0, at))
    };
    (0..DAYS).map(day).collect()
}

fn of_objective(day: u32, seen: DayOfObjective, at: Timestamp) -> DayStatus {
    let total = seen.good + seen.bad;
    let good = match total {
        // Measured, and nothing happened: nothing was bad.
        0 => (seen.measured + seen.excluded > 0).then_some(1.0),
        total => Some(seen.good as f64 / total as f64),
    };
    day_status(day, good, f64::from(seen.measured + seen.excluded) * 60.0, at)
}

fn day_status(day: u32, good_ratio: Option<f64>, measured_seconds: f64, at: Timestamp) -> DayStatus {
    let begins = f64::from(day) * DAY_SECONDS;
    let passed = (at.as_second() as f64 - begins).clamp(60.0, DAY_SECONDS);
    let measured_ratio = (measured_seconds / passed).min(1.0);
    let level = match good_ratio {
        None => Level::Unmeasured,
        Some(good) if 1.0 - good >= BAD_FROM => Level::Bad,
        Some(good) if 1.0 - good >= MARKED_FROM => Level::Marked,
        Some(_) => Level::Good,
    };
    let date = Date::constant(1970, 1, 1).saturating_add(jiff::Span::new().days(i64::from(day)));
    DayStatus { date, level, good_ratio, measured_ratio }
}

/// Times in which somebody was woken for a part; what overlaps is one.
fn incidents(alerting: &Alerting, view: &View, episodes: &[Episode]) -> Vec<Incident> {
    let mut incidents: Vec<Incident> = Vec::new();
    for part in &alerting.parts {
        let mut own: Vec<(Timestamp, Option<Timestamp>)> = episodes
            .iter()
            .filter(|episode| episode.severity == Severity::Page && is_about(view, part, &episode.alert))
            .map(|episode| (episode.fired, episode.ended))
            .collect();
        own.sort();
        let mut joined: Vec<(Timestamp, Option<Timestamp>)> = Vec::new();
        for (from, to) in own {
            match joined.last_mut() {
                Some((_, None)) => {}
                Some((_, Some(end))) if from.duration_since(*end) <= JOINED => {
                    if to.is_none_or(|to| to > *end) {
                        joined.last_mut().expect("it is there: it was just seen").1 = to;
                    }
                }
                _ => joined.push((from, to)),
            }
        }
        incidents.extend(joined.into_iter().map(|(from, to)| Incident { part: part.clone(), from, to }));
    }
    incidents.sort_by_key(|one| (one.to.is_some(), std::cmp::Reverse(one.from)));
    incidents
}

fn is_about(view: &View, part: &Part, alert: &str) -> bool {
    match alert.split('/').collect::<Vec<_>>().as_slice() {
        ["check", name] => view
            .by_name
            .get(*name)
            .and_then(|at| view.checks.get(*at))
            .is_some_and(|check| part.has(&check.check.name, &check.check.section)),
        ["slo", name, _] => part.objective.as_deref() == Some(*name),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
