//! `atalaya check`: every check once, all at the same time, and a verdict as the exit code.

use super::{Definitions, exit, fail, log, plan, print};
use crate::clock;
use crate::config::value::Period;
use crate::config::{Check, Plan, Skipped, fault};
use crate::judge::limits;
use crate::once::progress::Progress;
use crate::once::{CheckResult, Format, Report, Screen, output};
use crate::outcome::Status;
use crate::probe;
use clap::Args;
use jiff::Timestamp;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// For a report that no terminal shows.
const WIDTH: usize = 100;

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    definitions: Definitions,
    /// Names of checks; all where none is given
    names: Vec<String>,
    /// Only checks with this tag; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write the report to a file, whole or not at all, and for people on the terminal
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A skipped check is a failure
    #[arg(long)]
    strict: bool,
    /// No run may take longer than this, whatever its definition says
    #[arg(long, value_name = "PERIOD", value_parser = period)]
    timeout: Option<Period>,
}

fn period(text: &str) -> Result<Period, String> {
    Period::try_from(text.to_owned())
}

pub async fn main(options: Options) -> u8 {
    log::start();
    let plan = match plan(&options.definitions) {
        Ok(plan) => plan,
        Err(code) => return code,
    };
    let (checks, skipped) = match select(plan, &options.names, &options.tags) {
        Ok(selected) => selected,
        Err(error) => return fail(error),
    };
    let mut stop = match Stop::listen() {
        Ok(stop) => stop,
        Err(error) => return fail(format!("can't listen for signals: {error}")),
    };
    let report = look_at_all(&checks, skipped, options.timeout.map(Period::get), &mut stop).await;
    // A report that nobody takes must not keep the program: told again, it ends as it is.
    tokio::spawn(async move {
        stop.told().await;
        std::process::exit(i32::from(exit::INTERRUPTED));
    });
    tell(&options, report)
}

/// SIGINT or SIGTERM, each of which ends the look, with its plugins, and gives the same verdict.
struct Stop {
    interrupted: Signal,
    terminated: Signal,
}

impl Stop {
    fn listen() -> io::Result<Stop> {
        let (interrupted, terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Stop { interrupted, terminated })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }
}

/// The checks that are named, and have one of the tags. A name that nobody has is a fault, not an empty success.
fn select(plan: Plan, names: &[String], tags: &[String]) -> Result<(Vec<Arc<Check>>, Vec<Skipped>), String> {
    let known: Vec<&str> = plan
        .checks
        .iter()
        .map(|check| &*check.name)
        .chain(plan.skipped.iter().map(|one| &*one.name))
        .collect();
    for name in names {
        if !known.contains(&name.as_str()) {
            let hint = fault::did_you_mean(name, known.iter().copied());
            let hint = hint.map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
            return Err(format!("there is no check `{name}`{hint}"));
        }
    }
    let wanted = |name: &str, of: &[String]| {
        (names.is_empty() || names.iter().any(|wanted| wanted == name))
            && (tags.is_empty() || tags.iter().any(|tag| of.contains(tag)))
    };
    let checks = plan.checks.into_iter().filter(|check| wanted(&check.name, &check.tags));
    let (heard, checks): (Vec<_>, Vec<_>) = checks.partition(|check| check.definition.kind().is_heard());
    let skipped = plan.skipped.into_iter().filter(|one| wanted(&one.name, &one.tags));
    Ok((checks, skipped.chain(heard.iter().map(|check| unheard(check))).collect()))
}

/// A look that is over in a moment hears nothing. Neither well nor unknown: whoever asks for a verdict on a deploy would
/// never get another than that nobody knows.
fn unheard(check: &Check) -> Skipped {
    Skipped {
        name: check.name.clone(),
        title: check.title.clone(),
        section: check.section.clone(),
        kind: check.kind,
        tags: check.tags.clone(),
        place: check.place.clone(),
        why: "only an agent that runs (`atalaya run`) hears what jobs and vendors tell".to_owned(),
    }
}

async fn look_at_all(
    checks: &[Arc<Check>],
    skipped: Vec<Skipped>,
    timeout: Option<Duration>,
    stop: &mut Stop,
) -> Report {
    let (started, begun) = (clock::wall(), clock::instant());
    let names = checks.iter().map(|check| check.name.to_string());
    let mut progress = Progress::new(names, std::io::stderr().is_terminal());
    let mut running = JoinSet::new();
    for (at, check) in checks.iter().enumerate() {
        let check = check.clone();
        running.spawn(async move { (at, look(check, started, timeout).await) });
    }
    let mut results: Vec<Option<CheckResult>> = checks.iter().map(|_| None).collect();
    let mut interrupted = false;
    loop {
        let ended = tokio::select! {
            ended = running.join_next() => ended,
            () = stop.told() => {
                interrupted = true;
                break;
            }
        };
        let Some(ended) = ended else { break };
        // A run never panics: looking turns a panic into an outcome.
        if let Ok((at, result)) = ended {
            progress.done(&result.check.name, result.status());
            results[at] = Some(result);
        }
    }
    running.shutdown().await;
    progress.finish();
    let mut results: Vec<CheckResult> = results.into_iter().flatten().collect();
    explain(&mut results);
    Report { started, took: since(begun), results, skipped, interrupted }
}

async fn look(check: Arc<Check>, now: Timestamp, timeout: Option<Duration>) -> CheckResult {
    let timeout = timeout.map_or(check.timeout, |most| most.min(check.timeout));
    let look = probe::look(&*check.probe, now, timeout).await;
    let mut outcome = look.outcome;
    limits::apply(&check.limits, look.took, &mut outcome);
    CheckResult { check, outcome, phases: look.phases, took: look.took, explained_by: None }
}

/// What a check needs and failed itself explains why the check is not well.
fn explain(results: &mut [CheckResult]) {
    let failed: Vec<Arc<str>> = results
        .iter()
        .filter(|result| result.status() == Status::Failed)
        .map(|result| result.check.name.clone())
        .collect();
    for result in results.iter_mut() {
        if matches!(result.status(), Status::Failed | Status::Unknown) {
            let parent = result.check.needs.iter().find(|need| failed.iter().any(|name| **name == ***need));
            result.explained_by = parent.cloned();
        }
    }
}

fn since(begun: Instant) -> Duration {
    clock::instant().saturating_duration_since(begun)
}

/// The verdict is there before a word is written; a report that can't be written is told by another code.
fn tell(options: &Options, report: Report) -> u8 {
    let judged = report.judge(options.strict);
    let code = judged.verdict().exit_code();
    let Some(path) = &options.output else { return print(&judged.text(options.format, screen()), code) };
    let plain = Screen { width: WIDTH, colour: false };
    if let Err(error) = output::save(path, &judged.text(options.format, plain)) {
        log::tell(format!("{}: {error}", super::error_word()));
        return exit::OUTPUT;
    }
    if options.format == Format::Human { code } else { print(&judged.text(Format::Human, screen()), code) }
}

fn screen() -> Screen {
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    let colour = terminal.is_some() && std::env::var_os("NO_COLOR").is_none();
    Screen { width: terminal.map_or(WIDTH, |(width, _)| usize::from(width.0)), colour }
}
