//! Limits on measures: the definition's bounds, applied to what a run found.

use crate::config::Limit;
use crate::config::value::Bound;
use crate::outcome::{Class, Fault, Outcome, Status};
use std::time::Duration;

/// The measure that every kind yields: how long the run took.
pub const DURATION: &str = "duration_seconds";

/// Adds the duration to the measures, and a fault for every limit that is passed.
///
/// A run that failed by itself is not judged for measures that it therefore could not take.
pub fn apply(limits: &[Limit], took: Duration, outcome: &mut Outcome) {
    outcome.measure(DURATION, took.as_secs_f64());
    let looked = !matches!(outcome.status(), Status::Failed | Status::Unknown);
    for limit in limits {
        if let Some(fault) = judge(limit, outcome, looked) {
            outcome.fault(fault);
        }
    }
}

fn judge(limit: &Limit, outcome: &Outcome, looked: bool) -> Option<Fault> {
    let values = outcome.measures.iter().filter(|measure| measure.name == limit.measure.as_str());
    let mut there = false;
    let mut worst: Option<Fault> = None;
    for measure in values {
        there = true;
        let labels: Vec<&str> = measure.labels.iter().map(|(_, value)| value.as_str()).collect();
        if let Some(fault) = beyond(limit, measure.value, &labels)
            && worst.as_ref().is_none_or(|worst| fault.status > worst.status)
        {
            worst = Some(fault);
        }
    }
    if there || !looked {
        return worst;
    }
    let text = format!("{} was not measured, so its limit says nothing", limit.measure);
    match limit.when_missing() {
        Status::Ok => None,
        Status::Failed => Some(Fault::failed(Class::Assertion, text)),
        _ => Some(Fault::unknown(Class::Assertion, text)),
    }
}

fn beyond(limit: &Limit, value: f64, labels: &[&str]) -> Option<Fault> {
    let of = if labels.is_empty() { String::new() } else { format!(" of {}", labels.join(", ")) };
    let text = |bound: &Bound| {
        format!("{}{of} is {}, which passes the limit {bound}", limit.measure, bound.show(value))
    };
    match (&limit.table.failed, &limit.table.degraded) {
        (Some(bound), _) if bound.holds(value) => Some(Fault::failed(Class::Assertion, text(bound))),
        (_, Some(bound)) if bound.holds(value) => Some(Fault::degraded(Class::Assertion, text(bound))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::definition::{LimitTable, Missing};

    fn limit(measure: &str, degraded: &str, failed: &str, missing: Missing) -> Limit {
        let bound = |text: &str| Bound::try_from(text.to_owned()).ok();
        let table = LimitTable { degraded: bound(degraded), failed: bound(failed), missing };
        Limit { measure: measure.to_owned(), table }
    }

    fn check(measures: &[(&'static str, f64)], expected: (Status, Option<&str>)) {
        let limits = [
            limit("used_ratio", "> 0.80", "> 0.95", Missing::Unknown),
            limit("orders", "> 0", "", Missing::Ok),
        ];
        let mut outcome = Outcome::ok();
        for (name, value) in measures {
            outcome.measure(*name, *value);
        }
        apply(&limits, Duration::from_millis(1), &mut outcome);
        let reason = outcome.reason().map(|fault| fault.text.as_str());
        assert_eq!((outcome.status(), reason), expected);
    }

    #[test]
    fn a_limit_passed_is_a_fault_that_shows_both_numbers() {
        check(&[("used_ratio", 0.5)], (Status::Ok, None));
        check(
            &[("used_ratio", 0.825), ("orders", 0.0)],
            (Status::Degraded, Some("used_ratio is 0.825, which passes the limit > 0.80")),
        );
        check(
            &[("used_ratio", 0.96), ("orders", 2.0)],
            (Status::Failed, Some("used_ratio is 0.96, which passes the limit > 0.95")),
        );
    }

    #[test]
    fn what_was_not_measured_is_unknown_unless_the_definition_says_otherwise() {
        let reason = "used_ratio was not measured, so its limit says nothing";
        check(&[], (Status::Unknown, Some(reason)));
    }

    #[test]
    fn of_many_series_the_worst_counts_and_is_named() {
        let mut outcome = Outcome::ok();
        for (product, left) in [("alfajor", 3.0), ("empanada", 0.0)] {
            outcome.measure_with("inventory", left, vec![("product".to_owned(), product.to_owned())]);
        }
        let limits = [limit("inventory", "< 5", "== 0", Missing::Unknown)];
        apply(&limits, Duration::ZERO, &mut outcome);
        let reason = outcome.reason().map(|fault| fault.text.as_str());
        assert_eq!(reason, Some("inventory of empanada is 0, which passes the limit == 0"));
    }

    #[test]
    fn a_failed_run_is_not_blamed_for_what_it_could_not_measure() {
        let mut outcome = Outcome::from(Fault::failed(Class::Connect, "refused"));
        apply(&[limit("used_ratio", "> 0.8", "", Missing::Failed)], Duration::ZERO, &mut outcome);
        assert_eq!(outcome.faults.len(), 1);
    }
}
