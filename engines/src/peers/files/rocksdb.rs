//! `rocksdb`: a log-structured merge tree with a write-ahead log, in C++, by way of the crate `rocksdb`, which builds the library.
//!
//! `sync` is a synced log: one sync for all writers that wait together. `buffered` is the library's default: each write is written to the
//! log, which is not synced. `none` is without a log: what is not yet in a table is lost with the process. The tree cannot replace a
//! record only if it is there, so updates and deletes hold a latch by key.
//!
//! Thread safety: the library's own. Reads and scans take no latch, scans show one point in time.

use super::failure::Failure;
use super::peer::entry;
use super::store::{FileStore, StoreSession, Tour};
use super::stripes::Stripes;
use crate::engine::{
    Capabilities, Durability, Existence, GetBuffer, ScanRange, Visitor, WriteBatch, WriteOp,
};
use crate::entry::Entry;
use crate::error::{Error, Result};
use crate::options::{ByteSize, OptionDoc};
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, DB, DBCompressionType, ErrorKind, Options, WaitForCompactOptions,
    WriteOptions, properties,
};
use serde::{Deserialize, Serialize};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) static ENTRY: Entry = entry::<Rocks>();

const FAMILY: &str = "default";

/// Options of `rocksdb`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RocksOptions {
    cache_bytes: ByteSize,
    memtable_bytes: ByteSize,
    filter_bits: u32,
    compression: bool,
}

impl Default for RocksOptions {
    fn default() -> Self {
        Self {
            cache_bytes: ByteSize::mib(256),
            memtable_bytes: ByteSize::mib(64),
            filter_bits: 10,
            compression: false,
        }
    }
}

/// A database of one column family.
pub(super) struct Rocks {
    database: DB,
    path: PathBuf,
    durability: Durability,
    stripes: Stripes,
}

fn told(operation: &'static str, path: &Path) -> impl FnOnce(rocksdb::Error) -> Error {
    move |error| {
        let failure = match error.kind() {
            ErrorKind::Corruption => Failure::Damaged(error.into_string()),
            ErrorKind::IOError if error.as_ref().contains("/LOCK") => Failure::InUse,
            _ => Failure::Other(Box::new(error)),
        };
        failure.at(operation, path)
    }
}

impl FileStore for Rocks {
    const NAME: &'static str = "rocksdb";
    const SUMMARY: &'static str =
        "RocksDB: log-structured merge tree with a write-ahead log, snapshots for scans";
    const CAPABILITIES: Capabilities = Capabilities {
        delete_reports: false,
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
            summary: "blocks of tables that are kept in memory",
        },
        OptionDoc {
            name: "memtable_bytes",
            range: "a size",
            default: "\"64MiB\"",
            summary: "the memtable is written to a table when it is so large",
        },
        OptionDoc {
            name: "filter_bits",
            range: "≥ 0; 0 for no filters",
            default: "10",
            summary: "bits a key in the Bloom filters of tables",
        },
        OptionDoc {
            name: "compression",
            range: "true | false",
            default: "false",
            summary: "blocks are compressed with LZ4",
        },
    ];
    type Options = RocksOptions;
    type Session<'a> = RocksSession<'a>;

    fn open(directory: &Path, durability: Durability, options: &RocksOptions) -> Result<Self> {
        let size = |bytes: ByteSize| usize::try_from(bytes.bytes()).unwrap_or(usize::MAX);
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&Cache::new_lru_cache(size(options.cache_bytes)));
        if options.filter_bits > 0 {
            blocks.set_bloom_filter(f64::from(options.filter_bits), false);
        }
        let mut opening = Options::default();
        opening.create_if_missing(true);
        opening.set_block_based_table_factory(&blocks);
        opening.set_write_buffer_size(size(options.memtable_bytes));
        let compression = if options.compression { DBCompressionType::Lz4 } else { DBCompressionType::None };
        opening.set_compression_type(compression);
        let database = DB::open_cf_with_opts(&opening, directory, [(FAMILY, opening.clone())])
            .map_err(told("open", directory))?;
        Ok(Self { database, path: directory.to_path_buf(), durability, stripes: Stripes::default() })
    }

    fn session(&self) -> Result<RocksSession<'_>> {
        let mut writing = WriteOptions::default();
        writing.set_sync(self.durability == Durability::Sync);
        writing.disable_wal(self.durability == Durability::None);
        let family = self.database.cf_handle(FAMILY).ok_or_else(|| {
            Failure::Damaged("there is no column family of ours in it".to_owned()).at("open", &self.path)
        })?;
        Ok(RocksSession { store: self, family, writing })
    }

    /// O(n): a walk over all records.
    fn records(&self) -> Result<u64> {
        let mut records = self.database.raw_iterator();
        let mut counted = 0;
        records.seek_to_first();
        while records.valid() {
            counted += 1;
            records.next();
        }
        records.status().map(|()| counted).map_err(told("read", &self.path))
    }

    fn details(&self) -> Vec<(String, f64)> {
        let figures = [
            ("cache_bytes", properties::BLOCK_CACHE_USAGE),
            ("memtable_bytes", properties::CUR_SIZE_ALL_MEM_TABLES),
            ("table_bytes", properties::TOTAL_SST_FILES_SIZE),
        ];
        let figure = |(name, property): (&str, _)| {
            let figure = self.database.property_int_value(property).ok().flatten()?;
            Some((name.to_owned(), figure as f64))
        };
        figures.into_iter().filter_map(figure).collect()
    }

    fn flush(&self) -> Result<()> {
        self.database.flush().map_err(told("flush", &self.path))
    }

    /// Syncs the log; where there is none, the memtable becomes a table.
    fn sync(&self) -> Result<()> {
        if self.durability == Durability::None {
            return self.flush();
        }
        self.database.flush_wal(true).map_err(told("sync", &self.path))
    }

    fn compact(&self) -> Result<()> {
        self.database.compact_range::<&[u8], &[u8]>(None, None);
        Ok(())
    }

    fn wait_idle(&self, limit: Duration) -> Result<bool> {
        let mut waiting = WaitForCompactOptions::default();
        waiting.set_timeout(u64::try_from(limit.as_micros()).unwrap_or(u64::MAX));
        match self.database.wait_for_compact(&waiting) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(false),
            answer => answer.map(|()| true).map_err(told("wait for", &self.path)),
        }
    }
}

