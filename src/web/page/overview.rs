//! The same for a terminal: what is read with curl.

use crate::outcome::Status;
use crate::view::View;
use crate::view::status::{Status as Seen, Word};
use crate::web::page::words;
use std::fmt::Write as _;

/// How the shop is, a line a part: for anybody.
pub fn parts(seen: &Seen) -> String {
    let mut text = seen.headline() + "\n\n";
    for part in &seen.parts {
        let since = part.since.filter(|_| part.word != Word::Well);
        let since = since.map(|at| format!("since {}", words::moment(&at))).unwrap_or_default();
        let good = part
            .good_ratio
            .map(|ratio| format!("{} over 90 days", words::percent(&ratio)))
            .unwrap_or_default();
        let line = format!("{:<12} {:<24} {good:<24} {since}", part.word.as_str(), part.part.title);
        text += line.trim_end();
        text.push('\n');
    }
    for one in &seen.planned {
        let (from, to) = (words::moment(&one.from), words::moment(&one.to));
        // Writing to a string can't fail.
        let _ = writeln!(text, "\nmaintenance: {} ({}), {from} to {to}", one.title, one.parts.join(", "));
    }
    text
}

/// One line a check, the worst first: for operators.
pub fn checks(view: &View) -> String {
    let mut checks: Vec<_> = view.checks.iter().collect();
    checks.sort_by_key(|check| std::cmp::Reverse(check.status()));
    let mut text = String::new();
    for check in checks {
        let status = match check.last {
            Some(_) => check.status().as_str(),
            None => "waiting",
        };
        let reason = check.reason().map(|fault| fault.text.as_str()).unwrap_or_default();
        let explained = match view.explained_by(check) {
            Some(parent) => format!(" (it needs {}, which failed)", parent.check.name),
            None => String::new(),
        };
        // Writing to a string can't fail.
        let _ = writeln!(text, "{status:<9} {:<28} {reason}{explained}", check.check.name);
        for note in check.last.iter().flat_map(|last| &last.run.outcome.notes) {
            let _ = writeln!(text, "{:<9} {:<28} note: {note}", "", "");
        }
    }
    for skipped in view.skipped.iter() {
        let _ = writeln!(text, "{:<9} {:<28} {}", "skipped", skipped.name, skipped.why);
    }
    let worst = view.checks.iter().map(|check| check.status()).max().unwrap_or(Status::Unknown);
    let _ = writeln!(text, "\n{worst}: {} checks, {} skipped", view.checks.len(), view.skipped.len());
    text
}
