//! Scans: records of a range copied into a chunk, leaf after leaf.
//!
//! There are no sibling links. A chunk is filled by a walk in order, forwards or backwards, from child to child of the
//! branches on the path: while a branch is latched shared, no child of it is split or merged, so the next child is
//! certainly the neighbour, in either direction. The next chunk starts with a new descent behind the last key.
//!
//! # Thread safety / Invariants
//! The path is latched shared while a chunk is filled (at most 1,024 records or 256 KiB), a leaf only while it is copied.
//! A key that is there all the time lies, at every moment, in the leaf that the separators name, so no walk misses it or
//! meets it twice. Writes to leaves not yet reached are seen, those to leaves left behind are not.

use super::branch::Branch;
use super::latch::Latch;
use super::leaf::Leaf;
use super::node::Node;
use crate::chunk::Chunk;
use crate::engine::ScanRange;
use std::ops::Bound;

/// Pushes the first records of a range, in scan order, until the chunk is full or the range exhausted.
pub(super) fn fill(root: &Latch<Node>, range: &ScanRange<'_>, chunk: &mut Chunk) {
    Fill { range, chunk, key: Vec::new() }.node(root);
}

struct Fill<'a, 'r> {
    range: &'a ScanRange<'r>,
    chunk: &'a mut Chunk,
    /// Where keys are put together.
    key: Vec<u8>,
}

impl Fill<'_, '_> {
    /// Whether to go on with the next node.
    fn node(&mut self, latch: &Latch<Node>) -> bool {
        match &*latch.shared() {
            Node::Leaf(leaf) => self.leaf(leaf),
            Node::Branch(branch) => self.branch(branch),
        }
    }

    fn branch(&mut self, branch: &Branch) -> bool {
        let first = match self.range.lower() {
            Bound::Included(key) | Bound::Excluded(key) => branch.index_of(key),
            Bound::Unbounded => 0,
        };
        let last = match self.range.upper() {
            Bound::Included(key) | Bound::Excluded(key) => branch.index_of(key),
            Bound::Unbounded => branch.len() - 1,
        };
        let mut children = first..=last;
        if self.range.reverse {
            children.rev().all(|index| self.node(branch.child(index)))
        } else {
            children.all(|index| self.node(branch.child(index)))
        }
    }

    fn leaf(&mut self, leaf: &Leaf) -> bool {
        let page = leaf.page();
        let from = match self.range.lower() {
            Bound::Included(key) => page.search(key).unwrap_or_else(|index| index),
            Bound::Excluded(key) => page.search(key).map_or_else(|index| index, |index| index + 1),
            Bound::Unbounded => 0,
        };
        let to = match self.range.upper() {
            Bound::Included(key) => page.search(key).map_or_else(|index| index, |index| index + 1),
            Bound::Excluded(key) => page.search(key).unwrap_or_else(|index| index),
            Bound::Unbounded => page.len(),
        };
        self.key.clear();
        self.key.extend_from_slice(page.prefix());
        let mut records = from..to;
        if self.range.reverse {
            records.rev().all(|index| self.record(leaf, index))
        } else {
            records.all(|index| self.record(leaf, index))
        }
    }

    fn record(&mut self, leaf: &Leaf, index: usize) -> bool {
        self.key.truncate(leaf.page().prefix().len());
        self.key.extend_from_slice(leaf.page().suffix(index));
        let value = if self.range.keys_only { &[][..] } else { leaf.value(index) };
        self.chunk.push(&self.key, value);
        !self.chunk.is_full()
    }
}
