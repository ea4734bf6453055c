//! The command line: one file per command, exit codes as documented constants.

mod alerts;
mod check;
mod demo;
mod export;
mod log;
mod notify;
mod remote;
mod replay;
mod run;
mod schema;
mod silence;
mod slo;
mod store;
mod token;
mod validate;

use crate::app::files::{self, Origin};
use crate::config::text::Variables;
use crate::config::{self, Files, Plan};
use crate::probe::net::Net;
use clap::{Args, Parser, Subcommand};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// How the program ends. `atalaya check` ends with the verdict, in the codes of the monitoring-plugins.
pub mod exit {
    pub use crate::once::exit::{INTERRUPTED, OK};
    /// The output could not be written (`EX_IOERR` of sysexits.h).
    pub const OUTPUT: u8 = 74;
    /// The command line or the definitions are wrong, or a port is taken (`EX_CONFIG` of sysexits.h).
    pub const CONFIGURATION: u8 = 78;
}

/// A watchtower for online shops: checks everything a shop stands on and says what is wrong, with the evidence.
#[derive(Debug, Parser)]
#[command(name = "atalaya", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch: run every check on its schedule and serve what is known
    Run(run::Options),
    /// Run checks once and end with a verdict: 0 ok, 1 degraded, 2 failed, 3 unknown or nothing checked
    Check(check::Options),
    /// Show it all with a simulated shop that breaks when told to; needs nothing but this program
    Demo(demo::Options),
    /// Tell everything that is wrong with the definitions, without running any
    Validate(validate::Options),
    /// What is promised and how it stands, asked of a running agent
    Slo(slo::Options),
    /// What is wrong now and who was told, asked of a running agent
    Alerts(alerts::Options),
    /// Say that somebody has seen an alert: reminders and escalation end
    Ack(alerts::AckOptions),
    /// Tell nobody for a while
    Silence(silence::Options),
    /// Try a channel of a running agent
    Notify(notify::Options),
    /// Judge once more what happened, by the definitions as they are now
    Replay(replay::Options),
    /// Look into the file that outlives the agent: check it, compact it, export what it holds
    Store(store::Options),
    /// Make a token for operators, and the hash of it that the agent's file may hold in its place
    Token,
    /// Write what Prometheus and Grafana read, made from the definitions
    Export(export::Options),
    /// Print the JSON Schema of the definitions, for editors
    Schema,
}

/// Where the definitions are.
#[derive(Debug, Clone, Args)]
struct Definitions {
    /// The agent's file
    #[arg(long, value_name = "FILE", env = "ATALAYA_CONFIG", help_heading = "Definitions")]
    config: Option<PathBuf>,
    /// Files or folders of checks, in place of those that the agent's file names
    #[arg(long = "checks", value_name = "PATH", help_heading = "Definitions")]
    checks: Vec<PathBuf>,
    /// Files or folders of objectives and channels, in place of those that the agent's file names; none with `--checks` alone
    #[arg(long = "alerts", value_name = "PATH", help_heading = "Definitions")]
    alerts: Vec<PathBuf>,
}

impl Definitions {
    fn origin(&self) -> Origin {
        Origin {
            agent: self.config.clone().unwrap_or_else(|| PathBuf::from("atalaya.toml")),
            agent_required: self.config.is_some(),
            checks: self.checks.clone(),
            alerts: match (self.alerts.as_slice(), self.checks.as_slice()) {
                // Other checks than those that the objectives are about.
                ([], [_, ..]) => Some(Vec::new()),
                ([], []) => None,
                (alerts, _) => Some(alerts.to_vec()),
            },
            embedded: None,
        }
    }
}

/// The environment of this process; the value of a variable that is no text can't be used.
fn variables() -> Variables {
    let pairs = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    Variables::new(pairs, |path| files::read_text(path, files::SECRET_BYTES_MAX))
}

/// What the definitions say, for a command that starts nothing that needs more; tells every fault on standard error.
fn plan(definitions: &Definitions) -> Result<Plan, u8> {
    let net = Arc::new(Net::new().map_err(fail)?);
    load(&definitions.origin(), &variables(), &net)
}

/// Reads the definitions; tells every fault on standard error.
fn load(origin: &Origin, variables: &Variables, net: &Arc<Net>) -> Result<Plan, u8> {
    load_files(origin, variables, net).map(|(plan, _)| plan)
}

/// As [`load`], with the texts that were read.
fn load_files(origin: &Origin, variables: &Variables, net: &Arc<Net>) -> Result<(Plan, Files), u8> {
    let files = origin.read().map_err(|unreadable| {
        for one in unreadable {
            log::tell(format!("{}: {one}", error_word()));
        }
        exit::CONFIGURATION
    })?;
    let plan = config::load(&files, variables, net).map_err(|faults| {
        for fault in &faults {
            log::tell(format!("{}: {fault}", error_word()));
        }
        let faults =
            if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) };
        log::tell(format!("{faults}; nothing was started"));
        exit::CONFIGURATION
    })?;
    Ok((plan, files))
}

fn error_word() -> impl std::fmt::Display {
    let style = anstyle::AnsiColor::Red.on_default().bold();
    format!("{style}error{style:#}")
}

/// Tells a fault of the user's world and gives the exit code for it.
fn fail(text: impl std::fmt::Display) -> u8 {
    log::tell(format!("{}: {text}", error_word()));
    exit::CONFIGURATION
}

/// Writes to standard output. A reader that has gone (`| head`) is no reason to end in another way.
fn print(text: &str, code: u8) -> u8 {
    let mut out = io::stdout().lock();
    after(out.write_all(text.as_bytes()).and_then(|()| out.flush()), code)
}

/// How it ends when this came of the output.
fn after(written: io::Result<()>, code: u8) -> u8 {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            log::tell(format!("{}: can't write to standard output: {error}", error_word()));
            exit::OUTPUT
        }
        _ => code,
    }
}

/// Parses the command line and does what it says.
pub fn main() -> u8 {
    let code = match Cli::try_parse() {
        Ok(cli) => act(cli),
        // The command line was wrong. Not clap's code, 2: that is a verdict, "failed".
        Err(error) if error.use_stderr() => {
            error.print().ok();
            exit::CONFIGURATION
        }
        Err(help) => after(help.print(), exit::OK),
    };
    log::flush();
    code
}

fn act(cli: Cli) -> u8 {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return fail("another TLS provider is installed; this is a bug in atalaya");
    }
    match cli.command {
        Command::Schema => schema::main(),
        Command::Token => token::main(),
        Command::Export(options) => export::main(&options),
        Command::Validate(options) => validate::main(&options),
        Command::Slo(options) => with_runtime(slo::main(options)),
        Command::Alerts(options) => with_runtime(alerts::main(options)),
        Command::Ack(options) => with_runtime(alerts::acknowledge(options)),
        Command::Silence(options) => with_runtime(silence::main(options)),
        Command::Notify(options) => with_runtime(notify::main(options)),
        Command::Store(options) => with_runtime(store::main(options)),
        Command::Replay(options) => replay::main(&options),
        Command::Check(options) => with_runtime(check::main(options)),
        Command::Demo(options) => with_runtime(demo::main(options)),
        Command::Run(options) => with_runtime(run::main(options)),
    }
}

fn with_runtime(work: impl Future<Output = u8>) -> u8 {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // A resolver or a file system that hangs must not keep the program from ending.
            runtime.shutdown_background();
            code
        }
        Err(error) => fail(format!("can't start threads: {error}")),
    }
}
