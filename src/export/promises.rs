//! The series of objectives and of alerts. Whoever doubts a ratio can make it again from the counts beside it.

use super::exposition::{Type, Value, Writer, label};
use crate::alert::AlertView;
use crate::judge::State;
use crate::view::{ObjectiveView, View};
use std::time::Duration;

/// Writes every family that has something to say.
pub fn write(view: &View, out: &mut Writer) {
    if !view.objectives.is_empty() {
        for family in &FAMILIES {
            out.family(family.name, family.kind, family.help);
            for objective in &view.objectives {
                (family.write)(objective, &labels(objective), family.name, out);
            }
        }
    }
    write_alerts(view, out);
}

struct Family {
    name: &'static str,
    kind: Type,
    help: &'static str,
    write: fn(&ObjectiveView, &str, &str, &mut Writer),
}

fn labels(view: &ObjectiveView) -> String {
    let objective = &view.objective;
    format!("{},{}", label("slo", &objective.name), label("section", &objective.section))
}

/// `1h`, `3d`: as the rules of the SRE workbook write them.
pub fn window_word(window: Duration) -> String {
    let minutes = window.as_secs() / 60;
    match minutes {
        days if days.is_multiple_of(1440) => format!("{}d", days / 1440),
        hours if hours.is_multiple_of(60) => format!("{}h", hours / 60),
        minutes => format!("{minutes}m"),
    }
}

const FAMILIES: [Family; 9] = [
    Family {
        name: "atalaya_slo_objective_ratio",
        kind: Type::Gauge,
        help: "The promised share of good events. A baseline promises none.",
        write: |view, labels, name, out| {
            if view.objective.objective_ppm > 0 {
                out.sample(name, labels, "", Value::Float(f64::from(view.objective.objective_ppm) / 1e6));
            }
        },
    },
    Family {
        name: "atalaya_slo_window_seconds",
        kind: Type::Gauge,
        help: "Over how long it is promised.",
        write: |view, labels, name, out| {
            out.sample(name, labels, "", Value::Integer(view.objective.window.as_secs()));
        },
    },
    Family {
        name: "atalaya_slo_events_total",
        kind: Type::Counter,
        help: "Events since the agent started, by what they were; minutes where availability is promised.",
        write: |view, labels, name, out| {
            out.sample(name, labels, "result=\"good\"", Value::Integer(view.events.0));
            out.sample(name, labels, "result=\"bad\"", Value::Integer(view.events.1));
        },
    },
    Family {
        name: "atalaya_slo_window_events",
        kind: Type::Gauge,
        help: "Events within a sliding window, by what they were.",
        write: |view, labels, name, out| {
            for burn in view.standing.iter().flat_map(|standing| &standing.burns) {
                let window = label("window", &window_word(burn.window));
                for (result, count) in [("good", burn.good), ("bad", burn.bad)] {
                    out.sample(name, labels, &format!("result=\"{result}\",{window}"), Value::Integer(count));
                }
            }
        },
    },
    Family {
        name: "atalaya_slo_burn_rate",
        kind: Type::Gauge,
        help: "The share of bad events within a sliding window over the share that is allowed: above 1 the budget ends before the window.",
        write: |view, labels, name, out| {
            for burn in view.standing.iter().flat_map(|standing| &standing.burns) {
                if let Some(rate) = burn.rate {
                    let window = label("window", &window_word(burn.window));
                    out.sample(name, labels, &window, Value::Float(rate));
                }
            }
        },
    },
    Family {
        name: "atalaya_slo_coverage_ratio",
        kind: Type::Gauge,
        help: "The share of a sliding window in which was measured.",
        write: |view, labels, name, out| {
            for burn in view.standing.iter().flat_map(|standing| &standing.burns) {
                let window = label("window", &window_word(burn.window));
                out.sample(name, labels, &window, Value::Float(burn.coverage));
            }
        },
    },
    Family {
        name: "atalaya_slo_error_budget_remaining_ratio",
        kind: Type::Gauge,
        help: "The share of the error budget of the whole window that is left; below 0 the promise is broken. What was not measured counts as good here.",
        write: |view, labels, name, out| {
            if let Some(consumed) = view.standing.as_ref().and_then(|standing| standing.consumed) {
                out.sample(name, labels, "", Value::Float(1.0 - consumed));
            }
        },
    },
    Family {
        name: "atalaya_slo_state",
        kind: Type::Gauge,
        help: "1 for how the objective stands, 0 for the others.",
        write: |view, labels, name, out| {
            let now = view.standing.as_ref().map_or(State::Unknown, |standing| standing.state);
            for state in [State::Unknown, State::Learning, State::Met, State::AtRisk, State::Broken] {
                out.sample(
                    name,
                    labels,
                    &label("state", state.as_str()),
                    Value::Integer((state == now).into()),
                );
            }
        },
    },
    Family {
        name: "atalaya_slo_baseline",
        kind: Type::Gauge,
        help: "What a baseline compares: the value, what is usual, and the band that chance explains.",
        write: |view, labels, name, out| {
            if let Some(baseline) = view.standing.as_ref().and_then(|standing| standing.baseline) {
                let of = [
                    ("value", baseline.value),
                    ("usual", baseline.usual),
                    ("lower", baseline.lower),
                    ("upper", baseline.upper),
                ];
                for (of, value) in of {
                    out.sample(name, labels, &label("of", of), Value::Float(value));
                }
            }
        },
    },
];

fn write_alerts(view: &View, out: &mut Writer) {
    if view.alerts.is_empty() {
        return;
    }
    let of = |alert: &AlertView| {
        let now = &alert.now;
        format!("{},{}", label("alert", &now.key.0), label("severity", now.severity.as_str()))
    };
    let name = "atalaya_alert_state";
    out.family(name, Type::Gauge, "1 for the state of each alert that is not inactive.");
    for alert in &view.alerts {
        out.sample(name, &of(alert), &label("state", alert.phase.as_str()), Value::Integer(1));
    }
    let name = "atalaya_alert_muted";
    out.family(
        name,
        Type::Gauge,
        "1 for each alert of which nobody is told more; `atalaya alerts` says why.",
    );
    for alert in view.alerts.iter().filter(|alert| alert.held.is_some() || alert.acknowledged.is_some()) {
        out.sample(name, &of(alert), "", Value::Integer(1));
    }
}
