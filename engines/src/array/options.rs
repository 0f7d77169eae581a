//! The knobs of the array and their limits.

use crate::entry::invalid;
use crate::error::Result;
use crate::options::OptionDoc;
use serde::{Deserialize, Serialize};

/// Options of [`super::Array`].
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArrayOptions {
    /// Slots of a segment, a power of two from 8 to 1024. An insert shifts half a segment's records on average; a search
    /// ends with a binary search in one; the index holds one head for each.
    pub segment_slots: usize,
    /// The most records the whole array may hold, as a share of its slots from 0.5 to 0.95, for a rebalance of it to make
    /// room; beyond it the array doubles. Smaller windows may be denser, so the array is a little denser than this when
    /// its keys arrive evenly. Higher saves memory, lower saves moves.
    pub max_density: f64,
}

impl Default for ArrayOptions {
    fn default() -> Self {
        Self { segment_slots: 64, max_density: 0.75 }
    }
}

/// The same, for people; a test compares the defaults.
pub(super) const DOCS: &[OptionDoc] = &[
    OptionDoc {
        name: "segment_slots",
        range: "power of two, 8–1024",
        default: "64",
        summary: "slots of a segment: fewer make inserts shift less, more make the index smaller",
    },
    OptionDoc {
        name: "max_density",
        range: "0.5–0.95",
        default: "0.75",
        summary: "share of used slots beyond which a rebalance of all of it becomes a doubling: higher saves memory, lower saves moves",
    },
];

impl ArrayOptions {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`crate::Error::InvalidOption`] naming the field.
    pub(super) fn check(&self) -> Result<()> {
        if !self.segment_slots.is_power_of_two() || !(8..=1024).contains(&self.segment_slots) {
            let message =
                format!("segment_slots must be a power of two from 8 to 1024, not {}", self.segment_slots);
            return Err(invalid(super::NAME, &message));
        }
        if !(0.5..=0.95).contains(&self.max_density) {
            let message = format!("max_density must be from 0.5 to 0.95, not {}", self.max_density);
            return Err(invalid(super::NAME, &message));
        }
        Ok(())
    }
}
