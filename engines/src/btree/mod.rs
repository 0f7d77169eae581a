//! Engine `btree`: a concurrent B+tree.
//!
//! Records lie in leaves, sorted by key; branches lead to them. Nodes are byte-sized slotted pages with truncated
//! prefixes and integer heads (`page`), split when they are too full (`split`) and joined with a neighbour when they are too
//! empty (`join`), at every level. There is no latch around the tree, but one for each node (`latch`).
//!
//! Costs: point operations O(log n) comparisons, mostly of integers; a scan one descent for each chunk.
//!
//! # Thread safety / Invariants
//! The protocol of latches stands in `latch`, `read`, `write` and `scan`; the limits of nodes in `limits`. A point
//! operation takes effect while it holds its leaf's latch.

mod batch;
mod branch;
mod bulk;
mod join;
mod latch;
mod leaf;
mod limits;
mod node;
mod options;
mod page;
mod read;
mod records;
mod reshape;
mod scan;
mod split;
mod stats;
mod validate;
mod write;

#[cfg(test)]
mod tests;

pub use options::BTreeOptions;

use crate::chunk::{Chunk, scan_in_chunks};
use crate::direct::{Direct, DirectSession};
use crate::engine::{
    Capabilities, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch,
};
use crate::entry::{Entry, Kind, default_json, parse_options};
use crate::error::{Error, Result};
use bulk::Builder;
use latch::Latch;
use leaf::Leaf;
use limits::Limits;
use node::Node;
use stats::Counters;
use std::ops::ControlFlow;
use write::{Write, Writer};

const NAME: &str = "btree";
const CAPABILITIES: Capabilities = Capabilities::IN_MEMORY_ORDERED;

/// The engine as the registry knows it.
pub static ENTRY: Entry = Entry {
    name: NAME,
    summary: "B+tree with slotted pages and a latch for each node; ordered, even at reads, writes and scans",
    kind: Kind::Own,
    capabilities: CAPABILITIES,
    options: options::OPTIONS,
    open: |open| Ok(Box::new(BTree::new(&parse_options(NAME, &open.options)?)?)),
    default_options: default_json::<BTreeOptions>,
};

/// A concurrent B+tree. The operations are those of [`Direct`].
#[derive(Debug)]
pub struct BTree {
    root: Latch<Node>,
    limits: Limits,
    counters: Counters,
}

impl BTree {
    /// An empty tree.
    ///
    /// # Errors
    /// [`Error::InvalidOption`].
    pub fn new(options: &BTreeOptions) -> Result<Self> {
        let limits = options.limits()?;
        let root = Latch::new(Node::Leaf(Leaf::new(&limits)));
        Ok(Self { root, limits, counters: Counters::default() })
    }

    fn writer(&self) -> Writer<'_> {
        Writer { root: &self.root, limits: &self.limits, counters: &self.counters }
    }

    fn is_empty(&self) -> bool {
        matches!(&*self.root.shared(), Node::Leaf(leaf) if leaf.len() == 0)
    }

    /// Puts a built tree in place of the empty one, or, if that is not empty any more, its records into it.
    fn install(&self, builder: Builder<'_>) -> Result<()> {
        let Some(built) = builder.finish() else { return Ok(()) };
        let built = {
            let mut root = self.root.exclusive();
            match &*root {
                Node::Leaf(leaf) if leaf.len() == 0 => {
                    *root = built;
                    return Ok(());
                }
                _ => Latch::new(built),
            }
        };
        let fill = |rest: &ScanRange<'_>, chunk: &mut Chunk| {
            scan::fill(&built, rest, chunk);
            Ok(())
        };
        let mut set = |key: &[u8], value: &[u8]| {
            self.writer().write(&Write::set(key, value));
            ControlFlow::Continue(())
        };
        scan_in_chunks(&ScanRange::all(), &mut Chunk::new(), &mut set, fill).map(drop)
    }
}

impl Direct for BTree {
    #[inline]
    fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        CAPABILITIES.check_key(key)?;
        Ok(read::with_leaf(&self.root, key, |leaf| {
            let found = leaf.get(key);
            value.extend_from_slice(found.unwrap_or_default());
            found.is_some()
        }))
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        CAPABILITIES.check_record(key, value)?;
        self.writer().write(&Write::set(key, value));
        Ok(())
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        CAPABILITIES.check_record(key, value)?;
        Ok(self.writer().write(&Write::update(key, value)))
    }

    fn delete(&self, key: &[u8]) -> Result<Existence> {
        CAPABILITIES.check_key(key)?;
        Ok(self.writer().write(&Write::delete(key)).into())
    }

    fn batch(&self, batch: &WriteBatch) -> Result<()> {
        CAPABILITIES.check_batch(batch)?;
        batch::apply(&self.writer(), batch);
        Ok(())
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        values.reset(keys.len());
        keys.iter().try_for_each(|key| CAPABILITIES.check_key(key))?;
        for (index, key) in keys.iter().enumerate() {
            read::with_leaf(&self.root, key, |leaf| {
                if let Some(value) = leaf.get(key) {
                    values.put(index, value);
                }
            });
        }
        Ok(())
    }

    fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64> {
        scan_in_chunks(range, chunk, visit, |rest, chunk| {
            scan::fill(&self.root, rest, chunk);
            Ok(())
        })
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
        Ok(Box::new(DirectSession::new(self)))
    }

    fn for_each(&self, visit: Visitor<'_>) -> Result<()> {
        self.scan(&ScanRange::all(), &mut Chunk::new(), visit).map(drop)
    }

    /// O(number of leaves).
    fn stats(&self) -> Stats {
        stats::collect(&self.root, &self.counters)
    }

    /// Builds the tree from the leaves up, each node as full as it can be. What is not in ascending order, or comes into a
    /// tree that is not empty, is set record by record.
    fn bulk_load(&self, records: &mut dyn Iterator<Item = (&[u8], &[u8])>) -> Result<u64> {
        let mut builder = self.is_empty().then(|| Builder::new(&self.limits));
        let mut loaded = 0;
        for (key, value) in records {
            if let Err(error) = CAPABILITIES.check_record(key, value) {
                builder.map_or(Ok(()), |builder| self.install(builder))?;
                return Err(error);
            }
            if let Some(unfinished) = builder.take_if(|builder| !builder.is_ascending(key)) {
                self.install(unfinished)?;
            }
            match &mut builder {
                Some(builder) => builder.push(key, value),
                None => self.set(key, value)?,
            }
            loaded += 1;
        }
        builder.map_or(Ok(()), |builder| self.install(builder))?;
        Ok(loaded)
    }

    fn validate(&self) -> Result<()> {
        validate::check(&self.root, &self.limits)
            .map_err(|message| Error::InvariantBroken { engine: NAME, message })
    }
}
