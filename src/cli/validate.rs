//! `atalaya validate`: everything that is wrong with the definitions, without running any.

use super::{Definitions, exit, fail, load, print, variables};
use crate::probe::net::Net;
use clap::Args;
use std::fmt::Write as _;
use std::sync::Arc;

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    definitions: Definitions,
    /// A check that would be skipped is a fault
    #[arg(long)]
    strict: bool,
}

pub fn main(options: &Options) -> u8 {
    let net = match Net::new() {
        Ok(net) => Arc::new(net),
        Err(error) => return fail(error),
    };
    let plan = match load(&options.definitions.origin(), &variables(), &net) {
        Ok(plan) => plan,
        Err(code) => return code,
    };
    let mut text = String::new();
    for one in &plan.skipped {
        // Writing to a string can't fail.
        let _ = writeln!(text, "skipped: {}: `{}`: {}", one.place, one.name, one.why);
    }
    let _ = writeln!(text, "{} checks are valid, {} would be skipped", plan.checks.len(), plan.skipped.len());
    let code = print(&text, exit::OK);
    if plan.checks.is_empty() && plan.skipped.is_empty() {
        return fail(
            "no check is defined\n  hint: write one in checks/*.toml, or name the place with --checks",
        );
    }
    if options.strict && !plan.skipped.is_empty() {
        return fail(format!("{} checks would be skipped, and --strict forbids that", plan.skipped.len()));
    }
    code
}
