//! `atalaya replay`: the events of a running agent, judged once more, tell what the agent told.

use super::counting::{Payments, objective};
use super::{Door, Hook, Told, on_call, prepare, site, texts};
use crate::support::agent::{Agent, PROGRAM};
use jiff::Timestamp;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// Exit code, standard output and standard error of the program in a directory.
fn run(directory: &Path, args: &[&str]) -> (i32, String, String) {
    texts(&Command::new(PROGRAM).args(args).current_dir(directory).output().expect("the program"))
}

/// What a notice and a message both say: kind, keys, beginnings and ends.
fn said(line: &str) -> (String, Vec<(String, String, String)>) {
    let notice: Value = serde_json::from_str(line).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or("0001-01-01T00:00:00Z").to_owned();
    let alerts = notice["alerts"].as_array().expect("alerts").iter();
    let alerts = alerts.map(|one| (text(&one["key"]), text(&one["fired"]), text(&one["ended"])));
    (text(&notice["kind"]), alerts.collect())
}

fn at(line: &str) -> Timestamp {
    let notice: Value = serde_json::from_str(line).expect("JSON");
    notice["at"].as_str().and_then(|at| at.parse().ok()).expect("a time")
}

/// An outage over a restart of the agent, its recovery, and payments that all fail; then a stop. What was told, and
/// where the agent ran.
fn history(name: &str) -> (Vec<Told>, std::path::PathBuf) {
    let (hook, mut door) = (Hook::start(), Door::open());
    let shop = Payments::new(name);
    let now = atalaya::clock::wall();
    shop.add((1..=50).map(|minute| (now - jiff::SignedDuration::from_mins(minute), false)));
    let checks = site(&door) + &shop.check("1s", "settle = '1m'\nbackfill = '55m'\n");
    let agent = Agent::start_in(prepare(name, &checks, &(on_call(&hook) + &objective("98%"))), &[]);
    agent.wait_until_ready();
    door.close();
    agent.wait_for("the outage to be told", |_| hook.count("firing", "check/site") == 1);
    agent.wait_for("the payments to be told", |_| hook.count("firing", "slo/payments/page") == 1);
    let directory = agent.directory.clone();
    assert!(agent.stop().success());
    let agent = Agent::start_in(directory.clone(), &[]);
    agent.wait_until_ready();
    door.open_again();
    agent.wait_for("the end to be told", |_| hook.count("resolved", "check/site") == 1);
    assert!(agent.stop().success());
    (hook.told(), directory)
}

#[test]
fn what_was_told_is_told_again_and_other_definitions_tell_other_things() {
    let (told, directory) = history("steering-replay");
    let (code, facts, err) = run(&directory, &["store", "export", "--events"]);
    assert_eq!(code, 0, "{err}");
    std::fs::write(directory.join("facts.jsonl"), &facts).expect("a file");

    let (code, replayed, err) = run(&directory, &["replay", "facts.jsonl", "--json"]);
    assert_eq!(code, 0, "{err}");
    let replayed: Vec<&str> = replayed.lines().collect();
    let expected: Vec<_> = told.iter().map(|told| (told.kind.clone(), told.alerts.clone())).collect();
    assert_eq!(replayed.iter().map(|line| said(line)).collect::<Vec<_>>(), expected, "{told:#?}");
    for (line, told) in replayed.iter().zip(&told) {
        let late = told.at.duration_since(at(line)).as_millis();
        assert!((0..15_000).contains(&late), "{late} ms: {line}");
    }

    let again = run(&directory, &["replay", "facts.jsonl", "--json"]).1;
    assert_eq!(again.lines().collect::<Vec<_>>(), replayed, "the same once more");
    let input = Command::new(PROGRAM)
        .args(["replay", "-"])
        .current_dir(&directory)
        .stdin(std::fs::File::open(directory.join("facts.jsonl")).expect("the facts"))
        .output();
    let (code, lines, err) = texts(&input.expect("the program"));
    assert_eq!(code, 0, "{err}");
    assert!(lines.contains("  firing    page   on-call      check/site: "), "{lines}");
    assert!(err.contains(&format!("{} facts, {} notices", facts.lines().count(), told.len())), "{err}");

    // With one attempt it would have been told at the first failed run; with nobody to tell, not at all.
    let checks = std::fs::read_to_string(directory.join("checks/checks.toml")).expect("the checks");
    let sooner = checks.replace("attempts = 2", "attempts = 1");
    std::fs::write(directory.join("sooner.toml"), sooner).expect("a file");
    let args = ["replay", "facts.jsonl", "--json", "--checks", "sooner.toml", "--alerts", "alerts"];
    let (code, other, err) = run(&directory, &args);
    assert_eq!(code, 0, "{err}");
    let first =
        |lines: &[&str]| at(lines.iter().find(|line| said(line).1[0].0 == "check/site").expect("the outage"));
    let other: Vec<&str> = other.lines().collect();
    let sooner = first(&replayed).duration_since(first(&other));
    assert!(sooner.is_positive(), "{sooner:#}");
    let nobody = ["replay", "facts.jsonl", "--json", "--checks", "sooner.toml"];
    assert_eq!(run(&directory, &nobody).1, "");
}

