//! How much of the error budget is used, and that it is: told once at a half, at three quarters and when it is gone.
//! Beside it the gap: an objective that is not measured is a fault of its own.

use super::Scene;
use crate::alert::{Severity, Verdict};
use crate::judge::Condition;
use crate::judge::words::{grouped, percent, period, promise};

const DAY: u32 = 1440;
/// A level is armed again when so much less is used.
const REARM: f64 = 0.05;
/// With a budget of fewer events the levels say nothing: one bad event may be half of it.
const EVENTS_MIN: f64 = 3.0;
/// Levels and the names of their conditions.
const LEVELS: [(f64, &str); 3] = [(0.5, "budget-50"), (0.75, "budget-75"), (1.0, "budget-100")];

/// The share of the budget that is used at least: what was not measured is taken for good. Above one the promise is
/// broken; `None` without any event.
pub fn consumed(scene: &Scene<'_>) -> Option<f64> {
    Some(scene.whole().ratio_at_least()? / scene.budget())
}

/// `10 % of the error budget of 28 days is used`
pub fn cost(scene: &Scene<'_>) -> Option<String> {
    let used = consumed(scene)?;
    let window = period(super::whole(scene.objective));
    if used > 1.0 {
        return Some(format!("the error budget of {window} is used up: {} of it", percent(used)));
    }
    Some(format!("{} of the error budget of {window} is used", percent(used)))
}

/// The levels that are passed, and those that are not.
pub fn levels(scene: &Scene<'_>) -> Vec<Condition> {
    let used = consumed(scene);
    let whole = scene.whole();
    // What the whole window would hold at the traffic that was seen.
    let events = whole.sum.total() as f64 / whole.coverage().max(f64::MIN_POSITIVE);
    let judged = scene.budget() * events >= EVENTS_MIN;
    let level = |(level, name): (f64, &'static str)| {
        let verdict = match used {
            Some(used) if used < level - REARM => Verdict::Healthy,
            Some(used) if used >= level && judged => Verdict::Firing,
            Some(_) | None => Verdict::Unknown,
        };
        let told = verdict == Verdict::Firing;
        Condition {
            name,
            severity: Severity::Ticket,
            verdict,
            summary: if told { summary(scene, level) } else { String::new() },
            evidence: if told { evidence(scene, events) } else { Vec::new() },
            cost: if told { cost(scene) } else { None },
            keep_firing_for: None,
        }
    };
    LEVELS.map(level).into()
}

fn summary(scene: &Scene<'_>, level: f64) -> String {
    let window = period(super::whole(scene.objective));
    if level < 1.0 {
        return format!("more than {} of the error budget of {window} is used", percent(level));
    }
    format!(
        "the promise of {} is broken: its error budget of {window} is used up",
        promise(scene.objective.objective_ppm)
    )
}

fn evidence(scene: &Scene<'_>, events: f64) -> Vec<String> {
    let whole = scene.whole();
    let allowed = (scene.budget() * events).floor() as u64;
    vec![
        scene.words.of_window(whole.sum.bad, whole.sum.total(), whole.length),
        format!("the promise allows {} at this traffic", grouped(allowed)),
    ]
}

/// Whether the last day was measured; only for an objective that has been measured for a day.
pub fn gap(scene: &Scene<'_>, catches_up: bool) -> Condition {
    let day = scene.window(DAY);
    let known_for_a_day = scene.minutes.first().is_some_and(|first| first + DAY <= scene.minutes.end());
    let verdict = match (known_for_a_day && day.expected > 0 && !catches_up, day.is_covered()) {
        (false, _) => Verdict::Unknown,
        (true, true) => Verdict::Healthy,
        (true, false) => Verdict::Firing,
    };
    let told = verdict == Verdict::Firing;
    let summary = || format!("only {} of the last day is measured", percent(day.coverage()));
    let missing = || {
        let minutes = day.expected - day.sum.measured;
        vec![format!(
            "nothing is known of {} of it, so nothing is promised about them",
            period(minutes as u32)
        )]
    };
    Condition {
        name: "gap",
        severity: Severity::Ticket,
        verdict,
        summary: if told { summary() } else { String::new() },
        evidence: if told { missing() } else { Vec::new() },
        cost: None,
        keep_firing_for: None,
    }
}
