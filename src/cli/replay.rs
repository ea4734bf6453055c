//! `atalaya replay FILE`: judges what happened once more, by the definitions as they are now, and tells what would have
//! been told. Nobody is told, nothing is written.

use super::{Definitions, exit, fail, log, plan, print};
use crate::alert::Notice;
use crate::fact::Fact;
use crate::mind::Mind;
use crate::store::Remembered;
use clap::Args;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// One fact is a run with its measures; a longer line is no fact.
const LINE_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Args)]
pub struct Options {
    /// Facts as lines of JSON, as `atalaya store export --events` writes them; `-` is standard input
    file: PathBuf,
    /// One line of JSON for each notice, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    definitions: Definitions,
}

pub fn main(options: &Options) -> u8 {
    let plan = match plan(&options.definitions) {
        Ok(plan) => plan,
        Err(code) => return code,
    };
    let input: Box<dyn BufRead> = if options.file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        match File::open(&options.file) {
            Ok(file) => Box::new(BufReader::new(file)),
            Err(error) => return fail(format!("{}: can't read it: {error}", options.file.display())),
        }
    };
    let facts = Facts { input, line: 0, name: options.file.display().to_string() };
    match replay(facts, &plan, options.json) {
        Ok(()) => exit::OK,
        Err(code) => code,
    }
}

fn replay(facts: Facts, plan: &crate::config::Plan, json: bool) -> Result<(), u8> {
    let mut mind: Option<Mind> = None;
    let (mut read, mut told) = (0_u64, 0_u64);
    for fact in facts {
        let fact = fact.map_err(fail)?;
        let mind = mind.get_or_insert_with(|| {
            let checks = plan.checks.iter().map(|check| &**check);
            Mind::new(checks, plan.alerting.clone(), &mut Remembered::default(), fact.at).0
        });
        mind.apply(&fact);
        read += 1;
        for notice in mind.drain(fact.at).notices {
            told += 1;
            let text = if json { line_of_json(&notice) } else { lines(&notice) };
            match print(&text, exit::OK) {
                exit::OK => {}
                code => return Err(code),
            }
        }
    }
    if !json {
        log::tell(format!("{read} facts, {told} notices"));
    }
    Ok(())
}

fn line_of_json(notice: &Notice) -> String {
    serde_json::to_string(notice).unwrap_or_else(|error| error.to_string()) + "\n"
}

/// One line for each alert of the notice.
fn lines(notice: &Notice) -> String {
    let mut text = String::new();
    for alert in &notice.alerts {
        let merged = if notice.merged { " (beginning and end in one)" } else { "" };
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{}  {:<9} {:<6} {:<12} {}: {}{merged}",
            notice.at.strftime("%Y-%m-%d %H:%M:%S"),
            notice.kind.as_str(),
            alert.severity,
            notice.contact,
            alert.key,
            alert.summary,
        );
    }
    if notice.more > 0 {
        let _ = writeln!(text, "{:21}and {} more", "", notice.more);
    }
    text
}

/// The facts of a file, with the place of the first line that is none.
struct Facts {
    input: Box<dyn BufRead>,
    line: u64,
    name: String,
}

impl Iterator for Facts {
    type Item = Result<Fact, String>;

    fn next(&mut self) -> Option<Result<Fact, String>> {
        loop {
            let mut text = String::new();
            self.line += 1;
            let place = format!("{}:{}", self.name, self.line);
            let read = io::Read::take(&mut self.input, LINE_BYTES_MAX).read_line(&mut text);
            match read {
                Ok(0) => return None,
                Ok(_) if text.trim().is_empty() => {}
                Ok(_) => {
                    return Some(serde_json::from_str(&text).map_err(|error| {
                        format!(
                            "{place}: this is no fact: {error}\n  hint: facts come from `atalaya store export --events`"
                        )
                    }));
                }
                Err(error) => return Some(Err(format!("{place}: can't read it: {error}"))),
            }
        }
    }
}
