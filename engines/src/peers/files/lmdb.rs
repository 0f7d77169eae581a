//! `lmdb`: a copy-on-write B+ tree in a file that is mapped into memory, in C, by way of the crate `heed`.
//!
//! Each write is a transaction of its own. `sync` is the library's default: data by `fdatasync`, then the root by a write through a
//! descriptor opened with `O_DSYNC`. `buffered` and `none` are `MDB_NOSYNC`: pages are written to the file, or stored to the mapping with
//! `write_map`, and outlive the process; after a power cut the file may be damaged. The library has nothing that is faster.
//!
//! Keys have a byte before them, since the library takes no empty key; it takes 511 bytes at the most, so there are 510 left.
//!
//! Thread safety: the library's own. Writers take turns; readers look at the commit that was last when they began, under no latch, and are
//! not bound to their thread, so that a visitor may read while its scan does.

#![expect(unsafe_code, reason = "opening maps a file, which others must not change")]

use super::failure::Failure;
use super::peer::entry;
use super::prefixed::{Prefixed, bare};
use super::store::{FileStore, StoreSession, Tour};
use crate::engine::{
    Capabilities, Durability, Existence, GetBuffer, ScanRange, Visitor, WriteBatch, WriteOp,
};
use crate::entry::{Entry, invalid};
use crate::error::{Error, Result};
use crate::options::{ByteSize, OptionDoc};
use heed::types::Bytes;
use heed::{CommitOrAbort, Env, EnvFlags, EnvOpenOptions, MdbError, RoTxn, RwTxn, WithoutTls};
use serde::{Deserialize, Serialize};
use std::ops::Bound;
use std::path::Path;

pub(super) static ENTRY: Entry = entry::<Lmdb>();

type Database<'a> = heed::Database<'a, Bytes, Bytes>;

/// Reads at the same time.
const READERS: u32 = 1_024;

/// Options of `lmdb`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LmdbOptions {
    map_bytes: ByteSize,
    write_map: bool,
}

impl Default for LmdbOptions {
    fn default() -> Self {
        Self { map_bytes: ByteSize::mib(65_536), write_map: false }
    }
}

/// An environment with its one database that has no name.
pub(super) struct Lmdb {
    environment: Env<WithoutTls>,
}

impl FileStore for Lmdb {
    const NAME: &'static str = "lmdb";
    const SUMMARY: &'static str =
        "LMDB (heed): copy-on-write B+ tree in a mapped file, one writer, snapshots for readers";
    const CAPABILITIES: Capabilities = Capabilities {
        batch_atomic_visibility: true,
        scan_snapshot: true,
        max_key_bytes: 510,
        durability: Durability::ALL,
        ..Capabilities::IN_MEMORY_ORDERED
    };
    const OPTIONS: &'static [OptionDoc] = &[
        OptionDoc {
            name: "map_bytes",
            range: "a multiple of 64KiB",
            default: "\"64GiB\"",
            summary: "addresses that are reserved for the file, which cannot become larger; the system's file cache is the only one",
        },
        OptionDoc {
            name: "write_map",
            range: "true | false",
            default: "false",
            summary: "writes go to the mapping rather than through calls; the file has its full size at once, with holes",
        },
    ];
    type Options = LmdbOptions;
    type Session<'a> = LmdbSession<'a>;

    fn open(directory: &Path, durability: Durability, options: &LmdbOptions) -> Result<Self> {
        let map_bytes = usize::try_from(options.map_bytes.bytes()).unwrap_or(usize::MAX);
        if map_bytes == 0 || !map_bytes.is_multiple_of(64 << 10) {
            return Err(invalid(
                Self::NAME,
                &format!("map_bytes: {} is no multiple of 64KiB", options.map_bytes),
            ));
        }
        let mut flags = EnvFlags::empty();
        if options.write_map {
            flags |= EnvFlags::WRITE_MAP;
        }
        if durability != Durability::Sync {
            flags |= EnvFlags::NO_SYNC;
        }
        let mut opening = EnvOpenOptions::new().read_txn_without_tls();
        opening.map_size(map_bytes).max_readers(READERS);
        // SAFETY: neither flag lets the library do without its locks: `WRITE_MAP` exposes the mapping to wild writes, of which safe Rust
        // has none, and `NO_SYNC` concerns power cuts.
        unsafe { opening.flags(flags) };
        // SAFETY: the files are changed through the library only, which keeps other processes out of one another's way by its lock
        // file; this process cannot open them twice, `heed` refuses that.
        let opened = unsafe { opening.open(directory) };
        let environment = opened.map_err(|error| match error {
            heed::Error::EnvAlreadyOpened => Failure::InUse.at("open", directory),
            heed::Error::Io(source) => Failure::System(source).at("open", directory),
            heed::Error::Mdb(MdbError::Invalid | MdbError::Corrupted | MdbError::VersionMismatch) => {
                Failure::Damaged(error.to_string()).at("open", directory)
            }
            other => Failure::Other(other.to_string().into()).at("open", directory),
        })?;
        let store = Self { environment };
        store.create()?;
        Ok(store)
    }

    fn session(&self) -> Result<LmdbSession<'_>> {
        Ok(LmdbSession { store: self, database: self.database()?, key: Prefixed::default() })
    }

    fn records(&self) -> Result<u64> {
        let database = self.database()?;
        let reading = self.reading()?;
        database.len(&reading).map_err(|error| self.told("read", error))
    }

    fn details(&self) -> Vec<(String, f64)> {
        let file = self.environment.real_disk_size().unwrap_or_default();
        vec![
            ("file_bytes".to_owned(), file as f64),
            ("used_bytes".to_owned(), self.used_bytes() as f64),
            ("readers".to_owned(), f64::from(self.environment.info().number_of_readers)),
        ]
    }

    fn sync(&self) -> Result<()> {
        self.environment.force_sync().map_err(|error| self.told("sync", error))
    }
}

