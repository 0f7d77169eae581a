//! The packed-memory array: insertion, removal and the rebalancing of windows.
//!
//! Costs: a search is O(log n). An insert or removal shifts at most one segment, and moves amortised O(log² n) records
//! in rebalances ([`super::geometry`] has the argument), far fewer when keys come in random order. The worst single
//! operation is a resize: it moves every record in one go, under the latch, and holds both arrays meanwhile. An insert pays
//! it when the array doubles, a removal when it halves, each only after Θ(n) operations since the last one.

use super::geometry::Geometry;
use super::options::ArrayOptions;
use super::plan::{self, Hot};
use super::slots::{Position, Slots};
use crate::head::HeadMap;
use crate::record::{Record, Tally};

/// What the array has done since it was made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    /// Windows that were rebalanced, resizes not included.
    pub(super) rebalances: u64,
    /// Times the array got another capacity.
    pub(super) resizes: u64,
    /// Moves of records in rebalances and resizes.
    pub(super) slots_moved: u64,
    /// The most moves of one rebalance or resize.
    pub(super) slots_moved_max: u64,
    /// Moves of records within their segment, to make or close a gap.
    pub(super) slots_shifted: u64,
}

impl Counters {
    fn moved(&mut self, slots: usize) {
        self.slots_moved += slots as u64;
        self.slots_moved_max = self.slots_moved_max.max(slots as u64);
    }
}

/// A packed-memory array of records.
#[derive(Debug)]
pub(super) struct Pma {
    pub(super) geometry: Geometry,
    pub(super) slots: Slots,
    pub(super) heads: HeadMap,
    pub(super) tally: Tally,
    pub(super) counters: Counters,
    /// Where the last insert went, and how many inserts in a row went next to the one before.
    last_insert: Position,
    run: usize,
    /// The numbers of records that a rebalance gives to segments; kept for its memory.
    targets: Vec<u16>,
}

impl Pma {
    /// An empty array of one segment; the options have been checked.
    pub(super) fn new(options: &ArrayOptions) -> Self {
        let geometry = Geometry::new(options);
        Self {
            geometry,
            slots: Slots::lay_out(geometry.segment_slots(), 1, 0, std::iter::empty()),
            heads: HeadMap::default(),
            tally: Tally::default(),
            counters: Counters::default(),
            last_insert: Position { segment: 0, offset: 0 },
            run: 0,
            targets: Vec::new(),
        }
    }

