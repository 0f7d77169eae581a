//! A node of the tree: what a latch protects.

use super::branch::Branch;
use super::latch::Latch;
use super::leaf::Leaf;
use super::limits::Limits;

/// A leaf or a branch.
#[derive(Debug)]
pub(super) enum Node {
    /// Holds records.
    Leaf(Leaf),
    /// Leads to them.
    Branch(Branch),
}

impl Node {
    /// Height over the leaves.
    #[inline]
    pub(super) const fn level(&self) -> u8 {
        match self {
            Self::Leaf(_) => 0,
            Self::Branch(branch) => branch.level(),
        }
    }

    /// Whether the node, not being the root, is too empty.
    pub(super) fn is_underfull(&self, limits: &Limits) -> bool {
        match self {
            Self::Leaf(leaf) => limits.leaf_is_underfull(leaf.len(), leaf.page().used()),
            Self::Branch(branch) => limits.branch_is_underfull(branch.len(), branch.used()),
        }
    }

    /// Bytes in use.
    pub(super) fn used(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.page().used(),
            Self::Branch(branch) => branch.used(),
        }
    }

    /// Bytes of memory with its latch.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Latch<Self>>()
            + match self {
                Self::Leaf(leaf) => leaf.heap_bytes(),
                Self::Branch(branch) => branch.heap_bytes(),
            }
    }
}
