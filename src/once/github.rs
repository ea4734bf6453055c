//! Workflow commands of GitHub Actions: annotations at the line of the definition that failed.
//!
//! Failed is an `error`, degraded and unknown a `warning`, skipped a `notice` (an `error` where the run is strict).
//! The escaping is that of `@actions/core`: `%`, CR and LF in a message, and also `:` and `,` in a property. GitHub shows the
//! first ten of each level for a step, so a check whose trouble another one explains is a `notice`, and
//! takes no place from the one to look at. The last line is for the log.

use super::judged::{Item, Judged};
use super::{put, shown};
use crate::outcome::Status;

pub fn text(judged: &Judged) -> String {
    let mut out = String::new();
    for item in judged.items() {
        match item {
            Item::Ran(result) if result.status() == Status::Ok => {}
            Item::Ran(result) => {
                let level = match (result.status(), &result.explained_by) {
                    (_, Some(_)) => "notice",
                    (Status::Failed, _) => "error",
                    _ => "warning",
                };
                let mut lines: Vec<_> =
                    result.outcome.faults.iter().map(|fault| shown(&fault.text)).collect();
                lines.extend(
                    result.explained_by.iter().map(|parent| format!("it needs {parent}, which failed")),
                );
                annotate(&mut out, level, item, result.status().as_str(), &lines.join("\n"));
            }
            Item::Skipped(skipped) => {
                let level = if judged.strict { "error" } else { "notice" };
                annotate(&mut out, level, item, "skipped", &shown(&skipped.why));
            }
        }
    }
    if judged.report.interrupted || judged.report.results.is_empty() {
        put(&mut out, format_args!("::error title=Atalaya::{}\n", message(&judged.headline())));
    }
    put(&mut out, format_args!("atalaya: {}: {}\n", judged.verdict().as_str(), judged.headline()));
    out
}

fn annotate(out: &mut String, level: &str, item: Item<'_>, status: &str, text: &str) {
    let place = item.place();
    let title = format!("{} {status}", shown(item.title()));
    put(
        out,
        format_args!(
            "::{level} file={},line={},title={}::{}\n",
            property(&place.file),
            place.line,
            property(&title),
            message(text)
        ),
    );
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Sample, report, rich};
    use super::*;

    #[test]
    fn annotations_point_to_the_definition() {
        let expected = "\
::error file=checks/shop.toml,line=4,title=The database failed::connection refused by 127.0.0.1:5432 ::error::50%25, <&> |#[x]%0Asecond fault
::notice file=checks/shop.toml,line=7,title=The orders failed::connection refused%0Ait needs database, which failed
::notice file=checks/shop.toml,line=10,title=The payments skipped::variable TOKEN is not set
::warning file=checks/shop.toml,line=13,title=The cache degraded::slow
::warning file=checks/shop.toml,line=16,title=The disk unknown::no file descriptor left
atalaya: failed: 2 of 6 failed: database, 1 that needs what failed; 1 degraded: cache; 1 unknown: disk; 1 ok; 1 skipped
";
        assert_eq!(text(&rich().judge(false)), expected);
    }

    #[test]
    fn what_concerns_the_whole_run_is_an_error() {
        assert_eq!(
            text(&report(&[Sample::Skipped("a")]).judge(true)),
            "::error file=checks/shop.toml,line=1,title=The a skipped::variable TOKEN is not set\n\
             ::error title=Atalaya::nothing was checked; 1 skipped, which --strict forbids\n\
             atalaya: failed: nothing was checked; 1 skipped, which --strict forbids\n"
        );
        assert_eq!(text(&report(&[Sample::Ok("a")]).judge(false)), "atalaya: ok: all 1 ok\n");
    }

    #[test]
    fn properties_and_messages_are_escaped() {
        assert_eq!(property("a:b,c%\r\n"), "a%3Ab%2Cc%25%0D%0A");
        assert_eq!(message("a:b,c%\r\n"), "a:b,c%25%0D%0A");
    }
}
