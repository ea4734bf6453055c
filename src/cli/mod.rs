//! The command line: one file per command, exit codes as documented constants.

mod check;
mod demo;
mod run;
mod schema;
mod validate;

use crate::app::files::{self, Origin};
use crate::config::text::Variables;
use crate::config::{self, Files, Plan};
use crate::probe::net::Net;
use clap::{Args, Parser, Subcommand};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

/// How the program ends. `atalaya check` ends with the verdict, in the codes of the monitoring-plugins.
pub mod exit {
    pub use crate::once::exit::OK;
    /// The output could not be written (`EX_IOERR` of sysexits.h).
    pub const OUTPUT: u8 = 74;
    /// The definitions are wrong, or a port is taken (`EX_CONFIG` of sysexits.h).
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
}

impl Definitions {
    fn origin(&self) -> Origin {
        Origin {
            agent: self.config.clone().unwrap_or_else(|| PathBuf::from("atalaya.toml")),
            agent_required: self.config.is_some(),
            checks: self.checks.clone(),
            embedded: None,
        }
    }
}

/// The environment of this process; the value of a variable that is no text can't be used.
fn variables() -> Variables {
    let pairs = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    Variables::new(pairs, |path| files::read_text(path, files::SECRET_BYTES_MAX))
}

/// Reads the definitions; tells every fault on standard error.
fn load(origin: &Origin, variables: &Variables, net: &Arc<Net>) -> Result<Plan, u8> {
    load_files(origin, variables, net).map(|(plan, _)| plan)
}

/// As [`load`], with the texts that were read.
fn load_files(origin: &Origin, variables: &Variables, net: &Arc<Net>) -> Result<(Plan, Files), u8> {
    let files = origin.read().map_err(|unreadable| {
        for one in unreadable {
            anstream::eprintln!("{}: {one}", error_word());
        }
        exit::CONFIGURATION
    })?;
    let plan = config::load(&files, variables, net).map_err(|faults| {
        for fault in &faults {
            anstream::eprintln!("{}: {fault}", error_word());
        }
        anstream::eprintln!("{} faults; nothing was started", faults.len());
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
    anstream::eprintln!("{}: {text}", error_word());
    exit::CONFIGURATION
}

/// Parses the command line and does what it says.
pub fn main() -> u8 {
    let cli = Cli::parse();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return fail("another TLS provider is installed; this is a bug in atalaya");
    }
    match cli.command {
        Command::Schema => schema::main(),
        Command::Validate(options) => validate::main(&options),
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

/// Logs for people on a terminal, JSON otherwise. `ATALAYA_LOG` sets what is told (`debug`, `atalaya=trace`).
fn log_to_stderr() {
    let wanted =
        std::env::var("ATALAYA_LOG").unwrap_or_else(|_| "info,sqlx=error,hickory_proto=error".to_owned());
    let mut filter = tracing_subscriber::EnvFilter::new(wanted);
    // This one writes the parameters of connection strings into the log, values included.
    if let Ok(directive) = "sqlx_postgres::options::parse=off".parse() {
        filter = filter.add_directive(directive);
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    }
}
