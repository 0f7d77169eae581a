//! Building a balanced tree from sorted records: bulk load and compaction.
//!
//! The nodes lie in key order, so that a scan runs through memory, and the last three levels of a walk lie within three
//! lines: a node of those and all below it are neighbours.
//!
//! Thread safety: under the writers' mutex. The new nodes are built beside the old ones, which readers go on using, and
//! exchanged under the latch of the structure.

use super::arena::{Arena, MOST_NODES, View};
use super::node::{Edge, NIL, ROOT};
use super::records::{Fresh, Records};
use super::tree::Tree;
use super::writer::{Edit, Full};
use crate::head::HeadMap;
use crate::memory::prefetch;
use crate::memory::slab::Block;
use crossbeam::epoch;
use std::sync::atomic::Ordering;

/// Records whose keys are asked for ahead of the one whose head is made.
const AHEAD: usize = 16;

/// Sorted records on their way into the tree; what does not get there is given back.
pub(super) struct Sorted<'t> {
    pub(super) tree: &'t Tree,
    pub(super) fresh: Vec<Fresh>,
    pub(super) bytes: usize,
}

impl Sorted<'_> {
    /// Adds a record whose key is above all before.
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) {
        self.fresh.push(self.tree.records.create(key, value));
        self.bytes += key.len() + value.len();
    }

    /// Puts all records into the tree, at once if it is empty. Returns how many.
    pub(super) fn insert(mut self) -> Result<u64, Full> {
        let guard = &epoch::pin();
        let loaded = self.fresh.len();
        let mut writer = self.tree.lock(guard);
        if self.tree.len() + loaded > MOST_NODES {
            return Err(Full);
        }
        let mut edit = Edit::new(self.tree, &mut writer, guard);
        let fresh = std::mem::take(&mut self.fresh);
        if self.tree.len() == 0 {
            let blocks: Vec<_> = fresh.iter().map(|fresh| fresh.block).collect();
            edit.build(&blocks);
            self.tree.len.store(loaded, Ordering::Relaxed);
            self.tree.count_bytes(self.bytes, 0);
            return Ok(loaded as u64);
        }
        for fresh in fresh {
            let (mut key, mut value) = (Vec::new(), Vec::new());
            if let Some(record) = Records::at(fresh.block.address(), guard) {
                record.append_key(&mut key);
                Records::append_value(fresh.block.address(), guard, &mut value);
            }
            edit.put(&key, &value, Some(fresh))?;
            edit.upkeep();
            edit.unlatch();
        }
        Ok(loaded as u64)
    }
}

impl Drop for Sorted<'_> {
    fn drop(&mut self) {
        if !self.fresh.is_empty() {
            let guard = &epoch::pin();
            self.fresh.drain(..).for_each(|fresh| self.tree.records.discard(fresh, guard));
        }
    }
}

impl Edit<'_> {
    /// Puts new nodes for these records, which ascend strictly by key, in the place of all nodes there are. O(n).
    pub(super) fn build(&mut self, records: &[Block]) {
        let mut ends = [Vec::new(), Vec::new()];
        for (block, key) in [records.first(), records.last()].into_iter().zip(&mut ends) {
            if let Some(record) = block.and_then(|block| Records::at(block.address(), self.guard)) {
                record.append_key(key);
            }
        }
        let [first, last] = &ends;
        let heads = HeadMap::between(first, last);
        let prepared = self.tree.arena.prepare(records.len(), heads);
        fill(&prepared.view(), records, self);
        self.latch();
        self.tree.arena.exchange(prepared, self.guard);
        self.view = self.tree.arena.view(self.guard);
        self.forget_nodes();
        self.unlatch();
        self.writer.refocus_at = self.writer.refocus_at.max(records.len() * 2);
    }

    /// Moves records from sparse pages, and puts all nodes into key order. O(n).
    pub(super) fn compact(&mut self) {
        self.tree.records.retry_stuck_pages();
        self.upkeep_all();
        let blocks: Vec<_> = self
            .in_order()
            .into_iter()
            .filter_map(|link| self.node(link))
            .filter_map(|node| Block::at(node.address()))
            .collect();
        self.build(&blocks);
        self.tree.records.flush(self.guard);
    }
}

fn fill(view: &View<'_>, records: &[Block], edit: &Edit<'_>) {
    let mut key = Vec::new();
    for (n, block) in records.iter().enumerate() {
        if let Some(ahead) = records.get(n + AHEAD) {
            prefetch::line(ahead.as_ptr());
        }
        key.clear();
        if let Some(record) = Records::at(block.address(), edit.guard) {
            record.append_key(&mut key);
        }
        if let Some(node) = view.node(Arena::nth(n)) {
            node.fill(view.heads().head(&key), *block);
        }
    }
    let levels = records.len().checked_ilog2().unwrap_or(0);
    let root = join(view, 0, records.len(), levels);
    if let Some(sentinel) = view.node(NIL) {
        sentinel.set_edge(ROOT.side, root.coloured(false));
    }
}

/// Links the nodes `start..end`, whose order in the arena is the order of their keys, to a subtree and returns the edge to
/// its top. The middle goes to the top at each step, so that all levels but the lowest are full; `levels` counts
/// down to 0 at the lowest, whose nodes alone are red.
fn join(view: &View<'_>, start: usize, end: usize, levels: u32) -> Edge {
    if start >= end {
        return Edge::NIL;
    }
    let middle = start + (end - start) / 2;
    let left = join(view, start, middle, levels.saturating_sub(1));
    let right = join(view, middle + 1, end, levels.saturating_sub(1));
    let link = Arena::nth(middle);
    if let Some(node) = view.node(link) {
        node.set_edges(left, right);
    }
    Edge::new(link, levels == 0)
}
