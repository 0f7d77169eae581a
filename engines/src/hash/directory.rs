//! The way from a hash to a segment: a trie of nodes with 64 entries, so that growth never copies more than one of them.
//!
//! A shard's first node lies in the shard. An entry leads to a segment or to a further node, which consumes the next six
//! bits of the path. A segment of depth *d* has 2^(6 − *d*) neighbouring entries of its node, aligned to their number, because
//! its keys share *d* of the six bits.
//!
//! Invariants: every entry leads somewhere; the entries of one segment are neighbours as said; its number of records stands in
//! the count beside the first of them; no node but the first consists of one segment only.
//!
//! Thread safety: searches walk among writes and need no latch: segments and nodes that were taken out stay as they were until
//! no pinned thread can look at them, and what such a thread finds there was so after it began. Counts belong to writers.

use super::arena::{Entry, FAN_OUT, NODE_BITS, Node, Root, Target};
use super::segment::Segment;
use crate::sync::Ordering;
use crossbeam::epoch::Guard;

/// Levels that a walk follows at most; deeper than there are bits of a path.
const LEVELS_MOST: usize = 11;

/// A node, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level<'g> {
    node: &'g Node,
    /// Bits consumed above it.
    above: u32,
}

/// Where a segment hangs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'g> {
    pub(super) level: Level<'g>,
    /// The index of its first entry.
    pub(super) first: usize,
    /// What leads to it.
    pub(super) entry: Entry<'g>,
    pub(super) segment: Segment<'g>,
    /// The level above, and the index there of the entry that leads to this one.
    pub(super) parent: Option<(Level<'g>, usize)>,
}

/// The segment of a path, as a search goes.
#[inline]
pub(super) fn segment_of<'g>(root: &'g Root, path: u64, pin: &'g Guard) -> Option<Segment<'g>> {
    match entry_in(root.node(pin), path)?.target() {
        Target::Segment(lines) => Some(Segment::of_lines(lines)),
        Target::Node(node) => segment_below(node, path),
    }
}

#[inline]
fn entry_in(node: &Node, path: u64) -> Option<Entry<'_>> {
    Some(node.entries.get((path >> (u64::BITS - NODE_BITS)) as usize)?.load())
}

fn segment_below(node: &Node, path: u64) -> Option<Segment<'_>> {
    let (mut node, mut path) = (node, path);
    for _ in 0..LEVELS_MOST {
        path <<= NODE_BITS;
        match entry_in(node, path)?.target() {
            Target::Segment(lines) => return Some(Segment::of_lines(lines)),
            Target::Node(below) => node = below,
        }
    }
    None
}

/// The place of a path, as a writer goes who holds the latch.
pub(super) fn place_of<'g>(root: &'g Root, path: u64, pin: &'g Guard) -> Option<Place<'g>> {
    let mut level = Level { node: root.node(pin), above: 0 };
    let mut parent = None;
    for _ in 0..LEVELS_MOST {
        let index = level.index_of(path);
        let entry = level.entry(index)?;
        match entry.target() {
            Target::Segment(lines) => {
                let first = index & !(span(entry.depth()) - 1);
                let segment = Segment::of_lines(lines);
                return Some(Place { level, first, entry, segment, parent });
            }
            Target::Node(node) => {
                parent = Some((level, index));
                level = Level { node, above: level.above + NODE_BITS };
            }
        }
    }
    None
}

/// Entries of a segment of some depth.
const fn span(depth: u32) -> usize {
    FAN_OUT >> if depth < NODE_BITS { depth } else { NODE_BITS }
}

impl<'g> Level<'g> {
    const fn index_of(self, path: u64) -> usize {
        (path.unbounded_shl(self.above) >> (u64::BITS - NODE_BITS)) as usize
    }

    /// Lets the entries of a segment lead to another one of that depth, with so many records.
    pub(super) fn put(self, first: usize, depth: u32, entry: Entry<'_>, count: u64) {
        for word in self.node.entries.iter().skip(first).take(span(depth)) {
            word.store(entry.at_depth(depth));
        }
        self.set_count(first, count);
    }

    /// Lets one entry lead to a node.
    pub(super) fn put_node(self, index: usize, node: Entry<'_>) {
        if let Some(word) = self.node.entries.get(index) {
            word.store(node);
        }
        self.set_count(index, 0);
    }

    fn count(self, first: usize) -> u64 {
        self.node.counts.get(first).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    fn set_count(self, first: usize, count: u64) {
        if let Some(word) = self.node.counts.get(first) {
            word.store(count, Ordering::Relaxed);
        }
    }

    /// The node itself, as its parent's entry leads to it.
    pub(super) fn entry(self, index: usize) -> Option<Entry<'g>> {
        Some(self.node.entries.get(index)?.load())
    }
}

impl<'g> Place<'g> {
    /// Bits that the keys of the segment share.
    pub(super) const fn depth(&self) -> u32 {
        self.level.above + self.entry.depth()
    }

    /// Records of the segment.
    pub(super) fn count(&self) -> u64 {
        self.level.count(self.first)
    }

    /// Notes how many records the segment has.
    pub(super) fn set_count(&self, count: u64) {
        self.level.set_count(self.first, count);
    }

    /// Entries that lead to the segment.
    pub(super) const fn span(&self) -> usize {
        span(self.entry.depth())
    }

    /// Whether one more bit is one of this node's.
    pub(super) const fn splits_here(&self) -> bool {
        self.entry.depth() < NODE_BITS
    }

    /// The first entry, the entry and the count of the segment that differs in the last shared bit only, if it is a segment.
    pub(super) fn buddy(&self) -> Option<(usize, Entry<'g>, u64)> {
        let depth = self.entry.depth();
        if depth == 0 {
            return None;
        }
        let first = self.first ^ self.span();
        let entry = self.level.entry(first)?;
        let alike = matches!(entry.target(), Target::Segment(_)) && entry.depth() == depth;
        alike.then(|| (first, entry, self.level.count(first)))
    }

    /// Whether all entries of the segment lead to it, and it may have as many.
    pub(super) fn entries_agree(&self) -> bool {
        let agrees = |index| self.level.entry(index).is_some_and(|entry| entry == self.entry);
        self.entry.depth() <= NODE_BITS && (self.first..self.first + self.span()).all(agrees)
    }

    /// The first path behind those of the segment; `None` behind the last.
    pub(super) fn next_path(&self, path: u64) -> Option<u64> {
        let mask = u64::MAX.unbounded_shr(self.depth());
        (path | mask).checked_add(1)
    }

    /// The first path of the segment.
    pub(super) fn first_path(&self, path: u64) -> u64 {
        path & !u64::MAX.unbounded_shr(self.depth())
    }
}
