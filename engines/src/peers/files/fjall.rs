//! `fjall`: a log-structured merge tree with a journal, in Rust.
//!
//! `sync` syncs the journal's data after each write; `buffered` is the crate's default, which hands each write to the system;
//! `none` leaves writes in the journal's buffer until it is full, so they are lost with the process. The tree cannot replace a record only if
//! it is there, so updates and deletes hold a latch by key. Keys have a byte before them, since the crate panics on the empty key.
//! Reads and scans go through a snapshot each: the keyspace's own `get` and `range` show a write before snapshots do, and a batch in parts,
//! so that a scan could show an older value than a read before it.
//!
//! Thread safety: the crate's own. Writers take turns at the journal; reads and scans take no latch, scans show one point in time.

use super::failure::Failure;
use super::peer::entry;
use super::prefixed::{Prefixed, bare};
use super::store::{FileStore, StoreSession, Tour};
use super::stripes::Stripes;
use crate::clock::Clock;
use crate::engine::{
    Capabilities, Durability, Existence, GetBuffer, KnownFault, MAX_KEY_BYTES, ScanRange, Visitor,
    WriteBatch, WriteOp,
};
use crate::entry::Entry;
use crate::error::{Error, Result};
use crate::options::{ByteSize, OptionDoc};
use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

pub(super) static ENTRY: Entry = entry::<Fjall>();

const KEYSPACE: &str = "records";
/// From one look at background work to the next.
const NAP: Duration = Duration::from_millis(1);

const VERSIONS: &str = "a scan walks over each version of a key that no compaction has dropped yet: beside fast writers of few keys, \
                        the check may not end in its time";

/// The checks that scan a bounded number of times while writers write as much as they can.
const SLOW_SCANS: [KnownFault; 5] = [
    slow("threads on the same keys tear no value"),
    slow("a key never goes back to an older value"),
    slow("a scan is a point in time"),
    slow("a scan among writes is sorted, without duplicates, inventions and gaps"),
    slow("for_each among writes visits what was there throughout, once"),
];

const fn slow(check: &'static str) -> KnownFault {
    KnownFault { check, reason: VERSIONS, rare: true }
}

/// So many snapshots are closed until the crate looks which versions are still needed.
const SNAPSHOTS_TO_A_MARK: usize = 10_000;

/// Options of `fjall`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FjallOptions {
    cache_bytes: ByteSize,
    memtable_bytes: ByteSize,
    compression: bool,
}

impl Default for FjallOptions {
    fn default() -> Self {
        Self { cache_bytes: ByteSize::mib(256), memtable_bytes: ByteSize::mib(64), compression: false }
    }
}

/// A database of one keyspace.
pub(super) struct Fjall {
    records: Keyspace,
    database: Database,
    path: PathBuf,
    /// What each write is followed by.
    persist: Option<PersistMode>,
    stripes: Stripes,
}

fn failure(error: fjall::Error) -> Failure {
    match error {
        fjall::Error::Locked => Failure::InUse,
        fjall::Error::Io(source) => Failure::System(source),
        fjall::Error::JournalRecovery(_)
        | fjall::Error::InvalidVersion(_)
        | fjall::Error::Decompress(_)
        | fjall::Error::InvalidTrailer
        | fjall::Error::InvalidTag(_)
        | fjall::Error::Unrecoverable => Failure::Damaged(error.to_string()),
        other => Failure::Other(Box::new(other)),
    }
}

fn told(operation: &'static str, path: &Path) -> impl FnOnce(fjall::Error) -> Error {
    move |error| failure(error).at(operation, path)
}

