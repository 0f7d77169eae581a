//! Bulk load: full leaves from left to right, then full branches over them, level by level.
//!
//! # Thread safety / Invariants
//! The new tree is built aside, under no latch, and put in place of the empty one at once. Records must come in strictly
//! ascending order; the first one that does not ends the build, and from there on (as for a tree that is not empty)
//! records are set one after the other.

use super::branch::{Branch, Child};
use super::join::{Join, join};
use super::latch::Latch;
use super::limits::{CHILD_BYTES, Limits};
use super::node::Node;
use super::records::{Moved, Records};
use std::mem::take;

/// Nodes of one level from left to right, each but the first with the separator before it.
type Level = Vec<(Vec<u8>, Child)>;

/// A tree under construction.
pub(super) struct Builder<'a> {
    limits: &'a Limits,
    leaves: Level,
    /// The records of the leaf to come, and the separator before it.
    pending: Records,
    lower: Vec<u8>,
}

impl<'a> Builder<'a> {
    /// An empty tree.
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self { limits, leaves: Vec::new(), pending: Records::new(), lower: Vec::new() }
    }

    /// Whether the key may come next.
    pub(super) fn is_ascending(&self, key: &[u8]) -> bool {
        self.pending.len() == 0 || self.pending.key(self.pending.len() - 1) < key
    }

    /// Appends a record with the next key.
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) {
        self.pending.push(&[], key, Moved::new(value, self.limits));
        let len = self.pending.len();
        if self.limits.leaf_fits(len, self.pending.used(0..len)) {
            return;
        }
        let lower = self.pending.separator(len - 1);
        self.pending.pop();
        self.finish_leaf();
        self.lower = lower;
        self.pending.push(&[], key, Moved::new(value, self.limits));
    }

    fn finish_leaf(&mut self) {
        let leaf = self.pending.leaf(0..self.pending.len(), self.limits);
        self.pending.clear();
        self.leaves.push((take(&mut self.lower), Box::new(Latch::new(Node::Leaf(leaf)))));
    }

    /// The finished tree, if there are any records.
    pub(super) fn finish(mut self) -> Option<Node> {
        if self.pending.len() > 0 {
            self.finish_leaf();
        }
        let mut level = take(&mut self.leaves);
        for height in 1..u8::MAX {
            join_last(&mut level, self.limits);
            if level.len() <= 1 {
                break;
            }
            level = branches(level, height, self.limits);
        }
        level.pop().map(|(_, root)| root.into_inner())
    }
}

/// Fills branches with the nodes of the level below.
fn branches(nodes: Level, height: u8, limits: &Limits) -> Level {
    let mut level = Level::new();
    let mut separators = Records::new();
    let mut children: Vec<Child> = Vec::new();
    let mut lower = Vec::new();
    for (separator, child) in nodes {
        if children.is_empty() {
            lower = separator;
            children.push(child);
            continue;
        }
        separators.push(&separator, &[], Moved::Inline(&[]));
        let count = children.len() + 1;
        if limits.branch_fits(count, separators.used(0..separators.len()) + count * CHILD_BYTES) {
            children.push(child);
            continue;
        }
        separators.pop();
        level.push((take(&mut lower), branch(height, &separators, take(&mut children), limits)));
        separators.clear();
        lower = separator;
        children.push(child);
    }
    level.push((lower, branch(height, &separators, children, limits)));
    level
}

fn branch(height: u8, separators: &Records, children: Vec<Child>, limits: &Limits) -> Child {
    let page = separators.branch_page(0..separators.len(), limits);
    Box::new(Latch::new(Node::Branch(Branch::from_parts(height, page, children))))
}

/// The last node of a level may be too empty: it is joined with the one before it.
fn join_last(level: &mut Level, limits: &Limits) {
    let Some((separator, mut right)) = level.pop() else { return };
    if let Some((_, left)) = level.last_mut()
        && right.get_mut().is_underfull(limits)
    {
        match join(left.get_mut(), &separator, right.get_mut(), limits) {
            Join::Merged => {}
            Join::Redistributed(separator) => level.push((separator, right)),
            Join::Unchanged => level.push((separator, right)),
        }
    } else {
        level.push((separator, right));
    }
}
