//! A private copy of some entries of one segment, from which a scan's visitor is served under no latch.
//!
//! The directory and the entries are copied as they lie and taken apart only after the segment's version was checked: so a
//! record costs a scan little more than its bytes. While entries are visited, those of the next segment are asked for,
//! a few lines with each, so that the memory works while the visitor does.
//!
//! Thread safety: data of one thread; what is copied is shared, and read through a [`Look`].

use super::look::Look;
use super::outside;
use super::segment::{Header, OUTSIDE, Place, SLOT_BYTES};
use crate::engine::Visitor;
use crate::memory::prefetch::Ahead;
use crate::memory::words::{self, WORD_BYTES, words_for};
use std::ops::{ControlFlow, Range};

/// No more lines of the next segment are asked for with one entry.
const LINES_AT_A_TIME: usize = 8;
/// Entries that are outside are copied up to so many bytes at a time.
const OUTSIDE_BYTES_MOST: usize = 256 << 10;
/// A page keeps no more memory than this for them.
const KEPT_BYTES: usize = 1 << 20;

/// Where a record that is outside was copied to.
#[derive(Clone, Copy, Debug)]
struct Outside {
    /// Its index among the copied entries.
    index: usize,
    start: usize,
    key_end: usize,
    end: usize,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The slots of the entries as they lie in the segment, and behind them one for where the last entry ends.
    slots: Vec<u8>,
    /// Where in the segment `bytes` begin.
    base: usize,
    bytes: Vec<u8>,
    /// Keys and values of entries that are outside, in the order of the copy.
    outside: Vec<u8>,
    /// Where each of those is.
    outside_ends: Vec<Outside>,
}

impl Page {
    /// Number of entries.
    #[inline]
    pub(super) fn len(&self) -> usize {
        (self.slots.len() / SLOT_BYTES).saturating_sub(1)
    }

    /// Bytes that so many more entries are likely to take.
    pub(super) fn bytes_for(&self, entries: usize) -> usize {
        entries.saturating_mul(self.bytes.len() / self.len().max(1) + 1)
    }

