//! `atalaya check`: the real program once, with its verdict as the exit code.

use crate::support::agent::PROGRAM;
use crate::support::server::{directory, wait_until};
use crate::support::target::Silent;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with `checks/a.toml`.
fn home(name: &str, text: &str) -> PathBuf {
    let home = directory(&format!("check-{name}"));
    std::fs::create_dir_all(home.join("checks")).expect("a folder");
    std::fs::write(home.join("checks/a.toml"), text).expect("a file");
    home
}

fn atalaya(home: &Path, args: &[&str]) -> Output {
    Command::new(PROGRAM)
        .arg("check")
        .args(args)
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .expect("the program")
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A check of a plugin that ends so.
fn plugin(name: &str, script: &str, more: &str) -> String {
    format!(
        "[[check]]\nname = '{name}'\n{more}\nprobe.command = {{ argv = ['/bin/sh', '-c', '''{script}'''] }}\n"
    )
}

#[test]
fn the_gravest_of_all_is_the_exit_code() {
    let well = plugin("well", "echo fine", "");
    let cases = [
        (well.clone(), 0, "OK"),
        (well.clone() + &plugin("odd", "echo odd; exit 1", ""), 1, "DEGRADED"),
        (well.clone() + &plugin("odd", "exit 1", "") + &plugin("bad", "exit 2", ""), 2, "FAILED"),
        (well + &plugin("blind", "exit 3", ""), 3, "UNKNOWN"),
    ];
    for (n, (text, code, word)) in cases.into_iter().enumerate() {
        let (found, out, error) = told(&atalaya(&home(&format!("code-{n}"), &text), &[]));
        assert_eq!((found, error.as_str()), (Some(code), ""), "{out}");
        assert!(out.lines().last().is_some_and(|line| line.starts_with(word)), "{out}");
        assert!(!out.contains('\u{1b}'), "no colour and no progress in a pipe: {out}");
    }
}

#[test]
fn a_single_look_hears_nothing_and_says_so() {
    let heard = "[[check]]\nname = 'job'\nprobe.heartbeat = { job = 'job', every = '1h', grace = '1m' }\n";
    let home = home("heard", &(heard.to_owned() + &plugin("well", "echo fine", "")));
    let (code, out, _) = told(&atalaya(&home, &[]));
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("only an agent that runs (`atalaya run`) hears"), "{out}");
    assert_eq!(told(&atalaya(&home, &["job"])).0, Some(3), "nothing was checked");
    assert_eq!(told(&atalaya(&home, &["--strict"])).0, Some(2), "{out}");
}

#[test]
fn nothing_checked_is_never_success() {
    let skipped =
        "[[check]]\nname = 'later'\ntags = ['x']\nprobe.tcp = { address = '${NOT_SET_ANYWHERE}' }\n";
    let home = home("nothing", skipped);
    let check = |args: &[&str], code: i32, word: &str| {
        let (found, out, error) = told(&atalaya(&home, args));
        assert_eq!(found, Some(code), "{args:?} {out} {error}");
        assert!((out + &error).contains(word), "{args:?} does not say {word}");
    };
    check(&[], 3, "variable NOT_SET_ANYWHERE is not set");
    check(&["--strict"], 2, "variable NOT_SET_ANYWHERE is not set");
    check(&["--tag", "y"], 3, "nothing");
    check(&["lter"], 78, "there is no check `lter`\n  hint: did you mean `later`?");
    check(&["--checks", "nowhere"], 78, "nowhere: can't read it");
    check(&["--config", "nowhere.toml"], 78, "nowhere.toml: can't read it");
}

#[test]
fn names_and_tags_select_and_the_order_is_that_of_the_file() {
    let text = plugin("slow", "sleep 0.3", "tags = ['deploy']")
        + &plugin("fast", "true", "tags = ['deploy', 'x']")
        + &plugin("other", "exit 2", "");
    let home = home("select", &text);
    let names = |args: &[&str]| {
        let (code, out, error) = told(&atalaya(&home, &[args, &["--format", "json"]].concat()));
        let report: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
        let checks = report["checks"].as_array().expect("checks").iter();
        (
            code,
            checks
                .filter_map(|check| check["name"].as_str().map(str::to_owned))
                .collect::<Vec<_>>()
                .join(" "),
        )
    };
    assert_eq!(names(&["--tag", "deploy"]), (Some(0), "slow fast".to_owned()));
    assert_eq!(names(&["other", "fast"]), (Some(2), "fast other".to_owned()));
    assert_eq!(names(&["fast", "slow", "--tag", "x"]), (Some(0), "fast".to_owned()));
}

