//! `rbtree`: an ordered map as a red-black tree in an arena.
//!
//! Good at: any mix of operations without a bad case — O(log n) each, whatever the order of the keys. Bad at: cache
//! misses, about one a level, since nodes lie where they were allocated (after a bulk load or a compaction, in key order).
//!
//! Thread safety: one readers–writer latch around the whole tree. Readers run in parallel but all of them write the
//! latch's one cache line, so they do not scale with the cores as they could; writers exclude everybody. A finer
//! scheme comes with the performance work. A scan copies a chunk of records under the latch and visits them without it.

mod build;
mod cursor;
mod node;
mod remove;
#[cfg(test)]
mod tests;
mod tree;
mod validate;

use crate::chunk::{Chunk, scan_in_chunks};
use crate::direct::{Direct, DirectSession};
use crate::engine::{
    Capabilities, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch, WriteOp,
};
use crate::entry::{Entry, Kind, OpenOptions, default_json, parse_options};
use crate::error::{Error, Result};
use crate::record::Record;
use node::MAX_RECORDS;
use parking_lot::{RwLock, RwLockWriteGuard};
use serde::{Deserialize, Serialize};
use tree::Tree;

const NAME: &str = "rbtree";

const CAPABILITIES: Capabilities =
    Capabilities { batch_atomic_visibility: true, ..Capabilities::IN_MEMORY_ORDERED };

/// The registry's view of this engine.
pub static ENTRY: Entry = Entry {
    name: NAME,
    summary: "red-black tree in an arena: O(log n) for every operation, no bad case",
    kind: Kind::Own,
    capabilities: CAPABILITIES,
    options: &[],
    open,
    default_options: default_json::<RbTreeOptions>,
};

fn open(options: &OpenOptions) -> Result<Box<dyn Engine>> {
    Ok(Box::new(RbTree::new(parse_options(NAME, &options.options)?)))
}

/// Options of [`RbTree`]: a red-black tree has no knob.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RbTreeOptions {}

/// An ordered in-memory engine: a red-black tree. See the module for what it is good at.
#[derive(Debug)]
pub struct RbTree {
    tree: RwLock<Tree>,
}

impl RbTree {
    /// An empty tree.
    pub fn new(options: RbTreeOptions) -> Self {
        let RbTreeOptions {} = options;
        Self { tree: RwLock::new(Tree::new()) }
    }

    /// The tree for writing, with room for so many more records.
    fn write(&self, additional: usize) -> Result<RwLockWriteGuard<'_, Tree>> {
        let tree = self.tree.write();
        check_room(&tree, additional, MAX_RECORDS)?;
        Ok(tree)
    }
}

/// Refuses what the width of the links cannot address.
fn check_room(tree: &Tree, additional: usize, max_records: usize) -> Result<()> {
    if tree.tally.records + additional > max_records {
        let used_bytes = tree.memory_bytes() as u64;
        return Err(Error::Full { engine: NAME, used_bytes, limit_bytes: used_bytes });
    }
    Ok(())
}

impl Direct for RbTree {
    fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        CAPABILITIES.check_key(key)?;
        let tree = self.tree.read();
        let found = tree.get(key);
        value.extend_from_slice(found.unwrap_or_default());
        Ok(found.is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        CAPABILITIES.check_record(key, value)?;
        self.write(1)?.set(key, value);
        Ok(())
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        CAPABILITIES.check_record(key, value)?;
        Ok(self.tree.write().update(key, value))
    }

    fn delete(&self, key: &[u8]) -> Result<Existence> {
        CAPABILITIES.check_key(key)?;
        let removed = self.tree.write().remove(key);
        Ok(removed.is_some().into())
    }

    fn batch(&self, batch: &WriteBatch) -> Result<()> {
        CAPABILITIES.check_batch(batch)?;
        let mut tree = self.write(batch.len())?;
        for operation in batch.iter() {
            match operation {
                WriteOp::Set { key, value } => tree.set(key, value),
                WriteOp::Delete { key } => drop(tree.remove(key)),
            }
        }
        Ok(())
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        keys.iter().try_for_each(|key| CAPABILITIES.check_key(key))?;
        values.reset(keys.len());
        let tree = self.tree.read();
        for (index, key) in keys.iter().enumerate() {
            if let Some(value) = tree.get(key) {
                values.put(index, value);
            }
        }
        Ok(())
    }

    fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64> {
        scan_in_chunks(range, chunk, visit, |rest, chunk| {
            self.tree.read().fill(rest, chunk);
            Ok(())
        })
    }
}

impl Engine for RbTree {
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

    fn stats(&self) -> Stats {
        let tree = self.tree.read();
        Stats {
            records: tree.tally.records as u64,
            live_bytes: Some(tree.tally.live_bytes as u64),
            memory_bytes: tree.memory_bytes() as u64,
            details: vec![
                ("black_height".to_owned(), tree.black_height() as f64),
                ("rotations".to_owned(), tree.rotations as f64),
                ("free_nodes".to_owned(), tree.arena.free_len() as f64),
            ],
        }
    }

    /// Builds a balanced tree in one pass while the keys ascend and the tree is empty; from the first record that breaks
    /// this, one set after the other. The iterator runs under no latch.
    fn bulk_load(&self, records: &mut dyn Iterator<Item = (&[u8], &[u8])>) -> Result<u64> {
        let mut sorted: Vec<Record> = Vec::new();
        let mut refused = None;
        let mut unsorted = None;
        for (key, value) in &mut *records {
            if let Err(error) = CAPABILITIES.check_record(key, value) {
                refused = Some(error);
                break;
            }
            let record = Record::new(key, value);
            if sorted.last().is_some_and(|last| last.key() >= key) {
                unsorted = Some(record);
                break;
            }
            sorted.push(record);
        }
        let mut loaded = sorted.len() as u64;
        let mut tree = self.write(sorted.len())?;
        if tree.tally.records == 0 {
            tree.build(sorted);
        } else {
            sorted.iter().for_each(|record| tree.set(record.key(), record.value()));
        }
        drop(tree);
        if let Some(error) = refused {
            return Err(error);
        }
        if let Some(record) = unsorted {
            self.set(record.key(), record.value())?;
            loaded += 1;
        }
        for (key, value) in records {
            self.set(key, value)?;
            loaded += 1;
        }
        Ok(loaded)
    }

    /// Gives back the slack of replaced records and, if more than an eighth of the arena is unused, rebuilds the tree
    /// balanced and in key order. O(n) under the latch.
    fn compact(&self) -> Result<()> {
        self.tree.write().compact();
        Ok(())
    }

    fn validate(&self) -> Result<()> {
        let checked = self.tree.read().validate();
        checked.map_err(|message| Error::InvariantBroken { engine: NAME, message })
    }
}
