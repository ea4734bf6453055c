//! The families that every check has, in the order in which they are written.

use super::exposition::{Type, Value, Writer, label};
use crate::outcome::Status;
use crate::record::windows::Window;
use crate::record::{BUCKETS, Buckets};
use crate::view::{CheckView, QUANTILES, View};
use std::sync::LazyLock;

/// One family: its head, and its series of one check.
pub struct Family {
    pub name: &'static str,
    pub kind: Type,
    pub help: &'static str,
    pub write: fn(&CheckView, &View, &str, &mut Writer),
}

/// All of them. A check that never ran has no series but its status and its counters.
pub const FAMILIES: [Family; 17] = [
    Family {
        name: "atalaya_check_info",
        kind: Type::Info,
        help: "What is watched, how, and how often.",
        write: write_info,
    },
    Family {
        name: "atalaya_check_up",
        kind: Type::Gauge,
        help: "1 if the last run found the target doing its work, 0 if not. Not there while nobody knows.",
        write: |check, _, name, out| {
            if let Some(up) = check.status().is_up() {
                out.sample(name, &check.labels, "", Value::Integer(up.into()));
            }
        },
    },
    Family {
        name: "atalaya_check_status",
        kind: Type::Gauge,
        help: "1 for the status of the last run, 0 for the others. Unknown before the first and when one did not happen.",
        write: |check, _, name, out| {
            for status in Status::ALL {
                let more = &STATUS_LABELS[status as usize];
                out.sample(name, &check.labels, more, Value::Integer((check.status() == status).into()));
            }
        },
    },
    Family {
        name: "atalaya_check_fault",
        kind: Type::Gauge,
        help: "1 with the class of the fault that explains the status.",
        write: |check, _, name, out| {
            if let Some(fault) = check.reason() {
                out.sample(name, &check.labels, &label("class", fault.class.as_str()), Value::Integer(1));
            }
        },
    },
    Family {
        name: "atalaya_check_notes",
        kind: Type::Gauge,
        help: "What the last run had to say beside its verdict, such as what it may not see; the report has the words.",
        write: |check, _, name, out| {
            if let Some(last) = &check.last {
                let notes = last.run.outcome.notes.len() as u64;
                out.sample(name, &check.labels, "", Value::Integer(notes));
            }
        },
    },
    Family {
        name: "atalaya_check_explained",
        kind: Type::Gauge,
        help: "1 while a check that this one needs has failed itself.",
        write: |check, view, name, out| {
            if let Some(parent) = view.explained_by(check) {
                out.sample(name, &check.labels, &label("by", &parent.check.name), Value::Integer(1));
            }
        },
    },
    Family {
        name: "atalaya_check_runs_total",
        kind: Type::Counter,
        help: "Runs by what they found.",
        write: |check, _, name, out| {
            let counts = &check.counts;
            for (status, count) in
                Status::ALL.into_iter().zip([counts.ok, counts.degraded, counts.failed, counts.unknown])
            {
                out.sample(
                    name,
                    &check.labels,
                    &STATUS_LABELS_OF_RESULT[status as usize],
                    Value::Integer(count),
                );
            }
        },
    },
    Family {
        name: "atalaya_check_dropped_runs_total",
        kind: Type::Counter,
        help: "Runs that were due and did not happen.",
        write: |check, _, name, out| {
            out.sample(name, &check.labels, "", Value::Integer(check.counts.dropped));
        },
    },
    Family {
        name: "atalaya_check_duration_seconds",
        kind: Type::Histogram,
        help: "How long runs took, good ones and failed ones apart.",
        write: |check, _, name, out| {
            write_buckets(name, &check.labels, "result=\"good\"", &check.good, out);
            // Most checks never fail; the series of failures begin with the first.
            if check.counts.failed > 0 {
                write_buckets(name, &check.labels, "result=\"failed\"", &check.failed, out);
            }
        },
    },
    Family {
        name: "atalaya_check_duration_quantile_seconds",
        kind: Type::Gauge,
        help: "Quantiles of the duration over a sliding window, exact to 0.1 percent, of good and of failed runs.",
        write: |check, _, name, out| {
            for (window, [good, failed]) in check.windows.iter().zip(&*QUANTILE_LABELS) {
                // Without any failed run in the window there are no series of failures.
                for (quantiles, labels) in [(window.good, good), (window.failed, failed)] {
                    for (value, more) in quantiles.iter().flatten().zip(labels) {
                        out.sample(name, &check.labels, more, Value::Float(*value));
                    }
                }
            }
        },
    },
    Family {
        name: "atalaya_check_error_ratio",
        kind: Type::Gauge,
        help: "Failed runs of all runs with a known result over a sliding window.",
        write: |check, _, name, out| {
            for (window, more) in check.windows.iter().zip(&*WINDOW_LABELS) {
                if let Some(ratio) = window.counts.error_ratio() {
                    out.sample(name, &check.labels, more, Value::Float(ratio));
                }
            }
        },
    },
    Family {
        name: "atalaya_check_availability_ratio",
        kind: Type::Gauge,
        help: "Good runs, degraded ones among them, of all runs with a known result over a sliding window.",
        write: |check, _, name, out| {
            for (window, more) in check.windows.iter().zip(&*WINDOW_LABELS) {
                if let Some(ratio) = window.counts.availability() {
                    out.sample(name, &check.labels, more, Value::Float(ratio));
                }
            }
        },
    },
    Family {
        name: "atalaya_check_window_runs",
        kind: Type::Gauge,
        help: "Runs with a known result in a sliding window: what the ratios and the quantiles are made of.",
        write: |check, _, name, out| {
            for (window, more) in check.windows.iter().zip(&*WINDOW_LABELS) {
                out.sample(name, &check.labels, more, Value::Integer(window.counts.known()));
            }
        },
    },
    Family {
        name: "atalaya_check_phase_seconds",
        kind: Type::Gauge,
        help: "How long each phase of the last run took.",
        write: |check, _, name, out| {
            for phase in check.last.iter().flat_map(|last| &last.run.phases) {
                let more = label("phase", phase.name);
                out.sample(name, &check.labels, &more, Value::Float(phase.took.as_secs_f64()));
            }
        },
    },
    Family {
        name: "atalaya_check_schedule_lag_seconds",
        kind: Type::Gauge,
        help: "How much later than due the last run began. Never part of its duration.",
        write: |check, _, name, out| {
            if let Some(last) = &check.last {
                out.sample(name, &check.labels, "", Value::Float(last.run.lag.as_secs_f64()));
            }
        },
    },
    Family {
        name: "atalaya_check_last_run_timestamp_seconds",
        kind: Type::Gauge,
        help: "When the last run ended.",
        write: |check, _, name, out| {
            if let Some(last) = &check.last {
                out.sample(name, &check.labels, "", Value::Float(seconds(last.at)));
            }
        },
    },
    Family {
        name: "atalaya_check_last_success_timestamp_seconds",
        kind: Type::Gauge,
        help: "When a run last found the target doing its work.",
        write: |check, _, name, out| {
            if let Some(at) = check.last_success {
                out.sample(name, &check.labels, "", Value::Float(seconds(at)));
            }
        },
    },
];

