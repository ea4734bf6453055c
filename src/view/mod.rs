//! What the agent knows at one moment, for whoever reads: metrics, pages, the health report.
//!
//! The loop that owns the state makes a view when somebody asks; readers share it and can't change
//! anything, so they need no lock and never stand in the way of checking.

pub mod heard;
pub mod past;
pub mod status;

use crate::alert::AlertView;
use crate::clock::Now;
use crate::config::alerting::{Alerting, Objective};
use crate::config::{Check, Skipped};
use crate::fact::Silence;
use crate::judge::Standing;
use crate::judge::calendar::Month;
use crate::outcome::{Fault, Status};
use crate::record::cells::{Cells, Side};
use crate::record::windows::{Counts, Total, Window};
use crate::record::{Buckets, Last, Record};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// The quantiles that are exported of every window.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// How many of the checks that are waited for are named: enough to find a pattern, and still one line.
const NAMED_MAX: usize = 3;

/// Why nobody knows how a check is that was not run: the agent's own trouble, not the target's.
static NOT_RUN: LazyLock<Fault> = LazyLock::new(|| Fault::internal("it was due and did not run"));

/// Everything, at one moment.
#[derive(Debug)]
pub struct View {
    pub at: Now,
    pub started: Now,
    /// In the order of the definitions.
    pub checks: Vec<Arc<CheckView>>,
    /// Where in `checks` a name stands. Made once for each plan: in an outage every check asks for what it needs.
    pub by_name: Arc<HashMap<Arc<str>, usize>>,
    pub skipped: Arc<[Skipped]>,
    /// In the order of the definitions.
    pub objectives: Vec<ObjectiveView>,
    /// Those that are not inactive, the gravest first.
    pub alerts: Vec<AlertView>,
    /// Those that have not ended.
    pub silences: Vec<Silence>,
    /// Objectives and channels that are defined and can't work now.
    pub left_out: Arc<Alerting>,
}

/// One objective, at one moment.
#[derive(Debug, Clone)]
pub struct ObjectiveView {
    pub objective: Arc<Objective>,
    /// `None` before it was judged for the first time.
    pub standing: Option<Arc<Standing>>,
    /// Good and bad events since the process began.
    pub events: (u64, u64),
    /// By calendar months, where the objective has a report; at most an hour old.
    pub months: Arc<[Month]>,
}

impl View {
    /// What the agent still waits for before its first round is done, by name; nothing when it is.
    pub fn not_ready(&self) -> Option<String> {
        let waiting: Vec<&str> =
            self.checks.iter().filter(|check| check.last.is_none()).map(|check| &*check.check.name).collect();
        if waiting.is_empty() {
            return None;
        }
        let named = &waiting[..waiting.len().min(NAMED_MAX)];
        let mut text = format!(
            "{} of {} checks have not run yet: {}",
            waiting.len(),
            self.checks.len(),
            named.join(", ")
        );
        if waiting.len() > named.len() {
            text += ", …";
        }
        Some(text)
    }

    /// The check that explains why this one is not well: the first of its `needs` that has failed itself.
    pub fn explained_by(&self, check: &CheckView) -> Option<&CheckView> {
        if !matches!(check.status(), Status::Failed | Status::Unknown) {
            return None;
        }
        check.check.needs.iter().find_map(|need| {
            let parent = self.checks.get(*self.by_name.get(need.as_str())?)?;
            (parent.status() == Status::Failed).then_some(&**parent)
        })
    }
}

/// Where each name stands in the order of the definitions.
pub fn by_name<'a>(checks: impl Iterator<Item = &'a Check>) -> HashMap<Arc<str>, usize> {
    checks.enumerate().map(|(at, check)| (check.name.clone(), at)).collect()
}

/// One check, at one moment.
#[derive(Debug)]
pub struct CheckView {
    pub check: Arc<Check>,
    /// `check="…",section="…"`, escaped, as it stands in every one of its series.
    pub labels: Arc<str>,
    pub counts: Counts,
    pub good: Buckets,
    pub failed: Buckets,
    pub windows: [WindowView; 3],
    pub last: Option<Arc<Last>>,
    /// A run was due after the last one and did not happen.
    pub stale: bool,
    status: Status,
    pub last_success: Option<Timestamp>,
    pub since: Option<Timestamp>,
}

/// One window of one check.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WindowView {
    pub counts: Counts,
    /// In seconds, of good runs; `None` without any.
    pub good: Option<[f64; QUANTILES.len()]>,
    /// In seconds, of failed runs; `None` without any.
    pub failed: Option<[f64; QUANTILES.len()]>,
    /// Of good and failed runs, in seconds.
    pub mean_seconds: Option<f64>,
}

impl CheckView {
    pub fn new(check: Arc<Check>, labels: Arc<str>, record: &Record) -> CheckView {
        CheckView {
            check,
            labels,
            counts: record.counts,
            good: record.good.clone(),
            failed: record.failed.clone(),
            windows: Window::ALL.map(|window| WindowView::new(record.windows.total(window))),
            last: record.last.clone(),
            stale: record.stale,
            status: record.status(),
            last_success: record.last_success,
            since: record.since,
        }
    }

    /// The status of the last run; unknown before the first, and when one was due since and did not happen.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Why the status is what it is; nothing where all is well, and before the first run.
    pub fn reason(&self) -> Option<&Fault> {
        if self.stale {
            return Some(&*NOT_RUN);
        }
        self.last.as_ref()?.run.outcome.reason()
    }

    /// The value of a measure of the last run, where it has no labels; none where a run is missing since.
    pub fn measure(&self, name: &str) -> Option<f64> {
        let measures = &self.last.as_ref().filter(|_| !self.stale)?.run.outcome.measures;
        measures.iter().find(|measure| measure.name == name && measure.labels.is_empty()).map(|m| m.value)
    }
}

