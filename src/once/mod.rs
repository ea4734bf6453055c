//! What one look at everything found, and in which words it is said.
//!
//! The verdict is computed once, before any format is written, and every format gets it ready: so none
//! can change it, and each ends with the same exit code. Results are written in the order of the definitions,
//! never in the order in which they arrived: two reports of the same state are the same text.

mod github;
mod human;
mod json;
mod judged;
mod junit;
pub mod output;
mod plugin;
pub mod progress;
mod prometheus;
#[cfg(test)]
mod samples;

pub use crate::config::Skipped;
pub use human::Screen;
pub use judged::Judged;

use crate::config::Check;
use crate::outcome::{Outcome, Phase, Status};
use crate::plain;
use jiff::Timestamp;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

/// The exit codes of a report. 0 to 3 are those of the monitoring-plugins.
pub mod exit {
    /// All that was looked at is well.
    pub const OK: u8 = 0;
    /// Something is beyond a bound that matters, and nothing failed.
    pub const DEGRADED: u8 = 1;
    /// Something failed; or something was skipped, and the run was strict.
    pub const FAILED: u8 = 2;
    /// Nobody can tell, or nothing was checked: never a success.
    pub const UNKNOWN: u8 = 3;
    /// Interrupted before the end (128 + SIGINT).
    pub const INTERRUPTED: u8 = 130;
}

/// What one run of all checks found.
#[derive(Debug)]
pub struct Report {
    pub started: Timestamp,
    pub took: Duration,
    pub results: Vec<CheckResult>,
    pub skipped: Vec<Skipped>,
    /// Whether it was ended before all checks had. Results are those that there were.
    pub interrupted: bool,
}

/// What one check found.
#[derive(Debug)]
pub struct CheckResult {
    pub check: Arc<Check>,
    /// With the limits applied.
    pub outcome: Outcome,
    pub phases: Vec<Phase>,
    pub took: Duration,
    /// The name of a check in `needs` that failed itself.
    pub explained_by: Option<String>,
}

impl CheckResult {
    pub fn status(&self) -> Status {
        self.outcome.status()
    }
}

/// What the whole run comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    Degraded,
    Failed,
    Unknown,
    Interrupted,
}

impl Verdict {
    pub const fn exit_code(self) -> u8 {
        match self {
            Verdict::Ok => exit::OK,
            Verdict::Degraded => exit::DEGRADED,
            Verdict::Failed => exit::FAILED,
            Verdict::Unknown => exit::UNKNOWN,
            Verdict::Interrupted => exit::INTERRUPTED,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Degraded => "degraded",
            Verdict::Failed => "failed",
            Verdict::Unknown => "unknown",
            Verdict::Interrupted => "interrupted",
        }
    }
}

/// How a report is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people, in colour on a terminal
    #[default]
    Human,
    /// For programs
    Json,
    /// The XML that CI systems read
    Junit,
    /// Annotations of GitHub Actions, at the definition's file and line
    Github,
    /// Output of a monitoring plugin, for Nagios, Icinga and their kin
    Plugin,
    /// A text file for the textfile collector of Prometheus' node_exporter
    Prometheus,
}

impl Report {
    /// The gravest of what was found.
    pub fn verdict(&self, strict: bool) -> Verdict {
        if self.interrupted {
            return Verdict::Interrupted;
        }
        if strict && !self.skipped.is_empty() {
            return Verdict::Failed;
        }
        match self.results.iter().map(CheckResult::status).max() {
            Some(Status::Ok) => Verdict::Ok,
            Some(Status::Degraded) => Verdict::Degraded,
            Some(Status::Failed) => Verdict::Failed,
            Some(Status::Unknown) | None => Verdict::Unknown,
        }
    }

    /// Judges it; what can be written is the judged report only.
    pub fn judge(self, strict: bool) -> Judged {
        Judged { verdict: self.verdict(strict), strict, report: self }
    }
}

/// Text of a target or of a definition, fit for any output. Two `#` in a row never get through: some CI
/// systems take `##[…]` or `##vso[…]` anywhere in a line for a command to themselves.
fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 500;
    let mut line = plain::line(text, CHARS_MAX);
    while line.contains("##") {
        line = line.replace("##", "#");
    }
    line
}

/// How long it took, in three digits: `0.42 ms`, `12.3 ms`, `1.24 s`, `2 min 5 s`.
fn duration(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    match seconds {
        ..0.00995 => format!("{:.2} ms", seconds * 1e3),
        ..0.0995 => format!("{:.1} ms", seconds * 1e3),
        ..0.9995 => format!("{:.0} ms", seconds * 1e3),
        ..59.995 => format!("{seconds:.2} s"),
        _ => format!("{} min {} s", took.as_secs() / 60, took.as_secs() % 60),
    }
}

/// `write!` to a string, which can't fail.
fn put(out: &mut String, arguments: fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to memory can't fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_say_how_long() {
        for (micros, expected) in [
            (0, "0.00 ms"),
            (420, "0.42 ms"),
            (9_949, "9.95 ms"),
            (9_960, "10.0 ms"),
            (12_345, "12.3 ms"),
            (99_900, "100 ms"),
            (999_900, "1.00 s"),
            (59_990_000, "59.99 s"),
            (125_400_000, "2 min 5 s"),
        ] {
            assert_eq!(duration(Duration::from_micros(micros)), expected, "{micros}");
        }
    }
}
