//! The memtable as an engine.

use super::NAME;
use super::options::{MemtableOptions, OPTIONS};
use super::table::{CAPABILITIES, Memtable};
use crate::chunk::Chunk;
use crate::direct::{Direct, DirectSession};
use crate::engine::{
    Capabilities, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch,
};
use crate::entry::{Entry, Kind, Storage, default_json, parse_options};
use crate::error::Result;

/// The registry's entry of [`Memtable`].
pub static ENTRY: Entry = Entry {
    name: NAME,
    summary: "lock-free B+tree of versions with sequence numbers and read views: scans see one point in time",
    kind: Kind::Own,
    storage: Storage::Memory,
    capabilities: CAPABILITIES,
    options: OPTIONS,
    open: |options| Ok(Box::new(Memtable::new(parse_options(NAME, &options.options)?))),
    default_options: default_json::<MemtableOptions>,
};

impl Direct for Memtable {
    fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        Self::get(self, key, value)
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        Self::set(self, key, value)
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        Self::update(self, key, value)
    }

    fn delete(&self, key: &[u8]) -> Result<Existence> {
        Self::delete(self, key)
    }

    fn batch(&self, batch: &WriteBatch) -> Result<()> {
        Self::batch(self, batch)
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        Self::get_many(self, keys, values)
    }

    fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64> {
        Self::scan(self, range, chunk, visit)
    }
}

impl Engine for Memtable {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(DirectSession::new(self)))
    }

    fn for_each(&self, visit: Visitor<'_>) -> Result<()> {
        Self::scan(self, &ScanRange::all(), &mut Chunk::new(), visit).map(|_| ())
    }

    fn stats(&self) -> Stats {
        Self::stats(self)
    }

    fn compact(&self) -> Result<()> {
        Self::compact(self);
        Ok(())
    }

    fn validate(&self) -> Result<()> {
        Self::validate(self)
    }
}
