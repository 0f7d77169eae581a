//! Scans: nodes in order along a stack, the lines of those to come asked for breadth first, so that their misses overlap.
//!
//! A walk from node to successor would wait for one miss after the other. Here the stack holds the nodes that are still to
//! be visited on the path from the root; before the subtrees that hang from its last few are walked through, they are
//! *touched*: a queue of nodes, at first the tops of these subtrees, is gone through, each child and each record being
//! asked for and the children being put at its end. By the time a node's turn comes its line is there. How
//! large a subtree is, and so how many to touch, is guessed from its depth.
//!
//! Thread safety: what is collected is checked against the structure's version; then it stands, and keys and values
//! are copied without any check, since records stay while the scanner is pinned.

use super::arena::View;
use super::node::{NIL, Node, Side};
use super::records::Records;
use super::tree::{Mutexed, Tree, compare};
use crate::chunk::Chunk;
use crate::engine::ScanRange;
use crate::memory::prefetch;
use crossbeam::epoch::{self, Guard};
use std::cmp::Ordering;
use std::ops::Bound;

/// Records collected at once, at least and at most.
const FEWEST: usize = 32;
const MOST: usize = 256;
/// A collection that went deeper was misled: twice the height of the highest tree.
const MOST_DEPTH: usize = 128;

/// One end of a range, with the head of its key.
#[derive(Clone, Copy)]
struct End<'k> {
    key: Option<&'k [u8]>,
    head: u64,
    included: bool,
}

impl<'k> End<'k> {
    fn new(bound: Bound<&'k [u8]>, view: &View<'_>) -> Self {
        let (key, included) = match bound {
            Bound::Unbounded => (None, true),
            Bound::Included(key) => (Some(key), true),
            Bound::Excluded(key) => (Some(key), false),
        };
        Self { key, included, head: key.map_or(0, |key| view.heads().head(key)) }
    }
}

/// Which way a scan goes, from where to where.
struct Course<'k> {
    /// The side on which the next records lie.
    onward: Side,
    near: End<'k>,
    far: End<'k>,
}

impl<'k> Course<'k> {
    fn new(range: &'k ScanRange<'_>, view: &View<'_>) -> Self {
        let (lower, upper) = (End::new(range.lower(), view), End::new(range.upper(), view));
        if range.reverse {
            Self { onward: Side::Left, near: upper, far: lower }
        } else {
            Self { onward: Side::Right, near: lower, far: upper }
        }
    }

    /// Whether the node lies before the near end.
    fn before(&self, node: &Node, guard: &Guard) -> bool {
        let Some(key) = self.near.key else { return false };
        let order = compare(self.near.head, key, node, guard);
        let outside = if self.onward == Side::Right { Ordering::Greater } else { Ordering::Less };
        order == outside || (order == Ordering::Equal && !self.near.included)
    }

    /// Whether the node lies behind the far end, as far as its head tells.
    fn behind(&self, node: &Node) -> bool {
        self.far.key.is_some()
            && if self.onward == Side::Right {
                node.head() > self.far.head
            } else {
                node.head() < self.far.head
            }
    }
}

/// A node that is to be visited before what is beyond it.
#[derive(Clone, Copy)]
struct Pending<'g> {
    node: &'g Node,
    depth: u32,
}

/// A collection under way.
struct Collector<'g, 'c> {
    view: View<'g>,
    course: &'c Course<'c>,
    /// Number of records of the tree, from which sizes of subtrees are guessed.
    len: usize,
    stack: Vec<Pending<'g>>,
    queue: Vec<&'g Node>,
    /// Subtrees that hang from the stack's entries from here on were touched.
    touched: usize,
}

