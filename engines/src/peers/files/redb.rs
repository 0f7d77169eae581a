//! `redb`: a copy-on-write B+ tree in one file, in Rust.
//!
//! Each write is a transaction of its own, each read begins one too, as the crate has no others. `sync` is the crate's
//! `Durability::Immediate`; `none` is its `Durability::None`, whose commits stay in memory until a durable one, so they are lost with the
//! process. The crate has nothing between these. `buffered` is `Immediate` on a file that leaves the sync to the system:
//! the crate writes each commit to the file in an order that it can recover from, and what is written outlives the process.
//!
//! Thread safety: the crate's own. Writers take turns; readers look at the commit that was last when they began, under no latch.

use super::failure::Failure;
use super::peer::entry;
use super::store::{FileStore, StoreSession, Tour};
use crate::engine::{
    Capabilities, Durability, Existence, GetBuffer, ScanRange, Visitor, WriteBatch, WriteOp,
};
use crate::entry::Entry;
use crate::env::{Access, File, FileSystem, Lock, OsFileSystem};
use crate::error::{Error, Result};
use crate::options::{ByteSize, OptionDoc};
use redb::{
    Builder, Database, ReadOnlyTable, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageBackend,
    Table, TableDefinition, TableError,
};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) static ENTRY: Entry = entry::<Redb>();

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
const FILE: &str = "records.redb";
const LOCK: &str = "lock";

/// Options of `redb`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RedbOptions {
    cache_bytes: ByteSize,
}

impl Default for RedbOptions {
    fn default() -> Self {
        Self { cache_bytes: ByteSize::mib(256) }
    }
}

/// A database of one table.
pub(super) struct Redb {
    database: Database,
    path: PathBuf,
    commits: redb::Durability,
    /// The file that is not synced by commits, in class `buffered`.
    unsynced: Option<Arc<dyn File>>,
    _lock: Box<dyn Lock>,
}

fn failure(error: redb::Error) -> Failure {
    match error {
        redb::Error::DatabaseAlreadyOpen => Failure::InUse,
        redb::Error::Corrupted(message) => Failure::Damaged(message),
        redb::Error::Io(source) => Failure::System(source),
        other => Failure::Other(Box::new(other)),
    }
}

/// For `map_err`, whichever of the crate's errors it is.
fn told<E: Into<redb::Error>>(operation: &'static str, path: &Path) -> impl FnOnce(E) -> Error {
    move |error| failure(error.into()).at(operation, path)
}

impl FileStore for Redb {
    const NAME: &'static str = "redb";
    const SUMMARY: &'static str = "redb: copy-on-write B+ tree in a file, one writer, snapshots for readers";
    const CAPABILITIES: Capabilities = Capabilities {
        batch_atomic_visibility: true,
        scan_snapshot: true,
        durability: Durability::ALL,
        ..Capabilities::IN_MEMORY_ORDERED
    };
    const OPTIONS: &'static [OptionDoc] = &[OptionDoc {
        name: "cache_bytes",
        range: "a size",
        default: "\"256MiB\"",
        summary: "pages that are kept in memory; a tenth of it for pages that are not yet written",
    }];
    type Options = RedbOptions;
    type Session<'a> = RedbSession<'a>;

    fn open(directory: &Path, durability: Durability, options: &RedbOptions) -> Result<Self> {
        let lock = match OsFileSystem.lock(&directory.join(LOCK)) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(Failure::InUse.at("lock", directory));
            }
            Err(error) => return Err(Failure::System(error).at("lock", directory)),
        };
        let path = directory.join(FILE);
        let mut builder = Builder::new();
        builder.set_cache_size(usize::try_from(options.cache_bytes.bytes()).unwrap_or(usize::MAX));
        let mut unsynced = None;
        let database = if durability == Durability::Buffered {
            let file: Arc<dyn File> = Arc::from(open_or_create(&path).map_err(Error::io("open", &path))?);
            unsynced = Some(Arc::clone(&file));
            builder.create_with_backend(Unsynced(file))
        } else {
            builder.create(&path)
        }
        .map_err(told("open", &path))?;
        let commits = match durability {
            Durability::None => redb::Durability::None,
            Durability::Buffered | Durability::Sync => redb::Durability::Immediate,
        };
        let store = Self { database, path, commits, unsynced, _lock: lock };
        store.make_table()?;
        Ok(store)
    }

    fn session(&self) -> Result<RedbSession<'_>> {
        Ok(RedbSession(self))
    }

    fn records(&self) -> Result<u64> {
        self.table()?.len().map_err(told("read", &self.path))
    }

    /// By a durable commit of nothing, which takes those before it along.
    fn sync(&self) -> Result<()> {
        let transaction = self.database.begin_write().map_err(told("begin to write", &self.path))?;
        transaction.commit().map_err(told("commit to", &self.path))?;
        match &self.unsynced {
            Some(file) => file.sync_data().map_err(Error::io("sync", &self.path)),
            None => Ok(()),
        }
    }
}

