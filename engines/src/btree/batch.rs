//! Batches: sorted by key, applied leaf by leaf.
//!
//! # Thread safety / Invariants
//! One leaf is latched exclusively while all operations that belong to it and do not change its shape are applied; other
//! threads may see the batch applied to one leaf and not yet to another (`batch_atomic_visibility` is false). No operation
//! can fail: the batch was checked before.

use super::leaf::{Attempt, Leaf};
use super::limits::Limits;
use super::write::{Write, Writer};
use crate::engine::{WriteBatch, WriteOp};

/// Applies a checked batch. O(n log n) comparisons to sort, then one descent for each leaf concerned.
pub(super) fn apply(writer: &Writer<'_>, batch: &WriteBatch) {
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
    let mut rest = &writes[..];
    let mut upper = None;
    while let Some((first, _)) = rest.split_first() {
        let applied = writer.with_leaf(first.key, &mut upper, |leaf, alone, upper| {
            apply_to_leaf(leaf, rest, upper, writer.limits, alone)
        });
        let (_, left) = rest.split_at(applied.unwrap_or(0).min(rest.len()));
        rest = left;
        // What stopped the run may have been a change of shape, which the ordinary way takes care of.
        if applied.unwrap_or(0) == 0
            && let Some((first, left)) = rest.split_first()
        {
            writer.write(first);
            rest = left;
        }
    }
}

/// Applies the first writes that belong to the leaf and leave its shape alone; tells how many.
fn apply_to_leaf(
    leaf: &mut Leaf,
    writes: &[Write<'_>],
    upper: Option<&[u8]>,
    limits: &Limits,
    alone: bool,
) -> usize {
    writes
        .iter()
        .take_while(|write| upper.is_none_or(|upper| write.key < upper))
        .take_while(|write| matches!(leaf.attempt(write, limits, alone), Attempt::Done(_)))
        .count()
}
