//! Read views, scans, look-ups of many keys, and all versions in order.
//!
//! Thread safety: a scan copies a chunk of records while it is pinned, and visits them when it is pinned no more, so that a slow
//! visitor keeps no memory from being used again but what its view needs. It goes from leaf to leaf by the
//! bounds that the branches had when it came through, and takes from a leaf only what lies between them; what was put elsewhere since
//! has a higher number than its view.

use super::cursor::Cursor;
use super::lanes::lane;
use super::leaf::{Found, address, fingerprint};
use super::record::{Record, Version};
use super::table::{CAPABILITIES, Memtable};
use super::tree::Target;
use crate::chunk::{Chunk, scan_in_chunks};
use crate::engine::{GetBuffer, ScanRange, Visitor};
use crate::error::Result;
use crossbeam::epoch::{self, Guard};
use std::collections::VecDeque;
use std::ops::Bound;

/// Keys whose misses are overlapped.
const GROUP: usize = 16;
/// Entries in the log of a leaf, at most, before a scan has it built anew.
const LOGGED_MOST: usize = 6;
/// Records of a scan that are asked for ahead.
const AHEAD: usize = 8;

impl Memtable {
    /// A view of the table as it is now. It keeps the versions it needs from being dropped, so it should not
    /// live long.
    pub fn read_view(&self) -> ReadView<'_> {
        let (slot, sequence) = self.views.open(&self.clock);
        ReadView { table: self, slot, sequence }
    }

    /// All versions there are, to be written out: of a frozen table, all that were written. Of any other it shows each key as it
    /// was at some moment. No memory is used again while the guard lives.
    pub fn versions(&self) -> VersionsGuard<'_> {
        VersionsGuard { table: self, guard: epoch::pin() }
    }

    /// See [`crate::engine::Session::get_many`]. One point in time: it has a read view.
    ///
    /// # Errors
    /// As there.
    pub fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        values.reset(keys.len());
        keys.iter().try_for_each(|key| CAPABILITIES.check_key(key))?;
        let view = self.read_view();
        for (group, part) in keys.chunks(GROUP).enumerate() {
            let guard = &epoch::pin();
            let leaves = self.tree.leaves::<GROUP>(part, guard);
            let mut prints = [0; GROUP];
            for ((key, leaf), print) in part.iter().zip(&leaves).zip(&mut prints) {
                *print = fingerprint(key);
                if let Some(leaf) = leaf {
                    Record::prefetch(leaf.guess(key, *print));
                }
            }
            for (index, ((key, leaf), print)) in part.iter().zip(&leaves).zip(prints).enumerate() {
                let Some(Found::Entry(_, _, newest)) = leaf.as_ref().map(|leaf| leaf.find(key, print, guard))
                else {
                    continue;
                };
                let found = self.visible(newest, Some(view.sequence), guard);
                if let Some(value) = found.and_then(|(record, _)| record.value()) {
                    values.put(group * GROUP + index, value);
                }
            }
        }
        Ok(())
    }

    /// See [`crate::engine::Session::scan`]. One point in time: it has a read view.
    ///
    /// # Errors
    /// As there.
    pub fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64> {
        self.read_view().scan(range, chunk, visit)
    }

    /// Fills a chunk with the first records of a range as of a number that a view holds.
    fn fill(&self, range: &ScanRange<'_>, sequence: u64, chunk: &mut Chunk) {
        let guard = &epoch::pin();
        let mut entries = Vec::new();
        let (mut lower, mut upper) = (range.lower(), range.upper());
        loop {
            let target = match (range.reverse, lower, upper) {
                (false, Bound::Unbounded, _) => Target::First,
                (false, Bound::Included(key) | Bound::Excluded(key), _) => Target::Of(key),
                (true, _, Bound::Unbounded) => Target::Last,
                (true, _, Bound::Included(key)) => Target::Of(key),
                (true, _, Bound::Excluded(key)) => Target::Below(key),
            };
            let place = self.tree.place(target, guard);
            // Where the range ends in this leaf; otherwise all of the leaf's keys on that side belong to it. If one was put there by who
            // found other bounds in the tree, that was after this view was opened, and the view passes it by.
            let from = place.low.filter(|low| range.reaches_down_to(low) && !at_bound(lower, low));
            let to = place.high.filter(|high| range.reaches_up_to(high));
            let (own_lower, own_upper) = if range.reverse {
                (from.map_or(lower, |_| Bound::Unbounded), upper)
            } else {
                (lower, to.map_or(upper, |_| Bound::Unbounded))
            };
            entries.clear();
            let most = if range.reverse { usize::MAX } else { range.limit - chunk.len().min(range.limit) };
            let logged = place.leaf.ordered(own_lower, own_upper, most, guard, &mut entries);
            if logged > LOGGED_MOST
                && let Some(record) = entries.first().and_then(|entry| Record::at(address(*entry), guard))
            {
                // For the scans to come; this one goes on with what it has.
                self.tree.renew(record.key(), place.at, lane(), guard);
            }
            if range.reverse {
                entries.reverse();
            }
            for (index, entry) in entries.iter().enumerate() {
                if chunk.is_full() {
                    return;
                }
                if index == 0 {
                    entries.iter().take(AHEAD).for_each(|entry| Record::prefetch(address(*entry)));
                }
                if let Some(ahead) = entries.get(index + AHEAD) {
                    Record::prefetch(address(*ahead));
                }
                self.push(*entry, range, sequence, chunk, guard);
            }
            if chunk.is_full() {
                return;
            }
            let last = entries.last().filter(|_| entries.len() == most);
            if let Some(record) = last.and_then(|entry| Record::at(address(*entry), guard)) {
                // Some of them were not to be seen: there may be more in this leaf.
                lower = Bound::Excluded(record.key());
                continue;
            }
            if range.reverse {
                let Some(low) = from else { return };
                upper = Bound::Excluded(low);
            } else {
                let Some(high) = to else { return };
                lower = Bound::Included(high);
            }
        }
    }

    fn push(&self, entry: u64, range: &ScanRange<'_>, sequence: u64, chunk: &mut Chunk, guard: &Guard) {
        let newest = Record::at(address(entry), guard);
        let seen = newest.and_then(|newest| self.visible(newest, Some(sequence), guard));
        if let Some((record, _)) = seen
            && let Some(value) = record.value()
        {
            chunk.push(record.key(), if range.keys_only { &[] } else { value });
        }
    }
}