#[test]
fn a_deadline_of_the_command_line_shortens_every_other() {
    let silent = Silent::start();
    let text = format!(
        "[[check]]\nname = 'hung'\nprobe.tcp = {{ address = '{}', expect = {{ contains = 'x' }} }}\n",
        silent.address()
    );
    let (code, out, _) = told(&atalaya(&home("deadline", &text), &["--timeout", "200ms"]));
    assert_eq!(code, Some(2));
    assert!(out.contains("no end within 200ms; it hung in phase `banner`"), "{out}");
}

#[test]
fn a_report_goes_to_its_file_whole_and_to_the_terminal() {
    let home = home("output", &plugin("bad", "echo broken; exit 2", ""));
    let (code, out, error) = told(&atalaya(&home, &["--format", "junit", "--output", "report.xml"]));
    assert_eq!((code, error.as_str()), (Some(2), ""));
    assert!(out.contains("✖ failed"), "{out}");
    assert!(std::fs::read_to_string(home.join("report.xml")).expect("a report").contains("<testsuites"));
    for full in ["/dev/full", "/nowhere/report.xml"] {
        let (code, _, error) = told(&atalaya(&home, &["--output", full]));
        assert_eq!(code, Some(74));
        assert!(error.contains(&format!("can't write the report to `{full}`")), "{error}");
    }
}

#[test]
fn interrupted_it_ends_at_once_and_takes_its_plugins_with_it() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let text = plugin("well", "true", "") + &plugin("hung", "echo $$ > pid; sleep 60", "");
        let home = home(&format!("interrupted-{signal}"), &text);
        let child = Command::new(PROGRAM)
            .arg("check")
            .current_dir(&home)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program");
        let pid =
            || std::fs::read_to_string(home.join("pid")).ok().and_then(|pid| pid.trim().parse::<i32>().ok());
        wait_until("the plugin", None, || pid().is_some());
        kill(Pid::from_raw(child.id().cast_signed()), signal).expect("it runs");
        let (code, out, _) = told(&child.wait_with_output().expect("the program"));
        assert_eq!(code, Some(130), "{signal} {out}");
        assert!(out.contains("INTERRUPTED"), "{out}");
        let plugin = pid().expect("a plugin");
        wait_until("the plugin to be killed", None, || kill(Pid::from_raw(plugin), None).is_err());
    }
}

#[test]
fn a_reader_that_has_gone_changes_nothing() {
    let home = home("reader", &plugin("bad", "exit 2", ""));
    let mut child = Command::new(PROGRAM)
        .arg("check")
        .current_dir(&home)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    drop(child.stdout.take());
    let (code, _, error) = told(&child.wait_with_output().expect("the program"));
    assert_eq!((code, error.as_str()), (Some(2), ""));
}

#[test]
fn a_wrong_command_line_is_no_verdict() {
    let home = home("usage", &plugin("well", "true", ""));
    let check = |args: &[&str], code: i32, word: &str| {
        let output = Command::new(PROGRAM).args(args).current_dir(&home).output().expect("the program");
        let (found, out, error) = told(&output);
        assert_eq!(found, Some(code), "{args:?} {out} {error}");
        assert!((out + &error).contains(word), "{args:?} does not say {word}");
    };
    check(&["check", "--tmeout", "1s"], 78, "unexpected argument");
    check(&["chekc"], 78, "unrecognized subcommand");
    check(&[], 78, "Usage");
    check(&["check", "--timeout", "0s"], 78, "a period must be longer than nothing");
    check(&["check", "--timeout", "soon"], 78, "`soon` is not a period");
    check(&["--help"], 0, "Usage");
    check(&["--version"], 0, "atalaya");
}

#[test]
fn output_that_can_not_be_written_is_told_and_a_reader_that_has_gone_is_not() {
    let home = home("full", &plugin("well", "true", ""));
    let run = |args: &str, to: &str| {
        let script = format!("'{PROGRAM}' {args} {to}");
        let output = Command::new("bash").args(["-c", &script]).current_dir(&home).output();
        told(&output.expect("a shell"))
    };
    for args in ["check", "validate", "schema", "demo --list", "--help"] {
        let (code, _, error) = run(args, ">/dev/full");
        assert_eq!(code, Some(74), "{args} {error}");
        assert!(error.contains("can't write to standard output: No space left"), "{args} {error}");
        let (_, out, error) = run(args, "| true; echo ${PIPESTATUS[0]}");
        assert_eq!((out.trim(), error.as_str()), ("0", ""), "{args}");
    }
}
