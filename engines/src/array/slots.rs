//! The slot array and the index of segment heads.
//!
//! Slots lie in two parallel arrays, heads and records, so that the binary search in a segment of 64 runs over 512
//! contiguous bytes. Invariants: the records of a segment lie contiguous at its start and its gaps hold `None`; keys
//! ascend strictly from slot to slot and from segment to segment; `fences[s]` is the head of the first record of
//! segment *s*; no segment is empty unless it is the only one.
#![expect(
    clippy::indexing_slicing,
    reason = "segments are below `segments()`, offsets at most `count(segment)`, which is at most the segment's slots"
)]

use super::plan;
use crate::record::Record;

/// A place in the array: where a record is, or where it would go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Position {
    pub(super) segment: usize,
    /// Within the segment; as large as the segment's count for a place behind its last record.
    pub(super) offset: usize,
}

/// The slots.
#[derive(Debug)]
pub(super) struct Slots {
    segment_slots: usize,
    heads: Vec<u64>,
    records: Vec<Option<Record>>,
    counts: Vec<u16>,
    fences: Vec<u64>,
}

impl Slots {
    /// Lays `len` records, ascending by key and with their heads, evenly into so many segments. One pass.
    pub(super) fn lay_out(
        segment_slots: usize,
        segments: usize,
        len: usize,
        records: impl Iterator<Item = (u64, Record)>,
    ) -> Self {
        let slots = segments * segment_slots;
        let mut counts = vec![0; segments];
        plan::even(&mut counts, len);
        let mut laid = Self {
            segment_slots,
            heads: Vec::with_capacity(slots),
            records: Vec::with_capacity(slots),
            fences: vec![0; segments],
            counts,
        };
        let mut records = records.fuse();
        for segment in 0..segments {
            for (head, record) in records.by_ref().take(usize::from(laid.counts[segment])) {
                laid.heads.push(head);
                laid.records.push(Some(record));
            }
            laid.heads.resize((segment + 1) * segment_slots, 0);
            laid.records.resize_with((segment + 1) * segment_slots, || None);
            laid.set_fence(segment);
        }
        laid
    }

    /// The records with their heads, in order.
    pub(super) fn into_records(self) -> impl Iterator<Item = (u64, Record)> {
        self.heads.into_iter().zip(self.records).filter_map(|(head, record)| Some((head, record?)))
    }

    /// Number of segments.
    #[inline]
    pub(super) const fn segments(&self) -> usize {
        self.counts.len()
    }

    /// Slots of a segment.
    #[inline]
    pub(super) const fn segment_slots(&self) -> usize {
        self.segment_slots
    }

    /// Records of a segment.
    #[inline]
    pub(super) fn count(&self, segment: usize) -> usize {
        usize::from(self.counts[segment])
    }

    /// Records of the segments `start..end`.
    pub(super) fn count_between(&self, start: usize, end: usize) -> usize {
        self.counts[start..end].iter().map(|count| usize::from(*count)).sum()
    }

    /// The head of the first record of each segment.
    #[inline]
    pub(super) fn fences(&self) -> &[u64] {
        &self.fences
    }

    /// The heads of the records of a segment.
    #[inline]
    pub(super) fn heads_of(&self, segment: usize) -> &[u64] {
        let base = segment * self.segment_slots;
        &self.heads[base..base + self.count(segment)]
    }

    /// The record at a position.
    #[inline]
    pub(super) fn record(&self, at: Position) -> Option<&Record> {
        self.records[at.segment * self.segment_slots..].get(at.offset)?.as_ref()
    }

    /// The record at a position, to be changed except for its key.
    pub(super) fn record_mut(&mut self, at: Position) -> Option<&mut Record> {
        self.records[at.segment * self.segment_slots..].get_mut(at.offset)?.as_mut()
    }

    /// The key at a position; empty where there is none.
    #[inline]
    pub(super) fn key(&self, at: Position) -> &[u8] {
        self.record(at).map_or(&[], Record::key)
    }

    /// All records, in order.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.records.iter_mut().flatten()
    }

    /// Whether the slots behind a segment's records are free, and the slots of its records are not.
    pub(super) fn is_contiguous(&self, segment: usize) -> bool {
        let base = segment * self.segment_slots;
        let (used, free) = self.records[base..base + self.segment_slots].split_at(self.count(segment));
        used.iter().all(Option::is_some) && free.iter().all(Option::is_none)
    }

    fn set_fence(&mut self, segment: usize) {
        self.fences[segment] = self.heads[segment * self.segment_slots];
    }

    /// Puts a record at a position of a segment that has a slot left, shifting those behind it. Returns how many
    /// shifted.
    pub(super) fn insert(&mut self, at: Position, head: u64, record: Record) -> usize {
        let base = at.segment * self.segment_slots;
        let (slot, end) = (base + at.offset, base + self.count(at.segment));
        self.heads.copy_within(slot..end, slot + 1);
        self.heads[slot] = head;
        self.records[slot..=end].rotate_right(1);
        self.records[slot] = Some(record);
        self.counts[at.segment] += 1;
        self.set_fence(at.segment);
        end - slot
    }

    /// Takes the record at a position out, closing the gap. Returns it with how many shifted.
    pub(super) fn remove(&mut self, at: Position) -> Option<(Record, usize)> {
        let base = at.segment * self.segment_slots;
        let (slot, end) = (base + at.offset, base + self.count(at.segment));
        let record = self.records[slot].take()?;
        self.heads.copy_within(slot + 1..end, slot);
        self.records[slot..end].rotate_left(1);
        self.counts[at.segment] -= 1;
        self.set_fence(at.segment);
        Some((record, end - slot - 1))
    }

    /// Gives the segments from `first` on the numbers of records in `targets`, whose sum is what they hold: packs the
    /// records to the start of the window, then spreads them from its end. Returns how many moves that took, at most
    /// two a record.
    pub(super) fn spread(&mut self, first: usize, targets: &[u16]) -> usize {
        let mut moved = 0;
        let mut packed = first * self.segment_slots;
        for segment in first..first + targets.len() {
            let (base, count) = (segment * self.segment_slots, self.count(segment));
            if base != packed {
                self.heads.copy_within(base..base + count, packed);
                for offset in 0..count {
                    self.records.swap(packed + offset, base + offset);
                }
                moved += count;
            }
            packed += count;
        }
        for (index, target) in targets.iter().enumerate().rev() {
            let segment = first + index;
            let (base, count) = (segment * self.segment_slots, usize::from(*target));
            packed -= count;
            if base != packed {
                // Every slot above the record that moves next is free: never used, or left a moment ago.
                self.heads.copy_within(packed..packed + count, base);
                for offset in (0..count).rev() {
                    self.records.swap(packed + offset, base + offset);
                }
                moved += count;
            }
            self.counts[segment] = *target;
            self.set_fence(segment);
        }
        moved
    }

    /// Bytes of memory held, without the records' own allocations.
    pub(super) fn memory_bytes(&self) -> usize {
        self.heads.capacity() * size_of::<u64>()
            + self.records.capacity() * size_of::<Option<Record>>()
            + self.counts.capacity() * size_of::<u16>()
            + self.fences.capacity() * size_of::<u64>()
    }
}