/// A view of a [`Memtable`] at the moment it was taken; ends when it is dropped.
pub struct ReadView<'a> {
    table: &'a Memtable,
    slot: usize,
    sequence: u64,
}

impl ReadView<'_> {
    /// The sequence number of the last write it may see.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The table it is of.
    pub(super) const fn table(&self) -> &Memtable {
        self.table
    }

    /// A cursor over what it sees.
    pub const fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self)
    }

    /// Reads the value of a key, as [`Memtable::get`] would have done.
    ///
    /// # Errors
    /// As there.
    pub fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.table.get_at(Some(self.sequence), key, value)
    }

    /// Visits the records of a range, as [`Memtable::scan`] would have done.
    ///
    /// # Errors
    /// As there.
    pub fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64> {
        scan_in_chunks(range, chunk, visit, |rest, chunk| {
            self.table.fill(rest, self.sequence, chunk);
            Ok(())
        })
    }
}

impl Drop for ReadView<'_> {
    fn drop(&mut self) {
        self.table.views.close(self.slot);
    }
}

/// All versions of a [`Memtable`].
pub struct VersionsGuard<'a> {
    table: &'a Memtable,
    guard: Guard,
}

impl VersionsGuard<'_> {
    /// The versions by key ascending, then by sequence number descending.
    pub fn iter(&self) -> impl Iterator<Item = Version<'_>> {
        let mut queue = VecDeque::new();
        let mut next = Some(Target::First);
        std::iter::from_fn(move || {
            while queue.is_empty() {
                let place = self.table.tree.place(next?, &self.guard);
                let (low, high) = (bound(place.low, Bound::Included), bound(place.high, Bound::Excluded));
                let mut entries = Vec::new();
                place.leaf.ordered(low, high, usize::MAX, &self.guard, &mut entries);
                for entry in entries {
                    self.chain(entry, &mut queue);
                }
                next = place.high.map(Target::Of);
            }
            queue.pop_front()
        })
    }

    fn chain<'g>(&'g self, entry: u64, queue: &mut VecDeque<Version<'g>>) {
        let mut record = Record::at(address(entry), &self.guard);
        while let Some(this) = record {
            let older = this.older_address();
            if let Some(sequence) = self.table.clock.stamp(&this, &self.guard) {
                queue.push_back(Version { key: this.key(), sequence, value: this.value() });
            }
            record = Record::at(older, &self.guard);
        }
    }
}

/// Whether a bound lets nothing below `key` in.
fn at_bound(lower: Bound<&[u8]>, key: &[u8]) -> bool {
    matches!(lower, Bound::Included(low) | Bound::Excluded(low) if low >= key)
}

/// A bound of a range, where there is one.
pub(super) fn bound<'a>(
    key: Option<&'a [u8]>,
    kind: impl FnOnce(&'a [u8]) -> Bound<&'a [u8]>,
) -> Bound<&'a [u8]> {
    key.map_or(Bound::Unbounded, kind)
}
