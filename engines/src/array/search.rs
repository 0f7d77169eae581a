//! Finding a key: binary search over the fences, then over the heads of one segment.
#![expect(
    clippy::indexing_slicing,
    reason = "a partition point is at most the length of the slice it was found in"
)]

use super::pma::Pma;
use super::slots::Position;
use std::ops::Range;

impl Pma {
    /// Where a key is, or would go, and whether it is there. O(log n); follows pointers to records only among equal heads.
    #[inline]
    pub(super) fn locate(&self, key: &[u8]) -> (Position, bool) {
        let head = self.heads.head(key);
        // The last segment whose first key is not above the key; the first one if there is none.
        let fences = self.slots.fences();
        let tied = equal_heads(fences, head);
        let above = partition(tied, |segment| self.slots.key(Position { segment, offset: 0 }) <= key);
        let segment = above.saturating_sub(1);

        let tied = equal_heads(self.slots.heads_of(segment), head);
        let end = tied.end;
        let offset = partition(tied, |offset| self.slots.key(Position { segment, offset }) < key);
        let at = Position { segment, offset };
        (at, offset < end && self.slots.key(at) == key)
    }
}

/// The range of the heads that equal one; empty at its place if none does.
#[inline]
fn equal_heads(heads: &[u64], head: u64) -> Range<usize> {
    let start = heads.partition_point(|h| *h < head);
    if heads.get(start) != Some(&head) {
        return start..start;
    }
    start..start + heads[start..].partition_point(|h| *h == head)
}

/// The first index of the range for which the predicate is false, given that none is true behind it.
#[inline]
fn partition(range: Range<usize>, predicate: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if predicate(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
