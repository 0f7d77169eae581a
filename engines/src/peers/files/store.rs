//! What a store with files has to offer: the operations of its crate on bytes. [`super::peer::FilePeer`] makes an engine of it.

use crate::engine::{Capabilities, Durability, Existence, GetBuffer, ScanRange, Visitor, WriteBatch};
use crate::error::Result;
use crate::options::OptionDoc;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

/// A store of somebody else in a directory. Its drop closes it, after [`FileStore::finish`].
pub(super) trait FileStore: Sized + Send + Sync + 'static {
    /// Its name in the registry.
    const NAME: &'static str;
    /// One line for the registry.
    const SUMMARY: &'static str;
    /// What it can do.
    const CAPABILITIES: Capabilities;
    /// The documentation of its options.
    const OPTIONS: &'static [OptionDoc];
    /// Its options.
    type Options: DeserializeOwned + Serialize + Default;
    /// One thread's access.
    type Session<'a>: StoreSession
    where
        Self: 'a;

    /// Opens the store in a directory that is there, or makes a new one in it.
    fn open(directory: &Path, durability: Durability, options: &Self::Options) -> Result<Self>;

    /// A session for the calling thread.
    fn session(&self) -> Result<Self::Session<'_>>;

    /// Number of records: of the crate's own accounting, or counted.
    fn records(&self) -> Result<u64>;

    /// Figures that the crate has at hand, by name with the unit last.
    fn details(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// The crate's own check of its files, where it has one that a store in use can be put to.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// See [`crate::Engine::flush`].
    fn flush(&self) -> Result<()> {
        Ok(())
    }

    /// See [`crate::Engine::sync`].
    fn sync(&self) -> Result<()>;

    /// See [`crate::Engine::compact`].
    fn compact(&self) -> Result<()> {
        Ok(())
    }

    /// See [`crate::Engine::wait_idle`].
    fn wait_idle(&self, limit: Duration) -> Result<bool> {
        let _ = limit;
        Ok(true)
    }

    /// Brings everything to the files, whatever the class, before the store is dropped.
    fn finish(&self) -> Result<()> {
        self.sync()
    }
}

/// One thread's access to a store. Keys, values and batches have been checked against the limits before they get here, and a
/// range that is scanned is not empty.
pub(super) trait StoreSession {
    /// Shows the value of `key` to `see`; tells whether there is one.
    fn read(&mut self, key: &[u8], see: impl FnOnce(&[u8])) -> Result<bool>;

    /// Inserts or replaces.
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()>;

    /// Replaces the value if the key is there; tells whether it was.
    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool>;

    /// Removes.
    fn delete(&mut self, key: &[u8]) -> Result<Existence>;

    /// Applies the operations in order, all or none.
    fn batch(&mut self, batch: &WriteBatch) -> Result<()>;

    /// Reads many keys into a buffer that has been reset. Overridden where one transaction serves all of them.
    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        for (index, key) in keys.iter().enumerate() {
            self.read(key, |value| values.put(index, value))?;
        }
        Ok(())
    }

    /// Visits a range as [`crate::Session::scan`] says. The visitor may use the store.
    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64>;
}

/// A visitor with what a scan has to keep count of.
pub(super) struct Tour<'a, 'v> {
    visit: Visitor<'v>,
    range: &'a ScanRange<'a>,
    /// How many were visited.
    pub(super) visited: u64,
}

impl<'a, 'v> Tour<'a, 'v> {
    /// Nothing is visited yet.
    pub(super) fn new(range: &'a ScanRange<'a>, visit: Visitor<'v>) -> Self {
        Self { visit, range, visited: 0 }
    }

    /// Visits a record; tells whether to go on.
    #[inline]
    pub(super) fn show(&mut self, key: &[u8], value: &[u8]) -> bool {
        self.visited += 1;
        (self.visit)(key, if self.range.keys_only { &[] } else { value }) == ControlFlow::Continue(())
            && self.visited < self.range.limit as u64
    }
}
