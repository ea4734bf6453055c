//! What an objective can't do as it is defined, in sentences: an alert that can never come, a promise that is too tight
//! for its traffic. `atalaya validate` prints them; nothing is refused for them.

use super::rule::tier::{self, tiers};
use super::rule::whole;
use super::words::{grouped, number, percent, period, promise, the_last};
use crate::alert::Severity;
use crate::config::alerting::{Indicator, Objective, Rule};

/// One thing to know, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// What can't work, as a lowercase fragment.
    pub text: String,
    /// The way out.
    pub hint: String,
}

/// Bad events that a budget must hold to mean anything.
const EVENTS_MIN: f64 = 3.0;
const DAY: u32 = 1440;

/// Everything that is worth knowing. `events_per_day`: where it is known; of checks it follows from how often they run.
pub fn faults(objective: &Objective, events_per_day: Option<f64>) -> Vec<Advice> {
    if matches!(objective.indicator, Indicator::Baseline { .. }) {
        return Vec::new();
    }
    let mut advice = Vec::new();
    if objective.rule == Rule::BurnRate {
        advice.extend(capped(objective));
        advice.extend(window_too_short(objective));
        advice.extend(too_tight(objective, events_per_day.or_else(|| scheduled(objective))));
        advice.extend(slow_to_page(objective, events_per_day));
    }
    advice
}

/// How many events the schedule makes in a day; `None` where customers make them.
fn scheduled(objective: &Objective) -> Option<f64> {
    let seconds_a_day = f64::from(DAY) * 60.0;
    match &objective.indicator {
        Indicator::Availability { .. } => Some(f64::from(DAY)),
        Indicator::Latency { check, .. } | Indicator::Measure { check, .. } => {
            Some(seconds_a_day / objective.every.get(check)?.as_secs_f64())
        }
        _ => None,
    }
}

/// Tiers whose threshold lies too high, so that it is held lower.
fn capped(objective: &Objective) -> Vec<Advice> {
    let mut advice = Vec::new();
    for severity in [Severity::Page, Severity::Ticket] {
        for tier in tiers(objective, severity).into_iter().filter(tier::Tier::is_capped) {
            let (promise, window) = (promise(objective.objective_ppm), the_last(tier.long));
            let held = percent(tier.threshold.ratio());
            let would = percent(tier.uncapped);
            let never = if tier.uncapped >= 1.0 { ", so it could never come" } else { "" };
            advice.push(Advice {
                text: format!(
                    "under a promise of {promise} a {severity} about {window} would need {would} of the events to be bad{never}; it comes at {held}",
                ),
                hint: format!("promise more, or leave this window out of `{severity}_windows`"),
            });
        }
    }
    advice
}

/// A window of the promise that is shorter than those that its alerts look at.
fn window_too_short(objective: &Objective) -> Option<Advice> {
    let longest = [Severity::Page, Severity::Ticket]
        .into_iter()
        .flat_map(|severity| tiers(objective, severity))
        .map(|tier| tier.long)
        .max()?;
    (longest > whole(objective)).then(|| Advice {
        text: format!(
            "its window of {} is shorter than the {} that its alerts look at",
            period(whole(objective)),
            period(longest)
        ),
        hint: "take a longer `window`, or shorter `ticket_windows`".to_owned(),
    })
}

/// A budget of less than three events.
fn too_tight(objective: &Objective, events_per_day: Option<f64>) -> Option<Advice> {
    let days = f64::from(whole(objective)) / f64::from(DAY);
    let events = events_per_day? * days;
    let budget = f64::from(objective.budget_ppm()) / 1e6;
    // What is equal but for rounding is enough.
    (budget * events < EVENTS_MIN * (1.0 - 1e-9)).then(|| {
        let needed = (EVENTS_MIN / budget - 1e-6).ceil() as u64;
        let allowed = budget * events;
        Advice {
            text: format!(
                "a promise of {} allows {} bad events of the {} that come in {}, and needs {} to mean anything",
                promise(objective.objective_ppm),
                number(allowed),
                grouped(events.round() as u64),
                period(whole(objective)),
                grouped(needed),
            ),
            hint: "promise less, take a longer `window`, or count more events".to_owned(),
        }
    })
}

/// So few events that a page about customers comes hours late, whatever the rule.
fn slow_to_page(objective: &Objective, events_per_day: Option<f64>) -> Option<Advice> {
    let events = events_per_day?;
    let hours = EVENTS_MIN * 24.0 / events.max(f64::MIN_POSITIVE);
    let pages = !objective.page.is_empty() && matches!(objective.indicator, Indicator::Counts { .. });
    (pages && hours > 1.0).then(|| Advice {
        text: format!(
            "at {} events a day three bad ones take {} hours on average, so a page comes no sooner",
            number(events),
            number(hours)
        ),
        hint: "let a check that tries the same thing page".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::objective;

    fn check(promise: f64, days: u64, events_per_day: Option<f64>, expected: &[&str]) {
        let found = faults(&objective("counts", promise, days), events_per_day);
        let texts: Vec<&str> = found.iter().map(|advice| advice.text.as_str()).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_page_that_could_never_come_is_told() {
        check(99.9, 30, None, &[]);
        check(98.0, 30, Some(5000.0), &[]);
        check(
            95.0,
            30,
            None,
            &[
                "under a promise of 95 % a page about the last hour would need 72 % of the events to be bad; it comes at 52.5 %",
            ],
        );
        check(
            85.0,
            30,
            None,
            &[
                "under a promise of 85 % a page about the last hour would need 216 % of the events to be bad, so it could never come; it comes at 57.5 %",
                "under a promise of 85 % a page about the last 6 hours would need 90 % of the events to be bad; it comes at 57.5 %",
            ],
        );
    }

    #[test]
    fn the_floors_are_those_of_the_tiers() {
        let impossible = |promise| {
            let found = faults(&objective("counts", promise, 30), None);
            found.iter().filter(|advice| advice.text.contains("never")).count()
        };
        for (promise, expected) in [(93.06, 0), (93.05, 1), (83.34, 1), (83.33, 2), (66.67, 2), (66.66, 3)] {
            assert_eq!(impossible(promise), expected, "{promise} %");
        }
    }

    #[test]
    fn a_budget_of_less_than_three_events_is_told() {
        let tight = |promise, events: f64| {
            let found = faults(&objective("counts", promise, 30), Some(events / 30.0));
            found.iter().any(|advice| advice.text.contains("allows"))
        };
        for (promise, needed) in [(99.9, 3000.0), (98.0, 150.0), (95.0, 60.0)] {
            assert!(tight(promise, needed - 1.0) && !tight(promise, needed), "{promise} %");
        }
        check(
            99.9,
            28,
            Some(50.0),
            &[
                "a promise of 99.9 % allows 1.4 bad events of the 1,400 that come in 28 days, and needs 3,000 to mean anything",
                "at 50 events a day three bad ones take 1.44 hours on average, so a page comes no sooner",
            ],
        );
    }

    #[test]
    fn minutes_and_runs_are_counted_by_the_schedule() {
        let mut slow = objective("latency", 99.9, 28);
        slow.every.insert("check".into(), std::time::Duration::from_hours(1));
        assert!(
            faults(&slow, None)[0].text.starts_with("a promise of 99.9 % allows 0.672 bad events of the 672")
        );
        assert_eq!(faults(&objective("availability", 99.9, 28), None), []);
        let mut short = objective("availability", 99.0, 1);
        assert!(faults(&short, None)[0].text.contains("its window of 1 day is shorter than the 3 days"));
        short.ticket_windows.clear();
        assert_eq!(faults(&short, None), []);
    }
}
