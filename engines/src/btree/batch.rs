//! Batches: sorted by key, applied leaf by leaf.
//!
//! # Thread safety / Invariants
//! One leaf is latched while all operations that certainly belong to it and fit into it are applied: those up to its
//! greatest key, and in the last leaf all. Other threads may see the batch applied to one leaf and not yet to another
//! (`batch_atomic_visibility` is false). No operation can fail: the batch was checked before.

use super::BTree;
use super::items::Edit;
use super::link::{Large, Node};
use super::page::Value;
use super::reshape;
use super::write::Write;
use crate::engine::{WriteBatch, WriteOp};
use crossbeam::epoch::Guard;

/// Applies a checked batch. O(n log n) comparisons to sort, then one descent for each leaf concerned.
pub(super) fn apply(tree: &BTree, guard: &Guard, batch: &WriteBatch) {
    let mut writes: Vec<Write<'_>> = batch
        .iter()
        .map(|op| match op {
            WriteOp::Set { key, value } => Write::set(key, value),
            WriteOp::Delete { key } => Write::delete(key),
        })
        .collect();
    // The sort is stable, so of the operations on one key the last is the one that counts.
    writes.sort_by(|a, b| a.key.cmp(b.key));
    writes.reverse();
    writes.dedup_by(|a, b| a.key == b.key);
    writes.reverse();
    let mut dropped = Vec::new();
    let mut rest = writes.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        let leaf = tree.leaf_of(guard, first.key);
        if !leaf.node.latch().upgrade(leaf.version) {
            continue;
        }
        let applied = apply_to_leaf(tree, leaf.node, rest, &mut dropped);
        let sparse = applied > 0 && tree.is_sparse(leaf.node);
        if applied == 0 {
            leaf.node.latch().unlock_unchanged();
        } else {
            leaf.node.latch().unlock();
        }
        dropped.drain(..).for_each(|large: Large| large.retire(&tree.slab, guard));
        if sparse && tree.root.node(guard) != leaf.node {
            reshape::rebalance(tree, guard, first.key);
        }
        rest = rest.get(applied..).unwrap_or_default();
        // What stopped the run may have been a change of shape, which the ordinary way takes care of.
        if applied == 0 {
            tree.write(guard, first);
            rest = behind;
        }
    }
}

/// Applies the first writes that belong to the leaf and leave its shape alone; tells how many.
fn apply_to_leaf(tree: &BTree, leaf: Node<'_>, writes: &[Write<'_>], dropped: &mut Vec<Large>) -> usize {
    let last = leaf.page().len().checked_sub(1).map(|last| leaf.page().key(last));
    let is_last_leaf = leaf.next().is_none();
    let belongs = |key: &[u8]| is_last_leaf || last.as_deref().is_some_and(|last| key <= last);
    let applies = |(index, write): (usize, &Write<'_>)| {
        // The descent was made for the first one.
        if index > 0 && !belongs(write.key) {
            return false;
        }
        let page = leaf.page();
        // A leaf that got too empty is joined with a neighbour first.
        if write.value.is_none() && tree.is_sparse(leaf) {
            return false;
        }
        // A long value would need a block, which only the ordinary way gives back if there is no room.
        let value = match write.value {
            Some(value) if value.len() > tree.limits.inline_value_bytes() => return false,
            value => value.map(Value::Bytes),
        };
        let applied = tree.apply(leaf, &Edit { at: page.locate(write.key), key: write.key, value });
        dropped.extend(applied.and_then(|applied| applied.dropped));
        applied.is_some()
    };
    writes.iter().enumerate().map(applies).take_while(|applied| *applied).count()
}
