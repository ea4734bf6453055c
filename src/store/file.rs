//! The file itself: made, locked, opened, verified; put aside when it is damaged.

use super::error::{StoreError, Trouble};
use super::{Gathered, Remembered, remember};
use crate::clock;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, SqlSafeStr};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// A kind of file of ours: what stands in its header, and how it came to be as it is.
pub(super) struct Form {
    pub application: i64,
    /// Append only: what was released is never changed.
    pub migrations: &'static [(&'static str, &'static str)],
}

/// "ATLY": the store.
pub(super) const STORE: Form =
    Form { application: 0x4154_4c59, migrations: &[("first", include_str!("migrations/0001_first.sql"))] };

/// How long a statement waits for another program's lock.
const LOCK_WAIT: Duration = Duration::from_secs(4);

/// Verifying reads the whole file. One that takes longer than this is opened without: what is damaged is then found
/// when it is read.
const VERIFY_MAX: Duration = Duration::from_secs(10);

/// SQLite's instructions between two looks at the clock.
const INSTRUCTIONS: i32 = 10_000;

/// Damaged files that are kept beside; a bad disk must not fill itself with them.
const QUARANTINED_MAX: usize = 3;

/// How it is used: flushed at every commit, and giving room back only when told to (`tidy`).
const SETTINGS: &str = "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
    PRAGMA journal_size_limit = 16777216; PRAGMA cell_size_check = ON;";

/// An open file, held by this process alone until it is closed.
pub struct Store {
    pub(super) path: PathBuf,
    pub(super) writer: Mutex<Writer>,
    /// (device, inode) of the file that was opened.
    identity: (u64, u64),
    /// Let go when this is dropped, by the system when the process dies.
    _lock: File,
}

pub(super) struct Writer {
    pub connection: SqliteConnection,
    pub known: Known,
}

/// What needs no asking since it is committed; forgotten when a transaction is undone.
#[derive(Default)]
pub(super) struct Known {
    pub names: HashMap<Arc<str>, i64>,
    /// Hours (start, name) that are marked as unrolled.
    pub marked: HashSet<(u32, i64)>,
}

impl Store {
    /// Opens the file, or makes it, and reads what it remembers. One that is damaged is put aside, a new one takes its
    /// place and takes over what can still be read ([`Remembered::damage`]).
    pub async fn open(path: &Path) -> Result<(Store, Remembered), StoreError> {
        let lock = blocking(path, prepare).await?;
        match open_verified(path).await {
            Ok((connection, remembered)) => Ok((Store::of(path, lock, connection)?, remembered)),
            Err(error) if error.trouble == Trouble::Corrupt => {
                let aside = blocking(path, put_aside).await?;
                let mut salvaged = remember::salvage(&aside).await;
                let (mut connection, fresh) = open_verified(path).await?;
                if salvaged.agent.is_empty() {
                    salvaged.agent = fresh.agent;
                } else {
                    remember::set_agent(&mut connection, &salvaged.agent)
                        .await
                        .map_err(|error| StoreError::sql(path, &error))?;
                }
                let store = Store::of(path, lock, connection)?;
                store.put(&Gathered::from(remember::batch(&salvaged))).await?;
                salvaged.is_new = true;
                salvaged.damage = Some(format!(
                    "{error}; it lies at {} now and a new one was begun with what could be read of it: {} alerts, \
                     {} messages, {} silences, {} cursors, {} minutes of objectives",
                    aside.display(),
                    salvaged.alerts.len(),
                    salvaged.outbox.len(),
                    salvaged.silences.len(),
                    salvaged.cursors.len(),
                    salvaged.slices.len()
                ));
                Ok((store, salvaged))
            }
            Err(error) => Err(error),
        }
    }

