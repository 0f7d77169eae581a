//! Changes of shape in a subtree that is held exclusively: splits and joins that run upwards from a leaf.
//!
//! # Thread safety / Invariants
//! Works on `&mut Node`, so no latch is taken. Splits and merges end at the top of the subtree at the latest: the descent has made
//! sure of it. Bytes cannot be foreseen as exactly as entries, because the separator that comes up may be long or may cost a branch its
//! prefix; branches that got too full that way, and cannot be split here, are reported in `overfull`.

use super::branch::Branch;
use super::join::join_child;
use super::latch::Latch;
use super::leaf::Leaf;
use super::limits::Limits;
use super::node::Node;
use super::split::{Split, split_branch, split_leaf};
use super::stats::Counters;
use super::write::Write;
use std::mem::replace;

/// What is split at the lower end of the path.
#[derive(Clone, Copy)]
pub(super) enum Splitting<'a> {
    /// The leaf, which is too full for the record.
    Leaf {
        /// The record's key.
        key: &'a [u8],
        /// The record's value.
        value: &'a [u8],
        /// Whether the leaf is the tree's last.
        append: bool,
    },
    /// The branch at a level, which is too full.
    Branch {
        /// A key below the branch.
        key: &'a [u8],
        /// Its level.
        level: u8,
    },
}

impl<'a> Splitting<'a> {
    const fn key(&self) -> &'a [u8] {
        match self {
            Self::Leaf { key, .. } | Self::Branch { key, .. } => key,
        }
    }

    const fn append(&self) -> bool {
        matches!(self, Self::Leaf { append: true, .. })
    }
}

/// One change of shape.
pub(super) struct Reshape<'a> {
    /// The tree's limits.
    pub(super) limits: &'a Limits,
    /// Where it is counted.
    pub(super) counters: &'a Counters,
    /// Levels of branches on the path that are too full now.
    pub(super) overfull: &'a mut Vec<u8>,
}

impl Reshape<'_> {
    /// Splits what is to be split below `top`, and nodes above it as far as necessary, but not `top` itself unless it is the
    /// root. Tells whether the key was there.
    pub(super) fn split(&mut self, top: &mut Node, is_root: bool, splitting: &Splitting<'_>) -> bool {
        let splits_below = if is_root { u8::MAX } else { top.level() };
        let (split, existed) = self.split_below(top, splits_below, splitting);
        if let Some(split) = split {
            grow(top, split, self.limits);
        }
        existed
    }

    fn split_below(
        &mut self,
        node: &mut Node,
        splits_below: u8,
        splitting: &Splitting<'_>,
    ) -> (Option<Split>, bool) {
        let branch = match (node, splitting) {
            (Node::Leaf(leaf), Splitting::Leaf { key, value, append }) => {
                let existed = leaf.get(key).is_some();
                self.counters.count_split();
                return (Some(split_leaf(leaf, key, value, *append, self.limits)), existed);
            }
            (Node::Leaf(_), Splitting::Branch { .. }) => return (None, false),
            (Node::Branch(branch), _) => branch,
        };
        if matches!(splitting, Splitting::Branch { level, .. } if *level == branch.level()) {
            self.counters.count_split();
            return (Some(split_branch(branch, false, self.limits)), false);
        }
        let index = branch.index_of(splitting.key());
        let (split, existed) = self.split_below(branch.child_mut(index), splits_below, splitting);
        let Some(split) = split else { return (None, existed) };
        branch.insert(index, &split.separator, split.right, self.limits);
        if self.limits.branch_fits(branch.len(), branch.used()) {
            return (None, existed);
        }
        if branch.level() >= splits_below {
            self.overfull.push(branch.level());
            return (None, existed);
        }
        self.counters.count_split();
        (Some(split_branch(branch, splitting.append(), self.limits)), existed)
    }

    /// Applies a write that makes its leaf smaller, and joins underfull nodes with their neighbours upwards.
    pub(super) fn shrink(&mut self, top: &mut Node, is_root: bool, write: &Write<'_>) {
        self.shrink_below(top, write);
        if is_root {
            collapse(top);
        }
    }

    fn shrink_below(&mut self, node: &mut Node, write: &Write<'_>) {
        match node {
            Node::Leaf(leaf) => leaf.shrink(write, self.limits),
            Node::Branch(branch) => {
                let index = branch.index_of(write.key);
                self.shrink_below(branch.child_mut(index), write);
                if branch.child_mut(index).is_underfull(self.limits) {
                    join_child(branch, index, self.limits, self.counters);
                    if !self.limits.branch_fits(branch.len(), branch.used()) {
                        self.overfull.push(branch.level());
                    }
                }
            }
        }
    }
}

/// Puts a new root over the two halves of the old one.
fn grow(root: &mut Node, split: Split, limits: &Limits) {
    let level = root.level() + 1;
    let left = replace(root, Node::Leaf(Leaf::new(limits)));
    let mut branch = Branch::new(level, Box::new(Latch::new(left)), limits);
    branch.insert(0, &split.separator, split.right, limits);
    *root = Node::Branch(branch);
}

/// Removes a root that leads to one child only.
fn collapse(root: &mut Node) {
    while let Node::Branch(branch) = root
        && let Some(child) = branch.take_only_child()
    {
        *root = child.into_inner();
    }
}
