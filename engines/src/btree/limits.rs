//! How full a node may and should be: by number of entries if an order is set, by bytes otherwise.
//!
//! # Invariants
//! Splitting and joining cannot alternate: a split leaves two nodes of about 50 %, a node is underfull below 40 %, two
//! nodes are merged only up to 80 %, and what is redistributed leaves two nodes of more than 40 %. So at least 10 % of
//! a node must be written between any two changes of its shape, except where single records are that large.
//!
//! The byte limit is soft: a leaf may hold one record of any length, a branch three children with separators of any
//! length, and a node is split in two only, so that a half may keep a very long entry beside others. Order limits are exact.

use super::page::{INLINE_LIMIT_BYTES, RECORD_OVERHEAD_BYTES};

/// Bytes that a child takes in a branch beside its separator.
pub(super) const CHILD_BYTES: usize = size_of::<usize>();
/// What a branch must be able to hold whatever the length of its separators, so that splitting it leaves two children each.
const FREE_CHILDREN: usize = 3;
/// The first buffer of a node whose size is given by its order: it grows as records come.
const SMALL_BUFFER_BYTES: usize = 128;

/// The limits of one tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    order: Option<usize>,
    node_bytes: usize,
}

impl Limits {
    /// From checked options.
    pub(super) const fn new(order: Option<usize>, node_bytes: usize) -> Self {
        Self { order, node_bytes }
    }

    /// The length that page buffers start with.
    pub(super) fn buffer_floor(&self) -> usize {
        if self.order.is_some() { SMALL_BUFFER_BYTES } else { self.node_bytes }
    }

    /// The longest value kept in the page, bytes: a quarter of it.
    #[inline]
    pub(super) fn inline_value_bytes(&self) -> usize {
        (self.node_bytes / 4).min(INLINE_LIMIT_BYTES)
    }

    /// The most entries of a node, if they are limited.
    pub(super) const fn order(&self) -> Option<usize> {
        self.order
    }

    /// The fewest records of a leaf beside the root.
    pub(super) fn min_records(&self) -> usize {
        self.order.map_or(1, |order| (order * 2 / 5).max(1))
    }

    /// The fewest children of a branch beside the root.
    pub(super) fn min_children(&self) -> usize {
        self.order.map_or(2, |order| (order * 2 / 5).max(2))
    }

    fn min_bytes(&self) -> usize {
        self.node_bytes * 2 / 5
    }

    fn merged_bytes(&self) -> usize {
        self.node_bytes * 4 / 5
    }

    /// Whether a leaf may be so full.
    #[inline]
    pub(super) fn leaf_fits(&self, records: usize, used: usize) -> bool {
        records <= 1 || self.order.map_or(used <= self.node_bytes, |order| records <= order)
    }

    /// Whether a leaf beside the root is too empty.
    #[inline]
    pub(super) fn leaf_is_underfull(&self, records: usize, used: usize) -> bool {
        records < self.min_records() || (self.order.is_none() && used < self.min_bytes())
    }

    /// Whether two leaves with so much in all should become one.
    pub(super) fn leaves_merge(&self, records: usize, used: usize) -> bool {
        records <= 1
            || match self.order {
                Some(order) => records <= (order * 4 / 5).max(2 * self.min_records() - 1),
                None => used <= self.merged_bytes(),
            }
    }

    /// Whether a branch may be so full.
    pub(super) fn branch_fits(&self, children: usize, used: usize) -> bool {
        match self.order {
            Some(order) => children <= order,
            None => children <= FREE_CHILDREN || used <= self.node_bytes,
        }
    }

    /// Whether a branch beside the root is too empty.
    pub(super) fn branch_is_underfull(&self, children: usize, used: usize) -> bool {
        children < self.min_children() || (self.order.is_none() && used < self.min_bytes())
    }

    /// Whether two branches with so much in all should become one.
    pub(super) fn branches_merge(&self, children: usize, used: usize) -> bool {
        match self.order {
            Some(order) => children <= (order * 4 / 5).max(2 * self.min_children() - 1),
            None => children <= FREE_CHILDREN || used <= self.merged_bytes(),
        }
    }

    /// Whether a branch can take one more child, so that a split below ends here. The length of the separator is not known
    /// yet; an eighth of the node is reserved for it.
    #[inline]
    pub(super) fn absorbs_split(&self, children: usize, used: usize) -> bool {
        self.branch_fits(children + 1, used + RECORD_OVERHEAD_BYTES + CHILD_BYTES + self.node_bytes / 8)
    }

    /// Whether a branch can lose one child, so that a merge below ends here. A separator of average length is
    /// expected to go.
    #[inline]
    pub(super) fn absorbs_merge(&self, children: usize, used: usize) -> bool {
        children > 1 && !self.branch_is_underfull(children - 1, used - used / children)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_and_joins_leave_nodes_within_their_limits() {
        for order in 3..=1000 {
            let limits = Limits::new(Some(order), 4096);
            let (records, children) = (limits.min_records(), limits.min_children());
            assert!(
                order.div_ceil(2) > records || order < 4,
                "a split leaf is not about to underflow: {order}"
            );
            assert!(order.div_ceil(2) >= children, "{order}");
            for total in 0..=2 * order {
                if limits.leaves_merge(total, 0) {
                    assert!(limits.leaf_fits(total, 0));
                } else {
                    assert!(total / 2 >= records, "redistributed leaves: {order} {total}");
                }
                if limits.branches_merge(total, 0) {
                    assert!(limits.branch_fits(total, 0));
                } else {
                    assert!(total / 2 >= children, "redistributed branches: {order} {total}");
                }
            }
        }
    }
}
