//! A look into a segment: search, and reading of entries, under a version or under the lock.
//!
//! Thread safety: a look of a reader means something only if [`Look::holds`] says so afterwards; where it would follow
//! an address, it asks before. Everything is total in between.

use super::outside;
use super::segment::{Header, Place, Segment, head};
use crate::memory::latch::Version;
use crate::memory::{prefetch, words};
use crossbeam::epoch::Guard;
use std::cmp::Ordering;

/// Where a key is in a segment, or would go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Position {
    /// Index of the first entry whose key is not below the key.
    pub(super) index: usize,
    /// Whether that entry has the key.
    pub(super) found: bool,
    /// Whether the key begins with what all keys of the segment begin with, so that its head can stand beside theirs.
    pub(super) shares: bool,
}

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a, 'g> {
    segment: Segment<'a>,
    /// `None`: we hold the lock.
    version: Option<Version>,
    guard: &'g Guard,
}

impl<'a, 'g> Look<'a, 'g> {
    /// A look of a reader, who took this version.
    #[inline]
    pub(super) fn at(segment: Segment<'a>, version: Version, guard: &'g Guard) -> Self {
        Self { segment, version: Some(version), guard }
    }

    /// A look of the one who holds the lock.
    #[inline]
    pub(super) fn locked(segment: Segment<'a>, guard: &'g Guard) -> Self {
        Self { segment, version: None, guard }
    }

    /// The segment.
    #[inline]
    pub(super) fn segment(&self) -> Segment<'a> {
        self.segment
    }

    /// The guard under which it is looked at.
    #[inline]
    pub(super) fn guard(&self) -> &'g Guard {
        self.guard
    }

    /// Whether all that was seen so far was one state of the segment.
    #[inline]
    pub(super) fn holds(&self) -> bool {
        self.version.is_none_or(|version| self.segment.latch().holds(version))
    }

    /// Turns a reader's look into the lock. `false` if the segment was changed meanwhile.
    #[inline]
    pub(super) fn lock(&mut self) -> bool {
        let taken = self.version.is_some_and(|version| self.segment.latch().upgrade(version));
        if taken {
            self.version = None;
        }
        taken
    }

    /// How the key of an entry compares with a key; `None` if the look does not hold.
    #[inline]
    pub(super) fn compare(&self, index: usize, header: Header, key: &[u8]) -> Option<Ordering> {
        match self.segment.place(index, header.count)? {
            Place::Inside { key: at, key_len, .. } => {
                words::compare_at(self.segment.words(), at, key_len, key)
            }
            Place::Outside(address) => Some(outside::record(self, address)?.compare(key)),
        }
    }

    /// How the first bytes of an entry's key, as many as heads skip, compare with those of a key.
    fn compare_skipped(&self, header: Header, key: &[u8]) -> Option<Ordering> {
        let prefix = key.get(..header.skip).unwrap_or(key);
        match self.segment.place(0, header.count)? {
            Place::Inside { key: at, key_len, .. } => {
                words::compare_at(self.segment.words(), at, key_len.min(header.skip), prefix)
            }
            Place::Outside(address) => {
                let mut own = Vec::new();
                outside::record(self, address)?.append_key(&mut own);
                Some(own.get(..header.skip).unwrap_or(&own).cmp(prefix))
            }
        }
    }

    /// The entry with this key, if there is one. `Err` if the look does not hold. Does not look at what the keys have
    /// in common: an entry with another prefix is not the key's, whatever its head.
    #[inline]
    pub(super) fn find(&self, header: Header, key: &[u8]) -> Result<Option<usize>, Stale> {
        let (start, end) = self.segment.equal_heads(header.count, head(key, header.skip));
        for index in start..end {
            match self.compare(index, header, key) {
                Some(Ordering::Equal) => return Ok(Some(index)),
                Some(_) => {}
                None => return Err(Stale),
            }
        }
        Ok(None)
    }

    /// Where a key is, or would go. `None` if the look does not hold.
    pub(super) fn position(&self, header: Header, key: &[u8]) -> Option<Position> {
        let nowhere = |index| Some(Position { index, found: false, shares: false });
        if header.count == 0 {
            return nowhere(0);
        }
        if header.skip > 0 {
            match self.compare_skipped(header, key)? {
                Ordering::Equal => {}
                Ordering::Less => return nowhere(header.count),
                Ordering::Greater => return nowhere(0),
            }
        }
        let (mut low, mut high) = self.segment.equal_heads(header.count, head(key, header.skip));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.compare(middle, header, key)? {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(Position { index: middle, found: true, shares: true }),
                Ordering::Greater => high = middle,
            }
        }
        Some(Position { index: low, found: false, shares: true })
    }

    /// Appends the key of an entry. `None` if the look does not hold.
    pub(super) fn append_key(&self, index: usize, header: Header, out: &mut Vec<u8>) -> Option<()> {
        match self.segment.place(index, header.count)? {
            Place::Inside { key, key_len, .. } => words::append_at(self.segment.words(), key, key_len, out),
            Place::Outside(address) => {
                outside::record(self, address)?.append_key(out);
                Some(())
            }
        }
    }

    /// Appends the value of an entry. `None` if the look does not hold.
    #[inline]
    pub(super) fn append_value(&self, index: usize, header: Header, out: &mut Vec<u8>) -> Option<()> {
        match self.segment.place(index, header.count)? {
            Place::Inside { key, key_len, value_len } => {
                words::append_at(self.segment.words(), key + key_len, value_len, out)
            }
            Place::Outside(address) => outside::record(self, address)?.append_value(out).then_some(()),
        }
    }

    /// Asks for the lines of the entries that may have this key.
    #[inline]
    pub(super) fn prefetch(&self, header: Header, key: &[u8], lines: usize) {
        let (start, _) = self.segment.equal_heads(header.count, head(key, header.skip));
        let offset = self.segment.offset(start, header.count);
        prefetch::lines(self.segment.words().as_ptr().cast::<u8>().wrapping_add(offset), lines);
    }
}

/// The segment was changed under a look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stale;
