//! Splitting a node that is too full into two.
//!
//! A node is split where both halves use as nearly the same number of bytes (with an order: entries) as can be. Only when a
//! record is appended behind the last one of the whole tree, the left node stays as full as it is, so that ascending
//! inserts leave full nodes behind them, not half empty ones.
//!
//! # Thread safety / Invariants
//! Who calls holds the node and its parent exclusively (or the root alone). Both halves keep their fewest entries.

use super::branch::{Branch, Child};
use super::latch::Latch;
use super::leaf::Leaf;
use super::limits::Limits;
use super::node::Node;
use super::records::Records;

/// The right half of a split node, and the separator before it.
#[derive(Debug)]
pub(super) struct Split {
    /// Greater than every key in the left half, not greater than any in the right half.
    pub(super) separator: Vec<u8>,
    /// The new node.
    pub(super) right: Child,
}

/// Sets a record in a leaf that is too full for it, and splits the leaf. `rightmost` says that it is the tree's last.
pub(super) fn split_leaf(
    leaf: &mut Leaf,
    key: &[u8],
    value: &[u8],
    rightmost: bool,
    limits: &Limits,
) -> Split {
    let mut records = Records::new();
    let written = leaf.drain_into(&mut records, Some((key, value)), limits);
    let append = rightmost && written == Some(records.len() - 1);
    let at = leaf_split(&records, append, limits);
    let (separator, len) = (records.separator(at), records.len());
    *leaf = records.leaf(0..at, limits);
    let right = Box::new(Latch::new(Node::Leaf(records.leaf(at..len, limits))));
    Split { separator, right }
}

/// How many of at least two records go to the left leaf.
pub(super) fn leaf_split(records: &Records, append: bool, limits: &Limits) -> usize {
    match (append, limits.order()) {
        (true, _) => records.len() - limits.min_records(),
        (false, Some(_)) => records.len() / 2,
        (false, None) => records.even_split(0),
    }
}

/// Splits a branch of at least four children.
pub(super) fn split_branch(branch: &mut Branch, rightmost: bool, limits: &Limits) -> Split {
    let (mut records, mut children) = (Records::new(), Vec::new());
    branch.drain_into(&mut records, &mut children);
    let at = if rightmost { records.len() - limits.min_children() } else { branch_split(&records, limits) };
    deal_branch(branch, &records, children, at, limits)
}

/// Which of at least three separators goes up between two branches of even size.
pub(super) fn branch_split(records: &Records, limits: &Limits) -> usize {
    match limits.order() {
        Some(_) => records.len().div_ceil(2) - 1,
        None => records.even_split(1),
    }
}

/// Deals separators and children out to `left` and a new branch; the separator at `at` comes between them.
pub(super) fn deal_branch(
    left: &mut Branch,
    records: &Records,
    mut children: Vec<Child>,
    at: usize,
    limits: &Limits,
) -> Split {
    let level = left.level();
    let right_children = children.split_off(at + 1);
    *left = Branch::from_parts(level, records.branch_page(0..at, limits), children);
    let right = Branch::from_parts(level, records.branch_page(at + 1..records.len(), limits), right_children);
    Split { separator: records.key(at).to_vec(), right: Box::new(Latch::new(Node::Branch(right))) }
}
