//! The task between the loop and the disk, on disks that are well and ill.

use super::child::{is_child, on_a_disk_of_its_own, pleased};
use super::sample::{alert, at, batch, cells, histogram, minute, row, slice};
use super::{child, file, reopen};
use crate::support::hang;
use crate::support::server::directory;
use atalaya::app::keeper::{Keeper, Outlets, Told};
use atalaya::store::{Batch, OutboxRow, Reader, Remembered, RowState, Store};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A keeper at work, and both who talk with it.
struct Kept {
    inbox: mpsc::Sender<Batch>,
    courier: mpsc::Receiver<Vec<OutboxRow>>,
    told: mpsc::Receiver<Told>,
    task: JoinHandle<()>,
    remembered: Option<Remembered>,
}

impl Kept {
    async fn start(path: &Path) -> Kept {
        let (inbox, batches) = mpsc::channel(16);
        let (courier, rows) = mpsc::channel(1);
        let (tell, told) = mpsc::channel(1);
        let opened = Store::open(path).await;
        let (keeper, remembered) = match opened {
            Ok((store, remembered)) => (
                Keeper::new(path.to_owned(), Ok((store, &remembered)), Outlets { courier, told: tell }),
                Some(remembered),
            ),
            Err(error) => (Keeper::new(path.to_owned(), Err(error), Outlets { courier, told: tell }), None),
        };
        Kept { inbox, courier: rows, told, task: tokio::spawn(keeper.run(batches)), remembered }
    }

    async fn write(&self, batch: Batch) {
        let sent = tokio::time::timeout(Duration::from_secs(1), self.inbox.send(batch)).await;
        sent.expect("nobody waits for a disk").expect("a keeper");
    }

    async fn message(&self, key: &str) {
        self.write(Batch { outbox: vec![row(key, 0, RowState::Pending)], ..Batch::default() }).await;
    }

    /// The keys that the courier gets next.
    async fn rows(&mut self) -> Vec<String> {
        let rows = tokio::time::timeout(Duration::from_secs(20), self.courier.recv()).await;
        let rows = rows.expect("messages within 20 s").expect("a keeper");
        rows.iter().map(|row| row.key.trim_start_matches('0').to_owned()).collect()
    }

    fn nothing(&mut self) {
        let rows = self.courier.try_recv();
        assert!(rows.is_err(), "{rows:?}");
    }

    async fn health(&mut self) -> (bool, String) {
        let told = tokio::time::timeout(Duration::from_secs(20), self.told.recv()).await;
        match told.expect("word within 20 s").expect("a keeper") {
            Told::Health { well, text } => (well, text),
            Told::Found(found) => panic!("{found:?}"),
        }
    }

    async fn ill(&mut self, why: &str) {
        let (well, text) = self.health().await;
        assert!(!well && text.contains(why), "{well}: {text}");
    }

    async fn well(&mut self) {
        let (well, text) = self.health().await;
        assert!(well, "{text}");
    }

    /// The loop ends; the keeper writes what it has.
    async fn end(self) {
        drop(self.inbox);
        tokio::time::timeout(Duration::from_secs(10), self.task).await.expect("an end").expect("no panic");
    }
}

