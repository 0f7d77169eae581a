//! `sqlite`: a B-tree in a file with a write-ahead log, in C, by way of the crate `rusqlite`, which brings the library along.
//!
//! One table, `key BLOB PRIMARY KEY` without a row id, so that records lie in the tree of their keys. The log is on in each class; `sync` is
//! `synchronous = FULL`, which syncs the log with each commit; `buffered` is `NORMAL`, which syncs at checkpoints only; `none` is `OFF`, which
//! leaves everything to the system (and loses no more than `buffered` when the process ends, but may be damaged by a power cut).
//!
//! Thread safety: each session has a connection with statements and a cache of pages of its own. Readers look at the commit that was last
//! when they began. Writers would poll for the file's lock; a latch makes them queue for it. A visitor runs in a read transaction of its
//! session and may write through another one.

use super::failure::Failure;
use super::peer::entry;
use super::store::{FileStore, StoreSession, Tour};
use crate::engine::{
    Capabilities, Durability, Existence, GetBuffer, ScanRange, Visitor, WriteBatch, WriteOp,
};
use crate::entry::{Entry, invalid};
use crate::error::{Error, Result};
use crate::options::{ByteSize, OptionDoc};
use parking_lot::Mutex;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Params, Row, TransactionBehavior};
use serde::{Deserialize, Serialize};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) static ENTRY: Entry = entry::<Sqlite>();

const FILE: &str = "records.sqlite";
/// Readers and checkpoints meet for moments only; writers queue elsewhere.
const PATIENCE: Duration = Duration::from_secs(60);
/// A scan has a statement for each kind of bounds, direction and content.
const STATEMENTS: usize = 48;

const CREATE: &str =
    "CREATE TABLE IF NOT EXISTS records (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID";
const GET: &str = "SELECT value FROM records WHERE key = ?1";
const SET: &str = "REPLACE INTO records (key, value) VALUES (?1, ?2)";
const UPDATE: &str = "UPDATE records SET value = ?2 WHERE key = ?1";
const DELETE: &str = "DELETE FROM records WHERE key = ?1";
const COUNT: &str = "SELECT count(*) FROM records";

/// Options of `sqlite`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SqliteOptions {
    cache_bytes: ByteSize,
    page_bytes: ByteSize,
    checkpoint_pages: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { cache_bytes: ByteSize::mib(256), page_bytes: ByteSize::kib(4), checkpoint_pages: 1_000 }
    }
}

/// A database of one table.
pub(super) struct Sqlite {
    path: PathBuf,
    durability: Durability,
    options: SqliteOptions,
    /// Held while a connection writes.
    writing: Mutex<()>,
    /// For what is asked of the engine. It syncs whatever the class, and is closed last, which checkpoints the log.
    keeper: Mutex<Connection>,
}

fn failure(error: rusqlite::Error) -> Failure {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Failure::InUse,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Failure::Damaged(error.to_string()),
        _ => Failure::Other(Box::new(error)),
    }
}

fn told(operation: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> Error {
    move |error| failure(error).at(operation, path)
}

fn connect(
    path: &Path,
    durability: Durability,
    options: &SqliteOptions,
) -> std::result::Result<Connection, rusqlite::Error> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The size of pages is chosen when the file is made; later it changes nothing.
    connection.pragma_update(None, "page_size", options.page_bytes.bytes().cast_signed())?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let synchronous = match durability {
        Durability::None => "OFF",
        Durability::Buffered => "NORMAL",
        Durability::Sync => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // A negative size is one in KiB.
    connection.pragma_update(None, "cache_size", -(options.cache_bytes.bytes() >> 10).cast_signed())?;
    let pages = options.checkpoint_pages;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", pages, |_| Ok(()))?;
    Ok(connection)
}

impl FileStore for Sqlite {
    const NAME: &'static str = "sqlite";
    const SUMMARY: &'static str =
        "SQLite (rusqlite): B-tree with a write-ahead log, one writer, snapshots for readers";
    const CAPABILITIES: Capabilities = Capabilities {
        batch_atomic_visibility: true,
        scan_snapshot: true,
        durability: Durability::ALL,
        ..Capabilities::IN_MEMORY_ORDERED
    };
    const OPTIONS: &'static [OptionDoc] = &[
        OptionDoc {
            name: "cache_bytes",
            range: "a size",
            default: "\"256MiB\"",
            summary: "pages that each session keeps in memory, for itself alone",
        },
        OptionDoc {
            name: "page_bytes",
            range: "a power of two from 512 to 65536",
            default: "\"4KiB\"",
            summary: "the size of a page of a new file",
        },
        OptionDoc {
            name: "checkpoint_pages",
            range: "≥ 0; 0 for never",
            default: "1000",
            summary: "a commit that leaves so many pages in the log moves them to the tree",
        },
    ];
    type Options = SqliteOptions;
    type Session<'a> = SqliteSession<'a>;

    fn open(directory: &Path, durability: Durability, options: &SqliteOptions) -> Result<Self> {
        let page = options.page_bytes.bytes();
        if !page.is_power_of_two() || !(512..=65_536).contains(&page) {
            let message = format!("page_bytes: {page} is no power of two from 512 to 65536");
            return Err(invalid(Self::NAME, &message));
        }
        let path = directory.join(FILE);
        let keeper = connect(&path, Durability::Sync, options).map_err(told("open", &path))?;
        keeper.execute(CREATE, []).map_err(told("make a table in", &path))?;
        let (writing, keeper) = (Mutex::default(), Mutex::new(keeper));
        Ok(Self { path, durability, options: *options, writing, keeper })
    }

    fn session(&self) -> Result<SqliteSession<'_>> {
        let connection =
            connect(&self.path, self.durability, &self.options).map_err(told("open", &self.path))?;
        Ok(SqliteSession { store: self, connection })
    }

    /// O(n): a walk over all pages.
    fn records(&self) -> Result<u64> {
        let count = |row: &Row<'_>| row.get::<_, i64>(0);
        let counted = self.keeper.lock().query_row(COUNT, [], count).map_err(told("read", &self.path))?;
        Ok(counted.unsigned_abs())
    }

    /// `PRAGMA integrity_check`.
    fn check(&self) -> Result<()> {
        let answer = |row: &Row<'_>| row.get::<_, String>(0);
        let found = self.keeper.lock().query_row("PRAGMA integrity_check(1)", [], answer);
        match found.map_err(told("check", &self.path))?.as_str() {
            "ok" => Ok(()),
            message => Err(Error::InvariantBroken { engine: Self::NAME, message: message.to_owned() }),
        }
    }

    fn flush(&self) -> Result<()> {
        self.sync()
    }

    /// By a checkpoint: the log is synced, moved to the tree as far as no reader needs it, and the tree is synced.
    fn sync(&self) -> Result<()> {
        let checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";
        self.keeper.lock().query_row(checkpoint, [], |_| Ok(())).map_err(told("checkpoint", &self.path))
    }

    fn compact(&self) -> Result<()> {
        let _writing = self.writing.lock();
        self.keeper.lock().execute_batch("VACUUM").map_err(told("compact", &self.path))
    }
}

