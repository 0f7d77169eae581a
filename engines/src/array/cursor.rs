//! Scans: a seek, then slot after slot.

use super::pma::Pma;
use super::slots::Position;
use crate::chunk::Chunk;
use crate::engine::ScanRange;
use crate::record::Record;
use std::ops::Bound;

impl Pma {
    /// The place before the first record inside a lower bound; with `upper`, behind the last one inside an upper bound.
    fn seek(&self, bound: Bound<&[u8]>, upper: bool) -> Position {
        let (key, included) = match bound {
            Bound::Unbounded if upper => {
                let segment = self.slots.segments() - 1;
                return Position { segment, offset: self.slots.count(segment) };
            }
            Bound::Unbounded => return Position { segment: 0, offset: 0 },
            Bound::Included(key) => (key, true),
            Bound::Excluded(key) => (key, false),
        };
        let (at, found) = self.locate(key);
        Position { offset: at.offset + usize::from(found && included == upper), ..at }
    }

    /// Pushes the first records of the range, in its direction, until the chunk is full.
    pub(super) fn fill(&self, range: &ScanRange<'_>, chunk: &mut Chunk) {
        if range.reverse { self.fill_down(range, chunk) } else { self.fill_up_from(range, chunk) }
    }

    fn fill_up_from(&self, range: &ScanRange<'_>, chunk: &mut Chunk) {
        let start = self.seek(range.lower(), false);
        let mut first = start.offset;
        for segment in start.segment..self.slots.segments() {
            for offset in first..self.slots.count(segment) {
                let Some(record) = self.slots.record(Position { segment, offset }) else { return };
                if chunk.is_full() || !range.reaches_up_to(record.key()) {
                    return;
                }
                push(record, range, chunk);
            }
            first = 0;
        }
    }

    fn fill_down(&self, range: &ScanRange<'_>, chunk: &mut Chunk) {
        let end = self.seek(range.upper(), true);
        for segment in (0..=end.segment).rev() {
            let behind = if segment == end.segment { end.offset } else { self.slots.count(segment) };
            for offset in (0..behind).rev() {
                let Some(record) = self.slots.record(Position { segment, offset }) else { return };
                if chunk.is_full() || !range.reaches_down_to(record.key()) {
                    return;
                }
                push(record, range, chunk);
            }
        }
    }
}

#[inline]
fn push(record: &Record, range: &ScanRange<'_>, chunk: &mut Chunk) {
    chunk.push(record.key(), if range.keys_only { &[] } else { record.value() });
}
