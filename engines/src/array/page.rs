//! A private copy of some entries of one segment, from which a scan's visitor is served under no latch.
//!
//! The directory and the entries are copied as they lie, word by word, and taken apart only after the segment's version
//! was checked: so a record costs a scan little more than its bytes.
//!
//! Thread safety: data of one thread; what is copied is shared, and read through a [`Look`].

use super::look::Look;
use super::outside;
use super::segment::{Header, OUTSIDE, Place};
use crate::engine::Visitor;
use crate::memory::prefetch;
use crate::memory::words::{self, WORD_BYTES, words_for};
use crate::sync::Ordering;
use std::ops::{ControlFlow, Range};

/// Words of a line.
const LINE_WORDS: usize = prefetch::LINE_BYTES / WORD_BYTES;
/// Lines that are asked for ahead of the copy, because the processor by itself stops doing so at every page.
const AHEAD_LINES: usize = 16;
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
    /// Where each entry starts in `bytes`, and behind them where the last one ends.
    offsets: Vec<u32>,
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
        self.offsets.len().saturating_sub(1)
    }

    /// Forgets all entries.
    pub(super) fn clear(&mut self) {
        self.offsets.clear();
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
        prefetch::lines(words.as_ptr(), (words.len() / LINE_WORDS).min(AHEAD_LINES));
        let (slots, skipped) = segment.slot_words(range.start, range.end);
        self.offsets.reserve(slots.len() * 2 + 1);
        for word in slots {
            let word = word.load(Ordering::Relaxed);
            let slots = [word & 0xFFFF, word >> 32 & 0xFFFF];
            self.offsets.extend(slots.map(|offset| (offset as u32).wrapping_sub(base as u32)));
        }
        if skipped > 0 {
            self.offsets.remove(0);
        }
        self.offsets.truncate(range.len());
        self.offsets.push(end.wrapping_sub(base) as u32);
        self.bytes.reserve(words.len() * WORD_BYTES);
        let mut ahead = words.get(AHEAD_LINES * LINE_WORDS..).unwrap_or_default();
        for piece in words.chunks(AHEAD_LINES * LINE_WORDS) {
            prefetch::lines(ahead.as_ptr(), (ahead.len() / LINE_WORDS).min(AHEAD_LINES));
            ahead = ahead.get(AHEAD_LINES * LINE_WORDS..).unwrap_or_default();
            words::append(piece, piece.len() * WORD_BYTES, &mut self.bytes)?;
        }
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
        self.offsets.truncate(range.end + 1);
        self.offsets.drain(..range.start);
        for outside in &mut self.outside_ends {
            outside.index -= range.start;
        }
        self.outside_ends.sort_unstable_by_key(|outside| outside.index);
    }

    /// Key and value of an entry.
    #[inline]
    pub(super) fn record(&self, index: usize) -> (&[u8], &[u8]) {
        let (Some(start), Some(end)) = (self.offsets.get(index), self.offsets.get(index + 1)) else {
            return Default::default();
        };
        let entry = self.bytes.get(*start as usize..*end as usize).unwrap_or_default();
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
        visit: Visitor<'_>,
    ) -> (u64, ControlFlow<()>) {
        if !reverse && self.outside_ends.is_empty() {
            return self.visit_inside(range, keys_only, visit);
        }
        let mut visited = 0;
        let mut one = |index| {
            let (key, value) = self.record(index);
            visited += 1;
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
        visit: Visitor<'_>,
    ) -> (u64, ControlFlow<()>) {
        let Some((first, ends)) = self.offsets.get(range.start..=range.end).and_then(<[u32]>::split_first)
        else {
            return (0, ControlFlow::Continue(()));
        };
        let (mut start, mut visited) = (*first as usize, 0);
        for end in ends {
            let entry = self.bytes.get(start..*end as usize).unwrap_or_default();
            start = *end as usize;
            let Some((mark, rest)) = entry.split_first() else { continue };
            let (key, value) = rest.split_at_checked(usize::from(*mark)).unwrap_or_default();
            visited += 1;
            if visit(key, if keys_only { &[] } else { value }).is_break() {
                return (visited, ControlFlow::Break(()));
            }
        }
        (visited, ControlFlow::Continue(()))
    }
}
