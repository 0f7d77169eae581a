//! Engine `btree`: a concurrent B+tree whose readers write nothing shared.
//!
//! Records lie in leaves, sorted by key and linked both ways; branches lead to them. Nodes are byte-sized slotted pages with
//! truncated prefixes and integer heads (`page`), in blocks on huge pages. Readers take no latch, but check versions
//! (`read`, `scan`); writers latch their leaf alone (`write`); splits, merges and redistributions, at every level, are made by
//! one thread at a time (`reshape`); nodes are freed when no reader can look at them any more (`link`).
//!
//! Costs: a point operation is a search among integers at each level and about two dependent cache misses beyond the branches:
//! the front of the leaf, and the record. A scan is one descent, and then copies.
//!
//! # Thread safety / Invariants
//! The protocol stands in `read`, `write`, `scan` and `reshape`; what makes addresses valid in `link`; the limits of
//! nodes in `limits`. A point operation takes effect while its leaf's version holds.

mod batch;
mod buffer;
mod bulk;
mod items;
mod limits;
mod link;
mod options;
mod page;
mod read;
mod reshape;
mod scan;
mod session;
mod stats;
mod transfer;
mod validate;
mod write;

#[cfg(test)]
mod tests;

pub use options::BTreeOptions;

use crate::chunk::Chunk;
use crate::direct::Direct;
use crate::engine::{
    Capabilities, Durability, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch,
};
use crate::entry::{Entry, Kind, Storage, default_json, parse_options};
use crate::error::{Error, Result};
use crate::memory::slab::Slab;
use buffer::Buffer;
use bulk::Builder;
use crossbeam::epoch;
use items::Items;
use limits::Limits;
use link::Root;
use parking_lot::Mutex;
use stats::Counters;
use std::sync::Arc;
use write::Write;

const NAME: &str = "btree";
const CAPABILITIES: Capabilities =
    Capabilities { durability: Durability::ALL, ..Capabilities::IN_MEMORY_ORDERED };

/// The engine as the registry knows it.
pub static ENTRY: Entry = Entry {
    name: NAME,
    summary: "B+tree with optimistic latches and keys inline; ordered, fast at reads, writes and scans",
    kind: Kind::Own,
    storage: Storage::Memory,
    capabilities: CAPABILITIES,
    options: options::OPTIONS,
    open: |open| Ok(Box::new(BTree::new(&parse_options(NAME, &open.options)?)?)),
    default_options: default_json::<BTreeOptions>,
};

/// A concurrent B+tree. The operations are those of [`Direct`].
#[derive(Debug)]
pub struct BTree {
    root: Root,
    limits: Limits,
    slab: Arc<Slab>,
    /// Held by whoever changes branches, links or the root.
    shape: Mutex<()>,
    counters: Counters,
}

impl BTree {
    /// An empty tree.
    ///
    /// # Errors
    /// [`Error::InvalidOption`].
    pub fn new(options: &BTreeOptions) -> Result<Self> {
        let limits = options.limits()?;
        let slab = Slab::new();
        let root = Root::new(Items::default().node(0, 0..0, &limits, &slab, &epoch::pin()));
        Ok(Self { root, limits, slab, shape: Mutex::new(()), counters: Counters::default() })
    }

    fn is_empty(&self) -> bool {
        let guard = epoch::pin();
        let page = self.root.node(&guard).page();
        page.level() == 0 && page.len() == 0
    }
}

impl Direct for BTree {
    #[inline]
    fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        CAPABILITIES.check_key(key)?;
        Ok(self.read(&epoch::pin(), key, value))
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        CAPABILITIES.check_record(key, value)?;
        self.write(&epoch::pin(), &Write::set(key, value));
        Ok(())
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        CAPABILITIES.check_record(key, value)?;
        Ok(self.write(&epoch::pin(), &Write::update(key, value)))
    }

    fn delete(&self, key: &[u8]) -> Result<Existence> {
        CAPABILITIES.check_key(key)?;
        Ok(self.write(&epoch::pin(), &Write::delete(key)).into())
    }

    fn batch(&self, batch: &WriteBatch) -> Result<()> {
        CAPABILITIES.check_batch(batch)?;
        batch::apply(self, &epoch::pin(), batch);
        Ok(())
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        values.reset(keys.len());
        keys.iter().try_for_each(|key| CAPABILITIES.check_key(key))?;
        self.read_many(&epoch::pin(), keys, values);
        Ok(())
    }

    /// A session's own scan reuses its buffer; this one makes one each time and leaves `_chunk` alone.
    fn scan(&self, range: &ScanRange<'_>, _chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64> {
        Ok(self.scan_range(range, &mut Buffer::default(), visit))
    }
}

impl Engine for BTree {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(session::BTreeSession::new(self)))
    }

    fn for_each(&self, visit: Visitor<'_>) -> Result<()> {
        self.scan_range(&ScanRange::all(), &mut Buffer::default(), visit);
        Ok(())
    }

    /// O(number of records).
    fn stats(&self) -> Stats {
        self.figures()
    }

    /// Builds the tree from the leaves up, each node as full as it can be. What is not in ascending order, or comes into a
    /// tree that is not empty, is set record by record.
    fn bulk_load(&self, records: &mut dyn Iterator<Item = (&[u8], &[u8])>) -> Result<u64> {
        let mut builder = self.is_empty().then(|| Builder::new(self));
        let mut loaded = 0;
        for (key, value) in records {
            if let Err(error) = CAPABILITIES.check_record(key, value) {
                builder.into_iter().for_each(Builder::finish);
                return Err(error);
            }
            if let Some(unfinished) = builder.take_if(|builder| !builder.is_ascending(key)) {
                unfinished.finish();
            }
            match &mut builder {
                Some(builder) => builder.push(key, value),
                None => self.set(key, value)?,
            }
            loaded += 1;
        }
        builder.into_iter().for_each(Builder::finish);
        Ok(loaded)
    }

    fn compact(&self) -> Result<()> {
        self.reclaim();
        Ok(())
    }

    fn validate(&self) -> Result<()> {
        validate::check(self).map_err(|message| Error::InvariantBroken { engine: NAME, message })
    }
}
