//! Entries taken out of segments, in key order, to be distributed anew.
//!
//! Thread safety: data of one thread. Entries that are outside stay reachable, because the segments that they were
//! gathered from are locked until they have their new places.

use super::outside;
use super::segment::{self, Entry, OUTSIDE, SLOT_BYTES, Segment};
use crate::memory::words::{self, WORD_BYTES};
use crossbeam::epoch::Guard;
use std::ops::Range;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    bytes: Vec<u8>,
    /// Where each entry ends.
    ends: Vec<u32>,
}

impl Gathered {
    /// Room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ends: Vec::new() }
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes that the entries before an index need, with their slots.
    #[inline]
    pub(super) fn cost_before(&self, index: usize) -> usize {
        self.end_before(index) + index * SLOT_BYTES
    }

    /// Bytes that all entries need, with their slots.
    pub(super) fn cost(&self) -> usize {
        self.cost_before(self.len())
    }

    #[inline]
    fn end_before(&self, index: usize) -> usize {
        index.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(0, |end| *end as usize)
    }

    /// Appends the entries `from..to` of a segment whose lock is held.
    pub(super) fn take(&mut self, segment: Segment<'_>, from: usize, to: usize) {
        let count = segment.header().count;
        let (start, end) = (segment.offset(from, count), segment.offset(to, count));
        let base = self.bytes.len();
        let taken = words::append_at(segment.words(), start, end - start, &mut self.bytes);
        debug_assert!(taken.is_some(), "entries beyond their segment");
        self.ends.extend((from..to).map(|index| (base + segment.offset(index + 1, count) - start) as u32));
    }

    /// Appends an entry.
    pub(super) fn push(&mut self, entry: &Entry<'_>) {
        entry.append(&mut self.bytes);
        self.ends.push(self.bytes.len() as u32);
    }

    /// A copy of a range of the entries.
    pub(super) fn range(&self, range: &Range<usize>) -> Self {
        let (start, end) = (self.end_before(range.start), self.end_before(range.end));
        let ends = self.ends.get(range.clone()).unwrap_or_default();
        Self {
            bytes: self.bytes.get(start..end).unwrap_or_default().to_vec(),
            ends: ends.iter().map(|end| end - start as u32).collect(),
        }
    }

    /// Forgets the first entries.
    pub(super) fn forget(&mut self, entries: usize) {
        let bytes = self.end_before(entries);
        self.bytes.drain(..bytes);
        self.ends.drain(..entries);
        self.ends.iter_mut().for_each(|end| *end -= bytes as u32);
    }

    #[inline]
    fn entry(&self, index: usize) -> &[u8] {
        self.bytes.get(self.end_before(index)..self.end_before(index + 1)).unwrap_or_default()
    }

    /// The address of an entry that is outside.
    pub(super) fn address(&self, index: usize) -> Option<u64> {
        let (mark, rest) = self.entry(index).split_first()?;
        if *mark != OUTSIDE {
            return None;
        }
        rest.first_chunk::<WORD_BYTES>().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// The key of an entry; `buffer` holds it if the entry is outside.
    #[inline]
    pub(super) fn key<'a>(&'a self, index: usize, buffer: &'a mut Vec<u8>, guard: &Guard) -> &'a [u8] {
        if let Some(address) = self.address(index) {
            buffer.clear();
            if let Some(record) = outside::gathered(address, guard) {
                record.append_key(buffer);
            }
            return buffer;
        }
        let entry = self.entry(index);
        let len = entry.first().map_or(0, |mark| usize::from(*mark));
        entry.get(1..1 + len).unwrap_or_default()
    }

    /// Fills a segment with the entries `from..to`.
    pub(super) fn fill(&self, segment: Segment<'_>, from: usize, to: usize, guard: &Guard) {
        let bytes = self.bytes.get(self.end_before(from)..self.end_before(to)).unwrap_or_default();
        let (mut first, mut last) = (Vec::new(), Vec::new());
        let skip = match to.checked_sub(1) {
            Some(end) if from < to => {
                segment::common(self.key(from, &mut first, guard), self.key(end, &mut last, guard))
            }
            _ => 0,
        };
        let outside = (from..to).filter(|index| self.address(*index).is_some()).count();
        let mut buffer = Vec::new();
        let slots = (from..to).map(|index| {
            let len = self.end_before(index + 1) - self.end_before(index);
            (len, segment::head(self.key(index, &mut buffer, guard), skip))
        });
        segment.fill(bytes, skip, outside, slots);
    }
}
