//! Joining an underfull node with a neighbour: both become one, or share their entries evenly.
//!
//! # Thread safety / Invariants
//! Who calls holds the parent exclusively, and with it both nodes. A merge removes the right node of the two; redistribution
//! changes the separator between them. Neither happens without need: see the hysteresis in `limits`.

use super::branch::Branch;
use super::leaf::Leaf;
use super::limits::{CHILD_BYTES, Limits};
use super::node::Node;
use super::page::{RECORD_OVERHEAD_BYTES, common_prefix_len};
use super::records::{Moved, Records};
use super::split::{branch_split, deal_branch, leaf_split};
use super::stats::Counters;

/// What became of two neighbours.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// All is in the left node; the right one is empty and must go.
    Merged,
    /// Both hold about the same now, and this separates them.
    Redistributed(Vec<u8>),
    /// They are as even as they can be.
    Unchanged,
}

/// Joins the child at `index` with the neighbour that it can be merged with, or else with the fuller one.
pub(super) fn join_child(parent: &mut Branch, index: usize, limits: &Limits, counters: &Counters) {
    let mut best: Option<(bool, usize, usize)> = None;
    for left in [index.checked_sub(1), Some(index)].into_iter().flatten() {
        if left + 1 >= parent.len() {
            continue;
        }
        let separator = parent.separator(left);
        let neighbour = if left == index { index + 1 } else { left };
        let fill = parent.child_mut(neighbour).used();
        if let Some((left_node, right_node)) = parent.pair_mut(left) {
            let candidate = (mergeable(left_node, &separator, right_node, limits), fill, left);
            best = best.max(Some(candidate));
        }
    }
    let Some((_, _, left)) = best else { return };
    let separator = parent.separator(left);
    let Some((left_node, right_node)) = parent.pair_mut(left) else { return };
    match join(left_node, &separator, right_node, limits) {
        Join::Merged => {
            drop(parent.remove_right(left, limits));
            counters.count_merge();
        }
        Join::Redistributed(separator) => {
            parent.set_separator(left, &separator, limits);
            counters.count_borrow();
        }
        Join::Unchanged => {}
    }
}

/// Joins two neighbours with the separator between them.
pub(super) fn join(left: &mut Node, separator: &[u8], right: &mut Node, limits: &Limits) -> Join {
    let merge = mergeable(left, separator, right, limits);
    match (left, right) {
        (Node::Leaf(left), Node::Leaf(right)) => join_leaves(left, right, merge, limits),
        (Node::Branch(left), Node::Branch(right)) => join_branches(left, separator, right, merge, limits),
        _ => Join::Unchanged,
    }
}

/// Whether two neighbours should become one. O(1) comparisons: nothing is copied but two keys.
fn mergeable(left: &Node, separator: &[u8], right: &Node, limits: &Limits) -> bool {
    match (left, right) {
        (Node::Leaf(left), Node::Leaf(right)) => {
            let records = left.len() + right.len();
            let bytes = left.page().untruncated() + right.page().untruncated();
            let prefix_len = match (left.len(), right.len()) {
                (0, 0) => 0,
                (_, 0) => left.page().prefix().len(),
                (0, _) => right.page().prefix().len(),
                (_, len) => common_prefix_len(&left.page().key(0), &right.page().key(len - 1)),
            };
            limits.leaves_merge(records, bytes + prefix_len - prefix_len * records)
        }
        (Node::Branch(left), Node::Branch(right)) => {
            let (left_page, right_page) = (left.page(), right.page());
            let separators = left_page.len() + 1 + right_page.len();
            let bytes =
                left_page.untruncated() + RECORD_OVERHEAD_BYTES + separator.len() + right_page.untruncated();
            let first = if left_page.len() == 0 { separator.to_vec() } else { left_page.key(0) };
            let last = match right_page.len() {
                0 => separator.to_vec(),
                len => right_page.key(len - 1),
            };
            let prefix_len = if separators < 2 { 0 } else { common_prefix_len(&first, &last) };
            let used = bytes + prefix_len - prefix_len * separators;
            limits.branches_merge(separators + 1, used + (separators + 1) * CHILD_BYTES)
        }
        _ => false,
    }
}

fn join_leaves(left: &mut Leaf, right: &mut Leaf, merge: bool, limits: &Limits) -> Join {
    let (left_len, len) = (left.len(), left.len() + right.len());
    let mut records = Records::new();
    left.drain_into(&mut records, None, limits);
    right.drain_into(&mut records, None, limits);
    if merge {
        *left = records.leaf(0..len, limits);
        *right = Leaf::new(limits);
        return Join::Merged;
    }
    let at = leaf_split(&records, false, limits);
    *left = records.leaf(0..at, limits);
    *right = records.leaf(at..len, limits);
    if at == left_len { Join::Unchanged } else { Join::Redistributed(records.separator(at)) }
}

fn join_branches(
    left: &mut Branch,
    separator: &[u8],
    right: &mut Branch,
    merge: bool,
    limits: &Limits,
) -> Join {
    let left_children = left.len();
    let (mut records, mut children) = (Records::new(), Vec::new());
    left.drain_into(&mut records, &mut children);
    records.push(separator, &[], Moved::Inline(&[]));
    right.drain_into(&mut records, &mut children);
    if merge {
        *left = Branch::from_parts(left.level(), records.branch_page(0..records.len(), limits), children);
        return Join::Merged;
    }
    let at = branch_split(&records, limits);
    let split = deal_branch(left, &records, children, at, limits);
    if let Node::Branch(branch) = split.right.into_inner() {
        *right = branch;
    }
    if at + 1 == left_children { Join::Unchanged } else { Join::Redistributed(split.separator) }
}
