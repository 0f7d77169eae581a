//! Pages made anew of entries.
//!
//! Thread safety: for the holder of the node's latch, or while nobody knows the node.

use super::{HEADER_WORDS, LONG_KEY, Meta, OFFSET_MASK, Page, Record, Value, copy_words, front_words, head};
use super::{common_prefix, record_words, unit_shift};
use crate::memory::words::{self, WORD_BYTES, Word};
use crate::sync::Ordering::Relaxed;
use std::cmp::Ordering;
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

    /// Makes the words from the second on a node with entries of pages that do not lie in these words and have the
    /// same units. All keys begin with the first `prefix_len` bytes of the first one, at most seven more or less than the prefix
    /// of their page. There must be room; the links are left alone.
    pub(in crate::btree) fn assemble(
        words: &[Word],
        parts: [(Page<'_>, Range<usize>); 2],
        prefix_len: usize,
    ) {
        let used = |(_, range): &&(Page<'_>, Range<usize>)| !range.is_empty();
        let Some((first, range)) = parts.iter().find(used).or(parts.first()) else { return };
        let mut prefix = Vec::with_capacity(first.prefix_len() + 3 * WORD_BYTES);
        let whole = words::append(first.prefix(), first.prefix_len(), &mut prefix);
        debug_assert!(whole.is_some(), "a prefix beyond its page");
        prefix.extend_from_slice(&first.head(range.start).to_be_bytes());
        prefix.truncate(prefix_len);
        let shift = unit_shift(words.len());
        let count = parts.iter().map(|(_, range)| range.len()).sum();
        let (level, heap) = (first.level(), words.len() >> shift);
        let empty = Meta { count, level, prefix_len, heap, garbage: 0 };
        if let Some(word) = words.get(1) {
            word.store(empty.encode(), Relaxed);
        }
        let stored = words::store(words.get(HEADER_WORDS..).unwrap_or_default(), &prefix);
        debug_assert!(stored && prefix.len() == prefix_len, "a prefix beyond its page");
        let page = Page::of(words);
        let (mut heap, mut pair, mut index) = (empty.heap, 0, count);
        for (from, range) in parts.into_iter().rev() {
            let tail = from.prefix_tail(prefix_len);
            for entry in range.rev() {
                index -= 1;
                let (head, slot, record) = (from.head(entry), from.slot(entry), from.record(entry));
                let suffix_len = record.suffix_len + from.prefix_len() - prefix_len;
                let moved = record_words(suffix_len, record.code);
                heap = heap.saturating_sub(moved.div_ceil(1 << shift));
                let to = words.get(heap << shift..).unwrap_or_default();
                let head = match prefix_len.cmp(&from.prefix_len()) {
                    Ordering::Equal => {
                        let at = ((slot & OFFSET_MASK) as usize) << shift;
                        copy_words(from.words.get(at..at + moved).unwrap_or_default(), to);
                        head
                    }
                    Ordering::Greater => {
                        let shorter = prefix_len - from.prefix_len();
                        from.store_shortened(&record, shorter, to) | head << (shorter * 8)
                    }
                    Ordering::Less => {
                        let longer = from.prefix_len() - prefix_len;
                        from.store_lengthened(&record, longer, head, to);
                        tail | head >> (longer * 8)
                    }
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

    /// What is behind so many bytes of the prefix, as the upper bytes of a head.
    fn prefix_tail(&self, from: usize) -> u64 {
        let mut prefix = Vec::with_capacity(self.prefix_len() + WORD_BYTES);
        if from >= self.prefix_len() || words::append(self.prefix(), self.prefix_len(), &mut prefix).is_none()
        {
            return 0;
        }
        head(prefix.get(from..).unwrap_or_default())
    }

    /// Stores a record whose key begins some bytes later; returns what comes into the head from behind.
    fn store_shortened(&self, record: &Record, shorter: usize, to: &[Word]) -> u64 {
        let shift = shorter * 8;
        let rest = self.rest(record).unwrap_or_default();
        let at = |index: usize| rest.get(index).map_or(0, |word| word.load(Relaxed));
        self.store_moved(
            record,
            record.suffix_len - shorter,
            |index| at(index) >> shift | at(index + 1) << (64 - shift),
            to,
        );
        at(0).swap_bytes() >> (64 - shift)
    }

    /// Stores a record whose key begins some bytes earlier, which pushes as many out of the head.
    fn store_lengthened(&self, record: &Record, longer: usize, head: u64, to: &[Word]) {
        let shift = longer * 8;
        let rest = self.rest(record).unwrap_or_default();
        let before = |index: usize| match index.checked_sub(1) {
            Some(index) => rest.get(index).map_or(0, |word| word.load(Relaxed)),
            None => head.swap_bytes(),
        };
        let word = |index: usize| before(index) >> (64 - shift) | before(index + 1) << shift;
        self.store_moved(record, record.suffix_len + longer, word, to);
    }

    /// Stores a record with another length of its key, and these words behind the head.
    fn store_moved(&self, record: &Record, suffix_len: usize, rest: impl Fn(usize) -> u64, to: &[Word]) {
        let mut to = to.iter();
        if suffix_len >= LONG_KEY
            && let Some(word) = to.next()
        {
            word.store(suffix_len as u64, Relaxed);
        }
        let count = words::words_for(suffix_len.saturating_sub(WORD_BYTES));
        for (index, word) in to.by_ref().take(count).enumerate() {
            word.store(rest(index), Relaxed);
        }
        for (from, word) in self.value_slice(record).unwrap_or_default().iter().zip(to) {
            word.store(from.load(Relaxed), Relaxed);
        }
    }

    /// Length of the prefix that the prefixes of two pages have in common, if the entries of both can be put under it without
    /// a look at their keys.
    pub(in crate::btree) fn common_prefix_len(&self, other: &Page<'_>) -> Option<usize> {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        words::append(self.prefix(), self.prefix_len(), &mut a)?;
        words::append(other.prefix(), other.prefix_len(), &mut b)?;
        let common = common_prefix(&a, &b);
        (self.shift() == other.shift() && a.len().max(b.len()) < common + WORD_BYTES).then_some(common)
    }
}