impl WindowView {
    /// Of what was merged elsewhere; the mean is not known then.
    pub fn of(counts: Counts, cells: &Cells) -> WindowView {
        WindowView {
            counts,
            good: cells.quantiles(Side::Good, QUANTILES),
            failed: cells.quantiles(Side::Failed, QUANTILES),
            mean_seconds: None,
        }
    }

    fn new(total: &Total) -> WindowView {
        WindowView {
            counts: total.counts,
            good: total.cells.quantiles(Side::Good, QUANTILES),
            failed: total.cells.quantiles(Side::Failed, QUANTILES),
            mean_seconds: total.mean_seconds(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::text::Variables;
    use crate::config::{Files, Source, load};
    use crate::outcome::{Class, Fault, Outcome};
    use crate::probe::net::Net;
    use crate::record::Run;
    use std::io;
    use std::time::Duration;

    /// A moment so many seconds after the start.
    pub(crate) fn at(seconds: u64) -> Now {
        let steady = Duration::from_secs(seconds);
        Now { wall: Timestamp::UNIX_EPOCH + steady, steady }
    }

    /// A run that began so many seconds after the start.
    pub(crate) fn run(began: u64, outcome: impl Into<Outcome>) -> Run {
        let (began, took) = (Duration::from_secs(began), Duration::from_millis(3));
        Run { began, lag: Duration::ZERO, took, phases: Vec::new(), outcome: outcome.into() }
    }

    pub(crate) fn refused() -> Fault {
        Fault::failed(Class::Connect, "connection refused")
    }

    /// What is known of the definitions, a minute after the start, when `book` told what happened to each.
    pub(crate) fn view(definitions: &str, book: impl Fn(&str, &mut Record)) -> View {
        let files =
            Files { agent: None, checks: vec![Source::new("a.toml", definitions)], ..Files::default() };
        let none: [(String, String); 0] = [];
        let variables = Variables::new(none, |_| Err(io::Error::from(io::ErrorKind::NotFound)));
        let plan = load(&files, &variables, &Arc::new(Net::new().expect("a net"))).expect("valid");
        let seen = |check: &Arc<Check>| {
            let mut record = Record::default();
            book(&check.name, &mut record);
            let labels = crate::export::check_labels(&check.name, &check.section).into();
            Arc::new(CheckView::new(check.clone(), labels, &record))
        };
        View {
            at: at(60),
            started: at(0),
            checks: plan.checks.iter().map(seen).collect(),
            by_name: Arc::new(by_name(plan.checks.iter().map(|check| &**check))),
            skipped: plan.skipped.into(),
            objectives: Vec::new(),
            alerts: Vec::new(),
            silences: Vec::new(),
            left_out: plan.alerting,
        }
    }

    pub(crate) fn tcp(name: &str, more: &str) -> String {
        format!("[[check]]\nname = '{name}'\nprobe.tcp = {{ address = '127.0.0.1:1' }}\n{more}\n")
    }

    #[test]
    fn the_first_need_that_failed_itself_explains() {
        let definitions = tcp("page", "needs = ['well', 'blind', 'database', 'network']")
            + &tcp("fine", "needs = ['database']")
            + &["well", "blind", "database", "network"].map(|name| tcp(name, "")).concat();
        let view = view(&definitions, |name, record| match name {
            "well" | "fine" => record.run(at(1), run(1, Outcome::ok())),
            "blind" => record.run(at(1), run(1, Fault::internal("no file descriptor left"))),
            _ => record.run(at(1), run(1, refused())),
        });
        let explained = |at: usize| view.explained_by(&view.checks[at]).map(|parent| &*parent.check.name);
        assert_eq!(
            (0..6).map(explained).collect::<Vec<_>>(),
            [Some("database"), None, None, None, None, None]
        );
    }

    #[test]
    fn a_check_that_was_not_run_says_so_and_explains_nothing() {
        let definitions = tcp("site", "needs = ['database']") + &tcp("database", "");
        let view = view(&definitions, |name, record| {
            let mut outcome = Outcome::from(refused());
            outcome.measure("pending_orders", 3.0);
            record.run(at(1), run(1, outcome));
            if name == "database" {
                record.dropped(at(2), 1);
            }
        });
        let shown = |check: &CheckView| {
            let reason = check.reason().map(|fault| (fault.class, fault.text.clone()));
            (check.status(), reason, check.measure("pending_orders"))
        };
        let not_run = (Class::Internal, "it was due and did not run".to_owned());
        assert_eq!(shown(&view.checks[1]), (Status::Unknown, Some(not_run), None));
        let refused = (Class::Connect, "connection refused".to_owned());
        assert_eq!(shown(&view.checks[0]), (Status::Failed, Some(refused), Some(3.0)));
        assert!(view.explained_by(&view.checks[0]).is_none(), "nobody knows whether it still fails");
    }

    #[test]
    fn what_is_waited_for_is_named_up_to_three() {
        let definitions = ["a", "b", "c", "d"].map(|name| tcp(name, "")).concat();
        let not_ready = |ran: &str| {
            view(&definitions, |name, record| {
                record.dropped(at(1), 1);
                if ran.contains(name) {
                    record.run(at(2), run(2, refused()));
                }
            })
            .not_ready()
        };
        assert_eq!(not_ready("").as_deref(), Some("4 of 4 checks have not run yet: a, b, c, …"));
        assert_eq!(not_ready("b").as_deref(), Some("3 of 4 checks have not run yet: a, c, d"));
        assert_eq!(not_ready("abd").as_deref(), Some("1 of 4 checks have not run yet: c"));
        assert_eq!(not_ready("abcd"), None);
    }
}