/// A connection with its statements, which are kept ready.
pub(super) struct SqliteSession<'a> {
    store: &'a Sqlite,
    connection: Connection,
}

fn blob<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    match row.get_ref(column)? {
        ValueRef::Blob(bytes) => Ok(bytes),
        other => Err(rusqlite::Error::InvalidColumnType(column, "a record".to_owned(), other.data_type())),
    }
}

fn read(connection: &Connection, key: &[u8], see: impl FnOnce(&[u8])) -> rusqlite::Result<bool> {
    let mut get = connection.prepare_cached(GET)?;
    let found = get.query_row([key], |row| blob(row, 0).map(see)).optional()?;
    Ok(found.is_some())
}

fn batch(connection: &mut Connection, batch: &WriteBatch) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let (mut set, mut delete) = (transaction.prepare_cached(SET)?, transaction.prepare_cached(DELETE)?);
        for operation in batch.iter() {
            match operation {
                WriteOp::Set { key, value } => set.execute([key, value])?,
                WriteOp::Delete { key } => delete.execute([key])?,
            };
        }
    }
    transaction.commit()
}

/// The statement of a scan; its parameters are the bounds that there are, the lower one first.
fn query(range: &ScanRange<'_>) -> String {
    let lower = match range.lower {
        Bound::Included(_) => "key >= ?1",
        Bound::Excluded(_) => "key > ?1",
        Bound::Unbounded => "?1 IS NULL",
    };
    let upper = match range.upper {
        Bound::Included(_) => "key <= ?2",
        Bound::Excluded(_) => "key < ?2",
        Bound::Unbounded => "?2 IS NULL",
    };
    let columns = if range.keys_only { "key" } else { "key, value" };
    let order = if range.reverse { "DESC" } else { "ASC" };
    format!("SELECT {columns} FROM records WHERE {lower} AND {upper} ORDER BY key {order}")
}

fn scan(connection: &Connection, range: &ScanRange<'_>, tour: &mut Tour<'_, '_>) -> rusqlite::Result<()> {
    let end = |bound| match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    };
    let mut select = connection.prepare_cached(&query(range))?;
    let mut rows = select.query([end(range.lower()), end(range.upper())])?;
    while let Some(row) = rows.next()? {
        let value = if range.keys_only { &[][..] } else { blob(row, 1)? };
        if !tour.show(blob(row, 0)?, value) {
            break;
        }
    }
    Ok(())
}

impl SqliteSession<'_> {
    /// Runs a statement that changes a record; tells whether there was one.
    fn change(&mut self, statement: &str, parameters: impl Params) -> Result<bool> {
        let told = || told("write", &self.store.path);
        let mut statement = self.connection.prepare_cached(statement).map_err(told())?;
        let _writing = self.store.writing.lock();
        statement.execute(parameters).map(|records| records > 0).map_err(told())
    }
}

impl StoreSession for SqliteSession<'_> {
    fn read(&mut self, key: &[u8], see: impl FnOnce(&[u8])) -> Result<bool> {
        read(&self.connection, key, see).map_err(told("read", &self.store.path))
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.change(SET, [key, value]).map(drop)
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        self.change(UPDATE, [key, value])
    }

    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        self.change(DELETE, [key]).map(Existence::from)
    }

    fn batch(&mut self, operations: &WriteBatch) -> Result<()> {
        let _writing = self.store.writing.lock();
        batch(&mut self.connection, operations).map_err(told("write", &self.store.path))
    }

    /// In one transaction, so that the file's locks are taken once.
    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        let told = || told("read", &self.store.path);
        let transaction = self.connection.transaction().map_err(told())?;
        for (index, key) in keys.iter().enumerate() {
            read(&transaction, key, |value| values.put(index, value)).map_err(told())?;
        }
        transaction.finish().map_err(told())
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        let mut tour = Tour::new(range, visit);
        scan(&self.connection, range, &mut tour).map_err(told("read", &self.store.path))?;
        Ok(tour.visited)
    }
}
