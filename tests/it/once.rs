//! One-shot reports of real checks, read by programs that nobody here wrote.

use crate::support::judge;
use atalaya::clock;
use atalaya::config::text::Variables;
use atalaya::config::{self, Files, Source};
use atalaya::judge::limits;
use atalaya::once::{CheckResult, Format, Judged, Report, Screen, Verdict};
use atalaya::probe::command::perfdata;
use atalaya::probe::{self, net::Net};
use clap::ValueEnum;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// One of each status, and output that tries to break out of every format.
const CHECKS: &str = r#"
[[check]]
name = "plain"
title = "All is well, 100 %: <really> & \"so\""
section = "web, and: more"
probe.command = { argv = ["sh", "-c", "echo 'fine | users=3 time=12ms;;;0 /=5GB hits=17c share=20%'"] }

[[check]]
name = "attack"
title = "Attack"
section = "web, and: more"
probe.command = { argv = ["sh", "-c", '''
printf '\033[2J\033]0;x\007::error::x%%0A ##[set-env]]]> <b>&\042 \\\377\001\016 \302\233 \357\277\277|a=1\n'; exit 2'''] }

[[check]]
name = "slow"
title = "Slow"
section = "database"
probe.command = { argv = ["echo", "fine|lag=9s"] }
limits.lag_seconds = { degraded = "> 5" }

[[check]]
name = "lost"
title = "Lost"
section = "database"
needs = ["attack"]
probe.command = { argv = ["/nowhere/check_lost"] }

[[check]]
name = "refused"
title = "Refused"
section = "database"
probe.tcp = { address = "127.0.0.1:1" }

[[check]]
name = "later"
title = "Later"
section = "mail"
probe.tcp = { address = "${MAIL_ADDRESS}" }
"#;

async fn report(only: Option<&[&str]>) -> Report {
    let files =
        Files { agent: None, checks: vec![Source::new("checks/a:b,c%.toml", CHECKS)], ..Files::default() };
    let net = Arc::new(Net::new().expect("a network"));
    let variables = Variables::new([("PATH", "/usr/bin:/bin")], |path| std::fs::read_to_string(path));
    let plan = config::load(&files, &variables, &net).expect("sound definitions");
    let wanted = |name: &str| only.is_none_or(|only| only.contains(&name));
    let (started, begun) = (clock::wall(), clock::instant());
    let mut results = Vec::new();
    for check in plan.checks.into_iter().filter(|check| wanted(&check.name)) {
        let mut look = probe::look(&*check.probe, started, check.timeout).await;
        limits::apply(&check.limits, look.took, &mut look.outcome);
        let explained_by = (*check.name == *"lost").then(|| "attack".to_owned());
        results.push(CheckResult {
            check,
            outcome: look.outcome,
            phases: look.phases,
            took: look.took,
            explained_by,
        });
    }
    let skipped = plan.skipped.into_iter().filter(|skipped| wanted(&skipped.name)).collect();
    Report { started, took: clock::instant() - begun, results, skipped, interrupted: false }
}

async fn everything() -> Judged {
    report(None).await.judge(false)
}

fn written(judged: &Judged, format: Format) -> String {
    judged.text(format, Screen { width: 80, colour: false })
}

#[tokio::test]
async fn no_format_lets_a_target_out_of_its_place() {
    let judged = everything().await;
    assert_eq!(judged.verdict(), Verdict::Failed);
    for format in Format::value_variants() {
        let text = written(&judged, *format);
        let odd: Vec<_> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
        assert!(odd.is_empty(), "{format:?} lets {odd:?} through\n{text}");
        assert!(!text.contains("##["), "{format:?}\n{text}");
        assert!(text.ends_with('\n') && !text.contains('\u{ffff}'), "{format:?}\n{text}");
        let commands: Vec<_> = text.lines().filter(|line| line.trim_start().starts_with("::")).collect();
        let expected = if *format == Format::Github { 5 } else { 0 };
        assert_eq!(commands.len(), expected, "{format:?}: {commands:#?}");
    }
}