#[test]
fn a_line_that_is_no_fact_is_told_with_its_place() {
    let door = Door::open();
    let directory = prepare("steering-replay-broken", &site(&door), "");
    let fact = "{\"at\":\"2026-11-22T08:00:00Z\",\"started\":null}\n";
    let check = |text: &[u8], place: &str, words: &str| {
        std::fs::write(directory.join("facts.jsonl"), text).expect("a file");
        let (code, out, err) = run(&directory, &["replay", "facts.jsonl"]);
        assert_eq!((code, out.as_str()), (78, ""), "{err}");
        assert!(err.contains(&format!("error: facts.jsonl:{place}: ")) && err.contains(words), "{err}");
    };
    check(format!("{fact}{fact}{}", &fact[..30]).as_bytes(), "3", "this is no fact: EOF");
    check(format!("{fact}\n[]\n").as_bytes(), "3", "this is no fact");
    check(b"{\"at\":\"2026-11-22T08:00:00Z\",\"explode\":null}\n", "1", "this is no fact: no variant");
    check(&[fact.as_bytes(), b"\xff\xfe\n"].concat(), "2", "UTF-8");
    check(&[b"{\"at\": \"", &b"x".repeat(2 << 20)[..], b"\"}\n"].concat(), "1", "this is no fact");
    let (code, _, err) = run(&directory, &["replay", "none.jsonl"]);
    assert_eq!(code, 78);
    assert!(err.contains("none.jsonl: can't read it"), "{err}");
}

/// A day in which `site` is down for six hours, with an acknowledgement after two where it is wanted.
fn day(acknowledged: bool) -> String {
    let mut facts = String::from("{\"at\":\"2026-11-22T08:00:00Z\",\"started\":null}\n");
    let begin: Timestamp = "2026-11-22T08:00:00Z".parse().expect("a time");
    for minute in 1..12 * 60 {
        let at = begin + jiff::SignedDuration::from_mins(minute);
        let status = if (60..7 * 60).contains(&minute) { "failed" } else { "ok" };
        let ran = format!(
            "{{\"at\":\"{at}\",\"ran\":{{\"check\":\"site\",\"status\":\"{status}\",\"took_us\":9}}}}"
        );
        writeln!(facts, "{ran}").expect("memory");
        if acknowledged && minute == 3 * 60 {
            let ack = "{\"alert\":\"site\",\"by\":\"ana\"}";
            writeln!(facts, "{{\"at\":\"{at}\",\"acknowledged\":{ack}}}").expect("memory");
        }
    }
    facts
}

#[test]
fn an_acknowledgement_ends_the_reminders() {
    let (hook, door) = (Hook::start(), Door::open());
    let checks = site(&door).replace("'1s'", "'1m'");
    let directory = prepare("steering-replay-ack", &checks, &on_call(&hook));
    let kinds = |acknowledged| {
        std::fs::write(directory.join("day.jsonl"), day(acknowledged)).expect("a file");
        let (code, out, err) = run(&directory, &["replay", "day.jsonl", "--json"]);
        assert_eq!(code, 0, "{err}");
        out.lines().map(|line| (said(line).0, at(line).strftime("%H:%M").to_string())).collect::<Vec<_>>()
    };
    let told = |list: &[(&str, &str)]| {
        list.iter().map(|(kind, at)| ((*kind).to_owned(), (*at).to_owned())).collect::<Vec<_>>()
    };
    // After one hour, then after two more; the next would come four hours after that.
    let reminded = [("firing", "09:02"), ("reminder", "10:02"), ("reminder", "12:02"), ("resolved", "15:02")];
    assert_eq!(kinds(false), told(&reminded));
    assert_eq!(kinds(true), told(&[reminded[0], reminded[1], reminded[3]]));
}
