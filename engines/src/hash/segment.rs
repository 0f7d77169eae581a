//! A segment: lines of seven slots, searched from the line that a key's hash chooses on.
//!
//! Invariants
//! - A record lies in the first line, from its home on and around the end, that had a free slot when it came. Each line
//!   that it was led past counts it, so a search ends at the first line that counts nothing.
//! - Entries never move within a segment. So a search among writes needs no version: what it does not find was not
//!   there at some moment between its begin and its end.
//!
//! Thread safety: any number of searches beside one writer, who holds the latch of the shard. A record is there from when its slot
//! is filled, which comes last: the lines that it is led past count it before, and its control byte is stored before. So
//! whoever looks at the slot before that misses what is not there yet; and where one search found the record, every later one finds
//! what leads to it. (The other order would not do: a search that holds the control word of a record which left the slot
//! meanwhile, with the same fingerprint, would find the new one, and the next search would miss it.) A record goes the other way: its
//! control byte is cleared, then its slot, and the lines count it until then. A search with the old control word may
//! still find it; it began before the record went. What it finds in a slot is one record, whole, whichever the control word was
//! read for: tag and key decide.

use super::arena::{Entry, FAR, Line, Slot, Target};
use super::control::{self, SLOTS, SlotSet};
use super::hasher::KeyHash;
use crate::memory::prefetch;
use crate::sync::Ordering;

/// A view of a segment's lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'g> {
    lines: &'g [Line],
}

/// Where a search begins, and for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) hash: KeyHash,
    pub(super) tag: u16,
}

/// A slot that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'g> {
    line: usize,
    index: usize,
    pub(super) slot: Slot<'g>,
}

impl Line {
    #[inline]
    fn load(&self) -> u64 {
        self.control.load(Ordering::Acquire)
    }

    fn store(&self, word: u64) {
        self.control.store(word, Ordering::Release);
    }

    /// The first slot that passes, of those with the fingerprint, which `word` tells, and the tag.
    #[inline]
    fn search<'g>(
        &'g self,
        word: u64,
        wanted: Wanted,
        passes: &mut impl FnMut(Slot<'g>) -> bool,
    ) -> Option<(usize, Slot<'g>)> {
        for index in control::matching(word, wanted.hash.fingerprint()) {
            if let Some(slot) = self.slot(index)
                && slot.tag() == wanted.tag
                && passes(slot)
            {
                return Some((index, slot));
            }
        }
        None
    }

    #[inline]
    fn slot(&self, index: usize) -> Option<Slot<'_>> {
        self.slots.get(index)?.load()
    }
}

impl<'g> Segment<'g> {
    /// The segment that an entry leads to; none if it leads to a node.
    #[inline]
    pub(super) fn of(entry: Entry<'g>) -> Option<Self> {
        match entry.target() {
            Target::Segment(lines) => Some(Self { lines }),
            Target::Node(_) => None,
        }
    }

    #[inline]
    pub(super) fn of_lines(lines: &'g [Line]) -> Self {
        Self { lines }
    }

    /// How many lines there are.
    pub(super) fn lines(self) -> usize {
        self.lines.len()
    }

    /// How many records there is room for.
    pub(super) fn slots(self) -> usize {
        self.lines.len() * SLOTS
    }

    /// Asks for the line where a search begins.
    #[inline]
    pub(super) fn prefetch(self, hash: KeyHash) {
        if let Some(line) = self.lines.get(hash.home(self.lines.len())) {
            prefetch::line(line);
        }
    }

    /// The lines from home on and around the end.
    #[inline]
    fn from(self, home: usize) -> impl Iterator<Item = (usize, &'g Line)> {
        let (before, behind) = self.lines.split_at(home.min(self.lines.len()));
        behind.iter().chain(before).enumerate()
    }

    /// The line where a search begins: the slots that may be the key's, and whether there may be others in lines behind.
    #[inline]
    pub(super) fn home(self, wanted: Wanted) -> Option<(impl Iterator<Item = Slot<'g>>, bool)> {
        let line = self.lines.get(wanted.hash.home(self.lines.len()))?;
        let word = line.load();
        let candidates = control::matching(word, wanted.hash.fingerprint())
            .filter_map(|index| line.slot(index))
            .filter(move |slot| slot.tag() == wanted.tag);
        Some((candidates, control::overflow(word) != 0))
    }

    /// The first slot that passes, of those with the fingerprint and the tag, in lines behind that where a search begins.
    #[inline(never)]
    pub(super) fn search_from_second(
        self,
        wanted: Wanted,
        passes: &mut dyn FnMut(Slot<'g>) -> bool,
    ) -> Option<Found<'g>> {
        self.search_behind(wanted.hash.home(self.lines.len()), wanted, passes)
    }

