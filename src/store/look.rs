//! What is in the file, and whether it is whole: for `atalaya store check`.

use super::error::StoreError;
use super::file::size_bytes;
use super::reader::Reader;
use super::write::moment;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

/// What is damaged is told up to this many times.
const DAMAGE_MAX: u32 = 20;

/// Everything there is to say about the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    pub schema: i64,
    /// On the disk, with the log of what is not merged yet.
    pub size_bytes: u64,
    /// Of it, room that is free for what comes next.
    pub free_bytes: u64,
    pub tables: Vec<Table>,
    /// What is damaged; empty where nothing is.
    pub damage: Vec<String>,
}

/// One table, and from when to when it tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub name: String,
    pub rows: u64,
    /// With its indices.
    pub bytes: u64,
    pub span: Option<(Timestamp, Timestamp)>,
}

const MINUTE: i64 = 60_000_000_000;

/// Tables, the column that tells their time, and how many nanoseconds one of it has.
const TABLES: [(&str, Option<(&str, i64)>); 12] = [
    ("alert", None),
    ("episode", Some(("fired", 1))),
    ("silence", Some(("until", 1))),
    ("outbox", Some(("created", 1))),
    ("slice", Some(("minute", MINUTE))),
    ("slice_day", Some(("day", 1440 * MINUTE))),
    ("baseline_day", Some(("day", 1440 * MINUTE))),
    ("histogram_minute", Some(("start", MINUTE))),
    ("histogram_hour", Some(("start", MINUTE))),
    ("histogram_day", Some(("start", MINUTE))),
    ("cursor", Some(("upto", 1))),
    ("fact", Some(("at", 1))),
];

impl Reader {
    /// Reads all of the file and tells what is in it.
    pub async fn look(&mut self) -> Result<Look, StoreError> {
        let damage =
            damage(&mut self.connection).await.map_err(|error| StoreError::sql(&self.path, &error))?;
        let looked = look(&mut self.connection).await;
        match looked {
            Ok(look) => Ok(Look { size_bytes: size_bytes(&self.path), damage, ..look }),
            // What can't be counted is damaged, and that has been told.
            Err(_) if !damage.is_empty() => Ok(Look {
                schema: 0,
                size_bytes: size_bytes(&self.path),
                free_bytes: 0,
                tables: Vec::new(),
                damage,
            }),
            Err(error) => Err(StoreError::sql(&self.path, &error)),
        }
    }
}

async fn damage(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let sql = format!("PRAGMA integrity_check({DAMAGE_MAX})");
    let found: Vec<String> = match sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await {
        Ok(found) => found,
        Err(sqlx::Error::Database(error)) => vec![error.message().to_owned()],
        Err(error) => return Err(error),
    };
    let lines = found.iter().flat_map(|text| text.lines()).filter(|line| *line != "ok");
    Ok(lines.map(str::to_owned).collect())
}

async fn look(connection: &mut SqliteConnection) -> Result<Look, sqlx::Error> {
    let number = async |connection: &mut SqliteConnection, sql: &'static str| {
        sqlx::query_scalar::<_, i64>(sql).fetch_one(connection).await
    };
    let schema = number(connection, "SELECT coalesce(max(version), 0) FROM _sqlx_migrations").await?;
    let free = number(connection, "PRAGMA freelist_count").await?;
    let page = number(connection, "PRAGMA page_size").await?;
    let mut tables = Vec::new();
    for (name, time) in TABLES {
        tables.push(table(connection, name, time).await?);
    }
    let free_bytes = (free * page).cast_unsigned();
    Ok(Look { schema, size_bytes: 0, free_bytes, tables, damage: Vec::new() })
}

async fn table(
    connection: &mut SqliteConnection,
    name: &str,
    time: Option<(&str, i64)>,
) -> Result<Table, sqlx::Error> {
    let (column, unit) = time.unwrap_or(("NULL", 1));
    let sql = format!(
        "SELECT count(*), min({column}), max({column}), (SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE \
         aggregate = TRUE AND name IN (SELECT name FROM sqlite_schema WHERE tbl_name = '{name}')) FROM {name}"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(connection).await?;
    let (from, to): (Option<i64>, Option<i64>) = (row.try_get(1)?, row.try_get(2)?);
    let at = |number: i64| moment(number.saturating_mul(unit));
    Ok(Table {
        name: name.to_owned(),
        rows: row.try_get::<i64, _>(0)?.cast_unsigned(),
        bytes: row.try_get::<i64, _>(3)?.cast_unsigned(),
        span: from.zip(to).map(|(from, to)| (at(from), at(to))),
    })
}
