//! The knobs of the array and their limits.

use crate::entry::invalid;
use crate::error::Result;
use crate::options::{ByteSize, OptionDoc};
use serde::{Deserialize, Serialize};

/// Options of [`super::Array`].
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArrayOptions {
    /// Bytes of a segment, a power of two from 256 B to 32 KiB. An insert shifts half of the bytes in one on average; a
    /// scan copies one at a time. A record of more than a quarter of a segment lies outside it, in a block of its own.
    pub segment_bytes: ByteSize,
    /// Segments of a full extent, a power of two from 4 to 1024. An extent is the stretch of memory within which records are
    /// contiguous, and what grows, splits and merges as a whole: the longest pause of a write rewrites five of them.
    pub extent_segments: usize,
    /// The most bytes an extent may hold, as a share of its room from 0.5 to 0.95, for a rebalance of it to make room;
    /// beyond it the extent gets more segments, until it is four fifths as full as this. Smaller windows may be fuller, so
    /// that an extent becomes denser than this when keys arrive evenly. Higher saves memory, lower saves moves.
    pub max_density: f64,
}

impl Default for ArrayOptions {
    fn default() -> Self {
        Self { segment_bytes: ByteSize(8 << 10), extent_segments: 256, max_density: 0.85 }
    }
}

/// The same, for people; a test compares the defaults.
pub(super) const DOCS: &[OptionDoc] = &[
    OptionDoc {
        name: "segment_bytes",
        range: "power of two, 256B–32KiB",
        default: "\"8KiB\"",
        summary: "bytes of a segment: fewer make inserts shift less, more waste less of a full one and make the index smaller",
    },
    OptionDoc {
        name: "extent_segments",
        range: "power of two, 4–1024",
        default: "256",
        summary: "segments of a full extent, which lie side by side in memory: fewer make the longest pause shorter",
    },
    OptionDoc {
        name: "max_density",
        range: "0.5–0.95",
        default: "0.85",
        summary: "share of used bytes beyond which an extent gets more segments: higher saves memory, lower saves moves",
    },
];

impl ArrayOptions {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`crate::Error::InvalidOption`] naming the field.
    pub(super) fn check(&self) -> Result<()> {
        let segment = self.segment_bytes.0;
        if !segment.is_power_of_two() || !(256..=32 << 10).contains(&segment) {
            let message = format!(
                "segment_bytes must be a power of two from 256B to 32KiB, not {}",
                self.segment_bytes
            );
            return Err(invalid(super::NAME, &message));
        }
        if !self.extent_segments.is_power_of_two() || !(4..=1024).contains(&self.extent_segments) {
            let message = format!(
                "extent_segments must be a power of two from 4 to 1024, not {}",
                self.extent_segments
            );
            return Err(invalid(super::NAME, &message));
        }
        if !(0.5..=0.95).contains(&self.max_density) {
            let message = format!("max_density must be from 0.5 to 0.95, not {}", self.max_density);
            return Err(invalid(super::NAME, &message));
        }
        Ok(())
    }
}