    fn of(path: &Path, lock: File, connection: SqliteConnection) -> Result<Store, StoreError> {
        let identity = identity(path).map_err(|error| StoreError::io(path, &error))?;
        let writer = Mutex::new(Writer { connection, known: Known::default() });
        Ok(Store { path: path.to_owned(), writer, identity, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes on the disk, with the log of what is not merged yet.
    pub fn size_bytes(&self) -> u64 {
        size_bytes(&self.path)
    }

    pub(super) fn is_there(&self) -> Result<(), StoreError> {
        is_there(&self.path, self.identity)
    }

    /// Merges the log into the file and lets go of it.
    pub async fn close(self) {
        let Writer { connection, .. } = self.writer.into_inner();
        if let Err(error) = connection.close().await {
            tracing::warn!(%error, "the store was not closed in order; nothing written is lost");
        }
    }

    /// Rewrites the file without the room that it does not need.
    pub async fn compact(&self) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        for statement in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            sqlx::raw_sql(statement)
                .execute(&mut writer.connection)
                .await
                .map_err(|error| StoreError::sql(&self.path, &error))?;
        }
        Ok(())
    }
}

/// A disk that hangs must not hold up a thread that others need.
pub(super) async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let owned = path.to_owned();
    tokio::task::spawn_blocking(move || work(&owned))
        .await
        .unwrap_or_else(|error| Err(StoreError::new(Trouble::Other, path, error)))
}

pub(super) fn size_bytes(path: &Path) -> u64 {
    let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    length(path) + length(&beside(path, "-wal"))
}

pub(super) fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// A file that somebody removed still takes every write, and forgets it with this process.
pub(super) fn is_there(path: &Path, opened: (u64, u64)) -> Result<(), StoreError> {
    match identity(path) {
        Ok(identity) if identity == opened => Ok(()),
        Ok(_) => Err(StoreError::new(Trouble::Gone, path, "")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(StoreError::new(Trouble::Gone, path, ""))
        }
        Err(error) => Err(StoreError::io(path, &error)),
    }
}

/// `atalaya.db`, `-wal`  →  `atalaya.db-wal`
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes the folder and the file where they are not there, for this user alone, and locks it.
pub(super) fn prepare(path: &Path) -> Result<File, StoreError> {
    let fail = |error: std::io::Error| StoreError::io(path, &error);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(fail)?;
    }
    let lock = lock(path)?;
    let mut options = OpenOptions::new();
    let file = options.read(true).append(true).create(true).mode(0o600).open(path).map_err(fail)?;
    let mode = file.metadata().map_err(fail)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, PermissionsExt::from_mode(mode & 0o700)).map_err(fail)?;
    }
    Ok(lock)
}

/// A lock of its own file: those of SQLite are shared between agents, and are lost when any part of this process
/// closes the database.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let fail = |error: std::io::Error| StoreError::io(path, &error);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut lock = options.open(beside(path, ".lock")).map_err(fail)?;
    match lock.try_lock() {
        Ok(()) => {
            // Who has it, for the one who is told; nobody relies on it.
            let written = lock.set_len(0).and_then(|()| lock.rewind());
            written.and_then(|()| write!(lock, "{}", std::process::id())).ok();
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            lock.take(20).read_to_string(&mut owner).ok();
            let owner = owner.parse::<u32>().map(|pid| format!(" (process {pid})")).unwrap_or_default();
            Err(StoreError::new(Trouble::InUse, path, owner))
        }
        Err(TryLockError::Error(error)) => Err(fail(error)),
    }
}

/// A connection that failed is closed in order: while it lives on it could remove the log of the file that takes the
/// place of this one.
async fn open_verified(path: &Path) -> Result<(SqliteConnection, Remembered), StoreError> {
    let mut connection = connect(path, &STORE).await?;
    match remember::all(&mut connection).await {
        Ok(remembered) => Ok((connection, remembered)),
        Err(error) => {
            connection.close().await.ok();
            Err(StoreError::sql(path, &error))
        }
    }
}

/// Opens the file for writing, with the tables as this version has them.
pub(super) async fn connect(path: &Path, form: &Form) -> Result<SqliteConnection, StoreError> {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(LOCK_WAIT)
        .disable_statement_logging()
        .connect()
        .await
        .map_err(|error| StoreError::sql(path, &error))?;
    match begin(&mut connection, path, form).await {
        Ok(()) => Ok(connection),
        Err(error) => {
            connection.close().await.ok();
            Err(error)
        }
    }
}

