//! `atalaya validate`: everything that is wrong with the definitions, without running any.

use super::{Definitions, exit, fail, plan, print};
use crate::judge::feasibility::{self, Advice};
use clap::Args;
use std::fmt::Write as _;

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    definitions: Definitions,
    /// A check that would be skipped is a fault, and so is an objective or a channel that would be left out
    #[arg(long)]
    strict: bool,
}

pub fn main(options: &Options) -> u8 {
    let plan = match plan(&options.definitions) {
        Ok(plan) => plan,
        Err(code) => return code,
    };
    let mut text = String::new();
    for one in &plan.skipped {
        // Writing to a string can't fail.
        let _ = writeln!(text, "skipped: {}: `{}`: {}", one.place, one.name, one.why);
    }
    let alerting = &plan.alerting;
    for one in &alerting.skipped {
        let _ = writeln!(text, "left out: {}: {} `{}`: {}", one.place, one.what, one.name, one.why);
    }
    for objective in &alerting.objectives {
        for Advice { text: what, hint } in feasibility::faults(objective, None) {
            let _ =
                writeln!(text, "advice: {}: `{}`: {what}\n  hint: {hint}", objective.place, objective.name);
        }
    }
    for contact in alerting.unreachable() {
        let _ =
            writeln!(text, "advice: nobody is told: contact `{}` has no channel that works", contact.name);
    }
    let _ = writeln!(text, "{} checks are valid, {} would be skipped", plan.checks.len(), plan.skipped.len());
    if !alerting.objectives.is_empty() || !alerting.channels.is_empty() || !alerting.skipped.is_empty() {
        let _ = writeln!(
            text,
            "{} objectives and {} channels are valid, {} would be left out",
            alerting.objectives.len(),
            alerting.channels.len(),
            alerting.skipped.len()
        );
    }
    let code = print(&text, exit::OK);
    if plan.checks.is_empty() && plan.skipped.is_empty() {
        return fail(
            "no check is defined\n  hint: write one in checks/*.toml, or name the place with --checks",
        );
    }
    if options.strict && !plan.skipped.is_empty() {
        return fail(format!("{} checks would be skipped, and --strict forbids that", plan.skipped.len()));
    }
    if options.strict && !plan.alerting.skipped.is_empty() {
        let number = plan.alerting.skipped.len();
        return fail(format!("{number} objectives or channels would be left out, and --strict forbids that"));
    }
    code
}