impl<'g> Collector<'g, '_> {
    /// Asks for the line of a child; `None` if there is none.
    fn child(&self, node: &Node, side: Side) -> Option<&'g Node> {
        let link = node.edge(side).link();
        if link == NIL {
            return None;
        }
        let child = self.view.node(link)?;
        prefetch::line(child);
        Some(child)
    }

    /// Goes down from a node towards the near end, leaving on the stack what is to be visited. `false` if it was misled.
    fn descend(
        &mut self,
        mut at: Option<&'g Node>,
        mut depth: u32,
        mut bounded: bool,
        guard: &Guard,
    ) -> bool {
        while let Some(node) = at {
            if depth as usize > MOST_DEPTH {
                return false;
            }
            let onward = self.course.onward;
            at = if bounded && self.course.before(node, guard) {
                self.child(node, onward)
            } else {
                self.stack.push(Pending { node, depth });
                self.child(node, onward.opposite())
            };
            bounded &= self.course.near.key.is_some();
            depth += 1;
        }
        true
    }

    /// Touches the subtrees of the last entries of the stack, so many that about `want` nodes are reached.
    fn touch(&mut self, want: usize) {
        let mut likely = 0;
        self.queue.clear();
        self.touched = self.stack.len();
        while likely < want
            && let Some(pending) = self.touched.checked_sub(1).and_then(|index| self.stack.get(index))
        {
            let size = self.len >> (pending.depth + 1).min(63);
            if size > 2 * want {
                if likely == 0 {
                    // Too large to be touched as a whole: what is left on the stack on the way down into it will be.
                    Records::prefetch(pending.node);
                    self.touched = usize::MAX;
                    return;
                }
                break;
            }
            Records::prefetch(pending.node);
            if let Some(child) = self.child(pending.node, self.course.onward) {
                self.queue.push(child);
            }
            likely += size + 1;
            self.touched -= 1;
        }
        let mut next = 0;
        while next < 2 * want
            && let Some(node) = self.queue.get(next).copied()
        {
            next += 1;
            Records::prefetch(node);
            for side in [self.course.onward.opposite(), self.course.onward] {
                if let Some(child) = self.child(node, side) {
                    self.queue.push(child);
                }
            }
        }
    }

    /// The first `want` nodes of the course, or fewer at its end; `None` if it was misled.
    fn collect(mut self, want: usize, guard: &Guard) -> Option<Vec<&'g Node>> {
        let mut nodes = Vec::with_capacity(want);
        let root = self.view.node(self.view.root()).filter(|_| self.view.root() != NIL);
        if !self.descend(root, 0, true, guard) {
            return None;
        }
        self.touched = usize::MAX;
        while nodes.len() < want {
            if self.stack.len() <= self.touched {
                self.touch(want - nodes.len());
            }
            let Some(Pending { node, depth }) = self.stack.pop() else { break };
            if self.course.behind(node) {
                break;
            }
            nodes.push(node);
            let beyond = self.child(node, self.course.onward);
            if !self.descend(beyond, depth + 1, false, guard) {
                return None;
            }
        }
        Some(nodes)
    }
}

impl Tree {
    /// Pushes the first records of the range, in its direction, until the chunk is full.
    pub(super) fn fill(&self, range: &ScanRange<'_>, chunk: &mut Chunk) {
        let guard = &epoch::pin();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let mut rest = range.clone();
        loop {
            let start = chunk.len();
            let more = self.apart_from_batches(|mutexed| {
                chunk.truncate(start);
                self.fill_part(mutexed, guard, &rest, chunk, &mut key, &mut value)
            });
            if !more {
                return;
            }
            let cursor = Bound::Excluded(std::borrow::Cow::Owned(key.clone()));
            if range.reverse {
                rest.upper = cursor;
            } else {
                rest.lower = cursor;
            }
        }
    }

    /// Pushes the first records of the range, as many as are collected at once; the last key is left in `key`. Returns whether
    /// there may be more, and room for it.
    fn fill_part(
        &self,
        mutexed: Mutexed,
        guard: &Guard,
        range: &ScanRange<'_>,
        chunk: &mut Chunk,
        key: &mut Vec<u8>,
        value: &mut Vec<u8>,
    ) -> bool {
        let want = chunk.len().clamp(FEWEST, MOST).min(range.limit - chunk.len().min(range.limit));
        let nodes = self.attempt_whole(mutexed, guard, |view| {
            let collector = Collector {
                view: *view,
                course: &Course::new(range, view),
                len: self.len(),
                stack: Vec::with_capacity(MOST_DEPTH / 2),
                queue: Vec::with_capacity(2 * want),
                touched: usize::MAX,
            };
            collector.collect(want, guard)
        });
        for node in &nodes {
            if chunk.is_full() {
                return false;
            }
            let Some(record) = Records::of(node, guard) else { continue };
            key.clear();
            record.append_key(key);
            let inside = if range.reverse { range.reaches_down_to(key) } else { range.reaches_up_to(key) };
            if !inside {
                return false;
            }
            value.clear();
            if !range.keys_only {
                Records::append_value(node.address(), guard, value);
            }
            chunk.push(key, value);
        }
        nodes.len() >= want && !chunk.is_full()
    }
}
