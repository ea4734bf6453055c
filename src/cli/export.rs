//! `atalaya export`: what others read that is made from the definitions, written to files or compared with those there.

use super::{Definitions, error_word, exit, fail, log, print};
use crate::config::{self, Plan};
use crate::export::rules::{self, Style};
use crate::export::{File, boards};
use crate::probe::net::Net;
use clap::{Args, Subcommand, ValueEnum};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Some files are not what the definitions give, and `--check` was asked for.
const STALE: u8 = 1;

#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Grafana's boards, into `dashboards`
    Dashboards(To),
    /// Prometheus' recording and alerting rules with their unit tests, into `alerts/prometheus`
    Rules {
        #[command(flatten)]
        to: To,
        /// In whose names; pyrra's are printed unless `--out` is given
        #[arg(long, value_enum, default_value_t = Names::Sloth)]
        style: Names,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Names {
    Sloth,
    Pyrra,
}

#[derive(Debug, Args)]
struct To {
    /// The folder to write to
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
    /// Write nothing; tell which files are stale, and end with 1 where any is
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    definitions: Definitions,
}

pub fn main(options: &Options) -> u8 {
    let (to, folder) = match &options.what {
        What::Dashboards(to) => (to, Some("dashboards")),
        What::Rules { to, style: Names::Sloth } => (to, Some("alerts/prometheus")),
        What::Rules { to, style: Names::Pyrra } => (to, None),
    };
    let plan = match read(&to.definitions) {
        Ok(plan) => plan,
        Err(code) => return code,
    };
    let files = match options.what {
        What::Dashboards(_) => boards::files(&plan),
        What::Rules { style: Names::Sloth, .. } => rules::files(&plan, Style::Sloth),
        What::Rules { style: Names::Pyrra, .. } => rules::files(&plan, Style::Pyrra),
    };
    match to.out.as_deref().or(folder.map(Path::new)) {
        Some(folder) if to.check => compare(folder, &files),
        Some(folder) => write(folder, &files),
        None if to.check => fail("`--check` needs `--out` here: pyrra's rules have no place of their own"),
        None => print(&files.iter().map(|file| file.text.as_str()).collect::<String>(), exit::OK),
    }
}

/// The definitions as they are written: what is made from them is the same whatever variables are set here.
fn read(definitions: &Definitions) -> Result<Plan, u8> {
    let files = definitions.origin().read().map_err(|unreadable| {
        for one in unreadable {
            log::tell(format!("{}: {one}", error_word()));
        }
        exit::CONFIGURATION
    })?;
    let net = Arc::new(Net::new().map_err(fail)?);
    config::load_as_written(&files, &net).map_err(|faults| {
        for fault in &faults {
            log::tell(format!("{}: {fault}", error_word()));
        }
        log::tell("nothing was written");
        exit::CONFIGURATION
    })
}

fn compare(folder: &Path, files: &[File]) -> u8 {
    let mut told = String::new();
    for file in files {
        let path = folder.join(&file.path);
        let why = match fs::read_to_string(&path) {
            Ok(text) if text == file.text => continue,
            Ok(_) => "it is not what the definitions give".to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => "it is missing".to_owned(),
            Err(error) => format!("can't read it: {error}"),
        };
        // Writing to a string can't fail.
        let _ = writeln!(told, "stale: {}: {why}", path.display());
    }
    if told.is_empty() {
        return print(&format!("{} files in {} are current\n", files.len(), folder.display()), exit::OK);
    }
    log::tell("  hint: the same command without `--check` writes them");
    print(&told, STALE)
}

fn write(folder: &Path, files: &[File]) -> u8 {
    let written = || -> Result<(), (PathBuf, io::Error)> {
        fs::create_dir_all(folder).map_err(|error| (folder.to_owned(), error))?;
        for file in files {
            let path = folder.join(&file.path);
            fs::write(&path, &file.text).map_err(|error| (path, error))?;
        }
        Ok(())
    };
    match written() {
        Ok(()) => print(&format!("{} files are in {}\n", files.len(), folder.display()), exit::OK),
        Err((path, error)) => {
            log::tell(format!("{}: {}: can't write it: {error}", error_word(), path.display()));
            exit::OUTPUT
        }
    }
}
