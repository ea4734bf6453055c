//! Why the file can't be used, and what helps. The kind decides what the keeper does next.

use sqlx::migrate::MigrateError;
use std::fmt;
use std::io;
use std::path::Path;

/// What is wrong, as far as it matters for what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Another agent has it.
    InUse,
    /// Another program has locked it.
    Locked,
    /// No room left.
    Full,
    /// The file or its folder can't be written.
    ReadOnly,
    /// What it holds is damaged.
    Corrupt,
    /// It was removed or replaced while it was in use.
    Gone,
    /// It is a database, and not one of ours; or one of a newer atalaya. It is left as it is.
    Foreign,
    /// Everything else that a system can do to a file.
    Other,
}

/// A fragment that names the file, what is wrong with it and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    pub trouble: Trouble,
    text: String,
}

impl StoreError {
    pub(super) fn new(trouble: Trouble, path: &Path, detail: impl fmt::Display) -> StoreError {
        let path = path.display();
        let text = match trouble {
            Trouble::InUse => format!(
                "another atalaya uses the store {path}{detail}; stop it, or give this one a store of its own"
            ),
            Trouble::Locked => format!("the store {path} is locked by another program ({detail})"),
            Trouble::Full => {
                format!("there is no room for the store {path} ({detail}); make room on its disk")
            }
            Trouble::ReadOnly => {
                format!(
                    "the store {path} can't be written ({detail}); it and its folder must belong to this user"
                )
            }
            Trouble::Corrupt => format!("the store {path} is damaged ({detail})"),
            Trouble::Gone => format!("the store {path} was removed or replaced while it was in use"),
            Trouble::Foreign => format!("{path} is no store of this atalaya ({detail}); name another file"),
            Trouble::Other => format!("the store {path} can't be used ({detail})"),
        };
        StoreError { trouble, text }
    }

    pub(super) fn io(path: &Path, error: &io::Error) -> StoreError {
        let trouble = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Trouble::ReadOnly,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Trouble::Full
            }
            _ => Trouble::Other,
        };
        StoreError::new(trouble, path, error)
    }

    /// By SQLite's primary result code, the low byte of what sqlx tells.
    pub(super) fn sql(path: &Path, error: &sqlx::Error) -> StoreError {
        let sqlx::Error::Database(database) = error else {
            return match error {
                sqlx::Error::Io(error) => StoreError::io(path, error),
                // A row that does not hold what every row of its table holds.
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                    StoreError::new(Trouble::Corrupt, path, error)
                }
                _ => StoreError::new(Trouble::Other, path, error),
            };
        };
        let code = database.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0);
        let trouble = match code & 0xff {
            5 | 6 => Trouble::Locked,
            3 | 8 => Trouble::ReadOnly,
            11 | 26 => Trouble::Corrupt,
            13 => Trouble::Full,
            _ => Trouble::Other,
        };
        StoreError::new(trouble, path, format_args!("{}, SQLite's code {code}", database.message()))
    }

    pub(super) fn migration(path: &Path, error: MigrateError) -> StoreError {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                StoreError::sql(path, &error)
            }
            MigrateError::VersionMissing(version) => StoreError::new(
                Trouble::Foreign,
                path,
                format_args!("its schema {version} was made by a newer one"),
            ),
            other => StoreError::new(Trouble::Foreign, path, other),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl std::error::Error for StoreError {}
