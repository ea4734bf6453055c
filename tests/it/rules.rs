//! The rule files that ship: made from the definitions as they are now, taken by promtool, and each rule shown at work.

use crate::support::agent::PROGRAM;
use crate::support::server::directory;
use std::path::{Path, PathBuf};
use std::process::Command;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts/prometheus")
}

/// The files of a folder whose names end so, by name.
fn files(folder: &Path, end: &str) -> Vec<String> {
    let entries =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut files: Vec<String> = entries.filter_map(|name| name.into_string().ok()).collect();
    files.retain(|name| name.ends_with(end));
    files.sort();
    assert!(!files.is_empty(), "nothing in {} ends with {end}", folder.display());
    files
}

/// What a program prints on both outputs, and whether it was pleased.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

fn export(args: &[&str]) -> (Option<i32>, String) {
    // No variable of this process may change what is made.
    let output = Command::new(PROGRAM)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("export")
        .args(args)
        .env("DATABASE_URL", "mysql://wrong")
        .env("ATALAYA_URL", "https://agent.example")
        .output()
        .expect("the program");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn what_ships_is_current() {
    let (code, told) = export(&["rules", "--check"]);
    assert_eq!(code, Some(0), "{told}\n`cargo run -- export rules` makes them anew");
}

#[test]
fn what_is_stale_is_told_and_made_anew() {
    let home = directory("rules-stale");
    let out = home.display().to_string();
    assert_eq!(export(&["rules", "--out", &out]).0, Some(0));
    assert_eq!(export(&["rules", "--out", &out, "--check"]).0, Some(0));
    std::fs::write(home.join("checks.rules.yml"), "groups: []\n").expect("a file");
    std::fs::remove_file(home.join("agent.rules.yml")).expect("a file");
    let (code, told) = export(&["rules", "--out", &out, "--check"]);
    let stale = |file: &str, why: &str| told.contains(&format!("stale: {out}/{file}: {why}"));
    assert_eq!(code, Some(1), "{told}");
    assert!(stale("checks.rules.yml", "it is not what the definitions give"), "{told}");
    assert!(stale("agent.rules.yml", "it is missing") && told.contains("hint: "), "{told}");
    assert_eq!(export(&["rules", "--out", &out]).0, Some(0));
    assert_eq!(export(&["rules", "--out", &out, "--check"]).0, Some(0));
}

#[test]
fn definitions_with_a_mistake_write_nothing() {
    let home = directory("rules-mistake");
    std::fs::write(home.join("a.toml"), "[[check]]\nname = 'a'\nprobe.tpc = {}\n").expect("a file");
    let (file, out) = (home.join("a.toml").display().to_string(), home.join("out"));
    let (code, told) = export(&["rules", "--checks", &file, "--out", &out.display().to_string()]);
    assert_eq!(code, Some(78), "{told}");
    assert!(told.contains("a.toml:3") && told.contains("nothing was written") && !out.exists(), "{told}");
}

/// Whoever is told finds what to do, wherever they look.
#[test]
fn a_runbook_is_in_the_rules_and_on_the_boards() {
    let home = directory("rules-runbooks");
    let write = |name: &str, text: &str| {
        let file = home.join(name);
        std::fs::write(&file, text).expect("a file");
        file.display().to_string()
    };
    let checks = "[[check]]\nname = 'door'\nsection = 'site'\nrunbook = 'https://help.example/door'\n\
                  probe.tcp = { address = '127.0.0.1:1' }\nlimits.duration_seconds = { degraded = '> 1s' }\n";
    let promises = "[[slo]]\nname = 'open'\nobjective = '99%'\nrunbook = 'https://help.example/open'\n\
                    indicator.availability = { checks = ['door'] }\n\
                    [[channel]]\nname = 'desk'\nto.webhook = { url = 'http://127.0.0.1:1/' }\n\
                    [[contact]]\nname = 'on-call'\nchannels = ['desk']\n[alerting]\npage.to = ['on-call']\n";
    let (checks, alerts) = (write("a.toml", checks), write("b.toml", promises));
    for (what, end) in [("rules", ".rules.yml"), ("dashboards", ".json")] {
        let out = home.join(what);
        let told =
            export(&[what, "--checks", &checks, "--alerts", &alerts, "--out", &out.display().to_string()]);
        assert_eq!(told.0, Some(0), "{}", told.1);
        let read = |file: &String| std::fs::read_to_string(out.join(file)).expect("a file");
        let all: String = files(&out, end).iter().map(read).collect();
        for runbook in ["https://help.example/door", "https://help.example/open"] {
            assert!(all.contains(runbook), "{what} don't name {runbook}");
        }
    }
}

#[test]
fn promtool_takes_every_rule_of_both_styles() {
    let home = directory("rules-pyrra");
    let out = home.display().to_string();
    assert_eq!(export(&["rules", "--style", "pyrra", "--out", &out]).0, Some(0));
    for folder in [shipped(), home] {
        for file in files(&folder, ".rules.yml") {
            let mut promtool = Command::new("promtool");
            promtool.current_dir(&folder).args(["check", "rules", "--lint=all", "--lint-fatal", &file]);
            let (pleased, told) = run(&mut promtool);
            assert!(pleased, "{told}");
        }
    }
    let (code, printed) = export(&["rules", "--style", "pyrra"]);
    assert_eq!((code, printed.contains("atalaya_slo_events:burnrate5m")), (Some(0), true));
}

/// Two at once: the longest takes as long as all others.
#[test]
fn promtool_sees_every_rule_at_work() {
    let folder = shipped();
    let tests = files(&folder, ".test.yml");
    std::thread::scope(|scope| {
        for file in &tests {
            let folder = &folder;
            scope.spawn(move || {
                let (pleased, told) =
                    run(Command::new("promtool").current_dir(folder).args(["test", "rules", file]));
                assert!(pleased, "{file}\n{told}");
            });
        }
    });
}

/// Each alert is seen resting and seen firing, each record has its number: as many as there are rules.
#[test]
fn no_rule_is_without_a_test() {
    let folder = shipped();
    for rules in files(&folder, ".rules.yml") {
        let read = |file: &str| std::fs::read_to_string(folder.join(file)).expect("a file");
        let (rules, tests) = (read(&rules), read(&rules.replace(".rules.", ".test.")));
        let count = |text: &str, mark: &str| text.lines().filter(|line| line.contains(mark)).count();
        assert_eq!(count(&tests, "exp_annotations:"), count(&rules, "- alert: "), "alerts seen firing");
        assert!(count(&tests, "exp_alerts: []") >= count(&rules, "- alert: "), "alerts seen resting");
        assert_eq!(count(&tests, "exp_samples:"), count(&rules, "- record: "), "records with a number");
    }
}
