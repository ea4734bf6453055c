//! What the agent knows at one moment, for whoever reads: metrics, pages, the health report.
//!
//! The loop that owns the state makes a view when somebody asks; readers share it and can't change
//! anything, so they need no lock and never stand in the way of checking.

use crate::clock::Now;
use crate::config::{Check, Skipped};
use crate::outcome::Status;
use crate::record::cells::Side;
use crate::record::windows::{Counts, Total, Window};
use crate::record::{Buckets, Last, Record};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// The quantiles that are exported of every window.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// Everything, at one moment.
#[derive(Debug)]
pub struct View {
    pub at: Now,
    pub started: Timestamp,
    /// In the order of the definitions.
    pub checks: Vec<Arc<CheckView>>,
    /// Where in `checks` a name stands. Made once for each plan: in an outage every check asks for what it needs.
    pub by_name: Arc<HashMap<Arc<str>, usize>>,
    pub skipped: Arc<[Skipped]>,
}

impl View {
    /// How many checks have not run yet.
    pub fn waiting(&self) -> usize {
        self.checks.iter().filter(|check| check.last.is_none()).count()
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
    pub last_success: Option<Timestamp>,
    pub since: Option<Timestamp>,
}

/// One window of one check.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WindowView {
    pub counts: Counts,
    /// In seconds, of good runs; `None` without any.
    pub quantiles: Option<[f64; QUANTILES.len()]>,
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
            last_success: record.last_success,
            since: record.since,
        }
    }

    /// The status of the last run; unknown before the first.
    pub fn status(&self) -> Status {
        self.last.as_ref().map_or(Status::Unknown, |last| last.status)
    }

    /// The value of a measure of the last run, where it has no labels.
    pub fn measure(&self, name: &str) -> Option<f64> {
        let measures = &self.last.as_ref()?.run.outcome.measures;
        measures.iter().find(|measure| measure.name == name && measure.labels.is_empty()).map(|m| m.value)
    }
}

impl WindowView {
    fn new(total: &Total) -> WindowView {
        WindowView {
            counts: total.counts,
            quantiles: total.cells.quantiles(Side::Good, QUANTILES),
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

    pub(crate) fn run(outcome: impl Into<Outcome>) -> Run {
        let took = Duration::from_millis(3);
        Run { lag: Duration::ZERO, took, phases: Vec::new(), outcome: outcome.into() }
    }

    pub(crate) fn refused() -> Fault {
        Fault::failed(Class::Connect, "connection refused")
    }

    /// What is known of the definitions, a minute after the start, when `book` told what happened to each.
    pub(crate) fn view(definitions: &str, book: impl Fn(&str, &mut Record)) -> View {
        let files = Files { agent: None, checks: vec![Source::new("a.toml", definitions)] };
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
            started: at(0).wall,
            checks: plan.checks.iter().map(seen).collect(),
            by_name: Arc::new(by_name(plan.checks.iter().map(|check| &**check))),
            skipped: plan.skipped.into(),
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
            "well" | "fine" => record.run(at(1), run(Outcome::ok())),
            "blind" => record.run(at(1), run(Fault::internal("no file descriptor left"))),
            _ => record.run(at(1), run(refused())),
        });
        let explained = |at: usize| view.explained_by(&view.checks[at]).map(|parent| &*parent.check.name);
        assert_eq!(
            (0..6).map(explained).collect::<Vec<_>>(),
            [Some("database"), None, None, None, None, None]
        );
    }
}