    /// The first slot that passes, of those with the fingerprint and the tag.
    #[inline]
    pub(super) fn search(
        self,
        wanted: Wanted,
        mut passes: impl FnMut(Slot<'g>) -> bool,
    ) -> Option<Found<'g>> {
        let home = wanted.hash.home(self.lines.len());
        let line = self.lines.get(home)?;
        let word = line.load();
        match line.search(word, wanted, &mut passes) {
            Some((index, slot)) => Some(Found { line: home, index, slot }),
            None if control::overflow(word) == 0 => None,
            None => self.search_behind(home, wanted, passes),
        }
    }

    /// Goes on in the lines behind the home.
    #[inline(never)]
    fn search_behind(
        self,
        home: usize,
        wanted: Wanted,
        mut passes: impl FnMut(Slot<'g>) -> bool,
    ) -> Option<Found<'g>> {
        for (distance, line) in self.from(home).skip(1) {
            let word = line.load();
            if let Some((index, slot)) = line.search(word, wanted, &mut passes) {
                return Some(Found { line: (home + distance) % self.lines.len(), index, slot });
            }
            if control::overflow(word) == 0 {
                return None;
            }
        }
        None
    }

    /// The slot of a key.
    #[inline]
    pub(super) fn find(self, wanted: Wanted, key: &[u8]) -> Option<Found<'g>> {
        self.search(wanted, |slot| {
            slot.prefetch();
            slot.record().has_key(key)
        })
    }

    /// Appends the value of a key; whether it is there.
    #[inline]
    pub(super) fn read(self, wanted: Wanted, key: &[u8], value: &mut Vec<u8>) -> bool {
        let read = |slot: Slot<'g>| {
            slot.prefetch();
            slot.read(key, value)
        };
        self.search(wanted, read).is_some()
    }

    /// The first slot that may be the key's. Looks at no record.
    #[inline]
    pub(super) fn candidate(self, wanted: Wanted) -> Option<Slot<'g>> {
        self.search(wanted, |_| true).map(|found| found.slot)
    }

    /// The slot with this record. Looks at no record.
    pub(super) fn find_address(self, wanted: Wanted, address: u64) -> Option<Found<'g>> {
        self.search(wanted, |slot| slot.address() == address)
    }

    /// Puts a record that is not there into a slot; `false`, and nothing is changed, if all are in use.
    pub(super) fn insert(self, home: usize, fingerprint: u8, slot: Slot<'_>) -> bool {
        let free = |line: &Line| control::free(line.load()).next();
        let Some((distance, line, index)) =
            self.from(home).find_map(|(distance, line)| Some((distance, line, free(line)?)))
        else {
            return false;
        };
        for (_, passed) in self.from(home).take(distance) {
            passed.store(control::overflowed(passed.load()));
        }
        line.store(control::with(line.load(), index, fingerprint));
        if let Some(word) = line.slots.get(index) {
            word.store(Some(slot.at_distance(distance)));
        }
        true
    }

    /// Puts another record of the same key into a slot.
    pub(super) fn exchange(self, found: Found<'_>, slot: Slot<'_>) {
        if let Some(word) = self.lines.get(found.line).and_then(|line| line.slots.get(found.index)) {
            word.store(Some(slot.at_distance(found.slot.distance())));
        }
    }

    /// Frees a slot.
    pub(super) fn remove(self, hash: KeyHash, found: Found<'_>) {
        let count = self.lines.len();
        let home = hash.home(count);
        let Some(line) = self.lines.get(found.line) else { return };
        line.store(control::with(line.load(), found.index, 0));
        if let Some(word) = line.slots.get(found.index) {
            word.store(None);
        }
        let distance = (found.line + count - home) % count;
        for (_, passed) in self.from(home).take(distance) {
            passed.store(control::withdrawn(passed.load()));
        }
    }

    /// All records: the fingerprint, the slot, and the home if the slot tells it.
    pub(super) fn records(self) -> impl Iterator<Item = (u8, Slot<'g>, Option<usize>)> {
        let count = self.lines.len();
        self.lines.iter().enumerate().flat_map(move |(at, line)| {
            let word = line.load();
            control::in_use(word).filter_map(move |index| {
                let slot = line.slot(index)?;
                let distance = slot.distance();
                let home = (distance < FAR.min(count)).then(|| (at + count - distance) % count);
                Some((control::get(word, index), slot, home))
            })
        })
    }

    /// The number of records, counted.
    pub(super) fn count(self) -> usize {
        self.lines.iter().map(|line| control::in_use(line.load()).len()).sum()
    }

    /// The line of a record.
    pub(super) fn line_of(self, address: u64) -> Option<usize> {
        self.lines.iter().position(|line| {
            control::in_use(line.load())
                .any(|index| line.slot(index).is_some_and(|slot| slot.address() == address))
        })
    }

    /// The slots in use of each line, and what it counts.
    pub(super) fn occupancy(self) -> impl Iterator<Item = (SlotSet, u64)> + 'g {
        self.lines.iter().map(|line| (control::in_use(line.load()), control::overflow(line.load())))
    }
}
