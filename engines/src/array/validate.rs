//! Checks of every invariant of the array.

use super::pma::Pma;
use super::slots::Position;
use crate::record::Tally;

impl Pma {
    /// Checks order, contiguity, heads, fences, the limits of segments and the totals. O(n).
    ///
    /// # Errors
    /// The first violation, in words.
    pub(super) fn validate(&self) -> Result<(), String> {
        let segments = self.slots.segments();
        let mut tally = Tally::default();
        let mut before: Option<&[u8]> = None;
        for segment in 0..segments {
            let count = self.slots.count(segment);
            let fewest = if segments == 1 { 0 } else { self.geometry.leaf_fewest() };
            if count < fewest || count > self.slots.segment_slots() {
                return Err(format!("segment {segment} holds {count} records"));
            }
            if !self.slots.is_contiguous(segment) {
                return Err(format!(
                    "segment {segment} has a gap before its last record, or records behind its count"
                ));
            }
            let heads = self.slots.heads_of(segment);
            if count > 0 && heads.first() != self.slots.fences().get(segment) {
                return Err(format!("the fence of segment {segment} is not its first head"));
            }
            for (offset, head) in heads.iter().enumerate() {
                let Some(record) = self.slots.record(Position { segment, offset }) else {
                    return Err(format!("segment {segment} has no record at {offset}"));
                };
                tally.add(record);
                if *head != self.heads.head(record.key()) {
                    return Err(format!("slot {offset} of segment {segment} has a wrong head"));
                }
                if before.is_some_and(|before| before >= record.key()) {
                    return Err(format!("slot {offset} of segment {segment} is out of order"));
                }
                before = Some(record.key());
            }
        }
        if tally != self.tally {
            return Err(format!("counted {tally:?}, recorded {:?}", self.tally));
        }
        Ok(())
    }
}
