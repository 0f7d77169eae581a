//! What the tree knows of itself.
//!
//! Records and bytes are not counted on the way of every write, where all threads would share the counters' cache line;
//! they are summed up from the pages when somebody asks. Only changes of shape, which are rare, are counted as they occur.
//!
//! # Thread safety / Invariants
//! The sum is made one bottom branch after the other, each with a descent of its own, so that no latch is held for
//! long. It is exact when no write is under way. A node is counted when its lower bound is the key that the descent
//! started for, which is true for exactly one descent.

use super::branch::Branch;
use super::latch::Latch;
use super::node::Node;
use crate::engine::Stats;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts of changes of shape.
#[derive(Debug, Default)]
pub(super) struct Counters {
    splits: AtomicU64,
    merges: AtomicU64,
    borrows: AtomicU64,
}

impl Counters {
    /// A node was split.
    pub(super) fn count_split(&self) {
        self.splits.fetch_add(1, Relaxed);
    }

    /// Two nodes were merged.
    pub(super) fn count_merge(&self) {
        self.merges.fetch_add(1, Relaxed);
    }

    /// A node took entries of its neighbour.
    pub(super) fn count_borrow(&self) {
        self.borrows.fetch_add(1, Relaxed);
    }
}

#[derive(Default)]
struct Totals {
    records: usize,
    live_bytes: usize,
    memory_bytes: usize,
    leaf_used_bytes: usize,
    leaf_page_bytes: usize,
    leaves: usize,
    branches: usize,
}

impl Totals {
    fn add(&mut self, node: &Node) {
        self.memory_bytes += node.memory_bytes();
        match node {
            Node::Leaf(leaf) => {
                self.leaves += 1;
                self.records += leaf.len();
                self.live_bytes += leaf.live_bytes();
                self.leaf_used_bytes += leaf.page().used();
                self.leaf_page_bytes += leaf.page().capacity();
            }
            Node::Branch(_) => self.branches += 1,
        }
    }
}

/// Sums the tree up. O(number of nodes).
pub(super) fn collect(root: &Latch<Node>, counters: &Counters) -> Stats {
    let mut totals = Totals::default();
    let mut from = Vec::new();
    let height = loop {
        let mut upper = None;
        let root = root.shared();
        let height = usize::from(root.level()) + 1;
        Walk { from: &from, totals: &mut totals, upper: &mut upper }.node(&root, &[]);
        drop(root);
        match upper {
            Some(next) => from = next,
            None => break height,
        }
    };
    let fill = totals.leaf_used_bytes as f64 / totals.leaf_page_bytes.max(1) as f64;
    let details = [
        ("height", height as f64),
        ("leaves", totals.leaves as f64),
        ("branches", totals.branches as f64),
        ("leaf_fill_ratio", fill),
        ("splits", counters.splits.load(Relaxed) as f64),
        ("merges", counters.merges.load(Relaxed) as f64),
        ("borrows", counters.borrows.load(Relaxed) as f64),
    ];
    Stats {
        records: totals.records as u64,
        live_bytes: Some(totals.live_bytes as u64),
        memory_bytes: totals.memory_bytes as u64,
        details: details.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect(),
    }
}

struct Walk<'a> {
    from: &'a [u8],
    totals: &'a mut Totals,
    /// The least key behind the bottom branch; where the next walk starts.
    upper: &'a mut Option<Vec<u8>>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node, lower: &[u8]) {
        if lower == self.from {
            self.totals.add(node);
        }
        if let Node::Branch(branch) = node {
            self.children(branch, lower);
        }
    }

    fn children(&mut self, branch: &Branch, lower: &[u8]) {
        let index = branch.index_of(self.from);
        if branch.level() == 1 {
            for index in index..branch.len() {
                self.totals.add(&branch.child(index).shared());
            }
            return;
        }
        if index + 1 < branch.len() {
            branch.copy_separator(index, self.upper.get_or_insert_default());
        }
        let child = branch.child(index).shared();
        match index.checked_sub(1) {
            Some(left) => self.node(&child, &branch.separator(left)),
            None => self.node(&child, lower),
        }
    }
}