/// Checks that are defined and don't run.
pub fn write_skipped(view: &View, out: &mut Writer) {
    out.family(
        "atalaya_check_skipped",
        Type::Gauge,
        "1 for a check that is defined and does not run: a variable is not set, or is for something else.",
    );
    for skipped in view.skipped.iter() {
        out.sample(
            "atalaya_check_skipped",
            &check_labels(&skipped.name, &skipped.section),
            "",
            Value::Integer(1),
        );
    }
}

/// The names of the labels that every series of a check carries.
pub const OF_EVERY_CHECK: [&str; 2] = ["check", "section"];

/// The labels that every series of a check carries.
pub fn check_labels(name: &str, section: &str) -> String {
    format!("{},{}", label("check", name), label("section", section))
}

fn write_info(check: &CheckView, _: &View, name: &str, out: &mut Writer) {
    let check_ = &check.check;
    let more = [
        label("kind", check_.kind),
        label("title", &check_.title),
        label("every", &humantime::format_duration(check_.every).to_string()),
    ];
    out.sample(name, &check.labels, &more.join(","), Value::Integer(1));
}

fn write_buckets(name: &str, labels: &str, result: &str, buckets: &Buckets, out: &mut Writer) {
    static NAMES: LazyLock<[Vec<String>; 2]> =
        LazyLock::new(|| ["result=\"good\"", "result=\"failed\""].map(bucket_labels));
    let labels_of = if result == "result=\"good\"" { &NAMES[0] } else { &NAMES[1] };
    let (bucket, sum, count) = (format!("{name}_bucket"), format!("{name}_sum"), format!("{name}_count"));
    let mut below = 0;
    for (more, in_bucket) in labels_of.iter().zip(buckets.counts) {
        below += in_bucket;
        out.sample(&bucket, labels, more, Value::Integer(below));
    }
    out.sample(&sum, labels, result, Value::Float(buckets.sum.as_secs_f64()));
    out.sample(&count, labels, result, Value::Integer(below));
}

fn bucket_labels(result: &str) -> Vec<String> {
    let bounds = BUCKETS.iter().map(|bound| format!("{result},le=\"{bound:?}\""));
    bounds.chain([format!("{result},le=\"+Inf\"")]).collect()
}

