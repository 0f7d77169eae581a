//! The way from a hash to a segment: a trie of nodes with 64 entries, so that growth never copies more than one of them.
//!
//! A shard's root is one entry. An entry of a node leads to a segment or to a further node, which consumes the next six
//! bits of the path. A segment of depth *d* has 2^(6 − *d*) neighbouring entries of its node, aligned to their number, because
//! its keys share *d* of the six bits.
//!
//! Invariants: every entry leads somewhere; the entries of one segment are neighbours as said; its number of records stands in
//! the count beside the first of them; no node consists of one segment only.
//!
//! Thread safety: searches walk among writes and need no latch: segments and nodes that were taken out stay as they were until
//! no pinned thread can look at them, and what such a thread finds there was so after it began. Counts belong to writers.

use super::arena::{Entry, EntryWord, FAN_OUT, Node, Root, Target};
use super::segment::Segment;
use crate::memory::words::Word;
use crate::sync::Ordering;
use crossbeam::epoch::Guard;
use std::array;

/// Bits that a node consumes.
pub(super) const NODE_BITS: u32 = FAN_OUT.trailing_zeros();
/// Levels that a walk follows at most; deeper than there are bits of a path.
const LEVELS_MOST: usize = 11;

/// The entries of a node, or the one of the root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level<'g> {
    entries: &'g [EntryWord],
    counts: &'g [Word],
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
    let mut entry = root.entry(pin).load();
    let mut path = path;
    for _ in 0..LEVELS_MOST {
        match entry.target() {
            Target::Segment(lines) => return Some(Segment::of_lines(lines)),
            Target::Node(node) => {
                entry = node.entries.get(path.unbounded_shr(u64::BITS - NODE_BITS) as usize)?.load();
                path = path.unbounded_shl(NODE_BITS);
            }
        }
    }
    None
}

/// The place of a path, as a writer goes who holds the latch.
pub(super) fn place_of<'g>(root: &'g Root, path: u64, pin: &'g Guard) -> Option<Place<'g>> {
    let (entries, counts) = (array::from_ref(root.entry(pin)), array::from_ref(&root.count));
    let mut level = Level { entries, counts, above: 0 };
    let mut parent = None;
    for _ in 0..LEVELS_MOST {
        let index = level.index_of(path);
        let entry = level.entries.get(index)?.load();
        match entry.target() {
            Target::Segment(lines) => {
                let first = index & !(level.span(entry.depth()) - 1);
                let segment = Segment::of_lines(lines);
                return Some(Place { level, first, entry, segment, parent });
            }
            Target::Node(node) => {
                parent = Some((level, index));
                level = level.below(node);
            }
        }
    }
    None
}

impl<'g> Level<'g> {
    fn below(self, node: &'g Node) -> Self {
        Self { entries: &node.entries, counts: &node.counts, above: self.above + self.bits() }
    }

    /// Bits that it consumes.
    const fn bits(self) -> u32 {
        self.entries.len().trailing_zeros()
    }

    fn index_of(self, path: u64) -> usize {
        path.unbounded_shl(self.above).unbounded_shr(u64::BITS - self.bits()) as usize
    }

    /// Entries of a segment of some depth.
    const fn span(self, depth: u32) -> usize {
        let bits = self.bits();
        1 << if depth < bits { bits - depth } else { 0 }
    }

    /// The depth of a segment with one entry.
    pub(super) const fn depth_most(self) -> u32 {
        self.bits()
    }

    /// Lets the entries of a segment lead to another one of that depth, with so many records.
    pub(super) fn put(self, first: usize, depth: u32, entry: Entry<'_>, count: u64) {
        for word in self.entries.iter().skip(first).take(self.span(depth)) {
            word.store(entry.at_depth(depth));
        }
        self.set_count(first, count);
    }

    /// Lets one entry lead to a node.
    pub(super) fn put_node(self, index: usize, node: Entry<'_>) {
        if let Some(word) = self.entries.get(index) {
            word.store(node);
        }
        self.set_count(index, 0);
    }

    fn count(self, first: usize) -> u64 {
        self.counts.get(first).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    fn set_count(self, first: usize, count: u64) {
        if let Some(word) = self.counts.get(first) {
            word.store(count, Ordering::Relaxed);
        }
    }

    /// The node itself, as its parent's entry leads to it.
    pub(super) fn entry(self, index: usize) -> Option<Entry<'g>> {
        Some(self.entries.get(index)?.load())
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
        self.level.span(self.entry.depth())
    }

    /// Whether one more bit is one of this node's.
    pub(super) const fn splits_here(&self) -> bool {
        self.entry.depth() < self.level.bits()
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
        self.entry.depth() <= self.level.bits() && (self.first..self.first + self.span()).all(agrees)
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
