//! The descent of readers.
//!
//! # Thread safety / Invariants
//! The whole path is latched shared, see `latch`.

use super::branch::Branch;
use super::latch::Latch;
use super::leaf::Leaf;
use super::node::Node;

/// Hands the leaf that the key belongs to, held shared, to `work`.
#[inline]
pub(super) fn with_leaf<R>(root: &Latch<Node>, key: &[u8], work: impl FnOnce(&Leaf) -> R) -> R {
    match &*root.shared() {
        Node::Leaf(leaf) => work(leaf),
        Node::Branch(branch) => below(branch, key, work),
    }
}

fn below<R>(branch: &Branch, key: &[u8], work: impl FnOnce(&Leaf) -> R) -> R {
    with_leaf(branch.child(branch.index_of(key)), key, work)
}