    /// The value of a key.
    #[inline]
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let (at, found) = self.locate(key);
        if found { self.slots.record(at).map(Record::value) } else { None }
    }

    /// Replaces the value of a key; returns whether the key is there.
    pub(super) fn update(&mut self, key: &[u8], value: &[u8]) -> bool {
        let (at, found) = self.locate(key);
        found && self.replace(at, value)
    }

    fn replace(&mut self, at: Position, value: &[u8]) -> bool {
        let Some(record) = self.slots.record_mut(at) else { return false };
        self.tally.set_value(record, value);
        true
    }

    /// Inserts the record or replaces its value.
    pub(super) fn set(&mut self, key: &[u8], value: &[u8]) {
        let (mut at, found) = self.locate(key);
        if found {
            self.replace(at, value);
            return;
        }
        let last = self.last_insert;
        let next_to_last =
            at.segment == last.segment && (at.offset == last.offset || at.offset == last.offset + 1);
        self.run = if next_to_last { self.run + 1 } else { 0 };
        if self.slots.count(at.segment) == self.slots.segment_slots() {
            self.make_room(at);
            at = self.locate(key).0;
        }
        let record = Record::new(key, value);
        self.tally.add(&record);
        // After `make_room`, because a resize may have changed the heads.
        let head = self.heads.head(key);
        self.counters.slots_shifted += self.slots.insert(at, head, record) as u64;
        self.last_insert = at;
    }

    /// Removes a key and returns its record.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Record> {
        let (at, found) = self.locate(key);
        if !found {
            return None;
        }
        let (record, shifted) = self.slots.remove(at)?;
        self.tally.subtract(&record);
        self.counters.slots_shifted += shifted as u64;
        if self.slots.segments() > 1 && self.slots.count(at.segment) < self.geometry.leaf_fewest() {
            self.fill_up(at.segment);
        }
        Some(record)
    }

    /// Rebalances the smallest window around a full segment that is within its upper density, so that every segment of
    /// it has a free slot; doubles the array if there is none.
    fn make_room(&mut self, at: Position) {
        let height = Geometry::height(self.slots.segments());
        let mut window = Window::of(at.segment, &self.slots);
        for level in 1..=height {
            window.widen(level, &self.slots);
            if window.records <= self.geometry.most(level, height, window.len()) {
                let hot = (self.run >= self.slots.segment_slots() / 2).then(|| Hot {
                    rank: self.slots.count_between(window.start, at.segment) + at.offset,
                    level,
                    height,
                });
                self.rebalance(&window, hot);
                return;
            }
        }
        self.resize(self.slots.segments() * 2);
    }

    /// Rebalances the smallest window around a segment below its lower density that is within its own; halves the
    /// array, more than once if need be, if there is none.
    fn fill_up(&mut self, segment: usize) {
        let mut segments = self.slots.segments();
        let height = Geometry::height(segments);
        let mut window = Window::of(segment, &self.slots);
        for level in 1..=height {
            window.widen(level, &self.slots);
            if window.records >= self.geometry.fewest(level, height, window.len()) {
                self.rebalance(&window, None);
                return;
            }
        }
        let fewest = |segments| {
            let height = Geometry::height(segments);
            self.geometry.fewest(height, height, segments)
        };
        while segments > 1 && self.tally.records < fewest(segments) {
            segments = segments.div_ceil(2);
        }
        self.resize(segments);
    }

    fn rebalance(&mut self, window: &Window, hot: Option<Hot>) {
        self.targets.clear();
        self.targets.resize(window.len(), 0);
        match hot {
            Some(hot) => plan::uneven(&self.geometry, &mut self.targets, window.records, hot),
            None => plan::even(&mut self.targets, window.records),
        }
        let moved = self.slots.spread(window.start, &self.targets);
        self.counters.rebalances += 1;
        self.counters.moved(moved);
    }

    /// Lays all records out in so many segments, and adapts the heads to what the keys have in common now. O(n).
    fn resize(&mut self, segments: usize) {
        let len = self.tally.records;
        let (segment_slots, last) = (self.slots.segment_slots(), self.slots.segments() - 1);
        let first_key = self.slots.key(Position { segment: 0, offset: 0 });
        let last_key =
            self.slots.key(Position { segment: last, offset: self.slots.count(last).saturating_sub(1) });
        let heads = if len < 2 { HeadMap::default() } else { HeadMap::between(first_key, last_key) };
        let same_heads = heads == self.heads;
        let old = std::mem::replace(&mut self.slots, Slots::lay_out(segment_slots, 1, 0, std::iter::empty()));
        let records = old
            .into_records()
            .map(|(head, record)| (if same_heads { head } else { heads.head(record.key()) }, record));
        self.slots = Slots::lay_out(segment_slots, segments, len, records);
        self.heads = heads;
        self.counters.resizes += 1;
        self.counters.moved(len);
    }

    /// Replaces everything by these records, which ascend strictly by key, evenly and as densely as the array gets
    /// before it doubles. O(n).
    pub(super) fn build(&mut self, records: Vec<Record>) {
        let len = records.len();
        self.tally = Tally::default();
        records.iter().for_each(|record| self.tally.add(record));
        let heads = match records.as_slice() {
            [first, .., last] => HeadMap::between(first.key(), last.key()),
            _ => HeadMap::default(),
        };
        let with_heads = records.into_iter().map(|record| (heads.head(record.key()), record));
        let segments = self.geometry.loaded_segments(len);
        self.slots = Slots::lay_out(self.geometry.segment_slots(), segments, len, with_heads);
        self.heads = heads;
    }

    /// Trims records, and shrinks the array until about one slot in 32 is free if it is larger than that. O(n). The
    /// next insert into a full segment doubles it again.
    pub(super) fn compact(&mut self) {
        for record in self.slots.iter_mut() {
            self.tally.trim(record);
        }
        let segments = self.geometry.compact_segments(self.tally.records);
        if segments < self.slots.segments() {
            self.resize(segments);
        }
        self.targets = Vec::new();
    }

    /// Number of slots.
    pub(super) const fn capacity(&self) -> usize {
        self.slots.segments() * self.slots.segment_slots()
    }

    /// Bytes of memory held by the array and its records.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.slots.memory_bytes()
            + self.heads.memory_bytes()
            + self.targets.capacity() * size_of::<u16>()
            + self.tally.memory_bytes
    }
}

/// The segments `start..end` with the number of their records.
struct Window {
    start: usize,
    end: usize,
    records: usize,
}

impl Window {
    fn of(segment: usize, slots: &Slots) -> Self {
        Self { start: segment, end: segment + 1, records: slots.count(segment) }
    }

    /// Grows to the aligned window of a level above, counting only what is new.
    fn widen(&mut self, level: u32, slots: &Slots) {
        let width = 1 << level;
        let start = self.start & !(width - 1);
        let end = (start + width).min(slots.segments());
        self.records += slots.count_between(start, self.start) + slots.count_between(self.end, end);
        (self.start, self.end) = (start, end);
    }

    const fn len(&self) -> usize {
        self.end - self.start
    }
}
