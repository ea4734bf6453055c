//! `command`: any program that speaks the monitoring-plugins protocol, so that thousands of plugins fit.
//!
//! The exit code is the verdict: 0 ok, 1 degraded, 2 failed, 3 unknown. The text is never believed against
//! it (`negate` prints `OK` and exits 2), it only gives the reason: its first line that is not empty. Performance data
//! become measures (see `naming`). A program that can't be run, ends in another way or floods its output
//! says nothing about the target: that is `unknown`. There is no shell; who wants one writes it into `argv`.

pub mod child;
pub mod naming;
pub mod perfdata;
mod verdict;

use super::{Build, Context, Kind, MeasureInfo, Run, Running};
use crate::config::text::Text;
use crate::config::value::Size;
use crate::outcome::Fault;
use child::Ended;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::process::Command as Process;
use tokio::time::Instant;
use verdict::Words;

/// Where programs are looked for when the agent itself was started without a `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The probe ends a plugin this much before its deadline, so that it can say how that is to be judged.
const BEFORE_DEADLINE: Duration = Duration::from_millis(5);

/// Runs a program that speaks the monitoring-plugins protocol (exit code 0 to 3, performance data).
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments, without a shell: `["/usr/lib/nagios/plugins/check_disk", "-w", "10%", "-p", "/"]`.
    argv: Vec<Text>,
    /// Variables for the program. It inherits none but `PATH` and `LANG`.
    #[serde(default)]
    environment: BTreeMap<String, Text>,
    /// Where the program runs; a relative program is looked for there. Else where the agent runs.
    directory: Option<Text>,
    /// What it means when the program does not end in time.
    #[serde(default)]
    timeout_status: TimeoutStatus,
    /// So much of the output is read; the rest is dropped. "64KiB" unless given, "16MiB" at most.
    #[serde(default = "output_max")]
    output_max: Size,
}

/// A plugin that hangs mostly hangs because its target does; who knows better says `unknown`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeoutStatus {
    #[default]
    Failed,
    Unknown,
}

const fn output_max() -> Size {
    Size::from_bytes(64 * 1024)
}

impl Kind for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        &[]
    }

    /// What a plugin measures is known when it has run.
    fn may_yield(&self, _measure: &str) -> bool {
        true
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        let argv: Vec<_> = self.argv.iter().map(|text| build.secret("argv", text)).collect();
        let environment: Vec<_> = self
            .environment
            .iter()
            .map(|(name, text)| Some((name.clone(), build.secret(&format!("environment.{name}"), text)?)))
            .collect();
        let directory = self.directory.as_ref().map(|text| build.text("directory", text));
        let (Some(argv), Some(given)) = (all(argv), all(environment)) else { return None };
        if !is_sound(build, &argv, &given) || !self.is_bounded(build) {
            return None;
        }
        let directory = match directory {
            Some(filled) => Some(PathBuf::from(filled?)),
            None => None,
        };
        let mut environment = inherited(build);
        environment.extend(given);
        Some(Box::new(Plugin {
            words: Words {
                program: self.argv[0].raw().to_owned(),
                timeout_status: self.timeout_status,
                fillings: self.fillings(build),
            },
            argv,
            environment,
            directory,
            output_max: usize::try_from(self.output_max.bytes()).unwrap_or(usize::MAX),
        }))
    }
}

impl Command {
    fn is_bounded(&self, build: &mut Build<'_>) -> bool {
        let is_bounded = self.output_max <= child::WRITTEN_MAX;
        if !is_bounded {
            let (wanted, most) = (self.output_max, child::WRITTEN_MAX);
            build.fault(
                "output_max",
                format!("`output_max` is {wanted}; a plugin that writes {most} is ended"),
            );
        }
        is_bounded
    }

    fn fillings(&self, build: &Build<'_>) -> Vec<(String, SecretString)> {
        let texts = self.argv.iter().chain(self.environment.values()).chain(&self.directory);
        texts.flat_map(|text| text.fillings(build.variables)).collect()
    }
}

/// Checks what the system call would refuse, at the place where it was written.
fn is_sound(build: &mut Build<'_>, argv: &[SecretString], given: &[(String, SecretString)]) -> bool {
    let before = build.found.faults.len();
    if argv.first().is_none_or(|program| program.expose_secret().is_empty()) {
        let hint = "write the program and its arguments: argv = [\"/usr/lib/nagios/plugins/check_load\"]";
        build.fault_with_hint("argv", "`argv` names no program", hint);
    }
    let has_nul = |text: &SecretString| text.expose_secret().contains('\0');
    if argv.iter().any(has_nul) {
        build.fault("argv", "an argument holds a NUL character, which no program can be given");
    }
    for (name, value) in given {
        let key = format!("environment.{name}");
        if name.is_empty() || name.contains(['=', '\0']) {
            build.fault(&key, format!("`{}` can't be the name of a variable", name.escape_debug()));
        }
        if has_nul(value) {
            build.fault(&key, "the value holds a NUL character, which no program can be given");
        }
    }
    build.found.faults.len() == before
}

fn all<T>(parts: Vec<Option<T>>) -> Option<Vec<T>> {
    parts.into_iter().collect()
}

fn inherited(build: &Build<'_>) -> BTreeMap<String, SecretString> {
    let basics = [("PATH", PATH), ("LANG", "C.UTF-8")];
    basics
        .into_iter()
        .map(|(name, default)| {
            (name.to_owned(), SecretString::from(build.variables.get(name).unwrap_or(default)))
        })
        .collect()
}

struct Plugin {
    words: Words,
    argv: Vec<SecretString>,
    environment: BTreeMap<String, SecretString>,
    directory: Option<PathBuf>,
    output_max: usize,
}

impl Run for Plugin {
    fn run<'a>(&'a self, cx: &'a Context) -> Running<'a> {
        Box::pin(async {
            cx.phase("run");
            let margin = BEFORE_DEADLINE.min(cx.remaining() / 10);
            match self.process(cx.deadline - margin).await {
                Ok(ended) => self.words.judge(&ended, cx.timeout),
                Err(error) => Fault::internal(self.why_not_run(&error)).into(),
            }
        })
    }
}

impl Plugin {
    async fn process(&self, deadline: Instant) -> io::Result<Ended> {
        let mut argv = self.argv.iter().map(ExposeSecret::expose_secret);
        let mut process = Process::new(argv.next().unwrap_or_default());
        process.args(argv).env_clear();
        process.envs(self.environment.iter().map(|(name, value)| (name, value.expose_secret())));
        if let Some(directory) = &self.directory {
            process.current_dir(directory);
        }
        child::run(process, deadline, self.output_max).await
    }

    fn why_not_run(&self, error: &io::Error) -> String {
        match &self.directory {
            Some(directory) if !directory.is_dir() => {
                format!("can't run `{}`: its `directory` is no directory", self.words.program)
            }
            _ => format!("can't run `{}`: {error}", self.words.program),
        }
    }
}
