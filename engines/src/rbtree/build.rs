//! Building a balanced tree from sorted records: bulk load and compaction.

use super::node::{Arena, Link, NIL, Side};
use super::tree::Tree;
use crate::head::HeadMap;
use crate::record::Record;

impl Tree {
    /// Replaces everything by these records, which ascend strictly by key and number `MAX_RECORDS` at the most.
    /// The nodes lie in key order, so that a scan runs through memory. O(n) time.
    pub(super) fn build(&mut self, records: Vec<Record>) {
        let len = records.len();
        *self = Self { rotations: self.rotations, ..Self::new() };
        self.arena = Arena::with_capacity(len);
        if let [first, .., last] = records.as_slice() {
            self.heads = HeadMap::between(first.key(), last.key());
        }
        self.refocus_at = self.refocus_at.max(len * 2);
        for record in records {
            self.tally.add(&record);
            let head = self.heads.head(record.key());
            self.arena.take(head, record);
        }
        self.root = self.join(1, len as Link + 1, NIL, len.checked_ilog2().unwrap_or(0));
        let root = self.root;
        self.arena[root].set_red(false);
    }

    /// Links the nodes `start..end`, whose order in the arena is the order of their keys, to a subtree and returns
    /// its top. The middle goes to the top at each step, so that all levels but the lowest are full; `levels` counts
    /// down to 0 at the lowest, whose nodes alone are red.
    fn join(&mut self, start: Link, end: Link, parent: Link, levels: u32) -> Link {
        if start >= end {
            return NIL;
        }
        let middle = start + (end - start) / 2;
        let left = self.join(start, middle, middle, levels.saturating_sub(1));
        let right = self.join(middle + 1, end, middle, levels.saturating_sub(1));
        let node = &mut self.arena[middle];
        node.set_parent(parent);
        node.set_child(Side::Left, left);
        node.set_child(Side::Right, right);
        node.set_red(levels == 0);
        middle
    }

    /// Trims records, and rebuilds the tree in an arena of exactly its size if more than an eighth of the present one is
    /// unused. O(n).
    pub(super) fn compact(&mut self) {
        for node in self.arena.iter_mut() {
            if let Some(record) = &mut node.record {
                self.tally.trim(record);
            }
        }
        let used = self.tally.records + 1;
        if self.arena.capacity() <= used + used / 8 {
            return;
        }
        let mut records = Vec::with_capacity(self.tally.records);
        let mut at = self.end(Side::Left);
        while at != NIL {
            records.extend(self.arena[at].record.take());
            at = self.neighbour(at, Side::Right);
        }
        self.build(records);
    }
}
