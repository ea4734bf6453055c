//! The file that outlives the agent, and the task that writes it: on real disks that are full, locked, read-only,
//! damaged, and under `kill -9`.

pub mod child;
mod command;
mod faults;
mod history;
mod keeper;
mod kill;
mod rolling;
mod sample;

use crate::support::server::directory;
use atalaya::store::{AlertRow, Batch, Remembered, RowState, Store, StoreError};
use sample::{at, batch, episode, row};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is not there yet, in a folder of its own.
fn file(name: &str) -> PathBuf {
    directory(&format!("store-{name}")).join("atalaya.db")
}

/// What a new process remembers.
async fn reopen(path: &Path) -> Remembered {
    let (store, remembered) = Store::open(path).await.expect("the store");
    store.close().await;
    remembered
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_remembered() {
    let path = file("round-trip").with_file_name("a/b/atalaya.db");
    let (store, empty) = Store::open(&path).await.expect("a new store");
    assert_eq!(empty.agent.len(), 32);
    assert!(empty.alerts.is_empty() && empty.outbox.is_empty() && empty.damage.is_none());
    let batch = batch(1);
    store.write(&batch).await.expect("written");
    store.close().await;
    let found = reopen(&path).await;
    assert_eq!(found.agent, empty.agent);
    let alerts: Vec<_> =
        batch.alerts.iter().map(|row| (row.key.clone(), row.state.clone().expect("a state"))).collect();
    assert_eq!(found.alerts, alerts);
    assert_eq!(found.silences, batch.silences);
    assert_eq!(found.outbox, batch.outbox);
    assert_eq!(found.slices, batch.slices);
    assert_eq!(found.days, batch.days);
    assert_eq!(found.cursors, batch.cursors);
}

#[tokio::test(flavor = "multi_thread")]
async fn later_rows_replace_earlier_ones_and_what_is_over_is_not_remembered() {
    let path = file("replace");
    let (store, _) = Store::open(&path).await.expect("a new store");
    let mut first = batch(1);
    first.alerts.push(AlertRow { key: "check/old".into(), state: Some("{}".to_owned()), episode: None });
    store.write(&first).await.expect("written");
    let mut second = first.clone();
    second.alerts = vec![AlertRow { key: "check/old".into(), state: None, episode: Some(episode(1, true)) }];
    second.silences[0].until = at(-10);
    second.slices[0].slice.bad = 77;
    let outbox = Arc::make_mut(&mut second.outbox[0].notice);
    outbox.kind = atalaya::alert::Kind::Reminder;
    second.outbox[0].state = RowState::Delivered;
    second.outbox[0].settled = Some(at(-25 * 3600));
    store.write(&second).await.expect("written");
    // Told already: it does not wait again, whoever says so.
    store.write(&Batch { outbox: first.outbox[..1].to_vec(), ..Batch::default() }).await.expect("written");
    store.close().await;
    let found = reopen(&path).await;
    assert!(found.alerts.iter().all(|(key, _)| &**key != "check/old"));
    assert_eq!(found.alerts.len(), first.alerts.len() - 1);
    assert_eq!(found.silences, vec![]);
    assert_eq!(found.slices[0].slice.bad, 77);
    assert_eq!(found.outbox, first.outbox[1..], "settled more than a day ago");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_back_in_the_order_in_which_they_were_made() {
    let path = file("order");
    let (store, _) = Store::open(&path).await.expect("a new store");
    let keys = ["f", "a", "z", "b", "e"];
    let rows: Vec<_> = keys.iter().map(|key| row(key, 5, RowState::Pending)).collect();
    store.write(&Batch { outbox: rows.clone(), ..Batch::default() }).await.expect("written");
    store.close().await;
    assert_eq!(reopen(&path).await.outbox, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_for_its_user_alone() {
    let path = file("mode");
    std::fs::write(&path, "").expect("a file");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).expect("permissions");
    let (store, _) = Store::open(&path).await.expect("the store");
    store.write(&batch(1)).await.expect("written");
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let path = path.with_file_name(format!("atalaya.db{suffix}"));
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_agents_on_one_file_are_told() {
    let path = file("twice");
    let (store, _) = Store::open(&path).await.expect("the store");
    let refused: Result<_, StoreError> = Store::open(&path).await.map(|(_, remembered)| remembered);
    let pid = std::process::id();
    let text = refused.expect_err("it is in use").to_string();
    let expected = format!(
        "another atalaya uses the store {} (process {pid}); stop it, or give this one a store of its own",
        path.display()
    );
    assert_eq!(text, expected);
    store.close().await;
    reopen(&path).await;
}