/// Nothing is changed before it is known that the file is one of ours.
async fn begin(connection: &mut SqliteConnection, path: &Path, form: &Form) -> Result<(), StoreError> {
    let fail = |error: sqlx::Error| StoreError::sql(path, &error);
    recognise(connection, path, form).await?;
    if let Some(damage) = verify(connection).await.map_err(fail)? {
        return Err(StoreError::new(Trouble::Corrupt, path, damage));
    }
    sqlx::raw_sql(SETTINGS).execute(&mut *connection).await.map_err(fail)?;
    let migrated = migrator(form).run_direct(None, connection, false).await;
    migrated.map_err(|error| StoreError::migration(path, error))
}

fn migrator(form: &Form) -> Migrator {
    let migrations = form.migrations.iter().zip(1..).map(|((name, sql), version)| {
        Migration::new(version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

pub(super) async fn recognise(
    connection: &mut SqliteConnection,
    path: &Path,
    form: &Form,
) -> Result<(), StoreError> {
    let fail = |error: sqlx::Error| StoreError::sql(path, &error);
    let application: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await.map_err(fail)?;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name <> '_sqlx_migrations'")
            .fetch_one(connection)
            .await
            .map_err(fail)?;
    if application == form.application || tables == 0 {
        return Ok(());
    }
    Err(StoreError::new(Trouble::Foreign, path, "it is a database of another program"))
}

/// What is damaged, if anything.
async fn verify(connection: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let deadline = clock::instant() + VERIFY_MAX;
    let in_time = move || clock::instant() < deadline;
    connection.lock_handle().await?.set_progress_handler(INSTRUCTIONS, in_time);
    let found = sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)").fetch_one(&mut *connection).await;
    connection.lock_handle().await?.remove_progress_handler();
    match found {
        Ok(word) if word == "ok" => Ok(None),
        Ok(damage) => Ok(Some(damage.lines().collect::<Vec<_>>().join("; "))),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("9") => {
            tracing::warn!("the store is too large to be verified at the start");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Renames the file and its log; gives the new name.
pub(super) fn put_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let fail = |error: std::io::Error| StoreError::io(path, &error);
    let aside = (0..1000)
        .map(|number| {
            let number = if number == 0 { String::new() } else { format!("-{number}") };
            let suffix = clock::wall().strftime(".corrupt-%Y%m%dT%H%M%SZ").to_string();
            beside(path, &format!("{suffix}{number}"))
        })
        .find(|aside| !aside.exists())
        .ok_or_else(|| StoreError::new(Trouble::Corrupt, path, "and no name is free to put it aside"))?;
    fs::rename(path, &aside).map_err(fail)?;
    let log = beside(path, "-wal");
    if log.exists() {
        fs::rename(log, beside(&aside, "-wal")).map_err(fail)?;
    }
    fs::remove_file(beside(path, "-shm")).ok();
    forget_old(path);
    prepare_again(path)?;
    Ok(aside)
}

/// The new file, for this user alone; the lock is held already.
fn prepare_again(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    made.map(drop).map_err(|error| StoreError::io(path, &error))
}

/// Keeps the newest of the damaged files.
fn forget_old(path: &Path) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_aside = |path: &PathBuf| {
        let rest =
            path.file_name().and_then(|other| other.to_str()?.strip_prefix(name)?.strip_prefix(".corrupt-"));
        rest.is_some_and(|rest| !rest.ends_with("-wal") && !rest.ends_with("-shm"))
    };
    let mut asides: Vec<PathBuf> = entries.filter(is_aside).collect();
    asides.sort();
    for old in asides.iter().rev().skip(QUARANTINED_MAX) {
        for suffix in ["", "-wal", "-shm"] {
            fs::remove_file(beside(old, suffix)).ok();
        }
    }
}
