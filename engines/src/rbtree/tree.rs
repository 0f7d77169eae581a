//! The red-black tree: search, insertion and the rotations.
//!
//! Guibas & Sedgewick, *A Dichromatic Framework for Balanced Trees* (1978), in the formulation of Cormen, Leiserson,
//! Rivest & Stein, *Introduction to Algorithms*, chapter 13. Search, insertion and removal are O(log n); an insertion
//! rotates twice at the most, a removal three times.
//!
//! Invariants: in-order keys ascend strictly; the root is black; no red node has a red child; every path from a node
//! down to [`NIL`] passes the same number of black nodes. Together they keep the height below 2·log2(n + 1).

use super::node::{Arena, Link, NIL, Side};
use crate::head::HeadMap;
use crate::record::{Record, Tally};
use std::cmp::Ordering;

/// The heads are looked over for the first time when there are so many records, then whenever there are twice as many.
const FIRST_REFOCUS: usize = 32;

/// A red-black tree of records.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) arena: Arena,
    pub(super) root: Link,
    pub(super) heads: HeadMap,
    pub(super) tally: Tally,
    /// The number of records at which the heads are looked over next.
    pub(super) refocus_at: usize,
    /// Rotations since the tree was made.
    pub(super) rotations: u64,
}

impl Tree {
    /// An empty tree.
    pub(super) fn new() -> Self {
        Self {
            arena: Arena::with_capacity(0),
            root: NIL,
            heads: HeadMap::default(),
            tally: Tally::default(),
            refocus_at: FIRST_REFOCUS,
            rotations: 0,
        }
    }

    /// Compares a key, whose head is given, with the key of a node; follows the node's pointer only if the heads are equal.
    #[inline]
    pub(super) fn compare(&self, head: u64, key: &[u8], link: Link) -> Ordering {
        let node = &self.arena[link];
        head.cmp(&node.head).then_with(|| key.cmp(node.key()))
    }

    /// The node of a key, or [`NIL`].
    #[inline]
    pub(super) fn find(&self, key: &[u8]) -> Link {
        let head = self.heads.head(key);
        let mut at = self.root;
        while at != NIL {
            match self.compare(head, key, at) {
                Ordering::Less => at = self.arena[at].child(Side::Left),
                Ordering::Greater => at = self.arena[at].child(Side::Right),
                Ordering::Equal => break,
            }
        }
        at
    }

    /// The value of a key.
    #[inline]
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.arena[self.find(key)].record.as_ref().map(Record::value)
    }

    /// Replaces the value of a key; returns whether the key is there.
    pub(super) fn update(&mut self, key: &[u8], value: &[u8]) -> bool {
        let link = self.find(key);
        self.replace(link, value)
    }

    fn replace(&mut self, link: Link, value: &[u8]) -> bool {
        let Some(record) = self.arena[link].record.as_mut() else { return false };
        self.tally.set_value(record, value);
        true
    }

    /// Inserts the record or replaces its value. The caller has made sure that there is room for one more.
    pub(super) fn set(&mut self, key: &[u8], value: &[u8]) {
        let head = self.heads.head(key);
        let (mut parent, mut side, mut at) = (NIL, Side::Left, self.root);
        while at != NIL {
            side = match self.compare(head, key, at) {
                Ordering::Less => Side::Left,
                Ordering::Greater => Side::Right,
                Ordering::Equal => {
                    self.replace(at, value);
                    return;
                }
            };
            parent = at;
            at = self.arena[at].child(side);
        }
        let record = Record::new(key, value);
        self.tally.add(&record);
        let link = self.arena.take(head, record);
        self.arena[link].set_parent(parent);
        if parent == NIL {
            self.root = link;
        } else {
            self.arena[parent].set_child(side, link);
        }
        self.repair_after_insert(link);
        if self.tally.records >= self.refocus_at {
            self.refocus();
        }
    }

    /// Removes two red nodes in a row, `at` being the lower one, on the way up.
    fn repair_after_insert(&mut self, mut at: Link) {
        loop {
            let mut parent = self.arena[at].parent();
            if !self.arena[parent].is_red() {
                break;
            }
            let grandparent = self.arena[parent].parent();
            let side = self.side_of(parent, grandparent);
            let uncle = self.arena[grandparent].child(side.opposite());
            if self.arena[uncle].is_red() {
                self.arena[parent].set_red(false);
                self.arena[uncle].set_red(false);
                self.arena[grandparent].set_red(true);
                at = grandparent;
                continue;
            }
            if at == self.arena[parent].child(side.opposite()) {
                self.rotate(parent, side);
                parent = at;
            }
            self.arena[parent].set_red(false);
            self.arena[grandparent].set_red(true);
            self.rotate(grandparent, side.opposite());
            break;
        }
        let root = self.root;
        self.arena[root].set_red(false);
    }

    /// On which side of its parent a node hangs.
    #[inline]
    pub(super) fn side_of(&self, link: Link, parent: Link) -> Side {
        if self.arena[parent].child(Side::Left) == link { Side::Left } else { Side::Right }
    }

    /// Puts `to` in the place below the parent of `from`. The children of both stay theirs.
    pub(super) fn transplant(&mut self, from: Link, to: Link) {
        let parent = self.arena[from].parent();
        if parent == NIL {
            self.root = to;
        } else {
            let side = self.side_of(from, parent);
            self.arena[parent].set_child(side, to);
        }
        self.arena[to].set_parent(parent);
    }

    /// Turns the edge between `down` and its child on the other side, so that `down` sinks towards `side` and the child
    /// takes its place. The child is not [`NIL`].
    pub(super) fn rotate(&mut self, down: Link, side: Side) {
        let up = self.arena[down].child(side.opposite());
        let middle = self.arena[up].child(side);
        self.arena[down].set_child(side.opposite(), middle);
        if middle != NIL {
            self.arena[middle].set_parent(down);
        }
        self.transplant(down, up);
        self.arena[up].set_child(side, down);
        self.arena[down].set_parent(up);
        self.rotations += 1;
    }

    /// Adapts the heads to what the keys have in common now. O(log n), and O(n) if that has changed; since it happens
    /// only when the tree has doubled, amortised O(1) an insert.
    fn refocus(&mut self) {
        self.refocus_at = self.tally.records * 2;
        let (first, last) = (self.end(Side::Left), self.end(Side::Right));
        let heads = HeadMap::between(self.arena[first].key(), self.arena[last].key());
        if heads != self.heads {
            for node in self.arena.iter_mut() {
                node.head = heads.head(node.key());
            }
            self.heads = heads;
        }
    }

    /// Number of black nodes on each path from the root. O(log n).
    pub(super) fn black_height(&self) -> usize {
        let (mut height, mut at) = (0, self.root);
        while at != NIL {
            height += usize::from(!self.arena[at].is_red());
            at = self.arena[at].child(Side::Left);
        }
        height
    }

    /// Bytes of memory held by the tree and its records.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.arena.capacity() * size_of::<super::node::Node>()
            + self.heads.memory_bytes()
            + self.tally.memory_bytes
    }
}
