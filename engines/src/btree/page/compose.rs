//! Pages made anew of entries.
//!
//! Thread safety: for the holder of the node's latch, or while nobody knows the node.

use super::{HEADER_WORDS, LONG_KEY, Meta, OFFSET_MASK, Page, Record, Value, copy_words, front_words, head};
use super::{record_words, unit_shift};
use crate::memory::words::{self, WORD_BYTES, Word};
use crate::sync::Ordering::Relaxed;
use std::ops::Range;

impl Page<'_> {
    /// Makes the words from the second on a node with these entries, whose keys ascend and start with the same
    /// `prefix_len` bytes. There must be room; the links are left alone. In a branch the first key is not stored.
    pub(in crate::btree) fn build<'i>(
        words: &[Word],
        level: usize,
        prefix: &[u8],
        entries: impl ExactSizeIterator<Item = (&'i [u8], Value<'i>)> + DoubleEndedIterator,
    ) {
        let shift = unit_shift(words.len());
        let count = entries.len();
        let empty = Meta { count, level, prefix_len: prefix.len(), heap: words.len() >> shift, garbage: 0 };
        if let Some(word) = words.get(1) {
            word.store(empty.encode(), Relaxed);
        }
        let prefix_stored = words::store(words.get(HEADER_WORDS..).unwrap_or_default(), prefix);
        debug_assert!(prefix_stored, "a prefix beyond its page");
        let page = Page::of(words);
        let mut heap = empty.heap;
        let mut pair = 0;
        // From the last one down, so that records lie in the order of their keys.
        for (index, (key, value)) in entries.enumerate().rev() {
            let suffix =
                if level > 0 && index == 0 { &[] } else { key.get(prefix.len()..).unwrap_or_default() };
            page.set_head(index, head(suffix));
            heap = heap.saturating_sub(record_words(suffix.len(), value.code()).div_ceil(1 << shift));
            pair = pair << 32 | u64::from(page.encode_slot(heap << shift, suffix.len(), value.code()));
            if index.is_multiple_of(2) {
                page.set_pair(index / 2, pair);
                pair = 0;
            }
            page.fill_record(heap << shift, suffix, &value);
        }
        debug_assert!(
            heap << shift >= front_words(prefix.len(), count),
            "a node without room for its entries"
        );
        page.store_meta(Meta { heap, ..empty });
    }

    /// Makes the words from the second on a node with entries of pages that have the same prefix and units, and do not lie
    /// in these words. All keys go on with the same `longer` bytes behind the prefix, which become part of it. There
    /// must be room; the links are left alone.
    pub(in crate::btree) fn assemble(words: &[Word], parts: [(Page<'_>, Range<usize>); 2], longer: usize) {
        let Some((first, _)) = parts.iter().find(|(_, range)| !range.is_empty()).or(parts.first()) else {
            return;
        };
        let first_head = parts
            .iter()
            .find(|(_, range)| !range.is_empty())
            .map_or(0, |(page, range)| page.head(range.start));
        let mut prefix = Vec::with_capacity(first.prefix_len() + 2 * WORD_BYTES);
        let whole = words::append(first.prefix(), first.prefix_len(), &mut prefix);
        debug_assert!(whole.is_some(), "a prefix beyond its page");
        prefix.extend_from_slice(first_head.to_be_bytes().get(..longer).unwrap_or_default());
        let shift = unit_shift(words.len());
        let count = parts.iter().map(|(_, range)| range.len()).sum();
        let (level, heap) = (first.level(), words.len() >> shift);
        let empty = Meta { count, level, prefix_len: prefix.len(), heap, garbage: 0 };
        if let Some(word) = words.get(1) {
            word.store(empty.encode(), Relaxed);
        }
        let stored = words::store(words.get(HEADER_WORDS..).unwrap_or_default(), &prefix);
        debug_assert!(stored, "a prefix beyond its page");
        let page = Page::of(words);
        let (mut heap, mut pair, mut index) = (empty.heap, 0, count);
        for (from, range) in parts.into_iter().rev() {
            for entry in range.rev() {
                index -= 1;
                let (head, slot, record) = (from.head(entry), from.slot(entry), from.record(entry));
                let suffix_len = record.suffix_len - longer;
                let moved = record_words(suffix_len, record.code);
                heap = heap.saturating_sub(moved.div_ceil(1 << shift));
                let to = words.get(heap << shift..).unwrap_or_default();
                let head = if longer == 0 {
                    let at = ((slot & OFFSET_MASK) as usize) << shift;
                    copy_words(from.words.get(at..at + moved).unwrap_or_default(), to);
                    head
                } else {
                    from.store_shortened(&record, longer, to) | head << (longer * 8)
                };
                page.set_head(index, head);
                pair = pair << 32 | u64::from(page.encode_slot(heap << shift, suffix_len, record.code));
                if index.is_multiple_of(2) {
                    page.set_pair(index / 2, pair);
                    pair = 0;
                }
            }
        }
        debug_assert!(heap << shift >= front_words(prefix.len(), count), "no room for the entries");
        page.store_meta(Meta { heap, ..empty });
    }

    /// Stores a record whose key begins some bytes later; returns what comes into the head from behind.
    fn store_shortened(&self, record: &Record, shorter: usize, to: &[Word]) -> u64 {
        let shift = shorter * 8;
        let suffix_len = record.suffix_len - shorter;
        let load = |word: Option<&Word>| word.map_or(0, |word| word.load(Relaxed));
        let rest = self.rest(record).unwrap_or_default();
        let mut to = to.iter();
        if suffix_len >= LONG_KEY
            && let Some(word) = to.next()
        {
            word.store(suffix_len as u64, Relaxed);
        }
        let count = words::words_for(suffix_len.saturating_sub(WORD_BYTES));
        for (index, word) in to.by_ref().take(count).enumerate() {
            word.store(load(rest.get(index)) >> shift | load(rest.get(index + 1)) << (64 - shift), Relaxed);
        }
        let value = self.value_slice(record).unwrap_or_default();
        for (from, word) in value.iter().zip(to) {
            word.store(from.load(Relaxed), Relaxed);
        }
        load(rest.first()).swap_bytes() >> (64 - shift)
    }

    /// Whether entries of two pages can be put into one node without a look at their keys.
    pub(in crate::btree) fn goes_with(&self, other: &Page<'_>) -> bool {
        let equal = |(a, b): (&Word, &Word)| a.load(Relaxed) == b.load(Relaxed);
        self.meta.prefix_len == other.meta.prefix_len
            && self.shift() == other.shift()
            && self.prefix().iter().zip(other.prefix()).all(equal)
    }
}
