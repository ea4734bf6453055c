//! A report with its verdict: what every format is given, in the order and with the words that all share.

use super::{CheckResult, Format, Report, Screen, Verdict};
use super::{github, human, json, junit, plugin, prometheus};
use crate::config::{Place, Skipped};
use crate::outcome::Status;

/// A report with its verdict.
#[derive(Debug)]
pub struct Judged {
    pub(super) report: Report,
    pub(super) verdict: Verdict,
    pub(super) strict: bool,
}

/// One definition: it ran, or it was skipped.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item<'a> {
    Ran(&'a CheckResult),
    Skipped(&'a Skipped),
}

impl<'a> Item<'a> {
    pub(super) fn name(self) -> &'a str {
        match self {
            Item::Ran(result) => &result.check.name,
            Item::Skipped(skipped) => &skipped.name,
        }
    }

    pub(super) fn title(self) -> &'a str {
        match self {
            Item::Ran(result) => &result.check.title,
            Item::Skipped(skipped) => &skipped.title,
        }
    }

    pub(super) fn section(self) -> &'a str {
        match self {
            Item::Ran(result) => &result.check.section,
            Item::Skipped(skipped) => &skipped.section,
        }
    }

    pub(super) fn place(self) -> &'a Place {
        match self {
            Item::Ran(result) => &result.check.place,
            Item::Skipped(skipped) => &skipped.place,
        }
    }
}

impl Judged {
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The whole text, ending with a line feed. `screen` is for people's eyes only.
    pub fn text(&self, format: Format, screen: Screen) -> String {
        match format {
            Format::Human => human::text(self, screen),
            Format::Json => json::text(self),
            Format::Junit => junit::text(self),
            Format::Github => github::text(self),
            Format::Plugin => plugin::text(self),
            Format::Prometheus => prometheus::text(self),
        }
    }

