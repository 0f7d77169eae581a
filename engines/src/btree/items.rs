//! Entries taken out of pages, to be put into others: whole keys, and values where they lie.
//!
//! Thread safety: data of the one who holds the latches of the pages.

use super::limits::Limits;
use super::link::{Node, expressible};
use super::page::{Page, Value, common_prefix, front_words, heap_words};
use crate::memory::slab::Slab;
use crate::memory::words::WORD_BYTES;
use crossbeam::epoch::Guard;
use std::ops::Range;

#[derive(Clone, Copy, Debug)]
struct Item<'a> {
    start: usize,
    end: usize,
    value: Value<'a>,
}

/// A change of one entry of a page: where [`Page::locate`] found it, its key, and the new value or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edit<'a> {
    pub(super) at: Result<usize, usize>,
    pub(super) key: &'a [u8],
    pub(super) value: Option<Value<'a>>,
}

/// Entries in ascending order. In those of a branch the key of the first one is what separates it from its left
/// neighbour, and not stored in the node.
#[derive(Clone, Debug, Default)]
pub(super) struct Items<'a> {
    /// As long as it has to be for keys written in whole words; what counts is `used`.
    keys: Vec<u8>,
    used: usize,
    list: Vec<Item<'a>>,
}

impl<'a> Items<'a> {
    /// No entries, with room for some.
    pub(super) fn with_capacity(entries: usize) -> Self {
        Self { keys: Vec::with_capacity(entries * 32), used: 0, list: Vec::with_capacity(entries) }
    }

    /// Number of entries.
    pub(super) const fn len(&self) -> usize {
        self.list.len()
    }

    /// Adds an entry behind the others.
    pub(super) fn push(&mut self, key: &[u8], value: Value<'a>) {
        let start = self.used;
        self.keys.truncate(start);
        self.keys.extend_from_slice(key);
        self.used = self.keys.len();
        self.list.push(Item { start, end: self.used, value });
    }

    /// Adds entries of a page; the key of a branch's entry 0 is taken for empty.
    pub(super) fn push_page(&mut self, page: &Page<'a>, range: Range<usize>) {
        for index in range {
            let record = page.record(index);
            let value = page.moved(&record);
            if page.level() > 0 && index == 0 {
                self.push(&[], value);
                continue;
            }
            let (start, end) = (self.used, self.used + page.prefix_len() + record.suffix_len);
            if self.keys.len() < end + 3 * WORD_BYTES {
                self.keys.resize(end + 3 * WORD_BYTES, 0);
            }
            let whole = self.keys.get_mut(start..).and_then(|out| page.copy_key(index, &record, out));
            debug_assert!(whole.is_some(), "a torn key under the latch");
            self.used = end;
            self.list.push(Item { start, end, value });
        }
    }

    /// The entries of a leaf with one of them changed.
    pub(super) fn edited(page: &Page<'a>, edit: &Edit<'a>) -> Self {
        let mut items = Self::with_capacity(page.len() + 1);
        let (Ok(at) | Err(at)) = edit.at;
        items.push_page(page, 0..at);
        if let Some(value) = edit.value {
            items.push(edit.key, value);
        }
        items.push_page(page, at + usize::from(edit.at.is_ok())..page.len());
        items
    }

    /// Adds entries behind the others, the first one under another key.
    pub(super) fn append(&mut self, others: &Items<'a>, first_key: Option<&[u8]>) {
        for (index, item) in others.list.iter().enumerate() {
            self.push(first_key.filter(|_| index == 0).unwrap_or_else(|| others.key(index)), item.value);
        }
    }

    /// The entries from one on.
    pub(super) fn from(&self, start: usize) -> Self {
        let mut items = Self::with_capacity(self.len());
        for index in start..self.len() {
            if let Some(item) = self.list.get(index) {
                items.push(self.key(index), item.value);
            }
        }
        items
    }

    /// The key of an entry.
    pub(super) fn key(&self, index: usize) -> &[u8] {
        self.list.get(index).and_then(|item| self.keys.get(item.start..item.end)).unwrap_or_default()
    }

    /// The prefix that a node of these entries truncates.
    fn prefix(&self, level: usize, range: &Range<usize>) -> &[u8] {
        let first = self.key(range.start + usize::from(level > 0));
        if range.len() <= usize::from(level > 0) {
            return &[];
        }
        let last = self.key(range.end.saturating_sub(1));
        first.get(..common_prefix(first, last)).unwrap_or_default()
    }

    /// Words that an entry takes in the heap of a node with such a prefix.
    fn heap_of(
        &self,
        level: usize,
        index: usize,
        is_first: bool,
        prefix_len: usize,
        node_words: usize,
    ) -> usize {
        let Some(item) = self.list.get(index) else { return 0 };
        let suffix_len =
            if level > 0 && is_first { 0 } else { (item.end - item.start).saturating_sub(prefix_len) };
        heap_words(node_words, suffix_len, &item.value)
    }