/// How writes are to be done.
pub(super) struct RocksSession<'a> {
    store: &'a Rocks,
    family: &'a ColumnFamily,
    writing: WriteOptions,
}

impl StoreSession for RocksSession<'_> {
    fn read(&mut self, key: &[u8], see: impl FnOnce(&[u8])) -> Result<bool> {
        let found = self.store.database.get_pinned(key).map_err(told("read", &self.store.path))?;
        Ok(found.map(|value| see(&value)).is_some())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.store.database.put_opt(key, value, &self.writing).map_err(told("write", &self.store.path))
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        let _latch = self.store.stripes.of_key(key);
        let present = self.read(key, |_| ())?;
        if present {
            self.set(key, value)?;
        }
        Ok(present)
    }

    /// Blind, as the library's own: it would have to look first.
    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        let _latch = self.store.stripes.of_key(key);
        self.store.database.delete_opt(key, &self.writing).map_err(told("write", &self.store.path))?;
        Ok(Existence::Unknown)
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        let mut writes = rocksdb::WriteBatch::default();
        for operation in batch.iter() {
            match operation {
                WriteOp::Set { key, value } => writes.put(key, value),
                WriteOp::Delete { key } => writes.delete(key),
            }
        }
        let _latches = self.store.stripes.of_batch(batch);
        self.store.database.write_opt(writes, &self.writing).map_err(told("write", &self.store.path))
    }

    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        let found = self.store.database.batched_multi_get_cf(self.family, keys.iter().copied(), false);
        for (index, value) in found.into_iter().enumerate() {
            if let Some(value) = value.map_err(told("read", &self.store.path))? {
                values.put(index, &value);
            }
        }
        Ok(())
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        let mut tour = Tour::new(range, visit);
        let mut records = self.store.database.raw_iterator();
        let (start, excluded) = match if range.reverse { range.upper() } else { range.lower() } {
            Bound::Included(key) => (Some(key), false),
            Bound::Excluded(key) => (Some(key), true),
            Bound::Unbounded => (None, false),
        };
        match start {
            Some(key) if range.reverse => records.seek_for_prev(key),
            Some(key) => records.seek(key),
            None if range.reverse => records.seek_to_last(),
            None => records.seek_to_first(),
        }
        if excluded && records.key() == start {
            step(&mut records, range.reverse);
        }
        while let Some((key, value)) = records.item() {
            let inside = if range.reverse { range.reaches_down_to(key) } else { range.reaches_up_to(key) };
            if !inside || !tour.show(key, value) {
                break;
            }
            step(&mut records, range.reverse);
        }
        records.status().map(|()| tour.visited).map_err(told("read", &self.store.path))
    }
}

fn step(records: &mut rocksdb::DBRawIterator<'_>, reverse: bool) {
    if reverse { records.prev() } else { records.next() }
}
