//! What the tree knows of itself.
//!
//! Records and bytes are not counted on the way of every write, where all threads would share the counters' cache line;
//! they are summed up from the leaves when somebody asks. Only changes of shape, which are rare, are counted as they occur.
//!
//! # Thread safety / Invariants
//! Leaves are read one after the other as a scan reads them, each under its version, so that nobody waits; branches under
//! the mutex of structure changes. The sums are exact when no write is under way; a leaf counts once also when writes send
//! the way back to it.

use super::BTree;
use super::link::Node;
use super::read::Visit;
use super::reshape::Structure;
use crate::engine::Stats;
use crate::memory::words::WORD_BYTES;
use crossbeam::epoch::{self, Guard};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Times that retired blocks are offered to the epoch, so that all are free if nobody else is pinned.
const EPOCHS: usize = 4;

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

    /// Two nodes shared their entries anew.
    pub(super) fn count_borrow(&self) {
        self.borrows.fetch_add(1, Relaxed);
    }
}

#[derive(Clone, Debug, Default)]
struct Totals {
    records: usize,
    live_bytes: usize,
    used_words: usize,
    leaf_words: usize,
    leaves: usize,
}

impl BTree {
    /// Sums the tree up. O(number of records).
    pub(super) fn figures(&self) -> Stats {
        self.free_retired();
        let guard = epoch::pin();
        let totals = self.leaf_totals(&guard);
        let structure = self.structure();
        let root = self.root.node(&guard);
        let height = root.page().level() + 1;
        let branches = branches(root, &structure);
        drop(structure);
        let counters = &self.counters;
        let details = [
            ("height", height as f64),
            ("leaves", totals.leaves as f64),
            ("branches", branches as f64),
            ("leaf_fill_ratio", totals.used_words as f64 / totals.leaf_words.max(1) as f64),
            ("node_bytes_mean", (totals.leaf_words * WORD_BYTES) as f64 / totals.leaves.max(1) as f64),
            ("splits", counters.splits.load(Relaxed) as f64),
            ("merges", counters.merges.load(Relaxed) as f64),
            ("borrows", counters.borrows.load(Relaxed) as f64),
        ];
        Stats {
            records: totals.records as u64,
            live_bytes: Some(totals.live_bytes as u64),
            memory_bytes: self.slab.held_bytes() + size_of::<Self>() as u64,
            details: details.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect(),
        }
    }

    /// Lets the slab have what was retired, unless somebody else stays pinned.
    pub(super) fn free_retired(&self) {
        for _ in 0..EPOCHS {
            self.slab.flush_retired(&epoch::pin());
        }
    }

    /// Waits until what was retired before is free, unless a thread stays pinned for very long.
    pub(super) fn reclaim(&self) {
        self.slab.reclaim();
    }

    fn leaf_totals(&self, guard: &Guard) -> Totals {
        let mut totals = Totals::default();
        // The greatest key counted.
        let mut last: Option<Vec<u8>> = None;
        let mut next: Option<Visit<'_>> = None;
        loop {
            // Without a neighbour to go on to, the way down leads to a leaf that was counted, where some records may be new.
            let is_counted = next.is_none() && totals.leaves > 0;
            let leaf = match (next.take(), &last) {
                (Some(leaf), _) => leaf,
                (None, Some(key)) => self.leaf_of(guard, key),
                (None, None) => self.leaf_by(guard, |_| 0),
            };
            let page = leaf.node.page();
            let from = last.as_ref().map_or(0, |key| page.locate(key).map_or_else(|at| at, |at| at + 1));
            let mut sum = totals.clone();
            sum.records += page.len().saturating_sub(from);
            sum.live_bytes += (from..page.len()).map(|index| page.live_bytes(index)).sum::<usize>();
            if !is_counted {
                sum.leaves += 1;
                sum.used_words += page.used_words();
                sum.leaf_words += page.capacity();
            }
            let greatest = page.len().checked_sub(1).map(|index| page.key(index));
            let neighbour = leaf.node.next();
            if !leaf.holds() {
                continue;
            }
            totals = sum;
            last = greatest.or(last);
            match neighbour {
                Some(node) => next = leaf.go_to_neighbour(node, true),
                None => return totals,
            }
        }
    }
}

fn branches(node: Node<'_>, structure: &Structure<'_>) -> usize {
    let page = node.page();
    match page.level() {
        0 => 0,
        1 => 1,
        _ => {
            let children = (0..page.len()).filter_map(|index| node.child_fixed(index, structure));
            1 + children.map(|child| branches(child, structure)).sum::<usize>()
        }
    }
}
