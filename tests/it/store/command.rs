//! `atalaya store check|compact|export` on the real program, beside one who writes.

use super::file;
use super::sample::{batch, cells, histogram, minute};
use crate::support::agent::PROGRAM;
use atalaya::store::{Batch, Store};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Output};

fn run(path: &Path, args: &[&str]) -> Output {
    Command::new(PROGRAM).arg("store").args(args).arg("--store").arg(path).output().expect("the program")
}

/// How it ended, and what it wrote.
fn check(path: &Path, args: &[&str], code: i32) -> String {
    let output = run(path, args);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}: {out}{error}");
    format!("{out}{error}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_looked_at_and_exported_while_somebody_writes_it() {
    let path = file("command");
    let (store, _) = Store::open(&path).await.expect("the store");
    store.write(&batch(1)).await.expect("written");
    let text = check(&path, &["check"], 0);
    assert!(text.contains("schema 1") && text.ends_with("it is whole\n"), "{text}");
    let line = text.lines().find(|line| line.trim_start().starts_with("slice ")).expect("a table");
    assert_eq!(line.split_whitespace().nth(1), Some("3"), "{text}");
    let lines = |what: &str| -> Vec<serde_json::Value> {
        let text = check(&path, &["export", what], 0);
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    };
    let events = check(&path, &["export", "--events"], 0);
    assert_eq!(events, batch(1).facts.expect("facts").1, "as they were written");
    let facts: Vec<atalaya::fact::Fact> =
        events.lines().map(|line| serde_json::from_str(line).expect("what `replay` takes")).collect();
    assert_eq!(facts.len(), 1);
    assert_eq!(check(&path, &["export", "--events", "--from", "2100-01-01T00:00:00Z"], 0), "");
    let alerts = lines("--alerts");
    assert_eq!(
        (alerts.len(), &alerts[0]["alert"], &alerts[0]["ended"]),
        (1, &"check/site-1".into(), &serde_json::Value::Null)
    );
    let slices = lines("--slices");
    assert_eq!(slices.len(), 3);
    assert_eq!(slices.iter().filter(|slice| slice["good"] == u32::MAX).count(), 1);
    let histograms = lines("--histograms");
    assert_eq!((&histograms[0]["check"], &histograms[0]["runs"]["ok"]), (&"site".into(), &3.into()));
    assert!(histograms[0]["good"].as_str().expect("base64").starts_with("HISTFAAAA"), "{histograms:?}");
    let refused = check(&path, &["compact"], 78);
    assert!(refused.contains("another atalaya uses the store"), "{refused}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compacting_gives_room_back() {
    let path = file("compact");
    let (store, _) = Store::open(&path).await.expect("the store");
    let row =
        |number: u64| histogram(&format!("check-{number}"), minute(-5000), &cells(&[number * 91, 7], &[]));
    store
        .write(&Batch { histograms: (1..5000).map(row).collect(), ..Batch::default() })
        .await
        .expect("written");
    store.tidy(super::sample::at(0)).await.expect("tidied");
    store.close().await;
    let before = std::fs::metadata(&path).expect("the file").len();
    let text = check(&path, &["compact"], 0);
    let after = std::fs::metadata(&path).expect("the file").len();
    assert!(
        after < before && text.contains(&format!("{} KiB now", after / 1024)),
        "{before} → {after}: {text}"
    );
    check(&path, &["check"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_ends_with_two_and_what_is_not_there_is_said() {
    let path = file("command-damaged");
    let (store, _) = Store::open(&path).await.expect("the store");
    store.write(&batch(1)).await.expect("written");
    store.close().await;
    let length = std::fs::metadata(&path).expect("the file").len();
    let damaged = OpenOptions::new().write(true).open(&path).expect("the file");
    damaged.write_all_at(&[0xa5; 4096], length / 2 / 4096 * 4096).expect("overwritten");
    let text = check(&path, &["check"], 2);
    assert!(text.contains("damaged: "), "{text}");
    damaged.write_all_at(&[0xa5; 4096], 0).expect("overwritten");
    assert!(check(&path, &["check"], 2).contains("file is not a database"));
    let missing = path.with_file_name("missing.db");
    for args in [&["check"][..], &["compact"], &["export", "--events"]] {
        assert!(check(&missing, args, 78).contains("there is no such file"));
    }
    assert!(!missing.exists());
    check(&path, &["export"], 78);
    check(&path, &["export", "--alerts", "--slices"], 78);
}
