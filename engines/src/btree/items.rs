//! Entries taken out of pages, to be put into others: whole keys, and values where they lie.

use super::limits::Limits;
use super::link::{Node, expressible};
use super::page::{Page, Value, common_prefix, front_words, heap_words};
use crate::memory::slab::Slab;
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
    keys: Vec<u8>,
    list: Vec<Item<'a>>,
}

impl<'a> Items<'a> {
    /// No entries, with room for some.
    pub(super) fn with_capacity(entries: usize) -> Self {
        Self { keys: Vec::with_capacity(entries * 32), list: Vec::with_capacity(entries) }
    }

    /// Number of entries.
    pub(super) const fn len(&self) -> usize {
        self.list.len()
    }

    /// Adds an entry behind the others.
    pub(super) fn push(&mut self, key: &[u8], value: Value<'a>) {
        let start = self.keys.len();
        self.keys.extend_from_slice(key);
        self.list.push(Item { start, end: self.keys.len(), value });
    }

    /// Adds entries of a page.
    pub(super) fn push_page(&mut self, page: &Page<'a>, range: Range<usize>) {
        for index in range {
            let start = self.keys.len();
            let whole = page.append_key(index, &mut self.keys);
            debug_assert!(whole.is_some(), "a torn key under the latch");
            self.list.push(Item { start, end: self.keys.len(), value: page.moved(&page.record(index)) });
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
    pub(super) fn prefix(&self, level: usize, range: &Range<usize>) -> &[u8] {
        let first = self.key(range.start + usize::from(level > 0));
        if range.len() <= usize::from(level > 0) {
            return &[];
        }
        let last = self.key(range.end.saturating_sub(1));
        first.get(..common_prefix(first, last)).unwrap_or_default()
    }

    /// Words that an entry adds to a node with such a prefix, twice, so that half a slot counts too.
    pub(super) fn weight(
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
        3 + 2 * heap_words(node_words, suffix_len, &item.value)
    }

    /// The weights of all entries of a range.
    pub(super) fn weights(&self, level: usize, range: Range<usize>) -> Vec<usize> {
        let prefix_len = self.prefix(level, &range).len();
        range.clone().map(|index| self.weight(level, index, index == range.start, prefix_len, 0)).collect()
    }

    fn words_in(&self, level: usize, range: &Range<usize>, node_words: usize) -> usize {
        let prefix_len = self.prefix(level, range).len();
        let weight = |index| self.weight(level, index, index == range.start, prefix_len, node_words) - 3;
        let heap: usize = range.clone().map(weight).sum();
        front_words(prefix_len, range.len()) + heap / 2
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

    /// Where a node that starts with an entry is full.
    pub(super) fn full_node(&self, level: usize, start: usize, limits: &Limits) -> usize {
        let mut end = start + 1;
        let mut prefix_len = self.prefix(level, &(start..end)).len();
        let mut heap = self.weight(level, start, true, prefix_len, 0) - 3;
        while end < self.len() {
            let count = end + 1 - start;
            let longer = self.prefix(level, &(start..end + 1)).len();
            if longer == prefix_len {
                heap += self.weight(level, end, false, prefix_len, 0) - 3;
            } else {
                prefix_len = longer;
                heap = (start..=end)
                    .map(|index| self.weight(level, index, index == start, prefix_len, 0) - 3)
                    .sum();
            }
            if !limits.fits(level, count, front_words(prefix_len, count) + heap / 2) {
                break;
            }
            end += 1;
        }
        end
    }

    fn entries(&self, range: Range<usize>) -> impl ExactSizeIterator<Item = (&[u8], Value<'a>)> + Clone {
        let items = self.list.get(range).unwrap_or_default();
        items.iter().map(|item| (self.keys.get(item.start..item.end).unwrap_or_default(), item.value))
    }

    /// A new node of these entries.
    pub(super) fn node<'g>(
        &self,
        level: usize,
        range: Range<usize>,
        limits: &Limits,
        slab: &Slab,
        guard: &'g Guard,
    ) -> Node<'g> {
        let mut words = limits.capacity(self.words(level, range.clone()));
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
        words <= node.words().len() && node.words().len() <= 2 * limits.capacity(words)
    }

    /// Writes the entries to a node, whose latch is held unless nobody knows it.
    pub(super) fn write(&self, level: usize, range: Range<usize>, node: Node<'_>) {
        Page::build(node.words(), level, self.prefix(level, &range), self.entries(range));
    }
}
