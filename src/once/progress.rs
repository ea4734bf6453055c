//! What a person sees while checks run: how many are done, and whom we wait for.
//!
//! It goes to stderr and only to a terminal; it is gone when the report comes.

use super::{plain, shown};
use crate::outcome::Status;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// The line that moves.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    waiting: Vec<String>,
    bad: usize,
}

impl Progress {
    /// `visible`: whether stderr is a terminal and the user wants to see it.
    pub fn new(names: impl IntoIterator<Item = String>, visible: bool) -> Progress {
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Progress::on(target, names)
    }

    fn on(target: ProgressDrawTarget, names: impl IntoIterator<Item = String>) -> Progress {
        let waiting: Vec<String> = names.into_iter().collect();
        let bar = ProgressBar::with_draw_target(Some(waiting.len() as u64), target);
        let style = ProgressStyle::with_template("{spinner} {pos}/{len} {elapsed}  {msg}");
        bar.set_style(style.expect("the template is a constant that a test draws"));
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        let progress = Progress { bar, waiting, bad: 0 };
        progress.say();
        progress
    }

    /// A check has ended.
    pub fn done(&mut self, name: &str, status: Status) {
        self.waiting.retain(|waiting| waiting != name);
        self.bad += usize::from(status != Status::Ok);
        self.bar.inc(1);
        self.say();
    }

    /// Makes room for the report.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }

    fn say(&self) {
        self.bar.set_message(message(&self.waiting, self.bad));
    }
}

fn message(waiting: &[String], bad: usize) -> String {
    const CHARS_MAX: usize = 60;
    let bad = (bad > 0).then(|| format!("{bad} not ok"));
    let waiting = (!waiting.is_empty()).then(|| format!("waiting for {}", waiting.join(", ")));
    let parts: Vec<_> = bad.into_iter().chain(waiting).collect();
    shown(&plain::line(&parts.join("; "), CHARS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_whom_we_wait_for() {
        let names = ["database", "payments"].map(str::to_owned);
        assert_eq!(message(&names, 0), "waiting for database, payments");
        assert_eq!(message(&names[1..], 1), "1 not ok; waiting for payments");
        assert_eq!(message(&[], 1), "1 not ok");
        let many: Vec<_> = (0..100).map(|n| format!("check-{n}")).collect();
        assert_eq!(message(&many, 0).chars().count(), 60);
    }

    #[test]
    fn it_counts_and_goes_away() {
        let mut progress = Progress::new(["a", "b"].map(str::to_owned), false);
        progress.done("a", Status::Failed);
        assert_eq!(
            (progress.bar.position(), progress.bar.message().as_str()),
            (1, "1 not ok; waiting for b")
        );
        assert!(progress.bar.is_hidden(), "nothing is drawn where nobody looks");
        progress.finish();
    }
}
