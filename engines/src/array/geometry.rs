//! How full a window of segments may be: the density thresholds of the packed-memory array, counted in bytes.
//!
//! The segments of an extent are the leaves of an implicit binary tree; a node of level *l* is a window of 2^*l* segments,
//! aligned to its size and cut off at the end of the extent; the root is the whole extent. Bender, Demaine &
//! Farach-Colton (*Cache-Oblivious B-Trees*, 2000/2005) give each level an upper density τ that falls from the leaves to
//! the root, and a lower density ρ that rises: ρ_leaf < ρ_root < τ_root < τ_leaf, linear in between. A window that is
//! rebalanced to its own thresholds therefore leaves each of its halves room for Θ(bytes / log n) further inserts or
//! removals before that half asks for another rebalance; charged to these, every level costs O(log n) moves an
//! operation, and all levels together amortised O(log² n), *n* being the records of an extent. An extent past τ_root is
//! rebuilt with a fifth more segments, so that each record is moved by rebuilds about five times on average.

use super::options::ArrayOptions;
use super::segment::{HEADER_BYTES, SLOT_BYTES};

/// A segment that falls below this share of τ_root looks for records in its neighbourhood.
const LEAF_MIN_SHARE: f64 = 0.4;
/// The root's lower density in parts of its upper one: below this an extent gives segments back.
const ROOT_MIN_SHARE: f64 = 0.6;
/// How full a rebuilt extent is, in parts of τ_root.
const REBUILT_SHARE: f64 = 0.84;
/// How full, in parts of τ_root, the records are packed that lie away from where inserts go on.
const COLD_DENSITY: f64 = 0.97;

/// The thresholds for one choice of options.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    segment_bytes: usize,
    extent_segments: usize,
    max_density: f64,
}

impl Geometry {
    /// For options that have been checked.
    pub(super) const fn new(options: &ArrayOptions) -> Self {
        Self {
            segment_bytes: options.segment_bytes.0 as usize,
            extent_segments: options.extent_segments,
            max_density: options.max_density,
        }
    }

    /// Bytes of a segment in memory.
    pub(super) const fn segment_bytes(&self) -> usize {
        self.segment_bytes
    }

    /// Bytes of a segment that entries and their slots can use.
    pub(super) const fn room(&self) -> usize {
        self.segment_bytes - HEADER_BYTES
    }

    /// Segments of a full extent.
    pub(super) const fn extent_segments(&self) -> usize {
        self.extent_segments
    }

    /// Whether an extent has fifteen sixteenths of the segments of a full one.
    pub(super) const fn is_nearly_full(&self, segments: usize) -> bool {
        segments * 16 >= self.extent_segments * 15
    }

    /// The most bytes of an entry within a segment: with its slot a quarter of the room.
    pub(super) const fn entry_bytes_most(&self) -> usize {
        self.room() / 4 - SLOT_BYTES
    }

    /// The level of the root: log2 of the number of segments, rounded up.
    pub(super) const fn height(segments: usize) -> u32 {
        segments.next_power_of_two().trailing_zeros()
    }

    /// The upper density of a level: 1 for a leaf, since an insert shifts within it as long as there is room.
    pub(super) fn upper(&self, level: u32, height: u32) -> f64 {
        1.0 - (1.0 - self.max_density) * share(level, height)
    }

    /// The lower density of a level.
    pub(super) fn lower(&self, level: u32, height: u32) -> f64 {
        let (leaf, root) = (LEAF_MIN_SHARE * self.max_density, ROOT_MIN_SHARE * self.max_density);
        leaf + (root - leaf) * share(level, height)
    }

    /// The most bytes that a window may hold for a rebalance of it to make room.
    pub(super) fn most(&self, level: u32, height: u32, segments: usize) -> usize {
        ((segments * self.room()) as f64 * self.upper(level, height)) as usize
    }

    /// The fewest bytes that a window may hold for a rebalance of it to fill its segments.
    pub(super) fn fewest(&self, level: u32, height: u32, segments: usize) -> usize {
        ((segments * self.room()) as f64 * self.lower(level, height)) as usize
    }

    /// A segment with fewer bytes than these, after a removal, is filled up by its neighbours.
    pub(super) fn leaf_fewest(&self) -> usize {
        self.fewest(0, 1, 1)
    }

    /// Segments for so many bytes when extents are rebuilt.
    pub(super) fn rebuilt_segments(&self, bytes: usize) -> usize {
        self.segments_at(bytes, REBUILT_SHARE * self.max_density)
    }

    /// Segments for so many bytes where no inserts are expected.
    pub(super) fn cold_segments(&self, bytes: usize) -> usize {
        self.segments_at(bytes, COLD_DENSITY * self.max_density)
    }

    fn segments_at(&self, bytes: usize, density: f64) -> usize {
        ((bytes as f64 / (self.room() as f64 * density)).ceil() as usize).max(1)
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
        for max_density in [0.5, 0.75, 0.95] {
            let geometry = Geometry::new(&ArrayOptions { max_density, ..ArrayOptions::default() });
            for height in 1..11 {
                for level in 1..=height {
                    assert!(geometry.upper(level, height) < geometry.upper(level - 1, height));
                    assert!(geometry.lower(level, height) > geometry.lower(level - 1, height));
                    let segments = 1 << level;
                    let fewest = geometry.fewest(level, height, segments);
                    assert!(fewest < geometry.most(level, height, segments));
                }
                // Where a segment is a small part of the whole, so that rounding up does not decide.
                let root = 8 << height;
                let (fewest, most) =
                    (geometry.fewest(height, height, root), geometry.most(height, height, root));
                for bytes in [fewest, most] {
                    let rebuilt = geometry.rebuilt_segments(bytes);
                    assert!(geometry.fewest(height, height, rebuilt) < bytes, "not rebuilt again at once");
                    assert!(bytes < geometry.most(height, height, rebuilt), "not rebuilt again at once");
                }
            }
        }
    }
}
