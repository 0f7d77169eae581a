//! The descent of writers.
//!
//! 1. Latch the path shared down to the leaf's parent, the leaf exclusively. If the leaf stays within its limits,
//!    write. That is nearly every write.
//! 2. Otherwise the shape must change. The descent has noted the lowest branch that *absorbs* the change: one that can take one child
//!    more (split) or lose one (merge). Release everything and descend again, shared down to the parent of that
//!    branch, the branch exclusively; below it no latch is needed. Look again, for the tree may have changed meanwhile:
//!    if no branch down there absorbs the change any more, start over further up; at the root, at the latest, it always can.
//!
//! # Thread safety / Invariants
//! See `latch` for the order of latches and why they cannot deadlock. The level of the exclusive latch rises with each new
//! start, so a write ends after at most as many starts as the tree has levels. Nothing is changed before it is
//! certain that the change ends within the subtree held exclusively; readers see all of it or nothing.

use super::branch::Branch;
use super::join::join_child;
use super::latch::Latch;
use super::leaf::{Attempt, Leaf};
use super::limits::Limits;
use super::node::Node;
use super::split::{Split, split_branch, split_leaf};
use super::stats::Counters;
use std::mem::replace;

/// One record to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write<'a> {
    /// Its key.
    pub(super) key: &'a [u8],
    /// Its new value; `None` removes it.
    pub(super) value: Option<&'a [u8]>,
    /// Whether to write only if the key is there.
    pub(super) only_existing: bool,
}

impl<'a> Write<'a> {
    /// Insert or replace.
    pub(super) const fn set(key: &'a [u8], value: &'a [u8]) -> Self {
        Self { key, value: Some(value), only_existing: false }
    }

    /// Replace.
    pub(super) const fn update(key: &'a [u8], value: &'a [u8]) -> Self {
        Self { key, value: Some(value), only_existing: true }
    }

    /// Remove.
    pub(super) const fn delete(key: &'a [u8]) -> Self {
        Self { key, value: None, only_existing: true }
    }
}

/// The level that stands for the root, however high it is.
const ROOT: u8 = u8::MAX;

/// What the descent has learnt of the path: the lowest branches that absorb a change of shape, and whether it ran along the
/// right edge of the tree.
#[derive(Clone, Copy)]
struct Path {
    absorbs_split: u8,
    absorbs_merge: u8,
    rightmost: bool,
}

impl Path {
    const START: Self = Self { absorbs_split: ROOT, absorbs_merge: ROOT, rightmost: true };

    /// Notes that the descent goes through the child at `index`.
    #[inline]
    fn note(&mut self, branch: &Branch, index: usize, limits: &Limits) {
        if branch.absorbs_split(limits) {
            self.absorbs_split = branch.level();
        }
        if branch.absorbs_merge(limits) {
            self.absorbs_merge = branch.level();
        }
        self.rightmost &= index + 1 == branch.len();
    }
}

/// A record on its way into a full leaf.
struct Splitting<'a> {
    key: &'a [u8],
    value: &'a [u8],
    /// Whether the leaf is the tree's last.
    append: bool,
    /// Branches at and above this level are not split.
    splits_below: u8,
}

/// What a writer works with.
#[derive(Clone, Copy)]
pub(super) struct Writer<'a> {
    /// The tree's root.
    pub(super) root: &'a Latch<Node>,
    /// The tree's limits.
    pub(super) limits: &'a Limits,
    /// Where changes of shape are counted.
    pub(super) counters: &'a Counters,
}