fn seconds(at: jiff::Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1e3
}

static STATUS_LABELS: LazyLock<[String; 4]> = LazyLock::new(|| by_status("status"));
static STATUS_LABELS_OF_RESULT: LazyLock<[String; 4]> = LazyLock::new(|| by_status("result"));
static WINDOW_LABELS: LazyLock<[String; 3]> =
    LazyLock::new(|| Window::ALL.map(|window| label("window", window.as_str())));
/// By window, then for good and failed runs.
static QUANTILE_LABELS: LazyLock<[[[String; QUANTILES.len()]; 2]; 3]> = LazyLock::new(|| {
    Window::ALL.map(|window| {
        let window = label("window", window.as_str());
        ["good", "failed"].map(|result| {
            let start = format!("{},{window}", label("result", result));
            // promtool keeps `quantile` for summaries.
            QUANTILES
                .map(|quantile| format!("{start},{}", label("percentile", &(quantile * 100.0).to_string())))
        })
    })
});

fn by_status(name: &str) -> [String; 4] {
    let mut labels: [String; 4] = Default::default();
    for status in Status::ALL {
        labels[status as usize] = label(name, status.as_str());
    }
    labels
}

#[cfg(test)]
mod tests {
    use crate::export::Exposition;
    use crate::export::exposition::Format;
    use crate::outcome::Outcome;
    use crate::record::{Record, Run};
    use crate::view::tests::{at, refused, run, tcp, view};
    use std::sync::Arc;
    use std::time::Duration;

    /// The series of one family of the check `site`, without the labels that all have.
    fn series(family: &str, book: impl Fn(&mut Record)) -> Vec<String> {
        let view = view(&tcp("site", ""), |_, record| book(record));
        let text = Exposition::new(Arc::new(view), String::new(), Format::OpenMetrics).flatten().collect();
        let text = String::from_utf8(text).expect("text");
        let start = format!("{family}{{check=\"site\",section=\"general\"");
        text.lines()
            .filter_map(|line| line.strip_prefix(&start))
            .map(|line| line.trim_start_matches([',', '}', ' ']).to_owned())
            .collect()
    }

    #[test]
    fn a_check_that_was_not_run_is_neither_up_nor_down() {
        let good = |record: &mut Record| record.run(at(1), run(1, Outcome::ok()));
        let stale = |record: &mut Record| {
            good(record);
            record.dropped(at(11), 1);
        };
        assert_eq!(series("atalaya_check_up", good), ["1"]);
        assert_eq!(series("atalaya_check_up", stale), [""; 0]);
        assert_eq!(series("atalaya_check_fault", stale), ["class=\"internal\"} 1"]);
        let status =
            ["status=\"ok\"} 0", "status=\"degraded\"} 0", "status=\"failed\"} 0", "status=\"unknown\"} 1"];
        let mut found = series("atalaya_check_status", stale);
        found.sort();
        let mut status = status.map(str::to_owned);
        status.sort();
        assert_eq!(found, status);
        assert_eq!(series("atalaya_check_last_success_timestamp_seconds", stale), ["1"]);
    }

    #[test]
    fn windows_tell_good_and_failed_runs_apart() {
        let booked = |failed: u64| {
            move |record: &mut Record| {
                for n in 0..4 {
                    let outcome = if n < failed { Outcome::from(refused()) } else { Outcome::ok() };
                    let took = Duration::from_millis(if n < failed { 500 } else { 20 });
                    record.run(at(n), Run { took, ..run(n, outcome) });
                }
            }
        };
        let hour = |family, failed| {
            let mut found = series(family, booked(failed));
            found.retain(|line| line.contains("window=\"1h\""));
            found
        };
        assert_eq!(hour("atalaya_check_availability_ratio", 1), ["window=\"1h\"} 0.75"]);
        assert_eq!(hour("atalaya_check_availability_ratio", 4), ["window=\"1h\"} 0"]);
        assert_eq!(hour("atalaya_check_error_ratio", 1), ["window=\"1h\"} 0.25"]);
        assert_eq!(series("atalaya_check_availability_ratio", |_| {}), [""; 0]);
        let quantiles = |failed| hour("atalaya_check_duration_quantile_seconds", failed);
        let side = |result: &str, value: &str| {
            ["50", "90", "95", "99"].map(|percentile| {
                format!("result=\"{result}\",window=\"1h\",percentile=\"{percentile}\"}} {value}")
            })
        };
        assert_eq!(quantiles(0), side("good", "0.020015"));
        assert_eq!(quantiles(1), [side("good", "0.020015"), side("failed", "0.500223")].concat());
        assert_eq!(quantiles(4), side("failed", "0.500223"));
    }
}