#[tokio::test]
async fn promtool_and_the_strict_parser_read_the_text_file() {
    for judged in
        [everything().await, report(Some(&[])).await.judge(true), report(Some(&["later"])).await.judge(true)]
    {
        let text = written(&judged, Format::Prometheus);
        let said = judge::answer(Command::new("promtool").args(["check", "metrics"]), &text);
        assert_eq!(said, Ok(String::new()), "{text}");
    }
    let text = written(&everything().await, Format::Prometheus);
    let program = "
import sys
from prometheus_client.parser import text_string_to_metric_families as parse
seen = set()
for family in parse(sys.stdin.read()):
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        assert key not in seen, key
        seen.add(key)
        if sample.labels.get('check') in ('plain', 'slow', 'attack') and 'status' not in sample.labels:
            if not sample.name.endswith(('_duration_seconds', '_phase_seconds')):
                print(sample.name, sample.labels['check'], round(sample.value, 9))
";
    let mut lines: Vec<_> =
        judge::python(program, &text).expect("parsed").lines().map(str::to_owned).collect();
    lines.sort();
    let expected = [
        "atalaya_check_fault attack 1",
        "atalaya_check_fault slow 1",
        "atalaya_check_up attack 0",
        "atalaya_check_up plain 1",
        "atalaya_check_up slow 1",
        "atalaya_command_a attack 1",
        "atalaya_command_hits_total plain 17",
        "atalaya_command_lag_seconds slow 9",
        "atalaya_command_root_bytes plain 5000000000",
        "atalaya_command_share_ratio plain 0.2",
        "atalaya_command_time_seconds plain 0.012",
        "atalaya_command_users plain 3",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn junit_readers_find_every_case() {
    let program = "
import sys
from junitparser import JUnitXml, TestCase
import xml.etree.ElementTree as tree
text = sys.stdin.read()
root = tree.fromstring(text)
report = JUnitXml.fromstring(text)
for suite in report:
    print(suite.name, suite.tests, suite.failures, suite.errors, suite.skipped)
    for case in suite:
        kind = ' '.join(type(one).__name__ + ': ' + (one.message or '') for one in case.result)
        place = case._elem.get('file') + ':' + case._elem.get('line') if case._elem.get('file') else ''
        out = (case.system_out or '').splitlines()[1:]
        print('-', case.name, '|', case.classname or '', '|', place, '|', kind, '|', *out)
";
    let read = |judged: &Judged| judge::python(program, &written(judged, Format::Junit)).expect("read");
    let expected = "\
web, and: more 2 1 0 0
- plain | atalaya.web, and: more | checks/a:b,c%.toml:2 |  |
- attack | atalaya.web, and: more | checks/a:b,c%.toml:8 | Failure: ::error::x%0A #[set-env]]]> <b>&\" \\\u{fffd} |
database 3 1 1 0
- slow | atalaya.database | checks/a:b,c%.toml:15 |  | degraded assertion: lag_seconds is 9, which passes the limit > 5
- lost | atalaya.database | checks/a:b,c%.toml:22 | Error: can't run `/nowhere/check_lost`: No such file or directory (os error 2) |
- refused | atalaya.database | checks/a:b,c%.toml:29 | Failure: 127.0.0.1:1 refused the connection |
mail 1 0 0 1
- later | atalaya.mail | checks/a:b,c%.toml:35 | Skipped: variable MAIL_ADDRESS is not set |
";
    let found = read(&everything().await);
    assert_eq!(found, expected);
    let empty = read(&report(Some(&[])).await.judge(false));
    assert_eq!(empty, "atalaya 1 0 1 0\n- run |  |  | Error: nothing was checked |\n");
}

#[tokio::test]
async fn the_plugin_output_is_read_by_its_own_parser_and_by_negate() {
    let judged = everything().await;
    let text = written(&judged, Format::Plugin);
    let first = text.lines().next().expect("a line");
    let (sentence, data) = first.split_once(" | ").expect("performance data");
    assert!(sentence.starts_with("ATALAYA CRITICAL - 2 of 6 failed: attack, refused; "), "{sentence}");
    assert_eq!(text.matches('|').count(), 1, "a second bar would begin performance data\n{text}");
    let data = perfdata::parse(data);
    assert_eq!((data.skipped, data.data.len()), (0, 5 + 5), "{text}");
    let failed = data.data.iter().find(|datum| datum.label == "failed").expect("a count");
    assert_eq!((failed.value, failed.max), (Some(2.0), Some(6.0)));
    // A real wrapper runs it as a plugin and believes its code.
    let script = format!("cat <<'END'\n{text}END\nexit {}", judged.verdict().exit_code());
    let output =
        Command::new("/usr/lib/nagios/plugins/negate").args(["-c", "OK", "/bin/sh", "-c", &script]).output();
    let output = output.expect("negate runs");
    assert_eq!(output.status.code(), Some(0), "critical was turned into ok: {output:?}");
}

#[tokio::test]
async fn json_is_json_for_others_too() {
    let text = written(&everything().await, Format::Json);
    let program = "
import json, sys
report = json.load(sys.stdin)
assert report['version'] == 1, report
for check in report['checks']:
    print(check['name'], check['status'], check['line'], *sorted(m['name'] for m in check['measures']))
print(report['verdict'], report['exit_code'], *(one['name'] + ': ' + one['why'] for one in report['skipped']))
";
    let expected = "\
plain ok 2 duration_seconds hits_total root_bytes share_ratio time_seconds users
attack failed 8 a duration_seconds
slow degraded 15 duration_seconds lag_seconds
lost unknown 22 duration_seconds
refused failed 29 duration_seconds
failed 2 later: variable MAIL_ADDRESS is not set
";
    assert_eq!(judge::python(program, &text).as_deref(), Ok(expected));
}

#[tokio::test]
async fn the_verdict_is_the_same_whatever_is_asked() {
    let check = |judged: Judged, code: u8| {
        for format in Format::value_variants() {
            written(&judged, *format);
            assert_eq!(judged.verdict().exit_code(), code, "{format:?}");
        }
    };
    check(report(Some(&["plain"])).await.judge(false), 0);
    check(report(Some(&["plain", "slow"])).await.judge(false), 1);
    check(report(Some(&["plain", "slow", "refused"])).await.judge(false), 2);
    check(report(Some(&["plain", "lost"])).await.judge(false), 3);
    check(report(Some(&["plain", "later"])).await.judge(false), 0);
    check(report(Some(&["plain", "later"])).await.judge(true), 2);
    check(report(Some(&["later"])).await.judge(false), 3);
    check(report(Some(&[])).await.judge(false), 3);
    let mut interrupted = report(Some(&["plain"])).await;
    interrupted.interrupted = true;
    interrupted.took = Duration::from_secs(1);
    check(interrupted.judge(false), 130);
}