async fn connection(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.expect("a connection")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_handed_on_once_and_only_when_it_is_written() {
    let path = file("keeper");
    let mut kept = Kept::start(&path).await;
    let mut reader = connection(&path).await;
    for number in 0..40 {
        let mut one = batch(number);
        one.outbox.truncate(1);
        kept.write(one).await;
        let keys = kept.rows().await;
        assert_eq!(keys, [format!("a{number}")]);
        let written: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM outbox JOIN alert ON alert.key = ? WHERE outbox.key = ?",
        )
        .bind(format!("check/site-{number}"))
        .bind(format!("{:0>32}", keys[0]))
        .fetch_one(&mut reader)
        .await
        .expect("a number");
        assert_eq!(written, 1, "the message and its alert are on the disk");
    }
    // What the courier says of messages that it has is written and comes back to nobody.
    let mut tried = row("a1", 0, RowState::Pending);
    tried.attempts = 9;
    kept.write(Batch { outbox: vec![tried, row("a2", 0, RowState::Delivered)], ..Batch::default() }).await;
    // A message that the courier makes itself (for another channel) does, and one that never waited doesn't.
    kept.write(Batch {
        outbox: vec![row("c0", 0, RowState::Merged), row("c1", 0, RowState::Pending)],
        ..Batch::default()
    })
    .await;
    assert_eq!(kept.rows().await, ["c1"]);
    kept.nothing();
    kept.end().await;
    let found = reopen(&path).await;
    let find = |key: &str| found.outbox.iter().find(|row| row.key.ends_with(key)).expect("the message");
    assert_eq!((find("0a1").attempts, find("0a2").state), (9, RowState::Delivered));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_remembered_is_not_handed_on_again() {
    let path = file("keeper-remembered");
    let (store, _) = Store::open(&path).await.expect("the store");
    store.write(&batch(1)).await.expect("written");
    store.close().await;
    let mut kept = Kept::start(&path).await;
    let mut tried = kept.remembered.as_ref().expect("a store").outbox[0].clone();
    tried.attempts += 1;
    kept.write(Batch { outbox: vec![tried], ..Batch::default() }).await;
    kept.message("new").await;
    assert_eq!(kept.rows().await, ["new"]);
    kept.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_courier_that_does_not_listen_holds_nobody_up() {
    let path = file("keeper-deaf");
    let mut kept = Kept::start(&path).await;
    for number in 0..200 {
        kept.message(&format!("m{number}")).await;
    }
    let mut keys = Vec::new();
    while keys.len() < 200 {
        keys.extend(kept.rows().await);
    }
    assert_eq!(keys, (0..200).map(|number| format!("m{number}")).collect::<Vec<_>>(), "each once, in order");
    kept.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_promises_nothing_is_written_within_some_seconds_and_at_the_end() {
    let path = file("keeper-company");
    let kept = Kept::start(&path).await;
    kept.write(Batch { slices: vec![slice("payments", minute(0), 1, 0)], ..Batch::default() }).await;
    let mut reader = connection(&path).await;
    let begun = Instant::now();
    while sqlx::query_scalar::<_, i64>("SELECT count(*) FROM slice")
        .fetch_one(&mut reader)
        .await
        .expect("a number")
        == 0
    {
        assert!(begun.elapsed() < Duration::from_secs(10), "written after a second");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    kept.write(Batch { slices: vec![slice("payments", minute(1), 1, 0)], ..Batch::default() }).await;
    kept.end().await;
    assert_eq!(reopen(&path).await.slices.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_is_told_once_messages_go_on_and_everything_is_written_later() {
    let path = file("keeper-locked");
    let mut kept = Kept::start(&path).await;
    kept.message("before").await;
    assert_eq!(kept.rows().await, ["before"]);
    let mut other = connection(&path).await;
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.expect("locked");
    let begun = Instant::now();
    kept.message("first").await;
    assert_eq!(kept.rows().await, ["first"], "from memory");
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
    kept.ill("is locked by another program").await;
    kept.message("second").await;
    let begun = Instant::now();
    assert_eq!(kept.rows().await, ["second"]);
    assert!(begun.elapsed() < Duration::from_millis(500), "known to be ill: at once");
    kept.write(Batch {
        outbox: vec![row("first", 0, RowState::Delivered)],
        alerts: vec![alert(5, "{}")],
        ..Batch::default()
    })
    .await;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.expect("unlocked");
    kept.well().await;
    kept.nothing();
    kept.end().await;
    let found = reopen(&path).await;
    let states: Vec<_> = found.outbox.iter().map(|row| row.state).collect();
    assert_eq!(states.iter().filter(|state| **state == RowState::Delivered).count(), 1);
    assert_eq!((states.len(), found.alerts.len()), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_can_not_be_opened_at_the_start_is_opened_later_and_found() {
    let path = file("keeper-later");
    let (store, _) = Store::open(&path).await.expect("the store");
    store.write(&batch(1)).await.expect("written");
    // Another agent has it.
    let mut kept = Kept::start(&path).await;
    assert!(kept.remembered.is_none());
    kept.ill("another atalaya uses the store").await;
    kept.write(Batch { alerts: vec![alert(1, "\"newer\""), alert(2, "{}")], ..Batch::default() }).await;
    kept.message("fresh").await;
    assert_eq!(kept.rows().await, ["fresh"]);
    store.close().await;
    assert_eq!(kept.rows().await, ["a1"], "what waited in the file is delivered");
    let Some(Told::Found(found)) = kept.told.recv().await else { panic!("it is found") };
    assert_eq!((found.alerts.len(), found.outbox.len()), (1, 2));
    kept.well().await;
    kept.end().await;
    let states: Vec<String> = reopen(&path).await.alerts.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["\"newer\"", "{}"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_file_is_removed_or_damaged_all_promises_are_written_again() {
    let path = file("keeper-removed");
    let mut kept = Kept::start(&path).await;
    kept.write(batch(1)).await;
    assert_eq!(kept.rows().await, ["a1"]);
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(path.with_file_name(format!("atalaya.db{suffix}"))).expect("removed");
    }
    kept.write(Batch { alerts: vec![alert(2, "{}")], ..Batch::default() }).await;
    kept.ill("was removed or replaced while it was in use").await;
    kept.well().await;
    kept.nothing();
    // Now noise, in place of all of it.
    fs::remove_file(path.with_file_name("atalaya.db-wal")).expect("removed");
    fs::write(path.with_file_name("noise"), "noise".repeat(20_000)).expect("noise");
    fs::rename(path.with_file_name("noise"), &path).expect("replaced");
    kept.write(Batch { alerts: vec![alert(3, "{}")], ..Batch::default() }).await;
    kept.ill("was removed or replaced").await;
    kept.ill("file is not a database").await;
    kept.well().await;
    kept.end().await;
    let found = reopen(&path).await;
    assert_eq!(found.alerts.len(), 3);
    assert_eq!(found.silences, batch(1).silences);
    assert_eq!(found.cursors, batch(1).cursors);
    assert_eq!(found.outbox, batch(1).outbox[..1], "what is settled is no promise");
}

/// Fills the disk to the last page.
fn fill(folder: &Path) -> PathBuf {
    let ballast = folder.join("ballast");
    let mut file = fs::File::create(&ballast).expect("a file");
    while file.write_all(&[7; 4096]).is_ok() {}
    ballast
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_nothing_that_was_promised() {
    let folder = directory("store-keeper-full");
    if !is_child() {
        let test = "store::keeper::a_full_disk_costs_nothing_that_was_promised";
        return on_a_disk_of_its_own(test, &folder, "size=4m");
    }
    let folder = PathBuf::from(std::env::var_os("ATALAYA_STORE_CHILD").expect("a folder"));
    let path = folder.join("atalaya.db");
    let mut kept = Kept::start(&path).await;
    kept.message("before").await;
    assert_eq!(kept.rows().await, ["before"]);
    let ballast = fill(&folder);
    // The log has some room left; large rows take it.
    let large = "x".repeat(300_000);
    kept.write(Batch {
        alerts: vec![alert(1, &large)],
        outbox: vec![row("full", 0, RowState::Pending)],
        ..Batch::default()
    })
    .await;
    assert_eq!(kept.rows().await, ["full"], "from memory");
    kept.ill("there is no room for the store").await;
    for number in 0..20 {
        let histograms = vec![histogram("site", minute(number), &cells(&[1000], &[]))];
        kept.write(Batch { histograms, alerts: vec![alert(number as u32, "{}")], ..Batch::default() }).await;
    }
    fs::remove_file(ballast).expect("room");
    kept.well().await;
    kept.end().await;
    let found = reopen(&path).await;
    assert_eq!((found.alerts.len(), found.outbox.len(), found.damage), (20, 2, None));
    let look = Reader::open(&path).await.expect("a reader").look().await.expect("a look");
    assert_eq!(look.damage, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_can_not_be_written_is_told_and_messages_go_on() {
    let folder = directory("store-keeper-read-only");
    if !is_child() {
        let test = "store::keeper::a_folder_that_can_not_be_written_is_told_and_messages_go_on";
        return on_a_disk_of_its_own(test, &folder, "ro");
    }
    let folder = PathBuf::from(std::env::var_os("ATALAYA_STORE_CHILD").expect("a folder"));
    let mut kept = Kept::start(&folder.join("atalaya.db")).await;
    kept.ill("can't be written (Read-only file system").await;
    kept.message("first").await;
    assert_eq!(kept.rows().await, ["first"]);
    let mounted = Command::new("mount").args(["-o", "remount,rw"]).arg(&folder).status().expect("mount");
    assert!(mounted.success());
    let Some(Told::Found(found)) = kept.told.recv().await else { panic!("it is found") };
    assert!(found.outbox.is_empty());
    kept.well().await;
    kept.end().await;
    assert_eq!(reopen(&folder.join("atalaya.db")).await.outbox.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_holds_up_neither_messages_nor_the_loop() {
    let folder = directory("store-keeper-hang");
    if !is_child() {
        let (disk, _) = hang::disk(&folder, "");
        let test = "store::keeper::a_disk_that_hangs_holds_up_neither_messages_nor_the_loop";
        let mut child = child::again(test);
        return pleased(&child.envs(disk).output().expect("a child"));
    }
    let hang = PathBuf::from(std::env::var_os("HANG").expect("a file"));
    let path = hang.with_file_name("atalaya.db");
    let mut kept = Kept::start(&path).await;
    kept.message("before").await;
    assert_eq!(kept.rows().await, ["before"]);
    fs::write(&hang, "").expect("a file");
    let begun = Instant::now();
    kept.message("first").await;
    assert_eq!(kept.rows().await, ["first"]);
    let after = begun.elapsed();
    assert!((4..7).contains(&after.as_secs()), "{after:?}");
    kept.ill("has not answered for 5 s").await;
    for number in 0..40 {
        kept.message(&format!("m{number}")).await;
        assert_eq!(kept.rows().await, [format!("m{number}")]);
    }
    fs::remove_file(&hang).expect("it goes on");
    kept.well().await;
    kept.nothing();
    kept.write(Batch {
        cursors: vec![atalaya::store::CursorRow { check: "payments".into(), to: at(5) }],
        ..Batch::default()
    })
    .await;
    kept.end().await;
    let found = reopen(&path).await;
    assert_eq!((found.outbox.len(), found.cursors.len()), (42, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_settled_before_it_is_handed_on_is_handed_to_nobody() {
    let path = file("keeper-settled");
    let mut kept = Kept::start(&path).await;
    let mut other = connection(&path).await;
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.expect("locked");
    kept.message("first").await;
    // Both come while the first waits for its write.
    kept.message("second").await;
    kept.message("third").await;
    kept.write(Batch { outbox: vec![row("second", 0, RowState::Merged)], ..Batch::default() }).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.expect("unlocked");
    let mut keys = kept.rows().await;
    while !keys.contains(&"third".to_owned()) {
        keys.extend(kept.rows().await);
    }
    assert_eq!(keys, ["first", "third"]);
    kept.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_damaged_before_the_start_is_told_and_over_when_a_new_one_takes_something() {
    let path = file("keeper-damaged");
    let (store, _) = Store::open(&path).await.expect("a store");
    for number in 0..200 {
        store.write(&batch(number)).await.expect("written");
    }
    store.close().await;
    let length = fs::metadata(&path).expect("a file").len();
    let damaged = fs::OpenOptions::new().write(true).open(&path).expect("the file");
    std::os::unix::fs::FileExt::write_all_at(&damaged, &[0xa5; 4096], length / 2 / 4096 * 4096)
        .expect("overwritten");
    let mut kept = Kept::start(&path).await;
    kept.ill("a new one was begun").await;
    kept.well().await;
    kept.end().await;
}
