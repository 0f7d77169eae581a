//! The engine around a [`FileStore`]: options, directory, checks of limits, sessions, figures. Compiled for each store, so that nothing
//! stands between a session and the crate but the checks of the lengths.

use super::store::{FileStore, StoreSession};
use crate::engine::{
    Capabilities, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch,
};
use crate::entry::{Entry, Kind, OpenOptions, Storage, default_json, parse_options};
use crate::env::{FileSystem, OsFileSystem};
use crate::error::{Error, Result};
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::time::Duration;

/// A bulk load is a sequence of batches of so many records, or so many bytes, whatever is reached first.
const LOAD_RECORDS: usize = 10_000;
const LOAD_BYTES: usize = 4 << 20;

/// A store of somebody else as an engine.
pub(super) struct FilePeer<S: FileStore> {
    store: S,
    finished: bool,
}

/// The registry's view of a store.
pub(super) const fn entry<S: FileStore>() -> Entry {
    Entry {
        name: S::NAME,
        summary: S::SUMMARY,
        kind: Kind::Peer,
        storage: Storage::Files,
        capabilities: S::CAPABILITIES,
        options: S::OPTIONS,
        open: open::<S>,
        default_options: default_json::<S::Options>,
    }
}

fn open<S: FileStore>(options: &OpenOptions) -> Result<Box<dyn Engine>> {
    let own: S::Options = parse_options(S::NAME, &options.options)?;
    let missing = Error::NoDirectory { engine: S::NAME, asked: options.durability };
    let directory = options.directory.as_deref().ok_or(missing)?;
    match OsFileSystem.create_directory(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(Error::io("create", directory)(error));
        }
        _ => {}
    }
    let store = S::open(directory, options.durability, &own)?;
    Ok(Box::new(FilePeer { store, finished: false }))
}

impl<S: FileStore> Engine for FilePeer<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn capabilities(&self) -> Capabilities {
        S::CAPABILITIES
    }

    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(FileSession::<S>(self.store.session()?)))
    }

    fn for_each(&self, visit: Visitor<'_>) -> Result<()> {
        self.store.session()?.scan(&ScanRange::all(), visit).map(drop)
    }

    /// No memory is counted: what the crates hold is bounded by their options, and few of them tell. O(n) where the crate has no
    /// count of its records. What cannot be read is told as 0.
    fn stats(&self) -> Stats {
        Stats {
            records: self.store.records().unwrap_or_default(),
            live_bytes: None,
            memory_bytes: 0,
            details: self.store.details(),
        }
    }

    /// In batches, so that a transaction and its sync are paid for once in many records.
    fn bulk_load(&self, records: &mut dyn Iterator<Item = (&[u8], &[u8])>) -> Result<u64> {
        let mut session = self.store.session()?;
        let mut batch = WriteBatch::new();
        let mut loaded = 0;
        for (key, value) in records {
            let refused = S::CAPABILITIES.check_record(key, value);
            if refused.is_err() || batch.len() >= LOAD_RECORDS || batch.bytes() >= LOAD_BYTES {
                session.batch(&batch)?;
                loaded += batch.len() as u64;
                batch.clear();
            }
            refused?;
            batch.set(key, value);
        }
        session.batch(&batch)?;
        Ok(loaded + batch.len() as u64)
    }

    fn flush(&self) -> Result<()> {
        self.store.flush()
    }

    fn sync(&self) -> Result<()> {
        self.store.sync()
    }

    fn compact(&self) -> Result<()> {
        self.store.compact()
    }

    fn wait_idle(&self, limit: Duration) -> Result<bool> {
        self.store.wait_idle(limit)
    }

    /// The crate's own check, then whether each record that is visited is found by its key, and in order.
    fn validate(&self) -> Result<()> {
        self.store.check()?;
        let mut reader = self.store.session()?;
        let mut last: Option<Vec<u8>> = None;
        let mut outcome = Ok(());
        self.for_each(&mut |key, value| {
            let mut same = false;
            let found = reader.read(key, |found| same = found == value);
            let broken = |message| Err(Error::InvariantBroken { engine: S::NAME, message });
            outcome = match found {
                Err(error) => Err(error),
                Ok(_) if !same => {
                    broken(format!("the look-up of {} finds another value or none", key.escape_ascii()))
                }
                Ok(_) if last.as_deref().is_some_and(|last| last >= key) => {
                    broken(format!("{} is visited out of order", key.escape_ascii()))
                }
                Ok(_) => Ok(()),
            };
            let last = last.get_or_insert_default();
            last.clear();
            last.extend_from_slice(key);
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.finished = true;
        self.store.finish()
    }
}

impl<S: FileStore> Drop for FilePeer<S> {
    fn drop(&mut self) {
        if !self.finished {
            // Whoever wants to know calls `close`.
            let _ = self.store.finish();
        }
    }
}

/// A session that checks lengths and passes on.
struct FileSession<'a, S: FileStore>(S::Session<'a>);

impl<S: FileStore> Session for FileSession<'_, S> {
    fn get(&mut self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        S::CAPABILITIES.check_key(key)?;
        self.0.read(key, |found| value.extend_from_slice(found))
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        S::CAPABILITIES.check_record(key, value)?;
        self.0.set(key, value)
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        S::CAPABILITIES.check_record(key, value)?;
        self.0.update(key, value)
    }

    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        S::CAPABILITIES.check_key(key)?;
        self.0.delete(key)
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        S::CAPABILITIES.check_batch(batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        self.0.batch(batch)
    }

    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        values.reset(keys.len());
        keys.iter().try_for_each(|key| S::CAPABILITIES.check_key(key))?;
        self.0.get_many(keys, values)
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        if range.is_empty() {
            return Ok(0);
        }
        self.0.scan(range, visit)
    }
}