impl Writer<'_> {
    /// Applies a write. Tells whether the key was there.
    pub(super) fn write(&self, write: &Write<'_>) -> bool {
        let mut exclusive_level = 0;
        loop {
            match self.start(write, exclusive_level) {
                Ok(existed) => return existed,
                Err(level) => exclusive_level = level.max(exclusive_level.saturating_add(1)),
            }
        }
    }

    /// One descent that latches nodes exclusively from `exclusive_level` down. `Err`: the level that would do.
    fn start(&self, write: &Write<'_>, exclusive_level: u8) -> Result<bool, u8> {
        let root = self.root.shared();
        if let Node::Branch(branch) = &*root
            && branch.level() > exclusive_level
        {
            return self.descend(branch, write, exclusive_level, Path::START);
        }
        drop(root);
        self.apply(&mut self.root.exclusive(), write, true, Path::START)
    }

    fn descend(
        &self,
        branch: &Branch,
        write: &Write<'_>,
        exclusive_level: u8,
        mut path: Path,
    ) -> Result<bool, u8> {
        let index = branch.index_of(write.key);
        path.note(branch, index, self.limits);
        let child = branch.child(index);
        if branch.level() - 1 <= exclusive_level {
            return self.apply(&mut child.exclusive(), write, false, path);
        }
        match &*child.shared() {
            Node::Branch(branch) => self.descend(branch, write, exclusive_level, path),
            Node::Leaf(_) => Err(ROOT),
        }
    }

    /// Applies a write below a node that is held exclusively, if the change of shape ends there.
    fn apply(&self, top: &mut Node, write: &Write<'_>, is_root: bool, mut path: Path) -> Result<bool, u8> {
        let limits = self.limits;
        let top_level = top.level();
        let alone = is_root && top_level == 0;
        let attempt = {
            let mut node = &mut *top;
            loop {
                match node {
                    Node::Leaf(leaf) => break leaf.attempt(write, limits, alone),
                    Node::Branch(branch) => {
                        let index = branch.index_of(write.key);
                        path.note(branch, index, limits);
                        node = branch.child_mut(index);
                    }
                }
            }
        };
        let absorber = match attempt {
            Attempt::Done(existed) => return Ok(existed),
            Attempt::Overflow => path.absorbs_split,
            Attempt::Underflow => path.absorbs_merge,
        };
        if absorber > top_level && !is_root {
            return Err(absorber);
        }
        // Neither an underflow nor the overflow of a replacement occurs for a key that is absent.
        match (attempt, write.value) {
            (Attempt::Overflow, Some(value)) => {
                let splitting = Splitting {
                    key: write.key,
                    value,
                    append: path.rightmost,
                    splits_below: if is_root { ROOT } else { top_level },
                };
                let (split, existed) = self.split(top, &splitting);
                if let Some(split) = split {
                    grow(top, split, limits);
                }
                Ok(existed)
            }
            _ => {
                self.shrink(top, write);
                if is_root {
                    collapse(top);
                }
                Ok(true)
            }
        }
    }

    /// Sets a record in the full leaf below `node` and splits nodes upwards as far as necessary. Returns what `node` was
    /// split into, and whether the key was there.
    fn split(&self, node: &mut Node, splitting: &Splitting<'_>) -> (Option<Split>, bool) {
        let Splitting { key, value, append, splits_below } = *splitting;
        match node {
            Node::Leaf(leaf) => {
                let existed = leaf.get(key).is_some();
                self.counters.count_split();
                (Some(split_leaf(leaf, key, value, append, self.limits)), existed)
            }
            Node::Branch(branch) => {
                let index = branch.index_of(key);
                let (split, existed) = self.split(branch.child_mut(index), splitting);
                let Some(split) = split else { return (None, existed) };
                branch.insert(index, &split.separator, split.right, self.limits);
                if branch.level() >= splits_below || self.limits.branch_fits(branch.len(), branch.used()) {
                    return (None, existed);
                }
                self.counters.count_split();
                (Some(split_branch(branch, append, self.limits)), existed)
            }
        }
    }

    /// Makes the leaf below `node` smaller and joins underfull nodes with their neighbours on the way up.
    fn shrink(&self, node: &mut Node, write: &Write<'_>) {
        match node {
            Node::Leaf(leaf) => leaf.shrink(write, self.limits),
            Node::Branch(branch) => {
                let index = branch.index_of(write.key);
                self.shrink(branch.child_mut(index), write);
                if branch.child_mut(index).is_underfull(self.limits) {
                    join_child(branch, index, self.limits, self.counters);
                }
            }
        }
    }

    /// Hands the leaf of a key, held exclusively, to `work`, with whether it is the whole tree. `upper` becomes the least key that
    /// belongs to a later leaf, if there is one.
    pub(super) fn with_leaf<R>(
        &self,
        key: &[u8],
        upper: &mut Option<Vec<u8>>,
        work: impl FnOnce(&mut Leaf, bool, Option<&[u8]>) -> R,
    ) -> Option<R> {
        *upper = None;
        let root = self.root.shared();
        if let Node::Branch(branch) = &*root {
            return with_leaf_below(branch, key, upper, work);
        }
        drop(root);
        match &mut *self.root.exclusive() {
            Node::Leaf(leaf) => Some(work(leaf, true, None)),
            Node::Branch(_) => None,
        }
    }
}

fn with_leaf_below<R>(
    branch: &Branch,
    key: &[u8],
    upper: &mut Option<Vec<u8>>,
    work: impl FnOnce(&mut Leaf, bool, Option<&[u8]>) -> R,
) -> Option<R> {
    let index = branch.index_of(key);
    if index + 1 < branch.len() {
        branch.copy_separator(index, upper.get_or_insert_default());
    }
    let child = branch.child(index);
    if branch.level() == 1 {
        return match &mut *child.exclusive() {
            Node::Leaf(leaf) => Some(work(leaf, false, upper.as_deref())),
            Node::Branch(_) => None,
        };
    }
    match &*child.shared() {
        Node::Branch(branch) => with_leaf_below(branch, key, upper, work),
        Node::Leaf(_) => None,
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
