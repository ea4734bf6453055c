//! Facts as chunks of deflated lines. Small chunks, as they come, are joined later: text deflates three times as well
//! by the hundred kilobytes as by the line.

use super::write::{BEGIN, nanoseconds};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};
use std::io::{Read, Write};

/// Text of one chunk; a longer one comes only from a backlog.
const CHUNK_BYTES: usize = 256 << 10;
/// No chunk is read beyond this, so that a damaged one can't fill the memory.
const CHUNK_BYTES_MAX: u64 = 64 << 20;
/// Deflated text of all chunks.
const BYTES_MAX: i64 = 48 << 20;
/// Chunks that wait for being joined are joined after this many, however small they are.
const LOOSE_MAX: usize = 512;

pub(super) fn deflate(lines: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(lines.as_bytes()).and_then(|()| encoder.finish()).expect("memory takes every byte")
}

pub(super) fn inflate(bytes: &[u8]) -> Result<String, sqlx::Error> {
    let mut lines = String::new();
    let read = ZlibDecoder::new(bytes).take(CHUNK_BYTES_MAX).read_to_string(&mut lines);
    read.map_err(|error| sqlx::Error::Decode(format!("a chunk of facts can't be read: {error}").into()))?;
    Ok(lines)
}

/// Every chunk ends with the end of a line.
pub(super) async fn append(tx: &mut SqliteConnection, at: Timestamp, lines: &str) -> Result<(), sqlx::Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let deflated = if lines.ends_with('\n') { deflate(lines) } else { deflate(&format!("{lines}\n")) };
    insert(tx, None, nanoseconds(at), lines.len(), deflated).await
}

/// With a number of its own, or in the place of `id` as joined.
async fn insert(
    tx: &mut SqliteConnection,
    id: Option<i64>,
    at: i64,
    raw_bytes: usize,
    deflated: Vec<u8>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO fact (id, at, raw_bytes, stored_bytes, joined, lines) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(id)
    .bind(at)
    .bind(i64::try_from(raw_bytes).unwrap_or(i64::MAX))
    .bind(i64::try_from(deflated.len()).unwrap_or(i64::MAX))
    .bind(id.is_some() || raw_bytes >= CHUNK_BYTES)
    .bind(deflated)
    .execute(tx)
    .await?;
    Ok(())
}

/// Joins the oldest loose chunks to one where there are enough of them. Whether it did.
pub(super) async fn join(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let limit = i64::try_from(LOOSE_MAX).unwrap_or(i64::MAX);
    let loose = sqlx::query("SELECT id, at, raw_bytes FROM fact WHERE joined = 0 ORDER BY id LIMIT ?")
        .bind(limit)
        .fetch_all(&mut *connection)
        .await?;
    let (mut bytes, mut number) = (0, 0);
    for row in &loose {
        bytes += usize::try_from(row.try_get::<i64, _>(2)?).unwrap_or(CHUNK_BYTES);
        number += 1;
        if bytes >= CHUNK_BYTES {
            break;
        }
    }
    if bytes < CHUNK_BYTES && number < LOOSE_MAX {
        return Ok(false);
    }
    let (first, at): (i64, i64) = (loose[0].try_get(0)?, loose[0].try_get(1)?);
    let last: i64 = loose[number - 1].try_get(0)?;
    let mut tx = connection.begin_with(BEGIN).await?;
    let parts = sqlx::query("SELECT lines FROM fact WHERE id BETWEEN ? AND ? AND joined = 0 ORDER BY id");
    let mut lines = String::with_capacity(bytes);
    for row in parts.bind(first).bind(last).fetch_all(&mut *tx).await? {
        match inflate(row.try_get(0)?) {
            Ok(text) => lines.push_str(&text),
            Err(error) => tracing::error!(%error, "facts of some seconds are lost"),
        }
    }
    sqlx::query("DELETE FROM fact WHERE id BETWEEN ? AND ? AND joined = 0")
        .bind(first)
        .bind(last)
        .execute(&mut *tx)
        .await?;
    insert(&mut tx, Some(first), at, lines.len(), deflate(&lines)).await?;
    tx.commit().await?;
    Ok(true)
}

/// Removes what is older than `before`, and the oldest of what is too much, some chunks at a time. Whether it did.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    before: Timestamp,
) -> Result<bool, sqlx::Error> {
    // A chunk lasts until the next one begins.
    let old = sqlx::query(
        "DELETE FROM fact WHERE id IN (SELECT id FROM fact WHERE id < (SELECT max(id) FROM fact WHERE at < ?) \
         ORDER BY id LIMIT 100)",
    );
    let old = old.bind(nanoseconds(before)).execute(&mut *connection).await?.rows_affected();
    let much = sqlx::query(
        "DELETE FROM fact WHERE id IN (SELECT id FROM (SELECT id, sum(stored_bytes) OVER (ORDER BY id DESC) AS upto \
         FROM fact) WHERE upto > ? ORDER BY id LIMIT 100)",
    );
    let much = much.bind(BYTES_MAX).execute(connection).await?.rows_affected();
    Ok(old + much > 0)
}
