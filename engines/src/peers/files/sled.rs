//! `sled`: a lock-free B-link tree over a log-structured page store, in Rust. Version 0.34, the last that is no alpha.
//!
//! `none` is the crate's default: writes go to a buffer, and every 500 ms a thread of the crate's brings them to the file and syncs it.
//! `buffered` calls `flush` after each write, which writes the buffer to the file. There is no `sync`: on Linux `flush` follows the write by
//! `sync_file_range`, which does not reach the disk's cache nor the metadata of the file, so it is no sync, and the crate has no other call.
//!
//! Thread safety: the crate's own.

use super::failure::Failure;
use super::peer::entry;
use super::store::{FileStore, StoreSession, Tour};
use crate::engine::{Capabilities, Durability, Existence, ScanRange, Visitor, WriteBatch, WriteOp};
use crate::entry::Entry;
use crate::error::{Error, Result};
use crate::options::{ByteSize, OptionDoc};
use serde::{Deserialize, Serialize};
use sled::{Batch, Config, Db, IVec, Mode};
use std::path::{Path, PathBuf};

pub(super) static ENTRY: Entry = entry::<Sled>();

/// Options of `sled`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SledOptions {
    cache_bytes: ByteSize,
    flush_every_ms: Option<u64>,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self { cache_bytes: ByteSize::mib(256), flush_every_ms: Some(500) }
    }
}

/// A database with its default tree.
pub(super) struct Sled {
    database: Db,
    path: PathBuf,
    /// Whether each write is followed by a flush.
    flushes: bool,
}

fn failure(error: sled::Error) -> Failure {
    match error {
        sled::Error::Io(source) if source.kind() == std::io::ErrorKind::WouldBlock => Failure::InUse,
        sled::Error::Io(source) => Failure::System(source),
        sled::Error::Corruption { .. } => Failure::Damaged(error.to_string()),
        other => Failure::Other(Box::new(other)),
    }
}

fn told(operation: &'static str, path: &Path) -> impl FnOnce(sled::Error) -> Error {
    move |error| failure(error).at(operation, path)
}

impl FileStore for Sled {
    const NAME: &'static str = "sled";
    const SUMMARY: &'static str = "sled 0.34: lock-free B-link tree over a log-structured page store";
    const CAPABILITIES: Capabilities = Capabilities {
        batch_atomic_visibility: true,
        durability: &[Durability::None, Durability::Buffered],
        ..Capabilities::IN_MEMORY_ORDERED
    };
    const OPTIONS: &'static [OptionDoc] = &[
        OptionDoc {
            name: "cache_bytes",
            range: "a size",
            default: "\"256MiB\"",
            summary: "pages that are kept in memory",
        },
        OptionDoc {
            name: "flush_every_ms",
            range: "> 0, or null for never",
            default: "500",
            summary: "how often a thread writes what is buffered, syncs the file and gives space back",
        },
    ];
    type Options = SledOptions;
    type Session<'a> = SledSession<'a>;

    fn open(directory: &Path, durability: Durability, options: &SledOptions) -> Result<Self> {
        let config = Config::new()
            .path(directory)
            .mode(Mode::HighThroughput)
            .cache_capacity(options.cache_bytes.bytes())
            .flush_every_ms(options.flush_every_ms.filter(|every| *every > 0));
        let database = config.open().map_err(told("open", directory))?;
        let flushes = durability == Durability::Buffered;
        Ok(Self { database, path: directory.to_path_buf(), flushes })
    }

    fn session(&self) -> Result<SledSession<'_>> {
        Ok(SledSession(self))
    }

    /// O(n): a walk over all records.
    fn records(&self) -> Result<u64> {
        Ok(self.database.len() as u64)
    }

    fn details(&self) -> Vec<(String, f64)> {
        let file = self.database.size_on_disk().ok();
        file.map(|bytes| ("file_bytes".to_owned(), bytes as f64)).into_iter().collect()
    }

    fn check(&self) -> Result<()> {
        self.database.verify_integrity().map_err(told("check", &self.path))
    }

    fn flush(&self) -> Result<()> {
        self.sync()
    }

    /// As much as the crate can: see the module.
    fn sync(&self) -> Result<()> {
        self.database.flush().map(drop).map_err(told("flush", &self.path))
    }
}

/// Nothing is kept from one operation to the next.
pub(super) struct SledSession<'a>(&'a Sled);

impl SledSession<'_> {
    fn written(&self) -> Result<()> {
        if self.0.flushes { self.0.sync() } else { Ok(()) }
    }
}

impl StoreSession for SledSession<'_> {
    fn read(&mut self, key: &[u8], see: impl FnOnce(&[u8])) -> Result<bool> {
        let found = self.0.database.get(key).map_err(told("read", &self.0.path))?;
        Ok(found.map(|value| see(&value)).is_some())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.database.insert(key, value).map_err(told("write", &self.0.path))?;
        self.written()
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        let new = IVec::from(value);
        let replace = |found: Option<&[u8]>| found.map(|_| new.clone());
        let before = self.0.database.fetch_and_update(key, replace).map_err(told("write", &self.0.path))?;
        if before.is_some() {
            self.written()?;
        }
        Ok(before.is_some())
    }

    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        let removed = self.0.database.remove(key).map_err(told("write", &self.0.path))?;
        self.written()?;
        Ok(removed.is_some().into())
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        let mut writes = Batch::default();
        for operation in batch.iter() {
            match operation {
                WriteOp::Set { key, value } => writes.insert(key, value),
                WriteOp::Delete { key } => writes.remove(key),
            }
        }
        self.0.database.apply_batch(writes).map_err(told("write", &self.0.path))?;
        self.written()
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        let mut tour = Tour::new(range, visit);
        let mut records = self.0.database.range::<&[u8], _>((range.lower(), range.upper()));
        while let Some(record) = if range.reverse { records.next_back() } else { records.next() } {
            let (key, value) = record.map_err(told("read", &self.0.path))?;
            if !tour.show(&key, &value) {
                break;
            }
        }
        Ok(tour.visited)
    }
}
