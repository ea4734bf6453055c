//! JUnit's XML in the form that CI systems read (Jenkins' `junit-10.xsd`, GitLab, CircleCI, Azure).
//!
//! A section is a suite, a check a case, with the file and line of its definition. Failed is a `failure`, unknown an `error`,
//! skipped is `skipped` (a `failure` where the run is strict). JUnit knows no warning: a degraded check
//! passes, and says why in its `system-out`; the exit code tells it apart. What concerns the run as a whole
//! (interrupted, nothing checked) is an `error` in a suite of its own, so that an empty file is never green.

use super::judged::{Item, Judged};
use super::{CheckResult, Verdict, shown};
use crate::outcome::Status;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

pub fn text(judged: &Judged) -> String {
    let mut report = Report::new("atalaya");
    // The field's type is not nameable here, and parses what our own timestamps print.
    report.timestamp = judged.report.started.to_string().parse().ok();
    report.set_time(judged.report.took);
    for (section, items) in judged.sections() {
        let mut suite = TestSuite::new(shown(section));
        suite.timestamp = report.timestamp;
        suite.add_test_cases(items.into_iter().map(|item| case(item, judged.strict)));
        suite.set_time(suite.test_cases.iter().filter_map(|case| case.time).sum());
        report.add_test_suite(suite);
    }
    if judged.verdict() == Verdict::Interrupted || judged.report.results.is_empty() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(judged.headline()).set_type(judged.verdict().as_str());
        let mut suite = TestSuite::new("atalaya");
        suite.add_test_case(TestCase::new("run", status));
        report.add_test_suite(suite);
    }
    report.to_string().expect("writing XML to memory can't fail")
}

fn case(item: Item<'_>, strict: bool) -> TestCase {
    let mut case = match item {
        Item::Ran(result) => {
            let mut case = TestCase::new(item.name(), status(result));
            case.set_time(result.took);
            if result.status() == Status::Degraded || !result.outcome.notes.is_empty() {
                case.set_system_out(evidence(result));
            }
            case
        }
        Item::Skipped(skipped) => {
            let mut status = if strict {
                TestCaseStatus::non_success(NonSuccessKind::Failure)
            } else {
                TestCaseStatus::skipped()
            };
            status.set_message(shown(&skipped.why)).set_type("skipped");
            TestCase::new(item.name(), status)
        }
    };
    case.set_classname(format!("atalaya.{}", shown(item.section())));
    let place = item.place();
    case.extra.insert("file".into(), place.file.as_ref().into());
    case.extra.insert("line".into(), place.line.to_string().into());
    case
}

fn status(result: &CheckResult) -> TestCaseStatus {
    let kind = match result.status() {
        Status::Ok | Status::Degraded => return TestCaseStatus::success(),
        Status::Failed => NonSuccessKind::Failure,
        Status::Unknown => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    if let Some(reason) = result.outcome.reason() {
        status.set_message(shown(&reason.text)).set_type(reason.class.as_str());
    }
    status.set_description(evidence(result));
    status
}

/// All that a person needs who sees only this case.
fn evidence(result: &CheckResult) -> String {
    let place = &result.check.place;
    let mut lines = vec![format!("{} ({}:{})", shown(&result.check.title), place.file, place.line)];
    lines.extend(
        result
            .outcome
            .faults
            .iter()
            .map(|fault| format!("{} {}: {}", fault.status, fault.class, shown(&fault.text))),
    );
    lines.extend(result.explained_by.iter().map(|parent| format!("it needs {parent}, which failed")));
    lines.extend(result.outcome.notes.iter().map(|note| format!("note: {}", shown(note))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Sample, report, rich};
    use super::*;

    fn check(samples: &[Sample], strict: bool, expected: &str) {
        let xml = text(&report(samples).judge(strict));
        assert!(xml.contains(expected), "{expected}\n{xml}");
    }

    #[test]
    fn each_status_has_its_element() {
        check(
            &[
                Sample::Ok("a"),
                Sample::Degraded("b"),
                Sample::Failed("c"),
                Sample::Unknown("d"),
                Sample::Skipped("e"),
            ],
            false,
            r#"<testsuite name="shop" tests="5" skipped="1" errors="1" failures="1""#,
        );
        check(
            &[Sample::Ok("a")],
            false,
            r#"<testcase name="a" classname="atalaya.shop" time="0.012" file="checks/shop.toml" line="1"/>"#,
        );
        check(
            &[Sample::Failed("a")],
            false,
            r#"<failure message="connection refused" type="connect">The a (checks/shop.toml:1)"#,
        );
        check(&[Sample::Unknown("a")], false, r#"<error message="no file descriptor left" type="internal">"#);
        check(
            &[Sample::Degraded("a")],
            false,
            "<system-out>The a (checks/shop.toml:1)\ndegraded assertion: slow</system-out>",
        );
        check(
            &[Sample::Ok("b"), Sample::Skipped("a")],
            false,
            r#"<skipped message="variable TOKEN is not set" type="skipped"/>"#,
        );
        check(
            &[Sample::Ok("b"), Sample::Skipped("a")],
            true,
            r#"<failure message="variable TOKEN is not set" type="skipped"/>"#,
        );
    }

    #[test]
    fn a_run_that_looked_at_nothing_is_never_green() {
        check(&[], false, r#"<error message="nothing was checked" type="unknown"/>"#);
        check(&[Sample::Skipped("a")], false, r#"errors="1""#);
        let mut report = report(&[Sample::Ok("a")]);
        report.interrupted = true;
        let xml = text(&report.judge(false));
        assert!(
            xml.contains(
                r#"<error message="interrupted before all checks had ended; 1 ok" type="interrupted"/>"#
            ),
            "{xml}"
        );
    }

    #[test]
    fn text_from_outside_can_not_break_the_xml() {
        let xml = text(&rich().judge(false));
        let expected = "message=\"connection refused by 127.0.0.1:5432 ::error::50%, &lt;&amp;&gt; |#[x]\"";
        assert!(xml.contains(expected), "{xml}");
    }
}
