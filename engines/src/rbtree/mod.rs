//! `rbtree`: an ordered map as a red-black tree in an arena.
//!
//! Good at: any mix of operations without a bad case — O(log n) each, whatever the order of the keys; most look-ups and
//! updates take a shortcut to the node and wait for three cache misses. Bad at: inserts, deletes and looking for
//! what is not there, which walk: about one cache miss for each level below those that the caches hold (after a bulk
//! load or a compaction nodes lie in key order, and the last three levels of a walk within three lines). Batches
//! of look-ups and scans overlap their misses.
//!
//! Thread safety: readers take no latch and write nothing that others read; writers of values exclude each other record
//! by record; inserts and deletes take turns by a mutex. See `tree` for the protocol. A scan copies a chunk of records and visits
//! them under no latch.

mod arena;
mod balance;
mod build;
mod many;
mod node;
mod records;
mod scan;
mod shortcuts;
#[cfg(test)]
mod tests;
mod tree;
mod upkeep;
mod validate;
mod writer;

use crate::chunk::{Chunk, scan_in_chunks};
use crate::direct::{Direct, DirectSession};
use crate::engine::{
    Capabilities, Durability, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch,
};
use crate::entry::{Entry, Kind, OpenOptions, Storage, default_json, parse_options};
use crate::error::{Error, Result};
use crate::options::OptionDoc;
use build::Sorted;
use crossbeam::epoch;
use serde::{Deserialize, Serialize};
use tree::Tree;
use writer::{Edit, Full};

const NAME: &str = "rbtree";

const CAPABILITIES: Capabilities = Capabilities {
    batch_atomic_visibility: true,
    durability: Durability::ALL,
    ..Capabilities::IN_MEMORY_ORDERED
};

/// The registry's view of this engine.
pub static ENTRY: Entry = Entry {
    name: NAME,
    summary: "red-black tree in an arena: O(log n) for every operation, no bad case, readers without latches",
    kind: Kind::Own,
    storage: Storage::Memory,
    capabilities: CAPABILITIES,
    options: OPTIONS,
    open,
    default_options: default_json::<RbTreeOptions>,
};

fn open(options: &OpenOptions) -> Result<Box<dyn Engine>> {
    Ok(Box::new(RbTree::new(parse_options(NAME, &options.options)?)))
}

const OPTIONS: &[OptionDoc] = &[OptionDoc {
    name: "shortcuts",
    range: "true | false",
    default: "true",
    summary: "remember in 4 bytes a record, by the hash of the key, where look-ups ended, so that they need not walk again",
}];

/// Options of [`RbTree`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RbTreeOptions {
    /// Whether look-ups remember where they ended: 4 bytes a record for 3 cache misses instead of a walk from the root.
    pub shortcuts: bool,
}

impl Default for RbTreeOptions {
    fn default() -> Self {
        Self { shortcuts: true }
    }
}

/// An ordered in-memory engine: a red-black tree. See the module for what it is good at.
pub struct RbTree {
    tree: Tree,
}

impl std::fmt::Debug for RbTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RbTree").field("records", &self.tree.len()).finish_non_exhaustive()
    }
}

impl RbTree {
    /// An empty tree.
    pub fn new(options: RbTreeOptions) -> Self {
        let RbTreeOptions { shortcuts } = options;
        Self { tree: Tree::new(shortcuts) }
    }

    /// A writer's turn: what is done to the structure while nobody else changes it.
    fn edit<T>(&self, work: impl FnOnce(&mut Edit<'_>) -> T) -> T {
        let guard = &epoch::pin();
        let mut writer = self.tree.lock(guard);
        work(&mut Edit::new(&self.tree, &mut writer, guard))
    }

    /// What the width of the links cannot address.
    fn full(&self, _: Full) -> Error {
        let used_bytes = self.tree.memory_bytes();
        Error::Full { engine: NAME, used_bytes, limit_bytes: used_bytes }
    }
}

impl Direct for RbTree {
    #[inline]
    fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        CAPABILITIES.check_key(key)?;
        Ok(self.tree.get(key, value))
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        CAPABILITIES.check_record(key, value)?;
        self.tree.set(key, value).map_err(|full| self.full(full))
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        CAPABILITIES.check_record(key, value)?;
        Ok(self.tree.update(key, value))
    }

    fn delete(&self, key: &[u8]) -> Result<Existence> {
        CAPABILITIES.check_key(key)?;
        Ok(self.tree.remove(key).into())
    }

    fn batch(&self, batch: &WriteBatch) -> Result<()> {
        CAPABILITIES.check_batch(batch)?;
        self.tree.batch(batch).map_err(|full| self.full(full))
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        keys.iter().try_for_each(|key| CAPABILITIES.check_key(key))?;
        self.tree.get_many(keys, values);
        Ok(())
    }

    fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64> {
        scan_in_chunks(range, chunk, visit, |rest, chunk| {
            self.tree.fill(rest, chunk);
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
        let (black_height, rotations, moves_bytes) =
            self.edit(|edit| (edit.black_height(), edit.writer.rotations, edit.writer.moves.memory_bytes()));
        Stats {
            records: self.tree.len() as u64,
            live_bytes: Some(self.tree.live_bytes()),
            memory_bytes: self.tree.memory_bytes() + moves_bytes as u64,
            details: vec![
                ("black_height".to_owned(), black_height as f64),
                ("rotations".to_owned(), rotations as f64),
                ("free_nodes".to_owned(), self.tree.arena.counts().free as f64),
            ],
        }
    }

    /// Builds a balanced tree in one pass while the keys ascend and the tree is empty; from the first record that breaks
    /// this, one set after the other. The iterator runs under no latch.
    fn bulk_load(&self, records: &mut dyn Iterator<Item = (&[u8], &[u8])>) -> Result<u64> {
        let mut sorted = Sorted { tree: &self.tree, fresh: Vec::new(), bytes: 0 };
        let mut last: Vec<u8> = Vec::new();
        let mut refused = None;
        let mut unsorted = None;
        for (key, value) in &mut *records {
            if let Err(error) = CAPABILITIES.check_record(key, value) {
                refused = Some(error);
                break;
            }
            if !sorted.fresh.is_empty() && last.as_slice() >= key {
                unsorted = Some((key.to_vec(), value.to_vec()));
                break;
            }
            last.clear();
            last.extend_from_slice(key);
            sorted.push(key, value);
        }
        let mut loaded = sorted.insert().map_err(|full| self.full(full))?;
        if let Some(error) = refused {
            return Err(error);
        }
        if let Some((key, value)) = unsorted {
            self.set(&key, &value)?;
            loaded += 1;
        }
        for (key, value) in records {
            self.set(key, value)?;
            loaded += 1;
        }
        Ok(loaded)
    }

    /// Empties the sparse pages of records, and lays the nodes anew in key order, balanced. O(n), under the writers' mutex;
    /// readers go on.
    fn compact(&self) -> Result<()> {
        self.edit(|edit| edit.compact());
        // What was moved away from is free when every thread that was pinned meanwhile has gone on.
        self.tree.records.reclaim();
        self.edit(|edit| edit.flush_retired());
        self.tree.records.reclaim();
        Ok(())
    }

    fn validate(&self) -> Result<()> {
        let checked = self.edit(|edit| edit.validate());
        checked.map_err(|message| Error::InvariantBroken { engine: NAME, message })
    }
}
