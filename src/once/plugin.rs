//! Output of a monitoring plugin, so that Nagios, Icinga and their kin can run `atalaya check` as one of theirs.
//!
//! First the sentence with the performance data, then a line for each check that is not well. Data are
//! the counts and how long each check took: few and bounded, since Nagios cuts the output after 8 KiB.

use super::judged::{Item, Judged};
use super::{Verdict, put, shown};
use crate::outcome::Status;
use crate::probe::command::perfdata::Datum;

pub fn text(judged: &Judged) -> String {
    let data = data(judged).iter().map(Datum::to_string).collect::<Vec<_>>().join(" ");
    let state = match judged.verdict() {
        Verdict::Ok => "OK",
        Verdict::Degraded => "WARNING",
        Verdict::Failed => "CRITICAL",
        Verdict::Unknown | Verdict::Interrupted => "UNKNOWN",
    };
    let mut out = format!("ATALAYA {state} - {} | {data}\n", no_bar(&judged.headline()));
    for item in judged.items() {
        let (state, why) = match item {
            Item::Ran(result) => match result.status() {
                Status::Ok => continue,
                Status::Degraded => ("WARNING", reason(result)),
                Status::Failed => ("CRITICAL", reason(result)),
                Status::Unknown => ("UNKNOWN", reason(result)),
            },
            Item::Skipped(skipped) => ("SKIPPED", shown(&skipped.why)),
        };
        put(&mut out, format_args!("[{state}] {}: {}\n", item.name(), no_bar(&why)));
    }
    out
}

fn reason(result: &super::CheckResult) -> String {
    let reason = result.outcome.reason().map(|fault| shown(&fault.text)).unwrap_or_default();
    match &result.explained_by {
        Some(parent) => format!("{reason} (it needs {parent}, which failed)"),
        None => reason,
    }
}

fn data(judged: &Judged) -> Vec<Datum> {
    let total = judged.report.results.len() + judged.report.skipped.len();
    let count = |label: &str, count: usize| Datum {
        label: label.to_owned(),
        value: Some(count as f64),
        min: Some(0.0),
        max: Some(total as f64),
        ..Datum::default()
    };
    let mut data: Vec<_> =
        Status::ALL.iter().map(|status| count(status.as_str(), judged.count(*status))).collect();
    data.push(count("skipped", judged.report.skipped.len()));
    data.extend(judged.items().into_iter().filter_map(|item| match item {
        Item::Ran(result) => Some(Datum {
            label: format!("{}_duration", result.check.name),
            value: Some(result.took.as_secs_f64()),
            unit: "s".to_owned(),
            min: Some(0.0),
            ..Datum::default()
        }),
        Item::Skipped(_) => None,
    }));
    data
}

/// Behind a bar, performance data begin.
fn no_bar(text: &str) -> String {
    text.replace('|', "¦")
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Sample, report, rich};
    use super::*;

    #[test]
    fn the_first_line_is_the_state_and_the_numbers() {
        let expected = "\
ATALAYA CRITICAL - 2 of 6 failed: database, 1 that needs what failed; 1 degraded: cache; 1 unknown: disk; 1 ok; 1 skipped \
| 'ok'=1;;;0;6 'degraded'=1;;;0;6 'failed'=2;;;0;6 'unknown'=1;;;0;6 'skipped'=1;;;0;6 \
'site_duration'=0.012s;;;0 'database_duration'=0.024s;;;0 'orders_duration'=0.036s;;;0 \
'cache_duration'=0.06s;;;0 'disk_duration'=0.072s;;;0
[CRITICAL] database: connection refused by 127.0.0.1:5432 ::error::50%, <&> ¦#[x]
[CRITICAL] orders: connection refused (it needs database, which failed)
[SKIPPED] payments: variable TOKEN is not set
[WARNING] cache: slow
[UNKNOWN] disk: no file descriptor left
";
        assert_eq!(text(&rich().judge(false)), expected);
        let ok = "ATALAYA OK - all 1 ok | 'ok'=1;;;0;1 'degraded'=0;;;0;1 'failed'=0;;;0;1 'unknown'=0;;;0;1 \
                  'skipped'=0;;;0;1 'a_duration'=0.012s;;;0\n";
        assert_eq!(text(&report(&[Sample::Ok("a")]).judge(false)), ok);
        assert!(text(&report(&[]).judge(false)).starts_with("ATALAYA UNKNOWN - nothing was checked | "));
    }
}
