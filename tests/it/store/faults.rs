//! Files that are damaged, and files that are not ours.

use super::sample::{alert, at, batch, cells, histogram, minute, row, slice};
use super::{file, reopen};
use atalaya::store::{Batch, Reader, Remembered, RowState, Store, Trouble};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const PAGE: u64 = 4096;

/// A store with one of everything, and enough histograms to have pages of their own.
async fn filled(path: &Path) -> Batch {
    let (store, _) = Store::open(path).await.expect("a new store");
    let mut batch = batch(1);
    batch.alerts.extend((2..200).map(|number| alert(number, &format!("{{\"number\":{number}}}"))));
    batch.slices.extend((1..300).map(|number| slice("payments", minute(number), number as u32, 1)));
    let checks = (0..40)
        .map(|number| histogram(&format!("check-{number}"), minute(0), &cells(&[number + 5, 7000], &[])));
    batch.histograms.extend(checks);
    store.write(&batch).await.expect("written");
    store.close().await;
    batch
}

/// The first page of a table.
async fn page_of(path: &Path, table: &'static str) -> u64 {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.expect("a connection");
    let page: i64 = sqlx::query_scalar("SELECT rootpage FROM sqlite_schema WHERE name = ?")
        .bind(table)
        .fetch_one(&mut connection)
        .await
        .expect("a page");
    connection.close().await.expect("closed");
    page.cast_unsigned()
}

fn overwrite(path: &Path, page: u64) {
    let file = OpenOptions::new().write(true).open(path).expect("the file");
    file.write_all_at(&[0xa5; PAGE as usize], (page - 1) * PAGE).expect("overwritten");
}

fn beside(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path.parent().expect("a folder")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").path());
    let mut names: Vec<_> = names.filter(|name| name.display().to_string().contains(".corrupt-")).collect();
    names.sort();
    names
}