impl Lmdb {
    fn told(&self, operation: &'static str, error: heed::Error) -> Error {
        let failure = match error {
            heed::Error::Io(source) => Failure::System(source),
            heed::Error::Mdb(MdbError::MapFull) => Failure::Full {
                engine: Self::NAME,
                used_bytes: self.used_bytes(),
                limit_bytes: self.environment.info().map_size as u64,
            },
            heed::Error::Mdb(MdbError::Corrupted | MdbError::PageNotFound) => {
                Failure::Damaged(error.to_string())
            }
            other => Failure::Other(other.to_string().into()),
        };
        failure.at(operation, self.environment.path())
    }

    /// Pages up to the last one in use.
    fn used_bytes(&self) -> u64 {
        let page = self.environment.unnamed_database_stat().page_size;
        (self.environment.info().last_page_number as u64 + 1) * u64::from(page)
    }

    fn create(&self) -> Result<()> {
        let writing = self.writing()?;
        let created = self.environment.create_databases_and_commit(writing, |opener, writing| {
            opener.create_database::<Bytes, Bytes>(writing, None).map(CommitOrAbort::<_, ()>::Commit)
        });
        created.map(drop).map_err(|error| self.told("create a database in", error))
    }

    /// A handle costs a read transaction, so a session keeps one.
    fn database(&self) -> Result<Database<'_>> {
        let opened = self.environment.open_databases_and_commit(self.reading()?, |opener, reading| {
            opener.open_database::<Bytes, Bytes>(reading, None).map(CommitOrAbort::<_, ()>::Commit)
        });
        let opened = opened.map_err(|error| self.told("open a database in", error))?;
        opened.commit().flatten().ok_or_else(|| {
            Failure::Damaged("there is no database in it".to_owned()).at("open", self.environment.path())
        })
    }

    fn reading(&self) -> Result<RoTxn<'_, WithoutTls>> {
        self.environment.read_txn().map_err(|error| self.told("begin to read", error))
    }

    fn writing(&self) -> Result<RwTxn<'_>> {
        self.environment.write_txn().map_err(|error| self.told("begin to write", error))
    }
}

/// A handle of the database and a buffer for keys. Transactions begin with each operation: one that is kept would hold pages.
pub(super) struct LmdbSession<'a> {
    store: &'a Lmdb,
    database: Database<'a>,
    key: Prefixed,
}

impl LmdbSession<'_> {
    fn write(
        &mut self,
        change: impl FnOnce(&Database<'_>, &mut RwTxn<'_>, &mut Prefixed) -> heed::Result<bool>,
    ) -> Result<bool> {
        let mut writing = self.store.writing()?;
        let changed = change(&self.database, &mut writing, &mut self.key)
            .map_err(|error| self.store.told("write", error))?;
        if changed {
            writing.commit().map_err(|error| self.store.told("commit to", error))?;
        } else {
            writing.abort();
        }
        Ok(changed)
    }
}

impl StoreSession for LmdbSession<'_> {
    fn read(&mut self, key: &[u8], see: impl FnOnce(&[u8])) -> Result<bool> {
        let reading = self.store.reading()?;
        let found = self.database.get(&reading, self.key.of(key));
        Ok(found.map_err(|error| self.store.told("read", error))?.map(see).is_some())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let put = |database: &Database<'_>, writing: &mut RwTxn<'_>, buffer: &mut Prefixed| {
            database.put(writing, buffer.of(key), value).map(|()| true)
        };
        self.write(put).map(drop)
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        self.write(|database, writing, buffer| {
            let key = buffer.of(key);
            if database.get(writing, key)?.is_none() {
                return Ok(false);
            }
            database.put(writing, key, value).map(|()| true)
        })
    }

    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        self.write(|database, writing, buffer| database.delete(writing, buffer.of(key))).map(Existence::from)
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        let apply = |database: &Database<'_>, writing: &mut RwTxn<'_>, buffer: &mut Prefixed| {
            for operation in batch.iter() {
                match operation {
                    WriteOp::Set { key, value } => database.put(writing, buffer.of(key), value)?,
                    WriteOp::Delete { key } => _ = database.delete(writing, buffer.of(key))?,
                }
            }
            Ok(true)
        };
        self.write(apply).map(drop)
    }

    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        let reading = self.store.reading()?;
        for (index, key) in keys.iter().enumerate() {
            let found = self.database.get(&reading, self.key.of(key));
            if let Some(value) = found.map_err(|error| self.store.told("read", error))? {
                values.put(index, value);
            }
        }
        Ok(())
    }

    /// Records are visited where they lie in the mapping.
    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        let told = |error| self.store.told("read", error);
        let mut tour = Tour::new(range, visit);
        let reading = self.store.reading()?;
        let (lower, upper) = (Prefixed::bound(range.lower()), Prefixed::bound(range.upper()));
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) =
            (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
        let mut show = |record: heed::Result<(&[u8], &[u8])>| {
            let (key, value) = record.map_err(told)?;
            Ok(tour.show(bare(key), value))
        };
        if range.reverse {
            for record in self.database.rev_range(&reading, &bounds).map_err(told)? {
                if !show(record)? {
                    break;
                }
            }
        } else {
            for record in self.database.range(&reading, &bounds).map_err(told)? {
                if !show(record)? {
                    break;
                }
            }
        }
        Ok(tour.visited)
    }
}