    fn words_in(&self, level: usize, range: &Range<usize>, node_words: usize) -> usize {
        let prefix_len = self.prefix(level, range).len();
        let heap_of = |index| self.heap_of(level, index, index == range.start, prefix_len, node_words);
        front_words(prefix_len, range.len()) + range.clone().map(heap_of).sum::<usize>()
    }

    /// Words that a node of these entries needs.
    pub(super) fn words(&self, level: usize, range: Range<usize>) -> usize {
        // In large nodes records are rounded up to units, and the more the larger the node.
        let mut words = self.words_in(level, &range, 0);
        loop {
            let rounded = self.words_in(level, &range, expressible(words));
            if rounded <= expressible(words) {
                return rounded;
            }
            words = rounded;
        }
    }

    /// What a node of all entries needs, and what each adds to it.
    pub(super) fn sizes(&self, level: usize, limits: &Limits) -> Sizes {
        let prefix_len = self.prefix(level, &(0..self.len())).len();
        let mut sum = 0;
        let mut sums = Vec::with_capacity(self.len() + 1);
        sums.push(0);
        for index in 0..self.len() {
            sum += 3 + 2 * self.heap_of(level, index, false, prefix_len, limits.node_words(level));
            sums.push(sum);
        }
        Sizes { prefix_len, sums }
    }

    /// Whether a node of a part of the entries would not be too full.
    pub(super) fn fits(&self, level: usize, part: &Range<usize>, sizes: &Sizes, limits: &Limits) -> bool {
        limits.fits(level, part.len(), sizes.words(part))
            || limits.fits(level, part.len(), self.words(level, part.clone()))
    }

    /// Where a node that starts with an entry is full.
    pub(super) fn full_node(&self, level: usize, start: usize, limits: &Limits) -> usize {
        let unit = limits.node_words(level);
        let mut end = start + 1;
        let mut prefix_len = self.prefix(level, &(start..end)).len();
        let mut heap = self.heap_of(level, start, true, prefix_len, unit);
        while end < self.len() {
            let count = end + 1 - start;
            let longer = self.prefix(level, &(start..end + 1)).len();
            if longer == prefix_len {
                heap += self.heap_of(level, end, false, prefix_len, unit);
            } else {
                prefix_len = longer;
                heap = (start..=end)
                    .map(|index| self.heap_of(level, index, index == start, prefix_len, unit))
                    .sum();
            }
            if !limits.fits(level, count, front_words(prefix_len, count) + heap) {
                break;
            }
            end += 1;
        }
        end
    }

    fn entries(
        &self,
        range: Range<usize>,
    ) -> impl ExactSizeIterator<Item = (&[u8], Value<'a>)> + DoubleEndedIterator {
        let items = self.list.get(range).unwrap_or_default();
        items.iter().map(|item| (self.keys.get(item.start..item.end).unwrap_or_default(), item.value))
    }

    /// A new node of these entries, which need at most so many words.
    pub(super) fn node<'g>(
        &self,
        level: usize,
        range: Range<usize>,
        limits: &Limits,
        slab: &Slab,
        guard: &'g Guard,
    ) -> Node<'g> {
        let mut words = limits.capacity(level, self.words(level, range.clone()));
        // A block with more room may have larger units.
        while self.words_in(level, &range, expressible(words)) > expressible(words) {
            words += words / 8 + 1;
        }
        let node = Node::allocate(slab, words, guard);
        self.write(level, range, node);
        node
    }

    /// Whether all entries fit a node as it is.
    pub(super) fn fit(&self, level: usize, node: Node<'_>) -> bool {
        self.words_in(level, &(0..self.len()), node.words().len()) <= node.words().len()
    }

    /// Whether a node is large enough for these entries, and not much too large.
    pub(super) fn suit(&self, level: usize, range: &Range<usize>, node: Node<'_>, limits: &Limits) -> bool {
        let words = self.words_in(level, range, node.words().len());
        words <= node.words().len() && node.words().len() <= 2 * limits.capacity(level, words)
    }

    /// Writes the entries to a node, whose latch is held unless nobody knows it.
    pub(super) fn write(&self, level: usize, range: Range<usize>, node: Node<'_>) {
        Page::build(node.words(), level, self.prefix(level, &range), self.entries(range));
    }
}

/// Sizes of entries as they would be in one node.
#[derive(Debug)]
pub(super) struct Sizes {
    prefix_len: usize,
    /// For each entry what those before it take, in half words, slots included.
    sums: Vec<usize>,
}

impl Sizes {
    /// Half words that the entries before one take.
    pub(super) fn before(&self, index: usize) -> usize {
        self.sums.get(index).copied().unwrap_or(0)
    }

    /// Words that a node of a part needs at most: its own prefix may be longer than that of all.
    pub(super) fn words(&self, part: &Range<usize>) -> usize {
        front_words(self.prefix_len, 0) + (self.before(part.end) - self.before(part.start)).div_ceil(2)
    }
}
