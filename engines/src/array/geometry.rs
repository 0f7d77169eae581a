//! How full a window of segments may be: the density thresholds of the packed-memory array.
//!
//! Segments are the leaves of an implicit binary tree; a node of level *l* is a window of 2^*l* segments, aligned to
//! its size and cut off at the end of the array; the root is the whole array. Bender, Demaine & Farach-Colton
//! (*Cache-Oblivious B-Trees*, 2000/2005) give each level an upper density τ that falls from the leaves to the root, and
//! a lower density ρ that rises: ρ_leaf < ρ_root < τ_root < τ_leaf, linear in between. A window that is rebalanced to
//! its own thresholds therefore leaves each of its halves room for Θ(slots / log n) further inserts or
//! removals before that half asks for another rebalance; charged to these, every level costs O(log n) moves an
//! operation, and all levels together amortised O(log² n). With ρ_root < τ_root / 2 a resize is followed by Θ(n)
//! operations before the next one.

use super::options::ArrayOptions;

/// A segment keeps at least this share of its slots in use, unless it is the only one.
const LEAF_MIN_DENSITY: f64 = 0.08;
/// The root's lower density in parts of its upper one; below one half, so that halving does not cause doubling.
const ROOT_MIN_SHARE: f64 = 0.4;

/// The thresholds for one choice of options.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    segment_slots: usize,
    max_density: f64,
}

impl Geometry {
    /// For options that have been checked.
    pub(super) const fn new(options: &ArrayOptions) -> Self {
        Self { segment_slots: options.segment_slots, max_density: options.max_density }
    }

    /// Slots of a segment.
    pub(super) const fn segment_slots(&self) -> usize {
        self.segment_slots
    }

    /// The level of the root: log2 of the number of segments, rounded up.
    pub(super) const fn height(segments: usize) -> u32 {
        segments.next_power_of_two().trailing_zeros()
    }

    /// The upper density of a level: 1 for a leaf, since an insert shifts within it as long as a slot is left.
    pub(super) fn upper(&self, level: u32, height: u32) -> f64 {
        1.0 - (1.0 - self.max_density) * share(level, height)
    }

    /// The lower density of a level.
    pub(super) fn lower(&self, level: u32, height: u32) -> f64 {
        let root = ROOT_MIN_SHARE * self.max_density;
        LEAF_MIN_DENSITY + (root - LEAF_MIN_DENSITY) * share(level, height)
    }

    /// The most records that a window of so many segments may hold for a rebalance of it to make room: within the density,
    /// and leaving a free slot in each segment when spread evenly.
    pub(super) fn most(&self, level: u32, height: u32, segments: usize) -> usize {
        let slots = segments * self.segment_slots;
        ((slots as f64 * self.upper(level, height)) as usize).min(slots - segments)
    }

    /// The fewest records that a window may hold for a rebalance of it to fill its segments.
    pub(super) fn fewest(&self, level: u32, height: u32, segments: usize) -> usize {
        let slots = segments * self.segment_slots;
        ((slots as f64 * self.lower(level, height)).ceil() as usize).max(segments * self.leaf_fewest())
    }

    /// The fewest records of a segment, unless it is the only one. At least one, so that each segment has a head.
    pub(super) fn leaf_fewest(&self) -> usize {
        ((self.segment_slots as f64 * LEAF_MIN_DENSITY) as usize).max(1)
    }

    /// Segments for a bulk load: as full as the array gets before it doubles.
    pub(super) fn loaded_segments(&self, records: usize) -> usize {
        let filled = (self.segment_slots as f64 * self.max_density) as usize;
        records.div_ceil(filled).max(1)
    }

    /// Segments after a compaction: one slot in 32 stays free, none where a segment has fewer.
    pub(super) const fn compact_segments(&self, records: usize) -> usize {
        let segments = records.div_ceil(self.segment_slots - self.segment_slots / 32);
        if segments == 0 { 1 } else { segments }
    }
}

/// Where a level lies between the leaves (0) and the root (1).
fn share(level: u32, height: u32) -> f64 {
    if height == 0 { 0.0 } else { f64::from(level) / f64::from(height) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_leave_room_at_every_level_and_for_every_option() {
        for segment_slots in [8, 16, 64, 1024] {
            for max_density in [0.5, 0.75, 0.95] {
                let geometry = Geometry::new(&ArrayOptions { segment_slots, max_density });
                for height in 1..30 {
                    for level in 1..=height {
                        assert!(geometry.upper(level, height) < geometry.upper(level - 1, height));
                        assert!(geometry.lower(level, height) > geometry.lower(level - 1, height));
                        let segments = 1 << level;
                        let (fewest, most) = (
                            geometry.fewest(level, height, segments),
                            geometry.most(level, height, segments),
                        );
                        assert!(fewest < most);
                        assert!(most.div_ceil(segments) < segment_slots, "a slot is free in each segment");
                        assert!(fewest / segments >= geometry.leaf_fewest());
                    }
                    assert!(2.0 * geometry.lower(height, height) < geometry.upper(height, height));
                }
            }
        }
    }
}