fn open_or_create(path: &Path) -> io::Result<Box<dyn File>> {
    match OsFileSystem.open(path, Access::ReadWrite) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => OsFileSystem.create(path),
        opened => opened,
    }
}

impl Redb {
    fn make_table(&self) -> Result<()> {
        let reading = self.database.begin_read().map_err(told("read", &self.path))?;
        match reading.open_table(TABLE) {
            Err(TableError::TableDoesNotExist(_)) => {
                let writing = self.database.begin_write().map_err(told("write", &self.path))?;
                writing.open_table(TABLE).map_err(told("make a table in", &self.path))?;
                writing.commit().map_err(told("commit to", &self.path))
            }
            opened => opened.map(drop).map_err(told("read", &self.path)),
        }
    }

    fn table(&self) -> Result<ReadOnlyTable<&'static [u8], &'static [u8]>> {
        let transaction = self.database.begin_read().map_err(told("read", &self.path))?;
        transaction.open_table(TABLE).map_err(told("read", &self.path))
    }

    /// Runs `change` in a transaction, which is committed if the answer is that something has changed.
    fn write(&self, change: impl FnOnce(&mut Table<'_, &[u8], &[u8]>) -> redb::Result<bool>) -> Result<bool> {
        let mut transaction = self.database.begin_write().map_err(told("begin to write", &self.path))?;
        transaction.set_durability(self.commits).map_err(told("write", &self.path))?;
        let mut table = transaction.open_table(TABLE).map_err(told("write", &self.path))?;
        let changed = change(&mut table).map_err(told("write", &self.path))?;
        drop(table);
        if changed {
            transaction.commit().map_err(told("commit to", &self.path))?;
        } else {
            transaction.abort().map_err(told("abort a change of", &self.path))?;
        }
        Ok(changed)
    }
}

/// Nothing is kept from one operation to the next: a transaction that is kept would hold the pages of its time.
pub(super) struct RedbSession<'a>(&'a Redb);

impl StoreSession for RedbSession<'_> {
    fn read(&mut self, key: &[u8], see: impl FnOnce(&[u8])) -> Result<bool> {
        // The table keeps the transaction alive, and that the page.
        let table = self.0.table()?;
        let found = ReadableTable::get(&table, key).map_err(told("read", &self.0.path))?;
        Ok(found.map(|value| see(value.value())).is_some())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.write(|table| table.insert(key, value).map(|_| true)).map(drop)
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        self.0.write(|table| match table.get_mut(key)? {
            Some(mut found) => found.insert(value).map(|()| true),
            None => Ok(false),
        })
    }

    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        self.0.write(|table| Ok(table.remove(key)?.is_some())).map(Existence::from)
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        let apply = |table: &mut Table<'_, &[u8], &[u8]>| {
            for operation in batch.iter() {
                match operation {
                    WriteOp::Set { key, value } => drop(table.insert(key, value)?),
                    WriteOp::Delete { key } => drop(table.remove(key)?),
                }
            }
            Ok(true)
        };
        self.0.write(apply).map(drop)
    }

    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        let table = self.0.table()?;
        for (index, key) in keys.iter().enumerate() {
            if let Some(value) = ReadableTable::get(&table, *key).map_err(told("read", &self.0.path))? {
                values.put(index, value.value());
            }
        }
        Ok(())
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        let mut tour = Tour::new(range, visit);
        let table = self.0.table()?;
        let bounds = (range.lower(), range.upper());
        let mut records =
            ReadableTable::range::<&[u8]>(&table, bounds).map_err(told("read", &self.0.path))?;
        while let Some(record) = if range.reverse { records.next_back() } else { records.next() } {
            let (key, value) = record.map_err(told("read", &self.0.path))?;
            if !tour.show(key.value(), value.value()) {
                break;
            }
        }
        Ok(tour.visited)
    }
}

/// A file that is never synced by the crate. Two stores are kept apart by the lock beside it.
#[derive(Debug)]
struct Unsynced(Arc<dyn File>);

impl StorageBackend for Unsynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}
