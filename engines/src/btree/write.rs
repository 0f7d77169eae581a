//! The descent of writers.
//!
//! 1. Latch the path shared down to the leaf's parent, the leaf exclusively. If the leaf stays within its limits,
//!    write. That is nearly every write.
//! 2. Otherwise the shape must change. The descent has noted the lowest branch that *absorbs* the change: one that can take one child
//!    more (split) or lose one (merge). Release everything and descend again, shared down to the parent of that
//!    branch, the branch exclusively; below it no latch is needed. Look again, for the tree may have changed meanwhile:
//!    if no branch down there absorbs the change any more, start over further up; at the root, at the latest, it always can.
//! 3. A branch may have become too full in bytes, where its entry could not be foreseen (`reshape`): it is split
//!    by a descent of its own.
//!
//! # Thread safety / Invariants
//! See `latch` for the order of latches and why they cannot deadlock. The level of the exclusive latch rises with each new
//! start, so a write ends after at most as many starts as the tree has levels. Nothing is changed before it is
//! certain that the change ends within the subtree held exclusively; readers see all of it or nothing.

use super::branch::Branch;
use super::latch::Latch;
use super::leaf::{Attempt, Leaf};
use super::limits::Limits;
use super::node::Node;
use super::reshape::{Reshape, Splitting};
use super::stats::Counters;

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

/// What a descent is for.
#[derive(Clone, Copy)]
enum Task<'a> {
    /// To write a record.
    Write(&'a Write<'a>),
    /// To split the branch above the key at a level, if it is too full.
    Relieve { key: &'a [u8], level: u8 },
}

impl<'a> Task<'a> {
    #[inline]
    const fn key(&self) -> &'a [u8] {
        match self {
            Self::Write(write) => write.key,
            Self::Relieve { key, .. } => key,
        }
    }
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
        let mut overfull = Vec::new();
        let existed = self.run(Task::Write(write), 0, &mut overfull);
        while let Some(level) = overfull.pop() {
            self.run(Task::Relieve { key: write.key, level }, level.saturating_add(1), &mut overfull);
        }
        existed
    }

    /// Descends until it is done.
    #[inline]
    fn run(&self, task: Task<'_>, mut exclusive_level: u8, overfull: &mut Vec<u8>) -> bool {
        loop {
            match self.start(task, exclusive_level, overfull) {
                Ok(existed) => return existed,
                Err(level) => exclusive_level = level.max(exclusive_level.saturating_add(1)),
            }
        }
    }

    /// One descent that latches nodes exclusively from `exclusive_level` down. `Err`: the level that would do.
    #[inline]
    fn start(&self, task: Task<'_>, exclusive_level: u8, overfull: &mut Vec<u8>) -> Result<bool, u8> {
        let root = self.root.shared();
        if let Node::Branch(branch) = &*root
            && branch.level() > exclusive_level
        {
            return self.descend(branch, task, exclusive_level, Path::START, overfull);
        }
        drop(root);
        self.apply(&mut self.root.exclusive(), task, true, Path::START, overfull)
    }

    fn descend(
        &self,
        branch: &Branch,
        task: Task<'_>,
        exclusive_level: u8,
        mut path: Path,
        overfull: &mut Vec<u8>,
    ) -> Result<bool, u8> {
        let index = branch.index_of(task.key());
        path.note(branch, index, self.limits);
        let child = branch.child(index);
        if branch.level() - 1 <= exclusive_level {
            return self.apply(&mut child.exclusive(), task, false, path, overfull);
        }
        match &*child.shared() {
            Node::Branch(branch) => self.descend(branch, task, exclusive_level, path, overfull),
            Node::Leaf(_) => Err(ROOT),
        }
    }

    /// Does the task below a node that is held exclusively, if the change of shape ends there.
    fn apply(
        &self,
        top: &mut Node,
        task: Task<'_>,
        is_root: bool,
        mut path: Path,
        overfull: &mut Vec<u8>,
    ) -> Result<bool, u8> {
        let top_level = top.level();
        let attempt = self.attempt(top, task, is_root && top_level == 0, &mut path);
        let absorber = match attempt {
            Attempt::Done(existed) => return Ok(existed),
            Attempt::Overflow => path.absorbs_split,
            Attempt::Underflow => path.absorbs_merge,
        };
        if absorber > top_level && !is_root {
            return Err(absorber);
        }
        let mut reshape = Reshape { limits: self.limits, counters: self.counters, overfull };
        let splitting = match task {
            Task::Write(Write { key, value: Some(value), .. }) if attempt == Attempt::Overflow => {
                Splitting::Leaf { key, value, append: path.rightmost }
            }
            Task::Relieve { key, level } => Splitting::Branch { key, level },
            Task::Write(write) => {
                reshape.shrink(top, is_root, write);
                return Ok(true);
            }
        };
        Ok(reshape.split(top, is_root, &splitting))
    }

    /// Does the task if it leaves the shape alone, or finds out that it would not.
    #[inline]
    fn attempt(&self, top: &mut Node, task: Task<'_>, alone: bool, path: &mut Path) -> Attempt {
        let mut node = top;
        loop {
            match (node, task) {
                (Node::Leaf(leaf), Task::Write(write)) => return leaf.attempt(write, self.limits, alone),
                (Node::Leaf(_), Task::Relieve { .. }) => return Attempt::Done(false),
                (Node::Branch(branch), Task::Relieve { level, .. }) if branch.level() <= level => {
                    let fits = self.limits.branch_fits(branch.len(), branch.used());
                    return if fits { Attempt::Done(false) } else { Attempt::Overflow };
                }
                (Node::Branch(branch), _) => {
                    let index = branch.index_of(task.key());
                    path.note(branch, index, self.limits);
                    node = branch.child_mut(index);
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