impl FileStore for Fjall {
    const NAME: &'static str = "fjall";
    const SUMMARY: &'static str = "fjall: log-structured merge tree with a journal, snapshots for scans";
    const CAPABILITIES: Capabilities = Capabilities {
        delete_reports: false,
        batch_atomic_visibility: true,
        scan_snapshot: true,
        // The crate's limit is that of 16 bits, less the byte before each key.
        max_key_bytes: MAX_KEY_BYTES - 2,
        durability: Durability::ALL,
        known_faults: &SLOW_SCANS,
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
            name: "compression",
            range: "true | false",
            default: "false",
            summary: "blocks and long values in the journal are compressed with LZ4",
        },
    ];
    type Options = FjallOptions;
    type Session<'a> = FjallSession<'a>;

    fn open(directory: &Path, durability: Durability, options: &FjallOptions) -> Result<Self> {
        let compression = if options.compression { CompressionType::Lz4 } else { CompressionType::None };
        let by_hand = durability == Durability::None;
        let database = Database::builder(directory)
            .cache_size(options.cache_bytes.bytes())
            .journal_compression(compression)
            .manual_journal_persist(by_hand)
            .open()
            .map_err(told("open", directory))?;
        let keyspace = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(options.memtable_bytes.bytes())
                .data_block_compression_policy(CompressionPolicy::all(compression))
                .manual_journal_persist(by_hand)
        };
        let records = database.keyspace(KEYSPACE, keyspace).map_err(told("open", directory))?;
        let persist = match durability {
            Durability::None => None,
            Durability::Buffered => Some(PersistMode::Buffer),
            Durability::Sync => Some(PersistMode::SyncData),
        };
        Ok(Self { records, database, path: directory.to_path_buf(), persist, stripes: Stripes::default() })
    }

    fn session(&self) -> Result<FjallSession<'_>> {
        Ok(FjallSession { store: self, key: Prefixed::default() })
    }

    /// O(n): a walk over all records.
    fn records(&self) -> Result<u64> {
        self.records.len().map(|records| records as u64).map_err(told("read", &self.path))
    }

    fn details(&self) -> Vec<(String, f64)> {
        vec![
            ("cache_bytes".to_owned(), self.database.cache_size() as f64),
            ("memtable_bytes".to_owned(), self.database.write_buffer_size() as f64),
            ("tables".to_owned(), self.records.table_count() as f64),
            ("table_bytes".to_owned(), self.records.disk_space() as f64),
        ]
    }

    fn flush(&self) -> Result<()> {
        self.records.rotate_memtable_and_wait().map_err(told("flush", &self.path))
    }

    fn sync(&self) -> Result<()> {
        self.database.persist(PersistMode::SyncAll).map_err(told("sync", &self.path))
    }

    /// Versions that no snapshot needs are dropped up to a mark, which the crate moves with every so-manieth snapshot that is closed only:
    /// without these, a compaction would keep nearly everything.
    fn compact(&self) -> Result<()> {
        (0..SNAPSHOTS_TO_A_MARK).for_each(|_| drop(self.database.snapshot()));
        self.flush()?;
        self.records.major_compact().map_err(told("compact", &self.path))
    }

    fn wait_idle(&self, limit: Duration) -> Result<bool> {
        let clock = Clock::system();
        let start = clock.now();
        while self.database.outstanding_flushes() > 0 || self.database.active_compactions() > 0 {
            if u128::from(clock.nanoseconds(start, clock.now())) >= limit.as_nanos() {
                return Ok(false);
            }
            thread::sleep(NAP);
        }
        Ok(true)
    }
}

/// A buffer for keys.
pub(super) struct FjallSession<'a> {
    store: &'a Fjall,
    key: Prefixed,
}

impl FjallSession<'_> {
    /// What is beyond the crate's default, which a single write has done already.
    fn persist(&self) -> Result<()> {
        match self.store.persist {
            Some(mode @ PersistMode::SyncData) => {
                self.store.database.persist(mode).map_err(told("sync", &self.store.path))
            }
            _ => Ok(()),
        }
    }
}

impl StoreSession for FjallSession<'_> {
    fn read(&mut self, key: &[u8], see: impl FnOnce(&[u8])) -> Result<bool> {
        let snapshot = self.store.database.snapshot();
        let found = snapshot.get(&self.store.records, self.key.of(key));
        Ok(found.map_err(told("read", &self.store.path))?.map(|value| see(&value)).is_some())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.store.records.insert(self.key.of(key), value).map_err(told("write", &self.store.path))?;
        self.persist()
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        let Fjall { records, path, stripes, .. } = self.store;
        let latch = stripes.of_key(key);
        let key = self.key.of(key);
        let present = records.contains_key(key).map_err(told("read", path))?;
        if present {
            records.insert(key, value).map_err(told("write", path))?;
        }
        drop(latch);
        if present {
            self.persist()?;
        }
        Ok(present)
    }

    /// Blind, as the crate's own: it would have to look first.
    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        let latch = self.store.stripes.of_key(key);
        self.store.records.remove(self.key.of(key)).map_err(told("write", &self.store.path))?;
        drop(latch);
        self.persist()?;
        Ok(Existence::Unknown)
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        let Fjall { records, database, path, persist, stripes } = self.store;
        let mut writes = database.batch().durability(*persist);
        // All of a batch have one sequence number, so of two operations on a key only the last may be in it.
        for operation in last_of_each(batch) {
            match operation {
                WriteOp::Set { key, value } => writes.insert(records, self.key.of(key), value),
                WriteOp::Delete { key } => writes.remove(records, self.key.of(key)),
            }
        }
        let _latches = stripes.of_batch(batch);
        writes.commit().map_err(told("write", path))
    }

    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        let snapshot = self.store.database.snapshot();
        for (index, key) in keys.iter().enumerate() {
            let found = snapshot.get(&self.store.records, self.key.of(key));
            if let Some(value) = found.map_err(told("read", &self.store.path))? {
                values.put(index, &value);
            }
        }
        Ok(())
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        let mut tour = Tour::new(range, visit);
        let bounds = (Prefixed::bound(range.lower()), Prefixed::bound(range.upper()));
        // The keyspace's own `range` reads the newest of everything, so it shows no point in time; a snapshot does.
        let mut records = self.store.database.snapshot().range(&self.store.records, bounds);
        while let Some(record) = if range.reverse { records.next_back() } else { records.next() } {
            let (key, value) = record.into_inner().map_err(told("read", &self.store.path))?;
            if !tour.show(bare(&key), &value) {
                break;
            }
        }
        Ok(tour.visited)
    }
}

/// The operations of a batch of which no later one is about the same key.
fn last_of_each(batch: &WriteBatch) -> Vec<WriteOp<'_>> {
    let mut operations: Vec<_> = batch.iter().collect();
    operations.reverse();
    // The sort is stable: of equal keys the last operation comes first, and is kept.
    operations.sort_by(|a, b| a.key().cmp(b.key()));
    operations.dedup_by(|a, b| a.key() == b.key());
    operations
}