    /// Forgets all entries.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.bytes.clear();
        self.outside.clear();
        self.outside.shrink_to(KEPT_BYTES);
        self.outside_ends.clear();
    }

    /// Copies the entries of a range, from its end if `reverse`; fewer if they are outside and long. `None` if the look
    /// does not hold; the page means nothing then.
    pub(super) fn copy(
        &mut self,
        look: &Look<'_, '_>,
        header: Header,
        range: Range<usize>,
        reverse: bool,
        keys_only: bool,
    ) -> Option<()> {
        self.clear();
        if range.is_empty() {
            return look.holds().then_some(());
        }
        let segment = look.segment();
        let start = segment.offset(range.start, header.count);
        let end = segment.offset(range.end, header.count);
        let base = start / WORD_BYTES * WORD_BYTES;
        let words = segment.words().get(base / WORD_BYTES..)?.get(..words_for(end.checked_sub(base)?))?;
        let (slots, skipped) = segment.slot_words(range.start, range.end);
        words::append(slots, slots.len() * WORD_BYTES, &mut self.slots)?;
        self.slots.drain(..skipped * SLOT_BYTES);
        self.slots.truncate(range.len() * SLOT_BYTES);
        self.slots.extend_from_slice(&(end as u32).to_le_bytes());
        self.base = base;
        words::append(words, words.len() * WORD_BYTES, &mut self.bytes)?;
        if !look.holds() {
            return None;
        }
        if header.outside > 0 {
            self.copy_outside(look, header, range, reverse, keys_only)?;
        }
        Some(())
    }

    fn copy_outside(
        &mut self,
        look: &Look<'_, '_>,
        header: Header,
        range: Range<usize>,
        reverse: bool,
        keys_only: bool,
    ) -> Option<()> {
        let len = range.len();
        for step in 0..len {
            let index = if reverse { len - 1 - step } else { step };
            let Place::Outside(address) = look.segment().place(range.start + index, header.count)? else {
                continue;
            };
            if self.outside.len() >= OUTSIDE_BYTES_MOST {
                self.keep(if reverse { index + 1..len } else { 0..index });
                break;
            }
            let record = outside::record(look, address)?;
            let start = self.outside.len();
            record.append_key(&mut self.outside);
            let key_end = self.outside.len();
            if !keys_only && !record.append_value(&mut self.outside) {
                return None;
            }
            self.outside_ends.push(Outside { index, start, key_end, end: self.outside.len() });
        }
        if reverse {
            self.outside_ends.sort_unstable_by_key(|outside| outside.index);
        }
        // An entry that was outside when it was copied may have come inside before it was followed.
        look.holds().then_some(())
    }

    /// Forgets the entries out of a range, of which no entry outside has been copied.
    fn keep(&mut self, range: Range<usize>) {
        self.slots.truncate((range.end + 1) * SLOT_BYTES);
        self.slots.drain(..range.start * SLOT_BYTES);
        for outside in &mut self.outside_ends {
            outside.index -= range.start;
        }
        self.outside_ends.sort_unstable_by_key(|outside| outside.index);
    }

    /// Where in `bytes` the entry of this slot starts.
    #[inline]
    const fn offset(&self, slot: &[u8; SLOT_BYTES]) -> usize {
        ((u32::from_le_bytes(*slot) & 0xFFFF) as usize).wrapping_sub(self.base)
    }

    /// Key and value of an entry.
    #[inline]
    pub(super) fn record(&self, index: usize) -> (&[u8], &[u8]) {
        let (slots, _) = self.slots.as_chunks();
        let (Some(start), Some(end)) = (slots.get(index), slots.get(index + 1)) else {
            return Default::default();
        };
        let entry = self.bytes.get(self.offset(start)..self.offset(end)).unwrap_or_default();
        let Some((mark, rest)) = entry.split_first() else { return Default::default() };
        if *mark == OUTSIDE {
            return self.outside(index);
        }
        rest.split_at_checked(usize::from(*mark)).unwrap_or_default()
    }

    #[cold]
    fn outside(&self, index: usize) -> (&[u8], &[u8]) {
        let at = self.outside_ends.binary_search_by_key(&index, |outside| outside.index);
        let Some(Outside { start, key_end, end, .. }) = at.ok().and_then(|at| self.outside_ends.get(at))
        else {
            return Default::default();
        };
        (
            self.outside.get(*start..*key_end).unwrap_or_default(),
            self.outside.get(*key_end..*end).unwrap_or_default(),
        )
    }

    /// Visits the entries of a range in either direction; tells how many, and whether the visitor broke.
    #[inline]
    pub(super) fn visit(
        &self,
        mut range: Range<usize>,
        reverse: bool,
        keys_only: bool,
        mut ahead: Ahead,
        visit: Visitor<'_>,
    ) -> (u64, ControlFlow<()>) {
        let lines = ahead.left().div_ceil(range.len().max(1)).min(LINES_AT_A_TIME);
        if !reverse && self.outside_ends.is_empty() {
            return self.visit_inside(range, keys_only, lines, ahead, visit);
        }
        let mut visited = 0;
        let mut one = |index| {
            let (key, value) = self.record(index);
            visited += 1;
            ahead.ask(lines);
            visit(key, if keys_only { &[] } else { value })
        };
        let flow = if reverse { range.rev().try_for_each(&mut one) } else { range.try_for_each(&mut one) };
        (visited, flow)
    }

    /// The same upwards, where no entry is outside: each starts where the one before ends.
    #[inline]
    fn visit_inside(
        &self,
        range: Range<usize>,
        keys_only: bool,
        lines: usize,
        mut ahead: Ahead,
        visit: Visitor<'_>,
    ) -> (u64, ControlFlow<()>) {
        let (slots, _) = self.slots.as_chunks();
        let Some((first, ends)) = slots.get(range.start..=range.end).and_then(<[_]>::split_first) else {
            return (0, ControlFlow::Continue(()));
        };
        let (mut start, mut visited) = (self.offset(first), 0);
        for end in ends {
            let end = self.offset(end);
            let entry = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            let Some((mark, rest)) = entry.split_first() else { continue };
            let (key, value) = rest.split_at_checked(usize::from(*mark)).unwrap_or_default();
            visited += 1;
            ahead.ask(lines);
            if visit(key, if keys_only { &[] } else { value }).is_break() {
                return (visited, ControlFlow::Break(()));
            }
        }
        (visited, ControlFlow::Continue(()))
    }
}