/// Opens it, and takes for granted that it goes on with a new file that works.
async fn recovered(path: &Path) -> (Remembered, String) {
    let (store, mut found) = Store::open(path).await.expect("a new file takes its place");
    let damage = found.damage.take().expect("the damage is told");
    let text = format!("it lies at {}", path.display());
    assert!(damage.contains(&text) && damage.contains("a new one was begun"), "{damage}");
    store.write(&Batch { alerts: vec![alert(999, "{}")], ..Batch::default() }).await.expect("written");
    store.close().await;
    let again = reopen(path).await;
    assert_eq!(again.damage, None);
    assert_eq!((again.agent.as_str(), &again.outbox), (found.agent.as_str(), &found.outbox));
    assert_eq!(again.alerts.len(), found.alerts.len() + 1);
    (found, damage)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_file_whose_measurements_are_damaged_all_promises_are_taken_over() {
    let path = file("damaged-histograms");
    let batch = filled(&path).await;
    let agent = reopen(&path).await.agent;
    overwrite(&path, page_of(&path, "histogram_minute").await);
    let (found, _) = recovered(&path).await;
    assert_eq!(found.agent, agent);
    assert_eq!(found.alerts.len(), batch.alerts.len());
    assert_eq!(found.outbox, batch.outbox);
    assert_eq!(found.silences, batch.silences);
    assert_eq!(found.cursors, batch.cursors);
    assert_eq!(found.slices.len(), batch.slices.len());
    assert_eq!(beside(&path).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_table_costs_that_table() {
    let path = file("damaged-alerts");
    let batch = filled(&path).await;
    overwrite(&path, page_of(&path, "alert").await);
    let (found, _) = recovered(&path).await;
    assert!(found.alerts.is_empty());
    assert_eq!(found.outbox, batch.outbox);
    assert_eq!(found.slices.len(), batch.slices.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_cut_in_half_or_full_of_noise_is_put_aside() {
    let path = file("cut");
    filled(&path).await;
    let length = fs::metadata(&path).expect("the file").len();
    OpenOptions::new().write(true).open(&path).expect("the file").set_len(length / 2).expect("cut");
    recovered(&path).await;
    fs::write(&path, "this is no database at all\n".repeat(400)).expect("noise");
    let (found, damage) = recovered(&path).await;
    assert!(damage.contains("file is not a database"), "{damage}");
    assert!(found.alerts.is_empty() && found.agent.len() == 32);
    let mut kept = String::new();
    let aside =
        beside(&path).into_iter().find(|aside| fs::metadata(aside).is_ok_and(|m| m.len() == 27 * 400));
    fs::File::open(aside.expect("put aside")).expect("a file").read_to_string(&mut kept).expect("text");
    assert!(kept.starts_with("this is no database"), "what was found is kept as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_disk_does_not_fill_itself_with_damaged_files() {
    let path = file("many");
    for number in 0..6 {
        fs::write(&path, format!("noise {number}").repeat(2000)).expect("noise");
        let (store, found) = Store::open(&path).await.expect("a new file");
        assert!(found.damage.is_some());
        store.close().await;
    }
    let kept = beside(&path);
    assert_eq!(kept.len(), 3, "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_a_new_one() {
    let path = file("empty");
    fs::write(&path, "").expect("a file");
    assert_eq!(reopen(&path).await.damage, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_nobody_understands_is_left_out_and_told() {
    let path = file("row");
    filled(&path).await;
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.expect("a connection");
    let spoil = "UPDATE outbox SET notice = '{\"id\":' WHERE state = 'delivered'";
    sqlx::raw_sql(spoil).execute(&mut connection).await.expect("spoiled");
    connection.close().await.expect("closed");
    let found = reopen(&path).await;
    assert_eq!(found.damage.as_deref(), Some("1 rows of the store can't be read and are left out"));
    assert_eq!(found.outbox.len(), 1);
    assert!(beside(&path).is_empty(), "the rest is fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_somebody_else_is_left_as_it_is() {
    let path = file("foreign");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = options.connect().await.expect("a connection");
    let shop = "CREATE TABLE orders (id INTEGER PRIMARY KEY); INSERT INTO orders VALUES (1)";
    sqlx::raw_sql(shop).execute(&mut connection).await.expect("a shop");
    connection.close().await.expect("closed");
    let before = fs::read(&path).expect("the file");
    let error = Store::open(&path).await.map(drop).expect_err("it is not ours");
    assert_eq!(error.trouble, Trouble::Foreign);
    let expected = format!(
        "{} is no store of this atalaya (it is a database of another program); name another file",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    assert!(fs::read(&path).expect("the file") == before);
    assert!(Reader::open(&path).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_a_newer_atalaya_is_left_as_it_is() {
    let path = file("newer");
    filled(&path).await;
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.expect("a connection");
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
        VALUES (9001, 'later', TRUE, x'00', 0)";
    sqlx::raw_sql(newer).execute(&mut connection).await.expect("a migration");
    connection.close().await.expect("closed");
    let error = Store::open(&path).await.map(drop).expect_err("it is newer");
    assert_eq!(error.trouble, Trouble::Foreign);
    assert!(error.to_string().contains("its schema 9001 was made by a newer one"), "{error}");
    assert!(beside(&path).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_where_no_file_can_be_is_told() {
    let folder = file("place");
    fs::write(&folder, "a file").expect("a file");
    let path = folder.join("atalaya.db");
    let error = Store::open(&path).await.map(drop).expect_err("below a file");
    assert!(
        error.to_string().starts_with(&format!("the store {} can't be used (", path.display())),
        "{error}"
    );
    let error = Store::open(Path::new("/proc/atalaya.db")).await.map(drop).expect_err("not there");
    assert!(matches!(error.trouble, Trouble::ReadOnly | Trouble::Other), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_removed_while_in_use_does_not_swallow_what_is_written() {
    let path = file("removed");
    let (store, _) = Store::open(&path).await.expect("a new store");
    fs::remove_file(&path).expect("removed");
    let row = Batch { outbox: vec![row("1", 0, RowState::Pending)], ..Batch::default() };
    let error = store.write(&row).await.expect_err("it would be lost");
    assert_eq!(error.trouble, Trouble::Gone);
    assert_eq!(store.tidy(at(0)).await.map_err(|error| error.trouble), Err(Trouble::Gone));
}
