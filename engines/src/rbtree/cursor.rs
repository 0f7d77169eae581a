//! Walking the tree in key order along its parent links, without a stack.

use super::node::{Link, NIL, Side};
use super::tree::Tree;
use crate::chunk::Chunk;
use crate::engine::ScanRange;
use crate::record::Record;
use std::cmp::Ordering;
use std::ops::Bound;

impl Tree {
    /// The first (left) or last (right) node of a subtree that is not empty. O(log n).
    pub(super) fn end_below(&self, mut at: Link, side: Side) -> Link {
        loop {
            let child = self.arena[at].child(side);
            if child == NIL {
                return at;
            }
            at = child;
        }
    }

    /// The first (left) or last (right) node of the tree; [`NIL`] if it is empty.
    pub(super) fn end(&self, side: Side) -> Link {
        if self.root == NIL { NIL } else { self.end_below(self.root, side) }
    }

    /// The next node in key order (right), or the one before (left); [`NIL`] at the end. Amortised O(1) in a walk.
    pub(super) fn neighbour(&self, mut at: Link, side: Side) -> Link {
        let child = self.arena[at].child(side);
        if child != NIL {
            return self.end_below(child, side.opposite());
        }
        loop {
            let parent = self.arena[at].parent();
            if parent == NIL || self.arena[parent].child(side) != at {
                return parent;
            }
            at = parent;
        }
    }

    /// The outermost node inside a bound: the first one if walking right from a lower bound, the last one if walking left
    /// from an upper bound.
    fn seek(&self, bound: Bound<&[u8]>, walk: Side) -> Link {
        let (key, included) = match bound {
            Bound::Unbounded => return self.end(walk.opposite()),
            Bound::Included(key) => (key, true),
            Bound::Excluded(key) => (key, false),
        };
        let outside = match walk {
            Side::Right => Ordering::Greater,
            Side::Left => Ordering::Less,
        };
        let head = self.heads.head(key);
        let (mut best, mut at) = (NIL, self.root);
        while at != NIL {
            let order = self.compare(head, key, at);
            if order == outside || (order == Ordering::Equal && !included) {
                at = self.arena[at].child(walk);
            } else {
                best = at;
                at = self.arena[at].child(walk.opposite());
            }
        }
        best
    }

    /// Pushes the first records of the range, in its direction, until the chunk is full.
    pub(super) fn fill(&self, range: &ScanRange<'_>, chunk: &mut Chunk) {
        let (walk, start) =
            if range.reverse { (Side::Left, range.upper()) } else { (Side::Right, range.lower()) };
        let mut at = self.seek(start, walk);
        while let Some(record) = &self.arena[at].record
            && !chunk.is_full()
        {
            let key = record.key();
            let inside = if range.reverse { range.reaches_down_to(key) } else { range.reaches_up_to(key) };
            if !inside {
                return;
            }
            chunk.push(key, if range.keys_only { &[] } else { Record::value(record) });
            at = self.neighbour(at, walk);
        }
    }
}