    /// All definitions in their order.
    pub(super) fn items(&self) -> Vec<Item<'_>> {
        let ran = self.report.results.iter().map(Item::Ran);
        let mut items: Vec<_> = ran.chain(self.report.skipped.iter().map(Item::Skipped)).collect();
        items.sort_by(|a, b| (a.place(), a.name()).cmp(&(b.place(), b.name())));
        items
    }

    /// The sections in the order of their first definition.
    pub(super) fn sections(&self) -> Vec<(&str, Vec<Item<'_>>)> {
        let mut sections: Vec<(&str, Vec<Item<'_>>)> = Vec::new();
        for item in self.items() {
            match sections.iter_mut().find(|(section, _)| *section == item.section()) {
                Some((_, items)) => items.push(item),
                None => sections.push((item.section(), vec![item])),
            }
        }
        sections
    }

    pub(super) fn count(&self, status: Status) -> usize {
        self.report.results.iter().filter(|result| result.status() == status).count()
    }

    /// One sentence: `2 of 14 failed: database, payments; 1 degraded: email`.
    pub(super) fn headline(&self) -> String {
        let (results, skipped) = (self.report.results.len(), self.report.skipped.len());
        let mut parts = Vec::new();
        if self.report.interrupted {
            parts.push("interrupted before all checks had ended".to_owned());
        } else if results == 0 {
            parts.push("nothing was checked".to_owned());
        }
        let mut of_all = format!(" of {}", results + skipped);
        for status in [Status::Failed, Status::Degraded, Status::Unknown] {
            if let Some(names) = self.names(status) {
                let of_all = std::mem::take(&mut of_all);
                parts.push(format!("{}{of_all} {status}: {names}", self.count(status)));
            }
        }
        match self.count(Status::Ok) {
            0 => {}
            all if all == results + skipped && !self.report.interrupted => {
                parts.push(format!("all {all} ok"));
            }
            some => parts.push(format!("{some} ok")),
        }
        match skipped {
            0 => {}
            _ if self.strict => parts.push(format!("{skipped} skipped, which --strict forbids")),
            _ => parts.push(format!("{skipped} skipped")),
        }
        parts.join("; ")
    }

    /// Who has this status: first those whose own trouble it is, then how many only suffer from them.
    fn names(&self, status: Status) -> Option<String> {
        const NAMED_MAX: usize = 8;
        let with_status = self.items().into_iter().filter_map(|item| match item {
            Item::Ran(result) if result.status() == status => Some(result),
            _ => None,
        });
        let (explained, own): (Vec<_>, Vec<_>) =
            with_status.partition(|result| result.explained_by.is_some());
        let mut names: Vec<String> =
            own.iter().take(NAMED_MAX).map(|one| one.check.name.to_string()).collect();
        if let Some(more @ 1..) = own.len().checked_sub(NAMED_MAX) {
            names.push(format!("{more} more"));
        }
        if !explained.is_empty() {
            let that_need = if explained.len() == 1 { "that needs" } else { "that need" };
            names.push(format!("{} {that_need} what failed", explained.len()));
        }
        (!names.is_empty()).then(|| names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Sample, report};
    use super::*;

    fn check(samples: &[Sample], strict: bool, verdict: Verdict, headline: &str) {
        let judged = report(samples).judge(strict);
        assert_eq!((judged.verdict(), judged.headline().as_str()), (verdict, headline));
    }

    #[test]
    fn the_gravest_finding_is_the_verdict() {
        use Sample::{Degraded, Failed, Ok, Skipped, Unknown};
        check(&[Ok("a"), Ok("b")], false, Verdict::Ok, "all 2 ok");
        check(&[Ok("a"), Degraded("b")], false, Verdict::Degraded, "1 of 2 degraded: b; 1 ok");
        check(&[Unknown("a"), Ok("b")], false, Verdict::Unknown, "1 of 2 unknown: a; 1 ok");
        check(
            &[Unknown("a"), Failed("b"), Degraded("c"), Ok("d"), Skipped("e")],
            false,
            Verdict::Failed,
            "1 of 5 failed: b; 1 degraded: c; 1 unknown: a; 1 ok; 1 skipped",
        );
        check(&[Ok("a"), Skipped("b")], false, Verdict::Ok, "1 ok; 1 skipped");
        check(&[Ok("a"), Skipped("b")], true, Verdict::Failed, "1 ok; 1 skipped, which --strict forbids");
        check(&[Skipped("a")], false, Verdict::Unknown, "nothing was checked; 1 skipped");
        check(&[], false, Verdict::Unknown, "nothing was checked");
        check(&[], true, Verdict::Unknown, "nothing was checked");
    }

    #[test]
    fn an_interrupted_run_is_neither_good_nor_bad() {
        let mut report = report(&[Sample::Ok("a")]);
        report.interrupted = true;
        let judged = report.judge(true);
        assert_eq!(judged.verdict().exit_code(), 130);
        assert_eq!(judged.headline(), "interrupted before all checks had ended; 1 ok");
    }

    #[test]
    fn what_is_explained_is_counted_and_not_named() {
        let mut report = report(&[Sample::Failed("database"), Sample::Failed("orders"), Sample::Ok("site")]);
        report.results[1].explained_by = Some("database".to_owned());
        let expected = "2 of 3 failed: database, 1 that needs what failed; 1 ok";
        assert_eq!(report.judge(false).headline(), expected);
    }

    #[test]
    fn the_order_is_that_of_the_definitions() {
        let mut report =
            report(&[Sample::Ok("c"), Sample::Skipped("a"), Sample::Failed("b"), Sample::Ok("d")]);
        let screen = Screen { width: 80, colour: false };
        report.results.reverse();
        let formats = <Format as clap::ValueEnum>::value_variants();
        let judged = report.judge(false);
        let reversed: Vec<_> = formats.iter().map(|format| judged.text(*format, screen)).collect();
        let mut report = judged.report;
        report.results.reverse();
        let judged = report.judge(false);
        let straight: Vec<_> = formats.iter().map(|format| judged.text(*format, screen)).collect();
        assert_eq!(straight, reversed);
        assert_eq!(judged.items().iter().map(|item| item.name()).collect::<Vec<_>>(), ["c", "a", "b", "d"]);
    }
}
