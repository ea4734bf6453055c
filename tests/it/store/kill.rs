//! `kill -9` in the middle of writing, at fifty random moments.

use super::child::{again, is_child};
use super::file;
use super::sample::{alert, batch, row, slice};
use crate::support::server::directory;
use atalaya::store::{AlertRow, Batch, Reader, RowState, Store};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

const TEST: &str = "store::kill::what_was_written_survives_and_batches_are_whole";
const KILLS: u32 = 50;
const FOLDER: &str = "ATALAYA_STORE_FOLDER";

/// Writes batch after batch, and tells of each once it is written.
async fn child() {
    let path = std::path::PathBuf::from(std::env::var_os(FOLDER).expect("a folder")).join("atalaya.db");
    let (store, found) = Store::open(&path).await.expect("the store");
    let first = found.outbox.len() as u32;
    // What comes before is the beginning of a line of the test runner.
    println!("\nopen");
    for number in first.. {
        let mut one = batch(number);
        one.alerts = vec![alert(number, &format!("{{\"number\":{number}}}"))];
        one.outbox = vec![row(&format!("{number:x}"), i64::from(number), RowState::Pending)];
        one.slices = (0..20).map(|after| slice("payments", number * 20 + after + 30_000_000, 1, 0)).collect();
        store.write(&one).await.expect("written");
        println!("wrote {number}");
        if number % 16 == 15 {
            store.tidy_step(super::sample::at(0)).await.expect("tidied");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_survives_and_batches_are_whole() {
    if is_child() {
        return child().await;
    }
    let path = file("kill");
    let mut random = fastrand::Rng::with_seed(9);
    let mut told = 0;
    for _ in 0..KILLS {
        let mut child =
            again(TEST).env(FOLDER, directory("store-kill")).stdout(Stdio::piped()).spawn().expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut lines = lines.lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "open"), "it opens what was left by the one before");
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        let killer = std::thread::spawn({
            let after = Duration::from_micros(random.u64(0..80_000));
            move || {
                std::thread::sleep(after);
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("a running child");
            }
        });
        let last = lines.filter_map(|line| line.strip_prefix("wrote ")?.parse::<u32>().ok()).last();
        killer.join().expect("killed");
        child.wait().expect("a child");
        told = last.map_or(told, |last| last + 1);
        told = survived(&path, told).await;
    }
    assert!(told > 2 * KILLS, "it had time to write: {told}");
}

/// Everything that was told to be written is there, nothing is torn. How many batches there are.
async fn survived(path: &std::path::Path, told: u32) -> u32 {
    let look = Reader::open(path).await.expect("a reader").look().await.expect("a look");
    assert_eq!(look.damage, Vec::<String>::new());
    let (store, found) = Store::open(path).await.expect("the store");
    assert_eq!(found.damage, None);
    store.close().await;
    let messages: Vec<String> = found.outbox.iter().map(|row| row.key.clone()).collect();
    let count = messages.len() as u32;
    assert!(count >= told, "{told} batches were told to be written and {count} are there");
    let expected: Vec<String> = (0..count).map(|number| format!("{:0>32}", format!("{number:x}"))).collect();
    assert_eq!(messages, expected);
    let mut alerts: Vec<String> = found.alerts.iter().map(|(key, _)| key.to_string()).collect();
    let mut expected: Vec<String> = (0..count).map(|number| alert(number, "").key.to_string()).collect();
    alerts.sort();
    expected.sort();
    assert_eq!(alerts, expected, "an alert and its message are there together or not at all");
    assert_eq!(found.slices.len() as u32, count * 20);
    count
}

/// A batch as large as they get is one transaction too.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_one_row_that_can_not_be_written_is_not_written_at_all() {
    let path = file("whole");
    let (store, _) = Store::open(&path).await.expect("the store");
    let mut day = batch(1);
    // SQLite takes NaN for NULL, which the column refuses.
    day.days[0].day.sum = f64::NAN;
    store.write(&day).await.expect_err("no number");
    store
        .write(&Batch {
            alerts: vec![AlertRow { key: "a".into(), state: Some("{}".to_owned()), episode: None }],
            ..Batch::default()
        })
        .await
        .expect("the next one is written");
    store.close().await;
    let found = super::reopen(&path).await;
    assert_eq!(found.alerts.len(), 1);
    assert!(found.outbox.is_empty() && found.silences.is_empty() && found.slices.is_empty());
}
